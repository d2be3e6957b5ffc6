"""A daemon process and peers that do not keep to the protocol, or just go away."""
import os
import resource
import signal
import socket
import struct
import time

import pytest

import wire
from harness.waiting import eventually

SURPLUS = b"GET / HTTP/1.1\r\n"


def is_closed(client, timeout_s=5):
    """Return whether the other side closes within that time, saying nothing."""
    client.sock.settimeout(timeout_s)
    try:
        data = client.sock.recv(100)
    except ConnectionResetError:
        return True
    except socket.timeout:
        return False
    assert data == b"", data
    return True


@pytest.mark.parametrize("data, why", [
    (wire.open_frame("f" * 64), "key"),
    (wire.open_frame("0" * 64), "key"),
    (wire.open_frame(version=1), "version"),
    (wire.frame(wire.OPEN, b"\1" + b"0" * 63), "version"),
    (wire.frame(wire.OPEN), "version"),
    (b"GET / HTTP/1.1\r\n\r\n", "not a frame"),
    (b"\0" * 8, "not a frame"),
    (wire.frame(wire.REQUEST, b""), "may not come now"),
    (struct.pack("<IBBH", 64 << 20, wire.REQUEST, 0, 0), "may not come now"),
    (struct.pack("<IBBH", 0xffffffff, wire.OPEN, 0, 0), "not a frame"),
    (struct.pack("<IBBH", 1 << 30, wire.BODY, 0, 0), "may not come now"),
    (struct.pack("<IBBH", 65, wire.OPEN, 1, 0), "not a frame"),
    (struct.pack("<IBBH", 65, wire.OPEN, 0, 1), "not a frame"),
    (wire.open_frame()[:40], "not complete"),
    (b"\0", "not complete"),
], ids=lambda value: value if isinstance(value, str) else value[:5].hex())
def test_who_does_not_open_is_closed(daemon, data, why):
    before = daemon.memory_kb("VmPeak")
    with daemon.connect(opens=False) as client:
        client.send(data)
        assert is_closed(client)
    eventually(lambda: why in daemon.log(), f"{why} in the log")
    assert "WGW0065" in daemon.log()
    assert daemon.ask("hello") == b"hello"
    assert daemon.memory_kb("VmPeak") < before + 400_000  # arenas of threads, but no gigabyte


@pytest.mark.parametrize("data", [
    wire.open_frame(),
    *(wire.frame(kind) for kind in (wire.BODY, wire.BODY_END, wire.HEAD, wire.BLOCK, wire.END,
                                    wire.CUT, wire.WANT_BODY, wire.REFUSED, wire.DONE)),
    wire.frame(wire.BODY_FAULT, b"\1"),
    wire.frame(wire.REQUEST, b""),
    wire.frame(wire.REQUEST, b"\xff" * 200),
    wire.frame(32), wire.frame(0), wire.frame(255),
    struct.pack("<IBBH", (64 << 20) + 1, wire.REQUEST, 0, 0),
    wire.request_frame("/x", body=None)[:-1] + b"xx",  # not one byte of a body, but bytes of one
    wire.request_frame("/x", bits=64),
    wire.request_frame("/x", flags=1),
    wire.request_frame("/x", flags=wire.HAS_FILE),  # and there is none
    wire.request_frame("/x") + SURPLUS,
    wire.request_frame("/x") + wire.request_frame("/x"),
], ids=lambda value: value[:6].hex())
def test_what_may_not_come_closes(daemon, data):
    with daemon.connect() as client:
        client.send(data)
        assert is_closed(client)
    assert daemon.ask("hello") == b"hello"
    assert "WGW0065" in daemon.log() and daemon.noted() == []


@pytest.mark.parametrize("count, flags", [(1, 0), (2, wire.HAS_FILE), (3, wire.HAS_FILE),
                                          (100, wire.HAS_FILE)])
