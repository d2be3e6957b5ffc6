"""Bodies go both ways at once in bounded memory, and nobody waits for somebody else's slowness."""
import contextlib
import os
import pathlib
import select
import socket
import threading
import time

import pytest

from harness import Site, eventually

MODES = ("daemon",)
MPMS = ("event", "worker")
MANY_THREADS = """StartServers 4
ServerLimit 4
ThreadsPerChild 64
ThreadLimit 64
MaxRequestWorkers 256
MinSpareThreads 1
MaxSpareThreads 256"""
SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIDaemonProcess narrow processes=1 threads=2
    WSGIDaemonProcess pair processes=2 threads=1
    WSGIDaemonProcess threads processes=1 threads=2
    WSGIScriptAlias /narrow {apps}/flow.wsgi process-group=narrow application-group=%{GLOBAL}
    WSGIScriptAlias /pair {apps}/flow.wsgi process-group=pair application-group=%{GLOBAL}
    WSGIScriptAlias /threads {apps}/flow.wsgi process-group=threads application-group=%{GLOBAL}
""")
SLOW_SITE = Site(SITE.text + """
    SendBufferSize 16384
    Timeout 600
""", children=MANY_THREADS)

MB = 1 << 20
UPLOAD_BYTES = 100 * MB
GROWTH_MOST_KB = 32 * 1024
SLOW_COUNT, AT_A_TIME = 200, 40
SLOW_BYTES_PER_S = 1024


def command_of(process):
    try:
        return pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
    except OSError:
        return b""


def workers_of(server):
    """Return the pids of httpd's children and of the daemon processes."""
    commands = {process.pid: command_of(process) for process in server.remember_processes()}
    children = [pid for pid, command in commands.items()
                if b"httpd.conf" in command and pid != server.pid]
    return children + [pid for pid, command in commands.items() if b"_wsgigw.abi3" in command]


