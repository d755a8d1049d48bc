"""The vectors: facts from the test suites of other autoscalers, and how ours is held against them.

A test module names its file in ``VECTORS`` and takes the fixture ``vector``; it runs the input through
the real strategies and stages and hands what came out to ``conform``. An adapter may translate words
and units. It must not decide anything that trimtab decides, and must not know any single vector.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.deviations import DEVIATIONS

DIRECTORY = Path(__file__).parent / "vectors"


@dataclass(frozen=True, slots=True)
class Vector:
    """One case: an input and what the peer answered. ``expected`` lacks what it did not assert."""

    id: str
    kind: str
    name: str
    tags: tuple[str, ...]
    input: Mapping[str, Any]
    expected: Mapping[str, Any]
    strategy: str = ""


def directory(config: pytest.Config) -> Path:
    """Where the vectors are read: beside this file, or where ``--vectors`` says."""
    given = config.getoption("--vectors")
    return DIRECTORY if given is None else (config.invocation_params.dir / given).resolve()


def read_vectors(path: Path) -> list[Vector]:
    """Every vector of a file, in its order."""
    return [
        Vector(
            id=one["id"],
            kind=one["kind"],
            name=one["name"],
            tags=tuple(one["tags"]),
            input=one["input"],
            expected=one["expected"],
            strategy=one.get("strategy", ""),
        )
        for one in json.loads(path.read_text(encoding="utf-8"))
    ]


def differences(
    vector: Vector, answers: Mapping[str, Any], *, left_out: Collection[str] = ()
) -> list[str]:
    """What of ``expected`` our answers do not meet, in words.

    Every key that the vector expects must be answered, or be named in ``left_out`` by the adapter.
    """
    found = []
    for key, expected in vector.expected.items():
        if key in left_out:
            continue
        assert key in answers, f"the adapter of {vector.kind} answers nothing for {key!r}"
        if not _is_same(expected, answers[key]):
            found.append(f"{key}: the peer says {expected!r}, trimtab says {answers[key]!r}")
    return found


def conform(vector: Vector, answers: Mapping[str, Any], *, left_out: Collection[str] = ()) -> None:
    """Assert that our answers are the peer's, or differ where we differ on purpose."""
    judge(vector, differences(vector, answers, left_out=left_out))


def judge(vector: Vector, found: list[str]) -> None:
    """Assert that nothing differs, or that something does where we differ on purpose."""
    reason = DEVIATIONS.get(vector.id)
    if reason is None:
        assert not found, "\n".join([f"{vector.id} {vector.name}", *found])
    else:
        assert found, f"{vector.id} agrees now: take it out of deviations.py ({reason})"


def _is_same(expected: Any, ours: Any) -> bool:
    if isinstance(expected, float) and isinstance(ours, int | float):
        return bool(ours == pytest.approx(expected, rel=1e-6, abs=1e-9))
    return bool(expected == ours)
