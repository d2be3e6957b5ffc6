"""The directives of the interpreter: what the application's Python looks like."""
import json
import os
import subprocess
import sys

import pytest

from harness import Site, eventually

MODES = ("embedded",)
MPMS = ("event", "worker")
APPLICATION = "WSGIApplicationGroup %{GLOBAL}\nWSGIScriptAlias / {apps}/probe.wsgi\n"
TWO_CHILDREN = "StartServers 2\nServerLimit 2\nThreadsPerChild 2\nThreadLimit 2\n" \
               "MaxRequestWorkers 4\nMinSpareThreads 1\nMaxSpareThreads 4"


def known(server, target="/"):
    answer = server.get(target)
    assert answer.status == 200, answer
    return json.loads(answer.body)


def served(make_server, text, **options):
    return known(make_server(Site(APPLICATION + text, **options)))


# --- WSGIPythonEggs ------------------------------------------------------------------------

@pytest.mark.parametrize("group", ["%{GLOBAL}", "apart"])
def test_eggs(make_server, group):
    made = make_server(Site(APPLICATION.replace("%{GLOBAL}", group) + "WSGIPythonEggs {work}"))
    assert known(made, "/?variable=PYTHON_EGG_CACHE")["variable"] == str(made.work)


def test_without_eggs(make_server):
    assert known(make_server(Site(APPLICATION)), "/?variable=PYTHON_EGG_CACHE")["variable"] is None


# --- WSGIPythonHome ------------------------------------------------------------------------

HOMES = ["WSGIPythonHome {work}/venv\n" + APPLICATION,
         "WSGIPythonHome work/venv\n" + APPLICATION,
         "WSGIPythonHome {work}/venv\n" + APPLICATION.replace("%{GLOBAL}", "apart")
         + "WSGIScriptAlias /other {apps}/probe.wsgi application-group=other"]


@pytest.mark.parametrize("text", HOMES, ids=["absolute", "below ServerRoot", "sub-interpreter"])
def test_home_is_a_virtual_environment(make_server, text):
    made = make_server(Site(text), start=False)
    venv = made.work / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    packages = next(venv.glob("lib/python3.*/site-packages"))
    (packages / "only_in_the_venv.py").write_text("")
    made.start()
    seen = known(made, "/?import=only_in_the_venv")
    assert seen["prefix"] == str(venv)
    assert seen["imported"] == f"{packages}/only_in_the_venv.py"
    assert not [entry for entry in seen["path"] if "dist-packages" in entry], "not the system's"


def test_home_is_a_prefix(make_server):
    seen = served(make_server, f"WSGIPythonHome {sys.base_prefix}")
    assert seen["prefix"] == sys.base_prefix


def test_without_home_it_is_the_interpreter_of_the_build(make_server):
    seen = served(make_server, "")
    assert seen["prefixes"][0] == seen["prefixes"][1]
    assert tuple(seen["version"]) >= (3, 11)
    assert not {"", os.getcwd()} & set(seen["path"]), "the working folder is no place for modules"


# --- WSGIPythonPath ------------------------------------------------------------------------

def test_path_order_and_pth_files(make_server):
    """As of site.addsitedir(), but in front and in the order given."""
    made = make_server(Site(APPLICATION + "WSGIPythonPath {work}/b:{work}/a"), start=False)
    for name in ("a", "b", "a/more", "b/more"):
        (made.work / name).mkdir()
    made.write_work("a/a.pth", "more\n")
    made.write_work("b/b.pth", "more\nimport sys; sys.by_pth = 1\n")
    for name in ("a", "b", "a/more"):
        made.write_work(f"{name}/who.py", "")
    made.start()
    seen = known(made, "/?import=who")
    ours = [entry for entry in seen["path"] if str(made.work) in entry]
    assert ours == seen["path"][1:len(ours) + 1], "in front; only the script's own entry is before"
    assert [entry for entry in ours if not entry.endswith("more")] \
        == [f"{made.work}/b", f"{made.work}/a"]
    assert {entry for entry in ours if entry.endswith("more")} \
        == {f"{made.work}/b/more", f"{made.work}/a/more"}
    assert seen["imported"] == f"{made.work}/b/who.py"


