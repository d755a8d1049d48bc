"""Replicas that do not come, capacity that is refused, and those who step in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.worlds.engine_world import LOAD, NAME, START, World, a_deployment, a_policy, world

from trimtab.core.capacity import pause_seconds
from trimtab.core.decision import (
    Decision,
    EventKind,
    Hold,
    Outcome,
    Reason,
    ScaleDown,
    ScaleUp,
    WriteStatus,
)
from trimtab.core.deployment import Deployment, Pipeline, State
from trimtab.core.engine import Engine
from trimtab.core.policy import Mode, Policy, Rule, ScaleToZero, Selector
from trimtab.core.roles import Role
from trimtab.core.signals import Sample
from trimtab.core.strategies.fixed import Fixed
from trimtab.core.strategies.step import Adjustment, Side, Step, StepAdjustment
from trimtab.errors import ErrorKind

SPARE = "accounts/acme/deployments/spare"
THIRD = "accounts/acme/deployments/third"


def kinds(w: World) -> list[EventKind]:
    assert w.last_tick is not None
    return [event.kind for event in w.last_tick.events]


def stuck(**changes: Any) -> World:
    """Two of four serve, the others have not come for ten minutes."""
    w = world(4, deployment={"pipeline": Pipeline(ready=2, pending=2)}, **changes)
    w.step(load=40.0)
    w.step(after=600.0, load=40.0)
    assert EventKind.STUCK in kinds(w)
    return w


# -- stuck --------------------------------------------------------------------------------------


def test_a_stuck_deployment_asks_for_no_more() -> None:
    decision = stuck().step(after=15.0, load=90.0)
    assert decision.verdict == Hold(Reason.STUCK)
    assert "2 replicas asked for do not come (2 pending), stuck for 15 s" in decision.sentence


def test_not_even_bounds_or_a_wake_make_it_ask_for_more() -> None:
    w = world(2, deployment={"pipeline": Pipeline(ready=1, pending=1)}, min_replicas=4)
    w.deployment = replace(w.deployment, state=State.UPDATING)
    w.step(load=20.0)
    w.step(after=600.0, load=20.0)
    w.deployment = replace(w.deployment, state=State.READY)
    assert w.step(after=15.0, load=20.0).verdict == Hold(Reason.STUCK)


def test_a_stuck_deployment_may_ask_for_fewer_as_its_policy_says() -> None:
    w = stuck()
    w.step(after=15.0, load=10.0)
    assert w.step(after=301.0, load=10.0).verdict == ScaleDown(Reason.DEMAND)


def test_being_stuck_by_itself_lowers_nothing() -> None:
    w = stuck()
    for _ in range(30):
        assert w.step(after=60.0, load=40.0).verdict == Hold(Reason.STEADY)


def test_it_ends_when_the_replicas_come() -> None:
    w = stuck()
    w.deployment = replace(w.deployment, pipeline=Pipeline(ready=4))
    assert w.step(after=15.0, load=70.0).verdict == ScaleUp(Reason.DEMAND)
    assert EventKind.UNSTUCK in kinds(w)


# -- capacity refused ---------------------------------------------------------------------------


def refused(message: str = "no accelerators", code: str = "RESOURCE_EXHAUSTED") -> World:
    pending = {"pipeline": Pipeline(ready=2, pending=2)}
    w = world(4, deployment=pending)
    w.step(load=40.0)
    w.deployment = replace(w.deployment, status_code=code, status_message=message)
    return w


def test_capacity_refused_in_the_status_blocks_the_way_up_and_is_told_once() -> None:
    w = refused()
    assert w.step(after=15.0, load=90.0).verdict == Hold(Reason.CAPACITY_REFUSED)
    assert kinds(w) == [EventKind.CAPACITY_REFUSED]
    w.restart()
    assert w.step(after=15.0, load=90.0).verdict == Hold(Reason.CAPACITY_REFUSED)
    assert kinds(w) == []


def test_the_text_of_a_quota_is_told_from_a_lack_of_accelerators() -> None:
    w = refused("global--h200-count for account acme, in use: 14, quota: 16, requesting: 4")
    assert w.step(after=15.0, load=90.0).verdict == Hold(Reason.QUOTA_EXCEEDED)


def test_refused_capacity_never_blocks_the_way_down() -> None:
    w = refused()
    w.step(after=15.0, load=10.0)
    assert w.step(after=301.0, load=10.0).verdict == ScaleDown(Reason.DEMAND)


def test_a_status_of_the_past_says_nothing_once_all_replicas_serve() -> None:
    w = refused()
    w.deployment = replace(w.deployment, pipeline=Pipeline(ready=4))
    assert w.step(after=15.0, load=70.0).verdict == ScaleUp(Reason.DEMAND)


def test_a_status_with_another_message_refuses_nothing() -> None:
    w = refused("rollout failed", code="INTERNAL")
    assert w.step(after=15.0, load=70.0).verdict == ScaleUp(Reason.DEMAND)


def test_it_is_over_when_replicas_come() -> None:
    w = refused()
    w.step(after=15.0, load=90.0)
    w.deployment = replace(
        w.deployment, status_code="", status_message="", pipeline=Pipeline(ready=3, pending=1)
    )
    assert w.step(after=15.0, load=70.0).verdict == ScaleUp(Reason.DEMAND)
    assert EventKind.CAPACITY_AVAILABLE in kinds(w)


def test_it_is_over_an_hour_after_the_last_pause_if_nothing_was_refused_since() -> None:
    w = refused()
    w.step(after=15.0, load=20.0)
    w.deployment = replace(w.deployment, status_code="", status_message="")
    w.step(after=60.0 + 3599.0, load=40.0)
    assert EventKind.CAPACITY_AVAILABLE not in kinds(w)
    w.step(after=1.0, load=40.0)
    assert EventKind.CAPACITY_AVAILABLE in kinds(w)


def refuse_write(w: World) -> None:
    (order,) = w.orders
    w.engine.record(
        Outcome(
            order=order,
            at=w.now,
            status=WriteStatus.NOT_APPLIED,
            sentence="quota",
            error_kind=ErrorKind.QUOTA_EXCEEDED,
        )
    )


def test_a_write_refused_for_the_quota_is_not_repeated_before_a_doubling_pause_is_over() -> None:
    w = world(2)
    w.step(load=60.0)
    for pause in (60.0, 120.0, 240.0):
        refuse_write(w)
        decision = w.step(after=pause - 1.0, load=60.0)
        assert decision.verdict == Hold(Reason.QUOTA_EXCEEDED)
        w.restart()
        assert w.step(after=0.5, load=60.0).verdict == Hold(Reason.QUOTA_EXCEEDED)
        assert w.step(after=0.5, load=60.0).verdict == ScaleUp(Reason.DEMAND)


def test_the_pause_is_never_longer_than_an_hour() -> None:
    assert [pause_seconds(count) for count in (1, 2, 7, 400)] == [60.0, 120.0, 3600.0, 3600.0]


def test_an_accepted_write_ends_a_quota() -> None:
    w = world(2)
    w.step(load=60.0)
    refuse_write(w)
    w.act(after=60.0, load=60.0)
    w.step(after=15.0, load=60.0)
    assert EventKind.CAPACITY_AVAILABLE in kinds(w)
    w.step(after=100.0, load=90.0)
    refuse_write(w)
    w.step(after=1.0, load=90.0)
    assert w.step(after=59.0, load=90.0).verdict == ScaleUp(Reason.DEMAND), "a first pause again"


def test_a_refused_write_down_blocks_nothing() -> None:
    w = world(4)
    w.step(load=10.0)
    w.step(after=301.0, load=10.0)
    refuse_write(w)
    assert w.step(after=15.0, load=70.0).verdict == ScaleUp(Reason.DEMAND)


# -- stepping in --------------------------------------------------------------------------------


class Fleet:
    """chat is stuck: it has 2 of the 4 that it asked for. spare and third may step in."""

    def __init__(self, **chat: Any) -> None:
        self.now = START
        self.loads = {NAME: 40.0, SPARE: 20.0, THIRD: 10.0}
        pending = {"pipeline": Pipeline(ready=2, pending=2)}
        self.fleet = {
            NAME: a_deployment(4, **pending),
            SPARE: replace(a_deployment(2), name=SPARE),
            THIRD: replace(a_deployment(1), name=THIRD),
        }
        self.policies = {
            NAME: a_policy(**({"fallback_to": (SPARE, THIRD)} | chat)),
            SPARE: a_policy(name="spare", selector=Selector(name=SPARE)),
            THIRD: a_policy(name="third", selector=Selector(name=THIRD)),
        }

    def begin(self) -> dict[str, Decision]:
        self.engine = Engine(self.policies.values())
        self.step()
        return self.step(after=600.0)

    def step(self, after: float = 0.0) -> dict[str, Decision]:
        self.now += after
        samples = [Sample(name, "load", self.now, load) for name, load in self.loads.items()]
        tick = self.engine.step(self.now, self.fleet, samples)
        for order in tick.orders:
            done = Outcome(order=order, at=self.now, status=WriteStatus.APPLIED, sentence="")
            self.engine.record(done)
            self.change(
                order.deployment,
                min_replicas=order.min_replicas,
                max_replicas=order.max_replicas,
                desired_replicas=order.to_replicas,
                pipeline=Pipeline(ready=order.to_replicas),
            )
        return {decision.deployment: decision for decision in tick.decisions}

    def change(self, name: str, **changes: Any) -> None:
        self.fleet[name] = replace(self.fleet[name], **changes)

    def policy(self, name: str, **changes: Any) -> None:
        self.policies[name] = replace(self.policies[name], **changes)


def test_the_first_of_the_list_makes_up_for_what_is_missing() -> None:
    decisions = Fleet().begin()
    assert decisions[SPARE].verdict == ScaleUp(Reason.RELIEF)
    assert (decisions[SPARE].current, decisions[SPARE].desired) == (2, 4)
    assert decisions[THIRD].verdict == Hold(Reason.STEADY)
    (step,) = [one for one in decisions[SPARE].trail if one.stage == "combine"]
    assert step.sentence == (
        f"load 20 in all, target 10 a replica: within tolerance, keeps 2; 2 for {NAME}, which is stuck: 4 in all"
    )


def test_it_makes_up_for_what_the_rules_of_the_stuck_one_want_within_its_bounds() -> None:
    f = Fleet(max_replicas=6)
    f.begin()
    f.loads[NAME] = 200.0
    f.step(after=15.0)
    assert f.step(after=15.0)[SPARE].wanted == 2 + (6 - 2)


def test_it_does_not_grow_from_tick_to_tick() -> None:
    f = Fleet()
    f.begin()
    for _ in range(20):
        assert f.step(after=60.0)[SPARE].desired == 4


def test_rules_that_reckon_from_the_count_do_not_add_to_the_help_at_every_tick() -> None:
    f = Fleet()
    one_more = StepAdjustment(
        side=Side.ABOVE, bound=1e9, adjustment=Adjustment.CHANGE, amount=1, breaches=1
    )
    steps = Rule(name="steps", role=Role.DEMAND, strategy=Step(signal="load", steps=(one_more,)))
    f.policy(SPARE, rules=(steps,))
    f.begin()
    for _ in range(20):
        assert f.step(after=60.0)[SPARE].desired == 4
    f.change(NAME, pipeline=Pipeline(ready=4))
    for _ in range(9):
        decision = f.step(after=60.0)[SPARE]
    assert decision.desired == 2


def test_it_ends_with_the_trouble_as_fast_as_its_own_policy_says() -> None:
    f = Fleet()
    f.begin()
    f.change(NAME, pipeline=Pipeline(ready=4))
    assert f.step(after=15.0)[SPARE].verdict == Hold(Reason.STABILIZING)
    for _ in range(8):
        decision = f.step(after=60.0)[SPARE]
    assert decision.desired == 2


@pytest.mark.parametrize(
    "trouble",
    [
        {"state": State.FAILED},
        {"state": State.UPDATING},
        {"expires_at": START},
        {"deleted_at": START + 9_000},
        {"min_replicas": 0, "max_replicas": 0, "desired_replicas": 0},
        {"pipeline": Pipeline(ready=1, pending=1)},
        {
            "pipeline": Pipeline(ready=1, pending=1),
            "status_code": "RESOURCE_EXHAUSTED",
            "status_message": "none left",
        },
    ],
    ids="-".join,
)
def test_who_is_in_trouble_too_is_passed_over(trouble: dict[str, Any]) -> None:
    f = Fleet()
    f.change(SPARE, **trouble)
    decisions = f.begin()
    assert decisions[THIRD].verdict == ScaleUp(Reason.RELIEF)
    assert decisions[SPARE].verdict != ScaleUp(Reason.RELIEF)


def test_who_only_advises_neither_helps_nor_is_helped() -> None:
    f = Fleet()
    f.policy(SPARE, mode=Mode.ADVISE)
    assert f.begin()[THIRD].verdict == ScaleUp(Reason.RELIEF)
    f = Fleet(mode=Mode.ADVISE)
    assert f.begin()[SPARE].verdict == Hold(Reason.STEADY)


def test_who_is_gone_is_passed_over() -> None:
    f = Fleet()
    del f.fleet[SPARE]
    assert f.begin()[THIRD].verdict == ScaleUp(Reason.RELIEF)


def test_two_that_name_each_other_do_not_help_in_circles() -> None:
    f = Fleet()
    f.policy(SPARE, fallback_to=(NAME,))
    f.change(SPARE, pipeline=Pipeline(ready=1, pending=1))
    decisions = f.begin()
    assert decisions[NAME].verdict == Hold(Reason.STEADY)
    assert decisions[THIRD].wanted == 1 + 2, "chat's two; spare's list ends with chat"


def test_help_is_not_passed_on_by_a_helper_that_gets_stuck() -> None:
    f = Fleet()
    f.policy(SPARE, fallback_to=(THIRD,))
    f.begin()
    f.change(SPARE, pipeline=Pipeline(ready=2, pending=2))
    f.step(after=15.0)
    decisions = f.step(after=600.0)
    assert decisions[THIRD].wanted == 1 + 2, "chat's two; by its own rules spare misses nothing"


def test_the_helpers_own_ceilings_and_bounds_hold() -> None:
    f = Fleet()
    cap = Rule(name="cap", role=Role.CEILING, strategy=Fixed(replicas=3))
    f.policy(SPARE, rules=(*f.policies[SPARE].rules, cap))
    assert f.begin()[SPARE].desired == 3
    f = Fleet()
    f.policy(SPARE, max_replicas=2)
    assert f.begin()[SPARE].verdict == Hold(Reason.AT_MAX)


def test_a_helper_whose_own_demand_is_unknown_is_left_as_it_is() -> None:
    f = Fleet()
    del f.loads[SPARE]
    assert f.begin()[SPARE].verdict == Hold(Reason.MISSING_DATA)
    for _ in range(5):
        assert f.step(after=60.0)[SPARE].desired == 2


def test_a_helper_that_trimtab_emptied_is_woken() -> None:
    f = Fleet()
    f.policy(SPARE, scale_to_zero=ScaleToZero(after_seconds=0.0, wake_on=("load",)))
    f.change(SPARE, min_replicas=0)
    f.change(NAME, pipeline=Pipeline(ready=4))
    f.loads[SPARE] = 0.0
    f.begin()
    for _ in range(9):
        f.step(after=60.0)
    assert f.fleet[SPARE].max_replicas == 0
    f.change(NAME, pipeline=Pipeline(ready=2, pending=2))
    f.step(after=15.0)
    assert f.step(after=600.0)[SPARE].desired >= 1


def test_nobody_is_named_by_default() -> None:
    policy = Policy(name="p", selector=Selector(name=NAME), rules=(), signals=(LOAD,))
    assert policy.fallback_to == ()
    assert isinstance(Fleet().fleet[NAME], Deployment)
