"""WSGIEnableSendfile: whether a file of wsgi.file_wrapper leaves httpd by sendfile(2)."""
import shutil
import subprocess

import pytest

from harness import Site, eventually

MODES = ("embedded",)
MPMS = ("event", "worker")
SIZE_BYTES = 300_000
ONE_CHILD = "StartServers 1\nServerLimit 1\nThreadsPerChild 4\nThreadLimit 4\n" \
            "MaxRequestWorkers 4\nMinSpareThreads 1\nMaxSpareThreads 4"
SCRIPT = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return environ["wsgi.file_wrapper"](open({path!r}, "rb"))
"""
SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /default {work}/file.wsgi
    WSGIScriptAlias /on {work}/file.wsgi
    WSGIScriptAlias /off {work}/file.wsgi
    <Location /on>
        WSGIEnableSendfile On
    </Location>
    <Location /off>
        WSGIEnableSendfile Off
    </Location>
""", children=ONE_CHILD)


@pytest.fixture
def script(server):
    server.allow_log("WGW0030")
    server.write_work("data", "x" * SIZE_BYTES)
    server.write_work("file.wsgi", SCRIPT.format(path=str(server.work / "data")))


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("target, is_sent", [("/default", True), ("/on", True), ("/off", False)])
def test_sendfile(server, target, is_sent, tmp_path):
    if not shutil.which("strace"):
        pytest.skip("no strace in PATH")
    child = max(process.pid for process in server.remember_processes())
    trace = tmp_path / "trace"
    with subprocess.Popen(["strace", "-f", "-e", "trace=sendfile,sendfile64", "-o", str(trace),
                           "-p", str(child)], stderr=subprocess.PIPE, text=True) as strace:
        line = strace.stderr.readline()
        if "attached" not in line:
            strace.terminate()
            pytest.skip(f"strace may not look: {line}")
        answer = server.get(target)
        strace.terminate()
    assert answer.complete and answer.body == b"x" * SIZE_BYTES
    calls = [line for line in trace.read_text().splitlines() if "sendfile" in line]
    assert bool(calls) == is_sent, calls


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("target", ["/default", "/off"])
def test_same_answer_either_way(server, target):
    answer = server.get(target, [("Range", "bytes=10-19")])
    assert answer.status in (200, 206)
    assert answer.body == (b"x" * 10 if answer.status == 206 else b"x" * SIZE_BYTES)
    eventually(lambda: server.get(target).complete, "the whole file")
