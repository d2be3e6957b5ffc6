"""wsgi.errors, stdout, stderr, warnings, logging: where they land, at which level, how written."""
import re

import pytest

from harness import Site

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /errors {apps}/errors.wsgi
    <VirtualHost *:{port}>
        ServerName first.example
        ErrorLog {logs}/first-error.log
    </VirtualHost>
    <VirtualHost *:{port}>
        ServerName second.example
        ErrorLog {logs}/second-error.log
    </VirtualHost>
""", log_level="debug")

HOSTS = pytest.mark.parametrize("host", ["first", "second"])

LEVELS = {"errors.write": "error", "errors.writelines": "error", "errors.partial": "error",
          "errors.flush": "error", "print": "error", "print.partial": "error",
          "print.errors": "error", "stderr": "error", "stderr.partial": "error",
          "warning": "warn"}


def say(server, how, text, host="first", level="ERROR"):
    """Have the application say something; return the request's id."""
    answer = server.get(f"/errors/say?how={how}&text={text}&level={level}",
                        host=f"{host}.example")
    assert answer.status == 200, answer
    return answer.text


@HOSTS
@pytest.mark.parametrize("how", LEVELS)
def test_lands_in_the_log_of_the_virtual_host(server, how, host, key):
    request_id = say(server, how, f"words-{key}-end", host)
    record, = server.expect_log(f"words-{key}-end", file=f"{host}-error.log")
    assert (record.level, record.id) == (LEVELS[how], request_id)
    assert record.client.startswith("127.0.0.1:")
    if how == "warning":
        server.allow_request(key)                   # the source line that Python shows
    assert len(server.log.find(f"words-{key}-end")) == 1


@pytest.mark.parametrize("named, level", [
    ("CRITICAL", "crit"), ("ERROR", "error"), ("WARNING", "warn"), ("INFO", "info"),
    ("DEBUG", "debug")])
@HOSTS
def test_log_handler_keeps_the_level(server, named, level, host, key):
    request_id = say(server, "logging", f"words-{key}-end", host, named)
    record, = server.expect_log(f"words-{key}-end", file=f"{host}-error.log")
    assert (record.level, record.id) == (level, request_id)


def test_log_handler_writes_a_record_per_line(server, key):
    say(server, "logging", f"one-{key}-end%0Atwo-{key}-end")
    server.expect_log(f"one-{key}-end", level="error")
    server.expect_log(f"two-{key}-end", level="error")
    assert not server.log.find(f"one-{key}-end.*two-{key}-end")


@pytest.mark.parametrize("how", ["errors.write", "print", "stderr", "errors.partial"])
def test_one_record_per_line(server, how, key):
    say(server, how, f"one-{key}-end%0A%0Atwo-{key}-end")
    one, = server.expect_log(f"one-{key}-end", level="error")
    two, = server.expect_log(f"two-{key}-end", level="error")
    assert one is not two and one.id == two.id
    server.log.allow(rf"\[id {re.escape(one.id)}\] (WGW\d+: )?$")    # the empty line in between


@pytest.mark.parametrize("character", ["%1B", "%07", "%0D", "%00", "%7F", "%08"])
@pytest.mark.parametrize("how", ["errors.write", "stderr", "warning", "logging"])
def test_control_characters_are_escaped(server, how, character, key):
    """A client must not be able to forge lines or drive the administrator's terminal."""
    say(server, how, f"before-{key}-end{character}after-{key}-end")
    server.allow_request(key)                       # the source line of the warning
    server.expect_log(f"after-{key}-end")
    records = server.log.find(f"-{key}-end")
    for record in records:
        raw = record.text.encode("utf-8", "surrogateescape")
        assert not [byte for byte in raw if byte < 32 or byte == 127], raw
    assert server.log.find(f"before-{key}-end")


def test_unicode_is_not_lost(server, key):
    say(server, "errors.write", f"caf%E9-{key}-end")
    record, = server.expect_log(f"-{key}-end")
    assert f"caf\u00e9-{key}-end" in record.message or "xc3" in record.message


def test_long_line_is_not_lost(server, key):
    say(server, "errors.write", f"{'x' * 6000}-{key}-end")
    server.expect_log(f"-{key}-end")
    server.allow_log("xxxxxxxx")


@pytest.mark.parametrize("how", ["errors", "stderr"])
def test_partial_lines_of_concurrent_requests_do_not_mix(server, how, key):
    if server.concurrency == 1:
        pytest.skip("one process with one thread has no concurrent requests")
    with server.connect() as waiting:
        waiting.request("GET", f"/errors/halves?how={how}&key={key}", host="first.example")
        server.wait_notes(key)
        request_id = say(server, "print" if how == "errors" else "stderr", f"whole-{key}-end")
        whole, = server.expect_log(f"whole-{key}-end")
        server.open_gate(key)
        assert waiting.response().body == b"halves"
    halves, = server.expect_log("second half")
    assert halves.message.endswith("first half, second half")
    assert halves.id != whole.id == request_id and "half" not in whole.message


def test_words_of_iteration_and_close(server):
    assert server.get("/errors/gone", host="second.example").body == b"x"
    said, = server.expect_log("said in iteration", level="error", file="second-error.log")
    closed, = server.expect_log("said in close", level="error", file="second-error.log")
    assert said.id == closed.id != "-"


@HOSTS
def test_traceback_lands_whole_in_the_log_of_the_virtual_host(server, host):
    assert server.get("/errors/raise?what=ValueError", host=f"{host}.example").status == 500
    lines = [record.message for record in
             server.expect_traceback("ValueError: raised on purpose", file=f"{host}-error.log")]
    text = "\n".join(lines)
    assert "errors.wsgi" in text and "in raising" in text and "raise error" in text
    assert [record for record in server.log.of_test() if "Traceback" in record.message
            and record.file != f"{host}-error.log"] == []


def test_chained_traceback_is_whole(server):
    assert server.get("/errors/chained", host="first.example").status == 500
    text = "\n".join(record.message for record in server.expect_traceback("ValueError: the effect"))
    assert "KeyError: 'the cause'" in text
    assert "direct cause of the following exception" in text


def test_traceback_with_control_characters(server):
    assert server.get("/errors/raise?what=lines", host="first.example").status == 500
    server.expect_traceback("line two")
    assert not [record for record in server.log.of_test() if "\x1b" in record.text]
