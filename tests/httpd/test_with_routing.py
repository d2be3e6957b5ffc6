"""mod_rewrite, mod_auth_basic, ErrorDocument and internal redirects around the application."""
import base64
import json

import pytest

from harness import Site

SITE = Site("""
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias /app {apps}/probe.wsgi
    WSGIScriptAlias /stream {apps}/stream.wsgi
    WSGIScriptAlias /override {apps}/stream.wsgi
    RewriteEngine On
    RewriteRule ^/nice/(.*)$ /app/$1 [PT,E=REWRITTEN:yes]
    RewriteRule ^/query/(.*)$ /app/x?q=$1 [PT,QSA]
    RewriteRule ^/gone /app [G]
    Alias /folder {htdocs}
    <Directory {htdocs}>
        AllowOverride All
    </Directory>
    <Location /app/private>
        AuthType Basic
        AuthName private
        AuthUserFile {work}/passwords
        Require valid-user
    </Location>
    <Location /override>
        WSGIErrorOverride On
    </Location>
    ErrorDocument 404 /stream/redirected
    ErrorDocument 500 /stream/redirected
    ErrorDocument 403 "forbidden here"
    ErrorDocument 409 "conflict here"
    Alias /forbidden {htdocs}
    <Location /forbidden>
        Require all denied
    </Location>
    DirectoryIndex disabled
    <Location /index>
        DirectoryIndex /app/index
    </Location>
    Alias /index {htdocs}
    <Location /fallback>
        FallbackResource /app/fallback
    </Location>
    Alias /fallback {htdocs}
""", modules=("rewrite", "auth_basic", "authn_file", "authz_user", "dir"))


def environ(server, target, **options):
    answer = server.get(target, **options)
    assert answer.status == 200, answer
    return json.loads(answer.body)["environ"]


# --- rewrite -------------------------------------------------------------------------------

def test_rewrite_to_an_alias(server):
    seen = environ(server, "/nice/a/b?c=d")
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/app", "/a/b")
    assert (seen["REQUEST_URI"], seen["QUERY_STRING"]) == ("/nice/a/b?c=d", "c=d")
    assert seen["REWRITTEN"] == "yes"


def test_rewrite_of_the_query(server):
    seen = environ(server, "/query/value?more=1")
    assert seen["QUERY_STRING"] == "q=value&more=1" and seen["PATH_INFO"] == "/x"


def test_rewrite_in_a_directory(server):
    """Per directory it is an internal redirect; the usual .htaccess of a framework."""
    (server.htdocs / ".htaccess").write_text(
        "RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\n"
        "RewriteRule ^(.*)$ /app/$1 [QSA,L,E=BY:htaccess]\n")
    (server.htdocs / "file.txt").write_text("file")
    assert server.get("/folder/file.txt").body == b"file"
    seen = environ(server, "/folder/a/b?c=d")
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/app", "/a/b")
    assert (seen["REQUEST_URI"], seen["QUERY_STRING"]) == ("/folder/a/b?c=d", "c=d")
    assert seen["REDIRECT_BY"] == "htaccess" and seen["REDIRECT_URL"] == "/folder/a/b"
    (server.htdocs / ".htaccess").unlink()


def test_post_through_a_rewrite_in_a_directory(server):
    """The body survives the internal redirect."""
    (server.htdocs / ".htaccess").write_text("RewriteEngine On\n"
                                             "RewriteRule ^(.*)$ /stream/echo [L]\n")
    assert server.post("/folder/x", b"the body").body == b"the body"
    (server.htdocs / ".htaccess").unlink()


@pytest.mark.parametrize("target, path_info", [("/index/", "/index"),
                                               ("/fallback/a/b", "/fallback")],
                         ids=["DirectoryIndex", "FallbackResource"])
def test_by_mod_dir(server, target, path_info):
    """mod_dir looks the application up by a subrequest and takes its result over."""
    seen = environ(server, target)
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/app", path_info)


def test_gone(server):
    assert server.get("/gone").status == 410


# --- authentication ------------------------------------------------------------------------

