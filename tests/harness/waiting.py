"""Bounded waiting.  The only place of the harness that sleeps."""
import time
from typing import Callable, TypeVar

T = TypeVar("T")

PATIENCE_S = 15.0
"""How long anything expected to happen soon may take; a factor of ten above the usual."""


def eventually(probe: Callable[[], T], what: str, timeout_s: float = PATIENCE_S) -> T:
    """Return the first true value of probe(); raise AssertionError naming `what` when late."""
    value = settled(probe, timeout_s)
    if not value:
        raise AssertionError(f"not within {timeout_s} s: {what}")
    return value


def settled(probe: Callable[[], T], timeout_s: float) -> T:
    """Return the first true value of probe(), or its last false one after timeout_s."""
    deadline = time.monotonic() + timeout_s
    pause_s = 0.001
    while True:
        value = probe()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.05)
