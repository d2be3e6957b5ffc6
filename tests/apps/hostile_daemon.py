#!/usr/bin/env python3
"""Plays a daemon process that does what it may not: the python= of a pool.

What it answers is chosen by the URL, /hostile/CASE?key=KEY.  Knows include/wsgigw/exec.h,
scoreboard.h and the frames of src/wire/frame.h, and nothing of httpd.
"""
import mmap
import os
import re
import select
import socket
import struct
import tempfile
import threading
import time

REQUEST, HEAD, BLOCK, FILE, END, CUT, STATUS, LOG, WANT_BODY, REFUSED, DONE = 2, *range(16, 26)
CALL, ANSWER = 32, 40
CLOSES, LAST = 1, 4
START, READY = 1, 16
BOARD_HEAD, ROW_SIZE, ENTRY_SIZE, BEGUN, OVER = 152, 56, 328, 3, 4
INFO = 6
LENGTH = [("Content-Length", "5")]
CASES = {}


def frame(kind, payload=b"", flags=0):
    """Encode a frame."""
    return struct.pack("<IBBH", len(payload), kind, flags, 0) + payload


def text(value):
    """Encode a text."""
    return struct.pack("<I", len(value)) + value + b"\0"


def head(status=200, fields=((b"Content-Type", b"text/plain"),), reason=b"OK"):
    """Encode HEAD."""
    return frame(HEAD, struct.pack("<H", status) + text(reason) + struct.pack("<I", len(fields))
                 + b"".join(text(name) + text(value) for name, value in fields))


def with_field(name, value):
    """Return a whole response with one more field."""
    return head(fields=((b"Content-Type", b"text/plain"), (name, value))) + BODY


BODY = frame(BLOCK, b"hello") + frame(END, b"", LAST)
LENGTH_5 = ((b"Content-Length", b"5"),)
LENGTH_100 = ((b"Content-Length", b"100"),)

