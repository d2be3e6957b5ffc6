"""A daemon process that is hostile harms its own request only (DESIGN.md invariant 8).

tests/apps/hostile_daemon.py plays the process.  Each case ends visibly, in bounded time, with a
numbered line in the log; the harness watches descriptors and crashes of httpd.
"""
import subprocess
import time

import pytest

from harness import Site, eventually, processes

MODES = ("daemon",)
MPMS = ("event", "worker")
OPTIONS = "socket-timeout=2s connect-timeout=2s queue-timeout=2s env=WGW_WORK={work}"
SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIDaemonProcess healthy pass-env=LD_PRELOAD,ASAN_OPTIONS,UBSAN_OPTIONS,PYTHONMALLOC
    WSGIDaemonProcess hostile python={apps}/hostile_daemon.py """ + OPTIONS + """
    WSGIDaemonProcess timed python={apps}/hostile_daemon.py request-timeout=1 """ + OPTIONS + """
    WSGIScriptAlias /timed/hostile {apps}/environ.wsgi process-group=timed application-group=%{GLOBAL}
    WSGIScriptAlias /healthy {apps}/environ.wsgi process-group=healthy application-group=%{GLOBAL}
    WSGIScriptAlias /hostile {apps}/environ.wsgi process-group=hostile application-group=%{GLOBAL}
    Protocols h2c http/1.1
    <VirtualHost *:{tls_port}>
        ServerName localhost
        SSLEngine On
        SSLCertificateFile {cert}
        SSLCertificateKeyFile {key}
        Protocols h2 http/1.1
    </VirtualHost>
