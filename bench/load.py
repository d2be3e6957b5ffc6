"""The load generator: one answer checked, then rounds of wrk, and what wrk reports.

Must not know which server answers.
"""

from __future__ import annotations

import re
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from work import Work

BENCH = Path(__file__).resolve().parent
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}
FAILURES = (r"Non-2xx or 3xx responses: \d+", r"Socket errors: .*")


class Failed(Exception):
    """The server answered wrongly, or not at all. The text says how."""


@dataclass
class Report:
    requests: int
    requests_per_s: float
    p99_ms: float


def check_answer(url: str, work: Work, is_reference: bool) -> None:
    """A wrong answer can be very fast. Raises Failed."""
    data = b"x" * 1048576 if work.is_post and not is_reference else None
    try:
        with urllib.request.urlopen(url, data=data, timeout=30) as answer:
            status, length = answer.status, len(answer.read())
    except OSError as error:
        raise Failed(f"did not answer {url}: {error}") from error
    if status != 200 or length != work.size_bytes:
        raise Failed(f"answered {url} with {status} and {length} bytes instead of {work.size_bytes}")


def run_wrk(url: str, work: Work, seconds: int) -> Report:
    """Keep-alive, 2 threads. Raises Failed: a request failed, or none was answered.
    Blocks: for `seconds` and half a second more."""
    command = ["wrk", "-t2", f"-c{work.connections}", f"-d{seconds}s", "--latency"]
    script = "post-1m.lua" if work.is_post else work.script
    command += ["-s", str(BENCH / script)] if script else []
    done = subprocess.run([*command, url], capture_output=True, text=True)
    output = done.stdout
    for pattern in FAILURES:
        if match := re.search(pattern, output):
            raise Failed(f"wrk at {url}: {match.group(0)}")
    total = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", output)
    if done.returncode != 0 or not (total and rate and p99) or int(total.group(1)) == 0:
        raise Failed(f"wrk at {url} measured nothing:\n{output}{done.stderr}")
    return Report(int(total.group(1)), float(rate.group(1)), float(p99.group(1)) * UNITS_MS[p99.group(2)])
