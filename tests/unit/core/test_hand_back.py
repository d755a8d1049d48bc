from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from trimtab.core.adoption import annotations_for
from trimtab.core.decision import EventKind, Order, Outcome, Reason, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, State
from trimtab.core.engine import Engine
from trimtab.core.overrides import Override, OverrideKind
from trimtab.core.policy import Actuation, AtExpiry, Mode, Policy, Rule, Selector
from trimtab.core.roles import Role
from trimtab.core.strategies.fixed import Fixed

CHAT = "accounts/acme/deployments/chat"
NOW = 1_767_225_600.0


def a_deployment(**changes: Any) -> Deployment:
    fields: dict[str, Any] = {
        "name": CHAT,
        "min_replicas": 1,
        "max_replicas": 10,
        "desired_replicas": 2,
        "replica_count": 2,
        "pipeline": Pipeline(ready=2),
        "created_at": NOW - 86_400.0,
    }
    return Deployment(**(fields | changes))


def a_policy(**changes: Any) -> Policy:
    fields: dict[str, Any] = {
        "name": "chat",
        "selector": Selector(),
        "rules": (Rule(name="four", role=Role.DEMAND, strategy=Fixed(replicas=4)),),
        "hand_back": True,
    }
    return Policy(**(fields | changes))


class World:
    """One deployment that is written to, until trimtab stops."""

    def __init__(self, policy: Policy | None = None, **found: Any) -> None:
        self.engine = Engine([policy or a_policy()])
        self.deployment = a_deployment(**found)
        self.now = NOW

    def act(self) -> World:
        """Decide and carry out what was decided."""
        tick = self.engine.step(self.now, {CHAT: self.deployment})
        for order in tick.orders:
            self.carry_out(order)
        self.now += 15.0
        return self

    def carry_out(self, order: Order) -> None:
        self.deployment = replace(
            self.deployment,
            min_replicas=order.min_replicas,
            max_replicas=order.max_replicas,
            desired_replicas=order.to_replicas,
            replica_count=order.to_replicas,
            pipeline=Pipeline(ready=order.to_replicas),
            annotations={**self.deployment.annotations, **annotations_for(order)},
        )
        self.engine.record(
            Outcome(order=order, at=self.now, status=WriteStatus.APPLIED, sentence="")
        )

    def hand_back(self) -> tuple[Order, ...]:
        return self.engine.hand_back(self.now, {CHAT: self.deployment})


def test_a_pin_is_undone_and_the_count_stays() -> None:
    [order] = World().act().hand_back()
    assert (order.min_replicas, order.max_replicas) == (1, 10)
    assert (order.from_replicas, order.to_replicas) == (4, 4)
    assert (order.expected_min_replicas, order.expected_max_replicas) == (4, 4)
    assert order.reason is Reason.HAND_BACK


def test_a_floor_is_undone() -> None:
    [order] = World(a_policy(actuation=Actuation.FLOOR)).act().hand_back()
    assert (order.min_replicas, order.max_replicas) == (1, 10)
    assert order.actuation is Actuation.PIN, "both ends are written"


@pytest.mark.parametrize(
    "policy",
    [
        a_policy(hand_back=False),
        a_policy(mode=Mode.ADVISE),
        a_policy(actuation=Actuation.SCALE),
    ],
)
def test_nothing_is_handed_back_where_nothing_was_asked_or_written(policy: Policy) -> None:
    assert World(policy).act().hand_back() == ()


def test_what_was_never_written_is_left() -> None:
    assert World(pipeline=Pipeline(ready=4), desired_replicas=4).act().hand_back() == ()


@pytest.mark.parametrize(
    "change",
    [
        {"max_replicas": 8},
        {"min_replicas": 2, "max_replicas": 6},
        {"state": State.UPDATING},
        {"state": State.FAILED},
        {"deleted_at": NOW},
        {"purged_at": NOW},
        {"expires_at": NOW - 1},
    ],
)
def test_what_somebody_changed_or_no_state_allows_is_left(change: dict[str, Any]) -> None:
    world = World().act()
    world.deployment = replace(world.deployment, **change)
    assert world.hand_back() == ()


def test_a_range_that_is_a_guess_is_not_written_as_if_it_were_known() -> None:
    policy = a_policy(min_replicas=1, max_replicas=10)
    world = World(policy, min_replicas=3, max_replicas=3, desired_replicas=3).act()
    assert world.deployment.min_replicas == 4, "it was written to"
    assert world.hand_back() == ()


@pytest.mark.parametrize("kind", [OverrideKind.PAUSE, OverrideKind.PIN])
def test_a_persons_pause_or_pin_outlives_the_daemon(kind: OverrideKind) -> None:
    world = World().act()
    replicas = 4 if kind is OverrideKind.PIN else None
    world.engine.give(
        Override(
            id="o1",
            kind=kind,
            deployment=CHAT,
            author="ann",
            reason="launch",
            since=world.now,
            until=world.now + 3600,
            replicas=replicas,
        )
    )
    assert world.hand_back() == ()


def test_what_is_in_flight_is_left() -> None:
    world = World()
    world.engine.step(world.now, {CHAT: world.deployment})
    assert world.hand_back() == ()


def test_a_hand_back_counts_as_no_move() -> None:
    world = World().act()
    before = world.engine.memory.deployments[CHAT]
    [order] = world.hand_back()
    world.carry_out(order)
    after = world.engine.memory.deployments[CHAT]
    assert after.moves == before.moves
    assert after.watched == before.watched


@pytest.mark.parametrize("is_remembered", [True, False])
def test_the_next_run_finds_the_users_range_and_no_stranger(is_remembered: bool) -> None:
    world = World().act()
    [order] = world.hand_back()
    world.carry_out(order)
    # Meanwhile the platform scales within the range.
    world.deployment = replace(world.deployment, desired_replicas=7, replica_count=7)
    memory = world.engine.memory if is_remembered else None
    following = Engine([a_policy()], memory)
    tick = following.step(world.now + 600, {CHAT: world.deployment})
    assert EventKind.BOUNDS_CHANGED not in [event.kind for event in tick.events]
    user = following.memory.deployments[CHAT].user
    assert (user.min_replicas, user.max_replicas, user.is_believed) == (1, 10, True)
    assert tick.decisions[0].current == 7


def test_a_drained_deployment_stays_drained() -> None:
    world = World(a_policy(at_expiry=AtExpiry.DRAIN), expires_at=NOW - 1).act()
    assert world.deployment.max_replicas == 0
    assert world.hand_back() == ()
