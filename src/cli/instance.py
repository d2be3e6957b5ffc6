"""A private httpd on loopback: where the program is, which modules it has, a server
root of its own, files its user can read, start and stop.

Used by serve.py and by bench/run.py. Must not know what either of them serves, and
must not parse Python applications.
"""

from __future__ import annotations

import ctypes
import errno
import grp
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterable

MPM_PREFERENCE = ("event", "worker", "prefork")
SERVER_USERS = ("www-data", "apache", "http", "nobody", "daemon")
TEMPORARY_DIRECTORIES = ("/tmp", "/var/tmp")

STAGE_LIMIT_BYTES = 64 * 1024 * 1024
STAGE_LIMIT_FILES = 5000
# Not copied: version control, virtual environments, caches, other people's packages.
STAGE_SKIPPED_DIRECTORIES = {"__pycache__", "node_modules", "venv", "env"}

STOP_TIMEOUT_S = 10.0
PR_SET_PDEATHSIG = 1


class Problem(Exception):
    """Something the person at the terminal has to change. The text says what is
    wrong, where, and what to do."""


def die_with_parent(signum: int = signal.SIGTERM) -> None:
    """Ask the kernel (Linux only) for a signal when our parent ends."""
    try:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    except (OSError, AttributeError):
        pass


def conf_quote(text: str | os.PathLike[str]) -> str:
    """One httpd configuration argument. Raises Problem for what no quoting can carry."""
    text = os.fspath(text)
    if any(ord(c) < 32 for c in text):
        raise Problem(f"{text!r} contains a control character; httpd's configuration cannot name it")
    if "${" in text:
        raise Problem(f"{text!r} contains '${{', which httpd's configuration would expand")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# --- the user that serves ---------------------------------------------------


@dataclass(frozen=True)
class ServerUser:
    """Whom httpd's children run as when it is started by root."""

    name: str
    uid: int
    gid: int
    group: str

    @classmethod
    def find(cls) -> "ServerUser | None":
        """None unless we are root."""
        if os.geteuid() != 0:
            return None
        for name in SERVER_USERS:
            try:
                entry = pwd.getpwnam(name)
                group = grp.getgrgid(entry.pw_gid).gr_name
            except KeyError:
                continue
            if entry.pw_uid != 0:
                return cls(name, entry.pw_uid, entry.pw_gid, group)
        raise Problem(
            "started as root, and none of these users exists to serve as: "
            + ", ".join(SERVER_USERS) + "\nStart it as an ordinary user instead."
        )

    def conf_lines(self) -> str:
        return f"User {self.name}\nGroup {self.group}\n"


def _as_user(user: ServerUser | None, check: Callable[[], bool]) -> bool:
    """Run a check in a process with that user's rights. Mode bits alone do not tell:
    there are ACLs, and every directory above counts."""
    if user is None:
        return check()
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            os.setgroups(os.getgrouplist(user.name, user.gid))
            os.setgid(user.gid)
            os.setuid(user.uid)
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def readable_by(user: ServerUser | None, path: Path) -> bool:
    """Can the user open this file, or list and enter this directory?"""
    def check() -> bool:
        wanted = os.R_OK | os.X_OK if path.is_dir() else os.R_OK
        return os.access(path, wanted)

    return _as_user(user, lambda: _quietly(check))


