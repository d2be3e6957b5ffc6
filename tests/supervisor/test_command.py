"""The control socket: what is asked and answered, and what clients do wrong."""
import json
import os
import pathlib
import socket
import stat
import struct
import subprocess
import time

import pytest

from harness_supervisor import BEGUN, FAILED, READY, SENT, WAITING, eventually, is_alive

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs other users")
QUICK_S = 2.0
"""An answer that waits for nothing comes sooner, on a busy machine too."""


def connect(supervisor):
    """Where as many wait as may, connect() waits; with a timeout of Python's it would fail."""
    link = socket.socket(socket.AF_UNIX)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 20, 0))
    link.connect(supervisor.control)
    link.settimeout(20)
    return link


def rest(link):
    """Read to the end; return the answer, None if there is none."""
    data = b"".join(iter(lambda: link.recv(65536), b""))
    assert not data or data.endswith(b"}\n")
    return json.loads(data) if data else None


def ask(supervisor, line):
    """Return the answer to one line."""
    with connect(supervisor) as link:
        link.sendall(line if isinstance(line, bytes) else f"1 {line}\n".encode())
        return rest(link)


def start(supervisor, plan="serve", **changes):
    """One pool, of a process that is ready, and a control socket; return the scoreboard."""
    board = supervisor.serve(plan, control=supervisor.control, **changes)
    supervisor.wait_log("WGW0123", changes.get("process_count", 1))
    return board


def pool_of(supervisor):
    answer = ask(supervisor, "status")
    assert answer["version"] == 1 and answer["ok"] is True
    return answer["pools"][0]


def descriptors(supervisor):
    return len(os.listdir(f"/proc/{supervisor.process.pid}/fd"))


def is_at_work(supervisor):
    before = time.monotonic()
    assert ask(supervisor, "status")["ok"] and time.monotonic() - before < QUICK_S


# --- status --------------------------------------------------------------------------------

def test_status(supervisor):
    """A pool, its process, and requests in each phase."""
    board = start(supervisor)
    epoch, now = board.row(0)[0], int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6)
    me = os.getpid()
    for number, values in enumerate([
            (BEGUN, me, 0, epoch, now - 5_000_000, b"id-1", b"GET /run", b"192.0.2.1"),
            (BEGUN, me, 0, epoch, now - 4_000_000, b"id-2", b"GET /head", b"2001:db8::1", 1),
            (SENT, me, 0, 0, now, b"id-3", b"GET /sent"),
            (WAITING, me, 0, 0, now - 3_000_000, b"id-4", b"GET /wait", b"192.0.2.4"),
            (BEGUN, me, 0, epoch + 1, now, b"id-5", b"GET /of-another"),
            (99, me, 0, epoch, now, b"id-6", b"GET /garbage")]):
        board.put_entry(number, *values)
    pool = pool_of(supervisor)
    assert (pool["name"], pool["server"], pool["is_up"], pool["wanted"]) == ("pool", "localhost", True, 1)
    assert pool["failure"] is None and pool["has_failed"] is False and pool["is_ending"] is False
    process, = pool["processes"]
    assert process["pid"] == supervisor.reports()[0]["pid"] and process["phase"] == "ready"
    assert process["version"] == 1 and process["threads"] == 4 and 0 < process["age"] < 60
    found = {one["request"]: (one["phase"], one["client"], one["id"]) for one in process["requests"]}
    assert found == {"GET /run": ("running", "192.0.2.1", "id-1"),
                     "GET /head": ("responding", "2001:db8::1", "id-2"),
                     "GET /sent": ("sent", "", "id-3")}
    assert 5 <= process["requests"][0]["age"] < 60
    assert pool["queue"]["waiting"] == 1 and 3 <= pool["queue"]["oldest_wait"] < 60
    assert [one["request"] for one in pool["queue"]["requests"]] == ["GET /wait"]


