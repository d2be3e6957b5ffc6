"""httpd stops while requests are running: they end within what is documented, seen as cut or
whole, and nothing of ours is left, also when a service manager kills the rest at once.

graceful-stop lets httpd's children finish their requests, up to GracefulShutdownTimeout. stop gives
them what httpd gives any child; docs/directives.md has shutdown-timeout for the processes.
"""
import json
import pathlib
import signal
import sys
import threading
import time

import pytest

import chaoskit as chaos
from chaoskit import kit
from numbered import NUMBERS, Mix, Result, ask, recorded

from harness import Server, eventually, processes

MODES = ("daemon",)
MPMS = ("event",)
SLOW_MS = Mix().slow_ms
ENDLESS_MS = 60000
COUNT = 8
HTTPD_S = 15
"""httpd sends its children SIGTERM for 3 s, then SIGKILL at 10 s; the rest is for slow machines."""
SIGNALS = {"stop": signal.SIGTERM, "graceful-stop": signal.SIGWINCH}


class InFlight:
    """Requests that are inside the application when the constructor returns."""

    def __init__(self, made: Server, ms: int = SLOW_MS) -> None:
        self._made, self._ms, self.outcomes = made, ms, []
        numbers = [next(NUMBERS) for _ in range(COUNT)]
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True)
                         for number in numbers]
        for thread in self._threads:
            thread.start()
        eventually(lambda: set(numbers) <= {seen.number for seen in recorded(made)},
                   f"{COUNT} requests inside")

    def _run(self, number: int) -> None:
        self.outcomes.append(ask(self._made, number, ms=self._ms))

    def result(self) -> Result:
        """Wait until every client has what it gets; return the account."""
        for thread in self._threads:
            thread.join(30)
        assert len(self.outcomes) == COUNT, f"{COUNT - len(self.outcomes)} clients hang"
        return Result(self.outcomes, recorded(self._made))


def site(options: str = "", seconds: int = 30):
    """Return a site whose graceful stop may take so long."""
    return chaos.site(options, f"GracefulShutdownTimeout {seconds}")


def allow_ends(made):
    """Let pass what is said of requests that end with their process, and of httpd's children."""
    made.allow_log(chaos.FAULT_LINES)
    made.allow_log(r"WGW0068|WGW0136|AH00045|AH00046|AH00047")
    made.allow_request(chaos.REQUEST_LINES)


def end(made, number, bound_s):
    """Send httpd the signal; return how long it took to end, at most bound_s."""
    made.remember_processes()
    begin = time.monotonic()
    chaos.send_signal(made.pid, number)
    eventually(lambda: not made.is_running(), "the end of httpd", bound_s)
    return time.monotonic() - begin


def nothing_is_left(made):
    """Every process of the server has gone with httpd."""
    eventually(lambda: not any(map(processes.alive, made.known_processes)), "the end of all", 2)


def is_told(outcome):
    """Say whether the client knows that it has no whole answer, by a status or by the end."""
    return outcome.problem in ("cut", "none") or outcome.status in (502, 503, 504)


# --- without a service manager -------------------------------------------------------------

def test_graceful_stop_finishes(make_server):
    """All that runs is answered, though it takes longer than shutdown-timeout; then httpd ends."""
    made = chaos.start(make_server, site())
    flight = InFlight(made)
    end(made, signal.SIGWINCH, SLOW_MS / 1000 + HTTPD_S)
    result = flight.result()
    assert not result.failed and not result.twice, result
    nothing_is_left(made)


def test_graceful_stop_is_bounded(make_server):
    """GracefulShutdownTimeout ends what takes longer; each client is told."""
    made = chaos.start(make_server, site(seconds=1))
    allow_ends(made)
    flight = InFlight(made, ENDLESS_MS)
    end(made, signal.SIGWINCH, 1 + HTTPD_S)
    result = flight.result()
    assert all(map(is_told, result.outcomes)), result
    assert not result.twice
    nothing_is_left(made)


def test_stop_is_bounded(make_server):
    """stop: what would take for ever is visibly ended, within the time that httpd gives any child."""
    made = chaos.start(make_server, site())
    allow_ends(made)
    flight = InFlight(made, ENDLESS_MS)
    end(made, signal.SIGTERM, HTTPD_S + 2)
    result = flight.result()
    assert all(map(is_told, result.outcomes)), result
    assert not result.twice
    nothing_is_left(made)


def test_stop_while_processes_are_replaced(make_server):
    """Old processes that finish their requests, and new ones that start, end as well."""
    made = chaos.start(make_server, site())
    allow_ends(made)
    flight = InFlight(made)
    made.graceful()
    for pid in chaos.victims(made):
        chaos.send_signal(pid, signal.SIGUSR1)
    end(made, signal.SIGTERM, HTTPD_S + 2)
    assert all(not one.problem or is_told(one) for one in flight.result().outcomes)
    nothing_is_left(made)


# --- under a service manager ---------------------------------------------------------------

def managed(make_server, of):
    """Return a server that a service manager has started, and the file of its report."""
    made = make_server(of, start=False)
    report = made.root / "report.json"
    program = pathlib.Path(__file__).with_name("service_manager.py")
    command = made._command()
    made._command = lambda: [sys.executable, str(program), str(report), *command]
    chaos.deploy(made, "1")
    made.start()
    eventually(lambda: made.get("/n?number=0&ms=1").status == 200, "a first answer")
    return made, report


@pytest.mark.parametrize("way", SIGNALS)
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_service_manager(make_server, way, busy):
    """When httpd's main process has gone there is nothing of ours that could be killed."""
    made, report = managed(make_server, site())
    allow_ends(made)
    flight = InFlight(made) if busy else None
    end(made, SIGNALS[way], SLOW_MS / 1000 + HTTPD_S)
    left = json.loads(report.read_text(encoding="utf-8"))
    assert left == {"status": 0, "left": []}
    if flight:
        result = flight.result()
        assert not result.twice
        assert all(not one.problem or (way == "stop" and is_told(one))
                   for one in result.outcomes), result


def test_service_manager_sees_what_is_left(make_server):
    """The manager itself: after kill -9 of httpd's parent it finds what is ours."""
    made, report = managed(make_server, site())
    made.allow_log("WGW0116|WGW005[267]|WGW01")
    (httpd,) = kit.children(made.pid)
    chaos.send_signal(httpd, signal.SIGKILL)
    eventually(lambda: not made.is_running(), "the end of the manager")
    left = json.loads(report.read_text(encoding="utf-8"))["left"]
    assert any("wsgigw-supervisor" in one for one in left), left
    for socket in made.root.rglob("*.sock"):
        socket.unlink()
