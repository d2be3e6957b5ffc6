"""Daemon processes for tests, without httpd and without a supervisor."""
import os
import pathlib
import re
import shutil
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import wire  # noqa: E402
from harness.waiting import eventually  # noqa: E402

SANITIZER = re.compile(r"Sanitizer|runtime error:")
APP = pathlib.Path(__file__).with_name("app.wsgi")


class Bench(wire.Daemon):
    """A daemon process that serves app.wsgi, and what tests ask about it."""

    def __init__(self, folder, *args, **options):
        super().__init__(folder, *args, **options)
        self.folder = pathlib.Path(folder)
        self.notes = self.folder / "notes"

    def request(self, name, body=b"", group="", flags=0, bits=0, ends_by_us=0,
                **variables):
        """Encode a request for a function of app.wsgi."""
        length = len(body) if body is not None else -1
        return wire.request_frame(APP, {"PATH_INFO": f"/{name}", "NOTES": str(self.notes),
                                        "GATE": str(self.folder / "gate"), **variables},
                                  body, group, length=length, flags=flags, bits=bits,
                                  ends_by_us=ends_by_us)

    def ask(self, name, **options):
        """Return the body of an answer, by a connection of its own."""
        with self.connect() as client:
            client.send(self.request(name, **options))
            return client.body()

    def start(self, name, **options):
        """Return a connection on which a request is under way."""
        client = self.connect()
        client.send(self.request(name, **options))
        return client

    def noted(self):
        """Return the lines that the application has noted."""
        return self.notes.read_text().split() if self.notes.exists() else []

    def wait_noted(self, *lines):
        """Wait until the application has noted exactly this."""
        eventually(lambda: self.noted() == list(lines), f"{lines} in the notes")

    def open_gate(self):
        """Let go whoever waits."""
        (self.folder / "gate").touch()

    def descriptors(self):
        """Count the process's open descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def settled_descriptors(self):
        """Count them once the application has been loaded and nobody is connected any more."""
        self.ask("hello")
        time.sleep(0.1)
        return self.descriptors()

    def memory_kb(self, what="VmRSS"):
        """Return a number of /proc/PID/status."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split(what + ":")[1].split()[0])

    def cpu_s(self):
        """Return the processor time the process has used, in seconds."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def exit_code(self, timeout_s=15):
        """Wait for the end of the process."""
        return self.process.wait(timeout=timeout_s)


@pytest.fixture
def make():
    """A function that makes daemon processes for one test, by default ready ones."""
    made = []

    def start(*args, is_ready=True, **options):
        made.append(Bench(wire.folder(), *args, **options))
        return made[-1].wait_ready() if is_ready else made[-1]
    yield start
    for one in made:
        one.__exit__()
        assert not SANITIZER.search(one.log()), one.log()
        shutil.rmtree(one.folder)


@pytest.fixture
def daemon(make):
    """A daemon process with two threads."""
    return make()
