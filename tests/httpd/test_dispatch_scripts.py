"""WSGIDispatchScript: what Python may decide about who serves a request, and what happens otherwise."""
import json
import re

import pytest

from harness import Site

MODES = ("embedded",)
PLACES = ("embedded", "pool")
SITE = Site("""
    WSGIDaemonProcess deciding pass-env=LD_PRELOAD,ASAN_OPTIONS,UBSAN_OPTIONS,PYTHONMALLOC
    WSGIDaemonProcess serving pass-env=LD_PRELOAD,ASAN_OPTIONS,UBSAN_OPTIONS,PYTHONMALLOC
    WSGIDaemonProcess forbidden
    WSGIApplicationGroup configured
    WSGIRestrictProcess %{GLOBAL} serving
    SetEnv CONFIGURED yes
    SetEnv CALLABLE other
    WSGIScriptAlias /embedded {apps}/probe.wsgi
    WSGIScriptAlias /pool {apps}/probe.wsgi
    WSGIScriptAlias /groups {apps}/probe.wsgi
    WSGIScriptAlias /missing {apps}/probe.wsgi
    WSGIScriptAlias /broken {apps}/probe.wsgi
    WSGIScriptAlias /none {apps}/probe.wsgi
    <Location /embedded>
        WSGIDispatchScript {apps}/dispatcher.py
    </Location>
    <Location /pool>
        WSGIDispatchScript {apps}/dispatcher.py process-group=deciding
    </Location>
    <Location /groups>
        WSGIDispatchScript {apps}/dispatcher.py application-group=%{GLOBAL}
    </Location>
    <Location /missing>
        WSGIDispatchScript {work}/missing.py
    </Location>
    <Location /broken>
        WSGIDispatchScript {work}/broken.py
    </Location>
    <Location /none>
        WSGIDispatchScript {work}/empty.py
    </Location>
""")


@pytest.fixture(params=PLACES)
def place(request):
    """Where the script runs."""
    return request.param


@pytest.fixture(autouse=True)
def scripts(request):
    """Scripts that are not as they should be."""
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        server.write_work("broken.py", "import no_such_module\n")
        server.write_work("empty.py", "")
        server.allow_log("WGW0193")


def served(server, target):
    """Return what the application knows."""
    answer = server.get(target)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def test_nothing_is_chosen(server, place):
    known = served(server, f"/{place}/x?process=none")
    assert known["callable"] == "application"
    assert known["environ"]["mod_wsgi.application_group"] == "configured"
    assert known["environ"]["mod_wsgi.process_group"] == ""


def test_a_script_without_functions_chooses_nothing(server):
    assert served(server, "/none/x")["environ"]["mod_wsgi.application_group"] == "configured"


@pytest.mark.parametrize("query, key, value", (
    ("process=serving", "process_group", "serving"), ("process=%25{GLOBAL}", "process_group", ""),
    ("application=other", "application_group", "other"), ("application=bytes", "application_group", "other"),
    ("application=%25{GLOBAL}", "application_group", ""), ("callable=other", "callable_object", "other"),
    ("callable=bytes", "callable_object", "other"),
    ("callable=%25{ENV:CALLABLE}", "callable_object", "other")))
def test_chosen(server, place, query, key, value):
    assert served(server, f"/{place}/x?{query}")["environ"][f"mod_wsgi.{key}"] == value


def test_all_are_chosen(server, place):
    known = served(server, f"/{place}/x?process=serving&application=b&callable=other")
    assert known["callable"] == "other"
    assert known["environ"]["mod_wsgi.process_group"] == "serving"
    assert known["environ"]["mod_wsgi.application_group"] == "b"


@pytest.mark.parametrize("name", ("process", "application", "callable"))
@pytest.mark.parametrize("value", ("number", "raises", ""))
def test_no_choice_is_500(server, place, name, value):
    assert server.get(f"/{place}/x?{name}={value}").status == 500
    server.expect_log("WGW0190")
    server.allow_request("WGW0190")


@pytest.mark.parametrize("query, message", (
    ("process=nobody", "WGW0076"), ("process=forbidden", "WGW0076"), ("process=%25{NOTHING}", "WGW0194"),
    ("application=%25{NOTHING}", "WGW0194"), ("callable=a-b", "WGW0194"), ("callable=a.", "WGW0194"),
    ("callable=%25{ENV:UNSET}", "WGW0194"), ("callable=not_there_{place}", "not_there")))
def test_impossible_choices(server, place, query, message):
    assert server.get(f"/{place}/x?{query.replace('{place}', place)}").status == 500
    server.expect_log(message, "error")


@pytest.mark.parametrize("path", ("missing", "broken"))
def test_a_script_that_cannot_be_asked_is_500(server, path):
    """The request does not go where the configuration alone would send it."""
    server.allow_request(".")
    assert server.get(f"/{path}/x").status == 500


def shown(server, target):
    """Return the environ that the script has seen."""
    server.get(target, [("Authorization", "Basic abc")])
    server.expect_log('SHOWN ."complete"', level="error")
    return dict(json.loads(re.search("SHOWN (.*)", line.message)[1])
                for line in server.expect_log("SHOWN ", level="error"))


def test_environ(server, place):
    environ = shown(server, f"/{place}/rest?process=shows")
    assert environ["PATH_INFO"] == "/rest" and environ["SCRIPT_NAME"] == f"/{place}"
    assert environ["CONFIGURED"] == "yes"
    assert "HTTP_AUTHORIZATION" not in environ and "wsgi.input" not in environ
    assert environ["mod_wsgi.application_group"] == "configured"
    assert environ["mod_wsgi.process_group"] == {"embedded": "", "pool": "deciding"}[place]


def test_its_interpreter_is_its_own_where_said(server):
    assert shown(server, "/groups/rest?process=shows")["mod_wsgi.application_group"] == ""
