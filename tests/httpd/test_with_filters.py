"""mod_deflate, mod_cache, mod_headers, mod_reqtimeout and LimitRequestBody around the application."""
import gzip
import zlib

import pytest

from harness import Site

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /plain {apps}/stream.wsgi
    WSGIScriptAlias /deflated {apps}/stream.wsgi
    WSGIScriptAlias /inflated {apps}/stream.wsgi
    WSGIScriptAlias /cached {apps}/stream.wsgi
    WSGIScriptAlias /limited {apps}/stream.wsgi
    <Location /deflated>
        SetOutputFilter DEFLATE
    </Location>
    <Location /inflated>
        SetInputFilter DEFLATE
    </Location>
    <Location /limited>
        LimitRequestBody 100
    </Location>
    CacheRoot {work}
    CacheEnable disk /cached
    CacheHeader On
    <Location /plain/status>
        Header set X-Set "by httpd"
        Header always set X-Always "by httpd"
        Header unset X-Application
        RequestHeader set X-Request "by httpd"
    </Location>
    RequestReadTimeout header=10 body=1
""", modules=("filter", "deflate", "cache", "cache_disk", "headers", "reqtimeout"))
GZIP = [("Accept-Encoding", "gzip")]


# --- deflate -------------------------------------------------------------------------------

def test_deflated(server):
    answer = server.get("/deflated/long", GZIP)
    assert answer.header("Content-Encoding") == "gzip" and answer.complete
    assert gzip.decompress(answer.body) == b"0123456789abcdef" * 4096
    assert len(answer.body) < 2000


def test_not_deflated_for_those_who_cannot(server):
    answer = server.get("/deflated/long")
    assert answer.header("Content-Encoding") is None and len(answer.body) == 65536


def test_deflated_blocks_go_out_before_the_next_is_made(server, key):
    with server.connect() as connection:
        connection.request("GET", f"/deflated/steps?key={key}", GZIP)
        answer = connection.begin()
        inflater, text = zlib.decompressobj(31), b""
        while text != b"first block. ":
            piece = answer.read_some()
            assert piece, "ended before the first block was out"
            text += inflater.decompress(piece)
        server.open_gate(key)
        rest = answer.body
        answer.read_all()
        assert inflater.decompress(answer.body[len(rest):]) == b"second block."
        assert answer.complete


def test_head_of_a_deflated_response(server):
    """WSGIMapHEADToGET Auto: with a filter in the chain the application makes the body."""
    answer = server.request("HEAD", "/deflated/long", GZIP)
    assert answer.header("Content-Encoding") == "gzip" and answer.body == b""


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_request_body_inflated(server, chunked):
    text = b"".join(b"line %d of the body\n" % number for number in range(5000))
    body = gzip.compress(text)
    headers = [("Content-Encoding", "gzip")]
    if chunked:
        headers.append(("Transfer-Encoding", "chunked"))
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    answer = server.post("/inflated/echo", body, headers)
    assert answer.status == 200 and answer.body == text


# --- cache ---------------------------------------------------------------------------------

def test_cacheable_is_cached(server, key):
    for count, verdict in ((1, "MISS"), (2, "HIT")):
        answer = server.get(f"/cached/cacheable?key={key}")
        assert answer.body == f"number {key}".encode()
        assert answer.header("X-Cache").startswith(verdict)
    assert len(server.notes(key)) == 1


def test_half_a_response_is_not_kept_when_the_client_goes(server, key):
    with server.connect() as connection:
        connection.request("GET", f"/cached/steps?key={key}")
        connection.begin().read_until(b"first block. ")
        connection.reset()
    server.open_gate(key)
    answer = server.get(f"/cached/steps?key={key}")
    assert answer.complete and answer.body == b"first block. second block."
    server.allow_log("AH00(737|738|739)|cache")


# --- headers -------------------------------------------------------------------------------

@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 Oops"])
def test_headers(server, status):
    answer = server.get(f"/plain/status?status={status.replace(' ', '+')}")
    assert answer.status == int(status[:3]) and answer.body == b"the application's own page"
    assert answer.header("X-Always") == "by httpd" and answer.header("X-Application") is None
    assert answer.header("X-Set") == "by httpd"


# --- limits --------------------------------------------------------------------------------

def test_body_too_large_by_its_length(server, key):
    """Refused before Python sees it, and before it is sent."""
    answer = server.post(f"/limited/echo?key={key}", b"x" * 101)
    assert answer.status == 413 and not server.notes(key)
    server.expect_log("WGW0048: .* 101 bytes is larger than LimitRequestBody of 100", "error")


def test_body_too_large_by_its_length_is_not_asked_for(server, key):
    with server.connect() as connection:
        connection.request("POST", f"/limited/echo?key={key}",
                           [("Content-Length", "101"), ("Expect", "100-continue")])
        answer = connection.response()
    assert answer.status == 413 and not answer.interim
    server.expect_log("WGW0048", "error")


def test_body_of_just_the_limit(server):
    assert server.post("/limited/echo", b"x" * 100).body == b"x" * 100


def test_chunked_body_too_large(server):
    answer = server.post("/limited/echo", b"65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n",
                         [("Transfer-Encoding", "chunked")])
    assert answer.status == 413
    server.allow_request("WGW0010|AH01588|AH00589|LimitRequestBody|larger")
    server.allow_log("AH01588|AH00589|larger than")


def test_chunked_body_within_the_limit(server):
    answer = server.post("/limited/echo", b"64\r\n" + b"x" * 100 + b"\r\n0\r\n\r\n",
                         [("Transfer-Encoding", "chunked")])
    assert answer.body == b"x" * 100


@pytest.mark.parametrize("framing", [("Content-Length", "10"), ("Transfer-Encoding", "chunked")],
                         ids=["length", "chunked"])
def test_stalled_body(server, framing):
    """mod_reqtimeout ends it; the client hears 408."""
    with server.connect() as connection:
        connection.request("POST", "/plain/echo", [framing])
        connection.send(b"5\r\nab")
        answer = connection.response()
    assert answer.status == 408
    server.allow_request("WGW0010")
    server.allow_log("AH01382")
