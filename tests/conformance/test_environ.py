"""environ: PEP 3333 "environ Variables", and what mod_wsgi's users find there beside them."""
import json
import os
import re
import time

import pytest

from harness import Site

SITE = Site("""
    <VirtualHost *:{port}>
        ServerName localhost
    </VirtualHost>
    <VirtualHost *:{port}>
        ServerName slashes.example
        MergeSlashes Off
    </VirtualHost>
    WSGIApplicationGroup %{GLOBAL}
    WSGIChunkedRequest On
    WSGIScriptAlias /environ {apps}/environ.wsgi
    WSGIScriptAlias /deep/mount/point {apps}/environ.wsgi
    WSGIScriptAlias /passed {apps}/environ.wsgi pass-authorization=On
    WSGIScriptAlias /named {apps}/environ.wsgi callable-object=named_otherwise
    WSGIScriptAlias /sub {apps}/environ.wsgi application-group=sub
    WSGIScriptAlias /resource {apps}/environ.wsgi
    WSGIScriptAlias /directive {apps}/environ.wsgi
    WSGIScriptAlias /cgi {apps}/environ.wsgi
    <Location /resource>
        WSGIApplicationGroup %{RESOURCE}
    </Location>
    <Location /directive>
        WSGIPassAuthorization On
    </Location>
    <Location /cgi>
        CGIPassAuth On
    </Location>
    SetEnv "WGW_BYTES" "\u00e9"
""")

STRINGS = ("process_group", "application_group", "callable_object", "request_handler",
           "handler_script", "script_name", "path_info", "listener_host", "listener_port",
           "request_id", "connection_id", "server_pid")
FLOATS = ("request_start", "queue_start", "daemon_start", "application_start")


def dump(server, target="/environ/dump", headers=(), method="GET", **options):
    """Return environ as {key: value} with lists for tuples, and {key: type name}."""
    answer = server.request(method, target, headers, **options)
    assert answer.status == 200, answer
    shown = json.loads(answer.body)
    return ({key: value for key, (_, value) in shown.items()},
            {key: kind for key, (kind, _) in shown.items()})


def test_plain_values(server):
    environ, kinds = dump(server, "/environ/dump/more?a=b%20c&d")
    expected = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/environ", "PATH_INFO": "/dump/more",
        "QUERY_STRING": "a=b%20c&d", "SERVER_NAME": "localhost",
        "SERVER_PORT": str(server.port), "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_ADDR": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_URI": "/environ/dump/more?a=b%20c&d", "REQUEST_SCHEME": "http",
        "DOCUMENT_ROOT": str(server.htdocs), "SERVER_ADMIN": "admin@example.org",
        "HTTP_HOST": f"localhost:{server.port}", "HTTP_CONNECTION": "close",
        "WGW_TEST_VARIABLE": "some value",
    }
    assert {key: environ.get(key) for key in expected} == expected
    assert environ["SCRIPT_FILENAME"].endswith("/environ.wsgi")
    assert environ["SERVER_SOFTWARE"].startswith("Apache")
    assert {"CONTEXT_PREFIX", "CONTEXT_DOCUMENT_ROOT"} <= environ.keys()
    assert [key for key, kind in kinds.items() if "." not in key and kind != "str"] == []


def test_remote_port(server):
    with server.connect() as connection:
        connection.request("GET", "/environ/dump")
        environ = json.loads(connection.response().body)
        assert environ["REMOTE_PORT"] == ["str", str(connection.local_port)]


@pytest.mark.parametrize("name", ["CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_AUTHORIZATION",
                                  "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTPS", "PATH",
                                  "PATH_TRANSLATED", "GATEWAY_INTERFACE", "SERVER_SIGNATURE",
                                  "REMOTE_HOST", "REMOTE_IDENT", "REMOTE_USER", "AUTH_TYPE",
                                  "LD_LIBRARY_PATH"])
def test_absent(server, name):
    assert name not in dump(server)[0]


