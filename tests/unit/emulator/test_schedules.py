from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from trimtab.emulator import schedules
from trimtab.emulator.refusals import Refusal
from trimtab.emulator.schedules import ScheduleBook

MORNING: dict[str, Any] = {
    "minReplicaCount": 3,
    "schedule": "30 2 * * *",
    "duration": 1800.0,
    "timezone": "Europe/Berlin",
}


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def floor(moment: str, **changes: Any) -> int:
    return ScheduleBook().floor({"a": MORNING | changes}, at(moment))


def test_a_schedule_starts_on_the_minute_and_ends_after_its_duration() -> None:
    assert floor("2026-01-10T01:29:59") == 0
    assert floor("2026-01-10T01:30:00") == 3
    assert floor("2026-01-10T01:59:59") == 3
    assert floor("2026-01-10T02:00:00") == 0


def test_summer_time_moves_the_start() -> None:
    assert floor("2026-07-10T00:30:00") == 3
    assert floor("2026-07-10T01:30:00") == 0


def test_a_start_in_the_skipped_hour_comes_right_after_it() -> None:
    # 2026-03-29: 02:00 becomes 03:00 in Berlin, which is 01:00 UTC.
    assert floor("2026-03-29T00:59:00") == 0
    assert floor("2026-03-29T01:01:00") == 3


def test_a_start_in_the_repeated_hour_comes_once() -> None:
    # 2026-10-25: 02:30 in Berlin is 00:30 and again 01:30 UTC.
    floors = [floor(f"2026-10-25T{time}:00") for time in ("00:45", "01:45")]

    assert sorted(floors) == [0, 3]


def test_long_windows_reach_over_midnight_and_days() -> None:
    changes = {"schedule": "0 22 * * 5", "duration": 2 * 86400.0, "timezone": "UTC"}

    assert floor("2026-01-04T21:59:00", **changes) == 3  # Sunday evening
    assert floor("2026-01-04T22:01:00", **changes) == 0


def test_the_book_answers_the_same_when_it_is_asked_again_and_again() -> None:
    book = ScheduleBook()
    fresh = [
        floor(f"2026-01-10T{hour:02d}:{minute}:00") for hour in range(4) for minute in (15, 45)
    ]

    kept = [
        book.floor({"a": MORNING}, at(f"2026-01-10T{hour:02d}:{minute}:00"))
        for hour in range(4)
        for minute in (15, 45)
    ]

    assert kept == fresh == [0, 0, 0, 3, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"schedule": "nonsense"}, "five-field cron"),
        ({"schedule": "* * * * * *"}, "five-field cron"),
        ({"schedule": "0 0 31 2 *"}, "five-field cron"),
        ({"schedule": ""}, "five-field cron"),
        ({"duration": 299.0}, "300s and 604800s"),
        ({"duration": 604801.0}, "300s and 604800s"),
        ({"duration": 300.5}, "whole seconds"),
        ({"timezone": ""}, "timezone is required"),
        ({"timezone": "Mars/Base"}, "unknown time zone"),
        ({"timezone": "../../etc/passwd"}, "unknown time zone"),
        ({"minReplicaCount": 9}, "between 0 and max_replica_count"),
        ({"minReplicaCount": -1}, "between 0 and max_replica_count"),
    ],
)
def test_a_schedule_that_cannot_be_meant_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(Refusal, match=text):
        schedules.check("day", MORNING | changes, 5)
