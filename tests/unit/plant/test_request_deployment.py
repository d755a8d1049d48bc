"""A deployment request by request: nobody lost or invented, replicas that come and go, what is measured."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.plant import (
    SERVING_MODELS,
    ConstantWorkload,
    DayWorkload,
    Load,
    ServingModel,
    Slo,
    StartTimes,
    SteppedWorkload,
    Workload,
    start_times_for,
)
from trimtab.plant.requests import Arrival, RecordedArrivals, Request, RequestDeployment
from trimtab.plant.requests.arrivals import DrawnArrivals, Lengths

START = 1_767_225_600.0
SURE = StartTimes(10.0, 60.0, 30.0, cv=0.0, failure_probability=0.0)
SHAKY = StartTimes(5.0, 10.0, 5.0, ready_lag_seconds=2.0, cv=0.5, failure_probability=0.3)
CONVERSATION = Load(12.0, 1155.0, 211.0)
SILENCE = Load(0.0, 1155.0, 211.0)
PLAIN = ServingModel("plain", 0.0, 100.0, 0.001, 0.0, 1_000_000, 4, 1000)
"""Every iteration takes 0.1 s, whatever it does; four sequences at a time."""


def deployment(
    workload: Workload | Load = CONVERSATION,
    *,
    model: ServingModel = SERVING_MODELS["8b-h100"],
    replicas: int = 1,
    seed: int = 1,
    start_times: StartTimes = SURE,
    waiting_max_per_replica: int | None = None,
    cached_prompt_share: float = 0.0,
    requests: list[tuple[float, float, float]] | None = None,
    told: list[Request] | None = None,
) -> RequestDeployment:
    return RequestDeployment(
        model=model,
        slo=Slo(ttft_seconds=1.0, tpot_seconds=0.15),
        workload=ConstantWorkload(workload) if isinstance(workload, Load) else workload,
        start_times=start_times,
        rng=random.Random(seed),
        started_at=START,
        replicas=replicas,
        waiting_max_per_replica=waiting_max_per_replica,
        cached_prompt_share=cached_prompt_share,
        arrivals=None if requests is None else RecordedArrivals(requests),
        told=None if told is None else told.append,
    )


def inside(plant: RequestDeployment) -> int:
    """Requests that are somewhere, counted where they are."""
    router = plant._router
    return len(router.queue) + sum(
        len(replica.requests) for replica in [*router._serving, *router._draining]
    )


def outcome(plant: RequestDeployment) -> dict[str, object]:
    return dataclasses.asdict(plant.totals) | {"members": plant.replicas.members}


def a_day(seed: int = 3) -> DayWorkload:
    return DayWorkload(
        peak_requests_per_second=30.0, prompt_tokens=1155, output_tokens=211, seed=seed, hour=8.0
    )


def driven(plant: RequestDeployment, minutes: int = 20) -> RequestDeployment:
    for step in range(minutes * 4):
        now = START + 15.0 * step
        if step % 10 == 0:
            plant.ask(1 + step // 10 % 4, now)
        plant.advance(now)
    return plant


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    model=st.sampled_from([SERVING_MODELS["8b-h100"], SERVING_MODELS["70b-4xa100"], PLAIN]),
    waiting_max=st.sampled_from([0, 3, 200]),
    doings=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "ask",
                    "ask",
                    "ask",
                    "crash",
                    "extra",
                    "revoke",
                    "block",
                    "unblock",
                    "load",
                    "none",
                ]
            ),
            st.integers(0, 4),
            st.floats(0.0, 40.0),
        ),
        max_size=25,
    ),
)
def test_every_request_is_answered_or_refused_or_in_flight_and_told_exactly_once(
    seed: int, model: ServingModel, waiting_max: int, doings: list[tuple[str, int, float]]
) -> None:
    told: list[Request] = []
    plant = deployment(
        Load(6.0, 700.0, 150.0), model=model, seed=seed, start_times=SHAKY,
        waiting_max_per_replica=waiting_max, told=told,
    )  # fmt: skip
    now = START
    for what, count, seconds in doings:
        match what:
            case "ask":
                plant.ask(count, now)
            case "crash":
                plant.replicas.crash_one(now)
            case "extra":
                plant.replicas.add_revocable(count, now)
            case "revoke":
                plant.replicas.revoke(count, now)
            case "block" | "unblock":
                plant.replicas.scheduling_blocked = what == "block"
            case "load":
                plant.set_workload(ConstantWorkload(Load(4.0 * count, 300.0, 30.0)))
            case _:
                pass
        now += seconds
        plant.advance(now)

        totals = plant.totals
        assert plant.in_flight == inside(plant)
        assert totals.offered == totals.finished + totals.refused + plant.in_flight
        assert 0 <= plant.waiting <= plant.in_flight
        assert totals.met_slo <= totals.finished
        assert plant._router.serving == plant.replicas.serving
        draining = [each for each in plant._router._draining if each.in_flight]
        assert len(draining) <= plant.replicas.draining
        assert 0.0 <= (plant._router.kv_share or 0.0) <= 1.0

    plant.set_workload(ConstantWorkload(SILENCE))
    plant.advance(now + 10_000.0)
    assert plant.in_flight == 0.0
    numbers = Counter(request.number for request in told)
    assert numbers == Counter(range(1, int(plant.totals.offered) + 1))
    refused = Counter(request.refused_with for request in told if request.refused_with)
    assert refused == {code: n for code, n in plant.totals.refused_by_code.items() if n}


def test_the_same_seed_and_the_same_calls_give_the_same_run() -> None:
    times = start_times_for(8)

    first = outcome(driven(deployment(a_day(), seed=5, start_times=times)))
    again = outcome(driven(deployment(a_day(), seed=5, start_times=times)))
    other = outcome(driven(deployment(a_day(), seed=6, start_times=times)))

    assert first == again
    assert first != other


def test_how_often_time_is_advanced_makes_no_difference() -> None:
    often, seldom = deployment(), deployment()
    for tenths in range(1, 3001):
        often.advance(START + tenths / 10.0)
    seldom.advance(START + 300.0)

    assert often.totals.finished > 3000
    assert often.totals.finished == seldom.totals.finished
    assert often.totals.billed_replica_seconds == pytest.approx(300.0)


def test_the_same_requests_come_whatever_is_asked_of_the_replicas() -> None:
    left_alone: list[Request] = []
    scaled: list[Request] = []
    deployment(seed=4, told=left_alone).advance(START + 120.0)
    driven(deployment(seed=4, told=scaled, start_times=SHAKY), minutes=2)

    def came(told: list[Request]) -> dict[int, tuple[float, int, int]]:
        return {r.number: (r.arrived_ms, r.prompt_tokens, r.output_tokens) for r in told}

    common = came(left_alone).keys() & came(scaled).keys()
    assert len(common) > 1000
    assert {n: came(left_alone)[n] for n in common} == {n: came(scaled)[n] for n in common}


def test_a_lone_request_takes_one_iteration_for_its_prompt_and_one_for_each_further_token() -> None:
    told: list[Request] = []
    plant = deployment(model=PLAIN, requests=[(2.0, 500, 11)], told=told)
    plant.advance(START + 60.0)

    (request,) = told
    assert request.ttft_seconds == pytest.approx(0.1)
    assert request.tpot_seconds == pytest.approx(0.1)
    assert request.finished_ms == pytest.approx(2000.0 + 1100.0)


def test_a_long_prompt_takes_as_many_iterations_as_it_has_chunks_and_a_cached_one_fewer() -> None:
    long, cached = [], []
    deployment(model=PLAIN, requests=[(0.0, 3500, 2)], told=long).advance(START + 9.0)
    deployment(
        model=PLAIN, requests=[(0.0, 3500, 2)], told=cached, cached_prompt_share=0.5
    ).advance(START + 9.0)

    assert long[0].ttft_seconds == pytest.approx(0.4)
    assert cached[0].ttft_seconds == pytest.approx(0.2)


def test_a_replica_asked_for_serves_only_after_its_lead_time() -> None:
    plant = deployment(replicas=0)
    plant.ask(1, START)

    plant.advance(START + 99.999)
    assert plant.totals.finished == 0.0
    assert plant.totals.refused_by_code[503] == plant.totals.offered > 0.0

    plant.advance(START + 160.0)
    assert plant.replicas.serving == 1
    assert plant.totals.finished > 0.0


def test_who_waits_goes_to_a_new_replica_in_the_instant_it_serves() -> None:
    told: list[Request] = []
    requests = [(float(n), 10, 3000) for n in range(5)]  # each takes 300 s; four fit
    plant = deployment(model=PLAIN, requests=requests, told=told)
    plant.ask(2, START)
    plant.advance(START + 99.9)
    assert plant.waiting == 1.0

    plant.advance(START + 1000.0)
    fifth = next(request for request in told if request.number == 5)
    assert fifth.ttft_seconds == pytest.approx(100.0 + 0.1 - 4.0)


def test_a_draining_replica_takes_nothing_more_and_is_paid_until_its_last_request_finished() -> (
    None
):
    requests = [(0.0, 10, 100), (0.0, 10, 600), (0.0, 10, 20)]
    plant = deployment(model=PLAIN, requests=requests, replicas=2)
    plant.advance(START + 5.0)
    youngest = max(plant.replicas.members, key=lambda replica: replica.number)
    (drained,) = [each for each in plant._router._serving if each.number == youngest.number]
    longest = max(request.output_tokens for request in drained.requests)

    plant.ask(1, START + 5.0)
    assert plant.replicas.draining == 1
    plant.advance(START + longest / 10.0 - 0.01)
    assert plant.replicas.draining == 1
    plant.advance(START + longest / 10.0 + 0.01)
    assert plant.replicas.draining == 0
    plant.advance(START + 100.0)

    assert plant.totals.finished == 3.0
    assert plant.totals.billed_replica_seconds == pytest.approx(100.0 + longest / 10.0)


def test_an_idle_replica_is_gone_at_once() -> None:
    plant = deployment(SILENCE, replicas=2)
    plant.advance(START + 10.0)
    plant.ask(1, START + 10.0)
    plant.advance(START + 20.0)

    assert plant.replicas.draining == 0
    assert plant.totals.billed_replica_seconds == pytest.approx(30.0)


def test_a_crash_loses_what_was_in_the_replica_as_500_and_nobody_else() -> None:
    requests = [(0.0, 10, 500)] * 7
    told: list[Request] = []
    plant = deployment(model=PLAIN, requests=requests, replicas=2, told=told)
    plant.advance(START + 5.0)
    plant.replicas.crash_one(START + 5.0)
    plant.advance(START + 100.0)

    assert plant.totals.refused_by_code[500] in {3.0, 4.0}
    assert plant.totals.finished == 7.0 - plant.totals.refused_by_code[500]
    assert all(r.first_token_ms is not None for r in told if r.refused_with == 500)


def test_those_who_wait_get_503_when_the_last_replica_goes_and_those_inside_finish() -> None:
    plant = deployment(model=PLAIN, requests=[(0.0, 10, 100)] * 6)
    plant.advance(START + 1.0)
    assert plant.waiting == 2.0

    plant.ask(0, START + 1.0)
    assert plant.totals.refused_by_code[503] == 2.0
    plant.advance(START + 30.0)
    assert plant.totals.finished == 4.0


def test_the_queue_is_capped_and_who_comes_then_gets_429() -> None:
    plant = deployment(
        model=PLAIN, requests=[(0.0, 10, 100)] * 20, replicas=2, waiting_max_per_replica=3
    )
    plant.advance(START + 1.0)

    assert plant.totals.refused_by_code[429] == 20.0 - 2 * 4 - 2 * 3
    assert plant.waiting == 6.0


def test_nobody_passes_the_head_of_the_queue_that_does_not_fit() -> None:
    tight = dataclasses.replace(PLAIN, kv_capacity_tokens=100)
    told: list[Request] = []
    requests = [(0.0, 40, 20), (0.1, 40, 20), (0.2, 5, 5)]
    deployment(model=tight, requests=requests, told=told).advance(START + 60.0)
    first, second, third = sorted(told, key=lambda request: request.number)

    assert first.finished_ms is not None
    assert second.arrived_ms + (second.ttft_seconds or 0.0) * 1000.0 > first.finished_ms
    assert (third.first_token_ms or 0.0) >= (second.first_token_ms or 0.0)


def test_a_request_too_long_for_the_kv_cache_runs_alone() -> None:
    tight = dataclasses.replace(PLAIN, kv_capacity_tokens=100)
    told: list[Request] = []
    deployment(model=tight, requests=[(0.0, 500, 20), (0.1, 5, 5)], told=told).advance(START + 60.0)
    first, second = told

    assert (first.number, second.number) == (1, 2)
    assert (second.first_token_ms or 0.0) > (first.finished_ms or 0.0)


def test_requests_go_to_the_replica_with_the_fewest_and_in_turn_among_equals() -> None:
    plant = deployment(model=PLAIN, replicas=3, requests=[(n / 10.0, 10, 900) for n in range(9)])
    seen = []
    for n in range(9):
        plant.advance(START + n / 10.0 + 0.05)
        by_number = {each.number: each.in_flight for each in plant._router._serving}
        seen.append(tuple(by_number[number] for number in sorted(by_number)))

    assert all(max(counts) - min(counts) <= 1 for counts in seen)
    assert seen[-1] == (3, 3, 3)


def test_what_was_measured_between_two_looks_is_what_happened_in_between() -> None:
    requests = [(0.0, 500, 11), (10.0, 300, 21), (10.0, 100, 1)]
    plant = deployment(model=PLAIN, requests=requests)

    first = plant.take_means(START + 5.0)
    assert first.requests_per_second == pytest.approx(1 / 5.0)
    assert first.prompt_tokens_per_second == pytest.approx(500 / 5.0)
    assert first.output_tokens_per_second == pytest.approx(11 / 5.0)
    assert first.in_flight == pytest.approx(1.1 / 5.0)
    assert first.waiting == pytest.approx(0.0)
    assert first.ttft_seconds == pytest.approx(0.1)
    assert first.tpot_seconds == pytest.approx(0.1)
    assert first.kv_share == 0.0

    nothing = plant.take_means(START + 9.0)
    assert nothing[:5] == (0.0,) * 5
    assert (nothing.ttft_seconds, nothing.tpot_seconds) == (None, None)

    second = plant.take_means(START + 15.0)
    assert second.requests_per_second == pytest.approx(2 / 6.0)
    assert second.in_flight == pytest.approx((2.1 + 0.1) / 6.0)
    assert second.tpot_seconds == pytest.approx(0.1)  # one token has no time between tokens


def test_waiting_counts_who_has_not_begun_and_its_mean_is_exact() -> None:
    """Four run for 2 s; the fifth waits 1.5 s in front of them; prompts begin at once."""
    requests = [(0.0, 10, 20)] * 4 + [(0.5, 10, 20)]
    plant = deployment(model=PLAIN, requests=requests)

    assert plant.take_means(START + 10.0).waiting == pytest.approx(1.5 / 10.0)


def test_kv_share_is_that_of_the_moment_and_unknown_without_a_replica() -> None:
    model = dataclasses.replace(PLAIN, kv_capacity_tokens=1000)
    plant = deployment(model=model, requests=[(0.0, 100, 101)])

    assert plant.take_means(START + 5.1).kv_share == pytest.approx(0.150, abs=0.002)
    plant.ask(0, START + 6.0)
    assert plant.take_means(START + 7.0).kv_share is None


def test_means_over_no_time_are_refused() -> None:
    with pytest.raises(ValueError, match="means over no time at all"):
        deployment().take_means(START)


def test_short_answers_are_judged_by_their_first_token_alone() -> None:
    slow = dataclasses.replace(PLAIN, weight_read_ms=200.0)  # 0.2 s a token; the SLO says 0.15
    few, many = [deployment(model=slow, requests=[(0.0, 10, tokens)]) for tokens in (15, 16)]
    few.advance(START + 10.0)
    many.advance(START + 10.0)

    assert (few.totals.met_slo, many.totals.met_slo) == (1.0, 0.0)


def test_arrivals_follow_the_rate_and_lengths_have_the_mean_and_spread_asked_for() -> None:
    steps = SteppedWorkload([(1000.0, Load(20.0, 400.0, 80.0)), (1000.0, SILENCE)])
    drawn = DrawnArrivals(
        steps, random.Random(2), Lengths(random.Random(3), prompt_cv=0.5, output_cv=1.0)
    )
    came: list[Arrival] = []
    while (arrival := drawn.next_by(2000.0)) is not None:
        came.append(arrival)

    assert len(came) == pytest.approx(20_000, abs=4 * 20_000**0.5)
    assert all(arrival.at_seconds <= 1000.0 for arrival in came)
    gaps = [b.at_seconds - a.at_seconds for a, b in itertools.pairwise(came)]
    mean = sum(gaps) / len(gaps)
    cv2 = sum((gap - mean) ** 2 for gap in gaps) / len(gaps) / mean**2
    assert cv2 == pytest.approx(1.0, abs=0.05)  # exponential
    for values, mean_asked, cv in (
        ([a.prompt_tokens for a in came], 400.0, 0.5),
        ([a.output_tokens for a in came], 80.0, 1.0),
    ):
        mean = sum(values) / len(values)
        assert mean == pytest.approx(mean_asked, rel=0.03)
        variance = sum((value - mean) ** 2 for value in values) / len(values)
        assert variance**0.5 / mean == pytest.approx(cv, rel=0.1)


def test_arrivals_are_the_same_however_they_are_asked_for() -> None:
    at_once = DrawnArrivals(a_day(), random.Random(7))
    in_pieces = DrawnArrivals(a_day(), random.Random(7))
    expected = []
    while (arrival := at_once.next_by(100.0)) is not None:
        expected.append(arrival)
    got = []
    for tenths in range(1, 1001):
        while (arrival := in_pieces.next_by(tenths / 10.0)) is not None:
            got.append(arrival)

    assert got == expected


def test_recorded_requests_come_when_they_came_and_end() -> None:
    recorded = RecordedArrivals([(0.5, 10.4, 0.0), (0.5, 7, 3), (2.0, 5, 5)])

    assert len(recorded) == 3
    assert recorded.next_by(0.4) is None
    assert recorded.next_by(1.0) == (0.5, 10, 1)
    assert recorded.next_by(1.0) == (0.5, 7, 3)
    assert recorded.next_by(1.0) is None
    assert recorded.next_by(9.0) == (2.0, 5, 5)
    assert recorded.next_by(9.0) is None


@pytest.mark.parametrize("second", [1.0, -1.0, float("nan")])
def test_recorded_requests_out_of_order_are_refused(second: float) -> None:
    with pytest.raises(ValueError, match="sort them by time"):
        RecordedArrivals([(2.0, 1, 1), (second, 1, 1)])


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_cached_share_that_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="cached prompt share"):
        deployment(cached_prompt_share=share)
