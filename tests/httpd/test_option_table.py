"""Every row of src/server/option_table.h: the contexts it may stand in, and what it refuses."""
import re

import pytest

from harness import Site, system

TABLE = (system.REPOSITORY / "src" / "server" / "option_table.h").read_text()
ROWS = {name: contexts for name, contexts in
        re.findall(r'X\("(\w+)",\s*(?:DIR|SERVER),\s*\w+,\s*\w+,\s*WGW_CTX_(\w+)', TABLE)}
ALIASES = re.findall(r'X\("(\w+)", WGW_ALIAS_', TABLE)

ON_OFF = ("On", [("Yes", "allowed is On or Off"), ("1", "allowed is On or Off")])
VALUES = {
    # directive: (a value, [(wrong value, what the message says)])
    "WSGIApplicationGroup": ("%{GLOBAL}", [("%{NOTHING}", "is not a token; allowed are"),
                                           ("%{ENV:}", "is not a token; allowed are"),
                                           ("%{GLOBAL", "is not a token; allowed are")]),
    "WSGIProcessGroup": ("%{GLOBAL}", [("%{NOTHING}", "is not a token; allowed are")]),
    "WSGIRestrictProcess": ("%{GLOBAL} other", [("other %{NOTHING}", "is not a token; allowed are")]),
    "WSGICallableObject": ("other", []),
    "WSGIScriptReloading": ON_OFF,
    "WSGIPassAuthorization": ON_OFF,
    "WSGIChunkedRequest": ON_OFF,
    "WSGIErrorOverride": ON_OFF,
    "WSGIEnableSendfile": ON_OFF,
    "WSGITrustedProxies": ("192.0.2.1 10.0.0.0/8 2001:db8::/32 10.0.0.0/255.0.0.0 *",
                           [("localhost", "names are not looked up"), ("10.0.0.0/33", "allowed is an IP"),
                            ("10.0.0.0/255.0.255.0", "allowed is an IP"), ("[::1]", "allowed is an IP"),
                            ("10.0.0.1:80", "allowed is an IP"), ("10.0.0.*", "allowed is an IP")]),
    "WSGITrustedProxyHeaders": ("x-forwarded-for Forwarded X-Scheme",
                                [("X-Forwarded-Prot", "Is it X-Forwarded-Proto?"),
                                 ("Host", "allowed is Forwarded X-Forwarded-For")]),
    "WSGIMapHEADToGET": ("Auto", [("Maybe", "allowed is On, Off or Auto")]),
    "WSGIPythonHome": ("/usr", [("/no/such/folder", "No such file"),
                                ("{apps}/probe.wsgi", "it is not a folder")]),
    "WSGIPythonPath": ("/tmp:/usr", [("/tmp:/no/such/folder", "'/no/such/folder' cannot be used")]),
    "WSGIPythonOptimize": ("2", [("3", "allowed is a whole number from 0 to 2"),
                                 ("-1", "from 0 to 2"), ("1x", "from 0 to 2"),
                                 ("4294967297", "from 0 to 2"), ("On", "from 0 to 2")]),
    "WSGIPythonWarnings": ("ignore", []),
    "WSGIPythonHashSeed": ("4294967295", [("4294967296", "allowed is random, or a whole number "
                                           "from 0 to 4294967295"),
                                          ("-1", "random, or"), ("Random1", "random, or"),
                                          ("99999999999999999999999", "random, or")]),
    "WSGIDontWriteBytecode": ON_OFF,
    "WSGIApplicationGroupLimit": ("1", [("0", "allowed is a whole number from 1 to 10000"),
                                        ("10001", "from 1 to 10000"), ("10k", "from 1 to 10000")]),
    "WSGIPerInterpreterGIL": ON_OFF,
    "WSGIFreeThreading": ON_OFF,
    "WSGISwitchInterval": ("0.005", [("0", "allowed is a number of seconds from 0.000001 to 60, such as 0.005"),
                                     ("61", "from 0.000001 to 60"), ("-1", "from 0.000001"), ("5ms", "from 0.000001"),
                                     ("nan", "from 0.000001")]),
    "WSGIDestroyInterpreter": ON_OFF,
    "WSGIEmbeddedLibrary": ("{apps}/probe.wsgi", [("/no/such/file.so", "No such file"),
                                                  ("/tmp", "it is not a regular file")]),
    "WSGISupervisor": ("/bin/sh", [("/no/such/file", "No such file")]),
    "WSGIDaemonExtension": ("/bin/sh", [("/no/such/file.so", "No such file")]),
    "WSGIRestrictEmbedded": ON_OFF,
    "WSGISocketPrefix": ("run/wsgi", [("/no/such/folder/wsgi", "No such file"),
                                     ("/tmp/" + 66 * "x", "longer than 70 bytes")]),
    "WSGISocketRotation": ON_OFF,
    "WSGIPythonEggs": ("/tmp", [("/no/such/folder", "No such file"),
                                ("{apps}/probe.wsgi", "it is not a folder")]),
    "WSGIVerboseDebugging": ON_OFF,
    "WSGICaseSensitivity": ON_OFF,
    "WSGITelemetryService": ("unix:/run/x.sock interval=0.5",
                             [("udp:localhost:80", "allowed is unix:/path"), ("unix:x", "allowed is unix:/path"),
                              ("interval=1 unix:/x", "interval=SECONDS"), ("unix:/x interval=0.4", "0.5 or more"),
                              ("unix:/x interval=nan", "0.5 or more"), ("unix:/x other", "0.5 or more")]),
    "WSGITelemetryOptions": ("+CaptureUserAgent", [("+", "allowed is All, None"), ("+Other", "allowed is All")]),
    "WSGISlowRequests": ("2.5", [("-1", "a number of seconds"), ("x", "a number of seconds"),
                                 ("1s", "a number of seconds"), ("1.2.3", "a number of seconds"),
                                 ("0x10", "a number of seconds"), (".", "a number of seconds")]),
    "WSGIAccessScript": ("{apps}/authority.py application-group=%{GLOBAL} process-group=%{GLOBAL}",
                         [("{apps}/authority.py other", "allowed is one file"),
                          ("{apps}/authority.py application-group=%{RESOURCE}", "as application-group="),
                          ("{apps}/authority.py application-group=", "as application-group="),
                          ("{apps}/authority.py process-group=%{ENV:x}", "as process-group="),
                          ("{apps}/authority.py process-group=a process-group=b", "allowed is one file")]),
    "WSGIAuthUserScript": ("{apps}/authority.py", []),
    "WSGIAuthGroupScript": ("{apps}/authority.py application-group=x", []),
    "WSGIDispatchScript": ("{apps}/dispatcher.py", []),
    "WSGIGroupAuthoritative": ON_OFF,
    "WSGIAcceptMutex": ("pthread", [("sem", "allowed is default, flock, fcntl, sysvsem, posixsem or "
                                     "pthread")]),
}
PLACES = {"server": "{}", "vhost": "<VirtualHost *:80>\n{}\n</VirtualHost>",
          "directory": "<Directory /tmp>\n{}\n</Directory>",
          "location": "<Location /x>\n{}\n</Location>"}
