"""Metrics of the daemon's parts, targets and sources, made from one status snapshot a scrape.

What has series for each deployment or policy is in ``service/series.py``. Nothing is kept between scrapes:
no reading is torn, and a deployment's series end with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from trimtab.journal.port import JournalMode
from trimtab.service import metric_names as names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric as Family

    from trimtab.service.metric_names import Metric
    from trimtab.service.status import StatusSnapshot


class StatusCollector(Collector):
    """Collects from the snapshot that ``snapshot`` returns."""

    def __init__(self, snapshot: Callable[[], StatusSnapshot]) -> None:
        self._snapshot = snapshot

    def describe(self) -> Iterator[Family]:
        """Describe nothing, so that registering does not ask for a snapshot."""
        return iter(())

    def collect(self) -> Iterator[Family]:
        """Yield every family, those without a series too."""
        status = self._snapshot()
        yield from _daemon(status)
        yield from _journal(status)
        yield from _circuits(status)
        yield from _targets(status)
        yield from _sources(status)
        yield from _policy_files(status)


def _gauge(metric: Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)


def _daemon(status: StatusSnapshot) -> Iterator[Family]:
    started, ticked = _gauge(names.START_TIME), _gauge(names.LAST_EVALUATION)
    if status.started_at is not None:
        started.add_metric((), status.started_at)
    if status.ticked_at is not None:
        ticked.add_metric((), status.ticked_at)
    jumps = CounterMetricFamily(
        names.CLOCK_JUMPS.name, names.CLOCK_JUMPS.help, labels=names.CLOCK_JUMPS.labels
    )
    counts = (status.clock_jumps_forward, status.clock_jumps_backward)
    for direction, count in zip(names.JUMP_DIRECTIONS, counts, strict=True):
        jumps.add_metric((direction,), count)
    leader, woken = _gauge(names.LEADER), _gauge(names.EVALUATIONS_WAITING)
    samples, orders = _gauge(names.SAMPLES_WAITING), _gauge(names.WAITING)
    leader.add_metric((), float(status.is_leader))
    woken.add_metric((), status.evaluations_waiting)
    samples.add_metric((), status.samples_waiting)
    orders.add_metric((), status.orders_waiting)
    yield from (started, ticked, jumps, leader, woken, samples, orders)


def _journal(status: StatusSnapshot) -> Iterator[Family]:
    report, now = status.journal, status.journal.status
    mode = _gauge(names.JOURNAL_MODE)
    for word in names.JOURNAL_MODES:
        mode.add_metric((word,), float(word == now.mode))
    since, waiting = _gauge(names.JOURNAL_SINCE), _gauge(names.JOURNAL_WAITING)
    since.add_metric((), now.since)
    waiting.add_metric((), now.waiting)
    has_log = _gauge(names.JOURNAL_LOG_UP)
    if now.mode is not JournalMode.VOLATILE:
        has_log.add_metric((), float(now.trouble is None))
    size = _gauge(names.JOURNAL_SIZE)
    if now.size_bytes is not None:
        size.add_metric((), now.size_bytes)
    pending = _gauge(names.INTERRUPTED_PENDING)
    pending.add_metric((), report.interrupted)
    yield from (mode, since, waiting, has_log, size, pending)
    counts = {
        names.JOURNAL_DROPPED: now.dropped,
        names.INTENTIONS: report.intended,
        names.ENDS: report.ended,
    }
    for metric, count in counts.items():
        yield CounterMetricFamily(metric.name, metric.help, value=count)


def _circuits(status: StatusSnapshot) -> Iterator[Family]:
    state = _gauge(names.CIRCUIT)
    for circuit in status.circuits:
        for word in names.CIRCUIT_STATES:
            state.add_metric((circuit.dependency, word), float(word == circuit.state))
    yield state


def _targets(status: StatusSnapshot) -> Iterator[Family]:
    read_at, readable = _gauge(names.TARGET_LAST_READ), _gauge(names.TARGET_READABLE)
    deployments = _gauge(names.TARGET_DEPLOYMENTS)
    for target in status.targets:
        if target.read_at is not None:
            read_at.add_metric((target.name,), target.read_at)
        is_readable = target.read_at is not None and target.trouble is None
        readable.add_metric((target.name,), float(is_readable))
        deployments.add_metric((target.name,), target.deployments)
    yield from (read_at, readable, deployments)


def _sources(status: StatusSnapshot) -> Iterator[Family]:
    succeeded_at = _gauge(names.SOURCE_LAST_SUCCESS)
    for source in status.sources:
        if source.succeeded_at is not None:
            succeeded_at.add_metric((source.name, source.endpoint), source.succeeded_at)
    yield succeeded_at


def _policy_files(status: StatusSnapshot) -> Iterator[Family]:
    successful, read_at = _gauge(names.POLICY_RELOAD_SUCCESSFUL), _gauge(names.POLICY_LAST_RELOAD)
    bad = _gauge(names.POLICY_BAD_FILES)
    files = status.policy_files
    if files is not None:
        successful.add_metric((), float(files.is_successful))
        read_at.add_metric((), files.read_at)
        bad.add_metric((), len(files.bad))
    yield from (successful, read_at, bad)
