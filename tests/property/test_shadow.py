"""The shadow life of a policy that only advises (invariant 7, and what the advice is worth).

The strongest thing to ask of a shadow: it must decide exactly as an enforcing twin does whose
writes are carried out at once. Beside it: it writes nothing, whatever happens, and leaves no trace in an
engine that enforces later or beside it.

Seen to catch: advice that starts from the real count; shadow moves that no limit counts, or that
cooldowns and rules with damping of their own forget; a shadow's own move taken for somebody else's; shadow moves that
count against real limits after the change to `enforce`; a shadow that survives a change of the bounds.
"""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds.engine_world import LOAD, NAME, START

from trimtab.core.decision import Decision, Outcome, Tick, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, State
from trimtab.core.engine import Engine
from trimtab.core.memory import Memory
from trimtab.core.overrides import Override, OverrideKind
from trimtab.core.policy import (
    NO_DAMPING,
    Actuation,
    Damping,
    Limit,
    Mode,
    MoveRules,
    Policy,
    Rule,
    ScaleToZero,
    Selector,
)
from trimtab.core.roles import Role
from trimtab.core.signals import Sample
from trimtab.core.strategies.target import Target

OTHER = "accounts/acme/deployments/other"

moves = st.builds(
    MoveRules,
    stabilization_seconds=st.sampled_from([0.0, 40.0, 120.0]),
    limits=st.lists(
        st.builds(
            lambda period, kind, amount: Limit(period_seconds=period, **{kind: amount}),
            st.sampled_from([20.0, 60.0]),
            st.sampled_from(["percent", "replicas"]),
            st.integers(1, 100),
        ),
        max_size=2,
    ).map(tuple),
    cooldown_seconds=st.sampled_from([0.0, 45.0]),
)
dampings = st.sampled_from([NO_DAMPING, Damping(stabilization_seconds=30.0, cooldown_seconds=70.0)])


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    return Policy(
        name="p",
        selector=Selector(name=NAME),
        signals=(LOAD,),
        rules=(
            Rule(
                name="r",
                role=Role.DEMAND,
                strategy=Target(signal="load", target=10.0),
                up=draw(dampings),
                down=draw(dampings),
            ),
        ),
        mode=Mode.ADVISE,
        actuation=draw(st.sampled_from(Actuation)),
        min_replicas=draw(st.sampled_from([None, 2])),
        max_replicas=draw(st.sampled_from([None, 7])),
        scale_to_zero=draw(
            st.sampled_from([None, ScaleToZero(after_seconds=50.0, wake_on=("load",))])
        ),
        up=draw(moves),
        down=draw(moves),
    )


def a_deployment(name: str = NAME, replicas: int = 4) -> Deployment:
    return Deployment(
        name=name,
        min_replicas=0,
        max_replicas=12,
        desired_replicas=replicas,
        replica_count=replicas,
        pipeline=Pipeline(ready=replicas),
        created_at=START,
    )


def carried_out(engine: Engine, tick: Tick, deployment: Deployment, now: float) -> Deployment:
    for order in tick.orders:
        engine.record(Outcome(order=order, at=now, status=WriteStatus.APPLIED, sentence=""))
        deployment = replace(
            deployment,
            min_replicas=order.min_replicas,
            max_replicas=order.max_replicas,
            desired_replicas=order.to_replicas,
            replica_count=order.to_replicas,
            pipeline=Pipeline(ready=order.to_replicas),
            observed_at=now,
        )
    return deployment


def reborn(engine: Engine, policy: Policy) -> Engine:
    text = json.dumps(engine.memory.to_json())
    memory = Memory.from_json(json.loads(text))
    assert memory == engine.memory
    return Engine([policy], memory)


def a_load(random: Random, now: float) -> list[Sample]:
    if random.random() < 0.2:
        return []
    return [Sample(NAME, "load", now, random.choice([0.0, 8.0, 25.0, 60.0, 90.0]))]


def what_matters(decision: Decision) -> tuple[Any, ...]:
    return (decision.verdict, decision.current, decision.desired, decision.wanted, decision.bounds)


@settings(max_examples=40, deadline=None)
@given(policy=policies(), seed=st.integers(0, 2**32))
def test_a_shadow_decides_as_if_its_advice_had_been_carried_out_at_once(
    policy: Policy, seed: int
) -> None:
    random, now = Random(seed), START
    enforced = replace(policy, mode=Mode.ENFORCE)
    advising, acting = Engine([policy]), Engine([enforced])
    real = twin = a_deployment()
    for _ in range(50):
        now += random.choice([1.0, 10.0, 30.0])
        samples = a_load(random, now)
        if random.random() < 0.1:
            pin = Override(
                id=f"{random.getrandbits(32)}",
                kind=random.choice([OverrideKind.PAUSE, OverrideKind.PIN]),
                deployment=NAME,
                author="ana",
                reason="because",
                since=now,
                until=now + 60.0,
                replicas=random.randint(0, 12),
            )
            advising.give(pin)
            acting.give(pin)
        if random.random() < 0.05:
            advising, acting = reborn(advising, policy), reborn(acting, enforced)
        tick = advising.step(now, {NAME: real}, samples)
        assert tick.orders == (), "invariant 7: advice writes nothing"
        (advice,) = tick.decisions
        twin_tick = acting.step(now, {NAME: replace(twin, observed_at=now)}, samples)
        (action,) = twin_tick.decisions
        twin = carried_out(acting, twin_tick, twin, now)
        assert what_matters(advice) == what_matters(action)
        # The platform does as it likes with the real one: the shadow is not its business.
        count = random.randint(1, 6)
        real = replace(real, desired_replicas=count, pipeline=Pipeline(ready=count))


