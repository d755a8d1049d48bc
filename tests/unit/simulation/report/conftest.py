"""Make-believe runs: timelines written down, not simulated, so that a report can be checked by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trimtab.simulation.report.study import Result, Role, Study
from trimtab.simulation.timeline import Timeline

STEP_SECONDS = 15.0


def timeline(
    *,
    offered: list[float],
    met: list[float] | None = None,
    refused: list[float] | None = None,
    need: list[float] | None = None,
    ready: list[float] | None = None,
    booting: list[float] | None = None,
) -> Timeline:
    """A run of these steps; what is not told is calm: all met, one replica ready, half of it needed."""
    count = len(offered)
    there = np.array(ready or [1.0] * count)
    coming = np.array(booting or [0.0] * count)
    zeros = np.zeros(count)
    return Timeline(
        started_at=0.0,
        step_seconds=STEP_SECONDS,
        offered=np.array(offered, dtype=float),
        met=np.array(offered if met is None else met, dtype=float),
        refused=np.array(refused or zeros, dtype=float),
        need=np.array(need or [0.5] * count),
        asked=there + coming,
        ready=there,
        booting=coming,
        draining=zeros,
        billed=(there + coming) * STEP_SECONDS,
        waiting=zeros,
    )


def result(policy: str = "capacity", **given: Any) -> Result:
    """A run with figures as a measure would give them."""
    figures = {
        "attainment": 0.9912,
        "replica_hours": 120.0,
        "accelerator_hours": 120.0,
        "optimum_replica_hours": 100.0,
        "ratio_to_optimum": 1.2,
        "scale_ups": 30,
        "scale_downs": 29,
    }
    figures.update(given.pop("figures", {}))
    said = {"trace": "day", "seed": 1, "role": Role.POLICY, "timeline": None}
    return Result(policy=policy, figures=figures, **{**said, **given})


def study(*results: Result, **given: Any) -> Study:
    """These results with a scenario around them."""
    seeds = tuple(sorted({one.seed for one in results}))
    said: dict[str, Any] = {
        "title": "capacity on a made-up day",
        "scenario": {"replica": "8b-h100", "lead time": "180 s"},
        "seeds": seeds,
        "version": "1.2.3",
    }
    return Study(results=results, **{**said, **given})


@pytest.fixture
def make_timeline() -> Callable[..., Timeline]:
    return timeline


@pytest.fixture
def make_result() -> Callable[..., Result]:
    return result


@pytest.fixture
def make_study() -> Callable[..., Study]:
    return study


@pytest.fixture
def two_days() -> Timeline:
    """More steps than a plot has pixels: a calm load, and one step far above all others."""
    count = 11_520
    offered = [150.0] * count
    offered[7_001] = 9_000.0
    met = list(offered)
    met[7_001] = 300.0
    need = [one / 300.0 for one in offered]
    return timeline(offered=offered, met=met, need=need, ready=[2.0] * count)
