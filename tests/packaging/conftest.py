from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Test files are not a package; these share a scripted control plane and a way to run the process.
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What takes longer than a few seconds runs in `make test-packaging` only."""
    is_slow = collection_path == HERE / "slow"
    return True if is_slow and not config.getoption("--packaging") else None
