"""Money over time: hours, days and months of the account, restarts, clocks that are set, limits that change."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.fleet_policy import Period, SpendLimit
from trimtab.core.spend import (
    NOTHING_SPENT,
    Spending,
    SpendOutlook,
    Spent,
    in_words,
    joined_spending,
    span_of,
    spend_outlook,
    spending_from_json,
    spending_to_json,
    spent_until,
)

ZURICH = "Europe/Zurich"
HOUR = 3600.0


def moment(text: str, zone: str = "UTC") -> float:
    """Return UTC seconds of a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def running(usd_an_hour: float, at: float, *, unpriced: int = 0) -> Spending:
    """Return the spending of somebody who begins at ``at``."""
    begun = spent_until(NOTHING_SPENT, at, "UTC")
    return begun._replace(usd_an_hour=usd_an_hour, unpriced_accelerators=unpriced)


def month_usd(spending: Spending) -> float:
    assert spending.month is not None
    return spending.month.usd


def day_usd(spending: Spending) -> float:
    assert spending.day is not None
    return spending.day.usd


def outlook(
    spending: Spending,
    *limits: SpendLimit,
    rate: float = 0.0,
    protected: float = 0.0,
    zone: str = "UTC",
) -> SpendOutlook:
    return spend_outlook(
        limits, spending, zone, protected_usd_an_hour=protected, rate_usd_an_hour=rate
    )


def month_limit(usd: float) -> SpendLimit:
    return SpendLimit(period=Period.MONTH, usd=usd)


# -- what was not seen ----------------------------------------------------------------------------


def test_of_a_rate_that_was_not_seen_in_part_that_part_is_said_to_be_assumed() -> None:
    begun = running(10.0, 0.0)._replace(assumed_usd_an_hour=4.0)
    spending = spent_until(begun, 1800.0, "UTC")
    assert spending.hour == Spent(0.0, usd=5.0, assumed_usd=2.0)
    assert spending_from_json(json.loads(json.dumps(spending_to_json(spending)))) == spending


def test_while_nobody_looks_all_of_it_is_assumed() -> None:
    begun = running(10.0, 0.0)._replace(assumed_usd_an_hour=4.0)
    spending = spent_until(begun, 1800.0, "UTC", is_assumed=True)
    assert spending.hour == Spent(0.0, usd=5.0, assumed_usd=5.0)


# -- the periods ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "hours"),
    [
        ("2026-03-28T12:00", 24.0),
        ("2026-03-29T12:00", 23.0),  # clocks go forward
        ("2026-03-30T12:00", 24.0),
        ("2026-10-25T12:00", 25.0),  # and back
        ("2026-10-25T02:30", 25.0),  # in the hour that comes twice
    ],
)
def test_a_day_is_as_long_as_it_is_where_the_account_is(at: str, hours: float) -> None:
    begin, end = span_of(Period.DAY, ZURICH, moment(at, ZURICH))
    assert (end - begin) / HOUR == hours
    assert datetime.fromtimestamp(begin, ZoneInfo(ZURICH)).hour == 0


def test_a_day_begins_when_it_begins_where_clocks_change_at_midnight() -> None:
    begin, end = span_of(Period.DAY, "Africa/Cairo", moment("2024-04-26T12:00", "Africa/Cairo"))
    first = datetime.fromtimestamp(begin, ZoneInfo("Africa/Cairo"))
    assert (first.day, first.hour) == (26, 1)  # there was no midnight
    assert (end - begin) / HOUR == 23.0
    before = span_of(Period.DAY, "Africa/Cairo", begin - 1.0)
    assert before.end == begin


@pytest.mark.parametrize(
    ("at", "days"),
    [
        ("2026-02-10T00:00", 28),
        ("2028-02-29T23:59", 29),
        ("2026-04-30T23:59", 30),
        ("2026-12-31T23:59", 31),
    ],
)
def test_a_month_has_its_days(at: str, days: int) -> None:
    begin, end = span_of(Period.MONTH, "UTC", moment(at))
    assert end - begin == days * 24 * HOUR
    assert datetime.fromtimestamp(begin, UTC).day == 1


