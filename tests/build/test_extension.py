"""The daemon extension built for one Python, as a free-threaded one needs it, and its promises."""
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import sysconfig

import pytest

from harness import system

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from test_limited_api import ASK, candidates  # noqa: E402
from test_limited_api import generated  # noqa: E402, F401  (a fixture)

SOURCE = system.REPOSITORY / "src"
BUILD = pathlib.Path(os.environ.get("WGW_BUILDDIR") or system.REPOSITORY)
LOAD = """
import importlib.machinery, importlib.util, json, sys
for name in ("_wsgigw_worker", "_wsgigw"):
    spec = importlib.util.spec_from_file_location(name, sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
print(json.dumps([getattr(sys, "_is_gil_enabled", lambda: True)(), sys.abiflags]))
"""


def pythons():
    """Yield (version, interpreter, headers, is_free_threaded), one of each kind from 3.11 on."""
    seen = set()
    paths = [path for path in os.environ.get("PYTHONS", "").split(":") if path]
    for path in [*paths, *candidates()]:
        asked = subprocess.run([path, "-c", ASK], capture_output=True, text=True, check=False)
        if asked.returncode != 0:
            continue
        version, include, is_free = asked.stdout.split()
        version = tuple(map(int, version.split(".")))
        if version >= (3, 11) and include not in seen and os.path.exists(f"{include}/Python.h"):
            seen.add(include)
            yield version, path, include, is_free != "0"


FOUND = list(pythons())


def compiler():
    return shlex.split(os.environ.get("CC", "")) or [shutil.which("gcc") or "cc"]


def test_compiles_by_the_rules_of_free_threading(generated):  # noqa: F811
    """Against the newest headers, with Py_GIL_DISABLED: no limited API, no name that it takes away."""
    version, _, include, _ = max(FOUND)
    if version < (3, 13):
        pytest.skip("no headers from 3.13 on: set PYTHONS")
    for path in (*SOURCE.glob("bridge/*.c"), *SOURCE.glob("worker/*.c")):
        done = subprocess.run(
            [*compiler(), "-fsyntax-only", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
             "-DPy_GIL_DISABLED=1", f"-I{SOURCE}", f"-I{system.REPOSITORY / 'include'}", f"-I{generated}",
             "-isystem", include, str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("facts", FOUND, ids=lambda facts: ".".join(map(str, facts[0])) + "t" * facts[3])
def test_extension_for_one_python(facts, tmp_path):
    """make extension FOR=...: both modules load, and a GIL that can be off is off only when asked for."""
    _, path, _, is_free = facts
    done = subprocess.run(["make", "-s", "extension", f"FOR={path}"], cwd=BUILD, text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    suffix = subprocess.run([path, "-c", "import sysconfig; print(sysconfig.get_config_var('EXT_SUFFIX'))"],
                            text=True, capture_output=True, check=True).stdout.strip()
    made = BUILD / ".libs" / f"_wsgigw{suffix}"
    try:
        for options, has_gil in (([], True), (["-X", "wsgigw_free_threading"], not is_free)):
            loaded = subprocess.run([path, *options, "-c", LOAD, str(made)], text=True, capture_output=True,
                                    check=False)
            assert loaded.returncode == 0, loaded.stderr
            assert json.loads(loaded.stdout)[0] == has_gil
    finally:
        made.unlink()


PROMISES = """
#include "bridge/state.h"
#include <stdio.h>
PyMODINIT_FUNC PyInit_promises(void);
static void show(unsigned long version, bool is_without_gil)
{
    PyModuleDef_Slot slots[] = { { Py_mod_exec, NULL }, WGW_PY_PROMISES, { 0, NULL } };
    wgw_py_promise(slots, version, is_without_gil);
    for (PyModuleDef_Slot *slot = slots + 1; slot->slot; slot++)
        printf("%d=%ld ", slot->slot, (long)(intptr_t)slot->value);
    puts(".");
}
PyMODINIT_FUNC PyInit_promises(void)
{
    const unsigned long versions[] = { 0x030b00f0, 0x030c01f0, 0x030d00f0, 0x030e00f0 };
    for (int i = 0; i < 4; i++) { show(versions[i], false); show(versions[i], true); }
    fflush(stdout);
    PyErr_SetString(PyExc_ImportError, "shown");
    return NULL;
}
"""


def test_slots_of_each_version(tmp_path):
    """3.11 refuses slot 3 (multiple interpreters; 2: each with its GIL), 3.12 slot 4 (GIL; 1: not used)."""
    (tmp_path / "promises.c").write_text(PROMISES)
    include = sysconfig.get_path("include")
    sources = [tmp_path / "promises.c", *sorted(SOURCE.glob("bridge/*.c"))]
    floors = [path for folder in ("base", "exchange", "wire") for path in sorted(SOURCE.glob(f"{folder}/*.c"))]
    done = subprocess.run(
        [*compiler(), "-shared", "-fPIC", "-std=gnu11", "-D_GNU_SOURCE", f"-I{SOURCE}",
         f"-I{system.REPOSITORY / 'include'}", f"-I{BUILD / 'src'}", "-isystem", include,
         *map(str, sources), *map(str, floors), "-o", str(tmp_path / "promises.so")],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    shown = subprocess.run([sys.executable, "-c", "import promises"], cwd=tmp_path, text=True,
                           env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, check=False)
    assert shown.stdout.split("\n") == [".", ".", "3=2 .", "3=2 .", "3=2 4=0 .", "3=2 4=1 .", "3=2 4=0 .",
                                        "3=2 4=1 .", ""], shown.stderr
