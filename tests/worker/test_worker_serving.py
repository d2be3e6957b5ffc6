"""A daemon process and a peer that keeps to src/wire/PROTOCOL.md."""
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time

import pytest

import wire
from harness import system
from harness.waiting import eventually


def pyenv():
    """Return the interpreters of pyenv."""
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    return sorted(map(str, pathlib.Path(root).glob("versions/*/bin/python3")))


def interpreters():
    """Return (version, path) of each different Python there is, the newest patch last."""
    found = {}
    for path in [*system.interpreters(), *pyenv(), sys.executable]:
        done = subprocess.run([path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                              capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found.setdefault(tuple(map(int, done.stdout.split("."))), path)
    return sorted(found.items())


def params(is_new):
    """Return the interpreters from 3.11 on, or the older ones, as parameters."""
    return [pytest.param(path, id="%d.%d" % version) for version, path in interpreters()
            if (version >= (3, 11)) == is_new] or [pytest.param("", marks=pytest.mark.skip(
                reason="no such Python: PYTHONS, PATH and pyenv have none"))]


@pytest.mark.parametrize("python", params(True))
def test_every_python_serves(make, python):
    daemon = make(python)
    assert daemon.ask("hello") == b"hello"
    assert daemon.ask("length", body=b"x" * 1000) == b"1000"
    daemon.control.send(struct.pack("<BI", wire.DRAIN, 5000))
    assert daemon.exit_code() == 0, daemon.log()


@pytest.mark.parametrize("python", params(False))
def test_an_older_python_says_what_to_do(make, python):
    daemon = make(python, is_ready=False)
    # -P came with 3.11: older ones refuse it by themselves, so that the code alone is run, too.
    assert daemon.exit_code() == 2 and "-P" in daemon.log()
    done = subprocess.run([python, "-c", wire.boot_code(), str(wire.EXTENSION)], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 76
    assert "WGW0061" in done.stderr and "3.11 or newer" in done.stderr


def test_an_extension_that_cannot_be_loaded(tmp_path):
    broken = tmp_path / "broken.so"
    broken.write_text("no library")
    done = subprocess.run([sys.executable, "-P", "-c", wire.boot_code(), str(broken)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 77
    assert "WGW0062" in done.stderr and str(broken) in done.stderr


def test_a_process_without_a_supervisor(tmp_path):
    done = subprocess.run([sys.executable, "-P", "-c", wire.boot_code(), str(wire.EXTENSION)],
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          env={**os.environ, **wire.preload_environment()})
    assert done.returncode == 78
    assert "WGW0140" in done.stderr


def test_it_appears_in_its_row(daemon):
    row = daemon.row()
    assert row["epoch"] == wire.EPOCH and row["pid"] == daemon.process.pid
    eventually(lambda: daemon.row()["idle_count"] == 2, "both threads are idle")
    assert daemon.row()["thread_count"] == 2


def test_a_connection_is_kept(daemon):
    with daemon.connect() as client:
        for _ in range(50):
            client.send(daemon.request("hello"))
            frames = client.answer()
            assert [one.type for one in frames] == [wire.HEAD, wire.BLOCK, wire.END]
            assert frames[-1].flags == wire.LAST


def test_a_body_of_several_reads_rides_with_its_request(daemon):
    assert daemon.ask("length", body=b"x" * 300_000) == b"300000"


def test_a_line_is_echoed_before_the_next_is_sent(daemon):
    with daemon.start("echo", body=None) as client:
        assert client.receive().type == wire.WANT_BODY
        for number in range(5):
            line = b"line %d\n" % number
            client.send(wire.frame(wire.BODY, line))
            if number == 0:
                assert client.receive().type == wire.HEAD
            assert client.receive().payload == line
        client.send(wire.frame(wire.BODY_END))
        assert [(one.type, one.flags) for one in client.answer()] == [(wire.END, 0), (wire.DONE, 0)]
        client.send(daemon.request("hello"))
        assert client.body() == b"hello"


def test_a_body_nobody_reads_is_not_asked_for(daemon):
    with daemon.start("hello", body=None) as client:
        assert [one.type for one in client.answer()] == [wire.HEAD, wire.BLOCK, wire.END]
        client.send(daemon.request("hello"))
        assert client.body() == b"hello"


def test_a_body_that_is_not_read_to_its_end_closes(daemon):
    with daemon.start("three", body=None) as client:
        assert client.receive().type == wire.WANT_BODY
        client.send(wire.frame(wire.BODY, b"abcdef"))
        frames = client.answer()
        assert (frames[-1].type, frames[-1].flags) == (wire.END, wire.LAST | wire.CLOSES)
        assert ended(client)


def ended(client):
    """Return whether the other side has closed."""
    try:
        return client.receive() is None
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("fault", range(1, 6))
def test_a_fault_of_the_body_is_an_exception(daemon, fault):
    with daemon.start("failing_read", body=None) as client:
        assert client.receive().type == wire.WANT_BODY
        client.send(wire.frame(wire.BODY, b"abc") + wire.frame(wire.BODY_FAULT, bytes([fault])))
        client.answer()
    eventually(lambda: daemon.noted() not in ([], ["nothing"]), "an exception")


def test_a_body_comes_as_a_file(daemon, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(b"x" * 200_000)
    with daemon.connect() as client, open(path, "rb") as body:
        client.send(daemon.request("length", body=None, flags=wire.HAS_FILE), [body.fileno()])
        assert client.body() == b"200000"
        client.send(daemon.request("hello"))
        assert client.body() == b"hello"


def test_a_request_whose_end_has_come_is_not_called(daemon):
    """As after a stop of the process."""
    with daemon.start("hello", ends_by_us=1) as client:
        frames = client.answer()
        assert [(one.type, one.payload) for one in frames] == [(wire.STATUS, struct.pack("<H", 504))]
        client.send(daemon.request("hello", ends_by_us=int((time.monotonic() + 60) * 1e6)))
        assert client.body() == b"hello"


def test_an_exception_is_a_status(daemon):
    with daemon.start("fail") as client:
        frames = client.answer()
        assert frames[-1].type == wire.STATUS and frames[-1].payload == struct.pack("<H", 500)
        text = b"".join(one.payload for one in frames if one.type == wire.LOG)
        assert b"RuntimeError: on purpose" in text
        client.send(daemon.request("hello"))
        assert client.body() == b"hello"


def test_an_exception_after_output_is_a_cut(daemon):
    with daemon.start("fail_later") as client:
        assert ends(client.answer()) == [(wire.CUT, 0), (wire.DONE, 0)]
        client.send(daemon.request("hello"))
        assert client.body() == b"hello"


def ends(frames):
    """Return type and flags of what ends the response and of what ends the request."""
    return [(one.type, one.flags) for one in frames if one.type in (wire.END, wire.CUT, wire.DONE)]


def test_a_head_that_is_too_large_is_a_status(daemon):
    with daemon.start("large_head") as client:
        frames = client.answer()
        assert [one.type for one in frames if one.type != wire.LOG] == [wire.STATUS]
        assert any(b"WGW0066" in one.payload for one in frames)


def test_lines_of_other_threads_stay_within_their_request(daemon):
    with daemon.connect() as client:
        for _ in range(30):
            client.send(daemon.request("late_log"))
            frames = client.answer()
            assert frames[-1].is_last()
        client.send(daemon.request("hello"))
        assert client.answer()[0].type == wire.HEAD


def test_close_that_takes_long_comes_after_the_response(daemon):
    """END comes before close() has run, DONE after it; other connections are served meanwhile.

    Nobody here counts threads as claimed, so that each request leaves one more idle.
    """
    eventually(lambda: daemon.row()["idle_count"] == 2, "both threads are idle")
    gate = daemon.folder / "close-gate"
    with daemon.start("slow_close", CLOSE_GATE=str(gate)) as client:
        frames = client.response()
        assert [one.type for one in frames] == [wire.HEAD, wire.BLOCK, wire.END]
        assert frames[-1].flags == 0
        daemon.wait_noted("closing")
        for _ in range(3):
            assert daemon.ask("hello") == b"hello"
        assert is_silent(client) and daemon.noted() == ["closing"]
        assert daemon.row()["idle_count"] == 2 + 3
        gate.touch()
        assert [(one.type, one.flags) for one in client.answer()] == [(wire.DONE, 0)]
        assert daemon.noted() == ["closing", "closed"]
        assert daemon.row()["idle_count"] == 2 + 4
        client.send(daemon.request("hello"))
        assert client.body() == b"hello"


def is_silent(client, timeout_s=0.2):
    """Return whether nothing comes within that time."""
    client.sock.settimeout(timeout_s)
    try:
        client.receive()
        return False
    except socket.timeout:
        return True
    finally:
        client.sock.settimeout(20)


@pytest.mark.parametrize("name, end", [("slow_close", wire.END), ("cut_and_slow_close", wire.CUT)])
def test_a_line_of_close_comes_after_the_end(daemon, name, end):
    gate = daemon.folder / "close-gate"
    with daemon.start(name, CLOSE_GATE=str(gate), CLOSE_LINE="from close") as client:
        frames = client.response()
        assert (frames[-1].type, frames[-1].flags) == (end, 0)
        gate.touch()
        rest = client.answer()
        assert [one.type for one in rest] == [wire.LOG, wire.DONE]
        assert rest[0].payload[1:] == b"from close"
    assert "from close" not in daemon.log()


@pytest.mark.parametrize("body", [None, b"x" * 100])
def test_after_the_response_no_body_is_wanted(daemon, body):
    """close() reads a body that nobody had asked for: an error, and no frame of it."""
    with daemon.start("slow_close", body=body, CLOSE_READ="1") as client:
        assert [one.type for one in client.answer() if one.type != wire.LOG] == [
            wire.HEAD, wire.BLOCK, wire.END, wire.DONE]
        assert len(daemon.noted()) == 3 and "read" not in daemon.noted(), daemon.noted()
        client.send(daemon.request("hello"))
        assert client.body() == b"hello"


def test_a_body_that_is_not_read_to_its_end_closes_with_done(daemon):
    gate = daemon.folder / "close-gate"
    with daemon.start("close_after_three", body=None, CLOSE_GATE=str(gate)) as client:
        assert client.receive().type == wire.WANT_BODY
        client.send(wire.frame(wire.BODY, b"abcdef"))
        assert client.response()[-1].flags == 0
        client.send(wire.frame(wire.BODY, b"on its way"))
        gate.touch()
        assert [(one.type, one.flags) for one in client.answer()] == [(wire.DONE, wire.CLOSES)]
        assert ended(client)


def file_frame(daemon, path, **variables):
    """Ask for a file; return its FILE frame, or None, and the bytes that came as blocks."""
    with daemon.start("file", FILE=str(path), **variables) as client:
        frames = client.answer()
    assert frames[-1].is_last() and wire.CUT not in [one.type for one in frames]
    files = [one for one in frames if one.type == wire.FILE]
    return (files[0] if files else None), b"".join(one.payload for one in frames
                                                   if one.type == wire.BLOCK)


def test_a_file_goes_as_a_descriptor(daemon, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * 1000)
    for offset in (0, 4):
        one, copied = file_frame(daemon, path, OFFSET=str(offset))
        assert one is not None and copied == b""
        start, size = struct.unpack("<QQ", one.payload)
        assert (start, size) == (offset, 10_000 - offset)
        assert os.path.samestat(os.fstat(one.fd), os.stat(path))
        os.close(one.fd)
    assert daemon.ask("hello") == b"hello"


def test_a_file_at_its_end_is_empty(daemon, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    one, copied = file_frame(daemon, path, OFFSET="10")
    assert struct.unpack("<QQ", one.payload) == (10, 0) and copied == b""
    assert os.path.samestat(os.fstat(one.fd), os.stat(path))
    os.close(one.fd)


def test_a_file_beyond_its_end_is_empty(daemon, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert file_frame(daemon, path, OFFSET="11") == (None, b"")


def test_the_answer_to_head_brings_its_file(daemon, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with daemon.connect() as client:
        client.send(daemon.request("file", bits=wire.BODILESS, FILE=str(path)))
        frames = client.answer()
    assert [one.type for one in frames] == [wire.HEAD, wire.FILE, wire.END, wire.DONE]
    assert struct.unpack("<QQ", frames[1].payload) == (0, 0)
    os.close(frames[1].fd)


def test_a_file_that_httpd_must_not_read_is_copied(daemon):
    one, copied = file_frame(daemon, "/proc/self/cmdline")  # proc is not a local disk
    assert one is None and b"-c" in copied


def test_groups_are_interpreters(make):
    daemon = make(main_group=None)
    answers = [daemon.ask("where", group=name).split() for name in ("", "one", "two", "one")]
    assert {pid for pid, _ in answers} == {b"%d" % daemon.process.pid}
    assert len({modules for _, modules in answers}) == 3
    assert answers[1] == answers[3]


def test_a_group_that_is_the_only_one_is_the_main_interpreter(make):
    daemon = make(main_group="site")
    assert daemon.ask("where", group="site") == daemon.ask("where")


def test_without_threads_it_runs_its_preloads(make, tmp_path):
    script = tmp_path / "background.py"
    script.write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    daemon = make(threads=0, preloads=["script", script, ""])
    assert (tmp_path / "ran").exists()
    assert daemon.row()["thread_count"] == 0
    daemon.process.terminate()
    assert daemon.exit_code() == 0


def test_a_copy_that_comes_back_from_a_preload_ends(make, tmp_path):
    """It would serve on descriptors that are closed, and count threads that are not there."""
    script = tmp_path / "forking.py"
    script.write_text(f"import os\npid = os.fork()\nif pid:\n"
                      f"    open({str(tmp_path / 'ended')!r}, 'w').write(str(os.waitpid(pid, 0)[1]))\n")
    daemon = make(preloads=["script", script, ""])
    assert (tmp_path / "ended").read_text() == "0"
    assert daemon.ask("hello") == b"hello"


def test_a_failing_preload_is_said_and_it_serves(make, tmp_path):
    script = tmp_path / "broken.py"
    script.write_text("raise ValueError('broken preload')\n")
    daemon = make(preloads=["script", script, ""])
    assert "broken preload" in daemon.log()
    assert daemon.ask("hello") == b"hello"
