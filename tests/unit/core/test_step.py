from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.worlds.engine_world import LOAD, World, world

from trimtab.core.decision import Hold, Reason, ScaleDown, ScaleUp
from trimtab.core.deployment import Deployment
from trimtab.core.policy import MoveRules, Rule
from trimtab.core.proposals import JsonValue, View, Wish
from trimtab.core.roles import Role
from trimtab.core.signals import Freshness, Latest, Reading, read
from trimtab.core.strategies.step import Adjustment, Side, Step, StepAdjustment

SCRAPE = 15.0
AT_ONCE = MoveRules(stabilization_seconds=0.0)


def above(bound: float, breaches: int, change: int) -> StepAdjustment:
    return StepAdjustment(Side.ABOVE, bound, breaches, Adjustment.CHANGE, change)


def below(bound: float, breaches: int, change: int) -> StepAdjustment:
    return StepAdjustment(Side.BELOW, bound, breaches, Adjustment.CHANGE, change)


def a_world(replicas: int, *steps: StepAdjustment, **more: Any) -> World:
    rule = Rule(name="steps", role=Role.DEMAND, strategy=Step(signal="load", steps=steps))
    return world(replicas, rules=(rule,), up=AT_ONCE, down=AT_ONCE, **more)


def answered(*values: float, steps: tuple[StepAdjustment, ...], current: int = 10) -> Wish:
    """What the strategy answers after samples at one count, its memory through JSON in between."""
    strategy, memory = Step(signal="load", steps=steps), None
    wish: Wish | None = None
    for index, value in enumerate(values):
        now = SCRAPE * index
        wish = strategy.propose(a_view(now, read(LOAD, Latest(now, value), now), current), memory)
        memory = json.loads(json.dumps(wish.memory))
    assert wish is not None
    return wish


def a_view(now: float, reading: Reading, current: int) -> View:
    return View(
        now=now,
        deployment=Deployment(name="d"),
        current=current,
        readings={"load": reading},
        lead_time_seconds=300.0,
    )


def test_a_step_is_due_after_its_breaches_in_a_row() -> None:
    w = a_world(4, above(80, 3, +2))
    assert w.act(load=90.0).verdict == Hold(Reason.STEADY)
    assert w.act(after=SCRAPE, load=90.0).verdict == Hold(Reason.STEADY)
    decision = w.act(after=SCRAPE, load=90.0)
    assert decision.verdict == ScaleUp(Reason.DEMAND)
    assert decision.desired == 6
    assert "load 90, above 80 in 3 samples in a row: wants 6" in decision.sentence


def test_a_sample_counts_once_however_often_it_is_looked_at() -> None:
    w = a_world(4, above(80, 2, +2))
    w.act(load=90.0)
    for _ in range(5):
        assert w.act(after=1.0).verdict == Hold(Reason.STEADY)
    assert w.act(after=1.0, load=90.0).desired == 6


def test_a_sample_from_a_clock_slightly_ahead_counts_once_too() -> None:
    strategy = Step(signal="load", steps=(above(80, 2, +2),))
    memory: JsonValue = None
    for now in (0.0, 1.0, 2.0):
        wish = strategy.propose(a_view(now, read(LOAD, Latest(4.0, 90.0), now), 4), memory)
        memory = wish.memory
        assert wish.is_abstaining


def test_a_sample_that_does_not_breach_begins_the_count_anew() -> None:
    steps = (above(80, 2, +2),)
    assert answered(90.0, 80.0, 90.0, steps=steps).is_abstaining  # the bound itself is no breach
    assert answered(90.0, 80.0, 90.0, 90.0, steps=steps).replicas == 12


def test_missing_data_is_no_breach_and_begins_the_count_anew() -> None:
    w = a_world(4, below(20, 2, -1))
    w.act(load=10.0)
    gone = w.act(after=61.0)
    assert gone.verdict == Hold(Reason.MISSING_DATA)
    assert w.act(after=SCRAPE, load=10.0).verdict == Hold(Reason.STEADY)
    assert w.act(after=SCRAPE, load=10.0).verdict == ScaleDown(Reason.DEMAND)


