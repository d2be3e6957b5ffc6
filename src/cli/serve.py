"""`make serve`: one WSGI application on real httpd, on loopback, in the foreground.

    serve.py --apxs APXS --loadmodule TEXT [--app FILE|package.module:callable]
             [--mode daemon|embedded] [--port 8000]

An empty value means the default. Exit code: 0 after Ctrl-C or SIGTERM, 1 when httpd
ends by itself, 2 when something has to be put right first (the message says what).
"""

from __future__ import annotations

import argparse
import ast
import importlib.machinery
import os
import platform
import re
import signal
import stat
import symtable
import sys
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from instance import (  # noqa: E402
    Httpd, OwnModule, Problem, RunningHttpd, ServerRoot, ServerUser,
    check_port, conf_quote, die_with_parent, readable_by,
)

CONF_D = Path(__file__).resolve().parents[2] / "conf.d"
MODES = ("daemon", "embedded")  # the first is the default
DAEMON_THREADS = 5
DEFAULT_PORT = 8000
DEFAULT_CALLABLE = "application"
IDENTIFIER = r"[^\W\d]\w*"
MODULE_SPEC = re.compile(rf"({IDENTIFIER}(?:\.{IDENTIFIER})*):({IDENTIFIER})")
LOG_POLL_S = 0.2
HTTPD_MODULES = ("unixd", "authn_core", "authz_core", "log_config")


def say(text: str) -> None:
    print("\n".join("serve: " + line for line in text.splitlines()), flush=True)


# --- the application --------------------------------------------------------


@dataclass
class App:
    """What to serve. `home` is the directory its own imports come from."""

    label: str
    source: Path | None
    callable_name: str
    home: Path
    script: Path | None = None
    module: str | None = None

    def conf_lines(self) -> str:
        if self.script is None:
            return f"WSGIModuleAlias / {self.module}:{self.callable_name}\n"
        return (
            f"WSGIScriptAlias / {conf_quote(self.script)}\n"
            f"<Directory {conf_quote(self.script.parent)}>\n    Require all granted\n</Directory>\n"
        )


def find_app(text: str, python: "AppPython") -> App:
    """Decide between file and module by what is there, then by how it is written."""
    if not text:
        return script_app(CONF_D / "hello.wsgi")
    if MODULE_SPEC.fullmatch(text) and not os.path.exists(text):
        return module_app(text, python)
    if os.path.exists(text) or "/" in text or text.endswith((".wsgi", ".py")):
        return script_app(Path(text))
    if ":" in text:
        raise Problem(
            f"APP={text} is not of the form package.module:callable.\n"
            "Both sides are Python names, for example APP=mysite.wsgi:application"
        )
    raise Problem(
        f"APP={text}: there is no such file in {Path.cwd()}.\n"
        f"For a module write the callable too, for example APP={text}:{DEFAULT_CALLABLE}"
    )


def script_app(path: Path) -> App:
    path = Path(os.path.abspath(path))
    try:
        kind = path.stat().st_mode
    except PermissionError:
        raise Problem(not_readable(path)) from None
    except OSError:
        raise Problem(f"APP={path}: there is no such file." + similar_files(path)) from None
    if stat.S_ISDIR(kind):
        raise Problem(f"APP={path} is a directory; name the script file in it.")
    check_source(path, DEFAULT_CALLABLE)
    return App(str(path), path, DEFAULT_CALLABLE, path.parent, script=path)


def similar_files(path: Path) -> str:
    if not path.parent.is_dir():
        return f"\nThere is no directory {path.parent} either."
    try:
        near = sorted(p.name for p in path.parent.iterdir() if p.suffix in (".wsgi", ".py"))
    except PermissionError:
        return ""
    return f"\nIn {path.parent} there is: {', '.join(near[:8])}" if near else ""


def module_app(spec: str, python: "AppPython") -> App:
    module, _, callable_name = spec.partition(":")
    source = find_module(module, [str(Path.cwd()), *python.path])
    if source is not None:
        check_source(source, callable_name)
    return App(spec, source, callable_name, Path.cwd(), module=module)


