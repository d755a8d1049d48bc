"""Which signals a series is about, and what its points make of their values.

The book holds one page a signal (``pages``), and remembers which lines of which pages each series leads
to: a push of known series is looked up by nothing but their identity. Memory is bounded: by
``series_max`` for what is known, by a small cache for what is not, and series that went silent are
forgotten. A signal with a series too many is not known at all, rather than known too small.

When policies or deployments change, nothing is walked: what was looked up before is of an older version,
and is looked up anew when it comes again. What nobody asks for any more goes as the sweep passes by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from trimtab.core.signals import FUTURE_TOLERANCE_SECONDS, Sample
from trimtab.sources.push.pages import Line, Page
from trimtab.sources.push.points import NAME, Fate, Kind
from trimtab.sources.series_query import Combine, Query, QueryError, parse_query

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Hashable, Iterable, Mapping

    from trimtab.sources.push.points import Point
    from trimtab.sources.push.port import Directory

    Labels: TypeAlias = Callable[[Hashable], Mapping[str, str]]

UNKNOWN_MAX = 20_000
"""Series remembered as nobody's, so that they are not looked up again at each push."""

UNKNOWN_CHARACTERS_MAX = 1024
"""One whose labels are longer is looked up each time."""

SERIES_PER_SIGNAL_MAX = 1000

LABEL_CHARACTERS_PER_SERIES = 512
"""Times ``series_max``, the labels that are remembered: usual ones take 100 to 300."""

SWEEP_SECONDS = 30.0
"""Between two sweeps through all pages."""

SWEEP_PAGES_MAX = 500
"""At a push: less than a millisecond."""


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


class Route(NamedTuple):
    """Where a series leads: to lines, or to nobody, for the reason ``fate``.

    A heartbeat leads to a line of every page. ``version`` is that of the directory which said so.
    """

    version: int
    lines: tuple[Line, ...] = ()
    fate: Fate | None = None
    is_heartbeat: bool = False


class Found(NamedTuple):
    """A point and where it leads."""

    point: Point
    route: Route


