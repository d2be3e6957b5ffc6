"""What the fuzz targets start from: small, valid inputs, made by tests/worker/wire.py."""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "worker"))

import wire  # noqa: E402

FIELDS = (("Content-Type", "text/plain"), ("Content-Length", "5"))


def head(status=200, fields=FIELDS):
    """Encode HEAD."""
    coded = b"".join(wire.text(name) + wire.text(value) for name, value in fields)
    return wire.frame(wire.HEAD, struct.pack("<H", status) + wire.text("OK")
                      + struct.pack("<I", len(fields)) + coded)


def frames():
    """Yield connections: for each frame a byte of settings and its header."""
    request = wire.frame(wire.REQUEST)
    end, cut = (wire.frame(kind, b"", wire.LAST) for kind in (wire.END, wire.CUT))
    answers = ([wire.HEAD, wire.BLOCK, wire.FILE, wire.LOG, end], [wire.STATUS], [wire.REFUSED],
               [wire.LOG, wire.WANT_BODY, wire.BODY, wire.BODY_END, wire.HEAD, cut],
               [wire.HEAD, wire.WANT_BODY, wire.BODY, wire.BODY_FAULT, end],
               [wire.HEAD, wire.BLOCK, wire.END, wire.LOG, wire.DONE],
               [wire.WANT_BODY, wire.BODY, wire.HEAD, wire.CUT,
                wire.frame(wire.DONE, b"", wire.CLOSES)])
    for settings in (b"\0", b"\1"):
        for answer in answers:
            parts = [wire.frame(wire.OPEN), request,
                     *(wire.frame(one) if isinstance(one, int) else one for one in answer), request]
            yield b"".join(settings + part for part in parts)
        for answer in (wire.ANSWER, wire.STATUS, wire.REFUSED):
            asked = [wire.frame(kind) for kind in (wire.OPEN, wire.CALL, wire.LOG, answer, wire.CALL)]
            yield b"".join(settings + part for part in asked)


def requests():
    """Yield payloads of REQUEST."""
    for one in (wire.request_frame("/srv/app.wsgi"),
                wire.request_frame("/srv/app.wsgi", {"HTTP_X": "y" * 30}, b"body", "group",
                                   bits=wire.RELOADING, length=4),
                wire.request_frame("package.module", (), None, bits=wire.MODULE, length=-1)):
        yield one[8:]
        if not one[16] & wire.HAS_BODY:
            yield bytes([1, 0]) + 2 * (struct.pack("<I", 4) + b"user") + one[8:]
    fixed = wire.request_frame("")[8:8 + 84]
    known = b"".join(struct.pack("<HHI", key, 0, 3) + b"abc" for key in range(1, 70))
    yield (fixed + wire.text("/a") + wire.text("b") + wire.text("") + struct.pack("<I", 69) + known)


def replies():
    """Yield what a daemon process says, after three bytes of settings."""
    block = wire.frame(wire.BLOCK, b"hello")
    end = wire.frame(wire.END, b"", wire.LAST)
    done = wire.frame(wire.END) + wire.frame(wire.LOG, b"\4late") + wire.frame(wire.DONE)
    file = wire.frame(wire.FILE, struct.pack("<QQ", 3, 5))
    log = wire.frame(wire.LOG, b"\4line")
    want = wire.frame(wire.WANT_BODY)
    for settings in range(4):
        for talk in (head() + block + end, log + want + head() + log + block + end,
                     head(304) + end, head(200, ()) + block + file + block + end,
                     head() + file + end, head() + wire.frame(wire.CUT, b"", wire.LAST | wire.CLOSES),
                     head() + block + done, want + head() + wire.frame(wire.BLOCK, b"hel") + done,
                     head(200, ()) + wire.frame(wire.CUT) + log
                     + wire.frame(wire.DONE, b"", wire.CLOSES),
                     wire.frame(wire.STATUS, struct.pack("<H", 500)),
                     wire.frame(wire.REFUSED, b"", wire.CLOSES)):
            yield bytes([settings, 7, settings]) + talk
    for question in range(1, 8):
        for answer in (b"\0", b"\1", b"\2", b"\3name", b"\3", b"\4"):
            yield bytes([question << 2, 7, 0]) + log + wire.frame(wire.ANSWER, answer)