def test_a_scrape_that_fails_within_the_allowed_age_loses_nothing() -> None:
    w = a_world(4, above(80, 2, +2))
    w.act(load=90.0)
    w.act(after=30.0)
    assert w.act(after=15.0, load=90.0).desired == 6


def test_one_overload_is_not_answered_twice() -> None:
    w = a_world(4, above(80, 2, +2))
    counts = [w.act(after=SCRAPE, load=90.0).desired for _ in range(6)]
    assert counts == [4, 6, 6, 8, 8, 10]


def test_while_no_step_is_due_other_rules_decide_alone() -> None:
    fixed = world(1).policy.rules[0]  # ten a replica
    w = world(
        5,
        rules=(
            Rule(
                name="s", role=Role.DEMAND, strategy=Step(signal="load", steps=(above(80, 1, 1),))
            ),
            fixed,
        ),
        down=AT_ONCE,
    )
    assert w.act(load=20.0).desired == 2


@pytest.mark.parametrize(
    ("value", "expected"), [(85.0, 11), (96.0, 15), (80.0, None), (15.0, 9), (4.0, 7)]
)
def test_of_several_steps_the_one_furthest_out_counts(value: float, expected: int | None) -> None:
    steps = (above(95, 1, +5), above(80, 1, +1), below(5, 1, -3), below(20, 1, -1))
    assert answered(value, steps=steps).replicas == expected


def test_a_step_further_out_counts_only_once_it_is_due() -> None:
    steps = (above(80, 1, +1), above(95, 3, +5))
    assert [answered(*[99.0] * times, steps=steps).replicas for times in (1, 2, 3)] == [11, 11, 15]


def test_of_equal_bounds_the_one_that_waited_longer_counts() -> None:
    steps = (above(80, 3, +5), above(80, 1, +1))
    assert [answered(*[99.0] * times, steps=steps).replicas for times in (1, 2, 3)] == [11, 11, 15]


def test_of_two_sides_the_one_that_comes_to_more_replicas_counts() -> None:
    steps = (below(50, 1, -2), above(30, 1, +1))
    assert answered(40.0, steps=steps).replicas == 11


@pytest.mark.parametrize(
    ("adjustment", "amount", "current", "expected"),
    [
        (Adjustment.CHANGE, -4, 3, 0),
        (Adjustment.PERCENT, 25, 10, 12),  # cut off
        (Adjustment.PERCENT, 5, 10, 11),  # at least one
        (Adjustment.PERCENT, -25, 10, 8),
        (Adjustment.PERCENT, -5, 10, 9),
        (Adjustment.PERCENT, -100, 10, 0),
        (Adjustment.PERCENT, 50, 0, 1),
        (Adjustment.EXACT, 7, 10, 7),
    ],
)
def test_what_a_step_makes_of_a_count(
    adjustment: Adjustment, amount: int, current: int, expected: int
) -> None:
    steps = (StepAdjustment(Side.ABOVE, 80, 1, adjustment, amount),)
    assert answered(90.0, steps=steps, current=current).replicas == expected


def test_a_restart_in_the_middle_of_a_row_changes_nothing() -> None:
    w = a_world(4, above(80, 2, +2))
    w.act(load=90.0)
    w.restart()
    assert w.act(after=SCRAPE, load=90.0).desired == 6


def test_other_steps_than_those_remembered_begin_anew() -> None:
    memory = answered(90.0, 90.0, steps=(above(80, 9, 1), above(70, 9, 1))).memory
    reading = Reading(spec=LOAD, freshness=Freshness.USABLE, value=90.0, time=999.0)
    wish = Step(signal="load", steps=(above(80, 2, 1),)).propose(a_view(999.0, reading, 10), memory)
    assert wish.is_abstaining
    assert "above 80 in 1 of 2 samples" in wish.sentence


@given(
    memory=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["times", "seen", "current", "x"]), inner)
        ),
    )
)
def test_whatever_is_found_in_memory_an_answer_comes(memory: JsonValue) -> None:
    reading = read(LOAD, Latest(0.0, 90.0), 0.0)
    wish = Step(signal="load", steps=(above(80, 2, 1),)).propose(a_view(0.0, reading, 10), memory)
    assert wish.sentence