def _quietly(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except OSError:
        return False


# --- httpd and its modules --------------------------------------------------


@dataclass
class Httpd:
    """One installed httpd, found through apxs."""

    apxs: str
    program: Path
    module_dir: Path
    static_modules: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def find(cls, apxs: str | None) -> "Httpd":
        apxs = apxs or shutil.which("apxs") or shutil.which("apxs2")
        if not apxs or not shutil.which(apxs):
            raise Problem(
                f"apxs not found{f' at {apxs}' if apxs else ''}: it tells where httpd is.\n"
                "Run ./bootstrap.sh, or configure with --with-apxs=PATH."
            )
        query = lambda name: _run([apxs, "-q", name]).strip()
        program = Path(query("SBINDIR")) / query("PROGNAME")
        if not os.access(program, os.X_OK):
            raise Problem(
                f"there is no httpd at {program}, where {apxs} says it is.\n"
                "Install it (./bootstrap.sh does so on Debian: package apache2-bin)."
            )
        listing = _run([str(program), "-l"])
        static = frozenset(re.findall(r"^\s+(\S+)\.c$", listing, re.M))
        return cls(apxs, program, Path(query("LIBEXECDIR")), static)

    def query(self, name: str) -> str:
        return _run([self.apxs, "-q", name]).strip()

    def version(self) -> str:
        match = re.search(r"Apache/\S+", _run([str(self.program), "-v"]))
        return match.group(0) if match else "Apache httpd"

    def choose_mpm(self, wanted: str | None = None) -> str:
        """The first MPM there is, by preference."""
        for name in (wanted,) if wanted else MPM_PREFERENCE:
            if name in self.static_modules or self._module_file(f"mpm_{name}").is_file():
                return name
        raise Problem(
            f"this httpd has no {wanted or 'MPM'} module: looked for "
            + ", ".join(f"mod_mpm_{m}.so" for m in ((wanted,) if wanted else MPM_PREFERENCE))
            + f" in {self.module_dir}"
        )

    def load_line(self, name: str) -> str:
        """The LoadModule line of a module of httpd's own; "" when it is linked in."""
        if f"mod_{name}" in self.static_modules or name.removeprefix("mpm_") in self.static_modules:
            return ""
        file = self._module_file(name)
        if not file.is_file():
            raise Problem(f"this httpd lacks its own module mod_{name}: there is no {file}")
        return f"LoadModule {name}_module {conf_quote(file)}\n"

    def load_lines(self, names: Iterable[str]) -> str:
        return "".join(self.load_line(name) for name in names)

    def _module_file(self, name: str) -> Path:
        return self.module_dir / f"mod_{name}.so"


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except OSError as error:
        raise Problem(f"cannot run {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise Problem(f"{shlex.join(command)} failed:\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@dataclass
class OwnModule:
    """What `make print-loadmodule` prints: our LoadModule line and its companions."""

    text: str
    files: list[Path]

    @classmethod
    def parse(cls, text: str) -> "OwnModule":
        words = [shlex.split(line) for line in text.splitlines() if line.strip()]
        loads = [w for w in words if w[0].lower() == "loadmodule" and len(w) == 3]
        if not loads:
            raise Problem("the module is not built: run make first "
                          "(make print-loadmodule names no LoadModule line)")
        files = [Path(w[-1]) for w in words if len(w) > 1 and w[-1].startswith("/")]
        for file in files:
            if not file.is_file():
                raise Problem(f"the module is not built: there is no {file}\nRun make first.")
        return cls(text.strip() + "\n", files)

    def staged(self, root: "ServerRoot") -> str:
        """The lines, naming copies of those files that the server's user cannot read."""
        text = self.text
        for file in self.files:
            if not readable_by(root.user, file):
                text = text.replace(str(file), str(root.stage_file(file, "modules")))
        return text


# --- the server root --------------------------------------------------------


class ServerRoot:
    """A fresh directory with everything one httpd writes. Removed at close().

    Never a predictable name: somebody else could have made it before us.
    """

    def __init__(self, purpose: str, user: ServerUser | None) -> None:
        self.user = user
        self.path = Path(tempfile.mkdtemp(prefix=f"wsgigw-{purpose}-", dir=self._parent(user)))
        self._share(self.path)
        for name in ("logs", "run", "htdocs"):
            (self.path / name).mkdir()
            self._share(self.path / name)
        self.error_log = self.path / "logs" / "error.log"
        self.error_log.touch()

    @staticmethod
    def _parent(user: ServerUser | None) -> str:
        wanted = tempfile.gettempdir()
        for directory in (wanted, *TEMPORARY_DIRECTORIES):
            if Path(directory).is_dir() and readable_by(user, Path(directory)):
                return directory
        return wanted

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name: str, content: str | bytes) -> Path:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        target.write_bytes(data)
        self._share(target.parent)
        self._share(target)
        return target

    def stage_file(self, file: Path, folder: str) -> Path:
        target = self.path / folder / file.name
        target.parent.mkdir(exist_ok=True)
        self._share(target.parent)
        shutil.copy(file, target)
        self._share(target)
        return target

    def stage_tree(self, tree: Path, folder: str) -> Path:
        """Copy a directory. Raises Problem when it is larger than the limits.

        Symbolic links are copied as links: following them as root could show the
        server's user what it must not read.
        """
        measured = _measure(tree)
        if measured is None:
            raise Problem(
                f"{tree} is too large to copy (more than {STAGE_LIMIT_FILES} files or "
                f"{STAGE_LIMIT_BYTES // 1024 // 1024} MiB)"
            )
        target = self.path / folder
        target.mkdir()
        self._share(target)
        for source in measured:
            copy = target / source.relative_to(tree)
            if source.is_symlink():
                copy.symlink_to(os.readlink(source))
            elif source.is_dir():
                copy.mkdir()
                self._share(copy)
            else:
                shutil.copyfile(source, copy)
                shutil.copystat(source, copy)
                self._share(copy)
        return target

    def _share(self, path: Path) -> None:
        """Readable by the server's user and by nobody else."""
        if self.user is None:
            return
        mode = stat.S_IMODE(path.stat().st_mode)
        os.chown(path, 0, self.user.gid)
        execute = 0o110 if path.is_dir() or mode & 0o100 else 0
        path.chmod(0o640 | execute)


def _measure(tree: Path) -> list[Path] | None:
    """The entries to copy, parents first; None when over the limits."""
    found: list[Path] = []
    size_bytes = 0
    for directory, subdirectories, files in os.walk(tree):
        subdirectories[:] = sorted(
            d for d in subdirectories if not d.startswith(".") and d not in STAGE_SKIPPED_DIRECTORIES
        )
        for name in subdirectories + sorted(files):
            path = Path(directory, name)
            kind = path.lstat()
            if not (stat.S_ISREG(kind.st_mode) or stat.S_ISDIR(kind.st_mode) or stat.S_ISLNK(kind.st_mode)):
                continue
            found.append(path)
            size_bytes += kind.st_size if stat.S_ISREG(kind.st_mode) else 0
            if len(found) > STAGE_LIMIT_FILES or size_bytes > STAGE_LIMIT_BYTES:
                return None
    return found


# --- ports and the process --------------------------------------------------


def check_port(port: int, host: str = "127.0.0.1") -> None:
    """Raises Problem when nobody can listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise Problem(_port_problem(error, host, port)) from error


def _port_problem(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (f"port {port} on {host} is taken by another program.\n"
                f"Choose another, for example PORT={free_port(host, port + 1)}, or stop that program.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"you may not listen on port {port}: ports below 1024 need root.\nChoose PORT=8000 or above."
    return f"cannot listen on {host}:{port}: {error.strerror}"


def free_port(host: str = "127.0.0.1", first: int = 0) -> int:
    """A port that is free at this moment: the first one from `first` on, or any."""
    for candidate in [*range(first, min(first + 100, 65536)), 0] if first else [0]:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
                return int(probe.getsockname()[1])
            except OSError:
                continue
    raise Problem(f"no free port on {host}")


class RunningHttpd:
    """httpd in the foreground, in a session of its own: a Ctrl-C on the terminal
    reaches us alone, and we stop it in order."""

    def __init__(self, httpd: Httpd, root: ServerRoot, conf: Path, port: int) -> None:
        self.port = port
        command = [str(httpd.program), "-d", str(root.path), "-f", str(conf), "-DFOREGROUND"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=die_with_parent
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> bool:
        return self.process.poll() is not None

    def listening(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def wait_listening(self, timeout_s: float = 15.0) -> bool:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not self.ended():
            if self.listening():
                # Whoever answers, it is ours only if ours lives.
                return not self.ended()
            time.sleep(0.05)
        return False

    def children(self) -> list[int]:
        """Process ids of httpd's children."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    after_name = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(after_name[1]) == self.pid:
                    found.append(int(entry.name))
        return sorted(found)

    def stop(self) -> None:
        """Blocks for STOP_TIMEOUT_S at most, then kills what is left of the session."""
        if not self.ended():
            self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
