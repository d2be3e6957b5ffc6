"""<WSGIInterpreterOptions>, and the directives that it may hold, in embedded mode."""
import os
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "daemon"))

import daemonkit as kit  # noqa: E402  (found by the path above)

from harness import Site, eventually, stage, system  # noqa: E402

MODES = ("embedded",)
BUILD = pathlib.Path(os.environ.get("WGW_BUILDDIR") or system.REPOSITORY)
VERSION = tuple(map(int, re.search(r"^PYTHON_VERSION = (\d+)\.(\d+)$", (BUILD / "Makefile").read_text(),
                                   re.M).groups()))
ONE_CHILD = ("StartServers 1\nServerLimit 1\nThreadsPerChild 16\nThreadLimit 16\nMaxRequestWorkers 16\n"
             "MinSpareThreads 1\nMaxSpareThreads 16")
OWN = "WSGIPerInterpreterGIL On"
TARGETS = ("/main", "/one", "/two")
can_own = pytest.mark.skipif(VERSION < (3, 12), reason=f"built for Python {VERSION}, not for 3.12 or later")


def site(lines):
    return Site(f"""
        {lines}
        WSGIScriptAlias /main {{apps}}/inside.wsgi application-group=%{{GLOBAL}}
        WSGIScriptAlias /one {{apps}}/inside.wsgi application-group=one
        WSGIScriptAlias /two {{apps}}/inside.wsgi application-group=two
    """, children=ONE_CHILD)


def who_shares(made):
    """Return the targets by the GIL that they have, as the switch interval tells."""
    for number, target in enumerate(TARGETS):
        kit.inside(made, f"sys.setswitchinterval({0.001 * (number + 1)})", target)
    seen = {target: kit.inside(made, "result = sys.getswitchinterval()", target) for target in TARGETS}
    return sorted(sorted(target for target in TARGETS if seen[target] == value)
                  for value in set(seen.values()))


# --- what is refused -----------------------------------------------------------------------

