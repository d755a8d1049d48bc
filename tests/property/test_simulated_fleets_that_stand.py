"""A simulated fleet that shares quotas and money is decided on where anything may differ: the counts are the same.

As ``test_simulated_decisions_that_stand.py`` has it for deployments that share nothing. Here loads stay as they are
for minutes, so that it is the wish of another one, or time alone, that changes what somebody may have.

Seen to catch: a fleet that is not looked at when its edge has come.
"""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.simulation.test_engine_scaler_of_a_fleet import KIND, MIDNIGHT, Town

from trimtab.core.fleet_policy import (
    FleetPolicy,
    Period,
    Pool,
    Preemption,
    Price,
    Quota,
    SpendLimit,
    Team,
    TeamSelector,
)
from trimtab.simulation.engine_scaler import EngineScaler

NAMES = ("a", "b", "c")
STRETCH_SECONDS = 900.0


class DecidingAlways(EngineScaler):
    """As if anything might always come out differently."""

    def _may_differ(self, *_: object) -> bool:
        return True


@st.composite
def fleets(draw: st.DrawFn) -> FleetPolicy:
    quota = draw(st.integers(6, 20))
    day = draw(st.sampled_from([None, None, 60.0, 150.0]))
    hour = draw(st.sampled_from([None, 80.0]))
    limits = [(Period.DAY, day), (Period.HOUR, hour)]
    return FleetPolicy(
        quotas=(Quota(Pool(KIND), quota),),
        prices={KIND: Price(7.0, "a test")},
        spend_limits=tuple(SpendLimit(period=p, usd=usd) for p, usd in limits if usd is not None),
        teams=(
            Team(
                name="first",
                selector=TeamSelector(names=("a",)),
                priority=draw(st.sampled_from([100, 200])),
                weight=draw(st.sampled_from([1.0, 4.0])),
                guaranteed={KIND: draw(st.integers(0, 4))},
            ),
        ),
        preemption=draw(st.sampled_from(list(Preemption))),
        hold_seconds=300.0,
    )


rates = st.sampled_from([5.0, 25.0, 45.0, 75.0, 120.0])
stretches = st.lists(st.tuples(rates, rates, rates), min_size=4, max_size=6)


@settings(max_examples=12, deadline=None)
@given(fleet=fleets(), loads=stretches)
def test_a_fleet_comes_to_the_same_as_if_everybody_were_always_decided_on(
    fleet: FleetPolicy, loads: list[tuple[float, float, float]]
) -> None:
    always, sparing = (
        Town(fleet, dict.fromkeys(NAMES, 2), MIDNIGHT - 2 * STRETCH_SECONDS, kind)
        for kind in (DecidingAlways, EngineScaler)
    )
    for town in (always, sparing):
        for each in loads:
            town.live(STRETCH_SECONDS, **dict(zip(NAMES, each, strict=True)))
    assert sparing.history == always.history
    assert all(sum(counts) <= fleet.quotas[0].accelerators for counts in sparing.history)
    assume(len(sparing.decided) < len(always.decided) / 2)
