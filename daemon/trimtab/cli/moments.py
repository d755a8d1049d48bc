"""Moments on a command line and on a terminal: read as people write them, shown in their own time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from trimtab.clock import SystemClock

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

CLOCK_TIME = re.compile(r"\d?\d:\d\d(:\d\d)?", re.ASCII)
"""As people write it: 8:00 is 08:00."""

BACK_SECONDS_MAX = 3_650 * 86_400.0
"""As the daemon takes it."""

MOMENT_HELP = (
    "so long ago (20m, 3h), a clock time (18:30: the last one), or a time with its zone "
    "(2026-03-02T18:30+01:00)"
)

Since: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="TIME", help=f"From when on: {MOMENT_HELP}.", show_default=False),
]
Until: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Until when, in the same way.", show_default=False),
]


def past_moment(text: str | None, option: str, zone: ZoneInfo | None = None) -> str | None:
    """Return a moment as the daemon takes it; ``None`` stays so. Raises ``typer.BadParameter``.

    Without ``zone`` a clock time is of the local zone, and any other time has to say its own.
    """
    from trimtab.policy.durations import parse_duration

    if text is None:
        return None
    back_seconds = parse_duration(text)
    if back_seconds is not None:
        if back_seconds > BACK_SECONDS_MAX:
            message = f"{text!r} is longer ago than ten years; write {MOMENT_HELP}"
            raise typer.BadParameter(message, param_hint=option)
        return f"{back_seconds:.0f}s"
    found = _read(text, zone)
    if found is None:
        message = f"{text!r} is no moment; write {MOMENT_HELP}"
        raise typer.BadParameter(message, param_hint=option)
    return found.isoformat()


def check_order(since: str | None, until: str | None) -> None:
    """Refuse an end before the beginning, of moments as ``past_moment`` gave them. Raises ``BadParameter``."""
    if since is None or until is None:
        return
    now = SystemClock().now()
    if _seconds(since, now) > _seconds(until, now):
        message = "it lies before --since, so nothing can be between them; swap the two"
        raise typer.BadParameter(message, param_hint="--until")


def _seconds(moment: str, now: float) -> float:
    if moment.endswith("s"):
        return now - float(moment.removesuffix("s"))
    return datetime.fromisoformat(moment).timestamp()


def _read(text: str, zone: tzinfo | None) -> datetime | None:
    now = datetime.fromtimestamp(SystemClock().now(), tz=UTC).astimezone(zone)
    try:
        if CLOCK_TIME.fullmatch(text):
            found = _on(now, text, zone)
            return found if found <= now else _on(now - timedelta(days=1), text, zone)
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.tzinfo is None and zone is not None:
        return found.replace(tzinfo=zone)
    return found if found.tzinfo is not None else None


def _on(day: datetime, clock_time: str, zone: tzinfo | None) -> datetime:
    naive = datetime.fromisoformat(f"{day.date()}T{padded(clock_time)}")
    # By the zone's own rules: its offset at that hour may not be that of now.
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)


def padded(clock_time: str) -> str:
    """Return a clock time as ISO 8601 has it, with two digits for the hour."""
    return f"0{clock_time}" if clock_time[1] == ":" else clock_time


def local_time(text: str, now: str | None = None) -> str:
    """Return a moment of the daemon in the reader's zone; with its day where that is not the day of ``now``."""
    local = datetime.fromisoformat(text).astimezone()
    is_today = now is not None and datetime.fromisoformat(now).astimezone().date() == local.date()
    return f"{local:%H:%M:%S}" if is_today else f"{local:%Y-%m-%d %H:%M:%S}"


def seconds_between(earlier: str, later: str) -> float:
    """Return how much later the one moment of the daemon is than the other."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def ago(text: str, now: str) -> str:
    """Return how long ago, or in how long, a moment is from ``now``, in words."""
    from trimtab.core.overrides import duration_in_words

    seconds = seconds_between(text, now)
    return (
        f"in {duration_in_words(-seconds)}" if seconds < 0 else f"{duration_in_words(seconds)} ago"
    )


def zone_name() -> str:
    """Return the name of the reader's zone, as it is now."""
    return f"{datetime.fromtimestamp(SystemClock().now(), tz=UTC).astimezone():%Z}"
