"""The gauges with a series for each deployment, policy or override: too many to be made in one go.

What they are is told here once. ``service/exposition.py`` writes them piece by piece for the daemon's own
page; ``SeriesCollector`` gives them as families to whoever embeds the daemon and has a registry.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from trimtab.core.binding import NOTHING_BINDS, setter_of
from trimtab.core.decision import Hold
from trimtab.core.overrides import EVERY_DEPLOYMENT
from trimtab.core.roles import Blocks
from trimtab.core.signals import Freshness, OnMissing
from trimtab.service import metric_names as names
from trimtab.service import rule_metric_names as rule_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client.metrics_core import Metric as Family

    from trimtab.core.overrides import Override
    from trimtab.core.policy import Policy
    from trimtab.service.metric_names import Metric
    from trimtab.service.status import DeploymentStatus, StatusSnapshot

T = TypeVar("T")

SERIES_PER_DEPLOYMENT_MAX = 22
"""Of one deployment, without its signals and rules; stated on the reference page, and kept by a test."""

SERIES_PER_SIGNAL_MAX = 4

SERIES_PER_RULE_MAX = 12
"""Of a rule whose strategy knows everything that there is to know (``core/facts.py``); most have one."""


class Row(NamedTuple, Generic[T]):
    """What some series are about, and the values of the labels that they all have."""

    labels: tuple[str, ...]
    subject: T


@dataclass(frozen=True, slots=True)
class Number(Generic[T]):
    """A gauge with one series a row, absent where the number is ``None``."""

    metric: Metric
    number_of: Callable[[T], float | None]


@dataclass(frozen=True, slots=True)
class Labelled(Generic[T]):
    """A gauge with any number of series a row: the values of its other labels, and the number."""

    metric: Metric
    numbers_of: Callable[[T], Iterable[tuple[tuple[str, ...], float]]]


Gauge: TypeAlias = "Number[T] | Labelled[T]"


class Table(NamedTuple, Generic[T]):
    """Gauges over the same rows, which are made as they are taken, once."""

    label_names: tuple[str, ...]
    rows: Iterator[Row[T]]
    gauges: tuple[Gauge[T], ...]


class PolicyDeployments(NamedTuple):
    """A policy in force, and how many deployments it decides for."""

    policy: Policy
    deployments: int


def tables(status: StatusSnapshot, deployments: Iterable[DeploymentStatus]) -> Iterator[Table[Any]]:
    """Yield every table; what is counted in the last ones is counted as the rows of the first are made."""
    held: Counter[str] = Counter()
    matched: Counter[str] = Counter()

    def of_deployments() -> Iterator[Row[DeploymentStatus]]:
        for one in deployments:
            policy, verdict = one.decision.policy, one.decision.verdict
            matched[policy] += 1
            if isinstance(verdict, Hold):
                held[verdict.reason] += 1
            yield Row((one.deployment.name, policy), one)

    yield Table(names.DEPLOYMENT_LABELS, of_deployments(), OF_DEPLOYMENTS)
    policies = (
        Row((one.name,), PolicyDeployments(one, matched[one.name])) for one in status.policies
    )
    yield Table(names.POLICY_DEPLOYMENTS.labels, policies, OF_POLICIES)
    overrides = (Row(_override_labels(one), one) for one in status.overrides)
    yield Table(names.OVERRIDE_END.labels, overrides, OF_OVERRIDES)
    reasons = (Row((reason,), reason) for reason in names.REASONS)
    yield Table(names.HELD.labels, reasons, (Number(names.HELD, lambda reason: held[reason]),))


class SeriesCollector(Collector):
    """Collects every table from what ``status`` and ``deployments`` return."""

    def __init__(
        self,
        status: Callable[[], StatusSnapshot],
        deployments: Callable[[], Iterator[DeploymentStatus]],
    ) -> None:
        self._status = status
        self._deployments = deployments

    def describe(self) -> Iterator[Family]:
        """Describe nothing, so that registering does not ask for a status."""
        return iter(())

    def collect(self) -> Iterator[Family]:
        """Yield every family, those without a series too."""
        for table in tables(self._status(), self._deployments()):
            rows = tuple(table.rows)
            for gauge in table.gauges:
                yield _family(gauge, rows)


def _family(gauge: Gauge[T], rows: Iterable[Row[T]]) -> Family:
    family = GaugeMetricFamily(gauge.metric.name, gauge.metric.help, labels=gauge.metric.labels)
    for row in rows:
        if isinstance(gauge, Labelled):
            for labels, number in gauge.numbers_of(row.subject):
                family.add_metric((*row.labels, *labels), number)
        elif (number_or_none := gauge.number_of(row.subject)) is not None:
            family.add_metric(row.labels, number_or_none)
    return family


_Numbers: TypeAlias = "Iterable[tuple[tuple[str, ...], float]]"


def _lower(one: DeploymentStatus) -> int | None:
    return None if one.decision.bounds is None else one.decision.bounds.lower.replicas


def _upper(one: DeploymentStatus) -> int | None:
    return None if one.decision.bounds is None else one.decision.bounds.upper.replicas


def _allowed(one: DeploymentStatus) -> _Numbers:
    wanted, bounds = one.decision.wanted, one.decision.bounds
    if wanted is None or bounds is None or bounds.is_conflict:
        return
    end = bounds.lower if wanted < bounds.lower.replicas else bounds.upper
    if bounds.contains(wanted):
        yield (NOTHING_BINDS,), wanted
    else:
        yield (setter_of(end).value,), end.replicas


def _proposed(one: DeploymentStatus) -> _Numbers:
    for proposal in one.decision.proposals:
        if proposal.replicas is not None:
            yield (proposal.rule, proposal.role.value), proposal.replicas


def _blocks(one: DeploymentStatus) -> _Numbers:
    for proposal in one.decision.proposals:
        if proposal.blocks is not None:
            yield (proposal.rule, proposal.blocks.value), 1


def _write_failures(one: DeploymentStatus) -> _Numbers:
    if one.setback is not None:
        kind = one.setback.error_kind
        yield (names.OVERTAKEN if kind is None else kind.value,), one.setback.failures


def _state(one: DeploymentStatus) -> _Numbers:
    yield (one.deployment.state_text or one.deployment.state.value,), 1


def _hold(one: DeploymentStatus) -> _Numbers:
    if isinstance(one.decision.verdict, Hold):
        yield (one.decision.verdict.reason.value,), 1


def _withheld(one: DeploymentStatus) -> _Numbers:
    if one.withheld is not None:
        yield (one.withheld.reason.value,), 1


def _lead_time(one: DeploymentStatus) -> _Numbers:
    yield ("0.5",), one.lead_time.p50_seconds
    yield ("0.9",), one.lead_time.p90_seconds


def _accelerators(one: DeploymentStatus) -> _Numbers:
    shape = one.deployment.shape
    if shape.accelerators_per_replica is not None:
        count = shape.accelerators_per_replica * one.deployment.replica_count
        yield (shape.accelerator_type or "",), count


def _signal_values(one: DeploymentStatus) -> _Numbers:
    for reading in one.decision.readings:
        if reading.value is not None:
            yield (reading.spec.name,), reading.value


def _signal_ages(one: DeploymentStatus) -> _Numbers:
    for reading in one.decision.readings:
        if reading.age_seconds is not None:
            yield (reading.spec.name,), reading.age_seconds


def _signals_usable(one: DeploymentStatus) -> _Numbers:
    for reading in one.decision.readings:
        yield (reading.spec.name,), reading.freshness is Freshness.USABLE


def _signals_that_block(one: DeploymentStatus) -> _Numbers:
    for reading in one.decision.readings:
        spec = reading.spec
        if reading.freshness is not Freshness.USABLE:
            ups, downs = spec.missing_up is OnMissing.BLOCK, spec.missing_down is OnMissing.BLOCK
            if ups or downs:
                blocks = Blocks.BOTH if ups and downs else Blocks.UP if ups else Blocks.DOWN
                yield (spec.name, blocks.value), 1


def _fact(metric: Metric, name: str) -> Labelled[DeploymentStatus]:
    """A gauge of one field of ``Facts``, with a series for each rule that has the number."""
    fact_of = attrgetter(name)

    def numbers_of(one: DeploymentStatus) -> _Numbers:
        for proposal in one.decision.proposals:
            facts = proposal.facts
            if facts is not None and (number := fact_of(facts)) is not None:
                yield (proposal.rule,), number

    return Labelled(metric, numbers_of)


def _override_labels(one: Override) -> tuple[str, ...]:
    return one.deployment or EVERY_DEPLOYMENT, one.kind, one.blocks or ""


OF_DEPLOYMENTS: tuple[Gauge[DeploymentStatus], ...] = (
    Number(
        names.CURRENT,
        lambda one: one.decision.current if one.decision.actual is None else one.decision.actual,
    ),
    Number(names.DESIRED, lambda one: one.decision.desired),
    Number(names.SHADOW, lambda one: None if one.decision.actual is None else one.decision.desired),
    Number(names.WANTED, lambda one: one.decision.wanted),
    Number(names.MIN, _lower),
    Number(names.MAX, _upper),
    Number(names.READY, lambda one: one.deployment.pipeline.ready),
    Number(names.ON_THEIR_WAY, lambda one: one.deployment.pipeline.on_their_way),
    Number(names.STUCK_SINCE, lambda one: one.stuck_since),
    Number(names.EXPIRY, lambda one: one.deployment.expires_at),
    Number(names.SPEND_RATE, lambda one: one.usd_an_hour),
    Number(names.LEAD_TIME_SAMPLES, lambda one: one.lead_time.samples),
    Number(names.DECIDED_AT, lambda one: one.decision.at),
    Number(names.IN_FLIGHT, lambda one: one.is_write_in_flight),
    Labelled(names.ALLOWED, _allowed),
    Labelled(names.WRITE_FAILURES, _write_failures),
    Labelled(rule_names.PROPOSED, _proposed),
    Labelled(rule_names.BLOCKS, _blocks),
    Labelled(names.STATE, _state),
    Labelled(names.HOLD, _hold),
    Labelled(names.ORDER_WITHHELD, _withheld),
    Labelled(names.LEAD_TIME, _lead_time),
    Labelled(names.ACCELERATORS, _accelerators),
    Labelled(names.SIGNAL_VALUE, _signal_values),
    Labelled(names.SIGNAL_AGE, _signal_ages),
    Labelled(names.SIGNAL_USABLE, _signals_usable),
    Labelled(names.SIGNAL_BLOCKS, _signals_that_block),
    _fact(rule_names.LOAD, "load_replicas"),
    _fact(rule_names.FORECAST, "forecast_replicas"),
    _fact(rule_names.SPARE, "spare_replicas"),
    _fact(rule_names.FORECAST_ERROR, "forecast_error_replicas"),
    _fact(rule_names.HORIZON, "horizon_seconds"),
    _fact(rule_names.MISS_PRICE, "miss_price_ratio"),
    _fact(rule_names.MISSED, "missed_ratio"),
    _fact(rule_names.MISSED_MAX, "missed_ratio_max"),
    _fact(rule_names.CAPACITY, "capacity_requests_per_second"),
    _fact(rule_names.CAPACITY_FACTOR, "capacity_factor_ratio"),
)

OF_POLICIES: tuple[Gauge[PolicyDeployments], ...] = (
    Labelled(
        names.POLICY_INFO,
        lambda one: (((one.policy.owner, one.policy.mode, one.policy.actuation), 1),),
    ),
    Number(names.POLICY_DEPLOYMENTS, lambda one: one.deployments),
)

OF_OVERRIDES: tuple[Gauge[Override], ...] = (Number(names.OVERRIDE_END, lambda one: one.until),)
