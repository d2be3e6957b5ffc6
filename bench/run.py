"""`make bench`: wsgigw beside a bare C handler, on the same httpd, in one run.

The machine's load changes from minute to minute, so the contenders take turns in
short rounds (A B A B ...) and the ratio is the median of the ratios of neighbouring
rounds. Ratios can be compared between machines, requests per second cannot.

What is measured, per work and contender:
  req/s    median over the rounds (wrk, keep-alive, 2 threads)
  p99      median over the rounds, milliseconds
  CPU      user + system time of all httpd children per request, microseconds
  PSS      per child after the work, MiB; the children serve all contenders of their
           instance, so it belongs to the instance, not to the row alone
  ratio    to the reference of the work: the bare handler, or the static file

Exit code: 0 measured, 1 below --require-ratio, 2 could not measure.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent / "src" / "cli"))
from instance import (  # noqa: E402
    Httpd, OwnModule, Problem, RunningHttpd, ServerRoot, ServerUser, conf_quote, free_port,
)

HTTPD_MODULES = ("unixd", "authn_core", "authz_core")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
FILE_BYTES = 10 * 1024 * 1024
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


@dataclass(frozen=True)
class Work:
    """One thing to serve. reference: the URL path that httpd serves without Python."""

    name: str
    path: str
    size_bytes: int
    connections: int
    reference: str | None = None
    reference_label: str = ""
    post: bool = False


WORKS = [
    Work("hello", "/wsgi", 13, 16, "/bare", "bare C handler"),
    Work("hello-unsized", "/works/hello-unsized", 13, 16, "/bare", "bare C handler"),
    Work("hello-generator", "/works/hello-generator", 13, 16, "/bare", "bare C handler"),
    Work("hello-write", "/works/hello-write", 13, 16, "/bare", "bare C handler"),
    Work("list-1m", "/works/list-1m", 1048576, 8),
    Work("file-10m", "/works/file-10m", FILE_BYTES, 8, "/file-10m.bin", "static file"),
    Work("generator-50", "/works/generator-50", 50 * 28, 8),
    Work("echo-1m", "/works/echo-1m", 1048576, 8, post=True),
    Work("flask", "/flask", 13, 8, "/bare", "bare C handler"),
]


# --- an httpd to measure ----------------------------------------------------


@dataclass
class Instance:
    """One running httpd of the benchmark."""

    root: ServerRoot
    server: RunningHttpd

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"

    def cpu_us(self) -> float:
        """User and system time of all children since their start."""
        total = 0
        for pid in self.server.children():
            fields = _proc(pid, "stat").rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12]) if fields else 0
        return total * 1e6 / TICKS_PER_S

    def pss_mib(self) -> float | None:
        """Mean over the children; None where the kernel does not say."""
        sizes = [int(m.group(1)) for pid in self.server.children()
                 if (m := re.search(r"^Pss:\s+(\d+) kB", _proc(pid, "smaps_rollup"), re.M))]
        return statistics.mean(sizes) / 1024 if sizes else None

    def close(self) -> None:
        self.server.stop()
        self.root.close()


def _proc(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""


def start_instance(httpd: Httpd, mpm: str, own_lines: str, bare: Path | None) -> Instance:
    root = ServerRoot("bench", ServerUser.find())
    try:
        return Instance(root, _start(httpd, mpm, own_lines, bare, root))
    except BaseException:
        root.close()
        raise


def _start(httpd: Httpd, mpm: str, own_lines: str, bare: Path | None, root: ServerRoot) -> RunningHttpd:
    root.write("htdocs/file-10m.bin", b"\0" * FILE_BYTES)
    scripts = {name: root.write(f"{name}.wsgi", (BENCH / f"{name}.wsgi").read_bytes())
               for name in ("hello", "works", "flask")}
    lines = OwnModule.parse(own_lines).staged(root)
    if bare is not None:
        lines += f"LoadModule bare_module {conf_quote(root.stage_file(bare, 'modules'))}\n"
    port = free_port()
    values = {
        "SERVER_ROOT": conf_quote(root.path),
        "RUN_DIR": conf_quote(root.path / "run"),
        "DOCUMENT_ROOT": conf_quote(root.path / "htdocs"),
        "PORT": str(port),
        "IDENTITY": root.user.conf_lines() if root.user else "",
        "HTTPD_MODULES": httpd.load_line(f"mpm_{mpm}") + httpd.load_lines(HTTPD_MODULES),
        "OWN_MODULE": lines,
        "MAX_WORKERS": "2" if mpm == "prefork" else "50",
        "HELLO": conf_quote(scripts["hello"]),
        "WORKS": conf_quote(scripts["works"]),
        "FLASK": conf_quote(scripts["flask"]),
    }
    template = (BENCH / "bench.conf.in").read_text(encoding="utf-8")
    conf = root.write("httpd.conf", re.sub(r"@([A-Z_]+)@", lambda m: values[m.group(1)], template))
    server = RunningHttpd(httpd, root, conf, port)
    if not server.wait_listening():
        server.stop()
        log = root.error_log.read_text(errors="replace")
        raise Problem(f"httpd did not start:\n{log or 'see its message above'}")
    return server


def build_bare(httpd: Httpd, compiler: str, folder: Path) -> Path:
    """Compile mod_bare.c as apxs would, with the compiler of the build."""
    includes = [f"-I{d}" for d in dict.fromkeys(
        httpd.query(name) for name in ("INCLUDEDIR", "APR_INCLUDEDIR", "APU_INCLUDEDIR")) if d]
    target = folder / "mod_bare.so"
    command = [
        *shlex.split(compiler or httpd.query("CC") or "cc"), "-O2", "-fPIC", "-shared",
        *shlex.split(httpd.query("EXTRA_CPPFLAGS")), *includes,
        str(BENCH / "mod_bare.c"), "-o", str(target),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem(f"cannot build the bare handler:\n{shlex.join(command)}\n{done.stderr}")
    return target


# --- rounds -----------------------------------------------------------------


@dataclass
class Round:
    requests_per_s: float
    p99_ms: float
    cpu_us: float


@dataclass
class Contender:
    label: str
    instance: Instance
    path: str
    is_reference: bool = False
    rounds: list[Round] = field(default_factory=list)
    pss_mib: float | None = None
    broken: str = ""

    def median(self, name: str) -> float:
        return statistics.median(getattr(r, name) for r in self.rounds)

    def ratios(self, reference: "Contender") -> list[float]:
        return [mine.requests_per_s / other.requests_per_s
                for mine, other in zip(self.rounds, reference.rounds) if other.requests_per_s]


def check_answer(contender: Contender, work: Work) -> None:
    """A wrong answer can be very fast."""
    data = b"x" * 1048576 if work.post and not contender.is_reference else None
    try:
        with urllib.request.urlopen(contender.instance.url(contender.path), data=data, timeout=30) as answer:
            length = len(answer.read())
            if answer.status != 200 or length != work.size_bytes:
                contender.broken = f"answered {answer.status} with {length} bytes instead of {work.size_bytes}"
    except OSError as error:
        contender.broken = f"did not answer: {error}"


def run_wrk(contender: Contender, work: Work, seconds: int) -> Round:
    command = ["wrk", "-t2", f"-c{work.connections}", f"-d{seconds}s", "--latency"]
    if work.post:
        command += ["-s", str(BENCH / "post-1m.lua")]
    before_us = contender.instance.cpu_us()
    done = subprocess.run([*command, contender.instance.url(contender.path)], capture_output=True, text=True)
    used_us = contender.instance.cpu_us() - before_us
    report = done.stdout
    total = re.search(r"(\d+) requests in", report)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", report)
    if done.returncode != 0 or not (total and rate and p99) or int(total.group(1)) == 0:
        raise Problem(f"wrk could not measure {contender.label}:\n{report}{done.stderr}")
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", report) or re.search(r"Socket errors: .*", report)
    if failed:
        contender.broken = f"wrk saw failures: {failed.group(0)}"
    return Round(float(rate.group(1)), float(p99.group(1)) * UNITS_MS[p99.group(2)], used_us / int(total.group(1)))


def measure(work: Work, contenders: list[Contender], rounds: int, seconds: int) -> None:
    for contender in contenders:
        check_answer(contender, work)
    able = [c for c in contenders if not c.broken]
    for contender in able:
        run_wrk(contender, work, 1)  # warm up: threads, imports, page cache
    for _ in range(rounds):
        for contender in able:
            contender.rounds.append(run_wrk(contender, work, seconds))
    for contender in able:
        contender.pss_mib = contender.instance.pss_mib()


# --- the run ----------------------------------------------------------------

HEADINGS = f"{'work':<16}{'contender':<18}{'req/s':>10}{'p99 ms':>9}{'CPU us':>9}{'PSS MiB':>9}  ratio (range)"


def row(work: Work, contender: Contender, reference: Contender | None) -> str:
    start = f"{work.name:<16}{contender.label:<18}"
    if not contender.rounds:
        return f"{start}not measured: {contender.broken}"
    pss = f"{contender.pss_mib:9.1f}" if contender.pss_mib is not None else f"{'?':>9}"
    line = (f"{start}{contender.median('requests_per_s'):10,.0f}{contender.median('p99_ms'):9.2f}"
            f"{contender.median('cpu_us'):9.1f}{pss}")
    ratios = contender.ratios(reference) if reference and reference is not contender else []
    if ratios:
        line += f"  {statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})"
    return line + (f"  ({contender.broken})" if contender.broken else "")


def contenders_of(work: Work, own: Instance, peer: Instance | None) -> list[Contender]:
    found = []
    if work.reference:
        found.append(Contender(work.reference_label, own, work.reference, is_reference=True))
    found.append(Contender("wsgigw", own, work.path))
    if peer:
        found.append(Contender("mod_wsgi", peer, work.path))
    return found


def has_flask() -> bool:
    return subprocess.run([sys.executable, "-c", "import flask"], capture_output=True).returncode == 0


def find_peer(httpd: Httpd, named: str) -> Path | None:
    """Another WSGI module: the one named, or Debian's, if it is there."""
    if named:
        if not Path(named).is_file():
            raise Problem(f"--peer-mod-wsgi {named}: there is no such file")
        return Path(named).resolve()
    installed = httpd.module_dir / "mod_wsgi.so"
    return installed.resolve() if installed.is_file() else None


