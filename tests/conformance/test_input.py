"""wsgi.input: PEP 3333 "Input and Error Streams", streaming, 100-continue and broken bodies."""
import hashlib
import io
import json

import pytest

from harness import Site

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIChunkedRequest On
    WSGIScriptAlias /input {apps}/input.wsgi
    WSGIScriptAlias /limited {apps}/input.wsgi
    <Location /limited>
        LimitRequestBody 1000
    </Location>
""")

BODY = b"first line\nsecond line, longer\n\n\xff\xfe binary \x00\n" + b"x" * 9000 + b"\nno newline"

CALLS = [
    [["read"]],
    [["read", -1], ["read"]],
    [["read", None], ["read", None]],
    [["read", 0], ["read"]],
    [["read", 5], ["read", 5], ["read", 100000], ["read", 1]],
    [["read", 8192], ["read", 8192], ["read", 8192]],
    [["readline"], ["readline"], ["readline"], ["read"]],
    [["readline", 3], ["readline", 100], ["readline", 0], ["readline", -1], ["readline"]],
    [["readline", None], ["readline"]],
    [["readlines"], ["readlines"], ["readline"]],
    [["readlines", 1], ["readlines", 15], ["readlines"]],
    [["readlines", 0], ["readlines", None]],
    [["iter"], ["iter"]],
    [["readline"], ["iter"]],
    [["read", 15], ["readline"], ["readlines"]],
    [["readinto", 10], ["readinto", 100], ["readinto", 100000], ["readinto", 10]],
    [["readinto", 0], ["read", 3]],
    [["read"], ["read"], ["read", 10], ["readline"], ["readlines"], ["iter"], ["readinto", 4]],
]


def chunked(data, size=1000):
    """Return `data` in chunked framing."""
    pieces = [data[at:at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def oracle(body, calls):
    """Return what io.BytesIO gives for the same calls."""
    source, results = io.BytesIO(body), []
    for method, *arguments in calls:
        if method == "readinto":
            buffer = bytearray(arguments[0])
            results.append([source.readinto(buffer), bytes(buffer).decode("latin-1")])
            continue
        result = list(source) if method == "iter" else getattr(source, method)(*arguments)
        results.append([line.decode("latin-1") for line in result]
                       if isinstance(result, list) else result.decode("latin-1"))
    return results


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("body", [BODY, b""], ids=["body", "empty"])
@pytest.mark.parametrize("calls", CALLS, ids=lambda calls: "-".join(
    f"{one[0]}{'' if len(one) == 1 else one[1]}" for one in calls))
def test_reads_like_a_file(server, calls, body, framing):
    headers = [("X-Calls", json.dumps(calls))]
    if framing == "chunked":
        headers.append(("Transfer-Encoding", "chunked"))
        answer = server.post("/input/calls", chunked(body), headers)
    else:
        answer = server.post("/input/calls", body, headers)
    assert answer.status == 200, answer
    assert json.loads(answer.body) == oracle(body, calls)


def test_no_body_at_all(server):
    calls = [["read"], ["readline"], ["iter"]]
    answer = server.get("/input/calls", [("X-Calls", json.dumps(calls))])
    assert json.loads(answer.body) == ["", "", []]


@pytest.mark.parametrize("size", [1, 4095, 4096, 8191, 8192, 8193, 65536, 1000003])
def test_echo(server, size):
    body = bytes(range(256)) * (size // 256 + 1)
    answer = server.post("/input/echo", body[:size])
    assert answer.complete and answer.body == body[:size]
    assert answer.header("X-Length") == str(size)


def test_iteration_under_the_validator(server):
    assert server.post("/input/lines", b"a\nb\nc").body == b"3"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_large_body_in_bounded_memory(server, framing):
    """64 MB must not make the process grow by a quarter of that."""
    piece, count, digest = b"0123456789abcdef" * 4096, 1024, hashlib.sha256()
    with server.connect() as connection:
        if framing == "chunked":
            connection.request("POST", "/input/stream", [("Transfer-Encoding", "chunked")])
        else:
            connection.request("POST", "/input/stream",
                               [("Content-Length", str(len(piece) * count))])
        for _ in range(count):
            digest.update(piece)
            connection.send(b"10000\r\n%s\r\n" % piece if framing == "chunked" else piece)
        connection.send(b"0\r\n\r\n" if framing == "chunked" else b"")
        size, seen, growth_kb = json.loads(connection.response().body)
    assert (size, seen) == (len(piece) * count, digest.hexdigest())
    assert growth_kb < 16 * 1024


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_application_sees_the_first_bytes_before_the_last_are_sent(server, framing, key):
    rest = b"last" if framing == "chunked" else bytes(200_000)
    with server.connect() as connection:
        if framing == "chunked":
            connection.request("POST", f"/input/piece?key={key}",
                               [("Transfer-Encoding", "chunked")])
            connection.send(b"5\r\nfirst\r\n")
        else:  # more than daemon mode reads ahead (request-buffer)
            connection.request("POST", f"/input/piece?key={key}",
                               [("Content-Length", str(5 + len(rest)))])
            connection.send(b"first")
        assert server.wait_notes(key) == ["first"]
        connection.send(b"4\r\nlast\r\n0\r\n\r\n" if framing == "chunked" else rest)
        server.open_gate(key)
        assert connection.response().body == b"first" + rest


CUT = {
    "length": ([("Content-Length", "100")], b"only this"),
    "chunk": ([("Transfer-Encoding", "chunked")], b"64\r\nonly this"),
    "between chunks": ([("Transfer-Encoding", "chunked")], b"4\r\nonly\r\n"),
    "nothing": ([("Content-Length", "100")], b""),
}


@pytest.mark.parametrize("how", ["half_close", "close", "reset"])
@pytest.mark.parametrize("kind", CUT)
def test_short_body_raises(server, kind, how, key):
    """Never a shorter body that looks whole; the error is sticky."""
    server.allow_log(r"AH\d+.*(reading|request body|input)")
    headers, data = CUT[kind]
    with server.connect() as connection:
        connection.request("POST", f"/input/caught?key={key}", headers)
        connection.send(data)
        getattr(connection, how)()
        notes = server.wait_notes(key, 4)
    assert [note.split()[0] for note in notes[:3]] == ["OSError"] * 3


@pytest.mark.parametrize("data", [b"xyz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcX0\r\n\r\n",
                                  b"-3\r\nabc\r\n0\r\n\r\n", b"fffffffffffffffff\r\nabc"],
                         ids=["no hex", "no crlf", "negative", "huge"])
@pytest.mark.parametrize("route", ["caught", "uncaught"])
def test_malformed_chunk(server, data, route, key):
    server.allow_log(r"AH\d+")
    server.allow_request("OSError")
    with server.connect() as connection:
        connection.request("POST", f"/input/{route}?key={key}",
                           [("Transfer-Encoding", "chunked")], data)
        assert server.wait_notes(key)[0].startswith("OSError")
        if route == "uncaught":
            assert connection.response().status == (413 if data.startswith(b"ff") else 400)


@pytest.mark.parametrize("framing, code", [("length", 413), ("chunked", 413)])
def test_body_over_the_limit(server, framing, code, key):
    server.allow_log(r"AH\d+")
    server.allow_request("OSError|413|[Ll]imit")
    body = b"x" * 2000
    headers = [("Transfer-Encoding", "chunked")] if framing == "chunked" else []
    answer = server.post(f"/limited/uncaught?key={key}",
                         chunked(body) if framing == "chunked" else body, headers)
    assert answer.status == code
    assert server.notes(key) == (["OSError"] if framing == "chunked" else [])


@pytest.mark.parametrize("size", [999, 1000])
def test_body_within_the_limit(server, size, key):
    answer = server.post(f"/limited/uncaught?key={key}", chunked(b"x" * size),
                         [("Transfer-Encoding", "chunked")])
    assert (answer.status, len(answer.body)) == (200, size)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("route", ["caught", "uncaught"])
def test_stalled_body(make_server, route, framing, key):
    """mod_reqtimeout's end of patience is an OSError; uncaught it is 408."""
    server = make_server(SITE._replace(modules=("reqtimeout",), text=SITE.text
                                       + "RequestReadTimeout header=30 body=1\n"))
    server.allow_request("OSError")
    headers = ([("Transfer-Encoding", "chunked")] if framing == "chunked"
               else [("Content-Length", "100")])
    with server.connect() as connection:
        connection.request("POST", f"/input/{route}?key={key}", headers)
        connection.send(b"5\r\nabc" if framing == "chunked" else b"abc")
        assert server.wait_notes(key)[0].startswith("OSError")
        if route == "uncaught":
            assert connection.response().status == 408


