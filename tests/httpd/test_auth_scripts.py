"""Scripts that authenticate and decide on access: every outcome, in httpd and in a pool."""
import base64
import hashlib
import json
import re

import pytest

from harness import Site

MODES = ("embedded",)
PLACES = ("embedded", "pool")
"""Each has the same locations; below /pool the scripts run in a process group."""

LOCATIONS = """
    WSGIScriptAlias /{place}/app {apps}/probe.wsgi
    <Location /{place}/basic>
        AuthType Basic
        AuthName here
        AuthBasicProvider wsgi
        WSGIAuthUserScript {apps}/authority.py {options}
        Require valid-user
    </Location>
    <Location /{place}/app>
        AuthType Basic
        AuthName here
        AuthBasicProvider wsgi
        WSGIAuthUserScript {apps}/authority.py {options}
        WSGIAuthGroupScript {apps}/authority.py {options}
        Require valid-user
    </Location>
    <Location /{place}/digest>
        AuthType Digest
        AuthName there
        AuthDigestProvider wsgi
        WSGIAuthUserScript {apps}/authority.py {options}
        Require valid-user
    </Location>
    <Location /{place}/access>
        WSGIAccessScript {apps}/authority.py {options}
    </Location>
    <LocationMatch ^/{place}/(app/)?groups>
        AuthType Basic
        AuthName here
        AuthBasicProvider wsgi
        WSGIAuthUserScript {apps}/authority.py {options}
        WSGIAuthGroupScript {apps}/authority.py {options}
        Require wsgi-group staff größe
    </LocationMatch>
    <LocationMatch ^/{place}/app/groups-forbidden>
        AuthzSendForbiddenOnFailure On
        Require wsgi-group staff
    </LocationMatch>
    <LocationMatch ^/{place}/app/groups-not>
        <RequireAll>
            Require valid-user
            Require not wsgi-group staff
        </RequireAll>
    </LocationMatch>
    <LocationMatch ^/{place}/app/groups-any>
        <RequireAny>
            Require user known
            Require wsgi-group staff
        </RequireAny>
    </LocationMatch>
    <LocationMatch ^/{place}/app/groups-all>
        <RequireAll>
            Require wsgi-group others
            Require wsgi-group staff
        </RequireAll>
    </LocationMatch>
    <Location /{place}/missing>
        WSGIAccessScript {work}/not-there.py {options}
    </Location>
    <Location /{place}/folder>
        WSGIAccessScript {apps} {options}
    </Location>
    <Location /{place}/syntax>
        WSGIAccessScript {work}/syntax.py {options}
    </Location>
    <Location /{place}/import>
        WSGIAccessScript {work}/import.py {options}
    </Location>
    <Location /{place}/without>
        WSGIAccessScript {work}/without.py {options}
    </Location>
    <Location /{place}/unreadable>
        WSGIAccessScript {work}/unreadable.py {options}
    </Location>
    <Location /{place}/uncallable>
        WSGIAccessScript {work}/uncallable.py {options}
    </Location>
    <Location /{place}/changes>
        WSGIAccessScript {work}/changes.py {options}
    </Location>
    <LocationMatch ^/{place}/app/no-script>
        AuthType Basic
        AuthName here
        AuthBasicProvider wsgi
        Require valid-user
    </LocationMatch>
"""


def locations(place):
    """Return the locations of a place."""
    options = {"embedded": "", "pool": "process-group=deciding"}[place]
    return LOCATIONS.replace("{place}", place).replace("{options}", options)


SITE = Site("""
    WSGIDaemonProcess deciding processes=2 threads=4 pass-env=LD_PRELOAD,ASAN_OPTIONS,UBSAN_OPTIONS,PYTHONMALLOC
    WSGIApplicationGroup %{GLOBAL}
    SetEnv CONFIGURED yes
    <Directory />
        Require all granted
    </Directory>
""" + "".join(map(locations, PLACES)) + """
    <VirtualHost *:{port}>
        ServerName localhost
    </VirtualHost>
    <VirtualHost *:{port}>
        ServerName other
        ErrorLog {logs}/other-error.log
    </VirtualHost>
""", modules=("auth_basic", "auth_digest", "authz_user", "authz_host", "access_compat"))


@pytest.fixture(params=PLACES)
def place(request):
    """Where the scripts run."""
    return request.param


@pytest.fixture(autouse=True)
def scripts(request):
    """Files that tests may change."""
    if "server" not in request.fixturenames:
        return
    server = request.getfixturevalue("server")
    server.write_work("syntax.py", "def allow_access(:\n")
    server.write_work("import.py", "import no_such_module\n")
    server.write_work("without.py", "def other(environ):\n    return True\n")
    server.write_work("uncallable.py", "allow_access = True\n")
    server.write_work("unreadable.py", "def allow_access(environ, host): return True\n", mode=0)
    server.allow_log("WGW0193")
    server.allow_log("AH016(30|31|17|18|14)|AH0179|user .* not found|AH02809|AH01790")


