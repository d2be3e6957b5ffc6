"""Interpreters as extensions that know only one of them see them."""
import pytest

from harness import Site

CALLBACK = '''
import ctypes
import wsgigw

def application(environ, start_response):
    """A C function calls back through PyGILState_Ensure, as many extensions do."""
    seen = []
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    def compare(a, b):
        import wsgigw as inner
        seen.append(inner is wsgigw)
        return 0
    ctypes.CDLL(None).qsort(ctypes.create_string_buffer(8), 2, 4, kind(compare))
    start_response("200 OK", [])
    return [str(all(seen) and bool(seen)).encode()]
'''


@pytest.mark.mpms("prefork")
def test_callbacks_find_the_main_interpreter(make_server):
    """%{GLOBAL} is the remedy for extensions that use PyGILState: also after a sub-interpreter."""
    made = make_server(Site("WSGIScriptAlias /main {work}/callback.wsgi application-group=%{GLOBAL}\n"
                            "WSGIScriptAlias /sub {apps}/probe.wsgi application-group=sub",
                            children="StartServers 1\nServerLimit 1\nMaxRequestWorkers 1"),
                       start=False)
    made.write_work("callback.wsgi", CALLBACK)
    made.start()
    for target in ("/sub", "/main", "/sub", "/main"):
        answer = made.get(target)
        assert answer.status == 200
        assert target == "/sub" or answer.body == b"True"
