"""What a daemon process has and has not, and who can reach it (DESIGN.md invariants 2 and 8)."""
import ctypes
import fcntl
import json
import os
import pathlib
import pwd
import re
import socket
import stat
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "worker")]

import daemonkit as kit  # noqa: E402  (found by the path above)
import wire  # noqa: E402

from harness import Site, eventually, stage, system  # noqa: E402

MODES = ("daemon",)
ROOT_ONLY = pytest.mark.skipif(not system.is_root(), reason="only root's httpd changes users")
F_GET_SEALS, SEALED = 1034, 2 | 4
PROBE = '''
import json, os, socket, stat, fcntl, sys
def kind(fd):
    status = os.fstat(fd)
    found = {"mode": stat.S_IFMT(status.st_mode), "link": os.readlink("/proc/self/fd/%d" % fd),
             "access": fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE}
    if stat.S_ISSOCK(status.st_mode):
        sock = socket.socket(fileno=os.dup(fd))
        found["socket"] = [int(sock.family), int(sock.type) & 15,
                           sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)]
        sock.close()
    return found
fds = {}
for name in os.listdir("/proc/self/fd"):
    try:
        fds[name] = kind(int(name))
    except OSError:
        pass
mask = os.umask(0)
os.umask(mask)
report = {"fds": fds, "environ": dict(os.environ), "maps": open("/proc/self/maps").read(),
          "status": open("/proc/self/status").read(), "cwd": os.getcwd(), "umask": mask,
          "session": os.getsid(0) == os.getpid(), "argv": sys.orig_argv,
          "ours": [name for name in sys.modules if "wsgigw" in name]}
with open(os.path.join("@FOLDER@", "%d.json" % os.getpid()), "w") as file:
    json.dump(report, file)
'''
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
FOREIGN = re.compile(r"httpd|apache|libapr|libssl|libcrypto|/mod_")


@pytest.fixture(scope="module")
def reports():
    """A folder that processes of the probing venv write their reports to."""
    folder = stage.session_folder() / "reports"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture(scope="module")
def probing(reports):
    """A venv that reports what there is before our code and the application run."""
    venv = kit.make_venv("probing")
    packages = kit.site_packages(venv)
    (packages / "wgw_probe.py").write_text(PROBE.replace("@FOLDER@", str(reports)))
    (packages / "wgw_probe.pth").write_text("import wgw_probe\n")
    subprocess.run(["chmod", "-R", "a+rX", str(packages)], check=True)
    return venv


def users():
    """Return the options that give pools other users, where that is possible."""
    if not system.is_root():
        return {"a": "", "b": ""}
    return {name: f"user={kit.account(i).pw_name} group=#{kit.account(i).pw_gid}"
            for i, name in enumerate(("a", "b"))}


def pools(options_of_a="", more="", **options):
    """A site with pools a and b of other users, and embedded mode."""
    return Site(f'''
        WSGIDaemonProcess a threads=4 {users()["a"]} {options_of_a}
        WSGIDaemonProcess b threads=4 {users()["b"]}
        WSGIScriptAlias /a {{apps}}/inside.wsgi process-group=a application-group=%{{GLOBAL}}
        WSGIScriptAlias /b {{apps}}/inside.wsgi process-group=b application-group=%{{GLOBAL}}
        WSGIScriptAlias /embedded {{apps}}/inside.wsgi process-group=%{{GLOBAL}}
        WSGIScriptAlias /own {{apps}}/inside.wsgi application-group=%{{GLOBAL}}
        {more}
    ''', **options)


def report_of(made, reports, target="/a"):
    """Return the probe's report of the process that serves `target`."""
    return json.loads((reports / f"{kit.pid_of(made, target)}.json").read_text())


# --- what it has ---------------------------------------------------------------------------

@pytest.fixture(scope="module")
def probed(probing):
    return pools(f"python-home={probing}")


def test_descriptors(make_server, probed, reports):
    """0 to 5 as include/wsgigw/exec.h lists them, before anything of ours has run."""
    fds = report_of(make_server(probed), reports)["fds"]
    fds = {name: found for name, found in fds.items()
           if not found["link"].endswith("/wgw_probe.pth")}        # what runs the probe
    assert set(fds) == {"0", "1", "2", "3", "4", "5"}
    assert fds["0"]["link"] == "/dev/null" and fds["0"]["access"] == os.O_RDONLY
    for name in "12":
        assert stat.S_ISFIFO(fds[name]["mode"]) and fds[name]["access"] == os.O_WRONLY
    assert fds["3"]["socket"] == [socket.AF_UNIX, socket.SOCK_STREAM, 1]
    assert fds["4"]["socket"] == [socket.AF_UNIX, socket.SOCK_SEQPACKET, 0]
    assert fds["5"]["link"].startswith("/memfd:wsgigw-scoreboard")


