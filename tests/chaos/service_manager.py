"""A service manager in small: runs a command in a session of its own, and kills whatever is left
the moment its main process has gone, as systemd does with KillMode=mixed.

    service_manager.py REPORT COMMAND...

SIGTERM, SIGWINCH, SIGUSR1 and SIGHUP are passed on to the main process alone.  REPORT gets one line of
JSON: the exit status, and the command lines of those that were killed.
"""
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36
PASSED_ON = (signal.SIGTERM, signal.SIGWINCH, signal.SIGUSR1, signal.SIGHUP)


def parents():
    """Return the parent of each process that is no zombie."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = pathlib.Path(f"/proc/{name}/stat").read_text(encoding="latin-1")
        except OSError:
            continue
        state, parent = text.rpartition(")")[2].split()[:2]
        if state not in "ZX":
            found[int(name)] = int(parent)
    return found


def descendants():
    """Return all processes below this one: orphans come to it, whatever session they have made."""
    above, members, grown = parents(), {os.getpid()}, True
    while grown:
        below = {pid for pid, parent in above.items() if parent in members}
        grown = not below <= members
        members |= below
    return members - {os.getpid()}


def command_line(pid):
    """Return what a process runs, and its id."""
    try:
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        words = b"?"
    return f"{pid} {words.decode(errors='replace').strip()}"


def kill_rest():
    """Kill what is left, until nothing is; return what that was."""
    killed = {}
    while True:
        left = descendants()
        if not left:
            return sorted(killed.values())
        for pid in left:
            killed.setdefault(pid, command_line(pid))
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def main(report, *command):
    """Run the command to its end; kill the rest; report."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    main_process = subprocess.Popen(command, start_new_session=True)
    for number in PASSED_ON:
        signal.signal(number, lambda number, _: main_process.send_signal(number))
    status = main_process.wait()
    left = kill_rest()
    pathlib.Path(report).write_text(json.dumps({"status": status, "left": left}) + "\n",
                                    encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
