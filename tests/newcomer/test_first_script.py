"""A newcomer's mistakes in the script: the status, and a message that names the thing and the
cure (issue 2, "Done when" 5)."""
import os

import pytest

from harness import Site

MPMS = ("event", "worker")

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /missing {work}/missing.wsgi
    WSGIScriptAlias /folder {work}/folder
    WSGIModuleAlias /module no_such_package.wsgi:application
    WSGIScriptAlias / {work}/
""")

HELLO = """
def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""

SCRIPTS = {
    # name: (source, patterns of the error lines)
    "syntax": ("x = 1\ndef application(:\n    pass\n",
               [r"WGW0014: '\S*/syntax\.wsgi'", r'File "\S*/syntax\.wsgi", line 2',
                "SyntaxError"]),
    "indent": ("def application(e, s):\nreturn []\n",
               [r'File "\S*/indent\.wsgi", line 2', "IndentationError"]),
    "no-application": (HELLO + "app = hello\n",
                       [r"WGW0016: there is no 'application' in '\S*/no-application\.wsgi'.*"
                        r"app, hello.*WSGICallableObject"]),
    "nothing-callable": ("x = 1\n", ["WGW0016: .*it has no callable at all"]),
    "not-callable": ("application = {'a': 1}\n",
                     [r"WGW0015: 'application' in '\S*/not-callable\.wsgi' is not callable: it is "
                      "of type 'dict'"]),
    "none": ("application = None\n", ["WGW001[56]: .*'application'"]),
    "missing-module": ("import no_such_module_at_all\n",
                       ["WGW0014: .*'no_such_module_at_all' was looked for by Python 3.* in .*"
                        "(WSGIPythonHome and WSGIPythonPath|python-home= and python-path= of)",
                        "ModuleNotFoundError: No module named 'no_such_module_at_all'"]),
    "raises": ("1 / 0\n", [r'File "\S*/raises\.wsgi", line 1', "ZeroDivisionError"]),
    "exits": ("import sys\nsys.exit('bye')\n",
              [r"WGW0014: .*/exits\.wsgi.*it called sys\.exit\(\) while being imported",
               "SystemExit: bye"]),
    "binary": ("\0", [r"WGW0014: '\S*/binary\.wsgi'", "null bytes"]),
    "returns-str": ("def application(e, s):\n    s('200 OK', [])\n    return 'text'\n",
                    [r"TypeError: .*returned <class 'str'>.*iterable of bytes, such as a list"]),
    "returns-bytes": ("def application(e, s):\n    s('200 OK', [])\n    return b'text'\n",
                      [r"TypeError: .*returned <class 'bytes'>.*such as a list"]),
    "returns-none": ("def application(e, s):\n    s('200 OK', [])\n",
                     [r"TypeError: .*None"]),
    "list-of-str": ("def application(e, s):\n    s('200 OK', [])\n    return ['text']\n",
                    [r"TypeError: .*str"]),
    "never-starts": ("def application(e, s):\n    return [b'text']\n",
                     [r"start_response\(\)"]),
    "one-argument": ("def application(e):\n    return []\n",
                     [r"TypeError: application\(\) takes 1 positional argument but 2"]),
    "integer-status": ("def application(e, s):\n    s(200, [])\n    return []\n",
                       ["TypeError: .*status"]),
    "bare-status": ("def application(e, s):\n    s('OK', [])\n    return []\n",
                    ["ValueError: .*'OK'"]),
    "headers-dict": ("def application(e, s):\n    s('200 OK', {})\n    return []\n",
                     ["TypeError: .*list of tuples"]),
    "integer-header": ("def application(e, s):\n    s('200 OK', [('Content-Length', 4)])\n"
                       "    return [b'text']\n", ["TypeError: .*header value"]),
}


@pytest.fixture(autouse=True)
def said_at_start(server):
    """The module warns when the configuration names a script that is not there yet."""
    server.allow_log(r"WGW0030: .*/(missing\.wsgi|folder)' cannot be found now")


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_at_fault(server, name):
    source, patterns = SCRIPTS[name]
    server.write_work(f"{name}.wsgi", source)
    answer = server.get(f"/{name}.wsgi")
    assert answer.status == 500 and answer.complete
    assert b"Traceback" not in answer.body, "the traceback is for the log, not for the client"
    found = [server.expect_log(pattern, "error") for pattern in patterns]
    assert len({record.id for records in found for record in records}) == 1
    server.allow_request(patterns[0])


def test_script_missing(server):
    assert server.get("/missing").status == 404
    server.expect_log(r"WGW0040: script '\S*/work/missing\.wsgi' does not exist", "error")


def test_script_missing_is_said_at_start(make_server):
    made = make_server(Site("WSGIScriptAlias /app {work}/later.wsgi"), start=False)
    code, output = made.configtest()
    assert code == 0, "deploying the script later must work"
    assert "WGW0030: WSGIScriptAlias" in output and f"{made.work}/later.wsgi" in output
    assert f"{made.root}/httpd.conf, line " in output and "404" in output


def test_missing_below_a_folder(server):
    assert server.get("/nowhere.wsgi").status == 404
    server.expect_log(r"WGW0040: script '\S*/work/nowhere\.wsgi' does not exist", "error")


def test_folder_instead_of_a_file(server):
    (server.work / "folder").mkdir(exist_ok=True)
    assert server.get("/folder").status == 403
    server.expect_log(r"WGW0041: '\S*/work/folder' is a folder.*the alias has to name the file",
                      "error")


def test_not_readable_by_permission(server):
    path = server.write_work("secret.wsgi", HELLO, mode=0)
    for _ in range(2):
        assert server.get("/secret.wsgi").status == 403
    lines = server.expect_log(rf"WGW0013: '{path}' may not be read by the server's user "
                              r"\(uid \d+, gid \d+\).*Give that user read permission", "error")
    assert len(lines) == 1, "said once, not for every request"


def test_readable_after_chmod(server):
    """The cure that the message names works, without a restart."""
    source = HELLO.replace("hello(", "application(")
    path = server.write_work("mended.wsgi", source, mode=0)
    assert server.get("/mended.wsgi").status == 403
    server.expect_log("WGW0013", "error")
    server.write_work("mended.wsgi", source)
    assert server.get("/mended.wsgi").body == b"hello"


def test_folder_may_not_be_entered(server):
    server.write_work("shut/app.wsgi", HELLO)
    (server.work / "shut").chmod(0)
    try:
        assert server.get("/shut/app.wsgi").status == 403
        server.expect_log(r"AH00035|AH00529: .*/shut/' is executable")
    finally:
        (server.work / "shut").chmod(0o755)


def test_module_missing(server):
    assert server.get("/module").status == 500
    server.expect_traceback("ModuleNotFoundError: No module named 'no_such_package'")
    assert server.log.find("WGW0014: 'no_such_package.wsgi'.*(WSGIPythonPath|python-path=)", "error")


def test_not_a_file(server):
    os.mkfifo(server.work / "pipe.wsgi")
    assert server.get("/pipe.wsgi").status == 403
    server.expect_log(r"WGW0042: '\S*/pipe\.wsgi' is not a regular file", "error")