def test_environment(make_server, probed, reports, monkeypatch):
    """What docs/directives.md lists, and nothing of httpd's environment."""
    monkeypatch.setenv("WGW_HTTPD_ENV", "SECRET=of-httpd LD_LIBRARY_PATH=/nowhere "
                       "PYTHONPATH=/nowhere PYTHONSTARTUP=/nowhere TZ=Asia/Tokyo")
    report = report_of(make_server(probed), reports)
    user = kit.account(0) if system.is_root() else pwd.getpwuid(os.geteuid())
    assert report["environ"] == {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": user.pw_dir, "USER": user.pw_name,
        "LOGNAME": user.pw_name, "USERNAME": user.pw_name, "LANG": "C.UTF-8", "TZ": "Asia/Tokyo"}


def test_memory_map(make_server, probed, reports):
    """No httpd, APR or TLS library, neither before nor after our code is loaded."""
    made = make_server(probed)
    report = report_of(made, reports)
    assert "python3" in report["maps"] and not report["ours"]
    assert not FOREIGN.findall(report["maps"])
    later = kit.inside(made, "result = open('/proc/self/maps').read()", "/a")
    own = re.compile(r"httpd|apache|libapr|/mod_")    # TLS is Python's own, if modules import it
    assert "_wsgigw" in later and not own.findall(later)


@ROOT_ONLY
def test_identity(make_server, probed, reports):
    """The pool's user and groups in all kinds of ids; no capability; no way to get any."""
    report = report_of(make_server(probed), reports)
    status = dict(re.findall(r"^(\w+):\t(.*)$", report["status"], re.M))
    user = kit.account(0)
    assert status["Uid"].split() == [str(user.pw_uid)] * 4
    assert status["Gid"].split() == [str(user.pw_gid)] * 4
    groups = set(map(str, os.getgrouplist(user.pw_name, user.pw_gid)))
    assert set(status["Groups"].split()) == groups and "0" not in groups
    assert {int(status[name], 16) for name in CAPABILITIES} == {0}
    assert status["NoNewPrivs"] == "1"
    assert report["session"]


def test_folder_and_umask(make_server, probing, reports):
    home = stage.session_folder()
    made = make_server(pools(f"python-home={probing} home={home} umask=0027"))
    report = report_of(made, reports)
    assert report["cwd"] == str(home) and report["umask"] == 0o027
    assert report["argv"][1:3] == ["-P", "-c"]


@ROOT_ONLY
def test_new_privileges_on_request(make_server, probing, reports):
    """no-new-privs=off: the bits of set-user-id programs count; the process itself has nothing."""
    made = make_server(pools(f"python-home={probing} no-new-privs=off"))
    status = dict(re.findall(r"^(\w+):\t(.*)$", report_of(made, reports)["status"], re.M))
    assert status["NoNewPrivs"] == "0"
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}


@ROOT_ONLY
@pytest.mark.parametrize("option, expected", [("on", "refused"), ("off", "gained")])
def test_set_user_id_program(make_server, option, expected):
    """A copy of `id` that belongs to root gains its owner's uid with no-new-privs=off only."""
    program = stage.session_folder() / f"id-{option}"
    subprocess.run(["install", "-m", "4755", "/usr/bin/id", str(program)], check=True)
    if os.statvfs(program).f_flag & os.ST_NOSUID:
        pytest.skip("the folder of the tests is mounted nosuid")
    made = make_server(pools(f"no-new-privs={option}"))
    uid = kit.inside(made, "import subprocess\n"
                     f"result = subprocess.check_output(['{program}', '-u'], text=True)", "/a")
    assert (uid.strip() == "0") == (expected == "gained")


# --- TLS keys ------------------------------------------------------------------------------

def private_numbers(path):
    """Return the private parts of a PEM key as bytes: as text, as DER, and big numbers both ways."""
    pem = path.read_bytes()
    der = subprocess.run(["openssl", "pkey", "-in", path, "-outform", "DER"], check=True,
                         capture_output=True).stdout
    text = subprocess.run(["openssl", "pkey", "-in", path, "-noout", "-text"], check=True,
                          capture_output=True, text=True).stdout
    found = {"pem": pem.splitlines()[2], "der": der[-64:]}
    for name in ("priv", "privateExponent", "prime1", "prime2"):
        match = re.search(rf"^{name}:\n((?: +[0-9a-f:]+\n)+)", text, re.M)
        if match:
            number = bytes.fromhex(re.sub(r"[\s:]", "", match[1])).lstrip(b"\0")
            found[name], found[f"{name} reversed"] = number, number[::-1]
    return found


