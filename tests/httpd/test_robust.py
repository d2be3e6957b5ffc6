"""What must hold at the edges: one module twice, TRACE, error documents, threads, exception rings."""
import re

import pytest

from harness import Site, eventually
from harness import stage

MODES = ("embedded",)
ONE_CHILD = """StartServers 1
ServerLimit 1
ThreadsPerChild 4
ThreadLimit 4
MaxRequestWorkers 4
MinSpareThreads 1
MaxSpareThreads 4"""

def test_forked_copy(make_server):
    """A copy that comes back from the application ends; it does not go on in httpd's place.
    In the main interpreter: CPython refuses to fork in another one."""
    made = make_server(Site("WSGIScriptAlias / {apps}/hostile.wsgi", children=ONE_CHILD))
    for _ in range(3):
        assert made.get("/fork").body == b"parent"


@pytest.mark.parametrize("where", ["iteration", "close"])
def test_forked_copy_does_not_touch_the_connection(make_server, where):
    made = make_server(Site("WSGIScriptAlias / {apps}/hostile.wsgi", children=ONE_CHILD))
    with made.connect() as connection:
        for _ in range(2):
            connection.request("GET", f"/fork-late?where={where}")
            answer = connection.response()
            assert (answer.status, answer.complete, answer.body) == (200, True, b"AB")


def test_both_names_at_once(make_server):
    lines = stage.load_lines()
    module = re.search(r"LoadModule wsgigw_module (\S+)", lines).group(1)
    made = make_server(Site(lines + f"\nLoadModule wsgi_module {module}\n", load_wsgi=False),
                       start=False)
    code, output = made.configtest()
    assert code != 0 and "WGW0038" in output and "remove one" in output


@pytest.mark.parametrize("alias", ["WSGIScriptAlias / {apps}/probe.wsgi",
                                   "WSGIPythonPath {apps}\nWSGIModuleAlias / appkit:routes"],
                         ids=["script", "module"])
@pytest.mark.parametrize("enabled", ["Off", "On"])
def test_trace_is_the_servers(make_server, alias, enabled):
    made = make_server(Site(f"TraceEnable {enabled}\n{alias}"))
    answer = made.request("TRACE", "/x")
    assert answer.status == (405 if enabled == "Off" else 200)
    assert enabled == "Off" or answer.header("Content-Type") == "message/http"


def test_error_document_of_a_refused_body(make_server):
    """The body belonged to the request that failed, not to its error document."""
    made = make_server(Site("LimitRequestBody 100\nErrorDocument 413 /errors\n"
                            "WSGIScriptAlias / {apps}/probe.wsgi"))
    answer = made.post("/x", b"x" * 1000)
    assert answer.status == 200 and b"REDIRECT_STATUS" in answer.body  # as the application says
    made.expect_log("WGW0048", "error")


@pytest.mark.parametrize("text, message", [
    ("""
try:
    try:
        raise ValueError("a")
    except ValueError as a:
        raise KeyError("b") from a
except KeyError as b:
    b.__cause__.__cause__ = b
    raise
""", "KeyError: .b."),
    ('raise SyntaxError("odd", (7, 1, 1, "x"))', "SyntaxError: odd"),
    ('raise SystemExit(3)', "SystemExit: 3"),
    ('class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd', "Odd")],
    ids=["ring", "odd filename", "exit", "str raises"])
def test_import_that_fails_oddly(make_server, text, message):
    """Logged once, remembered, and never a loop."""
    made = make_server(Site("WSGIScriptAlias / {work}/odd.wsgi", children=ONE_CHILD), start=False)
    made.write_work("odd.wsgi", text)
    made.start()
    assert [made.get("/").status for _ in range(5)] == [500] * 5
    assert len(made.expect_log("WGW0014", "error")) == 1
    made.expect_log(message, "error")
    made.allow_request("WGW0014")


def test_one_script_by_expression_is_one_group(make_server):
    """A client must not be able to make an interpreter for each URL."""
    made = make_server(Site("WSGIApplicationGroupLimit 3\n"
                            "WSGIScriptAliasMatch ^/w.* {apps}/probe.wsgi\n"
                            "WSGIScriptAlias /two {apps}/probe.wsgi", children=ONE_CHILD))
    assert [made.get(f"/w{number}").status for number in range(6)] == [200] * 6
    assert made.get("/two").status == 200


@pytest.mark.parametrize("group", ["%{GLOBAL}", "sub"])
def test_daemon_thread_does_not_cost_the_logs(make_server, group, key):
    """The end of a child is in order for other modules, here the buffered access log."""
    made = make_server(Site(f"BufferedLogs On\nCustomLog {{logs}}/access.txt %r\n"
                            f"WSGIApplicationGroup {group}\n"
                            "WSGIScriptAlias / {apps}/leaving.wsgi\n"
                            "WSGIScriptAlias /two {apps}/probe.wsgi application-group=two",
                            children=ONE_CHILD))
    made.get(f"/thread?daemon=1&key={key}")
    made.wait_notes(key)
    access = made.logs / "access.txt"
    made.stop()
    eventually(lambda: access.read_text().count("GET /thread"), "the line in the access log")
    assert not made.log.find("WGW0033")
