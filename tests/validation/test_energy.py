"""No request is lost or invented, in either resolution, whatever is asked of the replicas.

At every look each request that was offered is finished, refused or inside, and none is in two of these
places; at the end of a run nobody is inside.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.plant import SERVING_MODELS, Slo, StartTimes
from trimtab.plant.fast_deployment import FastDeployment, Lived
from trimtab.plant.fast_queue import Arrivals
from trimtab.plant.requests import RequestsBySecond

SECONDS = 240
ROUNDING = 1e-6

asks = st.dictionaries(st.integers(0, SECONDS - 1), st.integers(0, 5), max_size=6)
loads = st.lists(st.sampled_from([0.0, 3.0, 20.0, 120.0]), min_size=4, max_size=4)


def looks(
    plant_of: type[FastDeployment | RequestsBySecond],
    rates: list[float],
    script: dict[int, int],
    seed: int,
) -> list[tuple[Lived, float]]:
    """Every fifteen seconds, and after the last answer: the running sums, and who is inside."""
    rng = Random(seed)
    plant = plant_of(
        model=SERVING_MODELS["8b-a100"],
        slo=Slo(1.0, 0.05),
        start_times=StartTimes(5.0, 15.0, 10.0, failure_probability=0.2),
        rng=Random(seed),
        started_at=0.0,
        replicas=2,
        waiting_max_per_replica=40,
    )
    found = []
    for second in range(SECONDS):
        rate = rates[second * len(rates) // SECONDS]
        count = float(sum(rng.random() < rate / 200.0 for _ in range(200)))
        if second in script:
            plant.ask(script[second])
        plant.live(Arrivals((count,), (1155.0,), (211.0,)), 0, 1)
        if second % 15 == 14:
            found.append((plant.lived, plant.in_flight))
    silence = Arrivals((0.0,) * 900, (1.0,) * 900, (1.0,) * 900)
    plant.live(silence, 0, 900)
    return [*found, (plant.lived, plant.in_flight)]


@pytest.mark.parametrize("plant_of", [FastDeployment, RequestsBySecond])
@given(rates=loads, script=asks, seed=st.integers(0, 10**6))
@settings(max_examples=12)
def test_whoever_was_offered_is_finished_refused_or_inside(
    plant_of: type[FastDeployment | RequestsBySecond],
    rates: list[float],
    script: dict[int, int],
    seed: int,
) -> None:
    found = looks(plant_of, rates, script, seed)

    before = found[0][0]
    for lived, inside in found:
        accounted = lived.finished + lived.refused + inside
        assert lived.offered == pytest.approx(accounted, abs=ROUNDING * max(1.0, lived.offered))
        assert -ROUNDING <= lived.met <= lived.finished + ROUNDING
        for name in ("offered", "finished", "met", "refused", "billed_replica_seconds"):
            assert getattr(lived, name) >= getattr(before, name) - ROUNDING
        before = lived
    assert found[-1][1] == 0.0
