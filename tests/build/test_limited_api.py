"""The bridge keeps to the limited API: one file, built once, is loaded by every CPython.

Interpreters come from PYTHONS (':'-separated) or, as python3.N, from PATH.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

import pytest

from harness import system

SOURCE = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("WGW_BUILDDIR", SOURCE))
PROBE = """
import platform, sys, _wsgigw
assert platform.python_implementation() == "CPython"
wrapper = _wsgigw.FileWrapper(__import__("io").BytesIO(b"abc"), 2)
assert list(wrapper) == [b"ab", b"c"]
assert issubclass(_wsgigw.RequestTimeout, BaseException)
script = _wsgigw.Script()
script.size = 3
assert script.size == 3 and script.namespace is None
print("%d.%d" % sys.version_info[:2])
"""


def compiler():
    return os.environ.get("CC", "cc")


@pytest.fixture(scope="module")
def extension(tmp_path_factory):
    """Link the bridge that embedded mode uses into _wsgigw.abi3.so, without libpython."""
    folder = tmp_path_factory.mktemp("extension")
    target = folder / "_wsgigw.abi3.so"
    subprocess.run(
        [compiler(), "-shared", "-fPIC", "-o", target, SOURCE / "tests" / "build" / "stub.c",
         f"-I{SOURCE}/src", f"-I{SOURCE}/include", f"-I{sysconfig.get_path('include')}",
         BUILD / ".libs" / "libbridge.a", BUILD / ".libs" / "libfloors.a", "-lpthread"], check=True)
    return target


def usable():
    """The interpreters of at least 3.11 that were found, this one among them."""
    return sorted({os.path.realpath(path) for path in [*system.interpreters(), sys.executable]
                   if shutil.which(path)})


@pytest.mark.parametrize("python", usable())
def test_one_file_for_every_python(extension, python):
    answer = subprocess.run([python, "-c", PROBE], text=True, capture_output=True,
                            env={"PYTHONPATH": str(extension.parent), "PATH": os.environ["PATH"]})
    assert answer.returncode == 0, answer.stderr


def test_headers_were_asked_for_the_limited_api():
    """A full-API name in the bridge would not even compile."""
    probe = '#include "bridge/python.h"\nint main(void) { return PyList_GET_SIZE(0) + Py_LIMITED_API; }\n'
    answer = subprocess.run(
        [compiler(), "-fsyntax-only", "-Werror=implicit-function-declaration", "-xc", "-",
         f"-I{SOURCE}/src", f"-I{sysconfig.get_path('include')}"],
        input=probe, text=True, capture_output=True)
    assert answer.returncode != 0 and "PyList_GET_SIZE" in answer.stderr
