"""The command `wsgigw` on a real httpd: what status shows, what reload does, what goes wrong."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import daemonkit as kit  # noqa: E402  (found by the path above)

from harness import Site, eventually, processes  # noqa: E402

MODES = ("daemon",)
BUILD = pathlib.Path(os.environ.get("WGW_BUILDDIR", pathlib.Path(__file__).resolve().parents[2]))
COMMAND = BUILD / "wsgigw"
DONE, FAILED, USAGE, NO_HTTPD, NO_PERMISSION, NO_SUCH_POOL, TROUBLE = range(7)
ENDED = "WGW0052|WGW0104|WGW0106|WGW0068|WGW0111|WGW0112"
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs other users")


def control(made):
    """Return where the control socket of a server is: people find it below DefaultRuntimeDir."""
    return made.root / "run" / "wsgi.control.sock"


def run(made, *words, **options):
    """Run the command for a server; return what it did."""
    return subprocess.run([COMMAND, *words, "--socket", control(made)], capture_output=True, text=True,
                          check=False, timeout=120, **options)


def status(made, name="p"):
    """Return what status shows of a pool."""
    done = run(made, "status", "--json")
    assert done.returncode == DONE, done.stderr
    return next(pool for pool in json.loads(done.stdout)["pools"]
                if pool["name"] == name and not pool["is_ending"])


def counted(made, name, count=1):
    """Wait until a counter has come to a number; return the status then."""
    return eventually(lambda: status(made)["counters"][name] >= count and status(made),
                      f"{name} to be {count}")


def replaced(made, cause, count=1):
    return eventually(lambda: status(made)["replaced"][cause] >= count and status(made),
                      f"{count} processes replaced for {cause}")


def site(options="", script="{apps}/inside.wsgi"):
    return Site(f"""
        WSGIDaemonProcess p threads=3 shutdown-timeout=2 {options}
        WSGIScriptAlias /p {script} process-group=p application-group=%{{GLOBAL}}
    """)


@pytest.fixture
def serve(make_server):
    """Start a server with such a site."""
    return lambda *args, **named: make_server(site(*args, **named))


def requests(made):
    """Return the requests that the processes of the pool have."""
    return [one for process in status(made)["processes"] for one in process["requests"]]


# --- status --------------------------------------------------------------------------------

def test_a_request_that_runs(serve, key):
    """URL, client, age, phase; the process that has it, with as many busy threads."""
    made = serve()
    running = kit.Background(made, f"/p/wait?key={key}")
    pid = int(made.wait_notes(key)[0])
    time.sleep(1)
    process, = status(made)["processes"]
    request, = process["requests"]
    assert request["request"] == f"GET /p/wait?key={key}" and request["client"] == "127.0.0.1"
    assert request["phase"] == "running" and 1 <= request["age"] < 30 and request["id"]
    assert (process["pid"], process["phase"], process["threads"], process["busy"]) == (pid, "ready", 3, 1)
    shown = run(made, "status")
    assert shown.returncode == DONE and f"GET /p/wait?key={key}" in shown.stdout
    assert "1 of 3 threads busy" in shown.stdout and "127.0.0.1" in shown.stdout
    made.open_gate(key)
    assert running.answer().status == 200
    eventually(lambda: not requests(made), "a pool without requests")


def test_phases(serve, key):
    """A response that has begun; requests that wait for a thread."""
    made = serve("graceful-timeout=60")
    with made.connect() as connection:
        connection.request("GET", f"/p/stream?key={key}")
        connection.begin().read_until(b"first")
        assert eventually(lambda: [one["phase"] for one in requests(made)] == ["responding"], "its phase")
        rest = [kit.Background(made, f"/p/wait?key={key}") for _ in range(4)]
        pool = eventually(lambda: status(made)["queue"]["waiting"] == 2 and status(made), "a queue")
        assert len(pool["queue"]["requests"]) == 2
        assert pool["queue"]["requests"][0]["phase"] == "waiting"
        made.open_gate(key)
        assert {one.answer().status for one in rest} == {200}
    queue = status(made)["queue"]
    assert queue["waits"] >= 2 and queue["waited"] > 0 and queue["waiting"] == 0


def test_a_hostile_url(serve, key):
    """Neither the JSON nor the terminal is harmed by it."""
    made = serve()
    target = f"/p/wait?key={key}&x=%1b[2J\"\\\xff\xe2"
    running = kit.Background(made, target)
    made.wait_notes(key)
    assert requests(made)[0]["request"].startswith(f"GET /p/wait?key={key}")
    assert "\x1b" not in run(made, "status").stdout
    made.open_gate(key)
    running.answer()


# --- counters ------------------------------------------------------------------------------

CAUSES = {
    "eviction": ("", None),
    "maximum-requests": ("maximum-requests=3", None),
    "restart-interval": ("restart-interval=1", None),
    "inactivity-timeout": ("inactivity-timeout=1", None),
    "cpu-time-limit": ("cpu-time-limit=1", "import time; e = time.process_time() + 1.5\n"
                                           "while time.process_time() < e: pass"),
    "memory-reload": ("memory-reload=60M", "import sys; sys.kept = bytearray(90 << 20)"),
    "request-timeout": ("request-timeout=1", "import time; time.sleep(3)"),
    "deadlock-timeout": ("deadlock-timeout=1 graceful-timeout=1",
                         "import ctypes; ctypes.PyDLL(None).usleep(8000000)"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_causes(serve, cause):
    """What a process is replaced for is counted under its name."""
    options, code = CAUSES[cause]
    made = serve(options)
    made.allow_log(r"WGW015[0-4]|\] (Thread 0x|  File |and \d+ threads|application group)|" + ENDED)
    pid = kit.pid_of(made, "/p")
    if cause == "eviction":
        os.kill(pid, signal.SIGUSR1)
    background = kit.Background(made, "/p/run", code.encode()) if code else None
    for _ in range(3):
        kit.pid_of(made, "/p")
    replaced(made, cause)
    assert status(made)["counters"]["crashes"] == 0
    if background:
        background.answer()


def test_graceful_restart_is_counted(serve):
    made = serve()
    kit.pid_of(made, "/p")
    made.graceful()
    replaced(made, "reload")


def test_script_and_import_failures(make_server, key):
    """A changed script; a broken one; one that did not import at a request."""
    made = make_server(site(script="{work}/site.wsgi"), start=False)
    text = "def application(environ, start_response):\n" \
           "    start_response('200 OK', [])\n    return [b'1']\n"
    made.write_work("site.wsgi", "import wgw_no_such_module\n" + text)
    made.start()
    made.allow_log(r"WGW001[46]|WGW0105|WGW0129|Traceback|\] \s|ModuleNotFoundError|\^")
    assert made.get("/p").status == 500
    assert counted(made, "failed_loads")["counters"]["failed_versions"] == 0
    made.write_work("site.wsgi", text)
    eventually(lambda: made.get("/p").status == 200, "the repaired script")
    made.write_work("site.wsgi", text + "\n")
    assert made.get("/p").status == 200
    replaced(made, "script")
    made.write_work("site.wsgi", "import wgw_no_such_module\n" + text)
    assert made.get("/p").status == 200
    pool = counted(made, "failed_versions")
    assert pool["has_failed"] is True and pool["counters"]["failed_starts"] >= 1
    assert "ModuleNotFoundError: No module named 'wgw_no_such_module'" in pool["failure"]["text"]
    assert "DOES NOT IMPORT" in run(made, "status").stdout


def test_crash_and_502(serve, key):
    made = serve()
    running = kit.Background(made, f"/p/wait?key={key}")
    os.kill(int(made.wait_notes(key)[0]), signal.SIGKILL)
    assert running.answer().status == 502
    made.expect_log("WGW0052")
    made.expect_log("WGW010[34]", count=2)
    assert counted(made, "crashes")["counters"]["502"] == 1


def test_cut(serve, key):
    made = serve()
    with made.connect() as connection:
        connection.request("GET", f"/p/stream?key={key}")
        response = connection.begin()
        response.read_until(b"first")
        os.kill(int(made.wait_notes(key)[0]), signal.SIGKILL)
        response.read_all()
    made.expect_log("WGW0052")
    made.expect_log("WGW010[34]", count=2)
    assert counted(made, "cut")["counters"]["502"] == 0


def test_refused_and_503(serve, key):
    made = serve("listen-backlog=1")
    kit.pid_of(made, "/p")
    made.allow_log("WGW0058")
    waiting = [kit.Background(made, f"/p/wait?key={key}") for _ in range(3)]
    made.wait_notes(key, 3)
    waiting.append(kit.Background(made, f"/p/wait?key={key}"))
    eventually(lambda: status(made)["queue"]["waiting"] == 1, "a full queue")
    assert made.get("/p/pid").status == 503
    assert counted(made, "refused")["counters"]["503"] == 1
    made.open_gate(key)
    assert {one.answer().status for one in waiting} == {200}


def test_retried(serve, key):
    """The process of a claimed thread ends before it takes the request."""
    made = serve("processes=2")
    kit.pid_of(made, "/p")
    made.allow_log("WGW0103")

    def killed_while_stopped():
        victim = kit.pid_of(made, "/p")
        processes.stop(victim)
        several = [kit.Background(made, "/p/pid") for _ in range(6)]
        time.sleep(0.3)
        os.kill(victim, signal.SIGKILL)
        assert {one.answer().status for one in several} == {200}
        return status(made)["counters"]["retried"]
    eventually(killed_while_stopped, "a request that was offered twice", 60)


def test_queue_timeout_and_504(serve, key):
    made = serve("queue-timeout=1")
    made.allow_log("WGW0055")
    waiting = [kit.Background(made, f"/p/wait?key={key}") for _ in range(3)]
    made.wait_notes(key, 3)
    assert made.get("/p/pid").status == 504
    assert counted(made, "504")["counters"]["503"] == 0
    made.open_gate(key)
    assert {one.answer().status for one in waiting} == {200}


def test_a_pool_that_cannot_start(make_server):
    made = make_server(Site("""
        WSGIDaemonProcess p python=/bin/false
        WSGIScriptAlias /p {apps}/inside.wsgi process-group=p
    """))
    made.allow_log("WGW0109|WGW0125|WGW0056")
    pool = counted(made, "failed_starts", 2)
    assert "exited with code 1 before it was ready" in pool["failure"]["text"]
    eventually(lambda: "DOWN" in run(made, "status").stdout, "a pool that is down", 30)


# --- reload --------------------------------------------------------------------------------

def test_reload_loses_nothing(serve, key):
    """A request that runs is finished by the old process; those that come get the new one."""
    made = serve("processes=2 graceful-timeout=60")
    running = kit.Background(made, f"/p/wait?key={key}")
    old = int(made.wait_notes(key)[0])
    before = {process["pid"] for process in status(made)["processes"]}
    done = run(made, "reload", "p", "--wait")
    assert (done.returncode, done.stdout, done.stderr) == (DONE, "p: done\n", "")
    assert not before & {kit.pid_of(made, "/p") for _ in range(10)}
    phases = {process["pid"]: process["phase"] for process in status(made)["processes"]}
    assert phases[old] == "draining" and list(phases.values()).count("ready") == 2
    made.open_gate(key)
    assert running.answer().status == 200
    assert status(made)["replaced"]["order"] == 2


def test_reload_of_a_broken_deploy(make_server):
    """--wait says so, with the reason, and the old code goes on; so does reload of all."""
    made = make_server(site(script="{work}/site.wsgi"), start=False)
    text = "def application(environ, start_response):\n" \
           "    start_response('200 OK', [])\n    return [b'%s']\n"
    made.write_work("site.wsgi", text % "1")
    made.start()
    assert made.get("/p").body == b"1"
    made.allow_log(r"WGW001[46]|WGW0105|WGW0129|Traceback|\] \s|ModuleNotFoundError|\^")
    made.write_work("site.wsgi", "import wgw_no_such_module\n" + text % "2")
    for words in (("p",), ()):
        done = run(made, "reload", *words, "--wait")
        assert done.returncode == FAILED
        assert "p: failed: process " in done.stderr and "No module named 'wgw_no_such_module'" in done.stderr
        assert made.get("/p").body == b"1"
    made.write_work("site.wsgi", text % "3")
    assert run(made, "reload", "p", "--wait").returncode == DONE
    assert made.get("/p").body == b"3"


def test_reload_without_waiting(serve):
    made = serve()
    old = kit.pid_of(made, "/p")
    done = run(made, "reload", "p")
    assert (done.returncode, done.stdout) == (DONE, "p: accepted\n")
    eventually(lambda: kit.is_gone(old), "the end of the old process")
    made.log.expect("WGW0163: pool 'p' is reloaded: process [0-9]+ of user [0-9]+ has asked for it")


# --- what goes wrong -----------------------------------------------------------------------

def test_wrong_pool(serve):
    made = serve()
    done = run(made, "reload", "q")
    assert done.returncode == NO_SUCH_POOL and "p" in done.stderr.rpartition("there are: ")[2].split(", ")[-1]


@pytest.mark.parametrize("words", [(), ("reload", "a", "b"), ("restart",), ("status", "p"), ("reload", "")])
def test_usage(words):
    assert subprocess.run([COMMAND, *words], capture_output=True, check=False).returncode == USAGE


def test_no_httpd(tmp_path):
    """No socket, one that nobody listens at, a file that is none; by option and by environment."""
    import socket
    missing, dead, text = (tmp_path / name for name in ("missing", "dead", "text"))
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(dead))
    text.write_text("")
    for path in (missing, dead, text):
        for words, variables in ((("--socket", path), {}), ((), {"WSGIGW_SOCKET": str(path)})):
            done = subprocess.run([COMMAND, "status", *words], env=variables, capture_output=True,
                                  text=True, check=False)
            assert done.returncode == NO_HTTPD and str(path) in done.stderr and "httpd" in done.stderr


def test_something_else_answers(tmp_path):
    import socket
    import threading
    answers = [b"hello\n", b"[]\n", b"", b'{"version": 2, "ok": true}\n']
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def serve_all():
            for answer in answers:
                link, _ = server.accept()
                with link:
                    link.recv(100)
                    link.sendall(answer)
        thread = threading.Thread(target=serve_all)
        thread.start()
        for _ in answers:
            done = subprocess.run([COMMAND, "status", "--socket", path], capture_output=True, text=True,
                                  check=False)
            assert done.returncode == TROUBLE and done.stderr.startswith("wsgigw: "), done
        thread.join()


@ROOT_ONLY
def test_other_users(serve):
    """They are told that they may not."""
    made = serve()
    done = run(made, "status", user=kit.account(0).pw_uid, extra_groups=[])
    assert done.returncode == NO_PERMISSION and "run it as root" in done.stderr


def test_over_restarts_and_deaths(serve):
    """The path stays the same; the socket comes back with another supervisor, and goes with httpd.
    What has been counted outlives them."""
    made = serve()
    kit.pid_of(made, "/p")
    assert run(made, "reload", "--wait").returncode == DONE
    made.graceful()
    replaced(made, "reload")
    assert status(made)["replaced"]["order"] == 1
    os.kill(kit.supervisor(made), signal.SIGKILL)
    made.expect_log("WGW0134")
    made.allow_log("WGW0056")
    eventually(lambda: run(made, "status").returncode == DONE, "another supervisor", 60)
    assert status(made)["replaced"]["order"] == 1
    made.stop()
    assert not control(made).exists()
    assert run(made, "status").returncode == NO_HTTPD


def test_two_servers_with_one_prefix(make_server):
    """The second leaves the first one its socket, and says so."""
    first = make_server(site())
    assert kit.pid_of(first, "/p")
    second = make_server(Site(f"WSGISocketPrefix {first.root}/run/wsgi\n" + site().text))
    second.expect_log("WGW0161: .*another httpd listens there.*WSGISocketPrefix", level="warn")
    kit.pid_of(second, "/p")
    shown = json.loads(run(first, "status", "--json").stdout)
    assert shown["supervisor"] == kit.supervisor(first)
    second.stop()
    assert json.loads(run(first, "status", "--json").stdout)["supervisor"] == kit.supervisor(first)
