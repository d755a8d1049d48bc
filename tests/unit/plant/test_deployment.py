"""The controlled system as a whole: load in, replicas asked for, and what it came to."""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.plant import (
    SERVING_MODELS,
    ConstantWorkload,
    DayWorkload,
    Load,
    PlantDeployment,
    Slo,
    StartTimes,
    SteppedWorkload,
    start_times_for,
)

if TYPE_CHECKING:
    from trimtab.plant import Workload

START = 1_767_225_600.0
SURE = StartTimes(10.0, 60.0, 30.0, cv=0.0, failure_probability=0.0)
CONVERSATION = Load(12.0, 1155.0, 211.0)
SILENCE = Load(0.0, 1155.0, 211.0)


def deployment(
    workload: Workload | Load = CONVERSATION,
    *,
    replicas: int = 1,
    seed: int = 1,
    start_times: StartTimes = SURE,
) -> PlantDeployment:
    return PlantDeployment(
        model=SERVING_MODELS["8b-h100"],
        slo=Slo(ttft_seconds=1.0, tpot_seconds=0.05),
        workload=ConstantWorkload(workload) if isinstance(workload, Load) else workload,
        start_times=start_times,
        rng=random.Random(seed),
        started_at=START,
        replicas=replicas,
    )


def conserved(plant: PlantDeployment) -> bool:
    totals = plant.totals
    answered = totals.finished + totals.refused + plant.in_flight
    return answered == pytest.approx(totals.offered, abs=1e-5)


def outcome(plant: PlantDeployment) -> dict[str, object]:
    return dataclasses.asdict(plant.totals) | {"members": plant.replicas.members}


