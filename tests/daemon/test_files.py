"""A file goes to httpd as a descriptor, and from there by sendfile; its bytes cross no socket."""
import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

import test_flow
from harness import Site, eventually

MODES = ("daemon",)
MPMS = ("event", "worker")
SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIDaemonProcess single processes=1 threads=1
    WSGIScriptAlias /files {apps}/files.wsgi process-group=single application-group=%{GLOBAL}
    WSGIScriptAlias /deflated {apps}/files.wsgi process-group=single application-group=%{GLOBAL}
    <Location /deflated>
        SetOutputFilter DEFLATE
    </Location>
    Protocols h2c http/1.1
    <VirtualHost *:{tls_port}>
        ServerName localhost
        SSLEngine On
        SSLCertificateFile {cert}
        SSLCertificateKeyFile {key}
        Protocols h2 http/1.1
    </VirtualHost>
""", modules=("ssl", "http2", "filter", "deflate"), tls=True)
GB, MB = 1 << 30, 1 << 20
MARKS = {0: b"begin", 700 * MB: b"within", GB - 3: b"end"}
LINES = b"".join(b"%015d\n" % number for number in range(2 * MB // 16))


@pytest.fixture(scope="module", autouse=True)
def files(server):
    """A sparse file of 1 GB with a few marks in it, and one of lines."""
    with (server.work / "sparse").open("wb") as file:
        for offset, mark in MARKS.items():
            file.seek(offset)
            file.write(mark)
    (server.work / "lines").write_bytes(LINES)


def counters(pid):
    text = pathlib.Path(f"/proc/{pid}/io").read_text(encoding="ascii")
    return {name: int(value) for name, value in (line.split(": ") for line in text.splitlines())}


def read_marks(answer):
    """Read 1 GB; return its size and the bytes at the places of MARKS."""
    size, found = 0, {offset: b"" for offset in MARKS}
    while answer.read_some():
        for offset, mark in MARKS.items():
            begin = max(offset - size, 0)
            end = offset + len(mark) - size
            if end > 0 and begin < len(answer.body):
                found[offset] += answer.body[begin:end]
        size += len(answer.body)
        answer.body = b""
    return size, found


def daemon_of(server):
    return int(server.get("/files/fine").body)


def test_its_bytes_do_not_cross_the_socket(server):
    """Counted by the kernel: neither side reads or writes 1 GB but for sendfile of httpd."""
    daemon = daemon_of(server)
    before = counters(daemon)
    with test_flow.growth_watched(server), server.connect(timeout_s=60) as connection:
        connection.request("GET", "/files/file?name=sparse")
        answer = connection.begin()
        assert answer.header("Content-Length") == str(GB)
        assert read_marks(answer) == (GB, MARKS) and answer.complete
    after = counters(daemon)
    for counter in ("rchar", "wchar"):
        assert after[counter] - before[counter] < 10 * MB


def test_it_leaves_by_sendfile(server, tmp_path):
    """Seen by strace: the child receives a descriptor and little else, and calls sendfile."""
    if not shutil.which("strace"):
        pytest.skip("no strace in PATH")
    children = [process.pid for process in server.remember_processes()
                if b"httpd.conf" in test_flow.command_of(process) and process.pid != server.pid]
    trace = tmp_path / "trace"
    pids = [word for pid in children for word in ("-p", str(pid))]
    with subprocess.Popen(["strace", "-f", "-e", "trace=sendfile,recvmsg,read,pread64", "-o",
                           str(trace), *pids], stderr=subprocess.PIPE, text=True) as strace:
        line = strace.stderr.readline()
        if "attached" not in line:
            strace.terminate()
            pytest.skip(f"strace may not look: {line}")
        with server.connect(timeout_s=100) as connection:
            connection.request("GET", "/files/file?name=sparse")
            assert read_marks(connection.begin()) == (GB, MARKS)
        strace.terminate()
    moved = {"sendfile": 0, "recvmsg": 0, "read": 0, "pread64": 0}
    for line in trace.read_text(encoding="utf-8").splitlines():
        name = next((name for name in moved if f" {name}(" in f" {line}"
                     or f" {name} resumed" in line), None)
        result = line.rpartition(" = ")[2].split(" ")[0]
        if name and result.isdigit():
            moved[name] += int(result)
    assert moved["sendfile"] == GB
    assert sum(moved.values()) - GB < MB, moved


@pytest.mark.parametrize("asked, begin, end", [
    (f"{700 * MB}-{700 * MB + 5}", 700 * MB, 700 * MB + 6), ("-3", GB - 3, GB), ("0-4", 0, 5)])
def test_range(server, asked, begin, end):
    answer = server.get("/files/file?name=sparse", [("Range", f"bytes={asked}")])
    assert answer.status == 206 and answer.body == MARKS[begin]
    assert answer.header("Content-Range") == f"bytes {begin}-{end - 1}/{GB}"


def fetch(server, protocol, target):
    """Start a client that prints what it gets."""
    tls = protocol in ("tls", "h2")
    url = (f"https://localhost:{server.tls_port}" if tls else f"http://localhost:{server.port}")
    option = {"plain": "--http1.1", "tls": "--http1.1", "h2": "--http2",
              "h2c": "--http2-prior-knowledge"}[protocol]
    return subprocess.Popen(["curl", "-sS", "-k", option, "--max-time", "60", url + target],
                            stdout=subprocess.PIPE)


@pytest.mark.parametrize("protocol", ["plain", "tls", "h2", "h2c"])
def test_same_bytes_for_all_from_one_open_file(server, protocol):
    """Responses at the same time, from descriptors that share one position, do not mix."""
    clients = [fetch(server, protocol, "/files/shared?name=lines") for _ in range(6)]
    bodies = [client.communicate(timeout=90)[0] for client in clients]
    assert [client.returncode for client in clients] == [0] * 6
    assert {hashlib.sha256(body).digest() for body in bodies} == {hashlib.sha256(LINES).digest()}
    server.descriptors.forget()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_the_only_thread_is_free_while_the_client_reads(server, tls, key):
    with server.connect(tls=tls, timeout_s=60) as slow:
        slow.request("GET", f"/files/file?name=sparse&key={key}")
        answer = slow.begin()
        assert answer.read_some()
        for _ in range(20):
            assert server.get("/files/fine").status == 200
        assert server.wait_notes(key) == ["close"]
        slow.reset()
    server.allow_log("AH01574|AH01575")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_file_that_is_truncated_is_a_cut(server, tls):
    """And the next response is not taken for the rest of it."""
    path = server.work / "shrinking"
    with path.open("wb") as file:
        file.truncate(64 * MB)
    with server.connect(tls=tls) as connection:
        connection.request("GET", "/files/file?name=shrinking")
        answer = connection.begin()
        assert answer.read_some()
        os.truncate(path, 1000)
        connection.request("GET", "/files/file?name=lines")
        rest = answer.read_all().body
        assert not answer.complete
        assert not rest.strip(b"\0"), rest.strip(b"\0")[:100]
    assert server.get("/files/fine").status == 200
    if tls:
        server.expect_log("WGW0059", "error")
    server.allow_log("WGW0049|WGW0059|AH")


def test_truncated_file_through_deflate_is_a_cut(server):
    path = server.work / "shrinking"
    path.write_bytes(os.urandom(16 * MB))
    server.allow_log("WGW0049|WGW0059|AH")
    with server.connect() as connection:
        connection.request("GET", "/deflated/file?name=shrinking", [("Accept-Encoding", "gzip")])
        answer = connection.begin()
        assert answer.read_some()
        os.truncate(path, 1000)
        answer.read_all()
        assert not answer.complete


def test_unlinked_temporary_file(server):
    answer = server.get("/files/temporary")
    assert answer.complete and answer.body == (b"temporary" * 100_000)[9:]


def test_what_is_no_file(server):
    answer = server.get("/files/memory")
    assert answer.complete and answer.body == b"memory" * 100_000


def test_file_is_closed(server, key):
    answer = server.get(f"/files/file?name=lines&key={key}")
    assert answer.complete and answer.body == LINES
    assert server.wait_notes(key) == ["close"]
    eventually(lambda: not open_files(server, "lines"), "no process has it open")


def open_files(server, name):
    """Return the descriptors of the file that any process holds, but for the shared one."""
    found = []
    for process in server.remember_processes():
        for entry in os.scandir(f"/proc/{process.pid}/fd"):
            try:
                found.append(os.readlink(entry.path))
            except OSError:
                continue
    shared = 1 if found.count(str(server.work / name)) else 0
    return [link for link in found if link == str(server.work / name)][shared:]