def expecting(connection, target, size=4, version="HTTP/1.1"):
    """Send a request head that expects 100-continue."""
    connection.request("POST", target, [("Expect", "100-continue"),
                                        ("Content-Length", str(size))], version=version)


def test_continue_is_sent_at_the_first_read(server, key):
    with server.connect() as connection:
        expecting(connection, f"/input/late?key={key}")
        server.wait_notes(key)
        assert connection.quiet(0.5), (connection._buffer, "100 before the application read a byte")
        server.open_gate(key)
        assert connection.begin(skip_interim=False).status == 100
        connection.send(b"body")
        answer = connection.response()
    assert (answer.status, answer.body, answer.interim) == (200, b"body", [])


@pytest.mark.parametrize("route", ["unread", "unread-stream"])
def test_no_continue_without_a_read(server, route):
    with server.connect() as connection:
        expecting(connection, f"/input/{route}")
        answer = connection.response()
    assert (answer.status, answer.body, answer.interim) == (200, b"unread", [])
    assert answer.complete


def test_no_continue_where_the_body_is_too_large(server):
    server.allow_request(r"AH\d+|413|[Ll]imit")
    with server.connect() as connection:
        expecting(connection, "/limited/echo", 5000)
        answer = connection.response()
    assert (answer.status, answer.interim) == (413, [])


