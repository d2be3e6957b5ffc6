"""httpd not started by root, with few capabilities, as PID 1 of a container, on a read-only root."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import daemonkit as kit  # noqa: E402  (found by the path above)

from harness import Server, Site, checks, eventually, processes, system  # noqa: E402

MODES = ("daemon",)
ROOT_ONLY = pytest.mark.skipif(not system.is_root(), reason="only root can make these surroundings")
SITE = Site('''
    WSGIDaemonProcess a processes=2 threads=4 umask=0027 cpu-priority=3 memory-limit=900M
    WSGIScriptAlias /a {apps}/inside.wsgi process-group=a application-group=%{GLOBAL}
    WSGIScriptAlias /own {apps}/inside.wsgi application-group=%{GLOBAL}
''')


class Wrapped(Server):
    """A server whose httpd is started by another program that becomes it, or makes it PID 1."""
    wrapper = []

    def _command(self):
        return [*self.wrapper, *super()._command()]


@pytest.fixture
def wrapped(mode, mpm):
    """A function that starts a server with a wrapper, and checks it at the end."""
    made = []

    def make(wrapper, site=SITE, start=True):
        server = Wrapped(site, mpm, mode)
        made.append(server)
        server.wrapper = wrapper
        return server.start() if start else server
    yield make
    for server in made:
        problems = checks.after_test(server)
        server.stop()
        problems += checks.after_stop(server)
        assert not problems, problems


def serves(made):
    """Prove that the pools work, are replaced when killed, and survive a graceful restart."""
    assert kit.inside(made, "mask = os.umask(0); os.umask(mask); result = [mask, os.nice(0)]",
                      "/a") == [0o027, 3]
    os.kill(kit.daemons(made)[0], signal.SIGTERM)
    for _ in range(4):
        assert made.get("/a/pid").status == 200 and made.get("/own/pid").status == 200
    made.graceful()
    assert made.get("/a/pid").status == 200 and made.get("/own/pid").status == 200


@ROOT_ONLY
def test_ordinary_user(make_server):
    """Everything but switching works, and what has no effect is said."""
    user = system.server_user()
    site = SITE._replace(text=SITE.text.replace("umask=", f"user={kit.account(0).pw_name} umask="))
    made = make_server(site, start=False)
    made.user = user
    for path in (made.root, made.logs, made.root / "run"):
        os.chown(path, user.pw_uid, user.pw_gid)
    text = (made.root / "httpd.conf").read_text()
    kept = [line for line in text.splitlines() if line.split()[:1] not in (["User"], ["Group"])]
    (made.root / "httpd.conf").write_text("\n".join(kept) + "\n")
    made.start()
    made.expect_log("WGW0075.*pool|WGW0075", level="info")
    serves(made)
    ids = kit.inside(made, "result = [*os.getresuid(), *os.getresgid()]", "/a")
    assert ids == [user.pw_uid] * 3 + [user.pw_gid] * 3
    status = kit.status_of(kit.daemons(made)[0])
    assert int(status["CapEff"], 16) == 0 and status["NoNewPrivs"] == "1"
    made.stop()
    assert not checks.sockets_below(made.root)


@ROOT_ONLY
@pytest.mark.parametrize("kept", ["setuid,setgid,kill,chown,net_bind_service,dac_override",
                                  "setuid,setgid,chown,kill"])
def test_few_capabilities(wrapped, kept):
    """As root in a container that has given most capabilities up."""
    setpriv = shutil.which("setpriv")
    if not setpriv:
        pytest.skip("there is no setpriv")
    names = ",".join("+" + name for name in kept.split(","))
    made = wrapped([setpriv, f"--bounding-set=-all,{names}", f"--inh-caps=-all,{names}"])
    made.allow_log("WGW0103: .*SIGTERM")  # seen about once in ten on a loaded machine, not explained
    caps = int(kit.status_of(made.pid)["CapEff"], 16)
    assert bin(caps).count("1") == len(kept.split(","))
    serves(made)
    status = kit.status_of(kit.daemons(made)[0])
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {0}
    assert status["Uid"].split()[0] == str(system.server_user().pw_uid)


def can_unshare(*options):
    unshare = shutil.which("unshare")
    return unshare and subprocess.run([unshare, *options, "true"], check=False,
                                      capture_output=True).returncode == 0


def inner_pid(made):
    """Return the httpd parent below `unshare --fork`."""
    return eventually(lambda: [pid for pid in kit.children(made.pid)], "httpd")[0]


@ROOT_ONLY
def test_first_process(wrapped):
    """As PID 1: it serves, children that die are reaped, and a stop leaves nothing."""
    if not can_unshare("--pid", "--fork", "--mount-proc"):
        pytest.skip("PID namespaces are not permitted here")
    made = wrapped([shutil.which("unshare"), "--pid", "--fork", "--mount-proc"])
    httpd = inner_pid(made)
    assert kit.status_of(httpd)["NSpid"].split()[-1] == "1"
    supervisor = kit.supervisors(httpd)[0]
    pool = kit.children(supervisor)
    assert len(pool) >= 4
    known = made.remember_processes()
    os.kill(pool[0], signal.SIGKILL)
    made.expect_log("WGW0103")
    for _ in range(4):
        assert made.get("/a/pid").status == 200 and made.get("/own/pid").status == 200
    inside = int(made.get("/a/pid").body)
    assert inside < 1000000
    known |= made.remember_processes()
    os.kill(httpd, signal.SIGTERM)
    eventually(lambda: not made.is_running(), "the end of PID 1", 30)
    eventually(lambda: not any(map(processes.alive, known)), "the end of all", 10)
    assert not checks.sockets_below(made.root)


@ROOT_ONLY
def test_killed_first_process(wrapped):
    """kill -9 of PID 1 ends the namespace, as the system has it."""
    if not can_unshare("--pid", "--fork", "--mount-proc"):
        pytest.skip("PID namespaces are not permitted here")
    made = wrapped([shutil.which("unshare"), "--pid", "--fork", "--mount-proc"])
    known = made.remember_processes()
    os.kill(inner_pid(made), signal.SIGKILL)
    eventually(lambda: not any(map(processes.alive, known)), "the end of all", 10)
    for path in checks.sockets_below(made.root):
        path.unlink()                                   # nobody was left to do it


READ_ONLY = '''
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
for folder in / ; do mount -o remount,bind,ro "$folder"; done
shift
exec "$@"
'''


@ROOT_ONLY
def test_read_only_root(wrapped):
    """Only the server's own folder can be written; no /tmp, no /var."""
    if not can_unshare("--mount"):
        pytest.skip("mount namespaces are not permitted here")
    made = wrapped([], start=False)
    probe = subprocess.run([shutil.which("unshare"), "--mount", "sh", "-c", READ_ONLY, "sh",
                            str(made.root), "true"], check=False, capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"the root cannot be mounted read-only in a namespace: {probe.stderr}")
    made.wrapper = [shutil.which("unshare"), "--mount", "sh", "-c", READ_ONLY, "sh", str(made.root)]
    made.start()
    assert kit.inside(made, """
try:
    open("/usr/wgw-test", "w")
except OSError as error:
    result = error.strerror
""", "/a") in ("Read-only file system", "Permission denied")
    serves(made)
    big = b"result = 1\n" + b"#" * (1 << 20)
    assert made.post("/a/run", big).body == b"1"
