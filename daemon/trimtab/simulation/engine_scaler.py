"""trimtab itself in a simulation: the real engine with real policies, and no second model of either.

Each time it is asked, it looks at the deployments as the control plane would show them, hears the
signals that the policies declare, and calls ``Engine.step``; orders are carried out at once, and their
outcomes recorded, as the actuator does it when nothing goes wrong. What can go wrong with writes is the
business of the simulated worlds of the tests, not of a comparison of strategies.

Between the bounds of a floor the platform may run more replicas than the floor; here it keeps to it,
so that what is paid for is what the policy asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.core.decision import Outcome, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, Shape, State
from trimtab.core.engine import Engine
from trimtab.core.policy import Actuation
from trimtab.core.signals import Sample
from trimtab.simulation.scaler import FleetScaler
from trimtab.simulation.signals_heard import listeners

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from trimtab.core.decision import Order, Tick
    from trimtab.core.lead_time import LeadTimes
    from trimtab.core.memory import Memory
    from trimtab.core.policy import Policy
    from trimtab.simulation.observation import Observation
    from trimtab.simulation.scenario import Case, Scenario
    from trimtab.simulation.signals_heard import Meaning

INTERVAL_SECONDS = 15.0
_NOBODY: tuple[str, ...] = ()


class EngineScaler(FleetScaler):
    """Decides on every deployment of a scenario.

    ``policies`` must match each deployment exactly once. A deployment is called by its case's name,
    and its display name is the last part of that; ``described`` gives deployments whose other fields
    (base model, region, accelerators) the policies select by. ``meanings`` say by a signal's name what it
    measures, where its query is not known (``signals_heard.MEANINGS``). ``on_tick`` is handed every
    tick: decisions, their trails, orders and events.
    """

    def __init__(
        self,
        policies: Iterable[Policy],
        scenario: Scenario,
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        lead_times: LeadTimes | None = None,
        memory: Memory | None = None,
        described: Mapping[str, Deployment] | None = None,
        meanings: Mapping[str, Meaning] | None = None,
        on_tick: Callable[[Tick], None] | None = None,
    ) -> None:
        self.engine = Engine(policies, memory, lead_times=lead_times)
        self._interval = interval_seconds
        self._on_tick = on_tick
        given = described or {}
        self._fleet = {
            case.name: as_found(case, scenario.started_at, given.get(case.name))
            for case in scenario.cases
        }
        self._names = tuple(self._fleet)
        self._shown: dict[str, tuple[int, int]] = {}
        self._listeners = {
            name: listeners(self._policy_of(one), meanings or {})
            for name, one in self._fleet.items()
        }
        self._told: dict[str, float | None] = {}

    @property
    def interval_seconds(self) -> float:
        """How often the engine decides."""
        return self._interval

    def wanted(self, seen: Mapping[str, Observation]) -> Mapping[str, int]:
        """Decide on all deployments and return the counts of those that were ordered otherwise."""
        samples: list[Sample] = []
        changed: list[str] = []
        now = 0.0
        for name, one in seen.items():
            now = one.at
            if self._shown.get(name) != (one.asked, one.ready):
                self._show(name, one)
                changed.append(name)
            if one.measured_at is not None and self._told.get(name) != one.measured_at:
                self._told[name] = one.measured_at
                self._hear(name, one, samples)
        tick = self.engine.step(
            now, self._fleet, samples, due=self._names, changed=changed, absent=_NOBODY
        )
        if self._on_tick is not None:
            self._on_tick(tick)
        return {order.deployment: self._carry_out(order, now) for order in tick.orders}

    def _policy_of(self, deployment: Deployment) -> Policy:
        found = self.engine.policies_for(deployment)
        if len(found) != 1:
            which = ", ".join(policy.name for policy in found) or "none"
            raise ValueError(
                f"{deployment.name} (displayed as {deployment.display_name!r}) must be matched by "
                f"exactly one policy, and is by: {which}"
            )
        return found[0]

    def _hear(self, name: str, seen: Observation, samples: list[Sample]) -> None:
        measured_at = seen.measured_at
        assert measured_at is not None  # noqa: S101  for the types: the caller has looked
        for listener in self._listeners[name]:
            value = listener.hear(seen)
            if value is not None:
                samples.append(Sample(name, listener.signal, measured_at, value))

    def _show(self, name: str, seen: Observation) -> None:
        """Take in what the control plane shows of the replicas."""
        self._shown[name] = (seen.asked, seen.ready)
        self._fleet[name] = replace(
            self._fleet[name],
            desired_replicas=seen.asked,
            replica_count=seen.asked,
            pipeline=Pipeline(initializing=max(0, seen.asked - seen.ready), ready=seen.ready),
        )

    def _carry_out(self, order: Order, now: float) -> int:
        """Write what is ordered, tell the engine how that ended, and return the count asked for."""
        name = order.deployment
        deployment = self._fleet[name]
        if order.actuation is not Actuation.SCALE:
            self._fleet[name] = replace(
                deployment, min_replicas=order.min_replicas, max_replicas=order.max_replicas
            )
        outcome = Outcome(order=order, at=now, status=WriteStatus.APPLIED, sentence="applied")
        self.engine.record(outcome)
        return order.to_replicas


def as_found(case: Case, started_at: float, described: Deployment | None = None) -> Deployment:
    """Return the deployment of ``case`` as the control plane shows it at the start of a run.

    Its bounds are the owner's range. ``described`` gives the fields that a case does not know.
    """
    deployment = described or Deployment(
        name=case.name,
        display_name=case.name.rpartition("/")[2],
        shape=Shape(accelerators_per_replica=case.accelerators_per_replica),
        created_at=started_at - 86_400.0,
    )
    return replace(
        deployment,
        name=case.name,
        state=State.READY,
        state_text=State.READY.value,
        min_replicas=case.replicas_min,
        max_replicas=case.replicas_max,
        desired_replicas=case.replicas_at_start,
        replica_count=case.replicas_at_start,
        pipeline=Pipeline(ready=case.replicas_at_start),
    )