BYTES = {
    "fine": head() + BODY,
    # not a frame
    "type-unknown": frame(99),
    "type-zero": frame(0),
    "type-reserved": frame(41),
    "flags-unknown": frame(HEAD, b"", 128),
    "high-bytes": struct.pack("<IBBH", 0, HEAD, 0, 7),
    "length-huge": struct.pack("<IBBH", 0xffffffff, HEAD, 0, 0),
    "length-of-log-huge": struct.pack("<IBBH", (1 << 20) + 2, LOG, 0, 0),
    "length-of-end": struct.pack("<IBBH", 1, END, LAST, 0) + b"x",
    "text": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    # at the wrong time
    "block-first": frame(BLOCK, b"hello"),
    "end-first": frame(END, b"", LAST),
    "cut-first": frame(CUT, b"", LAST),
    "done-first": frame(DONE),
    "file-first": frame(FILE, bytes(16)),
    "request-back": frame(REQUEST, b"x"),
    "open-back": frame(1, bytes(65)),
    "body-back": frame(3, b"x"),
    "head-twice": head() + head() + BODY,
    "status-after-head": head() + frame(STATUS, struct.pack("<H", 500)),
    "refused-after-head": head() + frame(REFUSED),
    "want-body-of-get": frame(WANT_BODY),
    # heads
    "head-empty": frame(HEAD),
    "head-short": frame(HEAD, b"\xc8\0" + struct.pack("<I", 500) + b"OK\0"),
    "head-many-fields": frame(HEAD, b"\xc8\0" + text(b"OK") + struct.pack("<I", 0xffffffff)),
    "head-surplus": frame(HEAD, b"\xc8\0" + text(b"OK") + struct.pack("<I", 0) + b"surplus"),
    "head-nul": with_field(b"X-Test", b"a\0b"),
    "head-crlf": with_field(b"X-Test", b"a\r\nSet-Cookie: b=c"),
    "head-lf": with_field(b"X-Test", b"a\nSet-Cookie: b=c"),
    "head-cr": with_field(b"X-Test", b"a\rSet-Cookie: b=c"),
    "head-name-crlf": with_field(b"X-Test: a\r\nSet-Cookie", b"b=c"),
    "head-name-space": with_field(b"X Test", b"a"),
    "head-name-colon": with_field(b"X-Test:", b"a"),
    "head-name-empty": with_field(b"", b"a"),
    "head-transfer-encoding": with_field(b"Transfer-Encoding", b"chunked"),
    "head-connection": with_field(b"connection", b"close"),
    "head-upgrade": with_field(b"Upgrade", b"websocket"),
    "head-two-lengths": head(fields=LENGTH_5 * 2) + BODY,
    "head-length-list": with_field(b"Content-Length", b"5, 5"),
    "head-length-negative": with_field(b"Content-Length", b"-5"),
    "head-length-plus": with_field(b"Content-Length", b"+5"),
    "head-length-huge": with_field(b"Content-Length", b"9" * 30),
    "head-length-empty": with_field(b"Content-Length", b""),
    "head-line-long": with_field(b"X-Test", b"x" * 40000),
    "head-reason-crlf": head(reason=b"OK\r\nSet-Cookie: b=c") + BODY,
    "head-reason-long": head(reason=b"x" * 40000) + BODY,
    "head-status-0": head(0) + BODY,
    "head-status-99": head(99) + BODY,
    "head-status-100": head(100) + BODY,
    "head-status-101": head(101) + BODY,
    "head-status-600": head(600) + BODY,
    "head-status-1000": head(1000) + BODY,
    # the rest
    "status-200": frame(STATUS, struct.pack("<H", 200)),
    "status-99": frame(STATUS, struct.pack("<H", 99)),
    "status-1000": frame(STATUS, struct.pack("<H", 1000)),
    "status-short": frame(STATUS, b"\xf4"),
    "log-no-level": frame(LOG),
    "log-bad-level": frame(LOG, b"\x63text"),
    "log-emerg": frame(LOG, b"\0text"),
    "log-lines": frame(LOG, bytes([INFO]) + b"one\n[forged] two\x1b[31m\r\n") + head() + BODY,
    "file-no-descriptor": head() + frame(FILE, struct.pack("<QQ", 0, 5)),
    "file-short-frame": head() + frame(FILE, b"\0" * 15),
    # answers to questions
    "answer-yes": frame(ANSWER, b"\2"),
    "answer-none": frame(ANSWER, b"\0"),
    "answer-text": frame(ANSWER, b"\3name"),
    "answer-nothing": frame(ANSWER),
    "answer-4": frame(ANSWER, b"\4"),
    "answer-255": frame(ANSWER, b"\xff"),
    "answer-none-with-text": frame(ANSWER, b"\0x"),
    "answer-yes-with-text": frame(ANSWER, b"\2root"),
    "answer-text-empty": frame(ANSWER, b"\3"),
    "answer-text-crlf": frame(ANSWER, b"\3a\r\nSet-Cookie: b=c"),
    "answer-text-nul": frame(ANSWER, b"\3root\0x"),
    "answer-text-long": frame(ANSWER, b"\3" + b"x" * 1025),
    "answer-after-head": head() + frame(ANSWER, b"\2"),
    "answer-after-want-body": frame(WANT_BODY) + frame(ANSWER, b"\2"),
    "answer-with-flag": frame(ANSWER, b"\2", LAST),
    "answer-twice": frame(ANSWER, b"\2") + frame(ANSWER, b"\1"),
    "answer-and-half": frame(ANSWER, b"\2") + b"\1",
    "call-back": frame(CALL, b"x"),
    # lies about Content-Length
    "length-too-long": head(fields=LENGTH_100) + BODY,
    "length-too-short": head(fields=LENGTH_5) + frame(BLOCK, b"hello and more") * 1000 + BODY,
    # after the end
    "block-after-end": head() + frame(BLOCK, b"hello") + frame(END) + frame(BLOCK, b"more"),
    "end-twice": head() + BODY + frame(END, b"", LAST),
    "response-after-end": head() + BODY + head() + frame(BLOCK, b"other") + frame(END, b"", LAST),
    "half-a-frame-after-end": head() + BODY + b"\0\0",
}