def test_absent_of_internals(server):
    environ, _ = dump(server)
    assert [key for key in environ if key.startswith(("mod_wsgi.x-", "wsgigw.x-"))] == []


def test_query_string_is_always_there(server):
    assert dump(server)[0]["QUERY_STRING"] == ""
    assert dump(server, "/environ/dump?")[0]["QUERY_STRING"] == ""


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_method(server, method):
    assert dump(server, method=method)[0]["REQUEST_METHOD"] == method


def test_unusual_method(server):
    environ, _ = dump(server, "/environ/plain", method="FROBNICATE")
    assert environ["REQUEST_METHOD"] == "FROBNICATE"


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_protocol(server, version):
    assert dump(server, version=version)[0]["SERVER_PROTOCOL"] == version


@pytest.mark.parametrize("sent, path_info", [
    ("/dump/a%20b", "/dump/a b"),
    ("/dump/%E2%82%AC", "/dump/\xe2\x82\xac"),
    ("/dump/%FF%80", "/dump/\xff\x80"),
    ("/dump/%3Fq", "/dump/?q"),
    ("/dump/%25", "/dump/%"),
    ("/dump/a+b", "/dump/a+b"),
    ("/dump/x/", "/dump/x/"),
    ("/dump/;p=1", "/dump/;p=1"),
])
def test_path_is_decoded_bytes_as_latin1(server, sent, path_info):
    environ, _ = dump(server, "/environ" + sent)
    assert environ["PATH_INFO"] == path_info
    assert environ["REQUEST_URI"] == "/environ" + sent


def test_query_string_stays_encoded(server):
    assert dump(server, "/environ/dump?x=%E2%82%AC//%2F")[0]["QUERY_STRING"] == \
        "x=%E2%82%AC//%2F"


@pytest.mark.parametrize("target, script_name, path_info", [
    ("/environ/dump", "/environ", "/dump"),
    ("/deep/mount/point/dump/x", "/deep/mount/point", "/dump/x"),
])
def test_mount_point(server, target, script_name, path_info):
    environ, _ = dump(server, target)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script_name, path_info)
    assert environ["mod_wsgi.script_name"] == script_name
    assert environ["mod_wsgi.path_info"] == path_info


@pytest.mark.parametrize("host", ["localhost", "slashes.example"])
@pytest.mark.parametrize("target, script_name, path_info", [
    ("//environ//dump///x//", "/environ", "/dump/x/"),
    ("/deep//mount///point//dump", "/deep/mount/point", "/dump"),
])
def test_slashes_are_collapsed(server, host, target, script_name, path_info):
    environ, _ = dump(server, target, host=host)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script_name, path_info)
    assert environ["REQUEST_URI"] == target


def test_content_headers(server):
    environ, _ = dump(server, method="POST", body=b"abc",
                      headers=[("Content-Type", "text/x; y=1")])
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/x; y=1", "3")
    assert "HTTP_CONTENT_TYPE" not in environ


def test_chunked_has_no_content_length(server):
    environ, _ = dump(server, method="POST", body=b"3\r\nabc\r\n0\r\n\r\n",
                      headers=[("Transfer-Encoding", "chunked")])
    assert "CONTENT_LENGTH" not in environ
    assert environ["wsgi.input_terminated"] is True


@pytest.mark.parametrize("sent, name, value", [
    ([("X-Try", "one")], "HTTP_X_TRY", "one"),
    ([("x-try", " spaced \t")], "HTTP_X_TRY", "spaced"),
    ([("X-Try", "")], "HTTP_X_TRY", ""),
    ([("X-Try", "\xe9\xff")], "HTTP_X_TRY", "\xe9\xff"),
    ([("X-Try", "a"), ("X-Other", "-"), ("x-TRY", "b")], "HTTP_X_TRY", "a, b"),
    ([("Accept", "a/b"), ("Accept", "c/d")], "HTTP_ACCEPT", "a/b, c/d"),
    ([("Cookie", "a=1; b=2")], "HTTP_COOKIE", "a=1; b=2"),
    ([("X-9", "digit")], "HTTP_X_9", "digit"),
])
def test_header(server, sent, name, value):
    environ, kinds = dump(server, headers=sent)
    assert (environ[name], kinds[name]) == (value, "str")


