"""Scripts that decide, and the rest of httpd: TLS, HTTP/2, subrequests, redirects, .htaccess, other
providers, Satisfy; and which interpreter they are in."""
import base64
import json
import subprocess

import pytest

from harness import Site

MODES = ("embedded",)
SITE = Site("""
    WSGIApplicationGroup one
    Protocols h2c http/1.1
    WSGIDaemonProcess deciding pass-env=LD_PRELOAD,ASAN_OPTIONS,UBSAN_OPTIONS,PYTHONMALLOC
    WSGIDaemonProcess forbidden
    WSGIScriptAlias /app {apps}/probe.wsgi
    WSGIScriptAlias /secret {apps}/probe.wsgi
    DirectoryIndex index.txt
    Alias /doc {htdocs}
    Alias /own {htdocs}
    <Directory {htdocs}>
        Options +Includes
        AllowOverride AuthConfig
        <Files *.shtml>
            SetOutputFilter INCLUDES
        </Files>
        Require all granted
    </Directory>
    <Directory {htdocs}/restricted>
        WSGIRestrictProcess deciding
    </Directory>
    <LocationMatch ^/(doc|app/access|doc/inner)>
        WSGIAccessScript {apps}/authority.py
    </LocationMatch>
    <LocationMatch ^/app/tls>
        WSGIAccessScript {apps}/authority.py
    </LocationMatch>
    <LocationMatch ^/app/pooled-tls>
        WSGIAccessScript {apps}/authority.py process-group=deciding
    </LocationMatch>
    <LocationMatch ^/app/two-providers>
        AuthType Basic
        AuthName here
        AuthBasicProvider wsgi file
        AuthUserFile {work}/users
        WSGIAuthUserScript {apps}/authority.py
        Require valid-user
    </LocationMatch>
    <LocationMatch ^/app/no-script>
        AuthType Basic
        AuthName here
        AuthBasicProvider wsgi
        Require valid-user
    </LocationMatch>
    <LocationMatch ^/app/no-group-script>
        AuthType Basic
        AuthName here
        AuthBasicProvider wsgi
        WSGIAuthUserScript {apps}/authority.py
        Require wsgi-group staff
    </LocationMatch>
    <LocationMatch ^/app/satisfy-any>
        Satisfy Any
        Order deny,allow
        Deny from all
        AuthType Basic
        AuthName here
        AuthBasicProvider wsgi
        WSGIAuthUserScript {apps}/authority.py
        Require valid-user
    </LocationMatch>
    <LocationMatch ^/app/expression>
        AuthType Basic
        AuthName here
        AuthBasicProvider wsgi
        WSGIAuthUserScript {apps}/authority.py
        WSGIAuthGroupScript {apps}/authority.py
        Require wsgi-group %{req:X-Group}
    </LocationMatch>
    <VirtualHost *:{tls_port}>
        ServerName localhost
        SSLEngine On
        SSLCertificateFile {cert}
        SSLCertificateKeyFile {key}
        Protocols h2 http/1.1
    </VirtualHost>
""", modules=("ssl", "http2", "auth_basic", "authn_file", "authz_user", "authz_host", "access_compat", "dir",
              "include"), tls=True)


