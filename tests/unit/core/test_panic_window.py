from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.worlds.engine_world import BUSY, LOAD, World, a_deployment, world

from trimtab.core.deployment import Pipeline
from trimtab.core.policy import MoveRules, Rule
from trimtab.core.proposals import JsonValue, View, Wish
from trimtab.core.roles import Role
from trimtab.core.signals import Freshness, Reading
from trimtab.core.strategies.panic_window import (
    Averages,
    Averaging,
    Panic,
    PanicWindow,
    excess_burst,
    share_of,
)


def panicker(**changes: Any) -> PanicWindow:
    """Ten a replica, a minute's window, six seconds' panic window."""
    return PanicWindow(**({"signal": "load", "target": 10.0, "utilization": 1.0} | changes))


class Watched:
    """Asks a strategy again and again, and hands its memory back as the journal would."""

    def __init__(self, strategy: PanicWindow, current: int, ready: int | None = None) -> None:
        self.strategy, self.current, self.ready = strategy, current, ready
        self.now = 1000.0
        self.memory: JsonValue = None

    def ask(self, load: float | None, after: float = 10.0, age: float = 0.0) -> Wish:
        self.now += after
        ready = self.current if self.ready is None else self.ready
        freshness = Freshness.STALE if load is None else Freshness.USABLE
        view = View(
            now=self.now,
            deployment=a_deployment(self.current, pipeline=Pipeline(ready=ready)),
            current=self.current,
            readings={
                "load": Reading(spec=LOAD, freshness=freshness, value=load, age_seconds=age),
                "busy": Reading(spec=BUSY, freshness=freshness, value=load, age_seconds=age),
            },
            lead_time_seconds=300.0,
        )
        wish = self.strategy.propose(view, self.memory)
        self.memory = json.loads(json.dumps(wish.memory))
        return wish

    def settle(self, load: float, seconds: int = 130) -> Wish:
        """Let a load stand until what was before is forgotten."""
        for _ in range(seconds // 10):
            wish = self.ask(load)
        return wish


def test_a_steady_load_is_divided_by_the_target() -> None:
    wish = Watched(panicker(), current=3).settle(25.0)
    assert wish.replicas == 3
    assert wish.sentence == ("load 25 over 60 s, 25 over 6 s, target 10 a replica, wants 3")


def test_a_replica_is_filled_up_to_the_utilization() -> None:
    wish = Watched(panicker(utilization=0.7), current=4).settle(25.0)
    assert wish.replicas == 4
    assert "target 7 a replica (70% of 10)" in wish.sentence


def test_a_small_rise_goes_with_the_stable_window() -> None:
    watched = Watched(panicker(), current=4)
    watched.settle(40.0)
    first = watched.ask(70.0)
    assert first.replicas == 5  # (50 s of 40, 10 s of 70) / 60 s = 45
    assert "panic" not in first.sentence


def test_a_burst_is_followed_at_once_and_kept_for_a_stable_window() -> None:
    watched = Watched(panicker(), current=2)
    watched.settle(20.0)
    burst = watched.ask(45.0)
    assert burst.replicas == 5
    assert "a burst for 2 ready, panics, wants 5" in burst.sentence
    watched.current = 5
    kept = [watched.ask(5.0).replicas for _ in range(6)]
    assert kept == [5] * 6
    assert watched.ask(5.0).replicas == 2  # over; the rate lets go half of those that serve


def test_another_burst_makes_the_panic_last_longer() -> None:
    watched = Watched(panicker(), current=2)
    watched.settle(20.0)
    watched.ask(45.0)
    for _ in range(5):
        watched.ask(5.0)
    watched.ask(45.0)  # as many as ever, for the two that still serve
    assert [watched.ask(5.0).replicas for _ in range(6)] == [5] * 6


def test_it_begins_in_panic_so_that_a_short_look_shrinks_nothing() -> None:
    watched = Watched(panicker(), current=8)
    assert watched.ask(10.0).replicas == 8
    assert "still in panic, not below 8" in watched.ask(10.0).sentence
    assert watched.settle(10.0, 60).replicas == 4


def test_a_stale_signal_is_not_a_load_of_zero() -> None:
    watched = Watched(panicker(), current=3)
    watched.settle(30.0)
    wish = watched.ask(None)
    assert (wish.replicas, wish.sentence) == (None, "load is stale")


def test_a_gap_does_not_thin_out_the_average() -> None:
    watched = Watched(panicker(), current=3)
    watched.settle(30.0)
    for _ in range(5):
        watched.ask(None)
    assert watched.ask(30.0).replicas == 3


def test_an_average_per_replica_counts_for_those_that_serve() -> None:
    watched = Watched(panicker(signal="busy"), current=4, ready=2)
    assert watched.settle(20.0).replicas == 4
    watched.ready = 0
    assert watched.ask(20.0).replicas is None


def test_one_evaluation_goes_no_further_than_the_rates() -> None:
    narrow = panicker(max_scale_up_rate=1.5, max_scale_down_rate=2.0)
    calm = Panic(None, 0)
    up = narrow.steer(Averages(900.0, 900.0), ready=4, now=0.0, panic=calm, delayed=())
    down = narrow.steer(Averages(0.0, 0.0), ready=9, now=0.0, panic=calm, delayed=())
    assert (up.replicas, down.replicas) == (6, 4)


def test_the_highest_count_of_the_scale_down_delay_stands() -> None:
    watched = Watched(panicker(scale_down_delay_seconds=300.0), current=1)
    watched.settle(10.0)
    watched.ask(19.0, after=60.0)
    held = watched.settle(1.0, 200)
    assert held.replicas == 2
    assert "holds 2, the most of the last 300 s" in held.sentence
    assert watched.settle(1.0, 160).replicas == 1


def test_the_first_step_from_zero_is_the_activation_scale() -> None:
    watched = Watched(panicker(activation_scale=3), current=0)
    assert watched.ask(0.0).replicas == 0
    assert watched.ask(1.0).replicas == 3


def test_a_fading_average_follows_faster_than_an_even_one() -> None:
    answers = []
    for averaging in Averaging:
        watched = Watched(panicker(averaging=averaging), current=50)
        watched.settle(500.0, 240)
        answers.append(watched.ask(900.0).replicas)
    assert answers == [57, 86]


@pytest.mark.parametrize(("burst", "words"), [(20.0, "short by 5"), (10.0, "with 5 to spare")])
def test_the_room_for_a_burst_is_told_and_changes_no_count(burst: float, words: str) -> None:
    wish = Watched(panicker(burst=burst), current=4).settle(25.0)
    assert wish.replicas == 4 - 1
    assert wish.sentence.endswith(f"those ready take a burst of {burst:.4g} {words}")


def test_no_burst_is_always_met_and_an_endless_one_never() -> None:
    assert excess_burst(1, 10.0, None, 99.0) == excess_burst(1, 10.0, 0.0, 99.0) == 0
    assert excess_burst(100, 10.0, -1.0, 0.0) == -1


def test_a_target_above_the_hard_limit_is_not_believed() -> None:
    assert share_of(24.0, 16.0, 0.5) == (8.0, 16.0)


def test_memory_of_another_strategy_is_a_fresh_start() -> None:
    watched = Watched(panicker(), current=2)
    watched.memory = {"spans": [], "waiting": [0, 0.0, None]}
    assert watched.ask(20.0).replicas == 2


@given(
    loads=st.lists(st.floats(0.0, 1e9) | st.none(), min_size=1, max_size=40),
    gap=st.floats(0.0, 50.0),
    current=st.integers(0, 50),
)
def test_in_panic_no_proposal_is_below_the_last(
    loads: list[float | None], gap: float, current: int
) -> None:
    watched = Watched(panicker(), current=current)
    last = 0
    for load in loads:
        wish = watched.ask(load, after=gap)
        if wish.replicas is None:
            continue
        assert isinstance(watched.memory, dict)
        since, most = watched.memory["panic"]
        assert len(json.dumps(watched.memory)) < 20_000
        if since is not None:
            assert wish.replicas >= max(last, 0)
            assert wish.replicas == most
            last = wish.replicas
        else:
            last = 0


def a_world(strategy: PanicWindow, replicas: int) -> World:
    return world(
        replicas,
        rules=(Rule(name="r", role=Role.DEMAND, strategy=strategy),),
        up=MoveRules(stabilization_seconds=0.0),
        down=MoveRules(stabilization_seconds=0.0),
    )


def test_a_restart_in_the_middle_of_a_panic_decides_the_same() -> None:
    there, without = a_world(panicker(), 2), a_world(panicker(), 2)
    for load in (20.0, 20.0, 45.0, 5.0):
        there.act(10.0, load=load)
        without.act(10.0, load=load)
    there.restart()
    for _ in range(10):
        assert there.act(10.0, load=5.0).desired == without.act(10.0, load=5.0).desired
    assert there.deployment.desired_replicas == 1
