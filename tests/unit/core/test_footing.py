"""Which new samples leave a decision standing: told from the policy and what it saw."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.worlds.any_fleet import Above
from tests.worlds.engine_world import START

from trimtab.core.deployment import Deployment, Pipeline
from trimtab.core.engine import Engine
from trimtab.core.policy import HoldRule, Policy, Rule, ScaleToZero, Selector
from trimtab.core.roles import Blocks, Role
from trimtab.core.signals import Sample, SignalSpec
from trimtab.core.strategies.fixed import Fixed
from trimtab.core.strategies.interface import Strategy
from trimtab.core.strategies.queue import Queue
from trimtab.core.strategies.target import Target

NAME = "accounts/acme/deployments/chat"
CHAT = Deployment(
    name=NAME, max_replicas=9, desired_replicas=3, replica_count=3, pipeline=Pipeline(ready=3)
)
BY_LOAD = Target(signal="load", target=10.0)


def a_policy(*strategies: Strategy, **changes: object) -> Policy:
    specs = [
        SignalSpec(name=name, source="s", query="q", max_age_seconds=60.0)
        for name in ("load", "queued")
    ]
    rules = [
        Rule(name=f"r{number}", role=Role.DEMAND, strategy=one)
        for number, one in enumerate(strategies)
    ]
    policy = Policy(
        name="p", selector=Selector(name=NAME), rules=tuple(rules), signals=tuple(specs)
    )
    return replace(policy, **changes)  # type: ignore[arg-type]  # fields by name


def after_a_decision(policy: Policy, load: float = 25.0, *, queued: float | None = None) -> Engine:
    engine = Engine([policy])
    samples = [Sample(NAME, "load", START, load)]
    samples += [] if queued is None else [Sample(NAME, "queued", START, queued)]
    engine.step(
        START - 5.0, {NAME: CHAT}
    )  # the count it was found with is a wish of its own second
    engine.step(START, {NAME: CHAT}, samples)
    return engine


def moves(engine: Engine, value: float, signal: str = "load", replicas: int | None = None) -> bool:
    return engine.is_moved_by(Sample(NAME, signal, START + 1.0, value, replicas))


def test_a_load_that_asks_for_the_same_count_moves_nothing_and_one_that_does_not_may() -> None:
    engine = after_a_decision(a_policy(BY_LOAD))
    assert not moves(engine, 21.0)
    assert not moves(engine, 26.9)
    assert moves(engine, 19.9)
    assert moves(engine, 33.1)


def test_within_the_tolerance_of_the_target_nothing_is_moved() -> None:
    engine = after_a_decision(a_policy(BY_LOAD), load=30.0)
    assert not moves(engine, 32.9)
    assert not moves(engine, 27.1)


def test_before_anything_was_decided_every_sample_may_move_something() -> None:
    engine = Engine([a_policy(BY_LOAD)])
    assert moves(engine, 25.0)
    engine.step(START, {NAME: CHAT})
    assert moves(engine, 25.0), "nothing was known of the load"


def test_after_other_policies_and_after_the_end_every_sample_may_move_something() -> None:
    engine = after_a_decision(a_policy(BY_LOAD))
    engine.replace_policies([a_policy(BY_LOAD)])
    assert moves(engine, 25.0)
    engine = after_a_decision(a_policy(BY_LOAD))
    engine.step(START + 1.0, {})
    assert moves(engine, 25.0)


def test_another_number_of_replicas_behind_an_average_may_move_something() -> None:
    assert moves(after_a_decision(a_policy(BY_LOAD)), 25.0, replicas=2)


def test_a_signal_that_a_condition_looks_at_may_always_move_something() -> None:
    hold = HoldRule(name="h", condition=Above("load", 100.0), blocks=Blocks.UP)
    assert moves(after_a_decision(a_policy(BY_LOAD, holds=(hold,))), 25.0)


@pytest.mark.parametrize("other", [Queue(signal="load", target=10.0)])
def test_a_signal_that_any_strategy_counts_or_remembers_may_always_move_something(
    other: Strategy,
) -> None:
    assert moves(after_a_decision(a_policy(BY_LOAD, other)), 25.0)


def test_a_signal_that_was_missing_and_is_heard_may_move_something() -> None:
    assert moves(after_a_decision(a_policy(BY_LOAD)), 0.0, "queued"), "missing data blocks moves"


def test_a_signal_that_no_rule_reads_moves_nothing_while_it_is_there() -> None:
    engine = after_a_decision(a_policy(BY_LOAD), queued=3.0)
    assert not moves(engine, 1e9, "queued")
    assert not moves(engine, 0.0, "queued")


def test_a_wake_signal_moves_something_when_it_begins_and_when_it_ends_to_show_load() -> None:
    to_zero = ScaleToZero(after_seconds=60.0, wake_on=("queued",))
    idle = after_a_decision(a_policy(Fixed(replicas=0), scale_to_zero=to_zero), queued=0.0)
    assert not moves(idle, 0.0, "queued")
    assert moves(idle, 1e-9, "queued")
    busy = after_a_decision(a_policy(Fixed(replicas=0), scale_to_zero=to_zero), queued=2.0)
    assert not moves(busy, 1e-9, "queued")
    assert moves(busy, 0.0, "queued")


def test_while_the_windows_do_not_tell_the_last_wish_every_sample_may_move_something() -> None:
    engine = Engine([a_policy(BY_LOAD)])
    fleet = {NAME: CHAT}
    engine.step(START, fleet, [Sample(NAME, "load", START, 85.0)])
    engine.step(START + 0.2, fleet, [Sample(NAME, "load", START + 0.2, 25.0)])
    assert moves(engine, 25.0), "both wishes share an entry of their second"
    engine.step(START + 2.0, fleet)
    assert not moves(engine, 25.0)
