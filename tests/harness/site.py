"""What a server is to serve, and the httpd configuration text made from it.

Knows nothing of processes.
"""
import os
import re
from typing import Mapping, NamedTuple, Sequence

from harness import stage, system

ALWAYS = ("unixd", "authn_core", "authz_core", "log_config", "alias", "env")
"""Modules every server loads; a test names what it needs beside them."""

ERROR_LOG_FORMAT = "[%{u}t] [%-m:%l] [pid %P:tid %-T] [client %-a] [id %-L] %E: %M"
"""Parsed by errorlog.py; "-" stands for an item that does not exist."""

THREADED = """StartServers 1
ServerLimit 2
ThreadsPerChild 16
ThreadLimit 16
MaxRequestWorkers 32
MinSpareThreads 1
MaxSpareThreads 32"""

CHILDREN = {
    "event": THREADED,
    "worker": THREADED,
    "prefork": """StartServers 4
ServerLimit 8
MaxRequestWorkers 8
MinSpareServers 2
MaxSpareServers 8""",
}
"""Numbers of children and threads: the same children all the time, more than one possible."""

POOL_SIZES = {"daemon": (2, 16), "daemon-1x1": (1, 1), "daemon-1x5": (1, 5), "daemon-3x4": (3, 4)}
"""Processes and threads of the pool that serves the site in a daemon mode."""


def mode_lines(mode: str, text: str) -> str:
    """Return what makes a site with this text run in another mode."""
    if mode == "embedded":
        return ""
    processes, threads = POOL_SIZES[mode]
    path = re.search(r"^\s*WSGIPythonPath (.*)", text, re.M)  # a directive of embedded mode
    option = f" python-path={path[1]}" if path else ""
    if os.environ.get("WGW_HTTPD_ENV"):  # the sanitizers' part of it
        option += " pass-env=LD_PRELOAD,ASAN_OPTIONS,UBSAN_OPTIONS,PYTHONMALLOC"
    return (f"WSGIDaemonProcess conformance processes={processes} threads={threads}{option}\n"
            "WSGIProcessGroup conformance")



class Site(NamedTuple):
    """A configuration: text with {placeholders}, and the modules it needs.

    text: httpd lines at server level.
    modules: names of httpd modules as in mod_NAME.so.
    children: replaces CHILDREN of the MPM.
    tls: a second listener on {tls_port}, certificate in {cert} and {key}.
    load_wsgi: False leaves the module under test out.
    log_level: None takes WGW_LOGLEVEL or "info".
    """
    text: str = ""
    modules: Sequence[str] = ()
    children: str = ""
    tls: bool = False
    load_wsgi: bool = True
    log_level: str = ""


def config_text(site: Site, mpm: str, mode: str, places: Mapping[str, object]) -> str:
    """Return the whole httpd.conf for `site`."""
    parts = [load_line(f"mpm_{mpm}"), *map(load_line, (*ALWAYS, *site.modules)),
             frame(site, mpm), stage.load_lines() if site.load_wsgi else "",
             mode_lines(mode, site.text) if site.load_wsgi else "", site.text]
    return fill("\n".join(part for part in parts if part) + "\n", places)


def fill(text: str, places: Mapping[str, object]) -> str:
    """Replace {name} for the names in `places`; %{name} and unknown names stay."""
    def value(match: re.Match) -> str:
        return str(places.get(match.group(1), match.group()))
    return re.sub(r"(?<![%$])\{(\w+)\}", value, text)


def load_line(name: str) -> str:
    """Return the LoadModule line for an httpd module, "" if it is linked into httpd."""
    if f"mod_{name}.c" in system.compiled_in():
        return ""
    return f"LoadModule {name}_module {system.module_file(name)}"


def frame(site: Site, mpm: str) -> str:
    """Return the lines every server has."""
    lines = [site.children or CHILDREN[mpm], """
ServerRoot "{root}"
DefaultRuntimeDir "{run}"
PidFile "{run}/httpd.pid"
Mutex "file:{run}" default
Listen 127.0.0.1:{port}
ServerName localhost
ServerAdmin admin@example.org
DocumentRoot "{htdocs}"
Timeout 30
KeepAliveTimeout 5
GracefulShutdownTimeout 5
AcceptFilter http none
ErrorLog "{logs}/error.log"
CustomLog "{logs}/access.log" "%h %t \\"%r\\" %>s %b %X"
SetEnv WGW_WORK "{work}"
SetEnv WGW_TEST_VARIABLE "some value"
""", f'ErrorLogFormat "{ERROR_LOG_FORMAT}"',
             f'LogLevel {site.log_level or os.environ.get("WGW_LOGLEVEL", "info")}']
    if site.tls:
        lines.append("Listen 127.0.0.1:{tls_port}")
    if system.is_root():
        lines.append("User {user}\nGroup {group}")
    return "\n".join(lines)