def specs():
    """Yield a pool's record and a worker's."""
    yield worker()
    yield pool()


def worker():
    """Encode what the processes of a pool serve."""
    return (struct.pack("<I", 1) + wire.text("pool") + wire.text("") + struct.pack("<IQ", 5, 0)
            + struct.pack("<I", 1) + wire.text("g") + struct.pack("<I", 16) + wire.texts(["/srv"])
            + wire.texts(["script", "/srv/a.wsgi", ""]) + struct.pack("<IIII", 3, 2, 4, 62)
            + struct.pack("<8Q", 8 << 20, 60_000_000, 60_000_000, 15_000_000, 5_000_000, 30_000_000,
                          2_000_000, 300_000_000)
            + wire.texts(["=g", "on", "5000", "/srv", "*", "", "", ""])
            + struct.pack("<II", 0, 1) + wire.text("C") + wire.text(wire.KEY))


def pool():
    """Encode what a pool is."""
    inner = worker()
    return (struct.pack("<I", 1) + wire.text("pool") + wire.text("www")
            + struct.pack("<III", 2, 3, 40) + wire.text("/run/w") + struct.pack("<IIII", 33, 100, 0, 0)
            + struct.pack("<III", 1, 33, 33) + struct.pack("<II", 1, 33) + struct.pack("<I", 0o22)
            + wire.text("") + wire.text("/") + struct.pack("<IQQI", 0, 0, 0, 0)
            + wire.text("/usr/bin/python3") + wire.texts(["-O"]) + wire.text("/lib/x.so")
            + wire.texts(["LANG=C"]) + struct.pack("<QQQQQI", 1, 2, 3, 4, 5, 7)
            + struct.pack("<I", len(inner)) + inner)


def controls():
    """Yield messages to the supervisor: of the parent (include/wsgigw/control.h), of a process."""
    yield bytes([1, 1]) + struct.pack("<IQ", 1, 60_000_000) + wire.text("/run/control")
    yield bytes([2]) + pool()
    yield bytes([3])
    yield bytes([4, 1])
    yield bytes([wire.READY])
    yield bytes([wire.LEAVING, 1])
    yield bytes([wire.WANTS, 3])
    yield bytes([wire.LOADED]) + b"".join(map(wire.text, ("script", "/srv/site.wsgi", "", "application")))
    yield bytes([20]) + wire.text("/srv/site.wsgi") + struct.pack("<QQqq", 1, 2, 3, 4)


def forwardeds():
    """Yield settings (2 * the number of the field), networks, what a client sent, what proxies added."""
    lists = (b"192.0.2.1", b"[2001:db8::1]:80, 10.0.0.2", b"unknown", b"_hidden, 10.0.0.2")
    elements = (b'for="[2001:db8::1]:4711";host="a.example:80";proto=https, for=10.0.0.2', b"for=192.0.2.1;by=_x")
    others = {4: b"a.example:443", 6: b"front.example", 7: b"8443", 8: b"/app", 10: b"https, http", 13: b"on"}
    yield from (b"\2" + b"2001:db8:5::/48\0" + b"6.6.6.6\0" + one for one in lists)
    yield from (b"\0" + b"::/0\0" + b'for="6.6.6.6\0' + one for one in elements)
    yield from (bytes([2 * field]) + b"10.0.0.0/255.0.0.0\0evil\0" + one for field, one in others.items())


def boards():
    """Yield a scoreboard of two rows with a request in each state."""
    rows = struct.pack("<IiIiIiQqiI8x", 5, 3, 4, -1, 0, 77, 9, 1, 1, 1) + bytes(wire.ROW_SIZE)
    entries = b"".join(struct.pack("<IiIIqqI52s40s200s", state, 42, 0, 5, 1, 1, 1, b"192.0.2.1", b"id",
                                   b'GET /"\\\x1b\xff') for state in range(6))
    yield bytes(wire.BOARD_HEAD) + rows + entries


SEEDS = {"frame": frames, "request": requests, "reply": replies, "spec": specs, "control": controls,
         "status": boards, "forwarded": forwardeds}


def write(name, folder):
    """Write the seeds of a target into a folder."""
    for number, seed in enumerate(SEEDS[name]() if name in SEEDS else ()):
        (pathlib.Path(folder) / f"seed-{number:02}").write_bytes(seed)
