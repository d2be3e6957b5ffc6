"""Helpers shared by the test applications: dispatch, notes and gates.

Notes and gates are files in the folder WGW_WORK of environ; Server.notes, Server.wait_notes and
Server.open_gate of the harness are the other side.  Nothing here knows which mode it runs in.
"""
import os
import time
from urllib.parse import parse_qs
from wsgiref.validate import validator

GATE_PATIENCE_S = 20.0
PLAIN = [("Content-Type", "text/plain")]


class Routes:
    """A WSGI application that chooses another one by the first segment of PATH_INFO.

    ``@routes("/name")`` wraps the application in wsgiref.validate.validator;
    ``@routes("/name", validated=False)`` is for one that breaks PEP 3333 on purpose, or whose
    result must reach the server as it is.
    """

    def __init__(self):
        self._applications = {}

    def __call__(self, path, validated=True):
        """Register the decorated application under `path`."""
        def register(application):
            self._applications[path] = validator(application) if validated else application
            return application
        return register

    def application(self, environ, start_response):
        """Call the application registered for the request, or answer 404."""
        name = "/" + environ["PATH_INFO"].lstrip("/").partition("/")[0]
        chosen = self._applications.get(name)
        if chosen is None:
            start_response("404 Not Found", list(PLAIN))
            return [f"no application {name}".encode()]
        return chosen(environ, start_response)


def argument(environ, name, default=None):
    """Return a value of the query string (bytes as latin-1 code points)."""
    query = parse_qs(environ["QUERY_STRING"], encoding="latin-1", keep_blank_values=True)
    return query.get(name, [default])[0]


def note(environ, text, key=None):
    """Append a line to the notes `key`; by default the query's ``key``."""
    path = work_file(environ, key, "notes")
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def gate(environ, key=None):
    """Wait until the test opens the gate `key`; by default the query's ``key``."""
    path = work_file(environ, key, "gate")
    deadline = time.monotonic() + GATE_PATIENCE_S
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(f"gate {path} stayed shut")
        time.sleep(0.005)


def work_file(environ, key, kind):
    """Return the path of a file in the folder shared with the test."""
    return os.path.join(environ["WGW_WORK"], f"{key or argument(environ, 'key')}.{kind}")


def start(start_response, status="200 OK", *headers):
    """Call start_response with a plain text response and further headers."""
    return start_response(status, PLAIN + list(headers))


def read_body(environ):
    """Return the whole request body, in the way the validator permits."""
    pieces = []
    while True:
        piece = environ["wsgi.input"].read(65536)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
