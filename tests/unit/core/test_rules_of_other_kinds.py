"""Holds, fallback, scaling to zero and back, and the damping of single rules and directions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from tests.worlds.engine_world import BUSY, LOAD, World, world

from trimtab.core.decision import Hold, Reason, ScaleDown, ScaleUp
from trimtab.core.expressions import Answer
from trimtab.core.policy import (
    Damping,
    Fallback,
    HoldRule,
    MoveRules,
    Rule,
    ScaleToZero,
)
from trimtab.core.proposals import JsonValue, View, Wish
from trimtab.core.roles import Blocks, Role
from trimtab.core.signals import OnMissing, SignalSpec
from trimtab.core.strategies.fixed import Fixed
from trimtab.core.strategies.target import Target

ERRORS = SignalSpec(name="errors", source="s", query="q", max_age_seconds=60.0)
FREE = MoveRules(stabilization_seconds=0.0)


@dataclass(frozen=True)
class ErrorsAbove:
    """The condition of a bad rollout."""

    threshold: float = 0.05

    @property
    def text(self) -> str:
        return f"signals.errors > {self.threshold}"

    @property
    def signals(self) -> tuple[str, ...]:
        return ("errors",)

    def evaluate(self, view: View) -> Answer:
        value = view.readings["errors"].value
        if value is None:
            return Answer(value=None, sentence="errors cannot be used")
        return Answer(value=value > self.threshold, sentence=f"errors is {value:.2g}")


@dataclass(frozen=True)
class Abstaining:
    """A rule that has nothing to say at this time, as a schedule outside its windows."""

    @property
    def signals(self) -> tuple[str, ...]:
        return ()

    def propose(self, view: View, memory: JsonValue) -> Wish:
        return Wish(replicas=None, sentence="outside its windows", is_abstaining=True)


@dataclass(frozen=True)
class Exactly:
    """A rule that asks for a count and lets nobody go beyond it."""

    replicas: int

    @property
    def signals(self) -> tuple[str, ...]:
        return ()

    def propose(self, view: View, memory: JsonValue) -> Wish:
        return Wish(replicas=self.replicas, at_most=self.replicas, sentence="exactly that")


def held(blocks: Blocks, replicas: int = 4) -> World:
    hold = HoldRule(name="bad-rollout", condition=ErrorsAbove(), blocks=blocks)
    return world(replicas, signals=(LOAD, ERRORS), holds=(hold,), down=FREE)


def test_a_hold_blocks_its_direction_while_its_condition_is_true() -> None:
    w = held(Blocks.UP)
    decision = w.act(after=1.0, load=80.0, errors=0.2)
    assert decision.verdict == Hold(Reason.BLOCKED_BY_RULE)
    assert "hold bad-rollout blocks the way up: errors is 0.2" in decision.sentence
    assert w.act(after=1.0, load=80.0, errors=0.01).verdict == ScaleUp(Reason.DEMAND)


def test_a_hold_leaves_the_other_direction_free() -> None:
    w = held(Blocks.UP)
    assert w.act(after=1.0, load=10.0, errors=0.2).verdict == ScaleDown(Reason.DEMAND)


@pytest.mark.parametrize("load", [80.0, 10.0])
def test_a_hold_may_block_both(load: float) -> None:
    w = held(Blocks.BOTH)
    assert w.act(after=1.0, load=load, errors=0.2).verdict == Hold(Reason.BLOCKED_BY_RULE)


def test_a_hold_does_not_keep_a_deployment_outside_its_bounds() -> None:
    w = held(Blocks.BOTH)
    w.policy = replace(w.policy, max_replicas=3)
    w.engine.replace_policies([w.policy])
    assert w.act(after=1.0, load=40.0, errors=0.2).verdict == ScaleDown(Reason.BOUNDS)


def test_a_hold_that_cannot_be_told_follows_its_signals_contract() -> None:
    w = held(Blocks.UP)  # errors: missing {up: ignore, down: block}
    assert w.act(after=1.0, load=80.0).verdict == ScaleUp(Reason.DEMAND)
    strict = replace(ERRORS, missing_up=OnMissing.BLOCK)
    w.policy = replace(w.policy, signals=(LOAD, strict))
    w.engine.replace_policies([w.policy])
    assert w.act(after=61.0, load=95.0).verdict == Hold(Reason.MISSING_DATA)


def test_a_fallback_raises_once_demand_has_been_unknown_for_long_enough() -> None:
    w = world(2, fallback=Fallback(after_seconds=300.0, replicas=6), up=FREE)
    w.act(load=20.0)
    assert w.act(after=100.0).verdict == Hold(Reason.MISSING_DATA)
    assert w.act(after=299.0).verdict == Hold(Reason.MISSING_DATA)
    decision = w.act(after=1.0)
    assert (decision.verdict, decision.desired) == (ScaleUp(Reason.FALLBACK), 6)


def test_a_fallback_never_lowers() -> None:
    w = world(8, fallback=Fallback(after_seconds=0.0, replicas=3))
    assert w.act(after=1.0).verdict == Hold(Reason.MISSING_DATA)


def test_a_fallback_begins_anew_when_data_comes_back() -> None:
    w = world(2, fallback=Fallback(after_seconds=300.0, replicas=6))
    w.act()
    w.act(after=200.0, load=20.0)
    w.act(after=100.0)
    assert w.act(after=250.0).verdict == Hold(Reason.MISSING_DATA)


TO_ZERO = ScaleToZero(after_seconds=900.0, wake_on=("load",))


def idle_world(replicas: int = 1) -> World:
    return world(replicas, scale_to_zero=TO_ZERO, down=FREE, deployment={"min_replicas": 0})


def test_the_last_replica_goes_after_a_time_without_demand() -> None:
    w = idle_world()
    w.act(load=0.0)
    decision = w.act(after=899.0, load=0.0)
    assert decision.verdict == Hold(Reason.AT_MIN)
    assert "goes after 900 s without demand" in decision.sentence
    assert w.act(after=1.0, load=0.0).desired == 0


def test_zero_is_the_last_step_of_the_ladder() -> None:
    w = idle_world(replicas=3)
    assert w.act(after=1.0, load=0.0).desired == 1
    assert w.act(after=15.0, load=0.0).desired == 1
    assert w.act(after=900.0, load=0.0).desired == 0


def test_any_demand_in_between_begins_the_wait_anew() -> None:
    w = idle_world()
    w.act(load=0.0)
    w.act(after=600.0, load=0.5)
    w.act(after=1.0, load=0.0)
    assert w.act(after=600.0, load=0.0).verdict == Hold(Reason.AT_MIN)


def test_unknown_demand_is_not_idle() -> None:
    w = idle_world()
    w.act(load=0.0)
    w.act(after=450.0)
    assert w.act(after=451.0, load=0.0).verdict == Hold(Reason.AT_MIN)


def test_any_load_wakes_from_zero_at_once() -> None:
    w = idle_world()
    w.act(load=0.0)
    w.act(after=901.0, load=0.0)
    assert w.deployment.max_replicas == 0
    assert w.act(after=60.0, load=0.0).verdict == Hold(Reason.STEADY)
    decision = w.act(after=60.0, load=0.1)
    assert decision.desired == 1
    assert not isinstance(decision.verdict, Hold)


def test_a_wake_signal_wakes_even_where_no_demand_can_be_told() -> None:
    w = world(
        1,
        signals=(LOAD, BUSY),
        rules=(Rule(name="busy", role=Role.DEMAND, strategy=Target(signal="busy", target=10.0)),),
        scale_to_zero=TO_ZERO,
        down=FREE,
        deployment={"min_replicas": 0},
    )
    w.act(load=0.0, busy=0.0)
    w.act(after=901.0, load=0.0, busy=0.0)
    assert w.deployment.desired_replicas == 0
    assert w.act(after=120.0, load=3.0).verdict == ScaleUp(Reason.WAKE)


def test_a_deployment_that_we_put_to_sleep_is_not_mistaken_for_parked_after_a_restart() -> None:
    w = idle_world()
    w.act(load=0.0)
    w.act(after=901.0, load=0.0)
    w.restart()
    assert w.act(after=60.0, load=5.0).desired == 1


def test_a_cooldown_holds_a_direction_after_any_move() -> None:
    w = world(2, up=FREE, down=replace(FREE, cooldown_seconds=120.0))
    w.act(load=60.0)
    decision = w.act(after=100.0, load=10.0)
    assert decision.verdict == Hold(Reason.COOLDOWN)
    assert "another 20 s" in decision.sentence
    assert w.act(after=20.0, load=10.0).verdict == ScaleDown(Reason.DEMAND)


def test_a_cooldown_outlives_a_restart() -> None:
    w = world(2, up=FREE, down=replace(FREE, cooldown_seconds=120.0))
    w.act(load=60.0)
    w.restart()
    assert w.act(after=100.0, load=10.0).verdict == Hold(Reason.COOLDOWN)


def damped(up: Damping, down: Damping) -> Rule:
    target = Target(signal="load", target=10.0)
    return Rule(name="slow", role=Role.DEMAND, strategy=target, up=up, down=down)


def test_a_rule_may_have_a_window_of_its_own() -> None:
    slow = damped(Damping(stabilization_seconds=60.0), Damping())
    quick = Rule(name="quick", role=Role.DEMAND, strategy=Target(signal="busy", target=10.0))
    w = world(2, signals=(LOAD, BUSY), rules=(slow, quick), up=FREE)
    w.act(load=20.0, busy=10.0)
    assert w.act(after=30.0, load=90.0, busy=10.0).verdict == Hold(Reason.STEADY)
    assert w.act(after=1.0, load=90.0, busy=20.0).desired == 4
    assert w.act(after=60.0, load=90.0, busy=10.0).desired == 9


def test_a_rules_own_cooldown_counts_from_the_moves_it_caused() -> None:
    slow = damped(Damping(), Damping(cooldown_seconds=100.0))
    w = world(2, rules=(slow,), up=FREE, down=FREE)
    w.act(load=50.0)
    w.restart()
    assert w.act(after=60.0, load=10.0).verdict == Hold(Reason.STEADY)
    assert w.act(after=40.0, load=10.0).desired == 1


def test_a_rule_that_abstains_is_not_missing_data() -> None:
    rules = (
        Rule(name="night", role=Role.DEMAND, strategy=Abstaining()),
        Rule(name="load", role=Role.DEMAND, strategy=Target(signal="load", target=10.0)),
    )
    assert world(2, rules=rules, down=FREE).act(after=1.0, load=10.0).desired == 1
    assert world(2, rules=rules[:1]).act(after=1.0).verdict == Hold(Reason.STEADY)


def test_an_exact_count_is_a_floor_and_a_ceiling_at_once() -> None:
    rules = (
        Rule(name="fair", role=Role.FLOOR, strategy=Exactly(5)),
        Rule(name="load", role=Role.DEMAND, strategy=Target(signal="load", target=10.0)),
    )
    assert world(2, rules=rules, up=FREE).act(load=90.0).desired == 5
    assert world(2, rules=rules, up=FREE).act(load=10.0).desired == 5


def test_the_rule_that_decided_is_named() -> None:
    rules = (
        Rule(name="three", role=Role.DEMAND, strategy=Fixed(replicas=3)),
        Rule(name="load", role=Role.DEMAND, strategy=Target(signal="load", target=10.0)),
    )
    w = world(2, rules=rules)
    assert w.step(load=40.0).rule == "load"
    assert w.orders[0].rule == "load"
