"""New code that does not import does not replace code that works: the old keeps serving, the log
says why, once, and the next change is tried again."""
import time

import pytest

import chaoskit as chaos
from numbered import QUICK, Load

from harness import Site, eventually

MODES = ("daemon",)
MPMS = ("event",)
BREAKS = {
    # text in front of the application's, what the log must have of it
    "syntax": ("def application(:\n", "SyntaxError"),
    "missing": ("import wgw_no_such_module\n", "ModuleNotFoundError: .*wgw_no_such_module"),
    "raises": ("raise LookupError('no such setting')\n", "LookupError: no such setting"),
    "hang": ("import time; time.sleep(3600)\n", ""),
    "exit": ("import sys; sys.exit(3)\n", ""),
    "os_exit": ("import os; os._exit(3)\n", ""),
    "segv": ("import ctypes; ctypes.string_at(0)\n", ""),
    "kill": ("import os; os.kill(os.getpid(), 9)\n", ""),
}
TRIED = [name for name in BREAKS if chaos.IS_LONG or name not in ("raises", "kill")]


def broken(name, version="broken"):
    """Return a script that does not import, in the way of this name."""
    return BREAKS[name][0] + chaos.source(version)


def allow_breaks(made):
    """Let pass what is said of a script that does not import, once or not."""
    chaos.allow_broken_imports(made)
    made.allow_log("|".join(filter(None, (line for _, line in BREAKS.values()))))


def reports(made):
    """Return the lines that name the fault."""
    return made.log.find(chaos.REPORT)


def check_exception(made, name, count=1):
    """The exception of the import stands in the log as often as the script was changed."""
    pattern = BREAKS[name][1]
    if pattern:
        assert len(made.log.find(rf"^\s*{pattern}")) == count, made.log.text()


@pytest.mark.parametrize("name", TRIED)
def test_broken_deploy(make_server, name):
    """Under load: no request fails, the old answers, one line; a repair brings the new code."""
    made = chaos.start(make_server, chaos.site("startup-timeout=3"))
    allow_breaks(made)
    with Load(made, mix=QUICK) as load:
        chaos.replace_script(made, broken(name))
        eventually(lambda: reports(made), "a line that names the fault")
        time.sleep(1)
        assert len(reports(made)) == 1, made.log.text()
        check_exception(made, name)
        assert {one.version for one in load.recent()} == {"1"}
        chaos.deploy(made, "2")
        eventually(lambda: load.recent()[-1].version == "2", "an answer of the repaired code")
    result = load.result()
    chaos.nothing_lost(result)
    assert result.versions == {"1", "2"}
    assert len(reports(made)) == 1, made.log.text()


def test_each_change_is_tried(make_server):
    """Broken, touched, broken otherwise, repaired: a line for each change, not for each request."""
    made = chaos.start(make_server, chaos.site("startup-timeout=3"))
    allow_breaks(made)
    changes = [lambda: chaos.replace_script(made, broken("missing")), lambda: chaos.touch(made),
               lambda: chaos.replace_script(made, broken("raises"))]
    with Load(made, mix=QUICK) as load:
        for count, change in enumerate(changes, 1):
            change()
            eventually(lambda: len(reports(made)) >= count, f"{count} lines that name the fault")
            time.sleep(0.5)
            assert len(reports(made)) == count, made.log.text()
        chaos.deploy(made, "2")
        eventually(lambda: load.recent()[-1].version == "2", "an answer of the repaired code")
    result = load.result()
    chaos.nothing_lost(result)
    check_exception(made, "missing", 2)
    check_exception(made, "raises", 1)
    assert result.versions == {"1", "2"}


def test_half_written(make_server):
    """An editor that truncates the file and writes it in pieces: nobody sees the half of it."""
    made = chaos.start(make_server, chaos.site("startup-timeout=3"))
    allow_breaks(made)
    with Load(made, mix=QUICK) as load:
        for version in range(2, 6):
            text = chaos.source(str(version))
            cut = text.index("def application")
            with chaos.script(made).open("w", encoding="utf-8") as file:
                file.write(text[:cut])
                file.flush()
                time.sleep(0.3)
                file.write(text[cut:])
            eventually(lambda: load.recent()[-1].version == str(version), f"version {version}")
    chaos.nothing_lost(load.result())


def test_broken_at_a_graceful_restart(make_server):
    """httpd is restarted on a script that does not import: what served before goes on."""
    made = chaos.start(make_server, chaos.site("startup-timeout=3"))
    allow_breaks(made)
    with Load(made, mix=QUICK) as load:
        chaos.replace_script(made, broken("missing"))
        made.graceful()
        chaos.repeatedly(load, lambda: None, 2, 0.5)
        chaos.deploy(made, "2")
        eventually(lambda: load.recent()[-1].version == "2", "an answer of the repaired code")
    result = load.result()
    chaos.nothing_lost(result)
    assert result.versions == {"1", "2"}


def test_crash_while_broken(make_server):
    """A process that dies while a broken deploy is on disk is not replaced by one that answers 500."""
    made = chaos.start(make_server, chaos.site("startup-timeout=3"))
    allow_breaks(made)
    made.allow_log(chaos.REQUEST_LINES)
    with Load(made, mix=QUICK) as load:
        chaos.replace_script(made, broken("missing"))
        eventually(lambda: reports(made), "a line that names the fault")
        victim = chaos.victims(made)[0]
        chaos.send_signal(victim, 9)
        time.sleep(2)
        assert {one.version for one in load.recent() if one.version} == {"1"}
        chaos.deploy(made, "2")
        eventually(lambda: load.recent()[-1].version == "2", "an answer of the repaired code")
    result = load.result()
    chaos.only_under_way(result, [victim])
    assert result.versions == {"1", "2"}
    assert len(reports(made)) == 1, made.log.text()


def test_another_callable_at_a_graceful_restart(make_server):
    """What was loaded before is no condition for what the directives name now."""
    site = Site("""
        WSGIDaemonProcess p processes=2
        WSGICallableObject %s
        WSGIScriptAlias / {work}/site.wsgi process-group=p
    """)
    text = "def %s(environ, start_response):\n    start_response('200 OK', [])\n    return [b'%s']\n"
    made = make_server(site._replace(text=site.text % "one"), start=False)
    made.write_work("site.wsgi", text % ("one", "one"))
    made.start()
    assert made.get("/").body == b"one"
    made.write_work("site.wsgi", text % ("two", "two"))
    made.write_config(site._replace(text=site.text % "two"))
    made.allow_log("WGW0016|WGW0129|'two'|'one'")
    made.graceful()
    eventually(lambda: made.get("/").body == b"two", "the other callable")
    assert [made.get("/").body for _ in range(10)] == [b"two"] * 10
