"""trimtab itself in a simulation: the real engine with real policies, and no second model of either.

Each time it is asked, it looks at the deployments as the control plane would show them, hears the
signals that the policies declare, and calls ``Engine.step``; orders are carried out at once, and their
outcomes recorded, as the actuator does it when nothing goes wrong. What can go wrong with writes is the
business of the simulated worlds of the tests, not of a comparison of strategies.

As in the daemon, a deployment is decided on when something may come out differently: when it changed, when
a sample moves its rules (``Engine.is_moved_by``), when an edge of time has come, when another one stirs it.
Else what was decided stands. Rules that learn are asked at each look, and decided on where they change their
mind (``Engine.renew``). Tests hold this to deciding each time, order by order.

Between the bounds of a floor the platform may run more replicas than the floor; here it keeps to it,
so that what is paid for is what the policy asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.core.decision import Outcome, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, Shape, State
from trimtab.core.edges import CERTAINTY_SECONDS, outlook_of
from trimtab.core.engine import Engine
from trimtab.core.expenses import LOOK_SECONDS
from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.core.policy import Actuation
from trimtab.core.renewal import is_renewable
from trimtab.core.signals import Sample
from trimtab.simulation.scaler import FleetScaler
from trimtab.simulation.signals_heard import listeners

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from trimtab.core.decision import Order, Tick
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.lead_time import LeadTimes
    from trimtab.core.memory import Memory
    from trimtab.core.policy import Policy
    from trimtab.simulation.observation import Observation
    from trimtab.simulation.scenario import Case, Scenario
    from trimtab.simulation.signals_heard import Listener, Meaning

INTERVAL_SECONDS = 15.0
STIRRED_MAX = 10
"""Deployments that stir each other in a circle are decided on so often; the rest is for the next look."""

_NOBODY: tuple[str, ...] = ()


class _Attended:
    """One deployment since it was last decided on.

    ``latest`` are the newest samples by signal, ``waiting`` those that the engine has not heard yet.
    ``upheld_at`` is when its last wish last stood without a decision. ``edge`` is when time alone may
    change what was decided at ``decided_at``, once ``is_edge_known``. ``is_renewed``: its rules learn, and
    are asked at each look.
    """

    __slots__ = (
        "decided_at", "edge", "is_due", "is_edge_known", "is_renewed", "latest", "listeners", "shown",
        "told", "upheld_at", "waiting",
    )  # fmt: skip

    def __init__(self, heard_by: tuple[Listener, ...], *, is_renewed: bool) -> None:
        self.listeners = heard_by
        self.is_renewed = is_renewed
        self.shown: tuple[int, int] | None = None
        self.told: float | None = None
        self.latest: dict[str, Sample] = {}
        self.waiting: dict[str, Sample] = {}
        self.upheld_at: float | None = None
        self.decided_at = 0.0
        self.edge: float | None = None
        self.is_edge_known = False
        self.is_due = True


class EngineScaler(FleetScaler):
    """Decides on every deployment of a scenario.

    ``policies`` must match each deployment exactly once. A deployment is called by its case's name,
    and its display name is the last part of that; ``described`` gives deployments whose other fields
    (base model, region, accelerators) the policies select by. ``meanings`` say by a signal's name what it
    measures, where its query is not known (``signals_heard.MEANINGS``). ``on_tick`` is handed every
    step of the engine: decisions, their trails, orders and events; there is none while all stands. Whoever
    listens hears of each decision of rules that learn. ``fleet`` is what holds for all deployments
    together: quotas, prices, spend limits, teams, groups; with one, rules that learn are decided on at
    each look, as what they need weighs against what others do.
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
        fleet: FleetPolicy = NO_FLEET_POLICY,
    ) -> None:
        self.engine = Engine(policies, memory, lead_times=lead_times, fleet=fleet)
        self._is_shared = fleet != NO_FLEET_POLICY
        self._fleet_edge: float | None = None
        self._stirred: dict[str, None] = {}
        self._interval = interval_seconds
        self._on_tick = on_tick
        given = described or {}
        self._fleet = {
            case.name: as_found(case, scenario.started_at, given.get(case.name))
            for case in scenario.cases
        }
        self._attended = {
            name: self._attending(self._policy_of(one), meanings or {})
            for name, one in self._fleet.items()
        }

    def _attending(self, policy: Policy, meanings: Mapping[str, Meaning]) -> _Attended:
        learns = self._on_tick is None and bool(outlook_of(policy).foreseeing)
        is_renewed = learns and is_renewable(policy) and not self._is_shared
        return _Attended(listeners(policy, meanings), is_renewed=is_renewed)

    @property
    def interval_seconds(self) -> float:
        """How often the engine is asked whether anything is to be decided."""
        return self._interval

    def wanted(self, seen: Mapping[str, Observation]) -> Mapping[str, int]:
        """Decide where anything may come out differently; return the counts that were ordered."""
        due: list[str] = []
        changed: list[str] = []
        quiet: list[_Attended] = []
        asked: list[str] = []
        now = 0.0
        for name, one in seen.items():
            now = one.at
            attended = self._attended[name]
            if attended.shown != (one.asked, one.ready):
                self._show(name, one)
                attended.is_due = True
                changed.append(name)
            self._hear(name, attended, one)
            if attended.is_due or not attended.latest:
                due.append(name)
            elif attended.is_renewed:
                (due if self._has_edge_come(name, attended, now) else asked).append(name)
            elif self._may_differ(name, attended, now):
                due.append(name)
            else:
                quiet.append(attended)
        due += [name for name in self._stirred if name not in due]
        self._stirred.clear()
        is_fleet_due = self._fleet_edge is not None and self._fleet_edge <= now
        orders = self._step(now, due, changed) if due or is_fleet_due else []
        if asked:  # who learns knows by now of the starts that others have seen
            due = [name for name in asked if not self._is_renewed(name, now)]
            orders += self._step(now, due, _NOBODY) if due else []
        for attended in quiet:
            if attended.decided_at != now:  # nobody has stirred it
                attended.upheld_at = now
        counts = {order.deployment: self._carry_out(order, now) for order in orders}
        if self._is_shared:
            self._look_ahead(now)
        return counts

    def _look_ahead(self, now: float) -> None:
        """Find out when the fleet has to be looked at next, though nobody in it changes."""
        edge = self.engine.fleet_edge(now)
        look = (self.engine.shared.spending.at or now) + LOOK_SECONDS
        self._fleet_edge = look if edge is None else min(edge, look)

    def _is_renewed(self, name: str, now: float) -> bool:
        """Whether rules that learn go on to wish the same, or were decided on anyhow."""
        attended = self._attended[name]
        if attended.decided_at == now:
            return True
        if not self.engine.renew(name, now, attended.waiting.values()):
            return False
        attended.waiting.clear()
        attended.upheld_at = now
        return True

    def _policy_of(self, deployment: Deployment) -> Policy:
        found = self.engine.policies_for(deployment)
        if len(found) != 1:
            which = ", ".join(policy.name for policy in found) or "none"
            raise ValueError(
                f"{deployment.name} (displayed as {deployment.display_name!r}) must be matched by "
                f"exactly one policy, and is by: {which}"
            )
        return found[0]

    def _hear(self, name: str, attended: _Attended, seen: Observation) -> None:
        """Take in what is told anew. The newest of each signal is all that the engine looks at."""
        measured_at = seen.measured_at
        if measured_at is None or measured_at == attended.told:
            return
        attended.told = measured_at
        for listener in attended.listeners:
            value = listener.hear(seen)
            if value is not None:
                sample = Sample(name, listener.signal, measured_at, value)
                attended.waiting[listener.signal] = attended.latest[listener.signal] = sample

    def _may_differ(self, name: str, attended: _Attended, now: float) -> bool:
        """Whether a decision now might come out otherwise than the last one, of which nothing else is new.

        Samples that were heard before are asked about again: what does not hold for them (a wish
        that the windows do not tell, a strategy that remembers) is not known to stand.
        """
        is_moved = self.engine.is_moved_by
        for sample in attended.latest.values():
            if is_moved(sample):
                return True
        if not self._has_edge_come(name, attended, now):
            return False
        if not attended.waiting:
            return True
        # Mostly it is the age of what the engine has heard: with what waits, the edge may lie ahead.
        self._tell(attended, now)
        return self._has_edge_come(name, attended, now)

    def _has_edge_come(self, name: str, attended: _Attended, now: float) -> bool:
        """Whether time alone may have changed what was decided.

        An edge is told a little late; at its very moment a comparison may have turned or not.
        """
        if not attended.is_edge_known:
            attended.edge = self.engine.next_edge(
                name, attended.decided_at, is_renewed=attended.is_renewed
            )
            attended.is_edge_known = True
        return attended.edge is not None and attended.edge - 2.0 * CERTAINTY_SECONDS <= now

    def _tell(self, attended: _Attended, now: float) -> None:
        """Let the engine hear what waits, and decide nothing."""
        samples = list(attended.waiting.values())
        attended.waiting.clear()
        attended.is_edge_known = False
        tick = self.engine.step(
            now, self._fleet, samples, due=_NOBODY, changed=_NOBODY, absent=_NOBODY
        )
        self._stirred.update(dict.fromkeys(tick.stirred))

    def _step(self, now: float, due: Sequence[str], changed: Sequence[str]) -> list[Order]:
        """Decide on those that are due, and on whom they stir; return what is ordered."""
        orders: list[Order] = []
        for _ in range(STIRRED_MAX):
            samples: list[Sample] = []
            upheld: dict[str, float] = {}
            for name in due:
                attended = self._attended[name]
                samples.extend(attended.waiting.values())
                attended.waiting.clear()
                if attended.upheld_at is not None:
                    upheld[name] = attended.upheld_at
                attended.upheld_at = None
                attended.decided_at = now
                attended.is_due = attended.is_edge_known = False
            tick = self.engine.step(
                now, self._fleet, samples, due=due, changed=changed, absent=_NOBODY, upheld=upheld
            )
            if self._on_tick is not None:
                self._on_tick(tick)
            orders += tick.orders
            due, changed = tick.stirred, _NOBODY
            if not due:
                break
        for name in due:
            self._attended[name].is_due = True
        return orders

    def _show(self, name: str, seen: Observation) -> None:
        """Take in what the control plane shows of the replicas."""
        self._attended[name].shown = (seen.asked, seen.ready)
        self._fleet[name] = replace(
            self._fleet[name],
            desired_replicas=seen.asked,
            replica_count=seen.asked,
            pipeline=Pipeline(initializing=max(0, seen.asked - seen.ready), ready=seen.ready),
        )

    def _carry_out(self, order: Order, now: float) -> int:
        """Write what is ordered, tell the engine how that ended, and return the count asked for."""
        name = order.deployment
        self._attended[name].is_due = True
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
