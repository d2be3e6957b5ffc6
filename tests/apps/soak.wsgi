"""Small applications of every kind, without checks of their own, for the soak."""
import logging
import os

import wsgigw

LOG = logging.getLogger("soak")
LOG.addHandler(wsgigw.LogHandler())
LOG.setLevel(logging.DEBUG)
LOG.propagate = False

TEXT = [("Content-Type", "text/plain")]


def listed(environ, start_response):
    start_response("200 OK", TEXT + [("Set-Cookie", "a=b"), ("X-Some", "thing")])
    return [b"Hello, ", b"world!"]


def generated(environ, start_response):
    start_response("200 OK", TEXT)
    return (b"line %d\n" % number for number in range(5))


def written(environ, start_response):
    write = start_response("200 OK", TEXT)
    write(b"first ")
    return [b"second"]


def large(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"x" * 65536] * 4


def echoed(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", TEXT + [("Content-Length", str(len(body)))])
    return [body]


def file(environ, start_response):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](open(os.path.abspath(__file__), "rb"))


def logged(environ, start_response):
    print("soak", environ["wsgigw.request_id"], file=environ["wsgi.errors"])
    LOG.info("soak")
    start_response("204 No Content", [])
    return []


def raised(environ, start_response):
    raise ValueError("soak")


APPLICATIONS = {f"/{kind.__name__}": kind
                for kind in (listed, generated, written, large, echoed, file, logged, raised)}


def application(environ, start_response):
    return APPLICATIONS[environ["PATH_INFO"]](environ, start_response)
