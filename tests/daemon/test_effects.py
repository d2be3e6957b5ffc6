"""What each option of WSGIDaemonProcess does to a process, or to the requests."""
import grp
import os
import pathlib
import pwd
import stat
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import daemonkit as kit  # noqa: E402  (found by the path above)

from harness import Site, eventually, stage, system  # noqa: E402

MODES = ("daemon",)
ROOT_ONLY = pytest.mark.skipif(not system.is_root(), reason="only root's httpd can do it")
MEGABYTE = 1 << 20


def pool(options, more="", **kinds):
    """A site with a pool `p` that has these options."""
    return Site(f'''
        WSGIDaemonProcess p threads=2 {options}
        WSGIScriptAlias /p {{apps}}/inside.wsgi process-group=p application-group=%{{GLOBAL}}
        WSGIScriptAlias /own {{apps}}/inside.wsgi
        {more}
    ''', **kinds)


@pytest.fixture
def ask(make_server):
    """Run code in a process of a pool with these options."""
    def run(options, code):
        return kit.inside(make_server(pool(options)), code, "/p")
    return run


# --- the process ---------------------------------------------------------------------------

def test_umask(ask, tmp_path):
    assert ask("umask=0077", f"fd = os.open('/tmp/wgw-umask-{os.getpid()}', os.O_CREAT, 0o666)\n"
               "result = os.fstat(fd).st_mode & 0o777\n"
               f"os.unlink('/tmp/wgw-umask-{os.getpid()}')") == 0o600


def test_home(ask):
    assert ask(f"home={stage.session_folder()}", "result = os.getcwd()") == str(stage.session_folder())


def test_home_is_the_root_by_default(ask):
    assert ask("", "result = os.getcwd()") == "/"


def test_home_that_cannot_be_entered(make_server):
    if not system.is_root():
        pytest.skip("root can make a folder that others cannot enter")
    folder = stage.session_folder() / "closed"
    folder.mkdir(mode=0o700, exist_ok=True)
    made = make_server(pool(f"home={folder} connect-timeout=1"))
    made.allow_log("WGW0101|WGW0056|WGW0105")
    assert made.get("/p/pid").status == 503 and made.get("/own/pid").status == 200
    made.expect_log(f"WGW0101.*pool 'p'.*chdir.. to {folder}: Permission denied")
    made.stop()


def test_lang_and_locale(ask):
    code = "import locale; result = [os.environ.get('LANG'), os.environ.get('LC_ALL'), locale.setlocale(locale.LC_CTYPE)]"
    assert ask("", code) == ["C.UTF-8", None, "C.UTF-8"]
    assert ask("lang=C", code)[:2] == ["C", None]
    assert ask("locale=C.UTF-8", code) == [None, "C.UTF-8", "C.UTF-8"]


def test_locale_that_is_not_there(make_server):
    made = make_server(pool("locale=xx_YY.UTF-8"))
    assert made.get("/p/pid").status == 200
    made.expect_log("WGW0141: locale 'xx_YY.UTF-8'")


def test_display_name(make_server):
    made = make_server(pool("display-name=%{GROUP}"))
    pid = kit.pid_of(made, "/p")
    assert pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0") == b"(wsgi:p)"
    made = make_server(pool("display-name='my own site'"))
    pid = kit.pid_of(made, "/p")
    assert pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0") == b"my own site"


def policies(pid):
    """The scheduling policy of each thread of a process."""
    return [os.sched_getscheduler(int(name)) for name in os.listdir(f"/proc/{pid}/task")]


def test_short_requests_do_not_preempt(make_server):
    """A thread whose requests are short competes as SCHED_BATCH; what it forks, and a thread that
    gets longer ones again, as any other."""
    made = make_server(Site("""
        WSGIDaemonProcess p threads=1
        WSGIScriptAlias /p {apps}/inside.wsgi process-group=p application-group=%{GLOBAL}
    """))
    pid = kit.pid_of(made, "/p")
    assert set(policies(pid)) == {os.SCHED_OTHER}
    eventually(lambda: kit.pid_of(made, "/p") == pid and policies(pid).count(os.SCHED_BATCH) == 1,
               "one thread that does not preempt")
    forked = """
child = os.fork()
if not child:
    os._exit(os.sched_getscheduler(0) + 100)
result = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) - 100
"""
    assert kit.inside(made, forked, "/p") == os.SCHED_OTHER
    for _ in range(8):
        kit.inside(made, "import time; time.sleep(0.02)", "/p")
    assert set(policies(pid)) == {os.SCHED_OTHER}


