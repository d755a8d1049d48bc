"""Gives each vector to the test that names its file, and counts how they ended."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.conformance.cases import Vector, directory, read_vectors
from tests.conformance.deviations import DEVIATIONS

PROPERTY = "vectors of"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vector" not in metafunc.fixturenames:
        return
    path = directory(metafunc.config) / metafunc.module.VECTORS
    vectors = read_vectors(path) if path.is_file() else []
    metafunc.parametrize("vector", vectors, ids=[one.id for one in vectors])


@pytest.fixture(autouse=True)
def _counted(request: pytest.FixtureRequest, record_property: pytest.RecordProperty) -> None:
    """Note on the report, which travels between processes, what the outcome counts for."""
    if "vector" in request.fixturenames:
        vector: Vector = request.getfixturevalue("vector")
        record_property(PROPERTY, f"{request.module.VECTORS} {vector.id}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            for key, value in getattr(report, "user_properties", ()):
                if key == PROPERTY:
                    file, vector = value.split()
                    is_meant = outcome == "passed" and vector in DEVIATIONS
                    counts.setdefault(file, Counter())["deliberate" if is_meant else outcome] += 1
    if not counts:
        return
    terminalreporter.section("conformance")
    for file, one in sorted(counts.items()):
        failed = sum(one.values()) - one["passed"] - one["deliberate"]
        terminalreporter.write_line(
            f"{file:<32} {sum(one.values()):>4} vectors: {one['passed']:>4} passed, "
            f"{one['deliberate']:>3} differ deliberately, {failed:>3} failed"
        )
