"""kill -9 of every kind of process, and orders to end: what is left, and what a client gets."""
import os
import signal
import time

import pytest

import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import daemonkit as kit  # noqa: E402  (found by the path above)

from harness import ProtocolError, Site, checks, eventually, processes  # noqa: E402

MODES = ("daemon",)
EVERY_MPM = True
PATIENCE_S = 60
SITE = Site('''
    WSGIDaemonProcess a processes=2 threads=4
    WSGIDaemonProcess one threads=4 queue-timeout=20
    WSGIScriptAlias /a {apps}/inside.wsgi process-group=a application-group=%{GLOBAL}
    WSGIScriptAlias /one {apps}/inside.wsgi process-group=one application-group=%{GLOBAL}
    CoreDumpDirectory /nonexistent
''')
SITE = SITE._replace(text=SITE.text.replace("    CoreDumpDirectory /nonexistent\n", ""))


def ours(made):
    """Return all that is not httpd: the supervisor and the daemon processes."""
    return [kit.supervisor(made), *kit.daemons(made)]


def ready(made, target="/one"):
    """Wait until a pool answers."""
    def answers():
        return made.get(f"{target}/pid").status == 200
    made.allow_log("WGW0056")
    eventually(answers, f"an answer below {target}", PATIENCE_S)


def full(made, key, target, count):
    """Prove that `count` requests run at a time below `target`."""
    before = len(made.notes(key))
    waiting = [kit.Background(made, f"{target}/wait?key={key}") for _ in range(count)]
    made.wait_notes(key, before + count)
    made.open_gate(key)
    assert [one.answer().status for one in waiting] == [200] * count


# --- httpd's parent ------------------------------------------------------------------------

def test_parent(make_server, key):
    """Within 10 s nothing of ours is left; what httpd's orphans answer is 503, at once."""
    made = make_server(SITE)
    ready(made)
    children, mine = kit.httpd_children(made), ours(made)
    running = kit.Background(made, f"/one/wait?key={key}")
    made.wait_notes(key)
    begin = time.monotonic()
    os.kill(made.pid, signal.SIGKILL)
    made.allow_log("WGW0116|WGW005[267]|WGW0056|WGW0068|WGW0106|WGW01")
    try:
        eventually(lambda: all(map(kit.is_gone, mine)), "the end of the supervisor and daemons", 10)
        assert not checks.sockets_below(made.root)
        assert time.monotonic() - begin < 10
        for _ in range(5):
            begin = time.monotonic()
            status = orphan_answer(made)
            if status is None:
                break                                  # prefork: a child ends by itself
            assert status == 503
            assert time.monotonic() - begin < 2
        try:
            assert running.answer(15).status in (502, 503, 504)
        except (ProtocolError, OSError):
            pass                                       # its httpd child has ended meanwhile
    finally:
        for child in children:
            if not kit.is_gone(child):
                os.kill(child, signal.SIGKILL)
    made.expect_log("WGW0116", level="warn")


def orphan_answer(made):
    """Return the status that an httpd child without a parent answers with; None if there is none."""
    try:
        return made.get("/one/pid").status
    except (ProtocolError, OSError):
        return None


# --- the supervisor ------------------------------------------------------------------------

def killed_supervisor(made):
    """Kill the supervisor; return what there was of ours."""
    mine = ours(made)
    os.kill(mine[0], signal.SIGKILL)
    return mine


def test_supervisor(make_server):
    """The daemons end, another supervisor starts, the service comes back by itself, twice."""
    made = make_server(SITE)
    for count in (1, 2):
        ready(made)
        mine = killed_supervisor(made)
        made.expect_log("WGW0134", level="error", count=count)
        eventually(lambda: all(map(kit.is_gone, mine)), "the end of the old daemons", 20)
        ready(made)
        ready(made, "/a")
        assert not set(ours(made)) & set(mine)


def test_supervisor_while_requests_come(make_server):
    """Every request meanwhile is answered: by the application, or by 502 to 504."""
    made = make_server(SITE)
    ready(made)
    made.allow_log("WGW0134|WGW005[267]|WGW0056|WGW0068|WGW0106")
    killed_supervisor(made)
    requests = []
    for _ in range(12):
        requests.append(kit.Background(made, "/one/pid"))
        time.sleep(0.1)
    statuses = [one.answer().status for one in requests]
    assert set(statuses) <= {200, 502, 503}, statuses
    ready(made)


