"""Pieces of workloads, and a workload whose future is replaced."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trimtab.plant import ConstantWorkload, DayWorkload, Load, PastTheEnd, SteppedWorkload, Workload
from trimtab.simulation.inputs import Bins, InputError, RecordedWorkload, part, spliced

STAIRS = SteppedWorkload([(10.0, Load(float(rate), 100.0 * rate, 10.0)) for rate in (1, 2, 3, 4)])
FLAT = ConstantWorkload(Load(9.0, 900.0, 90.0))
RECORDED = RecordedWorkload(
    Bins(
        edges_seconds=np.array([0.0, 10.0, 20.0, 30.0, 40.0]),
        requests_per_second=np.array([1.0, 2.0, 3.0, 4.0]),
        prompt_tokens=np.array([100.0, 200.0, 300.0, 400.0]),
        output_tokens=np.full(4, 10.0),
        started_at=1000.0,
        unknown=((0.0, 10.0), (20.0, 30.0)),
    )
)


@pytest.mark.parametrize("whole", [STAIRS, RECORDED])
def test_a_part_begins_at_zero_and_repeats_by_itself(whole: Workload) -> None:
    cut = part(whole, 15.0, 35.0)

    assert cut.span_seconds == 20.0
    for at in (0.0, 4.9, 5.0, 14.0, 19.9):
        assert cut.load(at) == whole.load(15.0 + at)
        assert cut.load(20.0 + at) == cut.load(at)


@pytest.mark.parametrize("whole", [STAIRS, RECORDED])
def test_after_its_end_a_part_may_hold_or_fall_silent(whole: Workload) -> None:
    held = part(whole, 0.0, 20.0, past_the_end=PastTheEnd.HOLD)
    silent = part(whole, 0.0, 20.0, past_the_end=PastTheEnd.SILENCE)

    assert held.load(100.0) == whole.load(19.0)
    assert silent.load(100.0) == Load(0.0, 200.0, 10.0)


def test_a_part_of_a_recording_knows_when_it_was_and_what_was_unknown() -> None:
    cut = part(RECORDED, 5.0, 25.0)

    assert isinstance(cut, RecordedWorkload)
    assert cut.bins.started_at == 1005.0
    assert cut.bins.unknown == ((0.0, 5.0), (15.0, 20.0))


@pytest.mark.parametrize(
    ("begin", "end", "sentence"),
    [
        (
            -1.0,
            10.0,
            "a part from -1 s to 10 s cannot be; it begins at 0 s or later and ends after",
        ),
        (10.0, 10.0, "a part from 10 s to 10 s cannot be"),
        (0.0, math.inf, "a part from 0 s to inf s cannot be"),
        (
            30.0,
            50.0,
            "the load lasts 40 s and has no part from 30 s to 50 s; end it within the load",
        ),
    ],
)
def test_a_part_that_is_not_there_is_a_sentence(begin: float, end: float, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        part(STAIRS, begin, end)

    assert sentence in str(caught.value)


def test_a_spliced_load_is_one_until_the_moment_and_the_other_from_its_beginning_after() -> None:
    both = spliced(FLAT, 25.0, STAIRS)

    assert both.load(24.999) == FLAT.load(0.0)
    for at in (0.0, 10.0, 39.0):
        assert both.load(25.0 + at) == STAIRS.load(at)


def test_a_spliced_load_lasts_until_the_other_ends() -> None:
    assert spliced(FLAT, 25.0, STAIRS).span_seconds == 65.0
    assert spliced(STAIRS, 25.0, FLAT).span_seconds is None


@pytest.mark.parametrize("at", [-1.0, math.inf, math.nan])
def test_a_load_goes_over_at_a_time_that_is(at: float) -> None:
    with pytest.raises(InputError, match="goes over into another at 0 s or later"):
        spliced(FLAT, at, STAIRS)


DAY = DayWorkload(peak_requests_per_second=9.0, prompt_tokens=99.0, output_tokens=9.0, seed=1)


@pytest.mark.parametrize(
    "workload",
    [
        RECORDED,
        part(STAIRS, 15.0, 35.0),
        part(DAY, 3.0, 100.0),
        part(RECORDED, 5.0, 25.0, past_the_end=PastTheEnd.SILENCE),
        spliced(STAIRS, 12.0, part(DAY, 3.0, 50.0)),
    ],
)
def test_a_load_holds_as_long_as_it_says(workload: Workload) -> None:
    for at in np.arange(0.0, 150.0, 0.5):
        until = workload.holds_until(at)  # type: ignore[attr-defined]  # all of these know
        assert until > at
        for later in np.linspace(at, min(until, 150.0) - 1e-6, 5):
            assert workload.load(max(later, at)) == workload.load(at)
