"""Sending a block never waits for the next: PEP 3333 "Buffering and Streaming".

In each test the application makes its next block only when the client, who has seen the block
before, opens a gate.  A server that holds a block back fails by time.
"""
import json
import os
import subprocess
import zlib

import pytest

from harness import Site

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIChunkedRequest On
    WSGIScriptAlias /output {apps}/output.wsgi
    WSGIScriptAlias /environ {apps}/environ.wsgi
    WSGIScriptAlias /deflated {apps}/output.wsgi
    <Location /deflated>
        SetOutputFilter DEFLATE
    </Location>
    Protocols h2c http/1.1
    <VirtualHost *:{tls_port}>
        ServerName localhost
        SSLEngine On
        SSLCertificateFile {cert}
        SSLCertificateKeyFile {key}
        Protocols h2 http/1.1
    </VirtualHost>
""", modules=("ssl", "filter", "deflate", "http2"), tls=True)

BLOCKS = (b"one", b"onetwo", b"onetwothree")


@pytest.fixture(autouse=True)
def h2_complains_of_prefork(server):
    """mod_http2 says at start that it does not support prefork."""
    server.allow_log("AH10034")


def walk_through_gates(server, key, read_until):
    """See each block before the next gate is opened."""
    for number, body in enumerate(BLOCKS, 1):
        read_until(body)
        server.open_gate(f"{key}{number}")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("length", ["", "&length=11"])
def test_each_block_arrives_before_the_next_is_made(server, version, length, tls, key):
    with server.connect(tls=tls) as connection:
        connection.request("GET", f"/output/blocks?key={key}{length}", version=version)
        answer = connection.begin()
        walk_through_gates(server, key, answer.read_until)
        assert answer.read_all().body == b"onetwothree" and answer.complete


def test_head_arrives_with_the_first_block(server, key):
    with server.connect() as connection:
        connection.request("GET", f"/output/blocks?key={key}")
        assert connection.begin().status == 200
        server.open_gate(f"{key}1")
        server.open_gate(f"{key}2")


def test_write_goes_out_at_once(server, key):
    with server.connect() as connection:
        connection.request("GET", f"/output/write-gate?key={key}")
        answer = connection.begin()
        assert answer.read_until(b"one") == b"one"
        server.open_gate(key)
        assert answer.read_all().body == b"onetwo" and answer.complete


def test_through_deflate(server, key):
    inflater, text = zlib.decompressobj(31), bytearray()
    with server.connect() as connection:
        connection.request("GET", f"/deflated/blocks?key={key}", [("Accept-Encoding", "gzip")])
        answer = connection.begin()
        assert answer.header("Content-Encoding") == "gzip"

        def read_until(mark):
            while mark not in text:
                piece = answer.read_some()
                assert piece, f"ended with {bytes(text)!r}"
                text.extend(inflater.decompress(piece))
        walk_through_gates(server, key, read_until)
        answer.read_all()
    assert answer.complete and bytes(text) == b"onetwothree"


@pytest.mark.mpms("event", "worker")
@pytest.mark.parametrize("mount", ["output", "deflated"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_over_http2(server, mount, tls, key):
    scheme, port = ("https", server.tls_port) if tls else ("http", server.port)
    command = ["curl", "-sS", "-k", "-N", "--http2" if tls else "--http2-prior-knowledge",
               "--max-time", "25", f"{scheme}://localhost:{port}/{mount}/blocks?key={key}"]
    command += ["-H", "Accept-Encoding: gzip"] if mount == "deflated" else []
    inflater, text = zlib.decompressobj(31), bytearray()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as curl:
        def read_until(mark):
            while mark not in text:
                piece = os.read(curl.stdout.fileno(), 65536)
                assert piece, f"ended with {bytes(text)!r}: {curl.stderr.read()!r}"
                text.extend(inflater.decompress(piece) if mount == "deflated" else piece)
        walk_through_gates(server, key, read_until)
        assert curl.wait(30) == 0, curl.stderr.read()
    assert bytes(text) == b"onetwothree"


def test_both_directions_at_once(server):
    """The application answers each line before the client sends the next."""
    with server.connect() as connection:
        connection.request("POST", "/output/duplex", [("Transfer-Encoding", "chunked")])
        connection.send(b"6\r\nfirst\n\r\n")
        answer = connection.begin()
        answer.read_until(b"FIRST\n")
        for number in range(20):
            connection.send(b"8\r\nline %02d\n\r\n" % number)
            answer.read_until(b"LINE %02d\n" % number)
        connection.send(b"0\r\n\r\n")
        assert answer.read_all().complete


@pytest.mark.mpms("event", "worker")
def test_cookie_crumbs_of_http2_are_joined(server):
    """RFC 9113 section 8.2.3."""
    url = f"http://127.0.0.1:{server.port}/environ/dump"
    done = subprocess.run(["nghttp", "-H", "cookie: a=1", "-H", "cookie: b=2", url],
                          capture_output=True, check=True, timeout=30)
    environ = json.loads(done.stdout)
    assert environ["HTTP_COOKIE"] == ["str", "a=1; b=2"]
    assert environ["SERVER_PROTOCOL"] == ["str", "HTTP/2.0"]


def test_over_tls_the_scheme_is_https(server):
    with server.connect(tls=True) as connection:
        connection.request("GET", "/environ/dump")
        environ = json.loads(connection.response().body)
    assert environ["wsgi.url_scheme"] == ["str", "https"]
    assert environ["REQUEST_SCHEME"] == ["str", "https"] and "HTTPS" not in environ
