"""start_response: PEP 3333 "The start_response() Callable", RFC 9110 section 5 for the fields."""
import ast

import pytest

from harness import Site

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /start {apps}/start_response.wsgi
""")

PLAIN = [("Content-Type", "text/plain")]


def call(server, *arguments, route="call", **options):
    """Have the application call start_response(*arguments)."""
    return server.post(f"/start/{route}", repr(arguments).encode(), **options)


WRONG_TYPE = [
    (b"200 OK", PLAIN), (200, PLAIN), (None, PLAIN), ("200 OK", None), ("200 OK", tuple(PLAIN)),
    ("200 OK", dict(PLAIN)), ("200 OK", "Content-Type: text/plain"), ("200 OK", [None]),
    ("200 OK", ["ab"]), ("200 OK", [["X-A", "list"]]), ("200 OK", [("X-A",)]),
    ("200 OK", [("X-A", "b", "c")]), ("200 OK", [(b"X-A", "b")]), ("200 OK", [("X-A", b"b")]),
    ("200 OK", [("X-A", 1)]), ("200 OK", [("X-A", None)]), ("200 OK", [(1, "b")]),
    (), ("200 OK",), ("200 OK", PLAIN, None, None), ("200 OK", PLAIN, "exc_info"),
    ("200 OK", PLAIN, 1),
]
WRONG_STATUS = [
    "", "OK", "20 OK", "2000 OK", "200OK", " 200 OK", "2x0 OK", "-20 OK", "+20 OK",
    "000 None", "099 Low", "100 Continue", "101 Switching Protocols", "103 Early Hints",
    "199 Low", "600 High", "999 High", "200 O\nK", "200 OK\r\nX-Split: 1", "200 OK\n", "200 \0",
    "200 O\tK", "200 \x7f", "200 \x1b[1m", "200 \u20ac", "\uff12\uff10\uff10 OK",
]
WRONG_NAME = ["", " ", "a b", "X-A ", " X-A", "X:A", "X-A:", "X\n", "X\r\nY", "X\0", "X\t",
              "X\x7f", "X(A)", "X\"A", "X/A", "X@A", "X[A]", "X{A}", "X=A", "X;A", "X,A",
              "\xe9", "\u20ac"]
WRONG_VALUE = ["a\nb", "a\r\nX-Split: 1", "a\rb", "\n", "a\n", "a\0b", "\0", "a\tb", "\x7f",
               "\x1b", "\x01", "\x1f", "\u20ac", "\ud800"]
WRONG_LENGTH = ["", " ", "abc", "-1", "+1", "1.0", "1 1", "1,1", "0x1", "1e2", " 1", "1 ",
                "1_0", "\xb2", "99999999999999999999999"]


@pytest.mark.parametrize("arguments", WRONG_TYPE, ids=ascii)
def test_wrong_type(server, arguments):
    answer = call(server, *arguments)
    assert answer.status == 200 and b"'TypeError'" in answer.body, answer


def refused(server, status, headers):
    """Say whether a ValueError with a message is raised and nothing of the call goes out."""
    answer = call(server, status, headers)
    assert answer.status == 200 and not answer.all("X-Split"), answer
    names, message = ast.literal_eval(answer.text)
    return "ValueError" in names and bool(message)


@pytest.mark.parametrize("status", WRONG_STATUS, ids=ascii)
def test_wrong_status(server, status):
    assert refused(server, status, PLAIN)


@pytest.mark.parametrize("name", WRONG_NAME, ids=ascii)
def test_wrong_name(server, name):
    assert refused(server, "200 OK", [(name, "value")])


@pytest.mark.parametrize("value", WRONG_VALUE, ids=ascii)
def test_wrong_value(server, value):
    assert refused(server, "200 OK", [("X-A", value)])


@pytest.mark.parametrize("value", WRONG_LENGTH, ids=ascii)
def test_wrong_content_length(server, value):
    assert refused(server, "200 OK", [("Content-Length", value)])


@pytest.mark.parametrize("values", [("4", "5"), ("4", "4")])
def test_two_content_lengths(server, values):
    """RFC 9110 section 8.6: one Content-Length, whatever the case of its name."""
    assert refused(server, "200 OK", [("Content-Length", values[0]),
                                      ("content-length", values[1])])


@pytest.mark.parametrize("arguments, pattern", [
    (("200 OK", [("X-A", "a\nb")]), "ValueError"), (("100 Continue", []), "ValueError"),
    ((b"200 OK", []), "TypeError"), (("200 OK", {}), "TypeError")], ids=ascii)
def test_uncaught_is_500_with_traceback(server, arguments, pattern):
    assert call(server, *arguments, route="uncaught").status == 500
    server.expect_traceback(pattern)


@pytest.mark.parametrize("status, reason", [
    ("200 OK", "OK"), ("200 Fine Enough", "Fine Enough"), ("201 Created", "Created"),
    ("299 Odd", "Odd"), ("404 Not Here, Sorry", "Not Here, Sorry"), ("402 Pay", "Pay"),
    ("500 Mine", "Mine"), ("599 Last", "Last"), ("420 Caf\xe9", "Caf\xe9"),
    ("200 (a) \"b\" <c>", "(a) \"b\" <c>")], ids=ascii)
def test_status_line_as_set(server, status, reason):
    answer = call(server, status, PLAIN)
    assert (answer.status, answer.reason) == (int(status[:3]), reason)
    assert (answer.version, answer.body) == ("HTTP/1.1", b"sent")


@pytest.mark.parametrize("status", ["400 Bad", "404 Not Found", "500 Oops", "503 Later"])
def test_error_body_is_the_applications(server, status):
    answer = call(server, status, PLAIN)
    assert answer.body == b"sent" and answer.header("Content-Type") == "text/plain"


@pytest.mark.parametrize("name, value", [
    ("X-A", "b"), ("X-A", ""), ("X-A", "\xe9\xff"), ("X-A", "a  b"), ("X-A", "\"q\", (c)"),
    ("x!#$%&'*+-.^_`|~9", "token"), ("ETag", "\"abc\""), ("Content-Language", "de"),
    ("Cache-Control", "no-store"), ("Vary", "Accept"), ("Allow", "GET"),
    ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Expires", "0"),
    ("WWW-Authenticate", "Basic realm=\"x\"")])
def test_header_as_set(server, name, value):
    answer = call(server, "200 OK", PLAIN + [(name, value)])
    assert answer.header(name) == value


def test_content_type_as_set(server):
    for value in ("text/html; charset=x-odd", "Text/HTML;Charset=UTF-8", "application/json"):
        assert call(server, "200 OK", [("Content-Type", value)]).header("Content-Type") == value


def test_no_content_type_is_invented(server):
    assert call(server, "200 OK", []).all("Content-Type") == []


def test_duplicates_stay_apart_and_in_order(server):
    headers = [("Set-Cookie", "a=1; Path=/"), ("X-A", "1"), ("Set-Cookie", "b=2"), ("x-a", "2"),
               ("Link", "<a>"), ("Link", "<b>"), ("set-cookie", "c=3"),
               ("WWW-Authenticate", "Basic"), ("WWW-Authenticate", "Digest")]
    answer = call(server, "200 OK", PLAIN + headers)
    assert answer.all("Set-Cookie") == ["a=1; Path=/", "b=2", "c=3"]
    assert answer.all("X-A") == ["1", "2"]
    assert answer.all("Link") == ["<a>", "<b>"]
    assert answer.all("WWW-Authenticate") == ["Basic", "Digest"]


def test_error_response_keeps_cookies(server):
    answer = call(server, "403 Forbidden", PLAIN + [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    assert answer.all("Set-Cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "201 Created"])
@pytest.mark.parametrize("location", ["/elsewhere", "relative?x", "http://example.org/y",
                                      "/start/within"])
def test_location_goes_out_as_set(server, status, location):
    """No CGI rule: no internal redirect, no absolute URL made of it."""
    answer = call(server, status, PLAIN + [("Location", location)])
    assert (answer.status, answer.header("Location")) == (int(status[:3]), location)
    assert answer.body == b"sent"


def test_status_header_is_a_header(server):
    answer = call(server, "200 OK", PLAIN + [("Status", "404 Not Found")])
    assert (answer.status, answer.header("Status")) == (200, "404 Not Found")


@pytest.mark.parametrize("name", [
    "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer",
    "Trailers", "Transfer-Encoding", "Upgrade", "transfer-ENCODING"])
def test_hop_by_hop_is_dropped_and_warned_of(server, name):
    answer = call(server, "200 OK", PLAIN + [(name, "x-of-the-application"), ("X-A", "kept")])
    assert (answer.status, answer.body, answer.complete) == (200, b"sent", True)
    assert "x-of-the-application" not in [value for _, value in answer.headers]
    assert answer.header("X-A") == "kept"
    server.expect_log(f"(?i){name}", level="warn")


@pytest.mark.parametrize("route, body", [("twice", b"RuntimeError"),
                                         ("twice-late", b"first RuntimeError")])
def test_second_call_without_exc_info(server, route, body):
    answer = server.get(f"/start/{route}")
    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize("route, body", [("replace", b"short and stout"), ("empty-blocks", b"tea"),
                                         ("empty-write", b"tea"), ("exc-info-first", b"tea")])
def test_replaced_by_exc_info_before_output(server, route, body):
    answer = server.get(f"/start/{route}")
    assert (answer.status, answer.reason, answer.body) == (418, "Teapot", body)
    assert answer.complete and answer.all("X-First") == []


def test_exc_info_after_output_raises_it_again(server):
    answer = server.get("/start/replace-late")
    assert (answer.status, answer.body, answer.complete) == (200, b"begun", False)
    server.expect_traceback("ValueError: re-raised after output")


@pytest.mark.parametrize("route", ["nocall?how=list", "nocall?how=iterator", "nocall-empty"])
def test_never_called(server, route):
    assert server.get(f"/start/{route}").status == 500
    server.expect_log("RuntimeError|start_response", level="error")
    server.allow_request("RuntimeError|start_response")


def test_called_from_within_the_first_next(server):
    answer = server.get("/start/within")
    assert (answer.status, answer.body) == (202, b"within")


def test_header_list_is_read_at_the_call(server):
    answer = server.get("/start/headers-list")
    assert answer.header("X-Kept") == "1" and answer.all("X-Late") == []