def choose_works(names: str) -> list[Work]:
    wanted = [n for n in names.split(",") if n] or [w.name for w in WORKS]
    known = {w.name: w for w in WORKS}
    for name in wanted:
        if name not in known:
            raise Problem(f"--works: no work is called {name}. There are: {', '.join(known)}")
    return [known[name] for name in wanted]


def bench(options: argparse.Namespace) -> int:
    works = choose_works(options.works)
    OwnModule.parse(options.loadmodule)
    if not shutil.which("wrk"):
        raise Problem("wrk is missing; ./bootstrap.sh installs it (Debian package wrk)")
    httpd = Httpd.find(options.apxs)
    mpm = httpd.choose_mpm(options.mpm)
    peer_file = find_peer(httpd, options.peer_mod_wsgi)

    scratch = ServerRoot("bench-build", None)
    instances: list[Instance] = []
    try:
        bare = build_bare(httpd, options.cc, scratch.path)
        own = start_instance(httpd, mpm, options.loadmodule, bare)
        instances.append(own)
        peer = None
        if peer_file:
            peer = start_instance(httpd, mpm, f"LoadModule wsgi_module {conf_quote(peer_file)}", None)
            instances.append(peer)
        print(f"{httpd.version()}, {mpm} MPM, 2 children of {'1 thread' if mpm == 'prefork' else '25 threads'}, "
              f"{os.cpu_count()} CPUs, {options.rounds} rounds of {options.seconds} s each")
        print(f"mod_wsgi: {peer_file or 'not installed: skipped'}")
        return measure_all(works, own, peer, options)
    finally:
        for instance in instances:
            instance.close()
        scratch.close()


