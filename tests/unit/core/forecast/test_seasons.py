from __future__ import annotations

from collections.abc import Callable
from math import pi, sin

from trimtab.core.forecast import seasons
from trimtab.core.forecast.experience import Experience
from trimtab.core.forecast.learning import learned
from trimtab.core.forecast.terms import Terms

MONDAY = 1_774_828_800.0
"""2026-03-30T00:00Z."""

TERMS = Terms(
    lead_ticks=40, serving=8, at_first=8, lower=1.0, upper=100.0, attainment=0.99, ceiling=100.0
)


def test_weeks_begin_on_monday_at_midnight_utc() -> None:
    assert seasons.into_week(MONDAY) == 0.0
    assert seasons.week_bin(MONDAY + 15.0) == 0
    assert seasons.week_bin(MONDAY) == 671
    assert seasons.day_bin(MONDAY + 15.0) == 0
    assert seasons.day_bin(MONDAY + 300.0) == 0
    assert seasons.day_bin(MONDAY + 315.0) == 1


def test_a_level_moves_in_proportion_to_how_it_stands_beside_the_curve() -> None:
    assert seasons.moved([4.0, 2.0], (4.0, 1.0)) == [5.0, 2.5]
    assert seasons.moved([40.0], (4.0, 1.0)) == [42.0]  # at most double
    assert seasons.moved([1.0], (4.0, -9.0)) == [0.0]
    assert seasons.moved([3.0], None) == [3.0]


def lived(hours: float, load_at: Callable[[float], float], start: float = MONDAY) -> Experience:
    one = None
    for tick in range(1, int(hours * 240) + 1):
        at = start + 15.0 * tick
        one = learned(one, at, load_at(at), TERMS)
    assert one is not None
    return one


def test_after_a_day_the_usual_change_is_forecast_before_it_comes() -> None:
    """Seen to fail when the curve is looked up at the same time twice."""

    def day(at: float) -> float:
        return 6.0 + 4.0 * sin(2.0 * pi * (at - MONDAY) / 86_400.0)

    lead = TERMS.lead_ticks * 15.0
    blind = lived(12.2, day).tally
    known = lived(60.2, day).tally
    coming = day(known.at + lead)
    assert known.seasonal < -0.1  # noon is over
    assert abs(known.forecast - coming) < 0.5 * abs(blind.forecast - day(blind.at + lead))


def test_a_surge_at_the_same_minute_of_every_hour_is_expected_after_some_hours() -> None:
    def surges(at: float) -> float:
        return 9.0 if 900.0 <= at % 3600.0 < 1500.0 else 4.0

    before_it = lived(12.0 + 5.5 / 60.0, surges)  # nine and a half minutes before
    quiet = lived(12.0 + 40.0 / 60.0, surges)
    assert before_it.tally.forecast > quiet.tally.forecast + 1.0


def test_without_having_been_seen_a_bin_says_nothing() -> None:
    one = lived(1.0, lambda _: 5.0)
    curves = one.arrays.curves
    assert seasons.change(curves.day, curves.day_seen, 300.0, 7000.0, 7600.0) is None
    assert seasons.hour_shares(one.arrays, one.tally.at, 40) is None
