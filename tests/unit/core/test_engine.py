from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest
from tests.worlds.engine_world import DEMAND, NAME, START, World, a_deployment, a_policy, world

from trimtab.core.decision import EventKind, Hold, Order, Outcome, Reason, ScaleUp, WriteStatus
from trimtab.core.engine import Engine
from trimtab.core.memory import Memory
from trimtab.core.orders import check, why_void
from trimtab.core.policy import (
    Actuation,
    Mode,
    Rule,
    Selector,
)
from trimtab.core.proposals import JsonValue, View, Wish
from trimtab.core.roles import Role
from trimtab.core.signals import Sample
from trimtab.errors import InvariantViolation

OTHER = "accounts/acme/deployments/other"


@dataclass(frozen=True)
class Broken:
    """A strategy with a bug."""

    replicas: int | None = None

    @property
    def signals(self) -> tuple[str, ...]:
        return ()

    def propose(self, view: View, memory: JsonValue) -> Wish:
        if self.replicas is not None:
            return Wish(replicas=self.replicas, sentence="nonsense")
        raise ZeroDivisionError("one over nothing")


@dataclass(frozen=True)
class Counting:
    """A strategy that remembers how often it was asked."""

    @property
    def signals(self) -> tuple[str, ...]:
        return ()

    def propose(self, view: View, memory: JsonValue) -> Wish:
        seen = memory if isinstance(memory, int) else 0
        return Wish(replicas=seen + 1, sentence=f"asked {seen + 1} times", memory=seen + 1)


@dataclass(frozen=True)
class Recalling:
    """A strategy that says what it remembers."""

    @property
    def signals(self) -> tuple[str, ...]:
        return ()

    def propose(self, view: View, memory: JsonValue) -> Wish:
        return Wish(replicas=1, sentence=f"remembers {memory}")


def test_the_trail_names_every_stage_in_order() -> None:
    decision = world(2).step(load=50.0)
    assert [step.stage for step in decision.trail] == [
        "freshness",
        "propose",
        "combine",
        "lifecycle",
        "behavior",
        "bounds",
    ]


def test_a_decision_says_in_one_sentence_what_and_why() -> None:
    assert world(2).step(load=50.0).sentence == (
        "scale up 2 → 5: load 50 in all, target 10 a replica: wants 5"
    )


@pytest.mark.parametrize(
    ("actuation", "wire"),
    [(Actuation.PIN, (5, 5)), (Actuation.FLOOR, (5, 10)), (Actuation.SCALE, (1, 10))],
)
def test_each_actuation_writes_absolute_numbers(
    actuation: Actuation, wire: tuple[int, int]
) -> None:
    w = world(2, actuation=actuation, deployment={"min_replicas": 1})
    w.step(load=50.0)
    (order,) = w.orders
    assert (order.min_replicas, order.max_replicas, order.to_replicas) == (*wire, 5)


def test_to_advise_is_to_decide_without_writing() -> None:
    w = world(2, mode=Mode.ADVISE)
    assert w.step(load=50.0).verdict == ScaleUp(Reason.DEMAND)
    assert w.orders == ()


def test_a_deployment_that_no_policy_matches_is_left_alone() -> None:
    engine = Engine([a_policy()])
    tick = engine.step(START, {OTHER: replace(a_deployment(), name=OTHER)})
    assert (tick.decisions, tick.orders, tick.events) == ((), (), ())


def test_two_policies_for_one_deployment_are_both_named_and_none_acts() -> None:
    rival = a_policy(name="rival", selector=Selector(display_name="*"))
    engine = Engine([a_policy(), rival])
    tick = engine.step(START, {NAME: a_deployment()}, [Sample(NAME, "load", START, 90.0)])
    (decision,) = tick.decisions
    assert decision.verdict == Hold(Reason.AMBIGUOUS_POLICY)
    assert "chat-prod, rival" in decision.sentence
    assert tick.orders == ()


def test_a_policy_taken_away_leaves_the_deployment_as_it_is() -> None:
    w = world(2)
    w.act(load=50.0)
    w.engine.replace_policies([])
    assert w.step(after=15.0, load=90.0).verdict == Hold(Reason.NO_POLICY)


@pytest.mark.parametrize("bug", [Broken(), Broken(replicas=-1), Broken(replicas=2**31)])
def test_a_bug_isolates_one_deployment_and_the_fleet_goes_on(bug: Broken) -> None:
    broken = a_policy(
        name="broken",
        selector=Selector(name=OTHER),
        rules=(Rule(name="bug", role=Role.DEMAND, strategy=bug),),
    )
    engine = Engine([broken, a_policy()])
    fleet = {OTHER: replace(a_deployment(), name=OTHER), NAME: a_deployment()}
    tick = engine.step(START, fleet, [Sample(NAME, "load", START, 50.0)])
    verdicts = {decision.deployment: decision.verdict for decision in tick.decisions}
    assert verdicts == {OTHER: Hold(Reason.INVARIANT), NAME: ScaleUp(Reason.DEMAND)}
    assert [order.deployment for order in tick.orders] == [NAME]


