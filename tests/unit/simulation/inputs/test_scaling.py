"""A recording gives the shape, a mean need the size: counted in the work that requests are."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.plant import (
    SERVING_MODELS,
    ConstantWorkload,
    DayWorkload,
    Load,
    Slo,
    SteppedWorkload,
    capacity_requests_per_second,
)
from trimtab.simulation.inputs import (
    Bins,
    InputError,
    RecordedWorkload,
    ScaledWorkload,
    SmoothedWorkload,
    capacity_of,
    mean_need,
    scaled_to_mean,
)

SLO = Slo(ttft_seconds=1.0, tpot_seconds=0.05)
H100 = capacity_of(SERVING_MODELS["8b-h100"], SLO)
A100 = capacity_of(SERVING_MODELS["8b-a100"], SLO)


def recorded(
    rates: list[float],
    prompt: float | list[float] = 300.0,
    output: float | list[float] = 50.0,
    width: float = 60.0,
) -> RecordedWorkload:
    count = len(rates)
    return RecordedWorkload(
        Bins(
            edges_seconds=np.arange(count + 1) * width,
            requests_per_second=np.array(rates),
            prompt_tokens=np.broadcast_to(np.array(prompt, dtype=float), count),
            output_tokens=np.broadcast_to(np.array(output, dtype=float), count),
        )
    )


def smoothed(rates: list[float], prompt: float | list[float] = 300.0) -> SmoothedWorkload:
    return SmoothedWorkload(recorded(rates, prompt).bins)


def one_request_a_second(prompts: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """A replica that serves one request a second, whatever its length."""
    return np.ones_like(prompts + outputs)


def by_tokens(prompts: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """A replica that computes a thousand tokens a second."""
    return 1000.0 / (prompts + outputs)


@pytest.mark.parametrize("replicas", [2.0, 8.0, 40.0])
def test_the_mean_need_is_what_was_asked_for(replicas: float) -> None:
    for workload in (
        recorded([1.0, 5.0, 0.0, 3.0], prompt=[300.0, 2000.0, 2000.0, 700.0]),
        SteppedWorkload([(600.0, Load(1.0, 300.0, 50.0)), (60.0, Load(9.0, 900.0, 50.0))]),
    ):
        assert mean_need(scaled_to_mean(workload, H100, replicas), H100) == pytest.approx(replicas)


def test_need_is_the_offered_work_over_what_a_replica_serves() -> None:
    capacity = capacity_requests_per_second(SERVING_MODELS["8b-h100"], 300.0, 50.0, SLO)
    workload = ConstantWorkload(Load(3.0 * capacity, 300.0, 50.0))

    assert mean_need(workload, H100) == pytest.approx(3.0, rel=1e-3)


def test_a_load_of_longer_requests_is_scaled_to_fewer() -> None:
    short, long = (recorded([2.0] * 10, prompt=prompt) for prompt in (300.0, 1700.0))
    factors = [scaled_to_mean(one, by_tokens, 8.0).factor for one in (short, long)]

    assert factors[0] / factors[1] == pytest.approx(1750.0 / 350.0, rel=2e-3)


def test_the_shape_and_the_mix_stay() -> None:
    scaled = scaled_to_mean(
        recorded([1.0] * 5 + [4.0] * 5, prompt=[300.0] * 5 + [900.0] * 5),
        one_request_a_second,
        10.0,
    )
    early, late = scaled.load(200.0), scaled.load(500.0)

    assert late.requests_per_second / early.requests_per_second == pytest.approx(4.0)
    assert (early.prompt_tokens, late.prompt_tokens) == pytest.approx((300.0, 900.0))


def test_a_recording_is_smoothed_over_the_last_minute() -> None:
    smooth = smoothed([1.0, 1.0, 3.0, 3.0], prompt=[100.0, 100.0, 500.0, 500.0])

    assert smooth.load(119.0).requests_per_second == pytest.approx(1.0)
    middle = smooth.load(150.0)  # the middle of its five seconds is 32.5 s into the third bin
    assert middle.requests_per_second == pytest.approx((27.5 * 1.0 + 32.5 * 3.0) / 60.0)
    assert middle.prompt_tokens == pytest.approx(
        (27.5 * 1.0 * 100.0 + 32.5 * 3.0 * 500.0) / (27.5 * 1.0 + 32.5 * 3.0)
    )
    assert smooth.load(180.0).requests_per_second == pytest.approx(3.0)


def test_smoothing_looks_back_only() -> None:
    same = [1.0, 4.0, 2.0]
    one, other = (smoothed([*same, *later]) for later in ([9.0, 9.0], [0.0, 1.0]))
    seconds = np.arange(180.0)

    assert [one.load(at) for at in seconds] == [other.load(at) for at in seconds]
    assert one.load(182.0) != other.load(182.0)


def test_in_the_first_minute_the_mean_is_over_what_there_is() -> None:
    assert smoothed([4.0, 0.0]).load(2.0).requests_per_second == pytest.approx(4.0)


def test_a_smoothed_recording_begins_again_and_then_remembers_its_end() -> None:
    smooth = smoothed([6.0, 0.0, 0.0, 0.0, 3.0])

    assert smooth.load(300.0).requests_per_second == pytest.approx((57.5 * 3.0 + 2.5 * 6.0) / 60.0)
    assert smooth.load(360.0 + 90.0) == smooth.load(660.0 + 90.0)


def test_where_nothing_comes_the_mix_is_that_of_the_bin() -> None:
    silent = smoothed([1.0, 0.0, 0.0], prompt=[100.0, 100.0, 100.0]).load(150.0)

    assert (silent.requests_per_second, silent.prompt_tokens) == (0.0, 100.0)


def test_a_made_up_load_is_not_smoothed() -> None:
    stepped = SteppedWorkload([(60.0, Load(1.0, 300.0, 50.0)), (60.0, Load(3.0, 300.0, 50.0))])
    scaled = scaled_to_mean(stepped, one_request_a_second, 4.0)

    assert isinstance(scaled, ScaledWorkload)
    assert [scaled.load(at).requests_per_second for at in (59.0, 60.0)] == pytest.approx([2.0, 6.0])


def test_of_a_load_without_end_two_weeks_count() -> None:
    endless = DayWorkload(
        peak_requests_per_second=10.0, prompt_tokens=300.0, output_tokens=50.0, seed=1
    )
    scaled = scaled_to_mean(endless, H100, 8.0)

    assert scaled.span_seconds is None
    assert mean_need(scaled, H100) == pytest.approx(8.0)


def test_a_few_requests_that_no_replica_serves_in_time_do_not_set_the_size() -> None:
    # A lone prompt of 9,000 tokens takes an A100 longer than the SLO leaves.
    assert capacity_requests_per_second(SERVING_MODELS["8b-a100"], 9000.0, 50.0, SLO) == 0.0
    ordinary = recorded([5.0] * 100)
    some = recorded([5.0] * 99 + [1.0], prompt=[300.0] * 99 + [9000.0])
    factors = [scaled_to_mean(one, A100, 8.0).factor for one in (ordinary, some)]

    assert factors[1] == pytest.approx(factors[0], rel=0.1)


@pytest.mark.parametrize(
    ("workload", "sentence"),
    [
        (recorded([0.0, 0.0]), "the load has no requests at all; there is nothing to scale by"),
        (recorded([1.0, 1.0], prompt=9000.0), "no replica serves the mean request within the SLO"),
        (
            recorded([5.0] * 10, prompt=[300.0] * 9 + [9000.0], width=600.0),
            "no replica serves 10% of the requests within the SLO (the mean one has 1126 + 50 tokens)",
        ),
    ],
)
def test_what_cannot_be_scaled_is_a_sentence(workload: RecordedWorkload, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        scaled_to_mean(workload, A100, 8.0)

    assert sentence in str(caught.value)


@pytest.mark.parametrize("replicas", [0.0, -1.0, float("inf"), float("nan")])
def test_a_mean_need_is_above_zero(replicas: float) -> None:
    with pytest.raises(InputError, match="give a number above 0"):
        scaled_to_mean(recorded([1.0, 1.0]), H100, replicas)
