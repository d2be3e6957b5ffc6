"""The deadlines of a request and of a process: what each does to the request, to the client, to the
process, to the others in it, and what the log says."""
import json
import os
import pathlib
import re
import signal
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import daemonkit as kit  # noqa: E402  (found by the path above)
import test_versions as versions  # noqa: E402

from harness import Site, eventually, processes  # noqa: E402

MODES = ("daemon",)
DUMP = r"\] (Thread 0x[0-9a-f]{16}|  File |and \d+ threads that are not in Python|application group ')"
ENDED = "WGW0052|WGW0068|WGW0104|WGW0106|WGW011[12]"  # a process that was ended with a request
GROUPS = {"main": "%{GLOBAL}", "sub": "another"}
LONG_S = 60  # longer than anything here waits

STUCK = {
    "loop": f"""
end = time.monotonic() + {LONG_S}
while time.monotonic() < end:
    pass
""",
    "sleep": f"time.sleep({LONG_S})",
    "flock": """
import fcntl, tempfile
with tempfile.NamedTemporaryFile() as file, open(file.name) as other:
    fcntl.flock(file, fcntl.LOCK_EX)
    fcntl.flock(other, fcntl.LOCK_EX)
""",
    "regex": "import re; re.match(r'(a+)+$', 'a' * 50 + 'b')",
    "held": f"import ctypes; ctypes.PyDLL(None).usleep({LONG_S} * 1000000)",
}
# What the kernel says of it, where it says more than that it waits.
DOING = {"loop": "(running on a processor|waiting in .*futex)", "regex": "running on a processor",
         "sleep": "waiting in .*(nanosleep|kernel$)", "held": "waiting in .*(nanosleep|kernel$)",
         "flock": "waiting in .*(flock|lock|kernel$)"}


def in_function(code, name="the_stuck_function"):
    """Code that runs `code` in a function of that name."""
    lines = "\n".join("    " + line for line in code.strip().splitlines())
    return f"import time\ndef {name}():\n{lines}\n{name}()\n".encode()


def site(options, group="main", threads=3):
    """A site with a pool `p` that has these options."""
    return Site(f"""
        WSGIDaemonProcess p threads={threads} {options}
        WSGIScriptAlias /p {{apps}}/inside.wsgi process-group=p application-group={GROUPS[group]}
        WSGIScriptAlias /third {{apps}}/inside.wsgi process-group=p application-group=third
    """)


@pytest.fixture
def serve(make_server):
    """Start a server with such a site, whose log may have dumps."""
    def start(*args, **named):
        made = make_server(site(*args, **named))
        made.allow_log(DUMP)
        return made
    return start


def dump_of(made, number="WGW0152"):
    """Wait for a numbered message and the end of its dump; return the lines of both."""
    def whole():
        lines = [record.message for record in made.log.of_test()]
        starts = [at for at, line in enumerate(lines) if line.startswith(number)]
        ends = [at for at, line in enumerate(lines) if re.match(r"and \d+ threads", line)]
        return lines[starts[0]:ends[-1] + 1] if starts and ends and ends[-1] > starts[0] else None
    lines = eventually(whole, f"a dump after {number}")
    assert sum(number in line for line in lines) >= 1
    return lines


def is_replaced(made, pid):
    """Wait until a process is gone, and another one answers."""
    eventually(lambda: kit.is_gone(pid), f"the end of process {pid}", 30)
    assert kit.pid_of(made, "/p") != pid


# --- request-timeout ---------------------------------------------------------------------

@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("kind", STUCK)
def test_stacks(serve, kind, group):
    """A request that is stuck, in whichever way: 504, its function in the log, another process."""
    made = serve("request-timeout=1 deadlock-timeout=0 graceful-timeout=60 shutdown-timeout=60", group)
    pid = kit.pid_of(made, "/p")
    began = time.monotonic()
    answer = made.post("/p/run", in_function(STUCK[kind]))
    assert answer.status == 504 and 1 <= time.monotonic() - began < 10
    made.expect_log("WGW0150: the request ran out of time in pool 'p'.*504")
    lines = dump_of(made)
    group_name = "" if group == "main" else GROUPS[group]
    assert re.search(rf"'POST /p/run' \(request \S+\) has been running for [1-5]\.\d s in process {pid} of "
                     rf"pool 'p', thread 0x[0-9a-f]+, application group '{group_name}'", lines[0])
    assert lines[1].startswith("Thread 0x") and " of this request, " in lines[1]
    first = lines[2:next(at for at, line in enumerate(lines) if at > 1 and not line.startswith("  "))]
    assert any("in the_stuck_function" in line for line in first), lines
    assert re.search(DOING[kind], lines[1]), lines[1]
    made.expect_log("WGW0152")
    made.expect_log("WGW0153")
    is_replaced(made, pid)


