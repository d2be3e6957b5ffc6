"""Makes the harness importable and loads its pytest side."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
pytest.register_assert_rewrite("harness")

pytest_plugins = ["harness.plugin"]
