"""Process trees and descriptors, read from /proc."""
import ctypes
import os
import pathlib
import signal
from typing import NamedTuple

from .waiting import eventually

PR_SET_CHILD_SUBREAPER = 36


class Process(NamedTuple):
    """One process; pid and start time together name it for ever."""
    pid: int
    start_time: int


def adopt_orphans() -> None:
    """Make orphans of servers our children, so that they are found and can be reaped."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def fields(pid: int) -> list:
    """Return the fields of /proc/PID/stat from the state on; [] if there is no such process."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def family(leader: int) -> set:
    """Return the process `leader`, its descendants and all members of its session."""
    parents, members = {}, {leader}
    for name in filter(str.isdigit, os.listdir("/proc")):
        stat = fields(int(name))
        if stat:
            parents[int(name)] = int(stat[1])
            if int(stat[3]) == leader:
                members.add(int(name))
    grown = True
    while grown:
        below = {pid for pid, parent in parents.items() if parent in members}
        grown = not below <= members
        members |= below
    return {Process(pid, int(fields(pid)[19])) for pid in members if fields(pid)}


def alive(process: Process) -> bool:
    """Say whether the process still exists; a zombie of ours is reaped, any other one exists."""
    stat = fields(process.pid)
    if not stat or int(stat[19]) != process.start_time:
        return False
    if stat[0] == "Z" and int(stat[1]) == os.getpid():
        os.waitpid(process.pid, os.WNOHANG)
        return False
    return True


def stop(pid: int) -> None:
    """Send SIGSTOP and return when each thread has stopped: kill() returns before they have."""
    os.kill(pid, signal.SIGSTOP)
    threads = pathlib.Path(f"/proc/{pid}/task")
    eventually(lambda: {fields(int(thread.name))[0] for thread in threads.iterdir()} == {"T"},
               f"process {pid} to stop")


def descriptor_count(process: Process) -> int:
    """Return the number of open descriptors, 0 if the process is gone."""
    try:
        return len(os.listdir(f"/proc/{process.pid}/fd"))
    except OSError:
        return 0


def describe(process: Process) -> str:
    """Return pid, state and command line for a message."""
    try:
        command = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
    except OSError:
        command = b"?"
    return f"{process.pid} {''.join(fields(process.pid)[:1])} " \
           f"{command.replace(bytes(1), b' ').decode(errors='replace')}"


def shared_segments(pids: set) -> set:
    """Return the System V shared memory segments created or last used by any of `pids`."""
    return {f"shm id {row[1]}" for row in ipc_table("shm") if pids & {int(row[4]), int(row[5])}}


def semaphore_sets() -> set:
    """Return the ids of all System V semaphore sets; they carry no creator's pid."""
    return {f"sem id {row[1]}" for row in ipc_table("sem")}


def ipc_table(kind: str) -> list:
    """Return the rows of /proc/sysvipc/KIND as lists of words."""
    try:
        rows = pathlib.Path(f"/proc/sysvipc/{kind}").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    return [row.split() for row in rows[1:]]


def open_connections(ports: set) -> int:
    """Return how many TCP sockets have one of `ports` on their own side and are not over."""
    rows = pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    over = {"06", "0A"}                                                  # TIME_WAIT, LISTEN
    return sum(int(row[1].rpartition(":")[2], 16) in ports and row[3] not in over
               for row in map(str.split, rows))


def posix_shared_memory() -> set:
    """Return the names below /dev/shm: POSIX shared memory and semaphores."""
    try:
        return {f"/dev/shm/{name}" for name in os.listdir("/dev/shm")}
    except OSError:
        return set()
