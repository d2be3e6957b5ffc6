"""The other side of a daemon process, in Python: its supervisor, and an httpd child.

Written from src/wire/PROTOCOL.md and include/wsgigw/exec.h, not from the C code, so that a
difference between the two shows.
"""
import array
import contextlib
import fcntl
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
from typing import List, NamedTuple, Optional, Sequence

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WGW_BUILDDIR", TOP))
EXTENSION = BUILD / ".libs" / "_wsgigw.abi3.so"

OPEN, REQUEST, BODY, BODY_END, BODY_FAULT = 1, 2, 3, 4, 5
HEAD, BLOCK, FILE, END, CUT, STATUS, LOG, WANT_BODY, REFUSED, DONE = range(16, 26)
CALL, ANSWER = 32, 40
CLOSES, HAS_FILE, LAST = 1, 2, 4
MULTITHREAD, MULTIPROCESS, BODILESS, RELOADING, MODULE, HAS_BODY = 1, 2, 4, 8, 16, 32
START, DRAIN, STOP, READY, LEAVING, WANTS, LOADED = 1, 2, 3, 16, 17, 18, 19
KEY = "0123456789abcdef" * 4
ROW_SIZE, ENTRY_SIZE, BOARD_HEAD = 56, 328, 152
ENTRY_COUNT = 8
EPOCH = 7


def text(value) -> bytes:
    """Encode a text: u32 length, bytes, NUL."""
    data = os.fsencode(value)
    return struct.pack("<I", len(data)) + data + b"\0"


def texts(values: Sequence) -> bytes:
    """Encode a list of texts."""
    return struct.pack("<I", len(values)) + b"".join(map(text, values))


def boot_code() -> str:
    """Return what the supervisor gives to PYTHON -c, read from exec.h."""
    source = (TOP / "include/wsgigw/exec.h").read_text()
    macro = source[source.index("#define WGW_EXEC_BOOT"):]
    lines = re.findall(r'^ *((?:"(?:\\.|[^"\\])*" *)+)\\?$', macro, re.M)
    strings = re.findall(r'"((?:\\.|[^"\\])*)"', "".join(lines))
    return "".join(strings).encode().decode("unicode_escape")


class Frame(NamedTuple):
    """One frame as it came; fd is the descriptor with it, or None."""
    type: int
    flags: int
    payload: bytes
    fd: Optional[int] = None

    def is_last(self) -> bool:
        """Return whether the request is over with it."""
        return (self.type in (STATUS, REFUSED, DONE)
                or self.type in (END, CUT) and bool(self.flags & LAST))


def frame(kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """Encode a frame."""
    return struct.pack("<IBBH", len(payload), kind, flags, 0) + payload


def open_frame(key: str = KEY, version: int = 2) -> bytes:
    """Encode OPEN."""
    return frame(OPEN, bytes([version]) + key.encode())


def request_frame(script, variables=(), body: Optional[bytes] = b"", group: str = "", *,
                  entry: int = 0, epoch: int = EPOCH, bits: int = 0, flags: int = 0,
                  callable_name: str = "application", length: int = 0,
                  ends_by_us: int = 0) -> bytes:
    """Encode REQUEST; `body` None: it is not here."""
    bits |= MULTITHREAD | (HAS_BODY if body is not None else 0)
    fixed = struct.pack("<IIIqqqQQQQqq", entry, epoch, bits, length,
                        int((time.monotonic() + 60) * 1e6), ends_by_us, 0, 0, 0, 0, 0, 0)
    pairs = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "",
             "SERVER_NAME": "test", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
             "wsgi.url_scheme": "http", **dict(variables)}
    coded = b"".join(struct.pack("<HHI", 0, len(name), len(value)) + name.encode() + value.encode()
                     for name, value in pairs.items())
    payload = (fixed + text(script) + text(callable_name) + text(group)
               + struct.pack("<I", len(pairs)) + coded + (body or b""))
    return frame(REQUEST, payload, flags)


def check_order(frames: Sequence[Frame]) -> None:
    """Check what follows the end of a response, and that nothing but the last frame closes."""
    ends = [at for at, one in enumerate(frames) if one.type in (END, CUT)]
    after = [one.type for one in frames[ends[0] + 1:]] if ends else []
    assert len(ends) < 2 and set(after[:-1]) <= {LOG} and set(after[-1:]) <= {LOG, DONE}, frames
    assert ends or DONE not in [one.type for one in frames], frames
    assert not any(one.flags & CLOSES for one in frames[:-1]), frames