def test_a_month_in_which_clocks_change_is_an_hour_longer_or_shorter() -> None:
    march = span_of(Period.MONTH, ZURICH, moment("2026-03-15T12:00"))
    october = span_of(Period.MONTH, ZURICH, moment("2026-10-15T12:00"))
    assert (march.end - march.begin) / HOUR == 31 * 24 - 1
    assert (october.end - october.begin) / HOUR == 31 * 24 + 1


@given(
    at=st.floats(1.6e9, 2.2e9),
    period=st.sampled_from(list(Period)),
    zone=st.sampled_from(["UTC", ZURICH, "Africa/Cairo", "Asia/Kolkata", "America/St_Johns"]),
)
@settings(max_examples=200)
def test_periods_follow_each_other_without_a_gap_and_hold_their_moments(
    at: float, period: Period, zone: str
) -> None:
    """Seen to catch: a month of 31 days always."""
    begin, end = span_of(period, zone, at)
    assert begin <= at < end
    assert span_of(period, zone, end).begin == end
    assert span_of(period, zone, begin) == (begin, end)


# -- adding up --------------------------------------------------------------------------------------


def test_nothing_is_charged_before_anything_was_seen() -> None:
    begun = spent_until(NOTHING_SPENT._replace(usd_an_hour=99.0), moment("2026-03-02T07:00"), "UTC")
    assert begun.at == moment("2026-03-02T07:00")
    assert month_usd(begun) == 0.0


def test_what_runs_is_charged_by_the_second_at_the_rate_that_was_seen() -> None:
    spending = running(28.0, moment("2026-03-02T07:00"))
    spending = spent_until(spending, moment("2026-03-02T07:30"), "UTC")._replace(usd_an_hour=56.0)
    spending = spent_until(spending, moment("2026-03-02T08:15"), "UTC")
    assert month_usd(spending) == pytest.approx(14.0 + 42.0)
    assert day_usd(spending) == pytest.approx(56.0)
    assert spending.hour == Spent(moment("2026-03-02T08:00"), pytest.approx(14.0))


def test_what_has_no_price_is_counted_in_accelerator_hours_and_not_as_nothing() -> None:
    spending = running(0.0, moment("2026-03-02T07:00"), unpriced=8)
    spending = spent_until(spending, moment("2026-03-02T09:00"), "UTC")
    assert spending.month is not None
    assert spending.month.unpriced_accelerator_hours == pytest.approx(16.0)


def test_a_month_that_ends_while_nobody_looks_leaves_only_its_own_part_to_the_next() -> None:
    spending = running(10.0, moment("2026-02-27T00:00", ZURICH))
    after = spent_until(spending, moment("2026-03-02T06:00", ZURICH), ZURICH, is_assumed=True)
    assert month_usd(after) == pytest.approx(10.0 * 30)
    assert day_usd(after) == pytest.approx(60.0)
    assert after.month is not None
    assert after.month.assumed_usd == after.month.usd


def test_the_day_on_which_clocks_go_back_costs_25_hours() -> None:
    spending = running(10.0, moment("2026-10-25T00:00", ZURICH))
    spending = spent_until(spending, moment("2026-10-25T23:59:59", ZURICH), ZURICH)
    assert day_usd(spending) == pytest.approx(250.0, abs=0.01)


def test_a_restart_goes_on_with_the_same_sums() -> None:
    spending = spent_until(running(28.0, moment("2026-03-02T07:00")), moment("2026-03-09"), "UTC")
    restored = spending_from_json(json.loads(json.dumps(spending_to_json(spending))))
    assert restored == spending
    assert spending_from_json(spending_to_json(NOTHING_SPENT)) == NOTHING_SPENT


def test_time_in_which_the_daemon_was_down_is_charged_and_said_to_be_assumed() -> None:
    spending = spent_until(running(10.0, moment("2026-03-02")), moment("2026-03-03"), "UTC")
    spending = spent_until(spending, moment("2026-03-04"), "UTC", is_assumed=True)
    assert spending.month == Spent(moment("2026-03-01"), 480.0, 240.0)


