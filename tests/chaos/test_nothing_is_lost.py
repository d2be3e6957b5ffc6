"""Whatever replaces processes in order costs no request, and none is served twice.

Each test applies one cause again and again while the numbered client runs, and proves that it took
effect several times.
"""
import itertools
import signal
import time

import pytest

import chaoskit as chaos
from chaoskit import kit
from numbered import CONNECTIONS, QUICK, REQUESTS, Load

from harness import eventually

MODES = ("daemon",)
MPMS = ("event",)
TIMES = 6 if chaos.IS_LONG else 3
VISIBLE_S = 15
"""What is sent this long after a change must be answered by the new code, whatever happened."""


# --- httpd restarts ------------------------------------------------------------------------

def test_graceful_restarts(make_server):
    """The default, graceful=reload: other processes each time."""
    made = chaos.start(make_server, chaos.site())
    with Load(made) as load:
        times = chaos.repeatedly(load, made.graceful, TIMES, 1)
    result = load.result()
    chaos.nothing_lost(result)
    # One that comes while the processes of the one before are starting needs no others.
    assert times >= TIMES and len(result.pids) > TIMES and chaos.starts(made) > 2 * TIMES


def test_graceful_restarts_with_other_options(make_server):
    """Another number of processes and of threads each time, and an environment that shows which."""
    options = ("processes=1 threads=20", "processes=3 threads=8", "processes=2 threads=16")
    made = chaos.start(make_server, chaos.site(pool=f"{options[-1]} env=ROUND=0"))
    rounds = []

    def change():
        rounds.append(len(rounds) + 1)
        made.write_config(chaos.site(pool=f"{options[len(rounds) % 3]} env=ROUND={rounds[-1]}"))
        made.graceful()
    with Load(made) as load:
        chaos.repeatedly(load, change, TIMES, 1)
    chaos.nothing_lost(load.result())
    eventually(lambda: kit.inside(made, "result = os.environ['ROUND']", "/i") == str(rounds[-1]),
               "a process of the last configuration")
    wanted = (1, 3, 2)[len(rounds) % 3]
    eventually(lambda: len(chaos.members(made)) == wanted, f"{wanted} processes")


def test_graceful_keep(make_server):
    """graceful=keep: the processes of a pool that did not change stay."""
    made = chaos.start(make_server, chaos.site("graceful=keep"))
    before = set(chaos.victims(made))
    with Load(made) as load:
        chaos.repeatedly(load, made.graceful, TIMES, 1)
    result = load.result()
    chaos.nothing_lost(result)
    assert result.pids <= before and set(chaos.members(made)) == before
    made.write_config(chaos.site("graceful=keep env=CHANGED=1"))
    made.graceful()
    eventually(lambda: not set(chaos.members(made)) & before, "other processes, as the pool changed")


# --- the script changes --------------------------------------------------------------------

def test_touched_scripts(make_server):
    """Another time of modification: other processes, the same code."""
    made = chaos.start(make_server, chaos.site())
    with Load(made) as load:
        times = chaos.repeatedly(load, lambda: chaos.touch(made), TIMES, 1)
    result = load.result()
    chaos.nothing_lost(result)
    assert times >= TIMES and len(result.pids) >= TIMES and result.versions == {"1"}


def test_new_versions(make_server):
    """What is sent after a change is answered by the new code, at the latest after VISIBLE_S."""
    made = chaos.start(make_server, chaos.site())
    changes = []

    def change():
        chaos.deploy(made, str(len(changes) + 2))
        changes.append(time.monotonic())
    with Load(made) as load:
        chaos.repeatedly(load, change, TIMES, 1)
        last = str(len(changes) + 1)
        eventually(lambda: load.recent()[-1].version == last, f"version {last}")
    result = load.result()
    chaos.nothing_lost(result)
    assert len(result.versions) >= 3, result
    for version, moment in enumerate(changes, 2):
        late = result.sent_after(moment + VISIBLE_S)
        assert all(int(one.version) >= version for one in late), (version, result)
    assert answers(made, 20) == {last}