def case(function):
    """Register a case by the name of its function."""
    CASES[function.__name__.replace("_", "-")] = function
    return function


class Request:
    """One request, as far as the cases need it."""

    def __init__(self, daemon, sock, kind, payload):
        self.daemon, self.sock = daemon, sock
        if kind == CALL:
            payload = without_question(payload)
        self.entry = struct.unpack("<I", payload[:4])[0]
        found = re.search(rb"/(?:hostile|garbage)/([a-z0-9-]+)(?:\?key=(\w+))?", payload)
        self.name = found[1].decode()
        self.key = (found[2] or b"").decode()

    def send(self, data, *fds):
        """Send bytes, with descriptors at the first of them."""
        sent = socket.send_fds(self.sock, [data], list(fds)) if fds else 0
        self.sock.sendall(data[sent:])

    def begin(self):
        """Say in the scoreboard that the application has been called."""
        self.daemon.set_state(self.entry, BEGUN)

    def wait(self):
        """Wait for the test."""
        path = os.path.join(os.environ["WGW_WORK"], f"{self.key}.gate")
        for _ in range(4000):
            if os.path.exists(path):
                return
            time.sleep(0.005)

    def send_file(self, fd, offset=0, size=5, rest=BODY):
        """Send a head, FILE with a descriptor, and the rest."""
        self.send(head())
        self.send(frame(FILE, struct.pack("<QQ", offset, size)) + rest, fd)
        os.close(fd)


def without_question(payload):
    """Return what CALL has in common with REQUEST."""
    at = 2
    for _ in range(2):
        at += 4 + struct.unpack("<I", payload[at:at + 4])[0]
    return payload[at:]


class Daemon:
    """The process."""

    def __init__(self):
        self.control = socket.socket(fileno=4)
        start = self.control.recv(1 << 18)
        kind, _, self.row, self.epoch, self.rows, self.entries = struct.unpack("<BBIIII", start[:18])
        assert kind == START
        self.size = BOARD_HEAD + self.rows * ROW_SIZE + self.entries * ENTRY_SIZE
        self.board = mmap.mmap(5, self.size)
        self.listener = socket.socket(fileno=3)
        self.appear()
        self.control.send(bytes([READY]))

    def appear(self):
        """Be found, with idle threads."""
        struct.pack_into("<IiI", self.board, BOARD_HEAD + self.row * ROW_SIZE, self.epoch, 16, 16)

    def set_state(self, entry, state):
        """Write the state of an entry."""
        at = BOARD_HEAD + self.rows * ROW_SIZE + entry * ENTRY_SIZE
        struct.pack_into("<I", self.board, at, state)

    def run(self):
        """Accept until the supervisor says something, or has gone."""
        while True:
            ready, _, _ = select.select([self.listener, self.control], [], [])
            if self.control in ready:
                os._exit(0)
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                continue
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        """Serve one connection."""
        sock.setblocking(True)
        with sock:
            try:
                while self.serve_one(sock):
                    self.appear()
            except OSError:
                pass
        self.appear()

    def serve_one(self, sock):
        """Serve one request. Return whether another may follow."""
        received = receive_frame(sock)
        while received and received[0] not in (REQUEST, CALL):
            received = receive_frame(sock)
        if not received:
            return False
        request = Request(self, sock, *received)
        if request.name in BYTES:
            request.begin()
            request.send(BYTES[request.name])
            return True
        return CASES[request.name](request)