def test_a_clock_that_was_set_back_adds_nothing_and_time_goes_on_from_there() -> None:
    spending = spent_until(running(10.0, moment("2026-03-02")), moment("2026-03-03"), "UTC")
    back = spent_until(spending, moment("2026-03-02T12:00"), "UTC")
    assert month_usd(back) == 240.0
    later = spent_until(back, moment("2026-03-02T13:00"), "UTC")
    assert month_usd(later) == pytest.approx(250.0)


def test_a_clock_that_was_set_back_across_a_month_end_forgets_nothing() -> None:
    spending = spent_until(running(10.0, moment("2026-03-01")), moment("2026-03-11"), "UTC")
    back = spent_until(spending, moment("2026-02-20"), "UTC")
    assert month_usd(back) == 2400.0
    april = spent_until(back, moment("2026-03-01T01:00"), "UTC")
    assert month_usd(april) == pytest.approx(10.0)


def test_looks_that_come_out_of_order_by_a_hair_charge_no_second_twice() -> None:
    spending = spent_until(running(3600.0, 0.0), 100.0, "UTC")
    spending = spent_until(spent_until(spending, 99.5, "UTC"), 101.0, "UTC")
    assert month_usd(spending) == pytest.approx(101.0)


@pytest.mark.parametrize("zones", [(ZURICH, "UTC"), ("UTC", ZURICH), ("UTC", "Pacific/Auckland")])
def test_another_time_zone_in_mid_month_forgets_nothing(zones: tuple[str, str]) -> None:
    before, after = zones
    spending = spent_until(running(10.0, moment("2026-03-05")), moment("2026-03-15"), before)
    assert month_usd(spent_until(spending, moment("2026-03-15"), after)) == 2400.0


@given(
    steps=st.lists(
        st.tuples(st.floats(0.0, 2e6), st.floats(0.0, 500.0), st.booleans()),
        min_size=1,
        max_size=30,
    ),
    zone=st.sampled_from(["UTC", ZURICH, "America/St_Johns"]),
)
@settings(max_examples=200)
def test_however_often_somebody_looks_the_sums_are_the_same(
    steps: list[tuple[float, float, bool]], zone: str
) -> None:
    """Seen to catch: a period that keeps what fell before its begin."""
    start = moment("2026-01-20T13:00")
    rare = often = running(120.0, start)
    at = start
    for seconds, rate, _ in steps:
        begin, at = at, at + seconds
        rare = spent_until(rare, at, zone)
        for part in (0.1, 0.37, 0.9, 1.0):
            often = spent_until(often, begin + part * (at - begin), zone)
        for period in Period:
            one, other = rare.of(period), often.of(period)
            assert one is not None
            assert other is not None
            assert one.begin == other.begin
            assert one.usd == pytest.approx(other.usd, rel=1e-9, abs=1e-6)
        rare, often = rare._replace(usd_an_hour=rate), often._replace(usd_an_hour=rate)


# -- what the limits allow ---------------------------------------------------------------------------


def test_without_limits_there_is_no_room_to_speak_of() -> None:
    assert outlook(running(10.0, 0.0)) == SpendOutlook(None, ())


def test_a_limit_an_hour_is_one_of_the_rate() -> None:
    limit = SpendLimit(period=Period.HOUR, usd=160.0)
    seen = outlook(running(100.0, moment("2026-03-02")), limit, rate=120.0)
    assert seen.room is not None
    assert (seen.room.keep_usd_an_hour, seen.room.grow_usd_an_hour) == (160.0, 160.0)
    assert seen.warned == ()
    (warned,) = outlook(running(100.0, moment("2026-03-02")), limit, rate=200.0).warned
    assert warned.is_trimming


def test_a_budget_of_which_much_is_left_limits_nothing_near_the_present_rate() -> None:
    seen = outlook(running(20.0, moment("2026-03-01")), month_limit(60_000.0), rate=20.0)
    assert seen.room is not None
    assert seen.room.grow_usd_an_hour > 1000.0
    assert seen.warned == ()


def test_a_budget_warns_ahead_of_what_will_be_spent_at_this_rate() -> None:
    spending = spent_until(running(100.0, moment("2026-03-01")), moment("2026-03-05"), "UTC")
    (warned,) = outlook(spending, month_limit(60_000.0), rate=100.0).warned
    assert warned.ratio == pytest.approx(9_600 / 60_000)
    assert warned.ahead_ratio == pytest.approx(74_400 / 60_000)
    assert not warned.is_trimming