def answers(made, count):
    """Return the versions that a few requests get."""
    with Load(made, count=count, mix=QUICK) as load:
        pass
    return load.result().versions


# --- limits of a process -------------------------------------------------------------------

LIMITS = {
    "maximum-requests": ("maximum-requests=150,50", ""),
    "restart-interval": ("restart-interval=1", ""),
    "memory-reload": ("memory-reload=60M", "&do=grow"),
    "cpu-time-limit": ("cpu-time-limit=1", "&do=burn"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(make_server, name):
    """A process that has reached a limit is replaced before it takes nothing more."""
    options, extra = LIMITS[name]
    made = chaos.start(make_server, chaos.site(options))
    with Load(made, extra=extra) as load:
        eventually(lambda: chaos.starts(made) >= 2 + TIMES, f"{TIMES} processes more", 45)
    result = load.result()
    chaos.nothing_lost(result)
    assert len(result.pids) >= TIMES


def test_inactivity_timeout(make_server):
    """A pool that nobody asks gets other processes, and loses nothing when it is asked again."""
    made = chaos.start(make_server, chaos.site("inactivity-timeout=1"))
    pids = set()
    for _ in range(3):
        with Load(made, count=REQUESTS // 4, mix=QUICK) as load:
            pass
        result = load.result()
        assert not (result.failed or result.twice or result.unseen), result
        assert not result.pids & pids
        pids |= result.pids
        eventually(lambda: not set(chaos.members(made)) & pids, "the end of idle processes")


def test_elastic_pool(make_server):
    """processes=1-4: it grows when requests wait, and shrinks when they do not."""
    made = chaos.start(make_server, chaos.site("idle-timeout=1", pool="processes=1-4 threads=2"))
    assert len(chaos.members(made)) == 1
    with Load(made, mix=QUICK._replace(medium_every=4)) as load:
        for _ in range(2):
            load.width = CONNECTIONS
            eventually(lambda: len(chaos.members(made)) >= 3, "a larger pool")
            load.width = 1
            eventually(lambda: len(chaos.members(made)) == 1, "a pool of one process")
        load.width = CONNECTIONS
    result = load.result()
    chaos.nothing_lost(result)
    assert len(result.pids) >= 5 and len(chaos.members(made)) <= 4


# --- the administrator ---------------------------------------------------------------------

def test_sigusr1(make_server):
    """kill -USR1 of a daemon process asks for another one in its place."""
    made = chaos.start(make_server, chaos.site())
    hit = set()
    with Load(made) as load:
        chaos.repeatedly(load, lambda: hit.add(chaos.hit(made, signal.SIGUSR1, hit)), TIMES, 1)
        eventually(lambda: all(map(kit.is_gone, hit - {0})), "the end of those", 45)
    result = load.result()
    chaos.nothing_lost(result)
    assert len(hit - {0}) >= TIMES and len(result.pids) > TIMES
    assert not made.log.find("WGW010[37]")


def test_orders_at_the_control_socket(make_server):
    """`wsgigw reload`: of the pool, and of all, answered when it is done and before."""
    made = chaos.start(make_server, chaos.site())
    words = itertools.cycle((("chaos", "--wait"), (), ("--wait",), ("chaos",)))
    with Load(made) as load:
        times = chaos.repeatedly(load, lambda: chaos.order_reload(made, *next(words)), TIMES, 1)
    result = load.result()
    chaos.nothing_lost(result)
    assert times >= TIMES and len(result.pids) > TIMES


def test_sigusr1_to_all(make_server):
    """To all processes of the pool at once: never all of them go at once."""
    made = chaos.start(make_server, chaos.site())
    hit = []

    def hit_all():
        hit.append([pid for pid in chaos.victims(made) if chaos.send_signal(pid, signal.SIGUSR1)])
    with Load(made) as load:
        chaos.repeatedly(load, hit_all, TIMES, 2)
    result = load.result()
    chaos.nothing_lost(result)
    assert sum(map(len, hit)) >= 2 * TIMES - 1
    assert len(result.pids) > TIMES
