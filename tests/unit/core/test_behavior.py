from __future__ import annotations

from dataclasses import replace

import pytest
from tests.worlds.engine_world import world

from trimtab.core.decision import Hold, Outcome, Reason, ScaleDown, ScaleUp, WriteStatus
from trimtab.core.deployment import Pipeline
from trimtab.core.policy import Actuation, Limit, MoveRules, Select

FREE = MoveRules(stabilization_seconds=0.0)


def moves(*limits: Limit, select: Select = Select.MAX, stabilization: float = 0.0) -> MoveRules:
    return MoveRules(stabilization_seconds=stabilization, limits=limits, select=select)


def percent(value: int, period: float = 60.0) -> Limit:
    return Limit(percent=value, period_seconds=period)


def replicas(value: int, period: float = 60.0) -> Limit:
    return Limit(replicas=value, period_seconds=period)


def test_what_the_platform_raised_by_itself_is_not_lowered_at_once() -> None:
    w = world(1)
    w.step(load=9.0)
    w.step(after=400.0, load=9.0)
    raised = replace(w.deployment, desired_replicas=3, pipeline=Pipeline(ready=1, pending=2))
    w.deployment = raised
    assert w.step(after=15.0, load=9.0).verdict == Hold(Reason.STABILIZING)
    assert isinstance(w.step(after=301.0, load=9.0).verdict, ScaleDown)


def test_a_short_dip_does_not_scale_down() -> None:
    w = world(5)
    w.act(load=50.0)
    assert w.act(after=60.0, load=10.0).verdict == Hold(Reason.STABILIZING)
    assert w.act(after=60.0, load=50.0).verdict == Hold(Reason.STEADY)


def test_a_lasting_drop_scales_down_when_the_window_is_over() -> None:
    w = world(5, down=moves(stabilization=300.0))
    w.act(load=50.0)
    assert w.act(after=299.9, load=10.0).verdict == Hold(Reason.STABILIZING)
    # The wish for 5 is now exactly as old as the window: it has left it.
    assert w.act(after=0.1, load=10.0).verdict == ScaleDown(Reason.DEMAND)


def test_scaling_down_goes_to_the_highest_wish_within_the_window() -> None:
    w = world(8, down=moves(stabilization=300.0))
    w.act(load=80.0)
    w.act(after=200.0, load=40.0)
    assert w.act(after=150.0, load=10.0).desired == 4


def test_a_short_peak_does_not_scale_up_where_the_policy_waits() -> None:
    w = world(2, up=moves(stabilization=60.0))
    w.act(load=20.0)
    assert w.act(after=30.0, load=80.0).verdict == Hold(Reason.STABILIZING)
    assert w.act(after=31.0, load=80.0).desired == 8


def test_the_count_found_at_adoption_counts_as_a_first_wish() -> None:
    """A restarted daemon shrinks nothing at once."""
    w = world(6)
    assert w.act(load=10.0).verdict == Hold(Reason.STABILIZING)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (moves(percent(100)), 4),
        (moves(percent(100), replicas(4)), 6),  # the most permissive
        (moves(percent(100), replicas(4), select=Select.MIN), 4),  # the strictest
        (moves(percent(10)), 3),  # rounded up, so that small counts can move at all
        (moves(), 9),  # no limit
    ],
)
def test_scaling_up_is_limited(rules: MoveRules, expected: int) -> None:
    assert world(2, up=rules).act(load=90.0).desired == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (moves(percent(50)), 4),
        (moves(percent(50), replicas(2)), 4),
        (moves(percent(50), replicas(2), select=Select.MIN), 7),
        (moves(), 1),
    ],
)
def test_scaling_down_is_limited(rules: MoveRules, expected: int) -> None:
    w = world(9, down=rules)
    assert w.act(after=1.0, load=10.0).desired == expected


def test_a_direction_can_be_disabled() -> None:
    w = world(5, down=moves(select=Select.DISABLED))
    assert w.act(after=1.0, load=10.0).verdict == Hold(Reason.RATE_LIMITED)


def test_a_disabled_direction_is_one_way_and_whatever_the_limits_are() -> None:
    up = moves(replicas(9), percent(900), select=Select.DISABLED)
    w = world(5, up=up, down=FREE)
    decision = w.act(load=90.0)
    assert decision.verdict == Hold(Reason.RATE_LIMITED)
    assert "this direction is disabled" in decision.sentence
    assert w.act(after=15.0, load=20.0).desired == 2


@pytest.mark.parametrize(("replicas_now", "expected"), [(12, 10), (1, 3)])
def test_bounds_win_over_disabled_directions(replicas_now: int, expected: int) -> None:
    off = moves(select=Select.DISABLED)
    w = world(replicas_now, up=off, down=off, min_replicas=3, max_replicas=10)
    assert w.act(load=10.0 * replicas_now).desired == expected


def test_a_limit_counts_all_moves_of_its_period() -> None:
    w = world(2, up=moves(replicas(2, period=60.0)))
    assert w.act(load=90.0).desired == 4
    assert w.act(after=30.0, load=90.0).verdict == Hold(Reason.RATE_LIMITED)
    assert w.act(after=30.0, load=90.0).desired == 6


def test_a_move_down_gives_room_to_come_back_up() -> None:
    """The start of the period is the count without our own moves in it (as in the HPA)."""
    w = world(8, up=moves(percent(25)), down=FREE)
    w.act(after=1.0, load=40.0)
    assert w.act(after=5.0, load=120.0).desired == 10  # 8 x 1.25, not 4 x 1.25


