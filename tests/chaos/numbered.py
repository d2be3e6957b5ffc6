"""A client that sends numbered requests while something happens to the server, and the account of
what became of each.

One connection for each request, because httpd itself loses requests of kept connections at
graceful restarts.  The application, tests/apps/numbered.wsgi, records every number it is called
with; only both sides together can tell a request that was lost from one that was served twice.

WGW_CHAOS_REQUESTS: how many requests a run has at least (default 2,000).  From 20,000 on the slow
ones take 6 s, else 2 s: longer than shutdown-timeout in both cases.
"""
import collections
import itertools
import os
import threading
import time
import zlib
from typing import Dict, List, NamedTuple, Optional, Set

from harness import Connection, ProtocolError, Server

REQUESTS = int(os.environ.get("WGW_CHAOS_REQUESTS", "2000"))
CONNECTIONS = 16
HANG_S = 40.0
"""No answer takes that long, by a factor of ten; what does, hangs."""
LIMIT_S = 60.0 + REQUESTS / 100
"""A run ends after this time, whatever happens."""
NUMBERS = itertools.count(1)
SMALL_BODY, LARGE_BODY = 20, 40000
"""Repetitions of a number: a body that comes with the request, and one that is streamed."""


class Mix(NamedTuple):
    """How many requests take how long: one of slow_every, one of medium_every, 1 ms the others."""
    slow_ms: int = 6000 if REQUESTS >= 20000 else 2000
    slow_every: int = 400
    medium_ms: int = 50
    medium_every: int = 20

    def ms(self, number: int) -> int:
        """Return the time that the application takes for a request."""
        if number % self.slow_every == 7:
            return self.slow_ms
        return self.medium_ms if number % self.medium_every == 3 else 1


QUICK = Mix(slow_ms=1)


class Outcome(NamedTuple):
    """What the client saw of one request.

    problem: "" fine; "status" a whole response, but not 200; "cut" a response that looks cut;
    "none" no response; "hang"; "wrong" a whole 200 that answers something else.
    sent_s, done_s: of the monotonic clock.  version, pid: as answered, "" and 0 if not.
    """
    number: int
    problem: str
    status: int
    sent_s: float
    done_s: float
    version: str = ""
    pid: int = 0
    detail: str = ""


class Seen(NamedTuple):
    """One call of the application."""
    number: int
    pid: int
    version: str


class Result:
    """The account of one run: what the client saw beside what the application has recorded."""

    def __init__(self, outcomes: List[Outcome], record: List[Seen]) -> None:
        asked = {outcome.number for outcome in outcomes}
        self.outcomes = outcomes
        self.record = [seen for seen in record if seen.number in asked]
        self.seen: Dict[int, Seen] = {seen.number: seen for seen in self.record}

    @property
    def failed(self) -> List[Outcome]:
        """Return the requests that were not answered as they should be."""
        return [outcome for outcome in self.outcomes if outcome.problem]

    @property
    def twice(self) -> List[int]:
        """Return the numbers that the application was called with more than once."""
        counts = collections.Counter(seen.number for seen in self.record)
        return [number for number, count in counts.items() if count > 1]

    @property
    def unseen(self) -> List[Outcome]:
        """Return what was answered without a call of the application."""
        return [outcome for outcome in self.outcomes
                if not outcome.problem and outcome.number not in self.seen]

    @property
    def versions(self) -> Set[str]:
        """Return the versions of the code that have answered."""
        return {outcome.version for outcome in self.outcomes} - {""}

    @property
    def pids(self) -> Set[int]:
        """Return the processes that have answered."""
        return {outcome.pid for outcome in self.outcomes} - {0}

    def sent_after(self, moment_s: float) -> List[Outcome]:
        """Return the requests that were sent after a moment of the monotonic clock."""
        return [outcome for outcome in self.outcomes if outcome.sent_s > moment_s]

    def __repr__(self) -> str:
        problems = collections.Counter(f"{one.problem} {one.status}" for one in self.failed)
        some = "\n".join(f"  {one} seen: {self.seen.get(one.number)}" for one in self.failed[:10])
        return (f"<{len(self.outcomes)} requests, {len(self.pids)} processes, versions "
                f"{sorted(self.versions)}, failed {dict(problems)}, twice {self.twice[:10]}, "
                f"unseen {self.unseen[:5]}>\n{some}")


def recorded(server: Server) -> List[Seen]:
    """Return all calls that the application of a server has recorded so far."""
    path = server.work / "numbered.record"
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    return [Seen(int(number), int(pid), version)
            for number, pid, version in map(str.split, lines)]


