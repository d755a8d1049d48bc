"""What a metrics endpoint can say about the last minute."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.plant import (
    SERVING_MODELS,
    ConstantWorkload,
    Histogram,
    Load,
    PlantDeployment,
    Slo,
    StartTimes,
    SteppedWorkload,
    Window,
)

HISTOGRAMS = (
    "latency_generation_per_token_ms",
    "latency_generation_queue_ms",
    "latency_overall_ms",
    "latency_to_first_token_ms",
    "latency_prefill_ms",
    "latency_prefill_queue_ms",
    "tokens_generated_per_request",
    "tokens_prompt_per_request",
)
GAUGES = (
    "kv_blocks_fraction",
    "kv_slots_fraction",
    "model_forward_ms",
    "concurrent_requests_per_replica",
)
CONVERSATION = Load(12.0, 1155.0, 211.0)


def deployment(
    load: Load = CONVERSATION, replicas: int = 1, cached_prompt_share: float = 0.0
) -> PlantDeployment:
    return PlantDeployment(
        model=SERVING_MODELS["8b-h100"],
        slo=Slo(ttft_seconds=1.0, tpot_seconds=0.05),
        workload=ConstantWorkload(load),
        start_times=StartTimes(10.0, 60.0, 30.0),
        rng=random.Random(1),
        started_at=1_767_225_600.0,
        replicas=replicas,
        cached_prompt_share=cached_prompt_share,
    )


def window_after(plant: PlantDeployment, seconds: float) -> Window:
    return plant.window(plant.started_at + seconds)


def quantile_bound(histogram: Histogram, share: float) -> float:
    """The lowest bound with at least this share of the requests at or below it."""
    return next(bound for bound, n in histogram.items() if n >= share * histogram[math.inf])


def test_rates_are_those_of_the_load() -> None:
    window = window_after(deployment(), 300.0)

    assert window.covered_seconds == 60.0
    assert window.requests_per_second == pytest.approx(12.0, rel=0.15)
    assert window.prompt_tokens_per_second == pytest.approx(12.0 * 1155.0, rel=0.15)
    assert window.generated_tokens_per_second == pytest.approx(12.0 * 211.0, rel=0.15)
    assert window.errors_per_second == {}


def test_cached_prompt_tokens_are_their_share_of_all() -> None:
    window = window_after(deployment(cached_prompt_share=0.4), 300.0)

    assert window.cached_prompt_tokens_per_second == pytest.approx(
        0.4 * window.prompt_tokens_per_second
    )


def test_only_the_last_minute_counts() -> None:
    plant = deployment()
    plant.advance(plant.started_at + 300.0)
    plant.set_workload(ConstantWorkload(Load(0.0, 1155.0, 211.0)))

    half = window_after(plant, 330.0)
    none = window_after(plant, 360.0)

    assert half.requests_per_second == pytest.approx(6.0, rel=0.2)
    assert none.requests_per_second == 0.0


def test_memory_does_not_grow_with_time() -> None:
    plant = deployment()
    plant.advance(plant.started_at + 3600.0)

    assert len(plant._records) == 60


def test_latencies_lie_where_the_model_puts_them() -> None:
    window = window_after(deployment(), 300.0)

    assert quantile_bound(window.latency_generation_per_token_ms, 0.5) in {15.0, 20.0}
    assert quantile_bound(window.latency_to_first_token_ms, 0.9) == 150.0
    assert quantile_bound(window.latency_overall_ms, 0.5) in {3000.0, 5000.0}
    assert quantile_bound(window.latency_generation_queue_ms, 1.0) == 50.0
    assert quantile_bound(window.tokens_prompt_per_request, 0.5) == 1024.0
    assert quantile_bound(window.tokens_generated_per_request, 0.5) in {128.0, 256.0}


def test_overload_shows_in_the_queue_and_as_429() -> None:
    window = window_after(deployment(Load(60.0, 1155.0, 211.0)), 300.0)

    assert quantile_bound(window.latency_generation_queue_ms, 0.5) > 5000.0
    assert quantile_bound(window.latency_to_first_token_ms, 0.5) > 5000.0
    assert window.errors_per_second[429] == pytest.approx(60.0 - 22.0, rel=0.2)
    assert window.kv_blocks_fraction == pytest.approx(1.0, abs=0.02)
    assert window.concurrent_requests_per_replica == pytest.approx(221 + 256, rel=0.05)


def test_gauges_describe_one_replica_however_many_there_are() -> None:
    one = window_after(deployment(CONVERSATION, replicas=1), 300.0)
    three = window_after(deployment(Load(36.0, 1155.0, 211.0), replicas=3), 300.0)

    for gauge in GAUGES:
        assert getattr(three, gauge) == pytest.approx(getattr(one, gauge), rel=0.25)


def test_concurrency_includes_prompts_that_are_being_prefilled() -> None:
    """Short answers to long prompts are mostly prefill: by Little's law, rate times time."""
    load = Load(12.0, 2048.0, 28.0)
    window = window_after(deployment(load), 600.0)

    batch = (window.kv_slots_fraction or 0.0) * 256
    assert (window.concurrent_requests_per_replica or 0.0) > 1.2 * batch