def test_only_those_that_are_due_are_decided_on() -> None:
    everyone = a_policy(selector=Selector())
    engine = Engine([everyone])
    fleet = {OTHER: replace(a_deployment(), name=OTHER), NAME: a_deployment()}
    tick = engine.step(START, fleet, due=[NAME])
    assert [decision.deployment for decision in tick.decisions] == [NAME]


def test_what_a_strategy_remembers_comes_back_and_survives_a_restart() -> None:
    w = World(
        a_policy(rules=(Rule(name="count", role=Role.DEMAND, strategy=Counting()), DEMAND)),
        a_deployment(4),
    )
    w.step(load=10.0)
    w.step(after=15.0, load=10.0)
    w.restart()
    assert w.step(after=15.0, load=10.0).proposals[0].sentence == "asked 3 times"


def test_a_rule_that_gets_another_strategy_begins_with_an_empty_memory() -> None:
    count = Rule(name="count", role=Role.DEMAND, strategy=Counting())
    w = World(a_policy(rules=(count,)), a_deployment(4))
    w.step()
    w.engine.replace_policies([a_policy(rules=(replace(count, strategy=Recalling()),))])
    assert w.step(after=15.0).proposals[0].sentence == "remembers None"


def test_the_memory_survives_as_json_text_bit_for_bit() -> None:
    w = world(2)
    for step in range(20):
        w.act(after=7.3, load=20.0 + 13.7 * (step % 5))
    memory = w.engine.memory
    assert Memory.from_json(json.loads(json.dumps(memory.to_json()))) == memory


def test_a_memory_of_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 99"):
        Memory.from_json({"format": 99, "deployments": {}})


def an_order() -> Order:
    w = world(2)
    w.step(load=50.0)
    return w.orders[0]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"desired_replicas": 3}, "the platform went from 2 to 3 replicas"),
        ({"min_replicas": 2}, "bounds went from 1-10 to 2-10"),
        ({"state_text": "UPDATING"}, "state went from READY to UPDATING"),
        ({"deleted_at": START}, "deletion"),
        ({"expires_at": START}, "expired"),
    ],
)
def test_an_order_is_void_when_the_world_has_moved_on(
    changes: dict[str, object], expected: str | None
) -> None:
    why = why_void(an_order(), replace(a_deployment(), **changes), START + 1)  # type: ignore[arg-type]  # fields by name
    assert (why is None) if expected is None else (why is not None and expected in why)


def test_an_order_for_a_deployment_that_is_gone_is_void() -> None:
    assert why_void(an_order(), None, START + 1) == "the deployment is gone"


@pytest.mark.parametrize(
    ("order_changes", "deployment_changes", "policy_changes", "expected"),
    [
        ({"to_replicas": 11}, {}, {}, "outside"),
        ({"to_replicas": 0}, {}, {}, "outside"),
        ({"to_replicas": 2}, {}, {}, "change nothing"),
        ({}, {"state": "FAILED"}, {}, "FAILED"),
        ({}, {"state": "UPDATING"}, {}, "UPDATING"),
        ({}, {"expires_at": START}, {}, "past its expiry"),
        ({}, {}, {"mode": Mode.ADVISE}, "only advises"),
    ],
)
def test_the_last_check_refuses_what_no_write_may_do(
    order_changes: dict[str, object],
    deployment_changes: dict[str, object],
    policy_changes: dict[str, object],
    expected: str,
) -> None:
    order = replace(an_order(), **order_changes)  # type: ignore[arg-type]  # fields by name
    with pytest.raises(InvariantViolation, match=expected):
        check(order, a_deployment(**deployment_changes), a_policy(**policy_changes), START)


def test_outcomes_of_orders_for_forgotten_deployments_are_ignored() -> None:
    w = world(2)
    w.step(load=50.0)
    (order,) = w.orders
    w.engine = Engine([w.policy])
    w.apply(order, WriteStatus.APPLIED)
    assert w.engine.memory.deployments == {}


def test_what_was_not_read_yet_does_not_look_deleted() -> None:
    w = world(2)
    w.step(load=20.0)
    later = Engine([w.policy], w.engine.memory)
    tick = later.step(w.now + 15.0, {}, absent=())
    assert tick.events == ()
    tick = later.step(w.now + 30.0, {}, absent=[NAME])
    assert [event.kind for event in tick.events] == [EventKind.GONE]


def test_an_order_of_an_earlier_run_holds_its_deployment_until_its_end_is_known() -> None:
    w = world(2)
    w.step(load=50.0)
    (order,) = w.orders
    w.engine = Engine([w.policy], w.engine.memory)
    w.engine.resume(order)
    assert w.step(after=15.0, load=50.0).verdict == Hold(Reason.WRITE_IN_FLIGHT)
    w.engine.record(Outcome(order=order, at=w.now, status=WriteStatus.VOID, sentence=""))
    assert isinstance(w.step(after=15.0, load=50.0).verdict, ScaleUp)
