"""Which process group a request has, and what is refused before a process is asked."""
import json
import os

import pytest

from harness import Site, system

MODES = ("embedded",)
USER = system.server_user().pw_name

SITE = Site("""
    WSGIDaemonProcess main
    WSGIDaemonProcess other home={htdocs}
    WSGIDaemonProcess imports threads=0
    <VirtualHost *:{port}>
        ServerName one
        WSGIDaemonProcess own
        SetEnvIf X-Group (.+) GROUP=$1
        WSGIScriptAlias /embedded {apps}/probe.wsgi
        WSGIScriptAlias /main {apps}/probe.wsgi process-group=main
        WSGIScriptAlias /own {apps}/probe.wsgi process-group=own
        WSGIScriptAlias /env {apps}/probe.wsgi process-group=%{ENV:GROUP}
        WSGIScriptAlias /unset {apps}/probe.wsgi process-group=%{ENV:NOT_SET}
        SetEnv EMPTY ""
        WSGIScriptAlias /empty {apps}/probe.wsgi process-group=%{ENV:EMPTY}
        WSGIScriptAlias /host {apps}/probe.wsgi process-group=%{HOST}
        WSGIScriptAlias /server {apps}/probe.wsgi process-group=%{SERVER}
        WSGIScriptAlias /resource {apps}/probe.wsgi process-group=%{RESOURCE}
        WSGIScriptAlias /list {apps}/probe.wsgi process-group=%{ENV:GROUP}
        WSGIScriptAlias /inherits {apps}/probe.wsgi
        <Location /inherits>
            WSGIProcessGroup other
        </Location>
        <Location /embedded/none>
            WSGIRestrictProcess main
        </Location>
        <Location /list>
            WSGIRestrictProcess main
            WSGIRestrictProcess other %{GLOBAL}
        </Location>
        <Location /list/inner>
            WSGIRestrictProcess own
        </Location>
    </VirtualHost>
    <VirtualHost *:{port}>
        ServerName ONE
        ServerAlias again
        WSGIScriptAlias /own {apps}/probe.wsgi process-group=own
    </VirtualHost>
    <VirtualHost *:{port}>
        ServerName two
        WSGIScriptAlias /own {apps}/probe.wsgi
        <Location /own>
            WSGIProcessGroup own
        </Location>
        WSGIScriptAlias /main {apps}/probe.wsgi process-group=main
    </VirtualHost>
""", modules=("setenvif",))

def ask(server, target, host="one", group=None):
    """Return the process group that serves a request, or else the message of its refusal."""
    answer = server.get(target, [("X-Group", group)] if group else [], host=host)
    if answer.status == 200:
        return json.loads(answer.body)["environ"]["mod_wsgi.process_group"]
    assert answer.status == 500
    return server.expect_log("WGW00(76|80|81|82): ", "error")[-1].message


@pytest.mark.parametrize("target, host, group", [
    ("/main", "one", "main"), ("/main", "two", "main"), ("/own", "one", "own"), ("/own", "again", "own"),
    ("/inherits", "one", "other")])
def test_group_by_configuration(server, target, host, group):
    assert ask(server, target, host) == group


@pytest.mark.parametrize("group", ["main", "other", "own"])
def test_group_by_variable(server, group):
    assert ask(server, "/env", group=group) == group


def test_embedded(server):
    assert ask(server, "/embedded") == ""
    assert ask(server, "/env", group="%{GLOBAL}") == ""


UNKNOWN = "WGW0080: process group '%s' is not declared"


def test_unknown_group(server):
    assert ask(server, "/env", group="man").startswith(UNKNOWN % "man" + "; did you mean 'main'?")
    assert ask(server, "/unset") == UNKNOWN % "%{ENV:NOT_SET}" + "."
    assert ask(server, "/empty") == UNKNOWN % "%{ENV:EMPTY}" + "."
    assert ask(server, "/host") == UNKNOWN % f"one:{server.port}" + "."
    assert ask(server, "/server") == UNKNOWN % f"one:{server.port}" + "."
    assert ask(server, "/resource/x") == UNKNOWN % f"one:{server.port}|/resource" + "."


