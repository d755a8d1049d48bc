"""The chart of a run on the terminal: a shortage shows however short it was."""

from __future__ import annotations

import numpy as np

from trimtab.cli.simulation_chart import MARGIN, READY, SHORT, STARTING, chart
from trimtab.simulation.timeline import Timeline


def run(
    *, need: list[float], ready: list[float], booting: list[float], missed: list[float]
) -> Timeline:
    offered = np.full(len(need), 100.0)
    zeros = np.zeros(len(need))
    there, coming = np.array(ready), np.array(booting)
    return Timeline(
        started_at=0.0, step_seconds=15.0, offered=offered, met=offered - np.array(missed),
        refused=zeros, need=np.array(need), asked=there + coming, ready=there, booting=coming,
        draining=zeros, billed=(there + coming) * 15.0, waiting=zeros,
    )  # fmt: skip


def lines(timeline: Timeline, width: int = 80) -> list[str]:
    return [line.plain for line in chart(timeline, width)]


def test_one_step_of_shortage_in_a_day_is_seen() -> None:
    count = 5_760
    need, missed = [4.0] * count, [0.0] * count
    need[3_001], missed[3_001] = 8.0, 50.0
    drawn = lines(run(need=need, ready=[4.0] * count, booting=[0.0] * count, missed=missed))
    assert sum(line.count(SHORT) for line in drawn[1:-1]) == 4  # rows, one column
    misses = next(line for line in drawn if line.startswith("misses"))
    assert len(misses[MARGIN:].split()) == 3  # one mark, and the scale
    assert misses.endswith("≤ 3.333/s")


def test_what_is_ready_starting_and_short_have_signs_of_their_own() -> None:
    count = 60
    calm = run(need=[2.0] * count, ready=[2.0] * count, booting=[2.0] * count, missed=[0.0] * count)
    drawn = lines(calm)
    replicas = [line for line in drawn if "│" in line]
    assert all(set(line.partition("│")[2]) == {READY} for line in replicas[2:])
    assert all(set(line.partition("│")[2]) == {STARTING} for line in replicas[:2])
    assert next(line for line in drawn if line.startswith("misses")).endswith("none")


def test_every_row_of_the_chart_begins_at_the_same_column() -> None:
    count = 400
    drawn = lines(
        run(need=[9.0] * count, ready=[12.0] * count, booting=[0.0] * count, missed=[1.0] * count)
    )
    assert {line.index("│") for line in drawn if "│" in line} == {MARGIN - 1}
    assert drawn[0].startswith("load".ljust(MARGIN))


def test_the_chart_fits_its_width() -> None:
    count = 2_000
    wide = run(need=[1.5] * count, ready=[2.0] * count, booting=[0.0] * count, missed=[0.0] * count)
    assert all(len(line) <= 100 for line in lines(wide, 100))


def test_a_need_that_nobody_can_serve_is_drawn_without_it() -> None:
    count = 50
    endless = run(
        need=[float("inf")] * count,
        ready=[1.0] * count,
        booting=[0.0] * count,
        missed=[100.0] * count,
    )
    assert any(READY in line or "·" in line for line in lines(endless))
