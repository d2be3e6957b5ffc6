"""The works of the benchmark: one application, chosen by the path.

Each does what a plain application would; nothing here knows the server.
"""

import os

HELLO = b"Hello, world!"
BLOCK = b"x" * 65536
FILE = os.path.join(os.path.dirname(__file__), "htdocs", "file-10m.bin")
LINES = [b"line %02d of fifty short ones\n" % number for number in range(50)]


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [HELLO]


def hello_unsized(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [HELLO]


def hello_generator(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    yield HELLO


def hello_write(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    write(HELLO)
    return []


def list_1m(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", "1048576")])
    return [BLOCK] * 16


def file_10m(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", "10485760")])
    return environ["wsgi.file_wrapper"](open(FILE, "rb"), 65536)


def generator_50(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield from LINES


def echo_1m(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(body)))])
    return [body]


WORKS = {
    "/hello": hello,
    "/hello-unsized": hello_unsized,
    "/hello-generator": hello_generator,
    "/hello-write": hello_write,
    "/list-1m": list_1m,
    "/file-10m": file_10m,
    "/generator-50": generator_50,
    "/echo-1m": echo_1m,
}


def application(environ, start_response):
    return WORKS[environ["PATH_INFO"]](environ, start_response)