def find_module(module: str, path: list[str]) -> Path | None:
    """The module's source file, found without importing anything: importing would run
    the application here, perhaps as root. None when it has no Python source."""
    names = module.split(".")
    for position in range(len(names)):
        full_name = ".".join(names[: position + 1])
        spec = importlib.machinery.PathFinder.find_spec(full_name, path)
        if spec is None:
            where = "in " + ", ".join(path[:1]) + " or on Python's path" if position == 0 else \
                    "in the package " + ".".join(names[:position])
            raise Problem(
                f"APP={module}: there is no module {full_name} {where}.\n"
                "Change to the directory that holds it, or put it on the path "
                "(an activated virtual environment counts)."
            )
        if position + 1 < len(names):
            if spec.submodule_search_locations is None:
                raise Problem(f"APP={module}: {full_name} ({spec.origin}) is a module, not a package,"
                              f" so there is no {module}.")
            path = list(spec.submodule_search_locations)
    return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None


def check_source(path: Path, callable_name: str) -> None:
    """Raises Problem when the file cannot be read or is not Python. Runs none of it."""
    try:
        source = path.read_bytes()
    except PermissionError:
        raise Problem(not_readable(path)) from None
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror}") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise Problem(syntax_problem(path, error)) from error
    except ValueError as error:
        raise Problem(f"{path} is not a Python file: {error}") from error
    hint_callable(path, source, callable_name)


def not_readable(path: Path) -> str:
    for directory in reversed(path.parents):
        if not os.access(directory, os.X_OK):
            return (f"APP={path}: you may not enter {directory}.\n"
                    "Ask its owner, or copy the application to a place of your own.")
    return (f"APP={path}: you may not read this file (mode {stat.filemode(path.stat().st_mode)}).\n"
            f"chmod u+r {path} helps if it is yours.")


def syntax_problem(path: Path, error: SyntaxError) -> str:
    lines = [f"{path}, line {error.lineno}: {type(error).__name__}: {error.msg}"]
    if error.text:
        text = error.text.rstrip("\n")
        lines.append("    " + text.lstrip())
        if error.offset:
            lines.append("    " + " " * max(error.offset - 1 - (len(text) - len(text.lstrip())), 0) + "^")
    lines.append(f"(read by Python {platform.python_version()}, which is the one that will run it)")
    return "\n".join(lines)


def hint_callable(path: Path, source: bytes, callable_name: str) -> None:
    """Only a hint: a name can be made in ways that cannot be seen without running it."""
    text = source.decode("utf-8", "replace")
    try:
        names = {s.get_name() for s in symtable.symtable(text, str(path), "exec").get_symbols()
                 if s.is_assigned() or s.is_imported() or s.is_namespace()}
        stars = any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):
        return
    if callable_name in names or stars:
        return
    others = [n for n in ("application", "app", "main", "wsgi") if n in names]
    say(f"note: {path} defines no top-level name '{callable_name}', which is what will be called."
        + (f" It has '{others[0]}'." if others else ""))


# --- the application's Python -----------------------------------------------


@dataclass
class AppPython:
    """Which venv runs the application (None: the installation of this Python) and its path."""

    mode: str
    home: Path | None
    path: list[str]

    @classmethod
    def find(cls, mode: str) -> "AppPython":
        own_path = [p for p in sys.path if p and p != os.path.dirname(os.path.abspath(__file__))]
        if sys.prefix != sys.base_prefix:
            return cls(mode, Path(sys.prefix), own_path)
        active = os.environ.get("VIRTUAL_ENV")
        if not active:
            return cls(mode, None, own_path)
        # A daemon process is the environment's own interpreter, of whatever version.
        version = "*" if mode == "daemon" else f"{sys.version_info.major}.{sys.version_info.minor}"
        packages = sorted(map(str, Path(active).glob(f"lib/python{version}/site-packages")))
        if not packages:
            say(f"note: the active virtual environment {active} is not of Python {version}, which "
                "httpd embeds; it is not used. MODE=daemon would use it.")
            return cls(mode, None, own_path)
        return cls(mode, Path(active), [*packages, *own_path])

    def label(self) -> str:
        """Its version, or where it is when it is another one than this."""
        is_this = self.home is None or self.home == Path(sys.prefix)
        return platform.python_version() if is_this else f"of {self.home}"

    def conf_lines(self, search: Path) -> str:
        if ":" in str(search):
            say(f"note: {search} has a colon in its name, so it cannot be put on Python's path.")
        path = "" if ":" in str(search) else conf_quote(search)
        home = conf_quote(self.home) if self.home else ""
        if self.mode == "embedded":
            return (f"WSGIPythonHome {home}\n" if home else "") + (f"WSGIPythonPath {path}\n" if path else "")
        options = [f"threads={DAEMON_THREADS}", "display-name=%{GROUP}"]
        options += [f"python-home={home}"] if home else []
        options += [f"python-path={path}"] if path else []
        return f"WSGIDaemonProcess serve {' '.join(options)}\nWSGIProcessGroup serve\n"