WRONG = [(name, value, message) for name, (_, wrong) in VALUES.items() for value, message in wrong]


def test_every_row_is_here():
    assert set(ROWS) == set(VALUES)


def allowed(directive, place):
    """Whether the table lets a directive stand in a place: S server, V vhost, D folder, H .htaccess."""
    letter = {"server": "S", "vhost": "V"}.get(place, "D")
    return letter in ROWS[directive]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("directive", VALUES)
def test_context(make_server, directive, place):
    line = f"{directive} {VALUES[directive][0]}"
    made = make_server(Site(PLACES[place].format(line)), start=False)
    code, output = made.configtest()
    if allowed(directive, place):
        assert code == 0, output
    else:
        assert code != 0 and re.search(rf"httpd.conf:\n{directive} (cannot occur within|not allowed "
                                       "(here|in))", output), output


@pytest.mark.parametrize("directive", ALIASES)
@pytest.mark.parametrize("place", ["directory", "location"])
def test_aliases_stand_in_servers_only(make_server, directive, place):
    line = f"{directive} / {'json:loads' if 'Module' in directive else '{apps}/probe.wsgi'}"
    code, output = make_server(Site(PLACES[place].replace("{}", line)), start=False).configtest()
    assert code != 0 and f"{directive} " in output, output


@pytest.mark.modes("embedded")  # in daemon mode the harness gives WSGIPythonPath to the pool, too
@pytest.mark.parametrize("directive, value, message", WRONG,
                         ids=[f"{name} {value}" for name, value, _ in WRONG])
def test_wrong_value(make_server, directive, value, message):
    place = PLACES["server" if "S" in ROWS[directive] else "directory"]
    made = make_server(Site("# first\n" + place.format(f"{directive} {value}")), start=False)
    lines = (made.root / "httpd.conf").read_text().splitlines()
    code, output = made.configtest()
    number = max(i for i, line in enumerate(lines, 1) if line.startswith(directive + " "))
    assert code != 0
    assert f"line {number} of {made.root}/httpd.conf" in output
    assert f"{directive}: " in output and message in output


# --- .htaccess -----------------------------------------------------------------------------

SITE = Site("""
    WSGIScriptAlias /app {apps}/probe.wsgi
    <Directory {htdocs}>
        AllowOverride FileInfo AuthConfig
    </Directory>
    <Directory {htdocs}/none>
        AllowOverride Limit
    </Directory>
""")


def get_below(server, folder, directive):
    path = server.htdocs / folder
    path.mkdir(exist_ok=True, parents=True)
    value = VALUES[directive][0].replace("{apps}", str(server.places()["apps"]))
    (path / ".htaccess").write_text(f"{directive} {value}\n")
    (path / "page.txt").write_text("page")
    return server.get(f"/{folder}/page.txt")


@pytest.mark.parametrize("directive", [name for name in VALUES if name != "WSGIEmbeddedLibrary"])
def test_htaccess(server, directive):
    answer = get_below(server, directive, directive)
    if "H" in ROWS[directive]:
        assert answer.status == 200 and answer.body == b"page"
    else:
        assert answer.status == 500
        server.expect_log(rf"{directive} not allowed here", "alert")


@pytest.mark.parametrize("directive", [name for name in ROWS if "H" in ROWS[name]])
def test_htaccess_without_fileinfo(server, directive):
    assert get_below(server, f"none/{directive}", directive).status == 500
    server.expect_log(rf"{directive} not allowed here", "alert")