""", modules=("ssl", "http2"), tls=True)
BAD = "WGW0051: .*sent what it may not: "


@pytest.fixture(autouse=True)
def others_are_served(request):
    """Whatever the test has done."""
    yield
    if "server" not in request.fixturenames:
        return
    server = request.getfixturevalue("server")
    assert server.get("/healthy/dump").status == 200
    answer = server.get("/hostile/fine")
    assert (answer.status, answer.body, answer.complete) == (200, b"hello", True)


def ask(server, name, **options):
    return server.get(f"/hostile/{name}", **options)


def test_it_can_behave(server):
    with server.connect() as connection:
        for _ in range(20):
            connection.request("GET", "/hostile/fine")
            assert connection.response().body == b"hello"
            connection.request("GET", "/hostile/file-fine")
            assert connection.response().body == b"fffff"


NOT_A_FRAME = ("type-unknown", "type-zero", "type-reserved", "flags-unknown", "high-bytes",
               "length-huge", "length-of-log-huge", "length-of-end", "text")
OUT_OF_TURN = ("block-first", "end-first", "cut-first", "done-first", "file-first", "request-back",
               "open-back", "body-back", "head-twice", "status-after-head", "refused-after-head",
               "want-body-of-get")
HEADS = ("head-empty", "head-short", "head-many-fields", "head-surplus", "head-nul", "head-crlf",
         "head-lf", "head-cr", "head-name-crlf", "head-name-space", "head-name-colon",
         "head-name-empty", "head-transfer-encoding", "head-connection", "head-upgrade",
         "head-two-lengths", "head-length-list", "head-length-negative", "head-length-plus",
         "head-length-huge", "head-length-empty", "head-line-long", "head-reason-crlf",
         "head-reason-long", "head-status-0", "head-status-99", "head-status-100",
         "head-status-101", "head-status-600", "head-status-1000")
OTHERS = ("status-200", "status-99", "status-1000", "status-short", "log-no-level",
          "log-bad-level", "log-emerg")
FILES = ("file-no-descriptor", "file-short-frame", "file-fifo", "file-device", "file-directory",
         "file-socket", "file-proc", "file-write-only", "file-path-only", "file-too-short",
         "file-offset-beyond", "file-offset-huge", "file-size-huge", "descriptors-two-at-once",
         "descriptors-200-at-once", "descriptors-without-file")


@pytest.mark.parametrize("name", NOT_A_FRAME + OUT_OF_TURN + HEADS + OTHERS)
def test_nonsense_before_the_response_is_502(server, name):
    answer = ask(server, name)
    assert (answer.status, answer.complete) == (502, True)
    assert answer.header("Set-Cookie") is None and b"hello" not in answer.body
    server.expect_log(BAD, "error")


@pytest.mark.parametrize("name", FILES)
def test_descriptors_that_are_no_files(server, name):
    """Whether or not the head has left before: no byte of it, and an end that is seen."""
    answer = ask(server, name)
    assert answer.status == 502 or (answer.status == 200 and not answer.complete)
    assert b"root" not in answer.body and b"hello" not in answer.body
    server.expect_log(BAD, "error")


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("name, log", [
    ("late-type-unknown", BAD), ("late-head", BAD), ("late-status", BAD), ("late-refused", BAD),
    ("late-file-no-descriptor", BAD), ("close-in-block", "WGW0052"),
    ("close-after-block", "WGW0052")])
def test_nonsense_in_the_response_is_a_cut(server, name, log, version, key):
    with server.connect() as connection:
        connection.request("GET", f"/hostile/{name}?key={key}", version=version)
        answer = connection.begin()
        answer.read_until(b"hello")
        server.open_gate(key)
        assert answer.read_all().body == b"hello" and not answer.complete
    server.expect_log(log, "error")


@pytest.mark.parametrize("name, status, log", [
    ("close-unseen", 503, "WGW0057"), ("refused-for-ever", 503, "WGW0057"),
    ("close-begun", 502, "WGW0052"), ("close-in-header", 502, "WGW0052"),
    ("close-in-head", 502, "WGW0052"), ("close-after-head", 502, "WGW0052"),
    ("silent", 504, "WGW0053"), ("silent-in-head", 504, "WGW0053"),
    ("silent-after-head", 504, "WGW0053"), ("endless-head", 504, "WGW0053")])
def test_closing_and_silence_before_the_response(server, name, status, log):
    answer = ask(server, name)
    assert (answer.status, answer.complete) == (status, True)
    server.expect_log(log, "error")


@pytest.mark.parametrize("name, status", [("silent", 504), ("silent-in-head", 504), ("dripping", 504),
                                          ("dripping-after-block", 200), ("dripping-and-lying", 200)])
def test_a_request_ends_by_httpd_alone(server, name, status):
    """request-timeout holds whatever the process does, also if it says that it is done."""
    began = time.monotonic()
    answer = server.get(f"/timed/hostile/{name}")
    assert (answer.status, answer.complete) == (status, status == 504)
    assert 1 <= time.monotonic() - began < 20
    server.expect_log("WGW0150|WGW0053" if name.endswith("lying") else "WGW0150", "error")


def test_silence_in_the_response(server):
    answer = ask(server, "silent-after-block")
    assert (answer.status, answer.body, answer.complete) == (200, b"hello", False)
    server.expect_log("WGW0053", "error")


@pytest.mark.parametrize("name", ["close-before-done", "silent-before-done", "block-after-end",
                                  "end-twice", "response-after-end", "half-a-frame-after-end",
                                  "descriptor-and-no-file"])
def test_what_comes_after_the_end_changes_nothing(server, name):
    """The response was complete; the next request on the same connection gets its own."""
    with server.connect() as connection:
        for asked in (name, "fine", name, "fine"):
            connection.request("GET", f"/hostile/{asked}")
            answer = connection.response()
            assert (answer.status, answer.body, answer.complete) == (200, b"hello", True)
    server.allow_log("WGW0051")


def test_length_that_is_too_long_is_a_cut(server):
    answer = ask(server, "length-too-long")
    assert (answer.status, answer.body, answer.complete) == (200, b"hello", False)
    server.expect_log(BAD + "it ended before its Content-Length", "error")


def test_length_that_is_too_short_holds(server):
    with server.connect() as connection:
        for _ in range(3):
            connection.request("GET", "/hostile/length-too-short")
            answer = connection.response()
            assert (answer.body, answer.complete) == (b"hello", True)
    server.allow_log("WGW0051")


# --- request bodies -------------------------------------------------------------------------

@pytest.mark.parametrize("name, status, log", [
    ("want-body-twice", 502, BAD), ("want-body-and-refuse", 502, BAD),
    ("want-body-and-close", 502, "WGW0052"), ("want-body-and-be-silent", 504, "WGW0053"),
    ("silent", 504, "WGW0053"), ("refused-for-ever", 503, "WGW0057")])
@pytest.mark.parametrize("body", [b"5\r\nhello\r\n0\r\n\r\n",
                                  b"40000\r\n" + b"x" * 262144 + b"\r\n0\r\n\r\n"],
                         ids=["small", "large"])
def test_with_a_body(server, name, status, log, body):
    answer = server.post(f"/hostile/{name}", body, [("Transfer-Encoding", "chunked")])
    assert (answer.status, answer.complete) == (status, True)
    server.expect_log(log, "error")


# --- descriptors ----------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["descriptors-3000-files", "descriptors-3000-empty-files"])
def test_thousands_of_files(server, name, key):
    """Their number is bounded while the request is under way, too."""
    most = 0
    before = httpd_descriptors(server)
    with server.connect() as connection:
        connection.request("GET", f"/hostile/{name}?key={key}")
        for _ in range(20):
            connection.quiet(0.02)
            most = max(most, httpd_descriptors(server))
        server.open_gate(key)
        answer = connection.response()
        assert answer.status == 502 or not answer.complete
    assert most < before + 100
    server.expect_log(BAD + "more files than", "error")


def httpd_descriptors(server):
    return sum(processes.descriptor_count(process) for process in server.remember_processes()
               if b"httpd.conf" in processes.describe(process).encode())


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_file_that_shrinks(server, key, tls):
    with server.connect(tls=tls) as connection:
        connection.request("GET", f"/hostile/file-shrinks?key={key}")
        answer = connection.begin()
        answer.read_until(b"f" * 1000)
        server.open_gate(key)
        while answer.read_some():
            answer.body = answer.body[-10:]
        assert not answer.complete
    server.allow_log("WGW0049|WGW0059|AH")


def test_file_that_shrinks_over_http2(server, key):
    url = f"http://localhost:{server.port}/hostile/file-shrinks?key={key}"
    with subprocess.Popen(["curl", "-sS", "-N", "--http2-prior-knowledge", "--max-time", "20", url],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as curl:
        assert curl.stdout.read(1000) == b"f" * 1000
        server.open_gate(key)
        size = len(curl.communicate(timeout=30)[0])
    assert curl.returncode != 0 and size < 64 << 20
    server.allow_log("WGW0049|WGW0059|AH")


# --- log and scoreboard ---------------------------------------------------------------------

def test_flood_of_the_log(server):
    assert ask(server, "log-flood").body == b"hello"
    assert server.log.find("flood")


def test_lines_in_a_log_line(server):
    """Control characters are escaped: no line is forged."""
    assert ask(server, "log-lines").body == b"hello"
    text = (server.logs / "error.log").read_text(encoding="utf-8")
    assert "\n[forged]" not in text and "\x1b" not in text and "[forged] two" in text


def test_the_scoreboard_cannot_be_truncated(server):
    assert ask(server, "truncate").body == b"hello"


GARBAGE = Site(SITE.text + """
    WSGIDaemonProcess garbage python={apps}/hostile_daemon.py """ + OPTIONS + """
    WSGIScriptAlias /garbage {apps}/environ.wsgi process-group=garbage application-group=%{GLOBAL}
""", modules=SITE.modules, tls=True)


@pytest.mark.parametrize("name", ["ones", "zeros", "noise", "many-idle"])
def test_garbage_in_the_scoreboard(make_server, name):
    """Every request to the pool gets an answer in bounded time; other pools know nothing of it,
    and httpd ends in order."""
    server = make_server(GARBAGE)
    assert server.get("/garbage/fine").body == b"hello"
    server.allow_log(r"WGW\d{4}")
    for asked in (name, "fine", "fine", "silent"):
        answer = server.get(f"/garbage/{asked}")
        assert answer.complete and answer.status in (200, 502, 503, 504)
        assert server.get("/healthy/dump").status == 200
        assert server.get("/hostile/fine").body == b"hello"
    eventually(lambda: server.get("/healthy/dump").status == 200, "the healthy pool")
