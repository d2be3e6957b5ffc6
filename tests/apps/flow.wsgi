"""Bodies that go both ways, slow readers' responses, and requests that keep a process busy."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import Routes, argument, gate, note, start

routes = Routes()
application = routes.application


@routes("/echo", validated=False)
def echo(environ, start_response):
    """Send back each piece of the body as soon as it is read."""
    start(start_response)
    for piece in iter(lambda: environ["wsgi.input"].read(65536), b""):
        yield piece


@routes("/lines", validated=False)
def lines(environ, start_response):
    """Send back each line of the body as soon as it is read."""
    start(start_response)
    for line in environ["wsgi.input"]:
        yield line.upper()


@routes("/too-large", validated=False)
def too_large(environ, start_response):
    """Answer 413 after the first bytes of the body."""
    if argument(environ, "reads"):
        environ["wsgi.input"].read(10)
    start(start_response, "413 Content Too Large")
    return [b"too large"]


@routes("/read-late", validated=False)
def read_late(environ, start_response):
    """Wait at the gate before the body is read."""
    note(environ, "called")
    gate(environ)
    body = environ["wsgi.input"].read()
    start(start_response)
    return [body]


@routes("/large", validated=False)
def large(environ, start_response):
    """4 MB in blocks of 64 KB; notes that it begins."""
    note(environ, "begun", "large")
    start(start_response)
    for _ in range(64):
        yield b"x" * 65536


@routes("/busy", validated=False)
def busy(environ, start_response):
    """Be busy until the gate opens."""
    note(environ, os.getpid())
    gate(environ)
    start(start_response)
    return [str(os.getpid()).encode()]


@routes("/compute", validated=False)
def compute(environ, start_response):
    """Hold the thread for a moment; answer with the process id."""
    until = time.monotonic() + 0.005
    while time.monotonic() < until:
        pass
    start(start_response)
    return [str(os.getpid()).encode()]


@routes("/bursts", validated=False)
def bursts(environ, start_response):
    """Blocks in bursts, with a gate between."""
    start(start_response)
    for number in range(3):
        for _ in range(10):
            yield b"%d" % number
        gate(environ, argument(environ, "key") + str(number))


@routes("/fine", validated=False)
def fine(environ, start_response):
    """Answer with the process id."""
    start(start_response)
    return [str(os.getpid()).encode()]