@pytest.mark.parametrize("version", versions.new_enough(), ids="{0[0]}.{0[1]}".format)
@pytest.mark.parametrize("kind", ["loop", "held"])
def test_stacks_of_each_version(serve, version, kind):
    """faulthandler's idea of the interpreter to dump has changed between versions."""
    made = serve(f"request-timeout=1 {versions.venv(version)[1]}", "sub")
    assert kit.inside(made, "result = sys.version_info[:2]", "/p") == list(version)
    assert made.post("/p/run", in_function(STUCK[kind])).status == 504
    assert any("in the_stuck_function" in line for line in dump_of(made))
    made.expect_log("WGW0150")
    made.expect_log("WGW0152")


def test_just_in_time(serve):
    """Requests that end before are not touched, however many, on the same connection and thread."""
    made = serve("request-timeout=20", threads=1)
    pid = kit.pid_of(made, "/p")
    for _ in range(20):
        assert kit.inside(made, "import time; time.sleep(0.01); result = 1", "/p") == 1
    assert kit.pid_of(made, "/p") == pid and not made.log.find("WGW015")


def test_others_finish(serve, key):
    """A request beside the stuck one is answered by the process that is on its way out."""
    made = serve("request-timeout=5 graceful-timeout=60", threads=2)
    pid = kit.pid_of(made, "/p")
    stuck = kit.Background(made, "/p/run", in_function(STUCK["sleep"]))
    time.sleep(3)
    other = kit.Background(made, f"/p/wait?key={key}")
    assert made.wait_notes(key, 1) == [str(pid)]
    assert stuck.answer().status == 504
    made.expect_log("WGW0150")
    made.expect_log("WGW0152")
    eventually(lambda: kit.pid_of(made, "/p") != pid, "a successor")
    assert not kit.is_gone(pid)
    made.open_gate(key)
    assert other.answer().status == 200
    is_replaced(made, pid)
    made.expect_log("WGW0153")


def test_in_mid_body(serve, key):
    """What has begun is cut so that the client sees it."""
    made = serve("request-timeout=1")
    answer = made.get(f"/p/stream?key={key}")
    assert answer.status == 200 and not answer.complete and answer.body == b"first"
    made.expect_log("WGW0150.*the response is cut")
    made.expect_log("WGW0152")
    made.open_gate(key)


def test_a_slow_client(serve):
    """What Python has left in time is not cut because its client is slow to take it."""
    made = serve("request-timeout=2")
    size = 30 << 20
    with made.connect() as connection:
        connection.request("POST", "/p/run", [("Connection", "close")], f"result = 'x' * {size}".encode())
        time.sleep(4)
        with connection.socket.makefile("rb") as file:  # quicker than the client, which is strict
            answer = file.read()
    assert len(answer) > size and answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"0\r\n\r\n")
    assert not made.log.find("WGW015")


def test_the_queue_counts(serve, key):
    """A request that finds no thread in its time gets 504, and the application does not see it."""
    made = serve("request-timeout=1 interrupt-timeout=60", threads=1)
    busy = kit.Background(made, "/p/run", in_function(f"open('/tmp/{key}', 'w').close(); time.sleep(8)"))
    eventually(lambda: os.path.exists(f"/tmp/{key}"), "the first request")
    os.unlink(f"/tmp/{key}")
    began = time.monotonic()
    assert made.get(f"/p/wait?key={key}").status == 504 and time.monotonic() - began < 7
    made.expect_log("WGW0151: the request ran out of time .* before a thread of pool 'p'")
    assert busy.answer().status == 504 and made.notes(key) == []
    made.expect_log("WGW0152.*is interrupted")
    made.expect_traceback("RequestTimeout")


def test_a_stopped_process(serve, key):
    """httpd keeps the time by itself; the process, when it goes on, does not call the application."""
    made = serve("request-timeout=1 deadlock-timeout=0")
    pid = kit.pid_of(made, "/p")
    processes.stop(pid)
    try:
        assert made.get(f"/p/wait?key={key}").status == 504
        made.expect_log("WGW0150")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert kit.pid_of(made, "/p") == pid and made.notes(key) == []
    assert not made.log.find("WGW0152")


# --- interrupt-timeout -------------------------------------------------------------------

