"""Sub-interpreters with a GIL of their own, in each Python that can do it, and in one that cannot."""
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import daemonkit as kit  # noqa: E402  (found by the path above)
import test_timeouts as timeouts  # noqa: E402
import test_versions as versions  # noqa: E402

from harness import Site, eventually, stage  # noqa: E402

MODES = ("embedded",)  # no pool but those that are declared here
ABLE = [version for version in versions.new_enough() if version >= (3, 12)]
each_able = pytest.mark.parametrize("version", ABLE or [pytest.param(None, marks=pytest.mark.skip(
    reason="there is no CPython from 3.12 on: set PYTHONS"))],
    ids=lambda version: f"{version[0]}.{version[1]}" if version else "none")
OWN = "WSGIPerInterpreterGIL On"
# By an extension of ours: 3.12 does not let ctypes into such an interpreter.
HELD = f"import holding; holding.hold({timeouts.LONG_S})"

EXTENSIONS = """
#include <Python.h>
#include <unistd.h>
static PyObject *hold(PyObject *module, PyObject *seconds)
{
    usleep((useconds_t)(PyFloat_AsDouble(seconds) * 1e6));
    Py_RETURN_NONE;
}
static PyMethodDef methods[] = { { "hold", hold, METH_O, "Sleep, and keep the GIL." }, { 0 } };
static PyModuleDef_Slot slots[] = {
    { Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED }, { 0, NULL } };
static PyModuleDef holding = { PyModuleDef_HEAD_INIT, .m_name = "holding", .m_methods = methods,
                               .m_slots = slots };
static PyModuleDef refusing = { PyModuleDef_HEAD_INIT, "refusing" };
PyMODINIT_FUNC PyInit_holding(void) { return PyModuleDef_Init(&holding); }
PyMODINIT_FUNC PyInit_refusing(void) { return PyModule_Create(&refusing); }
"""


@functools.lru_cache(maxsize=None)
def extensions(version):
    """Build two modules, one that keeps its GIL and one that knows of one interpreter only; return
    their folder."""
    _, _, prefix, _ = versions.found()[version]
    include = f"{prefix}/include/python{version[0]}.{version[1]}"
    if not os.path.exists(f"{include}/Python.h"):
        pytest.skip(f"{include}/Python.h is missing")
    folder = stage.session_folder() / f"extensions{version[1]}"
    folder.mkdir(exist_ok=True)
    (folder / "both.c").write_text(EXTENSIONS)
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    subprocess.run([compiler, "-shared", "-fPIC", "-isystem", include, "-o", str(folder / "holding.so"),
                    str(folder / "both.c")], check=True)
    shutil.copy(folder / "holding.so", folder / "refusing.so")
    folder.chmod(0o755)
    return folder


def site(version, lines=OWN, options="threads=4", groups=("one", "two")):
    """A pool `p` of this version, in which each of /one, /two, ... is an application group."""
    aliases = "\n".join(f"WSGIScriptAlias /{name} {{apps}}/inside.wsgi process-group=p "
                        f"application-group={name}" for name in groups)
    return Site(f"{lines}\nWSGIDaemonProcess p {options} {versions.venv(version)[1]}\n"
                f"WSGIScriptAlias /main {{apps}}/inside.wsgi process-group=p "
                f"application-group=%{{GLOBAL}}\n{aliases}")


def gil_of(made, target):
    """Return the switch interval, which is that of a GIL: who sees the same has the same."""
    return kit.inside(made, "result = sys.getswitchinterval()", target)


def mark(made, target, seconds):
    kit.inside(made, f"sys.setswitchinterval({seconds})", target)


def who_shares(made, targets):
    """Return the targets by the GIL that they have."""
    for number, target in enumerate(targets):
        mark(made, target, 0.001 * (number + 1))
    seen = {target: gil_of(made, target) for target in targets}
    return sorted(sorted(target for target in targets if seen[target] == value)
                  for value in set(seen.values()))


@each_able
def test_each_has_its_own(make_server, version):
    made = make_server(site(version))
    assert who_shares(made, ["/main", "/one", "/two"]) == [["/main"], ["/one"], ["/two"]]
    made.log.expect("WGW0004: interpreter for application group 'one' started, with a GIL of its own", "info")


@each_able
def test_off_is_the_default(make_server, version):
    made = make_server(site(version, ""))
    assert who_shares(made, ["/main", "/one", "/two"]) == [["/main", "/one", "/two"]]


