"""Mistakes and attacks of applications and clients that must harm nothing but their request."""
import pytest

from harness import Site, eventually

SITE = Site('''
    WSGIScriptAlias /hostile {apps}/hostile.wsgi
    SetEnv WGW_WORK {work}
    WSGIScriptAlias /override {apps}/hostile.wsgi
    <Location /override>
        WSGIErrorOverride On
    </Location>
    <VirtualHost 127.0.0.1:{tls_port}>
        ServerName localhost
        SSLEngine On
        SSLCertificateFile {cert}
        SSLCertificateKeyFile {key}
        WSGIScriptAlias /hostile {apps}/hostile.wsgi
        SetEnv WGW_WORK {work}
    </VirtualHost>
''', modules=("ssl",), tls=True)


@pytest.mark.parametrize("kind", ["none", "numbers", "strings", "class"])
def test_odd_exc_info_after_output(server, kind):
    answer = server.get(f"/hostile/exc-info?kind={kind}")
    assert answer.status == 200 and not answer.complete
    server.expect_traceback("RuntimeError: start_response.. was called with exc_info after")
    assert server.get("/hostile/streams?key=x").status == 200
    server.allow_log("by the buffer")


@pytest.mark.parametrize("method, target, status", [
    ("HEAD", "/hostile/endless?x=", 200), ("GET", "/hostile/endless?status=204+No&x=", 204),
    ("GET", "/hostile/endless?status=205+Reset&x=", 205),
    ("GET", "/hostile/endless?length=5&x=", 200),
    ("GET", "/override/endless?status=404+Not&x=", 404)])
def test_endless_result_whose_body_is_not_wanted(server, method, target, status, key):
    """The response ends, the iterator is closed, and no thread is lost to it."""
    with server.connect() as connection:
        connection.request(method, f"{target}&key={key}")
        answer = connection.response(method)
    assert (answer.status, answer.complete) == (status, True)
    assert server.wait_notes(key) == ["closed"]
    server.allow_log("WGW0021")


def test_overridden_error_keeps_what_is_not_about_its_content(server):
    answer = server.get("/override/overridden")
    assert answer.status == 404 and answer.body != b"mine"
    assert answer.header("Content-Security-Policy") == "default-src 'none'"
    assert answer.header("X-Some") == "thing" and answer.header("Content-Language") != "en"


def test_two_threads_read_one_body(server):
    """Every byte an application gets is one of the body, never of other memory."""
    for _ in range(5):
        assert server.post("/hostile/two-readers", b"body\n" * 2000).body == b"clean"


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_file_that_shrinks_while_sent(server, key, tls):
    """Never followed by another response in the place of what is missing."""
    with server.connect(tls=tls) as connection:
        connection.request("GET", f"/hostile/shrinking?key={key}")
        answer = connection.begin()
        first = answer.read_some()
        eventually(lambda: (server.work / f"{key}.bin").stat().st_size < 2 ** 21, "the cut")
        answer.read_all()
    assert first is not None and not answer.complete
    server.allow_log("WGW0049|WGW0059|AH02965|core_output_filter|sendfile")


def test_file_without_a_size(server):
    answer = server.get("/hostile/proc")
    assert answer.complete and answer.body.startswith(b"Name:")


def test_body_read_after_the_response(server, key):
    """What was dropped is said to be dropped, it is not an empty body."""
    answer = server.post(f"/hostile/read-late?key={key}", b"x" * 40000)
    assert answer.body == b"ok"
    assert server.wait_notes(key) == ["the request body was dropped when the response was complete"]


def test_standard_streams(server, key):
    assert server.get(f"/hostile/streams?key={key}").body == b"(2, False, True)"
    server.expect_log(f"by the buffer {key}", "error")


@pytest.mark.modes("embedded")
def test_signals_stay_httpds(server):
    assert server.get("/hostile/signal").body == b"kept"
    server.expect_log("WGW0018: signal.signal", "info")
