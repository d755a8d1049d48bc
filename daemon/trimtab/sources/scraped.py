"""What one endpoint says from scrape to scrape: gauges as they are, counters as rates.

Rates are over a short window and survive resets: a counter that fell began again from 0, as the
endpoint was restarted. A series that an endpoint did not have at the scrape before began then.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, SourceError
from trimtab.sources.histograms import bound_of
from trimtab.sources.rates import RateWindow
from trimtab.sources.series_query import Combine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.sources.exposition import Series
    from trimtab.sources.selection import Selection

SERIES_MAX = 20_000
"""Wanted series of one endpoint; an engine has a few hundred of all kinds."""

Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Counter:
    window: RateWindow
    scrape: int


class Endpoint:
    """One endpoint's latest scrape, and its counters' recent past."""

    def __init__(self, *, rate_window_seconds: float) -> None:
        self._window_seconds = rate_window_seconds
        self._counters: dict[Key, _Counter] = {}
        self._series: dict[str, list[tuple[Mapping[str, str], float, Key]]] = {}
        self._scrapes = 0
        self._scraped_at: float | None = None
        self.time = 0.0

    def take(self, series: Iterable[Series], at: float, counters: frozenset[str]) -> None:
        """Take in a scrape begun ``at``, of which ``counters`` are wanted as rates.

        Raises ``SourceError``, and is as before, if it has too many series.
        """
        found: dict[str, list[tuple[Mapping[str, str], float, Key]]] = {}
        for count, one in enumerate(series):
            if count >= SERIES_MAX:
                raise SourceError(
                    f"the answer has more than {SERIES_MAX} series of the metrics that are wanted",
                    kind=ErrorKind.BAD_RESPONSE,
                )
            key = (one.metric, tuple(sorted(one.labels.items())))
            found.setdefault(one.metric, []).append((one.labels, one.value, key))
        self._series = found
        self._scrapes += 1
        for metric in counters:
            for _, value, key in found.get(metric, ()):
                if isfinite(value):
                    self._count(key, value, at)
        self._counters = {k: c for k, c in self._counters.items() if c.scrape == self._scrapes}
        self._scraped_at = self.time = at

    def _count(self, key: Key, value: float, at: float) -> None:
        counter, start = self._counters.get(key), None
        if counter is None:
            counter = self._counters[key] = _Counter(RateWindow(), self._scrapes)
            start = self._scraped_at
        counter.scrape = self._scrapes
        counter.window.count(at, value, start=start, window_seconds=self._window_seconds)

    def has(self, metric: str) -> bool:
        """Whether the latest scrape had the metric."""
        return metric in self._series

    def value(
        self, selection: Selection, metric: str, combine: Combine, *, is_rate: bool
    ) -> float | None:
        """Return what this endpoint's series are together; ``None`` if any part is not known."""
        values = []
        for labels, value, key in self._series.get(metric, ()):
            if "le" in labels or not selection.query.fits(labels):
                continue
            known = self._rate(key) if is_rate else value
            if known is None or not isfinite(known):
                return None
            values.append(known)
        return together(values, combine) if values else None

    def buckets(self, selection: Selection, metric: str) -> dict[float, float] | None:
        """Return the rates of a histogram's buckets by their upper bounds; ``None`` if not known."""
        found: dict[float, float] = {}
        for labels, _, key in self._series.get(metric, ()):
            bound, rate = bound_of(labels.get("le")), self._rate(key)
            if bound is None or not selection.query.fits(labels):
                continue
            if rate is None:
                return None
            found[bound] = found.get(bound, 0.0) + rate
        return found or None

    def _rate(self, key: Key) -> float | None:
        counter = self._counters.get(key)
        return None if counter is None else counter.window.per_second()


def together(values: list[float], combine: Combine) -> float:
    """Return the sum, the average or the greatest of ``values``, of which there is one at least."""
    if combine is Combine.MAX:
        return max(values)
    return sum(values) / (len(values) if combine is Combine.AVG else 1)