def test_without_a_serving_replica_there_are_errors_and_no_gauges() -> None:
    window = window_after(deployment(replicas=0), 120.0)

    assert window.errors_per_second == {503: pytest.approx(12.0, rel=0.2)}
    assert [getattr(window, gauge) for gauge in GAUGES] == [None] * len(GAUGES)
    assert all(getattr(window, name)[math.inf] == 0.0 for name in HISTOGRAMS)


def test_before_the_first_step_nothing_is_covered() -> None:
    window = window_after(deployment(), 0.0)

    assert (window.covered_seconds, window.requests_per_second) == (0.0, 0.0)
    assert window.kv_blocks_fraction is None


def test_a_crash_shows_as_500() -> None:
    plant = deployment(Load(30.0, 1155.0, 211.0), replicas=3)
    plant.advance(plant.started_at + 200.0)
    plant.replicas.crash_one(plant.now)

    assert window_after(plant, 230.0).errors_per_second[500] > 0.0


def test_a_request_from_outside_is_in_the_window_with_all_others() -> None:
    plant = deployment(Load(0.0, 1155.0, 211.0))
    for second in range(60):
        plant.offer(plant.started_at + second, 500.0, 50.0)

    window = window_after(plant, 60.0)

    assert window.requests_per_second == pytest.approx(1.0)
    assert window.tokens_prompt_per_request[math.inf] == pytest.approx(60.0)


@settings(max_examples=30)
@given(
    rate=st.floats(0.0, 80.0),
    prompt=st.floats(1.0, 6000.0),
    output=st.floats(1.0, 900.0),
    replicas=st.integers(0, 4),
)
def test_histograms_are_cumulative_and_end_with_every_request(
    rate: float, prompt: float, output: float, replicas: int
) -> None:
    plant = deployment(Load(rate, prompt, output), replicas)
    window = window_after(plant, 90.0)
    admitted = sum(record.admitted for record in plant._records)
    finished = sum(record.finished for record in plant._records)

    for name in HISTOGRAMS:
        histogram: Histogram = getattr(window, name)
        assert list(histogram) == sorted(histogram)
        counts = list(histogram.values())
        assert all(a <= b + 1e-9 for a, b in itertools.pairwise([0.0, *counts]))
        at_the_end = name in {
            "latency_generation_per_token_ms",
            "latency_overall_ms",
            "tokens_generated_per_request",
        }
        assert counts[-1] == pytest.approx(finished if at_the_end else admitted, abs=1e-6)


def test_a_change_of_load_shows_within_the_minute() -> None:
    plant = PlantDeployment(
        model=SERVING_MODELS["8b-h100"],
        slo=Slo(1.0, 0.05),
        workload=SteppedWorkload([(300.0, Load(4.0, 1155.0, 211.0)), (300.0, CONVERSATION)]),
        start_times=StartTimes(10.0, 60.0, 30.0),
        rng=random.Random(1),
        started_at=0.0,
        replicas=1,
    )

    before, after = plant.window(300.0), plant.window(360.0)

    assert after.requests_per_second > 2.0 * before.requests_per_second
    assert (after.concurrent_requests_per_replica or 0.0) > 3.0 * (
        before.concurrent_requests_per_replica or 0.0
    )