def basic(user, password="sesame"):
    """Return the header field of a user."""
    return [("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())]


def shown(server, target, **options):
    """Return the environ that the script has seen."""
    server.get(target, **options)
    server.expect_log('SHOWN ."complete"', level="error")
    return dict(json.loads(line.message.partition("SHOWN ")[2])
                for line in server.expect_log("SHOWN ", level="error"))


# --- TLS and HTTP/2 -------------------------------------------------------------------------

def test_mod_ssl_in_httpd(server):
    environ = shown(server, "/app/tls?shows", tls=True)
    assert environ["https"] is True and environ["protocol"].startswith("TLSv1.")
    assert environ["wsgi.url_scheme"] == "https"


def test_mod_ssl_in_a_pool(server):
    environ = shown(server, "/app/pooled-tls?shows", tls=True)
    assert environ["https"] is True and environ["protocol"] is None


@pytest.mark.parametrize("query, status", (("true", "200"), ("false", "403"), ("raises", "403")))
def test_http2(server, query, status):
    done = subprocess.run(["curl", "-s", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code} %{http_version}",
                           f"http://localhost:{server.port}/app/access?{query}"], stdout=subprocess.PIPE,
                          text=True, check=False, timeout=20)
    server.allow_request("WGW0190")
    assert done.stdout == f"{status} 2"


# --- other providers ------------------------------------------------------------------------

def test_an_unknown_user_is_left_to_the_next_provider(server):
    server.write_work("users", "unknown:{SHA}" + base64.b64encode(
        __import__("hashlib").sha1(b"theirs").digest()).decode() + "\n")
    assert server.get("/app/two-providers", basic("unknown", "theirs")).status == 200
    assert server.get("/app/two-providers", basic("known")).status == 200
    assert server.get("/app/two-providers", basic("denied", "theirs")).status == 401
    server.allow_log("AH01617|AH01618")


def test_a_failure_is_not_left_to_the_next_provider(server):
    server.write_work("users", "raises:{SHA}" + base64.b64encode(
        __import__("hashlib").sha1(b"theirs").digest()).decode() + "\n")
    assert server.get("/app/two-providers", basic("raises", "theirs")).status == 500
    server.expect_traceback("it does not work")


@pytest.mark.parametrize("path", ("no-script", "no-group-script"))
def test_a_provider_without_a_script(server, path):
    assert server.get(f"/app/{path}", basic("known")).status == 500
    server.expect_log("WGW0195", "error")


def test_satisfy_any(server):
    server.allow_log("AH01797|AH01630|AH01617")
    assert server.get("/app/satisfy-any").status == 401
    assert server.get("/app/satisfy-any", basic("known")).status == 200
    assert server.get("/app/satisfy-any", basic("denied")).status == 401


@pytest.mark.parametrize("group, status", (("staff", 200), ("nobody", 401), ("nobody staff", 200), ("", 401)))
def test_groups_by_expression(server, group, status):
    server.allow_log("AH01631")
    assert server.get("/app/expression", basic("known") + [("X-Group", group)]).status == status


# --- subrequests and redirects --------------------------------------------------------------

def test_a_subrequest_is_asked_for(server):
    (server.htdocs / "page.shtml").write_text('[<!--#include virtual="/app/access?false" -->]')
    assert b'"callable"' not in server.get("/doc/page.shtml").body
    server.expect_log("unable to include", "error")
    (server.htdocs / "page.shtml").write_text('[<!--#include virtual="/app/access?true" -->]')
    assert b'"callable"' in server.get("/doc/page.shtml").body


def test_an_index_is_asked_for(server):
    (server.htdocs / "index.txt").write_text("index")
    assert server.get("/doc/?true").body == b"index"
    assert server.get("/doc/?false").status == 403
    assert server.get("/doc/?raises").status == 403
    server.allow_request("WGW0190")


# --- .htaccess ------------------------------------------------------------------------------

def below(server, folder, text):
    """Ask for a page below a folder with this .htaccess."""
    path = server.htdocs / folder
    path.mkdir(exist_ok=True, parents=True)
    (path / "page.txt").write_text("page")
    apps = server.places()["apps"]
    (path / ".htaccess").write_text(text.replace("{apps}", str(apps)) + "\n")
    return server.get(f"/own/{folder}/page.txt?true").status


@pytest.mark.parametrize("folder, options, status", (
    ("free", "", 200), ("free", "process-group=deciding", 200), ("free", "process-group=no-such", 500),
    ("restricted", "process-group=deciding", 200), ("restricted", "process-group=forbidden", 500),
    ("restricted", "", 500)))
def test_htaccess(server, folder, options, status):
    """It may not choose processes that it is not allowed."""
    seen = below(server, folder, "WSGIAccessScript {apps}/authority.py " + options)
    assert seen == (status if status == 200 else 403)
    if status != 200:
        server.expect_log("WGW0076|WGW0080", "error")


# --- interpreters ---------------------------------------------------------------------------

def test_a_script_in_the_main_interpreter_leaves_it_to_nobody(server):
    """DESIGN section 8: `one` is the only application group, and does not get the main interpreter."""
    assert json.loads(server.get("/secret").body)["interpreter"] != 0
