"""Flask, from Debian's python3-flask: forms, sessions, uploads, errors, streaming."""
import http.cookiejar
import json
import urllib.error
import urllib.request

import pytest

from harness import Site

pytest.importorskip("flask", reason="python3-flask is not installed")

SITE = Site("""
    WSGIScriptAlias /main {apps}/flask_site.wsgi application-group=%{GLOBAL}
    WSGIScriptAlias /sub {apps}/flask_site.wsgi application-group=sub
    WSGIScriptAlias /wrapped {apps}/flask_site.wsgi callable-object=validated
""")
MOUNTS = ("/main", "/sub", "/wrapped")
everywhere = pytest.mark.parametrize("mount", MOUNTS)


class Browser:
    """Keeps cookies, follows redirects."""

    def __init__(self, server, mount):
        self.base = f"http://127.0.0.1:{server.port}{mount}"
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.cookies))

    def open(self, path, data=None, headers=()):
        request = urllib.request.Request(self.base + path, data, dict(headers))
        try:
            with self._opener.open(request, timeout=30) as answer:
                return answer.status, answer.read(), answer
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error


@everywhere
def test_page(server, mount):
    status, body, answer = Browser(server, mount).open("/hello/w%C3%B6rld?greeting=hi")
    assert status == 200 and body.decode() == "<p>hi, wörld!</p>"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


@everywhere
def test_session_through_a_redirect(server, mount):
    browser = Browser(server, mount)
    assert browser.open("/whoami")[1] == b"nobody"
    status, body, answer = browser.open("/login", b"name=ann&remember=1")
    assert (status, body) == (200, b"ann") and answer.url.endswith(f"{mount}/whoami")
    assert [cookie.name for cookie in browser.cookies] == ["session"]
    assert browser.open("/whoami")[1] == b"ann"
    assert Browser(server, mount).open("/whoami")[1] == b"nobody"


@everywhere
def test_upload(server, mount):
    content = bytes(range(256)) * 2000
    body = (b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\xc3\xa9.bin\"\r\n"
            b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n--b--\r\n")
    _, answer, _ = Browser(server, mount).open(
        "/upload", body, {"Content-Type": "multipart/form-data; boundary=b"})
    assert json.loads(answer) == {"name": "é.bin", "size": len(content),
                                  "sum": sum(content)}


@pytest.mark.parametrize("mount", MOUNTS[:2])
def test_json(server, mount):
    """Not below wsgiref.validate, which refuses the read() that wsgi.input_terminated allows."""
    _, body, _ = Browser(server, mount).open("/json", b'{"a": [1, 2]}',
                                             {"Content-Type": "application/json"})
    assert json.loads(body) == {"got": {"a": [1, 2]}, "method": "POST"}


@everywhere
def test_streamed(server, mount):
    assert Browser(server, mount).open("/stream")[1] == b"".join(
        b"row %d\n" % number for number in range(100))


@everywhere
@pytest.mark.parametrize("path, status", [("/none", 404), ("/abort", 418), ("/login", 405)])
def test_statuses(server, mount, path, status):
    assert Browser(server, mount).open(path)[0] == status


@everywhere
def test_sent_file_with_range(server, mount):
    status, body, answer = Browser(server, mount).open("/file", headers={"Range": "bytes=0-9"})
    assert status == 206 and body == b'"""A Flask' and answer.headers["Content-Range"]


@everywhere
def test_exception(server, mount):
    """Flask logs it itself, with the traceback, and answers 500."""
    status, body, _ = Browser(server, mount).open("/crash")
    assert status == 500 and b"Internal Server Error" in body
    server.expect_traceback("ZeroDivisionError")
