"""All causes and all faults together, under load, for WGW_SOAK_SECONDS (default 10; `make soak`: 1200).

What fails must have begun in a process that was hit, in every round; httpd and the supervisor must not grow.
"""
import collections
import os
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))

import chaoskit as chaos  # noqa: E402  (found by the path above)
from chaoskit import kit  # noqa: E402
from numbered import CONNECTIONS, Load, Mix  # noqa: E402

from harness.waiting import settled  # noqa: E402

MODES = ("daemon",)
MPMS = ("event",)
SECONDS = float(os.environ.get("WGW_SOAK_SECONDS", "10"))
ROUND_S = 60
OPTIONS = ("startup-timeout=3 maximum-requests=2000,500 restart-interval=20 memory-reload=120M "
           "memory-limit=600M idle-timeout=5")
MIX = Mix(slow_ms=6000 if SECONDS > 60 else 2000, slow_every=200)
GROWTH_KIB = 2048
DESCRIPTORS = 16


class Mixed:
    """One server, and all that can be done to it; `done` counts what was."""

    def __init__(self, made):
        self.made, self.load = made, None
        self.culprits, self.stopped = set(), set()
        self.version, self.done = 1, collections.Counter()
        self.deeds = [self.graceful, self.other_options, self.touch, self.new_version, self.broken,
                      self.usr1, self.order, self.narrow, self.kill, self.fault, self.exit, self.segv, self.leak,
                      self.stop]

    # --- in order ----------------------------------------------------------------------

    def graceful(self):
        """Restart httpd."""
        self.made.graceful()

    def other_options(self):
        """Restart httpd with another number of threads."""
        self.made.write_config(site(threads=6 + self.done["other_options"] % 5))
        self.made.graceful()

    def touch(self):
        """Change the script's time."""
        chaos.touch(self.made)

    def new_version(self):
        """Change the script's text."""
        self.version += 1
        chaos.deploy(self.made, str(self.version))

    def broken(self):
        """Put a script in place that does not import, and repair it."""
        chaos.replace_script(self.made, "import wgw_no_such_module\n")
        time.sleep(1.5)
        self.new_version()

    def usr1(self):
        """Ask for another process in the place of each."""
        for pid in chaos.victims(self.made):
            chaos.send_signal(pid, signal.SIGUSR1)

    def order(self):
        """Reload by the command."""
        chaos.order_reload(self.made)

    def narrow(self):
        """Let the pool shrink, then grow."""
        self.load.width = 1
        time.sleep(min(SECONDS / 10, 7))
        self.load.width = CONNECTIONS

    # --- faults --------------------------------------------------------------------------

    def kill(self):
        """kill -9 of a process."""
        self.culprits.add(chaos.hit(self.made, signal.SIGKILL))

    def fault(self):
        """SIGSEGV to a process."""
        self.culprits.add(chaos.hit(self.made, signal.SIGSEGV))

    def exit(self):
        """os._exit() in the application."""
        self._misbehave("exit")

    def segv(self):
        """A fault in the application."""
        self._misbehave("segv")

    def leak(self):
        """A process that leaks up to its limit, and ends there."""
        self._misbehave("leak")

    def stop(self):
        """A process that stands still for a while."""
        pid = chaos.hit(self.made, signal.SIGSTOP)
        self.stopped.add(pid)
        time.sleep(1)
        chaos.let_go_on([pid] if pid else [])
        self.stopped.clear()

    def _misbehave(self, deed):
        outcome = self.load.send(f"&do={deed}")
        seen = {one.number: one.pid for one in self.load.result().record}
        self.culprits.add(seen.get(outcome.number, 0))

    # --- rounds --------------------------------------------------------------------------

    def round(self, chance, end_s):
        """Do everything once in any order, under load; judge."""
        with Load(self.made, count=0, mix=MIX, pace_s=0.02, limit_s=10 * ROUND_S) as self.load:
            for deed in chance.sample(self.deeds, len(self.deeds)):
                if time.monotonic() > end_s:
                    break
                deed()
                self.done[deed.__name__] += 1
                time.sleep(1)
        result = self.load.result()
        chaos.only_under_way(result, self.culprits, (500, 502), least=1)
        self.done["requests"] += len(result.outcomes)
        self.done["failed"] += len(result.failed)
        self.done["processes"] += len(result.pids)


def site(threads=8):
    """Return the site: a pool with every limit that replaces processes."""
    return chaos.site(OPTIONS, pool=f"processes=2-4 threads={threads}")


def sizes(made):
    """Return memory and descriptors of httpd's parent and of the supervisor."""
    return {pid: (chaos.status_number(pid, "RssAnon"), len(os.listdir(f"/proc/{pid}/fd")))
            for pid in (made.pid, kit.supervisor(made))}


def has_grown(before, after):
    """Say whether one of them has become larger than it may."""
    return before.keys() != after.keys() or any(
        after[pid][0] > before[pid][0] + GROWTH_KIB or after[pid][1] > before[pid][1] + DESCRIPTORS
        for pid in before)


def test_mixed(make_server):
    made = chaos.start(make_server, site())
    chaos.allow_faults(made)
    chaos.allow_broken_imports(made)
    made.allow_log("wgw_no_such_module|MemoryError|cannot allocate memory|WGW0065")
    made.allow_request("MemoryError|WGW0008")
    made.descriptors.forget()
    mixed, chance = Mixed(made), random.Random(4)
    end_s, before = time.monotonic() + SECONDS, None
    try:
        while time.monotonic() < end_s:
            mixed.round(chance, end_s)
            before = before or sizes(made)
    finally:
        chaos.let_go_on(mixed.stopped - {0})
    print(f"{SECONDS:.0f} s: {dict(mixed.done)}")
    chaos.goes_on(made)
    settled(lambda: not has_grown(before, sizes(made)), 30)
    assert not has_grown(before, sizes(made)), (before, sizes(made))
