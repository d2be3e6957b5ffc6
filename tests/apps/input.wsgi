"""Reads the request body in every way."""
import hashlib
import json
import resource
import threading
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import Routes, argument, gate, note, read_body, start

routes = Routes()
application = routes.application


@routes("/calls", validated=False)
def calls(environ, start_response):
    """Make the calls of the header X-Calls (JSON [[method, *arguments], ...])."""
    source = environ["wsgi.input"]
    results = [call(source, *one) for one in json.loads(environ["HTTP_X_CALLS"])]
    start(start_response)
    return [json.dumps(results).encode()]


def call(source, method, *arguments):
    """Make one call on a file-like object; the result in a form JSON has."""
    if method == "readinto":
        buffer = bytearray(arguments[0])
        count = source.readinto(buffer)
        return [count, bytes(buffer).decode("latin-1")]
    result = list(source) if method == "iter" else getattr(source, method)(*arguments)
    if isinstance(result, list):
        assert all(type(line) is bytes for line in result)
        return [line.decode("latin-1") for line in result]
    assert type(result) is bytes, type(result)
    return result.decode("latin-1")


@routes("/echo")
def echo(environ, start_response):
    """Answer with the body, read as the validator permits."""
    body = read_body(environ)
    start(start_response, "200 OK", ("X-Length", environ.get("CONTENT_LENGTH", "none")))
    return [body]


@routes("/lines")
def lines(environ, start_response):
    """Answer with the number of lines found by iteration, validated."""
    count = sum(1 for _ in environ["wsgi.input"])
    start(start_response)
    return [str(count).encode()]


@routes("/stream")
def stream(environ, start_response):
    """Read in pieces; answer with size, digest and growth of the process in kilobytes."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    digest, size = hashlib.sha256(), 0
    while True:
        piece = environ["wsgi.input"].read(16384)
        if not piece:
            break
        assert len(piece) <= 16384
        digest.update(piece)
        size += len(piece)
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    start(start_response)
    return [json.dumps([size, digest.hexdigest(), growth]).encode()]


@routes("/piece")
def piece(environ, start_response):
    """Read the first bytes, note them, wait at the gate, read the rest."""
    first = environ["wsgi.input"].read(5)
    note(environ, first.decode())
    gate(environ)
    start(start_response)
    return [first + read_body(environ)]


@routes("/caught", validated=False)
def caught(environ, start_response):
    """Read three times in ways that fail; note the exceptions."""
    for method, *arguments in (["read"], ["read", 10], ["readline"], ["read", 0]):
        try:
            result = getattr(environ["wsgi.input"], method)(*arguments)
            note(environ, f"{method} {result!r}")
        except OSError as error:
            note(environ, f"OSError {error}")
        except BaseException as error:
            note(environ, f"{type(error).__name__} {error}")
    start(start_response)
    return [b"done"]


@routes("/uncaught")
def uncaught(environ, start_response):
    """Read everything and let the exception go."""
    try:
        body = read_body(environ)
    except BaseException as error:
        note(environ, "OSError" if isinstance(error, OSError) else type(error).__name__)
        raise
    start(start_response)
    return [body]


@routes("/unread")
def unread(environ, start_response):
    """Answer without reading."""
    start(start_response)
    return [b"unread"]


@routes("/unread-stream")
def unread_stream(environ, start_response):
    """Answer with a generator, without reading."""
    start(start_response)
    yield b"unread"


@routes("/late")
def late(environ, start_response):
    """Read nothing, read zero bytes, wait at the gate, then read."""
    environ["wsgi.input"].read(0)
    note(environ, "called")
    gate(environ)
    body = read_body(environ)
    start(start_response)
    return [body]


@routes("/kept", validated=False)
def kept(environ, start_response):
    """Hand everything of the request to a thread that uses it after the request's end."""
    write = start(start_response)
    arguments = (dict(environ), start_response, write)
    threading.Thread(target=use_kept, args=arguments, daemon=True).start()
    return [b"kept"]


def use_kept(environ, start_response, write):
    """Wait until the request is over, then try everything and note what is raised."""
    gate(environ)
    attempts = {
        "read": lambda: environ["wsgi.input"].read(1),
        "readline": lambda: environ["wsgi.input"].readline(),
        "readlines": lambda: environ["wsgi.input"].readlines(),
        "readinto": lambda: environ["wsgi.input"].readinto(bytearray(1)),
        "iter": lambda: list(environ["wsgi.input"]),
        "errors.write": lambda: environ["wsgi.errors"].write("late words\n"),
        "errors.writelines": lambda: environ["wsgi.errors"].writelines(["late words\n"]),
        "start_response": lambda: start(start_response),
        "write": lambda: write(b"late"),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
            note(environ, f"{name}: nothing raised")
        except Exception:
            note(environ, f"{name}: raised")
    note(environ, "end")