def test_supervisor_with_a_request_inside(make_server, key):
    """A request that runs is finished by the old process if it ends soon."""
    made = make_server(SITE)
    ready(made)
    running = kit.Background(made, f"/one/wait?key={key}")
    made.wait_notes(key)
    killed_supervisor(made)
    made.open_gate(key)
    assert running.answer().status == 200
    made.expect_log("WGW0134", level="error")
    made.allow_log("WGW0106")
    ready(made)


# --- a child of httpd ----------------------------------------------------------------------

def test_httpd_child_fifty_times(make_server, key):
    """Its requests free their daemon threads, and no place in the queue is lost.

    Ten times five requests whose httpd children are killed: three inside, two in the queue.
    """
    made = make_server(Site('''
        WSGIDaemonProcess one threads=3 listen-backlog=7
        WSGIScriptAlias /one {apps}/inside.wsgi process-group=one application-group=%{GLOBAL}
    '''))
    made.allow_log("AH00052|AH00020|AH00288|AH00056")
    for number in range(10):
        name = f"{key}r{number}"
        connections = [start_request(made, f"/one/wait?key={name}") for _ in range(5)]
        made.wait_notes(name, 3)
        for victim in kit.httpd_children(made):
            os.kill(victim, signal.SIGKILL)
        for connection in connections:
            connection.close()
        made.open_gate(name)
        eventually(lambda: httpd_answers(made), "httpd to go on", PATIENCE_S)
    eventually(lambda: made.get("/one/pid").status == 200, "an answer", PATIENCE_S)
    full(made, key, "/one", 3)
    made.allow_log("WGW0058")
    places_free(made, key)


def places_free(made, key):
    """Prove that the queue takes as many requests as there are places."""
    def all_taken():
        name = f"{key}p{time.monotonic_ns()}"
        waiting = [kit.Background(made, f"/one/wait?key={name}") for _ in range(10)]
        made.wait_notes(name, 3)
        time.sleep(0.2)
        made.open_gate(name)
        return [one.answer().status for one in waiting] == [200] * 10
    eventually(all_taken, "ten places in the queue", PATIENCE_S)


def start_request(made, target):
    """Send a request."""
    connection = made.connect()
    connection.request("GET", target)
    return connection


def httpd_answers(made):
    try:
        return made.request("OPTIONS", "*").status < 500
    except (OSError, AssertionError):
        return False


# --- a daemon process ----------------------------------------------------------------------

def test_idle_daemon(make_server):
    """The next requests are served without an error."""
    made = make_server(SITE)
    ready(made)
    for target in ("/one", "/a"):
        for _ in range(3):
            os.kill(kit.pid_of(made, target), signal.SIGKILL)
            assert made.get(f"{target}/pid").status == 200
    made.expect_log("WGW0103: process .* was ended by signal 9 .SIGKILL.", count=6)


def test_daemon_before_the_head(make_server, key):
    """502; signal, pool and URL stand in the log."""
    made = make_server(SITE)
    running = kit.Background(made, f"/one/wait?key={key}&needle=x")
    pid = int(made.wait_notes(key)[0])
    os.kill(pid, signal.SIGKILL)
    assert running.answer().status == 502
    made.expect_log("WGW0052: .*pool 'one'.* was ended by signal 9 .*502")
    made.expect_log("WGW0103: .*pool 'one' was ended by signal 9")
    made.expect_log(f"WGW0104: process {pid} was serving GET /one/wait.key={key}&needle=x")
    ready(made)


