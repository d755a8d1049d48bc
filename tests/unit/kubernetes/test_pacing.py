"""The pace of calls: never more than so many in any second, in order, and no call that must wait too long."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.simulation.virtual_time import VirtualLoop, WorldClock

from trimtab.clock import ManualClock
from trimtab.errors import ErrorKind
from trimtab.kubernetes.api import KubernetesError
from trimtab.kubernetes.pacing import PAUSE_SECONDS_MAX, Pace


@example(per_second_max=1, arrivals=[0.0, 0.0, 0.0], pauses=[(0.5, 3.0)])
@given(
    per_second_max=st.integers(1, 20),
    arrivals=st.lists(st.floats(0.0, 10.0), max_size=60),
    pauses=st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(0.0, 3.0)), max_size=3),
)
def test_no_second_has_more_calls_than_are_allowed_and_none_waits_without_need(
    per_second_max: int, arrivals: list[float], pauses: list[tuple[float, float]]
) -> None:
    """Seen to catch: a bucket whose size and rate are both the limit (two limits in one second), and waiting
    calls that all go when a pause ends."""
    sent: list[tuple[float, float]] = []

    async def live() -> None:
        clock = WorldClock(loop, 0.0)
        pace = Pace(clock, per_second_max)

        async def call(at: float) -> None:
            await asyncio.sleep(at)
            await pace.take("GET /", math.inf)
            sent.append((at, clock.monotonic()))

        async def pause(at: float, seconds: float) -> None:
            await asyncio.sleep(at)
            pace.pause(seconds)

        await asyncio.gather(*(call(at) for at in arrivals), *(pause(*one) for one in pauses))

    loop = VirtualLoop()
    loop.run_until_complete(live())
    loop.close()
    times = sorted(at for _, at in sent)
    assert len(times) == len(arrivals)
    for first, beyond in zip(times, times[per_second_max:], strict=False):
        assert beyond >= first + 1.0 - 1e-9
    for at, seconds in pauses:
        assert not [time for time in times if at + 1e-9 < time < at + seconds - 1e-9]
    if len(arrivals) <= per_second_max and not pauses:
        assert all(at == pytest.approx(came) for came, at in sent)


async def test_a_call_that_would_wait_too_long_is_refused_at_once_and_takes_no_turn() -> None:
    clock = ManualClock()
    pace = Pace(clock, 2)
    await pace.take("one", 1.0)
    await pace.take("two", 1.0)
    for _ in range(3):
        with pytest.raises(KubernetesError, match="2 calls a second are allowed") as caught:
            await pace.take("PATCH /x", 0.5)
    assert caught.value.kind is ErrorKind.RATE_LIMITED
    assert caught.value.retry_after_seconds == 1.0
    assert not caught.value.is_ambiguous
    clock.advance(1.0)
    await pace.take("three", 0.0)


async def test_a_pause_that_is_asked_for_is_kept_up_to_a_minute() -> None:
    clock = ManualClock()
    pace = Pace(clock, 5)
    pace.pause(1e9)
    with pytest.raises(KubernetesError, match="the API asked for a pause"):
        await pace.take("GET /", PAUSE_SECONDS_MAX - 0.1)
    clock.advance(PAUSE_SECONDS_MAX)
    await pace.take("GET /", 0.0)


async def test_a_pace_below_one_a_second_is_one_in_so_many_seconds() -> None:
    clock = ManualClock()
    pace = Pace(clock, 0.25)
    await pace.take("one", 0.0)
    clock.advance(3.9)
    with pytest.raises(KubernetesError, match=r"0\.25 calls a second are allowed"):
        await pace.take("two", 0.0)
    clock.advance(0.1)
    await pace.take("two", 0.0)


@pytest.mark.parametrize("number", [0, -1, float("nan"), float("inf")])
def test_a_pace_of_nothing_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="above 0 calls a second"):
        Pace(ManualClock(), number)