def test_two_cookie_fields(server):
    """RFC 6265 section 5.4 forbids them in HTTP/1.1; httpd's core has joined them by a comma
    before any module sees them.  HTTP/2 crumbs: test_streaming.py."""
    environ, _ = dump(server, headers=[("Cookie", "a=1"), ("Cookie", "b=2")])
    assert environ["HTTP_COOKIE"] in ("a=1; b=2", "a=1, b=2")


@pytest.mark.parametrize("sent", ["X_Try", "X.Try", "X!Try", "X~Try"])
def test_odd_header_is_dropped(server, sent):
    """X_Try must not be able to pass for X-Try."""
    environ, _ = dump(server, headers=[(sent, "forged")])
    assert "forged" not in environ.values()
    environ, _ = dump(server, headers=[("X-Try", "real"), (sent, "forged")])
    assert environ["HTTP_X_TRY"] == "real"


def test_proxy_header_is_dropped(server):
    """CVE-2016-5387 "httpoxy"."""
    assert "HTTP_PROXY" not in dump(server, headers=[("Proxy", "http://evil")])[0]


@pytest.mark.parametrize("mount, passed", [("/environ", False), ("/passed", True),
                                           ("/directive", True), ("/cgi", True)])
def test_authorization(server, mount, passed):
    environ, _ = dump(server, mount + "/dump", [("Authorization", "Basic eDp5")])
    assert environ.get("HTTP_AUTHORIZATION") == ("Basic eDp5" if passed else None)


def test_setenv_bytes_are_latin1(server):
    assert dump(server)[0]["WGW_BYTES"] == "\xc3\xa9"


def test_exact_types(server):
    facts = json.loads(server.get("/environ/facts").body)
    assert all(facts[key] for key in ("environ is dict", "keys are str", "file_wrapper",
                                      "file_wrapper is class"))


def test_wsgi_keys(server):
    environ, kinds = dump(server)
    assert (kinds["wsgi.version"], environ["wsgi.version"]) == ("tuple", [1, 0])
    assert environ["wsgi.url_scheme"] == "http"
    one_at_a_time = server.mpm == "prefork" if server.mode == "embedded" else server.threads == 1
    assert environ["wsgi.multithread"] is not one_at_a_time
    assert environ["wsgi.multiprocess"] is True
    assert environ["wsgi.run_once"] is False
    assert environ["wsgi.input_terminated"] is True
    assert {"wsgi.input", "wsgi.errors", "wsgi.file_wrapper"} <= environ.keys()


ONE_CHILD = {
    "event": "StartServers 1\nServerLimit 1\nThreadsPerChild 4\nMaxRequestWorkers 4\n"
             "MinSpareThreads 1\nMaxSpareThreads 4",
    "prefork": "StartServers 1\nServerLimit 1\nMaxRequestWorkers 1\n"
               "MinSpareServers 1\nMaxSpareServers 1",
}
ONE_CHILD["worker"] = ONE_CHILD["event"]


@pytest.mark.modes("embedded")
def test_multiprocess_false_where_one_child_is_possible(make_server, mpm):
    server = make_server(SITE._replace(children=ONE_CHILD[mpm]))
    assert dump(server)[0]["wsgi.multiprocess"] is False


def test_module_keys(server, mode):
    environ, kinds = dump(server, "/environ/dump/x")
    assert [kinds[f"mod_wsgi.{name}"] for name in STRINGS] == ["str"] * len(STRINGS)
    assert [kinds[f"mod_wsgi.{name}"] for name in FLOATS] == ["float"] * len(FLOATS)
    expected = {"application_group": "", "callable_object": "application",
                "request_handler": "wsgi-script", "handler_script": "",
                "listener_host": "127.0.0.1", "listener_port": str(server.port)}
    if mode == "embedded":
        expected.update(process_group="", queue_start=0.0, daemon_start=0.0)
    assert {key: environ[f"mod_wsgi.{key}"] for key in expected} == expected
    assert kinds["mod_wsgi.thread_id"] == "int"


