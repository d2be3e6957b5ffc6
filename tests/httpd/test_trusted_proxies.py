"""What proxies in front say, and of whom it is believed: WSGITrustedProxies, WSGITrustedProxyHeaders.

The proxy is 127.0.0.2, everybody else on loopback is a client.  The shapes that values may have are
in tests/unit/test_forwarded.c and test_hop.c; here is what reaches the application."""
import json
import pathlib
import re
import subprocess

import pytest

from harness import Connection, Site, stage

PROXY, CLIENT = "127.0.0.2", "127.0.0.1"
MOST = "X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto"

SITE = Site(f"""
    LogLevel wsgigw:debug
    WSGIApplicationGroup %{{GLOBAL}}
    WSGIScriptAlias / {{apps}}/probe.wsgi
    WSGITrustedProxies {PROXY} 10.0.0.0/8
    WSGITrustedProxies 2001:db8:5::/48
    WSGITrustedProxyHeaders {MOST}
    WSGITrustedProxyHeaders X-Forwarded-Server x-script-name
    <Location /rfc7239>
        WSGITrustedProxyHeaders Forwarded
    </Location>
    <Location /real>
        WSGITrustedProxyHeaders X-Real-IP X-Host X-Forwarded-SSL X-Forwarded-Script-Name
    </Location>
    <Location /two>
        WSGITrustedProxyHeaders X-Real-IP X-Forwarded-For
    </Location>
    <Location /everybody>
        WSGITrustedProxies *
    </Location>
    <Location /no-proxies>
        WSGITrustedProxies 192.0.2.99
    </Location>
    <Location /port-only>
        WSGITrustedProxyHeaders X-Forwarded-Port
    </Location>
    <Directory {{htdocs}}>
        Options +ExecCGI
        AllowOverride FileInfo
        SetHandler wsgi-script
    </Directory>
    Alias /folder {{htdocs}}
    <VirtualHost *:{{port}}>
        ServerName localhost
    </VirtualHost>
    <VirtualHost *:{{port}}>
        ServerName remoteip
        RemoteIPHeader X-Forwarded-For
        RemoteIPInternalProxy {PROXY}
    </VirtualHost>
    <VirtualHost *:{{port}}>
        ServerName others
        WSGITrustedProxies 127.0.0.3
    </VirtualHost>
""", modules=("remoteip", "headers"))

OF_PROXIES = ("FORWARDED", "X_FORWARDED", "X_CLIENT_IP", "X_REAL_IP", "X_HOST", "X_HTTPS", "X_SC")


def ask(server, fields, path="/", source=PROXY, host=None):
    """Return environ of a request with these header fields, sent by `source`."""
    with Connection(server.port, source=source) as connection:
        connection.request("GET", path, [("Connection", "close"), *fields], host=host)
        answer = connection.response()
    assert answer.status == 200, answer
    return json.loads(answer.body)["environ"]


def of_proxies(environ):
    """Return the fields of proxies that the application sees, by their CGI names without HTTP_."""
    return {key[5:]: value for key, value in environ.items()
            if key.startswith(tuple("HTTP_" + name for name in OF_PROXIES))}


# --- who is believed -----------------------------------------------------------------------

ALL = [("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Host", "www.example.org"),
       ("X-Forwarded-Port", "8443"), ("X-Forwarded-Proto", "https"),
       ("X-Forwarded-Server", "front.example.org"), ("X-Script-Name", "/mounted")]
SYNONYMS = [("X-Client-IP", "6.6.6.6"), ("X-Real-IP", "6.6.6.6"), ("Forwarded", "for=6.6.6.6;proto=ftp"),
            ("X-Host", "evil.example"), ("X-Scheme", "ftp"), ("X-Forwarded-Scheme", "ftp"),
            ("X-Forwarded-SSL", "on"), ("X-Forwarded-HTTPS", "on"), ("X-HTTPS", "on"),
            ("X-Forwarded-Script-Name", "/evil"), ("x-fORwarded-scheme", "gopher")]


