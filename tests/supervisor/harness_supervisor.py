"""Plays httpd's parent for one wsgigw-supervisor, without httpd."""
import array
import fcntl
import json
import mmap
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WGW_BUILDDIR", SOURCE))
PROGRAM = BUILD / "wsgigw-supervisor"

GENERATION, POOL, COMMIT, STOP, HELLO, READY, FAILED, DRAINED, HERE = 1, 2, 3, 4, 5, 16, 17, 18, 19
NONE = 0xFFFFFFFF
PATIENCE_S = 10.0
HEAD, ROW, ENTRY = struct.Struct("<II144x"), struct.Struct("<IiIiIiQ24x"), \
    struct.Struct("<IiIIqqI52s40s200s")
WAITING, SENT, BEGUN = 1, 2, 3
WORKER = pathlib.Path(__file__).with_name("worker.py")


def fields_of_pool():
    """Return kind and name of each field of wgw_pool_spec_t, from the header."""
    text = (SOURCE / "src" / "wire" / "spec.h").read_text()
    table = text.split("#define WGW_POOL_FIELDS(X)")[1].split("\n\n")[0]
    return re.findall(r"X\((\w+), (\w+)\)", table)


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<I", len(data)) + data + b"\0"


def encode(kind, value):
    """Encode one field as wgw_pool_spec_encode() does."""
    if kind == "TEXT":
        return text(value)
    if kind == "BLOB":
        return struct.pack("<I", len(value)) + value
    if kind == "LIST":
        return struct.pack("<I", len(value)) + b"".join(map(text, value))
    if kind == "NUMBERS":
        return struct.pack(f"<I{len(value)}I", len(value), *value)
    return struct.pack("<I" if kind == "U32" else "<Q", value)


def eventually(what, message="", seconds=PATIENCE_S):
    """Wait until what() is true; return it."""
    until = time.monotonic() + seconds
    while True:
        result = what()
        if result:
            return result
        assert time.monotonic() < until, f"not within {seconds} s: {message}"
        time.sleep(0.02)


