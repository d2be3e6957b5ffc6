"""Whatever ends an application in mid-body, the response looks cut (DESIGN.md invariant 4).

One process serves all kinds of responses at once, all of which have begun when it ends.
"""
import subprocess
import zlib

import pytest

from harness import Site

MODES = ("daemon",)
MPMS = ("event", "worker")
WAYS = ("raise", "exit", "os-exit", "exit-zero", "kill", "segv", "silent")
MOUNTS = """
    WSGIScriptAlias /plain {apps}/dying.wsgi
    WSGIScriptAlias /deflated {apps}/dying.wsgi
    WSGIScriptAlias /disk {apps}/dying.wsgi
    WSGIScriptAlias /socache {apps}/dying.wsgi
    <Location /deflated>
        SetOutputFilter DEFLATE
    </Location>
    CacheRoot {work}
    CacheEnable disk /disk
    CacheEnable socache /socache
    CacheSocache shmcb:{run}/cache
    CacheHeader On
"""
CHILDREN = """StartServers 1
ServerLimit 1
ThreadsPerChild 48
ThreadLimit 48
MaxRequestWorkers 48
MinSpareThreads 1
MaxSpareThreads 48"""
"""A thread for every request: a connection waits for one of the child that accepted it."""

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    <VirtualHost *:{port}>
        ServerName localhost
        ErrorLog {logs}/vhost_error.log
        Protocols h2c http/1.1
        WSGIDaemonProcess dying threads=20 socket-timeout=30s
        WSGIProcessGroup dying
""" + MOUNTS + """
    </VirtualHost>
    <VirtualHost *:{tls_port}>
        ServerName localhost
        ErrorLog {logs}/tls_error.log
        WSGIProcessGroup dying
        SSLEngine On
        SSLCertificateFile {cert}
        SSLCertificateKeyFile {key}
        Protocols h2 http/1.1
""" + MOUNTS + """
    </VirtualHost>
