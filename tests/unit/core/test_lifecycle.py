from __future__ import annotations

from dataclasses import replace

import pytest
from tests.worlds.engine_world import START, world

from trimtab.core.decision import EventKind, Hold, Reason, ScaleDown, ScaleUp
from trimtab.core.deployment import Pipeline, State
from trimtab.core.lead_time import LeadTimes, StartValue
from trimtab.core.orders import why_void
from trimtab.core.policy import Actuation, AtExpiry, WhileUpdating


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": State.CREATING}, Reason.CREATING),
        ({"state": State.FAILED, "status_message": "out of memory"}, Reason.FAILED),
        ({"state": State.DELETING}, Reason.DELETING),
        ({"state": State.DELETED}, Reason.GONE),
        ({"state": State.UNKNOWN, "state_text": "MIGRATING"}, Reason.UNKNOWN_STATE),
        ({"deleted_at": START + 60}, Reason.DELETING),
        ({"purged_at": START + 86_400}, Reason.DELETING),
        ({"expires_at": START - 1}, Reason.EXPIRED),
        ({"expires_at": START}, Reason.EXPIRED),
        ({"min_replicas": 0, "max_replicas": 0, "desired_replicas": 0}, Reason.PARKED),
    ],
)
@pytest.mark.parametrize("load", [200.0, 0.0, None])
def test_no_write_where_the_lifecycle_forbids_it(
    changes: dict[str, object], reason: Reason, load: float | None
) -> None:
    w = world(4, deployment=changes)
    decision = w.step() if load is None else w.step(load=load)
    decision = w.step(after=301.0) if load is None else w.step(after=301.0, load=load)
    assert decision.verdict == Hold(reason)
    assert w.orders == ()


def test_a_failure_shows_the_platforms_own_message() -> None:
    w = world(4, deployment={"state": State.FAILED, "status_message": "out of memory"})
    assert "out of memory" in w.step(load=200.0).sentence


def test_an_unknown_state_is_named() -> None:
    w = world(4, deployment={"state": State.UNKNOWN, "state_text": "MIGRATING"})
    assert "MIGRATING" in w.step(load=200.0).sentence


def test_the_first_ready_acts_on_what_was_wished_for() -> None:
    w = world(1, deployment={"state": State.CREATING, "pipeline": Pipeline(initializing=1)})
    assert w.step(load=40.0).verdict == Hold(Reason.CREATING)
    w.deployment = replace(w.deployment, state=State.READY, pipeline=Pipeline(ready=1))
    decision = w.step(after=10.0, load=40.0)
    assert decision.desired == 4
    assert any("4 were wished for 10 s ago" in step.sentence for step in decision.trail)
    assert w.last_tick is not None
    (event,) = w.last_tick.events
    assert (event.kind, event.before, event.after) == (
        EventKind.STATE_CHANGED,
        "CREATING",
        "READY",
    )


def test_while_updating_nothing_moves_by_default() -> None:
    w = world(4, deployment={"state": State.UPDATING})
    assert w.step(load=90.0).verdict == Hold(Reason.UPDATING)
    assert w.step(after=400.0, load=10.0).verdict == Hold(Reason.UPDATING)


def test_while_updating_a_policy_may_allow_growth_but_never_shrinking() -> None:
    w = world(4, deployment={"state": State.UPDATING}, while_updating=WhileUpdating.UP)
    assert w.step(load=60.0).verdict == ScaleUp(Reason.DEMAND)
    assert len(w.orders) == 1
    w = world(4, deployment={"state": State.UPDATING}, while_updating=WhileUpdating.UP)
    w.step(load=10.0)
    assert w.step(after=400.0, load=10.0).verdict == Hold(Reason.UPDATING)


def test_not_even_lower_bounds_shrink_a_deployment_that_is_updating() -> None:
    w = world(8, deployment={"state": State.UPDATING}, max_replicas=4)
    assert w.step(load=80.0).verdict == Hold(Reason.UPDATING)


def test_expired_and_told_to_drain_goes_to_zero_at_once() -> None:
    w = world(4, deployment={"expires_at": START - 1}, at_expiry=AtExpiry.DRAIN)
    decision = w.act(load=90.0)
    assert (decision.verdict, decision.desired) == (ScaleDown(Reason.EXPIRY_DRAIN), 0)
    (order,) = w.orders
    assert (order.min_replicas, order.max_replicas) == (0, 0)
    assert w.step(after=15.0, load=90.0).verdict == Hold(Reason.EXPIRED)


@pytest.mark.parametrize("expires_at", [START + 0.5, START + 2_700.0, None])
def test_a_drain_is_void_when_somebody_gave_it_more_time_since_the_decision(
    expires_at: float | None,
) -> None:
    w = world(4, deployment={"expires_at": START - 1}, at_expiry=AtExpiry.DRAIN)
    w.step(load=90.0)
    (order,) = w.orders
    assert why_void(order, w.deployment, w.now) is None
    prolonged = replace(w.deployment, expires_at=expires_at)
    assert why_void(order, prolonged, w.now) == "its expiry was put off or called off meanwhile"


def test_a_drain_of_a_floor_closes_both_ends() -> None:
    w = world(
        3,
        deployment={"expires_at": START - 1, "min_replicas": 2},
        actuation=Actuation.FLOOR,
        at_expiry=AtExpiry.DRAIN,
    )
    w.step(load=90.0)
    (order,) = w.orders
    assert (order.min_replicas, order.max_replicas) == (0, 0)


def test_a_floor_already_at_zero_is_still_drained_while_the_platform_could_run_replicas() -> None:
    w = world(
        3,
        deployment={"expires_at": START - 1, "min_replicas": 0},
        actuation=Actuation.FLOOR,
        at_expiry=AtExpiry.DRAIN,
    )
    w.step(load=90.0)
    (order,) = w.orders
    assert (order.min_replicas, order.max_replicas) == (0, 0)


def test_a_replica_that_would_hardly_serve_is_not_ordered() -> None:
    w = world(
        2,
        deployment={"expires_at": START + 900},
        minimum_useful_seconds=600.0,
        lead_times=LeadTimes(starts=(StartValue(301.0, "NVIDIA_H100_80GB"),)),
    )
    decision = w.step(load=90.0)
    assert decision.verdict == Hold(Reason.EXPIRES_SOON)
    assert "takes 301 s to start" in decision.sentence


def test_a_replica_that_will_serve_long_enough_is_ordered() -> None:
    w = world(
        2,
        deployment={"expires_at": START + 900},
        minimum_useful_seconds=600.0,
        lead_times=LeadTimes(default_seconds=300.0),
    )
    assert w.step(load=40.0).verdict == ScaleUp(Reason.DEMAND)


def test_shortly_before_expiry_shrinking_is_still_allowed() -> None:
    w = world(6, deployment={"expires_at": START + 500})
    w.step(load=10.0)
    assert isinstance(w.step(after=301.0, load=10.0).verdict, ScaleDown)


def test_not_even_bounds_order_a_replica_that_would_hardly_serve() -> None:
    w = world(2, deployment={"expires_at": START + 100}, min_replicas=4)
    assert w.step(load=20.0).verdict == Hold(Reason.EXPIRES_SOON)


def test_revocable_replicas_above_the_maximum_are_left_alone() -> None:
    w = world(
        10,
        deployment={"replica_count": 13, "revocable_replicas": 3, "pipeline": Pipeline(ready=13)},
    )
    assert w.step(load=100.0).verdict == Hold(Reason.STEADY)
