"""Schedules as they are written: what they compile to, and what is over when a file is read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time

from trimtab.core.calendar import Period, Recurrence
from trimtab.core.strategies.schedule import Schedule, Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.policy import LoadReport

    Diagnose = Callable[..., LoadReport]


def policy(windows: str, timezone: str = "Europe/Berlin", role: str = "floor") -> str:
    return (
        "apiVersion: trimtab.dev/v1\n"
        "kind: ScalingPolicy\n"
        "metadata: {name: chat}\n"
        "spec:\n"
        "  deployments: {name: accounts/acme/deployments/chat}\n"
        "  rules:\n"
        "    - name: calendar\n"
        f"      role: {role}\n"
        f"      strategy: {{type: schedule, timezone: {timezone}, windows: [{windows}]}}\n"
    )


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@freeze_time("2026-11-22T12:00:00Z")
def test_windows_arrive_in_the_strategy_as_they_are_written(diagnose: Diagnose) -> None:
    report = diagnose(
        policy(
            '{cron: "0 8 * * MON-FRI", for: 10h, replicas: 4}, '
            "{from: 2026-12-24T18:00, until: 2026-12-27T00:00:30, replicas: 0, exactly: true, priority: 5}"
        )
    )
    assert report.diagnostics == ()
    (rule,) = report.policies[0].rules
    assert rule.strategy == Schedule(
        timezone="Europe/Berlin",
        windows=(
            Window(
                opening=Recurrence(
                    cron="0 8 * * MON-FRI", timezone="Europe/Berlin", duration_seconds=36_000.0
                ),
                replicas=4,
                label="`0 8 * * MON-FRI` for 10h",
            ),
            Window(
                opening=Period(start=utc("2026-12-24T17:00"), end=utc("2026-12-26T23:00:30")),
                replicas=0,
                label="2026-12-24T18:00 to 2026-12-27T00:00:30",
                priority=5,
                is_exact=True,
            ),
        ),
    )


@freeze_time("2026-01-01T00:00:00Z")
@pytest.mark.parametrize(
    ("zone", "window", "start", "end"),
    [
        # both ends in the hour that happens twice: all of it
        ("Europe/Berlin", ("2026-10-25T02:00", "2026-10-25T02:30"), "2026-10-25T00:00", "01:30"),
        # from within the hour that is skipped: right after it, as much later
        ("Europe/Berlin", ("2026-03-29T02:30", "2026-03-29T04:00"), "2026-03-29T01:30", "02:00"),
        ("America/New_York", ("2026-11-01T01:00", "2026-11-01T01:30"), "2026-11-01T05:00", "06:30"),
        (
            "Australia/Lord_Howe",
            ("2026-04-05T01:30", "2026-04-05T01:45"),
            "2026-04-04T14:30",
            "15:15",
        ),
        ("UTC", ("2028-02-29T00:00", "2028-02-29T23:00"), "2028-02-29T00:00", "23:00"),
    ],
)
def test_single_windows_on_days_when_clocks_change(
    diagnose: Diagnose, zone: str, window: tuple[str, str], start: str, end: str
) -> None:
    begin, until = window
    report = diagnose(policy(f"{{from: {begin}, until: {until}, replicas: 4}}", zone))
    assert report.diagnostics == ()
    strategy = report.policies[0].rules[0].strategy
    assert isinstance(strategy, Schedule)
    assert strategy.windows[0].opening == Period(start=utc(start), end=utc(f"{start[:10]}T{end}"))


@pytest.mark.parametrize(
    ("now", "is_over"),
    [("2026-12-26T22:59:59Z", False), ("2026-12-26T23:00:00Z", True), ("2030-01-01", True)],
)
def test_a_window_that_is_over_when_the_file_is_read_is_a_warning(
    diagnose: Diagnose, now: str, is_over: bool
) -> None:
    text = policy("{from: 2026-12-24T18:00, until: 2026-12-27T00:00, replicas: 4}")
    with freeze_time(now):
        report = diagnose(text)
    assert report.is_valid
    assert [one.code.id for one in report.diagnostics] == (["POL402"] if is_over else [])


def test_an_exact_count_in_a_ceiling_is_a_warning(diagnose: Diagnose) -> None:
    window = '{cron: "0 22 * * *", for: 8h, replicas: 2, exactly: true}'
    assert [one.code.id for one in diagnose(policy(window, role="ceiling")).diagnostics] == [
        "POL402"
    ]
    assert diagnose(policy(window)).diagnostics == ()