def test_a_limit_that_is_lowered_below_what_is_spent_leaves_only_what_is_protected() -> None:
    spending = spent_until(running(100.0, moment("2026-03-01")), moment("2026-03-15"), "UTC")
    before = outlook(spending, month_limit(60_000.0), rate=100.0).room
    assert before is not None
    assert before.keep_usd_an_hour > 100.0
    after = outlook(spending, month_limit(20_000.0), rate=100.0, protected=28.0)
    assert after.room is not None
    assert after.room.keep_usd_an_hour == 28.0
    assert after.room.grow_usd_an_hour == 28.0
    assert after.warned[0].is_trimming
    raised = outlook(spending, month_limit(90_000.0), rate=100.0).room
    assert raised == before._replace(
        keep_usd_an_hour=pytest.approx((90_000 - 33_600) / 48),
        grow_usd_an_hour=raised.grow_usd_an_hour if raised else 0.0,
        limit="the limit of $90,000 a month, of which $33,600.00 are spent",
        grow_limit="the limit of $90,000 a month, of which $33,600.00 are spent",
    )


def test_what_is_protected_is_set_aside_for_all_of_the_period() -> None:
    spending = spent_until(running(100.0, moment("2026-04-01")), moment("2026-04-21"), "UTC")
    seen = outlook(spending, month_limit(60_000.0), protected=40.0)
    left = 60_000.0 - 48_000.0 - 40.0 * 240
    assert seen.room is not None
    assert seen.room.keep_usd_an_hour == pytest.approx(40.0 + left / 48)


def test_the_tightest_of_several_limits_wins_and_is_named() -> None:
    spending = spent_until(running(100.0, moment("2026-03-02")), moment("2026-03-02T20:00"), "UTC")
    day = SpendLimit(period=Period.DAY, usd=2_100.0)
    seen = outlook(spending, month_limit(60_000.0), day, rate=100.0)
    assert seen.room is not None
    assert seen.room.keep_usd_an_hour == pytest.approx(100.0 / 3)
    assert seen.room.limit == in_words(day, spending)
    assert seen.room.limit == "the limit of $2,100 a day, of which $2,000.00 are spent"


def test_who_may_not_grow_is_told_of_the_limit_that_says_so_and_not_of_a_tighter_one_for_what_runs() -> (
    None
):
    """Seen to catch: an hour's limit that is named for what a day's budget forbids."""
    hour = SpendLimit(period=Period.HOUR, usd=160.0)
    day = SpendLimit(period=Period.DAY, usd=2_500.0)
    spending = spent_until(running(100.0, moment("2026-03-02")), moment("2026-03-02T20:00"), "UTC")
    room = outlook(spending, hour, day, rate=100.0).room
    assert room is not None
    assert (room.keep_usd_an_hour, room.limit) == (160.0, in_words(hour, spending))
    assert room.grow_usd_an_hour < 160.0
    assert room.grow_limit == in_words(day, spending)


def lived(
    limit_usd: float,
    wanted: list[float],
    step_seconds: float,
    *,
    zone: str = ZURICH,
    protected: float = 0.0,
) -> list[tuple[float, Spending]]:
    """Let a fleet ask for ``wanted`` dollars an hour in each step and have what the month's limit keeps."""
    spending = spent_until(NOTHING_SPENT, moment("2026-01-25", zone), zone)
    told = []
    for asked in wanted:
        room = outlook(
            spending, month_limit(limit_usd), rate=asked, protected=protected, zone=zone
        ).room
        assert room is not None
        assert room.grow_usd_an_hour <= room.keep_usd_an_hour
        spending = spending._replace(usd_an_hour=min(asked, room.keep_usd_an_hour))
        # Every step a new process: what survives is what the journal's JSON holds.
        spending = spending_from_json(json.loads(json.dumps(spending_to_json(spending))))
        assert spending.at is not None
        spending = spent_until(spending, spending.at + step_seconds, zone)
        told.append((spending.at or 0.0, spending))
    return told


