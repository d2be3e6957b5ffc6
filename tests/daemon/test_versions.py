"""Any CPython from 3.11 on, several in one httpd; what is said of interpreters that are none."""
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import daemonkit as kit  # noqa: E402  (found by the path above)

from harness import Site, eventually, stage, system  # noqa: E402

MODES = ("daemon",)
ASK = ("import sys; print(*sys.version_info[:2]); print(sys.implementation.name); "
       "print(sys.base_prefix); print(sys.executable)")


def ask(python):
    """Return (version, implementation, prefix, executable) of an interpreter; None if it is none."""
    done = subprocess.run([python, "-c", ASK], text=True, capture_output=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != 4:
        return None
    return tuple(map(int, lines[0].split())), *lines[1:]


@functools.lru_cache(maxsize=None)
def found():
    """Return every CPython of the machine by its version; the first one of each counts."""
    paths = [path for path in os.environ.get("PYTHONS", "").split(":") if path]
    paths += [kit.PYTHON, *system.interpreters()]
    if shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], text=True, capture_output=True).stdout.strip()
        paths += sorted(map(str, pathlib.Path(root).glob("versions/3.*/bin/python3")))
    known = {}
    for path in paths:
        facts = ask(path) if os.path.exists(path) else None
        if facts and facts[1] == "cpython":
            known.setdefault(facts[0], facts)
    return known


def is_for_all(path):
    """Say whether everybody can reach a file."""
    parents = [path, *pathlib.Path(path).resolve().parents, *pathlib.Path(path).parents]
    return all(os.stat(part).st_mode & 0o1 for part in parents)


@functools.lru_cache(maxsize=None)
def reachable(version):
    """Return an interpreter of a version that a pool's user can run, and what LD_LIBRARY_PATH it
    needs; one in a private folder is copied, without what no test needs."""
    _, _, prefix, executable = found()[version]
    if is_for_all(executable):
        return executable, ""
    name = f"python{version[0]}.{version[1]}"
    target = stage.session_folder() / name
    (target / "bin").mkdir(parents=True)
    target.chmod(0o755)
    shutil.copy(os.path.realpath(executable), target / "bin" / "python3")
    shutil.copytree(f"{prefix}/lib/{name}", target / "lib" / name, symlinks=True,
                    ignore=shutil.ignore_patterns("test", "tests", "site-packages", "__pycache__",
                                                  "config-*", "idlelib", "*.a"))
    for library in pathlib.Path(prefix, "lib").glob("libpython*.so*"):
        shutil.copy(library, target / "lib")
    stage.make_readable(target)
    return str(target / "bin" / "python3"), str(target / "lib")


def venv(version):
    """Return a venv of a version, and the options of WSGIDaemonProcess that use it."""
    python, libraries = reachable(version)
    more = {"LD_LIBRARY_PATH": libraries} if libraries else None
    folder = kit.make_venv(f"v{version[0]}.{version[1]}", python, more)
    return folder, f"python-home={folder}" + (f" env=LD_LIBRARY_PATH={libraries}" if libraries else "")


def new_enough():
    return sorted(version for version in found() if version >= (3, 11))


FACTS = "result = [sys.version_info[:2], sys.prefix, sys.base_prefix, sys.executable]"


def test_two_versions_side_by_side(make_server):
    """Every CPython of the machine, each from a venv, in one httpd from one build."""
    versions = new_enough()
    if len(versions) < 2:
        pytest.skip(f"one CPython from 3.11 on only: {versions}; set PYTHONS")
    venvs = {version: venv(version) for version in versions}
    lines = []
    for version, (folder, options) in venvs.items():
        name = f"p{version[1]}"
        lines += [f"WSGIDaemonProcess {name} threads=2 processes=2 {options}",
                  f"WSGIScriptAlias /{name} {{apps}}/inside.wsgi process-group={name}"]
    made = make_server(Site("\n".join(lines)))
    for version, (folder, _) in venvs.items():
        got = kit.inside(made, FACTS, f"/p{version[1]}")
        assert tuple(got[0]) == version
        assert got[1] == str(folder) and got[3].startswith(str(folder)) and got[2] != got[1]


def test_requests_in_each_version(make_server):
    """Bodies, errors, sub-interpreters and restarts, in each version."""
    for version in new_enough():
        made = make_server(Site(f'''
            WSGIDaemonProcess p threads=2 {venv(version)[1]}
            WSGIScriptAlias /one {{apps}}/inside.wsgi process-group=p application-group=one
            WSGIScriptAlias /two {{apps}}/inside.wsgi process-group=p application-group=two
        '''))
        assert kit.inside(made, "result = len('x' * 100000)", "/one") == 100000
        assert made.post("/two/run", b"raise ValueError('bang')").status == 500
        made.expect_traceback("ValueError: bang")
        pid = kit.pid_of(made, "/one")
        os.kill(pid, 15)
        eventually(lambda: kit.is_gone(pid), "the end of the process")
        assert kit.pid_of(made, "/two") != pid
        made.stop()


# --- interpreters that cannot be used ------------------------------------------------------

def with_python(option):
    """A site with a pool of this interpreter, and another pool."""
    return Site(f'''
        WSGIDaemonProcess wrong {option} connect-timeout=1
        WSGIScriptAlias /wrong {{apps}}/inside.wsgi process-group=wrong
        WSGIScriptAlias /own {{apps}}/inside.wsgi
    ''')


def refused(make_server, option, *words):
    """Prove that httpd does not start, and says why."""
    code, output = make_server(with_python(option), start=False).configtest()
    assert code != 0
    for word in words:
        assert re.search(word, output), output