def measure_all(works: list[Work], own: Instance, peer: Instance | None, options: argparse.Namespace) -> int:
    print(f"\n{HEADINGS}", flush=True)
    results = []
    hello_ratio = None
    failures = 0
    for work in works:
        if work.name == "flask" and not has_flask():
            print(f"{work.name:<16}skipped: {sys.executable} has no Flask")
            continue
        contenders = contenders_of(work, own, peer)
        measure(work, contenders, options.rounds, options.seconds)
        reference = contenders[0] if contenders[0].is_reference and contenders[0].rounds else None
        for contender in contenders:
            print(row(work, contender, reference), flush=True)
            failures += bool(contender.broken) and contender.label != "mod_wsgi"
            results.append(result_of(work, contender, reference))
            if work.name == "hello" and contender.label == "wsgigw" and reference and contender.rounds:
                hello_ratio = statistics.median(contender.ratios(reference))
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1) + "\n")
    return verdict(hello_ratio, failures, own, options)


def result_of(work: Work, contender: Contender, reference: Contender | None) -> dict[str, object]:
    measured = {}
    if contender.rounds:
        ratios = contender.ratios(reference) if reference else []
        measured = {
            "requests_per_s": contender.median("requests_per_s"), "p99_ms": contender.median("p99_ms"),
            "cpu_us": contender.median("cpu_us"), "pss_mib": contender.pss_mib,
            "ratio": statistics.median(ratios) if ratios else None,
        }
    return {"work": work.name, "contender": contender.label, "broken": contender.broken, **measured}