def target_of(mount: str, number: int, ms: int, extra: str) -> str:
    """Return the URL of a request; every third one is streamed, half of those are chunked."""
    stream = "&stream=1" if number % 3 == 1 else ""
    framing = "&framing=chunked" if number % 2 else ""
    return f"{mount}?number={number}&ms={ms}{stream}{framing}{extra}"


def body_of(number: int) -> Optional[bytes]:
    """Return the body of a request; None for a GET."""
    if number % 97 == 5:
        return b"%d," % number * LARGE_BODY
    return b"%d," % number * SMALL_BODY if number % 4 == 2 else None


def ask(server: Server, number: int, ms: int = 1, extra: str = "", mount: str = "/n") -> Outcome:
    """Send one request and return what came of it; never raises."""
    body, sent_s = body_of(number), time.monotonic()
    method = "GET" if body is None else "POST"

    def outcome(problem: str, status: int = 0, *rest: object, detail: str = "") -> Outcome:
        return Outcome(number, problem, status, sent_s, time.monotonic(), *rest, detail=detail)
    response = None
    try:
        with Connection(server.port, timeout_s=HANG_S) as connection:
            connection.request(method, target_of(mount, number, ms, extra),
                               [("Connection", "close")], body)
            response = connection.begin(method)
            response.read_all()
    except TimeoutError as error:
        return outcome("hang", response.status if response else 0, detail=repr(error))
    except (OSError, ProtocolError) as error:
        return outcome("cut" if response else "none", response.status if response else 0,
                       detail=repr(error))
    return judge(response, number, zlib.crc32(body or b""), outcome)


def judge(response, number, crc, outcome) -> Outcome:
    """Return the outcome of a response."""
    if not response.complete or response.reset:
        return outcome("cut", response.status, detail=repr(response.body[:200]))
    if response.status != 200:
        return outcome("status", response.status)
    words = response.body.decode("latin-1").split()
    if len(words) != 4 or (words[0], words[3]) != (str(number), str(crc)):
        return outcome("wrong", 200, detail=repr(response.body[:200]))
    return outcome("", 200, words[2], int(words[1]))


class Load:
    """Requests from up to 16 threads; a context manager that ends with its last answer.

    It goes on until `count` requests are answered and the body of the `with` is through, or
    until limit_s.  width: how many connections there may be at a time, changed at will.
    pace_s: what a thread waits between two requests.
    """

    def __init__(self, server: Server, count: int = REQUESTS, mix: Mix = Mix(), extra: str = "",
                 pace_s: float = 0.0, limit_s: float = LIMIT_S) -> None:
        self.width = CONNECTIONS
        self._server, self._count, self._mix = server, count, mix
        self._extra, self._pace_s = extra, pace_s
        self._outcomes: List[Outcome] = []
        self._asking: Dict[int, Outcome] = {}
        self._may_end = threading.Event()
        self._deadline = time.monotonic() + limit_s
        self._threads = [threading.Thread(target=self._run, args=(index,), daemon=True)
                         for index in range(CONNECTIONS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind:
            self._deadline = 0
        self._may_end.set()
        end = max(self._deadline, time.monotonic()) + 2 * HANG_S
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def is_due(self) -> bool:
        """Say whether the run is not through with its number of requests, nor out of time."""
        return len(self._outcomes) < self._count and time.monotonic() < self._deadline

    def is_late(self) -> bool:
        """Say whether the time of the run is over."""
        return time.monotonic() > self._deadline

    def answered(self) -> int:
        """Return how many requests are over."""
        return len(self._outcomes)

    def recent(self) -> List[Outcome]:
        """Return what has come of the requests so far."""
        return list(self._outcomes)

    def send(self, extra: str) -> Outcome:
        """Send one more request that is part of the account, such as one that misbehaves."""
        outcome = ask(self._server, next(NUMBERS), extra=extra)
        self._outcomes.append(outcome)
        return outcome

    def result(self) -> Result:
        """Return the account; for after the end."""
        return Result(self._outcomes + list(self._asking.values()), recorded(self._server))

    def _run(self, index: int) -> None:
        while self._is_wanted():
            if index >= self.width:
                time.sleep(0.01)
                continue
            number, now = next(NUMBERS), time.monotonic()
            self._asking[index] = Outcome(number, "hang", 0, now, now, detail="not over")
            self._outcomes.append(ask(self._server, number, self._mix.ms(number), self._extra))
            del self._asking[index]
            if self._pace_s:
                time.sleep(self._pace_s)

    def _is_wanted(self) -> bool:
        return not self.is_late() and (self.is_due() or not self._may_end.is_set())
