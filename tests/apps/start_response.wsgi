"""Calls start_response as the request says, rightly and wrongly."""
import ast
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from appkit import PLAIN, Routes, argument, read_body, start

routes = Routes()
application = routes.application


@routes("/call", validated=False)
def call(environ, start_response):
    """Call start_response(*literal), the literal in the body; answer what was raised."""
    arguments = ast.literal_eval(read_body(environ).decode())
    try:
        write = start_response(*arguments)
    except Exception as error:
        start(start_response)
        names = [one.__name__ for one in type(error).__mro__]
        return [repr((names, str(error))).encode("ascii", "backslashreplace")]
    return [b"sent" if callable(write) else b"no write callable"]


@routes("/uncaught", validated=False)
def uncaught(environ, start_response):
    """The same without catching."""
    start_response(*ast.literal_eval(read_body(environ).decode()))
    return [b"sent"]


@routes("/twice", validated=False)
def twice(environ, start_response):
    """Call it again without exc_info, before output."""
    start(start_response)
    try:
        start(start_response, "201 Created")
    except RuntimeError:
        return [b"RuntimeError"]
    return [b"nothing raised"]


@routes("/twice-late", validated=False)
def twice_late(environ, start_response):
    """Call it again without exc_info, after output."""
    start(start_response)
    yield b"first "
    try:
        start(start_response, "201 Created")
        yield b"nothing raised"
    except RuntimeError:
        yield b"RuntimeError"


@routes("/replace")
def replace(environ, start_response):
    """Replace status and headers by exc_info, before output."""
    start(start_response, "200 OK", ("X-First", "1"))
    try:
        raise ValueError("replaced")
    except ValueError:
        start_response("418 Teapot", PLAIN + [("X-Second", "2")], sys.exc_info())
    return [b"short and stout"]


@routes("/replace-late")
def replace_late(environ, start_response):
    """Replace by exc_info after output: the exception is raised again."""
    start(start_response)
    yield b"begun"
    try:
        raise ValueError("re-raised after output")
    except ValueError:
        start_response("500 Oops", list(PLAIN), sys.exc_info())
    yield b"not reached"


@routes("/exc-info-first")
def exc_info_first(environ, start_response):
    """A first call with exc_info is a first call."""
    try:
        raise ValueError("first")
    except ValueError:
        start_response("418 Teapot", list(PLAIN), sys.exc_info())
    return [b"tea"]


@routes("/nocall", validated=False)
def nocall(environ, start_response):
    """Never call it."""
    return [b"data"] if argument(environ, "how") == "list" else iter([b"data"])


@routes("/nocall-empty", validated=False)
def nocall_empty(environ, start_response):
    """Never call it and send nothing."""
    return []


@routes("/within")
def within(environ, start_response):
    """Call it from within the first next()."""
    start(start_response, "202 Accepted")
    yield b"within"


@routes("/empty-blocks")
def empty_blocks(environ, start_response):
    """Empty blocks do not send the head: it can still be replaced."""
    start(start_response)
    yield b""
    yield b""
    try:
        raise ValueError("head not sent")
    except ValueError:
        start_response("418 Teapot", list(PLAIN), sys.exc_info())
    yield b"tea"


@routes("/empty-write")
def empty_write(environ, start_response):
    """write(b"") does not send the head either."""
    start(start_response)(b"")
    try:
        raise ValueError("head not sent")
    except ValueError:
        start_response("418 Teapot", list(PLAIN), sys.exc_info())
    return [b"tea"]


@routes("/headers-list", validated=False)
def headers_list(environ, start_response):
    """Changing the list after the call changes what is sent only as PEP 3333 allows: not."""
    headers = PLAIN + [("X-Kept", "1")]
    start_response("200 OK", headers)
    headers.append(("X-Late", "2"))
    return [repr(headers).encode()]
