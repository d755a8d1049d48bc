"""The clairvoyant optimum against brute force: every way to order replicas, on 300 small instances.

Lead, what is paid of it, what a start costs besides, bounds and replicas at the start are drawn, and a need
of up to seven steps. ``tests/unit/simulation/test_optimum.py`` goes on with larger ones and slower formulas.
"""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from tests.unit.simulation.clairvoyants import exhaustive

from trimtab.simulation.optimum import Terms, optimum, servable

STEP = 15.0
INSTANCES = 300


@pytest.mark.parametrize("tenth", range(10))
def test_it_is_the_cheapest_of_all_possible_orders(tenth: int) -> None:
    for seed in range(tenth, INSTANCES, 10):
        rng = Random(seed)
        lead = rng.randint(0, 3)
        paid = rng.randint(0, lead)
        start_cost = rng.choice([0.0, 0.0, 0.5, 1.0, 2.0])
        at_start = rng.randint(0, 2)
        need = [rng.choice([0, 0, 0, 1, 1, 2]) for _ in range(rng.randint(1, 7))]
        terms = Terms(
            lead_seconds=lead * STEP,
            paid_lead_seconds=paid * STEP,
            start_cost_seconds=start_cost * STEP,
            replicas_min=rng.choice([0, 0, 1]),
            replicas_max=rng.choice([None, 2, 1]),
            replicas_at_start=at_start,
        )
        found = optimum(np.array(need, float), step_seconds=STEP, terms=terms)
        asked = servable(np.array(need), terms, STEP)
        least = exhaustive(asked, lead=lead, paid=paid, start_cost=start_cost, at_start=at_start)
        assert found.cost_replica_seconds / STEP == pytest.approx(least), f"instance {seed}"