def receive_exactly(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            return None
        data += piece
    return data


def receive_frame(sock):
    """Return (type, payload), None at the end."""
    header = receive_exactly(sock, 8)
    if not header:
        return None
    length, kind = struct.unpack("<IB", header[:5])
    return kind, receive_exactly(sock, length)


# --- closing, silence, refusing -------------------------------------------------------------

@case
def close_unseen(request):
    return False


@case
def close_begun(request):
    request.begin()


@case
def close_in_header(request):
    request.begin()
    request.send(b"\x05\0\0")


@case
def close_in_head(request):
    request.begin()
    request.send(head()[:-3])


@case
def close_after_head(request):
    request.begin()
    request.send(head())


@case
def close_in_block(request):
    request.begin()
    request.send(head() + struct.pack("<IBBH", 1 << 30, BLOCK, 0, 0) + b"hello")
    request.wait()


@case
def close_after_block(request):
    request.begin()
    request.send(head() + frame(BLOCK, b"hello"))
    request.wait()


@case
def close_before_done(request):
    request.begin()
    request.send(head() + frame(BLOCK, b"hello") + frame(END))


@case
def silent(request):
    request.begin()
    return True


@case
def silent_in_head(request):
    request.begin()
    request.send(head()[:-3])
    return True


@case
def silent_after_head(request):
    request.begin()
    request.send(head())
    return True


@case
def silent_after_block(request):
    request.begin()
    request.send(head() + frame(BLOCK, b"hello"))
    return True


@case
def silent_before_done(request):
    request.begin()
    request.send(head() + frame(BLOCK, b"hello") + frame(END))
    return True


@case
def endless_head(request):
    """A head byte by byte, each of them well in time."""
    request.begin()
    request.send(struct.pack("<IBBH", 1 << 20, HEAD, 0, 0))
    while True:
        request.send(b"x")
        time.sleep(0.1)


def dripping(name, data, state):
    """Never be silent for long, and never come to an end."""
    def run(request):
        request.daemon.set_state(request.entry, state)
        request.send(data)
        while True:
            request.send(frame(LOG, bytes([INFO]) + b"drip"))
            time.sleep(0.1)
    CASES[name] = run


dripping("dripping", b"", BEGUN)
dripping("dripping-after-block", head() + frame(BLOCK, b"hello"), BEGUN)
dripping("dripping-and-lying", head() + frame(BLOCK, b"hello"), OVER)


@case
def refused_for_ever(request):
    request.send(frame(REFUSED))
    return True


@case
def want_body_twice(request):
    request.begin()
    request.send(frame(WANT_BODY))
    request.send(frame(WANT_BODY))
    return True


@case
def want_body_and_refuse(request):
    request.send(frame(WANT_BODY))
    receive_frame(request.sock)
    request.send(frame(REFUSED))


@case
def want_body_and_close(request):
    request.send(frame(WANT_BODY))
    receive_frame(request.sock)


@case
def want_body_and_be_silent(request):
    request.begin()
    request.send(frame(WANT_BODY))
    request.wait()


# --- late -----------------------------------------------------------------------------------

def late(name, data):
    """Register a case that sends `data` when the client has seen a block."""
    def run(request):
        request.begin()
        request.send(head() + frame(BLOCK, b"hello"))
        request.wait()
        request.send(data)
        return True
    CASES[name] = run


late("late-type-unknown", frame(99))
late("late-head", head())
late("late-status", frame(STATUS, struct.pack("<H", 500)))
late("late-refused", frame(REFUSED))
late("late-file-no-descriptor", frame(FILE, struct.pack("<QQ", 0, 5)))


# --- descriptors ----------------------------------------------------------------------------

def file_of(size):
    """Return the descriptor of a file without a name, open for reading and writing."""
    with tempfile.TemporaryFile(dir="/tmp") as file:
        file.write(b"f" * min(size, 1 << 20))
        file.truncate(size)
        file.flush()
        return os.dup(file.fileno())


@case
def file_fine(request):
    request.begin()
    request.send_file(file_of(5), rest=frame(END, b"", LAST))
    return True


@case
def file_fifo(request):
    request.begin()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "fifo")
        os.mkfifo(path)
        request.send_file(os.open(path, os.O_RDWR))


@case
def file_device(request):
    request.begin()
    request.send_file(os.open("/dev/zero", os.O_RDONLY))


@case
def file_directory(request):
    request.begin()
    request.send_file(os.open("/tmp", os.O_RDONLY))


@case
def file_socket(request):
    request.begin()
    one, two = socket.socketpair()
    request.send_file(one.detach())
    two.close()