def test_path_in_front_of_the_standard_library(make_server):
    made = make_server(Site(APPLICATION + "WSGIPythonPath {work}"), start=False)
    made.write_work("antigravity.py", "")
    made.start()
    assert known(made, "/?import=antigravity")["imported"] == f"{made.work}/antigravity.py"


def test_path_in_sub_interpreters(make_server):
    made = make_server(Site("WSGIPythonPath {work}/lib\n"
                            "WSGIScriptAlias /one {apps}/probe.wsgi application-group=one\n"
                            "WSGIScriptAlias /two {apps}/probe.wsgi application-group=two"),
                       start=False)
    made.write_work("lib/who.py", "")
    made.start()
    for target in ("/one?import=who", "/two?import=who"):
        assert known(made, target)["imported"] == f"{made.work}/lib/who.py"


# --- optimisation, warnings, bytecode ------------------------------------------------------

@pytest.mark.parametrize("text, level", [("", 0), ("WSGIPythonOptimize 0", 0),
                                         ("WSGIPythonOptimize 1", 1), ("WSGIPythonOptimize 2", 2)])
def test_optimize(make_server, text, level):
    seen = served(make_server, text)
    assert seen["optimize"] == level and seen["asserts"] == (level == 0)


def test_warnings(make_server):
    text = "WSGIPythonWarnings error::FutureWarning\nWSGIPythonWarnings ignore::UserWarning\n"
    assert served(make_server, text)["warnoptions"] == ["error::FutureWarning",
                                                        "ignore::UserWarning"]


def test_no_warnings_by_default(make_server):
    assert served(make_server, "")["warnoptions"] == []


@pytest.mark.parametrize("text, writes", [("", True), ("WSGIDontWriteBytecode Off", True),
                                          ("WSGIDontWriteBytecode On", False)])
def test_bytecode(make_server, text, writes):
    made = make_server(Site(APPLICATION + "WSGIPythonPath {work}/lib\n" + text), start=False)
    made.write_work("lib/who.py", "")
    (made.work / "lib").chmod(0o777)
    made.start()
    assert known(made, "/?import=who")["writes bytecode"] == writes
    assert bool(list(made.work.glob("lib/__pycache__/who*.pyc"))) == writes


# --- hash seed -----------------------------------------------------------------------------

def hashes(made):
    """Return {pid: hash of a str} of both children."""
    found = {}

    def both():
        seen = known(made)
        found[seen["pid"]] = seen["hash"]
        return len(found) == 2
    eventually(both, "answers of two children", timeout_s=60)
    return found


def hash_of(make_server, text):
    return set(hashes(make_server(Site(APPLICATION + text, children=TWO_CHILDREN))).values())


def test_seed_is_the_same_in_every_child_and_start(make_server):
    first = hash_of(make_server, "WSGIPythonHashSeed 42")
    assert len(first) == 1 and hash_of(make_server, "WSGIPythonHashSeed 42") == first


def test_seeds_differ(make_server):
    assert hash_of(make_server, "WSGIPythonHashSeed 1") != hash_of(make_server,
                                                                   "WSGIPythonHashSeed 2")


@pytest.mark.parametrize("text", ["", "WSGIPythonHashSeed random"], ids=["default", "random"])
def test_random_seed_differs_between_starts(make_server, text):
    assert hash_of(make_server, text) != hash_of(make_server, text)


def test_environment_of_the_server_does_not_choose(make_server, monkeypatch):
    """PYTHONHASHSEED and the like are a habit of shells; the configuration says it here."""
    monkeypatch.setenv("WGW_HTTPD_ENV", os.environ.get("WGW_HTTPD_ENV", "")
                       + " PYTHONHASHSEED=7")
    fixed = hash_of(make_server, "WSGIPythonHashSeed 42")
    monkeypatch.undo()
    assert hash_of(make_server, "WSGIPythonHashSeed 42") == fixed