def memory_of(pid):
    """Yield the readable memory of a process in overlapping pieces."""
    step, overlap = 1 << 24, 4096
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            bounds, modes = line.split()[:2]
            at, end = (int(number, 16) for number in bounds.split("-"))
            while "r" in modes and at < end:
                try:
                    memory.seek(at)
                    yield memory.read(min(step, end - at))
                except (OSError, ValueError, OverflowError):
                    break                                       # [vvar], [vsyscall]
                at += step - overlap


def found_in(pid, secrets):
    """Return the names of the secrets in the memory of a process."""
    return {name for piece in memory_of(pid) for name, value in secrets.items() if value in piece}


@ROOT_ONLY
def test_tls_keys(make_server):
    """Keys that httpd has loaded are in no process of ours; the same search finds them in httpd."""
    if not system.has_module("ssl"):
        pytest.skip("httpd has no mod_ssl")
    folder = stage.session_folder()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-keyout", folder / "rsa.key", "-out",
                    folder / "rsa.crt"], check=True, capture_output=True)
    made = make_server(pools(more=f'''
        <VirtualHost 127.0.0.1:{{tls_port}}>
            SSLEngine on
            SSLCertificateFile {{cert}}
            SSLCertificateKeyFile {{key}}
            SSLCertificateFile {folder}/rsa.crt
            SSLCertificateKeyFile {folder}/rsa.key
        </VirtualHost>''', modules=("ssl",), tls=True))
    made.allow_log("AH01909|AH01906")
    assert kit.pid_of(made, "/a") and made.get("/b/pid", tls=True).status == 200
    for key in (pathlib.Path(made.places()["key"]), folder / "rsa.key"):
        secrets = private_numbers(key)
        assert len(secrets) >= 4
        httpd = set().union(*(found_in(pid, secrets) for pid in
                              [made.pid, *kit.httpd_children(made)]))
        assert len(httpd) >= 2, f"the search finds nothing of {key}: {httpd}"
        ours = [kit.supervisor(made), *kit.daemons(made)]
        assert len(ours) >= 4
        assert {pid: found_in(pid, secrets) for pid in ours} == {pid: set() for pid in ours}


# --- who can reach it ----------------------------------------------------------------------

def sockets_of(made):
    return sorted(map(str, (made.root).rglob("*.sock")))


