"""One replica's speed: the iteration formula, the batch, and the load it sustains."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.plant import SERVING_MODELS, ServingModel, Slo, capacity_requests_per_second
from trimtab.plant.serving_model import tpot_share, ttft_share

H100 = SERVING_MODELS["8b-h100"]

models = st.sampled_from(list(SERVING_MODELS.values()))
prompts = st.floats(1.0, 16_000.0)
outputs = st.floats(1.0, 4_000.0)

# config, prompt and output tokens, TTFT and TPOT limit, req/s of a published-constants simulation
# with the Azure 2023 length mix (one seed, +-10-15 %), and where the formula lands against it.
CAPACITY_POINTS = [
    ("8b-h100", 1155, 211, 1.0, 0.050, 21.3, -0.01),
    ("8b-h100", 512, 128, 1.0, 0.050, 58.0, -0.07),
    ("8b-h100", 2048, 28, 1.0, 0.050, 17.4, +0.04),
    ("8b-a100", 1155, 211, 1.0, 0.050, 6.5, +0.06),
    ("8b-a100", 2048, 28, 1.0, 0.100, 3.9, -0.03),
    ("70b-4xh100", 1155, 211, 2.0, 0.100, 8.0, +0.06),
    ("70b-4xh100", 1155, 211, 1.0, 0.050, 5.4, +0.14),
    ("70b-4xa100", 1155, 211, 2.0, 0.100, 2.3, +0.09),
]


@pytest.mark.parametrize(
    ("tokens", "kv_tokens", "milliseconds"),
    [
        (1, 0, 0.8 + 6.2),  # reading the weights is the floor
        (284, 0, 0.8 + 6.2),  # ... still, just
        (1024, 0, 0.8 + 22.32),  # computing takes over
        (1, 100_000, 0.8 + 6.2 + 5.2),  # the KV cache is read beside either
    ],
)
def test_an_iteration_takes_overhead_and_the_slower_of_weights_and_compute_and_the_kv_read(
    tokens: float, kv_tokens: float, milliseconds: float
) -> None:
    assert H100.iteration_ms(tokens, kv_tokens) == pytest.approx(milliseconds, abs=0.01)


@pytest.mark.parametrize(
    ("config", "prompt", "output", "ttft", "tpot", "published", "residual"), CAPACITY_POINTS
)
def test_capacity_under_the_slo_is_within_15_percent_of_the_published_points(
    config: str,
    prompt: float,
    output: float,
    ttft: float,
    tpot: float,
    published: float,
    residual: float,
) -> None:
    capacity = capacity_requests_per_second(
        SERVING_MODELS[config], prompt, output, Slo(ttft_seconds=ttft, tpot_seconds=tpot)
    )

    assert abs(capacity / published - 1.0) < 0.15
    assert capacity / published - 1.0 == pytest.approx(residual, abs=0.01)


def test_the_batch_grows_faster_than_the_load() -> None:
    """Twice the load means five times the requests in flight: why concurrency misleads."""
    at = {b: H100.requests_per_second(b, 1155, 211) for b in (10, 25, 53, 86, 126)}
    full = 21.3

    assert {b: round(rate / full, 2) for b, rate in at.items()} == {
        10: pytest.approx(0.25, abs=0.03),
        25: pytest.approx(0.50, abs=0.03),
        53: pytest.approx(0.75, abs=0.03),
        86: pytest.approx(0.90, abs=0.03),
        126: pytest.approx(1.00, abs=0.03),
    }


def test_a_lone_request_gets_its_tokens_as_fast_as_the_weights_can_be_read() -> None:
    mean_ms, spread_ms, *_ = H100.pace(0.0, 1155, 211)

    assert mean_ms == pytest.approx(7.0)
    assert spread_ms == 0.0


def test_cached_prompts_leave_more_time_for_decoding() -> None:
    cold = H100.pace(60.0, 1155, 211)
    warm = H100.pace(60.0, 1155, 211, cached_share=0.5)

    assert all(w < c for w, c in zip(warm, cold, strict=True))


def test_a_tighter_slo_means_a_lower_capacity_and_an_impossible_one_means_none() -> None:
    loose = capacity_requests_per_second(H100, 1155, 211, Slo(1.0, 0.050))
    tight = capacity_requests_per_second(H100, 1155, 211, Slo(1.0, 0.020))
    impossible = capacity_requests_per_second(H100, 1155, 211, Slo(1.0, 0.005))

    assert 0.0 == impossible < tight < loose


def test_a_larger_share_within_the_slo_means_a_lower_capacity_and_0_95_is_about_p95_of_both() -> (
    None
):
    slo = Slo(1.0, 0.050)
    by_share = [
        capacity_requests_per_second(H100, 1155, 211, slo, attainment=share)
        for share in (0.95, 0.98, 0.99, 0.999)
    ]

    assert by_share == sorted(by_share, reverse=True)
    assert by_share[0] == pytest.approx(
        capacity_requests_per_second(H100, 1155, 211, slo), rel=0.01
    )


@given(model=models, prompt=prompts, output=outputs)
def test_throughput_never_falls_as_the_batch_grows(
    model: ServingModel, prompt: float, output: float
) -> None:
    limit = model.batch_max(prompt, output)
    batches = [limit * tenths / 10.0 for tenths in range(1, 11)]

    rates = [model.requests_per_second(batch, prompt, output) for batch in batches]

    assert all(later >= earlier * (1 - 1e-9) for earlier, later in itertools.pairwise(rates))


@given(model=models, prompt=prompts, output=outputs)
def test_times_are_positive_and_grow_with_the_batch(
    model: ServingModel, prompt: float, output: float
) -> None:
    limit = model.batch_max(prompt, output)

    small = model.pace(limit * 0.3, prompt, output)
    large = model.pace(limit, prompt, output)

    assert small[0] > 0.0
    assert small[2] > 0.0
    assert small[1] >= 0.0
    assert large[0] >= small[0] * (1 - 1e-9)


@given(model=models, prompt=prompts, output=outputs)
def test_the_batch_stays_within_every_limit_of_the_engine(
    model: ServingModel, prompt: float, output: float
) -> None:
    batch = model.batch_max(prompt, output)

    assert 1.0 <= batch <= model.sequences_max
    assert batch * (prompt + output) <= model.kv_capacity_tokens or batch == 1.0


@given(mean_ms=st.floats(0.1, 1e4), scale_ms=st.floats(0.0, 1e3), seconds=st.floats(0.001, 100.0))
def test_shares_are_shares_whatever_the_numbers(
    mean_ms: float, scale_ms: float, seconds: float
) -> None:
    assert 0.0 <= tpot_share(seconds, mean_ms, scale_ms) <= 1.0
    assert 0.0 <= ttft_share(seconds, 0.0, mean_ms) <= 1.0


def test_who_waited_longer_than_the_limit_cannot_be_in_time() -> None:
    assert ttft_share(1.0, wait_seconds=1.0, mean_ms=50.0) == 0.0


def test_95_percent_are_in_time_at_three_means_and_half_at_the_mean_token_time() -> None:
    assert ttft_share(0.3, 0.0, mean_ms=100.0) == pytest.approx(0.95, abs=0.001)
    assert tpot_share(0.030, mean_ms=30.0, scale_ms=4.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weight_read_ms": 0.0}, "weight_read_ms is 0.0"),
        ({"kv_capacity_tokens": -1.0}, "kv_capacity_tokens is -1.0"),
        ({"sequences_max": 0}, "sequences_max is 0"),
        ({"prefill_chunk_tokens": 256}, "a chunk of 256 tokens"),
    ],
)
def test_a_model_that_cannot_be_is_refused_by_name(change: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(H100, **change)


@pytest.mark.parametrize("limits", [(0.0, 0.05), (1.0, -1.0), (float("nan"), 0.05)])
def test_an_slo_needs_limits_above_zero(limits: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="give a number of seconds above 0"):
        Slo(*limits)
