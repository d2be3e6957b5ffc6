"""A newcomer's mistakes with `make serve`: it ends with 2 and says what to do, on stderr."""
import os
import socket
import subprocess
import sys

import pytest

from harness import stage, system

SERVE = system.REPOSITORY / "src" / "cli" / "serve.py"


def serve(*arguments, folder=None):
    return subprocess.run(
        [sys.executable, str(SERVE), "--loadmodule", stage.load_lines(), *arguments],
        capture_output=True, text=True, timeout=60, check=False, cwd=folder)


def refused(done, *words):
    assert done.returncode == 2 and "Traceback" not in done.stderr, done
    assert all(line.startswith("serve: ") for line in done.stderr.splitlines())
    for word in words:
        assert word in done.stderr


def test_port_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(serve("--port", str(port)), f"port {port} on 127.0.0.1 is taken",
                "Choose another, for example PORT=")


def test_port_taken_through_make():
    """The words that the newcomer types."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(["make", "-s", "-C", str(build_folder()), "serve", f"PORT={port}"],
                              capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode != 0
    assert f"port {port} on 127.0.0.1 is taken" in done.stderr


def build_folder():
    return os.environ.get("WGW_BUILDDIR") or system.REPOSITORY


@pytest.mark.parametrize("port, word", [("http", "is not a number"), ("0", "out of range"),
                                        ("65536", "out of range"), ("-1", "is not a number")])
def test_port_wrong(port, word):
    refused(serve(f"--port={port}"), f"PORT={port}", word, "Allowed: 1 to 65535")


def test_mode_unknown():
    refused(serve("--mode", "demon"), "MODE=demon is not known", "Allowed: daemon, embedded")


APPS = {
    "missing file": ("missing.wsgi", ["missing.wsgi: there is no such file", "there is: broken.wsgi"]),
    "a folder": (".", ["is a directory; name the script file in it"]),
    "missing module": ("no_such_package.wsgi:application", ["there is no module no_such_package"]),
    "no such submodule": ("json.nothing:application", ["no module json.nothing"]),
    "not of the form": ("my-site:app", ["is not of the form package.module:callable"]),
    "syntax error": ("broken.wsgi", ["broken.wsgi, line 2: SyntaxError"]),
    "syntax error in a module": ("broken_module:application", ["broken_module.py, line 1"]),
}


@pytest.mark.parametrize("name", APPS)
def test_app(name, tmp_path):
    app, words = APPS[name]
    (tmp_path / "near.wsgi").write_text("application = print\n")
    (tmp_path / "broken.wsgi").write_text("x = 1\ndef application(:\n")
    (tmp_path / "broken_module.py").write_text("def\n")
    refused(serve("--app", app, folder=tmp_path), *words)


@pytest.mark.skipif(not system.is_root(), reason="root serves as another user, who may not read all")
def test_interpreter_of_the_environment_is_out_of_reach(tmp_path, monkeypatch):
    """The environment is readable, and its python a link into a folder that is not."""
    shut, venv = tmp_path / "shut", stage.session_folder() / "venv-of-shut"
    shut.mkdir(mode=0o700)
    (shut / "python3").symlink_to(sys.executable)
    (venv / "bin").mkdir(parents=True)
    (venv / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    (venv / "bin" / "python3").symlink_to(shut / "python3")
    monkeypatch.setenv("VIRTUAL_ENV", str(venv))
    refused(serve(), f"the interpreter of the virtual environment {venv} is ", "may not execute",
            "deactivate it")