""", modules=("ssl", "filter", "deflate", "cache", "cache_disk", "cache_socache", "socache_shmcb",
              "http2"), children=CHILDREN, tls=True)

LINES = {
    "raise": "ValueError: raised in mid-body",
    "exit": "SystemExit: 3",
    "os-exit": r"WGW0052: .*exited with code 3; the response is cut",
    "exit-zero": r"WGW0052: .*exited with code 0; the response is cut",
    "kill": r"WGW0052: .*by signal 9 \(Killed\); the response is cut",
    "segv": r"WGW0052: .*by signal 11 \(Segmentation fault\); the response is cut",
    "silent": r"WGW0053: .*sent nothing for 2 s \(socket-timeout\); the response is cut",
}
"""What each request says in the log of its virtual host."""

GZIP = [("Accept-Encoding", "gzip")]
KINDS = [
    # mount, tls, version, headers, query, framing
    ("plain", False, "HTTP/1.1", [], "", "chunked"),
    ("plain", True, "HTTP/1.1", [], "", "chunked"),
    ("plain", False, "HTTP/1.1", [], "&blocks=20000", "chunked"),
    ("plain", False, "HTTP/1.1", [], "&Content_Length=100", "length"),
    ("plain", True, "HTTP/1.1", [], "&Content_Length=100", "length"),
    ("plain", False, "HTTP/1.0", [], "&Content_Length=100", "length"),
    ("plain", False, "HTTP/1.0", [], "", "close"),
    ("plain", True, "HTTP/1.0", [], "", "close"),
    ("plain", False, "HTTP/1.0", [], "&blocks=20000", "close"),
    ("deflated", False, "HTTP/1.1", GZIP, "", "chunked"),
    ("deflated", True, "HTTP/1.0", GZIP, "&blocks=20000", "close"),
    ("disk", False, "HTTP/1.1", [], "&Cache_Control=max-age=100", "chunked"),
    ("disk", False, "HTTP/1.1", [], "&Cache_Control=max-age=100&Content_Length=100", "length"),
    ("socache", False, "HTTP/1.1", [], "&Cache_Control=max-age=100", "chunked"),
    ("socache", False, "HTTP/1.1", [], "&Cache_Control=max-age=100&Content_Length=100", "length"),
]
H2_KINDS = [(False, ""), (True, ""), (False, "&Content_Length=100"), (True, "&blocks=20000")]


def target_of(mount, way, key, query):
    return f"/{mount}/die?way={way}&key={key}{query}"


def begin_all(server, way, key):
    """Send all requests; return the connections and the curls once every response has begun."""
    connections, curls = [], []
    for mount, tls, version, headers, query, _ in KINDS:
        connections.append(server.connect(tls=tls))
        connections[-1].request("GET", target_of(mount, way, key, query), headers, version=version)
    for tls, query in H2_KINDS:
        place = f"https://localhost:{server.tls_port}" if tls else f"http://localhost:{server.port}"
        curls.append(subprocess.Popen(
            ["curl", "-sS", "-k", "--http2" if tls else "--http2-prior-knowledge", "--max-time",
             "25", place + target_of("plain", way, key, query)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    server.wait_notes(key, len(KINDS) + len(H2_KINDS))
    return connections, curls


def check_cut(answer, kind):
    """A response that has begun, and says that it is not whole."""
    mount, framing = kind[0], kind[-1]
    assert (answer.status, answer.framing, answer.complete) == (200, framing, False), kind
    body = answer.body
    if mount == "deflated":
        inflater = zlib.decompressobj(31)
        body = inflater.decompress(body)
        assert not inflater.eof
    if framing != "close": # where a reset may overtake it
        assert body[:5] == b"begun"
    assert (b"begun" * 20000).startswith(body)


def allow_what_the_supervisor_says(server, way):
    """Once for the process, and a line for each request that was lost with it."""
    server.allow_log(rf"\[wsgigw:\w+\] .*(WGW01\d\d)")
    if way == "segv":
        server.allow_log("Segmentation fault|Current thread|Thread 0x|  File |Extension modules")
    server.allow_request(LINES[way])
    server.allow_log(r"AH\d+.*(h2|stream|RST)|AH00(737|738|739|764|766)")


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_response_looks_cut(make_server, way, key):
    text = SITE.text.replace("timeout=30s", "timeout=2s") if way == "silent" else SITE.text
    server = make_server(SITE._replace(text=text))
    allow_what_the_supervisor_says(server, way)
    connections, curls = begin_all(server, way, key)
    if way != "silent":
        server.open_gate(key)
    for connection, kind in zip(connections, KINDS):
        with connection:
            answer = connection.response()
            check_cut(answer, kind)
            assert answer.reset or kind[-1] == "close" or connection.at_end()
    for curl, kind in zip(curls, H2_KINDS):
        out, err = curl.communicate(timeout=30)
        assert curl.returncode in (16, 18, 55, 56, 92), (kind, curl.returncode, err)
        assert (b"begun" * 20000).startswith(out)
    tls_count = sum(kind[1] for kind in KINDS) + sum(tls for tls, _ in H2_KINDS)
    plain_count = len(KINDS) + len(H2_KINDS) - tls_count
    server.log.expect(LINES[way], "error", "vhost_error.log", plain_count)
    server.log.expect(LINES[way], "error", "tls_error.log", tls_count)
    server.open_gate(key)
    check_not_kept(server, way, key)
    check_report(server, way)


def check_not_kept(server, way, key):
    """No cache has a cut response; the same request gets a whole one from a process that is
    there again."""
    server.open_gate(key + "well")
    for mount, _, _, _, query, _ in KINDS:
        if mount in ("disk", "socache"):
            answer = server.get(target_of(mount, way, key, query))
            assert answer.status == 200 and answer.complete, answer
            assert answer.body == b"whole" * 20
            assert answer.header("X-Cache").startswith("MISS")


def check_report(server, way):
    """Who reads the log of the site learns what happened, and during which request."""
    text = (server.logs / "vhost_error.log").read_text(encoding="utf-8", errors="replace")
    if way == "segv":
        assert "in fault" in text and "string_at" in text
    if way in ("os-exit", "kill", "segv"):
        assert "of pool 'dying'" in text and "was serving GET /plain/die?way=" in text