def expect_fault(server):
    """The log has one exception, and nothing else of it."""
    server.expect_log("WGW0190", count=1)
    server.expect_log("Error: |SystemExit", level="error")
    server.allow_request("WGW0190")


def basic(user, password="sesame", coding="utf-8"):
    """Return the header field of a user."""
    token = base64.b64encode(f"{user}:{password}".encode(coding)).decode()
    return [("Authorization", f"Basic {token}")]


def login(server, place, user, password="sesame", path="app/dump", **options):
    """Ask the application behind the authentication."""
    return server.get(f"/{place}/{path}", basic(user, password, options.pop("coding", "utf-8")), **options)


# --- passwords ------------------------------------------------------------------------------

def test_granted(server, place):
    answer = login(server, place, "known")
    assert answer.status == 200
    environ = json.loads(answer.body)["environ"]
    assert environ["REMOTE_USER"] == "known"
    assert environ["AUTH_TYPE"] == "Basic"


@pytest.mark.parametrize("user", ("denied", "unknown"))
def test_not_granted(server, place, user):
    answer = login(server, place, user)
    assert answer.status == 401
    assert answer.header("WWW-Authenticate") == 'Basic realm="here"'


def test_no_credentials(server, place):
    assert server.get(f"/{place}/app/dump").status == 401


def test_wrong_password(server, place):
    assert login(server, place, "known", "wrong").status == 401


def test_replaced_user(server, place):
    answer = login(server, place, "renamed")
    assert json.loads(answer.body)["environ"]["REMOTE_USER"] == "another"


@pytest.mark.parametrize("user", ("integer", "zero", "float", "list", "empty-list", "bytes", "empty",
                                  "object", "newline", "nul", "long", "surrogate", "raises", "leaves"))
def test_no_answer_is_no_permission(server, place, user):
    assert login(server, place, user).status == 500
    expect_fault(server)


@pytest.mark.parametrize("coding", ("utf-8", "latin-1"))
def test_names_beyond_ascii(server, place, coding):
    answer = login(server, place, "müller", "größe", coding=coding)
    assert answer.status == 200
    assert json.loads(answer.body)["environ"]["REMOTE_USER"].encode("latin-1") == "müller-2".encode()
    assert login(server, place, "müller", "grosse", coding=coding).status == 401


def test_blank_password_and_colons(server, place):
    assert login(server, place, "blank", "").status == 200
    assert login(server, place, "blank").status == 401
    assert login(server, place, "colon", "a:b:c").status == 200
    assert login(server, place, "", "sesame").status == 200, "an empty name is the script's to judge"


def test_line_end_in_a_name(server, place):
    answer = login(server, place, "a\nb")
    assert answer.status == 200
    assert json.loads(answer.body)["environ"]["REMOTE_USER"] == "a\nb"


def test_no_script(server, place):
    login_to = f"/{place}/basic"
    assert server.get(login_to).status == 401


def test_password_is_nowhere(server, place):
    assert login(server, place, "raises", "unmistakable-password").status == 500
    server.expect_traceback("it does not work")
    assert "unmistakable-password" not in server.log.text()


# --- environ --------------------------------------------------------------------------------

def show(server, target, headers=(), **options):
    """Return the environ that the script has seen."""
    server.request(options.pop("method", "GET"), target, headers, **options)
    server.expect_log('SHOWN ."complete"', level="error")
    return dict(json.loads(line.message.partition("SHOWN ")[2])
                for line in server.expect_log("SHOWN ", level="error"))


def test_environ(server, place):
    environ = show(server, f"/{place}/app/dump/rest?a=b", basic("shows") + [("X-Test", "value")])
    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["SCRIPT_NAME"] == f"/{place}/app"
    assert environ["PATH_INFO"] == "/dump/rest"
    assert environ["QUERY_STRING"] == "a=b"
    assert environ["HTTP_X_TEST"] == "value"
    assert environ["SCRIPT_FILENAME"].endswith("probe.wsgi")
    assert environ["mod_wsgi.process_group"] == {"embedded": "", "pool": "deciding"}[place]
    assert environ["mod_wsgi.application_group"] == ""
    assert environ["https"] is False
    assert environ["protocol"] is None
    for absent in ("HTTP_AUTHORIZATION", "CONFIGURED", "wsgi.input", "wsgi.file_wrapper", "CONTENT_LENGTH"):
        assert absent not in environ


def test_log_of_the_virtual_host(server, place):
    server.get(f"/{place}/access/x?shows", host="other")
    server.expect_log("SHOWN ", level="error", file="other-error.log")


# --- digest ---------------------------------------------------------------------------------

