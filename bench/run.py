"""`make bench`: wsgigw, embedded and with a daemon, beside a bare C handler and other
WSGI servers, in one run.

The machine's load changes from minute to minute, so the servers take turns in short
rounds (A B C A B C ...) and a ratio is the median of the ratios of neighbouring rounds.
Ratios can be compared between machines, requests per second cannot.

What is measured, per work and server:
  req/s     median and range over the rounds (wrk, keep-alive, 2 threads)
  to bare   ratio to the bare C handler, or to httpd's static file of the same size
  to rival  ratio to Debian's mod_wsgi in the same mode, with the same processes and threads
  p99       median over the rounds, milliseconds
  CPU       user + system time of all processes of that server per request, microseconds
  PSS       per process after the work, mean by role. What the servers of the run share
            (httpd's and Python's text) is divided among them all

Exit code: 0 measured, 1 below a required ratio, 2 could not measure or a request failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import Failed, check_answer, run_wrk  # noqa: E402
from server import (  # noqa: E402
    KINDS, Httpd, HttpdServer, Kind, NginxServer, OwnModule, Problem, Server, ServerRoot,
    build_bare, conf_quote, find_nginx,
)
from table import Entry, Round, Table  # noqa: E402
from work import WORKS, Work  # noqa: E402
import pythons  # noqa: E402

# Option, work, server, and what it is divided by.
REQUIRED = (("require_ratio", "hello", "embedded", "bare"),
            ("require_daemon_ratio", "hello", "daemon-2x1", "mod_wsgi-2x1"),
            ("require_own_gil_ratio", "spin", "own-gil", "shared-gil"))


# --- who takes part ---------------------------------------------------------


def chosen(option: str, names: str, known: dict, default: list) -> list:
    wanted = [name for name in names.split(",") if name]
    for name in wanted:
        if name not in known:
            raise Problem(f"{option}: there is no {name}. There are: {', '.join(known)}")
    return [known[name] for name in known if name in wanted] if wanted else default


def find_peer(httpd: Httpd, named: str) -> Path | None:
    """Another WSGI module: the one named, or Debian's, if it is there."""
    if named and not Path(named).is_file():
        raise Problem(f"--peer-mod-wsgi {named}: there is no such file")
    file = Path(named) if named else httpd.module_dir / "mod_wsgi.so"
    return file.resolve() if file.is_file() else None


def has_flask() -> bool:
    return subprocess.run([sys.executable, "-c", "import flask"], capture_output=True).returncode == 0


class Field:
    """The servers of this run, started on entry and stopped on exit.
    left_out: why each of the others takes no part."""

    def __init__(self, httpd: Httpd, mpm: str, options: argparse.Namespace, works: list[Work]) -> None:
        self.httpd, self.mpm, self.options = httpd, mpm, options
        self.with_flask = has_flask()
        names = {work.name for work in works}
        self.wanted: list[Kind] = [kind for kind in chosen("--servers", options.servers, KINDS, list(KINDS.values()))
                                   if not kind.only or kind.only in names]
        self.servers: dict[str, Server] = {}
        self.left_out: dict[str, str] = {}
        self.peer = find_peer(httpd, options.peer_mod_wsgi)
        self.scratch = ServerRoot("bench-build", None)

    def __enter__(self) -> "Field":
        try:
            makers = {"bare": self._bare, "wsgigw": self._wsgigw, "mod_wsgi": self._mod_wsgi, "nginx": self._nginx}
            for kind in self.wanted:
                if server := makers[kind.module](kind):
                    self.servers[kind.name] = server
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        for server in self.servers.values():
            server.close()
        self.scratch.close()

    def _bare(self, kind: Kind) -> Server:
        module = build_bare(self.httpd, self.options.cc, self.scratch.path)
        return self._httpd(kind, f"LoadModule bare_module {conf_quote(module)}")

    def _wsgigw(self, kind: Kind) -> Server | None:
        if kind.python and not pythons.find(*kind.python):
            self.left_out[kind.name] = "no Python 3.12 to 3.14 in PYTHONS or PATH"
            return None
        return self._httpd(kind, self.options.loadmodule)

    def _mod_wsgi(self, kind: Kind) -> Server | None:
        if self.peer:
            return self._httpd(kind, f"LoadModule wsgi_module {conf_quote(self.peer)}")
        self.left_out[kind.name] = (f"there is no {self.httpd.module_dir / 'mod_wsgi.so'}, "
                                    "and --peer-mod-wsgi names no other")
        return None

    def _httpd(self, kind: Kind, module_lines: str) -> Server:
        return HttpdServer(kind, self.httpd, self.mpm, module_lines)

    def _nginx(self, kind: Kind) -> Server | None:
        programs = {"nginx": find_nginx(), "uwsgi": shutil.which("uwsgi")}
        missing = [name for name, file in programs.items() if not file]
        if missing:
            self.left_out[kind.name] = f"not installed: {', '.join(missing)}"
            return None
        return NginxServer(kind, programs["nginx"], programs["uwsgi"], self.with_flask)


# --- rounds -----------------------------------------------------------------