@pytest.mark.parametrize("query", ["", "&length=9"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_daemon_in_the_body(make_server, key, query, version):
    """The client sees the cut, however the response is framed."""
    made = make_server(SITE)
    with made.connect() as connection:
        connection.request("GET", f"/one/stream?key={key}{query}", version=version)
        response = connection.begin()
        response.read_until(b"first")
        os.kill(int(made.wait_notes(key)[0]), signal.SIGKILL)
        response.read_all()
    assert response.status == 200 and (not response.complete or response.reset)
    made.expect_log("WGW0052: .*was ended by signal 9 .*the response is cut")
    made.expect_log("WGW010[34]", count=2)
    ready(made)


def test_log_of_the_virtual_host(make_server, key):
    """What a pool's crash has to say stands in the log of the virtual host that declared it."""
    made = make_server(Site('''
        <VirtualHost *:{port}>
            ServerName v
            ErrorLog {logs}/v-error.log
            WSGIDaemonProcess v
            WSGIScriptAlias / {apps}/inside.wsgi process-group=v application-group=%{GLOBAL}
        </VirtualHost>
    '''))
    running = kit.Background(made, f"/wait?key={key}")
    os.kill(int(made.wait_notes(key)[0]), signal.SIGSEGV)
    assert running.answer().status == 502
    for pattern in ("WGW0052", "WGW0103: .*pool 'v' was ended by signal 11", "WGW0104: .*GET /wait"):
        made.expect_log(pattern, file="v-error.log")
    made.allow_log("Fatal Python error|Thread 0x|File \"|Current thread|Extension modules|^$|raw|most recent|pid")


def test_stopped_daemon(make_server):
    """While one process of two is stopped, the other serves."""
    made = make_server(SITE)
    ready(made, "/a")
    stopped = kit.pid_of(made, "/a")
    processes.stop(stopped)
    try:
        waiting = [kit.Background(made, "/a/pid") for _ in range(24)]
        time.sleep(1)
        others = [int(made.get("/a/pid").body) for _ in range(4)]
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert stopped not in others
    answers = [one.answer() for one in waiting]
    assert {one.status for one in answers} == {200}
    assert any(int(one.body) != stopped for one in answers)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_asking_a_daemon_to_end(make_server, key, number):
    """It finishes what it has, another one takes over, and no request is lost."""
    made = make_server(SITE)
    running = kit.Background(made, f"/one/wait?key={key}")
    pid = int(made.wait_notes(key)[0])
    os.kill(pid, number)
    later = [kit.Background(made, "/one/pid") for _ in range(4)]
    assert {one.answer().status for one in later} == {200}
    made.open_gate(key)
    if number == signal.SIGUSR1:
        assert running.answer().status == 200
    else:
        assert running.answer().status in (200, 502)
    made.allow_log("WGW0052|WGW0104|WGW0106|WGW0068")
    eventually(lambda: kit.is_gone(pid), "the end of the old process", 20)
    assert kit.pid_of(made, "/one") != pid


# --- httpd's own orders --------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP])
def test_restart(make_server, number):
    """Requests before and after are served; the old processes go, and their sockets."""
    made = make_server(SITE)
    ready(made)
    old = kit.daemons(made)
    for _ in range(2):
        assert made.get("/one/pid").status == 200
    before = made._generations()
    os.kill(made.pid, number)
    eventually(lambda: made._generations() > before, "the restart")
    eventually(lambda: httpd_answers(made), "an answer", PATIENCE_S)
    assert made.get("/one/pid").status == 200
    assert made.get("/a/pid").status == 200
    made.remember_processes()
    eventually(lambda: all(map(kit.is_gone, old)), "the end of the old processes", PATIENCE_S)
    eventually(lambda: len(checks.sockets_below(made.root)) == 3 * 5 + 1, "the sockets of one generation, and the control socket")
    assert len(kit.supervisors(made.pid)) == 1


@pytest.mark.parametrize("graceful", [False, True])
def test_stop(make_server, graceful):
    made = make_server(SITE)
    ready(made)
    mine = ours(made)
    made.stop(graceful=graceful)
    assert all(map(kit.is_gone, mine))
    assert not checks.sockets_below(made.root)


def test_stop_while_there_is_no_supervisor(make_server):
    """Its sockets go with httpd, its processes with it."""
    made = make_server(SITE)
    ready(made)
    mine = killed_supervisor(made)
    made.expect_log("WGW0134", level="error")
    made.stop()
    eventually(lambda: all(map(kit.is_gone, mine)), "the end of the processes", 20)
    assert not checks.sockets_below(made.root)


def test_stop_does_not_wait_for_requests_that_no_process_takes(make_server):
    """They would keep the child until httpd kills it, ten seconds later."""
    made = make_server(Site("""
        WSGIDaemonProcess none python=/bin/false connect-timeout=60s
        WSGIScriptAlias / {apps}/probe.wsgi process-group=none
    """))
    made.allow_log("WGW0109|WGW0125|WGW0056")
    waiting = made.connect()
    waiting.request("GET", "/")
    time.sleep(1)  # nothing tells from outside that it waits
    begin = time.monotonic()
    made.stop()
    assert time.monotonic() - begin < 7
    waiting.close()
