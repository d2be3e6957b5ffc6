"""`make lint`: clang-tidy over every C source, with the flags that the build uses.

The flags that all floors share come in WGW_FLAGS, quoted as for a shell.
"""

import argparse
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

PYTHON_FLOORS = ("bridge", "embedded", "worker")


def flags_of(path, options):
    """Return the compiler flags of a source, by the floor it lies on."""
    flags = shlex.split(os.environ["WGW_FLAGS"]) + ["-std=gnu11", "-D_GNU_SOURCE"]
    if path.parent.name in PYTHON_FLOORS:
        return flags + shlex.split(options.python)
    return flags + shlex.split(options.httpd)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("srcdir", "httpd", "python"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    if not shutil.which("clang-tidy"):
        sys.exit("lint: clang-tidy is missing (Debian: clang-tidy)")
    root = pathlib.Path(options.srcdir)
    sources = [root / "mod_wsgigw.c", *sorted(root.glob("src/*/*.c"))]
    failed = 0
    for path in sources:
        answer = subprocess.run(["clang-tidy", "--quiet", path, "--", *flags_of(path, options)],
                                capture_output=True, text=True)
        if answer.returncode:
            failed += 1
            print(answer.stdout, end="")
    print(f"lint: {len(sources)} files, {failed} with findings")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