def driven(plant: PlantDeployment, hours: int = 2) -> PlantDeployment:
    for step in range(hours * 240):
        now = START + 15.0 * step
        if step % 40 == 0:
            plant.ask(1 + step // 40 % 4, now)
        plant.advance(now)
    return plant


def a_day(seed: int = 3) -> DayWorkload:
    return DayWorkload(
        peak_requests_per_second=50.0, prompt_tokens=1155, output_tokens=211, seed=seed, hour=8.0
    )


def test_the_same_seed_and_the_same_calls_give_the_same_run() -> None:
    times = start_times_for(8)

    first = outcome(driven(deployment(a_day(), seed=5, start_times=times)))
    again = outcome(driven(deployment(a_day(), seed=5, start_times=times)))
    other = outcome(driven(deployment(a_day(), seed=6, start_times=times)))

    assert first == again
    assert first != other


def test_how_often_time_is_advanced_makes_no_difference() -> None:
    often, seldom = deployment(), deployment()
    for tenths in range(1, 6001):
        often.advance(START + tenths / 10.0)
    seldom.advance(START + 600.0)

    assert outcome(often) == outcome(seldom)


def test_enough_replicas_meet_the_slo_too_few_do_not_and_none_refuse_all() -> None:
    attainment = {}
    for replicas in (0, 1, 3):
        plant = deployment(Load(36.0, 1155.0, 211.0), replicas=replicas)
        plant.advance(START + 600.0)
        attainment[replicas] = plant.totals.attainment

    assert attainment[3] is not None
    assert attainment[3] > 0.999
    assert attainment[1] is not None
    assert attainment[1] < 0.2
    assert attainment[0] == 0.0


def test_a_replica_asked_for_serves_only_after_its_lead_time() -> None:
    plant = deployment(replicas=0)
    plant.ask(1, START)

    plant.advance(START + 99.0)
    assert plant.totals.finished == 0.0
    assert plant.totals.refused == plant.totals.offered

    plant.advance(START + 160.0)
    assert plant.replicas.serving == 1
    assert plant.totals.finished > 0.0


def test_scaling_down_lets_the_requests_of_the_replica_finish() -> None:
    plant = deployment(Load(20.0, 1155.0, 211.0), replicas=3)
    plant.advance(START + 120.0)

    plant.ask(2, START + 120.0)
    assert plant.replicas.draining == 1
    plant.advance(START + 400.0)

    assert plant.replicas.draining == 0
    assert plant.totals.refused == 0.0
    assert (plant.totals.attainment or 0.0) > 0.999


def test_scaling_to_zero_serves_what_is_in_flight_and_refuses_what_comes() -> None:
    plant = deployment()
    plant.advance(START + 120.0)
    in_flight = plant.in_flight
    finished = plant.totals.finished

    plant.ask(0, START + 120.0)
    plant.advance(START + 400.0)

    assert plant.in_flight == 0.0
    assert plant.totals.finished == pytest.approx(finished + in_flight)
    assert plant.totals.refused_by_code[503] == pytest.approx(280 * 12, rel=0.1)


def test_an_idle_replica_goes_as_soon_as_it_is_asked_to() -> None:
    plant = deployment(SILENCE)
    plant.advance(START + 60.0)
    plant.ask(0, START + 60.0)
    plant.advance(START + 61.0)

    assert plant.replicas.members == ()


def test_a_crash_loses_what_the_replica_was_serving_and_the_rest_goes_on() -> None:
    plant = deployment(Load(20.0, 1155.0, 211.0), replicas=2)
    plant.advance(START + 120.0)
    in_flight = plant.in_flight

    plant.replicas.crash_one(START + 120.0)
    plant.advance(START + 121.0)

    assert plant.totals.refused_by_code[500] == pytest.approx(in_flight / 2)
    assert conserved(plant)


def test_billing_counts_every_second_of_every_allocated_replica() -> None:
    plant = deployment(SILENCE, replicas=2)
    plant.ask(3, START)
    plant.advance(START + 3600.0)

    assert plant.totals.billed_replica_seconds == pytest.approx(2 * 3600 + 3590)


def test_totals_once_read_stay_as_they_were() -> None:
    plant = deployment()
    plant.advance(START + 60.0)
    earlier = plant.totals
    offered = earlier.offered

    plant.advance(START + 120.0)

    assert earlier.offered == offered < plant.totals.offered


def test_the_last_request_is_remembered_and_none_is_none() -> None:
    plant = deployment(SteppedWorkload([(60.0, CONVERSATION), (6000.0, SILENCE)]), replicas=1)
    assert plant.last_request_at is None

    plant.advance(START + 3000.0)

    assert plant.last_request_at is not None
    assert START + 55.0 < plant.last_request_at <= START + 60.0


def test_a_refused_request_is_remembered_too_for_it_is_what_wakes_a_deployment() -> None:
    plant = deployment(SILENCE, replicas=0)
    plant.offer(START + 90.0, 100.0, 10.0)

    assert plant.last_request_at == START + 90.0


def test_a_new_workload_starts_at_its_own_beginning() -> None:
    plant = deployment()
    plant.advance(START + 1000.0)

    plant.set_workload(SteppedWorkload([(60.0, SILENCE), (60.0, CONVERSATION)]))

    assert plant.load_now == SILENCE
    plant.advance(START + 1060.0)
    assert plant.load_now == CONVERSATION


def test_nothing_offered_is_no_attainment() -> None:
    plant = deployment(SILENCE)
    plant.advance(START + 600.0)

    assert plant.totals.attainment is None


def test_one_real_request_gets_the_times_of_the_plants_state() -> None:
    idle = deployment(SILENCE).offer(START + 60.0, 1155.0, 211.0)
    plant = deployment(Load(19.0, 1155.0, 211.0))
    plant.advance(START + 300.0)
    busy = plant.offer(START + 300.0, 1155.0, 211.0)

    assert (idle.status, busy.status) == (200, 200)
    assert idle.ttft_seconds is not None
    assert idle.total_seconds is not None
    assert busy.total_seconds is not None
    assert idle.ttft_seconds < 0.1
    assert idle.total_seconds == pytest.approx(211 * 0.007, rel=0.1)
    assert busy.total_seconds > 2.0 * idle.total_seconds


def test_a_real_request_is_refused_with_503_or_429_like_all_others() -> None:
    nobody = deployment(SILENCE, replicas=0).offer(START + 1.0, 100.0, 10.0)
    full = deployment(Load(80.0, 1155.0, 211.0))
    full.advance(START + 300.0)
    refused = full.offer(START + 300.0, 1155.0, 211.0)

    assert (nobody.status, nobody.ttft_seconds, nobody.total_seconds) == (503, None, None)
    assert refused.status == 429


def test_real_requests_wait_their_turn_behind_a_queue() -> None:
    plant = deployment(Load(30.0, 1155.0, 211.0))
    while plant.waiting < 100.0:
        plant.advance(plant.now + 1.0)
    offered = plant.offer(plant.now, 1155.0, 211.0)

    assert offered.status == 200
    assert offered.ttft_seconds == pytest.approx(plant.waiting / 22.0, rel=0.3)


def test_real_requests_are_conserved_and_judged_with_the_rest() -> None:
    plant = deployment(SILENCE)
    for second in range(100):
        plant.offer(START + second, 500.0, 100.0)
    plant.advance(START + 300.0)

    assert plant.totals.offered == 100.0
    assert plant.totals.finished == pytest.approx(100.0)
    assert plant.totals.attainment == pytest.approx(1.0)


def test_a_week_is_caught_up_with_in_coarse_steps_and_ends_as_fine_steps_would() -> None:
    coarse, fine = deployment(a_day(), replicas=4), deployment(a_day(), replicas=4)
    coarse.advance(START + 40_000.0)
    for hour in range(1, 24):
        fine.advance(START + min(40_000.0, 1800.0 * hour))

    assert coarse.now == fine.now == START + 40_000.0
    assert coarse.totals.offered == pytest.approx(fine.totals.offered, rel=0.02)
    assert coarse.totals.attainment == pytest.approx(fine.totals.attainment or 0.0, abs=0.01)
    assert coarse.window(coarse.now).covered_seconds == 60.0


def test_time_that_steps_back_changes_nothing() -> None:
    plant = deployment()
    plant.advance(START + 100.0)
    before = outcome(plant)

    plant.advance(START + 10.0)

    assert plant.now == START + 100.0
    assert outcome(plant) == before


@settings(max_examples=50)
@given(
    seed=st.integers(0, 10_000),
    actions=st.lists(
        st.tuples(
            st.sampled_from(
                ["ask", "crash", "load", "offer", "extra", "revoke", "block", "unblock", ""]
            ),
            st.integers(0, 6),
            st.floats(0.0, 90.0),
        ),
        max_size=30,
    ),
)
def test_whatever_is_done_to_it_no_request_is_lost_or_invented(
    seed: int, actions: list[tuple[str, int, float]]
) -> None:
    times = StartTimes(5.0, 10.0, 5.0, ready_lag_seconds=4.0, failure_probability=0.2)
    plant = deployment(CONVERSATION, seed=seed, start_times=times)
    now = START
    for action, number, pause in actions:
        match action:
            case "ask":
                plant.ask(number, now)
            case "crash":
                plant.replicas.crash_one(now)
            case "load":
                plant.set_workload(ConstantWorkload(Load(9.0 * number, 300.0 * number + 1, 50.0)))
            case "offer":
                plant.offer(now, 1155.0, 211.0)
            case "extra":
                plant.replicas.add_revocable(number, now)
            case "revoke":
                plant.replicas.revoke(number, now)
            case _:
                plant.replicas.scheduling_blocked = action == "block"
        now += pause
        plant.advance(now)

        assert conserved(plant)
        assert plant.totals.met_slo <= plant.totals.finished + 1e-6
        assert plant.replicas.serving > 0 or plant.waiting == 0.0 or pause < 1.0
        assert plant.replicas.draining > 0 or plant._queue.draining == 0.0 or pause < 2.0
