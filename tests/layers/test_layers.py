"""The floors of the design, as `make check-layers` proves them."""

import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(__file__).parents[2]
BUILD = os.environ.get("WGW_BUILDDIR", str(SOURCE))


def test_layers():
    answer = subprocess.run(
        [sys.executable, SOURCE / "tests" / "layers" / "check_layers.py", "--srcdir", SOURCE,
         "--builddir", BUILD], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert answer.returncode == 0, answer.stdout
