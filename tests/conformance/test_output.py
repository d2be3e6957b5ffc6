"""The result: PEP 3333 "Handling the Content-Length Header", "Buffering and Streaming", close()."""
import pytest

from harness import Site, eventually

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /output {apps}/output.wsgi
""")

TWO_BLOCKS = ["generator", "iterator", "sequence", "iterable", "dict", "map"]


@pytest.mark.parametrize("kind", ["list", "tuple", "one", "empties"])
def test_list_and_tuple_get_a_content_length(server, kind):
    answer = server.get(f"/output/result?kind={kind}")
    assert (answer.status, answer.body, answer.complete) == (200, b"ab", True)
    assert (answer.framing, answer.header("Content-Length")) == ("length", "2")


@pytest.mark.parametrize("kind", ["nothing", "nothing-tuple"])
def test_empty_list_has_length_zero(server, kind):
    answer = server.get(f"/output/result?kind={kind}")
    assert (answer.status, answer.header("Content-Length"), answer.body) == (200, "0", b"")


def test_empty_generator(server):
    answer = server.get("/output/result?kind=nothing-generator")
    assert (answer.status, answer.body, answer.complete) == (200, b"", True)
    assert answer.header("Content-Type") == "text/plain"


@pytest.mark.parametrize("kind", TWO_BLOCKS)
@pytest.mark.parametrize("version, framing", [("HTTP/1.1", "chunked"), ("HTTP/1.0", "close")])
def test_any_iterable(server, kind, version, framing):
    answer = server.get(f"/output/result?kind={kind}", version=version)
    assert (answer.status, answer.body, answer.complete) == (200, b"ab", True)
    may_be_whole = kind == "iterable" or server.mode != "embedded"  # blocks may come together there
    assert answer.framing == framing or (may_be_whole and answer.framing == "length")


def test_keep_alive_after_each_kind(server):
    kinds = ["list", "nothing", "nothing-generator", *TWO_BLOCKS, "list"]
    with server.connect() as connection:
        for kind in kinds:
            connection.request("GET", f"/output/result?kind={kind}")
            answer = connection.response()
            assert answer.complete, kind
            assert answer.body == (b"" if kind.startswith("nothing") else b"ab"), kind


def test_pipelined_requests(server):
    with server.connect() as connection:
        for kind in ("list", "generator", "nothing"):
            connection.request("GET", f"/output/result?kind={kind}")
        assert [connection.response().body for _ in range(3)] == [b"ab", b"ab", b""]


@pytest.mark.parametrize("kind", ["str-item", "str-item-generator", "int-item", "none-item",
                                  "none", "int", "str", "bytes"])
def test_what_is_no_iterable_of_bytes(server, kind):
    answer = server.get(f"/output/result?kind={kind}")
    assert answer.status == 500 and b"text" not in answer.body[:4]
    server.expect_log("TypeError|bytes|iterable", level="error")
    server.allow_request("TypeError|bytes|iterable")


def test_wrong_item_after_output_is_a_visible_cut(server):
    answer = server.get("/output/result?kind=late-str-item")
    assert (answer.status, answer.body, answer.complete) == (200, b"begun", False)
    server.expect_log("TypeError|bytes", level="error")
    server.allow_request("TypeError|bytes")


@pytest.mark.parametrize("kind", ["str", "none", "int"])
def test_wrong_write(server, kind):
    assert server.get(f"/output/wrong-write?kind={kind}").status == 500
    server.expect_traceback("TypeError")


@pytest.mark.parametrize("kind", ["str", "none", "int"])
def test_wrong_write_after_output_is_a_visible_cut(server, kind):
    answer = server.get(f"/output/wrong-write?kind={kind}&late=1")
    assert (answer.status, answer.body, answer.complete) == (200, b"begun", False)
    server.expect_traceback("TypeError")


def test_write_and_iterable_in_order(server):
    answer = server.get("/output/write")
    assert (answer.body, answer.complete) == (b"one two three four", True)


@pytest.mark.parametrize("kind, status, body", [
    ("normal", 200, b"ab"), ("empty", 200, b""), ("first", 500, None), ("later", 200, b"begun"),
    ("item", 500, None), ("unstarted", 500, None), ("length", 200, b"too")])
def test_close_is_called_once(server, kind, status, body, key):
    server.allow_request("raised|TypeError|bytes|RuntimeError|start_response")
    server.allow_log("(?i)content-length")
    answer = server.get(f"/output/closing?kind={kind}&key={key}")
    assert answer.status == status and (body is None or answer.body == body)
    assert answer.complete == (kind != "later")
    server.wait_notes(key)
    server.get("/output/result?kind=list")
    assert server.notes(key) == ["close"]


def test_close_of_a_list(server, key):
    answer = server.get(f"/output/closing-list?key={key}")
    assert (answer.body, server.wait_notes(key)) == (b"a", ["close"])


def test_close_at_head(server, key):
    answer = server.request("HEAD", f"/output/closing?kind=normal&key={key}")
    assert (answer.status, server.wait_notes(key)) == (200, ["close"])


@pytest.mark.parametrize("how", ["close", "reset"])
def test_close_when_the_client_goes(server, how, key):
    """The application is not asked for ever more blocks, and is told of the end."""
    with server.connect() as connection:
        connection.request("GET", f"/output/closing?kind=endless&key={key}")
        connection.begin().read_until(b"x" * 1000)
        getattr(connection, how)()
        assert server.wait_notes(key, 2) == ["begun", "close"]
    assert server.get("/output/result?kind=list").status == 200
    assert server.notes(key) == ["begun", "close"]


def test_exception_in_close(server, key):
    server.get(f"/output/closing?kind=normal&bad=1&key={key}")
    server.expect_traceback("ValueError: raised in close")
    assert server.notes(key) == ["close"]
    assert server.get("/output/result?kind=list").status == 200


def test_slow_client_does_not_make_the_server_hoard(server, key):
    """125 MB of blocks: with a client that does not read, only some are made."""
    with server.connect() as connection:
        connection.request("GET", f"/output/flood?key={key}")
        answer = connection.begin()
        answer.read_until(b"x")
        seen = None
        while seen != server.notes(key):
            seen = server.notes(key)
            assert connection_is_idle(server, key, seen)
        assert len(seen) < 40, "everything was produced although nobody read"
        while answer.read_some():
            answer.body = b""
        assert answer.complete
    assert len(server.notes(key)) == 40


def connection_is_idle(server, key, seen):
    """Give the application time to make more blocks; always true."""
    try:
        eventually(lambda: server.notes(key) != seen, "more blocks", timeout_s=1)
    except AssertionError:
        pass
    return True
