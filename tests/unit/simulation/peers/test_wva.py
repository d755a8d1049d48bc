"""The Workload Variant Autoscaler: both saturation analyzers and the queue model, by hand and by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.simulation.peers.looks import constant, look, obeyed, sizing

from trimtab.plant import SERVING_MODELS, ServingModel
from trimtab.simulation.peers.inferno import Inferno
from trimtab.simulation.peers.inferno_queue import Profile, ReplicaQueue, profile
from trimtab.simulation.peers.wva_saturation import SaturationV1, SaturationV2, derived_tokens

SMALL = ServingModel("small", 1.0, 6.0, 0.02, 0.05, 100_000, 256, 2048)
"""80,000 tokens at the KV threshold of 0.8."""


def small(**changes: object) -> dict[str, object]:
    return {"model": SMALL, "prompt_tokens": 1000.0, "output_tokens": 200.0, **changes}


# -- saturation v1 ----------------------------------------------------------------------------------


def test_v1_adds_one_a_minute_while_the_spare_is_small() -> None:
    v1 = SaturationV1(sizing(), stabilization_seconds=0.0)
    counts = obeyed(v1, constant(9, kv_share=0.75), asked=2)
    assert counts == [3] * 4 + [4] * 4 + [5]


def test_v1_adds_none_while_some_are_on_their_way() -> None:
    v1 = SaturationV1(sizing(), stabilization_seconds=0.0)
    counts = [v1.wanted(look(15.0 * turn, asked=3, ready=2, kv_share=0.9)) for turn in range(9)]
    assert counts == [3] * 9


def test_v1_removes_one_where_the_others_could_carry_its_load() -> None:
    def removes(kv: float, waiting: float) -> bool:
        v1 = SaturationV1(sizing(), stabilization_seconds=0.0)
        return v1.wanted(look(0.0, asked=3, kv_share=kv, waiting=waiting)) == 2

    assert removes(0.46, 0.0)  # .46 x 3/2 = .69, .11 below the threshold
    assert not removes(0.47, 0.0)  # .705
    assert removes(0.1, 3.9)  # 1.3 x 3/2 = 1.95 waiting each, 3.05 below
    assert not removes(0.1, 4.2)


def test_v1_never_removes_the_last_replica() -> None:
    v1 = SaturationV1(sizing(replicas_min=0), stabilization_seconds=0.0)
    assert obeyed(v1, constant(20, kv_share=0.0), asked=1) == [1] * 20


def test_v1_is_followed_after_the_window_of_its_hpa_and_stands_until_then() -> None:
    counts = obeyed(SaturationV1(sizing()), constant(20, kv_share=0.75), asked=2)
    assert counts[:16] == [2] * 16  # a wish of 240 s ago has left its window
    assert counts[16] == 3


# -- saturation v2 ----------------------------------------------------------------------------------


def test_v2_adds_what_the_tokens_in_use_lack() -> None:
    v2 = SaturationV2(sizing(**small()), stabilization_seconds=0.0)
    # 4 x 85,000 / .85 - 4 x 80,000 = 80,000: one more
    assert v2.wanted(look(0.0, asked=4, kv_share=0.85)) == 5


def test_v2_counts_replicas_on_their_way_as_supply() -> None:
    v2 = SaturationV2(sizing(**small()), stabilization_seconds=0.0)
    assert v2.wanted(look(0.0, asked=5, ready=4, kv_share=0.85)) == 5


def test_v2_removes_what_the_tokens_in_use_spare_at_once() -> None:
    v2 = SaturationV2(sizing(**small()), stabilization_seconds=0.0)
    # 4 x 80,000 - 40,000 / .7 = 262,857: three fewer
    assert v2.wanted(look(0.0, asked=4, kv_share=0.1)) == 1


def test_v2_learns_where_compute_is_full_while_a_queue_stands() -> None:
    v2 = SaturationV2(sizing(**small()), stabilization_seconds=0.0)
    # 50,000 tokens with 10 waiting each: 2 x 60,000 / .85 - 2 x 50,000 = 41,176, one more
    assert v2.wanted(look(0.0, asked=2, kv_share=0.5, waiting=20.0)) == 3
    # it remembers: 3 x 45,000 / .85 - 3 x 50,000 = 8,824, one more; by KV alone it is plenty
    assert v2.wanted(look(75.0, asked=3, kv_share=0.45)) == 4


def test_v2_derives_what_a_full_batch_holds() -> None:
    assert derived_tokens(SMALL, 1000.0, 200.0) == pytest.approx(256 * 1100)
    assert derived_tokens(SMALL, 4000.0, 100.0) == pytest.approx(2048 * 100 / 4100 * 4050)


# -- the queue model --------------------------------------------------------------------------------

SAMPLE = Profile(
    alpha=7.47, beta=0.044, gamma=15.4, delta=0.000337, batch_tokens=256 * 211, sequences_max=256
)
"""The project's sample of Llama 3.1 8B on H100."""