class Book:
    """The series of one push source. Times are UTC seconds and handed in."""

    def __init__(self, directory: Directory, rules: BookRules) -> None:
        self._directory = directory
        self._rules = rules
        self._version = directory.version
        self._routes: dict[Hashable, Route] = {}
        self._unknown = 0
        self._pages: dict[tuple[str, str], Page] = {}
        self._untold: dict[Page, None] = {}
        self._swept_at: float | None = None
        self._to_sweep: list[tuple[str, str]] = []
        self._label_characters = 0
        self.series = 0
        self.bad_queries: dict[str, str] = {}

    @property
    def known(self) -> Container[Hashable]:
        """The series that were looked up before, and so need not be read again."""
        return self._routes

    def follow(self, now: float) -> None:
        """Notice what policies and deployments say now, and sweep a share of the pages."""
        if self._version != self._directory.version:
            self._version = self._directory.version
            self.bad_queries.clear()
        self._sweep(now)

    def route_of(self, series: Hashable, labels: Labels) -> Route:
        """Return where a series leads. Changes no value."""
        route = self._routes.get(series)
        if route is not None and route.version == self._version:
            return route
        return self._look_up(series, labels)

    @property
    def untold(self) -> int:
        """How many signals were changed since ``conclude`` told them."""
        return len(self._untold)

    def enter(self, found: Iterable[Found], now: float) -> dict[Fate, int]:
        """Take in points, and return what became of them.

        The routes lead to somebody, and ``follow`` was not called since they were found.
        """
        fates: dict[Fate, int] = {}
        touched = self._untold
        newest, oldest = now + FUTURE_TOLERANCE_SECONDS, now - self._rules.age_seconds_max
        accepted = 0
        for point, route in found:
            _, time, value, kind, _ = point
            # Nearly always: a gauge's next value, of a series that leads to one line.
            if kind is Kind.VALUE and time is not None and len(route.lines) == 1:
                (line,) = route.lines
                if (
                    line.time is not None
                    and line.time < time <= newest
                    and time >= oldest
                    and 0.0 <= value < inf
                    and not line.is_counter
                ):
                    line.time, line.raw, line.value = time, value, value
                    line.page.ended_at = None
                    touched[line.page] = None
                    accepted += 1
                    continue
            fate = self._judge(point, oldest=oldest, newest=newest)
            if fate is None:
                fate = self._enter(point, route, now)
            fates[fate] = fates.get(fate, 0) + 1
        if accepted:
            fates[Fate.ACCEPTED] = fates.get(Fate.ACCEPTED, 0) + accepted
        return fates

    def conclude(self, now: float, signals_max: int) -> list[Sample]:
        """Return what became of so many of the signals that were changed.

        Call it once all that belongs together is entered: of half the series a signal is too small.
        """
        before = now - self._rules.forget_after_seconds
        samples = []
        for page in list(islice(self._untold, signals_max)):
            del self._untold[page]
            if len(page.lines) > 1 or page.is_newest_time:
                self._drop(page, page.silent(before))
            sample = page.sample(before)
            if sample is not None:
                samples.append(sample)
        return samples

    # -- finding ----------------------------------------------------------------------------------

    def _look_up(self, series: Hashable, labels_of: Labels) -> Route:
        labels = labels_of(series)
        heartbeat = self._rules.heartbeat
        if heartbeat is not None and labels.get(NAME) == heartbeat:
            return self._keep(series, self._all_pages())
        given = labels.get(self._rules.deployment_label, "")
        deployment = self._directory.find(self._rules.deployments.get(given, given))
        if deployment is None:
            return self._keep(series, Route(self._version, fate=Fate.UNKNOWN_DEPLOYMENT))
        lines = []
        for spec in self._directory.signals(deployment):
            query = self._query(spec.query)
            if query is not None and query.name == labels.get(NAME) and query.fits(labels):
                page = self._page(deployment, spec.name, query)
                lines.append(page.lines.get(series) or Line(page))
        if not lines:
            return self._keep(series, Route(self._version, fate=Fate.UNKNOWN_SERIES))
        return self._keep(series, Route(self._version, tuple(lines)))

    def _all_pages(self) -> Route:
        """Return the route of a heartbeat: every signal that is wanted of this source."""
        lines = tuple(
            Line(self._page(deployment, spec.name, query))
            for deployment in self._directory.deployments()
            for spec in self._directory.signals(deployment)
            if (query := self._query(spec.query)) is not None
        )
        return Route(self._version, lines, is_heartbeat=True)

    def _page(self, deployment: str, signal: str, query: Query) -> Page:
        page = self._pages.get((deployment, signal))
        if page is not None and page.version != self._version:
            if page.query == query:
                page.version = self._version
            else:
                self._remove(page)
                page = None
        if page is None:
            page = self._pages[deployment, signal] = Page(
                deployment,
                signal,
                query,
                combine=self._rules.combine,
                is_newest_time=self._rules.is_newest_time,
                version=self._version,
            )
        return page

    def _keep(self, series: Hashable, route: Route) -> Route:
        """Remember a route, if there is room for it."""
        before = self._routes.get(series)
        if before is not None and before.fate is not None:
            self._unknown -= 1
        if route.fate is not None:
            if _characters(series) > UNKNOWN_CHARACTERS_MAX:
                self._routes.pop(series, None)
                return route
            if self._unknown >= UNKNOWN_MAX:
                self._routes = {one: r for one, r in self._routes.items() if r.fate is None}
                self._unknown = 0
            self._unknown += 1
        elif before is None and len(self._routes) - self._unknown >= self._rules.series_max:
            # Most lead to lines that count no more. The ones that do are found again by their pages.
            self._routes = {one: r for one, r in self._routes.items() if r.fate is not None}
        self._routes[series] = route
        return route

    def _query(self, text: str) -> Query | None:
        try:
            return parse_query(text)
        except QueryError as error:
            self.bad_queries[text] = str(error)
            return None

    # -- entering ---------------------------------------------------------------------------------

    def _judge(self, point: Point, *, oldest: float, newest: float) -> Fate | None:
        """Say why a point counts for no signal at all; ``None``: it may count."""
        if point.kind is Kind.UNSUPPORTED:
            return Fate.UNSUPPORTED
        if point.time is not None:
            if point.time > newest:
                return Fate.FROM_THE_FUTURE
            if point.time < oldest:
                return Fate.TOO_OLD
        if point.kind is Kind.GONE:
            return None
        return None if 0.0 <= point.value < inf else Fate.NOT_A_LOAD

    def _enter(self, point: Point, route: Route, now: float) -> Fate:
        """Take in a point that may count; return what became of it for the last of its signals."""
        if route.is_heartbeat:
            for line in route.lines:
                line.page.beat_at = now if point.kind is Kind.VALUE else None
                self._untold[line.page] = None
            return Fate.ACCEPTED
        time = now if point.time is None else point.time
        fate = Fate.UNKNOWN_SERIES
        for found in route.lines:
            # Looked up twice before it was entered once, it has two lines, of which one is on the page.
            line = found if found.time is not None else found.page.lines.get(point.series, found)
            if point.kind in (Kind.GONE, Kind.ENDED):
                fate = self._end(line, point, time)
            elif line.time is None and not self._open(line, point.series, now):
                fate = Fate.SERIES_LIMIT
            else:
                seconds = self._rules.rate_window_seconds
                fate = line.take(point, time, window_seconds=seconds)
            if fate in (Fate.ACCEPTED, Fate.STALE_MARKER, Fate.CONFLICTING):
                self._untold[line.page] = None
        return fate

    def _open(self, line: Line, series: Hashable, now: float) -> bool:
        """Put a series on its page; false: there is no room, and the signal is not known any more."""
        page, rules = line.page, self._rules
        characters = self._label_characters + _characters(series)
        if (
            self.series >= rules.series_max
            or len(page.lines) >= SERIES_PER_SIGNAL_MAX
            or characters > rules.series_max * LABEL_CHARACTERS_PER_SERIES
        ):
            page.overfull_at = now
            return False
        page.lines[series] = line
        self._label_characters = characters
        self.series += 1
        return True

    def _end(self, line: Line, point: Point, time: float) -> Fate:
        if line.time is not None and time < line.time:
            return Fate.OUT_OF_ORDER
        self._drop(line.page, [point.series])
        if point.kind is Kind.GONE:
            return Fate.STALE_MARKER
        line.page.ended_at = time
        return Fate.ACCEPTED

    # -- forgetting -------------------------------------------------------------------------------

    def _sweep(self, now: float) -> None:
        """Look at a share of the pages: forget silent series, and signals that nobody asks for."""
        if not self._to_sweep:
            if self._swept_at is not None and 0 <= now - self._swept_at < SWEEP_SECONDS:
                return
            self._swept_at = now
            self._to_sweep = list(self._pages)
        before = now - self._rules.forget_after_seconds
        for key in self._to_sweep[-SWEEP_PAGES_MAX:]:
            page = self._pages.get(key)
            if page is not None:
                self._drop(page, page.silent(before))
                self._review(page)
        del self._to_sweep[-SWEEP_PAGES_MAX:]

    def _review(self, page: Page) -> None:
        """Keep a signal only if policies still ask for it."""
        if page.version == self._version:
            return
        specs = self._directory.signals(page.deployment)
        if any(s.name == page.signal and self._query(s.query) == page.query for s in specs):
            page.version = self._version
        else:
            self._remove(page)

    def _remove(self, page: Page) -> None:
        """Forget a signal."""
        self._drop(page, list(page.lines))
        self._untold.pop(page, None)
        del self._pages[page.deployment, page.signal]

    def _drop(self, page: Page, series: Iterable[Hashable]) -> None:
        """Take series off a page. Their routes go, and are looked up anew when they come again."""
        for one in series:
            line = page.lines.pop(one, None)
            if line is not None:
                line.clear()
                route = self._routes.get(one)
                if route is not None and route.fate is None:
                    del self._routes[one]
                self.series -= 1
                self._label_characters -= _characters(one)


def _characters(series: Hashable) -> int:
    """Return about how much memory the labels of a series take."""
    if isinstance(series, bytes):
        return len(series)
    assert isinstance(series, tuple)  # noqa: S101  what decoders give
    return sum(len(one) if isinstance(one, str) else len(one[0]) + len(one[1]) for one in series)
