"""A daemon process that is asked and is hostile: it can say yes or no, and nothing else.

tests/apps/hostile_daemon.py plays the process; src/wire/PROTOCOL.md says what an answer may be.
"""
import base64
import time

import pytest

from harness import Site

MODES = ("embedded",)
MPMS = ("event", "worker")
OPTIONS = "socket-timeout=2s connect-timeout=2s queue-timeout=2s env=WGW_WORK={work}"
SITE = Site("""
    WSGIDaemonProcess hostile python={apps}/hostile_daemon.py """ + OPTIONS + """
    WSGIDaemonProcess timed python={apps}/hostile_daemon.py request-timeout=1 """ + OPTIONS + """
    WSGIScriptAlias /request {apps}/environ.wsgi process-group=hostile
    WSGIScriptAlias /dispatch {apps}/environ.wsgi
    WSGIRestrictEmbedded On
    <Location /access>
        WSGIAccessScript {apps}/authority.py process-group=hostile
    </Location>
    <Location /timed>
        WSGIAccessScript {apps}/authority.py process-group=timed
    </Location>
    <Location /dispatch>
        WSGIDispatchScript {apps}/dispatcher.py process-group=hostile
    </Location>
    <LocationMatch ^/(basic|groups)>
        AuthType Basic
        AuthName here
        AuthBasicProvider wsgi
        WSGIAuthUserScript {apps}/authority.py process-group=hostile
        Require valid-user
    </LocationMatch>
    <Location /digest>
        AuthType Digest
        AuthName here
        AuthDigestProvider wsgi
        WSGIAuthUserScript {apps}/authority.py process-group=hostile
        Require valid-user
    </Location>
""", modules=("auth_basic", "auth_digest", "authz_user"))
BAD = "WGW0051: .*sent what it may not: "
USER = [("Authorization", "Basic " + base64.b64encode(b"user:password").decode())]

NO_ANSWERS = ("answer-nothing", "answer-4", "answer-255", "answer-none-with-text", "answer-yes-with-text",
              "answer-text-empty", "answer-text-crlf", "answer-text-nul", "answer-text-long",
              "answer-after-head", "answer-after-want-body", "answer-with-flag", "call-back", "fine",
              "type-unknown", "type-reserved", "text", "block-first", "end-first", "done-first", "file-first",
              "want-body-of-get", "status-200", "status-short", "log-no-level", "request-back")


@pytest.fixture(autouse=True)
def it_still_answers(request):
    """Whatever the test has done."""
    yield
    if "server" in request.fixturenames:
        assert request.getfixturevalue("server").get("/access/hostile/answer-yes").status == 404


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_is_no_answer_is_no_permission(server, name):
    answer = server.get(f"/access/hostile/{name}")
    assert answer.status == 502 and b"hello" not in answer.body
    server.expect_log(BAD, "error")


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_is_no_answer_is_no_user(server, name):
    answer = server.get(f"/basic/hostile/{name}", USER)
    assert answer.status == 500 and answer.header("Set-Cookie") is None
    server.expect_log(BAD, "error")


def test_text_is_no_answer_about_access(server):
    assert server.get("/access/hostile/answer-text").status == 502
    server.expect_log(BAD + "it is no answer to this question", "error")


@pytest.mark.parametrize("name", ("answer-yes", "answer-4"))
def test_yes_is_no_choice(server, name):
    assert server.get(f"/dispatch/hostile/{name}").status == 502
    server.expect_log(BAD + "it is no answer to this question", "error")


def test_a_choice_is_only_a_name(server):
    assert server.get("/dispatch/hostile/answer-text").status == 500
    server.expect_log("WGW0080: process group 'name' is not declared", "error")


@pytest.mark.parametrize("name", ("answer-yes", "answer-text", "answer-none"))
def test_a_request_is_not_answered_by_an_answer(server, name):
    assert server.get(f"/request/hostile/{name}").status == 502
    server.expect_log(BAD, "error")


@pytest.mark.parametrize("name", ("answer-twice", "answer-and-half"))
def test_what_follows_an_answer_is_nobodys(server, name):
    """The answer counts, and the connection serves no other request."""
    with server.connect() as connection:
        for _ in range(5):
            connection.request("GET", f"/access/hostile/{name}")
            assert connection.response().status == 404


@pytest.mark.parametrize("name, status, log", [
    ("close-unseen", 503, "WGW0057"), ("refused-for-ever", 503, "WGW0057"),
    ("close-begun", 502, "WGW0052"), ("close-in-header", 502, "WGW0052"), ("silent", 504, "WGW0053"),
    ("silent-in-head", 502, BAD), ("endless-head", 502, BAD)])
def test_closing_and_silence(server, name, status, log):
    assert server.get(f"/access/hostile/{name}").status == status
    server.expect_log(log, "error")


@pytest.mark.parametrize("name", ("silent", "dripping"))
def test_the_time_is_httpds(server, name):
    began = time.monotonic()
    assert server.get(f"/timed/hostile/{name}").status == 504
    assert 1 <= time.monotonic() - began < 10
    server.expect_log("WGW0150", "error")
