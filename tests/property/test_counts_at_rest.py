"""Under load that stands still counts come to rest, whoever gives way to whom and however they are steered.

A quota shrinks below what is held, or money is short, on a platform whose own autoscalers keep what they want above the
floors that they are given, and let go only after minutes. Whoever has to give way does so and stays there.

Seen to catch: a floor that gives way no longer once a limit or a cooldown keeps its own wish below what the platform still
holds, and is raised and lowered with every period of the limit. Money that is spent before it is free is seen here
now and then (``tests/property/test_allocation.py`` has it always).
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.worlds.own_autoscalers import Autoscaler, ScaledFleet, turns
from tests.worlds.shared_fleet import H100, POOL, full, one_of, policy_of

from trimtab.core.fleet_policy import (
    FleetPolicy,
    Period,
    Preemption,
    Price,
    Quota,
    SpendLimit,
)
from trimtab.core.policy import Actuation, Limit, MoveRules

TURNS_MAX = 2
TICKS_BEFORE, TICKS = 16, 64
"""Four minutes, and sixteen."""

SEARCH = (Phase.explicit, Phase.reuse, Phase.generate)
"""What is found is not made smaller: that takes minutes, and says no more."""

ONE_A_MINUTE = (Limit(replicas=1, period_seconds=60.0),)
TWICE_A_MINUTE = (Limit(percent=100, period_seconds=60.0), Limit(replicas=4, period_seconds=60.0))
HALF_A_MINUTE = (Limit(percent=50, period_seconds=60.0),)

ups = st.builds(
    MoveRules,
    stabilization_seconds=st.sampled_from([0.0, 60.0]),
    limits=st.sampled_from([ONE_A_MINUTE, TWICE_A_MINUTE]),
    cooldown_seconds=st.sampled_from([0.0, 60.0]),
)
downs = st.builds(
    MoveRules,
    stabilization_seconds=st.sampled_from([0.0, 300.0]),
    limits=st.sampled_from([(), HALF_A_MINUTE]),
    cooldown_seconds=st.sampled_from([0.0, 60.0]),
)


@st.composite
def fleets(draw: st.DrawFn) -> tuple[ScaledFleet, FleetPolicy]:
    """Two deployments and their load, and what holds after a while: fewer accelerators, or little money.

    The first is steered by its floor, and has load for what it holds and perhaps more.
    """
    first, second = (draw(st.integers(2, 4)), draw(st.integers(0, 3)))
    each, other = (draw(st.sampled_from([1, 2, 4])) for _ in range(2))
    policies = {
        full(name): policy_of(
            name,
            actuation=actuation,
            min_replicas=draw(st.sampled_from([None, 1])),
            max_replicas=20,
            priority=draw(st.sampled_from([100, 10])),
            up=draw(ups),
            down=draw(downs),
            lead_time_seconds=60.0,
        )
        for name, actuation in (
            ("a", Actuation.FLOOR),
            ("b", draw(st.sampled_from([Actuation.PIN, Actuation.FLOOR, Actuation.SCALE]))),
        )
    }
    held = first * each + second * other
    before = FleetPolicy(
        quotas=(Quota(POOL, held + 4),),
        prices={H100: Price(7.0, "tests")},
        preemption=Preemption.LOWER_PRIORITY,
        hold_seconds=draw(st.sampled_from([0.0, 60.0])),
    )
    left = max(1, held - draw(st.integers(1, 8)))
    after = replace(before, quotas=(Quota(POOL, left),))
    if draw(st.booleans()):
        limit = SpendLimit(period=Period.HOUR, usd=7.0 * left)
        after = replace(before, spend_limits=(limit,))
    ones = (one_of("a", first, each), one_of("b", second, other))
    world = ScaledFleet(
        {one.name: one for one in ones},
        policies,
        before,
        autoscalers={
            full(name): Autoscaler(
                wants=draw(st.integers(0, 4)),
                down_seconds=draw(st.sampled_from([600.0, 60.0])),
                updating_seconds=draw(st.sampled_from([0.0, 40.0])),
            )
            for name in ("a", "b")
        },
    )
    world.load(a=first + draw(st.integers(0, 2)), b=draw(st.integers(0, 6)))
    return world, after


@given(fleet=fleets())
@settings(max_examples=60, deadline=None, phases=SEARCH)
def test_nobody_goes_up_and_down_while_load_stands_still(
    fleet: tuple[ScaledFleet, FleetPolicy],
) -> None:
    world, after = fleet
    world.live(TICKS_BEFORE)
    world.engine.replace_policies(world.policies.values(), after)
    since = world.now
    world.live(TICKS)
    for name, moves in world.moves.items():
        recent = [(at - since, count) for at, count in moves if at > since]
        assert turns(recent) <= TURNS_MAX, (name, recent, world.last[name].sentence)
