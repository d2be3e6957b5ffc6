"""Records the number of each request before all else, then answers it; misbehaves when asked to.

Stands alone, because tests copy it to change it.  The record is one short line for each call,
`NUMBER PID VERSION`, written by one system call: it is there even if the process dies next.
"""
import ctypes
import os
import threading
import time
import zlib
from urllib.parse import parse_qsl

VERSION = "1"

LEAK_BYTES, GROWTH_BYTES, MOST_GROWTH = 1 << 20, 100_000, 2000
kept = []
record = {}
record_lock = threading.Lock()


def descriptor(environ):
    """Return the record's descriptor, opened at the first call."""
    with record_lock:
        if not record:
            path = os.path.join(environ["WGW_WORK"], "numbered.record")
            record["fd"] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    return record["fd"]


def leak():
    """Keep memory until there is no more."""
    while True:
        kept.append(bytearray(LEAK_BYTES))


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
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    line = f"{query['number']} {os.getpid()} {VERSION}"
    os.write(descriptor(environ), f"{line}\n".encode())
    body = environ["wsgi.input"].read()
    if "do" in query:
        DEEDS[query["do"]]()
    seconds = int(query["ms"]) / 1000
    answer = f"{line} {zlib.crc32(body)}\n".encode()
    headers = [("Content-Type", "text/plain")]
    if query.get("framing") != "chunked":
        headers.append(("Content-Length", str(len(answer))))
    if "stream" in query:
        start_response("200 OK", headers)
        return streamed(answer, seconds)
    time.sleep(seconds)
    start_response("200 OK", headers)
    return iter([answer])