def digest(server, place, user, password="sesame"):
    """Answer a challenge (RFC 7616, MD5)."""
    target = f"/{place}/digest/x"
    challenge = server.get(target).header("WWW-Authenticate")
    values = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))

    def md5(text):
        return hashlib.md5(text.encode()).hexdigest()
    ha1, ha2 = md5(f"{user}:there:{password}"), md5(f"GET:{target}")
    response = md5(f"{ha1}:{values['nonce']}:00000001:abc:auth:{ha2}")
    fields = (f'username="{user}", realm="there", nonce="{values["nonce"]}", uri="{target}", '
              f'qop=auth, nc=00000001, cnonce="abc", response="{response}", algorithm=MD5')
    return server.get(target, [("Authorization", f"Digest {fields}")])


@pytest.mark.parametrize("user, password, status", (
    ("known", "sesame", 404), ("as-bytes", "sesame", 404), ("known", "wrong", 401), ("unknown", "sesame", 401)))
def test_digest(server, place, user, password, status):
    assert digest(server, place, user, password).status == status


@pytest.mark.parametrize("user", ("true", "integer", "empty", "raises"))
def test_digest_without_an_answer(server, place, user):
    assert digest(server, place, user).status == 500
    expect_fault(server)


# --- groups ---------------------------------------------------------------------------------

@pytest.mark.parametrize("user, status", (
    ("known", 200), ("as-bytes", 200), ("umlaut", 200), ("staff-and-failing", 200), ("nobody", 401), ("huge", 401)))
def test_groups(server, place, user, status):
    assert login(server, place, user, path="app/groups").status == status


@pytest.mark.parametrize("user", ("none", "text", "numbers", "failing", "raises-groups", "true"))
@pytest.mark.parametrize("path", ("app/groups", "app/groups-not"))
def test_groups_without_an_answer(server, place, user, path):
    """Not even a Require that is met by the absence of a group."""
    assert login(server, place, user, path=path).status == 500
    expect_fault(server)


@pytest.mark.parametrize("path, user, status", (
    ("groups-not", "known", 401), ("groups-not", "nobody", 200), ("groups-any", "known", 200),
    ("groups-any", "nobody", 401), ("groups-all", "known", 200), ("groups-all", "as-bytes", 401),
    ("groups-forbidden", "nobody", 403), ("groups-forbidden", "known", 200)))
def test_groups_combined(server, place, path, user, status):
    assert login(server, place, user, path=f"app/{path}").status == status


# --- access ---------------------------------------------------------------------------------

@pytest.mark.parametrize("answer, status", (("true", 404), ("none", 404), ("false", 403)))
def test_access(server, place, answer, status):
    assert server.get(f"/{place}/access/x?{answer}").status == status


@pytest.mark.parametrize("answer", ("text", "integer", "zero", "list", "empty", "bytes", "raises", "leaves"))
def test_access_without_an_answer(server, place, answer):
    assert server.get(f"/{place}/access/x?{answer}").status == 403
    expect_fault(server)


def test_host_is_the_address(server, place):
    assert show(server, f"/{place}/access/x?shows")["host"] == "127.0.0.1"


@pytest.mark.parametrize("path, message", (
    ("missing", "WGW0191: .*No such file"), ("folder", "WGW0191: .*it is a folder"),
    ("syntax", "SyntaxError"), ("import", "ModuleNotFoundError"), ("without", "allow_access"),
    ("uncallable", "not callable"), ("unreadable", "Permission")))
def test_script_that_cannot_be_asked(server, place, path, message):
    if path == "unreadable" and server.get(f"/{place}/unreadable/x").status == 404:
        pytest.skip("this user may read everything")
    server.allow_request(".")
    assert server.get(f"/{place}/{path}/x").status == 403
    server.allow_log("WGW00|WGW01")
    assert server.get(f"/{place}/{path}/x").status == 403


def test_script_that_changes(server, place):
    server.write_work("changes.py", "def allow_access(environ, host):\n    return False\n")
    assert server.get(f"/{place}/changes/x").status == 403
    server.write_work("changes.py", "def allow_access(environ, host):\n    return not False\n")
    assert server.get(f"/{place}/changes/x").status == 404


# --- methods and bodies ---------------------------------------------------------------------

@pytest.mark.parametrize("method", ("HEAD", "OPTIONS"))
def test_methods(server, place, method):
    assert server.request(method, f"/{place}/app/dump").status == 401
    assert server.request(method, f"/{place}/app/dump", basic("known")).status == 200


def test_body_is_left_to_the_application(server, place):
    answer = server.post(f"/{place}/app/x?read=1", b"x" * 100000, basic("known"))
    assert json.loads(answer.body)["body"] == "x" * 100000
    assert server.post(f"/{place}/app/x", b"x" * 100000).status == 401
