"""The effect of each directive of a request, and which level's word counts:
server < virtual host < Directory < .htaccess < Location."""
import json

import pytest

from harness import Site

CHANGED = """
    WSGIApplicationGroup changed
    WSGICallableObject other
    WSGIPassAuthorization On
    WSGIChunkedRequest Off
    WSGIErrorOverride On
    WSGIMapHEADToGET On
"""
DEFAULTS = """
    WSGIApplicationGroup default
    WSGICallableObject application
    WSGIPassAuthorization Off
    WSGIChunkedRequest On
    WSGIErrorOverride Off
    WSGIMapHEADToGET Off
"""

SITE = Site(f"""
    WSGIScriptAlias /app {{apps}}/probe.wsgi
    WSGIScriptAlias /folder {{work}}/folder
    ErrorDocument 409 "the error document"
    {CHANGED}
    <VirtualHost *:{{port}}>
        ServerName inherits
        <Directory {{work}}/folder/access>
            AllowOverride FileInfo
        </Directory>
        <Directory {{work}}/folder/default>
            {DEFAULTS}
        </Directory>
        <Directory {{work}}/folder/changed>
            {DEFAULTS}
        </Directory>
        <Location /folder/changed>
            {CHANGED}
        </Location>
    </VirtualHost>
    <VirtualHost *:{{port}}>
        ServerName overrides
        {DEFAULTS}
        <Location /app/inner>
            {CHANGED}
        </Location>
    </VirtualHost>
""")

LEVELS = {
    # id: (host, path, whether CHANGED counts)
    "vhost inherits from the server": ("inherits", "/app", True),
    "vhost": ("overrides", "/app", False),
    "Location over vhost": ("overrides", "/app/inner/x", True),
    "Directory over server": ("inherits", "/folder/default/probe.wsgi", False),
    ".htaccess over server": ("inherits", "/folder/access/probe.wsgi", False),
    "Location over Directory": ("inherits", "/folder/changed/probe.wsgi", True),
}
SECRET = [("Authorization", "Bearer secret")]
HT_DEFAULTS = DEFAULTS.replace("WSGIApplicationGroup default", "")


@pytest.fixture
def folders(server):
    """The scripts below {work}/folder."""
    server.allow_log("WGW0030: .*/folder' cannot be found now")
    source = f"import sys\nsys.path.insert(0, {str(server.places()['apps'])!r})\n"
    source += (server.places()["apps"] / "probe.wsgi").read_text()
    for name in ("access", "default", "changed"):
        folder = server.work / "folder" / name
        if not folder.exists():
            folder.mkdir(parents=True)
            (folder / "probe.wsgi").write_text(source)
    (server.work / "folder" / "access" / ".htaccess").write_text(HT_DEFAULTS)


def each_level(test):
    return pytest.mark.parametrize("level", LEVELS)(pytest.mark.usefixtures("folders")(test))


def ask(server, level, headers=(), method="GET", query="", body=None):
    host, path, is_changed = LEVELS[level]
    return is_changed, server.request(method, path + query, headers, body, host=host)


@each_level
def test_application_group(server, level):
    if level.startswith(".htaccess"):
        pytest.skip("WSGIApplicationGroup may not stand in .htaccess")
    changed, answer = ask(server, level)
    assert json.loads(answer.body)["environ"]["mod_wsgi.application_group"] \
        == ("changed" if changed else "default")


@each_level
def test_callable_object(server, level):
    changed, answer = ask(server, level)
    known = json.loads(answer.body)
    assert known["callable"] == known["environ"]["mod_wsgi.callable_object"] \
        == ("other" if changed else "application")


@each_level
def test_pass_authorization(server, level):
    changed, answer = ask(server, level, SECRET)
    assert json.loads(answer.body)["environ"].get("HTTP_AUTHORIZATION") \
        == ("Bearer secret" if changed else None)


@each_level
def test_chunked_request(server, level):
    changed, answer = ask(server, level, [("Transfer-Encoding", "chunked")], "POST", "?read=1",
                          b"3\r\nabc\r\n0\r\n\r\n")
    assert answer.status == (411 if changed else 200)
    if changed:
        server.expect_log("WGW0046: WSGIChunkedRequest is Off", "error")
    else:
        assert json.loads(answer.body)["body"] == "abc"


@each_level
def test_error_override(server, level):
    changed, answer = ask(server, level, query="?status=409+Conflict")
    assert answer.status == 409
    assert (answer.body == b"the error document") == changed
    assert answer.header("Set-Cookie") == "kept=yes", "the application's cookie is kept"
    assert (answer.header("Content-Type") == "application/json") != changed


@each_level
def test_map_head_to_get(server, level):
    changed, answer = ask(server, level, method="HEAD")
    assert answer.header("X-Method") == ("GET" if changed else "HEAD")
    assert answer.body == b""
