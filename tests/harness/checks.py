"""What must hold after every test of a server and after its end (STYLE.md habit 13)."""
import pathlib
import stat
from typing import TYPE_CHECKING, Dict, List

from harness import processes
from harness.waiting import settled

if TYPE_CHECKING:
    from harness.server import Server

DESCRIPTOR_SLACK = 8
"""Descriptors a process may have beyond its baseline: connections that are just closing."""
SETTLE_S = 5.0


class Descriptors:
    """Watches the descriptor counts of all processes of one server."""

    def __init__(self, kept_connections: int = 0) -> None:
        """`kept_connections`: that a process may keep to those of a pool."""
        self._slack = DESCRIPTOR_SLACK + kept_connections
        self._baseline: Dict[processes.Process, int] = {}

    def forget(self) -> None:
        """Begin anew after a test that has left connections to daemon processes to be kept."""
        self._baseline.clear()

    def grown(self, members: set) -> List[str]:
        """Return a line for each process that has more descriptors than when first seen.

        The first call for a process is its warm-up.  A count that is too high gets a few
        seconds to sink: a closing connection is no leak.  Growth is reported once, for the
        test that caused it.
        """
        for process in members - self._baseline.keys():
            self._baseline[process] = processes.descriptor_count(process)
        settled(lambda: not self._over(members), SETTLE_S)
        lines = []
        for process in self._over(members):
            count = processes.descriptor_count(process)
            lines.append(f"descriptors grew from {self._baseline[process]} to {count}: "
                         f"{processes.describe(process)}")
            self._baseline[process] = count
        return lines

    def _over(self, members: set) -> list:
        return [process for process in members if processes.descriptor_count(process)
                > self._baseline[process] + self._slack]


def after_test(server: "Server") -> List[str]:
    """Return what is wrong with a running server after a test; start the next account."""
    problems = [f"unexpected in {record.file}: {record.text}"
                for record in server.log.unexpected()]
    server.log.end_test()
    if not server.is_running():
        return problems
    members = server.remember_processes()
    problems += server.descriptors.grown(members)
    return problems


def after_stop(server: "Server") -> List[str]:
    """Return what a stopped server left behind."""
    problems = [f"unexpected in {record.file}: {record.text}"
                for record in server.log.unexpected()]
    server.log.end_test()
    known = server.known_processes
    settled(lambda: not any(map(processes.alive, known)), SETTLE_S)
    problems += [f"process left: {processes.describe(process)}"
                 for process in known if processes.alive(process)]
    problems += [f"socket left: {path}" for path in sockets_below(server.root)]
    problems += [f"left: {name}" for name in
                 sorted(shared_objects({process.pid for process in known})
                        - server.shared_before)]
    return problems


def shared_objects(pids: set) -> set:
    """Return the shared memory and semaphores that may belong to a server of these pids."""
    return (processes.shared_segments(pids) | processes.semaphore_sets()
            | processes.posix_shared_memory())


def sockets_below(folder: pathlib.Path) -> List[pathlib.Path]:
    """Return the Unix socket files in `folder` and below it."""
    return [path for path in folder.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]
