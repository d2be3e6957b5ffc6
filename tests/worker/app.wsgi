"""What the tests of the daemon process serve: PATH_INFO names a function here."""
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time


def note(environ, text):
    """Append a line to the file that the request names."""
    with open(environ["NOTES"], "a", encoding="utf-8") as notes:
        notes.write(text + "\n")


def wait_for(path):
    """Wait, for at most half a minute, until a file is there."""
    deadline = time.monotonic() + 30
    while not os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.005)


class Closing:
    """An iterable whose close() is noted, and may take long."""

    def __init__(self, environ, blocks):
        self.environ, self.blocks = environ, iter(blocks)

    def __iter__(self):
        return self.blocks

    def close(self):
        """Note it; wait if the request says for what."""
        note(self.environ, "closing")
        if "CLOSE_GATE" in self.environ:
            wait_for(self.environ["CLOSE_GATE"])
        if "CLOSE_LINE" in self.environ:
            print(self.environ["CLOSE_LINE"], file=self.environ["wsgi.errors"])
        if "CLOSE_READ" in self.environ:
            try:
                note(self.environ, "read %d" % len(self.environ["wsgi.input"].read()))
            except Exception as error:
                note(self.environ, type(error).__name__)
        note(self.environ, "closed")


def hello(environ, start):
    start("200 OK", [("Content-Length", "5")])
    return [b"hello"]


def where(environ, start):
    start("200 OK", [])
    return [f"{os.getpid()} {id(sys.modules)}".encode()]


def echo(environ, start):
    start("200 OK", [])
    return iter(environ["wsgi.input"].readline, b"")


def length(environ, start):
    start("200 OK", [])
    return [str(len(environ["wsgi.input"].read())).encode()]


def three(environ, start):
    """Read three bytes of the body and no more."""
    data = environ["wsgi.input"].read(3)
    start("200 OK", [])
    return [data]


def failing_read(environ, start):
    """Tell what reading the body raises."""
    try:
        environ["wsgi.input"].read()
        what = "nothing"
    except Exception as error:
        what = type(error).__name__
    note(environ, what)
    start("200 OK", [])
    return [what.encode()]


def blocks(environ, start):
    """Yield BLOCKS blocks of 64 KiB, each of its own byte."""
    start("200 OK", [])
    return Closing(environ, (bytes([n % 251]) * 65536 for n in range(int(environ["BLOCKS"]))))


def wait(environ, start):
    note(environ, "waiting")
    wait_for(environ["GATE"])
    start("200 OK", [])
    return [b"waited"]


def wait_after_body(environ, start):
    environ["wsgi.input"].read(1)
    return wait(environ, start)


def slow_close(environ, start):
    start("200 OK", [])
    return Closing(environ, [b"done"])


def close_after_three(environ, start):
    """Read three bytes of the body and no more, and have a close()."""
    data = environ["wsgi.input"].read(3)
    start("200 OK", [])
    return Closing(environ, [data])


def cut_and_slow_close(environ, start):
    """Fail after the first block."""
    def run():
        yield b"begun"
        raise RuntimeError("on purpose")
    start("200 OK", [])
    return Closing(environ, run())


def stuck(environ, start):
    note(environ, "waiting")
    while True:
        time.sleep(60)


def late_log(environ, start):
    """Log from another thread, during the response and after it."""
    stop = time.monotonic() + 0.3

    def run():
        while time.monotonic() < stop:
            try:
                environ["wsgi.errors"].write("from a thread\n")
            except RuntimeError:
                return
    threading.Thread(target=run).start()
    start("200 OK", [])
    return [b"logged"]


def file(environ, start):
    start("200 OK", [])
    opened = open(environ["FILE"], "rb")
    opened.seek(int(environ.get("OFFSET", "0")))
    return environ["wsgi.file_wrapper"](opened)


def segv(environ, start):
    ctypes.string_at(0)


def kill(environ, start):
    os.kill(os.getpid(), getattr(signal, environ["SIGNAL"]))
    wait_for(environ["GATE"])
    start("200 OK", [])
    return [b"survived"]


def fork(environ, start):
    """Fork a child that lives until it is ended; tell its pid."""
    pid = os.fork()
    if pid == 0:
        while True:
            time.sleep(60)
    start("200 OK", [])
    return [str(pid).encode()]


def fork_and_return(environ, start):
    """Fork a child that comes back to the server, as a mistake."""
    pid = os.fork()
    start("200 OK", [])
    return [str(pid).encode()]


def child(queue):
    queue.put(os.getpid())


def spawn(environ, start):
    """Run a program, and a function in a process; tell what both say."""
    said = subprocess.run([sys.executable, "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))"],
                          stdout=subprocess.PIPE, check=True).stdout
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    pid = queue.get(timeout=20)
    process.join(20)
    start("200 OK", [])
    return [said, b"%d %d" % (pid != os.getpid(), process.exitcode)]


def fail(environ, start):
    raise RuntimeError("on purpose")


def fail_later(environ, start):
    start("200 OK", [("Content-Length", "10")])
    yield b"hello"
    raise RuntimeError("on purpose")


def large_head(environ, start):
    start("200 OK", [("X", "x" * 2_000_000)])
    return [b"never"]


def application(environ, start):
    return globals()[environ["PATH_INFO"][1:]](environ, start)