@given(
    limit_usd=st.floats(100.0, 50_000.0),
    rates=st.lists(st.floats(0.0, 300.0), min_size=1, max_size=12),
    step_hours=st.sampled_from([1.0, 3.0]),
)
@settings(max_examples=10, deadline=None)
def test_a_months_limit_is_kept_through_restarts_and_month_ends(
    limit_usd: float, rates: list[float], step_hours: float
) -> None:
    """Seen to catch: a room over the whole limit instead of what is left of it."""
    steps = int(70 * 24 / step_hours)
    wanted = [rates[number * len(rates) // steps] for number in range(steps)]
    told = lived(limit_usd, wanted, step_hours * HOUR)
    for (_, one), (_, after) in pairwise(told):
        assert month_usd(one) <= limit_usd * (1.0 + 1e-9)
        assert month_usd(after) >= month_usd(one) or after.month != one.month


def test_after_the_month_has_ended_there_is_room_again() -> None:
    told = lived(10_000.0, [200.0] * 24 * 40, HOUR)
    begin_of_march = moment("2026-03-01", ZURICH)
    late = [one for at, one in told if begin_of_march - 12 * HOUR < at < begin_of_march]
    assert max(one.usd_an_hour for one in late) < 5.0
    early = [one for at, one in told if begin_of_march < at < begin_of_march + 12 * HOUR]
    assert max(one.usd_an_hour for one in early) == 200.0


def test_the_rate_falls_smoothly_and_something_runs_until_the_end() -> None:
    told = lived(10_000.0, [100.0] * 24 * 40, HOUR)
    february = [
        one.usd_an_hour for at, one in told if moment("2026-02-02") < at < moment("2026-02-28")
    ]
    assert all(later >= 0.96 * rate for rate, later in pairwise(february))
    assert february[-1] > 0.0


def test_what_is_protected_lasts_to_the_end_of_the_month() -> None:
    told = lived(10_000.0, [100.0] * 24 * 40, HOUR, protected=8.0)
    assert min(one.usd_an_hour for _, one in told) >= 8.0
    assert max(month_usd(one) for _, one in told) <= 10_000.0


def test_at_the_end_of_a_day_nobody_grows_into_what_the_next_day_does_not_allow() -> None:
    """Seen to catch: what is left over the last minutes allows any rate, and is taken back after midnight."""
    limit = SpendLimit(period=Period.DAY, usd=150.0)
    told = []
    for minutes in (60, 31, 29, 1):
        spending = running(10.0, moment("2026-03-01T00:00") - 60.0 * minutes)
        room = outlook(spending, limit).room
        assert room is not None
        told.append(room.grow_usd_an_hour)
        assert room.keep_usd_an_hour >= 150.0  # what runs may run on to the end
    assert told == [150.0, pytest.approx(150.0 / 31 * 60), 50.0, 50.0]


def test_what_is_protected_may_grow_at_the_end_of_a_day_too() -> None:
    limit = SpendLimit(period=Period.DAY, usd=150.0)
    spending = running(10.0, moment("2026-03-01T00:00") - 60.0)
    room = outlook(spending, limit, protected=70.0).room
    assert room is not None
    assert room.grow_usd_an_hour == 70.0


def test_of_two_sums_of_the_same_fleet_what_is_more_was_spent() -> None:
    noon = moment("2026-03-10T12:00")
    leader = spent_until(running(100.0, noon), noon + 5 * HOUR, "UTC")
    newcomer = spent_until(running(100.0, noon + 4 * HOUR), noon + 6 * HOUR, "UTC")
    joined = joined_spending(newcomer, leader, "UTC")
    assert month_usd(joined) == pytest.approx(600.0), (
        "what ran since the leader was last heard of, too"
    )
    assert joined.at == newcomer.at
    assert joined_spending(leader, newcomer, "UTC").month == leader.month
    assert joined_spending(NOTHING_SPENT, leader, "UTC") == leader
    assert joined_spending(leader, NOTHING_SPENT, "UTC") == leader


def test_what_was_spent_in_a_month_that_is_over_is_not_joined() -> None:
    then, now = moment("2026-02-27T12:00"), moment("2026-03-02T12:00")
    before = spent_until(running(100.0, then), then + HOUR, "UTC")._replace(usd_an_hour=0.0)
    assert month_usd(joined_spending(running(10.0, now), before, "UTC")) == 0.0
