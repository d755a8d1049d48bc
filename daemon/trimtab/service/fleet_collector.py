"""Metrics of what all deployments share, read off at each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from trimtab.core.fleet_policy import Period, Pool
from trimtab.service import fleet_metric_names as names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.metrics_core import Metric as Family

    from trimtab.core.sharing import Sharing
    from trimtab.service.fleet_quotas import FleetQuotas, QuotasStatus
    from trimtab.service.metric_names import Metric


class FleetCollector(Collector):
    """Collects from what ``quotas`` has and ``sharing`` returns."""

    def __init__(self, quotas: FleetQuotas, sharing: Callable[[], Sharing]) -> None:
        self._quotas = quotas
        self._sharing = sharing

    def describe(self) -> Iterator[Family]:
        """Describe nothing, so that registering does not ask for anything."""
        return iter(())

    def collect(self) -> Iterator[Family]:
        """Yield every family, those without a series too."""
        sharing = self._sharing()
        yield from _shared(sharing)
        yield from _money(sharing)
        yield from _accounts(self._quotas.statuses)


def _gauge(metric: Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)


def _labels(pool: Pool) -> tuple[str, str, str]:
    return pool.accelerator_type, pool.region or "", pool.account or ""


def _shared(sharing: Sharing) -> Iterator[Family]:
    quota, held = _gauge(names.QUOTA), _gauge(names.HELD)
    elsewhere = _gauge(names.ELSEWHERE)
    if sharing.is_active:
        for pool, one in sharing.quotas.items():
            quota.add_metric((*_labels(pool), one.source.value), one.accelerators)
            terms = sharing.book.terms
            outside = terms.elsewhere.get(pool, 0) - terms.unseen.get(pool, 0)
            elsewhere.add_metric(_labels(pool), outside)
        for pool, accelerators in sharing.book.held().items():
            if pool == Pool(pool.accelerator_type) or pool in sharing.quotas:
                held.add_metric(_labels(pool), accelerators)
    yield from (quota, held, elsewhere)


def _money(sharing: Sharing) -> Iterator[Family]:
    rate, unpriced = _gauge(names.SPEND_RATE), _gauge(names.UNPRICED)
    spent, assumed = _gauge(names.SPENT), _gauge(names.SPENT_ASSUMED)
    most, trimming = _gauge(names.SPEND_LIMIT), _gauge(names.SPEND_TRIMMING)
    spending = sharing.memory.spending
    if sharing.is_active and spending.at is not None:
        rate.add_metric((), spending.usd_an_hour)
        unpriced.add_metric((), spending.unpriced_accelerators)
        for period in Period:
            found = spending.of(period)
            if found is not None:
                spent.add_metric((period.value,), found.usd)
                assumed.add_metric((period.value,), found.assumed_usd)
    lowered = {one.limit for one in sharing.outlook.warned if one.is_trimming}
    for limit in sharing.policy.spend_limits:
        most.add_metric((limit.period.value,), limit.usd)
        trimming.add_metric((limit.period.value,), float(limit in lowered))
    yield from (rate, unpriced, spent, assumed, most, trimming)


def _accounts(statuses: Iterable[QuotasStatus]) -> Iterator[Family]:
    quota, used = _gauge(names.ACCOUNT_QUOTA), _gauge(names.ACCOUNT_USED)
    strange, read_at = _gauge(names.QUOTAS_NOT_UNDERSTOOD), _gauge(names.QUOTAS_LAST_READ)
    readable = _gauge(names.QUOTAS_READABLE)
    for status in statuses:
        target, told = status.target, status.told
        if told is None and status.trouble is None:
            continue
        readable.add_metric((target,), float(status.trouble is None))
        if told is None:
            continue
        read_at.add_metric((target,), told.at)
        strange.add_metric((target,), len(told.not_understood))
        for one in told.readings:
            quota.add_metric((target, *_labels(one.quota.pool)[:2]), one.quota.accelerators)
            used.add_metric((target, *_labels(one.quota.pool)[:2]), one.used)
    yield from (quota, used, strange, read_at, readable)
