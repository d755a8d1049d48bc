"""Load straight from inference engines and gateways: every endpoint scraped, then put together.

``query`` in a policy is ``sum(waiting)``, ``avg(vllm:kv_cache_usage_perc)``, ``rate(name{a="b"})`` or
``quantile(0.95, time_to_first_token)``: see ``trimtab.sources.selection``. An endpoint that does not
answer, or lacks the metric, is missing. An average or quantile of the others is honest and says over how
many it was taken (``Sample.replicas``); a sum or maximum of the others is not, so it is unknown, unless
the settings say to scale it up by those missing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.core.signals import Sample, is_believable
from trimtab.errors import ErrorKind, SourceError
from trimtab.sources import histograms
from trimtab.sources.asking import together as all_together
from trimtab.sources.engine_presets import PRESETS, Preset
from trimtab.sources.exposition import read_series
from trimtab.sources.port import PartialAnswerError
from trimtab.sources.scraped import Endpoint, together
from trimtab.sources.selection import parse_selection
from trimtab.sources.series_query import Combine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trimtab.clock import Clock
    from trimtab.core.signals import SignalSpec
    from trimtab.sources.endpoints import Directory
    from trimtab.sources.http import HttpReader
    from trimtab.sources.selection import Selection

SCRAPES_AT_ONCE_MAX = 16
RATE_WINDOW_SECONDS = 30.0
"""Long enough to smooth what an engine counts in bursts, short beside any start of a replica."""

ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
_OPENMETRICS = "application/openmetrics-text"


@dataclass(frozen=True, slots=True)
class Want:
    """A query as it is asked of an engine: the metrics that can answer it, the first that is there."""

    selection: Selection
    metrics: tuple[str, ...]
    combine: Combine
    is_rate: bool


class OpenMetrics:
    """Scrapes the engines of all deployments that policies ask about.

    ``engine`` is a key of ``PRESETS``. ``scales_up``: whether a sum over some endpoints is scaled up by
    those that are missing, which assumes that load is spread evenly.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        name: str,
        endpoints: Directory,
        reader: HttpReader,
        engine: str | None = None,
        interval_seconds: float = 5.0,
        scales_up: bool = False,
    ) -> None:
        self._clock = clock
        self._name = name
        self._endpoints = endpoints
        self._reader = reader
        self._presets = PRESETS[engine] if engine is not None else {}
        self._engine = engine
        self._interval_seconds = interval_seconds
        self._scales_up = scales_up
        self._known: dict[str, Endpoint] = {}

    @property
    def name(self) -> str:
        """What the settings call it."""
        return self._name

    @property
    def endpoint(self) -> str:
        """The engine; the endpoints themselves come and go."""
        return self._engine or "openmetrics"

    @property
    def interval_seconds(self) -> float:
        """From poll to poll."""
        return self._interval_seconds

    def serves(self, deployment: str) -> bool:
        """Whether endpoints of the deployment are written down, or may stand in the file."""
        return self._endpoints.may_have(deployment)

    async def poll(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        """Scrape every endpoint once and put together what is wanted. See ``Source.poll``."""
        outcomes: list[Sequence[Sample] | SourceError] = []
        wants: dict[str, Want] = {}
        for query in dict.fromkeys(spec.query for specs in wanted.values() for spec in specs):
            try:
                wants[query] = self._want(query)
            except SourceError as error:
                outcomes.append(error)
        found = await self._endpoints.look_up(wanted)
        outcomes += found.troubles
        failures = await self._scrape_all(
            {url for urls in found.urls.values() for url in urls}, wants.values()
        )
        for deployment, specs in wanted.items():
            urls = found.urls.get(deployment, ())
            samples = [
                sample
                for spec in specs
                if spec.query in wants
                and (sample := self._sample(deployment, spec, wants[spec.query], urls, failures))
            ]
            failed = [failures[url] for url in urls if url in failures]
            if failed:
                outcomes.append(_in_part(samples, failed, len(urls), deployment))
            elif not urls:
                outcomes.append(
                    SourceError(f"no endpoint of {deployment} is known", kind=ErrorKind.NOT_FOUND)
                )
            else:
                outcomes.append(samples)
        return all_together(outcomes)

    async def close(self) -> None:
        """Release the connections."""
        await self._endpoints.close()
        await self._reader.close()

    def _want(self, query: str) -> Want:
        selection = parse_selection(query)
        asked = selection.query
        preset = self._presets.get(asked.name, Preset((asked.name,)))
        metrics = preset.metrics
        if selection.quantile is not None:
            metrics = tuple(one if "_bucket" in one else f"{one}_bucket" for one in metrics)
        return Want(
            selection, metrics, asked.combine or preset.combine, asked.is_rate or preset.is_rate
        )

    async def _scrape_all(self, urls: set[str], wants: Iterable[Want]) -> dict[str, SourceError]:
        """Scrape each endpoint once; return how those failed that did."""
        metrics, counters = set[str](), set[str]()
        for want in wants:
            metrics.update(want.metrics)
            if want.is_rate or want.selection.quantile is not None:
                counters.update(want.metrics)
        self._known = {
            url: self._known.get(url) or Endpoint(rate_window_seconds=RATE_WINDOW_SECONDS)
            for url in urls
        }
        turns = asyncio.Semaphore(SCRAPES_AT_ONCE_MAX)
        failures: dict[str, SourceError] = {}

        async def scrape(url: str) -> None:
            async with turns:
                at = self._clock.now()
                try:
                    answer = await self._reader.get_url(url, accept=ACCEPT)
                    series = read_series(
                        answer.text, metrics, is_openmetrics=answer.content_type == _OPENMETRICS
                    )
                    self._known[url].take(series, at, frozenset(counters))
                except SourceError as error:
                    failures[url] = (
                        error
                        if url in str(error)
                        else SourceError(f"{url}: {error}", kind=error.kind)
                    )

        if metrics:
            await asyncio.gather(*map(scrape, urls))
        return failures

    def _sample(
        self,
        deployment: str,
        spec: SignalSpec,
        want: Want,
        urls: Sequence[str],
        failures: Mapping[str, SourceError],
    ) -> Sample | None:
        answered = [self._known[url] for url in urls if url not in failures]
        if want.selection.quantile is not None:
            value, count = _quantile(want, answered)
        else:
            value, count = self._put_together(want, answered, len(urls))
        if value is None or not is_believable(value):
            return None
        is_average = want.combine is not Combine.SUM or want.selection.quantile is not None
        oldest = min(one.time for one in answered)
        return Sample(deployment, spec.name, oldest, value, count if is_average else None)

    def _put_together(
        self, want: Want, answered: Sequence[Endpoint], all_endpoints: int
    ) -> tuple[float | None, int]:
        values = [
            value
            for one in answered
            if (metric := _metric_of(one, want)) is not None
            and (value := one.value(want.selection, metric, want.combine, is_rate=want.is_rate))
            is not None
        ]
        if not values:
            return None, 0
        value = together(values, want.combine)
        if want.combine is Combine.AVG or len(values) == all_endpoints:
            return value, len(values)
        if not self._scales_up:
            return None, len(values)
        share = all_endpoints / len(values) if want.combine is Combine.SUM else 1.0
        return value * share, len(values)


def _quantile(want: Want, answered: Sequence[Endpoint]) -> tuple[float | None, int]:
    merged: dict[float, float] = {}
    count = 0
    for one in answered:
        metric = _metric_of(one, want)
        buckets = None if metric is None else one.buckets(want.selection, metric)
        if buckets is None:
            continue
        if merged and buckets.keys() != merged.keys():
            return None, count  # engines of two versions, whose buckets cannot be added
        count += 1
        for bound, rate in buckets.items():
            merged[bound] = merged.get(bound, 0.0) + rate
    q = want.selection.quantile
    return (None if q is None else histograms.quantile(q, merged)), count


def _metric_of(endpoint: Endpoint, want: Want) -> str | None:
    return next((metric for metric in want.metrics if endpoint.has(metric)), None)


def _in_part(
    samples: Sequence[Sample], failed: Sequence[SourceError], endpoints: int, deployment: str
) -> PartialAnswerError:
    return PartialAnswerError(
        f"{endpoints - len(failed)} of {endpoints} endpoints of {deployment} answered: {failed[0]}",
        kind=failed[0].kind,
        samples=samples,
    )