def test_limits_hold_across_a_restart() -> None:
    w = world(2, up=moves(replicas(2, period=60.0)))
    w.act(load=90.0)
    w.restart()
    assert w.act(after=10.0, load=90.0).verdict == Hold(Reason.RATE_LIMITED)


def test_windows_hold_across_a_restart() -> None:
    w = world(5)
    w.act(load=50.0)
    w.act(after=100.0, load=10.0)
    w.restart()
    assert w.act(after=100.0, load=10.0).verdict == Hold(Reason.STABILIZING)
    assert isinstance(w.act(after=101.0, load=10.0).verdict, ScaleDown)


def test_a_write_of_unknown_outcome_counts_against_the_limit() -> None:
    w = world(2, up=moves(replicas(2, period=60.0)))
    w.step(load=90.0)
    w.apply(w.orders[0], WriteStatus.UNKNOWN)
    assert w.step(after=5.0, load=90.0).verdict == Hold(Reason.RATE_LIMITED)


def test_a_write_that_may_not_have_been_made_gives_no_room_for_one_the_other_way() -> None:
    limits = moves(replicas(3, period=60.0))
    w = world(5, up=limits, down=limits)
    w.step(load=80.0)
    (order,) = w.orders
    assert order.to_replicas == 8
    w.engine.record(Outcome(order=order, at=w.now, status=WriteStatus.UNKNOWN, sentence="lost"))
    assert w.step(after=5.0, load=10.0).desired == 2


def test_a_write_of_an_earlier_run_limits_its_own_direction_and_gives_no_room_the_other_way() -> (
    None
):
    limits = moves(replicas(3, period=60.0))
    w = world(5, up=limits, down=limits)
    w.step(load=80.0)
    (order,) = w.orders
    w.restart()
    w.engine.resume(order)
    w.now += 600.0  # nobody saw when in this time it was carried out
    w.apply(order)
    assert w.step(load=200.0).verdict == Hold(Reason.RATE_LIMITED)
    assert w.step(after=5.0, load=10.0).desired == 5


def test_a_write_of_unknown_outcome_starts_the_cooldown() -> None:
    w = world(2, up=MoveRules(stabilization_seconds=0.0, cooldown_seconds=60.0))
    w.step(load=90.0)
    (order,) = w.orders
    w.engine.record(Outcome(order=order, at=w.now, status=WriteStatus.UNKNOWN, sentence="lost"))
    assert w.step(after=30.0, load=90.0).verdict == Hold(Reason.COOLDOWN)
    assert w.step(after=31.0, load=90.0).verdict == ScaleUp(Reason.DEMAND)


def test_a_write_that_was_not_applied_is_free_to_be_tried_again() -> None:
    w = world(2, up=moves(replicas(2, period=60.0)))
    assert w.step(load=90.0).desired == 4
    (order,) = w.orders
    w.engine.record(
        Outcome(order=order, at=w.now, status=WriteStatus.NOT_APPLIED, sentence="refused")
    )
    assert w.step(after=5.0, load=90.0).verdict == ScaleUp(Reason.DEMAND)


def test_no_second_write_before_the_outcome_of_the_first_is_known() -> None:
    w = world(2)
    w.step(load=50.0)
    assert w.step(after=15.0, load=90.0).verdict == Hold(Reason.WRITE_IN_FLIGHT)
    assert w.orders == ()


def test_replicas_on_their_way_are_not_asked_for_twice() -> None:
    w = world(2, up=FREE)
    w.act(load=50.0)
    booting = Pipeline(ready=2, downloading=3)
    for _ in range(20):
        w.deployment = replace(w.deployment, pipeline=booting)
        assert w.step(after=15.0, load=50.0).verdict == Hold(Reason.STEADY)


def test_a_burst_of_events_does_not_grow_the_windows() -> None:
    w = world(5)
    for number in range(2_000):
        w.step(after=0.01, load=90.0 - number * 0.03)
    (memory,) = w.engine.memory.deployments.values()
    assert len(memory.highs) <= 22  # 20 seconds of falling load, one entry a second


def test_a_move_of_our_own_by_the_scale_verb_is_no_wish_of_somebody_else() -> None:
    """It writes no bounds to recognise it by; its count would hold the next step down for a window."""
    limits = (Limit(percent=50, period_seconds=60.0),)
    down = MoveRules(stabilization_seconds=120.0, limits=limits)
    w = world(8, down=down, actuation=Actuation.SCALE)
    for _ in range(13):
        w.act(after=10.0, load=10.0)
    assert w.deployment.desired_replicas == 4
    for _ in range(6):
        w.act(after=10.0, load=10.0)
    assert w.deployment.desired_replicas == 2


@pytest.mark.parametrize("status", [WriteStatus.NOT_APPLIED, WriteStatus.UNKNOWN])
def test_a_write_that_seemed_lost_and_is_seen_after_all_counts_against_the_limits(
    status: WriteStatus,
) -> None:
    w = world(8, down=moves(percent(50, 300.0)))
    w.step(load=10.0)
    (order,) = w.orders
    assert order.to_replicas == 4
    before = w.deployment
    w.apply(order, status)
    after, w.deployment = w.deployment, before  # an old view shows it as it was
    w.step(after=30.0, load=10.0)
    for again in w.orders:
        w.engine.record(
            Outcome(order=again, at=w.now, status=WriteStatus.VOID, sentence="looked at again")
        )
    w.deployment = after
    held = w.step(after=30.0, load=10.0)
    assert held.verdict == Hold(Reason.RATE_LIMITED)
    assert w.step(after=299.0, load=10.0).verdict == Hold(Reason.RATE_LIMITED)
    assert w.step(after=2.0, load=10.0).verdict == ScaleDown(Reason.DEMAND)