def is_alive(pid):
    """Say whether a process runs; a zombie does not."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


class Board:
    """A scoreboard, as the parent makes it."""

    def __init__(self, rows, entries, sealed=True, size=None):
        self.rows, self.entries = rows, entries
        size = size or HEAD.size + rows * ROW.size + entries * ENTRY.size
        self.fd = os.memfd_create("board", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, size)
        os.pwrite(self.fd, HEAD.pack(rows, entries), 0)
        if sealed:
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)

    def row(self, number):
        """Return epoch, idle, threads, exit_status, exit_epoch, pid, requests."""
        return ROW.unpack(os.pread(self.fd, ROW.size, HEAD.size + number * ROW.size))

    def put_row(self, number, *values):
        os.pwrite(self.fd, ROW.pack(*values), HEAD.size + number * ROW.size)

    def entry(self, number):
        return ENTRY.unpack(os.pread(self.fd, ENTRY.size, self._place(number)))

    def put_entry(self, number, state, pid=0, row=0, epoch=0, since_us=0, log_id=b"", line=b"",
                  client=b"", has_head=0):
        os.pwrite(self.fd, ENTRY.pack(state, pid, row, epoch, since_us, since_us, has_head, client,
                                      log_id, line),
                  self._place(number))

    def _place(self, number):
        return HEAD.size + self.rows * ROW.size + number * ENTRY.size

    def close(self):
        os.close(self.fd)


class Supervisor:
    """One supervisor, its folder, and our end of its channel."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="wgws", dir="/tmp"))
        self.root.chmod(0o755)
        self.work = self.root / "work"
        self.work.mkdir()
        self.work.chmod(0o777)
        self.run = self.root / "run"
        self.run.mkdir()
        self.run.chmod(0o711)
        self.worker = self.root / "worker.py"
        shutil.copy(WORKER, self.worker)
        self.worker.chmod(0o755)
        self.log_path = self.root / "error.log"
        self.log_fd = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.boards, self.pipes, self.process, self.channel = [], [], None, None

    def start(self):
        """Start it as httpd's parent does."""
        self.channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.channel.settimeout(PATIENCE_S)
        number = other.fileno()
        self.process = subprocess.Popen(
            [PROGRAM], preexec_fn=lambda: os.dup2(number, 3), pass_fds=(3,), env={},
            stdin=subprocess.DEVNULL, stdout=self.log_fd, stderr=self.log_fd, cwd="/")
        other.close()
        return self

    # --- messages --------------------------------------------------------------------------

    def send(self, data, fds=()):
        if fds:
            socket.send_fds(self.channel, [data], list(fds))
        else:
            self.channel.send(data)

    @property
    def control(self):
        """Where the control socket is."""
        return f"{self.run}/s.control.sock"

    def generation(self, number, keep_s=60.0, control=""):
        """Send GENERATION; return the write end that stands for its httpd children."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        self.send(struct.pack("<BBIQ", GENERATION, 1, number, int(keep_s * 1e6)) + text(control),
                  [reader])
        os.close(reader)
        self.pipes.append(writer)
        return writer

    def pool(self, plan="serve", board=None, log_fd=None, **changes):
        """Send POOL; return its scoreboard."""
        spec = self.spec(plan, **changes)
        board = board or Board(spec["row_count"], spec["entry_count"])
        self.boards.append(board)
        data = struct.pack("<I", 1) + b"".join(encode(k, spec[n]) for k, n in fields_of_pool())
        self.send(bytes([POOL]) + data,
                  [board.fd, self.log_fd if log_fd is None else log_fd])
        return board

    def spec(self, plan, **changes):
        count = changes.get("process_count", 1)
        root = os.geteuid() == 0
        spec = {
            "name": "pool", "server": "localhost", "process_count": count,
            "row_count": 2 * count, "entry_count": 16, "socket_path": f"{self.run}/s.1.0",
            "socket_uid": NONE, "listen_backlog": 10, "send_buffer_bytes": 0,
            "receive_buffer_bytes": 0, "switches_user": int(root), "uid": 65534, "gid": 65534,
            "groups": [65534], "umask": 0o27, "chroot": "", "home": "", "nice": 0,
            "memory_limit": 0, "virtual_memory_limit": 0, "keeps_privileges": 0,
            "python": str(self.worker), "python_args": [], "extension": "/nowhere/ext.so",
            "environment": [f"WGW_TEST_PLAN={plan}", f"WGW_TEST_WORK={self.work}", "LANG=C"],
            "process_least": 0, "idle_timeout_us": 60_000_000, "keeps_on_graceful": 0, "is_service": 0, "mapping": 0,
            "restart_interval_us": 0, "inactivity_timeout_us": 0, "cpu_time_limit_us": 0,
            "memory_reload_bytes": 0, "startup_timeout_us": 0, "graceful_timeout_us": 5_000_000,
            "shutdown_timeout_us": 2_000_000, "eviction_timeout_us": 0, "deadlock_timeout_us": 0,
            "log_level": 7, "worker": b"worker spec",
        }
        return {**spec, **changes}

    def commit(self):
        """Send COMMIT; return the answer."""
        self.send(bytes([COMMIT]))
        return self.answer()

    def serve(self, plan="serve", control="", **changes):
        """One generation of one pool; return its scoreboard."""
        self.generation(1, control=control)
        board = self.pool(plan, **changes)
        assert self.commit()[0] == READY
        return board

    def answer(self):
        """Return kind, generation and text of the next message; kind 0 at the end."""
        data = self.channel.recv(65536)
        if not data:
            return 0, 0, ""
        number = struct.unpack_from("<I", data, 1)[0] if len(data) > 4 else 0
        return data[0], number, data[9:-1].decode(errors="replace")

    def stop(self, graceful=True):
        """Send STOP, and wait for DRAINED and the exit."""
        self.send(bytes([STOP, int(graceful)]))
        assert self.answer()[0] == DRAINED
        assert self.process.wait(PATIENCE_S) == 0

    # --- looking ---------------------------------------------------------------------------

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="surrogateescape")

    def wait_log(self, pattern, count=1, seconds=PATIENCE_S):
        """Wait until as many lines match; return them."""
        def found():
            lines = [line for line in self.log().splitlines() if re.search(pattern, line)]
            return lines if len(lines) >= count else None
        try:
            return eventually(found, pattern, seconds)
        except AssertionError:
            raise AssertionError(f"no {count} lines {pattern!r} in\n{self.log()}") from None

    def reports(self):
        """What each daemon process has found, in the order of their starts."""
        paths = sorted(self.work.glob("*.json"), key=lambda p: p.stat().st_mtime_ns)
        return [json.loads(path.read_text()) for path in paths]

    def wait_reports(self, count, seconds=PATIENCE_S):
        return eventually(lambda: len(self.reports()) >= count and self.reports(),
                          f"{count} processes; log:\n{self.log()}", seconds)

    def sockets(self):
        return sorted(path.name for path in self.run.iterdir())

    def leftovers(self):
        """Processes that belong to this folder."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if str(self.root).encode() in path.read_bytes() and is_alive(path.parent.name):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    # --- the end ---------------------------------------------------------------------------

    def end(self):
        """Kill what is left; return what should not have been."""
        left = []
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(9)
            except subprocess.TimeoutExpired:
                left.append("the supervisor itself")
                self.process.kill()
                self.process.wait()
        left += self.leftovers() + self.sockets()
        for pid in self.leftovers():
            os.kill(pid, signal.SIGKILL)
        for fd in self.pipes + [self.log_fd] + [board.fd for board in self.boards]:
            try:
                os.close(fd)
            except OSError:
                pass
        if self.channel:
            self.channel.close()
        shutil.rmtree(self.root)
        return left
