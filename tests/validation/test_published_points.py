"""The request-level model against published simulations of the same engine: capacity, and overload.

``python -m tests.validation.one_replica`` measures the capacities themselves; here it is enough that
15 % below a published one the limits are met and 15 % above it they are not.
"""

from __future__ import annotations

from functools import cache

import pytest
from tests.validation.one_replica import CAPACITY_POINTS, Steady, steady

from trimtab.plant import SERVING_MODELS, Load, Slo


@pytest.mark.parametrize(
    ("config", "prompt", "output", "ttft", "tpot", "published"), CAPACITY_POINTS
)
def test_a_replica_sustains_its_published_load_within_15_percent(
    config: str, prompt: float, output: float, ttft: float, tpot: float, published: float
) -> None:
    model, slo = SERVING_MODELS[config], Slo(ttft, tpot)
    below, above = (
        steady(model, Load(published * share, prompt, output), requests=2500, warm_up=400)
        for share in (0.85, 1.15)
    )

    assert below.meets(slo)
    assert not above.meets(slo)


@cache
def at(of_capacity: float) -> Steady:
    load = Load(21.3 * of_capacity, 1155, 211)
    return steady(SERVING_MODELS["8b-h100"], load, requests=3000, warm_up=400)


@pytest.mark.parametrize(
    ("of_capacity", "ttft_p95", "tpot_p95", "concurrency"),
    [(0.25, 0.10, 0.010, 10), (0.50, 0.14, 0.014, 25), (0.75, 0.19, 0.023, 53)],
)
def test_below_capacity_percentiles_and_concurrency_are_the_published_ones(
    of_capacity: float, ttft_p95: float, tpot_p95: float, concurrency: float
) -> None:
    """The published figures are one seed, +-10-15 %, and occupancy is convex in load: 20 % there."""
    here = at(of_capacity)

    assert here.ttft_p95 == pytest.approx(ttft_p95, rel=0.25)
    assert here.tpot_p95 == pytest.approx(tpot_p95, rel=0.15)
    assert here.concurrency == pytest.approx(concurrency, rel=0.2)


def test_beyond_capacity_first_tokens_come_ever_later_but_tokens_only_somewhat_slower() -> None:
    """The early signals are occupancy and the time per token; waiting is the late one."""
    assert at(0.9).ttft_p95 < 0.7
    assert at(1.1).ttft_p95 > 2.0
    assert at(1.25).ttft_p95 > 8.0
    for of_capacity in (1.1, 1.25):
        assert at(of_capacity).tpot_p95 == pytest.approx(0.058, rel=0.1)
    assert at(1.25).concurrency == pytest.approx(221, rel=0.2)
