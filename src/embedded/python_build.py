"""Tell configure how to compile and link against the running interpreter.

Prints ``name=value`` lines (version, executable, cppflags, libs), or, on
standard error, why this interpreter cannot be embedded, with exit status 1.
"""

import os
import platform
import sys
import sysconfig


def library_folder(name):
    """Return the folder that holds the shared library `name`, or None."""
    folders = [sysconfig.get_config_var(key) for key in ("LIBDIR", "LIBPL")]
    multiarch = sysconfig.get_config_var("MULTIARCH")
    if multiarch and folders[0]:
        folders.insert(0, os.path.join(folders[0], multiarch))
    return next((f for f in folders if f and os.path.exists(os.path.join(f, name))), None)


def main():
    if platform.python_implementation() != "CPython" or sys.version_info < (3, 11):
        sys.exit(f"{sys.executable} is {platform.python_implementation()} "
                 f"{platform.python_version()}; CPython 3.11 or newer is needed")
    include = sysconfig.get_path("include")
    if not os.path.exists(os.path.join(include, "Python.h")):
        sys.exit(f"{include}/Python.h is missing: install the headers (Debian: python3-dev)")
    library = f"libpython{sysconfig.get_config_var('LDVERSION')}.so"
    folder = library_folder(library)
    if folder is None:
        sys.exit(f"{library} is missing: embedded mode needs a CPython built with "
                 "--enable-shared (Debian: python3-dev)")
    standard = folder.startswith(("/usr/lib/", "/lib/"))
    rpath = "" if standard else f" -Wl,-rpath,{folder}"
    print(f"version={sysconfig.get_python_version()}")
    print(f"executable={os.path.realpath(sys.executable)}")
    print(f"cppflags=-isystem {include}")
    print(f"libs=-L{folder}{rpath} -l{library[3:-3]}")


if __name__ == "__main__":
    main()
