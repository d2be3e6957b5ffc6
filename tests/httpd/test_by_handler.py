"""SetHandler and AddHandler wsgi-script: the file itself is the script, and ExecCGI is needed."""
import json

import pytest

from harness import Site

SITE = Site("""
    TypesConfig /dev/null
    WSGIApplicationGroup %{GLOBAL}
    Alias /set {apps}
    <Location /set>
        SetHandler wsgi-script
        Options +ExecCGI
    </Location>
    Alias /add {apps}
    <Location /add>
        AddHandler wsgi-script .wsgi
        Options +ExecCGI
    </Location>
    Alias /old {apps}
    <Location /old>
        SetHandler application/x-httpd-wsgi
        Options +ExecCGI
    </Location>
    Alias /refused {apps}
    <Location /refused>
        SetHandler wsgi-script
        Options -ExecCGI
    </Location>
    Alias /multi {htdocs}
    <Directory {htdocs}>
        AllowOverride All
    </Directory>
    WSGIScriptAlias /alias {apps}/probe.wsgi
    <Location /alias>
        AddHandler server-status .wsgi
    </Location>
    <Location /alias/status>
        SetHandler server-status
    </Location>
    WSGICallableObject %{ENV:wanted}
    SetEnvIf Request_URI by-env wanted=other
    SetEnvIf Request_URI by-absent wanted=absent
""", modules=("mime", "status", "setenvif"))

SERVED = {
    "/set/probe.wsgi": ("/set/probe.wsgi", ""),
    "/set/probe.wsgi/x": ("/set/probe.wsgi", "/x"),
    "/add/probe.wsgi/x/y": ("/add/probe.wsgi", "/x/y"),
    "/old/probe.wsgi": ("/old/probe.wsgi", ""),
}


@pytest.mark.parametrize("target", SERVED)
def test_served(server, target):
    environ = json.loads(server.get(target).body)["environ"]
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == SERVED[target]
    assert environ["SCRIPT_FILENAME"].endswith("/apps/probe.wsgi")


def test_other_extension_is_a_file(server):
    assert b"def note" in server.get("/add/appkit.py").body


def test_without_execcgi(server):
    assert server.get("/refused/probe.wsgi").status == 403
    server.expect_log(r"WGW0043: '\S*/probe\.wsgi' is not allowed to run here.*"
                      r"needs 'Options \+ExecCGI'", "error")


def test_missing(server):
    assert server.get("/set/none.wsgi").status == 404
    server.expect_log("WGW0040: script '.*/none.wsgi' does not exist|AH00128")


def test_by_htaccess(server):
    (server.htdocs / ".htaccess").write_text(
        "Options +ExecCGI\nAddHandler wsgi-script .py\nWSGICallableObject greet\n")
    (server.htdocs / "page.py").write_text(
        "def greet(e, s):\n    s('200 OK', [])\n    return [b'by htaccess']\n")
    assert server.get("/multi/page.py").body == b"by htaccess"


def test_an_alias_is_not_stolen_by_a_handler_of_the_extension(server):
    """mod_mime's AddHandler for .wsgi does not take what WSGIScriptAlias has given away."""
    assert server.get("/alias/x").header("X-Probe") == "application"


def test_set_handler_below_an_alias_counts(server):
    """SetHandler says it for the URL itself: server-status inside an application's mount."""
    answer = server.get("/alias/status?auto")
    assert b"BusyWorkers" in answer.body and answer.header("X-Probe") is None


def test_callable_by_variable(server):
    assert server.get("/alias/by-env").header("X-Probe") == "other"
    assert server.get("/alias/x").header("X-Probe") == "application", "unresolved: the default"


def test_callable_by_variable_missing(server):
    assert server.get("/alias/by-absent").status == 500
    server.expect_log("WGW0016: there is no 'absent'", "error")
