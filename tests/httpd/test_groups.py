"""Application groups: tokens, isolation, the main interpreter, the limit (DESIGN.md section 8)."""
import json

import pytest

from harness import Site

MODES = ("embedded",)
MPMS = ("event", "worker")
ONE_CHILD = "StartServers 1\nServerLimit 1\nThreadsPerChild 8\nThreadLimit 8\n" \
            "MaxRequestWorkers 8\nMinSpareThreads 1\nMaxSpareThreads 8"

SITE = Site("""
    WSGIScriptAlias /default {apps}/probe.wsgi
    WSGIScriptAlias /resource {apps}/probe.wsgi application-group=%{RESOURCE}
    WSGIScriptAlias /global {apps}/probe.wsgi application-group=%{GLOBAL}
    WSGIScriptAlias /server {apps}/probe.wsgi application-group=%{SERVER}
    WSGIScriptAlias /host {apps}/probe.wsgi application-group=%{HOST}
    WSGIScriptAlias /named {apps}/probe.wsgi application-group=named
    WSGIScriptAlias /again {apps}/probe.wsgi application-group=named
    WSGIScriptAlias /env {apps}/probe.wsgi application-group=%{ENV:group}
    SetEnvIf Request_URI ^/env/plain group=plain
    SetEnvIf Request_URI ^/env/token group=%{GLOBAL}
    SetEnvIf Request_URI ^/env/server group=%{SERVER}
""", modules=("setenvif",), children=ONE_CHILD)


def known(server, target, **options):
    answer = server.get(target, **options)
    assert answer.status == 200, answer
    return json.loads(answer.body)


TOKENS = {
    "/default/x": "localhost:PORT|/default",
    "/resource/x": "localhost:PORT|/resource",
    "/global": "",
    "/server": "localhost:PORT",
    "/host": "tenant.example:PORT",
    "/named": "named",
    "/env/plain": "plain",
    "/env/token": "",
    "/env/server": "localhost:PORT",
    "/env/unset": "%{ENV:group}",
}


@pytest.mark.parametrize("target", TOKENS)
def test_token(server, target):
    environ = known(server, target, host="tenant.example")["environ"]
    assert environ["mod_wsgi.application_group"] \
        == TOKENS[target].replace("PORT", str(server.port))


def test_default_port_is_left_out(make_server):
    """%{SERVER} names the port of the configuration, not the one that Host: claims."""
    made = make_server(Site("WSGIScriptAlias /server {apps}/probe.wsgi application-group=%{SERVER}\n"
                            "ServerName www.example.org:80\n"))
    environ = known(made, "/server", host="www.example.org:9")["environ"]
    assert environ["mod_wsgi.application_group"] == "www.example.org"


def test_interpreters_are_isolated(server):
    """A global of one interpreter is not seen in another, and is in the same one."""
    assert known(server, "/named?mark=a")["marks"] == ["a"]
    assert known(server, "/default?mark=b")["marks"] == ["b"]
    assert known(server, "/global?mark=c")["marks"] == ["c"]
    assert known(server, "/again?mark=d")["marks"] == ["a", "d"]


def test_interpreter_of_each_group(server):
    ids = {target: known(server, target)["interpreter"] for target in
           ("/default", "/resource", "/global", "/named", "/again", "/env/token")}
    assert ids["/global"] == ids["/env/token"] == 0, "%{GLOBAL} is the main interpreter, always"
    assert ids["/named"] == ids["/again"]
    assert len(set(ids.values())) == 4


def test_interpreter_start_is_logged(server):
    known(server, "/env/plain")
    server.log.poll()
    assert any("WGW0004: interpreter for application group 'plain' started" in record.message
               and record.level == "info" for record in server.log.records)


SINGLE = {
    # id: (text, the group that gets the main interpreter; None when none does)
    "one alias": ("WSGIScriptAlias / {apps}/probe.wsgi", "localhost:{port}|"),
    "one alias below": ("WSGIScriptAlias /app {apps}/probe.wsgi", "localhost:{port}|/app"),
    "one name": ("WSGIApplicationGroup mine\nWSGIScriptAlias / {apps}/probe.wsgi\n"
                 "WSGIScriptAlias /two {apps}/probe.wsgi", "mine"),
    "%{SERVER}": ("WSGIApplicationGroup %{SERVER}\nWSGIScriptAlias / {apps}/probe.wsgi\n"
                  "WSGIScriptAlias /two {apps}/probe.wsgi", "localhost:{port}"),
    "a folder in one group": ("WSGIApplicationGroup mine\nWSGIScriptAlias / {apps}", "mine"),
    "two aliases": ("WSGIScriptAlias /two {apps}/probe.wsgi\n"
                    "WSGIScriptAlias / {apps}/probe.wsgi", None),
    "a folder": ("WSGIScriptAlias / {apps}", None),
    "%{HOST}": ("WSGIApplicationGroup %{HOST}\nWSGIScriptAlias / {apps}/probe.wsgi", None),
    "%{ENV:x}": ("WSGIApplicationGroup %{ENV:x}\nWSGIScriptAlias / {apps}/probe.wsgi", None),
    "another group in a Location": ("WSGIScriptAlias / {apps}/probe.wsgi\n"
                                    "<Location /two>\nWSGIApplicationGroup two\n</Location>", None),
}


@pytest.mark.parametrize("name", SINGLE)
def test_single_group_gets_the_main_interpreter(make_server, name):
    text, group = SINGLE[name]
    made = make_server(Site(text, children=ONE_CHILD))
    target = {"a folder": "/probe.wsgi", "a folder in one group": "/probe.wsgi",
              "one alias below": "/app", "two aliases": "/two",
              "another group in a Location": "/two"}.get(name, "/")
    seen = known(made, target)
    assert (seen["interpreter"] == 0) == (group is not None)
    assert bool(made.log.find("WGW0036", "info")) == (group is not None)
    if group is not None:
        expected = group.format(port=made.port)
        assert seen["environ"]["mod_wsgi.application_group"] == expected
        assert made.log.find(f"WGW0036: application group '{expected.replace('|', '.')}' is the "
                             "only one")


def test_limit(make_server):
    """A Host header must not be able to make interpreters without end."""
    made = make_server(Site("""
        WSGIApplicationGroup %{HOST}
        WSGIApplicationGroupLimit 2
        WSGIScriptAlias / {apps}/probe.wsgi
    """, children=ONE_CHILD))
    assert known(made, "/", host="one")["interpreter"] != 0
    for host in ("two", "three", "two"):
        assert made.get("/", host=host).status == 503
    lines = made.expect_log(r"WGW0003: application group '(two|three):\d+' is refused with 503: this "
                            r"process has 2 interpreters.*WSGIApplicationGroupLimit", "error")
    assert len(lines) == 3
    assert known(made, "/", host="one"), "those that are there go on"