CAUGHT = f"""
result = None
try:
    end = time.monotonic() + {LONG_S}
    while time.monotonic() < end:
        time.sleep(0.01)
except WHAT as error:
    result = type(error).__name__
"""


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("what", ["Exception", "BaseException"])
def test_interrupt(serve, what, group):
    """RequestTimeout ends the request with 504, unless the application catches it; the process stays,
    and no later request finds it."""
    made = serve("request-timeout=1 interrupt-timeout=60", group, threads=1)
    pid = kit.pid_of(made, "/p")
    answer = made.post("/p/run", b"import time\n" + CAUGHT.replace("WHAT", what).encode())
    made.expect_log("WGW0152.*is interrupted by wsgigw.RequestTimeout; stacks")
    if what == "BaseException":
        assert (answer.status, json.loads(answer.body)) == (200, "RequestTimeout")
    else:
        assert answer.status == 504
        made.expect_traceback("RequestTimeout")
    assert [kit.pid_of(made, "/p") for _ in range(10)] == [pid] * 10
    assert not made.log.find("WGW0150")


def test_an_interrupt_at_the_last_moment(serve):
    """It is raised in the request that it is for, or in none: never in the next one of its thread."""
    made = serve("request-timeout=500ms interrupt-timeout=60", threads=1)
    made.allow_log("WGW0152")
    made.allow_request("RequestTimeout")
    for at in range(16):
        code = f"import ctypes; ctypes.CDLL(None).usleep({492_000 + 1000 * at})"
        assert made.post("/p/run", code.encode()).status in (200, 504)
        assert [made.get("/p/pid").status for _ in range(3)] == [200] * 3


def test_an_interrupt_without_effect(serve):
    """A request that does not come back to Python has interrupt-timeout more, then it is given up."""
    made = serve("request-timeout=1 interrupt-timeout=2")
    pid, began = kit.pid_of(made, "/p"), time.monotonic()
    assert made.post("/p/run", in_function(STUCK["sleep"])).status == 504
    assert time.monotonic() - began >= 3
    made.expect_log("WGW0150")
    made.expect_log("WGW0152")
    is_replaced(made, pid)
    made.expect_log("WGW0153")


# --- deadlock-timeout --------------------------------------------------------------------

@pytest.mark.parametrize("group", GROUPS)
def test_deadlock(serve, group):
    """Who holds the interpreter too long is named, and the process replaced and killed."""
    made = serve("deadlock-timeout=1 graceful-timeout=1 shutdown-timeout=1", group)
    pid = kit.pid_of(made, "/p")
    stuck = kit.Background(made, "/p/run", in_function(STUCK["held"]))
    lines = dump_of(made, "WGW0154")
    assert any("in the_stuck_function" in line for line in lines), lines
    made.expect_log(f"WGW0154: no thread of process {pid} of pool 'p' could have the interpreter")
    assert kit.pid_of(made, "/p") != pid
    assert stuck.answer().status == 502
    made.allow_log(ENDED)
    is_replaced(made, pid)


def test_a_busy_process_has_no_deadlock(serve):
    made = serve("deadlock-timeout=1", threads=2)
    pid = kit.pid_of(made, "/p")
    code = "import time\nend = time.monotonic() + 6\nwhile time.monotonic() < end: pass"
    assert made.post("/p/run", code.encode()).status == 200
    assert kit.pid_of(made, "/p") == pid


def test_a_stopped_process_is_replaced(serve):
    """The supervisor sees it from outside."""
    made = serve("deadlock-timeout=1 graceful-timeout=1 shutdown-timeout=1")
    pid = kit.pid_of(made, "/p")
    processes.stop(pid)
    made.log.expect(f"WGW0160: process {pid} of pool 'p' has not had its interpreter", timeout_s=60)
    made.allow_log(ENDED)
    assert kit.pid_of(made, "/p") != pid
    is_replaced(made, pid)


# --- the others --------------------------------------------------------------------------

def test_eviction_timeout(serve, key):
    """SIGUSR1: the request has eviction-timeout, not graceful-timeout."""
    made = serve("eviction-timeout=1 graceful-timeout=600 shutdown-timeout=1")
    pid = kit.pid_of(made, "/p")
    stuck = kit.Background(made, f"/p/wait?key={key}")
    made.wait_notes(key, 1)
    os.kill(pid, signal.SIGUSR1)
    made.expect_log("WGW0111")
    made.allow_log(ENDED)
    eventually(lambda: kit.is_gone(pid), "its end")
    assert stuck.answer().status == 502
    made.open_gate(key)


def test_switch_interval(make_server):
    for option, seconds in (("switch-interval=0.02", 0.02), ("", sys.getswitchinterval())):
        made = make_server(site(option))
        assert kit.inside(made, "result = sys.getswitchinterval()", "/p") == pytest.approx(seconds)
