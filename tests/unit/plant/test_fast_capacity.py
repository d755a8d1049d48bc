"""Capacities of many mixes at once are those of each mix alone."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from trimtab.plant import SERVING_MODELS, Slo, capacity_requests_per_second
from trimtab.plant.fast_capacity import capacities


@pytest.mark.parametrize("name", sorted(SERVING_MODELS))
@pytest.mark.parametrize("slo", [Slo(1.0, 0.05), Slo(2.0, 0.1), Slo(0.2, 0.02)])
@pytest.mark.parametrize("attainment", [None, 0.99])
def test_each_mix_has_the_capacity_it_has_alone(
    name: str, slo: Slo, attainment: float | None
) -> None:
    rng = Random(name)
    model = SERVING_MODELS[name]
    prompts = [*(rng.lognormvariate(7.0, 1.2) + 1.0 for _ in range(60)), 1.0, 200_000.0]
    outputs = [*(rng.lognormvariate(5.0, 1.2) + 1.0 for _ in range(60)), 1.0, 50_000.0]

    found = capacities(model, np.array(prompts), np.array(outputs), slo, attainment=attainment)

    alone = [
        capacity_requests_per_second(model, prompt, output, slo, attainment=attainment)
        for prompt, output in zip(prompts, outputs, strict=True)
    ]
    assert found == pytest.approx(alone, rel=1e-9, abs=1e-12)


def test_a_mix_that_comes_again_has_the_same_capacity() -> None:
    model, slo = SERVING_MODELS["8b-h100"], Slo(1.0, 0.05)

    found = capacities(model, np.array([1155.0, 10.0, 1155.0]), np.array([211.0, 5.0, 211.0]), slo)

    assert found[0] == found[2] != found[1]


def test_more_mixes_than_are_worked_out_at_a_time_come_to_the_same() -> None:
    model, slo = SERVING_MODELS["8b-h100"], Slo(1.0, 0.05)
    prompts, outputs = np.arange(9000, dtype=float) + 1.0, np.full(9000, 211.0)

    found = capacities(model, prompts, outputs, slo)

    assert found[[0, 4095, 4096, 8999]] == pytest.approx(
        [
            capacity_requests_per_second(model, prompt, 211.0, slo)
            for prompt in (1.0, 4096.0, 4097.0, 9000.0)
        ],
        rel=1e-9,
    )
