"""Answers for the filters of httpd: cacheable, streamed, long, echoed, cut."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import Routes, argument, gate, note, read_body, start

routes = Routes()
application = routes.application


@routes("/cacheable")
def cacheable(environ, start_response):
    """A response that may be kept; notes each call."""
    note(environ, "called")
    start(start_response, "200 OK", ("Cache-Control", "max-age=100"))
    return [f"number {argument(environ, 'key')}".encode()]


@routes("/steps", validated=False)
def steps(environ, start_response):
    """First a block, and the second when the gate is open."""
    start(start_response)
    yield b"first block. "
    gate(environ)
    yield b"second block."


@routes("/long")
def long(environ, start_response):
    """Much that compresses well."""
    start(start_response)
    return [b"0123456789abcdef" * 4096]


@routes("/echo")
def echo(environ, start_response):
    """The request body."""
    note(environ, "called", argument(environ, "key", "echo"))
    body = read_body(environ)
    start(start_response, "200 OK", ("X-Length", environ.get("CONTENT_LENGTH", "none")))
    return [body]


@routes("/ignore")
def ignore(environ, start_response):
    """Do not read the request body."""
    start(start_response)
    return [b"ignored"]


@routes("/status")
def status(environ, start_response):
    """Answer with the status of the query."""
    start(start_response, argument(environ, "status"), ("X-Application", "yes"))
    return [b"the application's own page"]


@routes("/raise")
def fail(environ, start_response):
    """Raise before anything was sent."""
    raise ValueError("raised on purpose")


@routes("/redirected", validated=False)
def redirected(environ, start_response):
    """An error page: show what httpd says of the request that failed, and keep its status."""
    start(start_response, f"{environ['REDIRECT_STATUS']} As It Was")
    yield "\n".join(f"{key}={value}" for key, value in sorted(environ.items())
                    if key.startswith("REDIRECT_") or key in (
                        "REQUEST_METHOD", "REQUEST_URI", "PATH_INFO", "QUERY_STRING")).encode()
