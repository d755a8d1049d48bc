from __future__ import annotations

import pytest
from tests.worlds.engine_world import START, world

from trimtab.core.decision import Hold, Reason, ScaleDown, ScaleUp
from trimtab.core.deployment import ScheduleFloor, Shape
from trimtab.core.policy import Actuation


def test_the_policy_narrows_the_deployments_own_range() -> None:
    w = world(2, min_replicas=2, max_replicas=12)
    decision = w.step(load=300.0)
    assert decision.bounds is not None
    assert str(decision.bounds) == "2 (policy chat-prod) … 10 (the deployment's own maximum)"


def test_accelerators_cap_the_replicas() -> None:
    w = world(2, accelerators_max=21)  # 4 a replica
    decision = w.step(load=300.0)
    assert decision.desired == 5
    assert "at most 5 (21 accelerators, 4 a replica)" in decision.sentence


def test_a_shape_whose_accelerators_are_unknown_does_not_grow_under_an_accelerator_limit() -> None:
    w = world(2, accelerators_max=21, deployment={"shape": Shape()})
    decision = w.step(load=300.0)
    assert decision.verdict == Hold(Reason.AT_MAX)
    assert "unknown" in decision.sentence


def test_at_the_maximum_with_more_demand_says_so() -> None:
    w = world(10)
    assert w.step(load=300.0).verdict == Hold(Reason.AT_MAX)


def test_below_the_minimum_is_raised_without_any_data() -> None:
    w = world(2, min_replicas=4)
    assert w.step().verdict == ScaleUp(Reason.BOUNDS)


def test_above_the_maximum_is_brought_back_in_one_step_without_any_data() -> None:
    w = world(9, max_replicas=3)
    decision = w.step()
    assert (decision.verdict, decision.desired) == (ScaleDown(Reason.BOUNDS), 3)


def test_contradicting_bounds_allow_no_write_and_name_both_ends() -> None:
    w = world(2, min_replicas=12, max_replicas=14)
    decision = w.step(load=300.0)
    assert decision.verdict == Hold(Reason.BOUNDS_CONFLICT)
    assert "12 (policy chat-prod)" in decision.sentence
    assert "10 (the deployment's own maximum)" in decision.sentence


def test_the_last_replica_is_not_let_go() -> None:
    w = world(2, deployment={"min_replicas": 0})
    w.act(load=0.0)
    w.act(after=301.0, load=0.0)
    decision = w.act(after=61.0, load=0.0)
    assert decision.desired == 1
    assert "scaling to zero is off" in w.act(after=61.0, load=0.0).sentence


def test_a_deployment_that_the_platform_put_to_sleep_is_not_woken_without_demand() -> None:
    w = world(0, deployment={"min_replicas": 0})
    assert w.step(load=0.0).verdict == Hold(Reason.STEADY)
    assert w.step(after=15.0, load=15.0).desired == 2


def test_a_floor_may_fall_to_zero_where_the_users_minimum_is_zero() -> None:
    w = world(2, deployment={"min_replicas": 0}, actuation=Actuation.FLOOR)
    decision = w.step(load=30.0)
    assert decision.desired == 3
    assert decision.bounds is not None
    assert decision.bounds.lower.replicas == 0


# 2026-01-01T00:00Z is 01:00 in Berlin, a Thursday.
@pytest.mark.parametrize(
    ("cron", "zone", "is_active"),
    [
        ("30 0 * * *", "Europe/Berlin", True),
        ("30 0 * * *", "UTC", False),
        ("0 1 * * *", "Europe/Berlin", True),  # starts this very second
        ("59 23 * * WED", "UTC", True),
        ("59 23 * * THU", "UTC", False),
        ("not a cron", "UTC", False),
        ("0 1 * * *", "Nowhere/Town", False),
    ],
)
def test_a_schedule_of_the_platform_raises_the_lower_end(
    cron: str, zone: str, is_active: bool
) -> None:
    floor = ScheduleFloor(
        name="morning", replicas=4, cron=cron, duration_seconds=3600.0, timezone=zone
    )
    w = world(2, deployment={"schedule_floors": (floor,)})
    decision = w.step(load=20.0)
    assert decision.desired == (4 if is_active else 2)
    if is_active:
        assert "the platform's schedule morning" in decision.sentence


@pytest.mark.parametrize(
    ("offset", "is_active"), [(-1.0, False), (0.0, True), (3599.0, True), (3600.0, False)]
)
def test_a_schedule_ends_after_its_duration(offset: float, is_active: bool) -> None:
    floor = ScheduleFloor(
        name="night", replicas=4, cron="0 0 * * *", duration_seconds=3600.0, timezone="UTC"
    )
    assert floor.is_active(START + offset) is is_active


def test_a_schedule_keeps_local_time_across_the_change_to_summer_time() -> None:
    floor = ScheduleFloor(
        name="morning",
        replicas=4,
        cron="0 8 * * *",
        duration_seconds=60.0,
        timezone="Europe/Berlin",
    )
    winter, summer = 1_774_681_200.0, 1_774_764_000.0  # 2026-03-28 07:00Z and 2026-03-29 06:00Z
    assert floor.is_active(winter)
    assert floor.is_active(summer)
    assert not floor.is_active(summer + 3600)


def test_a_schedule_is_found_in_the_hour_that_is_repeated_in_autumn() -> None:
    """In Berlin, 2026-10-25 has 02:30 twice: at 00:30Z and at 01:30Z."""
    floor = ScheduleFloor(
        name="night",
        replicas=4,
        cron="0 2 * * *",
        duration_seconds=5_400.0,
        timezone="Europe/Berlin",
    )
    first_two = 1_792_886_400.0  # 02:00 summer time, 2026-10-25T00:00Z
    active = [minute for minute in range(-10, 200) if floor.is_active(first_two + 60 * minute)]
    assert active == list(range(90))
