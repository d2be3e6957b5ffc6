"""The pytest side: parameters mode and mpm, fixtures server and make_server, checks after tests."""
import itertools
import os
import re
from typing import Callable, Iterator, List

import pytest

from harness import checks, stage, system
from harness.server import Server
from harness.site import POOL_SIZES, Site

ALL_MPMS = ("event", "worker", "prefork")
_KEYS = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    config.addinivalue_line("markers", "mpms(*names): run this test with these MPMs only")
    config.addinivalue_line("markers", "slow: takes many seconds; `-m 'not slow'` leaves it out")
    config.addinivalue_line("markers", "modes(*names): run this test in these modes only")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that asks for `mode` or `mpm` once for each."""
    for name, marker, values in (("mpm", "mpms", wanted_mpms(metafunc.module)),
                                 ("mode", "modes", wanted_modes(metafunc.module))):
        if name in metafunc.fixturenames:
            mark = metafunc.definition.get_closest_marker(marker)
            chosen = [value for value in values if not mark or value.partition("-")[0] in mark.args]
            metafunc.parametrize(name, chosen, indirect=True, scope="module")


def wanted_mpms(module: object) -> List[str]:
    """Return the MPMs for a test file: env WGW_MPMS and the file's MPMS.

    Without WGW_MPMS: all for tests/conformance and a file with EVERY_MPM, else event.
    """
    is_every = is_conformance(module) or getattr(module, "EVERY_MPM", False)
    default = ",".join(ALL_MPMS if is_every else ALL_MPMS[:1])
    return chosen("WGW_MPMS", default, getattr(module, "MPMS", ALL_MPMS))


def wanted_modes(module: object) -> List[str]:
    """Return the modes for a test file: env WGW_MODES and the file's MODES."""
    possible = getattr(module, "MODES", ("embedded", *POOL_SIZES))
    default = "embedded,daemon-1x1,daemon-1x5,daemon-3x4" if is_conformance(module) else "embedded,daemon"
    return chosen("WGW_MODES", default, possible)


def is_conformance(module: object) -> bool:
    """Say whether a test file belongs to the suite that runs everywhere."""
    return "conformance" in str(module.__file__)


def chosen(variable: str, default: str, possible: tuple) -> List[str]:
    """Return the names in an environment variable that are possible."""
    named = re.split(r"[,\s]+", os.environ.get(variable) or default)
    # pytest compares parameters by identity: they must be the same objects for every test.
    return [name for name in possible if name in named]


@pytest.fixture(scope="module")
def mpm(request: pytest.FixtureRequest) -> str:
    """The MPM of this run."""
    if not system.has_module(f"mpm_{request.param}"):
        pytest.skip(f"httpd has no mod_mpm_{request.param}")
    return request.param


@pytest.fixture(scope="module")
def mode(request: pytest.FixtureRequest) -> str:
    """The mode of this run: "embedded", or one of site.POOL_SIZES."""
    return request.param


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, mode: str, mpm: str) -> Iterator[Server]:
    """A running server for SITE of the test file, shared by the tests of the file."""
    made = Server(site_of(request.module), mpm, mode).start()
    yield made
    end(made)


@pytest.fixture
def make_server(mode: str, mpm: str) -> Iterator[Callable[..., Server]]:
    """A function that makes (and by default starts) servers for one test."""
    made: List[Server] = []

    def make(site: Site, start: bool = True) -> Server:
        made.append(Server(site, mpm, mode))
        return made[-1].start() if start else made[-1]
    yield make
    for one in made:
        end(one)


def site_of(module: object) -> Site:
    """Return SITE of a test file; skip where httpd lacks a module it names."""
    site = module.SITE
    missing = [name for name in site.modules if not system.has_module(name)]
    if missing:
        pytest.skip(f"httpd has no {', '.join(missing)}")
    return site


def end(server: Server) -> None:
    """Stop a server and raise if anything was wrong with it or is left of it."""
    problems = checks.after_test(server)
    server.stop()
    report(server, problems + checks.after_stop(server))


def report(server: Server, problems: List[str]) -> None:
    """Raise one error for all problems."""
    if problems:
        pytest.fail(f"{server.root.name}:\n" + "\n".join(problems), pytrace=False)


@pytest.fixture(autouse=True)
def _watch_servers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check every running server after every test."""
    yield
    failed = getattr(request.node, "wgw_failed", False)
    for running in list(Server.running):
        problems = checks.after_test(running)
        if not failed:
            report(running, problems)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Show the error log of a failed test."""
    outcome = yield
    result = outcome.get_result()
    if call.when == "call" and result.failed:
        item.wgw_failed = True
        for running in Server.running:
            result.sections.append((f"error log of {running.root.name}", running.log.text()))


def pytest_sessionfinish() -> None:
    """Leave nothing in the temp folder."""
    for left in list(Server.running):
        left.kill()
    stage.remove_session_folder()


@pytest.fixture
def key() -> Iterator[str]:
    """A name for the notes and gates of one test; its gates are open after the test."""
    name = f"key{next(_KEYS)}x"
    yield name
    for running in Server.running:
        for suffix in ("", "1", "2"):
            running.open_gate(name + suffix)
