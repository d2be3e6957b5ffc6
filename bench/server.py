"""The servers of the benchmark: what they are called, and how each is started, looked
into and stopped. Each has a folder of its own, listens on loopback only, and is ended
by the number of its process.

Must not know the rounds, nor what is printed about them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import process
from work import STATIC_FILES

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent / "src" / "cli"))
from instance import (  # noqa: E402
    STOP_TIMEOUT_S, Httpd, OwnModule, Problem, RunningHttpd, ServerRoot, ServerUser,
    conf_quote, die_with_parent, free_port,
)
import pythons  # noqa: E402

HTTPD_MODULES = ("unixd", "authn_core", "authz_core")
SCRIPTS = {"/wsgi": "hello.wsgi", "/works": "works.wsgi", "/flask": "flask.wsgi", "/spin": "spin.wsgi"}
DAEMON_TITLE = "(wsgi:bench)"
START_TIMEOUT_S = 15.0
NGINX_PROGRAMS = ("nginx", "/usr/sbin/nginx")


@dataclass(frozen=True)
class Kind:
    """One contender. rival: the one to compare with, at the same processes and threads."""

    name: str
    module: str  # "bare", "wsgigw", "mod_wsgi" or "nginx"
    daemon: str = ""  # processes and threads of its daemon; "" is embedded mode
    rival: str = ""
    only: str = ""    # the one work that it takes part in, which is for its like only
    lines: str = ""   # of its configuration
    python: tuple = ()  # least and most version of its Python; () the one of the build


OWN_GIL = ((3, 12), (3, 14))

KINDS = {kind.name: kind for kind in (
    Kind("bare", "bare"),
    Kind("embedded", "wsgigw", rival="mod_wsgi-embedded"),
    Kind("daemon-2x1", "wsgigw", "processes=2 threads=1", rival="mod_wsgi-2x1"),
    Kind("daemon-2x5", "wsgigw", "processes=2 threads=5", rival="mod_wsgi-2x5"),
    Kind("mod_wsgi-embedded", "mod_wsgi"),
    Kind("mod_wsgi-2x1", "mod_wsgi", "processes=2 threads=1"),
    Kind("mod_wsgi-2x5", "mod_wsgi", "processes=2 threads=5"),
    Kind("nginx-uwsgi-2x1", "nginx"),
    Kind("shared-gil", "wsgigw", "processes=1 threads=8", only="spin", python=OWN_GIL),
    Kind("own-gil", "wsgigw", "processes=1 threads=8", rival="shared-gil", only="spin", python=OWN_GIL,
         lines="WSGIPerInterpreterGIL On\n"),
)}


class Server:
    """One running server: its folder, its port, its processes, its logs."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.root = ServerRoot("bench", ServerUser.find())
        self.port = free_port()
        self.logs = [self.root.error_log]
        for name, size in STATIC_FILES.items():
            self.root.write(f"htdocs/{name}", b"\0" * size)
        self.scripts = {path: self.root.write(name, (BENCH / name).read_bytes()) for path, name in SCRIPTS.items()}

    def tops(self) -> list[int]:
        """The processes that were started here: everything else is below them."""
        raise NotImplementedError

    def role(self, pid: int, ancestors: list[int]) -> str:
        """What the process does; "" for one that only watches others."""
        raise NotImplementedError

    def end(self) -> None:
        """Ask it to stop. May return before everything has ended."""
        raise NotImplementedError

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def cpu_us(self) -> dict[int, float]:
        return {pid: used for top in self.tops() for pid, used in process.cpu_us(top).items()}

    def pss_mib(self) -> dict[str, float]:
        """By role, the mean over the processes of that role."""
        sizes: dict[str, list[float]] = {}
        for top in self.tops():
            for pid, ancestors in process.tree(top).items():
                role = self.role(pid, ancestors)
                if role and (size := process.pss_mib(pid)) is not None:
                    sizes.setdefault(role, []).append(size)
        return {role: statistics.mean(found) for role, found in sorted(sizes.items(), reverse=True)}

    def log_end(self, lines: int = 20) -> str:
        return "\n".join(
            f"{log.name} of {self.kind.name} ends with:\n"
            + "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
            for log in self.logs if log.exists() and log.stat().st_size)

    def close(self) -> None:
        known = {pid: start for top in self.tops() for pid, start in process.identities(top).items()}
        self.end()
        left = process.end_remaining(known, STOP_TIMEOUT_S)
        if left:
            print(f"bench: {self.kind.name} left {len(left)} processes behind; they were killed", file=sys.stderr)
        self.root.close()


