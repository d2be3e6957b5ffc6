"""Replacing the processes of a pool many times leaves nothing behind in httpd and the supervisor:
no descriptor, process, socket, memory, and a few lines of log for each.

WGW_CHAOS_REPLACEMENTS: how many times (default 50).
"""
import os
import signal
from typing import NamedTuple

import chaoskit as chaos
from chaoskit import kit
from numbered import CONNECTIONS, QUICK, Load

from harness import checks, eventually, processes

MODES = ("daemon",)
MPMS = ("event",)
REPLACEMENTS = int(os.environ.get("WGW_CHAOS_REPLACEMENTS", "50"))
WARM_UP = 10
PROCESSES = 2
MEMORY_KIB = 4096
"""What httpd and the supervisor may grow by, however often; a leak of 4 KiB each would be seen in a
thousand."""
DESCRIPTORS = CONNECTIONS + 8
LINES = 8
"""For one process: started, ready, told to end, ended, and a reason for each of those."""


class State(NamedTuple):
    """What could grow. By process: descriptors, memory of its own, threads; of the server: the rest."""
    descriptors: dict
    memory_kib: dict
    threads: dict
    process_count: int
    socket_count: int
    shared_count: int
    line_count: int


def state(made):
    """Return what there is now: of httpd's parent, its children and the supervisor."""
    pids = [made.pid, kit.supervisor(made), *kit.httpd_children(made)]
    made.log.poll()
    return State({pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in pids},
                 {pid: chaos.status_number(pid, "RssAnon") for pid in pids},
                 {pid: chaos.status_number(pid, "Threads") for pid in pids},
                 len(processes.family(made.pid)), len(checks.sockets_below(made.root)),
                 len(checks.shared_objects(set())),
                 sum("wsgigw" in record.text for record in made.log.records))


def replace(made):
    """Replace all processes of the pool, and use the new ones from every child of httpd."""
    old = chaos.members(made)
    for pid in old:
        chaos.send_signal(pid, signal.SIGUSR1)
    eventually(lambda: is_replaced(made, set(old)), f"other processes than {old}")
    with Load(made, count=2 * CONNECTIONS, mix=QUICK) as load:
        pass
    result = load.result()
    assert not (result.failed or result.twice or result.unseen), result


def is_replaced(made, old):
    """Say whether the old are gone and the pool is whole."""
    new = set(chaos.members(made))
    return not new & old and len(new) == PROCESSES and new == set(chaos.victims(made))


def test_nothing_grows(make_server):
    made = chaos.start(make_server, chaos.site(pool=f"processes={PROCESSES} threads=16"))
    made.descriptors.forget()
    for _ in range(WARM_UP):
        replace(made)
    before = state(made)
    for _ in range(REPLACEMENTS):
        replace(made)
    after = state(made)
    assert after.descriptors.keys() == before.descriptors.keys(), "a process of httpd was replaced"
    assert chaos.starts(made) >= PROCESSES * (REPLACEMENTS + WARM_UP)
    check_growth(before, after)


def check_growth(before, after):
    """Compare two states."""
    both = f"{before}\n{after}"
    for pid in before.descriptors:
        assert after.descriptors[pid] <= before.descriptors[pid] + DESCRIPTORS, both
        assert after.threads[pid] == before.threads[pid], both
        assert after.memory_kib[pid] <= before.memory_kib[pid] + MEMORY_KIB, both
    assert after.process_count == before.process_count, both
    assert after.socket_count == before.socket_count, both
    assert after.shared_count <= before.shared_count, both
    lines = after.line_count - before.line_count
    assert lines <= LINES * PROCESSES * REPLACEMENTS, both


def test_httpd_restarts_leave_nothing(make_server):
    """The same for graceful restarts, each of which makes a generation of pools."""
    made = chaos.start(make_server, chaos.site(pool=f"processes={PROCESSES} threads=16"))
    times = max(5, REPLACEMENTS // 10)

    def restart():
        old = set(chaos.members(made))
        made.graceful()
        eventually(lambda: is_replaced(made, old), f"other processes than {old}", 60)
    for _ in range(3):
        restart()
    before = of_lasting(made)
    for _ in range(times):
        restart()
    after = of_lasting(made)
    for pid, (descriptors, memory_kib) in before.items():
        assert after[pid][0] <= descriptors + 2, (before, after)
        assert after[pid][1] <= memory_kib + MEMORY_KIB, (before, after)
    assert len(checks.sockets_below(made.root)) <= 8 * PROCESSES, checks.sockets_below(made.root)


def of_lasting(made):
    """Return descriptors and memory of the two that restarts do not replace."""
    return {pid: (len(os.listdir(f"/proc/{pid}/fd")), chaos.status_number(pid, "RssAnon"))
            for pid in (made.pid, kit.supervisor(made))}
