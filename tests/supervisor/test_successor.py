"""HELLO: the supervisor makes way for another build of its program, whatever is going on."""
import os
import shutil
import signal
import subprocess

import pytest

from harness_supervisor import HELLO, HERE, PROGRAM, READY, eventually, text

DIFFERS = 81
OURS = "0.1.0"


def hello(supervisor, version=OURS, program=PROGRAM):
    """Send HELLO; return whether the supervisor, or its successor, stays."""
    supervisor.send(bytes([HELLO]) + text(version) + text(str(program)))
    data = supervisor.channel.recv(64)
    assert len(data) == 2 and data[0] == HERE and data[1] in (0, 1)
    return data[1] == 1


def script(supervisor, content):
    """A program that is none of ours."""
    path = supervisor.root / "other"
    path.write_text(f"#!/bin/sh\n{content}\n")
    path.chmod(0o755)
    return path


def ready(supervisor, count=1):
    return supervisor.wait_log("WGW0123", count)


def pids(board):
    return [board.row(row)[5] for row in range(board.rows) if board.row(row)[0]]


def test_the_same_build_goes_on(supervisor):
    supervisor.serve()
    assert hello(supervisor)
    assert "WGW0137" not in supervisor.log()


@pytest.mark.parametrize("what", ["version", "file"])
def test_another_build_takes_over(supervisor, what):
    board = supervisor.serve(process_count=2, row_count=4)
    ready(supervisor, 2)
    before = pids(board)
    program = supervisor.root / "copy"
    shutil.copy(PROGRAM, program)
    assert hello(supervisor, "9.9.9" if what == "version" else OURS,
                 PROGRAM if what == "version" else program)
    supervisor.wait_log("WGW0142: the supervisor of mod_wsgigw 0.1.0 goes on with 1 pools")
    assert pids(board) == before and supervisor.process.poll() is None
    os.kill(before[0], signal.SIGKILL)
    supervisor.wait_log(f"WGW0103: process {before[0]} of pool 'pool' was ended by signal 9")
    ready(supervisor, 3)
    assert len(pids(board)) == 2 and before[1] in pids(board)
    supervisor.generation(2)
    supervisor.pool(socket_path=f"{supervisor.run}/s.2.0")
    assert supervisor.commit()[0] == READY
    supervisor.stop()
    assert supervisor.sockets() == []


def test_what_is_open_is_what_it_needs(supervisor):
    """No descriptor more after ten of them, and none in a process that is started later."""
    board = supervisor.serve()
    ready(supervisor)

    def count():
        return len(os.listdir(f"/proc/{supervisor.process.pid}/fd"))
    before = count()
    for _ in range(10):
        assert hello(supervisor, "9.9.9")
    eventually(lambda: count() == before, "the same number of descriptors")
    os.kill(pids(board)[0], signal.SIGKILL)
    first, second = supervisor.wait_reports(2)
    assert sorted(first["fds"]) == sorted(second["fds"]) and first["files"] == second["files"]


def test_a_process_that_is_starting(supervisor):
    """Its startup-timeout goes on, and ends it."""
    supervisor.serve("never-ready", startup_timeout_us=1_500_000)
    supervisor.wait_reports(1)
    assert hello(supervisor, "9.9.9")
    supervisor.wait_log("WGW0110")


def test_a_place_that_waits(supervisor):
    """Back-off goes on where it was."""
    supervisor.serve("crash")
    supervisor.wait_log("WGW0125.*is started in 2 s")
    assert hello(supervisor, "9.9.9")
    supervisor.wait_log("WGW0125.*is started in 4 s")


def test_a_process_that_ends(supervisor):
    """graceful-timeout and shutdown-timeout go on, to the last."""
    board = supervisor.serve("stuck", graceful_timeout_us=500_000, shutdown_timeout_us=500_000)
    ready(supervisor)
    old = pids(board)[0]
    children = supervisor.pipes[-1]
    supervisor.generation(2)
    supervisor.pool(socket_path=f"{supervisor.run}/s.2.0")
    assert supervisor.commit()[0] == READY
    os.close(children)
    supervisor.pipes.remove(children)
    eventually(lambda: not pids(board), "the old process is told to end")
    assert hello(supervisor, "9.9.9")
    supervisor.wait_log(f"WGW0112: process {old} ")
    supervisor.wait_log("WGW0126")
    supervisor.stop()


def test_lines_go_on(supervisor):
    """Of a process, and of a child that has lost it."""
    supervisor.serve("child")
    ready(supervisor)
    assert hello(supervisor, "9.9.9")
    supervisor.wait_log("a word of the child")


def test_orders_of_a_generation_that_was_begun_are_forgotten(supervisor):
    supervisor.serve()
    supervisor.generation(2)
    assert hello(supervisor, "9.9.9")
    supervisor.generation(3)
    supervisor.pool(socket_path=f"{supervisor.run}/s.3.0")
    assert supervisor.commit()[:2] == (READY, 3)


# --- who cannot take over ------------------------------------------------------------------

def test_another_layout_is_left_to_itself(supervisor):
    """This one serves what it has to its end, and ends."""
    board = supervisor.serve()
    ready(supervisor)
    assert not hello(supervisor, "9.9.9", script(supervisor, f"exit {DIFFERS}"))
    supervisor.wait_log("WGW0138")
    os.kill(pids(board)[0], signal.SIGKILL)
    ready(supervisor, 2)
    assert supervisor.process.poll() is None
    os.close(supervisor.pipes.pop())
    assert supervisor.process.wait(10) == 0 and supervisor.sockets() == []


@pytest.mark.parametrize("content", ["exit 1", "exec sleep 30", "kill -9 $$"])
def test_who_cannot_be_run_is_not_taken(supervisor, content):
    board = supervisor.serve()
    ready(supervisor)
    before = pids(board)
    assert hello(supervisor, "9.9.9", script(supervisor, content))
    supervisor.wait_log("WGW0139")
    assert pids(board) == before
    supervisor.stop()


def test_a_program_that_is_not_there(supervisor):
    """In the middle of an installation: nothing is to be had from it."""
    supervisor.serve()
    assert hello(supervisor, "9.9.9", "/nonexistent/program")
    supervisor.stop()


@pytest.mark.parametrize("content", [b"", b"\0", b"\1\0\0\0", b"\1\0\0\0" + b"x" * 100])
def test_a_state_that_is_none(content):
    fd = os.memfd_create("state", 0)
    os.write(fd, content)
    done = subprocess.run([PROGRAM, "--check", str(fd)], pass_fds=(fd,), check=False, timeout=30)
    assert done.returncode == DIFFERS
    done = subprocess.run([PROGRAM, "--resume", str(fd)], pass_fds=(fd,), check=False, timeout=30,
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "WGW0120" in done.stderr and "cannot be read" in done.stderr
    os.close(fd)
