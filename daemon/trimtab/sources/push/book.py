"""Which signals a series is about, and what its points make of their values.

The book holds one page a signal: the latest of each series that it is made of. Memory is bounded: by
``series_max`` for what is known, by a small cache for what is not, and series that went silent are
forgotten. A signal with a series too many is not known at all, rather than known too small.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from trimtab.core.signals import FUTURE_TOLERANCE_SECONDS, Sample
from trimtab.sources.push.points import NAME, Fate, Kind
from trimtab.sources.push.query import Combine, Query, QueryError, parse_query
from trimtab.sources.push.rates import RateWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from trimtab.sources.push.points import Point
    from trimtab.sources.push.port import Directory

    Labels: TypeAlias = Callable[[Hashable], Mapping[str, str]]

UNKNOWN_MAX = 20_000
"""Series remembered as nobody's, so that they are not looked up again at each push."""

UNKNOWN_BYTES_MAX = 1024
"""One whose labels are longer is looked up each time."""

SERIES_PER_SIGNAL_MAX = 1000
SWEEP_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BookRules:
    """How points become samples. Durations are seconds.

    ``deployments`` are other names by which pushes may call deployments. ``is_newest_time`` says that a
    signal is as new as its newest series (alerts), not as its oldest. ``heartbeat`` is the name of a series
    that says, while it comes, that whatever does not come is 0.
    """

    deployment_label: str = "deployment"
    deployments: Mapping[str, str] = field(default_factory=dict)
    combine: Combine = Combine.SUM
    rate_window_seconds: float = 30.0
    forget_after_seconds: float = 300.0
    age_seconds_max: float = 3600.0
    series_max: int = 100_000
    is_newest_time: bool = False
    heartbeat: str | None = None


class Latest:
    """One series of one signal: its newest time and value, and its counter if it is one."""

    __slots__ = ("raw", "time", "value", "window")

    def __init__(self) -> None:
        self.time: float | None = None
        self.raw = 0.0
        self.value: float | None = None
        self.window: RateWindow | None = None


class Page:
    """One signal of one deployment."""

    __slots__ = (
        "beat_at",
        "deployment",
        "ended_at",
        "overfull_at",
        "query",
        "series",
        "signal",
        "told",
    )

    def __init__(self, deployment: str, signal: str, query: Query) -> None:
        self.deployment = deployment
        self.signal = signal
        self.query = query
        self.series: dict[Hashable, Latest] = {}
        self.told: tuple[float, float] | None = None
        self.ended_at: float | None = None
        self.beat_at: float | None = None
        self.overfull_at: float | None = None


class Found(NamedTuple):
    """A point and the pages it is for."""

    point: Point
    pages: tuple[Page, ...]