# The shadow begins at the real count, so the twins begin alike only if that is the same for both.
def test_the_twins_begin_alike() -> None:
    policy = Policy(name="p", selector=Selector(), rules=(), mode=Mode.ADVISE)
    (decision,) = Engine([policy]).step(START, {NAME: a_deployment()}).decisions
    assert (decision.current, decision.actual) == (4, 4)


@settings(max_examples=30, deadline=None)
@given(policy=policies(), seed=st.integers(0, 2**32))
def test_whatever_happens_advice_writes_nothing_and_starts_anew_from_what_is_real(
    policy: Policy, seed: int
) -> None:
    random, now = Random(seed), START
    engine, mode, deployment = Engine([policy]), Mode.ADVISE, a_deployment()
    wire = (deployment.min_replicas, deployment.max_replicas)
    is_new = True
    for _ in range(50):
        now += random.choice([1.0, 10.0, 30.0])
        chance = random.random()
        if chance < 0.1:
            mode = random.choice(list(Mode))
            engine.replace_policies([replace(policy, mode=mode)])
        elif chance < 0.2:
            low = random.choice([0, 1])
            high = random.choice([5, 9, 12])
            deployment = replace(deployment, min_replicas=low, max_replicas=high)
        elif chance < 0.35:
            state = random.choice([State.READY, State.READY, State.FAILED, State.CREATING])
            deployment = replace(deployment, state=state)
        elif chance < 0.4:
            engine = reborn(engine, replace(policy, mode=mode))
        if random.random() < 0.3 and not deployment.is_pinned:
            deployment = replace(deployment, desired_replicas=random.randint(1, 5))
        tick = engine.step(now, {NAME: replace(deployment, observed_at=now)}, a_load(random, now))
        (decision,) = tick.decisions
        if mode is Mode.ENFORCE:
            assert decision.actual is None
            assert engine.memory.deployments[NAME].shadow is None
            deployment = carried_out(engine, tick, deployment, now)
            is_new = True
            continue
        assert tick.orders == ()
        found = (deployment.min_replicas, deployment.max_replicas)
        if deployment.state is not State.READY or is_new or found != wire:
            assert decision.current == decision.actual, "the shadow begins at the real count"
        is_new = deployment.state is not State.READY
        wire = found


@settings(max_examples=25, deadline=None)
@given(policy=policies(), seed=st.integers(0, 2**32))
def test_what_is_advised_beside_it_changes_nothing_for_what_is_enforced(
    policy: Policy, seed: int
) -> None:
    random, now = Random(seed), START
    enforced = replace(policy, mode=Mode.ENFORCE, name="q", selector=Selector(name=OTHER))
    alone, beside = Engine([enforced]), Engine([policy, enforced])
    one = other = a_deployment(OTHER)
    for _ in range(40):
        now += random.choice([1.0, 10.0, 30.0])
        load = [sample._replace(deployment=OTHER) for sample in a_load(random, now)]
        tick = alone.step(now, {OTHER: replace(one, observed_at=now)}, load)
        one = carried_out(alone, tick, one, now)
        fleet = {NAME: a_deployment(), OTHER: replace(other, observed_at=now)}
        both = beside.step(now, fleet, [*load, *a_load(random, now)])
        other = carried_out(beside, both, other, now)
        assert tick.decisions[0] == next(d for d in both.decisions if d.deployment == OTHER)
        assert tick.orders == both.orders


@settings(max_examples=30, deadline=None)
@given(policy=policies(), seed=st.integers(0, 2**32))
def test_moves_that_were_only_advised_count_for_no_limit_once_the_policy_enforces(
    policy: Policy, seed: int
) -> None:
    """Only real moves do, those from before the advice too."""
    random, now = Random(seed), START
    enforced = replace(policy, mode=Mode.ENFORCE)
    engine, deployment = Engine([enforced]), a_deployment()
    for _ in range(10):
        now += random.choice([1.0, 10.0])
        tick = engine.step(now, {NAME: replace(deployment, observed_at=now)}, a_load(random, now))
        deployment = carried_out(engine, tick, deployment, now)
    before = engine.memory.deployments[NAME]
    engine.replace_policies([policy])
    for _ in range(10):
        now += random.choice([1.0, 10.0])
        engine.step(now, {NAME: replace(deployment, observed_at=now)}, a_load(random, now))
    engine.replace_policies([enforced])
    now += 1.0
    engine.step(now, {NAME: replace(deployment, observed_at=now)})
    after = engine.memory.deployments[NAME]
    assert after.moves == before.moves
    for rule, damped in after.damped.items():
        known = before.damped.get(rule)
        assert damped.moved == (None if known is None else known.moved)
