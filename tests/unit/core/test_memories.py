"""What a step costs follows what it is told of: who is looked at, who is touched, who is forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from tests.worlds.engine_world import START, a_deployment, a_policy

from trimtab.core.decision import EventKind, Outcome, WriteStatus
from trimtab.core.deployment import Deployment
from trimtab.core.engine import Engine
from trimtab.core.memories import GONE_SECONDS
from trimtab.core.policy import Selector
from trimtab.core.signals import Sample

A, B, C = (f"accounts/acme/deployments/{letter}" for letter in "abc")


class Unwalkable(Mapping[str, Deployment]):
    """A fleet that may be asked for a name, and never walked."""

    def __init__(self, fleet: dict[str, Deployment]) -> None:
        self.fleet = fleet

    def __getitem__(self, name: str) -> Deployment:
        return self.fleet[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("the whole fleet was walked")

    def __len__(self) -> int:
        raise AssertionError("the whole fleet was counted")


def a_fleet() -> dict[str, Deployment]:
    return {name: replace(a_deployment(2), name=name) for name in (A, B, C)}


def an_engine(fleet: dict[str, Deployment]) -> Engine:
    engine = Engine([a_policy(selector=Selector())])
    engine.step(START, fleet)
    return engine


def test_a_step_that_is_told_what_is_new_walks_no_fleet() -> None:
    fleet = a_fleet()
    engine = an_engine(fleet)
    fleet[B] = replace(fleet[B], desired_replicas=4)
    samples = [Sample(A, "load", START + 1, 50.0)]
    tick = engine.step(START + 1, Unwalkable(fleet), samples, due=[A], changed=[B], absent=())
    assert [one.deployment for one in tick.decisions] == [A]
    assert set(tick.touched) <= {A, B}


def test_touched_are_those_that_began_changed_or_went_and_nobody_else() -> None:
    fleet = a_fleet()
    engine = Engine([a_policy(selector=Selector())])
    assert set(engine.step(START, fleet, due=()).touched) == {A, B, C}
    assert engine.step(START, fleet, due=(), changed=(A, B), absent=()).touched == ()
    tick = engine.step(START, fleet, [Sample(B, "load", START, 1.0)], due=(), changed=(), absent=())
    assert tick.touched == (B,)
    del fleet[C]
    assert engine.step(START, fleet, due=(), changed=(), absent=[C]).touched == (C,)
    assert engine.step(START + GONE_SECONDS, fleet, due=(), changed=(), absent=()).touched == (C,)
    assert engine.remembered(C) is None


def test_what_was_recorded_between_two_steps_is_not_touched_by_the_next() -> None:
    fleet = a_fleet()
    engine = an_engine(fleet)
    tick = engine.step(START, fleet, [Sample(A, "load", START, 50.0)], due=[A])
    (order,) = tick.orders
    engine.record(Outcome(order=order, at=START, status=WriteStatus.APPLIED, sentence=""))
    assert engine.step(START, fleet, due=(), changed=(), absent=()).touched == ()


def test_who_vanished_is_told_once_and_forgotten_after_a_while_without_being_told_again() -> None:
    fleet = a_fleet()
    engine = an_engine(fleet)
    gone = {name: one for name, one in fleet.items() if name != B}
    tick = engine.step(START + 1, gone, due=(), changed=(), absent=[B])
    assert [event.kind for event in tick.events] == [EventKind.GONE]
    assert engine.step(START + 2, gone, due=(), changed=(), absent=[B]).events == ()
    engine.step(START + GONE_SECONDS, gone, due=(), changed=(), absent=())
    assert engine.remembered(B) is not None
    engine.step(START + 1 + GONE_SECONDS, gone, due=(), changed=(), absent=())
    assert engine.remembered(B) is None


def test_who_comes_back_in_time_is_not_forgotten() -> None:
    fleet = a_fleet()
    engine = an_engine(fleet)
    gone = {name: one for name, one in fleet.items() if name != B}
    engine.step(START + 1, gone, due=(), changed=(), absent=[B])
    tick = engine.step(START + 2, fleet, due=(), changed=[B], absent=())
    assert [event.kind for event in tick.events] == [EventKind.RETURNED]
    engine.step(START + 2 * GONE_SECONDS, fleet, due=(), changed=(), absent=())
    assert engine.remembered(B) is not None


def test_who_came_back_and_is_merely_not_listed_later_is_not_forgotten() -> None:
    fleet = a_fleet()
    engine = an_engine(fleet)
    partial = {name: one for name, one in fleet.items() if name != B}
    engine.step(START + 1, partial, due=(), changed=(), absent=[B])
    engine.step(START + 2, fleet, due=(), changed=[B], absent=())
    engine.step(START + 2 * GONE_SECONDS, partial, due=(), changed=(), absent=())
    assert engine.remembered(B) is not None


def test_who_is_there_again_and_was_not_looked_at_yet_is_not_forgotten() -> None:
    fleet = a_fleet()
    engine = an_engine(fleet)
    gone = {name: one for name, one in fleet.items() if name != B}
    engine.step(START + 1, gone, due=(), changed=(), absent=[B])
    engine.step(START + 2 * GONE_SECONDS, fleet, due=[A], changed=(), absent=())
    tick = engine.step(START + 2 * GONE_SECONDS, fleet, due=[B], changed=(), absent=())
    assert [event.kind for event in tick.events] == [EventKind.RETURNED]


def test_who_vanished_before_a_restart_is_forgotten_after_it() -> None:
    fleet = a_fleet()
    engine = an_engine(fleet)
    del fleet[B]
    engine.step(START + 1, fleet, due=(), changed=(), absent=[B])
    again = Engine(engine.policies, engine.memory)
    again.step(START + 1 + GONE_SECONDS, fleet, due=(), changed=(), absent=())
    assert again.remembered(B) is None


@pytest.mark.parametrize("order", [(A, B), (B, A)])
def test_what_happened_is_told_by_name_whatever_order_it_was_told_in(
    order: tuple[str, str],
) -> None:
    fleet = a_fleet()
    engine = an_engine(fleet)
    for name in (A, B):
        fleet[name] = replace(fleet[name], max_replicas=7)
    tick = engine.step(START + 1, fleet, due=(), changed=order, absent=())
    assert [event.deployment for event in tick.events] == [A, B]


def test_only_what_changed_and_what_is_due_is_looked_at() -> None:
    fleet = a_fleet()
    engine = an_engine(fleet)
    for name in fleet:
        fleet[name] = replace(fleet[name], max_replicas=7)
    tick = engine.step(START + 1, fleet, due=[A], changed=[B], absent=())
    assert {event.deployment for event in tick.events} == {A, B}