def unusable(make_server, option, *patterns):
    """Prove that the pool's requests get 503, that the log says why, and that others are served."""
    made = make_server(with_python(option))
    made.allow_log("WGW0109|WGW0103|WGW010[0-9]|WGW0056|WGW0061|^.*unknown option|Unknown option|usage:|Try .python|pid")
    for _ in range(2):
        answer = made.get("/wrong/pid")
        assert answer.status == 503 and answer.header("Retry-After")
        assert made.get("/own/pid").status == 200
    for pattern in patterns:
        made.expect_log(pattern)
    made.stop()                                         # or a try might end after the test


def script(name, text, mode=0o755):
    path = stage.session_folder() / name
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_missing(make_server):
    refused(make_server, "python=/no/such/python3", "/no/such/python3", "No such file")


def test_missing_in_a_home(make_server):
    folder = stage.session_folder() / "no-venv"
    folder.mkdir(exist_ok=True)
    refused(make_server, f"python-home={folder}", str(folder), "no interpreter", "-m venv")


def test_not_executable(make_server):
    path = script("plain", "#!/bin/sh\n", 0o644)
    refused(make_server, f"python={path}", str(path), "not executable")


@pytest.mark.parametrize("text", ["home = /usr/bin\nversion = 3.9.18\n",
                                  "version_info = 3.9.18.final.0\n", "version = 2.7\n"])
def test_old_venv(make_server, text):
    folder = stage.session_folder() / "old-venv"
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    if not (folder / "bin" / "python3").exists():
        (folder / "bin" / "python3").symlink_to(kit.PYTHON)
    (folder / "pyvenv.cfg").write_text(text)
    refused(make_server, f"python-home={folder}", str(folder), r"3\.9\.18|2\.7", "3.11 or newer", "--clear")


def test_venv_of_another_implementation(make_server):
    folder = stage.session_folder() / "pypy-venv"
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    if not (folder / "bin" / "python3").exists():
        (folder / "bin" / "python3").symlink_to(kit.PYTHON)
    (folder / "pyvenv.cfg").write_text("implementation = PyPy\nversion_info = 3.12.1\n")
    refused(make_server, f"python-home={folder}", "PyPy", "CPython 3.11 or newer")


@pytest.mark.parametrize("version", [(3, 10), (3, 9), (3, 6)])
def test_too_old(make_server, version):
    """3.10 and older do not know -P, and say so; ours says what that means."""
    if version not in found():
        pytest.skip(f"there is no python{version[0]}.{version[1]}")
    python, libraries = reachable(version)
    option = f"python={python}" + (f" env=LD_LIBRARY_PATH={libraries}" if libraries else "")
    unusable(make_server, option, f"WGW0109.*{re.escape(python)} is too old.*3.11 or newer.*python=")


def test_old_python_that_knows_the_option(make_server):
    """What the boot code says of a version that is too old."""
    path = script("old", f'''#!/bin/sh
exec {kit.PYTHON} -c "import sys; sys.version_info = (3, 10, 4); sys.version = '3.10.4 x'
exec(sys.argv[1])" "$3"
''')
    unusable(make_server, f"python={path}", "WGW0061.*3.10.4.*CPython 3.11 or newer.*python=")


def test_not_cpython(make_server):
    """What the boot code says of another implementation."""
    path = script("pypy", f'''#!/bin/sh
exec {kit.PYTHON} -c "import sys; sys.implementation.name = 'pypy'
exec(sys.argv[1])" "$3"
''')
    unusable(make_server, f"python={path}", "WGW0061.*pypy.*CPython 3.11 or newer.*python=")


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/no/such/shell\n", "no program\n",
                                  "#!/bin/sh\nexit 0\n", "#!/bin/sh\nexit 42\n",
                                  "#!/bin/sh\nkill -9 $$\n"])
def test_not_python(make_server, text):
    path = script("fake", text)
    unusable(make_server, f"python={path}", f"pool 'wrong'|{re.escape(str(path))}", "WGW0125")


@pytest.mark.skipif(not system.is_root(), reason="root can make a file that others cannot read")
def test_unreadable(make_server):
    """Root sees it, its user does not: the log names it, the step and what to do."""
    path = script("private", "#!/bin/sh\n", 0o700)
    unusable(make_server, f"python={path}",
             f"WGW0101.*exec of {re.escape(str(path))}: Permission denied.*the user of the pool may execute")


@pytest.mark.skipif(not system.is_root(), reason="root can make a folder that others cannot enter")
def test_in_a_private_folder(make_server):
    folder = stage.session_folder() / "private-folder"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "python3"
    if not path.exists():
        path.symlink_to(kit.PYTHON)
    unusable(make_server, f"python={path}", f"WGW0101.*{re.escape(str(path))}: Permission denied")


def test_extension_of_another_build(make_server):
    """An extension that cannot be loaded is named, with the interpreter."""
    broken = script("broken.abi3.so", "no library")
    made = make_server(Site(f'''
        WSGIDaemonExtension {broken}
        WSGIDaemonProcess wrong connect-timeout=1
        WSGIScriptAlias /wrong {{apps}}/inside.wsgi process-group=wrong
    '''))
    made.allow_log("WGW01|WGW0056|WGW0062")
    assert made.get("/wrong/pid").status == 503
    made.allow_log("WGW0062")
    made.expect_log(f"WGW0062: {re.escape(str(broken))} cannot be loaded by .*python3")
    made.stop()