class Book:
    """The series of one push source. Times are UTC seconds and handed in."""

    def __init__(self, directory: Directory, rules: BookRules) -> None:
        self._directory = directory
        self._rules = rules
        self._version = directory.version
        self._routes: dict[Hashable, tuple[Page, ...]] = {}
        self._unknown: dict[Hashable, Fate] = {}
        self._pages: dict[tuple[str, str], Page] = {}
        self._swept_at: float | None = None
        self._heartbeats: set[Hashable] = set()
        self.series = 0
        self.bad_queries: dict[str, str] = {}

    def follow(self, now: float) -> None:
        """Forget what policies and deployments no longer say, and series that went silent."""
        if self._version != self._directory.version:
            self._version = self._directory.version
            self._routes = {}
            self._heartbeats.clear()
            self._unknown.clear()
            self.bad_queries.clear()
            self._drop_what_nobody_wants()
        if self._swept_at is None or not 0 <= now - self._swept_at < SWEEP_SECONDS:
            self._swept_at = now
            self._sweep(now - self._rules.forget_after_seconds)

    def pages_of(self, series: Hashable, labels: Labels) -> tuple[Page, ...] | Fate:
        """Return the signals that a series is about, or why there are none. Changes no value."""
        pages = self._routes.get(series)
        if pages is not None:
            return pages
        fate = self._unknown.get(series)
        return self._look_up(series, labels) if fate is None else fate

    def enter(self, found: Iterable[Found], now: float) -> tuple[list[Sample], dict[Fate, int]]:
        """Take in points; return the samples of all signals that they changed, and all fates."""
        fates: dict[Fate, int] = {}
        touched: dict[Page, None] = {}
        for point, pages in found:
            fate = self._judge(point, now)
            if fate is None and self._is_heartbeat(point.series):
                fate = Fate.ACCEPTED
                for page in pages:
                    page.beat_at = now if point.kind is Kind.VALUE else None
                touched |= dict.fromkeys(pages)
            elif fate is None:
                for page in pages:
                    one = self._write(page, point, now)
                    # Of a point that is for several signals, what became of it for the last.
                    fate = one
                    if one in (Fate.ACCEPTED, Fate.STALE_MARKER, Fate.CONFLICTING):
                        touched[page] = None
            if fate is not None:
                fates[fate] = fates.get(fate, 0) + 1
        samples = [sample for page in touched if (sample := self._sample(page, now))]
        return samples, fates

    # -- finding ----------------------------------------------------------------------------------

    def _look_up(self, series: Hashable, labels_of: Labels) -> tuple[Page, ...] | Fate:
        labels = labels_of(series)
        if labels.get(NAME) == self._rules.heartbeat:
            return self._all_pages(series)
        given = labels.get(self._rules.deployment_label, "")
        deployment = self._directory.find(self._rules.deployments.get(given, given))
        if deployment is None:
            return self._nobodys(series, Fate.UNKNOWN_DEPLOYMENT)
        pages = []
        for spec in self._directory.signals(deployment):
            query = self._query(spec.query)
            if query is not None and query.name == labels.get(NAME) and query.fits(labels):
                pages.append(self._page(deployment, spec.name, query))
        if not pages:
            return self._nobodys(series, Fate.UNKNOWN_SERIES)
        if len(self._routes) < self._rules.series_max:
            self._routes[series] = tuple(pages)
        return tuple(pages)

    def _all_pages(self, series: Hashable) -> tuple[Page, ...]:
        """Return the pages of every signal that is wanted of this source: a heartbeat is for all."""
        pages = tuple(
            self._page(deployment, spec.name, query)
            for deployment in self._directory.deployments()
            for spec in self._directory.signals(deployment)
            if (query := self._query(spec.query)) is not None
        )
        self._heartbeats.add(series)
        self._routes[series] = pages
        return pages

    def _is_heartbeat(self, series: Hashable) -> bool:
        return series in self._heartbeats

    def _page(self, deployment: str, signal: str, query: Query) -> Page:
        page = self._pages.get((deployment, signal))
        if page is None:
            page = self._pages[deployment, signal] = Page(deployment, signal, query)
        return page

    def _nobodys(self, series: Hashable, fate: Fate) -> Fate:
        if _length(series) <= UNKNOWN_BYTES_MAX:
            if len(self._unknown) >= UNKNOWN_MAX:
                self._unknown.clear()
            self._unknown[series] = fate
        return fate

    def _query(self, text: str) -> Query | None:
        try:
            return parse_query(text)
        except QueryError as error:
            self.bad_queries[text] = str(error)
            return None

    # -- entering ---------------------------------------------------------------------------------

    def _judge(self, point: Point, now: float) -> Fate | None:
        """Say why a point counts for no signal at all; ``None``: it may count."""
        if point.kind is Kind.UNSUPPORTED:
            return Fate.UNSUPPORTED
        if point.time is not None:
            if point.time > now + FUTURE_TOLERANCE_SECONDS:
                return Fate.FROM_THE_FUTURE
            if point.time < now - self._rules.age_seconds_max:
                return Fate.TOO_OLD
        if point.kind is Kind.GONE:
            return None
        return None if isfinite(point.value) and point.value >= 0 else Fate.NOT_A_LOAD

    def _write(self, page: Page, point: Point, now: float) -> Fate:
        time = now if point.time is None else point.time
        latest = page.series.get(point.series)
        if point.kind in (Kind.GONE, Kind.ENDED):
            return self._end(page, point, latest, time)
        if latest is None:
            if self.series >= self._rules.series_max or len(page.series) >= SERIES_PER_SIGNAL_MAX:
                page.overfull_at = now
                return Fate.SERIES_LIMIT
            latest = page.series[point.series] = Latest()
            self.series += 1
        is_counter = page.query.is_rate or point.kind in (Kind.CUMULATIVE, Kind.DELTA)
        if latest.time is not None and time <= latest.time:
            return _again(latest, time, point.value, is_counter=is_counter)
        latest.time, latest.raw = time, point.value
        page.ended_at = None
        if not is_counter:
            latest.value = point.value
            return Fate.ACCEPTED
        window = latest.window = latest.window or RateWindow()
        take = window.add if point.kind is Kind.DELTA else window.count
        seconds = self._rules.rate_window_seconds
        take(time, point.value, start=point.start, window_seconds=seconds)
        latest.value = window.per_second()
        return Fate.ACCEPTED

    def _end(self, page: Page, point: Point, latest: Latest | None, time: float) -> Fate:
        if latest is not None and latest.time is not None and time < latest.time:
            return Fate.OUT_OF_ORDER
        if latest is not None:
            del page.series[point.series]
            self.series -= 1
        if point.kind is Kind.GONE:
            return Fate.STALE_MARKER
        page.ended_at = time
        return Fate.ACCEPTED

    # -- concluding -------------------------------------------------------------------------------

    def _sample(self, page: Page, now: float) -> Sample | None:
        """Return what a signal is now, if that is known and news."""
        if page.overfull_at is not None:
            if now - page.overfull_at < self._rules.forget_after_seconds:
                return None
            page.overfull_at = None
        parts = [
            (one.time, one.value)
            for one in page.series.values()
            if one.time is not None and one.value is not None
        ]
        if not parts:
            quiet = [at for at in (page.ended_at, page.beat_at) if at is not None]
            if not quiet or page.series:
                return None
            parts = [(max(quiet), 0.0)]
        time, value, count = self._together(page, parts)
        if page.told == (time, value):
            return None
        page.told = (time, value)
        return Sample(page.deployment, page.signal, time, value, count)

    def _together(
        self, page: Page, parts: Sequence[tuple[float, float]]
    ) -> tuple[float, float, int | None]:
        if len(parts) == 1:
            time, value = parts[0]
        else:
            times = [time for time, _ in parts]
            time = max(times) if self._rules.is_newest_time else min(times)
            values = [value for _, value in parts]
            value = max(values) if self._combine(page) is Combine.MAX else sum(values)
        if self._rules.is_newest_time:
            time = max(time, page.ended_at or time, page.beat_at or time)
        if self._combine(page) is not Combine.AVG:
            return time, value, None
        return time, value / len(parts), len(parts)

    def _combine(self, page: Page) -> Combine:
        return page.query.combine or self._rules.combine

    # -- forgetting -------------------------------------------------------------------------------

    def _sweep(self, before: float) -> None:
        """Forget series that were last heard before then, and signals that have none left."""
        for page in self._pages.values():
            silent = [
                series
                for series, one in page.series.items()
                if one.time is not None and one.time < before
            ]
            for series in silent:
                del page.series[series]
                self._routes.pop(series, None)
            self.series -= len(silent)
        quiet = {
            key
            for key, page in self._pages.items()
            if not page.series and (page.beat_at is None or page.beat_at < before)
        }
        self._remove(quiet)

    def _drop_what_nobody_wants(self) -> None:
        wanted: dict[str, dict[str, Query | None]] = {}
        for deployment, _ in self._pages:
            if deployment not in wanted:
                specs = self._directory.signals(deployment)
                wanted[deployment] = {spec.name: self._query(spec.query) for spec in specs}
        self._remove(
            {
                (deployment, signal)
                for (deployment, signal), page in self._pages.items()
                if wanted[deployment].get(signal) != page.query
            }
        )

    def _remove(self, keys: set[tuple[str, str]]) -> None:
        """Remove signals, and every route that leads to one, so that none is written on for nothing."""
        if not keys:
            return
        pages = [self._pages.pop(key) for key in keys]
        removed = {id(page): page for page in pages}
        self.series -= sum(len(page.series) for page in removed.values())
        self._routes = {
            series: pages
            for series, pages in self._routes.items()
            if not any(id(page) in removed for page in pages)
        }


def _again(latest: Latest, time: float, value: float, *, is_counter: bool) -> Fate:
    """Judge a value that is not newer than the newest of its series.

    Of two values at the same time the one heard last counts, but for counters, where time must pass.
    """
    if latest.time is not None and time < latest.time:
        return Fate.OUT_OF_ORDER
    if value == latest.raw:
        return Fate.DUPLICATE
    if not is_counter:
        latest.raw = latest.value = value
    return Fate.CONFLICTING


def _length(series: Hashable) -> int:
    if isinstance(series, bytes):
        return len(series)
    assert isinstance(series, tuple)  # noqa: S101  what decoders give
    return sum(len(one) if isinstance(one, str) else len(one[0]) + len(one[1]) for one in series)
