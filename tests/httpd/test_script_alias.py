"""WSGIScriptAlias and WSGIScriptAliasMatch: which script, which SCRIPT_NAME and PATH_INFO."""
import json

import pytest

from harness import Site

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /app/special {apps}/probe.wsgi callable-object=other
    WSGIScriptAlias /app {apps}/probe.wsgi
    WSGIScriptAlias /app/late {apps}/probe.wsgi callable-object=other
    WSGIScriptAlias /slash/ {apps}/probe.wsgi
    WSGIScriptAlias /double//slash {apps}/probe.wsgi
    WSGIScriptAlias "/with space" {apps}/probe.wsgi
    WSGIScriptAlias /folder {apps}
    WSGIScriptAlias /folder2/ {apps}/
    WSGIScriptAliasMatch ^/match/([a-z]+)/v[0-9] {apps}/$1.wsgi
    WSGIScriptAliasMatch ^/fixed/[a-z]+ {apps}/probe.wsgi callable-object=other
    WSGIScriptAlias /shared {apps}/probe.wsgi callable-object=other
    WSGIScriptAlias /dotted {apps}/probe.wsgi callable-object=Nested.application
    WSGIScriptAlias /passes {apps}/probe.wsgi pass-authorization=On
    WSGIScriptAlias /withholds {apps}/probe.wsgi pass-authorization=off
    WSGIScriptAlias /quoted {apps}/probe.wsgi "callable-object=other"
    <Location /withholds>
        WSGIPassAuthorization On
    </Location>
    WSGIScriptAlias /core {apps}/probe.wsgi
    <Location /core>
        CGIPassAuth On
    </Location>
    Alias /static {htdocs}
    <VirtualHost *:{port}>
        ServerName first
    </VirtualHost>
    <VirtualHost *:{port}>
        ServerName root
        WSGIScriptAlias /shared {apps}/probe.wsgi
        WSGIScriptAlias / {apps}/probe.wsgi
        Alias /static {htdocs}
        AllowEncodedSlashes On
    </VirtualHost>
    <VirtualHost *:{port}>
        ServerName nodecode
        AllowEncodedSlashes NoDecode
    </VirtualHost>
    <VirtualHost *:{port}>
        ServerName strict
        AcceptPathInfo Off
    </VirtualHost>
""")

SPLITS = {
    # request: (callable, SCRIPT_NAME, PATH_INFO)
    "/app": ("application", "/app", ""),
    "/app/": ("application", "/app", "/"),
    "/app/x": ("application", "/app", "/x"),
    "/app/x/": ("application", "/app", "/x/"),
    "/app//x": ("application", "/app", "/x"),
    "/app/x//y": ("application", "/app", "/x/y"),
    "//app/x": ("application", "/app", "/x"),
    "/app/x?a=b/c": ("application", "/app", "/x"),
    "/app/%78": ("application", "/app", "/x"),
    "/%61pp/x": ("application", "/app", "/x"),
    "/app/a%20b": ("application", "/app", "/a b"),
    "/app/%C3%A9": ("application", "/app", "/\xc3\xa9"),
    "/app/../app/x": ("application", "/app", "/x"),
    "/app/x/../y": ("application", "/app", "/y"),
    "/app/special": ("other", "/app/special", ""),
    "/app/special/x": ("other", "/app/special", "/x"),
    "/app/specially": ("application", "/app", "/specially"),
    "/app/late": ("application", "/app", "/late"),
    "/slash/": ("application", "/slash", "/"),
    "/slash/x": ("application", "/slash", "/x"),
    "/double/slash/x": ("application", "/double/slash", "/x"),
    "/with%20space/x": ("application", "/with space", "/x"),
    "/folder/probe.wsgi": ("application", "/folder/probe.wsgi", ""),
    "/folder/probe.wsgi/x": ("application", "/folder/probe.wsgi", "/x"),
    "/folder2/probe.wsgi/x/": ("application", "/folder2/probe.wsgi", "/x/"),
    "/match/probe/v1": ("application", "/match/probe/v1", ""),
    "/match/probe/v1/x": ("application", "/match/probe/v1", "/x"),
    "/fixed/abc/x": ("other", "/fixed/abc", "/x"),
    "/shared/x": ("other", "/shared", "/x"),
    "/dotted/x": ("dotted", "/dotted", "/x"),
    "/quoted": ("other", "/quoted", ""),
}
ROOT_SPLITS = {
    "/": ("application", "", "/"),
    "/x/y": ("application", "", "/x/y"),
    "/shared/x": ("application", "/shared", "/x"),
    "/app/special/x": ("application", "", "/app/special/x"),
    "/a%2Fb": ("application", "", "/a/b"),
}


def shown(server, target, **options):
    answer = server.get(target, **options)
    assert answer.status == 200, answer
    return json.loads(answer.body)


def check_split(known, expected):
    environ = known["environ"]
    assert (known["callable"], environ["SCRIPT_NAME"], environ["PATH_INFO"]) == expected
    assert (environ["mod_wsgi.script_name"], environ["mod_wsgi.path_info"]) == expected[1:]


@pytest.mark.parametrize("target", SPLITS)
def test_split(server, target):
    known = shown(server, target)
    check_split(known, SPLITS[target])
    assert known["environ"]["REQUEST_URI"] == target


@pytest.mark.parametrize("target", ROOT_SPLITS)
def test_split_at_root(server, target):
    check_split(shown(server, target, host="root"), ROOT_SPLITS[target])


@pytest.mark.parametrize("target", ["/application", "/ap", "/slash", "/slashx", "/App"])
def test_not_below_the_alias(server, target):
    """A prefix matches whole segments only, and letters by case."""
    assert server.get(target).status == 404
    server.allow_log("AH00128")


def test_script_filename(server):
    environ = shown(server, "/app/x")["environ"]
    assert environ["SCRIPT_FILENAME"] == f"{server.places()['apps']}/probe.wsgi"


def test_encoded_slash_refused_by_default(server):
    assert server.get("/app/a%2Fb").status == 404
    server.allow_log("AH00026")


def test_encoded_slash_not_decoded(server):
    check_split(shown(server, "/app/a%2Fb", host="nodecode"), ("application", "/app", "/a%2Fb"))


def test_alias_beside_the_root(server):
    """mod_alias comes first: static files beside an application at /."""
    (server.htdocs / "file.txt").write_text("static")
    assert server.get("/static/file.txt", host="root").body == b"static"


def test_missing_static_file_is_not_the_applications(server):
    assert server.get("/static/none.txt", host="root").status == 404
    server.allow_log("AH00128")


AUTHORIZATION = {"/app": None, "/passes": "Bearer x", "/withholds": None, "/core": "Bearer x"}


@pytest.mark.parametrize("target", AUTHORIZATION)
def test_authorization(server, target):
    """By the option of the alias, over WSGIPassAuthorization; by httpd's own CGIPassAuth."""
    known = shown(server, target, headers=[("Authorization", "Bearer x"),
                                           ("Proxy-Authorization", "Basic y")])
    assert known["environ"].get("HTTP_AUTHORIZATION") == AUTHORIZATION[target]


@pytest.mark.parametrize("target, status", [("/app", 200), ("/app/x", 404)])
def test_accept_path_info_off(server, target, status):
    assert server.get(target, host="strict").status == status
    if status == 404:
        server.expect_log("WGW0044: AcceptPathInfo is Off and .*: '/x'", "error")