# --- httpd with one module --------------------------------------------------


class HttpdServer(Server):
    """httpd with the bare handler, with us, or with another WSGI module."""

    def __init__(self, kind: Kind, httpd: Httpd, mpm: str, module_lines: str) -> None:
        super().__init__(kind)
        self.running: RunningHttpd | None = None
        try:
            self._start(httpd, mpm, module_lines)
        except BaseException:
            self.close()
            raise

    def _start(self, httpd: Httpd, mpm: str, module_lines: str) -> None:
        root = self.root
        values = {
            "SERVER_ROOT": conf_quote(root.path),
            "RUN_DIR": conf_quote(root.path / "run"),
            "DOCUMENT_ROOT": conf_quote(root.path / "htdocs"),
            "PORT": str(self.port),
            "IDENTITY": root.user.conf_lines() if root.user else "",
            "HTTPD_MODULES": httpd.load_line(f"mpm_{mpm}") + httpd.load_lines(HTTPD_MODULES),
            "MODULE": OwnModule.parse(module_lines).staged(root),
            "MAX_WORKERS": "2" if mpm == "prefork" else "50",
            "WSGI": self._wsgi_lines(),
        }
        template = (BENCH / "bench.conf.in").read_text(encoding="utf-8")
        conf = root.write("httpd.conf", re.sub(r"@([A-Z_]+)@", lambda m: values[m.group(1)], template))
        self.running = RunningHttpd(httpd, root, conf, self.port)
        if not self.running.wait_listening(START_TIMEOUT_S):
            raise Problem(f"httpd for {self.kind.name} did not start.\n{self.log_end() or 'See its message above.'}")

    def _wsgi_lines(self) -> str:
        if self.kind.module == "bare":
            return "<Location /bare>\n    SetHandler bare\n</Location>\n"
        lines = "WSGIApplicationGroup %{GLOBAL}\nWSGIEnableSendfile On\n"
        if self.kind.daemon:
            lines += ("WSGISocketPrefix run/wsgi\nWSGIProcessGroup bench\n" + self.kind.lines +
                      f"WSGIDaemonProcess bench {self.kind.daemon} display-name={DAEMON_TITLE} {self._python()}\n")
        if self.kind.only:
            return lines + "".join(
                f"WSGIScriptAlias {path} {conf_quote(self.scripts['/spin'])} application-group={path[1:]}\n"
                for path in ("/spin-a", "/spin-b"))
        return lines + "".join(f"WSGIScriptAlias {path} {conf_quote(file)}\n" for path, file in self.scripts.items() if path != "/spin")

    def _python(self) -> str:
        found = pythons.find(*self.kind.python) if self.kind.python else None
        return pythons.options_for(self.root, found) if found else ""

    def tops(self) -> list[int]:
        return [self.running.pid] if self.running else []

    def role(self, pid: int, ancestors: list[int]) -> str:
        command = process.command(pid)
        if command.startswith(DAEMON_TITLE):
            return "daemon process"
        if "wsgigw-supervisor" in command:
            return "supervisor"
        return "httpd child" if len(ancestors) == 1 else ""

    def end(self) -> None:
        if self.running:
            self.running.stop()