def test_hostile_texts(supervisor):
    """Whatever bytes there are in the scoreboard, the answer is JSON, and harms no terminal."""
    board = start(supervisor, entry_count=300)
    for number in range(256):
        board.put_entry(number, WAITING, os.getpid(), 0, 0, 1, b"", bytes([number]) * 200,
                        bytes([number, 0xed, 0xa0, 0x80, 34, 92, 10]))
    board.put_row(0, board.row(0)[0], -2**31, 2**32 - 1, *board.row(0)[3:6], 2**64 - 1)
    with connect(supervisor) as link:
        link.sendall(b"1 status\n")
        data = b"".join(iter(lambda: link.recv(65536), b""))
    assert all(0x20 <= byte < 0x7f or byte >= 0x80 for byte in data[:-1])
    requests = json.loads(data.decode("utf-8"))["pools"][0]["queue"]["requests"]
    assert len(requests) == 256
    assert {one["request"][:1] for one in requests} >= {'"', "\\", "\n", "\x7f", "A", "\ufffd"}


def test_more_requests_than_are_shown(supervisor):
    board = start(supervisor, entry_count=1500)
    for number in range(1500):
        board.put_entry(number, WAITING, os.getpid(), 0, 0, 1, b"", b"\x01" * 199)
    pool = pool_of(supervisor)
    assert len(pool["queue"]["requests"]) == 1000
    assert pool["queue"]["waiting"] == 1500 and pool["requests_left_out"] == 500


def test_counters_and_failure(supervisor):
    """A crash, a start that failed and why."""
    start(supervisor, "crash-on-file")
    (supervisor.work / "crash").touch()
    counters = eventually(lambda: pool_of(supervisor)["counters"]["crashes"] and
                          pool_of(supervisor)["counters"])
    assert counters["failed_starts"] == 0


def test_a_pool_that_cannot_start(supervisor):
    supervisor.serve("code:5", control=supervisor.control)
    pool = eventually(lambda: (pool_of(supervisor)["next_start"] or 0) > 1 and pool_of(supervisor))
    assert "exited with code 5 before it was ready" in pool["failure"]["text"]
    assert pool["counters"]["failed_starts"] >= 2 and pool["processes"] == []
    assert pool["counters"]["crashes"] == 0


def test_startup_timeout(supervisor):
    supervisor.serve("never-ready", control=supervisor.control, startup_timeout_us=300_000)
    pool = eventually(lambda: pool_of(supervisor)["failure"] and pool_of(supervisor))
    assert "startup-timeout" in pool["failure"]["text"] and pool["counters"]["failed_starts"] == 1


# --- reload --------------------------------------------------------------------------------

def test_reload(supervisor):
    start(supervisor)
    old = supervisor.reports()[0]["pid"]
    assert ask(supervisor, "reload pool")["pools"] == [
        {"name": "pool", "version": 2, "result": "accepted"}]
    eventually(lambda: not is_alive(old))
    pool = pool_of(supervisor)
    assert pool["replaced"]["order"] == 1 and sum(pool["replaced"].values()) == 1
    assert "WGW0163: pool 'pool' is reloaded" in supervisor.log()
    assert "to replace another one (control socket)" in supervisor.log()


def test_reload_and_wait(supervisor):
    """The answer comes when no old process takes requests."""
    start(supervisor, process_count=3)
    old = {process["pid"] for process in pool_of(supervisor)["processes"]}
    answer = ask(supervisor, "reload-wait")
    assert answer["ok"] is True and [pool["result"] for pool in answer["pools"]] == ["done"]
    ready = {process["pid"] for process in pool_of(supervisor)["processes"]
             if process["phase"] == "ready"}
    assert len(ready) == 3 and not ready & old


def test_reload_of_what_does_not_import(supervisor):
    start(supervisor, "once")
    old = supervisor.reports()[0]["pid"]
    answer = ask(supervisor, "reload-wait pool")
    assert answer["ok"] is False and answer["error"] == "not-reloaded"
    assert answer["pools"][0]["result"] == "failed"
    assert answer["pools"][0]["reason"].endswith("exited with code 80 before it was ready: "
                                                 "ImportError: no \x1b[2J module")
    assert is_alive(old)
    pool = pool_of(supervisor)
    assert pool["has_failed"] and pool["counters"]["failed_versions"] == 1
    (supervisor.work / "once").unlink()
    assert ask(supervisor, "reload-wait pool")["ok"] is True
    assert not pool_of(supervisor)["has_failed"]


