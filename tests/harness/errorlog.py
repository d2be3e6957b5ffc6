"""Reads the error logs of one server and keeps account of which lines were expected.

Knows the line form of site.ERROR_LOG_FORMAT; knows nothing of processes.
"""
import pathlib
import re
from dataclasses import dataclass
from typing import Dict, List, Optional

from harness import allowed_log
from harness.waiting import PATIENCE_S, settled

LEVELS = ("emerg", "alert", "crit", "error", "warn", "notice", "info", "debug")
LOUD = frozenset(LEVELS[:5])
RAW = "raw"
"""Level of a line that is not in httpd's form: somebody wrote to descriptor 2."""

LINE = re.compile(r"\[(?P<time>[^\]]+)\] \[(?P<module>[^:\]]*):(?P<level>\w+)\] "
                  r"\[pid (?P<pid>\d+):tid (?P<tid>[^\]]*)\] \[client (?P<client>[^\]]*)\] "
                  r"\[id (?P<id>[^\]]*)\] ?(?P<message>.*)", re.DOTALL)

OUTSIDE = re.compile(r"\[(?P<time>[^\]]+)\] \[wsgigw:(?P<level>\w+)\] \[pid (?P<pid>\d+)\] "
                     r"?(?P<message>.*)", re.DOTALL)
"""What the supervisor writes: its own lines, and those of daemon processes outside a request."""

CRASH = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer"
                   r"|runtime error:|==\d+==|AH00051|AH00052|exit signal|Segmentation fault"
                   r"|Fatal Python error|double free|corrupted|\*\*\* stack smashing")
"""Loud whatever its level."""


@dataclass
class LogRecord:
    """One line of an error log.

    file: name of the log file, "error.log".  id: request id (%L), "-" if none.
    client: address:port of the client, "-" if none.  level: httpd's word, or RAW.
    """
    file: str
    level: str
    module: str
    client: str
    id: str
    pid: str
    message: str
    text: str
    expected: bool = False

    @property
    def is_loud(self) -> bool:
        """Say whether nobody should see such a line without a reason."""
        return self.level in LOUD or self.level == RAW or bool(CRASH.search(self.text))


def parse(file: str, text: str) -> LogRecord:
    """Return the record of one line (without its line end)."""
    match, outside = LINE.fullmatch(text), OUTSIDE.fullmatch(text)
    if outside:
        return LogRecord(file, outside["level"], "wsgigw", "-", "-", outside["pid"],
                         outside["message"], text)
    if not match:
        return LogRecord(file, RAW, "", "-", "-", "", text, text)
    return LogRecord(file, match["level"], match["module"], match["client"], match["id"],
                     match["pid"], match["message"], text)


class ErrorLog:
    """All files NAMEerror.log of a folder, as one growing list of records."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.records: List[LogRecord] = []
        self.allowed: List[re.Pattern] = []
        self.allowed_requests: List[re.Pattern] = []
        self.test_start = 0
        self._offsets: Dict[pathlib.Path, int] = {}

    def poll(self) -> None:
        """Take in the lines written since the last call; a line without its end waits."""
        for path in sorted(self.folder.glob("*error.log")):
            with path.open("rb") as file:
                file.seek(self._offsets.get(path, 0))
                whole, end, _ = file.read().rpartition(b"\n")
            self._offsets[path] = self._offsets.get(path, 0) + len(whole + end)
            for line in whole.split(b"\n") if end else ():
                self.records.append(parse(path.name, line.decode(errors="backslashreplace")))

    def of_test(self) -> List[LogRecord]:
        """Return the records since the present test began."""
        self.poll()
        return self.records[self.test_start:]

    def find(self, pattern: str, level: Optional[str] = None,
             file: Optional[str] = None) -> List[LogRecord]:
        """Return the records of this test whose message matches `pattern` (re.search)."""
        return [record for record in self.of_test()
                if re.search(pattern, record.message)
                and level in (None, record.level) and file in (None, record.file)]

    def expect(self, pattern: str, level: Optional[str] = None, file: Optional[str] = None,
               count: int = 1, timeout_s: float = PATIENCE_S) -> List[LogRecord]:
        """Wait until `count` records match, mark them as expected and return them.

        Raises AssertionError, showing the log of the test, if they do not come.
        """
        settled(lambda: len(self.find(pattern, level, file)) >= count, timeout_s)
        found = self.find(pattern, level, file)
        if len(found) < count:
            raise AssertionError(f"{len(found)} of {count} log lines /{pattern}/ at level "
                                 f"{level or 'any'} in {file or 'any log'}; log:\n{self.text()}")
        for record in found:
            record.expected = True
        return found

    def expect_traceback(self, pattern: str, file: Optional[str] = None) -> List[LogRecord]:
        """Wait for a whole traceback whose last line matches `pattern`.

        Marks every error record of the same request as expected and returns them in order.
        """
        last = self.expect(pattern, level="error", file=file)[-1]
        same = [record for record in self.of_test() if record.level == "error"
                and (record.id, record.file) == (last.id, last.file)]
        if last.id == "-":
            same = [record for record in same if record.pid == last.pid]
        for record in same:
            record.expected = True
        if not any("Traceback (most recent call last)" in record.message for record in same):
            raise AssertionError(f"no traceback with /{pattern}/; log:\n{self.text()}")
        return same

    def allow(self, pattern: str) -> None:
        """Let lines matching `pattern` pass in this test, whether or not they come."""
        self.allowed.append(re.compile(pattern))

    def allow_request(self, pattern: str) -> None:
        """Let the error and warn records of every request pass that has one like `pattern`.

        For an error that may or may not be reported with its traceback.
        """
        self.allowed_requests.append(re.compile(pattern))

    def unexpected(self) -> List[LogRecord]:
        """Return the loud records of this test that nobody expected."""
        records = self.of_test()
        excused = {record.id for record in records
                   if any(pattern.search(record.message) for pattern in self.allowed_requests)}
        return [record for record in records if record.is_loud and not record.expected
                and not (record.id in excused - {"-"} and record.level in ("error", "warn"))
                and not allowed_log.reason(record.text)
                and not any(pattern.search(record.text) for pattern in self.allowed)]

    def end_test(self) -> None:
        """Start the account of the next test."""
        self.poll()
        self.test_start = len(self.records)
        self.allowed.clear()
        self.allowed_requests.clear()

    def text(self) -> str:
        """Return the log of the present test for a message."""
        return "\n".join(f"{record.file}: {record.text}" for record in self.of_test())