def test_a_proxy_is_believed(server):
    seen = ask(server, ALL, "/a/b")
    expected = {"REMOTE_ADDR": "192.0.2.7", "HTTP_HOST": "www.example.org", "SERVER_PORT": "8443",
                "SERVER_NAME": "front.example.org", "wsgi.url_scheme": "https",
                "SCRIPT_NAME": "/mounted", "PATH_INFO": "/a/b", "mod_wsgi.mount_point": "/mounted",
                "wsgigw.mount_point": "/mounted", "mod_wsgi.script_name": ""}
    assert {key: seen.get(key) for key in expected} == expected
    assert of_proxies(seen) == {name.upper().replace("-", "_"): value for name, value in ALL}


def plain(server, path="/a/b", **options):
    """Return what a request without any such field has, but its ids and times."""
    return comparable(ask(server, [], path, **options))


def comparable(environ):
    return {key: value for key, value in environ.items() if key != "REMOTE_PORT"
            and not key.endswith(("_id", "server_pid", "UNIQUE_ID"))}


@pytest.mark.parametrize("fields", [ALL, SYNONYMS, ALL + SYNONYMS], ids=["all", "synonyms", "both"])
def test_a_client_is_not_believed(server, fields):
    """Not even the names of the fields reach the application."""
    assert comparable(ask(server, fields, "/a/b", CLIENT)) == plain(server, source=CLIENT)
    if ALL[0] in fields:
        server.expect_log("WGW0172: X-Forwarded-For is ignored, as 127.0.0.1 is not one", "debug")


def test_synonyms_of_a_proxy_are_dropped(server):
    """The proxy passes on what its client has sent."""
    assert comparable(ask(server, SYNONYMS, "/a/b")) == plain(server)
    assert of_proxies(ask(server, ALL + SYNONYMS)).keys() \
        == {name.upper().replace("-", "_") for name, _ in ALL}


@pytest.mark.parametrize("name", ["X_Forwarded_For", "X-Forwarded_For", "X.Forwarded.For"])
def test_names_that_would_become_the_same_key(server, name):
    seen = ask(server, [(name, "6.6.6.6")])
    assert seen["REMOTE_ADDR"] == PROXY and of_proxies(seen) == {}


def test_nothing_is_done_where_no_field_is_trusted(server):
    """Fields of other purposes go to the application, as any field does: whoever sends them."""
    fields = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"), ("Forwarded", "for=x"),
              ("X-Script-Name", "/x")]
    for source in (PROXY, CLIENT):
        seen = ask(server, fields, "/port-only", source)
        assert of_proxies(seen) == {"X_FORWARDED_FOR": "6.6.6.6", "X_FORWARDED_PROTO": "https",
                                    "FORWARDED": "for=x", "X_SCRIPT_NAME": "/x"}
        assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == (source, "http")


def test_a_directory_names_others(server):
    assert comparable(ask(server, ALL, "/no-proxies")) == plain(server, "/no-proxies")


def test_a_virtual_host_names_others(server):
    assert ask(server, ALL, source="127.0.0.3", host="others")["REMOTE_ADDR"] == "192.0.2.7"
    assert ask(server, ALL, host="others")["REMOTE_ADDR"] == PROXY


def test_everybody(server):
    """As in mod_wsgi without WSGITrustedProxies: the client chooses who it is."""
    seen = ask(server, [("X-Forwarded-For", "6.6.6.6, 192.0.2.7")], "/everybody", CLIENT)
    assert seen["REMOTE_ADDR"] == "6.6.6.6"


