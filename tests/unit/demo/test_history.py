"""The last hour minute by minute, however seldom or often somebody looks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.cli.demo.history import DayShape, History
from trimtab.cli.demo.snapshot import HISTORY_MINUTES
from trimtab.plant import Load, SteppedWorkload, Totals

HOUR = 3600.0


def totals(offered: float, met: float | None = None) -> Totals:
    return Totals(offered=offered, finished=offered, met_slo=offered if met is None else met)


def test_a_minute_is_kept_when_it_is_over() -> None:
    history = History(1000.0)
    history.look(1030.0, totals(300.0), ready=4, asked=4)
    assert history.moments == ()
    history.look(1060.0, totals(600.0), ready=4, asked=5)
    (moment,) = history.moments
    assert (moment.requests_per_second, moment.ready, moment.asked) == (10.0, 4, 5)


@given(steps=st.lists(st.floats(0.5, 400.0), min_size=1, max_size=60))
def test_a_steady_rate_is_steady_however_the_looks_fall(steps: list[float]) -> None:
    history, now = History(0.0), 0.0
    for step in steps:
        now += step
        history.look(now, totals(7.0 * now), ready=1, asked=1)
    assert len(history.moments) == min(HISTORY_MINUTES, int(now / 60.0))
    for moment in history.moments:
        assert moment.requests_per_second == pytest.approx(7.0)


def test_recent_attainment_is_of_the_requests_answered_lately() -> None:
    history = History(0.0)
    for minute in range(1, 11):
        misses = 60.0 * max(0, minute - 9)  # the tenth minute misses half of its 120 requests
        history.look(
            60.0 * minute, totals(120.0 * minute, 120.0 * minute - misses), ready=1, asked=1
        )
    assert history.attainment_over(1) == pytest.approx(0.5)
    assert history.attainment_over(5) == pytest.approx(0.9)
    assert history.attainment_over(500) == pytest.approx(0.95)


def test_where_nothing_was_answered_attainment_is_unknown() -> None:
    history = History(0.0)
    assert history.attainment_over(5) is None
    history.look(60.0, totals(0.0), ready=1, asked=1)
    assert history.attainment_over(5) is None
    assert history.moments[0].attainment is None


def test_it_remembers_the_fewest_and_the_most_ready_replicas_between_minutes_too() -> None:
    history = History(0.0)
    for at, ready in ((10.0, 4), (20.0, 2), (30.0, 9)):
        history.look(at, totals(0.0), ready=ready, asked=4)
    assert (history.ready_least, history.ready_most) == (2, 9)


def test_an_hour_is_kept_and_no_more() -> None:
    history = History(0.0)
    history.look(10 * HOUR, totals(36_000.0), ready=1, asked=1)
    assert len(history.moments) == HISTORY_MINUTES


def test_a_day_runs_from_midnight_wherever_in_it_the_load_began() -> None:
    hours = SteppedWorkload([(HOUR, Load(float(hour), 10.0, 10.0)) for hour in range(24)])

    class From7:
        span_seconds = hours.span_seconds

        def load(self, elapsed_seconds: float) -> Load:
            return hours.load(elapsed_seconds + 7 * HOUR)

    shape = DayShape(From7(), local_seconds=7 * HOUR)
    assert shape.levels(0.0) == tuple(float(slot // 2) for slot in range(48))
    assert shape.position(5 * HOUR) == pytest.approx(0.5)
    assert shape.position(17 * HOUR) == pytest.approx(0.0)


def test_a_recording_shorter_than_a_day_is_its_own_day() -> None:
    short = SteppedWorkload([(1800.0, Load(1.0, 10.0, 10.0)), (1800.0, Load(3.0, 10.0, 10.0))])
    shape = DayShape(short, local_seconds=0.0)
    assert shape.levels(0.0) == (1.0,) * 24 + (3.0,) * 24
    assert shape.position(900.0) == pytest.approx(0.25)
