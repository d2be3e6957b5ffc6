"""What the tests of replacement and faults share: a site, a deployment, causes, judgements."""
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Callable, Collection, List

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "daemon"))

import daemonkit as kit  # noqa: E402  (found by the path above)
from numbered import REQUESTS, Load, Result  # noqa: E402

from harness import Server, Site, eventually, system  # noqa: E402
from harness.waiting import settled  # noqa: E402

BUILD = pathlib.Path(os.environ.get("WGW_BUILDDIR", pathlib.Path(__file__).resolve().parents[2]))
IS_LONG = REQUESTS >= 20000
CHILDREN = """StartServers 2
ServerLimit 32
ThreadsPerChild 32
ThreadLimit 32
MaxRequestWorkers 64
MinSpareThreads 32
MaxSpareThreads 64"""
"""Two children with threads enough for all connections each: a connection waits for a thread of
the child that accepted it.  Places for children of earlier generations that finish slow requests."""

FAULT_LINES = r"\[wsgigw:\w+\] .*WGW01(03|04|06|07|10|11|12|21|25|26)"
"""What the supervisor says of a process that ended, or did not start, in another way than it should."""
REQUEST_LINES = r"WGW005[23]|WGW0068"
"""What httpd says of a request that was lost with its process."""
REPORT = "WGW0129: .*does not import"
"""The line that names a script whose new text cannot take over."""
DUMP_LINES = (r"Segmentation fault|Current thread|Thread 0x|  File |Extension modules|<no Python frame>"
              r"|Fatal Python error")


def site(options: str = "", text: str = "", pool: str = "processes=2 threads=16") -> Site:
    """Return a site of one pool that serves the numbered application below /n."""
    return Site(f"""
        WSGIDaemonProcess chaos {pool} shutdown-timeout=1 {options}
        WSGIScriptAlias /n {{work}}/site/numbered.wsgi process-group=chaos application-group=%{{GLOBAL}}
        WSGIScriptAlias /i {{apps}}/inside.wsgi process-group=chaos application-group=%{{GLOBAL}}
        {text}
    """, children=CHILDREN)


def start(make_server: Callable[..., Server], of: Site) -> Server:
    """Return a started server of a site with version 1 of the application, that has answered."""
    made = make_server(of, start=False)
    deploy(made, "1")
    made.start()
    eventually(lambda: made.get("/n?number=0&ms=1").status == 200, "a first answer")
    eventually(lambda: victims(made) and set(victims(made)) == set(members(made)), "all processes")
    return made


# --- deployment ----------------------------------------------------------------------------

def script(made: Server) -> pathlib.Path:
    """Return the application's script, a file of this server's own."""
    return made.work / "site" / "numbered.wsgi"


def source(version: str) -> str:
    """Return the application's text with a version of its own."""
    text = (system.TESTS / "apps" / "numbered.wsgi").read_text(encoding="utf-8")
    return text.replace('VERSION = "1"', f'VERSION = "{version}"')


def replace_script(made: Server, text: str) -> None:
    """Put another script in the place of the old one, in one step."""
    new = made.write_work("site/new", text)
    os.replace(new, script(made))


def deploy(made: Server, version: str) -> None:
    """Put a version of the application in place."""
    replace_script(made, source(version))


def touch(made: Server) -> None:
    """Give the script another time of modification, and nothing else."""
    os.utime(script(made))


# --- processes -----------------------------------------------------------------------------

def named(made: Server, number: str) -> List[int]:
    """Return the processes of the pool that live and were named in a log line, the eldest first.

    There is another pool, that of the harness's mode.
    """
    found = made.log.find(f"{number}: process .*of pool 'chaos'")
    alive = set(kit.daemons(made))
    pids = dict.fromkeys(int(record.message.split()[2]) for record in found)
    return [pid for pid in pids if pid in alive and not kit.is_gone(pid)]


def members(made: Server) -> List[int]:
    """Return the processes of the pool, the eldest first."""
    return named(made, "WGW012[28]")


def victims(made: Server) -> List[int]:
    """Return those that are ready, or are on their way out."""
    return named(made, "WGW0123")


def starts(made: Server) -> int:
    """Return how many processes of the pool have become ready since the test began."""
    return len(made.log.find("WGW0123: process .*of pool 'chaos'"))


def send_signal(pid: int, number: int) -> bool:
    """Send a signal; say whether there was still a process to take it."""
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def status_number(pid: int, name: str) -> int:
    """Return a number of /proc/PID/status, in KiB where it is memory."""
    return int(kit.status_of(pid)[name].split()[0])


def hit(made: Server, number: int, before: Collection[int] = ()) -> int:
    """Send a signal to the eldest process that is ready, none of `before`; return its id, or 0."""
    found = [pid for pid in victims(made) if pid not in before]
    return found[0] if found and send_signal(found[0], number) else 0


# --- causes --------------------------------------------------------------------------------

def repeatedly(load: Load, cause: Callable[[], object], times: int, every_s: float) -> int:
    """Apply a cause at least `times` times and until the load is through; return how often."""
    done = 0
    while (done < times or load.is_due()) and not load.is_late():
        cause()
        done += 1
        settled(load.is_late, every_s)
    return done


def order_reload(made: Server, *words: str) -> None:
    """Reload by the command."""
    done = subprocess.run([BUILD / "wsgigw", "reload", *words, "--socket",
                           made.root / "run" / "wsgi.control.sock"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout


def let_go_on(pids: Collection[int]) -> None:
    """Let stopped processes go on, so that nothing is left behind."""
    for pid in pids:
        send_signal(pid, signal.SIGCONT)


def allow_faults(made: Server) -> None:
    """Let pass what httpd and the supervisor say of processes that are lost."""
    made.allow_log(FAULT_LINES)
    made.allow_log(DUMP_LINES)
    made.allow_request(REQUEST_LINES)


def allow_broken_imports(made: Server) -> None:
    """Let pass what is said of a script that does not import: its report and its traceback."""
    made.allow_log(FAULT_LINES)
    made.allow_log(DUMP_LINES)
    made.allow_log(rf"{REPORT}|WGW001[46]|Traceback|SystemExit|\^|\[wsgigw:\w+\] .*\]\s\s|def application\(:")


# --- judgements ----------------------------------------------------------------------------

def nothing_lost(result: Result) -> None:
    """No request failed, none was called twice, none was answered by anybody else."""
    assert len(result.outcomes) >= REQUESTS, result
    assert not result.failed, result
    assert not result.twice, result
    assert not result.unseen, result


def only_under_way(result: Result, culprits: Collection[int],
                   statuses: Collection[int] = (502,), least: int = REQUESTS) -> None:
    """What failed had begun in a process that was hit, and the client was told so.

    A call that was killed before its first statement has left no record; such are few.
    """
    unrecorded = 0
    assert len(result.outcomes) >= least, result
    assert not result.twice, result
    assert not result.unseen, result
    for outcome in result.failed:
        assert outcome.problem == "cut" or (outcome.problem == "status"
                                            and outcome.status in statuses), (outcome, result)
        seen = result.seen.get(outcome.number)
        if seen:
            assert seen.pid in culprits, (outcome, seen, result)
        elif outcome.status != 500:  # a 500 is the process's own word: it could not even call
            unrecorded += 1
    assert unrecorded <= 2 * len(set(culprits)), (unrecorded, culprits, result)


def goes_on(made: Server, pause_s: float = 0.0) -> None:
    """The server answers after all that."""
    time.sleep(pause_s)
    eventually(lambda: made.get("/n?number=0&ms=1").status == 200, "an answer afterwards", 90)