def status_kb(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise KeyError(name)


@contextlib.contextmanager
def growth_watched(server):
    """After the block, no process has had more memory than before it and GROWTH_MOST_KB."""
    before = {}
    for pid in workers_of(server):
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
        before[pid] = status_kb(pid, "VmRSS")
    yield
    grown = {pid: status_kb(pid, "VmHWM") - rss for pid, rss in before.items()}
    assert max(grown.values()) < GROWTH_MOST_KB, grown


# --- both ways ------------------------------------------------------------------------------

def send_chunks(connection, piece, count, failed):
    """Send a chunked body in a thread of its own."""
    def run():
        try:
            chunk = b"%x\r\n" % len(piece) + piece + b"\r\n"
            for _ in range(count):
                connection.socket.sendall(chunk)
            connection.socket.sendall(b"0\r\n\r\n")
        except OSError as error:
            failed.append(error)
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def send_plain(connection, piece, count, failed):
    """Send a body of known length in a thread of its own."""
    def run():
        try:
            for _ in range(count):
                connection.socket.sendall(piece)
        except OSError as error:
            failed.append(error)
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def count_body(answer, piece):
    """Read the body piece by piece without keeping it; return its size."""
    size, fill = 0, piece * 2
    while answer.read_some():
        at = size % len(piece)
        assert answer.body[:len(piece)] == fill[at:at + len(answer.body)][:len(piece)]
        size += len(answer.body)
        answer.body = b""
    return size


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_upload_echoed_while_it_is_sent(server, framing):
    """100 MB both ways; memory stays as it is."""
    piece = bytes(range(256)) * 1024
    count = UPLOAD_BYTES // len(piece)
    assert server.post("/narrow/echo", piece).body == piece
    header = ("Transfer-Encoding", "chunked") if framing == "chunked" \
        else ("Content-Length", str(UPLOAD_BYTES))
    failed = []
    with growth_watched(server), server.connect(timeout_s=60) as connection:
        connection.request("POST", "/narrow/echo", [header])
        send = send_chunks if framing == "chunked" else send_plain
        thread = send(connection, piece, count, failed)
        answer = connection.begin()
        size = count_body(answer, piece)
        thread.join()
    assert (failed, size, answer.complete) == ([], UPLOAD_BYTES, True)


def test_client_that_sends_first_and_reads_afterwards_costs_no_memory(server):
    """Nobody takes the echo yet: the upload stops at the buffers on the way, and goes on."""
    piece = bytes(range(256)) * 1024
    failed = []
    assert server.post("/narrow/echo", piece).body == piece
    with growth_watched(server), server.connect(timeout_s=60) as connection:
        connection.request("POST", "/narrow/echo", [("Transfer-Encoding", "chunked")])
        thread = send_chunks(connection, piece, UPLOAD_BYTES // len(piece), failed)
        thread.join(2)
        answer = connection.begin()
        assert count_body(answer, piece) == UPLOAD_BYTES and answer.complete
        thread.join()
    assert not failed


def test_a_line_and_its_echo_and_the_next(server):
    with server.connect() as connection:
        connection.request("POST", "/narrow/lines", [("Transfer-Encoding", "chunked")])
        connection.send(b"5\r\nline\n\r\n")
        answer = connection.begin()
        answer.read_until(b"LINE\n")
        for number in range(50):
            line = b"number %d\n" % number
            connection.send(b"%x\r\n%s\r\n" % (len(line), line))
            answer.read_until(line.upper())
        connection.send(b"0\r\n\r\n")
        assert answer.read_all().complete


@pytest.mark.parametrize("reads", ["", "?reads=1"])
@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_early_answer_stops_the_upload(server, framing, reads):
    """The client sees the answer, and cannot send all it has."""
    header = ("Transfer-Encoding", "chunked") if framing == "chunked" \
        else ("Content-Length", str(UPLOAD_BYTES))
    sent = 0
    with server.connect() as connection:
        connection.request("POST", f"/narrow/too-large{reads}", [header])
        block = b"x" * 65536
        if framing == "chunked":
            block = b"10000\r\n" + block + b"\r\n"
        sock = connection.socket
        with contextlib.suppress(ConnectionError):
            while sent < UPLOAD_BYTES:
                readable, writable, _ = select.select([sock], [sock], [], 30)
                if readable or not writable:
                    break
                sent += sock.send(block)
        answer = connection.begin()
        assert answer.status == 413
        assert answer.read_all().complete
        assert connection.at_end()
    assert sent < UPLOAD_BYTES / 10
    assert server.get("/narrow/fine").status == 200
    server.allow_log("AH01574|AH00574")


def test_100_continue_only_when_the_application_reads(server, key):
    with server.connect() as connection:
        connection.request("POST", f"/narrow/read-late?key={key}",
                           [("Content-Length", "5"), ("Expect", "100-continue")])
        server.wait_notes(key)
        assert connection.quiet(0.3)
        server.open_gate(key)
        interim = connection.begin(skip_interim=False)
        assert interim.status == 100
        connection.send(b"hello")
        answer = connection.response()
        assert (answer.status, answer.body, answer.interim) == (200, b"hello", [])


def test_no_100_continue_when_nobody_reads(server):
    with server.connect() as connection:
        connection.request("POST", "/narrow/too-large",
                           [("Content-Length", "5"), ("Expect", "100-continue")])
        answer = connection.response()
    assert (answer.status, answer.interim) == (413, [])


# --- slow clients ---------------------------------------------------------------------------

class SlowReaders:
    """Clients that take a response at about 1 KB/s each, in one thread."""

    def __init__(self, port, target):
        self.sockets = []
        self._port = port
        self._request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        self._ends = threading.Event()
        self.read_bytes = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def add(self, count):
        """Let so many more clients come."""
        for _ in range(count):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", self._port))
            sock.sendall(self._request.encode())
            sock.setblocking(False)
            self.sockets.append(sock)

    def _run(self):
        while not self._ends.wait(0.5):
            for sock in list(self.sockets):
                with contextlib.suppress(BlockingIOError):
                    self.read_bytes += len(sock.recv(SLOW_BYTES_PER_S // 2))

    def close(self):
        """Go away."""
        self._ends.set()
        self._thread.join()
        for sock in self.sockets:
            sock.close()


def median_latency_s(server, target, count=31):
    """Return the median time of requests, one after the other."""
    times = []
    for _ in range(count):
        begin = time.monotonic()
        assert server.get(target).status == 200
        times.append(time.monotonic() - begin)
    return sorted(times)[count // 2]


def test_200_slow_readers_do_not_delay_a_fast_client(make_server):
    server = make_server(SLOW_SITE)
    alone_s = median_latency_s(server, "/narrow/compute")
    slow = SlowReaders(server.port, "/narrow/large")
    try:
        for count in range(AT_A_TIME, SLOW_COUNT + 1, AT_A_TIME): # listen-backlog is 100
            slow.add(AT_A_TIME)
            eventually(lambda: len(server.notes("large")) >= count, f"{count} were begun", 60)
        beside_s = median_latency_s(server, "/narrow/compute")
        assert beside_s < 10 * alone_s, (alone_s, beside_s)
        assert slow.read_bytes < SLOW_COUNT * 2 * MB
    finally:
        slow.close()
    server.allow_log("AH01(574|575)")
    again_s = median_latency_s(server, "/narrow/compute")
    assert again_s < 10 * alone_s, (alone_s, again_s)
    # What was kept for them is freed: descriptors of spool files, connections nobody waits at.
    eventually(lambda: not spool_files(server), "no spool file is left")
    check_both_threads_are_free(server)


def spool_files(server):
    """Return the deleted files that the daemon processes hold."""
    links = []
    for process in server.remember_processes():
        if b"_wsgigw.abi3" not in command_of(process):
            continue
        for entry in os.scandir(f"/proc/{process.pid}/fd"):
            with contextlib.suppress(OSError):
                links.append(os.readlink(entry.path))
    return [link for link in links if "(deleted)" in link and "memfd:" not in link]


def check_both_threads_are_free(server):
    """Two requests that wait for each other's gate are served at once."""
    name = f"free{time.monotonic_ns()}"
    with server.connect() as one, server.connect() as two:
        for connection in (one, two):
            connection.request("GET", f"/narrow/busy?key={name}")
        server.wait_notes(name, 2)
        server.open_gate(name)
        assert one.response().status == two.response().status == 200


def test_slow_reader_gets_all_of_it(server):
    """Kept in memory or in a file, the bytes are right, in order and complete."""
    with server.connect() as connection:
        connection.request("GET", "/narrow/large")
        answer = connection.begin()
        check_both_threads_are_free(server)
        assert count_body(answer, b"x") == 4 * MB and answer.complete


# --- idle threads ---------------------------------------------------------------------------

@pytest.mark.parametrize("pool", ["pair", "threads"])
def test_no_request_waits_behind_a_busy_one(server, pool, key):
    """One of two is busy until the end of the test; all others are served meanwhile."""
    with server.connect() as busy:
        busy.request("GET", f"/{pool}/busy?key={key}")
        pid = int(server.wait_notes(key)[0])
        failed = []
        clients = [threading.Thread(target=ask_often, args=(server, pool, failed))
                   for _ in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert not failed
        assert server.notes(key) == [str(pid)]
        server.open_gate(key)
        assert busy.response().status == 200
    server.descriptors.forget()


def ask_often(server, pool, failed):
    """Make requests on one kept connection."""
    try:
        with server.connect(timeout_s=15) as connection:
            for _ in range(40):
                connection.request("GET", f"/{pool}/fine")
                assert connection.response().status == 200
    except (OSError, AssertionError) as error:
        failed.append(error)


# --- blocks ---------------------------------------------------------------------------------

def test_blocks_leave_before_the_next_is_made(server, key):
    """Those of a burst without a wait for the next burst, however they gather."""
    with server.connect() as connection:
        connection.request("GET", f"/narrow/bursts?key={key}")
        answer = connection.begin()
        for number in range(3):
            answer.read_until(b"%d" % number * 10)
            server.open_gate(f"{key}{number}")
        assert answer.read_all().body == b"0" * 10 + b"1" * 10 + b"2" * 10
        assert answer.complete
