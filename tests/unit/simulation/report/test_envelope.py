"""Long timelines in few points: nothing that happened may be missing from what is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.simulation.report.envelope import envelope, part, worst_stretch

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200)


def test_a_short_timeline_is_drawn_as_it_is() -> None:
    drawn = envelope(np.array([3.0, 1.0, 2.0]), 15.0, 10)
    assert drawn.edges.tolist() == [0.0, 15.0, 30.0, 45.0]
    assert drawn.low.tolist() == drawn.high.tolist() == [3.0, 1.0, 2.0]


def test_a_spike_of_one_step_survives_however_few_points_there_are() -> None:
    values = np.zeros(100_000)
    values[61_234] = 77.0
    assert envelope(values, 15.0, 50).high.max() == 77.0


def test_what_is_unknown_for_a_part_of_a_stretch_does_not_hide_the_rest() -> None:
    drawn = envelope(np.array([np.nan, 4.0, np.nan, np.nan]), 1.0, 2)
    assert drawn.high[0] == drawn.low[0] == 4.0
    assert np.isnan(drawn.high[1])


@pytest.mark.parametrize(("values", "bins"), [([], 5), ([1.0], 0)])
def test_nothing_cannot_be_drawn(values: list[float], bins: int) -> None:
    with pytest.raises(ValueError, match="give 1 or more of both"):
        envelope(np.array(values), 1.0, bins)


@given(values=VALUES, bins=st.integers(1, 60))
def test_every_value_lies_within_what_is_drawn_of_its_stretch_and_both_ends_occur(
    values: list[float], bins: int
) -> None:
    """Catches: means for extremes, a stretch that begins one step late, a last step left out."""
    drawn = envelope(np.array(values), 1.0, bins)
    assert len(drawn.low) == len(drawn.high) == len(drawn.edges) - 1 <= bins
    assert (drawn.edges[0], drawn.edges[-1]) == (0.0, len(values))
    for begin, end, low, high in zip(
        drawn.edges[:-1].astype(int),
        drawn.edges[1:].astype(int),
        drawn.low,
        drawn.high,
        strict=True,
    ):
        stretch = values[begin:end]
        assert (low, high) == (min(stretch), max(stretch))


def test_the_worst_five_minutes_are_those_with_the_most_misses(make_timeline: Any) -> None:
    offered = [10.0] * 60
    met = [10.0] * 60
    met[5] = 4.0  # six at once, alone
    met[30:50] = [9.0] * 20  # twenty in five minutes
    worst = worst_stretch(make_timeline(offered=offered, met=met))
    assert worst is not None
    assert (worst.begin, worst.end) == (30, 50)
    assert (worst.offered, worst.missed) == (200.0, 20.0)


def test_a_run_without_a_miss_has_no_worst_five_minutes(make_timeline: Any) -> None:
    assert worst_stretch(make_timeline(offered=[10.0] * 60)) is None


def test_a_run_shorter_than_five_minutes_is_its_own_worst(make_timeline: Any) -> None:
    worst = worst_stretch(make_timeline(offered=[10.0] * 19, met=[0.0] * 19))
    assert worst is not None
    assert (worst.begin, worst.end, worst.missed) == (0, 19, 190.0)


def test_a_part_of_a_timeline_says_when_it_begins(make_timeline: Any) -> None:
    cut = part(make_timeline(offered=[1.0, 2.0, 3.0, 4.0]), 1, 3)
    assert cut.offered.tolist() == [2.0, 3.0]
    assert cut.started_at == 15.0