def test_htaccess(server):
    (server.htdocs / "probe.wsgi").write_text(
        f"import sys\nsys.path.insert(0, {str(server.places()['apps'])!r})\n"
        + (server.places()["apps"] / "probe.wsgi").read_text())
    (server.htdocs / ".htaccess").write_text(
        "WSGITrustedProxies 127.0.0.4\nWSGITrustedProxyHeaders X-Real-IP\n")
    site = "/folder/probe.wsgi"
    seen = ask(server, [("X-Real-IP", "192.0.2.8"), ("X-Forwarded-For", "6.6.6.6"),
                        ("X-Script-Name", "/x")], site, "127.0.0.4")
    assert seen["REMOTE_ADDR"] == "192.0.2.8"
    assert of_proxies(seen) == {"X_REAL_IP": "192.0.2.8", "X_SCRIPT_NAME": "/x"}
    assert ask(server, [("X-Real-IP", "192.0.2.8")], site)["REMOTE_ADDR"] == PROXY


# --- who the client is ---------------------------------------------------------------------

CLIENTS = {
    # X-Forwarded-For: (REMOTE_ADDR, REMOTE_PORT or None for the connection's, HTTP_X_FORWARDED_FOR)
    "192.0.2.7": ("192.0.2.7", None, "192.0.2.7"),
    "127.0.0.1, 192.0.2.7": ("192.0.2.7", None, "192.0.2.7"),
    "6.6.6.6, 192.0.2.7, 10.1.2.3, 2001:db8:5::9":
        ("192.0.2.7", None, "192.0.2.7, 10.1.2.3, 2001:db8:5::9"),
    "192.0.2.7:4711": ("192.0.2.7", "4711", "192.0.2.7:4711"),
    "[2001:DB8::7]:4711": ("2001:db8::7", "4711", "[2001:DB8::7]:4711"),
    "2001:db8::7": ("2001:db8::7", None, "2001:db8::7"),
    "::ffff:192.0.2.7": ("192.0.2.7", None, "::ffff:192.0.2.7"),
    "::ffff:10.0.0.9": ("10.0.0.9", None, "::ffff:10.0.0.9"),
    "<script>, 192.0.2.7": ("192.0.2.7", None, "192.0.2.7"),
    "6.6.6.6, unknown, 10.0.0.9": ("10.0.0.9", None, "unknown, 10.0.0.9"),
    "unknown": (PROXY, None, None),
    "_hidden": (PROXY, None, None),
    "": (PROXY, None, None),
}
INVALID = ["localhost", "evil.example.org", "192.0.2.7.example.org", "dead.beef", "192.0.2.7:99999",
           "192.0.2.300", "0300.0.2.7", "2130706433", "fe80::1%lo", "6.6.6.6, \"192.0.2.7\"",
           "192.0.2.7 10.0.0.1", "[192.0.2.7", "127.0.0.1\xff", "%00", "192.0.2.7/32"]


@pytest.mark.parametrize("value", CLIENTS)
def test_x_forwarded_for(server, value):
    address, port, shown = CLIENTS[value]
    with Connection(server.port, source=PROXY) as connection:
        connection.request("GET", "/", [("X-Forwarded-For", value)])
        seen = json.loads(connection.response().body)["environ"]
        assert seen["REMOTE_PORT"] == (port or str(connection.local_port))
    assert (seen["REMOTE_ADDR"], seen.get("HTTP_X_FORWARDED_FOR")) == (address, shown)


@pytest.mark.parametrize("value", INVALID)
def test_invalid_values_are_ignored(server, value):
    seen = ask(server, [("X-Forwarded-For", value)])
    assert (seen["REMOTE_ADDR"], of_proxies(seen)) == (PROXY, {})
    server.expect_log("WGW0171: X-Forwarded-For of the proxy 127.0.0.2 is ignored", "debug")


def test_several_fields_are_one_list(server):
    seen = ask(server, [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "192.0.2.7"),
                        ("X-forwarded-for", "10.0.0.9")])
    assert (seen["REMOTE_ADDR"], seen["HTTP_X_FORWARDED_FOR"]) == ("192.0.2.7", "192.0.2.7, 10.0.0.9")