def by_brute_force(queue: ReplicaQueue, rate: float) -> tuple[float, float, float]:
    """Every state of the chain: waiting time, service time (ms) and what is served (requests/ms)."""
    size = queue.batch_max
    states = np.arange(11 * size + 1)
    batch = np.minimum(np.maximum(states, 1), size).astype(float)
    decodes = max(0.0, 211.0 - 1.0)
    speed = batch / (
        np.vectorize(queue.prefill_ms)(batch) + decodes * np.vectorize(queue.decode_ms)(batch)
    )
    load = rate / 1000.0
    logs = np.concatenate([[0.0], np.cumsum(np.log(load / speed[1:]))])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    served = load * (1.0 - weights[-1])
    in_service = float((np.minimum(states, size) * weights).sum())
    waiting = float((states * weights).sum()) - in_service
    return waiting / served, in_service / served, served


@given(st.integers(1, 60), st.floats(0.01, 1.0), st.floats(0.0, 0.5))
def test_latencies_are_those_of_the_chain_summed_state_by_state(
    size: int, share: float, beta: float
) -> None:
    """Seen to catch: a tail that begins one state late, and blocked requests counted as served."""
    found = Profile(
        alpha=7.0,
        beta=beta,
        gamma=15.0,
        delta=0.0005,
        batch_tokens=211.0 * size,
        sequences_max=size,
    )
    queue = ReplicaQueue(found, 1155.0, 211.0)
    rate = share * queue.rate_max
    wait_ms, service_ms, _ = by_brute_force(queue, rate)
    slope = found.delta * 1155.0 + beta * 210.0
    batch = min(max((service_ms - 15.0 - 7.0 * 210.0) / slope, 0.0), float(size))
    ours = queue.latency(rate)
    assert ours.ttft_ms == pytest.approx(wait_ms + queue.prefill_ms(batch), rel=1e-6)
    assert ours.itl_ms == pytest.approx(queue.decode_ms(batch), rel=1e-6)


def test_the_sample_constants_promise_62_conversations_a_second() -> None:
    """Three times what a model with context promises: constants from short requests do not transfer."""
    queue = ReplicaQueue(SAMPLE, 1155.0, 211.0)
    assert queue.rate_within(1000.0, 20.0) == pytest.approx(62.0, abs=1.0)


def test_the_rate_found_is_the_highest_that_keeps_both_times() -> None:
    queue = ReplicaQueue(SAMPLE, 1155.0, 211.0)
    rate = queue.rate_within(300.0, 15.0)
    within, beyond = queue.latency(rate), queue.latency(rate * 1.001)
    assert within.ttft_ms <= 300.0
    assert within.itl_ms <= 15.0
    assert beyond.ttft_ms > 300.0 or beyond.itl_ms > 15.0
    assert queue.rate_within(10.0, 15.0) == 0.0


def test_a_profile_goes_through_both_runs_it_was_fitted_to() -> None:
    model = SERVING_MODELS["8b-h100"]
    found = profile(model, batch=130.0, prompt_tokens=1155.0, output_tokens=211.0)
    for batch in (1.0, 130.0):
        mean, _, prefill, wait, _ = model.pace(batch, 1155.0, 211.0)
        assert found.alpha + found.beta * batch == pytest.approx(mean)
        assert found.gamma + found.delta * 1155.0 * batch == pytest.approx(prefill + wait)


def test_inferno_sizes_each_minute_and_its_hpa_adds_ten_in_15_seconds() -> None:
    inferno = Inferno(sizing(), found=SAMPLE)
    rate = ReplicaQueue(SAMPLE, 1155.0, 211.0).rate_within(1000.0, 50.0)
    loads = [
        *constant(4, requests_per_second=1.5 * rate),
        *constant(9, requests_per_second=24 * rate),
    ]
    counts = obeyed(inferno, loads, asked=1)
    assert counts[:4] == [2] * 4
    # the rate is of the last minute: 15 s of four at 24, the rest at 1.5, is 7.1 (lengths within 2 %)
    assert counts[4:8] == [8] * 4
    assert counts[8:10] == [18, 24]


def test_inferno_sees_longer_answers_at_the_same_rate_and_hardly_longer_prompts() -> None:
    """Its decode time knows the batch, not the context that the batch reads."""

    def wanted(prompt: float, output: float) -> int:
        tokens = {"prompt_tokens_per_second": 60 * prompt, "output_tokens_per_second": 60 * output}
        return Inferno(sizing()).wanted(look(0.0, asked=6, requests_per_second=60.0, **tokens))

    assert wanted(1155.0, 422.0) > wanted(1155.0, 211.0)
    assert wanted(2310.0, 211.0) == wanted(1155.0, 211.0)


def test_inferno_leaves_what_no_replica_can_serve_in_time() -> None:
    impossible = Inferno(sizing(), slo_share=0.001)
    assert obeyed(impossible, constant(9, requests_per_second=100.0), asked=4) == [4] * 9