# --- staging: started as root, serving as somebody else ----------------------


def stage_app(app: App, root: ServerRoot) -> App:
    """The application as the server's user can read it: itself, or a copy."""
    wanted = [p for p in (app.script, app.source, app.home) if p is not None]
    if root.user is None or all(readable_by(root.user, p) for p in wanted):
        return app
    cure = (f"It is not readable for {root.user.name}, as whom httpd serves when root starts it.\n"
            "Make it readable, or start make serve as an ordinary user.")
    if app.source is not None and app.home not in app.source.parents:
        # An installed module: the current directory has nothing to do with it.
        if not readable_by(root.user, app.source):
            raise Problem(f"APP={app.label} is {app.source}.\n{cure}")
        return replace(app, home=root.path / "htdocs")
    try:
        home = root.stage_tree(app.home, "app")
        copied = f"the directory {app.home}"
    except Problem as problem:
        if app.script is None:
            raise Problem(f"{problem}\n{cure}") from None
        home = root.stage_file(app.script, "app").parent
        copied = f"only the file {app.script.name}, because {problem}"
    say(f"note: {root.user.name} cannot read {app.home}; serving a copy of {copied}.\n"
        "      Start again after an edit.")
    script = home / app.script.name if app.script else None
    return replace(app, home=home, script=script)


def check_venv(python: AppPython, user: ServerUser | None) -> None:
    """The folder, and in daemon mode its interpreter, as a rule a link to one elsewhere."""
    who = user.name if user else "you"
    cure = "Make it readable, or deactivate it, or start as an ordinary user."
    if python.home is None:
        return
    if not readable_by(user, python.home):
        raise Problem(f"the virtual environment {python.home} is not readable for {who}, as whom "
                      f"httpd serves.\n{cure}")
    interpreter = python.home / "bin" / "python3"
    if python.mode == "daemon" and interpreter.is_symlink() and not readable_by(user, interpreter):
        raise Problem(f"the interpreter of the virtual environment {python.home} is "
                      f"{os.path.realpath(interpreter)},\nwhich {who}, as whom httpd serves, may not "
                      f"execute.\n{cure}")


# --- configuration and run --------------------------------------------------


def write_conf(httpd: Httpd, module: OwnModule, root: ServerRoot, app: App, python: AppPython,
               mpm: str, port: int) -> Path:
    own_lines = module.staged(root)
    name = re.search(r"(?mi)^\s*LoadModule\s+(\w+)_module\b", own_lines)
    values = {
        "SERVER_ROOT": conf_quote(root.path),
        "RUN_DIR": conf_quote(root.path / "run"),
        "DOCUMENT_ROOT": conf_quote(root.path / "htdocs"),
        "PORT": str(port),
        "IDENTITY": root.user.conf_lines() if root.user else "",
        "HTTPD_MODULES": httpd.load_line(f"mpm_{mpm}") + httpd.load_lines(HTTPD_MODULES),
        "OWN_MODULE": own_lines,
        "LOG_MODULE": name.group(1) if name else "core",
        "PYTHON": python.conf_lines(app.home),
        "APPLICATION": app.conf_lines(),
    }
    template = (CONF_D / "serve.conf.in").read_text(encoding="utf-8")
    return root.write("httpd.conf", re.sub(r"@([A-Z_]+)@", lambda m: values[m.group(1)], template))


