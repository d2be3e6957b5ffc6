"""Exceptions of the application before output, and whoever may end the process but must not."""
import pytest

from harness import Site

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /errors {apps}/errors.wsgi
    WSGIScriptAlias /sub {apps}/errors.wsgi application-group=sub
""")

KINDS = ["ValueError", "SystemExit", "SystemExit-none", "KeyboardInterrupt", "GeneratorExit",
         "Strange"]
WHERE = pytest.mark.parametrize("where", ["call", "started", "iteration"])


@WHERE
@pytest.mark.parametrize("kind", KINDS)
def test_500_and_the_server_lives_on(server, kind, where):
    before = {process.pid for process in server.remember_processes()}
    answer = server.get(f"/errors/raise?what={kind}&where={where}")
    assert (answer.status, answer.complete) == (500, True)
    assert b"Traceback" not in answer.body and b"on purpose" not in answer.body
    server.expect_traceback(kind.partition("-")[0])
    assert server.get("/errors/fine").status == 200
    assert before <= {process.pid for process in server.remember_processes()}


@pytest.mark.parametrize("mount", ["errors", "sub"])
def test_stop_iteration_from_the_call_is_an_error(server, mount):
    assert server.get(f"/{mount}/raise?what=StopIteration").status == 500
    server.expect_traceback("StopIteration")


def test_in_a_sub_interpreter(server):
    assert server.get("/sub/raise?what=SystemExit").status == 500
    server.expect_traceback("SystemExit")
    assert server.get("/sub/fine").status == 200


@WHERE
def test_request_timeout_before_output_is_504(server, where):
    assert server.get(f"/errors/raise?what=RequestTimeout&where={where}").status == 504
    server.allow_request("RequestTimeout|too slow|[Tt]ime")
    server.log.allow("RequestTimeout|[Tt]ime")


@pytest.mark.parametrize("body", [None, b"GET /errors/nothing HTTP/1.1\r\nHost: x\r\n\r\n"],
                         ids=["no body", "body"])
def test_connection_after_500(server, body):
    """httpd closes it after 500; the unread body is never taken for a request."""
    with server.connect() as connection:
        connection.request("POST", "/errors/raise?what=ValueError", body=body)
        answer = connection.response()
        assert (answer.status, answer.complete) == (500, True)
        assert answer.header("Connection") == "close" and connection.at_end()
    server.expect_traceback("ValueError")


def test_headers_of_a_failed_response_do_not_go_out(server):
    answer = server.get("/errors/raise?what=ValueError&where=started")
    assert answer.header("Content-Type").startswith("text/html")
    server.expect_traceback("ValueError")
