"""A private httpd on a free loopback port: its folder, its start, its signals, its end."""
import os
import pathlib
import pwd
import shlex
import signal
import socket
import ssl
import subprocess
from typing import List, Optional, Tuple

from harness import checks, processes, stage, system
from harness.certificate import certificate
from harness.client import Connection, Headers, Response
from harness.errorlog import ErrorLog
from harness.site import POOL_SIZES, Site, config_text
from harness.waiting import PATIENCE_S, eventually, settled

START_ATTEMPTS = 3
"""A free port can be taken by somebody else between its choice and its use."""

CLOSING_S = 0.05
"""A worker is through with a connection this long after it closed the socket, at most."""


class StartError(AssertionError):
    """httpd did not start, or not in time; the message has its output and its log."""


class Server:
    """One httpd with a server root of its own.

    site: what to serve.  mpm, mode: how.  Attributes: root, port, tls_port, log (ErrorLog); user,
    to be set before start(): who starts httpd, instead of the user who runs the tests.
    """
    _count = 0
    running: List["Server"] = []

    def __init__(self, site: Site, mpm: str = "event", mode: str = "embedded") -> None:
        self.site, self.mpm, self.mode = site, mpm, mode
        Server._count += 1
        self.root = stage.session_folder() / f"{Server._count}-{mode}-{mpm}"
        self.work, self.logs, self.htdocs = (self.root / name
                                             for name in ("work", "logs", "htdocs"))
        self.port = self.tls_port = 0
        self.log = ErrorLog(self.logs)
        self.descriptors = checks.Descriptors(2 * self.concurrency)
        self.known_processes: set = set()
        self.shared_before: set = set()
        self.user: Optional[pwd.struct_passwd] = None
        self._process: Optional[subprocess.Popen] = None
        self._make_folders()
        self.write_config()

    @property
    def threads(self) -> int:
        """Return how many threads a daemon process of the mode has; 0 in embedded mode."""
        return POOL_SIZES.get(self.mode, (0, 0))[1]

    @property
    def concurrency(self) -> int:
        """Return how many requests the pool of the mode serves at once; 0 in embedded mode."""
        return POOL_SIZES.get(self.mode, (0, 0))[0] * self.threads

    # --- configuration ---------------------------------------------------------------------

    def write_config(self, site: Optional[Site] = None) -> None:
        """Write httpd.conf; with a site, change to it (then call graceful())."""
        self.site = site or self.site
        self.port = self.port or free_port()
        while self.site.tls and self.tls_port in (0, self.port):
            self.tls_port = free_port()
        text = config_text(self.site, self.mpm, self.mode, self.places())
        (self.root / "httpd.conf").write_text(text, encoding="utf-8")

    def places(self) -> dict:
        """Return the values of the {placeholders}."""
        user = system.server_user()
        made = certificate(stage.session_folder()) if self.site.tls else None
        return {"root": self.root, "run": self.root / "run", "logs": self.logs,
                "htdocs": self.htdocs, "work": self.work, "apps": stage.apps(),
                "port": self.port, "tls_port": self.tls_port, "user": user.pw_name,
                "group": f"#{user.pw_gid}", "cert": made and made.cert, "key": made and made.key}

    def configtest(self) -> Tuple[int, str]:
        """Return exit code and output of `httpd -t`."""
        done = subprocess.run([*self._command(), "-t"], env=self._environment(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    # --- life ------------------------------------------------------------------------------

    def start(self) -> "Server":
        """Start httpd in a session of its own and wait until it answers."""
        for attempt in range(START_ATTEMPTS):
            self._launch()
            settled(lambda: self._answers() or not self.is_running(), PATIENCE_S)
            if self._answers():
                Server.running.append(self)
                self.remember_processes()
                return self
            output = self._output()
            self.kill()
            if "AH00072" not in output or attempt == START_ATTEMPTS - 1:
                raise StartError(output)
            self.port = self.tls_port = 0
            self.write_config()
        raise StartError("unreachable")

    def is_running(self) -> bool:
        """Say whether the httpd parent lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Return the process id of the httpd parent."""
        return self._process.pid

    def graceful(self) -> None:
        """Restart gracefully and wait until httpd says so in its log."""
        before = self._generations()
        os.kill(self.pid, signal.SIGUSR1)
        eventually(lambda: self._generations() > before, "graceful restart")
        eventually(self._answers, "an answer after the graceful restart")
        self.remember_processes()

    def stop(self, graceful: bool = False) -> None:
        """Stop httpd (SIGTERM, or SIGWINCH for graceful-stop); raise if it does not end."""
        if self.is_running():
            self.remember_processes()
            self._let_connections_end()
            os.kill(self.pid, signal.SIGWINCH if graceful else signal.SIGTERM)
            ended = settled(lambda: not self.is_running(), PATIENCE_S)
            if not ended:
                self.kill()
                raise AssertionError(f"httpd did not stop; log:\n{self.log.text()}")
        self._forget()

    def kill(self) -> None:
        """Kill every process of this server."""
        for process in self.remember_processes():
            if processes.alive(process):
                try:
                    os.kill(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        if self._process:
            self._process.wait(PATIENCE_S)
        self._forget()

    def remember_processes(self) -> set:
        """Return the processes of this server now; keep them for the check after its end."""
        members = processes.family(self.pid) if self.is_running() else set()
        self.known_processes |= members
        return members

    # --- requests --------------------------------------------------------------------------

    def connect(self, tls: bool = False, timeout_s: float = 30.0) -> Connection:
        """Open a raw connection to the server."""
        context = None
        if tls:
            context = ssl.create_default_context(cafile=str(self.places()["cert"]))
        return Connection(self.tls_port if tls else self.port, context, timeout_s)

    def request(self, method: str, target: str, headers: Headers = (),
                body: Optional[bytes] = None, version: str = "HTTP/1.1",
                host: Optional[str] = None, tls: bool = False) -> Response:
        """Send one request on a connection of its own and read the whole response."""
        with self.connect(tls=tls) as connection:
            connection.request(method, target, [("Connection", "close"), *headers], body,
                               version, host)
            return connection.response(method)

    def get(self, target: str, headers: Headers = (), **options) -> Response:
        """GET `target`."""
        return self.request("GET", target, headers, **options)

    def post(self, target: str, body: bytes, headers: Headers = (), **options) -> Response:
        """POST `body` to `target` with its Content-Length."""
        return self.request("POST", target, headers, body, **options)

    # --- log, notes, gates -----------------------------------------------------------------

    def expect_log(self, pattern: str, level: Optional[str] = None, **options) -> list:
        """Wait for log lines and mark them as expected; see ErrorLog.expect."""
        return self.log.expect(pattern, level, **options)

    def expect_traceback(self, pattern: str, **options) -> list:
        """Wait for a traceback and mark it as expected; see ErrorLog.expect_traceback."""
        return self.log.expect_traceback(pattern, **options)

    def allow_log(self, pattern: str) -> None:
        """Let lines matching `pattern` pass in this test."""
        self.log.allow(pattern)

    def allow_request(self, pattern: str) -> None:
        """Let the error and warn lines pass of requests with a line matching `pattern`."""
        self.log.allow_request(pattern)

    def notes(self, key: str) -> List[str]:
        """Return the lines the application noted under `key` (appkit.note)."""
        path = self.work / f"{key}.notes"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def wait_notes(self, key: str, count: int = 1) -> List[str]:
        """Wait until the application has noted `count` lines under `key`; return them."""
        if not settled(lambda: len(self.notes(key)) >= count, PATIENCE_S):
            raise AssertionError(f"{count} notes {key} expected, there are {self.notes(key)}")
        return self.notes(key)

    def open_gate(self, key: str) -> None:
        """Let the application go on that waits in appkit.gate for `key`."""
        (self.work / f"{key}.gate").touch()

    def write_work(self, name: str, text: str, mode: int = 0o644) -> pathlib.Path:
        """Make a file `name` in {work} or a folder below it; a new inode each time."""
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    # --- inside ----------------------------------------------------------------------------

    def _make_folders(self) -> None:
        for path in (self.root, self.root / "run", self.logs, self.htdocs, self.work):
            path.mkdir(mode=0o755)
            path.chmod(0o755)
        self.work.chmod(0o777)

    def _command(self) -> List[str]:
        return [system.httpd(), "-d", str(self.root), "-f", str(self.root / "httpd.conf")]

    def _environment(self) -> dict:
        extra = shlex.split(os.environ.get("WGW_HTTPD_ENV", ""))
        return {"PATH": os.defpath, "LANG": "C", **dict(pair.split("=", 1) for pair in extra)}

    def _let_connections_end(self) -> None:
        """Wait, bounded, until no worker is about to close a connection.

        The event MPM of httpd 2.4.71 (seen without any module of ours, once in 300 stops) uses
        the socket of a worker that is just freeing it when SIGTERM comes: a segfault that would
        be taken for one of the module.
        """
        settled(lambda: not processes.open_connections({self.port, self.tls_port}), 1.0)
        settled(lambda: False, CLOSING_S)

    def _launch(self) -> None:
        processes.adopt_orphans()
        self.shared_before = checks.shared_objects(set())
        with (self.root / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [*self._command(), "-DFOREGROUND"], env=self._environment(), stdout=output,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                cwd=self.root, **self._identity())

    def _identity(self) -> dict:
        """Return what makes subprocess change to the user."""
        if not self.user:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def _answers(self) -> bool:
        """Say whether httpd itself answers: a listener alone proves nothing yet."""
        if not self.is_running():
            return False
        try:
            with Connection(self.port, timeout_s=PATIENCE_S) as connection:
                connection.request("OPTIONS", "*", [("Connection", "close")])
                return connection.response().status < 500
        except (OSError, AssertionError):
            return False

    def _output(self) -> str:
        self.log.poll()
        lines = [record.text for record in self.log.records]
        return (self.root / "output").read_text(errors="replace") + "\n".join(lines)

    def _generations(self) -> int:
        self.log.poll()
        return sum("resuming normal operations" in record.message
                   for record in self.log.records)

    def _forget(self) -> None:
        if self in Server.running:
            Server.running.remove(self)


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
