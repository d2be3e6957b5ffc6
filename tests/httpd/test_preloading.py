"""An alias that names both groups is imported before the first request."""
import json

import pytest

from harness import Site, eventually

MODES = ("embedded",)
MPMS = ("event", "worker")
BOTH = "process-group=%{GLOBAL} application-group="
SCRIPT = """
print("imported " + __file__)
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"preloaded"]
"""
PRELOADED = {
    "main": "WSGIScriptAlias /app {work}/app.wsgi " + BOTH + "%{GLOBAL}",
    "named": "WSGIScriptAlias /app {work}/app.wsgi " + BOTH + "named",
    "match": "WSGIScriptAliasMatch ^/app {work}/app.wsgi " + BOTH + "named",
    "module": "WSGIPythonPath {work}\nWSGIModuleAlias /app app:application " + BOTH + "%{GLOBAL}",
    "vhost": "<VirtualHost *:{port}>\nWSGIScriptAlias /app {work}/app.wsgi " + BOTH
             + "%{GLOBAL}\n</VirtualHost>",
}
NOT_PRELOADED = {
    "one group only": "WSGIScriptAlias /app {work}/app.wsgi application-group=%{GLOBAL}",
    "token": "WSGIScriptAlias /app {work}/app.wsgi " + BOTH + "%{SERVER}",
    "expression with $": "WSGIScriptAliasMatch ^/([a-z]+) {work}/$1.wsgi " + BOTH + "named",
    "folder": "WSGIScriptAlias / {work} " + BOTH + "named",
}


def prepared(make_server, text, source=SCRIPT):
    made = make_server(Site(text), start=False)
    made.write_work("app.wsgi", source)
    made.write_work("app.py", source)
    return made.start()


@pytest.mark.parametrize("name", PRELOADED)
def test_imported_before_the_first_request(make_server, name):
    made = prepared(make_server, PRELOADED[name])
    made.expect_log(rf"imported {made.work}/app\.(wsgi|py)", "error")
    assert made.get("/app").body == b"preloaded"
    assert len(made.expect_log("imported ", "error")) == 1, "the request uses what is there"


@pytest.mark.parametrize("name", NOT_PRELOADED)
def test_not_imported(make_server, name):
    made = prepared(make_server, NOT_PRELOADED[name])
    eventually(lambda: made.log.find("WGW0002"), "start of Python")
    target = "/app.wsgi" if name == "folder" else "/app"
    assert made.get(target).body == b"preloaded"
    lines = made.expect_log("imported ", "error")
    assert len(lines) == 1 and lines[0].client != "-", "imported by the request"


def test_failure_is_logged_at_start_and_not_repeated(make_server):
    made = prepared(make_server, PRELOADED["main"], "raise ValueError('on preload')\n")
    made.expect_traceback("ValueError: on preload")
    assert made.get("/app").status == 500
    assert len(made.log.find("ValueError: on preload")) == 1


def test_one_failure_does_not_stop_the_others(make_server):
    made = make_server(Site("WSGIScriptAlias /bad {work}/bad.wsgi " + BOTH + "bad\n"
                            + PRELOADED["named"]), start=False)
    made.write_work("bad.wsgi", "import sys\nsys.exit(1)\n")
    made.write_work("app.wsgi", SCRIPT)
    made.start()
    made.expect_log("imported .*app.wsgi", "error")
    made.expect_traceback("SystemExit: 1")
    assert made.get("/app").body == b"preloaded"


def test_in_the_virtual_hosts_log(make_server):
    """What preloading says belongs into the log of the host that declared it."""
    made = make_server(Site("<VirtualHost *:{port}>\nErrorLog {logs}/vhost-error.log\n"
                            "WSGIScriptAlias /app {work}/app.wsgi " + BOTH
                            + "%{GLOBAL}\n</VirtualHost>"), start=False)
    made.write_work("app.wsgi", SCRIPT)
    made.start()
    made.expect_log("imported ", "error", file="vhost-error.log")