@ROOT_ONLY
@pytest.mark.parametrize("nice", [7, -3])
def test_cpu_priority(ask, nice):
    assert ask(f"cpu-priority={nice}", "result = os.nice(0)") == nice


def test_stack_size(ask):
    """The stack that a thread finds itself on is as large as was asked for."""
    code = """
import ctypes
at = ctypes.addressof(ctypes.c_int())
libc = ctypes.CDLL(None)
attributes, address, size = (ctypes.c_char * 256)(), ctypes.c_void_p(), ctypes.c_size_t()
libc.pthread_self.restype = ctypes.c_ulong
libc.pthread_getattr_np(ctypes.c_ulong(libc.pthread_self()), attributes)
libc.pthread_attr_getstack(attributes, ctypes.byref(address), ctypes.byref(size))
result = size.value
"""
    assert abs(ask("stack-size=2M", code) - 2 * MEGABYTE) <= 65536
    assert abs(ask("stack-size=24M", code) - 24 * MEGABYTE) <= 65536


@pytest.mark.parametrize("option, name", [("memory-limit", "RLIMIT_DATA"),
                                          ("virtual-memory-limit", "RLIMIT_AS")])
def test_memory_limits(make_server, option, name):
    """The limit is set, hard; too much is a MemoryError and a 500, and the process lives on."""
    made = make_server(pool(f"{option}=600M"))
    pid = kit.pid_of(made, "/p")
    assert kit.inside(made, f"import resource; result = resource.getrlimit(resource.{name})",
                      "/p") == [600 * MEGABYTE] * 2
    assert made.post("/p/run", b"x = bytearray(700 << 20)").status == 500
    made.expect_traceback("MemoryError")
    assert kit.pid_of(made, "/p") == pid


def test_no_limits_by_default(ask):
    assert ask("", "import resource; result = [resource.getrlimit(one) == (-1, -1) for one in "
               "(resource.RLIMIT_DATA, resource.RLIMIT_AS)]") == [True, True]


IDS = "result = [list(os.getresuid()), list(os.getresgid()), sorted(os.getgroups())]"


@ROOT_ONLY
def test_user_alone(ask):
    """The groups of the user; the group of httpd, as with mod_wsgi, unless group= says another."""
    user, httpd = kit.account(0), system.server_user()
    uids, gids, groups = ask(f"user={user.pw_name}", IDS)
    assert uids == [user.pw_uid] * 3 and len(set(gids)) == 1
    assert gids[0] in (user.pw_gid, httpd.pw_gid) and 0 not in groups


@ROOT_ONLY
def test_user_group_and_supplementary_groups(ask):
    user, other = kit.account(0), kit.account(1)
    name = grp.getgrgid(other.pw_gid).gr_name
    uids, gids, groups = ask(f"user=#{user.pw_uid} group={name} supplementary-groups={name},#54321", IDS)
    assert (uids, gids, groups) == ([user.pw_uid] * 3, [other.pw_gid] * 3, sorted([other.pw_gid, 54321]))


