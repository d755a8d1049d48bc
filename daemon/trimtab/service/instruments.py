"""Counters and histograms, incremented where things happen, in a registry of the daemon's own."""

from __future__ import annotations

import platform
from collections import Counter as Tally
from itertools import product
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.registry import Collector

from trimtab.core.decision import EventKind, Hold, ScaleUp
from trimtab.service import metric_names as names
from trimtab.service.audience import Listener
from trimtab.service.collector import StatusCollector
from trimtab.service.coordination_collector import CoordinationCollector
from trimtab.service.exposition import Exposition
from trimtab.service.fleet_collector import FleetCollector
from trimtab.service.push_collector import PushCollector
from trimtab.service.series import SeriesCollector
from trimtab.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.metrics_core import Metric as Family

    from trimtab.core.decision import Outcome, Verdict
    from trimtab.core.sharing import Sharing
    from trimtab.journal.port import JournalStatus
    from trimtab.service.circuits import CircuitStatus
    from trimtab.service.controller import Evaluation
    from trimtab.service.fleet_quotas import FleetQuotas, QuotasStatus
    from trimtab.service.metric_names import Metric
    from trimtab.service.observer import Poll
    from trimtab.service.overrides import OverrideChange
    from trimtab.service.overview import Overview
    from trimtab.service.primer import PrimingReport
    from trimtab.service.push import PushDesk, PushStatus
    from trimtab.service.reload import Reload
    from trimtab.service.status import DeploymentStatus, StatusSnapshot
    from trimtab.service.tenancy import Tenancy
    from trimtab.service.withholding import Withholding


