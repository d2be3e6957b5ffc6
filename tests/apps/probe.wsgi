"""Shows environ and the interpreter that serves it, as JSON; does what the query asks for."""
import builtins
import ctypes
import json
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import argument, read_body


def interpreter_id():
    """Return 0 in the main interpreter, another number in each sub-interpreter."""
    api = ctypes.pythonapi
    api.PyInterpreterState_Get.restype = ctypes.c_void_p
    api.PyInterpreterState_GetID.restype = ctypes.c_int64
    api.PyInterpreterState_GetID.argtypes = [ctypes.c_void_p]
    return api.PyInterpreterState_GetID(api.PyInterpreterState_Get())


def marks(mark):
    """Remember `mark` for the life of this interpreter; return all it has got."""
    builtins.probe_marks = getattr(builtins, "probe_marks", []) + [mark]
    return builtins.probe_marks


def facts():
    """Return what the directives of the interpreter decide."""
    return {
        "pid": os.getpid(), "interpreter": interpreter_id(), "prefix": sys.prefix,
        "path": sys.path, "optimize": sys.flags.optimize, "warnoptions": sys.warnoptions,
        "asserts": __debug__, "hash": hash("mod_wsgigw"), "version": sys.version_info[:3],
        "writes bytecode": not sys.dont_write_bytecode, "prefixes": [sys.prefix, sys.base_prefix],
        "main thread": threading.current_thread() is threading.main_thread(),
    }


def answer(environ, start_response, name):
    """Answer with environ, facts, and what the query asks for."""
    shown = {key: value for key, value in environ.items() if isinstance(value, str)}
    shown["wsgi.url_scheme"] = environ["wsgi.url_scheme"]
    known = {"environ": shown, "callable": name, **facts()}
    if argument(environ, "mark"):
        known["marks"] = marks(argument(environ, "mark"))
    if argument(environ, "import"):
        known["imported"] = __import__(argument(environ, "import")).__file__
    if argument(environ, "variable"):
        known["variable"] = os.environ.get(argument(environ, "variable"))
    if argument(environ, "read"):
        known["body"] = read_body(environ).decode("latin-1")
    start_response(argument(environ, "status", "200 OK"), [
        ("Content-Type", "application/json"), ("Set-Cookie", "kept=yes"), ("X-Probe", name),
        ("X-Method", environ["REQUEST_METHOD"])])
    return [json.dumps(known).encode()]


def application(environ, start_response):
    """The default callable."""
    return answer(environ, start_response, "application")


def other(environ, start_response):
    """What WSGICallableObject and callable-object= name."""
    return answer(environ, start_response, "other")


class Nested:
    """Holds a callable behind a dot."""
    application = staticmethod(
        lambda environ, start_response: answer(environ, start_response, "dotted"))
