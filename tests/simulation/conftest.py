from __future__ import annotations

import pytest
from tests.simulation.runner import parse_seeds


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", parse_seeds(metafunc.config.getoption("--seeds")))