def test_a_long_list(server):
    """Who claims to be behind 800 proxies gets as far as the bound (LimitRequestFieldSize is 8190)."""
    seen = ask(server, [("X-Forwarded-For", ",".join(["6.6.6.6", *["10.0.0.9"] * 800]))])
    assert seen["REMOTE_ADDR"] == "10.0.0.9" and len(seen["HTTP_X_FORWARDED_FOR"]) < 1000


@pytest.mark.parametrize("value, address, scheme, host", [
    ("for=192.0.2.7", "192.0.2.7", "http", None),
    ('For="[2001:db8::7]:4711";Proto=HTTPS;by=_x;host="www.example.org:8443"', "2001:db8::7", "https",
     "www.example.org:8443"),
    ("for=6.6.6.6;proto=ftp, for=192.0.2.7;proto=https, for=10.0.0.9;proto=http;host=inner",
     "192.0.2.7", "https", None),
    ('for="6.6.6.6;x=, for=192.0.2.7;proto=https', "192.0.2.7", "https", None),
    ('for="_mdn";proto=https;host=www.example.org', PROXY, "https", "www.example.org"),
    ("for=evil.example.org;proto=https", PROXY, "https", None),
    ('for=192.0.2.7;host="evil/path"', "192.0.2.7", "http", None),
    ("for=192.0.2.7;host=evil/path", PROXY, "http", None),
    ("for=192.0.2.7;for=6.6.6.6;proto=https", PROXY, "http", None),
    ("proto=https;proto=http", PROXY, "http", None),
])
def test_forwarded(server, value, address, scheme, host):
    seen = ask(server, [("Forwarded", value), *ALL[:4]], "/rfc7239")
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == (address, scheme)
    assert seen["HTTP_HOST"] == (host or f"localhost:{server.port}")
    assert of_proxies(seen).keys() <= {"FORWARDED", "X_FORWARDED_PORT"}, "the others are dropped"
    assert seen["SERVER_PORT"] == str(server.port)


@pytest.mark.parametrize("fields, address", [
    ([("X-Real-IP", "192.0.2.7")], "192.0.2.7"),
    ([("X-Real-IP", "2001:db8::7")], "2001:db8::7"),
    ([("X-Real-IP", "6.6.6.6, 192.0.2.7")], PROXY),
    ([("X-Real-IP", "6.6.6.6"), ("X-Real-IP", "192.0.2.7")], PROXY),
    ([("X-Real-IP", "www.example.org")], PROXY),
    ([("X-Forwarded-For", "6.6.6.6")], PROXY),
])
def test_x_real_ip(server, fields, address):
    seen = ask(server, fields, "/real")
    assert seen["REMOTE_ADDR"] == address
    assert of_proxies(seen) == ({} if address == PROXY else {"X_REAL_IP": address})


@pytest.mark.parametrize("fields, address", [
    ([("X-Forwarded-For", "192.0.2.8")], "192.0.2.8"),
    ([("X-Forwarded-For", "192.0.2.8"), ("X-Real-IP", "192.0.2.7")], "192.0.2.7"),
    ([("X-Forwarded-For", "192.0.2.8"), ("X-Real-IP", "rubbish")], PROXY),
])
def test_of_two_fields_the_first_in_the_configuration_counts(server, fields, address):
    seen = ask(server, fields, "/two")
    assert seen["REMOTE_ADDR"] == address and len(of_proxies(seen)) == (address != PROXY)


# --- the other keys ------------------------------------------------------------------------