def test_reload_does_not_wait_for_the_back_off(supervisor):
    """Who has put right why no process starts need not wait any longer."""
    (supervisor.work / "once").touch()
    supervisor.serve("once", control=supervisor.control)
    supervisor.wait_log("WGW0125.*in [48] s", seconds=15)
    assert ask(supervisor, "reload-wait")["pools"][0]["result"] == "failed"
    (supervisor.work / "once").unlink()
    before = time.monotonic()
    assert ask(supervisor, "reload-wait")["ok"] is True and time.monotonic() - before < QUICK_S


def test_reload_of_no_pool(supervisor):
    start(supervisor)
    answer = ask(supervisor, "reload nothing")
    assert answer["ok"] is False and answer["error"] == "no-such-pool"


def test_a_reload_that_another_configuration_supersedes(supervisor):
    start(supervisor)
    supervisor.generation(2, control=supervisor.control, keep_s=0.1)
    supervisor.pool("never-ready", socket_path=f"{supervisor.run}/s.2.0", name="new")
    assert supervisor.commit()[0] == READY
    with connect(supervisor) as link:
        link.sendall(b"1 reload-wait\n")
        supervisor.generation(3, control=supervisor.control, keep_s=0.1)
        supervisor.pool(socket_path=f"{supervisor.run}/s.3.0")
        assert supervisor.commit()[0] == READY
        assert rest(link)["pools"][0]["result"] == "superseded"


def test_who_waits_and_goes_away(supervisor):
    """Their places are free again, long before the reload is done."""
    supervisor.serve("never-ready", control=supervisor.control)
    supervisor.wait_reports(1)
    is_at_work(supervisor)
    before = descriptors(supervisor)
    links = [connect(supervisor) for _ in range(16)]
    for link in links:
        link.sendall(b"1 reload-wait\n")
    eventually(lambda: descriptors(supervisor) == before + 16)
    for link in links:
        link.close()
    is_at_work(supervisor)
    eventually(lambda: descriptors(supervisor) == before)


def test_stop_answers_those_who_wait(supervisor):
    supervisor.serve("never-ready", control=supervisor.control)
    with connect(supervisor) as link:
        link.sendall(b"1 reload-wait\n")
        supervisor.wait_log("WGW0163")
        supervisor.stop(graceful=False)
        assert rest(link)["ok"] is False


# --- clients -------------------------------------------------------------------------------

@pytest.mark.parametrize("line, error", [
    (b"1 status now\n", "unknown-request"), (b"1 \n", "unknown-request"),
    (b"1 statuses\n", "unknown-request"), (b"2 status\n", "malformed"), (b"\n", "malformed"),
    (b"GET / HTTP/1.1\r\n", "malformed"), (b"1 status\0\n", "malformed"),
    (b"\xff" * 511 + b"\n", "malformed"), (b"1 " + b"x" * 5000, "malformed"),
], ids=lambda value: value[:12] if isinstance(value, bytes) else value)
def test_lines_that_are_none(supervisor, line, error):
    start(supervisor)
    answer = ask(supervisor, line)
    assert answer["ok"] is False and answer["error"] == error and answer["message"]
    is_at_work(supervisor)


def test_half_a_line(supervisor):
    """Without its end it is no request, whether the client goes away or only says no more."""
    start(supervisor)
    with connect(supervisor) as link:
        link.sendall(b"1 reload")
        link.shutdown(socket.SHUT_WR)
        assert rest(link) is None
    with connect(supervisor) as link:
        link.sendall(b"1 reload")
    is_at_work(supervisor)
    assert "WGW0163" not in supervisor.log()


def test_a_line_byte_by_byte_and_one_after_the_other(supervisor):
    start(supervisor)
    with connect(supervisor) as link:
        for byte in b"1 status\n":
            link.sendall(bytes([byte]))
            time.sleep(0.01)
        assert rest(link)["ok"]
    answer = ask(supervisor, b"1 status\n1 reload\n")
    assert answer["ok"] and "WGW0163" not in supervisor.log()


def test_a_silent_client_is_closed(supervisor):
    start(supervisor)
    before = time.monotonic()
    with connect(supervisor) as link:
        is_at_work(supervisor)
        assert rest(link) is None and 4 < time.monotonic() - before < 10


def test_more_clients_than_places(supervisor):
    """Those who say nothing hold their places for a while; the others wait, and are answered. A
    supervisor that is told to stop stops."""
    start(supervisor)
    silent = [connect(supervisor) for _ in range(20)]
    assert ask(supervisor, "status")["ok"]
    for link in silent:
        link.close()
    is_at_work(supervisor)
    more = [connect(supervisor) for _ in range(20)]
    supervisor.stop()
    for link in more:
        link.close()