def verdict(hello_ratio: float | None, failures: int, own: Instance, options: argparse.Namespace) -> int:
    print()
    if hello_ratio is not None:
        print(f"hello, wsgigw embedded to bare C handler: {hello_ratio:.3f}"
              + (f" (required: {options.require_ratio})" if options.require_ratio else ""))
    if failures:
        print(f"{failures} rows could not be measured properly. httpd's error log ends with:")
        print("\n".join(own.root.error_log.read_text(errors="replace").splitlines()[-20:]))
        return 2
    if options.require_ratio and hello_ratio is None:
        print("--require-ratio needs the work hello")
        return 2
    return 1 if options.require_ratio and hello_ratio < options.require_ratio else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.split("\n\n")[0],
                                     epilog="works: " + ", ".join(w.name for w in WORKS))
    parser.add_argument("--apxs", default="", help="apxs of the httpd to use")
    parser.add_argument("--cc", default="", help="compiler for the bare handler")
    parser.add_argument("--loadmodule", default="", help="the lines that make print-loadmodule prints")
    parser.add_argument("--seconds", type=int, default=3, help="length of one round (3)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each contender (5)")
    parser.add_argument("--works", default="", help="names, separated by commas (all)")
    parser.add_argument("--mpm", default="event", choices=("event", "worker", "prefork"))
    parser.add_argument("--peer-mod-wsgi", default="", metavar="FILE", help="another mod_wsgi.so to compare with")
    parser.add_argument("--require-ratio", type=float, default=0.0, metavar="R",
                        help="exit code 1 when hello is below R times the bare handler")
    parser.add_argument("--json", default="", metavar="FILE", help="write the numbers there too")
    options = parser.parse_args()
    if options.seconds < 1 or options.rounds < 1:
        parser.error("--seconds and --rounds must be 1 or more")
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