@case
def file_proc(request):
    request.begin()
    request.send_file(os.open("/proc/self/status", os.O_RDONLY))


@case
def file_write_only(request):
    request.begin()
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        file.write(b"hello")
        file.flush()
        request.send_file(os.open(file.name, os.O_WRONLY))


@case
def file_path_only(request):
    request.begin()
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        request.send_file(os.open(file.name, os.O_PATH))


@case
def file_too_short(request):
    request.begin()
    request.send_file(file_of(5), size=6)


@case
def file_offset_beyond(request):
    request.begin()
    request.send_file(file_of(5), offset=6, size=0)


@case
def file_offset_huge(request):
    request.begin()
    request.send_file(file_of(5), offset=(1 << 64) - 5, size=5)


@case
def file_size_huge(request):
    request.begin()
    request.send_file(file_of(5), size=(1 << 64) - 1)


@case
def file_shrinks(request):
    """It becomes shorter when the client has seen its begin."""
    request.begin()
    size = 64 << 20
    fd = file_of(size)
    request.send(head(fields=((b"Content-Length", b"%d" % size),)))
    request.send(frame(FILE, struct.pack("<QQ", 0, size)) + frame(END, b"", LAST), fd)
    request.wait()
    os.ftruncate(fd, 1000)
    os.close(fd)
    return True


@case
def descriptors_two_at_once(request):
    request.begin()
    fds = [file_of(5), file_of(5)]
    request.send(head())
    request.send(frame(FILE, struct.pack("<QQ", 0, 5)) + BODY, *fds)
    for fd in fds:
        os.close(fd)


@case
def descriptors_200_at_once(request):
    request.begin()
    fd = file_of(5)
    request.send(head())
    request.send(frame(FILE, struct.pack("<QQ", 0, 5)) + BODY, *[fd] * 200)
    os.close(fd)


@case
def descriptors_without_file(request):
    request.begin()
    fd = file_of(5)
    request.send(head())
    for _ in range(2000):
        request.send(frame(LOG, bytes([INFO]) + b"x"), fd)
    os.close(fd)


@case
def descriptor_and_no_file(request):
    """One that nobody asked for, and an ordinary response."""
    request.begin()
    fd = file_of(5)
    request.send(head() + BODY, fd)
    os.close(fd)
    return True


def many_files(size):
    def run(request):
        request.begin()
        fd = file_of(5)
        request.send(head())
        for _ in range(3000):
            request.send(frame(FILE, struct.pack("<QQ", 0, size)), fd)
        os.close(fd)
        request.wait()
    return run


CASES["descriptors-3000-files"] = many_files(5)
CASES["descriptors-3000-empty-files"] = many_files(0)


# --- the log and the scoreboard -------------------------------------------------------------

@case
def log_flood(request):
    """10 MB in lines of all sizes, then a response."""
    request.begin()
    for _ in range(9):
        request.send(frame(LOG, bytes([INFO]) + b"flood " * 174_000))
    for _ in range(10_000):
        request.send(frame(LOG, bytes([INFO]) + b"flood " * 16))
    request.send(BYTES["fine"])
    return True


@case
def ones(request):
    """All bits of the scoreboard, and then no answer."""
    request.daemon.board[:] = b"\xff" * request.daemon.size


@case
def zeros(request):
    """Nothing in the scoreboard."""
    request.daemon.board[:] = bytes(request.daemon.size)


@case
def noise(request):
    """Anything in the scoreboard, for a while."""
    for _ in range(200):
        request.daemon.board[:] = os.urandom(request.daemon.size)
        time.sleep(0.005)


@case
def many_idle(request):
    """More idle threads than there are, for processes that do not exist."""
    for row in range(request.daemon.rows):
        struct.pack_into("<IiI", request.daemon.board, BOARD_HEAD + row * ROW_SIZE, 99, 1 << 30, 4)


@case
def truncate(request):
    """The scoreboard is sealed."""
    request.begin()
    try:
        os.ftruncate(5, 0)
    except OSError:
        request.send(BYTES["fine"])
        return True


Daemon().run()
