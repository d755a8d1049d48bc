"""The metrics endpoint of a Fireworks account: one scrape serves all its deployments.

In a policy ``source: fireworks``, and ``query`` is the name of a metric as the endpoint writes it
(``request_counter_total:sum_by_deployment``), perhaps with matchers (``{http_code="503"}``). Series of
one deployment that differ in other labels are added up. Values named ``_total`` are rates already.
Histogram buckets are no numbers of their own; ``quantile(0.95, latency_overall_ms_bucket:sum_by_deployment)``
makes one of them. They are of the last minute already, so nothing is compared between two scrapes.
Data is 30-90 s old when it arrives.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from trimtab.core.signals import Sample
from trimtab.errors import ErrorKind, SourceError, WorldError
from trimtab.sources.asking import together
from trimtab.sources.exposition import read_series
from trimtab.sources.histograms import bound_of, quantile
from trimtab.sources.scraped import together as combined
from trimtab.sources.selection import parse_selection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from trimtab.clock import Clock
    from trimtab.core.signals import SignalSpec
    from trimtab.sources.exposition import Series
    from trimtab.sources.selection import Selection

NAME = "fireworks"
INTERVAL_SECONDS = 30.0
"""The endpoint computes its values anew this often; asking more often brings nothing new."""

INTERVAL_SECONDS_MIN = 12.0
"""Five reads a minute of the six that are allowed; the sixth is for people."""


class FireworksMetrics:
    """Hears the load of one account's deployments. ``scrape`` fetches the account's text."""

    def __init__(
        self,
        clock: Clock,
        *,
        account_id: str,
        scrape: Callable[[], Awaitable[str]],
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self._clock = clock
        self._scrape = scrape
        self._account = f"accounts/{account_id}"
        self._interval_seconds = max(interval_seconds, INTERVAL_SECONDS_MIN)

    @property
    def name(self) -> str:
        """``fireworks``, for every account."""
        return NAME

    @property
    def endpoint(self) -> str:
        """The account: ``accounts/<id>``."""
        return self._account

    @property
    def interval_seconds(self) -> float:
        """Never below 12 s."""
        return self._interval_seconds

    def serves(self, deployment: str) -> bool:
        """Whether the deployment is one of this account's."""
        return deployment.startswith(f"{self._account}/deployments/")

    async def poll(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        """Scrape once and pick out what is wanted; a series that is absent has no sample.

        A sample's time is that of the scrape's start, or the series' own timestamp. Raises
        ``SourceError``.
        """
        scraped_at = self._clock.now()
        try:
            text = await self._scrape()
        except SourceError:
            raise
        except WorldError as error:
            raise SourceError(
                str(error),
                kind=error.kind,
                retryable=error.retryable,
                retry_after_seconds=error.retry_after_seconds,
            ) from error
        return _answer(text, wanted, scraped_at)

    async def close(self) -> None:
        """Nothing to release: the connection belongs to whoever gave ``scrape``."""


def _answer(
    text: str, wanted: Mapping[str, Sequence[SignalSpec]], scraped_at: float
) -> Sequence[Sample]:
    outcomes: list[Sequence[Sample] | SourceError] = []
    selections: dict[str, Selection] = {}
    for query in dict.fromkeys(spec.query for specs in wanted.values() for spec in specs):
        try:
            selections[query] = selection_of(query)
        except SourceError as error:
            outcomes.append(error)
    by_metric: dict[str, list[str]] = {}
    for query, selection in selections.items():
        by_metric.setdefault(selection.metric, []).append(query)
    heaps: dict[tuple[str, str], _Heap] = {}
    for one in read_series(text, by_metric):
        deployment = _deployment(one.labels)
        for query in by_metric[one.metric] if deployment in wanted else ():
            if selections[query].query.fits(one.labels):
                heaps.setdefault((str(deployment), query), _Heap()).add(one)
    samples = []
    for deployment, specs in wanted.items():
        for spec in specs:
            heap = heaps.get((deployment, spec.query))
            value = None if heap is None else heap.value(selections[spec.query])
            if heap is not None and value is not None:
                time = scraped_at if heap.time is None else min(heap.time, scraped_at)
                samples.append(Sample(deployment, spec.name, time, value))
    return together([samples, *outcomes]) if outcomes else samples


def selection_of(query: str) -> Selection:
    """Read a query. Raises ``SourceError`` (rejected)."""
    selection = parse_selection(query)
    if selection.query.is_rate:
        raise SourceError(
            f"the query `{query}` takes the rate of what the endpoint exports as a rate; leave it out",
            kind=ErrorKind.REJECTED,
        )
    return selection


class _Heap:
    """All series that one query selects of one deployment."""

    __slots__ = ("_buckets", "_values", "time")

    def __init__(self) -> None:
        self._values: list[float] = []
        self._buckets: dict[float, float] = {}
        self.time: float | None = None

    def add(self, one: Series) -> None:
        if one.time is not None:
            self.time = one.time if self.time is None else min(self.time, one.time)
        if "le" not in one.labels:
            self._values.append(one.value)
        elif (bound := bound_of(one.labels["le"])) is not None:
            self._buckets[bound] = self._buckets.get(bound, 0.0) + one.value

    def value(self, selection: Selection) -> float | None:
        """Return what is known; a sum with a part that is not a number is not."""
        if selection.quantile is not None:
            return quantile(selection.quantile, self._buckets)
        if not self._values:
            return None
        value = combined(self._values, selection.combine)  # infinite also where a sum overflows
        is_known = all(map(isfinite, self._values)) and isfinite(value)
        return value if is_known else None


def _deployment(labels: Mapping[str, str]) -> str | None:
    """Return the full name a series is about, in whichever way its labels give it."""
    name = labels.get("deployment")
    if name is not None and name.startswith("accounts/"):
        return name
    account, short = labels.get("deployment_account"), labels.get("deployment_id", name)
    return f"accounts/{account}/deployments/{short}" if account and short else None