class Instruments(Listener):
    """Counts what the daemon does. Known label sets begin at 0, so that a first event is a rise.

    ``registry`` has everything, for whoever embeds the daemon; collecting it is not done in pieces.
    """

    def __init__(self, tick_interval_seconds: float) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped upstream
        self._few = CollectorRegistry()
        self.registry = CollectorRegistry()
        self.registry.register(_CollectedBy(self._few))
        build = Gauge(*names.BUILD_INFO, registry=self._few)
        build.labels(VERSION, platform.python_version()).set(1)
        Gauge(*names.TICK_INTERVAL, registry=self._few).set(tick_interval_seconds)
        self._duration = self._histogram(names.TICK_DURATION)
        self._lag = self._histogram(names.EVALUATION_LAG)
        self._decisions = self._counter(names.DECISIONS)
        self._events = self._counter(names.EVENTS)
        self._writes = self._counter(names.WRITES)
        self._withheld = self._counter(names.WITHHELD)
        self._restarts = self._counter(names.TASK_RESTARTS)
        self._interrupted = self._counter(names.INTERRUPTED)
        self._journal_changes = self._counter(names.JOURNAL_CHANGES)
        self._circuits = self._counter(names.CIRCUIT_CHANGES)
        self._target_requests = self._counter(names.TARGET_REQUESTS)
        self._source_polls = self._counter(names.SOURCE_POLLS)
        self._source_duration = self._histogram(names.SOURCE_DURATION)
        self._source_samples = self._counter(names.SOURCE_SAMPLES)
        self._source_dropped = self._counter(names.SOURCE_DROPPED)
        self._reloads = self._counter(names.POLICY_RELOADS)
        self._overrides = self._counter(names.OVERRIDES)
        self._primings = self._counter(names.PRIMINGS)
        self._begin_at_zero()

    def show_all(
        self,
        overview: Overview,
        *,
        desks: Iterable[PushDesk],
        quotas: FleetQuotas,
        sharing: Callable[[], Sharing],
        tenancy: Tenancy | None = None,
    ) -> Exposition:
        """Add everything that a daemon can be read off, let its counters begin at 0, and return the page."""
        few = overview.status_of_few
        exposition = self.show(few, overview.deployments)
        self.show_pushes(lambda: [desk.status for desk in desks])
        self.show_fleet(quotas, sharing)
        self._few.register(CoordinationCollector(tenancy))
        now = few()
        self.expect_circuits(now.circuits)
        self.expect(
            targets=[one.name for one in now.targets],
            sources=[(one.name, one.endpoint) for one in now.sources],
        )
        return exposition

    def show(
        self,
        status: Callable[[], StatusSnapshot],
        deployments: Callable[[], Iterator[DeploymentStatus]],
    ) -> Exposition:
        """Add what can be read off the status at each scrape, and off the deployments, and return the page.

        The deployments that are in the status itself are left alone.
        """
        self._few.register(StatusCollector(status))
        self.registry.register(SeriesCollector(status, deployments))
        return Exposition(self._few, status, deployments)

    def show_pushes(self, statuses: Callable[[], Iterable[PushStatus]]) -> None:
        """Add what was pushed, read off at each scrape."""
        self._few.register(PushCollector(statuses))

    def show_fleet(self, quotas: FleetQuotas, sharing: Callable[[], Sharing]) -> None:
        """Add what all deployments share, read off at each scrape."""
        self._few.register(FleetCollector(quotas, sharing))

    def expect_circuits(self, circuits: Iterable[CircuitStatus]) -> None:
        """Let the counters of these dependencies begin at 0."""
        for circuit in circuits:
            for state in names.CIRCUIT_STATES:
                self._circuits.labels(circuit.dependency, state)

    def expect(self, *, targets: Iterable[str], sources: Iterable[tuple[str, str]]) -> None:
        """Let the counters of these targets and sources (name, endpoint) begin at 0."""
        for target in targets:
            for verb in names.VERBS:
                for outcome in names.OUTCOMES:
                    self._target_requests.labels(target, verb, outcome)
        for source, endpoint in sources:
            self._source_samples.labels(source, endpoint)
            self._source_dropped.labels(source, endpoint)
            self._source_duration.labels(source, endpoint)
            for outcome in names.OUTCOMES:
                self._source_polls.labels(source, endpoint, outcome)

    def evaluated(self, evaluation: Evaluation) -> None:
        """Count decisions, events and withheld orders; measure the time."""
        self._duration.observe(evaluation.took_seconds)
        self._lag.observe(evaluation.late_seconds)
        counts = Tally(_outcome(one.verdict) for one in evaluation.tick.decisions)
        for outcome, count in counts.items():
            self._decisions.labels(*outcome).inc(count)
        for event in evaluation.tick.events:
            self._events.labels(event.kind).inc()
            if event.kind is EventKind.OVERRIDE_EXPIRED:
                self._overrides.labels(event.before, names.EXPIRED).inc()
        for withholding in evaluation.withheld:
            self._withheld.labels(withholding.reason).inc()

    def wrote(self, outcome: Outcome) -> None:
        """Count how a write ended."""
        is_up = outcome.order.to_replicas > outcome.order.from_replicas
        direction = names.DIRECTION_UP if is_up else names.DIRECTION_DOWN
        self._writes.labels(outcome.status, direction).inc()

    def not_handed_back(self, withholding: Withholding) -> None:
        """Count it as any order that was not begun."""
        self._withheld.labels(withholding.reason).inc()

    def interrupted(self, outcome: Outcome) -> None:
        """Count how a write of an earlier run ended."""
        self._interrupted.labels(outcome.status).inc()

    def journal_changed(self, status: JournalStatus) -> None:
        """Count another mode of the journal."""
        self._journal_changes.labels(status.mode).inc()

    def circuit_changed(self, circuit: CircuitStatus) -> None:
        """Count a change of a circuit breaker."""
        self._circuits.labels(circuit.dependency, circuit.state).inc()

    def polled(self, poll: Poll) -> None:
        """Count a poll and its samples; measure the time."""
        kind = names.OK if poll.error_kind is None else poll.error_kind.value
        self._source_polls.labels(poll.source, poll.endpoint, kind).inc()
        self._source_samples.labels(poll.source, poll.endpoint).inc(poll.samples)
        self._source_dropped.labels(poll.source, poll.endpoint).inc(poll.dropped)
        self._source_duration.labels(poll.source, poll.endpoint).observe(poll.took_seconds)

    def target_called(self, target: str, verb: str, outcome: str) -> None:
        """Count a request to a target."""
        self._target_requests.labels(target, verb, outcome).inc()

    def quotas_read(self, quotas: QuotasStatus) -> None:
        """Count it as a request to the target."""
        kind = names.OK if quotas.trouble is None else quotas.trouble.kind.value
        self.target_called(quotas.target, "quotas", kind)

    def reloaded(self, reload: Reload) -> None:
        """Count a reading of the policy files."""
        self._reloads.labels(reload.result).inc()

    def primed(self, report: PrimingReport) -> None:
        """Count rules that learned from the past, or could not."""
        self._primings.labels(report.source, report.end).inc(len(report.rules))

    def overridden(self, change: OverrideChange) -> None:
        """Count what a person ordered or lifted."""
        if change.given is not None:
            self._overrides.labels(change.given.kind, names.GIVEN).inc()
        for one in change.replaced:
            self._overrides.labels(one.kind, names.REPLACED).inc()
        for one in change.lifted:
            self._overrides.labels(one.kind, names.LIFTED).inc()

    def task_ended(self, task: str, problem: Exception | None, pause_seconds: float) -> None:
        """Count a task that ended and starts again."""
        del problem, pause_seconds
        self._restarts.labels(task).inc()

    def _counter(self, metric: Metric) -> Counter:
        return Counter(*metric, registry=self._few)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(*metric, registry=self._few, buckets=names.SECONDS_BUCKETS)

    def _begin_at_zero(self) -> None:
        for reason in names.REASONS:
            self._decisions.labels(names.HOLD_VERDICT, reason)
        for reason in names.MOVING_REASONS:
            self._decisions.labels(names.SCALE_UP, reason)
            self._decisions.labels(names.SCALE_DOWN, reason)
        for kind in EventKind:
            self._events.labels(kind)
        for outcome in names.WRITE_OUTCOMES:
            self._interrupted.labels(outcome)
            for direction in names.DIRECTIONS:
                self._writes.labels(outcome, direction)
        for pair in product(names.OVERRIDE_KINDS, names.OVERRIDE_CHANGES):
            self._overrides.labels(*pair)
        for mode in names.JOURNAL_MODES:
            self._journal_changes.labels(mode)
        for result in names.RELOAD_RESULTS:
            self._reloads.labels(result)
        for reason in names.WITHHELD_REASONS:
            self._withheld.labels(reason)


class _CollectedBy(Collector):
    """A registry as a collector of another one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Family]:
        """Collect what the inner registry has."""
        return self._registry.collect()

    def describe(self) -> Iterable[Family]:
        """Describe nothing: the inner registry has looked after its names."""
        return ()


def _outcome(verdict: Verdict) -> tuple[str, str]:
    if isinstance(verdict, Hold):
        return names.HOLD_VERDICT, verdict.reason
    return names.SCALE_UP if isinstance(verdict, ScaleUp) else names.SCALE_DOWN, verdict.reason
