"""Shows environ and the wsgigw module as JSON."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import PLAIN, Routes, start

routes = Routes()
application = routes.application


def shown(value):
    """Return type name and value; objects JSON has no form for go by repr."""
    try:
        json.dumps(value)
    except TypeError:
        value = repr(value)
    return [type(value).__name__, value]


@routes("/dump")
def dump(environ, start_response):
    """Every entry of environ as [type, value]; tuples keep the type name."""
    start(start_response)
    values = {key: [type(value).__name__, shown(value)[1]] for key, value in environ.items()}
    return [json.dumps(values).encode()]


routes("/plain", validated=False)(dump)


@routes("/facts", validated=False)
def facts(environ, start_response):
    """What cannot be told from a dump: exact types and identities."""
    import logging
    import wsgigw
    wrapper = environ["wsgi.file_wrapper"]
    values = {
        "environ is dict": type(environ) is dict,
        "keys are str": all(type(key) is str for key in environ),
        "file_wrapper": wrapper is wsgigw.FileWrapper,
        "file_wrapper is class": isinstance(wrapper, type),
        "version": list(wsgigw.version),
        "version equal": wsgigw.version == environ["wsgigw.version"],
        "process_group": wsgigw.process_group,
        "application_group": wsgigw.application_group,
        "timeout": (issubclass(wsgigw.RequestTimeout, BaseException)
                    and not issubclass(wsgigw.RequestTimeout, Exception)),
        "handler": issubclass(wsgigw.LogHandler, logging.Handler),
    }
    start(start_response)
    return [json.dumps(values).encode()]


@routes("/process")
def process(environ, start_response):
    """What the interpreter says of itself."""
    start(start_response)
    values = {"argv": sys.argv, "pid": os.getpid(), "variable": os.environ.get("HTTP_HOST")}
    return [json.dumps(values).encode()]


@routes("/mutate")
def mutate(environ, start_response):
    """Change everything in environ; the next request must not see it."""
    seen = sorted(key for key in environ if key.startswith("wgw.leak"))
    start(start_response)
    environ["wgw.leak"] = "seen"
    environ["SERVER_SOFTWARE"] = "changed"
    return [json.dumps([seen, environ["SERVER_NAME"]]).encode()]


def named_otherwise(environ, start_response):
    """The callable of a site with callable-object=named_otherwise."""
    start_response("200 OK", list(PLAIN))
    return [environ["mod_wsgi.callable_object"].encode()]
