"""System-test harness: private httpd servers, a strict HTTP client, checks after every test.

How to write a test
===================
A test file declares the site it needs and asks for the ``server`` fixture.  One httpd per
file, MPM and mode is started and shared by the tests of that file::

    from harness import Site

    SITE = Site('''
        WSGIScriptAlias /hello {apps}/hello.wsgi
    ''', modules=("headers",))

    def test_hello(server):
        answer = server.get("/hello/x", headers=[("X-Try", "1")])
        assert answer.status == 200 and answer.complete
        assert answer.body == b"Hello"

    def test_bang(server):
        assert server.get("/hello/bang").status == 500
        server.expect_traceback(r"ValueError: bang")     # or server.expect_log(r"...")

* Placeholders in the text: ``{root} {run} {logs} {htdocs} {work} {apps} {port} {tls_port}
  {cert} {key} {user}``; anything else in braces (``%{GLOBAL}``) is left alone.
* ``Site(tls=True)`` adds a listener on ``{tls_port}`` and a certificate; the text declares the
  virtual host.  ``Site(children="...")`` replaces the MPM's numbers of children and threads.
* Scripts are files in tests/apps (``{apps}`` is a staged, world-readable copy of it).
* ``{work}`` is writable by the application: ``note``/``gate`` of tests/apps/appkit.py write and
  wait there; ``server.notes(key)``, ``server.wait_notes(key, n)``, ``server.open_gate(key)``
  are the other side.  They work across processes and users, hence in any mode.
* A test that needs a server of its own (restarts, broken configuration) takes the
  ``make_server`` fixture: ``make_server(Site(...))`` returns a started Server,
  ``make_server(site, start=False)`` one for ``configtest()``.
* ``server.connect()`` is a raw connection: ``send(bytes)``, ``request(...)``, ``half_close()``,
  ``reset()``, ``begin()`` (head now, body piece by piece), ``response()`` (all of it).
  ``Response.complete`` tells a whole response from a cut one; a malformed one raises
  ProtocolError.

What is checked after every test (checks.py), with no call by the test
======================================================================
No line at warn or above in any ``{logs}/*error.log`` but those the test marked by
``expect_log``/``expect_traceback``/``allow_log`` and httpd's own in allowed_log.py; no
sanitizer or crash line; no growth of descriptors.  After a stop: no process, no socket file,
no shared memory or semaphore of that server is left.

Parameters
==========
``mode`` x ``mpm`` of a file using ``server`` or ``make_server``: MODES/MPMS in the file, cut
down by the environment.

=====================  =====================================================================
WGW_BUILDDIR           build tree asked by ``make -s -C DIR print-loadmodule``; default: checkout
WGW_LOADMODULE_TEXT    the httpd lines that load the module, instead of asking make
WGW_MODES              of "embedded,daemon-1x1,daemon-1x5,daemon-3x4" (default in
                       tests/conformance), else of "embedded,daemon": processes x threads
WGW_MPMS               default "event,worker,prefork" in tests/conformance, else "event"
WGW_HTTPD_ENV          "K=V K=V" added to httpd's environment (LD_PRELOAD=libasan.so ...)
WGW_LOGLEVEL           default "info"
WGW_TEST_USER          user of the httpd children when run as root; default www-data
WGW_KEEP               1: keep the server roots for a post-mortem
APXS, PYTHONS          the apxs to ask; interpreters to test with (":"-separated)
=====================  =====================================================================
"""
from harness.certificate import Certificate
from harness.client import Connection, ProtocolError, Response
from harness.errorlog import ErrorLog, LogRecord
from harness.server import Server, StartError
from harness.site import Site
from harness.waiting import eventually

__all__ = ["Certificate", "Connection", "ErrorLog", "LogRecord", "ProtocolError", "Response",
           "Server", "Site", "StartError", "eventually"]