class LogFollower:
    """Copies what is added to a file to the terminal."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")

    def copy(self) -> None:
        for block in iter(lambda: self.file.read(65536), b""):
            sys.stdout.buffer.write(block)
        sys.stdout.flush()


class Stop(Exception):
    """Ctrl-C, SIGTERM or SIGHUP."""


def on_signal(signum: int, frame: object) -> None:
    raise Stop


def set_signals(handler: object) -> None:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, handler)  # type: ignore[arg-type]


def run(httpd: Httpd, root: ServerRoot, conf: Path, port: int, banner: str) -> int:
    follower = LogFollower(root.error_log)
    server = RunningHttpd(httpd, root, conf, port)
    try:
        if server.wait_listening():
            say(banner)
        while not server.ended():
            follower.copy()
            time.sleep(LOG_POLL_S)
        follower.copy()
        say(f"httpd ended by itself (exit code {server.process.returncode}); the lines above say why.")
        return 1
    except Stop:
        set_signals(signal.SIG_IGN)
        server.stop()
        follower.copy()
        print()
        say("stopped.")
        return 0
    finally:
        set_signals(signal.SIG_IGN)
        server.stop()


def parse_port(text: str) -> int:
    if not text:
        return DEFAULT_PORT
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Problem(f"PORT={text} is not a number. Allowed: 1 to 65535, for example PORT={DEFAULT_PORT}")
    port = int(text)
    if not 1 <= port <= 65535:
        raise Problem(f"PORT={text} is out of range. Allowed: 1 to 65535, for example PORT={DEFAULT_PORT}")
    return port


def parse_mode(text: str) -> str:
    mode = text or MODES[0]
    if mode not in MODES:
        raise Problem(f"MODE={text} is not known. Allowed: {', '.join(MODES)}")
    return mode


def serve(options: argparse.Namespace) -> int:
    mode = parse_mode(options.mode)
    port = parse_port(options.port)
    python = AppPython.find(mode)
    app = find_app(options.app, python)
    module = OwnModule.parse(options.loadmodule)
    httpd = Httpd.find(options.apxs)
    mpm = httpd.choose_mpm()
    check_port(port)
    user = ServerUser.find()
    check_venv(python, user)

    set_signals(on_signal)
    root = ServerRoot("serve", user)
    try:
        conf = write_conf(httpd, module, root, stage_app(app, root), python, mpm, port)
        banner = (
            f"{app.label} at http://127.0.0.1:{port}/\n"
            f"({mode} mode, {mpm} MPM, {httpd.version()}, Python {python.label()}"
            f"{f', served as {user.name}' if user else ''})\n"
            f"error log {root.error_log}, shown below; requests in {root.error_log.with_name('access.log')}\n"
            "Ctrl-C stops it."
        )
        return run(httpd, root, conf, port, banner)
    except Stop:
        return 0
    finally:
        root.close()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="serve", description="Serve one WSGI application on httpd, on loopback.")
    parser.add_argument("--apxs", default="", help="apxs of the httpd to use")
    parser.add_argument("--loadmodule", default="", help="the lines that make print-loadmodule prints")
    parser.add_argument("--app", default="", metavar="FILE|package.module:callable", help="default: conf.d/hello.wsgi")
    parser.add_argument("--mode", default="", metavar="daemon|embedded",
                        help="in processes of its own (default), or in httpd's children")
    parser.add_argument("--port", default="", help=f"default: {DEFAULT_PORT}")
    options = parser.parse_args(arguments)
    if "MAKELEVEL" in os.environ:
        # make and its shell end by a signal without passing it on.
        die_with_parent()
    try:
        return serve(options)
    except Problem as problem:
        sys.stderr.write("\n".join("serve: " + line for line in str(problem).splitlines()) + "\n")
        return 2
    except BrokenPipeError:
        # Whoever read our output is gone, and httpd is stopped by now. Python would
        # complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
