"""Directives that have a meaning for mod_wsgi only: they are understood, do no harm, and say so once."""
import socket

import pytest

from harness import Site

APPLICATION = "WSGIApplicationGroup %{GLOBAL}\nWSGIScriptAlias / {apps}/probe.wsgi\n"
ASKED = {
    "WSGIVerboseDebugging On": "WSGIVerboseDebugging has no effect",
    "WSGICaseSensitivity Off": "WSGICaseSensitivity Off has no effect",
    "WSGITelemetryOptions All": "WSGITelemetryOptions has no effect",
    "WSGISlowRequests 0": "WSGISlowRequests has no effect",
    "WSGITelemetryService unix:{work}/ingester interval=0.5": "WSGITelemetryService has no effect",
}
NOT_ASKED = ["", "WSGIVerboseDebugging Off", "WSGICaseSensitivity On"]


def test_they_do_nothing_and_say_so_once(make_server):
    made = make_server(Site(APPLICATION + "\n".join(ASKED)), start=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ingester:
        ingester.bind(str(made.work / "ingester"))
        (made.work / "ingester").chmod(0o777)
        ingester.settimeout(1.5)
        made.start()
        assert made.get("/").status == 200
        with pytest.raises(TimeoutError):
            ingester.recv(1)
    (made.work / "ingester").unlink()
    for text in ASKED.values():
        assert len(made.log.find(f"WGW0173: {text}", "info")) == 1, text


@pytest.mark.parametrize("line", NOT_ASKED)
def test_nothing_is_said_where_nothing_is_asked_for(make_server, line):
    assert not make_server(Site(APPLICATION + line)).log.find("WGW0173")


def test_case_is_kept(make_server):
    """On a file system that tells a.wsgi from A.wsgi they are two scripts, also with Off."""
    made = make_server(Site("WSGICaseSensitivity Off\nWSGIScriptAlias /scripts {work}/scripts\n"
                            "WSGIApplicationGroup %{GLOBAL}"), start=False)
    for name in ("a.wsgi", "A.wsgi"):
        made.write_work(f"scripts/{name}", "def application(environ, start_response):\n"
                        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
                        f"    return [b'{name}']\n")
    made.start()
    assert [made.get(f"/scripts/{name}").body for name in ("a.wsgi", "A.wsgi")] == [b"a.wsgi", b"A.wsgi"]
