"""What must hold in every life of a fleet: invariants 1-5 and 7 of docs/architecture.md, and the lifecycle.

A random life: policies, loads (sane, absent, absurd), states, expiry, people who set bounds, writes
that are applied, refused, lost or left in flight, replicas that do not come, capacity that is refused,
hardware that changes, restarts from JSON text. The checks keep their own
full history and compute every limit from it anew, sharing no code with what they check.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.worlds.any_fleet import NAMES, SIGNALS, Above, deployments, policies
from tests.worlds.engine_world import START

from trimtab.core.decision import (
    EventKind,
    Hold,
    Order,
    Outcome,
    Reason,
    ScaleDown,
    Tick,
    WriteStatus,
)
from trimtab.core.deployment import Deployment, Pipeline, Shape, State
from trimtab.core.engine import Engine
from trimtab.core.memory import Memory
from trimtab.core.policy import (
    Actuation,
    AtExpiry,
    Mode,
    Policy,
    Select,
    WhileUpdating,
)
from trimtab.core.roles import Blocks
from trimtab.core.signals import Sample

QUOTAS = ("", "no capacity", "quota: 16, requesting: 4")


class Life:
    """Two deployments, their policies, an engine that may restart, and a world that misbehaves."""

    def __init__(
        self, policies: dict[str, Policy], fleet: dict[str, Deployment], random: Random
    ) -> None:
        self.now = START
        self.random = random
        self.policies = policies
        self.fleet = fleet
        self.engine = Engine(policies.values())
        self.in_flight: dict[str, Order] = {}
        self.moves: dict[str, list[tuple[float, int]]] = {name: [] for name in NAMES}
        self.wishes: dict[str, list[tuple[float, int]]] = {name: [] for name in NAMES}
        self.heard: dict[tuple[str, str], float] = {}
        self.values: dict[tuple[str, str], float] = {}
        self.loaded_at: dict[str, float] = {}
        self.emptied_by_us: set[str] = set()
        self.ready_seen: dict[str, int] = {}
        self.waiting_since: dict[str, float] = {}
        self.changed_by_others: dict[str, float] = {}
        self.told: dict[str, EventKind] = {}
        self.refused: dict[str, list[float]] = {name: [] for name in NAMES}
        self.tick(after=0.0)

    def live_on(self) -> None:
        """Let one thing happen: mostly ordinary minutes, now and then anything else."""
        one = self.random.choice
        name = one(NAMES)
        match self.random.randrange(28):
            case 0:
                self.tick(after=one([0.0, 0.3, 5.0, 15.0, 61.0, 400.0]))
            case 1 | 2:
                load = self.random.uniform(0, 200)
                value = one([load, load, math.nan, math.inf, -3.0, 0.0, 1e4])
                self.hear(name, one(SIGNALS), value, age=one([0.0, 0.0, 0.0, 30.0, -100.0]))
            case 3 | 4 | 5 if self.in_flight:
                status = one([*WriteStatus, WriteStatus.APPLIED])
                self.write_ends(one(sorted(self.in_flight)), status, seconds=one([0.0, 2.0]))
            case 6:
                self.replicas_become_ready(name, self.random.randrange(4))
            case 7:
                self.state_changes(name, one([*State, State.UPDATING, State.UPDATING]))
            case 8:
                self.expiry_is_set(name, one([0.0, 100.0, 800.0, 2_000.0]))
            case 9:
                low = self.random.randrange(8)
                self.somebody_sets_bounds(name, low, self.random.randrange(7))
            case 10:
                self.the_process_restarts()
            case 11 | 12 | 13:
                self.all_is_well_again(name)
            case 14 | 15:
                self.replicas_do_not_come(
                    name, self.random.randrange(1, 4), [one([20.0, 45.0, 70.0]) for _ in range(6)]
                )
            case 16:
                self.the_status_says(name, one(["RESOURCE_EXHAUSTED", "INTERNAL"]), one(QUOTAS))
            case 17:
                self.hardware_changes(name, one([1, 2, 8]))
            case _:
                loads = [one([0.0, 8.0, 25.0, 60.0, 140.0]) for _ in range(one([2, 5, 12]))]
                self.ordinary_minutes_pass(
                    name,
                    loads,
                    one([10.0, 20.0, 50.0]),
                    is_reported_in_full=one([True] * 3 + [False]),
                )

    # -- what happens --------------------------------------------------------------------------

    def tick(self, after: float) -> None:
        self.now += after
        before = dict(self.fleet)
        tick = self._step()
        self._check(tick, before)
        for order in tick.orders:
            self.in_flight[order.deployment] = order

    def hear(self, name: str, signal: str, value: float, age: float) -> None:
        if math.isfinite(value) and value >= 0 and age >= 0 and name in self._known():
            self._note(name, signal, self.now - age, value)
        before = dict(self.fleet)
        sample = Sample(name, signal, self.now - age, value)
        tick = self._step([sample], due=[name])
        self._check(tick, before)
        for order in tick.orders:
            self.in_flight[order.deployment] = order

    def ordinary_minutes_pass(
        self, name: str, loads: list[float], after: float, is_reported_in_full: bool
    ) -> None:
        """A stretch in which nothing goes wrong: loads are heard, writes are applied at once."""
        for load in loads:
            self.now += after
            signals = SIGNALS if is_reported_in_full else SIGNALS[:1]
            ready = max(1, self.fleet[name].pipeline.ready)
            values = {"total": load, "average": load / ready}
            samples = [Sample(name, signal, self.now, values[signal]) for signal in signals]
            if name in self._known():
                for signal in signals:
                    self._note(name, signal, self.now, values[signal])
            before = dict(self.fleet)
            tick = self._step(samples, due=[name])
            self._check(tick, before)
            for order in tick.orders:
                self._apply(order)
                self.moves[name].append((self.now, order.to_replicas - order.from_replicas))
                self.engine.record(
                    Outcome(order=order, at=self.now, status=WriteStatus.APPLIED, sentence="")
                )
                deployment = self.fleet[name]
                self.fleet[name] = replace(
                    deployment, pipeline=Pipeline(ready=deployment.desired_replicas)
                )

    def write_ends(
        self, name: str, status: WriteStatus, seconds: float, *, is_for_quota: bool = False
    ) -> None:
        self.now += seconds
        order = self.in_flight.pop(name)
        is_applied_all_the_same = self.random.random() < 0.5
        is_applied = status is WriteStatus.APPLIED or (
            status is WriteStatus.UNKNOWN and is_applied_all_the_same
        )
        if is_applied:
            self._apply(order)
            seen_early = self._step(due=[])
            kinds = [event.kind for event in seen_early.events if event.deployment == name]
            assert EventKind.BOUNDS_CHANGED not in kinds, "our own write is not somebody else's"
        if status in (WriteStatus.APPLIED, WriteStatus.UNKNOWN):
            self.moves[name].append((self.now, order.to_replicas - order.from_replicas))
        kind = None
        if status is WriteStatus.NOT_APPLIED and is_for_quota:
            kind = "quota_exceeded"
        if order.to_replicas > order.from_replicas and kind is not None:
            self.refused[name].append(self.now)
        elif order.to_replicas > order.from_replicas and status is WriteStatus.APPLIED:
            self.refused[name].clear()
        self.engine.record(
            Outcome(order=order, at=self.now, status=status, sentence="", error_kind=kind)
        )

    def replicas_do_not_come(self, name: str, missing: int, pauses: list[float]) -> None:
        """Load is heard and decided on, and of the replicas some stay away."""
        deployment = self.fleet[name]
        serving = max(0, min(deployment.pipeline.ready, deployment.desired_replicas - missing))
        pending = max(0, deployment.desired_replicas - serving)
        self.fleet[name] = replace(deployment, pipeline=Pipeline(ready=serving, pending=pending))
        status = self.random.choice([WriteStatus.APPLIED, WriteStatus.NOT_APPLIED])
        for load, pause in enumerate(pauses, start=deployment.desired_replicas):
            self.now += pause
            self.hear(name, "average", 12.0, age=0.0)
            self.hear(name, "total", 10.0 * load + 12.0, age=0.0)
            if name in self.in_flight:
                self.write_ends(name, status, seconds=1.0, is_for_quota=True)

    def the_status_says(self, name: str, code: str, message: str) -> None:
        self.fleet[name] = replace(self.fleet[name], status_code=code, status_message=message)

    def hardware_changes(self, name: str, each: int) -> None:
        shape = Shape(accelerator_type="NVIDIA_H200_141GB", accelerators_per_replica=each)
        self.fleet[name] = replace(self.fleet[name], shape=shape)

    def _step(self, samples: Iterable[Sample] = (), due: list[str] | None = None) -> Tick:
        """One step of the engine; what it is shown of the replicas is kept here as well."""
        known = self.engine.memory.deployments
        for name, deployment in self.fleet.items():
            shape = known[name].watched.shape if name in known else deployment.shape
            self._follow(name, deployment, is_reshaped=_is_other(shape, deployment.shape))
        tick = self.engine.step(self.now, self.fleet, samples, due=due)
        for event in tick.events:
            if event.kind is EventKind.BOUNDS_CHANGED:
                self.changed_by_others[event.deployment] = self.now
            told = (event.deployment, event.kind, self.now)
            if event.kind in (EventKind.STUCK, EventKind.UNSTUCK):
                assert self.told.get(event.deployment) != event.kind, f"twice: {told}"
                self.told[event.deployment] = event.kind
        return tick

    def _follow(self, name: str, deployment: Deployment, *, is_reshaped: bool) -> None:
        """Since when nothing has come of what is missing: the longest that any ask can be waited for."""
        least = max(deployment.min_replicas, deployment.desired_replicas)
        most, ready = deployment.max_replicas, deployment.pipeline.ready
        target = least if most is None else min(least, most)
        before = self.ready_seen.get(name, ready)
        has_failed = deployment.state is State.FAILED
        if ready >= target:
            self.waiting_since.pop(name, None)
        elif (
            ready > before
            or before >= target  # nothing was missed of what is asked for now; it was lost since
            or name not in self.waiting_since
            or is_reshaped
            or has_failed
        ):
            self.waiting_since[name] = self.now
        if ready > before or is_reshaped:
            self.refused[name].clear()
        self.ready_seen[name] = ready

    def _note(self, name: str, signal: str, at: float, value: float) -> None:
        key = (name, signal)
        if at >= self.heard.get(key, -math.inf):
            self.heard[key] = at
            self.values[key] = value
        if value > 0:
            self.loaded_at[name] = self.now

    def replicas_become_ready(self, name: str, ready: int) -> None:
        deployment = self.fleet[name]
        serving = min(deployment.desired_replicas, deployment.pipeline.ready + ready)
        self.fleet[name] = replace(
            deployment,
            pipeline=Pipeline(ready=serving, pending=deployment.desired_replicas - serving),
        )

    def state_changes(self, name: str, state: State) -> None:
        self.fleet[name] = replace(self.fleet[name], state=state)

    def all_is_well_again(self, name: str) -> None:
        self.fleet[name] = replace(self.fleet[name], state=State.READY, expires_at=None)

    def expiry_is_set(self, name: str, left: float) -> None:
        self.fleet[name] = replace(self.fleet[name], expires_at=self.now + left)

    def somebody_sets_bounds(self, name: str, low: int, span: int) -> None:
        desired = min(max(self.fleet[name].desired_replicas, low), low + span)
        if low + span > 0:
            self.emptied_by_us.discard(name)
        self.fleet[name] = replace(
            self.fleet[name],
            min_replicas=low,
            max_replicas=low + span,
            desired_replicas=desired,
            observed_at=self.now,
        )

    def the_process_restarts(self) -> None:
        text = json.dumps(self.engine.memory.to_json())
        self.engine = Engine(self.policies.values(), Memory.from_json(json.loads(text)))
        self.in_flight.clear()  # a write in flight died with the process, unapplied

    # -- what must hold ------------------------------------------------------------------------

    def memory_is_a_value(self) -> None:
        memory = self.engine.memory
        assert Memory.from_json(json.loads(json.dumps(memory.to_json()))) == memory

    def _check(self, tick: Tick, before: dict[str, Deployment]) -> None:
        for decision in tick.decisions:
            name = decision.deployment
            assert decision.verdict != Hold(Reason.INVARIANT), decision.sentence
            if decision.wanted is not None:
                self.wishes[name].append((self.now, decision.wanted))
            assert (decision.desired == decision.current) == isinstance(decision.verdict, Hold)
            self._missing_data_never_shrinks(decision, before[name])
        names = [order.deployment for order in tick.orders]
        assert len(names) == len(set(names)), "one order for each deployment"
        for order in tick.orders:
            assert order.deployment not in self.in_flight, "invariant 5: one write in flight"
            assert self.policies[order.deployment].mode is Mode.ENFORCE, "invariant 7: advise"
            deployment = before[order.deployment]
            self._is_allowed_by_the_lifecycle(order, deployment)
            self._is_not_in_the_middle_of_a_change(order)
            if order.to_replicas > order.from_replicas:
                self._is_not_asked_in_vain(order)
            if order.reason is Reason.EXPIRY_DRAIN:
                assert (order.min_replicas, order.max_replicas) == (0, 0)
                continue
            self._is_within_the_bounds(order, deployment)
            if order.reason is Reason.BOUNDS:
                continue
            self._is_not_held(order)
            if order.reason is not Reason.WAKE:
                self._is_within_the_limits(order)
                self._is_stable(order)

    def _is_within_the_bounds(self, order: Order, deployment: Deployment) -> None:
        """Invariant 1, with the ends worked out from the policy and the shape anew."""
        policy = self.policies[order.deployment]
        count = order.to_replicas
        if policy.min_replicas is not None:
            assert count >= policy.min_replicas
        if policy.max_replicas is not None:
            assert count <= policy.max_replicas
        each = deployment.shape.accelerators_per_replica
        if policy.accelerators_max is not None:
            if each is None:
                assert count <= order.from_replicas
            else:
                assert count * each <= policy.accelerators_max
        if policy.actuation is Actuation.PIN:
            assert order.min_replicas == order.max_replicas == count
        if count == 0 and policy.actuation is not Actuation.FLOOR:
            assert policy.scale_to_zero is not None
            assert order.from_replicas == 1, "the last step of the ladder"
            quiet = self.now - self.loaded_at.get(order.deployment, -math.inf)
            assert (
                quiet >= policy.scale_to_zero.after_seconds
                or "total" not in policy.scale_to_zero.wake_on
            )
        if policy.actuation is Actuation.FLOOR:
            assert order.min_replicas == count
            assert order.max_replicas is None or count <= order.max_replicas
        user = self.engine.memory.deployments[order.deployment].user
        if user.is_believed:
            assert user.min_replicas <= count
            assert user.max_replicas is None or count <= user.max_replicas

    def _is_allowed_by_the_lifecycle(self, order: Order, deployment: Deployment) -> None:
        """Invariant 2."""
        policy = self.policies[order.deployment]
        is_expired = deployment.expires_at is not None and deployment.expires_at <= self.now
        is_up = order.to_replicas > order.from_replicas
        assert deployment.state in (State.READY, State.UPDATING)
        if is_expired:
            assert policy.at_expiry is AtExpiry.DRAIN
            assert order.reason is Reason.EXPIRY_DRAIN
        elif deployment.state is State.UPDATING:
            assert is_up
            assert policy.while_updating is WhileUpdating.UP
        if deployment.max_replicas == 0:
            assert order.deployment in self.emptied_by_us, "a parked deployment is a person's"

    def _is_not_in_the_middle_of_a_change(self, order: Order) -> None:
        """No write within the grace after somebody else changed the bounds."""
        changed_at = self.changed_by_others.get(order.deployment, -math.inf)
        assert self.now - changed_at >= self.policies[order.deployment].out_of_band_grace_seconds

    def _is_not_asked_in_vain(self, order: Order) -> None:
        """No more replicas while those asked for have not come for too long, or were refused."""
        name = order.deployment
        limit = self.policies[name].stuck_after_seconds
        waited = self.now - self.waiting_since.get(name, self.now)
        assert limit is None or waited < limit, f"stuck for {waited} s"
        if self.refused[name]:
            pause = min(3600.0, 60.0 * 2 ** (len(self.refused[name]) - 1))
            since = self.now - self.refused[name][-1]
            is_forgotten = since >= 3600.0
            assert since >= pause or is_forgotten, f"refused {since} s ago"

    def _missing_data_never_shrinks(self, decision: Any, deployment: Deployment) -> None:
        """Invariant 3: with any demand signal gone, only bounds or a drain may shrink."""
        if not isinstance(decision.verdict, ScaleDown):
            return
        if decision.verdict.reason in (Reason.BOUNDS, Reason.EXPIRY_DRAIN):
            return
        policy = self.policies[deployment.name]
        for spec in policy.signals:
            if any(spec.name in one.strategy.signals for one in policy.rules):
                heard = self.heard.get((deployment.name, spec.name), -math.inf)
                assert self.now - heard <= spec.max_age_seconds, f"{spec.name} is missing"

    def _is_not_held(self, order: Order) -> None:
        policy = self.policies[order.deployment]
        direction = Blocks.UP if order.to_replicas > order.from_replicas else Blocks.DOWN
        for hold in policy.holds:
            if hold.blocks in (direction, Blocks.BOTH):
                (signal,) = hold.condition.signals
                key = (order.deployment, signal)
                spec = next(one for one in policy.signals if one.name == signal)
                is_usable = self.now - self.heard.get(key, -math.inf) <= spec.max_age_seconds
                assert isinstance(hold.condition, Above)
                assert not (is_usable and self.values[key] > hold.condition.threshold)

    def _is_within_the_limits(self, order: Order) -> None:
        """Invariant 4, from the full history of our own writes, across restarts."""
        policy = self.policies[order.deployment]
        is_up = order.to_replicas > order.from_replicas
        rules = policy.up if is_up else policy.down
        assert rules.select is not Select.DISABLED
        if rules.cooldown_seconds and self.moves[order.deployment]:
            assert self.now - self.moves[order.deployment][-1][0] >= rules.cooldown_seconds
        ends: list[float] = []
        for limit in rules.limits:
            moved = sum(
                change
                for at, change in self.moves[order.deployment]
                if self.now - at < limit.period_seconds
            )
            start = max(0, order.from_replicas - moved)
            sign = 1 if is_up else -1
            if limit.percent is not None:
                exact = start * (100 + sign * limit.percent) / 100
                ends.append(math.ceil(exact) if is_up else math.floor(exact))
            else:
                assert limit.replicas is not None
                ends.append(start + sign * limit.replicas)
        if not ends:
            return
        is_wide = rules.select is Select.MAX
        if is_up:
            assert order.to_replicas <= (max(ends) if is_wide else min(ends))
        else:
            assert order.to_replicas >= (min(ends) if is_wide else max(ends))

    def _is_stable(self, order: Order) -> None:
        """No move past what was wished for within the direction's window."""
        policy = self.policies[order.deployment]
        is_up = order.to_replicas > order.from_replicas
        seconds = (policy.up if is_up else policy.down).stabilization_seconds
        within = [wish for at, wish in self.wishes[order.deployment] if self.now - at < seconds]
        if within and is_up:
            assert order.to_replicas <= min(within)
        elif within:
            assert order.to_replicas >= max(within)

    def _apply(self, order: Order) -> None:
        deployment = self.fleet[order.deployment]
        if order.max_replicas == 0:
            self.emptied_by_us.add(order.deployment)
        self.fleet[order.deployment] = replace(
            deployment,
            min_replicas=order.min_replicas,
            max_replicas=order.max_replicas,
            desired_replicas=order.to_replicas,
            replica_count=order.to_replicas,
            observed_at=self.now,
        )

    def _known(self) -> set[str]:
        return set(self.engine.memory.deployments)


def _is_other(old: Shape, new: Shape) -> bool:
    ends = ("accelerator_type", "accelerators_per_replica")
    return any(
        None not in (one := {getattr(old, end), getattr(new, end)}) and len(one) > 1 for end in ends
    )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_every_life_of_a_fleet_keeps_the_invariants(data: st.DataObject, seed: int) -> None:
    life = Life(
        {name: data.draw(policies(name), label=f"policy of {name}") for name in NAMES},
        {name: data.draw(deployments(name), label=name) for name in NAMES},
        Random(seed),
    )
    for _ in range(80):
        life.live_on()
    life.memory_is_a_value()
