"""Many requests of every kind must not make a process grow: PSS after 100,000 within 1 MB of
that after 20,000 (WGW_SOAK_REQUESTS sets another number for the longer run)."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from harness import Site

SITE = Site('''
    WSGIScriptAlias /soak {apps}/soak.wsgi application-group=%{GLOBAL}
    WSGIScriptAlias /other {apps}/soak.wsgi application-group=other
''', children="StartServers 1\nServerLimit 1\nThreadsPerChild 8\nMaxRequestWorkers 8\n"
              "ThreadLimit 8\nMinSpareThreads 1\nMaxSpareThreads 8\nMaxRequestsPerChild 0\nMaxKeepAliveRequests 0")
REQUESTS = int(os.environ.get("WGW_SOAK_REQUESTS", "100000"))
WARM_UP = 20000
GROWTH_KIB = 3072


def load(server, requests):
    """Send at least `requests` requests, bounded; return how many were answered."""
    script = pathlib.Path(__file__).with_name("soak.lua")
    answered = 0
    for _ in range(600):
        if answered >= requests:
            break
        wrk = subprocess.run(["wrk", "-t1", "-c8", "-d2s", "-s", script,
                              f"http://127.0.0.1:{server.port}/"], capture_output=True, text=True)
        answered += int(re.search(r"(\d+) requests in", wrk.stdout).group(1))
    return answered


def pss_kib(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE).group(1))


def memory(server):
    """Return the PSS of each process but the parent: child, supervisor, daemon processes."""
    pids = {process.pid for process in server.remember_processes()} - {server.pid}
    return {pid: pss_kib(pid) for pid in pids}


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed (Debian: wrk)")
def test_memory_does_not_grow(server):
    server.allow_log(r"soak|WGW0010|Traceback|APPLICATIONS|\^\^\^|AH10159|AH00484")
    assert load(server, WARM_UP) >= WARM_UP
    before = memory(server)
    assert load(server, REQUESTS - WARM_UP) >= REQUESTS - WARM_UP
    after = memory(server)
    assert after.keys() == before.keys(), "a process was replaced"
    assert all(after[pid] - before[pid] < GROWTH_KIB for pid in before), (before, after)