def test_group_of_another_virtual_host(server):
    assert ask(server, "/own", "two") == ("WGW0081: process group 'own' is declared in a virtual host with "
                                          "another ServerName, and is for that one only")


def test_group_that_serves_no_requests(server):
    assert ask(server, "/env", group="imports").startswith("WGW0082: process group 'imports' has threads=0")


def test_home_is_on_the_path(server):
    """First, as in mod_wsgi, but for what the script puts before it; and only where it is given."""
    paths = [json.loads(server.get(target, host="one").body)["path"] for target in ("/inherits", "/main")]
    assert paths[0][1] == str(server.htdocs) and str(server.htdocs) not in paths[1]


def test_restrict_process(server):
    assert ask(server, "/list", group="main") == "main"
    assert ask(server, "/list", group="other") == "other"
    assert ask(server, "/list", group="%{GLOBAL}") == ""
    forbidden = "WGW0076: process group '%s' is not allowed here; WSGIRestrictProcess allows %s"
    assert ask(server, "/list", group="own") == forbidden % ("own", "main other %{GLOBAL}")
    assert ask(server, "/list", group="nothing") == forbidden % ("nothing", "main other %{GLOBAL}")
    assert ask(server, "/embedded/none") == forbidden % ("%{GLOBAL}", "main")
    assert ask(server, "/list/inner", group="main") == forbidden % ("main", "own"), "the inner list alone"
    assert ask(server, "/list/inner", group="own") == "own"


def test_graceful_restart_declares_anew(make_server):
    made = make_server(Site("WSGIDaemonProcess one\nWSGIScriptAlias / {apps}/probe.wsgi process-group=one"))
    made.write_config(Site("WSGIDaemonProcess two\nWSGIDaemonProcess one\n"
                           "WSGIScriptAlias / {apps}/probe.wsgi process-group=two"))
    made.graceful()
    assert ask(made, "/", "localhost") == "two"


# --- WSGIRestrictEmbedded, WSGIImportScript ------------------------------------------------

ALIASES = "WSGIScriptAlias /a {apps}/probe.wsgi\nWSGIScriptAlias /b {apps}/probe.wsgi process-group=one\n"


def test_restrict_embedded(make_server):
    made = make_server(Site("WSGIRestrictEmbedded On\nWSGIDaemonProcess one\n" + ALIASES))
    assert made.get("/a").status == 500
    made.expect_log("WGW0077: WSGIRestrictEmbedded is On, and nothing routes this request to a "
                    "WSGIDaemonProcess", "error")
    assert ask(made, "/b", "localhost") == "one"
    assert not made.log.find("WGW0002"), "Python does not start in the children"
    assert not maps_python(made)


@pytest.mark.parametrize("restricts", ["On", "Off"])
def test_import_script(make_server, restricts):
    """In every child, before a request, in the group that is named."""
    made = make_server(Site(f"""
        WSGIRestrictEmbedded {restricts}
        WSGIImportScript {{work}}/import.py process-group=%{{GLOBAL}} application-group=mine
    """), start=False)
    made.write_work("import.py", "print('imported', __file__)\n")
    made.start()
    made.expect_log("imported .*/work/import.py", "error")
    assert made.log.find("WGW0036: application group 'mine' is the only one of the configuration")


def test_import_script_of_a_pool_is_not_for_the_children(make_server):
    made = make_server(Site("WSGIDaemonProcess one\nWSGIImportScript {work}/import.py process-group=one "
                            "application-group=mine"))
    made.expect_log("WGW0070: WSGIImportScript: '.*/import.py' cannot be found now", "warn")
    made.expect_log("WGW0014: '.*/import.py' could not be loaded", "error")
    made.expect_log("FileNotFoundError: .*/import.py", "error")
    assert not made.log.find("WGW0002") and not maps_python(made)


