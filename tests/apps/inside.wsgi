"""Runs, inside a daemon process, what a test sends; and waits at gates for it."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import Routes, argument, gate, note, read_body, start

routes = Routes()
application = routes.application


@routes("/run")
def run(environ, start_response):
    """Execute the request's body; answer its variable `result` as JSON."""
    space = {"environ": environ, "os": os, "sys": sys}
    exec(compile(read_body(environ), "<body of the request>", "exec"), space)
    start(start_response)
    return [json.dumps(space.get("result"), default=str).encode()]


@routes("/pid")
def pid(environ, start_response):
    """Answer the id of the process."""
    start(start_response)
    return [str(os.getpid()).encode()]


@routes("/wait")
def wait(environ, start_response):
    """Note the process, wait at the gate, then answer."""
    note(environ, os.getpid())
    gate(environ)
    start(start_response)
    return [b"waited"]


@routes("/stream")
def stream(environ, start_response):
    """Answer a first block, note the process, wait at the gate, answer the last."""
    length = argument(environ, "length")
    start(start_response, "200 OK", *([("Content-Length", length)] if length else []))
    yield b"first"
    note(environ, os.getpid())
    gate(environ)
    yield b"last"
