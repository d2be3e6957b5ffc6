"""Answers through wsgi.file_wrapper, from files and from what only looks like one."""
import gzip
import io
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import PLAIN, Routes, argument, note, start

routes = Routes()
application = routes.application


class FileLike:
    """read() and nothing else."""

    def __init__(self, data):
        self._file = io.BytesIO(data)

    def read(self, size=-1):
        """Return the next bytes, few at a time."""
        return self._file.read(min(size, 7) if size >= 0 else size)


class NotedFile(io.FileIO):
    """A real file that notes its close()."""

    environ = None

    def close(self):
        """Note the call, once per real call."""
        if self.environ:
            note(self.environ, "close")
        super().close()


def data_path(environ, name="data.bin"):
    """Return the path of a file made by the test."""
    return os.path.join(environ["WGW_WORK"], name)


def noted(environ):
    """Open a file that notes its close()."""
    file = NotedFile(data_path(environ))
    file.environ = environ
    return file


def positioned(environ):
    """Open a file and move to a position by reading, through a buffered reader."""
    file = open(data_path(environ), "rb")
    file.read(10)
    return file


def pipe(environ):
    """Return the reading end of a pipe: a descriptor without a size."""
    reading, writing = os.pipe()
    os.write(writing, b"from a pipe")
    os.close(writing)
    return os.fdopen(reading, "rb")


def at_end(environ):
    """Open a file and move to its end."""
    file = open(data_path(environ), "rb")
    file.seek(0, 2)
    return file


def through_gzip(environ):
    """Open a gzip file: its fileno() is that of the compressed file."""
    return gzip.open(data_path(environ, "data.gz"), "rb")


SOURCES = {
    "file": lambda environ: open(data_path(environ, argument(environ, "name", "data.bin")), "rb"),
    "positioned": positioned,
    "at-end": at_end,
    "noted": noted,
    "bytesio": lambda environ: io.BytesIO(b"from memory"),
    "filelike": lambda environ: FileLike(b"from a file-like"),
    "pipe": pipe,
    "gzip": through_gzip,
}


@routes("/file", validated=False)
def file(environ, start_response):
    """Answer with the source of the query; Content-Length, ETag, Last-Modified as asked."""
    headers = [(name.replace("_", "-"), argument(environ, name))
               for name in ("Content_Length", "ETag", "Last_Modified")
               if argument(environ, name) is not None]
    source = SOURCES[argument(environ, "source", "file")](environ)
    start_response("200 OK", PLAIN + headers)
    return environ["wsgi.file_wrapper"](source, int(argument(environ, "block", "8192")))


@routes("/after-write", validated=False)
def after_write(environ, start_response):
    """write() first, then a file."""
    start(start_response)(b"written ")
    return environ["wsgi.file_wrapper"](open(data_path(environ), "rb"))


@routes("/iterated")
def iterated(environ, start_response):
    """The validator hides the wrapper: it must be an ordinary iterable too."""
    start(start_response)
    return environ["wsgi.file_wrapper"](noted(environ), 1000)


@routes("/attributes", validated=False)
def attributes(environ, start_response):
    """The documented attributes of the wrapper, and what its constructor refuses."""
    source = io.BytesIO(b"abcdef")
    wrapper = environ["wsgi.file_wrapper"](source, 4)
    blocks = list(wrapper)
    facts = [wrapper.filelike is source, wrapper.blksize == 4, blocks == [b"abcd", b"ef"],
             environ["wsgi.file_wrapper"](source).blksize == 8192]
    wrapper.close()
    facts.append(source.closed)
    start(start_response)
    return [repr(facts).encode()]


@routes("/subclass", validated=False)
def subclass(environ, start_response):
    """A subclass with a close() of its own."""
    import wsgigw

    class Wrapper(wsgigw.FileWrapper):
        """Notes close()."""

        def close(self):
            """Note the call and go on."""
            note(environ, "subclass close")
            super().close()

    start(start_response)
    return Wrapper(noted(environ))


SHARED = {}


@routes("/shared", validated=False)
def shared(environ, start_response):
    """One open file for all requests of the process: duplicates share their position."""
    if "file" not in SHARED:
        SHARED["file"] = open(data_path(environ, "large.bin"), "rb")
    again = os.fdopen(os.dup(SHARED["file"].fileno()), "rb")
    again.seek(0)
    start(start_response)
    return environ["wsgi.file_wrapper"](again)


@routes("/leftover", validated=False)
def leftover(environ, start_response):
    """Make a wrapper, close it, return something else."""
    wrapper = environ["wsgi.file_wrapper"](noted(environ))
    wrapper.close()
    start(start_response)
    return [b"else"]
