"""The metrics endpoint of a Fireworks account: one scrape serves all its deployments.

In a policy ``source: fireworks``, and ``query`` is the name of a metric as the endpoint writes it
(``request_counter_total:sum_by_deployment``). Series of one deployment that differ in other labels
(``http_code``) are added up. Values named ``_total`` are rates already. Histogram buckets are no
numbers of their own and give no sample. Data is 30-90 s old when it arrives.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from trimtab.core.signals import Sample
from trimtab.errors import SourceError, WorldError
from trimtab.sources.exposition import read_series

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from trimtab.clock import Clock
    from trimtab.core.signals import SignalSpec
    from trimtab.sources.exposition import Series

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
        metrics = {spec.query for specs in wanted.values() for spec in specs}
        sums = _sums(read_series(text, metrics), scraped_at)
        return [
            Sample(deployment, spec.name, *sums[deployment, spec.query])
            for deployment, specs in wanted.items()
            for spec in specs
            if (deployment, spec.query) in sums
        ]

    async def close(self) -> None:
        """Nothing to release: the connection belongs to whoever gave ``scrape``."""


def _sums(
    series: Iterable[Series], scraped_at: float
) -> dict[tuple[str, str], tuple[float, float]]:
    """Add up each deployment's series of each metric: (oldest time, sum).

    A sum with a part that is not a number is not known, and what is not known is not there.
    """
    sums: dict[tuple[str, str], tuple[float, float]] = {}
    unknown: set[tuple[str, str]] = set()
    for one in series:
        deployment = _deployment(one.labels)
        if deployment is None or "le" in one.labels:
            continue
        key = (deployment, one.metric)
        if not isfinite(one.value):
            unknown.add(key)
            continue
        time, total = sums.get(key, (scraped_at, 0.0))
        sums[key] = (time if one.time is None else min(time, one.time), total + one.value)
    return {
        key: (time, total)
        for key, (time, total) in sums.items()
        if key not in unknown and isfinite(total)
    }


def _deployment(labels: Mapping[str, str]) -> str | None:
    """Return the full name a series is about, in whichever way its labels give it."""
    name = labels.get("deployment")
    if name is not None and name.startswith("accounts/"):
        return name
    account, short = labels.get("deployment_account"), labels.get("deployment_id", name)
    return f"accounts/{account}/deployments/{short}" if account and short else None
