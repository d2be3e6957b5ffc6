"""mod_wsgigw.so under both its names, and when libpython is mapped (DESIGN.md 4.1)."""
import pathlib
import re
import subprocess

import pytest

from harness import Site, eventually, stage

MODES = ("embedded",)
LINES = stage.load_lines
GLOBAL = "WSGIApplicationGroup %{GLOBAL}\n"
ALIAS = GLOBAL + "WSGIScriptAlias / {apps}/probe.wsgi\n"


def module_file():
    return re.search(r"LoadModule \w+ (\S+)", LINES())[1].strip('"')


def companion():
    return re.search(r"WSGIEmbeddedLibrary (\S+)", LINES())[1].strip('"')


def tool(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# --- the file ------------------------------------------------------------------------------

def test_module_does_not_need_libpython():
    assert "libpython" not in tool("readelf", "-d", module_file())
    assert not re.search(r" U _?Py", tool("nm", "-D", "--undefined-only", module_file()))


def test_companion_does():
    assert "libpython" in tool("readelf", "-d", companion())
    assert not re.search(r" U ap_| U apr_", tool("nm", "-D", "--undefined-only", companion()))


def test_exports_only_what_httpd_looks_for():
    names = set(re.findall(r" [A-TV-Z] (\w+)", tool("nm", "-D", "--defined-only", module_file())))
    assert names - {"_init", "_fini"} == {"wsgigw_module", "wsgi_module"}


# --- the names -----------------------------------------------------------------------------

NAMES = {"wsgigw": ("wsgigw_module", "mod_wsgigw.c"), "wsgi": ("wsgi_module", "mod_wsgi.c")}


def site(name, text):
    lines = LINES().replace("wsgigw_module", NAMES[name][0])
    return Site(lines + "\n" + text, load_wsgi=False, modules=("headers",), log_level="warn")


@pytest.mark.parametrize("condition", ["module", "source"])
@pytest.mark.parametrize("name", NAMES)
def test_ifmodule(make_server, name, condition):
    here = NAMES[name][condition == "source"]
    there = NAMES["wsgi" if name == "wsgigw" else "wsgigw"][condition == "source"]
    made = make_server(site(name, f"""{ALIAS}
        <IfModule {here}>
            Header set X-Here yes
        </IfModule>
        <IfModule {there}>
            Header set X-There yes
        </IfModule>"""))
    answer = made.get("/")
    assert answer.status == 200
    assert (answer.header("X-Here"), answer.header("X-There")) == ("yes", None)


@pytest.mark.parametrize("name", NAMES)
def test_log_level(make_server, name):
    made = make_server(site(name, f"{ALIAS}LogLevel {name}:info\n"))
    made.get("/")
    assert made.expect_log("WGW0002: Python", "info")[0].module == name


@pytest.mark.parametrize("name", NAMES)
def test_without_log_level_info_is_quiet(make_server, name):
    made = make_server(site(name, ALIAS))
    made.get("/")
    assert not made.log.find("WGW")


# --- libpython in memory -------------------------------------------------------------------

def maps_libpython(pid):
    return "libpython" in pathlib.Path(f"/proc/{pid}/maps").read_text()


def pids(server):
    """Return the parent and the list of its children."""
    everybody = {process.pid for process in server.remember_processes()}
    return server.pid, sorted(everybody - {server.pid})


def test_no_route_no_python(make_server):
    made = make_server(Site("Alias /static {htdocs}\nWSGIPythonOptimize 1\n"))
    (made.htdocs / "page").write_text("page")
    assert made.get("/static/page").status == 200
    parent, children = pids(made)
    assert children and not [pid for pid in (parent, *children) if maps_libpython(pid)]
    made.graceful()
    parent, children = pids(made)
    assert not [pid for pid in (parent, *children) if maps_libpython(pid)]


def test_by_handler_not_before_the_first_request(make_server):
    made = make_server(Site(GLOBAL + """Alias / {apps}/
        <Directory {apps}>
            AddHandler wsgi-script .wsgi
            Options +ExecCGI
        </Directory>
        TypesConfig /dev/null""", modules=("mime",)))
    assert made.get("/appkit.py").status == 200
    parent, children = pids(made)
    assert not [pid for pid in (parent, *children) if maps_libpython(pid)]
    assert made.get("/none.wsgi").status == 404, "no Python for what does not exist"
    made.allow_log("WGW0040|AH00128")
    assert not [pid for pid in children if maps_libpython(pid)]
    assert made.get("/probe.wsgi").status == 200
    assert [pid for pid in children if maps_libpython(pid)] and not maps_libpython(parent)


def test_by_alias_from_the_start_but_never_in_the_parent(make_server):
    made = make_server(Site(ALIAS))
    parent, children = pids(made)
    eventually(lambda: all(map(maps_libpython, pids(made)[1])), "Python in every child")
    assert made.get("/").status == 200 and not maps_libpython(parent)
    made.graceful()
    assert made.get("/").status == 200 and not maps_libpython(parent)


def test_companion_missing(make_server):
    """A half-finished installation is said at start, not by the first request."""
    lines = re.sub(r"WSGIEmbeddedLibrary .*", "", LINES())
    made = make_server(Site(lines + ALIAS, load_wsgi=False), start=False)
    code, output = made.configtest()
    if code == 0:
        pytest.skip("the module is installed on this machine")
    assert re.search(r"WGW0035: \S+/wsgigw_embedded.so cannot be read: install mod_wsgigw "
                     "completely, or name it with WSGIEmbeddedLibrary", output)


def test_companion_of_something_else(make_server):
    lines = LINES().replace(companion(), module_file())
    made = make_server(Site(lines + ALIAS, load_wsgi=False))
    made.expect_log("WGW0031: .* cannot be used: .*requests for embedded Python get 500. See "
                    "WSGIEmbeddedLibrary", "crit")
    assert [made.get("/").status for _ in range(3)] == [500] * 3, "as the message says"