def test_python_path_and_eggs(ask):
    folder = stage.session_folder() / "path"
    for name in ("first", "second", "by_pth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "first" / "wgw_found.py").write_text("where = 'first'\n")
    (folder / "second" / "wgw_found.py").write_text("where = 'second'\n")
    (folder / "first" / "more.pth").write_text(f"{folder}/by_pth\n")
    stage.make_readable(folder)
    where, path, eggs = ask(f"python-path={folder}/first:{folder}/second python-eggs=/tmp/eggs",
                            "import wgw_found\nresult = [wgw_found.where, sys.path, "
                            "os.environ['PYTHON_EGG_CACHE']]")
    assert where == "first" and eggs == "/tmp/eggs"
    assert path.index(f"{folder}/first") < path.index(f"{folder}/second")
    assert f"{folder}/by_pth" in path


def test_environment(ask, monkeypatch):
    monkeypatch.setenv("WGW_HTTPD_ENV", "WANTED=yes UNWANTED=yes")
    got = ask("pass-env=WANTED,MISSING env=OWN=1 env='SPACED=a b=c' env=PATH=/own",
              "result = dict(os.environ)")
    assert got["WANTED"] == "yes" and got["OWN"] == "1" and got["SPACED"] == "a b=c"
    assert got["PATH"] == "/own" and not got.keys() & {"UNWANTED", "MISSING"}


def test_processes_and_threads(make_server, key):
    """Exactly processes= x threads= requests at a time, in processes= processes."""
    made = make_server(Site('''
        WSGIDaemonProcess p processes=3 threads=2
        WSGIScriptAlias /p {apps}/inside.wsgi process-group=p application-group=%{GLOBAL}
    '''))
    eventually(lambda: len(made.log.find("WGW0123.*pool 'p'")) == 3, "three processes")
    waiting = [kit.Background(made, f"/p/wait?key={key}") for _ in range(7)]
    made.wait_notes(key, 6)
    pids = made.notes(key)
    assert len(pids) == 6 and sorted(pids.count(pid) for pid in set(pids)) == [2, 2, 2]
    made.open_gate(key)
    assert [one.answer().status for one in waiting] == [200] * 7


@ROOT_ONLY
def test_chroot_without_an_interpreter(make_server):
    """The interpreter must be inside; httpd says so before it starts."""
    jail = stage.session_folder() / "jail"
    jail.mkdir(exist_ok=True)
    code, output = make_server(pool(f"chroot={jail}"), start=False).configtest()
    assert code != 0 and "python=" in output and ("inside" in output or "No such file" in output), output


@ROOT_ONLY
def test_chroot_that_python_cannot_start_in(make_server):
    """A jail with an interpreter that lacks its libraries: the log says which one cannot run."""
    jail = stage.session_folder() / "half-jail"
    (jail / "usr/bin").mkdir(parents=True, exist_ok=True)
    (jail / "usr/bin/python3").write_text("#!/bin/sh\n")
    stage.make_readable(jail)
    (jail / "usr/bin/python3").chmod(0o755)
    made = make_server(pool(f"chroot={jail} python=/usr/bin/python3 connect-timeout=1"), start=False)
    code, output = made.configtest()
    if code != 0:
        assert "chroot" in output or str(jail) in output, output
        return
    made.start()
    made.allow_log("WGW0101|WGW0056")
    assert made.get("/p/pid").status == 503
    made.expect_log("WGW0101.*exec of /usr/bin/python3: No such file.*chroot")
    made.stop()


# --- sockets and requests ------------------------------------------------------------------

@ROOT_ONLY
def test_socket_user(make_server):
    """Owner of the sockets; nobody else may connect."""
    for option, user in (("", system.server_user()), (f"socket-user={kit.account(0).pw_name}", kit.account(0))):
        made = make_server(Site(f"WSGIDaemonProcess p {option}"))
        found = [path.lstat() for path in made.root.rglob("*.1.*.sock")]
        assert found and all(stat.S_IMODE(one.st_mode) == 0o600 for one in found)
        made.stop()
        assert user.pw_uid in {one.st_uid for one in found}


def test_full_queue(make_server, key):
    """503 with Retry-After, at once, for the one too many, and nothing else is harmed."""
    made = make_server(pool("listen-backlog=6"))
    made.allow_log("WGW0058")
    kit.pid_of(made, "/p")  # requests that come while the process starts wait, too
    sent = [kit.Background(made, f"/p/wait?key={key}") for _ in range(2)]
    made.wait_notes(key, 2)
    sent += [kit.Background(made, f"/p/wait?key={key}") for _ in range(7)]
    refused = eventually(lambda: [one for one in sent if one.is_answered()], "a full queue")
    answer = refused[0].answer()
    assert len(refused) == 1 and answer.status == 503 and answer.header("Retry-After") == "10"
    made.expect_log("WGW0058: the queue of pool 'p' is full")
    made.open_gate(key)
    assert [one.answer().status for one in sent if one is not refused[0]] == [200] * 8


def test_queue_timeout(make_server, key):
    made = make_server(pool("queue-timeout=1"))
    busy = [kit.Background(made, f"/p/wait?key={key}") for _ in range(2)]
    made.wait_notes(key, 2)
    assert made.get("/p/pid").status == 504
    made.expect_log("WGW0055")
    made.open_gate(key)
    assert [one.answer().status for one in busy] == [200, 200]


def test_socket_timeout(make_server, key):
    made = make_server(pool("socket-timeout=1"))
    assert made.get(f"/p/wait?key={key}").status == 504
    made.expect_log("WGW0053")
    made.open_gate(key)
    assert made.get("/p/pid").status == 200


def test_connect_timeout(make_server):
    """No process can be started: 503 after connect-timeout."""
    made = make_server(pool("connect-timeout=1 python=/bin/false"), start=False)
    code, output = made.configtest()
    if code:
        pytest.skip(f"/bin/false is refused before: {output}")
    made.start()
    made.allow_log("WGW01|ld.so")
    answer = made.get("/p/pid")
    assert answer.status == 503 and answer.header("Retry-After")
    made.expect_log("WGW0056")
    made.stop()


def test_header_buffer_size(make_server):
    """A field that is longer is an error of the application's; one below is passed."""
    script = '''
def application(environ, start_response):
    start_response("200 OK", [("X-Long", "x" * int(environ["QUERY_STRING"]))])
    return [b"done"]
'''
    made = make_server(Site('''
        WSGIDaemonProcess small header-buffer-size=8K
        WSGIDaemonProcess usual
        WSGIScriptAlias /small {work}/long.wsgi process-group=small
        WSGIScriptAlias /usual {work}/long.wsgi process-group=usual
    '''), start=False)
    made.write_work("long.wsgi", script)
    made.start()
    assert made.get("/small?7000").status == 200
    answer = made.get("/small?9000")
    assert answer.status in (500, 502) and answer.header("X-Long") is None
    made.expect_log("WGW0051|header-buffer-size|too long")
    assert made.get("/usual?30000").header("X-Long") == "x" * 30000
    assert made.get("/usual?40000").status in (500, 502)
    made.expect_log("WGW0051|header-buffer-size|too long", count=2)


@pytest.mark.parametrize("size", [0, 10, 128 * 1024, 128 * 1024 + 1, 5 * MEGABYTE])
def test_request_spool(make_server, size):
    """Bodies arrive whole; as a descriptor of a file where they are larger than request-buffer."""
    made = make_server(pool("request-spool=on"))
    code = b"#" * size + b"""
def where(name):
    try:
        return os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        return ""
links = map(where, os.listdir("/proc/self/fd"))
result = any(link.endswith("(deleted)") and "memfd:wsgigw" not in link for link in links)
"""
    answer = made.post("/p/run", code)
    assert answer.status == 200
    assert answer.body == (b"true" if len(code) > 128 * 1024 else b"false")
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(code[i:i + 65536]), code[i:i + 65536])
                      for i in range(0, len(code), 65536)) + b"0\r\n\r\n"
    answer = made.request("POST", "/p/run", [("Transfer-Encoding", "chunked")], chunks)
    assert answer.status == 200 and answer.body in (b"true", b"false")


def test_spooled_body_holds_no_thread(make_server, key):
    """A client that sends slowly keeps no Python thread from others."""
    made = make_server(pool("request-spool=on"))
    slow = []
    body = b"result = 1\n" + b"#" * MEGABYTE
    for _ in range(3):
        connection = made.connect()
        connection.send(b"POST /p/run HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
                        + body[:200000])
        slow.append(connection)
    assert made.get("/p/pid").status == 200
    for connection in slow:
        connection.send(body[200000:])
        assert connection.response().body == b"1"
        connection.close()


def test_socket_buffers(ask):
    """SO_SNDBUF and SO_RCVBUF of the connections to httpd (the system doubles what is asked for)."""
    code = """
import socket
sock = socket.socket(fileno=os.dup(3))
result = [sock.getsockopt(socket.SOL_SOCKET, one) for one in (socket.SO_SNDBUF, socket.SO_RCVBUF)]
"""
    assert ask("send-buffer-size=20000 receive-buffer-size=30000", code) == [40000, 60000]
