"""mod_ssl and mod_http2 around the application."""
import json
import subprocess

import pytest

from harness import Site

MPMS = ("event", "worker")
SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    Protocols h2c http/1.1
    WSGIScriptAlias /stream {apps}/stream.wsgi
    WSGIScriptAlias /probe {apps}/probe.wsgi
    SetEnvIf X-Proto https HTTPS=on
    SetEnvIf X-Proto one HTTPS=1
    SetEnvIf X-Proto off HTTPS=off
    <VirtualHost *:{tls_port}>
        ServerName localhost
        SSLEngine On
        SSLCertificateFile {cert}
        SSLCertificateKeyFile {key}
        Protocols h2 http/1.1
        <Location /probe/std>
            SSLOptions +StdEnvVars
        </Location>
    </VirtualHost>
""", modules=("ssl", "http2", "setenvif"), tls=True)


def environ(server, target, **options):
    return json.loads(server.get(target, **options).body)["environ"]


# --- TLS -----------------------------------------------------------------------------------

def test_https(server):
    seen = environ(server, "/probe", tls=True)
    assert seen["wsgi.url_scheme"] == seen["REQUEST_SCHEME"] == "https"
    assert seen["SERVER_PORT"] == str(server.tls_port)
    assert "HTTPS" not in seen and "SSL_PROTOCOL" not in seen


def test_plain(server):
    seen = environ(server, "/probe")
    assert seen["wsgi.url_scheme"] == "http" and seen["SERVER_PORT"] == str(server.port)


def test_std_env_vars(server):
    seen = environ(server, "/probe/std", tls=True)
    assert seen["SSL_PROTOCOL"].startswith("TLSv1.") and seen["SSL_CIPHER"]
    assert seen["SSL_SERVER_S_DN_CN"] == "localhost"
    assert seen["wsgi.url_scheme"] == "https" and "HTTPS" not in seen


@pytest.mark.parametrize("value, scheme", [("https", "https"), ("one", "https"), ("off", "http")])
def test_https_variable_of_a_proxy(server, value, scheme):
    seen = environ(server, "/probe", headers=[("X-Proto", value)])
    assert seen["wsgi.url_scheme"] == scheme and "HTTPS" not in seen


def test_header_cannot_claim_it(server):
    assert environ(server, "/probe", headers=[("HTTPS", "on")])["wsgi.url_scheme"] == "http"


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_body_through_tls(server, size):
    body = bytes(range(256)) * (size // 256 + 1)
    answer = server.post("/stream/echo", body[:size], tls=True)
    assert answer.complete and answer.body == body[:size]


# --- HTTP/2 --------------------------------------------------------------------------------

def origin(server, tls):
    return f"https://localhost:{server.tls_port}" if tls else f"http://localhost:{server.port}"


def curl(server, target, *options, tls=True, stdin=None):
    version = "--http2" if tls else "--http2-prior-knowledge"
    return subprocess.run(["curl", "-sS", "-k", version, "--max-time", "20", *options,
                           origin(server, tls) + target], input=stdin, capture_output=True, check=False)


both = pytest.mark.parametrize("tls", [True, False], ids=["tls", "h2c"])


@both
def test_environ_over_h2(server, tls):
    done = curl(server, "/probe/x?q=1", "-H", "X-Try: 1", tls=tls)
    seen = json.loads(done.stdout)["environ"]
    assert seen["SERVER_PROTOCOL"] == "HTTP/2.0"
    assert seen["wsgi.url_scheme"] == ("https" if tls else "http")
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/probe", "/x", "q=1")
    assert seen["HTTP_X_TRY"] == "1" and seen["HTTP_HOST"].startswith("localhost:")
    assert not [name for name in seen if name.startswith("HTTP_:")]


@both
@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_body_over_h2(server, tls, size, tmp_path):
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    (tmp_path / "body").write_bytes(body)
    done = curl(server, "/stream/echo", "--data-binary", f"@{tmp_path / 'body'}", tls=tls)
    assert done.returncode == 0 and done.stdout == body


@both
def test_body_without_length_over_h2(server, tls, tmp_path):
    """No Content-Length, no chunks: the end of the stream ends the body."""
    body = b"x" * 100_000
    done = curl(server, "/stream/echo", "-X", "POST", "-T", "-", "-D", str(tmp_path / "head"),
                tls=tls, stdin=body)
    assert done.returncode == 0 and done.stdout == body
    assert "x-length: none" in (tmp_path / "head").read_text()


@both
def test_body_that_nobody_reads(server, tls, tmp_path):
    """RFC 9113 section 8.1: a stream may end before the client has sent all of its body.

    By nghttp, because curl 7.88 reports such an end as an error when it is still sending.
    """
    (tmp_path / "body").write_bytes(b"x" * 20_000)
    done = subprocess.run(["nghttp", "-H:method: GET", "-d", str(tmp_path / "body"),
                           origin(server, tls) + "/stream/ignore"],
                          capture_output=True, check=False, timeout=30)
    assert done.returncode == 0 and done.stdout == b"ignored"


@both
def test_head_over_h2(server, tls):
    done = curl(server, "/stream/ignore", "--head", tls=tls)
    assert done.returncode == 0 and done.stdout.startswith(b"HTTP/2 200")
    assert done.stdout.endswith(b"\r\n\r\n")


@both
def test_blocks_go_out_before_the_next_is_made(server, tls, key):
    command = ["curl", "-sS", "-k", "-N", "--http2" if tls else "--http2-prior-knowledge",
               "--max-time", "20", f"{origin(server, tls)}/stream/steps?key={key}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.read(13) == b"first block. "
        server.open_gate(key)
        assert process.stdout.read() == b"second block."


def test_many_streams_at_once(server):
    """Over TLS only: curl 7.88 with --parallel fails over h2c against static files too."""
    url = f"https://localhost:{server.tls_port}/stream/long"
    done = subprocess.run(["curl", "-sS", "-k", "--http2", "--parallel", "--max-time", "20",
                           "-w", "%{http_code} ", *[word for number in range(40) for word in
                                                    ("-o", "/dev/null", f"{url}?{number}")]],
                          capture_output=True, check=False)
    assert done.returncode == 0 and done.stdout.split() == [b"200"] * 40


@both
def test_exception_before_output_over_h2(server, tls):
    done = curl(server, "/stream/raise", "-w", "%{http_code}", "-o", "/dev/null", tls=tls)
    assert done.stdout == b"500"
    server.expect_traceback("ValueError: raised on purpose")
