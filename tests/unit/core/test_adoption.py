"""Whose bounds are these? The user's range must survive our own writing of the same fields."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.worlds.engine_world import NAME, START, World, a_deployment, a_policy, world

from trimtab.core.adoption import USER_BOUNDS, WRITTEN_BOUNDS, annotations_for
from trimtab.core.decision import EventKind, Hold, Reason, WriteStatus

if TYPE_CHECKING:
    from trimtab.core.memory import UserRange


def user_range(w: World) -> tuple[int, int]:
    (memory,) = w.engine.memory.deployments.values()
    return memory.user.min_replicas, memory.user.max_replicas


def remembered(w: World) -> UserRange:
    (memory,) = w.engine.memory.deployments.values()
    return memory.user


def test_what_stood_on_the_deployment_is_adopted_and_outlives_our_pin() -> None:
    w = world(2)
    w.act(load=40.0)
    assert (w.deployment.min_replicas, w.deployment.max_replicas) == (4, 4)
    w.act(after=120.0, load=90.0)
    assert user_range(w) == (1, 10)
    assert w.act(after=120.0, load=300.0).desired == 10


def test_bounds_that_a_person_sets_meanwhile_become_the_users_range() -> None:
    w = world(2)
    w.act(load=40.0)
    w.deployment = replace(w.deployment, min_replicas=3, max_replicas=6, observed_at=w.now + 100)
    w.step(after=100.0, load=300.0)
    assert user_range(w) == (3, 6)
    assert w.last_tick is not None
    *_, event = w.last_tick.events
    assert w.act(after=120.0, load=300.0).desired == 6
    assert (event.kind, event.before, event.after) == (EventKind.BOUNDS_CHANGED, "1-10", "3-6")


def test_the_end_that_still_shows_our_pin_is_not_a_persons() -> None:
    w = world(2)
    w.act(load=40.0)  # pinned 4-4; the user's range is 1-10
    w.deployment = replace(w.deployment, max_replicas=7, observed_at=w.now + 100)
    w.step(after=120.0, load=40.0)
    assert user_range(w) == (1, 7)


def test_a_persons_own_pin_while_we_watch_is_respected() -> None:
    w = world(2)
    w.act(load=40.0)
    w.deployment = replace(w.deployment, min_replicas=6, max_replicas=6, observed_at=w.now + 100)
    w.step(after=100.0, load=90.0)
    decision = w.act(after=120.0, load=90.0)
    assert decision.verdict == Hold(Reason.AT_MAX)
    assert user_range(w) == (6, 6)


def test_a_person_who_parks_a_deployment_is_not_fought() -> None:
    w = world(2)
    w.act(load=40.0)
    w.deployment = replace(
        w.deployment, min_replicas=0, max_replicas=0, desired_replicas=0, observed_at=w.now + 100
    )
    assert w.act(after=120.0, load=90.0).verdict == Hold(Reason.PARKED)


def test_a_read_from_before_our_write_is_not_a_person() -> None:
    w = world(2)
    before = replace(w.deployment, observed_at=START)
    w.act(after=1.0, load=40.0)
    w.deployment = before
    w.step(after=15.0, load=40.0)
    assert user_range(w) == (1, 10)
    assert w.last_tick is not None
    assert w.last_tick.events == ()


def test_an_old_view_that_carries_our_own_note_is_not_a_person_however_late() -> None:
    w = world(2)
    w.act(load=40.0)  # 4-4
    w.act(after=120.0, load=90.0)  # 9-9
    late = replace(
        w.deployment,
        min_replicas=4,
        max_replicas=4,
        annotations={WRITTEN_BOUNDS: "4-4", USER_BOUNDS: "1-10"},
        observed_at=w.now + 3600,
    )
    w.deployment = late
    w.step(after=3600.0, load=90.0)
    assert user_range(w) == (1, 10)


def test_a_person_who_sets_what_we_once_wrote_leaves_our_last_note_and_is_heard() -> None:
    w = world(2)
    w.act(load=40.0)  # 4-4
    w.act(after=120.0, load=90.0)  # 9-9
    w.deployment = replace(
        w.deployment,
        min_replicas=4,
        max_replicas=4,
        annotations={WRITTEN_BOUNDS: "9-9", USER_BOUNDS: "1-10"},
        observed_at=w.now + 3600,
    )
    w.step(after=3600.0, load=90.0)
    assert user_range(w) == (4, 4)


def test_what_another_member_wrote_unseen_by_its_successor_is_not_a_person() -> None:
    w = world(8)
    w.step(load=30.0)  # adopted as the last listing showed it: 1-10
    w.deployment = replace(
        w.deployment,
        min_replicas=3,
        max_replicas=3,
        desired_replicas=3,
        annotations={WRITTEN_BOUNDS: "3-3", USER_BOUNDS: "1-10"},
        observed_at=w.now + 1,
    )
    decision = w.step(after=1.0, load=60.0)
    assert user_range(w) == (1, 10)
    assert decision.desired == 6


def test_what_another_member_wrote_after_what_its_successor_recollects_is_not_a_person() -> None:
    w = world(8)
    w.act(load=50.0)  # 5-5, as far as the memory of the bucket goes
    w.deployment = replace(
        w.deployment,
        min_replicas=3,
        max_replicas=3,
        annotations={WRITTEN_BOUNDS: "3-3", USER_BOUNDS: "1-10"},
        observed_at=w.now + 3600,
    )
    w.step(after=3600.0, load=30.0)
    assert user_range(w) == (1, 10)


def test_a_person_who_goes_back_to_what_we_wrote_before_another_change_of_theirs_is_heard() -> None:
    w = world(8)
    w.act(load=30.0)  # 3-3
    noted = {WRITTEN_BOUNDS: "3-3", USER_BOUNDS: "1-10"}
    for count in (5, 3):
        w.deployment = replace(
            w.deployment,
            min_replicas=count,
            max_replicas=count,
            annotations=noted,
            observed_at=w.now + 3600,
        )
        w.step(after=3600.0, load=30.0)
    assert user_range(w) == (3, 3)


def test_a_stale_answer_shortly_after_our_write_is_not_a_person() -> None:
    """The control plane may answer from a cache: observed later, yet showing what was before."""
    w = world(2)
    w.act(load=40.0)  # pinned 4-4
    pinned = w.deployment
    w.act(after=120.0, load=90.0)  # pinned 8-8
    w.deployment = replace(pinned, observed_at=w.now + 5)
    w.step(after=10.0, load=90.0)
    assert user_range(w) == (1, 10)


def test_after_a_write_of_unknown_outcome_either_pair_is_our_own() -> None:
    w = world(2)
    w.act(load=40.0)  # pinned 4-4
    pinned = w.deployment
    w.step(after=120.0, load=90.0)
    w.apply(w.orders[0], WriteStatus.UNKNOWN)
    w.deployment = replace(pinned, observed_at=w.now + 300)  # it was not applied after all
    w.step(after=300.0, load=40.0)
    assert user_range(w) == (1, 10)


def test_our_own_write_seen_before_its_outcome_came_back_is_not_a_person() -> None:
    w = world(2)
    w.step(load=40.0)
    (order,) = w.orders
    applied = replace(w.deployment, min_replicas=4, max_replicas=4, observed_at=w.now + 1)
    tick = w.engine.step(w.now + 1, {NAME: applied})
    assert tick.events == ()
    w.now += 2
    w.apply(order)
    w.step(after=15.0, load=40.0)
    assert user_range(w) == (1, 10)


@pytest.mark.parametrize("status", [WriteStatus.UNKNOWN, WriteStatus.NOT_APPLIED])
def test_a_write_believed_lost_that_turns_up_later_is_our_own(status: WriteStatus) -> None:
    w = world(2)
    w.act(load=40.0)  # pinned 4-4
    w.step(after=120.0, load=90.0)
    w.apply(w.orders[0], status)  # pinned 8-8 after all, unseen
    w.deployment = replace(w.deployment, observed_at=w.now + 40)
    w.step(after=45.0, load=80.0)
    assert w.last_tick is not None
    assert w.last_tick.events == ()
    assert user_range(w) == (1, 10)
    w.act(after=400.0, load=80.0)
    assert user_range(w) == (1, 10)


@pytest.mark.parametrize("pin", [1, 3])
def test_a_pin_found_at_adoption_is_no_range_where_the_policy_states_one(pin: int) -> None:
    w = world(
        pin, deployment={"min_replicas": pin, "max_replicas": pin}, min_replicas=1, max_replicas=8
    )
    decision = w.act(load=90.0)
    assert decision.bounds is not None
    assert (decision.bounds.lower.replicas, decision.bounds.upper.replicas) == (1, 8)


def test_a_pin_found_at_adoption_holds_where_the_policy_states_no_range() -> None:
    w = world(3, deployment={"min_replicas": 3, "max_replicas": 3})
    assert w.step(load=90.0).verdict == Hold(Reason.AT_MAX)


def test_what_an_earlier_run_noted_on_the_deployment_is_found_again() -> None:
    w = world(2)
    w.step(load=40.0)
    (order,) = w.orders
    notes = annotations_for(order)
    assert notes == {USER_BOUNDS: "1-10", WRITTEN_BOUNDS: "4-4"}

    found = a_deployment(4, min_replicas=4, max_replicas=4, annotations=notes)
    restarted = World(a_policy(), found)
    restarted.step(load=90.0)
    assert user_range(restarted) == (1, 10)


def test_notes_that_no_longer_fit_the_wire_are_not_believed() -> None:
    """Somebody set other bounds after the earlier run had stopped."""
    notes = {USER_BOUNDS: "1-10", WRITTEN_BOUNDS: "4-4"}
    w = World(a_policy(), a_deployment(4, min_replicas=2, max_replicas=6, annotations=notes))
    w.step(load=90.0)
    assert user_range(w) == (2, 6)


@pytest.mark.parametrize("text", ["", "4", "4-", "-4", "a-b", "4-4-4", "٤-٤", "1e3-4"])
def test_notes_that_cannot_be_read_are_ignored(text: str) -> None:
    notes = {USER_BOUNDS: text, WRITTEN_BOUNDS: "1-10"}
    w = World(a_policy(), a_deployment(4, annotations=notes))
    w.step(load=40.0)
    assert remembered(w).origin == "found on the deployment"


def test_a_deployment_created_anew_under_the_same_name_is_a_stranger() -> None:
    w = world(2)
    w.act(load=40.0)
    w.deployment = a_deployment(1, max_replicas=5, created_at=START + 10)
    w.step(after=60.0, load=10.0)
    assert user_range(w) == (1, 5)


def test_a_deployment_missing_from_one_list_is_not_forgotten() -> None:
    w = world(2)
    w.act(load=40.0)
    tick = w.engine.step(w.now + 15, {})
    assert [event.kind for event in tick.events] == [EventKind.GONE]
    assert tick.decisions == ()
    w.step(after=30.0, load=40.0)
    assert user_range(w) == (1, 10)


def test_a_deployment_that_stays_away_is_forgotten() -> None:
    w = world(2)
    w.act(load=40.0)
    w.engine.step(w.now + 15, {})
    w.engine.step(w.now + 15 + 3600, {})
    assert w.engine.memory.deployments == {}
