"""Results of every kind: iterables, write(), close(), blocks that wait."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import PLAIN, Routes, argument, gate, note, start

routes = Routes()
application = routes.application


class Sequence:
    """Iterable by __getitem__ only."""

    def __getitem__(self, index):
        return [b"a", b"b"][index]


class Iterable:
    """Iterable by __iter__ and __len__."""

    def __iter__(self):
        return iter([b"a", b"b"])

    def __len__(self):
        return 2


RESULTS = {
    "list": lambda: [b"a", b"b"],
    "tuple": lambda: (b"a", b"b"),
    "one": lambda: [b"ab"],
    "empties": lambda: [b"", b"ab", b""],
    "generator": lambda: (block for block in (b"a", b"b")),
    "iterator": lambda: iter([b"a", b"b"]),
    "sequence": Sequence,
    "iterable": Iterable,
    "dict": lambda: {b"a": 1, b"b": 2},
    "map": lambda: map(bytes.lower, [b"A", b"B"]),
    "nothing": lambda: [],
    "nothing-tuple": tuple,
    "nothing-generator": lambda: iter(()),
    # wrong ones
    "str-item": lambda: ["text"],
    "str-item-generator": lambda: iter(["text"]),
    "int-item": lambda: [1],
    "none-item": lambda: [None],
    "none": lambda: None,
    "int": lambda: 1,
    "str": lambda: "text",
    "bytes": lambda: b"ab",
    "late-str-item": lambda: iter([b"begun", "text"]),
}


@routes("/result", validated=False)
def result(environ, start_response):
    """Return the result named in the query."""
    start(start_response)
    return RESULTS[argument(environ, "kind")]()


@routes("/wrong-write", validated=False)
def wrong_write(environ, start_response):
    """Call write() with something else than bytes, before or after output."""
    write = start(start_response)
    if argument(environ, "late"):
        write(b"begun")
    write({"str": "text", "none": None, "int": 1}[argument(environ, "kind")])
    return []


@routes("/write")
def write_and_return(environ, start_response):
    """write() twice, then an iterable: all in order."""
    write = start(start_response)
    write(b"one ")
    write(b"two ")
    return [b"three ", b"four"]


@routes("/write-gate")
def write_gate(environ, start_response):
    """write(), wait at the gate, write() again."""
    write = start(start_response)
    write(b"one")
    gate(environ)
    write(b"two")
    return []


@routes("/blocks")
def blocks(environ, start_response):
    """Blocks with a gate before each next one: gates KEY1, KEY2; type as asked."""
    headers = PLAIN
    if argument(environ, "length"):
        headers = headers + [("Content-Length", argument(environ, "length"))]
    start_response("200 OK", list(headers))
    yield b"one"
    gate(environ, argument(environ, "key") + "1")
    yield b"two"
    gate(environ, argument(environ, "key") + "2")
    yield b"three"


@routes("/duplex")
def duplex(environ, start_response):
    """Send each line of the body back as soon as it is read."""
    start(start_response)
    while True:
        line = environ["wsgi.input"].readline()
        if not line:
            break
        yield line.upper()


@routes("/flood")
def flood(environ, start_response):
    """Blocks for as long as the client takes them; notes how many were made."""
    start(start_response)
    block = b"x" * 65536
    for count in range(2000):
        if count % 50 == 0:
            note(environ, count)
        yield block


class Closing:
    """An iterable that notes its close()."""

    def __init__(self, environ, items):
        self.environ, self.items = environ, items

    def __iter__(self):
        for item in self.items:
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self):
        """Note the call; fail where the query asks for it."""
        note(self.environ, "close")
        if argument(self.environ, "bad"):
            raise ValueError("raised in close")


class Endless(Closing):
    """Blocks without end, until the server stops asking."""

    def __iter__(self):
        note(self.environ, "begun")
        while True:
            yield b"x" * 65536


CLOSING = {
    "normal": [b"a", b"b"],
    "empty": [],
    "first": [ValueError("raised at once")],
    "later": [b"begun", ValueError("raised later")],
    "item": ["text"],
    "length": [b"too much"],
}


@routes("/closing", validated=False)
def closing(environ, start_response):
    """Return a Closing of the kind in the query."""
    kind = argument(environ, "kind")
    if kind == "endless":
        start(start_response)
        return Endless(environ, ())
    if kind == "length":
        start(start_response, "200 OK", ("Content-Length", "3"))
    elif kind != "unstarted":
        start(start_response)
    return Closing(environ, CLOSING.get(kind, [b"a"]))


class ClosingList(list):
    """A list with close(): no shortcut for lists may forget it."""

    environ = None

    def close(self):
        """Note the call."""
        note(self.environ, "close")


@routes("/closing-list", validated=False)
def closing_list(environ, start_response):
    """Return a list that has close()."""
    start(start_response)
    returned = ClosingList([b"a"])
    returned.environ = environ
    return returned


@routes("/length", validated=False)
def length(environ, start_response):
    """Declare the Content-Length of the query, send the data of the query in the way asked."""
    data = argument(environ, "data").encode()
    write = start(start_response, argument(environ, "status", "200 OK"),
                  ("Content-Length", argument(environ, "declared")))
    how = argument(environ, "how")
    if how == "write":
        write(data[:2])
        write(data[2:])
        return []
    return [data] if how == "list" else (data[i:i + 2] for i in range(0, len(data), 2))


@routes("/status", validated=False)
def status(environ, start_response):
    """Answer with the status of the query, a body and the method as a header."""
    headers = [("X-Method", environ["REQUEST_METHOD"])]
    if argument(environ, "declared"):
        headers.append(("Content-Length", argument(environ, "declared")))
    start_response(argument(environ, "status", "200 OK"), PLAIN + headers)
    body = argument(environ, "body", "some body").encode()
    return [body] if argument(environ, "how") == "list" else iter([body, b"", body])