WRONG = {
    "WSGIPythonHome /usr": r"WSGIPythonHome \(line \d+\) is not allowed in <WSGIInterpreterOptions>; allowed "
                           "are WSGIPerInterpreterGIL, WSGIFreeThreading, WSGISwitchInterval, WSGIPythonPath",
    "WSGIPerInterpreterGIL Maybe": "WSGIPerInterpreterGIL: 'Maybe' is not allowed; allowed is On or Off",
    "WSGISwitchInterval 0": "allowed is a number of seconds from 0.000001 to 60",
    "WSGIPythonPath /no/such": "No such file",
}
SELECTORS = {
    "process-group=no": "process group 'no' is not declared",
    "group=x": "'group' is not an option; allowed are process-group= and application-group=",
    "application-group": "'application-group' is not an option",
    "application-group=a application-group=b": "application-group is given twice",
    "application-group=%{HOST}": "application-group '%{HOST}' is not allowed; allowed is a name or %{GLOBAL}",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_members(make_server, line):
    made = make_server(Site(f"<WSGIInterpreterOptions>\n{line}\n</WSGIInterpreterOptions>"), start=False)
    code, output = made.configtest()
    assert code != 0 and re.search(WRONG[line], output), output


@pytest.mark.parametrize("selectors", SELECTORS)
def test_wrong_selectors(make_server, selectors):
    made = make_server(Site(f"<WSGIInterpreterOptions {selectors}>\n</WSGIInterpreterOptions>"), start=False)
    code, output = made.configtest()
    assert code != 0 and SELECTORS[selectors] in output, output


def test_not_in_a_virtual_host(make_server):
    made = make_server(Site("<VirtualHost *:80>\n<WSGIInterpreterOptions>\n</WSGIInterpreterOptions>\n"
                            "</VirtualHost>"), start=False)
    code, output = made.configtest()
    assert code != 0 and "cannot occur within <VirtualHost> section" in output, output


def test_what_has_no_effect_is_said(make_server):
    made = make_server(Site(f"<WSGIInterpreterOptions application-group=%{{GLOBAL}}>\n{OWN}\n"
                            "WSGIFreeThreading On\n</WSGIInterpreterOptions>"))
    made.expect_log(r"WGW0183: .*httpd.conf, line \d+\): WSGIFreeThreading has no effect with application-group=")
    made.expect_log(r"WGW0185: .*line \d+\): WSGIPerInterpreterGIL has no effect on application-group=%\{GLOBAL\}")


# --- what they do --------------------------------------------------------------------------

def test_switch_interval(make_server):
    made = make_server(site("WSGISwitchInterval 0.03"))
    assert kit.inside(made, "result = sys.getswitchinterval()", "/one") == pytest.approx(0.03)
    made.stop()
    made = make_server(site("WSGISwitchInterval 0.03\n<WSGIInterpreterOptions process-group=%{GLOBAL}>\n"
                            "WSGISwitchInterval 0.04\n</WSGIInterpreterOptions>"))
    assert kit.inside(made, "result = sys.getswitchinterval()", "/main") == pytest.approx(0.04)


def test_python_path(make_server):
    folders = [stage.session_folder() / f"embedded{number}" for number in range(2)]
    for folder in folders:
        folder.mkdir(exist_ok=True)
    names = [str(folder) for folder in folders]
    made = make_server(site(f"WSGIPythonPath {names[0]}\n<WSGIInterpreterOptions application-group=one>\n"
                            f"WSGIPythonPath {names[1]}\n</WSGIInterpreterOptions>"))
    code = f"result = [one for one in sys.path if one in {names}]"
    assert [kit.inside(made, code, target) for target in TARGETS] == [names[:1], names[::-1], names[:1]]


@pytest.mark.parametrize("destroys", ["On", "Off"])
@pytest.mark.parametrize("own", ["On", "Off"] if VERSION >= (3, 12) else ["Off"])
def test_destroying(make_server, destroys, own):
    """At the end of a child, also with a thread that never ends: in order, or at once."""
    made = make_server(site(f"WSGIDestroyInterpreter {destroys}\nWSGIPerInterpreterGIL {own}"))
    for target in ("/main", "/one"):
        kit.inside(made, f"import atexit; atexit.register(print, 'end of {target}')", target)
    kit.inside(made, "import threading, time\ndef run():\n while True: time.sleep(0.001)\n"
                     "threading.Thread(target=run, daemon=True).start()", "/two")
    pid = kit.pid_of(made, "/one")
    made.stop()
    assert kit.is_gone(pid)
    for target in ("/main", "/one"):
        if destroys == "On":
            made.allow_log(f"end of {target}")
        assert bool(made.log.find(f"end of {target}")) == (destroys == "On")


# --- own GILs ------------------------------------------------------------------------------

@pytest.mark.skipif(VERSION >= (3, 12), reason=f"built for Python {VERSION}")
def test_too_old(make_server):
    made = make_server(site(OWN))
    assert who_shares(made) == [sorted(TARGETS)]
    made.expect_log("WGW0184: WSGIPerInterpreterGIL has no effect in embedded mode: .* Python 3.11")
    assert len(made.log.find("WGW0184")) == 1


@pytest.mark.skipif(VERSION >= (3, 12), reason=f"built for Python {VERSION}")
def test_nothing_is_said_where_it_does_not_matter(make_server):
    made = make_server(Site(f"{OWN}\nWSGIScriptAlias / {{apps}}/inside.wsgi application-group=only"))
    assert kit.pid_of(made) and not made.log.find("WGW0184")


@can_own
def test_each_has_its_own(make_server):
    made = make_server(site(OWN))
    assert who_shares(made) == [[target] for target in sorted(TARGETS)]
    assert made.post("/one/run", b"raise ValueError('bang')").status == 500
    made.expect_traceback("ValueError: bang")


@can_own
def test_one_has_not(make_server):
    made = make_server(site(f"{OWN}\n<WSGIInterpreterOptions process-group=%{{GLOBAL}} application-group=one>\n"
                            "WSGIPerInterpreterGIL Off\n</WSGIInterpreterOptions>"))
    assert who_shares(made) == [["/main", "/one"], ["/two"]]


@can_own
def test_a_graceful_restart(make_server):
    """Old children end in order, new ones have their own again."""
    made = make_server(site(OWN))
    pid = kit.pid_of(made, "/one")
    made.graceful()
    eventually(lambda: kit.is_gone(pid), "the end of the old child", 30)
    assert who_shares(made) == [[target] for target in sorted(TARGETS)]
