"""A response that ends early looks so to the client, whatever lies between (DESIGN.md 4.4)."""
import subprocess
import zlib

import pytest

from harness import Site

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /errors {apps}/errors.wsgi
    WSGIScriptAlias /deflated {apps}/errors.wsgi
    WSGIScriptAlias /cached {apps}/errors.wsgi
    <Location /deflated>
        SetOutputFilter DEFLATE
    </Location>
    CacheRoot {work}
    CacheEnable disk /cached
    CacheHeader On
    Protocols h2c http/1.1
    <VirtualHost *:{tls_port}>
        ServerName localhost
        SSLEngine On
        SSLCertificateFile {cert}
        SSLCertificateKeyFile {key}
        Protocols h2 http/1.1
    </VirtualHost>
""", modules=("ssl", "filter", "deflate", "cache", "cache_disk", "http2"), tls=True)

CUTS = {
    "chunked": ("HTTP/1.1", "", "chunked"),
    "length": ("HTTP/1.1", "&Content_Length=100", "length"),
    "length 1.0": ("HTTP/1.0", "&Content_Length=100", "length"),
    "close 1.0": ("HTTP/1.0", "", "close"),
    "write chunked": ("HTTP/1.1", "&write=1", "chunked"),
    "write length": ("HTTP/1.1", "&write=1&Content_Length=100", "length"),
    "write close": ("HTTP/1.0", "&write=1", "close"),
    "many blocks": ("HTTP/1.1", "&blocks=20000", "chunked"),
    "many blocks close": ("HTTP/1.0", "&blocks=20000", "close"),
}


@pytest.fixture(autouse=True)
def h2_complains_of_prefork(server):
    """mod_http2 says at start that it does not support prefork."""
    server.allow_log("AH10034")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("kind", CUTS)
def test_exception_after_output_is_a_visible_cut(server, kind, tls, key):
    version, query, framing = CUTS[kind]
    with server.connect(tls=tls) as connection:
        connection.request("GET", f"/errors/cut?key={key}{query}", version=version)
        answer = connection.response()
        assert (answer.status, answer.framing) == (200, framing)
        assert not answer.complete, "cut response looks whole"
        if framing != "close":
            assert answer.body[:5] == b"begun" and connection.at_end()
    server.expect_traceback("ValueError: raised after output")
    assert server.get("/errors/fine").status == 200


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "Strange",
                                  "RequestTimeout"])
def test_whatever_is_raised(server, kind):
    answer = server.get(f"/errors/raise?what={kind}&where=late")
    assert (answer.status, answer.body, answer.complete) == (200, b"begun", False)
    server.expect_log(kind, level="error")
    server.allow_request(kind)
    assert server.get("/errors/fine").status == 200


def test_complete_when_length_was_reached(server, key):
    """All that was promised went out before the exception: the client has it whole."""
    answer = server.get(f"/errors/cut?key={key}&Content_Length=5")
    assert answer.status == 200 and answer.body == b"begun"
    server.expect_traceback("ValueError: raised after output")


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("blocks", [1, 20000])
def test_through_deflate(server, key, blocks, version):
    answer = server.get(f"/deflated/cut?key={key}&blocks={blocks}",
                        [("Accept-Encoding", "gzip")], version=version)
    assert answer.header("Content-Encoding") == "gzip" and not answer.complete
    inflater = zlib.decompressobj(31)
    text = inflater.decompress(answer.body)
    assert set(text) <= set(b"begun")
    server.expect_traceback("ValueError: raised after output")


@pytest.mark.mpms("event", "worker")
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("query", ["", "&Content_Length=100", "&blocks=20000"])
def test_over_http2(server, query, tls, key):
    """RFC 9113 section 8.1.1: RST_STREAM instead of END_STREAM; curl calls it an error."""
    done = h2_get(server, f"/errors/cut?key={key}{query}", tls)
    assert done.stdout.startswith(b"begun") or not done.stdout
    assert done.returncode in (16, 18, 55, 56, 92), done
    server.allow_log("AH\\d+.*(h2|stream|RST)")
    server.expect_traceback("ValueError: raised after output")
    assert h2_get(server, "/errors/fine", tls).returncode == 0


def h2_get(server, target, tls):
    """GET by curl over HTTP/2; return its result."""
    url = f"https://localhost:{server.tls_port}" if tls else f"http://localhost:{server.port}"
    option = "--http2" if tls else "--http2-prior-knowledge"
    return subprocess.run(["curl", "-sS", "-k", option, "--max-time", "20", url + target],
                          capture_output=True, check=False)


def test_whole_response_is_cached(server):
    """The control of the next test."""
    answers = [server.get("/cached/cacheable") for _ in range(2)]
    assert [answer.header("X-Cache").split()[0] for answer in answers] == ["MISS", "HIT"]


@pytest.mark.parametrize("query", ["", "&blocks=20000", "&Content_Length=100"])
def test_cut_response_is_not_cached(server, query, key):
    target = f"/cached/cut?key={key}&Cache_Control=max-age=100{query}"
    for count in (1, 2):
        answer = server.get(target)
        assert answer.status == 200 and not answer.complete
        assert (answer.header("X-Cache") or "").startswith("MISS")
        server.wait_notes(key, count)
    server.log.expect("ValueError: raised after output", count=2)
    server.allow_request("ValueError: raised after output")
