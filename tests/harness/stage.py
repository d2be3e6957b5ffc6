"""The session's folder below the system's temp folder, and copies the server's user can read.

Knows nothing of configurations: it copies files and rewrites the paths in the module's lines.
"""
import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from harness import system

ABSOLUTE_PATH = re.compile(r'(?<=[\s"])/[^\s"]+')


@functools.lru_cache(maxsize=None)
def session_folder() -> pathlib.Path:
    """Return the world-readable folder that holds every server root of this test session."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="wgw-tests-"))
    folder.chmod(0o755)
    return folder


def remove_session_folder() -> None:
    """Remove the session's folder, unless WGW_KEEP asks to keep it or it was never made."""
    if session_folder.cache_info().currsize and not os.environ.get("WGW_KEEP"):
        shutil.rmtree(session_folder(), ignore_errors=True)


@functools.lru_cache(maxsize=None)
def apps() -> pathlib.Path:
    """Return the staged copy of tests/apps."""
    target = session_folder() / "apps"
    shutil.copytree(system.TESTS / "apps", target, ignore=shutil.ignore_patterns("__pycache__"))
    make_readable(target)
    return target


@functools.lru_cache(maxsize=None)
def load_lines() -> str:
    """Return the httpd lines that load the module under test, from staged copies."""
    text = os.environ.get("WGW_LOADMODULE_TEXT") or ask_make()
    return ABSOLUTE_PATH.sub(lambda match: stage_file(match.group()), text)


def ask_make() -> str:
    """Return what the build tree says of how to load the module."""
    folder = os.environ.get("WGW_BUILDDIR") or system.REPOSITORY
    done = subprocess.run(["make", "-s", "--no-print-directory", "-C", str(folder), "print-loadmodule"],
                          text=True, capture_output=True, check=False)
    if done.returncode != 0 or "LoadModule" not in done.stdout:
        raise RuntimeError(f"make print-loadmodule in {folder} failed: "
                           f"{done.stdout}{done.stderr}")
    return done.stdout


def stage_file(path: str) -> str:
    """Copy one file of the build into the session's folder; leave what is no file alone."""
    if not os.path.isfile(path):
        return path
    folder = session_folder() / "module"
    folder.mkdir(exist_ok=True)
    target = folder / os.path.basename(path)
    shutil.copy(path, target)
    make_readable(folder)
    return str(target)


def make_readable(folder: pathlib.Path) -> None:
    """Let everybody read and enter `folder` and all below it."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else path.stat().st_mode | 0o444)
