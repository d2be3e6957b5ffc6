"""One supervisor for each test; nothing of it is left afterwards."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness_supervisor import Supervisor  # noqa: E402  (found by the path above)


@pytest.fixture
def supervisor():
    """A running supervisor that knows no pool yet."""
    made = Supervisor().start()
    yield made
    left = made.end()
    assert not left, f"left behind: {left}"
