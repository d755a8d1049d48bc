"""Metrics of deployments, policies, targets and sources, made from one status snapshot a scrape.

Nothing is kept between scrapes: no reading is torn, and a deployment's series end with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from trimtab.core.decision import Hold
from trimtab.core.overrides import EVERY_DEPLOYMENT
from trimtab.core.signals import Freshness
from trimtab.service import metric_names as names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric as Family

    from trimtab.service.metric_names import Metric
    from trimtab.service.status import DeploymentStatus, StatusSnapshot


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
        yield from _policies(status)
        yield from _policy_files(status)
        yield _overrides(status)
        yield from _deployments(status)
        yield from _signals(status)


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
    yield from (started, ticked, jumps)


def _journal(status: StatusSnapshot) -> Iterator[Family]:
    report, now = status.journal, status.journal.status
    mode = _gauge(names.JOURNAL_MODE)
    for word in names.JOURNAL_MODES:
        mode.add_metric((word,), float(word == now.mode))
    since, waiting = _gauge(names.JOURNAL_SINCE), _gauge(names.JOURNAL_WAITING)
    since.add_metric((), now.since)
    waiting.add_metric((), now.waiting)
    size = _gauge(names.JOURNAL_SIZE)
    if now.size_bytes is not None:
        size.add_metric((), now.size_bytes)
    pending, orders = _gauge(names.INTERRUPTED_PENDING), _gauge(names.WAITING)
    pending.add_metric((), report.interrupted)
    orders.add_metric((), status.orders_waiting)
    yield from (mode, since, waiting, size, pending, orders)
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


def _policies(status: StatusSnapshot) -> Iterator[Family]:
    info, counts = _gauge(names.POLICY_INFO), _gauge(names.POLICY_DEPLOYMENTS)
    matched: dict[str, int] = {policy.name: 0 for policy in status.policies}
    for one in status.deployments:
        if one.decision.policy in matched:
            matched[one.decision.policy] += 1
    for policy in status.policies:
        info.add_metric((policy.name, policy.owner, policy.mode, policy.actuation), 1)
        counts.add_metric((policy.name,), matched[policy.name])
    yield from (info, counts)


def _policy_files(status: StatusSnapshot) -> Iterator[Family]:
    successful, read_at = _gauge(names.POLICY_RELOAD_SUCCESSFUL), _gauge(names.POLICY_LAST_RELOAD)
    bad = _gauge(names.POLICY_BAD_FILES)
    files = status.policy_files
    if files is not None:
        successful.add_metric((), float(files.is_successful))
        read_at.add_metric((), files.read_at)
        bad.add_metric((), len(files.bad))
    yield from (successful, read_at, bad)


def _overrides(status: StatusSnapshot) -> Family:
    ends = _gauge(names.OVERRIDE_END)
    for one in status.overrides:
        ends.add_metric((one.deployment or EVERY_DEPLOYMENT, one.kind, one.blocks or ""), one.until)
    return ends


def _deployments(status: StatusSnapshot) -> Iterator[Family]:
    numbers = {metric: _gauge(metric) for metric in _NUMBERS}
    state, hold = _gauge(names.STATE), _gauge(names.HOLD)
    lead_time = _gauge(names.LEAD_TIME)
    withheld, accelerators = _gauge(names.ORDER_WITHHELD), _gauge(names.ACCELERATORS)
    held = dict.fromkeys(names.REASONS, 0)
    for one in status.deployments:
        labels = _labels(one)
        for metric, number_of in _NUMBERS.items():
            number = number_of(one)
            if number is not None:
                numbers[metric].add_metric(labels, number)
        word = one.deployment.state_text or one.deployment.state.value
        state.add_metric((*labels, word), 1)
        if isinstance(one.decision.verdict, Hold):
            hold.add_metric((*labels, one.decision.verdict.reason), 1)
            held[one.decision.verdict.reason] += 1
        if one.withheld is not None:
            withheld.add_metric((*labels, one.withheld.reason), 1)
        lead_time.add_metric((*labels, "0.5"), one.lead_time.p50_seconds)
        lead_time.add_metric((*labels, "0.9"), one.lead_time.p90_seconds)
        shape = one.deployment.shape
        if shape.accelerators_per_replica is not None:
            count = shape.accelerators_per_replica * one.deployment.replica_count
            accelerators.add_metric((*labels, shape.accelerator_type or ""), count)
    all_held = _gauge(names.HELD)
    for reason, count in held.items():
        all_held.add_metric((reason,), count)
    yield from (*numbers.values(), state, hold, withheld, lead_time, accelerators, all_held)


def _signals(status: StatusSnapshot) -> Iterator[Family]:
    value, age = _gauge(names.SIGNAL_VALUE), _gauge(names.SIGNAL_AGE)
    usable = _gauge(names.SIGNAL_USABLE)
    for one in status.deployments:
        for reading in one.decision.readings:
            labels = (*_labels(one), reading.spec.name)
            if reading.value is not None:
                value.add_metric(labels, reading.value)
            if reading.age_seconds is not None:
                age.add_metric(labels, reading.age_seconds)
            usable.add_metric(labels, float(reading.freshness is Freshness.USABLE))
    yield from (value, age, usable)


def _labels(one: DeploymentStatus) -> tuple[str, str]:
    return one.deployment.name, one.decision.policy


_NUMBERS: dict[Metric, Callable[[DeploymentStatus], float | None]] = {
    names.CURRENT: lambda one: (
        one.decision.current if one.decision.actual is None else one.decision.actual
    ),
    names.DESIRED: lambda one: one.decision.desired,
    names.SHADOW: lambda one: None if one.decision.actual is None else one.decision.desired,
    names.WANTED: lambda one: one.decision.wanted,
    names.MIN: lambda one: (
        None if (bounds := one.decision.bounds) is None else bounds.lower.replicas
    ),
    names.MAX: lambda one: (
        None if (bounds := one.decision.bounds) is None else bounds.upper.replicas
    ),
    names.READY: lambda one: one.deployment.pipeline.ready,
    names.ON_THEIR_WAY: lambda one: one.deployment.pipeline.on_their_way,
    names.LEAD_TIME_SAMPLES: lambda one: one.lead_time.samples,
    names.DECIDED_AT: lambda one: one.decision.at,
    names.IN_FLIGHT: lambda one: float(one.is_write_in_flight),
}