CONTAINERS = {
    # id: (lines, the targets by GIL)
    "one group": ('<WSGIInterpreterOptions application-group=one>\nWSGIPerInterpreterGIL On\n'
                  '</WSGIInterpreterOptions>', [["/main", "/two"], ["/one"]]),
    "all but one": (f"{OWN}\n<WSGIInterpreterOptions process-group=p application-group=one>\n"
                    "WSGIPerInterpreterGIL Off\n</WSGIInterpreterOptions>", [["/main", "/one"], ["/two"]]),
    "another process group": (f"<WSGIInterpreterOptions process-group=%{{GLOBAL}}>\n{OWN}\n"
                              "</WSGIInterpreterOptions>", [["/main", "/one", "/two"]]),
    "more selectors win": (f"<WSGIInterpreterOptions process-group=p application-group=two>\n{OWN}\n"
                           "</WSGIInterpreterOptions>\n<WSGIInterpreterOptions process-group=p>\n"
                           "WSGIPerInterpreterGIL Off\n</WSGIInterpreterOptions>",
                           [["/main", "/one"], ["/two"]]),
    "the last of two wins": (f"<WSGIInterpreterOptions application-group=one>\n{OWN}\n"
                             "</WSGIInterpreterOptions>\n<WSGIInterpreterOptions process-group=p>\n"
                             "WSGIPerInterpreterGIL Off\n</WSGIInterpreterOptions>",
                             [["/main", "/one", "/two"]]),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers(make_server, name):
    if not ABLE:
        pytest.skip("there is no CPython from 3.12 on: set PYTHONS")
    lines, expected = CONTAINERS[name]
    made = make_server(site(ABLE[0], lines))
    assert who_shares(made, ["/main", "/one", "/two"]) == expected


def test_switch_interval_and_path(make_server, tmp_path):
    """Layers: the most specific interval; all folders, those of the most specific one first."""
    if not ABLE:
        pytest.skip("there is no CPython from 3.12 on: set PYTHONS")
    folders = [stage.session_folder() / f"layer{number}" for number in range(3)]
    for folder in folders:
        folder.mkdir(exist_ok=True)
    made = make_server(site(ABLE[0], f"""
        {OWN}
        <WSGIInterpreterOptions process-group=p application-group=two>
            WSGIPerInterpreterGIL Off
            WSGISwitchInterval 0.5
            WSGIPythonPath {folders[2]}
        </WSGIInterpreterOptions>
        <WSGIInterpreterOptions process-group=p application-group=one>
            WSGISwitchInterval 0.02
            WSGIPythonPath {folders[1]}
        </WSGIInterpreterOptions>
        <WSGIInterpreterOptions>
            WSGISwitchInterval 0.03
            WSGIPythonPath {folders[0]}
        </WSGIInterpreterOptions>
    """, "threads=4 switch-interval=0.04"))
    seen = [gil_of(made, target) for target in ("/main", "/one", "/two")]
    assert seen == pytest.approx([0.04, 0.02, 0.04])
    made.expect_log("WGW0182: WSGISwitchInterval has no effect on application group 'two'")
    names = [str(folder) for folder in folders]
    code = f"result = [one for one in sys.path if one in {names}]"
    assert [kit.inside(made, code, target) for target in ("/main", "/one", "/two")] == [
        names[:1], [names[1], names[0]], [names[2], names[0]]]


# --- both cores ----------------------------------------------------------------------------

SPIN = "n = 0\nwhile n < 300_000: n += 1\nresult = os.getpid()"


@each_able
def test_a_held_gil_is_held_for_one(make_server, version):
    """C code that keeps its GIL in one interpreter holds nobody up in another, nor in the main one."""
    made = make_server(site(version, options=f"threads=3 deadlock-timeout=0 python-path={extensions(version)}"))
    pids = {kit.pid_of(made, target) for target in ("/one", "/two", "/main")}
    held = kit.Background(made, "/one/run", b"import holding; holding.hold(6)")
    time.sleep(0.3)
    for target in ("/two", "/main") * 2:
        assert kit.inside(made, SPIN, target) in pids
    assert not held.is_answered() and len(pids) == 1
    assert held.answer().status == 200


@each_able
def test_refcounts_of_what_all_share(make_server, version):
    """None, True and the static types are the same objects everywhere, and stay immortal: requests in
    two interpreters at a time, with bodies, errors and generators, leave their counts as they were."""
    made = make_server(site(version))
    counts = ("result = [sys.getrefcount(one) for one in (None, True, False, (), '', b'', 0, int, str, "
              "dict, BaseException, TypeError)]")
    before = {target: kit.inside(made, counts, target) for target in ("/one", "/two")}
    code = b"import time\nend = time.monotonic() + 0.0005\nwhile time.monotonic() < end: pass"
    for _ in range(4):
        many = [kit.Background(made, f"/{name}/run", code) for name in ("one", "two") * 40]
        assert {one.answer().status for one in many} == {200}
    assert {target: kit.inside(made, counts, target) for target in before} == before


# --- what watches over requests ------------------------------------------------------------

def watched(make_server, version, options):
    made = make_server(site(version, options=f"threads=3 python-path={extensions(version)} {options}"))
    made.allow_log(timeouts.DUMP)
    made.log.expect("WGW0123", "info", timeout_s=60)  # or its start would be part of a request's time
    return made


@each_able
@pytest.mark.parametrize("kind", ["loop", "sleep", "held"])
def test_stacks(make_server, version, kind):
    made = watched(make_server, version, "request-timeout=1 deadlock-timeout=0")
    pid = kit.pid_of(made, "/two")
    assert made.post("/one/run", timeouts.in_function(HELD if kind == "held" else timeouts.STUCK[kind])).status == 504
    lines = timeouts.dump_of(made)
    assert any("in the_stuck_function" in line for line in lines), lines
    assert "application group 'one'" in lines[0]
    made.expect_log("WGW0150")
    made.expect_log("WGW0152")
    eventually(lambda: kit.is_gone(pid), "the end of the process", 30)
    made.allow_log("WGW0153")


@each_able
def test_interrupt(make_server, version):
    """Beside an interpreter whose GIL is held, so that nobody can be interrupted there."""
    made = watched(make_server, version, "request-timeout=2 interrupt-timeout=60 deadlock-timeout=0")
    made.allow_log("WGW015[02]")
    pid = kit.pid_of(made, "/two")
    held = kit.Background(made, "/two/run", b"import holding; holding.hold(9)")
    answer = made.post("/one/run", b"import time\n"
                       + timeouts.CAUGHT.replace("WHAT", "BaseException").encode())
    assert (answer.status, answer.body) == (200, b'"RequestTimeout"')
    assert not held.is_answered()
    held.answer()
    made.allow_request("RequestTimeout")
    assert kit.pid_of(made, "/one") == pid


@each_able
def test_deadlock_of_one(make_server, version):
    """An own GIL that is not to be had is found, although the main one is free."""
    made = watched(make_server, version, "deadlock-timeout=1 graceful-timeout=1 shutdown-timeout=1")
    pid = kit.pid_of(made, "/one")
    stuck = kit.Background(made, "/one/run", timeouts.in_function(HELD))
    lines = timeouts.dump_of(made, "WGW0154")
    assert "the interpreter of application group 'one' for more than" in lines[0]
    assert any("in the_stuck_function" in line for line in lines), lines
    made.expect_log("WGW0154")
    assert kit.pid_of(made, "/one") != pid
    assert stuck.answer().status == 502
    made.allow_log(timeouts.ENDED)
    eventually(lambda: kit.is_gone(pid), f"the end of process {pid}", 30)


# --- extensions that refuse ----------------------------------------------------------------

@each_able
def test_an_extension_that_refuses(make_server, version):
    """The log says which, where and what to do, once; and what it says to do helps."""
    options = f"threads=2 python-path={extensions(version)}"
    made = make_server(site(version, options=options))
    for _ in range(2):
        assert made.post("/one/run", b"import refusing").status == 500
        made.expect_traceback("ImportError: module refusing does not support loading in subinterpreters")
    advice = ("WGW0180: an extension module cannot be used in the interpreter of application group 'one' "
              "(module refusing does not support loading in subinterpreters): let it share the GIL of its "
              'process: <WSGIInterpreterOptions process-group="p" application-group="one"> with '
              "WSGIPerInterpreterGIL Off in it; or serve it in the main interpreter: "
              "WSGIApplicationGroup %{GLOBAL}")
    made.expect_log(re.escape(advice))
    assert len(made.log.find("WGW0180")) == 1
    assert kit.inside(made, "import refusing; result = 1", "/main") == 1
    made.stop()
    lines = re.search("<.*>", advice)[0] + "\nWSGIPerInterpreterGIL Off\n</WSGIInterpreterOptions>"
    made = make_server(site(version, f"{OWN}\n{lines}", options))
    assert kit.inside(made, "import refusing; result = 1", "/one") == 1


# --- the end, and faults -------------------------------------------------------------------

THREAD = """
import threading, time
def run():
    while True:
        for _ in range(1000): pass
threading.Thread(target=run, daemon=True).start()
result = os.getpid()
"""


@each_able
@pytest.mark.parametrize("destroys", ["On", "Off"])
def test_reload_and_end(make_server, version, destroys):
    """Processes end in order, also with a thread of an application that never ends by itself."""
    made = make_server(site(version, f"{OWN}\nWSGIDestroyInterpreter {destroys}",
                            options="threads=2 graceful-timeout=20 shutdown-timeout=20"))
    pid = kit.inside(made, THREAD, "/one")
    assert kit.inside(made, "result = os.getpid()", "/two") == pid
    began = time.monotonic()
    os.kill(pid, 15)
    eventually(lambda: kit.is_gone(pid), "the end of the process", 15)
    assert time.monotonic() - began < 10
    assert kit.pid_of(made, "/one") != pid
    made.stop()


@each_able
@pytest.mark.parametrize("destroys", ["On", "Off"])
def test_exit_functions(make_server, version, destroys):
    made = make_server(site(version, f"{OWN}\nWSGIDestroyInterpreter {destroys}"))
    for target in ("/main", "/one"):
        kit.inside(made, f"import atexit; atexit.register(print, 'end of {target}')", target)
    pid = kit.pid_of(made, "/one")
    os.kill(pid, 15)
    eventually(lambda: kit.is_gone(pid), "the end of the process", 15)
    made.stop()
    for target in ("/main", "/one"):
        if destroys == "On":
            made.allow_log(f"end of {target}")
        assert bool(made.log.find(f"end of {target}")) == (destroys == "On")


@each_able
def test_a_crash_in_one(make_server, version):
    made = make_server(site(version))
    made.allow_log(timeouts.DUMP + "|Fatal Python error|Current thread|Extension modules|^$|WGW0104|WGW0052"
                   "|WGW010|  File |Thread 0x|  <no Python frame>")
    pid = kit.pid_of(made, "/two")
    assert made.post("/one/run", b"os.abort()").status == 502
    eventually(lambda: kit.is_gone(pid), "its end")
    assert kit.pid_of(made, "/one") != pid


@each_able
def test_forking(make_server, version):
    """Programs are started as from any other; a copy of the process is refused, and does not crash."""
    made = make_server(site(version))
    code = "import subprocess; result = subprocess.run(['echo', 'hi'], capture_output=True, text=True).stdout"
    assert kit.inside(made, code, "/one") == "hi\n"
    assert made.post("/one/run", b"os.fork()").status == 500
    made.expect_traceback("RuntimeError: fork not supported for isolated subinterpreters")


@each_able
def test_an_interpreter_that_cannot_be_made(make_server, version):
    """A library folder that has gone: 503 with the reason, and the process goes on serving."""
    venv = kit.make_venv(f"broken{version[1]}", *_copied(version))
    _, options = versions.venv(version)
    made = make_server(Site(f"""
        {OWN}
        WSGIDaemonProcess p threads=2 {options.replace(str(versions.venv(version)[0]), str(venv))}
        WSGIProcessGroup p
        WSGIScriptAlias /main {{apps}}/inside.wsgi application-group=%{{GLOBAL}}
        WSGIScriptAlias /one {{apps}}/inside.wsgi application-group=one
    """))
    pid = kit.pid_of(made, "/main")
    library = pathlib.Path(kit.inside(made, "import encodings; result = encodings.__path__[0]", "/main"))
    if not str(library).startswith(str(stage.session_folder())):
        pytest.skip("this Python is not a copy that a test may break")
    hidden = library.with_name("hidden")
    library.rename(hidden)
    try:
        assert made.get("/one/pid").status == 503
        made.expect_log("WGW0005: no interpreter could be made for application group 'one' \\(.+\\)")
        assert kit.pid_of(made, "/main") == pid
        made.allow_log(r"ModuleNotFoundError|Python path configuration|  \w|\w+ = |  \]|    '|^Fatal")
    finally:
        hidden.rename(library)
    assert kit.pid_of(made, "/one") == pid


def _copied(version):
    python, libraries = versions.reachable(version)
    return python, {"LD_LIBRARY_PATH": libraries} if libraries else None


# --- a Python that cannot do it ------------------------------------------------------------

def test_too_old(make_server):
    """3.11: it is said once, and requests are served with the shared GIL."""
    old = [version for version in versions.new_enough() if version < (3, 12)]
    if not old:
        pytest.skip("there is no CPython 3.11")
    made = make_server(site(old[0], options="threads=2 processes=3"))
    assert who_shares(made, ["/one"]) == [["/one"]]
    made.expect_log("WGW0181: WSGIPerInterpreterGIL has no effect on process group 'p': Python 3.11 cannot "
                    "give an interpreter a GIL of its own")
    assert len(made.log.find("WGW0181")) == 1
