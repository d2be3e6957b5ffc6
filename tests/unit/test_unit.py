"""The cmocka tests, one pytest test each: they count, and fail, with all others."""

import os
import pathlib
import subprocess

import pytest

BUILD = pathlib.Path(os.environ.get("WGW_BUILDDIR", pathlib.Path(__file__).parents[2]))
PROGRAM = BUILD / "tests" / "unit" / "unit"


def names():
    """Return the names of the tests that were built; without the program collecting fails."""
    answer = subprocess.run([PROGRAM, "--list"], stdout=subprocess.PIPE, text=True, check=True)
    return answer.stdout.split()


@pytest.mark.parametrize("name", names())
def test_unit(name):
    answer = subprocess.run([PROGRAM, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            encoding="ascii", errors="backslashreplace")
    assert answer.returncode == 0, answer.stdout