def basic(password):
    return [("Authorization", "Basic " + base64.b64encode(f"ann:{password}".encode()).decode())]


@pytest.fixture
def passwords(server):
    """The SHA1 of "secret", as of htpasswd -s."""
    server.write_work("passwords", "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")


@pytest.mark.usefixtures("passwords")
def test_user_of_httpd(server):
    seen = environ(server, "/app/private", headers=basic("secret"))
    assert (seen["REMOTE_USER"], seen["AUTH_TYPE"]) == ("ann", "Basic")
    assert "HTTP_AUTHORIZATION" not in seen


@pytest.mark.usefixtures("passwords")
@pytest.mark.parametrize("headers", [[], basic("wrong")], ids=["none", "wrong"])
def test_denied_before_python(server, headers):
    answer = server.get("/app/private", headers)
    assert answer.status == 401 and answer.header("X-Probe") is None
    server.allow_log("AH01617")


def test_without_authentication_nobody(server):
    seen = environ(server, "/app", headers=basic("secret"))
    assert not {"REMOTE_USER", "AUTH_TYPE", "HTTP_AUTHORIZATION"} & set(seen)


# --- error documents -----------------------------------------------------------------------

def test_error_document_by_the_application(server):
    """httpd's own 404: an internal redirect to the application."""
    answer = server.get("/nowhere?a=b")
    assert answer.status == 404
    lines = answer.text.splitlines()
    for line in ("REDIRECT_STATUS=404", "REDIRECT_URL=/nowhere", "REDIRECT_QUERY_STRING=a=b",
                 "REQUEST_URI=/nowhere?a=b", "PATH_INFO=/redirected", "REQUEST_METHOD=GET"):
        assert line in lines
    server.allow_log("AH00128")


def test_error_document_of_an_exception(server):
    """An application that raised: the page for 500 is served by (another part of) it."""
    answer = server.get("/stream/raise")
    assert answer.status == 500
    assert "REDIRECT_STATUS=500" in answer.text and "REDIRECT_URL=/stream/raise" in answer.text
    server.expect_traceback("ValueError: raised on purpose")


def test_error_document_after_post(server):
    """The redirect turns into GET, with the method that failed in REDIRECT_REQUEST_METHOD."""
    answer = server.post("/nowhere", b"x" * 1000)
    assert answer.status == 404 and "REQUEST_METHOD=GET" in answer.text
    assert "REDIRECT_REQUEST_METHOD=POST" in answer.text
    server.allow_log("AH00128")


def test_error_document_text(server):
    answer = server.get("/forbidden/x")
    assert (answer.status, answer.body) == (403, b"forbidden here")
    server.allow_log("AH01630")


def test_own_error_page_stays(server):
    """Without WSGIErrorOverride, what the application says goes out as it is."""
    answer = server.get("/stream/status?status=409+Conflict")
    assert (answer.status, answer.body) == (409, b"the application's own page")


def test_error_override(server):
    answer = server.get("/override/status?status=409+Conflict")
    assert (answer.status, answer.body) == (409, b"conflict here")
    assert answer.header("X-Application") == "yes"


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "399 Odd"])
def test_error_override_leaves_success_alone(server, status):
    answer = server.get(f"/override/status?status={status.replace(' ', '+')}")
    assert answer.status == int(status[:3]) and answer.body == b"the application's own page"


def test_error_override_by_the_application(server):
    """ErrorDocument 404 of this server is itself served by Python."""
    answer = server.get("/override/status?status=404+Not+Found")
    assert answer.status == 404 and "REDIRECT_STATUS=404" in answer.text


def test_keep_alive_after_errors(server):
    """The connection stays usable after each kind of error that httpd keeps it for."""
    with server.connect() as connection:
        for target, status in (("/nowhere", 404), ("/forbidden/x", 403),
                               ("/override/status?status=409+Conflict", 409),
                               ("/stream/status?status=502+Own", 502), ("/app", 200)):
            connection.request("GET", target)
            assert connection.response().status == status
    server.allow_log("AH00128|AH01630")
