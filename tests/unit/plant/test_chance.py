"""Draws the plant is made of: their moments, and that a seed replays them."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from trimtab.plant.chance import lognormal, lognormal_cdf, poisson

DRAWS = 20_000


def exact_poisson_share_at_most(count: int, mean: float) -> float:
    return math.fsum(
        math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1)
    )


@pytest.mark.parametrize("mean", [0.05, 0.7, 4.0, 11.9, 12.1, 30.0, 400.0])
def test_poisson_counts_have_the_mean_and_variance_of_a_poisson(mean: float) -> None:
    rng = random.Random(1)

    counts = [poisson(rng, mean) for _ in range(DRAWS)]

    five_errors = 5.0 * math.sqrt(mean / DRAWS)
    assert statistics.fmean(counts) == pytest.approx(mean, abs=five_errors)
    assert statistics.pvariance(counts) == pytest.approx(mean, rel=0.08)
    assert min(counts) >= 0


@pytest.mark.parametrize("mean", [3.0, 12.5, 60.0])
def test_poisson_tails_are_those_of_the_exact_distribution(mean: float) -> None:
    rng = random.Random(2)
    counts = sorted(poisson(rng, mean) for _ in range(DRAWS))

    for share in (0.05, 0.5, 0.95):
        quantile = counts[int(share * DRAWS)]
        assert exact_poisson_share_at_most(quantile, mean) >= share - 0.02
        assert exact_poisson_share_at_most(quantile - 1, mean) <= share + 0.02


@pytest.mark.parametrize("mean", [0.0, -1.0])
def test_nothing_arrives_at_a_rate_of_zero_or_below(mean: float) -> None:
    assert poisson(random.Random(1), mean) == 0


def test_a_mean_beyond_what_exp_can_hold_still_gives_a_count() -> None:
    assert poisson(random.Random(1), 1e6) == pytest.approx(1e6, rel=0.01)


def test_lognormal_times_have_the_stated_median_and_spread() -> None:
    rng = random.Random(3)

    draws = [lognormal(rng, median=60.0, cv=0.3) for _ in range(DRAWS)]

    assert statistics.median(draws) == pytest.approx(60.0, rel=0.02)
    assert statistics.pstdev(draws) / statistics.fmean(draws) == pytest.approx(0.3, rel=0.04)


def test_without_spread_every_draw_is_the_median() -> None:
    assert lognormal(random.Random(1), median=60.0, cv=0.0) == 60.0


def test_lognormal_distribution_function_matches_its_draws() -> None:
    rng = random.Random(4)
    cv = 0.77
    mean_over_median = math.sqrt(1.0 + cv * cv)
    ratios = [lognormal(rng, 1.0, cv) / mean_over_median for _ in range(DRAWS)]

    for bound in (0.3, 1.0, 2.5):
        seen = sum(ratio <= bound for ratio in ratios) / DRAWS
        assert lognormal_cdf(bound, cv) == pytest.approx(seen, abs=0.015)


def test_a_distribution_without_spread_steps_at_its_mean() -> None:
    assert [lognormal_cdf(ratio, 0.0) for ratio in (-1.0, 0.99, 1.0)] == [0.0, 0.0, 1.0]
