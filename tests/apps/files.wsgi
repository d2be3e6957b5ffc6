"""Files of every kind through wsgi.file_wrapper, made in the process."""
import io
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import PLAIN, Routes, argument, note, start

routes = Routes()
application = routes.application
SHARED = {}


class Noted(io.FileIO):
    """Notes its close()."""

    environ = None

    def close(self):
        """Note the first call."""
        if self.environ and not self.closed:
            note(self.environ, "close")
        super().close()


@routes("/file", validated=False)
def file(environ, start_response):
    """The file of the query."""
    opened = Noted(os.path.join(environ["WGW_WORK"], argument(environ, "name")))
    opened.environ = environ if argument(environ, "key") else None
    start(start_response)
    return environ["wsgi.file_wrapper"](opened)


@routes("/shared", validated=False)
def shared(environ, start_response):
    """One open file for all requests: its descriptor is shared, and so is its position."""
    path = os.path.join(environ["WGW_WORK"], argument(environ, "name"))
    if path not in SHARED:
        SHARED[path] = open(path, "rb")
    again = os.fdopen(os.dup(SHARED[path].fileno()), "rb")
    again.seek(0)
    start(start_response)
    return environ["wsgi.file_wrapper"](again)


@routes("/temporary", validated=False)
def temporary(environ, start_response):
    """A file without a name."""
    made = tempfile.TemporaryFile()
    made.write(b"temporary" * 100_000)
    made.seek(9)
    start(start_response)
    return environ["wsgi.file_wrapper"](made)


@routes("/memory", validated=False)
def memory(environ, start_response):
    """No file at all."""
    start(start_response)
    return environ["wsgi.file_wrapper"](io.BytesIO(b"memory" * 100_000))


@routes("/fine")
def fine(environ, start_response):
    """Answer with the process id."""
    start_response("200 OK", list(PLAIN))
    return [str(os.getpid()).encode()]
