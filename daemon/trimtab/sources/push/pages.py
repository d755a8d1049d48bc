"""One page for each signal of a deployment: the newest of every series that the signal is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.signals import Sample
from trimtab.sources.push.points import Fate, Kind
from trimtab.sources.rates import RateWindow
from trimtab.sources.series_query import Combine

if TYPE_CHECKING:
    from collections.abc import Hashable

    from trimtab.sources.push.points import Point
    from trimtab.sources.series_query import Query


class Line:
    """One series on one page: its newest time and value, and its counter if it is one.

    ``time`` is ``None`` while nothing of it counts: it is then not on the page. ``is_counter`` is known
    from the first value on.
    """

    __slots__ = ("is_counter", "page", "raw", "time", "value", "window")

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clear()

    def clear(self) -> None:
        """Know nothing of the series any more."""
        self.time: float | None = None
        self.raw = 0.0
        self.value: float | None = None
        self.window: RateWindow | None = None
        self.is_counter = False

    def take(self, point: Point, time: float, *, window_seconds: float) -> Fate:
        """Take in a value of ``time``, if that is newer than what is known."""
        is_counter = self.page.query.is_rate or point.kind in (Kind.CUMULATIVE, Kind.DELTA)
        if self.time is not None and time <= self.time:
            return self._take_again(time, point.value, is_counter=is_counter)
        self.time, self.raw, self.is_counter = time, point.value, is_counter
        self.page.ended_at = None
        if not is_counter:
            self.value = point.value
            return Fate.ACCEPTED
        window = self.window = self.window or RateWindow()
        count = window.add if point.kind is Kind.DELTA else window.count
        count(time, point.value, start=point.start, window_seconds=window_seconds)
        self.value = window.per_second()
        return Fate.ACCEPTED

    def _take_again(self, time: float, value: float, *, is_counter: bool) -> Fate:
        """Judge a value that is not newer than the newest.

        Of two values at the same time the one heard last counts, but for counters, where time must
        pass.
        """
        if self.time is not None and time < self.time:
            return Fate.OUT_OF_ORDER
        if value == self.raw:
            return Fate.DUPLICATE
        if not is_counter:
            self.raw = self.value = value
        return Fate.CONFLICTING


class Page:
    """One signal of one deployment. Times are UTC seconds.

    ``lines`` are the series that count now. ``told`` is the time and value last given out, ``ended_at``
    when the last condition ended, ``beat_at`` when the heartbeat last came, ``overfull_at`` when a series
    came that there was no room for. ``version`` is that of the directory which wanted the signal.
    """

    __slots__ = (
        "beat_at",
        "combine",
        "deployment",
        "ended_at",
        "is_newest_time",
        "lines",
        "overfull_at",
        "query",
        "signal",
        "told",
        "version",
    )

    def __init__(
        self,
        deployment: str,
        signal: str,
        query: Query,
        *,
        combine: Combine,
        is_newest_time: bool,
        version: int,
    ) -> None:
        self.deployment = deployment
        self.signal = signal
        self.query = query
        self.combine = query.combine or combine
        self.is_newest_time = is_newest_time
        self.version = version
        self.lines: dict[Hashable, Line] = {}
        self.told: tuple[float, float] | None = None
        self.ended_at: float | None = None
        self.beat_at: float | None = None
        self.overfull_at: float | None = None

    def silent(self, before: float) -> list[Hashable]:
        """Return the series that were last heard before then."""
        return [
            series
            for series, line in self.lines.items()
            if line.time is not None and line.time < before
        ]

    def sample(self, before: float) -> Sample | None:
        """Return what the signal is now, if that is known and news.

        Not known is one that was overfull since ``before``.
        """
        if self.overfull_at is not None:
            if self.overfull_at > before:
                return None
            self.overfull_at = None
        count = None
        if len(self.lines) == 1 and not self.is_newest_time and self.combine is not Combine.AVG:
            (line,) = self.lines.values()
            if line.time is None or line.value is None:
                return None
            time, value = line.time, line.value
        else:
            known = self._together()
            if known is None:
                return None
            time, value, count = known
        if self.told == (time, value):
            return None
        self.told = (time, value)
        return Sample(self.deployment, self.signal, time, value, count)

    def _together(self) -> tuple[float, float, int | None] | None:
        parts = [
            (line.time, line.value)
            for line in self.lines.values()
            if line.time is not None and line.value is not None
        ]
        if not parts:
            quiet = [at for at in (self.ended_at, self.beat_at) if at is not None]
            if not quiet or self.lines:
                return None
            parts = [(max(quiet), 0.0)]
        times, values = zip(*parts, strict=True)
        time = max(times) if self.is_newest_time else min(times)
        if self.is_newest_time:
            time = max(time, self.ended_at or time, self.beat_at or time)
        value = max(values) if self.combine is Combine.MAX else sum(values)
        if self.combine is not Combine.AVG:
            return time, value, None
        return time, value / len(parts), len(parts)
