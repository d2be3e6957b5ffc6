"""What the kernel says about a tree of processes: who is in it, CPU time, memory.

Must not know what the processes do.
"""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PARENT, USER_TICKS, SYSTEM_TICKS, START_TICKS = 1, 11, 12, 19  # places after the name in /proc/PID/stat


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    """The fields after the program's name, which may hold anything; [] when it has ended."""
    return _read(pid, "stat").rpartition(")")[2].split()


def tree(top: int) -> dict[int, list[int]]:
    """The processes below `top`, each with its ancestors up to `top`, nearest first."""
    parent = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))):
            parent[int(entry)] = int(fields[PARENT])
    found: dict[int, list[int]] = {top: []}
    for pid in parent:
        line = [pid]
        while line[-1] not in found and line[-1] in parent:
            line.append(parent[line[-1]])
        if line[-1] in found:
            for position, member in enumerate(line[:-1]):
                found[member] = line[position + 1:] + found[line[-1]]
    return found


def cpu_us(top: int) -> dict[int, float]:
    """User and system time of each process of the tree since its start."""
    return {pid: (int(fields[USER_TICKS]) + int(fields[SYSTEM_TICKS])) * 1e6 / TICKS_PER_S
            for pid in tree(top) if (fields := _stat(pid))}


def pss_mib(pid: int) -> float | None:
    """Proportional set size; None where the kernel does not say."""
    match = re.search(r"^Pss:\s+(\d+) kB", _read(pid, "smaps_rollup"), re.M)
    return int(match.group(1)) / 1024 if match else None


def command(pid: int) -> str:
    """Arguments separated by spaces, or the title the process gave itself."""
    return _read(pid, "cmdline").replace("\0", " ").strip()


def identities(top: int) -> dict[int, str]:
    """The processes of the tree with the time of their start: a number may be used again."""
    return {pid: fields[START_TICKS] for pid in tree(top) if (fields := _stat(pid))}


def end_remaining(known: dict[int, str], timeout_s: float) -> list[int]:
    """Wait for those of identities() to end, then kill what is left. Returns: the killed."""
    def alive() -> list[int]:
        return [pid for pid, start in known.items()
                if (fields := _stat(pid)) and fields[START_TICKS] == start and fields[0] != "Z"]

    deadline = time.monotonic() + timeout_s
    while (left := alive()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return left
