from __future__ import annotations

import json
from typing import Any

import pytest
from tests.worlds.engine_world import LOAD, World, world

from trimtab.core.decision import Hold, Reason, ScaleDown
from trimtab.core.deployment import Deployment
from trimtab.core.policy import MoveRules, Rule
from trimtab.core.proposals import View
from trimtab.core.roles import Role
from trimtab.core.signals import Latest, read
from trimtab.core.strategies.interface import Strategy
from trimtab.core.strategies.pass_through import PassThrough
from trimtab.core.strategies.stride import Stride
from trimtab.core.strategies.threshold import Threshold

SCRAPE = 15.0
AT_ONCE = MoveRules(stabilization_seconds=0.0)


def a_world(replicas: int, *strategies: Strategy, **more: Any) -> World:
    rules = tuple(
        Rule(name=f"rule-{index}", role=Role.DEMAND, strategy=strategy)
        for index, strategy in enumerate(strategies)
    )
    return world(replicas, rules=rules, up=AT_ONCE, down=AT_ONCE, **more)


def idle(**more: Any) -> Threshold:
    """One fewer after three samples below 20 within a minute."""
    fields: dict[str, Any] = {"upper": 20.0, "trigger": 3, "window_seconds": 60.0, "delta": -1}
    return Threshold(signal="load", **(fields | more))


def busy(**more: Any) -> Threshold:
    """One more after two samples from 80 up within a minute."""
    fields: dict[str, Any] = {"lower": 80.0, "trigger": 2, "window_seconds": 60.0, "delta": 1}
    return Threshold(signal="load", **(fields | more))


def test_enough_samples_within_the_bounds_trigger_one_move() -> None:
    w = a_world(4, idle())
    assert [w.act(after=SCRAPE, load=10.0).desired for _ in range(2)] == [4, 4]
    decision = w.act(after=SCRAPE, load=10.0)
    assert decision.desired == 3
    assert "load below 20 in 3 samples of 60 s: wants 3" in decision.sentence


def test_the_samples_need_not_follow_each_other() -> None:
    w = a_world(4, busy())
    assert [w.act(after=SCRAPE, load=load).desired for load in (90.0, 10.0, 90.0)] == [4, 4, 5]


def test_samples_that_have_left_the_window_do_not_count() -> None:
    w = a_world(4, busy())
    w.act(load=90.0)
    assert w.act(after=60.0, load=90.0).verdict == Hold(Reason.STEADY)
    assert w.act(after=59.0, load=90.0).desired == 5


def test_one_overload_is_not_answered_twice() -> None:
    w = a_world(4, busy())
    assert [w.act(after=SCRAPE, load=90.0).desired for _ in range(5)] == [4, 5, 5, 6, 6]


def test_a_burst_of_evaluations_does_not_repeat_a_move() -> None:
    w = a_world(4, busy())
    w.act(load=90.0)
    w.act(after=SCRAPE, load=90.0)
    assert {w.act(after=0.5).desired for _ in range(10)} == {5}


def test_a_pair_of_thresholds_lets_each_direction_move() -> None:
    w = a_world(4, busy(), idle())
    assert [w.act(after=SCRAPE, load=90.0).desired for _ in range(2)] == [4, 5]
    assert [w.act(after=SCRAPE, load=5.0).desired for _ in range(3)] == [5, 5, 4]


def test_missing_data_triggers_nothing_even_with_enough_samples_in_the_window() -> None:
    w = a_world(4, idle(window_seconds=600.0, delta=0))
    for _ in range(3):
        w.act(after=SCRAPE, load=10.0)
    assert w.act(after=61.0).verdict == Hold(Reason.MISSING_DATA)


@pytest.mark.parametrize(
    ("change", "current", "expected"),
    [
        ({"delta": -1}, 0, 0),
        ({"delta": None, "percentage": 30.0}, 10, 13),
        ({"delta": None, "percentage": -30.0}, 10, 7),
        ({"delta": None, "percentage": 25.0}, 3, 4),
        ({"delta": None, "value": 9}, 2, 9),
    ],
)
def test_where_a_move_goes(change: dict[str, Any], current: int, expected: int) -> None:
    view = View(
        now=0.0,
        deployment=Deployment(name="d"),
        current=current,
        readings={"load": read(LOAD, Latest(0.0, 10.0), 0.0)},
        lead_time_seconds=300.0,
    )
    assert idle(trigger=1, **change).propose(view, None).replicas == expected


def test_memory_stays_small_and_survives_a_restart() -> None:
    w = a_world(4, idle(window_seconds=3600.0, delta=0))
    for _ in range(200):
        w.act(after=SCRAPE, load=10.0)
    (memory,) = w.engine.memory.deployments.values()
    assert len(json.dumps(memory.rules["rule-0"])) < 200
    w.restart()
    assert w.step(after=1.0).verdict == Hold(Reason.STEADY)
    assert "below 20 in 3 samples" in w.step().sentence


def test_the_bounds_are_told_in_words() -> None:
    between = a_world(4, busy(upper=95.0)).act(load=90.0)
    assert "load from 80 to below 95 in 1 samples of 60 s, 2 trigger a move" in str(between.trail)
    assert "load at least 80" in str(a_world(4, busy()).act(load=90.0).trail)


# -- pass-through -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "expected"), [(7.0, 7), (2.1, 3), (1.0, 1)])
def test_the_signal_is_the_count(value: float, expected: int) -> None:
    assert a_world(4, PassThrough(signal="load")).act(load=value).desired == expected


def test_a_count_is_passed_through_no_further_than_the_stride() -> None:
    w = a_world(4, PassThrough(signal="load", stride=Stride(up=2, down=1)))
    assert [w.act(after=SCRAPE, load=9.0).desired for _ in range(3)] == [6, 8, 9]
    assert w.act(after=SCRAPE, load=2.0).verdict == ScaleDown(Reason.DEMAND)
    assert w.act(after=SCRAPE, load=2.0).desired == 7


def test_a_count_that_is_missing_is_not_zero() -> None:
    assert a_world(4, PassThrough(signal="load")).act().verdict == Hold(Reason.MISSING_DATA)
