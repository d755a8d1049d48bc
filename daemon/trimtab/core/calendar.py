"""When a schedule is open: cron starts in a time zone that each last a while, and single periods.

Durations are real time: what opens at 08:00 for 10 hours is open for 10 hours on the days when
clocks change too. The cron dialect and its answer on those days are cronsim's, which follows
Debian's cron (docs/decisions/0005): a start in a skipped hour happens right after it, one in a
repeated hour once.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY_SECONDS = 86_400

ZONE_CHARACTERS_MAX = 100
"""Twice the longest name that IANA gave; zoneinfo imports a package for each part of a name."""

DST_MARGIN_SECONDS = 7200.0
"""More than any zone's clocks are put forward or back."""

DURATION_SECONDS_MAX = 366.0 * DAY_SECONDS
"""How far back a start is looked for; what lasts longer is always open."""


class Opening(Protocol):
    """Something that is open at some times and closed at others."""

    def open_until(self, now: float) -> float | None:
        """UTC seconds of the end of what is open at ``now``; ``None`` while it is closed."""
        ...

    def next_start(self, now: float, *, within_days: int | None = None) -> float | None:
        """UTC seconds of the first start after ``now``; ``None`` if there is none (so soon)."""
        ...

    def next_edge(self, now: float) -> float | None:
        """UTC seconds after ``now`` until which it certainly neither opens nor closes. Cheap.

        It may be told too early, never too late; ``None``: never again.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """Opens at every start of a five-field ``cron`` expression in ``timezone``, for a while.

    Starts that come while it is open keep it open. Raises what ``check_cron`` and ``ZoneInfo``
    raise if the expression or the zone cannot be read.
    """

    cron: str
    timezone: str
    duration_seconds: float

    def open_until(self, now: float) -> float | None:
        """UTC seconds of the end of what is open at ``now``; ``None`` while it is closed."""
        earliest = now - min(self.duration_seconds, DURATION_SECONDS_MAX)
        for day in range(_day(now), _day(earliest) - 1, -1):
            starts = _starts_on(self.cron, self.timezone, day)
            before = bisect_right(starts, now)
            if before:
                start = starts[before - 1]
                return start + self.duration_seconds if start > earliest else None
        return None

    def next_start(self, now: float, *, within_days: int | None = None) -> float | None:
        """UTC seconds of the first start after ``now``, looking ``within_days`` ahead if given.

        Looking only a few days ahead is cheap: those starts are remembered.
        """
        if within_days is None:
            return next((one for one in _starts_from(self.cron, self.timezone, now)), None)
        today = _day(now)
        for day in range(today, today + within_days + 1):
            starts = _starts_on(self.cron, self.timezone, day)
            after = bisect_right(starts, now)
            if after < len(starts):
                return starts[after]
        return None

    def next_edge(self, now: float) -> float | None:
        """Return the next start or end, or a day ahead if nothing comes sooner."""
        edges = (self.open_until(now), self.next_start(now, within_days=1), now + DAY_SECONDS)
        return min(edge for edge in edges if edge is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Open once, from ``start`` until before ``end`` (UTC seconds)."""

    start: float
    end: float

    def open_until(self, now: float) -> float | None:
        """UTC seconds of the end while it is open; ``None`` before and after."""
        return self.end if self.start <= now < self.end else None

    def next_start(self, now: float, *, within_days: int | None = None) -> float | None:
        """UTC seconds of the start while it lies ahead (``within_days``, if given)."""
        if self.start <= now:
            return None
        is_near = within_days is None or self.start - now <= within_days * DAY_SECONDS
        return self.start if is_near else None

    def next_edge(self, now: float) -> float | None:
        """Return its start while that lies ahead, then its end."""
        if now < self.start:
            return self.start
        return self.end if now < self.end else None


def utc_seconds(local: datetime, timezone: str, *, is_later_of_two: bool = False) -> float:
    """UTC seconds of a local time without an offset.

    A time that clocks skip is moved on by what they skip. Of a time that happens twice, the first is
    meant, or with ``is_later_of_two`` the second.
    """
    zone = ZoneInfo(timezone)
    first, second = (local.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    # Of a skipped time the second reading lies before the first one (PEP 495).
    return max(first, second) if is_later_of_two else first


def check_cron(cron: str) -> None:
    """Raise ``CronSimError`` (one sentence) unless ``cron`` can be read and can ever start."""
    CronSim(cron, datetime(2024, 1, 1))  # noqa: DTZ001  only the fields are looked at


def _day(now: float) -> int:
    return int(now // DAY_SECONDS)


@lru_cache(maxsize=8192)  # remembers what is the same for ever; a decision has 100 µs in all
def _starts_on(cron: str, timezone: str, day: int) -> tuple[float, ...]:
    """All starts within one UTC day (days since the epoch), in order."""
    first = float(day * DAY_SECONDS)
    found = []
    for start in _starts_from(cron, timezone, first - 1.0):
        if start >= first + DAY_SECONDS:
            break
        found.append(start)
    return tuple(found)


def _starts_from(cron: str, timezone: str, after: float) -> Iterator[float]:
    """Starts after ``after``, in order and each once.

    Steps forward from well before: stepping backwards compares local times, which repeat when
    summer time ends, and stepping forward from inside a repeated hour can give a start twice.
    """
    if len(timezone) > ZONE_CHARACTERS_MAX:
        raise ValueError(f"no time zone has a name of {len(timezone)} characters")
    origin = datetime.fromtimestamp(after - DST_MARGIN_SECONDS, tz=ZoneInfo(timezone))
    latest = after
    for start in CronSim(cron, origin):
        seconds = start.timestamp()
        if seconds > latest:
            latest = seconds
            yield seconds
