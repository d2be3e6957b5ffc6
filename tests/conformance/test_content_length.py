"""Content-Length is kept honest: PEP 3333 "Handling the Content-Length Header", RFC 9110 8.6."""
import pytest

from harness import Site

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /output {apps}/output.wsgi
""")

HOW = pytest.mark.parametrize("how", ["list", "generator", "write"])


def target(declared, data, how):
    """Return the URL path of the application that declares and sends."""
    return f"/output/length?declared={declared}&data={data}&how={how}"


@HOW
def test_exact(server, how):
    answer = server.get(target(6, "abcdef", how))
    assert (answer.framing, answer.header("Content-Length")) == ("length", "6")
    assert (answer.body, answer.complete) == (b"abcdef", True)


@HOW
@pytest.mark.parametrize("declared", [0, 1, 2, 5])
def test_too_much_is_cut_and_warned_of(server, how, declared):
    with server.connect() as connection:
        connection.request("GET", target(declared, "abcdef", how))
        answer = connection.response()
        assert (answer.status, answer.framing) == (200, "length")
        assert answer.header("Content-Length") == str(declared)
        assert (answer.body, answer.complete) == (b"abcdef"[:declared], True)
        server.expect_log("(?i)content-length", level="warn")
        connection.request("GET", target(2, "ok", how))
        assert connection.response().body == b"ok", "surplus taken for the next response"


@HOW
@pytest.mark.parametrize("data", ["", "abc"])
def test_too_little_ends_the_connection(server, how, data):
    with server.connect() as connection:
        connection.request("GET", target(6, data, how))
        connection.request("GET", target(6, "SECOND", how))
        try:
            answer = connection.response()
            assert (answer.body, answer.complete) == (data.encode(), False)
        except (AssertionError, ConnectionError) as error:
            assert "without a response" in str(error) or isinstance(error, ConnectionError)
    server.expect_log("(?i)content-length", level="error")


@pytest.mark.parametrize("data", ["abc", "abcdef", ""])
def test_head_may_declare_anything(server, data):
    """RFC 9110 section 9.3.2: the length a GET would have had."""
    with server.connect() as connection:
        connection.request("HEAD", target(6, data, "list"))
        answer = connection.response("HEAD")
        assert (answer.status, answer.header("Content-Length")) == (200, "6")
        connection.request("GET", target(2, "ok", "list"))
        assert connection.response().body == b"ok"


@pytest.mark.parametrize("sent, length", [("5", "5"), ("005", None), ("0", "0")])
def test_form_of_the_number(server, sent, length):
    answer = server.get(target(sent, "abcdefgh"[:int(sent)], "list"))
    assert answer.header("Content-Length") in (length, str(int(sent))) and answer.complete


def test_large_declared_length_streams(server):
    answer = server.get(target(7000, "x" * 7000, "generator"))
    assert answer.complete and len(answer.body) == 7000
