"""Ray Serve's loop: its own cases, and that arithmetic comes to what turning it comes to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.conformance.cases import DIRECTORY, Vector, read_vectors
from tests.unit.simulation.peers.looks import constant, look, obeyed, sizing

from trimtab.simulation.peers.ray_serve import RayServe, RayServeLoop

SEQUENCES = [
    pytest.param(one, id=one.id)
    for one in read_vectors(DIRECTORY / "ray_serve.json")
    if one.kind == "policy_sequence"
]
MANY = 10**6


def a_loop(config: dict[str, Any], loop_seconds: float) -> RayServeLoop:
    return RayServeLoop(
        target=config["target_ongoing_requests"],
        low=0,
        high=MANY,
        upscaling_factor=config["upscaling_factor"],
        downscaling_factor=config["downscaling_factor"],
        upscale_delay_seconds=config["upscale_delay_s"],
        downscale_delay_seconds=config["downscale_delay_s"],
        downscale_to_zero_delay_seconds=config["downscale_to_zero_delay_s"],
        loop_seconds=loop_seconds,
    )


@pytest.mark.parametrize("vector", SEQUENCES)
def test_each_turn_decides_as_ray_serve_does(vector: Vector) -> None:
    """Each call of theirs is one turn; what another policy wants is as many requests for that."""
    case = vector.input
    loop = a_loop(case["config"], 1 / case["ticks_per_s"])
    target = case["config"]["target_ongoing_requests"]
    for step, expected in zip(case["steps"], vector.expected["decisions"], strict=True):
        ongoing = step.get("total_requests", step.get("raw_desired", 0) * target)
        decisions = {
            loop.turn(
                1,
                ongoing=ongoing,
                running=step["current_replicas"],
                asked=step["target_replicas"],
            )
            for _ in range(step["repeat"])
        }
        assert expected is None or decisions == {expected}


class TurningLoop:
    """The same loop written as it is: one turn after the other, one counter."""

    def __init__(self, target: float, up: int, down: int, to_zero: int, factor: float) -> None:
        self.target, self.up, self.down, self.to_zero = target, up, down, to_zero
        self.factor = factor
        self.counter = 0

    def turn(self, ongoing: float, running: int, asked: int) -> int:
        if running == 0:
            return max(1, asked) if ongoing > 0 else asked
        raw = ongoing / self.target
        factor = self.factor if raw > running else 1.0
        wish = -int(-(running + factor * (raw - running)) // 1)
        wish = min(max(wish, 0), 50)
        if wish > asked:
            self.counter = max(self.counter, 0) + 1
            if self.counter > self.up:
                self.counter, asked = 0, wish
        elif wish < asked:
            self.counter = min(self.counter, 0) - 1
            turns = self.to_zero if asked == 1 else self.down
            if self.counter < -turns:
                self.counter, asked = 0, (wish if asked == 1 else max(1, wish))
        else:
            self.counter = 0
        return asked


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.integers(0, 60), st.integers(0, 12)),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([0, 1, 30, 300]),
    st.sampled_from([0, 50, 600]),
    st.sampled_from([0, 20, 900]),
)
@example([(100, 20, 3), (100, 0, 3), (250, 20, 3)], 300, 600, 900)
def test_many_turns_at_once_are_as_many_turns(
    stretches: list[tuple[int, int, int]], up: int, down: int, to_zero: int
) -> None:
    """Seen to catch: a delay over one turn early, a counter kept where the wish is met, and a delay
    that begins at the count of the other direction."""
    turning = TurningLoop(2.0, up, down, to_zero, factor=1.0)
    loop = RayServeLoop(
        target=2.0,
        low=0,
        high=50,
        upscale_delay_seconds=up,
        downscale_delay_seconds=down,
        downscale_to_zero_delay_seconds=to_zero,
        loop_seconds=1.0,
    )
    asked = slow = 3
    for turns, ongoing, running in stretches:
        for _ in range(turns):
            slow = turning.turn(ongoing, running, slow)
        asked = loop.turn(turns, ongoing=ongoing, running=running, asked=asked)
        assert (asked, loop.count) == (slow, turning.counter)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 350), st.floats(0, 3000)), min_size=1, max_size=15))
def test_looks_at_any_distance_see_what_the_loop_has_come_to(
    stretches: list[tuple[int, float]],
) -> None:
    """The scaler, asked every few seconds, and 0.1 s turns on the last mean that was heard."""
    ray = RayServe(sizing(), look_back_seconds=0.001)  # the mean is the newest measurement
    turning = TurningLoop(70.0, 300, 6000, 6000, factor=1.0)
    at, asked, slow = 0.0, 2, 2
    ongoing: float | None = None
    running = asked
    for tenths, load in stretches:
        at += tenths / 10
        if ongoing is not None:
            for _ in range(tenths - 1):
                slow = max(1, turning.turn(ongoing, running, slow))
        running = asked
        asked = ray.wanted(look(at, asked=asked, in_flight=load))
        ongoing = load
        slow = max(1, turning.turn(ongoing, running, slow))
        assert asked == slow


def test_more_after_30_seconds_and_fewer_after_600() -> None:
    ray = RayServe(sizing())  # 70 requests a replica
    up = obeyed(ray, constant(5, in_flight=350.0), asked=2)
    assert up == [2, 2, 2, 5, 5]  # 301 turns: the one at the fourth look, 30 s after the first
    ray = RayServe(sizing())
    down = obeyed(ray, constant(62, in_flight=70.0), asked=5)
    assert down[:60] == [5] * 60
    assert down[60:] == [1, 1]


def test_one_look_within_the_band_starts_the_delay_anew() -> None:
    ray = RayServe(sizing(), look_back_seconds=10.0)
    loads = [350.0, 350.0, 140.0, 350.0, 350.0, 350.0, 350.0]
    counts = obeyed(ray, [{"in_flight": one} for one in loads], asked=2)
    assert counts == [2, 2, 2, 2, 2, 2, 5]


def test_requests_with_no_replica_running_ask_for_one_at_once() -> None:
    ray = RayServe(sizing(replicas_min=0))
    assert ray.wanted(look(0.0, asked=0, in_flight=0.0)) == 0
    assert ray.wanted(look(10.0, asked=0, in_flight=1.0)) == 1


def test_an_outage_stops_the_loop() -> None:
    ray = RayServe(sizing(), look_back_seconds=10.0)
    loads: list[dict[str, float | None]] = [
        *constant(2, in_flight=350.0),
        *constant(10),
        *constant(3, in_flight=350.0),
    ]
    counts = obeyed(ray, loads, asked=2)
    assert counts[:12] == [2] * 12
    assert counts[12:] == [2, 5, 5]