def test_descriptors_that_nobody_asked_for_are_closed(daemon, count, flags):
    before = daemon.settled_descriptors()
    with open("/dev/null", "rb") as null, daemon.connect() as client:
        client.send(daemon.request("hello", body=None, flags=flags), [null.fileno()] * count)
        assert is_closed(client)
    assert daemon.ask("hello") == b"hello"
    eventually(lambda: daemon.descriptors() == before, "descriptors as before")


def test_a_descriptor_with_open_is_dropped(daemon):
    before = daemon.settled_descriptors()
    with open("/dev/null", "rb") as null, daemon.connect(opens=False) as client:
        client.send(wire.open_frame(), [null.fileno()])
        time.sleep(0.1)
        client.send(daemon.request("hello"))
        assert client.body() == b"hello"
    eventually(lambda: daemon.descriptors() == before, "descriptors as before")


def test_half_a_request_holds_a_thread_for_ten_seconds_at_most(make):
    """A trickle of bytes does not make it longer; meanwhile the other thread serves."""
    daemon = make(threads=2)
    whole = daemon.request("hello", body=b"x" * 100)
    with daemon.connect() as client:
        begun = time.monotonic()
        client.sock.settimeout(0.5)
        for byte in whole[:-1][:60]:
            try:
                client.send(bytes([byte]))
                if client.sock.recv(1) == b"":
                    break
            except socket.timeout:
                assert daemon.ask("hello") == b"hello"
            except OSError:
                break
        took = time.monotonic() - begun
        assert 9 < took < 13
    assert "not complete in time" in daemon.log()


def test_a_request_may_come_in_pieces(daemon):
    with daemon.connect() as client:
        whole = daemon.request("length", body=b"x" * 50)
        for at in range(0, len(whole), 40):
            client.send(whole[at:at + 40])
            time.sleep(0.002)
        assert client.body() == b"50"


@pytest.mark.parametrize("data", [
    wire.frame(wire.REQUEST), wire.open_frame(), wire.frame(wire.END), wire.frame(wire.HEAD, b"\0"),
    wire.frame(wire.WANT_BODY), wire.frame(wire.REFUSED), SURPLUS,
    struct.pack("<IBBH", (1 << 30) + 1, wire.BODY, 0, 0), wire.frame(wire.BODY_FAULT),
    wire.frame(wire.BODY_FAULT, b"\xff"),
], ids=lambda value: value[:6].hex())
@pytest.mark.parametrize("name", ["failing_read", "echo"])
def test_what_is_no_body_is_an_exception_and_closes(daemon, data, name):
    with daemon.start(name, body=None) as client:
        assert client.receive().type == wire.WANT_BODY
        if name == "echo":
            client.send(wire.frame(wire.BODY, b"line\n"))
            assert [client.receive().type for _ in range(2)] == [wire.HEAD, wire.BLOCK]
        client.send(data)
        last = client.answer()[-1]
        is_fault = data[4] == wire.BODY_FAULT
        assert last.is_last()
        assert is_fault or last.flags & wire.CLOSES
    if name == "failing_read":
        eventually(lambda: daemon.noted() not in ([], ["nothing"]), "an exception")
    assert daemon.ask("hello") == b"hello"


def test_a_client_that_goes_in_mid_response(make):
    daemon = make(threads=1, response_buffer=1 << 20)
    before = daemon.settled_descriptors()
    with daemon.start("blocks", BLOCKS="10000") as client:
        assert client.receive().type == wire.HEAD
        client.receive()
    daemon.wait_noted("closing", "closed")
    assert daemon.ask("hello") == b"hello"
    eventually(lambda: daemon.descriptors() == before, "descriptors as before")


def test_a_client_that_goes_while_the_application_works(make):
    daemon = make(threads=1)
    daemon.start("wait").close()
    daemon.wait_noted("waiting")
    daemon.open_gate()
    assert daemon.ask("hello") == b"hello"


def test_a_client_that_goes_while_its_body_is_read_costs_no_processor_time(make):
    daemon = make(threads=3)
    with daemon.start("wait_after_body", body=None) as client:
        assert client.receive().type == wire.WANT_BODY
        client.send(wire.frame(wire.BODY, b"x"))
        daemon.wait_noted("waiting")
    before = daemon.cpu_s()
    time.sleep(0.6)
    assert daemon.cpu_s() - before < 0.2
    daemon.open_gate()
    assert daemon.ask("hello") == b"hello"


