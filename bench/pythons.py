"""A Python for the pool of a contender: found in PYTHONS and PATH, and copied where the server's
user cannot reach it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from instance import ServerRoot

ASK = "import sys; print(*sys.version_info[:2]); print(sys.base_prefix); print(sys.executable)"
NOT_NEEDED = shutil.ignore_patterns("test", "tests", "site-packages", "__pycache__", "config-*", "idlelib", "*.a")


def ask(path: str) -> tuple[tuple[int, int], str, str] | None:
    """(version, prefix, executable); None when it is no Python."""
    done = subprocess.run([path, "-c", ASK], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != 3:
        return None
    major, minor = map(int, lines[0].split())
    return (major, minor), lines[1], lines[2]


def find(least: tuple[int, int], most: tuple[int, int]) -> tuple[tuple[int, int], str, str] | None:
    """The newest Python of these versions."""
    paths = [path for path in os.environ.get("PYTHONS", "").split(":") if path]
    names = [f"python{least[0]}.{minor}" for minor in range(least[1], most[1] + 1)]
    paths += [sys.executable, *filter(None, map(shutil.which, ("python3", *names)))]
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True).stdout.strip()
        paths += sorted(map(str, Path(root).glob("versions/3.*/bin/python3")))
    known = [facts for path in paths if os.path.exists(path) and (facts := ask(path))]
    fitting = [facts for facts in known if least <= facts[0] <= most]
    return max(fitting, key=lambda facts: facts[0]) if fitting else None


def options_for(root: ServerRoot, facts: tuple[tuple[int, int], str, str]) -> str:
    """What WSGIDaemonProcess is told to run it."""
    version, prefix, executable = facts
    real = Path(executable).resolve()
    if all(os.stat(part).st_mode & 0o1 for part in (real, *real.parents)):
        return f"python={executable}"
    name = f"python{version[0]}.{version[1]}"
    copy = root.path / name
    (copy / "bin").mkdir(parents=True)
    shutil.copy(real, copy / "bin" / "python3")
    shutil.copytree(f"{prefix}/lib/{name}", copy / "lib" / name, symlinks=True, ignore=NOT_NEEDED)
    for library in Path(prefix, "lib").glob("libpython*.so*"):
        shutil.copy(library, copy / "lib")
    subprocess.run(["chmod", "-R", "a+rX", str(copy)], check=True)
    return f"python={copy}/bin/python3 env=LD_LIBRARY_PATH={copy}/lib"
