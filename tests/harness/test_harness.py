"""The harness itself: what the conformance tests rely on when they call a response whole."""
import socket
import struct
import threading

import pytest

from harness import Connection, ProtocolError, Site
from harness.errorlog import RAW, parse
from harness.site import fill

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = HEAD + b"Content-Length: 3\r\n\r\n"
CLOSE = HEAD + b"\r\n"


def answered(data, reset=False, method="GET"):
    """Return the response a client reads from a peer that sends `data` and closes or resets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            peer, _ = listener.accept()
            peer.recv(1000)
            peer.sendall(data)
            if reset:
                seen.wait(5)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
        seen = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with Connection(listener.getsockname()[1], timeout_s=10) as connection:
                connection.request(method, "/")
                response = connection.begin(method)
                seen.set()
                return response.read_all()
        finally:
            seen.set()
            thread.join()


@pytest.mark.parametrize("data, reset, complete", [
    (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", False, True),
    (CHUNKED + b"3;x=y\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n", False, True),
    (CHUNKED + b"3\r\nabc\r\n0\r\n", False, None),
    (CHUNKED + b"3\r\nabc\r\n", False, False), (CHUNKED + b"3\r\nabc\r\n", True, False),
    (CHUNKED + b"9\r\nabc", False, False), (CHUNKED + b"zz\r\nabc", False, None),
    (CHUNKED + b"3\nabc\r\n", False, None), (CHUNKED + b"2\r\nabc\r\n", False, False),
    (LENGTH + b"abc", False, True), (LENGTH + b"ab", False, False), (LENGTH + b"ab", True, False),
    (CLOSE + b"abc", False, True), (CLOSE + b"abc", True, False)])
def test_complete_or_cut(data, reset, complete):
    if complete is None:
        with pytest.raises(ProtocolError):
            answered(data, reset)
    else:
        response = answered(data, reset)
        assert response.complete is complete and response.reset is reset
        assert response.body[:2] == b"ab"


@pytest.mark.parametrize("data", [
    b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/1.1 200 OK\n\n", b"HTTP/2 200 OK\r\n\r\n", b"",
    HEAD + b"Bad Name: x\r\n\r\n", HEAD + b"X: a\0b\r\n\r\n", HEAD + b"X : a\r\n\r\n",
    HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", HEAD + b"X: a\r\n"])
def test_malformed_is_refused(data):
    with pytest.raises(ProtocolError):
        answered(data)


def test_interim_and_head():
    response = answered(b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH, method="HEAD")
    assert (response.interim, response.status, response.complete) == ([100], 200, True)


def test_log_lines():
    record = parse("error.log", "[t] [wsgigw:warn] [pid 1:tid -] [client 127.0.0.1:2] [id a+b] x")
    assert (record.level, record.id, record.message, record.is_loud) == ("warn", "a+b", "x", True)
    assert parse("error.log", "Fatal Python error: x").level == RAW
    quiet = "[t] [core:notice] [pid 1:tid 2] [client -] [id -] AH00052: child pid 3 exit signal 11"
    assert parse("error.log", quiet).is_loud


def test_placeholders():
    assert fill("{a} %{a} ${a} {unknown}", {"a": 1}) == "1 %{a} ${a} {unknown}"


STATIC = Site("LogLevel debug", load_wsgi=False)


@pytest.mark.modes("embedded")
def test_a_server_without_the_module(make_server):
    server = make_server(STATIC)
    (server.htdocs / "file.txt").write_text("static")
    assert server.get("/file.txt").body == b"static"
    server.graceful()
    assert server.get("/file.txt").status == 200
    assert server.configtest()[0] == 0


@pytest.mark.modes("embedded")
def test_a_failed_start_shows_why(make_server):
    server = make_server(Site("NoSuchDirective On", load_wsgi=False), start=False)
    code, text = server.configtest()
    assert code == 1 and "NoSuchDirective" in text
    with pytest.raises(AssertionError, match="NoSuchDirective"):
        server.start()
