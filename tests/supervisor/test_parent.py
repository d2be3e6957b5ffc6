"""parent.c in a real httpd: start, graceful restart, stop, death of either side, on each MPM."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from harness import system
from harness.processes import adopt_orphans
from harness.server import free_port
from harness.site import load_line
from harness_supervisor import BUILD, PROGRAM, SOURCE, WORKER, Supervisor, eventually, is_alive

MPMS = [mpm for mpm in ("event", "worker", "prefork") if system.has_module(f"mpm_{mpm}")]


@pytest.fixture(scope="session")
def module(tmp_path_factory):
    """Build mod_parent.c with parent.c and link.c."""
    made = tmp_path_factory.mktemp("module") / "mod_parent.so"
    flags = subprocess.run([system.apxs("APR_CONFIG"), "--cppflags", "--includes"], text=True,
                           capture_output=True, check=True).stdout.split()
    sources = [SOURCE / "tests" / "supervisor" / "mod_parent.c", *(
        SOURCE / "src" / name for name in ("server/parent.c", "server/parent_link.c", "server/running.c", "base/buffer.c",
                                           "base/cursor.c", "base/deadline.c", "wire/spec.c"))]
    command = [os.environ.get("CC", "cc"), "-std=gnu11", "-shared", "-fPIC", "-D_GNU_SOURCE",
               "-DWGW_LIBDIR=\"/nowhere\"", f"-I{SOURCE}/src", f"-I{SOURCE}/include",
               f"-I{system.apxs('INCLUDEDIR')}", *flags, *map(str, sources), "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return made


class Httpd(Supervisor):
    """httpd with the test module; `process` is the httpd parent."""

    def __init__(self, module, mpm):
        super().__init__()
        self.mpm, self.port, self.module = mpm, free_port(), self.root / "mod_parent.so"
        shutil.copy(module, self.module)
        self.configure([("pool", "serve")])

    def configure(self, pools, supervisor=PROGRAM, prefix=None):
        lines = [load_line(f"mpm_{self.mpm}"), load_line("unixd"), load_line("authz_core"),
                 f"LoadModule wgwtest_module {self.module}", f'ServerRoot "{self.root}"',
                 f'DefaultRuntimeDir "{self.root}"', f'PidFile "{self.root}/pid"',
                 f'Mutex "file:{self.root}" default', f"Listen 127.0.0.1:{self.port}",
                 "ServerName localhost", f'ErrorLog "{self.log_path}"', "LogLevel info",
                 f"User {system.server_user().pw_name}", f"Group #{system.server_user().pw_gid}",
                 "StartServers 1",
                 f"WgwTestSupervisor {supervisor} {prefix or self.run / 's'}"]
        lines += [f"WgwTestPool {name} {self.worker} {self.work} {plan}" for name, plan in pools]
        (self.root / "httpd.conf").write_text("\n".join(lines) + "\n")

    def start(self, wait=True):
        adopt_orphans()
        self.process = subprocess.Popen(
            [system.httpd(), "-d", self.root, "-f", self.root / "httpd.conf", "-DFOREGROUND"],
            stdin=subprocess.DEVNULL, stdout=self.log_fd, stderr=self.log_fd,
            env={"PATH": os.defpath}, start_new_session=True)
        if wait:
            self.wait_log("resuming normal operations")
            self.log_reports(2)
        return self

    def log_reports(self, count):
        self.wait_log("WGW0123", count)
        return self.wait_reports(count)

    def supervisor(self):
        """The pid of our child that is a supervisor."""
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                stat = (path / "stat").read_text(encoding="latin-1").rpartition(")")[2].split()
                if int(stat[1]) == self.process.pid and stat[0] != "Z" and \
                        os.readlink(path / "exe") == str(PROGRAM):
                    return int(path.name)
            except OSError:
                continue
        return 0

    def restart(self, how=signal.SIGUSR1):
        count = self.log().count("resuming normal operations")
        self.process.send_signal(how)
        self.wait_log("resuming normal operations", count + 1)


@pytest.fixture(params=MPMS)
def httpd(request, module):
    made = Httpd(module, request.param)
    yield made
    left = made.end()
    assert not left, f"left behind: {left}; log:\n{left}"


def running(httpd):
    return [report["pid"] for report in httpd.reports() if is_alive(report["pid"])]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGWINCH])
def test_stop_waits_for_the_processes(httpd, how):
    httpd.start()
    assert len(running(httpd)) == 2 and len(httpd.sockets()) == 6 + 1
    httpd.process.send_signal(how)
    httpd.process.wait(15)
    assert not running(httpd) and httpd.sockets() == []
    assert httpd.supervisor() == 0
    assert not re.search("WGW01(16|36|34)", httpd.log()), httpd.log()


@pytest.mark.parametrize("how", [signal.SIGUSR1, signal.SIGHUP])
def test_restart_keeps_the_supervisor_and_replaces_the_processes(httpd, how):
    httpd.start()
    supervisor, old = httpd.supervisor(), set(running(httpd))
    httpd.restart(how)
    httpd.log_reports(4)
    eventually(lambda: not old & set(running(httpd)), "the old processes end")
    assert httpd.supervisor() == supervisor and len(running(httpd)) == 2
    eventually(lambda: len(httpd.sockets()) == 6 + 1)
    assert not re.search("AH00488|WGW0134", httpd.log())


def test_descriptors_of_children(httpd):
    httpd.start()
    child = next(int(p.name) for p in pathlib.Path("/proc").glob("[0-9]*")
                 if (p / "cmdline").exists() and str(httpd.root).encode() in
                 (p / "cmdline").read_bytes() and "apache" in os.readlink(p / "exe")
                 and int(p.name) != httpd.process.pid)
    links = [os.readlink(p) for p in pathlib.Path(f"/proc/{child}/fd").iterdir()]
    assert not [link for link in links if "memfd" in link]
    supervisor = pathlib.Path(f"/proc/{httpd.supervisor()}/fd")
    names = {int(p.name): os.readlink(p) for p in supervisor.iterdir()}
    assert names[0] == "/dev/null" and names[2] == str(httpd.log_path)


def test_supervisor_that_dies_is_started_again(httpd):
    httpd.start()
    first = httpd.supervisor()
    old = running(httpd)
    sockets = httpd.sockets()
    time.sleep(10)
    os.kill(first, signal.SIGKILL)
    httpd.wait_log("WGW0134.*signal 9")
    eventually(lambda: httpd.supervisor() not in (0, first), "another supervisor")
    httpd.log_reports(4)
    assert httpd.sockets() == sockets
    eventually(lambda: not set(old) & set(running(httpd)), "orphans end")


def test_kill_of_httpd_leaves_nothing(httpd):
    httpd.start()
    supervisor = httpd.supervisor()
    httpd.process.kill()
    httpd.process.wait()
    eventually(lambda: not running(httpd) and not is_alive(supervisor), "all end", 9)
    assert httpd.sockets() == []
    for pid in httpd.leftovers():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not httpd.leftovers())


def test_start_without_a_supervisor_fails(httpd):
    httpd.configure([("pool", "serve")], supervisor="/nowhere/supervisor")
    httpd.start(wait=False)
    assert httpd.process.wait(10) != 0
    assert "WGW0130" in httpd.log()


def test_start_without_a_folder_for_sockets_fails(httpd):
    httpd.configure([("pool", "serve")], prefix="/nowhere/s")
    httpd.start(wait=False)
    assert httpd.process.wait(10) != 0
    assert re.search("WGW0131.*/nowhere/s.*WSGISocketPrefix", httpd.log())


def test_failed_restart_goes_on(httpd):
    httpd.start()
    httpd.configure([("pool", "serve")], prefix="/nowhere/s")
    httpd.restart()
    httpd.wait_log("WGW0131")
    assert httpd.process.poll() is None and len(running(httpd)) == 2
    httpd.configure([("pool", "serve")])
    httpd.restart()
    httpd.log_reports(4)


def test_without_pools_there_is_no_supervisor(httpd):
    httpd.configure([])
    httpd.start(wait=False)
    httpd.wait_log("resuming normal operations")
    assert httpd.supervisor() == 0
    httpd.configure([("pool", "serve")])
    httpd.restart()
    httpd.log_reports(2)
    httpd.configure([])
    httpd.restart()
    eventually(lambda: httpd.supervisor() == 0 and not running(httpd), "it ends")
    httpd.configure([("pool", "serve")])
    httpd.restart()
    httpd.log_reports(4)
    assert not re.search("AH00488|WGW0134", httpd.log())


def test_check_of_the_configuration_starts_nothing(httpd):
    subprocess.run([system.httpd(), "-d", httpd.root, "-f", httpd.root / "httpd.conf", "-t"],
                   check=True, capture_output=True)
    assert httpd.leftovers() == [] and httpd.sockets() == [] and BUILD
    assert WORKER.exists()


def test_supervisor_that_dies_early_is_started_after_a_while(httpd):
    if httpd.mpm != MPMS[0]:
        pytest.skip("takes ten seconds, and has nothing of the MPM in it")
    httpd.start()
    first = httpd.supervisor()
    os.kill(first, signal.SIGKILL)
    httpd.wait_log("WGW0134.*after a while")
    eventually(lambda: httpd.supervisor() not in (0, first), "another supervisor", 25)
    httpd.log_reports(4)