def build_bare(httpd: Httpd, compiler: str, folder: Path) -> Path:
    """Compile mod_bare.c as apxs would, with the compiler of the build."""
    includes = [f"-I{d}" for d in dict.fromkeys(
        httpd.query(name) for name in ("INCLUDEDIR", "APR_INCLUDEDIR", "APU_INCLUDEDIR")) if d]
    target = folder / "mod_bare.so"
    command = [
        *shlex.split(compiler or httpd.query("CC") or "cc"), "-O2", "-fPIC", "-shared",
        *shlex.split(httpd.query("EXTRA_CPPFLAGS")), *includes,
        str(BENCH / "mod_bare.c"), "-o", str(target),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem(f"cannot build the bare handler:\n{shlex.join(command)}\n{done.stderr}")
    return target


# --- nginx and uWSGI --------------------------------------------------------


def find_nginx() -> str | None:
    return next((found for name in NGINX_PROGRAMS if (found := shutil.which(name))), None)


class NginxServer(Server):
    """nginx in front of uWSGI, 2 processes of 1 thread, over a Unix socket. Both run as
    the server's user from the start: the port is high, the files are its own."""

    def __init__(self, kind: Kind, nginx: str, uwsgi: str, with_flask: bool) -> None:
        super().__init__(kind)
        self.started: list[subprocess.Popen[bytes]] = []
        try:
            self._start(nginx, uwsgi, with_flask)
        except BaseException:
            self.close()
            raise

    def _start(self, nginx: str, uwsgi: str, with_flask: bool) -> None:
        folder = self._own_folder("private")
        listener, nginx_log, uwsgi_log = folder / "uwsgi.sock", folder / "nginx.log", folder / "uwsgi.log"
        self.logs = [nginx_log, uwsgi_log]
        values = {"FOLDER": str(folder), "LOG": str(nginx_log), "SOCKET": str(listener), "PORT": str(self.port)}
        template = (BENCH / "nginx.conf.in").read_text(encoding="utf-8")
        conf = self.root.write("nginx.conf", re.sub(r"@([A-Z]+)@", lambda m: values[m.group(1)], template))
        mounts = [f"--mount={path}={file}" for path, file in self.scripts.items() if path != "/spin" and (with_flask or path != "/flask")]
        # --die-on-term: a SIGTERM ends it; without, it would only load the applications again.
        self._spawn([uwsgi, "--plugin", "python3", "--master", "--processes", "2", "--need-app",
                     "--single-interpreter", "--manage-script-name", *mounts, "--socket", str(listener),
                     "--die-on-term", "--no-orphans", "--disable-logging"], uwsgi_log)
        self._wait("uWSGI", listener.exists)
        self._spawn([nginx, "-e", str(nginx_log), "-c", str(conf), "-p", str(folder)], nginx_log)
        self._wait("nginx", self._listening)

    def _listening(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def _own_folder(self, name: str) -> Path:
        folder = self.root.path / name
        folder.mkdir(mode=0o700)
        if self.root.user:
            os.chown(folder, self.root.user.uid, self.root.user.gid)
        return folder

    def _spawn(self, command: list[str], log: Path) -> None:
        user = self.root.user
        identity = {"user": user.uid, "group": user.gid, "extra_groups": []} if user else {}
        with open(log, "ab") as output:
            if user:
                os.chown(log, user.uid, user.gid)
            self.started.append(subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.root.path,
                start_new_session=True, preexec_fn=die_with_parent, **identity))

    def _wait(self, what: str, is_ready) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not is_ready():
            if self.started[-1].poll() is not None or time.monotonic() > deadline:
                raise Problem(f"{what} did not start.\n{self.log_end()}")
            time.sleep(0.05)

    def tops(self) -> list[int]:
        return [started.pid for started in self.started]

    def role(self, pid: int, ancestors: list[int]) -> str:
        if len(ancestors) != 1:
            return ""
        return "uWSGI worker" if ancestors[0] == self.started[0].pid else "nginx worker"

    def end(self) -> None:
        for started in reversed(self.started):
            started.send_signal(signal.SIGTERM)
        for started in self.started:
            try:
                started.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
