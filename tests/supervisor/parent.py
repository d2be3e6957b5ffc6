"""A parent to be killed: starts a supervisor with one pool, prints pids, waits for ever."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness_supervisor import Supervisor  # noqa: E402

one = Supervisor().start()
one.serve(sys.argv[1], graceful_timeout_us=60_000_000, shutdown_timeout_us=60_000_000,
          process_count=2)
found = one.wait_reports(2)
print(one.root, one.process.pid, *[report["pid"] for report in found], flush=True)
time.sleep(600)