def test_a_client_that_does_not_take_its_answer(supervisor):
    board = start(supervisor, entry_count=1000)
    for number in range(1000):
        board.put_entry(number, WAITING, os.getpid(), 0, 0, 1, b"", b"\x01" * 199)
    with connect(supervisor) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.sendall(b"1 status\n")
        time.sleep(0.2)
        is_at_work(supervisor)
        eventually(lambda: is_cut(link), "the end of its patience", 15)


def is_cut(link):
    """Say whether the other side has closed the connection, without taking what it has sent."""
    import select
    poll = select.poll()
    poll.register(link, 0)
    return bool(poll.poll(0))


# --- who may, and where --------------------------------------------------------------------

def test_mode_and_owner(supervisor):
    start(supervisor)
    found = os.lstat(supervisor.control)
    assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_uid == os.geteuid()
    supervisor.stop()
    assert not os.path.lexists(supervisor.control)


@ROOT_ONLY
def test_other_users(supervisor):
    """Where the file's mode lets another user in, the supervisor does not, whatever is asked."""
    start(supervisor)
    code = ("import socket; s = socket.socket(socket.AF_UNIX); "
            f"s.connect({supervisor.control!r}); print(s.recv(999))")
    denied = subprocess.run(["python3", "-c", code], user=65534, capture_output=True, text=True)
    assert "PermissionError" in denied.stderr
    os.chmod(supervisor.control, 0o666)
    let_in = subprocess.run(["python3", "-c", code], user=65534, capture_output=True, text=True)
    assert "not-permitted" in let_in.stdout and "pools" not in let_in.stdout, let_in


def test_a_stale_file_is_replaced(supervisor):
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(supervisor.control)
    start(supervisor)
    is_at_work(supervisor)


def test_another_supervisor_is_not_robbed(supervisor):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(supervisor.control)
        other.listen()
        start(supervisor)
        supervisor.wait_log("WGW0161.*another httpd listens there.*WSGISocketPrefix")
        assert other.accept()  # that somebody is there was found out by a connection
    supervisor.generation(2, control=supervisor.control)
    supervisor.pool(socket_path=f"{supervisor.run}/s.2.0")
    assert supervisor.commit()[0] == READY
    is_at_work(supervisor)


def test_another_file_is_left_alone(supervisor):
    pathlib.Path(supervisor.control).write_text("mine")
    start(supervisor)
    supervisor.wait_log("WGW0161.*no socket")
    assert pathlib.Path(supervisor.control).read_text() == "mine"
    os.unlink(supervisor.control)


@pytest.mark.parametrize("path", ["/tmp/" + "x" * 200, "/tmp/" + "x" * 103, "/nowhere/s"])
def test_paths_that_cannot_be(supervisor, path):
    supervisor.serve(control=path)
    supervisor.wait_log("WGW0161.*" + path[:9])
    supervisor.wait_log("WGW0123")
    supervisor.stop()


def test_another_configuration_moves_it(supervisor):
    start(supervisor)
    before = supervisor.control
    with connect(supervisor) as link:
        supervisor.generation(2, control=f"{supervisor.run}/t.control.sock")
        supervisor.pool(socket_path=f"{supervisor.run}/s.2.0")
        assert supervisor.commit()[0] == READY
        link.sendall(b"1 status\n")
        assert len(rest(link)["pools"]) == 2
    assert not os.path.exists(before) and os.path.exists(f"{supervisor.run}/t.control.sock")


def test_a_configuration_that_is_refused_does_not_move_it(supervisor):
    start(supervisor)
    supervisor.generation(2, control=f"{supervisor.run}/t.control.sock")
    supervisor.pool(socket_path="/nowhere/s")
    assert supervisor.commit()[0] == FAILED
    is_at_work(supervisor)


def test_a_file_that_was_removed_comes_back(supervisor):
    """At the next reading of the configuration."""
    start(supervisor)
    os.unlink(supervisor.control)
    supervisor.generation(2, control=supervisor.control)
    supervisor.pool(socket_path=f"{supervisor.run}/s.2.0")
    assert supervisor.commit()[0] == READY
    is_at_work(supervisor)