def test_versions(server):
    environ, kinds = dump(server)
    for key in ("mod_wsgi.version", "wsgigw.version", "apache.version"):
        assert kinds[key] == "tuple" and len(environ[key]) == 3, key
        assert all(type(part) is int for part in environ[key]), key
    assert environ["SERVER_SOFTWARE"].startswith(
        "Apache/" + ".".join(map(str, environ["apache.version"])))


def test_own_keys_equal_mod_wsgi_keys(server):
    environ, kinds = dump(server)
    for name in (*STRINGS, *FLOATS, "thread_id"):
        assert environ[f"wsgigw.{name}"] == environ[f"mod_wsgi.{name}"], name
        assert kinds[f"wsgigw.{name}"] == kinds[f"mod_wsgi.{name}"], name


def test_clocks(server):
    """Seconds since 1970; the request began before the application did."""
    environ, _ = dump(server)
    begun, called = environ["mod_wsgi.request_start"], environ["mod_wsgi.application_start"]
    assert abs(time.time() - begun) < 600
    assert begun <= called <= begun + 60


def test_server_pid(server):
    pid = int(dump(server)[0]["mod_wsgi.server_pid"])
    assert pid != server.pid
    assert pid in {process.pid for process in server.remember_processes()}


def test_ids_differ_between_requests(server):
    with server.connect() as connection:
        seen = []
        for _ in range(2):
            connection.request("GET", "/environ/dump")
            seen.append(json.loads(connection.response().body))
    ids = [one["mod_wsgi.request_id"][1] for one in seen]
    assert all(ids) and ids[0] != ids[1]
    connections = [one["mod_wsgi.connection_id"][1] for one in seen]
    assert connections[0] and connections[0] == connections[1]


@pytest.mark.parametrize("mount, group", [("/environ", ""), ("/sub", "sub"),
                                          ("/resource", "localhost:{port}|/resource")])
def test_application_group(server, mount, group):
    environ, _ = dump(server, mount + "/dump")
    assert environ["mod_wsgi.application_group"] == group.format(port=server.port)


def test_callable_object(server):
    assert server.get("/named/x").body == b"named_otherwise"


@pytest.mark.parametrize("mount, group", [("/environ", ""), ("/sub", "sub")])
def test_wsgigw_module(server, mount, group, mode):
    facts = json.loads(server.get(mount + "/facts").body)
    assert len(facts["version"]) == 3 and facts["version equal"]
    assert facts["application_group"] == group
    if mode == "embedded":
        assert facts["process_group"] == ""
    assert facts["timeout"] and facts["handler"]


def test_argv(server):
    assert json.loads(server.get("/environ/process").body)["argv"] == ["mod_wsgi"]


def test_environ_is_not_os_environ(server):
    assert json.loads(server.get("/environ/process").body)["variable"] is None


def test_environ_is_fresh_each_time(server):
    with server.connect() as connection:
        for _ in range(3):
            connection.request("GET", "/environ/mutate")
            assert json.loads(connection.response().body) == [[], "localhost"]
        connection.request("GET", "/environ/dump")
        environ = json.loads(connection.response().body)
    assert environ["SERVER_SOFTWARE"][1].startswith("Apache")


def test_request_id_form(server):
    assert re.fullmatch(r"[A-Za-z0-9@+/_-]+", dump(server)[0]["mod_wsgi.request_id"])


@pytest.mark.modes("embedded")
def test_application_runs_in_the_child(server):
    environ, _ = dump(server)
    with server.connect() as connection:
        connection.request("GET", "/environ/process")
        pid = json.loads(connection.response().body)["pid"]
    assert os.path.exists(f"/proc/{pid}") and environ["mod_wsgi.process_group"] == ""