def attempts_on(pid, paths):
    """Return what each attempt on a process failed with; "" means that it succeeded."""
    libc = ctypes.CDLL(None, use_errno=True)
    PTRACE_ATTACH, PTRACE_DETACH = 16, 17

    def attach():
        if libc.ptrace(PTRACE_ATTACH, pid, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")
        os.waitpid(pid, 0x40000000)                                              # __WALL
        libc.ptrace(PTRACE_DETACH, pid, 0, 0)

    def connect(path):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(path)

    def read(name, mode="rb"):
        with open(f"/proc/{pid}/{name}", mode) as file:
            file.read(1)
    found = {"signal": kit.error_of(os.kill, pid, 0), "ptrace": kit.error_of(attach),
             "environ": kit.error_of(read, "environ"), "maps": kit.error_of(read, "maps"),
             "mem": kit.error_of(read, "mem"), "board": kit.error_of(read, "fd/5", "r+b")}
    return {**found, **{f"socket {path}": kit.error_of(connect, path) for path in paths}}


def succeeded(found):
    assert isinstance(found, dict), found
    return sorted(name for name, error in found.items() if not error)


@ROOT_ONLY
def test_other_users(make_server):
    """Another user can do nothing with a pool's process; the test finds out what can be done."""
    made = make_server(pools())
    other, target = kit.account(2), kit.pid_of(made, "/a")
    paths = sockets_of(made)
    assert len(paths) >= 4
    found = kit.as_user(other, lambda: attempts_on(target, paths))
    assert succeeded(found) == [], found
    known = kit.as_user(kit.account(0), lambda: attempts_on(target, []))
    assert "signal" in succeeded(known), "the attempts themselves must be able to succeed"


@ROOT_ONLY
def test_a_pool_cannot_reach_another(make_server):
    """Nor httpd, nor the supervisor."""
    made = make_server(pools())
    victims = [kit.pid_of(made, "/b"), kit.supervisor(made), made.pid, *kit.httpd_children(made)]
    paths = sockets_of(made)
    kit.pid_of(made, "/a")
    for victim in victims:
        found = kit.as_user(kit.account(0), lambda pid=victim: attempts_on(pid, paths))
        assert succeeded(found) == [], (kit.comm(victim), found)
    code = f"""
import socket
result = []
for path in {paths!r}:
    try:
        socket.socket(socket.AF_UNIX).connect(path)
    except OSError as error:
        result.append(error.errno)
try:
    os.kill({victims[0]}, 0)
except OSError as error:
    result.append(error.errno)
"""
    assert len(kit.inside(made, code, "/a")) == len(paths) + 1


@ROOT_ONLY
def test_pools_of_one_user(make_server):
    """Two pools without user= share httpd's, and should not be able to read each other."""
    made = make_server(pools())
    target = kit.pid_of(made, "/own")
    found = kit.as_user(system.server_user(), lambda: attempts_on(target, []))
    assert not {"ptrace", "mem", "environ", "board"} & set(succeeded(found))


def knock(path, first, script):
    """Send frames to a daemon as an httpd child would; return the types that come back."""
    with wire.Client(path) as client:
        try:
            client.send(first + wire.request_frame(script, {"PATH_INFO": "/pid"}))
            return [one.type for one in client.answer()]
        except ConnectionError:
            return []


@ROOT_ONLY
def test_no_request_without_the_key(make_server):
    """httpd's own user may connect, but who does not know the key gets nothing executed."""
    made = make_server(pools())
    pid, script = kit.pid_of(made, "/a"), f"{stage.apps()}/inside.wsgi"
    path = next(found for found in sockets_of(made) if holds(pid, found))
    frames = {"none": b"", "wrong": wire.open_frame("0" * 64), "empty": wire.open_frame(""),
              "short": wire.open_frame("0" * 63), "long": wire.open_frame("0" * 65),
              "binary": wire.frame(wire.OPEN, bytes(65)), "endless": wire.frame(wire.OPEN, bytes(1 << 20)),
              "version": wire.open_frame(version=2)}
    made.allow_log("WGW01|WGW00")
    for name, first in frames.items():
        back = kit.as_user(system.server_user(), lambda f=first: knock(path, f, script))
        assert back == [], (name, back)
    assert kit.pid_of(made, "/a") == pid
    row = pathlib.Path(f"/proc/{pid}/status").read_text()
    assert "State" in row


def holds(pid, path):
    """Say whether a process listens on the socket with this path."""
    inodes = {line.split()[6] for line in pathlib.Path("/proc/net/unix").read_text().splitlines()
              if line.endswith(" " + path)}
    return any(os.readlink(f"/proc/{pid}/fd/3") == f"socket:[{inode}]" for inode in inodes)


# --- a process that does harm --------------------------------------------------------------

def others_serve(made, rounds=20):
    """Ask pools and embedded mode that have done nothing wrong."""
    for _ in range(rounds):
        for target in ("/b", "/own", "/embedded"):
            answer = made.get(f"{target}/pid")
            assert answer.status == 200, (target, answer.status)


def comes_back(made, target="/a", timeout_s=60):
    """Wait until a pool serves again, each thread of it."""
    def serves():
        answer = made.get(f"{target}/pid")
        return answer.status == 200
    eventually(serves, f"an answer below {target}", timeout_s)
    requests = [kit.Background(made, f"{target}/pid") for _ in range(4)]
    assert [request.answer().status for request in requests] == [200] * 4


def replace(made, target="/a"):
    """Kill the processes that serve a pool with one process."""
    user = kit.account(0).pw_uid
    for pid in kit.daemons(made):
        if kit.status_of(pid)["Uid"].split()[0] == str(user):
            os.kill(pid, 9)


GARBAGE = {
    "random": "os.pwrite(5, os.urandom(size), 0)",
    "ones": "os.pwrite(5, b'\\xff' * size, 0)",
    "huge idle": "[os.pwrite(5, (0x7fffffff).to_bytes(4, 'little'), 152 + 56 * r + 4) for r in range(rows)]",
    "negative idle": "[os.pwrite(5, (0x80000000).to_bytes(4, 'little'), 152 + 56 * r + 4) for r in range(rows)]",
    "entries of a living process": "os.pwrite(5, entries, 152 + 56 * rows)",
    "entries that were begun": "os.pwrite(5, entries.replace(b'\\1\\0\\0\\0', b'\\3\\0\\0\\0'), 152 + 56 * rows)",
}
SCRIBBLE = """
import threading, time, struct
size = os.fstat(5).st_size
one = struct.pack('<IiIIq', 1, 1, 0, 0, 0)
rows = struct.unpack('<I', os.pread(5, 4, 0))[0]
entries = (one + bytes(328 - len(one))) * ((size - 152 - 56 * rows) // 328)
def scribble():
    until = time.monotonic() + 3
    while time.monotonic() < until:
        %s
        time.sleep(0.001)
thread = threading.Thread(target=scribble)
thread.start()
result = size
"""


@ROOT_ONLY
@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_in_the_scoreboard(make_server, kind):
    """A process that writes anything into its scoreboard harms its own pool only."""
    made = make_server(pools("shutdown-timeout=1 graceful-timeout=1 queue-timeout=5 connect-timeout=5 "
                             "socket-timeout=5"))
    kit.inside(made, SCRIBBLE % GARBAGE[kind], "/a")
    made.allow_log("pool 'a'|WGW01(03|04|06|07|13)|Segmentation|SIGSEGV")
    mine = [kit.Background(made, "/a/pid") for _ in range(4)]
    others_serve(made)
    for request in mine:
        assert request.answer().status in (200, 502, 503, 504)
    replace(made)
    comes_back(made)
    others_serve(made, rounds=1)


@ROOT_ONLY
def test_garbage_and_another_supervisor(make_server):
    """What a pool wrote into its scoreboard does not keep others from being started again."""
    made = make_server(pools())
    kit.inside(made, SCRIBBLE.replace("+ 3", "+ 0.2") % GARBAGE["random"], "/a")
    made.allow_log("pool 'a'|WGW01(03|04|07|13|34)|SIGSEGV|WGW005")
    os.kill(kit.supervisor(made), 9)
    comes_back(made, "/b")
    comes_back(made, "/own")
    comes_back(made, "/a")


@ROOT_ONLY
def test_scoreboard_is_sealed(make_server):
    made = make_server(pools())
    code = """
import fcntl
result = []
for size in (0, 1, os.fstat(5).st_size - 1, os.fstat(5).st_size + 1, 1 << 40):
    try:
        os.ftruncate(5, size)
        result.append("done")
    except OSError as error:
        result.append(error.strerror)
try:
    fcntl.fcntl(5, 1033, 8)   # F_ADD_SEALS F_SEAL_WRITE: nobody else could write then
    result.append("done")
except OSError as error:
    result.append(error.strerror)
"""
    assert kit.inside(made, code, "/a") == ["Operation not permitted"] * 6
    comes_back(made)


@ROOT_ONLY
def test_shutting_the_listener_down(make_server):
    """The row's socket is bound anew and the process replaced; the others notice nothing."""
    made = make_server(pools())
    before = kit.pid_of(made, "/a")
    made.allow_log("WGW0114|WGW005[267]|WGW010[34]|pool 'a'")
    request = kit.Background(made, "/a/run", b"import socket\nsocket.socket(fileno=os.dup(3))"
                             b".shutdown(socket.SHUT_RDWR)")
    others_serve(made)
    assert request.answer().status in (200, 502)
    made.expect_log("WGW0114", level="error")
    comes_back(made)
    assert kit.pid_of(made, "/a") != before
    assert len(sockets_of(made)) == len(set(sockets_of(made)))


@ROOT_ONLY
def test_flooding_the_log(make_server):
    """200 MB to descriptor 2, which takes what it can: lines are dropped and counted, nobody waits."""
    made = make_server(pools())
    made.allow_log("flood|WGW0115|WGW0119")
    code = b"""
import time
line = (b'flood' * 200 + b'\\n') * 64
for _ in range((200 << 20) // len(line)):
    try:
        os.write(2, line)
    except BlockingIOError:
        time.sleep(0.001)
result = os.get_blocking(2)
"""
    request = kit.Background(made, "/a/run", code)
    others_serve(made)
    assert request.answer(120).status == 200
    made.expect_log("WGW0115")
    comes_back(made)
    sizes = [-1, log_size(made)]
    while sizes[-1] != sizes[-2]:  # what the pipe held still comes, as slowly as a flood is read
        time.sleep(2)
        sizes.append(log_size(made))
    assert sizes[-1] < 50 << 20
    made.stop()  # the last of it may be read with the end of the process


def log_size(made):
    return sum(path.stat().st_size for path in made.logs.glob("*"))
