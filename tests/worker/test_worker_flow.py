"""Slow peers: what they do not read waits outside Python, and is right in the end."""
import os
import resource
import threading
import time

import pytest

import wire
from harness.waiting import eventually

BLOCKS = 64
WANTED = b"".join(bytes([n % 251]) * 65536 for n in range(BLOCKS))


def test_slow_readers_keep_nobody_from_being_served(make):
    daemon = make(threads=2, response_buffer=1 << 20)
    daemon.ask("blocks", BLOCKS=str(BLOCKS))
    descriptors = daemon.settled_descriptors()
    memory_kb = daemon.memory_kb()
    slow = [daemon.start("blocks", BLOCKS=str(BLOCKS)) for _ in range(20)]
    begun = time.monotonic()
    for _ in range(20):
        assert daemon.ask("hello") == b"hello"
    assert time.monotonic() - begun < 5
    eventually(lambda: daemon.noted().count("closed") == 21, "every application has finished")
    assert daemon.memory_kb() < memory_kb + 8_000
    bodies = read_all(slow)
    assert all(body == WANTED for body in bodies)
    for one in slow:  # a spool file is kept no longer than there is something in it
        one.send(daemon.request("hello"))
        assert one.body() == b"hello"
    for one in slow:
        one.close()
    eventually(lambda: daemon.descriptors() == descriptors, "descriptors as before")
    assert daemon.memory_kb() < memory_kb + 8_000


def read_all(clients):
    """Read the answers of all clients at the same time."""
    bodies = [b""] * len(clients)

    def read(number):
        bodies[number] = clients[number].body()
    threads = [threading.Thread(target=read, args=(number,)) for number in range(len(clients))]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    return bodies


def test_slow_readers_that_go_leave_nothing(make):
    daemon = make(threads=2, response_buffer=1 << 20)
    daemon.ask("blocks", BLOCKS="2")
    descriptors = daemon.settled_descriptors()
    slow = [daemon.start("blocks", BLOCKS=str(BLOCKS)) for _ in range(10)]
    eventually(lambda: daemon.noted().count("closed") == 11, "every application has finished")
    for one in slow:
        one.close()
    eventually(lambda: daemon.descriptors() == descriptors, "descriptors as before")
    with daemon.start("blocks", BLOCKS=str(BLOCKS)) as client:  # memory is accounted as before
        assert client.body() == WANTED


def test_a_file_goes_after_what_waits(make, tmp_path):
    """The next request's descriptor waits behind bytes that nobody has read yet."""
    daemon = make(threads=2, response_buffer=1 << 20)
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with daemon.start("blocks", BLOCKS=str(BLOCKS)) as client:
        daemon.wait_noted("closing", "closed")
        client.send(daemon.request("file", FILE=str(path)))
        assert client.body() == WANTED
        frames = client.answer()
        files = [one for one in frames if one.type == wire.FILE]
        assert [os.path.samestat(os.fstat(one.fd), os.stat(path)) for one in files] == [True]
        os.close(files[0].fd)


@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_where_nothing_can_be_spooled_memory_bounds_it(make, memory):
    """Where no file can be written a slow reader waits, but gets everything; others are served."""
    daemon = make(threads=2, response_buffer=memory)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (0, 0))
    with daemon.start("blocks", BLOCKS=str(BLOCKS)) as client:
        assert daemon.ask("hello") == b"hello"
        time.sleep(0.2)  # all of the memory is taken
        with daemon.start("blocks", BLOCKS=str(BLOCKS)) as other:
            assert read_all([client, other]) == [WANTED, WANTED]
        client.send(daemon.request("hello"))
        assert client.body() == b"hello"
