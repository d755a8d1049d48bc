"""Loads over time: constant, stepped, a made-up week."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.plant import ConstantWorkload, DayWorkload, Load, PastTheEnd, SteppedWorkload

LOW = Load(1.0, 100.0, 10.0)
HIGH = Load(9.0, 300.0, 30.0)
HOUR = 3600.0
DAY = 24 * HOUR


def a_week(**changes: float) -> DayWorkload:
    given_values = {"peak_requests_per_second": 20.0, "prompt_tokens": 1000.0, "seed": 7} | changes
    return DayWorkload(output_tokens=200.0, **given_values)  # type: ignore[arg-type]  # fields by name


def mean_rate(workload: DayWorkload, start: float, end: float) -> float:
    seconds = range(int(start), int(end), 30)
    return sum(workload.load(t).requests_per_second for t in seconds) / len(seconds)


def test_a_constant_workload_never_changes_and_never_ends() -> None:
    workload = ConstantWorkload(LOW)

    assert workload.load(0.0) == workload.load(1e9) == LOW
    assert workload.span_seconds is None


def test_steps_hold_for_their_time_and_change_at_its_end() -> None:
    workload = SteppedWorkload([(60.0, LOW), (30.0, HIGH)])

    assert [workload.load(t) for t in (0.0, 59.999, 60.0, 89.999)] == [LOW, LOW, HIGH, HIGH]
    assert workload.span_seconds == 90.0


@pytest.mark.parametrize(
    ("past", "rates"),
    [
        (PastTheEnd.REPEAT, [1.0, 9.0, 1.0]),
        (PastTheEnd.HOLD, [9.0, 9.0, 9.0]),
        (PastTheEnd.SILENCE, [0.0, 0.0, 0.0]),
    ],
)
def test_past_its_end_a_workload_repeats_holds_or_falls_silent(
    past: PastTheEnd, rates: list[float]
) -> None:
    workload = SteppedWorkload([(60.0, LOW), (30.0, HIGH)], past_the_end=past)

    assert [workload.load(t).requests_per_second for t in (90.0, 160.0, 900.0)] == rates


def test_a_workload_has_no_load_before_its_start() -> None:
    with pytest.raises(ValueError, match="starts at 0 s"):
        SteppedWorkload([(60.0, LOW)]).load(-1.0)


def test_steps_must_exist_and_last() -> None:
    with pytest.raises(ValueError, match="no steps"):
        SteppedWorkload([])
    with pytest.raises(ValueError, match=r"step 2 lasts 0\.0 s"):
        SteppedWorkload([(1.0, LOW), (0.0, HIGH)])


@pytest.mark.parametrize(
    "numbers",
    [(-1.0, 10.0, 10.0), (float("nan"), 10.0, 10.0), (1.0, 0.0, 10.0), (1.0, 10.0, float("inf"))],
)
def test_a_load_that_cannot_be_is_refused(numbers: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="load"):
        Load(*numbers)


def test_a_working_day_has_a_quiet_night_a_steep_morning_a_lunch_dip_and_an_evening_shoulder() -> (
    None
):
    workload = a_week()
    hour = [mean_rate(workload, h * HOUR, (h + 1) * HOUR) for h in range(24)]

    assert max(hour[2:5]) < 0.2 * hour[10]
    assert hour[9] > 3.0 * hour[6]
    assert hour[12] < 0.95 * hour[10]
    assert hour[12] < 0.95 * hour[14]
    assert hour[20] > 0.5 * hour[14]
    assert hour[23] < 0.6 * hour[20]


def test_the_top_of_a_weekday_is_the_peak_that_was_asked_for() -> None:
    workload = a_week()

    tops = [
        mean_rate(workload, day * DAY + 9.5 * HOUR, day * DAY + 11.5 * HOUR) for day in range(5)
    ]

    assert all(0.75 * 20.0 < top < 1.35 * 20.0 for top in tops)


def test_weekends_are_quieter_and_no_two_days_are_alike() -> None:
    workload = a_week()
    days = [mean_rate(workload, day * DAY, (day + 1) * DAY) for day in range(14)]

    assert max(days[5:7]) < 0.75 * min(days[0:5])
    assert len({round(day, 6) for day in days}) == 14


def test_bursts_stand_out_of_the_curve_but_stay_small() -> None:
    weeks = [a_week(seed=seed) for seed in range(5)]

    peaks = [
        max(week.load(float(t)).requests_per_second for t in range(0, int(DAY), 15))
        for week in weeks
    ]

    assert all(20.0 < peak < 45.0 for peak in peaks)


def test_the_token_mix_drifts_slowly_around_its_mean() -> None:
    workload = a_week()
    prompts = [workload.load(t).prompt_tokens for t in range(0, int(DAY), 60)]

    assert sum(prompts) / len(prompts) == pytest.approx(1000.0, rel=0.06)
    assert max(prompts) > 1.15 * min(prompts)
    assert max(abs(b - a) for a, b in itertools.pairwise(prompts)) < 5.0


def test_a_day_may_begin_at_any_hour_of_any_weekday() -> None:
    whole = a_week()
    tuesday_morning = a_week(hour=7.0, weekday=1)

    assert tuesday_morning.load(600.0) == whole.load(DAY + 7 * HOUR + 600.0)


@pytest.mark.parametrize("start", [{"hour": 24.0}, {"hour": -1.0}, {"weekday": 7}])
def test_a_day_that_does_not_exist_cannot_begin(start: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="0 <= hour < 24"):
        a_week(**start)


@given(seed=st.integers(0, 2**31), times=st.lists(st.floats(0.0, 30 * DAY), min_size=1, max_size=8))
def test_a_made_up_day_is_a_function_of_seed_and_time_in_any_order_of_asking(
    seed: int, times: list[float]
) -> None:
    in_order = {t: a_week(seed=seed).load(t) for t in sorted(times)}
    shuffled = list(times)
    random.Random(1).shuffle(shuffled)
    once = a_week(seed=seed)

    assert all(once.load(t) == in_order[t] for t in shuffled)


@given(
    seed=st.integers(0, 1000),
    hour=st.floats(0.0, 23.99),
    weekday=st.integers(0, 6),
    begin=st.integers(0, 2 * 7 * 86_400),
    seconds=st.integers(1, 4000),
)
def test_the_table_of_a_week_has_the_very_loads_of_its_seconds(
    seed: int, hour: float, weekday: int, begin: int, seconds: int
) -> None:
    # Seen to catch: exponentials of numpy, bursts of one hour only, a first slot that holds for all its five seconds.
    week, alike = (a_week(seed=seed, hour=hour, weekday=weekday) for _ in range(2))

    values, lengths = week.table(begin, seconds)

    told = [Load(*row) for row in values.tolist()]
    each = [
        load for load, length in zip(told, lengths.tolist(), strict=True) for _ in range(length)
    ]
    assert each == [alike.load(second) for second in range(begin, begin + seconds)]
