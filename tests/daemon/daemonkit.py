"""What the tests of daemon mode share: code inside, a server's processes, other users, venvs.

Knows nothing of frames; tests/worker/wire.py does.
"""
import json
import os
import pathlib
import pwd
import subprocess
import sys
import threading
from typing import Callable, List, Optional

from harness import Server, eventually, processes, stage, system

PYTHON = next(iter(path for path in ("/usr/bin/python3", sys.executable) if os.path.exists(path)))
OTHERS = ("nobody", "daemon", "games", "bin", "mail")


def inside(server: Server, code: str, target: str = "", **options):
    """Run `code` in the application below `target`; return what it left in `result`."""
    answer = server.post(f"{target}/run", code.encode(), **options)
    assert answer.status == 200 and answer.complete, (answer.status, answer.body)
    return json.loads(answer.body)


def pid_of(server: Server, target: str = "") -> int:
    """Return the id of a daemon process that serves `target`."""
    answer = server.get(f"{target}/pid")
    assert answer.status == 200, (answer.status, answer.body)
    return int(answer.body)


def children(pid: int) -> List[int]:
    """Return the processes whose parent is `pid`."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()
            and processes.fields(int(name))[1:2] == [str(pid)]]


def comm(pid: int) -> str:
    """Return the name of a process, "" if it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def supervisors(parent: int) -> List[int]:
    """Return the supervisors among the children of httpd's parent that are no zombies."""
    return [pid for pid in children(parent) if comm(pid).startswith("wsgigw-superv")
            and processes.fields(pid)[:1] != ["Z"]]


def supervisor(server: Server) -> int:
    """Return the process id of the supervisor."""
    return eventually(lambda: supervisors(server.pid), "a supervisor")[0]


def daemons(server: Server) -> List[int]:
    """Return the daemon processes."""
    return [pid for found in supervisors(server.pid) for pid in children(found)]


def httpd_children(server: Server) -> List[int]:
    """Return the children of httpd that are httpd."""
    return [pid for pid in children(server.pid) if pid not in supervisors(server.pid)
            and processes.fields(pid)[:1] != ["Z"]]


def is_gone(pid: int) -> bool:
    """Say whether a process is no more, or a zombie."""
    return processes.fields(pid)[:1] in ([], ["Z"])


def status_of(pid: int) -> dict:
    """Return /proc/PID/status as names and values."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def account(index: int = 0) -> pwd.struct_passwd:
    """Return an ordinary account that is not httpd's."""
    found = []
    for name in OTHERS:
        try:
            found.append(pwd.getpwnam(name))
        except KeyError:
            continue
    usable = [user for user in found if user.pw_uid and user.pw_gid
              and user.pw_uid != system.server_user().pw_uid]
    return usable[index]


def as_user(user: pwd.struct_passwd, function: Callable):
    """Return what `function` returns (JSON) in a copy of this process that belongs to `user`."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
            os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
            os.write(writer, json.dumps(function(), default=str).encode())
        except BaseException as error:  # a copy of pytest must not go on
            os.write(writer, json.dumps(f"failed: {error!r}").encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def error_of(function: Callable, *arguments) -> str:
    """Return the name of the errno that a call fails with, "" if it succeeds."""
    import errno
    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return ""


def make_venv(name: str, python: str = PYTHON, environment: Optional[dict] = None) -> pathlib.Path:
    """Return a venv of `python` that everybody can read; made once for a session."""
    folder = stage.session_folder() / "venvs" / name
    if not folder.exists():
        subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True,
                       env={"PATH": os.defpath, **(environment or {})})
        folder.parent.chmod(0o755)
        subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    return folder


def site_packages(venv: pathlib.Path) -> pathlib.Path:
    """Return the folder of a venv that takes modules and .pth files."""
    return next(venv.glob("lib/python3*/site-packages"))


class Background:
    """A request in a thread of its own: `answer`, or what went wrong, after join()."""

    def __init__(self, server: Server, target: str, body: Optional[bytes] = None) -> None:
        self._server, self._target, self._body = server, target, body
        self._answer, self._error = None, None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            method = "GET" if self._body is None else "POST"
            self._answer = self._server.request(method, self._target, body=self._body)
        except BaseException as error:
            self._error = error

    def is_answered(self) -> bool:
        """Say whether answer() would return, or raise, at once."""
        return not self._thread.is_alive()

    def answer(self, timeout_s: float = 60):
        """Wait for the answer; raise what the request raised."""
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), f"{self._target} has hung for {timeout_s} s"
        if self._error:
            raise self._error
        return self._answer
