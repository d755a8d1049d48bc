"""People's orders: what each does to a decision, which of several wins, how they end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.worlds.engine_world import NAME, START, World, a_policy, world

from trimtab.core.decision import EventKind, Hold, Order, Reason, ScaleDown, ScaleUp, WriteStatus
from trimtab.core.deployment import Pipeline, State
from trimtab.core.overrides import (
    NOTHING_ORDERED,
    OVERRIDES_MAX,
    Override,
    OverrideBook,
    OverrideKind,
    Standing,
    duration_in_words,
    override_from_json,
    override_to_json,
    standing_of,
    why_overridden,
)
from trimtab.core.policy import (
    Actuation,
    AtExpiry,
    Limit,
    MoveRules,
    Rule,
    ScaleToZero,
    Select,
)
from trimtab.core.roles import Blocks, Role
from trimtab.core.strategies.fixed import Fixed
from trimtab.errors import OverrideError

ELSEWHERE = "accounts/acme/deployments/code"
FREE = MoveRules(stabilization_seconds=0.0)
LATE = MoveRules(stabilization_seconds=300.0)


def an_override(kind: OverrideKind = OverrideKind.PAUSE, **changes: Any) -> Override:
    fields: dict[str, Any] = {
        "id": "o1",
        "kind": kind,
        "deployment": NAME,
        "author": "ana",
        "reason": "migration",
        "since": START,
        "until": START + 3600.0,
    }
    return Override(**(fields | changes))


def a_pin(replicas: int, **changes: Any) -> Override:
    return an_override(OverrideKind.PIN, replicas=replicas, **changes)


def a_block(blocks: Blocks, **changes: Any) -> Override:
    return an_override(OverrideKind.BLOCK, blocks=blocks, **changes)


def ordered(override: Override, replicas: int = 2, **settings: Any) -> World:
    w = world(replicas, **settings)
    w.engine.give(override)
    return w


# -- pause ----------------------------------------------------------------------------------------


def test_a_pause_holds_every_write_and_says_who_ordered_it() -> None:
    w = ordered(an_override())
    decision = w.step(load=90.0)
    assert decision.verdict == Hold(Reason.PAUSED)
    assert w.orders == ()
    assert "paused by ana for another 1 h: migration" in decision.sentence
    assert decision.wanted == 9


def test_a_paused_count_is_not_even_brought_back_within_its_bounds() -> None:
    w = ordered(an_override(), replicas=9, max_replicas=4)
    assert w.step(load=90.0).verdict == Hold(Reason.PAUSED)


def test_a_drain_at_expiry_waits_for_the_end_of_a_pause() -> None:
    w = ordered(an_override(), deployment={"expires_at": START - 1.0}, at_expiry=AtExpiry.DRAIN)
    assert w.step(load=0.0).verdict == Hold(Reason.PAUSED)
    w.engine.lift(["o1"])
    assert w.step(load=0.0).verdict == ScaleDown(Reason.EXPIRY_DRAIN)


def test_what_the_lifecycle_says_is_the_better_reason_under_a_pause() -> None:
    w = ordered(an_override(), deployment={"state": State.FAILED, "status_message": "no quota"})
    decision = w.step(load=90.0)
    assert decision.verdict == Hold(Reason.FAILED)
    assert [step.sentence for step in decision.trail if step.stage == "override"] == [
        "paused by ana for another 1 h: migration"
    ]


def test_the_rules_wishes_are_remembered_under_a_pause() -> None:
    """The rules wanted 6 a minute before the end, so a fall to 2 has to wait out its window."""
    w = ordered(an_override(until=START + 600.0), replicas=6, down=LATE)
    for _ in range(36):
        w.act(after=15.0, load=60.0)
    for _ in range(3):
        w.act(after=15.0, load=20.0)
    assert w.act(after=15.0, load=20.0).verdict == Hold(Reason.STABILIZING)


# -- pin ------------------------------------------------------------------------------------------


def test_a_pin_takes_the_place_of_what_the_rules_want() -> None:
    w = ordered(a_pin(4), up=FREE)
    decision = w.act(load=90.0)
    assert decision.verdict == ScaleUp(Reason.PINNED)
    assert (decision.desired, decision.wanted, decision.rule) == (4, 9, "")
    assert w.step(after=15.0, load=90.0).verdict == Hold(Reason.PINNED)


def test_a_pin_waits_for_no_window_and_no_cooldown() -> None:
    slow = MoveRules(stabilization_seconds=600.0, cooldown_seconds=600.0)
    w = world(8, down=slow, up=slow)
    w.step(load=80.0)
    assert isinstance(w.step(after=15.0, load=10.0).verdict, Hold)
    w.engine.give(a_pin(3))
    assert w.act(load=80.0).desired == 3


def test_the_rate_limits_hold_for_a_pin() -> None:
    half = MoveRules(stabilization_seconds=0.0, limits=(Limit(percent=50, period_seconds=60.0),))
    w = ordered(a_pin(1), replicas=8, down=half)
    assert w.act(load=80.0).desired == 4
    limited = w.act(after=15.0, load=80.0)
    assert limited.verdict == Hold(Reason.RATE_LIMITED)
    assert "pinned at 1 by ana" in limited.sentence
    assert "50 % in 60 s" in limited.sentence
    assert w.act(after=60.0, load=80.0).desired == 2


def test_a_direction_that_the_policy_disables_is_disabled_for_a_pin_too() -> None:
    w = ordered(a_pin(1), replicas=4, down=replace(FREE, select=Select.DISABLED))
    assert w.step(load=40.0).verdict == Hold(Reason.RATE_LIMITED)


@pytest.mark.parametrize(
    ("pinned", "desired", "reason", "named"),
    [
        (50, 6, Reason.PINNED, "at most 6 (policy chat-prod)"),
        (0, 3, Reason.BOUNDS, "at least 3 (policy chat-prod)"),
    ],
)
def test_a_pin_beyond_the_bounds_goes_as_far_as_they_allow_and_says_which(
    pinned: int, desired: int, reason: Reason, named: str
) -> None:
    w = ordered(a_pin(pinned), replicas=2, min_replicas=3, max_replicas=6, up=FREE, down=FREE)
    decision = w.act(load=20.0)
    assert (decision.desired, decision.verdict.reason) == (desired, reason)
    assert f"pinned at {pinned} by ana" in decision.sentence
    assert named in decision.sentence


def test_a_pin_holds_without_any_data() -> None:
    w = ordered(a_pin(5), up=FREE)
    decision = w.act()
    assert (decision.desired, decision.wanted) == (5, None)


def test_a_pin_lowers_without_any_data_because_a_person_said_so() -> None:
    w = ordered(a_pin(1), replicas=4, down=FREE)
    assert w.act().verdict == ScaleDown(Reason.PINNED)


@pytest.mark.parametrize("state", [State.CREATING, State.FAILED, State.DELETING, State.UPDATING])
def test_the_lifecycle_holds_for_a_pin(state: State) -> None:
    w = ordered(a_pin(1), replicas=4, deployment={"state": state}, down=FREE)
    w.step(load=40.0)
    assert w.orders == ()


def test_a_drain_at_expiry_goes_on_under_a_pin() -> None:
    w = ordered(a_pin(4), replicas=4, deployment={"expires_at": START}, at_expiry=AtExpiry.DRAIN)
    assert w.act(load=40.0).verdict == ScaleDown(Reason.EXPIRY_DRAIN)


def test_only_a_pin_at_zero_lets_the_last_replica_go_where_the_policy_does_not() -> None:
    w = world(1, deployment={"min_replicas": 0}, down=FREE)
    assert w.step(load=0.0).desired == 1
    w.engine.give(a_pin(0))
    decision = w.act(load=10.0)
    assert decision.verdict == ScaleDown(Reason.PINNED)
    assert (w.deployment.min_replicas, w.deployment.max_replicas) == (0, 0)


def test_a_pin_at_zero_goes_no_lower_than_the_deployments_own_minimum() -> None:
    w = ordered(a_pin(0), replicas=2, down=FREE)
    decision = w.act(load=0.0)
    assert decision.desired == 1
    assert "the deployment's own minimum" in decision.sentence


def test_a_deployment_that_a_pin_emptied_is_opened_when_the_pin_ends() -> None:
    """At 0/0 no traffic reaches it, so no rule would ever ask for a replica."""
    w = ordered(a_pin(0, until=START + 60.0), replicas=1, deployment={"min_replicas": 0}, down=FREE)
    w.act(load=0.0)
    assert w.act(after=30.0).verdict == Hold(Reason.PINNED)
    decision = w.act(after=30.0)
    assert decision.verdict == ScaleUp(Reason.BOUNDS)
    assert decision.desired == 1
    assert "scaling to zero is off" in decision.sentence


def test_where_the_policy_scales_to_zero_only_load_opens_it_again() -> None:
    to_zero = ScaleToZero(after_seconds=60.0, wake_on=("load",))
    w = ordered(
        a_pin(0, until=START + 60.0),
        replicas=1,
        deployment={"min_replicas": 0},
        down=FREE,
        scale_to_zero=to_zero,
    )
    w.act(load=0.0)
    assert w.act(after=60.0, load=0.0).desired == 0
    assert w.act(after=15.0, load=3.0).desired == 1


def test_a_wake_does_not_break_a_pin_at_zero() -> None:
    w = ordered(
        a_pin(0),
        replicas=1,
        deployment={"min_replicas": 0},
        down=FREE,
        scale_to_zero=ScaleToZero(after_seconds=60.0, wake_on=("load",)),
    )
    w.act(load=10.0)
    assert w.act(after=15.0, load=50.0).verdict == Hold(Reason.PINNED)


def test_a_pin_is_no_move_of_a_rule() -> None:
    w = ordered(a_pin(4), up=FREE)
    w.step(load=90.0)
    (order,) = w.orders
    assert (order.rule, order.reason) == ("", Reason.PINNED)


def test_when_a_pin_ends_the_windows_know_what_happened_meanwhile() -> None:
    """The rules wanted 7 a minute before the end, so a fall to 2 has to wait out its window."""
    w = ordered(a_pin(6, until=START + 600.0), replicas=6, down=LATE, up=FREE)
    for _ in range(36):
        w.act(after=15.0, load=70.0)
    for _ in range(4):
        w.act(after=15.0, load=20.0)
    decision = w.act(load=20.0)
    assert decision.verdict == Hold(Reason.STABILIZING)
    assert w.act(after=300.0, load=20.0).desired == 2


# -- block ----------------------------------------------------------------------------------------


def test_a_block_stops_the_rules_in_one_direction_only() -> None:
    w = ordered(a_block(Blocks.UP), replicas=4, up=FREE, down=FREE)
    up = w.act(load=90.0)
    assert up.verdict == Hold(Reason.BLOCKED_BY_OVERRIDE)
    assert "blocked up by ana" in up.sentence
    assert w.act(after=400.0, load=20.0).desired == 2


def test_the_bounds_move_a_count_that_a_block_would_leave() -> None:
    w = ordered(a_block(Blocks.UP), replicas=2, min_replicas=4, up=FREE)
    decision = w.act(load=90.0)
    assert decision.verdict == ScaleUp(Reason.BOUNDS)
    assert decision.desired == 4


def test_blocks_of_both_directions_stand_beside_each_other() -> None:
    w = ordered(a_block(Blocks.UP), replicas=4, up=FREE, down=FREE)
    w.engine.give(a_block(Blocks.DOWN, id="o2"))
    assert w.act(load=90.0).desired == 4
    assert w.act(after=400.0, load=10.0).desired == 4


# -- which of several -----------------------------------------------------------------------------


def test_a_pause_wins_over_a_pin_and_a_pin_over_a_block() -> None:
    w = ordered(a_block(Blocks.UP, id="block"), up=FREE)
    w.engine.give(a_pin(4, id="pin"))
    w.engine.give(an_override(id="pause"))
    assert w.act(load=90.0).verdict == Hold(Reason.PAUSED)
    w.engine.lift(["pause"])
    assert w.act(load=90.0).desired == 4
    w.engine.lift(["pin"])
    assert w.act(after=60.0, load=90.0).verdict == Hold(Reason.BLOCKED_BY_OVERRIDE)


def test_an_order_for_one_wins_over_one_for_all_of_the_same_kind_even_if_it_is_older() -> None:
    w = ordered(a_pin(4, id="one"), up=FREE)
    w.engine.give(a_pin(7, id="all", deployment=None, since=START + 1.0))
    assert w.act(load=90.0).desired == 4
    w.engine.lift(["one"])
    assert w.act(load=90.0).desired == 7


def test_a_newer_order_takes_the_place_of_an_older_one_of_its_kind() -> None:
    book = OverrideBook([a_pin(4, id="old"), an_override(id="pause")])
    replaced = book.give(a_pin(5, id="new"))
    assert [one.id for one in replaced] == ["old"]
    assert {one.id for one in book.overrides} == {"new", "pause"}


def test_what_is_ordered_for_another_deployment_changes_nothing() -> None:
    w = ordered(an_override(deployment=ELSEWHERE), up=FREE)
    assert w.act(load=40.0).desired == 4
    assert w.last_tick is not None
    (decision,) = w.last_tick.decisions
    assert "override" not in [step.stage for step in decision.trail]


def test_there_is_an_end_to_how_many_there_may_be() -> None:
    many = [an_override(id=f"o{n}", deployment=f"d{n}") for n in range(OVERRIDES_MAX)]
    book = OverrideBook(many)
    with pytest.raises(OverrideError, match="lift some first"):
        book.give(an_override(id="surplus"))
    assert book.give(an_override(id="in its place", deployment="d7")) == (many[7],)


# -- their end ------------------------------------------------------------------------------------


def test_an_order_ends_by_itself_and_the_same_step_decides_without_it() -> None:
    w = ordered(an_override(until=START + 60.0), up=FREE)
    assert w.act(load=40.0).desired == 2
    decision = w.act(after=60.0, load=40.0)
    assert decision.desired == 4
    assert w.last_tick is not None
    (event,) = w.last_tick.events
    assert (event.kind, event.deployment) == (EventKind.OVERRIDE_EXPIRED, NAME)
    assert event.sentence == "no longer paused by ana (migration): its time is over"
    assert w.engine.overrides == ()


def test_the_end_of_an_order_for_all_is_one_event() -> None:
    w = ordered(an_override(deployment=None, until=START + 60.0))
    w.step(load=20.0)
    w.step(after=60.0, load=20.0)
    assert w.last_tick is not None
    assert [event.deployment for event in w.last_tick.events] == ["*"]


def test_orders_survive_a_restart_bit_for_bit() -> None:
    w = ordered(a_pin(4, until=START + 1800.1), up=FREE)
    w.engine.give(a_block(Blocks.DOWN, id="o2", deployment=None))
    w.step(load=20.0)
    before = w.engine.overrides
    w.restart()
    assert w.engine.overrides == before
    assert w.act(load=90.0).desired == 4


def test_an_order_that_ended_while_nobody_ran_ends_at_the_first_step() -> None:
    w = ordered(an_override(until=START + 60.0))
    w.step(load=20.0)
    w.restart()
    w.step(after=3600.0, load=20.0)
    assert w.last_tick is not None
    assert EventKind.OVERRIDE_EXPIRED in [event.kind for event in w.last_tick.events]


def test_as_json_an_order_is_restored_exactly() -> None:
    for one in (an_override(deployment=None), a_pin(0), a_block(Blocks.BOTH)):
        assert override_from_json(override_to_json(one)) == one


# -- an order of ours that was not sent yet ---------------------------------------------------------


def an_order(to: int, reason: Reason = Reason.DEMAND, of: int = 4) -> Order:
    w = World(
        a_policy(
            rules=(Rule(name="r", role=Role.DEMAND, strategy=Fixed(replicas=to)),),
            up=FREE,
            down=FREE,
        ),
        world(of).deployment,
    )
    w.step()
    if not w.orders:  # downwards the count found stands in the window for an instant
        w.step(after=1.0)
    (order,) = w.orders
    return replace(order, reason=reason)


@pytest.mark.parametrize(
    ("standing", "order", "says"),
    [
        (NOTHING_ORDERED, an_order(6), None),
        (Standing(pause=an_override()), an_order(6), "paused by ana: migration"),
        (Standing(pause=an_override()), an_order(6, Reason.BOUNDS), "paused by ana: migration"),
        (Standing(pin=a_pin(8)), an_order(6), None),
        (Standing(pin=a_pin(5)), an_order(6), "pinned at 5 by ana: migration"),
        (Standing(pin=a_pin(2)), an_order(6), "pinned at 2 by ana: migration"),
        (Standing(pin=a_pin(2)), an_order(6, Reason.BOUNDS), None),
        (Standing(block_up=a_block(Blocks.UP)), an_order(6), "blocked up by ana: migration"),
        (Standing(block_up=a_block(Blocks.UP)), an_order(6, Reason.BOUNDS), None),
        (Standing(block_down=a_block(Blocks.DOWN)), an_order(6), None),
        (Standing(block_down=a_block(Blocks.DOWN)), an_order(2), "blocked down by ana: migration"),
        (NOTHING_ORDERED, an_order(6, Reason.PINNED), "the pin that it carries out has ended"),
        (Standing(pin=a_pin(6)), an_order(6, Reason.PINNED), None),
    ],
)
def test_a_write_that_was_decided_on_before_is_held_against_the_orders_of_now(
    standing: Standing, order: Order, says: str | None
) -> None:
    assert why_overridden(order, standing) == says


def test_an_order_that_is_over_stands_against_no_write() -> None:
    w = world(2, up=FREE)
    w.step(load=40.0)
    (order,) = w.orders
    w.engine.give(an_override(until=START + 60.0))
    assert (
        why_overridden(order, w.engine.standing_at(order.deployment, START + 59.0))
        == "paused by ana: migration"
    )
    assert why_overridden(order, w.engine.standing_at(order.deployment, START + 60.0)) is None


def test_a_write_in_flight_keeps_its_reason_and_the_order_counts_from_the_next_decision() -> None:
    w = world(2, up=FREE, down=FREE)
    w.step(load=40.0)
    (order,) = w.orders
    w.engine.give(a_pin(6))
    assert w.step(after=1.0, load=40.0).verdict == Hold(Reason.WRITE_IN_FLIGHT)
    w.apply(order, WriteStatus.APPLIED)
    assert w.act(after=1.0, load=40.0).desired == 6


@pytest.mark.parametrize("actuation", list(Actuation))
def test_a_pin_is_carried_out_by_every_actuation(actuation: Actuation) -> None:
    w = ordered(a_pin(5), actuation=actuation, up=FREE, deployment={"pipeline": Pipeline(ready=2)})
    w.step(load=20.0)
    (order,) = w.orders
    assert order.to_replicas == 5


def test_the_newest_of_several_in_a_row_is_found_whatever_their_order() -> None:
    old, new = a_pin(4, id="a", deployment=None), a_pin(5, id="b", deployment=None, since=START + 1)
    assert standing_of([new, old], NAME).pin == new
    assert standing_of([old, new], NAME).pin == new


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (61, "2 min"), (3600, "1 h"), (5400, "1 h 30 min"),
     (90_000, "1 d 1 h"), (86_460, "1 d 1 min")],
)  # fmt: skip
def test_how_long_something_lasts_is_said_in_two_units(seconds: float, words: str) -> None:
    assert duration_in_words(seconds) == words
