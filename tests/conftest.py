from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Two noisy cores: a slow example is not a failed one. CI looks at more examples than a laptop, and at the
# same ones each time: what it refuses is what was changed. Every run elsewhere looks at new ones.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=200,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vectors",
        metavar="DIR",
        default=None,
        help="run tests/conformance on the vectors in DIR instead of tests/conformance/vectors",
    )
    parser.addoption(
        "--seeds",
        metavar="A-B",
        default="21-28",
        help="run tests/simulation on the worlds of these seeds instead of a few small ones",
    )
