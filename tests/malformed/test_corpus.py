"""Malformed and ambiguous requests on raw sockets: what reaches the application is consistent,
or nothing does.

A case says how often the application may have been called (`calls`), with which whole bodies,
and which statuses the client may see.  "/second" is the smuggled request: in the cases with
calls == 0 or one body it must never arrive.  The rules are RFC 9112 sections 2.2, 3, 5 and 6.
"""
import json
from typing import NamedTuple, Tuple

import pytest

from harness import Site

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias / {apps}/recorder.wsgi
    Timeout 2
    KeepAliveTimeout 1
    RequestReadTimeout header=3 body=3
    LimitRequestBody 1000000
""", modules=("reqtimeout",))

H = b"Host: localhost\r\n"
SECOND = b"GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"POST /first HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"


class Case(NamedTuple):
    """sent: bytes, after which our side is half-closed.  statuses: of the first response; 0 for
    none, or for a response of HTTP/0.9.  bodies: of the calls, each a tuple that may be."""
    sent: bytes
    statuses: Tuple[int, ...]
    bodies: Tuple[Tuple[bytes, ...], ...] = ((),)


def post(fields, rest=b"", target=b"/first"):
    return b"POST " + target + b" HTTP/1.1\r\n" + H + fields + b"\r\n" + rest


def get(fields=b"", line=b"GET /first HTTP/1.1\r\n"):
    return line + H + fields + b"\r\n"


NOTHING = ((),)
ONCE = ((b"",),)
REFUSED = (400,)

CORPUS = {
    # --- two ways to tell the length ---
    "Content-Length and chunked": Case(
        post(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SECOND),
        (200, 400), ((), (b"",))),
    "chunked and Content-Length": Case(
        post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
        (200, 400), ((), (b"abc",))),
    "two Content-Lengths": Case(
        post(b"Content-Length: 3\r\nContent-Length: 40\r\n", b"abc" + SECOND), REFUSED),
    "two Content-Lengths in one": Case(post(b"Content-Length: 3, 40\r\n", b"abc" + SECOND), REFUSED),
    "the same Content-Length twice": Case(
        post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"), (200, 400), ((), (b"abc",))),
    # --- Content-Length ---
    "Content-Length +5": Case(post(b"Content-Length: +5\r\n", b"abcde"), REFUSED),
    "Content-Length -1": Case(post(b"Content-Length: -1\r\n", b"abcde"), REFUSED),
    "Content-Length 0x5": Case(post(b"Content-Length: 0x5\r\n", b"abcde"), REFUSED),
    "Content-Length 5x": Case(post(b"Content-Length: 5x\r\n", b"abcde"), REFUSED),
    "Content-Length 5 5": Case(post(b"Content-Length: 5 5\r\n", b"abcde"), REFUSED),
    "Content-Length 1e1": Case(post(b"Content-Length: 1e1\r\n", b"abcdeabcde"), REFUSED),
    "Content-Length empty": Case(post(b"Content-Length:\r\n", b"abcde"), REFUSED),
    "Content-Length over 64 bits": Case(
        post(b"Content-Length: 18446744073709551621\r\n", b"abcde"), (400, 413)),
    "Content-Length of 63 bits": Case(
        post(b"Content-Length: 9223372036854775807\r\n", b"abcde"), (400, 413)),
    "Content-Length with zeros": Case(post(b"Content-Length: 0005\r\n", b"abcde"),
                                      (200, 400), ((), (b"abcde",))),
    "Content-Length in quotes": Case(post(b'Content-Length: "5"\r\n', b"abcde"), REFUSED),
    "Content-Length in other digits": Case(post(b"Content-Length: \xd9\xa5\r\n", b"abcde"), REFUSED),
    # --- Transfer-Encoding ---
    "chunked, gzip": Case(post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n" + SECOND),
                          (400, 501)),
    "gzip, chunked": Case(post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n" + SECOND),
                          (400, 501)),
    "xchunked": Case(post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + SECOND), (400, 501)),
    "chunked twice": Case(
        post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        (400, 501)),
    "chunked, chunked": Case(post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"),
                             (400, 501)),
    "identity": Case(post(b"Transfer-Encoding: identity\r\n", SECOND), (400, 501)),
    "Transfer-Encoding empty": Case(post(b"Transfer-Encoding:\r\n", SECOND), (400, 501)),
    "chunked with a tab before": Case(
        post(b"Transfer-Encoding:\tchunked\r\n", b"3\r\nabc\r\n0\r\n\r\n"), (200,), ((b"abc",),)),
    "chunked with a vertical tab": Case(
        post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n" + SECOND), (400, 501)),
    "chunked with a parameter": Case(
        post(b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n" + SECOND), (400, 501)),
    "CHUNKED": Case(post(b"Transfer-Encoding: CHUNKED\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
                    (200,), ((b"abc",),)),
    "chunked under HTTP/1.0": Case(
        b"POST /first HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        (200, 400, 501), ((), (b"abc",))),
    "Transfer_Encoding": Case(post(b"Transfer_Encoding: chunked\r\nContent-Length: 3\r\n", b"abc"),
                              (200,), ((b"abc",),)),
    # --- chunks ---
    "chunk size not hexadecimal": Case(CHUNKED + b"xyz\r\nabc\r\n0\r\n\r\n", REFUSED),
    "chunk size negative": Case(CHUNKED + b"-1\r\nabc\r\n0\r\n\r\n", REFUSED),
    "chunk size with +": Case(CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n", REFUSED),
    "chunk size with 0x": Case(CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", REFUSED),
    "chunk size empty": Case(CHUNKED + b"\r\nabc\r\n0\r\n\r\n", REFUSED),
    "chunk size over 64 bits": Case(CHUNKED + b"10000000000000003\r\nabc\r\n0\r\n\r\n", (400, 413)),
    "chunk size of 64 bits": Case(CHUNKED + b"ffffffffffffffff\r\nabc\r\n0\r\n\r\n", (400, 413)),
    "chunk size of 63 bits": Case(CHUNKED + b"7fffffffffffffff\r\nabc\r\n0\r\n\r\n", (400, 413)),
    "chunk size of 32 bits": Case(CHUNKED + b"100000003\r\nabc\r\n0\r\n\r\n", (400, 413)),
    "chunk size with many zeros": Case(CHUNKED + b"0" * 100 + b"3\r\nabc\r\n0\r\n\r\n",
                                       (200, 400), ((), (b"abc",))),
    "chunk without its CRLF": Case(CHUNKED + b"3\r\nabc0\r\n\r\n" + SECOND, REFUSED),
    "chunk longer than said": Case(CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n", REFUSED),
    "chunk shorter than said": Case(CHUNKED + b"8\r\nabc\r\n0\r\n\r\n", REFUSED),
    "chunk followed by LF": Case(CHUNKED + b"3\r\nabc\n0\r\n\r\n", (200, 400), ((), (b"abc",))),
    "chunk line ended by LF": Case(CHUNKED + b"3\nabc\r\n0\r\n\r\n", (200, 400), ((), (b"abc",))),
    "chunk line ended by CR": Case(CHUNKED + b"3\rabc\r\n0\r\n\r\n", REFUSED),
    "chunk extension": Case(CHUNKED + b"3;name=value\r\nabc\r\n0\r\n\r\n", (200,), ((b"abc",),)),
    "chunk extension with a request": Case(
        CHUNKED + b"3;\nGET /second HTTP/1.1\r\nabc\r\n0\r\n\r\n", (200, 400), ((), (b"abc",))),
    "chunk extension huge": Case(CHUNKED + b"3;" + b"x" * 70000 + b"\r\nabc\r\n0\r\n\r\n",
                                 (200, 400, 413), ((), (b"abc",))),
    "no last chunk": Case(CHUNKED + b"3\r\nabc\r\n", REFUSED),
    "nothing after the head": Case(CHUNKED, REFUSED),
    "trailers": Case(CHUNKED + b"3\r\nabc\r\n0\r\nX-Trailer: 1\r\nContent-Length: 9\r\n\r\n",
                     (200,), ((b"abc",),)),
    # --- lines and names ---
    "bare LF in the head": Case(b"GET /first HTTP/1.1\nHost: localhost\n\n", (200, 400), ((), (b"",))),
    "bare CR in the head": Case(get(b"X-One: a\rContent-Length: 5\r\n"), REFUSED),
    "NUL in a value": Case(get(b"X-One: a\0b\r\n"), REFUSED),
    "NUL in a name": Case(get(b"X-O\0ne: a\r\n"), REFUSED),
    "NUL in the target": Case(get(line=b"GET /fi\0rst HTTP/1.1\r\n"), REFUSED),
    "NUL encoded in the target": Case(get(line=b"GET /fi%00rst HTTP/1.1\r\n"), (400, 404)),
    "control character in a value": Case(get(b"X-One: a\x01b\r\n"), REFUSED),
    "control character in the target": Case(get(line=b"GET /fi\x01rst HTTP/1.1\r\n"), REFUSED),
    "folded header": Case(get(b"X-One: a\r\n b\r\n"), (200, 400), ((), (b"",))),
    "folded first header": Case(b"GET /first HTTP/1.1\r\n X-One: a\r\n" + H + b"\r\n", REFUSED),
    "folded Content-Length": Case(post(b"Content-Length:\r\n 3\r\n", b"abc"),
                                  (200, 400), ((), (b"abc",))),
    "space before the colon": Case(post(b"Content-Length : 3\r\n", b"abc" + SECOND), REFUSED),
    "space before the colon of chunked": Case(
        post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + SECOND), REFUSED),
    "no colon": Case(get(b"X-One\r\n"), REFUSED),
    "empty name": Case(get(b": value\r\n"), REFUSED),
    "space in a name": Case(get(b"X One: a\r\n"), REFUSED),
    "name of 8 bits": Case(get(b"X-\xe9: a\r\n"), REFUSED),
    "header over 8 KiB": Case(get(b"X-One: " + b"x" * 9000 + b"\r\n"), (400, 431)),
    "header of 1 MiB": Case(get(b"X-One: " + b"x" * (1 << 20) + b"\r\n"), (0, 400, 431)),
    "too many headers": Case(get(b"".join(b"X-%d: a\r\n" % n for n in range(200))), (400, 431)),
    "target too long": Case(get(line=b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n"), (414,)),
    # --- Host ---
    "no Host": Case(b"GET /first HTTP/1.1\r\n\r\n", REFUSED),
    "two Hosts": Case(get(b"Host: other\r\n"), REFUSED),
    "Host with a path": Case(b"GET /first HTTP/1.1\r\nHost: a/b\r\n\r\n", REFUSED),
    "Host with a port that is none": Case(b"GET /first HTTP/1.1\r\nHost: a:b\r\n\r\n", REFUSED),
    "Host with a space": Case(b"GET /first HTTP/1.1\r\nHost: a b\r\n\r\n", REFUSED),
    # --- the request line ---
    "method in lower case": Case(get(line=b"get /first HTTP/1.1\r\n"), (200, 400, 501), ((), (b"",))),
    "method of no token": Case(get(line=b"G(T /first HTTP/1.1\r\n"), (400, 501)),
    "method unknown": Case(get(line=b"BREW /first HTTP/1.1\r\n"), (200, 501), ((), (b"",))),
    "method empty": Case(get(line=b" /first HTTP/1.1\r\n"), REFUSED),
    "absolute URI": Case(get(line=b"GET http://localhost/first HTTP/1.1\r\n"), (200,), ONCE),
    "absolute URI of another scheme": Case(get(line=b"GET ftp://localhost/first HTTP/1.1\r\n"),
                                           (200, 400, 403), ((), (b"",))),
    "target without a slash": Case(get(line=b"GET first HTTP/1.1\r\n"), REFUSED),
    "target *": Case(get(line=b"GET * HTTP/1.1\r\n"), REFUSED),
    "target with a space": Case(get(line=b"GET /fi rst HTTP/1.1\r\n"), REFUSED),
    "target with a bad escape": Case(get(line=b"GET /%zz HTTP/1.1\r\n"), REFUSED),
    "target out of the root": Case(get(line=b"GET /../../etc/passwd HTTP/1.1\r\n"), (400, 404)),
    "two spaces": Case(get(line=b"GET  /first HTTP/1.1\r\n"), REFUSED),
    "CONNECT": Case(get(line=b"CONNECT localhost:80 HTTP/1.1\r\n"), (400, 403, 404, 405)),
    "TRACE": Case(get(line=b"TRACE /first HTTP/1.1\r\n"), (200, 405)),
    "HTTP/0.9": Case(b"GET /first\r\n", (0, 200, 400), ((), (b"",))),
    "HTTP/1.2": Case(get(line=b"GET /first HTTP/1.2\r\n"), (200, 400, 505), ((), (b"",))),
    "HTTP/2.0 in the line": Case(get(line=b"GET /first HTTP/2.0\r\n"), (200, 400, 505), ((), (b"",))),
    "HTTP/1.10": Case(get(line=b"GET /first HTTP/1.10\r\n"), (400, 505)),
    "http/1.1": Case(get(line=b"GET /first http/1.1\r\n"), (400,)),
    "not HTTP": Case(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", (400,)),
    # --- one after the other ---
    "body of GET is not a request": Case(
        get(b"Content-Length: %d\r\n" % len(SECOND)) + SECOND, (200,), ((SECOND,),)),
    "less body than said": Case(post(b"Content-Length: 100\r\n", b"abc"), REFUSED),
    "pipelined": Case(get() + get(), (200,), ((b"", b""),)),
    "pipelined after a body": Case(post(b"Content-Length: 3\r\n", b"abc") + get(),
                                   (200,), ((b"abc", b""),)),
    "pipelined after chunks": Case(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + get(),
                                   (200,), ((b"abc", b""),)),
}


def calls(server):
    return [json.loads(line) for line in server.notes("calls")]


def exchange(server, sent):
    """Send the bytes, close our direction, read everything; return the first status, 0 if none."""
    with server.connect(timeout_s=10) as connection:
        try:
            connection.send(sent)
            connection.half_close()
        except OSError:
            pass  # refused before all was sent
        received = b""
        try:
            while len(received) < 1 << 20:
                piece = connection.socket.recv(65536)
                if not piece:
                    break
                received += piece
        except ConnectionError:
            pass
    return int(received[9:12]) if received.startswith(b"HTTP/1.") else 0


@pytest.mark.parametrize("name", CORPUS)
def test_consistent_or_nothing(server, name):
    case = CORPUS[name]
    before = len(calls(server))
    server.allow_log("AH\\d+|WGW004[0-9]")
    server.allow_request("WGW0010|AH\\d+")
    status = exchange(server, case.sent)
    seen = calls(server)[before:]
    assert status in case.statuses
    whole = tuple(call["body"].encode("latin-1") for call in seen if not call["error"])
    assert whole in case.bodies
    for call in seen:
        check_environ(call)


def check_environ(call):
    """What the application saw must not contradict itself."""
    environ = call["environ"]
    assert environ["PATH_INFO"] != "/second", "a smuggled request was served"
    length = environ.get("CONTENT_LENGTH")
    chunked = environ.get("HTTP_TRANSFER_ENCODING")
    assert not (length and chunked), "two ways to tell the length"
    if length and not call["error"]:
        assert length.isdecimal() and int(length) == len(call["body"])
    text = "".join(key + value for key, value in environ.items())
    assert not set(text) & set("\0\r\n"), "control characters in environ"
    assert environ["REQUEST_METHOD"] and environ["PATH_INFO"].startswith("/")


def test_the_server_still_works(server):
    assert server.get("/after").body == b"body of 0"


TABLE_OF_NAMES = {
    # header line: the value of HTTP_X_ONE that the application may see
    "X_One: forged": None,
    "X.One: forged": None,
    "Proxy: http://evil": None,
    "X-One: real": "real",
}


@pytest.mark.parametrize("line", TABLE_OF_NAMES)
def test_names_that_would_collide(server, line):
    """X_One must not pass for X-One, nor Proxy for HTTP_PROXY."""
    exchange(server, get(line.encode() + b"\r\n"))
    environ = calls(server)[-1]["environ"]
    assert environ.get("HTTP_X_ONE") == TABLE_OF_NAMES[line] and "HTTP_PROXY" not in environ


def test_both_spellings(server):
    exchange(server, get(b"X-One: real\r\nX_One: forged\r\n"))
    assert calls(server)[-1]["environ"]["HTTP_X_ONE"] == "real"


def test_repeated_header_is_joined(server):
    exchange(server, get(b"X-One: a\r\nX-One: b\r\n"))
    assert calls(server)[-1]["environ"]["HTTP_X_ONE"] == "a, b"


def test_refused_request_closes_the_connection(server):
    """After a 400 nothing of the same stream is taken for a request."""
    before = len(calls(server))
    with server.connect() as connection:
        connection.send(post(b"Content-Length: x\r\n", SECOND))
        assert connection.response().status == 400 and connection.at_end()
    assert len(calls(server)) == before
    server.allow_log("AH\\d+|WGW0047")
