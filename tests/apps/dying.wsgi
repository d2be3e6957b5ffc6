"""Responses that have begun when their process, or their patience, comes to an end."""
import ctypes
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import Routes, argument, gate, note, start, work_file

routes = Routes()
application = routes.application


def fault():
    """Read from address 0."""
    ctypes.string_at(0)


def fail():
    """Raise."""
    raise ValueError("raised in mid-body")


WAYS = {
    "raise": fail,
    "exit": lambda: sys.exit(3),
    "os-exit": lambda: os._exit(3),
    "exit-zero": lambda: os._exit(0),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segv": fault,
    "silent": lambda: None,
}


@routes("/die", validated=False)
def die(environ, start_response):
    """Send blocks, wait at the gate, end in the way of the query; whole when the gate KEYwell is
    open."""
    headers = [(name.replace("_", "-"), argument(environ, name))
               for name in ("Content_Length", "Cache_Control") if argument(environ, name)]
    start(start_response, "200 OK", *headers)
    if os.path.exists(work_file(environ, argument(environ, "key") + "well", "gate")):
        yield b"whole" * 20
        return
    for _ in range(int(argument(environ, "blocks", "1"))):
        yield b"begun"
    note(environ, "begun")
    gate(environ)
    WAYS[argument(environ, "way")]()
    yield b"later"


@routes("/fine")
def fine(environ, start_response):
    """Answer with the process id."""
    start(start_response)
    return [str(os.getpid()).encode()]
