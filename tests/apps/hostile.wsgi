"""What an application may do, by mistake or on purpose, that must harm only itself."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import PLAIN, Routes, argument, note, start

routes = Routes()
application = routes.application

EXC_INFOS = {"none": (None, None, None), "numbers": (1, 2, 3), "strings": ("a", "b", "c"),
             "class": (ValueError, None, None)}


@routes("/exc-info", validated=False)
def odd_exc_info(environ, start_response):
    """start_response with an exc_info that is none, after output began."""
    write = start_response("200 OK", PLAIN)
    write(b"begun")
    start_response("500 Own", PLAIN, EXC_INFOS[argument(environ, "kind")])
    return []


class Endless:
    """Blocks without end; its close() is noted."""

    def __init__(self, environ):
        self.environ = environ

    def __iter__(self):
        while True:
            yield b"tick\n"

    def close(self):
        note(self.environ, "closed")


@routes("/endless", validated=False)
def endless(environ, start_response):
    """A response that never ends, with the status and Content-Length asked for."""
    length = argument(environ, "length", "")
    start_response(argument(environ, "status", "200 OK"),
                   PLAIN + ([("Content-Length", length)] if length else []))
    return Endless(environ)


@routes("/two-readers", validated=False)
def two_readers(environ, start_response):
    """Two threads on one wsgi.input: each gets bytes of the body, or an exception."""
    stream, got = environ["wsgi.input"], []

    def read(method):
        try:
            for _ in range(200):
                got.append(method(100))
        except (RuntimeError, OSError):
            pass
    others = [threading.Thread(target=read, args=(method,))
              for method in (stream.read, stream.readline, stream.read)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    start(start_response)
    return [b"clean" if set(b"".join(got)) <= set(b"body\n") else b"foreign bytes"]


@routes("/fork", validated=False)
def fork(environ, start_response):
    """A forked copy that comes back from the application."""
    pid = os.fork()
    if pid == 0:
        raise SystemExit
    os.waitpid(pid, 0)
    start(start_response)
    return [b"parent"]


@routes("/fork-late", validated=False)
def fork_late(environ, start_response):
    """A copy that is made while the response is under way, or at its close()."""
    where = argument(environ, "where")
    start(start_response)

    class Result:
        def __iter__(self):
            yield b"A"
            if where == "iteration" and copied():
                yield b"CHILD"
            yield b"B"

        def close(self):
            if where == "close":
                copied()

    def copied():
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
        return pid == 0

    return Result()


@routes("/overridden", validated=False)
def overridden(environ, start_response):
    """An error that httpd answers instead, with fields that are not about its content."""
    start_response("404 Not", PLAIN + [("Content-Security-Policy", "default-src 'none'"),
                                       ("Content-Language", "en"), ("X-Some", "thing")])
    return [b"mine"]


@routes("/shrinking", validated=False)
def shrinking(environ, start_response):
    """A file that is cut short while it is sent."""
    path = os.path.join(environ["WGW_WORK"], argument(environ, "key") + ".bin")
    with open(path, "wb") as file:
        file.truncate(40 * 1024 * 1024)

    def shrink():
        time.sleep(0.2)
        os.truncate(path, 1024 * 1024)
    threading.Thread(target=shrink, daemon=True).start()
    start(start_response)
    return environ["wsgi.file_wrapper"](open(path, "rb"))


@routes("/proc", validated=False)
def proc(environ, start_response):
    """A file whose size says nothing."""
    start(start_response)
    return environ["wsgi.file_wrapper"](open("/proc/self/status", "rb"))


@routes("/read-late", validated=False)
def read_late(environ, start_response):
    """Read the body after the whole response has left."""
    start_response("200 OK", PLAIN + [("Content-Length", "2")])
    yield b"ok"
    try:
        environ["wsgi.input"].read()
        note(environ, "read")
    except OSError as error:
        note(environ, str(error))


@routes("/streams", validated=False)
def streams(environ, start_response):
    """What programs do with sys.stdout and sys.stderr."""
    import faulthandler
    faulthandler.enable()
    faulthandler.disable()
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.buffer.write(b"by the buffer " + argument(environ, "key").encode() + b"\n")
    start(start_response)
    return [str((sys.stderr.fileno(), sys.stdout.isatty(), sys.stdout.writable())).encode()]


@routes("/signal", validated=False)
def signals(environ, start_response):
    """In embedded mode the signals are httpd's."""
    import signal
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *unused: None)
    start(start_response)
    return [b"kept" if signal.getsignal(signal.SIGTERM) == before else b"changed"]
