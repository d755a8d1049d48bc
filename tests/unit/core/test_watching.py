"""Each change in a deployment's life is told once, as an event, and a restart tells none again."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import pytest
from tests.worlds.engine_world import NAME, START, World, a_deployment, a_policy, world

from trimtab.core.decision import Event, EventKind, Hold, Outcome, Reason, ScaleUp, WriteStatus
from trimtab.core.deployment import Pipeline, ScheduleFloor, Shape, State
from trimtab.core.engine import Engine
from trimtab.core.lead_time import LeadTimes, key_of
from trimtab.core.orders import why_void
from trimtab.core.policy import Actuation, Rule, Selector
from trimtab.core.proposals import JsonValue, View, Wish
from trimtab.core.roles import Role

H200 = Shape(accelerator_type="NVIDIA_H200_141GB", accelerators_per_replica=2)


def told(w: World) -> list[EventKind]:
    assert w.last_tick is not None
    return [event.kind for event in w.last_tick.events]


def the_event(w: World, kind: EventKind) -> Event:
    assert w.last_tick is not None
    (event,) = [event for event in w.last_tick.events if event.kind is kind]
    return event


def tells_once(w: World, kind: EventKind, after: float = 15.0) -> Event:
    """The next look tells it, the ones after do not, with a restart between."""
    w.step(after=after, load=40.0)
    event = the_event(w, kind)
    w.step(after=1.0, load=40.0)
    assert kind not in told(w)
    w.restart()
    w.step(after=1.0, load=40.0)
    assert kind not in told(w)
    return event


# -- states -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [one for one in State if one is not State.READY])
def test_every_change_of_state_is_told(state: State) -> None:
    w = world(4)
    w.step(load=40.0)
    w.deployment = replace(w.deployment, state=state)
    event = tells_once(w, EventKind.STATE_CHANGED)
    assert (event.before, event.after) == ("READY", state.value)


def test_a_failure_is_told_with_the_platforms_message() -> None:
    w = world(4)
    w.step(load=40.0)
    w.deployment = replace(w.deployment, state=State.FAILED, status_message="out of memory")
    assert tells_once(w, EventKind.STATE_CHANGED).sentence == (
        "went from READY to FAILED: out of memory"
    )


def test_a_deployment_that_begins_to_match_while_running_is_adopted() -> None:
    engine = Engine([a_policy(selector=Selector(display_name="chat-*"))])
    other = a_deployment(2, display_name="code")
    assert engine.step(START, {NAME: other}).decisions == ()
    renamed = replace(other, display_name="chat-1")
    tick = engine.step(START + 15, {NAME: renamed})
    assert [event.kind for event in tick.events] == [EventKind.ADOPTED]
    assert len(tick.decisions) == 1


def test_a_deployment_created_while_running_is_adopted_and_waits_for_ready() -> None:
    engine = Engine([a_policy()])
    engine.step(START, {})
    new = a_deployment(1, state=State.CREATING, pipeline=Pipeline(pending=1), created_at=START)
    tick = engine.step(START + 15, {NAME: new})
    assert [event.kind for event in tick.events] == [EventKind.ADOPTED]
    assert tick.decisions[0].verdict == Hold(Reason.CREATING)


def test_one_created_anew_under_the_same_name_begins_anew() -> None:
    w = world(2)
    w.act(load=90.0)
    w.deployment = a_deployment(1, created_at=START + 10, shape=H200)
    w.step(after=15.0, load=10.0)
    assert told(w) == [EventKind.RECREATED]
    memory = w.engine.memory.deployments[NAME]
    assert (memory.moves, memory.written, memory.watched.shape) == ((), None, H200)


def test_one_that_is_there_again_is_told() -> None:
    w = world(2)
    w.step(load=20.0)
    assert [one.kind for one in w.engine.step(w.now + 15, {}).events] == [EventKind.GONE]
    assert w.engine.step(w.now + 30, {}).events == ()
    w.step(after=45.0, load=20.0)
    assert told(w) == [EventKind.RETURNED]


# -- the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["deleted_at", "purged_at"])
def test_a_time_of_deletion_is_told(field: str) -> None:
    w = world(4)
    w.step(load=40.0)
    w.deployment = replace(w.deployment, **{field: START + 9_000})
    tells_once(w, EventKind.DELETION_SET)
    assert w.step(after=15.0, load=90.0).verdict == Hold(Reason.DELETING)


def test_the_coming_expiry_is_told_when_a_new_replica_would_serve_for_too_little() -> None:
    w = world(4, deployment={"expires_at": START + 1_000.0})
    w.step(load=40.0)
    assert EventKind.EXPIRY_NEAR not in told(w)
    w.step(after=100.0, load=40.0)
    assert EventKind.EXPIRY_NEAR not in told(w)
    event = tells_once(w, EventKind.EXPIRY_NEAR, after=0.5)
    assert "expires in 900 s" in event.sentence or "expires in 899 s" in event.sentence
    tells_once(w, EventKind.EXPIRED, after=900.0)


def test_an_expiry_that_was_put_off_is_told_anew() -> None:
    w = world(4, deployment={"expires_at": START + 500.0})
    w.step(load=40.0)
    assert EventKind.EXPIRY_NEAR in told(w), "already at adoption"
    w.deployment = replace(w.deployment, expires_at=START + 9_000.0)
    w.step(after=15.0, load=40.0)
    w.deployment = replace(w.deployment, expires_at=START + 500.0)
    w.step(after=15.0, load=40.0)
    assert EventKind.EXPIRY_NEAR in told(w)


def test_expiry_counts_on_the_lead_time_that_nine_of_ten_replicas_keep() -> None:
    deployment = a_deployment(2, expires_at=START + 900.0)
    times = LeadTimes()
    for seconds in (100.0, 110.0, 120.0, 130.0, 140.0, 400.0):
        times = times.with_start(key_of(deployment), seconds)
    p90 = times.of(deployment).p90_seconds
    assert 140.0 < p90 < 400.0
    for useful, verdict in ((899.0 - p90, ScaleUp), (901.0 - p90, Hold)):
        w = World(a_policy(minimum_useful_seconds=useful), deployment, lead_times=times)
        w.engine.recall(replace(w.engine.memory, lead_times=times.learned))
        assert isinstance(w.step(load=40.0).verdict, verdict)


# -- hardware -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Remembering:
    """A strategy that learns of the hardware."""

    forgets_with_hardware: ClassVar[bool] = True

    @property
    def signals(self) -> tuple[str, ...]:
        return ()

    def propose(self, view: View, memory: JsonValue) -> Wish:
        seen = memory if isinstance(memory, int) else 0
        return Wish(replicas=2, sentence=f"seen {seen} times", memory=seen + 1)


@dataclass(frozen=True)
class Keeping(Remembering):
    """A strategy that remembers only load."""

    forgets_with_hardware: ClassVar[bool] = False


def test_other_hardware_is_told_and_what_was_learned_of_the_first_is_not_used() -> None:
    rules = tuple(
        Rule(name=name, role=Role.DEMAND, strategy=strategy)
        for name, strategy in (("learner", Remembering()), ("load", Keeping()))
    )
    w = world(2, rules=rules)
    for _ in range(3):
        w.step(after=15.0)
    before = w.engine.memory.deployments[NAME]
    w.deployment = replace(w.deployment, shape=H200)
    sentences = [proposal.sentence for proposal in w.step(after=15.0).proposals]
    assert sentences == ["seen 0 times", "seen 3 times"]
    event = the_event(w, EventKind.SHAPE_CHANGED)
    assert event.sentence == (
        "its hardware changed from 4 x NVIDIA_H100_80GB to 2 x NVIDIA_H200_141GB; forgotten is "
        "what learner knew of the other"
    )
    after = w.engine.memory.deployments[NAME]
    assert after.highs[-1].replicas == before.highs[-1].replicas == 2, "the windows of load stay"


def test_a_shape_that_cannot_be_read_for_a_while_is_no_change() -> None:
    w = world(2)
    w.step(load=20.0)
    full = w.deployment.shape
    for shape in (Shape(), full, Shape(accelerator_type="NVIDIA_H100_80GB"), full):
        w.deployment = replace(w.deployment, shape=shape)
        w.step(after=15.0, load=20.0)
        assert told(w) == []


def test_hardware_that_changed_while_it_could_not_be_read_is_told() -> None:
    w = world(2)
    w.step(load=20.0)
    for shape in (Shape(), H200):
        w.deployment = replace(w.deployment, shape=shape)
        w.step(after=15.0, load=20.0)
    assert told(w) == [EventKind.SHAPE_CHANGED]


def test_an_accelerator_limit_counts_the_new_hardware_at_once() -> None:
    w = world(2, accelerators_max=16)
    w.step(load=90.0)
    w.deployment = replace(w.deployment, shape=replace(H200, accelerators_per_replica=8))
    decision = w.step(after=15.0, load=90.0)
    assert decision.bounds is not None
    assert decision.bounds.upper.replicas == 2


# -- the platform's schedules -------------------------------------------------------------------

FLOOR = ScheduleFloor(
    name="morning", replicas=5, cron="10 0 * * *", duration_seconds=600.0, timezone="UTC"
)
FLOOR_FROM = START + 600.0


def test_a_schedule_of_the_platform_is_told_when_it_begins_and_ends() -> None:
    w = world(2, deployment={"schedule_floors": (FLOOR,)})
    w.step(after=599.0, load=20.0)
    assert EventKind.FLOOR_BEGAN not in told(w)
    event = tells_once(w, EventKind.FLOOR_BEGAN, after=1.0)
    assert event.sentence == "the platform's schedule morning keeps at least 5 from now on"
    tells_once(w, EventKind.FLOOR_ENDED, after=600.0)


def test_a_pin_below_an_active_schedule_is_never_written() -> None:
    w = world(2, deployment={"schedule_floors": (FLOOR,)})
    w.step(after=590.0, load=20.0)
    decision = w.act(after=15.0, load=20.0)
    assert (decision.verdict, decision.desired) == (ScaleUp(Reason.BOUNDS), 5)
    for _ in range(8):
        assert w.act(after=60.0, load=20.0).desired == 5


def test_the_end_of_a_schedule_lets_go_as_the_behavior_says() -> None:
    w = world(2, deployment={"schedule_floors": (FLOOR,)})
    w.act(after=600.0, load=20.0)
    counts = [w.act(after=60.0, load=20.0).desired for _ in range(14)]
    assert counts[:9] == [5] * 9
    assert counts[-1] == 2
    assert all(later >= earlier * 0.5 - 1 for earlier, later in pairwise(counts))


def test_a_write_down_is_void_when_a_schedule_has_begun_since_the_decision() -> None:
    w = world(4, deployment={"schedule_floors": (FLOOR,)})
    w.step(load=10.0)
    w.step(after=599.0, load=10.0)
    (order,) = w.orders
    assert why_void(order, w.deployment, w.now) is None
    assert why_void(order, w.deployment, FLOOR_FROM) == (
        "the platform's schedule morning keeps at least 5 now"
    )


# -- somebody else changes the bounds -----------------------------------------------------------


def set_bounds(w: World, low: int, high: int, after: float = 15.0) -> None:
    w.deployment = replace(
        w.deployment, min_replicas=low, max_replicas=high, observed_at=w.now + after
    )


def test_nothing_is_written_for_a_while_after_somebody_else_changed_the_bounds() -> None:
    w = world(2)
    w.act(load=40.0)
    set_bounds(w, 2, 6, after=100.0)
    decision = w.step(after=100.0, load=300.0)
    assert decision.verdict == Hold(Reason.OUT_OF_BAND)
    assert "somebody else set the bounds to 2-6: nothing is written for another 120 s" in (
        decision.sentence
    )
    w.restart()
    assert w.step(after=119.0, load=300.0).verdict == Hold(Reason.OUT_OF_BAND)
    decision = w.act(after=1.0, load=300.0)
    assert (decision.verdict, decision.desired) == (ScaleUp(Reason.DEMAND), 6)


def test_another_change_begins_the_time_anew() -> None:
    w = world(2)
    w.act(load=40.0)
    set_bounds(w, 2, 6)
    w.step(after=100.0, load=90.0)
    set_bounds(w, 2, 7, after=100.0)
    w.step(after=100.0, load=90.0)
    assert w.step(after=100.0, load=90.0).verdict == Hold(Reason.OUT_OF_BAND)
    assert w.step(after=20.0, load=90.0).desired == 7


def test_a_policy_may_do_without_the_grace() -> None:
    w = world(2, out_of_band_grace_seconds=0.0)
    w.act(load=40.0)
    set_bounds(w, 2, 6)
    assert w.step(after=100.0, load=300.0).verdict == ScaleUp(Reason.DEMAND)


def test_a_drain_waits_too() -> None:
    w = world(2)
    w.act(load=40.0)
    set_bounds(w, 2, 6)
    w.deployment = replace(w.deployment, expires_at=w.now)
    assert w.step(after=100.0, load=40.0).verdict == Hold(Reason.OUT_OF_BAND)


@pytest.mark.parametrize("is_rebound", [False, True])
def test_what_the_scale_verb_does_to_the_bounds_is_our_own(is_rebound: bool) -> None:
    w = world(2, actuation=Actuation.SCALE)
    w.step(load=40.0)
    (order,) = w.orders
    w.engine.record(Outcome(order=order, at=w.now, status=WriteStatus.APPLIED, sentence=""))
    changes = {"min_replicas": 4, "max_replicas": 4} if is_rebound else {}
    w.deployment = replace(
        w.deployment,
        desired_replicas=4,
        pipeline=Pipeline(ready=4),
        observed_at=w.now + 5,
        **changes,
    )
    decision = w.step(after=100.0, load=90.0)
    assert EventKind.BOUNDS_CHANGED not in told(w)
    assert decision.verdict == ScaleUp(Reason.DEMAND)


def test_the_platforms_own_moves_begin_no_grace() -> None:
    w = world(2, actuation=Actuation.FLOOR, deployment={"min_replicas": 2})
    w.step(load=20.0)
    w.deployment = replace(w.deployment, desired_replicas=7, pipeline=Pipeline(ready=7))
    assert w.step(after=15.0, load=70.0).verdict == ScaleUp(Reason.DEMAND)


# -- memory -------------------------------------------------------------------------------------


def test_all_that_is_watched_survives_as_text_bit_for_bit() -> None:
    w = world(2, deployment={"schedule_floors": (FLOOR,)})
    w.act(after=601.0, load=90.0)
    w.deployment = replace(
        w.deployment,
        pipeline=Pipeline(ready=3, pending=2),
        status_code="RESOURCE_EXHAUSTED",
        status_message="none left",
        expires_at=w.now + 300.0,
        shape=H200,
    )
    set_bounds(w, 2, 8)
    w.step(after=15.0, load=40.0)
    memory = w.engine.memory
    watched = memory.deployments[NAME].watched
    assert watched.asks
    assert watched.refusal is not None
    assert watched.changed_at is not None
    assert watched.floors
    assert watched.marks
    assert type(memory).from_json(json.loads(json.dumps(memory.to_json()))) == memory


def test_what_only_an_older_view_showed_as_asked_for_is_not_waited_for_for_ever() -> None:
    w = world(1)
    w.deployment = replace(w.deployment, desired_replicas=2, replica_count=2, observed_at=w.now)
    w.step(load=10.0)  # a second one is asked for, as far as this view shows
    w.deployment = replace(
        w.deployment, desired_replicas=1, replica_count=1, observed_at=w.now - 1.0
    )
    decision = w.step(after=3600.0, load=50.0)
    assert w.last_tick is not None
    assert EventKind.STUCK not in {event.kind for event in w.last_tick.events}
    assert decision.desired > 1
