"""From the first process to the last: crashes, back-off, generations, the end."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from harness_supervisor import (BEGUN, DRAINED, FAILED, READY, SENT, WAITING, Board, Supervisor,
                                eventually, is_alive)


def told(supervisor, pid):
    """What a process was told last, as its first byte; 0 nothing."""
    path = supervisor.work / f"{pid}.told"
    return path.read_bytes()[0] if path.exists() and path.read_bytes() else 0


def epochs(board):
    return [board.row(row)[0] for row in range(board.rows)]


def ready(supervisor, count=1):
    return supervisor.wait_log("WGW0123", count)


# --- crashes -------------------------------------------------------------------------------

def test_crash_is_replaced_and_then_slowly(supervisor):
    supervisor.serve("crash")
    before = time.monotonic()
    supervisor.wait_reports(2, 1.0)
    supervisor.wait_reports(3)
    assert 0.9 < time.monotonic() - before < 3
    lines = supervisor.wait_log("WGW0103", 2)
    assert "of pool 'pool' was ended by signal 11 (SIGSEGV)" in lines[0]
    supervisor.wait_log("WGW0125.*is started in 2 s")


def test_crash_names_the_requests_it_took(supervisor):
    board = supervisor.serve("crash-on-file")
    ready(supervisor)
    epoch = board.row(0)[0]
    since = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6) - 1_200_000
    board.put_entry(0, BEGUN, os.getpid(), 0, epoch, since, b"id-1", b"GET /a\x1b[2J\n b")
    board.put_entry(1, BEGUN, os.getpid(), 0, epoch, 1 << 62, b"x" * 40, b"y" * 200)
    board.put_entry(2, SENT, os.getpid(), 0, epoch, since, b"id-3", b"GET /unseen")
    board.put_entry(3, BEGUN, os.getpid(), 0, epoch + 1, since, b"id-4", b"GET /other")
    (supervisor.work / "crash").touch()
    lines = supervisor.wait_log("WGW0104", 2)
    assert "was serving GET /a\\x1b[2J\\x0a b (request id id-1), for 1." in lines[0]
    assert "y" * 199 + " (request id " + "x" * 39 + "), for 0.0 s" in lines[1]
    assert "/unseen" not in supervisor.log() and "/other" not in supervisor.log()
    status, exit_epoch = board.row(0)[3:5]
    assert os.WTERMSIG(status) == signal.SIGSEGV and exit_epoch == epoch
    assert epochs(board)[0] != epoch


@pytest.mark.parametrize("plan, pattern", [
    ("exit:3", "WGW0107.*exited with code 3"), ("code:0", "WGW0121.*code 0"),
    ("code:5", "WGW0121.*code 5"), ("code:78", "WGW0108"), ("code:76", "WGW0105.*code 76"),
])
def test_exit_codes(supervisor, plan, pattern):
    supervisor.serve(plan)
    supervisor.wait_log(pattern)


def test_startup_timeout(supervisor):
    supervisor.serve("never-ready", startup_timeout_us=300_000)
    supervisor.wait_log("WGW0110")
    supervisor.wait_log("WGW0125.*in 1 s")


def test_leaving_is_replaced_before_it_is_gone(supervisor):
    board = supervisor.serve("leave")
    ready(supervisor, 2)
    rows = [report["start"][2] for report in supervisor.wait_reports(2)[:2]]
    assert rows == [0, 1]
    assert "WGW0103" not in supervisor.log() and "WGW0107" not in supervisor.log()
    assert board.rows == 2


# --- hostile processes ---------------------------------------------------------------------

@pytest.mark.parametrize("plan", ["garbage", "twice"])
def test_garbage_on_the_channel_kills(supervisor, plan):
    supervisor.serve(plan)
    supervisor.wait_log("WGW0113")
    found = supervisor.wait_reports(2)
    eventually(lambda: not is_alive(found[0]["pid"]))
    assert "WGW0103" not in supervisor.log()


def test_listener_that_was_shut_down_is_bound_anew(supervisor):
    supervisor.serve("shutdown")
    inode = (supervisor.run / "s.1.0.0.sock").stat().st_ino
    supervisor.wait_log("WGW0114")
    found = supervisor.wait_reports(2)
    eventually(lambda: not is_alive(found[0]["pid"]))
    assert (supervisor.run / "s.1.0.0.sock").stat().st_ino != inode or \
        len(supervisor.wait_log("WGW0122", 2)) >= 2


def test_unsealed_or_small_boards_are_refused(supervisor):
    supervisor.generation(1)
    supervisor.pool(board=Board(2, 16, sealed=False))
    assert "not sealed" in supervisor.commit()[2]
    supervisor.generation(2)
    supervisor.pool(board=Board(2, 16, size=100))
    kind, number, why = supervisor.commit()
    assert (kind, number) == (FAILED, 2) and "too small" in why


def test_only_the_parent_is_believed(supervisor):
    supervisor.serve()
    ready(supervisor)
    child = os.fork()
    if child == 0:
        supervisor.channel.send(b"\x04\x01")
        os._exit(0)
    os.waitpid(child, 0)
    supervisor.wait_log("WGW0117")
    assert supervisor.process.poll() is None


def test_malformed_messages_are_refused(supervisor):
    supervisor.send(b"\x02garbage")
    supervisor.wait_log("WGW0118")
    assert supervisor.commit()[0] == FAILED
    supervisor.serve()
    ready(supervisor)


# --- log -----------------------------------------------------------------------------------

def test_lines_have_levels_and_httpds_form(supervisor):
    supervisor.serve("lines")
    pid = supervisor.wait_reports(1)[0]["pid"]
    head = rf"^\[\w\w\w \w\w\w \d\d \d\d:\d\d:\d\d\.\d{{6}} \d{{4}}\] \[wsgigw:%s\] \[pid {pid}\] "
    supervisor.wait_log(head % "info" + "an info line$")
    supervisor.wait_log(head % "warn" + "a warning$")
    supervisor.wait_log(head % "error" + r"plain \\xff\\x07 line$")
    pieces = supervisor.wait_log(r"\[wsgigw:error\].* x+$", 3)
    assert sum(line.count("x") for line in (p.split("] ")[-1] for p in pieces)) == 20000
    supervisor.stop()
    supervisor.wait_log("no end$")


def test_log_level_filters(supervisor):
    supervisor.serve("lines", log_level=4)
    supervisor.wait_log("a warning")
    assert "info line" not in supervisor.log() and "WGW0122" not in supervisor.log()


def test_flood_is_bounded_and_starves_nobody(supervisor):
    supervisor.generation(1)
    supervisor.pool("flood", name="loud")
    supervisor.pool("lines", name="calm", socket_path=f"{supervisor.run}/s.1.1")
    assert supervisor.commit()[0] == READY
    supervisor.wait_log("a warning", seconds=3)
    supervisor.wait_log(r"WGW0115.*'loud'.* \d+ lines were dropped", 2)
    assert supervisor.log().count("flood") < 4000
    assert "\x1b" not in supervisor.log()
    supervisor.stop(graceful=False)


def test_full_log_pipe_blocks_nothing(supervisor):
    reader, writer = os.pipe()
    supervisor.generation(1)
    supervisor.pool("flood", log_fd=writer)
    assert supervisor.commit()[0] == READY
    time.sleep(0.5)
    before = time.monotonic()
    supervisor.stop(graceful=False)
    assert time.monotonic() - before < 4
    os.close(reader)
    os.close(writer)


def test_children_of_a_dead_process_are_heard(supervisor):
    supervisor.serve("child")
    pid = supervisor.wait_reports(1)[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    supervisor.wait_log("WGW0103.*SIGKILL")
    supervisor.wait_log("a word of the child")


# --- the scoreboard ------------------------------------------------------------------------

def test_sweep_frees_what_dead_clients_left(supervisor):
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    board = supervisor.serve()
    ready(supervisor)
    epoch = board.row(0)[0]
    board.put_entry(0, WAITING, gone.pid)
    board.put_entry(1, SENT, gone.pid, 0, epoch)
    board.put_entry(2, BEGUN, gone.pid, 0, epoch - 1)
    board.put_entry(3, SENT, os.getpid(), 0, epoch)
    board.put_entry(4, WAITING, 1)  # who has no parent is no child of httpd
    eventually(lambda: [board.entry(i)[0] for i in range(5)] == [0, 0, 0, SENT, 0], "freed", 15)


def test_sweep_rights_the_idle_count(supervisor):
    board = supervisor.serve()
    ready(supervisor)
    row = board.row(0)
    board.put_row(0, row[0], 1, 4, *row[3:])
    eventually(lambda: board.row(0)[1] == 4, "idle count", 18)


# --- generations ---------------------------------------------------------------------------

def test_generation_switch(supervisor):
    writer = supervisor.generation(1)
    old_board = supervisor.pool()
    supervisor.commit()
    old = supervisor.wait_reports(1)[0]["pid"]
    ready(supervisor)
    supervisor.generation(2)
    supervisor.pool(socket_path=f"{supervisor.run}/s.2.0")
    assert supervisor.commit()[:2] == (READY, 2)
    ready(supervisor, 2)
    time.sleep(0.3)
    assert is_alive(old) and told(supervisor, old) == 0 and epochs(old_board)[0]
    os.close(writer)
    supervisor.pipes.remove(writer)
    eventually(lambda: not is_alive(old), "the old process ends")
    assert told(supervisor, old) == 2
    eventually(lambda: supervisor.sockets() == ["s.2.0.0.sock", "s.2.0.1.sock"], "old sockets")
    assert epochs(old_board) == [0, 0]


def test_generation_is_kept_no_longer_than_its_bound(supervisor):
    supervisor.serve()
    old = supervisor.wait_reports(1)[0]["pid"]
    ready(supervisor)
    supervisor.generation(2, keep_s=0.5)
    supervisor.pool(socket_path=f"{supervisor.run}/s.2.0")
    supervisor.commit()
    eventually(lambda: not is_alive(old), "the old process ends", 3)


def test_a_generation_without_pools_ends_the_supervisor(supervisor):
    supervisor.serve()
    ready(supervisor)
    supervisor.generation(2, keep_s=0.2)
    assert supervisor.commit()[0] == READY
    assert supervisor.answer()[0] == DRAINED
    assert supervisor.process.wait(5) == 0


# --- the end -------------------------------------------------------------------------------

def test_stop_graceful_drains(supervisor):
    supervisor.serve(process_count=2)
    ready(supervisor, 2)
    pids = [report["pid"] for report in supervisor.reports()]
    supervisor.stop()
    assert [told(supervisor, pid) for pid in pids] == [2, 2]
    assert supervisor.sockets() == []


def test_stop_kills_who_stays(supervisor):
    supervisor.serve("stuck", shutdown_timeout_us=500_000)
    ready(supervisor)
    before = time.monotonic()
    supervisor.stop(graceful=False)
    assert 0.4 < time.monotonic() - before < 3
    supervisor.wait_log("WGW0112")


def test_sigterm_ends_everything(supervisor):
    supervisor.serve()
    ready(supervisor)
    supervisor.process.terminate()
    assert supervisor.process.wait(9) == 0
    assert supervisor.sockets() == []


def test_sigterm_without_pools_ends_it():
    one = Supervisor().start()
    time.sleep(0.2)
    one.process.terminate()
    assert one.process.wait(3) == 0
    assert one.end() == []


@pytest.mark.parametrize("plan", ["serve", "stuck"])
def test_nothing_is_left_when_the_parent_is_killed(plan):
    parent = subprocess.Popen([sys.executable, pathlib.Path(__file__).with_name("parent.py"), plan],
                              stdout=subprocess.PIPE, text=True)
    root, *pids = parent.stdout.readline().split()
    root = pathlib.Path(root)
    parent.kill()
    parent.wait()
    eventually(lambda: not any(is_alive(pid) for pid in pids), "all processes end", 9)
    assert list((root / "run").iterdir()) == []
    assert "WGW0116" in (root / "error.log").read_text()
    parent.stdout.close()
    shutil.rmtree(root)


def test_connections_reach_the_process_by_its_socket(supervisor):
    supervisor.serve()
    ready(supervisor)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{supervisor.run}/s.1.0.0.sock")