def maps_python(made):
    """Say whether a process of the server has libpython in its memory."""
    return [process for process in made.remember_processes()
            if "libpython" in open(f"/proc/{process.pid}/maps", encoding="utf-8").read()]


def test_children_start_python_at_the_first_request_that_a_variable_sends_there(make_server):
    made = make_server(Site("WSGIDaemonProcess one\nSetEnv GROUP %{GLOBAL}\n"
                            "WSGIScriptAlias / {apps}/probe.wsgi process-group=%{ENV:GROUP}"))
    assert not maps_python(made)
    assert made.get("/").status == 200
    assert maps_python(made)


APPLICATION = """def application(environ, start_response):
    start_response("200 OK", [])
    return [b"served"]
"""


# --- script-user, script-group -------------------------------------------------------------

@pytest.mark.skipif(not system.is_root(), reason="files of several owners")
@pytest.mark.parametrize("option, owner, group, script, folder, is_right", [
    ("script-user=#5", 5, 0, 0o644, 0o755, True),
    ("script-user=#5", 5, 0, 0o600, 0o711, None),
    ("script-user=#5", 6, 0, 0o644, 0o755, False),
    ("script-user=#5", 5, 0, 0o664, 0o755, False),
    ("script-user=#5", 5, 0, 0o646, 0o755, False),
    ("script-user=#5", 5, 0, 0o644, 0o775, False),
    ("script-user=#5", 5, 0, 0o644, 0o757, False),
    ("script-group=#7", 5, 7, 0o664, 0o775, True),
    ("script-group=#7", 5, 8, 0o664, 0o775, False),
    ("script-group=#7", 5, 7, 0o666, 0o775, False),
    ("script-group=#7", 5, 7, 0o664, 0o777, False),
])
def test_owner(make_server, option, owner, group, script, folder, is_right):
    made = make_server(Site(f"WSGIDaemonProcess one {option}\nWSGIProcessGroup one\n"
                            "WSGIScriptAlias / {work}/site/app.wsgi"), start=False)
    path = made.write_work("site/app.wsgi", APPLICATION, script)
    for each, mode in ((path, script), (path.parent, folder)):
        os.chown(each, owner, group)
        each.chmod(mode)
    made.start()
    answer = made.get("/")
    if is_right is False:
        assert answer.status == 403
        made.expect_log(rf"WGW0078: '.*/site/(app.wsgi)?' must belong to (user 5|group 7), and .* may be "
                        f"allowed to write it: {option[:-3]} of process group 'one' demands it", "error")
    elif is_right is None:
        assert answer.status == 403
        made.expect_log("WGW0013: '.*/site/app.wsgi' may not be read by the server's user", "error")
    else:
        assert answer.status == 200


@pytest.mark.skipif(not system.is_root(), reason="files of several owners")
def test_owner_of_the_folder(make_server):
    """A link of somebody else to a script of the user is no script of the user."""
    made = make_server(Site("WSGIDaemonProcess one script-user=#5\nWSGIProcessGroup one\n"
                            "WSGIScriptAlias / {work}/links"), start=False)
    path = made.write_work("site/app.wsgi", "")
    for each in (path, path.parent):
        os.chown(each, 5, 5)
        each.chmod(0o755)
    (made.work / "links").mkdir()
    (made.work / "links/app.wsgi").symlink_to(path)
    made.start()
    assert made.get("/app.wsgi").status == 403
    made.expect_log("WGW0078: '.*/links/' must belong to user 5", "error")


def test_owner_of_a_module(make_server):
    made = make_server(Site(f"WSGIDaemonProcess one script-user={USER}\nWSGIProcessGroup one\n"
                            "WSGIModuleAlias / json:loads"))
    assert made.get("/").status == 403
    made.expect_log("WGW0079: process group 'one' demands an owner of the script", "error")
