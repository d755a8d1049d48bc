"""Metrics of a daemon that is one of several, read off its steward at each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from trimtab.coordination.holdings import Stage
from trimtab.coordination.standing import Happened
from trimtab.service import coordination_metric_names as names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric as Family

    from trimtab.coordination.standing import Standing
    from trimtab.service.metric_names import Metric
    from trimtab.service.tenancy import Tenancy


class CoordinationCollector(Collector):
    """Collects from a tenancy; of a process that is alone (``None``) there is no series."""

    def __init__(self, tenancy: Tenancy | None) -> None:
        self._tenancy = tenancy

    def describe(self) -> Iterator[Family]:
        """Describe nothing, so that registering does not ask for anything."""
        return iter(())

    def collect(self) -> Iterator[Family]:
        """Yield every family, those without a series too."""
        standing = None if self._tenancy is None else self._tenancy.steward.standing
        yield from _held(standing)
        yield from _service(standing)
        yield self._exchanges()

    def _exchanges(self) -> Family:
        family = _counter(names.EXCHANGES)
        exchange = None if self._tenancy is None else self._tenancy.exchange
        if exchange is not None:
            family.add_metric(("ok",), exchange.rounds - exchange.failures)
            family.add_metric(("failed",), exchange.failures)
        return family


def _held(standing: Standing | None) -> Iterator[Family]:
    held, all_, free = _gauge(names.BUCKETS), _gauge(names.BUCKETS_ALL), _gauge(names.BUCKETS_FREE)
    members, leading = _gauge(names.MEMBERS), _gauge(names.IS_LEADING)
    if standing is not None:
        for stage in Stage:
            held.add_metric((stage.value,), standing.stages.get(stage, 0))
        all_.add_metric((), standing.buckets)
        leading.add_metric((), float(standing.leading_term is not None))
        if standing.survey is not None:
            free.add_metric((), sum(one.is_free for one in standing.survey.leases.values()))
            members.add_metric((), len(standing.survey.members))
    yield from (held, all_, free, members, leading)


def _service(standing: Standing | None) -> Iterator[Family]:
    age, is_up = _gauge(names.RENEWAL_AGE), _gauge(names.SERVICE_UP)
    happened, calls = _counter(names.HAPPENED), _counter(names.CALLS)
    if standing is not None:
        if standing.renewal_age_seconds is not None:
            age.add_metric((), standing.renewal_age_seconds)
        is_up.add_metric((), float(standing.trouble is None))
        for what in Happened:
            happened.add_metric((what.value,), standing.happened.get(what, 0))
        for call, count in sorted(standing.calls.items()):
            failed = standing.failures.get(call, 0)
            calls.add_metric((call, "ok"), count - failed)
            calls.add_metric((call, "failed"), failed)
    yield from (age, is_up, happened, calls)


def _gauge(metric: Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)


def _counter(metric: Metric) -> CounterMetricFamily:
    return CounterMetricFamily(
        metric.name.removesuffix("_total"), metric.help, labels=metric.labels
    )
