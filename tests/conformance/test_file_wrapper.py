"""wsgi.file_wrapper: PEP 3333 "Optional Platform-Specific File Handling"."""
import gzip

import pytest

from harness import Site, checks

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /wrap {apps}/file_wrapper.wsgi
    WSGIScriptAlias /nosendfile {apps}/file_wrapper.wsgi
    WSGIScriptAlias /nommap {apps}/file_wrapper.wsgi
    <Location /nosendfile>
        EnableSendfile Off
        WSGIEnableSendfile Off
    </Location>
    <Location /nommap>
        EnableSendfile Off
        EnableMMAP Off
    </Location>
    EnableSendfile On
""")

DATA = bytes(range(256)) * 400 + b"the end"
LARGE = b"".join(b"%07d\n" % number for number in range(1_000_000))
MOUNTS = pytest.mark.parametrize("mount", ["wrap", "nosendfile", "nommap"])


@pytest.fixture(scope="module", autouse=True)
def files(server):
    """Make the files the application sends."""
    (server.work / "data.bin").write_bytes(DATA)
    (server.work / "large.bin").write_bytes(LARGE)
    (server.work / "data.gz").write_bytes(gzip.compress(DATA))


@MOUNTS
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_file(server, mount, version):
    answer = server.get(f"/{mount}/file", version=version)
    assert (answer.status, answer.complete) == (200, True)
    assert answer.header("Content-Length") == str(len(DATA))
    assert answer.body == DATA


@MOUNTS
def test_from_the_current_position(server, mount):
    answer = server.get(f"/{mount}/file?source=positioned")
    assert answer.header("Content-Length") == str(len(DATA) - 10)
    assert answer.complete and answer.body == DATA[10:]


def test_file_at_its_end(server):
    answer = server.get("/wrap/file?source=at-end")
    assert (answer.status, answer.body, answer.complete) == (200, b"", True)
    assert answer.header("Content-Length") == "0"


@pytest.mark.parametrize("source, body", [
    ("bytesio", b"from memory"), ("filelike", b"from a file-like"), ("pipe", b"from a pipe"),
    ("gzip", DATA)], ids=["bytesio", "filelike", "pipe", "gzip"])
@pytest.mark.parametrize("block", [64, 8192])
def test_what_is_no_plain_file_is_iterated(server, source, body, block):
    """A GzipFile has the descriptor of the compressed file: its own read() counts."""
    answer = server.get(f"/wrap/file?source={source}&block={block}")
    assert (answer.status, answer.complete) == (200, True)
    assert answer.body == body


@MOUNTS
@pytest.mark.parametrize("declared", [0, 1, 5000, len(DATA)])
def test_declared_length_limits_the_file(server, mount, declared):
    with server.connect() as connection:
        connection.request("GET", f"/{mount}/file?Content_Length={declared}")
        answer = connection.response()
        assert answer.header("Content-Length") == str(declared)
        assert answer.complete and answer.body == DATA[:declared]
        connection.request("GET", f"/{mount}/file")
        assert connection.response().body == DATA
    server.allow_log("(?i)content-length")


@MOUNTS
def test_declared_length_beyond_the_file_is_a_visible_cut(server, mount):
    answer = server.get(f"/{mount}/file?Content_Length={len(DATA) + 1}")
    assert answer.status == 200 and not answer.complete
    assert answer.body == DATA
    server.expect_log("(?i)content-length", level="error")


@MOUNTS
@pytest.mark.parametrize("asked, first, last", [("0-0", 0, 0), ("5-9", 5, 9), ("100-", 100, None),
                                                ("-7", len(DATA) - 7, None)])
def test_range(server, mount, asked, first, last):
    answer = server.get(f"/{mount}/file", [("Range", f"bytes={asked}")])
    end = len(DATA) - 1 if last is None else last
    assert answer.status == 206 and answer.complete
    assert answer.header("Content-Range") == f"bytes {first}-{end}/{len(DATA)}"
    assert answer.body == DATA[first:end + 1]


def test_range_counts_from_the_position(server):
    answer = server.get("/wrap/file?source=positioned", [("Range", "bytes=0-4")])
    assert (answer.status, answer.body) == (206, DATA[10:15])


def test_several_ranges(server):
    answer = server.get("/wrap/file", [("Range", "bytes=0-1,100-102,-3")])
    assert answer.status == 206 and answer.complete
    assert answer.header("Content-Type").startswith("multipart/byteranges")
    for part, text in ((DATA[0:2], b"bytes 0-1/"), (DATA[100:103], b"bytes 100-102/"),
                       (DATA[-3:], b"bytes %d-" % (len(DATA) - 3))):
        at = answer.body.index(text)
        assert answer.body[at:].partition(b"\r\n\r\n")[2].startswith(part + b"\r\n--")


def test_range_beyond_the_file(server):
    answer = server.get("/wrap/file", [("Range", "bytes=99999999-")])
    assert answer.status == 416


ETAG, DATE = '"abc"', "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize("asked, status", [
    ([("If-None-Match", ETAG)], 304), ([("If-None-Match", '"other"')], 200),
    ([("If-None-Match", '"x", "abc"')], 304), ([("If-None-Match", "*")], 304),
    ([("If-Modified-Since", DATE)], 304),
    ([("If-Modified-Since", "Sat, 05 Nov 1994 08:49:37 GMT")], 200),
    ([("If-Match", '"other"')], 412), ([("If-Match", ETAG)], 200),
    ([("If-Range", ETAG), ("Range", "bytes=0-1")], 206),
    ([("If-Range", '"other"'), ("Range", "bytes=0-1")], 200)], ids=ascii)
def test_conditional(server, asked, status, key):
    """The application sets the validators, httpd answers; the file is closed all the same."""
    query = f"ETag=%22abc%22&Last_Modified={DATE.replace(' ', '%20')}"
    with server.connect() as connection:
        connection.request("GET", f"/wrap/file?source=noted&key={key}&{query}", asked)
        answer = connection.response()
        assert (answer.status, answer.complete) == (status, True)
        if status != 412:
            assert answer.header("ETag") == ETAG
        if status in (200, 206):
            assert answer.body == (DATA if status == 200 else DATA[:2])
        connection.request("GET", "/wrap/file?source=bytesio")
        assert connection.response().body == b"from memory"
    assert server.wait_notes(key) == ["close"]


def test_conditional_head(server):
    """RFC 9110 section 13.2: conditions hold for HEAD as for GET."""
    with server.connect() as connection:
        for tag, status in ((ETAG, 304), ('"other"', 200)):
            connection.request("HEAD", "/wrap/file?source=file&ETag=%22abc%22",
                               [("If-None-Match", tag)])
            assert connection.response("HEAD").status == status


@pytest.mark.parametrize("target", ["file?source=noted", "iterated?x=1"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_file_is_closed_once(server, target, method, key):
    answer = server.request(method, f"/wrap/{target}&key={key}")
    assert answer.complete and answer.body == (DATA if method == "GET" else b"")
    server.wait_notes(key)
    server.get("/wrap/file?source=bytesio")
    assert server.notes(key) == ["close"]


def test_file_is_closed_when_the_client_goes(server, key):
    with server.connect() as connection:
        connection.request("GET", f"/wrap/file?source=noted&key={key}")
        connection.reset()
    assert server.wait_notes(key) == ["close"]


def test_wrapper_closed_by_the_application(server, key):
    answer = server.get(f"/wrap/leftover?key={key}")
    assert (answer.body, server.wait_notes(key)) == (b"else", ["close"])


def test_after_write(server):
    answer = server.get("/wrap/after-write")
    assert answer.complete and answer.body == b"written " + DATA


def test_attributes_and_iteration(server):
    assert server.get("/wrap/attributes").body == b"[True, True, True, True, True]"


def test_subclass(server, key):
    answer = server.get(f"/wrap/subclass?key={key}")
    assert answer.complete and answer.body == DATA
    assert sorted(server.wait_notes(key, 2)) == ["close", "subclass close"]


@MOUNTS
def test_two_responses_from_one_open_file(server, mount):
    """Descriptors share their offset: the responses must not mix (DESIGN.md section 9)."""
    with server.connect() as slow, server.connect() as fast:
        slow.request("GET", f"/{mount}/shared")
        first = slow.begin()
        first.read_until(b"0000100\n")
        fast.request("GET", f"/{mount}/shared")
        second = fast.response()
        first.read_all()
    assert second.complete and second.body == LARGE
    assert first.complete and first.body == LARGE


@pytest.mark.parametrize("target", ["file", "file?source=at-end", "file?Content_Length=0",
                                    "file?name=large.bin", "file?source=gzip"])
def test_no_descriptor_is_left(server, target):
    """More files than the slack of the harness, which counts descriptors after this test."""
    server.allow_log("(?i)content-length")
    with server.connect() as connection:
        for _ in range(2 * checks.DESCRIPTOR_SLACK):
            connection.request("GET", f"/wrap/{target}")
            assert connection.response().complete


def test_large_file(server):
    answer = server.get("/wrap/file?name=large.bin")
    assert answer.complete and answer.body == LARGE