def test_a_client_that_goes_before_its_body(daemon):
    with daemon.start("failing_read", body=None) as client:
        assert client.receive().type == wire.WANT_BODY
    eventually(lambda: daemon.noted() not in ([], ["nothing"]), "an exception")


def test_connections_come_and_go(daemon):
    before = daemon.settled_descriptors()
    for _ in range(300):
        daemon.connect(opens=False).close()
    for _ in range(100):
        daemon.connect().close()
    clients = [daemon.connect() for _ in range(200)]
    for one in clients:
        one.send(daemon.request("hello"))
        assert one.body() == b"hello"
    for one in clients:
        one.close()
    eventually(lambda: daemon.descriptors() == before, "descriptors as before")


def test_who_connects_and_says_nothing_takes_no_descriptors(daemon):
    """httpd's user may connect without the key; another pool may run as that user."""
    kept = daemon.connect()
    kept.send(daemon.request("hello"))
    assert kept.body() == b"hello"
    before = daemon.settled_descriptors()
    silent = [daemon.connect(opens=False) for _ in range(400)]
    eventually(lambda: daemon.descriptors() <= before + 128, "the oldest are closed")
    kept.send(daemon.request("hello"))
    assert kept.body() == b"hello" and daemon.ask("hello") == b"hello"
    for one in (kept, *silent):
        one.close()


def test_without_a_descriptor_connections_wait(daemon):
    daemon.ask("hello")
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (daemon.settled_descriptors() + 5,) * 2)
    clients = [daemon.connect() for _ in range(12)]
    eventually(lambda: "WGW0064" in daemon.log(), "it is said")
    time.sleep(0.3)
    assert daemon.log().count("WGW0064") == 1
    for one in clients[:8]:
        one.close()
    for one in clients[8:]:
        one.send(daemon.request("hello"))
        assert one.body() == b"hello"
        one.close()
    assert daemon.ask("hello") == b"hello"


@pytest.mark.skipif("WGW_HTTPD_ENV" in os.environ, reason="a sanitizer takes the signal")
def test_a_crash_leaves_the_python_stack_in_the_log(daemon):
    with daemon.start("segv") as client:
        assert client.answer() == []
    assert daemon.exit_code() == -signal.SIGSEGV
    assert "Segmentation fault" in daemon.log() and "in segv" in daemon.log()


def test_a_forked_child_holds_no_connection(daemon):
    with daemon.connect() as idle, daemon.connect() as client, daemon.start("wait") as busy:
        idle.send(daemon.request("hello"))
        assert idle.body() == b"hello"
        client.send(daemon.request("fork"))
        child = int(client.body())
        daemon.process.kill()
        daemon.process.wait()
        assert os.path.exists(f"/proc/{child}")
        for one in (idle, client, busy):
            assert is_closed(one, 2)
    listing = {os.readlink(f"/proc/{child}/fd/{fd}").split(":")[0] for fd in
               os.listdir(f"/proc/{child}/fd")}
    assert "socket" not in listing and "anon_inode" not in listing
    os.kill(child, signal.SIGTERM)
    eventually(lambda: state_of(child) in "ZX", "the child is ended by SIGTERM")


def state_of(pid):
    """Return the state of a process, X for none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def test_a_forked_child_that_comes_back_is_ended(daemon):
    with daemon.start("fork_and_return") as client:
        child = int(client.body())
        assert child > 0
        eventually(lambda: state_of(child) in "ZX", "the copy is gone")
        client.send(daemon.request("hello"))
        assert client.body() == b"hello"


def test_programs_and_processes_of_the_application(daemon):
    said = daemon.ask("spawn").decode()
    assert said.startswith("['0', '1', '2', '3']\n") and said.endswith("1 0"), said
    assert daemon.ask("hello") == b"hello"