class Client:
    """A connection of an httpd child."""

    def __init__(self, path: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(path)  # without a timeout: it waits for the queue of the listener
        self.sock.settimeout(20)
        self._data, self._fds = b"", []
        self._before: List[Frame] = []  # of the answer, as far as response() has returned it

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    def close(self) -> None:
        """Close it and the descriptors nobody took."""
        self.sock.close()
        for fd in self._fds:
            os.close(fd)
        self._fds = []

    def send(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """Send bytes, with descriptors at the first of them."""
        if fds:
            sent = socket.send_fds(self.sock, [data], list(fds))
            data = data[sent:]
        if data:
            self.sock.sendall(data)

    def receive(self) -> Optional[Frame]:
        """Return the next frame; None at the end of the connection."""
        while len(self._data) < 8 or len(self._data) < 8 + struct.unpack("<I", self._data[:4])[0]:
            data, control, _, _ = self.sock.recvmsg(1 << 16, socket.CMSG_SPACE(64))
            for level, kind, content in control:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds = array.array("i")
                    fds.frombytes(content[:len(content) - len(content) % fds.itemsize])
                    self._fds += fds
            if not data:
                assert not self._data, "half a frame"
                return None
            self._data += data
        length, kind, flags, zero = struct.unpack("<IBBH", self._data[:8])
        assert zero == 0
        payload, self._data = self._data[8:8 + length], self._data[8 + length:]
        return Frame(kind, flags, payload, self._fds.pop(0) if kind == FILE else None)

    def answer(self) -> List[Frame]:
        """Return the frames up to the one that ends the request."""
        frames: List[Frame] = []
        while not frames or not frames[-1].is_last():
            one = self.receive()
            if one is None:
                break
            frames.append(one)
        check_order(self._before + frames)
        self._before = []
        return frames

    def response(self) -> List[Frame]:
        """Return the frames up to the one that ends the response; DONE may still have to come."""
        frames: List[Frame] = []
        while not frames or frames[-1].type not in (END, CUT, STATUS, REFUSED):
            one = self.receive()
            assert one is not None, frames
            frames.append(one)
        self._before = [] if frames[-1].is_last() else frames
        return frames

    def body(self) -> bytes:
        """Return the body of a whole answer."""
        frames = self.answer()
        assert frames and frames[-1].is_last() and END in [one.type for one in frames], frames
        return b"".join(one.payload for one in frames if one.type == BLOCK)


class Daemon:
    """A daemon process under test, with this process as its supervisor."""

    def __init__(self, folder, python: str = sys.executable, threads: int = 2, *,
                 response_buffer: int = 8 << 20, preloads: Sequence[str] = (), key: str = KEY,
                 shutdown_s: float = 5, main_group: Optional[str] = "", request_s: float = 0,
                 interrupt_s: float = 0, deadlock_s: float = 0) -> None:
        self.path = os.path.join(folder, "daemon.sock")
        self.log_path = os.path.join(folder, "daemon.log")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._listener.bind(self.path)
        self._listener.listen(64)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(20)
        self.board = os.memfd_create("board", os.MFD_ALLOW_SEALING)
        os.ftruncate(self.board, BOARD_HEAD + ROW_SIZE + ENTRY_COUNT * ENTRY_SIZE)
        self._start(python, theirs)
        worker = self._worker(threads, response_buffer, preloads, key, shutdown_s, main_group,
                              (request_s, interrupt_s, deadlock_s))
        with contextlib.suppress(BrokenPipeError):  # it may have ended at once
            self.control.send(struct.pack("<BBIIIIBI", START, 1, 0, EPOCH, 1, ENTRY_COUNT, 0, 0) + worker)

    def _start(self, python: str, theirs: socket.socket) -> None:
        given = [self._listener.fileno(), theirs.fileno(), self.board]

        def move() -> None:
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in given]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i, inheritable=True)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [python, "-P", "-c", boot_code(), str(EXTENSION)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, close_fds=False, preexec_fn=move,
                env={"PATH": os.defpath, "LANG": "C.UTF-8", **preload_environment()})
        theirs.close()

    @staticmethod
    def _worker(threads, response_buffer, preloads, key, shutdown_s, main_group, more_s) -> bytes:
        microseconds = int(shutdown_s * 1_000_000)
        return (struct.pack("<I", 1) + text("pool") + text("") + struct.pack("<IQ", threads, 0)
                + struct.pack("<I", main_group is not None) + text(main_group or "")
                + struct.pack("<III", 16, 0, 0) + texts(()) + texts(preloads)
                + struct.pack("<IIII", 3, 2, 4, 0)
                + struct.pack("<QQQQQ", response_buffer, 20_000_000, 20_000_000, microseconds, microseconds)
                + struct.pack("<3Q", *(int(seconds * 1_000_000) for seconds in more_s))
                + texts(()) + struct.pack("<II", 0, 0) + text("") + text(key))

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *exc) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.control.close()
        self._listener.close()
        os.close(self.board)

    def wait_ready(self) -> "Daemon":
        """Wait for READY."""
        message = self.said()
        assert message == bytes([READY]), (message, self.log())
        return self

    def said(self) -> bytes:
        """Return the next message to the supervisor that is not LOADED."""
        while True:
            message = self.control.recv(8192)
            if message[:1] != bytes([LOADED]):
                return message

    def connect(self, opens: bool = True) -> Client:
        """Return a connection, by default an opened one."""
        client = Client(self.path)
        if opens:
            client.send(open_frame())
        return client

    def log(self) -> str:
        """Return what the process has logged."""
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def row(self) -> dict:
        """Return the process's row of the scoreboard."""
        names = ("epoch", "idle_count", "thread_count", "exit_status", "exit_epoch", "pid")
        return dict(zip(names, struct.unpack("<IiIiIi", os.pread(self.board, 24, BOARD_HEAD))))


def preload_environment() -> dict:
    """Return the sanitizers' part of WGW_HTTPD_ENV, if the build has them."""
    import shlex
    return dict(pair.split("=", 1) for pair in shlex.split(os.environ.get("WGW_HTTPD_ENV", "")))


def folder() -> str:
    """Return a new folder with a short name, as paths of sockets have to be."""
    return tempfile.mkdtemp(prefix="wgw-")
