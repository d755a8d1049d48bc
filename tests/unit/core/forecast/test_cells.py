from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.forecast.cells import CELLS_MAX, Cell, Heard, hear

T0 = 1_774_746_000.0
"""The beginning of a cell."""


def heard(samples: list[tuple[float, float]], hold_seconds: float = 60.0) -> list[Cell]:
    state, cells = None, []
    for time, load in samples:
        state, full = hear(state, T0 + time, load, hold_seconds)
        cells += full
    return [Cell(end - T0, load) for end, load in cells]


def test_samples_on_the_grid_are_a_cell_each() -> None:
    assert heard([(15.0, 2.0), (30.0, 4.0)]) == [(15.0, 2.0), (30.0, 4.0)]


def test_samples_within_a_cell_share_it_by_their_time() -> None:
    assert heard([(15.0, 2.0), (20.0, 3.0), (30.0, 6.0)])[1:] == [(30.0, pytest.approx(5.0))]


def test_one_sample_fills_all_the_cells_that_it_stands_for() -> None:
    assert heard([(15.0, 2.0), (60.0, 4.0)])[1:] == [(30.0, 4.0), (45.0, 4.0), (60.0, 4.0)]


def test_what_was_not_measured_has_no_cell() -> None:
    cells = heard([(15.0, 2.0), (600.0, 4.0)], hold_seconds=30.0)
    assert cells == [(15.0, 2.0), (585.0, 4.0), (600.0, 4.0)]


def test_a_cell_that_a_gap_begins_in_counts_with_what_was_measured_of_it() -> None:
    cells = heard([(15.0, 2.0), (20.0, 8.0), (600.0, 4.0)], hold_seconds=15.0)
    assert cells == [(15.0, 2.0), (30.0, 8.0), (600.0, 4.0)]


def test_an_old_sample_again_changes_nothing() -> None:
    state, _ = hear(None, T0 + 15.0, 2.0, 60.0)
    assert hear(state, T0 + 15.0, 99.0, 60.0) == (state, ())
    assert hear(state, T0 + 3.0, 99.0, 60.0) == (state, ())


def test_after_a_long_time_only_the_newest_cells_count() -> None:
    cells = heard([(15.0, 2.0), (15.0 + 86_400.0, 4.0)], hold_seconds=86_400.0)
    assert len(cells) == 1 + CELLS_MAX


@given(st.lists(st.tuples(st.floats(0.1, 40.0), st.floats(0.0, 100.0)), min_size=1, max_size=40))
def test_whatever_the_intervals_no_work_is_lost_or_made_up(
    samples: list[tuple[float, float]],
) -> None:
    """Seen to fail when a boundary closes a cell without beginning the next from 0."""
    state, cells, now = Heard(T0), [], T0
    total = 0.0
    for seconds, load in samples:
        now += seconds
        total += seconds * load
        state, full = hear(state, now, load, 60.0)
        cells += full
    assert [cell.end for cell in cells] == [T0 + 15.0 * (n + 1) for n in range(len(cells))]
    assert 15.0 * sum(cell.load for cell in cells) + state.total == pytest.approx(total, abs=1e-3)
