"""A process that dies or stops costs the requests that were running in it, and no others.

Each of those gets 502, or a response that looks cut; none hangs, none is served twice.
"""
import signal
import time

import pytest

import chaoskit as chaos
from chaoskit import kit
from numbered import CONNECTIONS, QUICK, Load

MODES = ("daemon",)
MPMS = ("event",)
TIMES = 10 if chaos.IS_LONG else 4
POOL = "processes=3 threads=16"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=lambda one: one.name)
def test_killed_every_second(make_server, number):
    """The eldest process each time; another one takes its place."""
    made = chaos.start(make_server, chaos.site(pool=POOL))
    chaos.allow_faults(made)
    killed = []
    with Load(made) as load:
        times = chaos.repeatedly(load, lambda: killed.append(chaos.hit(made, number)), TIMES, 1)
    chaos.only_under_way(load.result(), set(killed))
    assert len(set(killed) - {0}) > times / 2, "there was no process that could be killed"
    made.expect_log(f"WGW0103: process .* signal {number.value} ", count=len(set(killed) - {0}))
    chaos.goes_on(made)


@pytest.mark.parametrize("deed", ["exit", "segv"])
def test_ended_by_the_application(make_server, deed):
    """os._exit() and a fault in a request: that request gets 502, the others of its process too."""
    made = chaos.start(make_server, chaos.site(pool=POOL))
    chaos.allow_faults(made)
    culprits = []
    with Load(made) as load:
        chaos.repeatedly(load, lambda: culprits.append(load.send(f"&do={deed}")), TIMES, 1)
    result = load.result()
    assert {(one.problem, one.status) for one in culprits} == {("status", 502)}, result
    chaos.only_under_way(result, {result.seen[one.number].pid for one in culprits})
    made.expect_log("WGW0107: .*3" if deed == "exit" else "WGW0103: .*signal 11 ", count=TIMES)
    chaos.goes_on(made)


def test_leak_to_the_memory_limit(make_server):
    """A process that leaks all it may have, and ends there: what was in it gets 502, or 500 where
    Python could still say MemoryError; the requests of the other processes do not notice."""
    made = chaos.start(make_server, chaos.site("memory-limit=250M", pool=POOL))
    chaos.allow_faults(made)
    made.allow_request("MemoryError|WGW0008")
    made.allow_log("MemoryError|Traceback|WGW0065|cannot allocate memory")
    leaks = []
    with Load(made) as load:
        chaos.repeatedly(load, lambda: leaks.append(load.send("&do=leak")), 3, 1)
    result = load.result()
    assert {one.status for one in leaks} <= {500, 502}, leaks
    leakers = {result.seen[one.number].pid for one in leaks}
    assert len(leakers) == len(leaks)
    chaos.only_under_way(result, leakers, (500, 502))
    made.expect_log("WGW0103: .*signal 6 ", count=len(leaks))
    chaos.goes_on(made)


def test_stopped_process(make_server):
    """SIGSTOP of one process: what was sent to it gets 504 or 502 after socket-timeout; the
    others go on meanwhile, and when it goes on nothing is called a second time."""
    made = chaos.start(make_server, chaos.site("socket-timeout=2", pool=POOL))
    chaos.allow_faults(made)
    # A request whose client was told 504 meanwhile finds, when its process goes on, no more of its body.
    made.allow_log(r"the client has gone|WGW0010|Traceback|wsgi\.input|\^\^")
    stopped = chaos.hit(made, signal.SIGSTOP)
    begin = time.monotonic()
    try:
        with Load(made, mix=QUICK) as load:
            chaos.repeatedly(load, lambda: None, 5, 1)
    finally:
        chaos.let_go_on([stopped])
    time.sleep(1)                        # what it finds in its sockets, it would call now
    result = load.result()
    assert time.monotonic() - begin < (600 if chaos.IS_LONG else 60)
    check_stopped(result, stopped)
    chaos.goes_on(made)
    with Load(made, count=300, mix=QUICK) as load:
        pass
    assert not load.result().failed, load.result()


def check_stopped(result, stopped):
    """Nothing was called twice; what failed was for the stopped process, and was told in time."""
    assert not result.twice and not result.unseen, result
    for outcome in result.failed:
        assert outcome.problem == "cut" or outcome.status in (502, 504), (outcome, result)
        assert result.seen.get(outcome.number, (0, stopped))[1] == stopped, (outcome, result)
        assert outcome.done_s - outcome.sent_s < 20, outcome
    fine = len(result.outcomes) - len(result.failed)
    assert fine > 10 * len(result.failed), result
    assert result.pids - {stopped}, result


def test_signals_to_stopped_process(make_server):
    """A stopped process that is killed in the end costs what it had begun, and nothing else."""
    made = chaos.start(make_server, chaos.site("socket-timeout=10", pool=POOL))
    chaos.allow_faults(made)
    hit = []
    with Load(made) as load:
        for _ in range(3):
            hit.append(chaos.hit(made, signal.SIGSTOP))
            time.sleep(0.5)
            chaos.send_signal(hit[-1], signal.SIGKILL)
            kit.eventually(lambda: kit.is_gone(hit[-1]), "its end")
    chaos.only_under_way(load.result(), hit)
    chaos.goes_on(made)


def test_place_that_waits_for_its_next_process(make_server):
    """A process stands still, collects connections that it does not accept, and is killed; its place
    waits longer each time. What was not accepted goes to the other process, which is idle."""
    made = chaos.start(make_server, chaos.site("socket-timeout=2"))
    chaos.allow_faults(made)
    hit = []
    with Load(made, mix=QUICK) as load:
        for _ in range(3):
            load.width = 2                               # few connections are kept
            kit.eventually(lambda: len(chaos.victims(made)) == 2, "two processes", 30)
            hit.append(chaos.victims(made)[-1])
            chaos.send_signal(hit[-1], signal.SIGSTOP)
            load.width = CONNECTIONS
            time.sleep(0.3)
            chaos.send_signal(hit[-1], signal.SIGKILL)
            kit.eventually(lambda: kit.is_gone(hit[-1]), "its end")
        time.sleep(3)
    chaos.only_under_way(load.result(), hit)
    chaos.goes_on(made)