@pytest.mark.parametrize("path, name, value, key, expected", [
    ("/", "X-Forwarded-Host", "evil.example, www.example.org", "HTTP_HOST", "www.example.org"),
    ("/", "X-Forwarded-Host", "[2001:db8::7]:8443", "HTTP_HOST", "[2001:db8::7]:8443"),
    ("/real", "X-Host", "www.example.org", "HTTP_HOST", "www.example.org"),
    ("/", "X-Forwarded-Host", "www.example.org/x", "HTTP_HOST", None),
    ("/", "X-Forwarded-Host", "a@evil.example", "HTTP_HOST", None),
    ("/", "X-Forwarded-Host", "www.example.org:0", "HTTP_HOST", None),
    ("/", "X-Forwarded-Host", "a b", "HTTP_HOST", None),
    ("/", "X-Forwarded-Host", "\xe9.example", "HTTP_HOST", None),
    ("/", "X-Forwarded-Server", "front.example.org", "SERVER_NAME", "front.example.org"),
    ("/", "X-Forwarded-Server", "a/b", "SERVER_NAME", None),
    ("/", "X-Forwarded-Port", "1, 443", "SERVER_PORT", "443"),
    ("/", "X-Forwarded-Port", "0443", "SERVER_PORT", "443"),
    ("/", "X-Forwarded-Port", "https", "SERVER_PORT", None),
    ("/", "X-Forwarded-Port", "65536", "SERVER_PORT", None),
    ("/", "X-Forwarded-Proto", "HTTPS", "wsgi.url_scheme", "https"),
    ("/", "X-Forwarded-Proto", "https, http", "wsgi.url_scheme", "http"),
    ("/", "X-Forwarded-Proto", "javascript", "wsgi.url_scheme", None),
    ("/real", "X-Forwarded-SSL", "on", "wsgi.url_scheme", "https"),
    ("/real", "X-Forwarded-SSL", "false", "wsgi.url_scheme", "http"),
    ("/real", "X-Forwarded-SSL", "maybe", "wsgi.url_scheme", None),
    ("/", "X-Script-Name", "/a/b/", "SCRIPT_NAME", "/a/b"),
    ("/real", "X-Forwarded-Script-Name", "/", "SCRIPT_NAME", ""),
    ("/", "X-Script-Name", "//evil.example", "SCRIPT_NAME", None),
    ("/", "X-Script-Name", "http://evil.example", "SCRIPT_NAME", None),
    ("/", "X-Script-Name", "/a?b", "SCRIPT_NAME", None),
])
def test_values(server, path, name, value, key, expected):
    usual = ask(server, [], path)
    seen = ask(server, [(name, value)], path)
    assert seen[key] == (usual[key] if expected is None else expected)
    assert bool(of_proxies(seen)) == (expected is not None)
    assert ("mod_wsgi.mount_point" in seen) == (key == "SCRIPT_NAME" and expected is not None)


def test_lists_belong_together(server):
    """Two proxies that append: what the outer one saw counts, not what a client wrote before it."""
    seen = ask(server, [("X-Forwarded-For", "6.6.6.6, 192.0.2.7, 10.0.0.9"),
                        ("X-Forwarded-Proto", "ftp, https, http"),
                        ("X-Forwarded-Host", "evil.example, www.example.org, inner")])
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"], seen["HTTP_HOST"]) \
        == ("192.0.2.7", "https", "www.example.org")


def test_the_group_of_the_application_is_not_chosen_by_it(server):
    """%{HOST} and %{RESOURCE} are of the connection's own request."""
    assert ask(server, ALL)["mod_wsgi.application_group"] == ""


# --- mod_remoteip --------------------------------------------------------------------------

def test_mod_remoteip_has_named_the_client(server):
    """It has taken 192.0.2.7 from the list; what is left was written by that client."""
    seen = ask(server, [("X-Forwarded-For", "6.6.6.6, 192.0.2.7"), ("X-Forwarded-Proto", "https")],
               host="remoteip")
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("192.0.2.7", "https")
    assert "HTTP_X_FORWARDED_FOR" not in seen


def test_mod_remoteip_has_named_another_proxy(server):
    """mod_remoteip knows the first proxy only, we know 10.0.0.0/8 as well."""
    seen = ask(server, [("X-Forwarded-For", "6.6.6.6, 192.0.2.7, 10.0.0.9")], host="remoteip")
    assert seen["REMOTE_ADDR"] == "192.0.2.7"


