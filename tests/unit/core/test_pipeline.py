"""Replicas on their way: which start is measured, which is not, and when the waiting is too long."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.worlds.engine_world import DEMAND, NAME, START, World, a_deployment, world

from trimtab.core.decision import EventKind, Outcome, WriteStatus
from trimtab.core.deployment import Pipeline, Shape, State
from trimtab.core.lead_time import LeadTimes, key_of
from trimtab.core.policy import Actuation, MoveRules
from trimtab.core.strategies.target import Target, Tolerance

if TYPE_CHECKING:
    from trimtab.core.decision import Event, Order
    from trimtab.core.deployment import Deployment

KEY = key_of(a_deployment())


def measured(w: World) -> tuple[float, ...]:
    learned = w.engine.memory.lead_times.get(KEY)
    return () if learned is None else learned.seconds


def failures(w: World) -> int:
    learned = w.engine.memory.lead_times.get(KEY)
    return 0 if learned is None else learned.failures


def events(w: World, kind: EventKind) -> list[Event]:
    assert w.last_tick is not None
    return [event for event in w.last_tick.events if event.kind is kind]


def carry_out(w: World, order: Order, *, ready: int | None = None, seconds: float = 0.0) -> None:
    """The write is applied and its outcome known; ``ready`` replicas serve (default: as before)."""
    w.now += seconds
    serving = w.deployment.pipeline.ready if ready is None else ready
    w.engine.record(Outcome(order=order, at=w.now, status=WriteStatus.APPLIED, sentence=""))
    w.deployment = replace(
        w.deployment,
        min_replicas=order.min_replicas,
        max_replicas=order.max_replicas,
        desired_replicas=order.to_replicas,
        replica_count=order.to_replicas,
        pipeline=Pipeline(ready=serving, pending=max(0, order.to_replicas - serving)),
        observed_at=w.now,
    )


def written(w: World, count: int, *, ready: int, after: float | None = None) -> Deployment:
    """The deployment with ``count`` written to it, seen ``after`` so many seconds, else when it was seen last."""
    return replace(
        w.deployment,
        min_replicas=count,
        max_replicas=count,
        desired_replicas=count,
        pipeline=Pipeline(ready=ready, pending=count - ready),
        observed_at=w.deployment.observed_at if after is None else w.now + after,
    )


def ask_for(w: World, count: int, after: float = 0.0) -> None:
    w.step(after=after, load=10.0 * count)
    (order,) = w.orders
    assert order.to_replicas == count
    carry_out(w, order)


def see(w: World, ready: int, after: float, **stages: int) -> None:
    """The control plane shows so many ready, the rest pending; the load asks for no change."""
    asked = w.deployment.desired_replicas
    pipeline = Pipeline(ready=ready, pending=max(0, asked - ready - sum(stages.values())), **stages)
    w.deployment = replace(w.deployment, pipeline=pipeline, observed_at=w.now + after)
    w.step(after=after, load=10.0 * asked)


def test_a_start_is_measured_from_the_write_until_the_replica_serves() -> None:
    w = world(2)
    ask_for(w, 3)
    see(w, 2, after=100.0, downloading=1)
    assert measured(w) == ()
    see(w, 3, after=50.0)
    assert measured(w) == (150.0,)
    (event,) = events(w, EventKind.REPLICA_READY)
    assert event.sentence == "a replica is ready, 150 s after being asked for"


def test_it_is_measured_once() -> None:
    w = world(2)
    ask_for(w, 3)
    see(w, 3, after=150.0)
    see(w, 3, after=15.0)
    assert events(w, EventKind.REPLICA_READY) == []
    assert measured(w) == (150.0,)


def test_a_start_is_measured_across_a_restart() -> None:
    w = world(2)
    ask_for(w, 3)
    w.restart()
    see(w, 3, after=150.0)
    assert measured(w) == (150.0,)


def test_a_write_of_an_earlier_run_is_waited_for_and_not_measured() -> None:
    w = world(2)
    w.step(load=30.0)
    (order,) = w.orders
    w.restart()
    w.engine.resume(order)
    w.now += 600.0
    w.engine.record(Outcome(order=order, at=w.now, status=WriteStatus.APPLIED, sentence=""))
    see(w, 3, after=1.0)
    assert measured(w) == ()


def test_replicas_asked_for_at_once_are_one_observation_for_each_look() -> None:
    w = world(2)
    ask_for(w, 6)
    see(w, 4, after=100.0)
    (event,) = events(w, EventKind.REPLICA_READY)
    assert event.sentence.startswith("2 replicas are ready, 100 s")
    see(w, 6, after=60.0)
    assert measured(w) == (100.0, 160.0)


def test_each_ask_in_flight_has_its_own_time() -> None:
    w = world(2)
    ask_for(w, 3)
    ask_for(w, 4, after=70.0)
    see(w, 3, after=50.0)
    assert measured(w) == (120.0,)
    see(w, 4, after=60.0)
    assert measured(w) == (120.0, 110.0)


def test_replicas_of_two_asks_that_come_at_once_are_two_observations() -> None:
    w = world(2)
    ask_for(w, 3)
    ask_for(w, 4, after=70.0)
    see(w, 4, after=50.0)
    assert measured(w) == (120.0, 50.0)


def test_an_ask_that_is_withdrawn_is_no_fast_start() -> None:
    w = world(2)
    ask_for(w, 5)
    w.deployment = written(w, 2, ready=2, after=100.0)
    w.step(after=100.0, load=20.0)
    assert measured(w) == ()
    assert w.engine.memory.deployments[NAME].watched.asks == ()


def test_a_part_of_an_ask_that_is_withdrawn_leaves_the_rest_measured() -> None:
    w = world(2)
    ask_for(w, 6)
    w.deployment = written(w, 4, ready=2, after=40.0)
    w.step(after=40.0, load=40.0)
    see(w, 4, after=60.0)
    assert measured(w) == (100.0,)


def test_replicas_lost_meanwhile_spoil_the_times_of_those_on_their_way() -> None:
    w = world(4)
    ask_for(w, 6)
    see(w, 3, after=50.0)  # one of four crashed
    see(w, 4, after=50.0)
    see(w, 6, after=100.0)
    assert measured(w) == ()


def test_replicas_that_others_asked_for_are_waited_for_and_not_measured() -> None:
    w = world(2, actuation=Actuation.FLOOR)
    w.step(load=20.0)
    w.deployment = replace(
        w.deployment, desired_replicas=4, pipeline=Pipeline(ready=2, pending=2)
    )  # the platform's own autoscaler
    w.step(after=15.0, load=20.0)
    assert [ask.replicas for ask in w.engine.memory.deployments[NAME].watched.asks] == [4]
    w.deployment = replace(w.deployment, pipeline=Pipeline(ready=4))
    w.step(after=100.0, load=20.0)
    assert measured(w) == ()


def test_what_was_on_its_way_at_adoption_is_not_measured() -> None:
    w = world(4, deployment={"pipeline": Pipeline(ready=2, pending=2)})
    w.step(load=40.0)
    see(w, 4, after=10.0)
    assert measured(w) == ()


def test_a_write_seen_before_its_outcome_came_back_is_measured_all_the_same() -> None:
    w = world(2)
    w.step(load=30.0)
    (order,) = w.orders
    w.deployment = written(w, 3, ready=2, after=1.0)
    w.step(after=1.0)
    carry_out(w, order, seconds=1.0)
    see(w, 3, after=100.0)
    assert measured(w) == (100.0,)


def test_a_read_from_before_the_write_withdraws_nothing() -> None:
    w = world(2)
    before = replace(w.deployment, observed_at=w.now)
    w.now += 1
    ask_for(w, 3)
    after = w.deployment
    w.deployment = before
    w.step(after=5.0, load=30.0)
    w.deployment = after
    see(w, 3, after=95.0)
    assert measured(w) == (100.0,)


def test_a_write_of_unknown_fate_is_not_measured() -> None:
    w = world(2)
    w.step(load=30.0)
    (order,) = w.orders
    w.engine.record(Outcome(order=order, at=w.now, status=WriteStatus.UNKNOWN, sentence=""))
    w.deployment = written(w, 3, ready=2)
    see(w, 2, after=30.0)
    see(w, 3, after=100.0)
    assert measured(w) == ()


def test_a_failed_start_is_counted_as_a_failure() -> None:
    w = world(2)
    ask_for(w, 4)
    w.deployment = replace(w.deployment, state=State.FAILED)
    w.step(after=60.0, load=40.0)
    assert failures(w) == 1
    assert measured(w) == ()


def test_revocable_replicas_are_not_the_ones_asked_for() -> None:
    w = world(2)
    ask_for(w, 3)
    w.deployment = replace(
        w.deployment,
        replica_count=4,
        revocable_replicas=1,
        pipeline=Pipeline(ready=3, pending=1),
        observed_at=w.now + 20,
    )
    w.step(after=20.0, load=30.0)
    assert measured(w) == ()
    w.deployment = replace(w.deployment, pipeline=Pipeline(ready=4), observed_at=w.now + 80)
    w.step(after=80.0, load=30.0)
    assert measured(w) == (100.0,)


def test_a_revoked_replica_is_no_loss() -> None:
    w = world(2, deployment={"revocable_replicas": 2, "pipeline": Pipeline(ready=4)})
    ask_for(w, 3)
    w.deployment = replace(
        w.deployment,
        revocable_replicas=0,
        pipeline=Pipeline(ready=2, pending=1),
        observed_at=w.now + 20,
    )
    w.step(after=20.0, load=30.0)
    see(w, 3, after=80.0)
    assert measured(w) == (100.0,)


def test_many_asks_are_bounded() -> None:
    exact = replace(
        DEMAND, strategy=Target(signal="load", target=10.0, tolerance=Tolerance(up=0.0, down=0.0))
    )
    w = world(
        1,
        deployment={"max_replicas": 100},
        up=MoveRules(stabilization_seconds=0.0),
        rules=(exact,),
    )
    for count in range(2, 60):
        ask_for(w, count, after=5.0)
    asks = w.engine.memory.deployments[NAME].watched.asks
    assert len(asks) <= 32
    assert asks[-1].replicas == 59


# -- too long -----------------------------------------------------------------------------------


def learned(*seconds: float) -> LeadTimes:
    times = LeadTimes()
    for one in seconds:
        times = times.with_start(KEY, one)
    return times


def a_stuck_world(**changes: Any) -> World:
    w = world(2, **changes)
    ask_for(w, 4)
    see(w, 2, after=599.0)
    assert events(w, EventKind.STUCK) == []
    see(w, 2, after=1.0)
    return w


def test_twice_the_start_value_is_too_long_while_little_is_known() -> None:
    (event,) = events(a_stuck_world(), EventKind.STUCK)
    assert event.sentence == (
        "stuck: 2 of 4 replicas are not ready (2 pending), nothing has come for 600 s, allowed 600 s"
    )


def test_it_is_told_and_counted_once_also_across_a_restart() -> None:
    w = a_stuck_world()
    for _ in range(3):
        see(w, 2, after=15.0)
        assert events(w, EventKind.STUCK) == []
        w.restart()
    assert failures(w) == 1


def test_a_replica_that_comes_ends_it_and_the_rest_is_waited_for_anew() -> None:
    w = a_stuck_world()
    see(w, 3, after=15.0)
    assert [event.sentence for event in events(w, EventKind.UNSTUCK)] == [
        "no longer stuck: its replicas come again"
    ]
    see(w, 3, after=299.0)
    assert events(w, EventKind.STUCK) == []


def test_withdrawing_the_ask_ends_it() -> None:
    w = a_stuck_world()
    w.deployment = written(w, 2, ready=2, after=15.0)
    w.step(after=15.0, load=20.0)
    (event,) = events(w, EventKind.UNSTUCK)
    assert event.sentence == "no longer stuck: nothing is missed any more"


def test_a_policy_may_say_how_long_is_too_long() -> None:
    w = world(2, stuck_after_seconds=60.0)
    ask_for(w, 4)
    see(w, 2, after=59.0)
    assert events(w, EventKind.STUCK) == []
    see(w, 2, after=1.0)
    assert len(events(w, EventKind.STUCK)) == 1


def test_fast_starts_do_not_make_five_minutes_too_long() -> None:
    w = world(2)
    for one in range(6):
        ask_for(w, 3 + one, after=61.0)
        see(w, 3 + one, after=30.0)
    ask_for(w, 9, after=61.0)
    see(w, 8, after=299.0)
    assert events(w, EventKind.STUCK) == []
    see(w, 8, after=1.0)
    assert len(events(w, EventKind.STUCK)) == 1


def test_asking_again_does_not_begin_the_waiting_anew() -> None:
    w = world(2)
    ask_for(w, 3)
    ask_for(w, 4, after=500.0)
    see(w, 2, after=100.0)
    assert len(events(w, EventKind.STUCK)) == 1


def test_other_hardware_begins_the_waiting_anew() -> None:
    w = world(2)
    ask_for(w, 4)
    see(w, 2, after=500.0)
    w.deployment = replace(
        w.deployment, shape=Shape(accelerator_type="NVIDIA_H200_141GB", accelerators_per_replica=2)
    )
    see(w, 2, after=150.0)
    assert events(w, EventKind.STUCK) == []
    see(w, 4, after=30.0)
    assert w.engine.memory.lead_times == {}


def test_a_replica_that_crashed_and_does_not_come_back_is_stuck_too() -> None:
    w = world(3)
    w.step(load=30.0)
    see(w, 2, after=15.0)
    see(w, 2, after=600.0)
    assert len(events(w, EventKind.STUCK)) == 1
    assert w.now > START
