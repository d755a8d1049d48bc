"""Refusals for a quota that is not among those which a deployment is known to come from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.worlds.shared_fleet import H100, SharedFleet, one_of

from trimtab.core.deployment import Shape
from trimtab.core.fleet_policy import FleetPolicy, Pool, Price

PRICES = FleetPolicy(prices={H100: Price(7.0, "tests")})


@pytest.mark.parametrize(
    ("kind", "refused_for"),
    [
        pytest.param(H100, Pool(H100), id="of its type"),
        pytest.param(H100, Pool(H100, "US"), id="of where the platform would have placed it"),
        pytest.param(H100, Pool("NVIDIA_H200_141GB"), id="of another type"),
        pytest.param(None, Pool(H100), id="while its type is unknown"),
    ],
)
def test_whoever_is_refused_for_a_quota_waits_before_it_asks_again(
    kind: str | None, refused_for: Pool
) -> None:
    """Seen to catch: a replica that may run anywhere, refused for a part of the world, and a write in every step."""
    shape = Shape(accelerator_type=kind, accelerators_per_replica=4)
    world = SharedFleet.of(PRICES, replace(one_of("a", 1, 4), shape=shape), quota=4)
    world.refused_for = refused_for
    world.load(a=1)
    world.step()
    world.load(a=3)
    for _ in range(40):  # ten minutes
        world.step(after=15.0)
        world.settle()
    assert world.counts() == {"a": 1}
    assert 1 <= world.refusals <= 5  # pauses of 1, 2, 4 minutes


def test_a_quota_that_is_learned_from_whom_it_does_not_limit_is_that_of_those_whom_it_does() -> (
    None
):
    anywhere, here = one_of("a", 1, 4), one_of("b", 1, 4, region="US_IOWA_1")
    world = SharedFleet.of(PRICES, anywhere, here, quota=8)
    world.refused_for = Pool(H100, "US")
    world.load(a=1, b=1)
    world.step()
    world.load(a=2)
    world.step("a", after=15.0)
    world.settle()
    assert world.refusals == 1
    quotas = world.engine.sharing.quotas
    assert quotas[Pool(H100, "US", "acme")].accelerators == 4  # of 8 the other has 4
