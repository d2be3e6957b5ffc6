"""The bridge compiles under Py_LIMITED_API 3.11 with the headers of every Python from 3.11 on."""
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import pytest

from harness import system

SOURCE = system.REPOSITORY / "src"
ASK = "import sys, sysconfig; print('%d.%d.%d' % sys.version_info[:3], " \
      "sysconfig.get_path('include'), sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"


def candidates():
    """Every interpreter there may be: PYTHONS, this one, PATH, and those of pyenv."""
    found = [sys.executable, *system.interpreters()]
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    found += sorted(map(str, pathlib.Path(root).glob("versions/*/bin/python3")))
    return list(dict.fromkeys(found))


def described():
    """Yield a parameter for each different Python; what cannot be used is skipped with a reason."""
    seen = set()
    for path in candidates():
        asked = subprocess.run([path, "-c", ASK], capture_output=True, text=True, check=False)
        if asked.returncode != 0:
            yield skipped(path, f"{path} does not run")
            continue
        version, include, is_free_threaded = asked.stdout.split()
        if include in seen:
            continue
        seen.add(include)
        yield (skipped(version, why) if (why := unusable(version, include, is_free_threaded))
               else pytest.param(include, id=version))


def unusable(version, include, is_free_threaded):
    if tuple(map(int, version.split("."))) < (3, 11):
        return f"Python {version} is older than 3.11"
    if is_free_threaded != "0":
        return f"Python {version} is free-threaded: it has no limited API"
    if not os.path.exists(f"{include}/Python.h"):
        return f"{include}/Python.h is missing"
    return ""


def skipped(name, why):
    return pytest.param("", id=pathlib.Path(name).name, marks=pytest.mark.skip(reason=why))


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """The header that the build makes from wsgigw.py."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "bridge").mkdir()
    with (folder / "bridge" / "wsgigw_py.h").open("wb") as header:
        subprocess.run([sys.executable, SOURCE / "bridge" / "embed.py",
                        SOURCE / "bridge" / "wsgigw.py"], check=True, stdout=header)
    return folder


@pytest.mark.parametrize("include", described())
def test_bridge_compiles(include, generated):
    compiler = shlex.split(os.environ.get("CC", "")) or [shutil.which("gcc") or "cc"]
    sources = sorted(SOURCE.glob("bridge/*.c"))
    assert sources
    result = subprocess.run(
        [*compiler, "-fsyntax-only", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
         "-DPy_LIMITED_API=0x030b0000", f"-I{SOURCE}", f"-I{system.REPOSITORY / 'include'}",
         f"-I{generated}", "-isystem", include, *map(str, sources)],
        capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]


def test_no_file_of_the_bridge_turns_the_limit_off():
    for path in [*SOURCE.glob("bridge/*.[ch]"), *system.REPOSITORY.glob("include/wsgigw/*.h")]:
        assert "undef Py_LIMITED_API" not in path.read_text(), path