def measure(work: Work, field: Field, rounds: int, seconds: int) -> Table:
    entries = {name: Entry(server.kind) for name, server in field.servers.items()
               if server.kind.only == (work.name if work.is_own else "")
               and (work.reference or server.kind.module != "bare")}
    table = Table(work, entries)

    def turn(action: Callable[[Server, str, Entry], None]) -> None:
        for name, entry in entries.items():
            server = field.servers[name]
            if entry.broken:
                continue
            try:
                action(server, server.url(work.reference if server.kind.module == "bare" else work.path), entry)
            except Failed as failure:
                entry.broken = str(failure)

    turn(lambda server, url, entry: check_answer(url, work, server.kind.module == "bare"))
    turn(lambda server, url, entry: run_wrk(url, work, 1) and None)  # threads, imports, page cache
    for _ in range(rounds):
        turn(lambda server, url, entry: entry.rounds.append(one_round(server, url, work, seconds)))
    turn(lambda server, url, entry: entry.pss_mib.update(server.pss_mib()))
    return table


def one_round(server: Server, url: str, work: Work, seconds: int) -> Round:
    before = server.cpu_us()
    report = run_wrk(url, work, seconds)
    used_us = sum(used - before.get(pid, 0.0) for pid, used in server.cpu_us().items())
    return Round(report.requests_per_s, report.p99_ms, used_us / report.requests)


# --- the run ----------------------------------------------------------------


def bench(options: argparse.Namespace) -> int:
    works = chosen("--works", options.works, WORKS, [work for work in WORKS.values() if not work.is_extra])
    OwnModule.parse(options.loadmodule)
    if not shutil.which("wrk"):
        raise Problem("wrk is missing; ./bootstrap.sh installs it (Debian package wrk)")
    httpd = Httpd.find(options.apxs)
    mpm = httpd.choose_mpm(options.mpm)
    if WORKS["flask"] in works and not has_flask():
        works.remove(WORKS["flask"])
        print(f"left out: the work flask ({sys.executable} has no Flask)")
    with Field(httpd, mpm, options, works) as field:
        for name, why in field.left_out.items():
            print(f"left out: {name} ({why})")
        print(f"{httpd.version()}, {mpm} MPM, 2 children of {'1 thread' if mpm == 'prefork' else '25 threads'}, "
              f"{os.cpu_count()} CPUs, {options.rounds} rounds of {options.seconds} s each")
        if field.peer:
            print(f"mod_wsgi: {field.peer}")
        tables = []
        for work in works:
            tables.append(measure(work, field, options.rounds, options.seconds))
            print("\n".join(tables[-1].lines()), flush=True)
        if options.json:
            Path(options.json).write_text(json.dumps([r for t in tables for r in t.results()], indent=1) + "\n")
        return max(failures(tables, field), below_required(tables, options))


def failures(tables: list[Table], field: Field) -> int:
    """Say who failed and where the log is. Returns: the exit code."""
    broken = {name: table.work.name for table in tables for name, entry in table.entries.items() if entry.broken}
    for name, work in broken.items():
        server = field.servers[name]
        kept = Path(tempfile.mkdtemp(prefix="wsgigw-bench-logs-"))
        for log in server.logs:
            if log.exists():
                shutil.copyfile(log, kept / log.name)
        print(f"\nbench: {name} failed at {work}; its logs are kept in {kept}\n{server.log_end()}", file=sys.stderr)
    return 2 if broken else 0


def below_required(tables: list[Table], options: argparse.Namespace) -> int:
    """Compare with what was required. Returns: the exit code."""
    measured = {table.work.name: table.entries for table in tables}
    code = 0
    print()
    for option, work, name, other in REQUIRED:
        required = getattr(options, option)
        entries = measured.get(work, {})
        ratio = entries[name].ratio_to(entries.get(other)) if name in entries else None
        if ratio is not None:
            print(f"{work}, {name} to {other}: {ratio:.3f}" + (f" (required: {required})" if required else ""))
            code = max(code, 1 if ratio < required else 0)
        elif required:
            print(f"--{option.replace('_', '-')} needs the work {work}, and the servers {name} and {other}")
            code = 2
    return code


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__.split("\n\n")[0],
        epilog=f"works: {', '.join(WORKS)}; those after echo-1m only when named. servers: {', '.join(KINDS)}")
    parser.add_argument("--apxs", default="", help="apxs of the httpd to use")
    parser.add_argument("--cc", default="", help="compiler for the bare handler")
    parser.add_argument("--loadmodule", default="", help="the lines that make print-loadmodule prints")
    parser.add_argument("--seconds", type=int, default=1, help="length of one round (1)")
    parser.add_argument("--rounds", type=int, default=4, help="rounds of each server (4)")
    parser.add_argument("--works", default="", help="names, separated by commas")
    parser.add_argument("--servers", default="", help="names, separated by commas (all that are installed)")
    parser.add_argument("--mpm", default="event", choices=("event", "worker", "prefork"))
    parser.add_argument("--peer-mod-wsgi", default="", metavar="FILE", help="another mod_wsgi.so to compare with")
    parser.add_argument("--require-ratio", type=float, default=0.0, metavar="R",
                        help="exit code 1 when embedded hello is below R times the bare handler")
    parser.add_argument("--require-daemon-ratio", type=float, default=0.0, metavar="R",
                        help="exit code 1 when daemon-2x1 hello is below R times mod_wsgi-2x1")
    parser.add_argument("--require-own-gil-ratio", type=float, default=0.0, metavar="R",
                        help="exit code 1 when spin with a GIL for each application is below R times that with one")
    parser.add_argument("--json", default="", metavar="FILE", help="write the numbers there too")
    options = parser.parse_args()
    if options.seconds < 1 or options.rounds < 1:
        parser.error("--seconds and --rounds must be 1 or more")
    return options


def main() -> int:
    options = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that everything is stopped and removed
    try:
        return bench(options)
    except Problem as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 2


if __name__ == "__main__":
    sys.exit(main())
