"""Notes what reaches the application, one JSON line for each call; reads the whole body first."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import note


def read_all(stream):
    """Return the body, and what ended it if not its end."""
    pieces = []
    try:
        while True:
            piece = stream.read(65536)
            if not piece:
                return b"".join(pieces), None
            pieces.append(piece)
    except OSError as error:
        return b"".join(pieces), str(error)


def application(environ, start_response):
    """Note the request; answer with its body's size."""
    body, error = read_all(environ["wsgi.input"])
    known = {key: value for key, value in environ.items() if isinstance(value, str)
             and (key.isupper() or key.startswith("HTTP_"))}
    note(environ, json.dumps({"body": body.decode("latin-1"), "error": error, "environ": known}),
         "calls")
    if error:
        raise OSError(error)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"body of {len(body)}".encode()]
