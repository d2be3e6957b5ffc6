"""Says something in every way that ends in the error log, and raises everything."""
import logging
import warnings
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import Routes, argument, gate, note, start

routes = Routes()
application = routes.application

warnings.simplefilter("always")


def warn(environ, text):
    """A Python warning."""
    warnings.warn(text, UserWarning, stacklevel=2)


def through_logging(environ, text):
    """A record of the level in the query, by a logger with the module's handler."""
    import wsgigw
    logger = logging.getLogger("conformance")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(wsgigw.LogHandler())
    logger.log(getattr(logging, argument(environ, "level", "ERROR")), "%s", text)


WAYS = {
    "errors.write": lambda environ, text: environ["wsgi.errors"].write(text + "\n"),
    "errors.writelines": lambda environ, text: environ["wsgi.errors"].writelines(
        [text[:3], text[3:], "\n"]),
    "errors.partial": lambda environ, text: environ["wsgi.errors"].write(text),
    "errors.flush": lambda environ, text: (environ["wsgi.errors"].write(text + "\n"),
                                           environ["wsgi.errors"].flush()),
    "print": lambda environ, text: print(text),
    "print.partial": lambda environ, text: print(text, end=""),
    "print.errors": lambda environ, text: print(text, file=environ["wsgi.errors"]),
    "stderr": lambda environ, text: print(text, file=sys.stderr),
    "stderr.partial": lambda environ, text: sys.stderr.write(text),
    "warning": warn,
    "logging": through_logging,
}


@routes("/say")
def say(environ, start_response):
    """Say the text of the query in the way of the query; answer with the request's id."""
    WAYS[argument(environ, "how")](environ, argument(environ, "text"))
    start(start_response)
    return [environ["mod_wsgi.request_id"].encode()]


@routes("/halves", validated=False)
def halves(environ, start_response):
    """Write half a line, wait at the gate, write the other half."""
    stream = sys.stderr if argument(environ, "how") == "stderr" else environ["wsgi.errors"]
    stream.write("first half, ")
    note(environ, "half")
    gate(environ)
    stream.write("second half\n")
    start(start_response)
    return [b"halves"]


@routes("/gone", validated=False)
def gone(environ, start_response):
    """Write while a generator runs and in close()."""
    class Result:
        """Says something at each stage."""

        def __iter__(self):
            print("said in iteration", file=environ["wsgi.errors"])
            yield b"x"

        def close(self):
            """Say something."""
            print("said in close", file=environ["wsgi.errors"])
    start(start_response)
    return Result()


class Strange(BaseException):
    """Derived from BaseException directly, and has no str()."""

    def __str__(self):
        raise TypeError("no str")


def request_timeout():
    """Return the module's own exception."""
    import wsgigw
    return wsgigw.RequestTimeout("too slow")


RAISED = {
    "ValueError": lambda: ValueError("raised on purpose"),
    "SystemExit": lambda: SystemExit(3),
    "SystemExit-none": SystemExit,
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "StopIteration": lambda: StopIteration("raised on purpose"),
    "Strange": Strange,
    "lines": lambda: ValueError("line one\nline two\x1b[31m"),
    "RequestTimeout": request_timeout,
}


@routes("/raise", validated=False)
def raising(environ, start_response):
    """Raise at once, after start_response, in iteration: as the query says."""
    error = RAISED[argument(environ, "what")]()
    where = argument(environ, "where", "call")
    if where == "call":
        raise error
    write = start(start_response)
    if where == "late":
        write(b"begun")
    if where in ("started", "late"):
        raise error
    return iter(Raiser(error))


class Raiser:
    """Raises from __next__."""

    def __init__(self, error):
        self.error = error

    def __iter__(self):
        return self

    def __next__(self):
        raise self.error


@routes("/chained", validated=False)
def chained(environ, start_response):
    """Raise with a cause."""
    try:
        {}["the cause"]
    except KeyError as error:
        raise ValueError("the effect") from error


@routes("/cut", validated=False)
def cut(environ, start_response):
    """Raise after output began; Content-Length, write() and amount as the query says."""
    headers = [(name.replace("_", "-"), argument(environ, name))
               for name in ("Content_Length", "Cache_Control") if argument(environ, name)]
    write = start(start_response, "200 OK", *headers)
    note(environ, "called")
    if argument(environ, "write"):
        write(b"begun")
        raise ValueError("raised after output")
    return begun(int(argument(environ, "blocks", "1")))


def begun(count):
    """Yield blocks, then raise."""
    for _ in range(count):
        yield b"begun"
    raise ValueError("raised after output")


@routes("/cacheable")
def cacheable(environ, start_response):
    """A whole response that a cache keeps."""
    start(start_response, "200 OK", ("Cache-Control", "max-age=100"))
    return [b"whole"]


@routes("/fine")
def fine(environ, start_response):
    """Answer with the process id."""
    start(start_response)
    return [str(os.getpid()).encode()]