def test_a_client_cannot_use_mod_remoteip(server):
    seen = ask(server, [("X-Forwarded-For", PROXY), ("X-Forwarded-Proto", "https")], source=CLIENT,
               host="remoteip")
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == (CLIENT, "http")


# --- httpd as the proxy --------------------------------------------------------------------

FRONT = Site("""
    WSGIApplicationGroup %{GLOBAL}
    <VirtualHost *:{port}>
        ServerName backend
        WSGIScriptAlias /app {apps}/probe.wsgi
        WSGITrustedProxies 127.0.0.1
        WSGITrustedProxyHeaders X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto
    </VirtualHost>
    <VirtualHost *:{port}>
        ServerName public.example
        ProxyPass / http://127.0.0.1:{port}/
        RequestHeader set X-Forwarded-Proto https
        RequestHeader set X-Forwarded-Port 443
    </VirtualHost>
""", modules=("proxy", "proxy_http", "headers"))


def test_mod_proxy_in_front(make_server):
    """As most have it: TLS ends in front, and what a client forges stands left in the lists."""
    seen = ask(make_server(FRONT), [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "ftp"),
                                    ("X-Forwarded-Host", "evil.example"), ("X-Real-IP", "6.6.6.6")],
               "/app/x", "127.0.0.5", "public.example")
    assert (seen["REMOTE_ADDR"], seen["HTTP_HOST"], seen["wsgi.url_scheme"], seen["SERVER_PORT"]) \
        == ("127.0.0.5", "public.example", "https", "443")
    assert of_proxies(seen) == {"X_FORWARDED_FOR": "127.0.0.5", "X_FORWARDED_HOST": "public.example",
                                "X_FORWARDED_PORT": "443", "X_FORWARDED_PROTO": "https",
                                "X_FORWARDED_SERVER": seen["HTTP_X_FORWARDED_SERVER"]}


# --- the configuration ---------------------------------------------------------------------

@pytest.mark.parametrize("host, names, warned", [
    ("WSGITrustedProxyHeaders X-Forwarded-For", "", True),
    ("<Location />\nWSGITrustedProxyHeaders X-Forwarded-For\n</Location>", "", True),
    ("WSGITrustedProxyHeaders X-Forwarded-For", "WSGITrustedProxies 127.0.0.2", False),
    ("WSGITrustedProxyHeaders X-Forwarded-For\nWSGITrustedProxies *", "", False),
], ids=["nobody", "nobody in a Location", "the server names them", "everybody"])
def test_fields_that_are_trusted_from_nobody(make_server, host, names, warned):
    """In mod_wsgi everybody is trusted then; here it is said, once, and nobody is."""
    server = make_server(Site(f"""
        WSGIScriptAlias / {{apps}}/probe.wsgi
        {names}
        <VirtualHost *:{{port}}>
            ServerName localhost
            {host}
        </VirtualHost>
    """))
    found = server.log.find("WGW0170")
    assert len(found) == warned
    if warned:
        server.expect_log(r"WGW0170: WSGITrustedProxyHeaders \(.*httpd.conf, line \d+\): no "
                          "WSGITrustedProxies says from whom", "warn")
        seen = ask(server, [("X-Forwarded-For", "192.0.2.7")])
        assert (seen["REMOTE_ADDR"], of_proxies(seen)) == (PROXY, {})


def test_no_name_can_be_looked_up():
    """Nothing of a resolver is linked: no header field can make httpd ask a name server."""
    module = pathlib.Path(re.search(r"LoadModule \w+ (\S+)", stage.load_lines())[1])
    done = subprocess.run(["nm", "-D", "--undefined-only", module], text=True, capture_output=True,
                          check=True)
    symbols = done.stdout.split()
    assert any(name.startswith("inet_pton") for name in symbols), "nm has read it"
    assert [name for name in symbols if re.match(
        "getaddrinfo|getnameinfo|gethostby|res_|apr_sockaddr_info_get|apr_getnameinfo|"
        "ap_get_remote_host|ap_get_useragent_host", name)] == []
