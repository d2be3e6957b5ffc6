"""Another build of the module is installed under a running httpd, which is restarted gracefully."""
import os
import signal
import sys
import pathlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import chaoskit as chaos  # noqa: E402  (found by the path above)
import upgradekit as upgrade  # noqa: E402
from chaoskit import kit  # noqa: E402
from numbered import Load  # noqa: E402

from harness import eventually  # noqa: E402

MODES = ("daemon",)
MPMS = ("event",)
TIMES = 6 if chaos.IS_LONG else 3
LAYOUTS = (b"TEXT nam1;TEXT server", upgrade.LAYOUT)


def start(make_server, of):
    """Return a started server with the first build."""
    def make(site, **options):
        made = make_server(upgrade.site(site), **options)
        upgrade.install(made)
        return made
    return chaos.start(make, of)


def version(number):
    """Return a text that ends as the real one does: a linker lets other texts share that end."""
    return f"{number % 9 + 1}.1.0"


# --- the successor knows the pools in the same form -----------------------------------------

@pytest.mark.parametrize("options", ["", "graceful=keep"])
def test_upgrades(make_server, options):
    """The supervisor becomes another program; its processes and its number stay."""
    made = start(make_server, chaos.site(options))
    supervisor, before, rounds = kit.supervisor(made), set(chaos.victims(made)), []

    def change():
        rounds.append(version(len(rounds)))
        upgrade.install(made, rounds[-1])
        made.graceful()
        made.expect_log(f"WGW0142: the supervisor of mod_wsgigw {rounds[-1]} goes on with [12] pools")
        made.expect_log(f"WGW0137: .* makes way for .* of mod_wsgigw {rounds[-1]}")
        assert rounds[-1].encode() in upgrade.program(supervisor)
    with Load(made) as load:
        chaos.repeatedly(load, change, TIMES, 1)
    result = load.result()
    chaos.nothing_lost(result)
    assert kit.supervisors(made.pid) == [supervisor]
    if options:
        assert result.pids <= before and set(chaos.members(made)) == before
    else:
        assert not before & set(chaos.members(made))


def test_the_same_version_built_again(make_server):
    """By the file, too."""
    made = start(make_server, chaos.site())
    upgrade.install(made)
    made.graceful()
    made.expect_log("WGW0137")
    made.expect_log("WGW0142")
    made.graceful()
    assert len(made.log.find("WGW0142")) == 1
    chaos.goes_on(made)


def test_what_the_successor_has_to_know(make_server):
    """Exits, log lines, listening sockets and orders go on."""
    made = start(make_server, chaos.site("graceful=keep"))
    upgrade.install(made, version(0))
    made.graceful()
    made.expect_log("WGW0142")
    kit.inside(made, "import sys; print('a line after it', file=sys.stderr); result = 0", "/i")
    made.expect_log("a line after it")
    victim, other = chaos.victims(made)
    os.kill(victim, signal.SIGKILL)
    made.expect_log(f"WGW0103: process {victim} of pool 'chaos' was ended by signal 9")
    eventually(lambda: len(chaos.victims(made)) == 2, "another process")
    os.kill(other, signal.SIGUSR1)
    eventually(lambda: other not in chaos.members(made), "the other one is replaced")
    chaos.touch(made)
    chaos.goes_on(made)


# --- or in another ---------------------------------------------------------------------------

def test_upgrades_to_another_layout(make_server):
    """Another supervisor is started beside the one there is, which ends with what uses it."""
    made = start(make_server, chaos.site())
    rounds = []

    def change():
        before = kit.supervisor(made)
        rounds.append(version(len(rounds)))
        upgrade.install(made, rounds[-1], LAYOUTS[len(rounds) % 2 - 1])
        made.graceful()
        made.expect_log("WGW0137")
        made.expect_log("WGW0138")
        eventually(lambda: kit.is_gone(before), "the former supervisor to end", 60)
    with Load(made) as load:
        chaos.repeatedly(load, change, TIMES, 1)
    chaos.nothing_lost(load.result())
    assert len(kit.supervisors(made.pid)) == 1 and not made.log.find("long lost child")


@pytest.mark.parametrize("layout", LAYOUTS, ids=["other", "same"])
def test_old_children_are_served(make_server, layout):
    """A request that began before the upgrade is answered by who began it, however it is called."""
    made = start(make_server, chaos.site())
    under_way = kit.Background(made, "/n?number=1&ms=6000")
    eventually(lambda: kit.inside(made, "result = 1", "/i"), "the request is under way")
    upgrade.install(made, version(0), layout)
    made.graceful()
    made.expect_log("WGW0137")
    if layout != upgrade.LAYOUT:
        made.expect_log("WGW0138")
    assert under_way.answer().status == 200
    made.stop(graceful=True)


# --- or cannot be run -------------------------------------------------------------------------

BROKEN = {"empty": b"", "text": b"#!/bin/false\n", "hangs": b"#!/bin/sh\nexec sleep 60\n"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_supervisor(make_server, name):
    """The one there is goes on."""
    made = start(make_server, chaos.site())
    supervisor = kit.supervisor(made)
    upgrade.put(made.work / "module" / "wsgigw-supervisor", BROKEN[name], 0o755)
    made.graceful()
    made.expect_log("WGW0137")
    made.expect_log("WGW0139: .* cannot be run")
    assert kit.supervisors(made.pid) == [supervisor]
    chaos.goes_on(made)
