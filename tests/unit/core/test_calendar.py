"""When schedules are open, on ordinary days and on those that clocks, leap years and zones make odd."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.calendar import DAY_SECONDS, Period, Recurrence, check_cron, utc_seconds

HOUR = 3600.0


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def recurrence(cron: str, hours: float, zone: str) -> Recurrence:
    return Recurrence(cron=cron, timezone=zone, duration_seconds=hours * HOUR)


def openings(schedule: Recurrence, first: str, last: str) -> list[str]:
    """Each time it opens and closes between two moments, found minute by minute, in UTC."""
    found, was_open, now = [], False, utc(first)
    while now <= utc(last):
        is_open = schedule.open_until(now) is not None
        if is_open != was_open:
            found.append(f"{datetime.fromtimestamp(now, tz=UTC):%m-%d %H:%M}")
        was_open, now = is_open, now + 60.0
    return found


def test_office_hours_are_those_of_the_zone() -> None:
    office = recurrence("0 8 * * MON-FRI", 10, "Europe/Berlin")
    friday_to_monday = openings(office, "2026-01-09T00:00", "2026-01-12T20:00")
    assert friday_to_monday == ["01-09 07:00", "01-09 17:00", "01-12 07:00", "01-12 17:00"]


@pytest.mark.parametrize(
    ("zone", "day", "opens", "closes"),
    [
        # clocks go forward: 02:30 does not exist, and the start comes right after the gap
        ("Europe/Berlin", "2026-03-29", "03-29 01:00", "03-29 02:00"),
        ("America/New_York", "2026-03-08", "03-08 07:00", "03-08 08:00"),
        # Lord Howe moves by half an hour: 02:00 becomes 02:30, which exists
        ("Australia/Lord_Howe", "2026-10-04", "10-03 15:30", "10-03 16:30"),
        # clocks go back: 02:30 (01:30 in New York) happens twice, and the start once
        ("Europe/Berlin", "2026-10-25", "10-25 00:30", "10-25 01:30"),
        ("America/New_York", "2026-11-01", "11-01 07:30", "11-01 08:30"),
        ("Australia/Lord_Howe", "2026-04-05", "04-04 16:00", "04-04 17:00"),
    ],
)
def test_an_hour_from_half_past_two_on_the_days_when_clocks_change(
    zone: str, day: str, opens: str, closes: str
) -> None:
    schedule = recurrence("30 2 * * *", 1, zone)
    begin = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    first = begin.astimezone(UTC).replace(tzinfo=None)
    last = first + timedelta(hours=20)
    assert openings(schedule, first.isoformat(), last.isoformat()) == [opens, closes]


def test_in_new_york_a_start_in_the_repeated_hour_happens_once() -> None:
    night = recurrence("30 1 * * *", 0.5, "America/New_York")
    assert openings(night, "2026-11-01T04:00", "2026-11-01T12:00") == ["11-01 05:30", "11-01 06:00"]


def test_ten_hours_are_ten_hours_whatever_the_clock_on_the_wall_does() -> None:
    night = recurrence("0 20 * * *", 10, "Europe/Berlin")
    assert openings(night, "2026-03-28T12:00", "2026-03-29T12:00") == ["03-28 19:00", "03-29 05:00"]
    assert openings(night, "2026-10-24T12:00", "2026-10-25T12:00") == ["10-24 18:00", "10-25 04:00"]


def test_what_opens_every_day_for_a_day_is_never_closed() -> None:
    always = recurrence("0 0 * * *", 25, "Europe/Berlin")
    assert openings(always, "2026-03-27T00:00", "2026-03-31T00:00") == ["03-27 00:00"]
    gap = recurrence("0 0 * * *", 24, "Europe/Berlin")  # the day that summer time ends has 25 hours
    assert openings(gap, "2026-10-24T00:00", "2026-10-26T12:00") == [
        "10-24 00:00",
        "10-25 22:00",
        "10-25 23:00",
    ]


def test_the_leap_day_comes_in_leap_years() -> None:
    leap_day = recurrence("0 0 29 2 *", 24, "UTC")
    assert openings(leap_day, "2028-02-28T00:00", "2028-03-02T00:00") == [
        "02-29 00:00",
        "03-01 00:00",
    ]
    assert openings(leap_day, "2027-02-27T00:00", "2027-03-02T00:00") == []
    assert leap_day.next_start(utc("2096-03-01T00:00")) == utc("2104-02-29T00:00")  # not in 2100


def test_the_last_day_of_a_month_is_the_last_one() -> None:
    month_end = recurrence("0 12 L * *", 1, "UTC")
    now, found = utc("2027-01-01T00:00"), []
    for _ in range(4):
        start = month_end.next_start(now)
        assert start is not None
        found.append(f"{datetime.fromtimestamp(start, tz=UTC):%m-%d}")
        now = start
    assert found == ["01-31", "02-28", "03-31", "04-30"]


def test_the_31st_comes_in_seven_months() -> None:
    last = recurrence("0 0 31 * *", 1, "UTC")
    now, found = utc("2026-01-01T00:00"), []
    while len(found) < 7:
        now = last.next_start(now) or 0.0
        found.append(datetime.fromtimestamp(now, tz=UTC).month)
    assert found == [1, 3, 5, 7, 8, 10, 12]


def test_a_zone_that_changed_its_rules_is_read_by_those_of_the_day() -> None:
    """Istanbul had winter time until 2015 and stays at UTC+3 since the autumn of 2016."""
    morning = recurrence("0 8 * * *", 1, "Europe/Istanbul")
    assert openings(morning, "2016-01-15T00:00", "2016-01-15T12:00")[0] == "01-15 06:00"
    assert openings(morning, "2017-01-15T00:00", "2017-01-15T12:00")[0] == "01-15 05:00"


def test_the_start_of_a_day_that_a_zone_skipped_comes_right_after_it() -> None:
    """Samoa went from the 29th to the 31st of December 2011 over the date line, at 10:00 UTC."""
    noon = recurrence("0 12 * * *", 1, "Pacific/Apia")
    assert openings(noon, "2011-12-29T12:00", "2011-12-31T12:00") == [
        "12-29 22:00",
        "12-29 23:00",
        "12-30 10:00",
        "12-30 11:00",
        "12-30 22:00",
        "12-30 23:00",
    ]


def test_the_answer_says_until_when_and_starts_meanwhile_prolong_it() -> None:
    every_hour = recurrence("0 * * * *", 1.5, "UTC")
    assert every_hour.open_until(utc("2026-01-01T10:10")) == utc("2026-01-01T11:30")


def test_looking_a_few_days_ahead_agrees_with_looking_all_the_way() -> None:
    weekly = recurrence("0 8 * * MON", 1, "Europe/Berlin")
    tuesday = utc("2026-01-06T00:00")
    assert weekly.next_start(tuesday, within_days=7) == weekly.next_start(tuesday)
    assert weekly.next_start(tuesday, within_days=3) is None


@pytest.mark.parametrize(
    ("now", "until"),
    [("11:59", None), ("12:00", "13:00"), ("12:59", "13:00"), ("13:00", None)],
)
def test_a_period_is_open_from_its_start_until_before_its_end(now: str, until: str | None) -> None:
    noon = Period(start=utc("2026-01-01T12:00"), end=utc("2026-01-01T13:00"))
    expected = None if until is None else utc(f"2026-01-01T{until}")
    assert noon.open_until(utc(f"2026-01-01T{now}")) == expected


def test_a_period_starts_once() -> None:
    noon = Period(start=utc("2026-01-10T12:00"), end=utc("2026-01-10T13:00"))
    assert noon.next_start(utc("2026-01-01T00:00")) == noon.start
    assert noon.next_start(utc("2026-01-01T00:00"), within_days=7) is None
    assert noon.next_start(noon.start) is None


def test_a_local_time_that_is_skipped_is_moved_on_by_what_is_skipped() -> None:
    local = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001  local, the zone is beside it
    assert utc_seconds(local, "Europe/Berlin") == utc("2026-03-29T01:30")  # 03:30 summer time


def test_an_end_in_a_skipped_hour_is_moved_on_like_a_begin() -> None:
    """Seen to catch: a period within the skipped hour that ends before it begins, and is never open."""
    begin, end = datetime(2026, 3, 29, 2, 15), datetime(2026, 3, 29, 2, 45)  # noqa: DTZ001  local, as above
    assert utc_seconds(begin, "Europe/Berlin") == utc("2026-03-29T01:15")
    assert utc_seconds(end, "Europe/Berlin", is_later_of_two=True) == utc("2026-03-29T01:45")


def test_of_a_local_time_that_happens_twice_either_can_be_meant() -> None:
    local = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001  local, the zone is beside it
    assert utc_seconds(local, "Europe/Berlin") == utc("2026-10-25T00:30")
    assert utc_seconds(local, "Europe/Berlin", is_later_of_two=True) == utc("2026-10-25T01:30")


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "60 * * * *", "x", "* * * *"])
def test_an_expression_that_can_never_start_is_refused(cron: str) -> None:
    with pytest.raises(CronSimError):
        check_cron(cron)


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
CRONS = ("30 2 * * *", "*/20 1-3 * * *", "0 0 L * *", "15 2 * * SUN", "0 */6 * * *", "* 2 * * *")
CHANGES = tuple(
    utc(day)
    for day in ("2026-03-29T01:00", "2026-10-25T01:00", "2026-03-08T07:00", "2026-11-01T06:00")
)


@settings(max_examples=150, deadline=None)
@given(
    cron=st.sampled_from(CRONS),
    zone=st.sampled_from(ZONES),
    minutes=st.integers(1, 2000),
    now=st.sampled_from(CHANGES).flatmap(
        lambda change: st.integers(int(change) - DAY_SECONDS, int(change) + DAY_SECONDS)
    ),
)
def test_it_is_open_exactly_when_some_start_is_younger_than_the_duration(
    cron: str, zone: str, minutes: int, now: int
) -> None:
    """Against all starts of some days, stepped forward by cronsim from well before."""
    begin = datetime.fromtimestamp(now - 5 * DAY_SECONDS, tz=ZoneInfo(zone))
    starts: list[float] = []
    for start in CronSim(cron, begin):
        if start.timestamp() > now + 40 * DAY_SECONDS:
            break
        starts.append(start.timestamp())
    schedule = recurrence(cron, minutes / 60, zone)
    ends = [start + minutes * 60.0 for start in starts if start <= now < start + minutes * 60.0]
    assert schedule.open_until(float(now)) == max(ends, default=None)
    assert schedule.next_start(float(now)) == min(start for start in starts if start > now)
