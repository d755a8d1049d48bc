"""Peers that are shipped strategies, run by the real engine on hand-made loads."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.simulation.peers.looks import look, rates, sizing
from tests.worlds.engine_world import World, a_deployment

from trimtab.core.deployment import Pipeline
from trimtab.core.policy import MoveRules, Policy
from trimtab.core.proposals import View
from trimtab.core.signals import Freshness, Reading, SignalSpec
from trimtab.simulation.peers.knative import KnativeKpa
from trimtab.simulation.peers.policies import (
    hpa_in_flight,
    hpa_kv_cache,
    hpa_request_rate,
    keda_waiting,
    knative_kpa,
    policy,
)
from trimtab.simulation.peers.rate_tracking import RateTracking


def obeyed(
    ordered: Policy, loads: Iterable[dict[str, float]], *, asked: int, seconds: float = 15.0
) -> list[int]:
    """Let the engine decide on one load after the other; replicas serve at once."""
    world = World(ordered, a_deployment(asked, max_replicas=50))
    return [world.act(seconds, **load).desired for load in loads]


def test_the_hpa_divides_what_is_in_flight_by_seven_tenths_of_what_a_replica_holds() -> None:
    loads = [{"in_flight": one} for one in (210.0, 200.0, 640.0, 70.0)]
    # 210/70 = 3; 200/70 is within a tenth of 3; 10 is 4 more and twice as many away from 3: 7
    assert obeyed(hpa_in_flight(sizing()), loads, asked=2) == [3, 3, 7, 7]


def test_the_hpa_on_the_rate_lets_replicas_go_after_300_seconds() -> None:
    loads = [{"requests_per_second": 40.0}, *[{"requests_per_second": 8.0}] * 22]
    counts = obeyed(hpa_request_rate(sizing()), loads, asked=2)
    assert counts[:20] == [5] * 20
    assert counts[20:] == [1] * 3


def test_the_hpa_on_kv_caches_takes_the_mean_over_those_that_serve() -> None:
    loads = [{"kv_share": one} for one in (0.7, 0.75, 0.91)]
    assert obeyed(hpa_kv_cache(sizing()), loads, asked=10) == [10, 10, 13]


def test_keda_sees_nothing_until_requests_wait_and_then_wants_one_for_five() -> None:
    loads = [{"waiting": one} for one in (0.0, 22.0, *[0.0] * 21)]
    counts = obeyed(keda_waiting(sizing()), loads, asked=3)
    assert counts[:21] == [3, *[5] * 20]
    assert counts[21:] == [1] * 2


def test_knative_panics_at_twice_the_load_and_falls_by_half_at_most() -> None:
    kpa = knative_kpa(sizing())
    loads = [{"in_flight": 420.0}] * 60 + [{"in_flight": 70.0}] * 120
    counts = obeyed(kpa, loads, asked=2, seconds=2.0)
    assert counts[0] == 6  # 420 / 70, three times as many as serve
    assert counts[59] == 6
    # The average over 60 s falls slowly; from 6 it may fall to 3 and then to 1 at most.
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 1
    steps = [(one, other) for one, other in itertools.pairwise(counts) if one != other]
    assert all(other >= one // 2 for one, other in steps)


@pytest.mark.parametrize(
    "build", [hpa_in_flight, hpa_request_rate, hpa_kv_cache, keda_waiting, knative_kpa]
)
def test_without_data_each_keeps_its_replicas(build: object) -> None:
    assert callable(build)
    assert obeyed(build(sizing()), [{}] * 40, asked=7) == [7] * 40


@settings(max_examples=60)
@given(
    st.lists(st.one_of(rates, st.none()), min_size=1, max_size=50),
    st.sampled_from([0.1, 0.33, 0.8, 1.2]),
    st.sampled_from([0.0, 0.1]),
    st.sampled_from([60.0, 300.0]),
)
def test_rate_tracking_is_the_strategy_target_with_a_window(
    loads: list[float | None], share: float, tolerance: float, window_seconds: float
) -> None:
    """Seen to catch: a wish that outlives its window by one look, and one that is not kept where a
    higher one came before."""
    known = sizing()
    shipped = hpa_request_rate(known, share=share, tolerance=tolerance)
    rule, (signal,) = shipped.rules[0], shipped.signals
    unlimited = policy(
        "target",
        known,
        rule.strategy,
        signal.name,
        up=MoveRules(stabilization_seconds=0.0),
        down=MoveRules(stabilization_seconds=window_seconds),
    )
    world = World(unlimited, a_deployment(5, max_replicas=50))
    tracking = RateTracking(known, share=share, tolerance=tolerance, window_seconds=window_seconds)
    asked = 5
    # Both find five replicas before anything is measured, as in a world that has just begun.
    assert world.act().desired == tracking.wanted(look(0.0, asked=asked)) == asked
    for turn, rate in enumerate(loads):
        at = 15.0 * (turn + 1)
        heard = {} if rate is None else {"requests_per_second": rate}
        if rate is None:  # what was measured before is still young enough for the engine
            world.now += 15.0
            assert tracking.wanted(look(at, asked=asked)) == asked
            continue
        asked = tracking.wanted(look(at, asked=asked, **heard))
        assert world.act(15.0, **heard).desired == asked


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.floats(0.0, 200.0), st.integers(0, 5)), min_size=1, max_size=60),
)
@example([(130.0, 0)] * 40 + [(60.0, 0)] * 40)  # a panic that ends, and a load that falls
def test_knative_is_the_strategy_panic_window(loads: list[tuple[float, int]]) -> None:
    """Seen to catch: windows exchanged, and a panic that begins anew at every tick."""
    known = sizing()
    strategy = knative_kpa(known).rules[0].strategy
    spec = SignalSpec(name="in_flight", source="s", query="q", max_age_seconds=15.0)
    ours, memory = KnativeKpa(known), None
    asked, history = 1, [1]  # so that it does not begin in panic, where the windows hardly matter
    for turn, (load, lag) in enumerate(loads):
        ready = min(history[-1 - lag :])
        seen = look(2.0 * turn, asked=asked, ready=ready, in_flight=load)
        view = View(
            now=seen.at,
            deployment=a_deployment(asked, pipeline=Pipeline(ready=ready)),
            current=asked,
            readings={"in_flight": Reading(spec, Freshness.USABLE, load, 0.0)},
            lead_time_seconds=0.0,
        )
        wish = strategy.propose(view, memory)
        memory = wish.memory
        assert wish.replicas is not None
        asked = ours.wanted(seen)
        assert asked == known.within(wish.replicas)
        history.append(asked)
