"""What the platform offers: apxs, httpd, its modules, users, interpreters.  No fixed paths."""
import functools
import os
import pathlib
import pwd
import shutil
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TESTS = REPOSITORY / "tests"


@functools.lru_cache(maxsize=None)
def apxs(variable: str) -> str:
    """Return the value of an apxs variable, such as LIBEXECDIR.  Env APXS names the program."""
    program = os.environ.get("APXS") or shutil.which("apxs") or shutil.which("apxs2")
    if not program:
        raise FileNotFoundError("no apxs in PATH; set APXS")
    return subprocess.run([program, "-q", variable], check=True, text=True,
                          capture_output=True).stdout.strip()


def httpd() -> str:
    """Return the path of the httpd program that belongs to apxs."""
    return os.path.join(apxs("SBINDIR"), apxs("PROGNAME"))


@functools.lru_cache(maxsize=None)
def compiled_in() -> frozenset:
    """Return the source names ("mod_unixd.c") of the modules linked into httpd."""
    text = subprocess.run([httpd(), "-l"], text=True, capture_output=True, check=True).stdout
    return frozenset(line.strip() for line in text.splitlines() if line.endswith(".c"))


def has_module(name: str) -> bool:
    """Say whether httpd has the module `name` ("headers"), as a file or linked in."""
    return f"mod_{name}.c" in compiled_in() or module_file(name).is_file()


def module_file(name: str) -> pathlib.Path:
    """Return where the loadable module `name` lies, if there is one."""
    return pathlib.Path(apxs("LIBEXECDIR")) / f"mod_{name}.so"


def is_root() -> bool:
    """Say whether httpd will be able to change its user."""
    return os.geteuid() == 0


def server_user() -> pwd.struct_passwd:
    """Return the account that httpd children run under."""
    if not is_root():
        return pwd.getpwuid(os.geteuid())
    return pwd.getpwnam(os.environ.get("WGW_TEST_USER", "www-data"))


def interpreters() -> list:
    """Return the Python interpreters to test with: env PYTHONS, else every python3.N in PATH."""
    named = os.environ.get("PYTHONS")
    if named:
        return [entry for entry in named.split(":") if entry]
    found = (shutil.which(f"python3.{minor}") for minor in range(11, 20))
    return [path for path in found if path]
