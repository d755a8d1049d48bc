"""Metrics of push sources, read off their desks at each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from trimtab.service import metric_names as names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.metrics_core import Metric as Family

    from trimtab.service.push import PushStatus


class PushCollector(Collector):
    """Collects from the statuses that ``statuses`` returns. Every outcome begins at 0."""

    def __init__(self, statuses: Callable[[], Iterable[PushStatus]]) -> None:
        self._statuses = statuses

    def describe(self) -> Iterator[Family]:
        """Describe nothing, so that registering does not ask for statuses."""
        return iter(())

    def collect(self) -> Iterator[Family]:
        """Yield every family, those without a series too."""
        requests = _counter(names.PUSH_REQUESTS)
        samples = _counter(names.PUSH_SAMPLES)
        quiet = _counter(names.PUSH_QUIET)
        series = GaugeMetricFamily(*names.PUSH_SERIES[:2], labels=names.PUSH_SERIES.labels)
        accepted_at = GaugeMetricFamily(
            *names.PUSH_LAST_ACCEPTED[:2], labels=names.PUSH_LAST_ACCEPTED.labels
        )
        for status in self._statuses():
            for outcome in names.PUSH_OUTCOMES:
                requests.add_metric((status.name, outcome), status.requests.get(outcome, 0))
            for fate, count in status.samples.items():
                samples.add_metric((status.name, fate.value), count)
            quiet.add_metric((status.name,), status.quiet)
            series.add_metric((status.name,), status.series)
            if status.accepted_at is not None:
                accepted_at.add_metric((status.name,), status.accepted_at)
        yield from (requests, samples, quiet, series, accepted_at)


def _counter(metric: names.Metric) -> CounterMetricFamily:
    return CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
