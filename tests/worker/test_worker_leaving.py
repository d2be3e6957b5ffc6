"""How a daemon process ends: told to, by a signal, alone, and when something is stuck."""
import os
import signal
import struct
import time

import pytest

import wire
from harness.waiting import eventually

ENDINGS = ["DRAIN", "STOP", "SIGTERM", "SIGINT", "supervisor gone"]
REASONS = {"SIGTERM": 1, "SIGINT": 1}


def begin_to_end(daemon, how):
    """Bring the process to its end in one of the ways there are."""
    if how in ("DRAIN", "STOP"):
        daemon.control.send(struct.pack("<BI", getattr(wire, how), 5000))
    elif how == "supervisor gone":
        daemon.control.close()
    else:
        daemon.process.send_signal(getattr(signal, how))


@pytest.mark.parametrize("how", ENDINGS)
def test_it_ends_when_idle(daemon, how):
    with daemon.connect() as kept:
        kept.send(daemon.request("hello"))
        assert kept.body() == b"hello"
        begin_to_end(daemon, how)
        assert daemon.exit_code() == 0, daemon.log()
        assert kept.receive() is None
    if how in REASONS:
        assert daemon.said() == bytes([wire.LEAVING, REASONS[how]])


@pytest.mark.parametrize("how", ENDINGS)
def test_requests_in_flight_finish_and_new_ones_are_refused(daemon, how):
    with daemon.connect() as kept, daemon.start("wait") as busy:
        kept.send(daemon.request("hello"))
        assert kept.body() == b"hello"
        daemon.wait_noted("waiting")
        begin_to_end(daemon, how)
        eventually(lambda: daemon.row()["epoch"] == 0, "it has withdrawn from the scoreboard")
        assert daemon.row()["idle_count"] < 0
        kept.send(daemon.request("hello"))
        assert [(one.type, one.flags) for one in kept.answer()] == [(wire.REFUSED, wire.CLOSES)]
        with daemon.start("hello") as late:
            assert [one.type for one in late.answer()] == [wire.REFUSED]
        daemon.open_gate()
        frames = busy.answer()
        assert (frames[-1].type, frames[-1].flags) == (wire.END, wire.LAST | wire.CLOSES)
        assert daemon.exit_code() == 0, daemon.log()
    assert daemon.noted() == ["waiting"]


def test_sigusr1_asks_for_a_successor(daemon):
    """Until that is there, it serves; it is asked for once."""
    for _ in range(2):
        daemon.process.send_signal(signal.SIGUSR1)
        assert daemon.ask("hello") == b"hello"
    assert daemon.said() == bytes([wire.WANTS, 2])
    daemon.control.settimeout(0.3)
    with pytest.raises(TimeoutError):
        daemon.said()
    assert daemon.ask("hello") == b"hello"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_from_inside(daemon, name):
    with daemon.start("kill", SIGNAL=name) as client:
        assert daemon.said() == bytes([wire.LEAVING, REASONS[name]])
        daemon.open_gate()
        assert client.body() == b"survived"
    assert daemon.exit_code() == 0, daemon.log()


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR2"])
def test_a_signal_nobody_has_subscribed_to(daemon, name):
    daemon.open_gate()
    assert daemon.ask("kill", SIGNAL=name) == b"survived"
    daemon.process.send_signal(getattr(signal, name))
    assert daemon.ask("hello") == b"hello"
    assert daemon.process.poll() is None


@pytest.mark.parametrize("how", ENDINGS)
def test_a_stuck_request_is_bounded(make, how):
    daemon = make(shutdown_s=0.5)
    with daemon.start("stuck") as client:
        daemon.wait_noted("waiting")
        begun = time.monotonic()
        if how in ("DRAIN", "STOP"):
            daemon.control.send(struct.pack("<BI", getattr(wire, how), 500))
        else:
            begin_to_end(daemon, how)
        assert daemon.exit_code() == 75, daemon.log()
        assert time.monotonic() - begun < 4
        assert client.answer() == []
    assert "WGW0068" in daemon.log()


def test_a_second_order_shortens_the_first(make):
    daemon = make(shutdown_s=0.2)
    with daemon.start("stuck"):
        daemon.wait_noted("waiting")
        daemon.control.send(struct.pack("<BI", wire.DRAIN, 60_000))
        eventually(lambda: daemon.row()["epoch"] == 0, "it drains")
        daemon.control.send(struct.pack("<BI", wire.STOP, 100))
        assert daemon.exit_code(5) == 75


def test_what_a_slow_reader_has_not_read_is_sent_before_the_end(make):
    daemon = make(response_buffer=8 << 20)
    with daemon.start("blocks", BLOCKS="40") as client:
        daemon.wait_noted("closing", "closed")
        daemon.control.send(struct.pack("<BI", wire.DRAIN, 10_000))
        eventually(lambda: daemon.row()["epoch"] == 0, "it drains")
        time.sleep(0.1)
        assert daemon.process.poll() is None
        assert len(client.body()) == 40 * 65536
        assert daemon.exit_code() == 0


def test_what_the_supervisor_says_is_checked(daemon):
    for message in (b"\0", bytes([wire.DRAIN]), bytes([wire.READY]), bytes(60), bytes([wire.START, 1])):
        daemon.control.send(message)
    assert daemon.ask("hello") == b"hello"
    eventually(lambda: daemon.log().count("WGW0067") == 5, "each is said")


def test_threads_of_the_application_do_not_hold_up_the_end(make, tmp_path):
    """A non-daemon thread is waited for, but no longer than the process may last."""
    script = tmp_path / "threads.py"
    script.write_text("import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n")
    daemon = make(preloads=["script", script, ""], shutdown_s=0.5)
    daemon.process.terminate()
    assert daemon.exit_code(5) == 75


def test_exit_functions_run(make, tmp_path):
    script = tmp_path / "exit.py"
    script.write_text(f"import atexit\natexit.register(open, {str(tmp_path / 'ran')!r}, 'w')\n")
    daemon = make(preloads=["script", script, ""])
    daemon.process.terminate()
    assert daemon.exit_code() == 0
    assert os.path.exists(tmp_path / "ran")
