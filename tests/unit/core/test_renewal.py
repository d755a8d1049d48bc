"""When a decision stands although its rules have learned something, and when it has to be made anew."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from tests.worlds.any_fleet import Above
from tests.worlds.engine_world import START

from trimtab.core.deployment import Deployment, Pipeline
from trimtab.core.engine import Engine
from trimtab.core.policy import Damping, HoldRule, Mode, Policy, Rule, ScaleToZero, Selector
from trimtab.core.proposals import JsonValue, View, Wish
from trimtab.core.renewal import is_renewable
from trimtab.core.roles import Blocks, Role
from trimtab.core.signals import Sample, SignalSpec

NAME = "accounts/acme/deployments/chat"
CHAT = Deployment(
    name=NAME, max_replicas=9, desired_replicas=3, replica_count=3, pipeline=Pipeline(ready=3)
)


@dataclass(frozen=True, slots=True)
class Adding:
    """Remembers the sum of what it was told, and wants one replica for each ten told last."""

    signals: tuple[str, ...] = ("load", "beside")

    def propose(self, view: View, memory: JsonValue) -> Wish:
        value = view.readings["load"].value or 0.0
        if value == 13.0:
            raise RuntimeError("a bug")
        before = memory if isinstance(memory, float) else 0.0
        return Wish(-int(-value // 10.0), "adds", before + value)


POLICY = Policy(
    name="p",
    selector=Selector(name=NAME),
    rules=(Rule(name="adding", role=Role.DEMAND, strategy=Adding()),),
    signals=tuple(
        SignalSpec(name=name, source="s", query="q", max_age_seconds=seconds)
        for name, seconds in (("load", 600.0), ("beside", 60.0))
    ),
)


def decided(policy: Policy = POLICY) -> Engine:
    """After a decision on a load of 25, which found it with 3."""
    engine = Engine([policy])
    engine.step(START - 5.0, {NAME: CHAT})
    samples = [Sample(NAME, "load", START, 25.0), Sample(NAME, "beside", START, 1.0)]
    engine.step(START, {NAME: CHAT}, samples)
    return engine


def remembered(engine: Engine) -> JsonValue:
    memory = engine.remembered(NAME)
    assert memory is not None
    return memory.rules["adding"]


def test_a_rule_that_goes_on_to_wish_the_same_has_learned_and_its_decision_stands() -> None:
    engine = decided()
    assert engine.renew(NAME, START + 15.0, [Sample(NAME, "load", START + 15.0, 28.0)])
    assert remembered(engine) == ["Adding", 53.0]


@pytest.mark.parametrize("load", [31.0, 13.0], ids=["another wish", "a bug"])
def test_what_needs_a_decision_has_taught_the_rules_nothing_yet(load: float) -> None:
    engine = decided()
    assert not engine.renew(NAME, START + 15.0, [Sample(NAME, "load", START + 15.0, load)])
    assert remembered(engine) == ["Adding", 25.0]


def test_a_signal_that_is_stale_by_now_needs_a_decision_whatever_the_rules_wish() -> None:
    engine = decided()
    assert engine.renew(NAME, START + 60.0, ())
    assert not engine.renew(NAME, START + 61.0, ())


def test_without_a_decision_before_there_is_nothing_to_renew() -> None:
    engine = Engine([POLICY])
    engine.step(START, {NAME: CHAT}, due=())
    assert not engine.renew(NAME, START + 15.0, ())


@pytest.mark.parametrize(
    "policy",
    [
        replace(POLICY, mode=Mode.ADVISE),
        replace(POLICY, scale_to_zero=ScaleToZero(after_seconds=60.0, wake_on=("load",))),
        replace(
            POLICY,
            holds=(HoldRule(name="above", condition=Above("load", 26.0), blocks=Blocks.DOWN),),
        ),
        replace(POLICY, rules=(replace(POLICY.rules[0], up=Damping(cooldown_seconds=9.0)),)),
        replace(POLICY, rules=(replace(POLICY.rules[0], down=Damping(stabilization_seconds=9.0)),)),
    ],
    ids=["a shadow", "a wake", "a condition", "a pause of one rule", "a window of one rule"],
)
def test_policies_of_which_wishes_are_not_all_are_decided_on(policy: Policy) -> None:
    assert is_renewable(POLICY)
    assert not is_renewable(policy)