def test_no_second_continue(server, key):
    """One 100 however often the application reads."""
    with server.connect() as connection:
        expecting(connection, f"/input/piece?key={key}", 9)
        assert connection.begin(skip_interim=False).status == 100
        connection.send(b"first")
        server.wait_notes(key)
        server.open_gate(key)
        connection.send(b"last")
        answer = connection.response()
    assert (answer.body, answer.interim) == (b"firstlast", [])


@pytest.mark.parametrize("route", ["unread", "unread-stream"])
def test_early_answer_while_the_body_is_missing(server, route):
    """The client gets the answer although it has sent nothing of its body yet."""
    with server.connect(timeout_s=15) as connection:
        connection.request("POST", f"/input/{route}", [("Content-Length", "1000000")])
        answer = connection.response()
        assert (answer.status, answer.body, answer.complete) == (200, b"unread", True)


@pytest.mark.parametrize("route", ["unread", "unread-stream"])
def test_unread_body_does_not_spoil_the_connection(server, route):
    """What was left unread is not taken for the next request."""
    body = b"GET /input/nothing HTTP/1.1\r\nHost: x\r\n\r\n" * 100
    with server.connect() as connection:
        connection.request("POST", f"/input/{route}", body=body)
        assert connection.response().body == b"unread"
        connection.request("POST", "/input/echo", body=b"next")
        assert connection.response().body == b"next"


def test_kept_objects_raise_after_the_request(server, key):
    answer = server.post(f"/input/kept?key={key}", b"unread body")
    assert (answer.status, answer.body) == (200, b"kept")
    assert server.get("/input/unread").status == 200
    server.open_gate(key)
    notes = server.wait_notes(key, 10)
    assert [note for note in notes if "nothing raised" in note] == []
    assert notes[-1] == "end"
    assert server.get("/input/unread").body == b"unread"
