"""Records the number of each request before all else, then answers it; misbehaves when asked to.

Stands alone in a folder of the test's work folder, because tests copy it to change it.  The record is
one short line for each call, `NUMBER PID VERSION`, written by one system call as the very first
thing: it is there even if the process dies next, and what is not there was never called.
"""
import ctypes
import os
import time
import zlib
from urllib.parse import parse_qsl

VERSION = "1"

LEAK_BYTES, GROWTH_BYTES, MOST_GROWTH = 1 << 20, 100_000, 2000
kept = []
tail = f" {os.getpid()} {VERSION}\n".encode()
record = os.open(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "numbered.record"),
                 os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def leak():
    """Keep memory until there is no more; then end as a C extension that cannot go on."""
    try:
        while True:
            kept.append(bytearray(LEAK_BYTES))
    except MemoryError:
        os.abort()


def grow():
    """Keep a little memory for ever; bounded, should nobody end this process."""
    if len(kept) < MOST_GROWTH:
        kept.append(bytearray(GROWTH_BYTES))


def burn():
    """Use the processor for some milliseconds."""
    end = time.thread_time() + 0.003
    while time.thread_time() < end:
        pass


DEEDS = {"exit": lambda: os._exit(3), "segv": lambda: ctypes.string_at(0),
         "leak": leak, "grow": grow, "burn": burn}


def streamed(answer, seconds):
    """Yield an answer in two pieces, with the time between them."""
    yield answer[:2]
    time.sleep(seconds)
    yield answer[2:]


def application(environ, start_response):
    """Record, read, take the time, answer with number, version, process and sum of the body."""
    number = environ["QUERY_STRING"].partition("&")[0][7:].encode()
    os.write(record, number + tail)
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    body = environ["wsgi.input"].read()
    if "do" in query:
        DEEDS[query["do"]]()
    seconds = int(query["ms"]) / 1000
    answer = number + tail[:-1] + b" %d\n" % zlib.crc32(body)
    headers = [("Content-Type", "text/plain")]
    if query.get("framing") != "chunked":
        headers.append(("Content-Length", str(len(answer))))
    if "stream" in query:
        start_response("200 OK", headers)
        return streamed(answer, seconds)
    time.sleep(seconds)
    start_response("200 OK", headers)
    return iter([answer])
