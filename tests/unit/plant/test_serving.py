"""The fluid queue: nothing lost, first come first served, and the shape of overload."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.plant import SERVING_MODELS, FluidQueue, Load, ServingModel, Slo, Totals
from trimtab.plant.chance import poisson

H100 = SERVING_MODELS["8b-h100"]
SLO = Slo(ttft_seconds=1.0, tpot_seconds=0.050)
CONVERSATION = Load(21.3, 1155.0, 211.0)


def queue(model: ServingModel = H100, **options: int) -> FluidQueue:
    return FluidQueue(model, SLO, **options)


def answered_or_in_flight(fluid: FluidQueue) -> float:
    return fluid.totals.finished + fluid.totals.refused + fluid.in_flight


def run(
    fluid: FluidQueue, rate: float, seconds: int, serving: int = 1, start: int = 0
) -> list[float]:
    """Offer a constant rate without noise; return the waiting count after each step."""
    waiting = []
    for second in range(start, start + seconds):
        fluid.step(second + 1.0, 1.0, rate, CONVERSATION, serving, 0)
        waiting.append(fluid.waiting)
    return waiting


@given(
    model=st.sampled_from(list(SERVING_MODELS.values())),
    steps=st.lists(
        st.tuples(
            st.integers(0, 400),  # arrivals
            st.integers(0, 6),  # serving
            st.floats(1.0, 8000.0),  # prompt tokens
            st.floats(1.0, 2000.0),  # output tokens
            st.sampled_from([1.0, 1.0, 10.0]),  # seconds
            st.sampled_from(["", "", "lose", "drain", "drained", "offer"]),
            st.floats(0.0, 1.0),  # share
        ),
        max_size=40,
    ),
)
def test_every_request_is_finished_or_refused_or_in_flight_always(
    model: ServingModel, steps: list[tuple[int, int, float, float, float, str, float]]
) -> None:
    fluid = queue(model)
    now, draining = 0.0, 0
    for arrivals, serving, prompt, output, seconds, event, share in steps:
        match event:
            case "lose":
                fluid.lose(share)
            case "drain":
                fluid.move_to_draining(share)
                draining = 1
            case "drained":
                draining = 0
            case "offer":
                fluid.offer(now, prompt, output, serving)
            case _:
                pass
        if serving == 0:
            fluid.move_to_draining(1.0)
        now += seconds
        fluid.step(now, seconds, arrivals, Load(1.0, prompt, output), serving, draining)

        totals = fluid.totals
        assert answered_or_in_flight(fluid) == pytest.approx(totals.offered, abs=1e-6)
        assert -1e-9 <= totals.met_slo <= totals.finished + 1e-6
        assert min(fluid.waiting, fluid.in_service, fluid.draining) >= 0.0
        assert fluid.waiting <= serving * fluid.waiting_max_per_replica + 1e-6
        assert totals.attainment is None or 0.0 <= totals.attainment <= 1.0


@pytest.mark.parametrize(
    ("of_capacity", "batch", "tpot_mean_ms"),
    [(0.25, 10, 9), (0.50, 25, 11), (0.75, 53, 16), (0.90, 86, 21), (1.00, 126, 28)],
)
def test_concurrency_grows_faster_than_load_up_to_capacity(
    of_capacity: float, batch: float, tpot_mean_ms: float
) -> None:
    """The figures are published simulations of some 100 s; this is where they settle."""
    fluid = queue()
    run(fluid, 21.3 * of_capacity, 120)

    assert fluid.in_service == pytest.approx(batch, rel=0.14)
    assert fluid._pace[0] == pytest.approx(tpot_mean_ms, rel=0.14)
    assert fluid.waiting == 0.0


def test_below_capacity_nearly_all_meet_the_slo_and_beyond_it_nearly_none() -> None:
    """Time to first token is flat until capacity, then explodes: a late signal."""
    attainment = {}
    for of_capacity in (0.5, 0.9, 1.0, 1.1, 1.25):
        fluid = queue()
        rng = random.Random(5)
        for second in range(600):
            arrivals = poisson(rng, 21.3 * 2 * of_capacity)
            fluid.step(second + 1.0, 1.0, arrivals, CONVERSATION, 2, 0)
        attainment[of_capacity] = fluid.totals.attainment or 0.0

    assert attainment[0.5] > 0.999
    assert attainment[0.9] > 0.99
    assert 0.85 < attainment[1.0] < 0.99
    assert attainment[1.1] < 0.5
    assert attainment[1.25] < 0.15


def test_overload_fills_the_batch_to_the_kv_limit_and_the_rest_waits() -> None:
    fluid = queue(waiting_max_per_replica=10_000)
    waiting = run(fluid, 21.3 * 1.25, 90)

    assert fluid.in_service == pytest.approx(221, rel=0.05)
    served_per_second = fluid.in_service * 1000.0 / 211.0 / fluid._pace[0]
    assert fluid.waiting / served_per_second == pytest.approx(13.0, abs=4.0)  # seconds of wait
    assert waiting[-1] - waiting[-2] == pytest.approx(26.6 - served_per_second, abs=0.2)


def test_who_came_first_is_served_first_and_waited_longest() -> None:
    fluid = queue(waiting_max_per_replica=10_000)
    run(fluid, 60.0, 30)
    waits = [
        fluid.step(second + 1.0, 1.0, 0, CONVERSATION, 1, 0).wait_seconds
        for second in range(30, 60)
    ]

    assert all(10.0 < wait < 60.0 for wait in waits)
    assert all(later > earlier for earlier, later in itertools.pairwise(waits))


def test_a_burst_is_admitted_no_faster_than_its_prompts_can_be_prefilled() -> None:
    """Forty prompts of 1155 tokens fill a second of an H100, whatever room the batch has."""
    fluid = queue()

    record = fluid.step(1.0, 1.0, 100, CONVERSATION, 1, 0)

    assert record.admitted == pytest.approx(39, abs=1)
    assert fluid.waiting == pytest.approx(100 - record.admitted)


def test_a_queue_shorter_than_a_step_has_waits_shorter_than_a_step() -> None:
    fluid = queue()

    first = fluid.step(1.0, 1.0, 43, CONVERSATION, 1, 0)
    second = fluid.step(2.0, 1.0, 5, CONVERSATION, 1, 0)

    assert 0.0 < first.wait_seconds < 0.1
    assert 0.0 < second.wait_seconds < 0.1
    assert fluid.waiting == 0.0


def test_a_burst_that_is_served_late_counts_as_missed() -> None:
    fluid = queue(waiting_max_per_replica=10_000)
    fluid.step(1.0, 1.0, 700, CONVERSATION, 1, 0)
    run(fluid, 0.0, 120, start=1)

    assert fluid.in_flight == 0.0
    assert fluid.totals.finished == pytest.approx(700)
    assert (fluid.totals.attainment or 0.0) < 0.35


def test_the_queue_is_capped_and_the_newest_are_refused_with_429() -> None:
    fluid = queue(waiting_max_per_replica=100)
    run(fluid, 60.0, 60)

    assert fluid.waiting == pytest.approx(100.0)
    assert fluid.totals.refused_by_code[429] > 1000.0
    assert fluid.totals.refused == fluid.totals.refused_by_code[429]


def test_without_a_serving_replica_everything_is_refused_with_503_at_once() -> None:
    fluid = queue()
    record = fluid.step(1.0, 1.0, 25, CONVERSATION, 0, 0)

    assert record.refused_503 == 25.0
    assert fluid.totals.refused_by_code == {429: 0.0, 503: 25.0, 500: 0.0}
    assert fluid.totals.attainment == 0.0


def test_those_who_wait_get_503_when_the_last_replica_goes() -> None:
    fluid = queue()
    run(fluid, 60.0, 10)
    waiting = fluid.waiting
    fluid.move_to_draining(1.0)

    record = fluid.step(11.0, 1.0, 0, CONVERSATION, 0, 1)

    assert record.refused_503 == pytest.approx(waiting)
    assert fluid.waiting == 0.0


def test_what_drains_finishes_and_counts_like_any_other() -> None:
    fluid = queue()
    run(fluid, 10.0, 60, serving=2)
    in_service = fluid.in_service
    seconds = fluid.drain_seconds()
    fluid.move_to_draining(0.5)
    assert fluid.draining == pytest.approx(in_service / 2)

    before = fluid.totals.finished
    for second in range(int(seconds) + 1):
        fluid.step(61.0 + second, 1.0, 0, CONVERSATION, 1, 1)
    assert fluid.draining < 0.02 * in_service
    fluid.step(200.0, 1.0, 0, CONVERSATION, 1, 0)

    assert fluid.draining == 0.0
    assert fluid.totals.finished > before
    assert (fluid.totals.attainment or 0.0) > 0.999


def test_an_idle_replica_needs_no_time_to_drain_and_a_busy_one_at_most_five_minutes() -> None:
    idle = queue()
    stuck = queue(SERVING_MODELS["70b-4xa100"])
    for second in range(600):
        stuck.step(second + 1.0, 1.0, 2, Load(2.0, 1000.0, 4000.0), 1, 0)

    assert idle.drain_seconds() == 0.0
    assert stuck.drain_seconds() == 300.0


def test_a_crash_loses_its_share_of_what_is_in_service_as_500() -> None:
    fluid = queue()
    run(fluid, 20.0, 60, serving=4)
    in_service = fluid.in_service

    fluid.lose(0.25)
    record = fluid.step(61.0, 1.0, 0, CONVERSATION, 3, 0)

    assert record.lost_500 == pytest.approx(in_service / 4)
    assert fluid.totals.refused_by_code[500] == pytest.approx(in_service / 4)


def test_twice_the_replicas_hold_twice_the_load_at_the_same_pace() -> None:
    one, two = queue(), queue()
    run(one, 15.0, 120, serving=1)
    run(two, 30.0, 120, serving=2)

    assert two.in_service == pytest.approx(2 * one.in_service)
    assert two._pace == pytest.approx(one._pace)


def test_the_mix_in_service_follows_the_load_as_requests_come_and_go() -> None:
    fluid = queue()
    run(fluid, 10.0, 60)
    code = Load(10.0, 2048.0, 28.0)

    records = [fluid.step(60.0 + s, 1.0, 10, code, 1, 0) for s in range(30)]

    assert records[0].output_tokens == pytest.approx(211.0)
    assert records[-1].output_tokens == pytest.approx(28.0, rel=0.05)


def test_short_answers_flow_through_however_long_the_step() -> None:
    """An answer of four tokens is served in 30 ms: far below a step, and still at full rate."""
    fluid = queue()
    short = Load(60.0, 200.0, 4.0)
    for step in range(20):
        fluid.step(10.0 * (step + 1), 10.0, 600, short, 1, 0)

    assert fluid.waiting == 0.0
    assert fluid.totals.attainment == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_cached_share_that_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="cached prompt share"):
        FluidQueue(H100, SLO, cached_prompt_share=share)


def test_nothing_answered_is_no_attainment_rather_than_none_met() -> None:
    assert Totals().attainment is None
