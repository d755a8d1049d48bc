from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.worlds.engine_world import BUSY, LOAD, a_deployment, world

from trimtab.core.deployment import Pipeline
from trimtab.core.policy import Limit, MoveRules, Rule
from trimtab.core.proposals import JsonValue, View, Wish
from trimtab.core.roles import Role
from trimtab.core.signals import Freshness, Reading
from trimtab.core.strategies.queue import NOT_WAITING, Aggregation, Queue


def queue(**changes: Any) -> Queue:
    """Ten a replica; up after 30 s, down after 600 s, to zero as down."""
    return Queue(**({"signal": "load", "target": 10.0} | changes))


class Watched:
    """Asks a strategy again and again, and hands its memory back as the journal would."""

    def __init__(self, strategy: Queue, current: int, ready: int | None = None) -> None:
        self.strategy, self.current, self.ready = strategy, current, ready
        self.now = 1000.0
        self.memory: JsonValue = None

    def ask(self, load: float | None, after: float = 10.0) -> Wish:
        self.now += after
        ready = self.current if self.ready is None else self.ready
        freshness = Freshness.STALE if load is None else Freshness.USABLE
        reading = {
            spec.name: Reading(spec=spec, freshness=freshness, value=load, age_seconds=0.0)
            for spec in (LOAD, BUSY)
        }
        view = View(
            now=self.now,
            deployment=a_deployment(self.current, pipeline=Pipeline(ready=ready)),
            current=self.current,
            readings=reading,
            lead_time_seconds=300.0,
        )
        wish = self.strategy.propose(view, self.memory)
        self.memory = json.loads(json.dumps(wish.memory))
        return wish

    def ask_for(self, load: float, seconds: int) -> list[int | None]:
        return [self.ask(load).replicas for _ in range(seconds // 10)]


def test_more_are_asked_for_after_they_have_been_wanted_for_the_delay() -> None:
    watched = Watched(queue(), current=2)
    first = watched.ask(45.0)
    assert first.replicas == 2
    assert first.sentence == (
        "load 45 (mean of 30 s), target 10 a replica: would have 5 in another 30 s of this, keeps 2"
    )
    assert watched.ask_for(45.0, 30) == [2, 2, 5]


def test_a_moment_without_the_wish_starts_the_delay_anew() -> None:
    watched = Watched(queue(look_back_seconds=1.0), current=2)
    watched.ask_for(45.0, 30)
    watched.ask(20.0)
    assert watched.ask_for(45.0, 40) == [2, 2, 2, 5]


def test_the_requests_are_averaged_over_the_look_back() -> None:
    watched = Watched(queue(upscale_delay_seconds=0.0), current=2)
    watched.ask_for(20.0, 30)
    assert watched.ask_for(50.0, 30) == [3, 4, 5]


@pytest.mark.parametrize(("aggregation", "expected"), [("mean", 3), ("max", 5), ("min", 2)])
def test_what_stands_for_the_look_back_can_be_chosen(aggregation: str, expected: int) -> None:
    strategy = queue(upscale_delay_seconds=0.0, aggregation=Aggregation(aggregation))
    watched = Watched(strategy, current=2)
    watched.ask_for(20.0, 30)
    assert watched.ask(50.0).replicas == expected


def test_a_delay_that_has_passed_stays_passed_until_the_count_is_reached() -> None:
    watched = Watched(queue(), current=2)
    watched.ask_for(65.0, 40)
    watched.current = 4  # a limit let only half of it through
    assert watched.ask(65.0).replicas == 7
    watched.current = 7
    assert watched.ask(95.0).replicas == 7  # reached: another wish waits for itself


def test_fewer_are_asked_for_after_a_longer_delay() -> None:
    watched = Watched(queue(downscale_delay_seconds=60.0), current=5)
    assert watched.ask_for(20.0, 70) == [5] * 6 + [2]


def test_the_last_replica_goes_only_from_one_and_after_its_own_delay() -> None:
    strategy = queue(downscale_delay_seconds=20.0, downscale_to_zero_delay_seconds=40.0)
    watched = Watched(strategy, current=3)
    assert watched.ask_for(0.0, 30) == [3, 3, 1]
    watched.current = 1
    assert watched.ask_for(0.0, 50) == [1, 1, 1, 1, 0]


def test_the_last_replica_waits_anew_when_somebody_else_took_the_others() -> None:
    strategy = queue(
        look_back_seconds=1.0, downscale_delay_seconds=20.0, downscale_to_zero_delay_seconds=40.0
    )
    watched = Watched(strategy, current=5)
    watched.ask_for(20.0, 30)
    watched.current = 1
    assert watched.ask_for(0.0, 50) == [1, 1, 1, 1, 0]


def test_with_none_serving_any_request_asks_at_once() -> None:
    watched = Watched(queue(upscaling_factor=2.5), current=0)
    assert watched.ask(0.0).replicas == 0
    wish = watched.ask(1.0)
    assert wish.replicas == 3
    assert "none serves, wants 3 at once" in wish.sentence


def test_with_none_serving_those_on_their_way_are_kept() -> None:
    assert Watched(queue(), current=4, ready=0).ask(900.0).replicas == 4


def test_a_factor_goes_part_of_the_way_and_never_sticks() -> None:
    half = queue(upscaling_factor=0.5, downscaling_factor=0.5)
    assert half.scaled(20, 10) == 15
    assert half.scaled(2, 10) == 6
    assert half.scaled(9, 10) == 9


def test_counts_come_in_whole_groups() -> None:
    strategy = queue(group=4, upscale_delay_seconds=0.0, downscale_delay_seconds=0.0)
    assert Watched(strategy, current=4).ask(45.0).replicas == 8
    assert Watched(strategy, current=8).ask(0.0).replicas == 4  # the last group goes by itself


def test_a_stale_signal_is_not_an_empty_queue() -> None:
    wish = Watched(queue(), current=4).ask(None)
    assert (wish.replicas, wish.sentence) == (None, "load is stale")


def test_a_gap_starts_the_delay_for_fewer_anew_and_not_the_one_for_more() -> None:
    fewer = Watched(queue(downscale_delay_seconds=30.0), current=5)
    fewer.ask_for(20.0, 30)
    fewer.ask(None)
    assert fewer.ask_for(20.0, 40) == [5, 5, 5, 2]
    more = Watched(queue(), current=2)
    more.ask_for(45.0, 20)
    more.ask(None)
    assert more.ask_for(45.0, 10) == [5]


def test_an_average_per_replica_counts_for_those_that_serve() -> None:
    watched = Watched(queue(signal="busy", upscale_delay_seconds=0.0), current=4, ready=2)
    assert watched.ask(30.0).replicas == 6
    watched.ready = 0
    assert watched.ask(30.0).replicas is None


def test_memory_of_another_strategy_is_a_fresh_start() -> None:
    watched = Watched(queue(), current=2)
    watched.memory = {"spans": [], "panic": [None, 2], "delayed": []}
    assert watched.ask(20.0).replicas == 2


@given(
    st.lists(st.tuples(st.floats(0.0, 100.0), st.integers(0, 50), st.integers(0, 50)), max_size=60)
)
def test_a_delay_never_turns_a_wish_around(steps: list[tuple[float, int, int]]) -> None:
    strategy, waiting, now = queue(), NOT_WAITING, 0.0
    for seconds, wanted, current in steps:
        now += seconds
        delayed = strategy.delay(wanted, current, waiting, now)
        waiting = delayed.waiting
        low, high = sorted((wanted, current))
        assert low <= delayed.replicas <= high


def test_a_rate_limit_does_not_make_the_wish_wait_again() -> None:
    there = world(
        1,
        rules=(Rule(name="r", role=Role.DEMAND, strategy=queue()),),
        up=MoveRules(stabilization_seconds=0, limits=(Limit(replicas=1, period_seconds=10.0),)),
    )
    counts = [there.act(10.0, load=45.0).desired for _ in range(8)]
    assert counts == [1, 1, 1, 2, 3, 4, 5, 5]
