"""Responses without a body: HEAD, 204, 304 (RFC 9110 sections 6.4.1, 9.3.2, 15.3.5, 15.4.5)."""
import pytest

from harness import Site

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /output {apps}/output.wsgi
    WSGIScriptAlias /on {apps}/output.wsgi
    WSGIScriptAlias /off {apps}/output.wsgi
    WSGIScriptAlias /auto {apps}/output.wsgi
    WSGIScriptAlias /deflated {apps}/output.wsgi
    WSGIScriptAlias /off-deflated {apps}/output.wsgi
    <Location /on>
        WSGIMapHEADToGET On
    </Location>
    <Location /off>
        WSGIMapHEADToGET Off
    </Location>
    <Location /auto>
        WSGIMapHEADToGET Auto
    </Location>
    <Location /deflated>
        SetOutputFilter DEFLATE
    </Location>
    <Location /off-deflated>
        WSGIMapHEADToGET Off
        SetOutputFilter DEFLATE
    </Location>
""", modules=("filter", "deflate"))


@pytest.mark.parametrize("mount, seen", [("output", "HEAD"), ("auto", "HEAD"), ("off", "HEAD"),
                                         ("on", "GET"), ("deflated", "GET"),
                                         ("off-deflated", "HEAD")])
@pytest.mark.parametrize("how", ["list", "generator"])
def test_head(server, mount, seen, how):
    """Auto shows GET only where a content filter needs the body to set the headers right."""
    with server.connect() as connection:
        connection.request("HEAD", f"/{mount}/status?how={how}")
        answer = connection.response("HEAD")
        assert (answer.status, answer.header("X-Method")) == (200, seen)
        connection.request("GET", f"/{mount}/status?how={how}")
        following = connection.response()
        assert following.status == 200 and following.header("X-Method") == "GET"
        assert following.body.startswith(b"some body")


def test_head_of_a_list_has_the_length_of_get(server):
    """RFC 9110 section 9.3.2, where the application makes the same body."""
    answer = server.request("HEAD", "/on/status?how=list")
    assert answer.header("Content-Length") in (None, str(len("some body")))
    assert server.get("/on/status?how=list").header("Content-Length") == str(len("some body"))


def test_head_of_a_large_body_ends_at_once(server):
    answer = server.request("HEAD", "/on/status?how=generator&body=" + "x" * 4000)
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize("how", ["list", "generator"])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_status_without_body(server, status, how, method):
    """A body from the application does not spoil the connection."""
    with server.connect() as connection:
        connection.request(method, f"/output/status?how={how}&status={status[:3]}%20Empty")
        answer = connection.response(method)
        assert (answer.status, answer.reason) == (int(status[:3]), "Empty")
        assert not answer.all("Transfer-Encoding")
        connection.request("GET", "/output/status?how=list&body=next")
        assert connection.response().body == b"next"


def test_204_has_no_content_length(server):
    """RFC 9110 section 8.6: MUST NOT."""
    assert not server.get("/output/status?how=list&status=204%20No").all("Content-Length")


def test_304_may_declare_the_length_of_200(server):
    """No data for a declared length is right here: no complaint in the log."""
    with server.connect() as connection:
        connection.request("GET", "/output/status?how=list&status=304%20Same&declared=500&body=")
        assert connection.response().status == 304
        connection.request("GET", "/output/status?how=list&body=next")
        assert connection.response().body == b"next"


@pytest.mark.parametrize("status", ["205 Reset", "201 Created", "302 Found", "404 Not", "500 Own"])
def test_other_statuses_have_a_body(server, status):
    code, reason = status.split()
    answer = server.get(f"/output/status?how=list&status={code}%20{reason}")
    assert (answer.status, answer.complete) == (int(code), True)
    assert code == "205" or answer.body == b"some body"
