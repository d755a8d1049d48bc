"""Lives of members that share a fleet: what happens to them, how it ends, and what must hold then.

Whatever the service is: ``test_coordination`` lives them on one in memory, ``test_coordination_kubernetes`` on
Leases of a cluster.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from tests.worlds.coordination_world import CoordinationWorld, Member

from trimtab.coordination.holdings import DRIFT_MAX
from trimtab.coordination.steward import LEAVE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Coroutine

BUCKETS = 4
LEASE_SECONDS = 6.0
FAULTS_SECONDS = 20.0
LOST_CALL_SECONDS = LEASE_SECONDS / 3
"""When the last call that was lost is given up, faults have stopped."""

SERVED_AGAIN_SECONDS = 1.5 * LEASE_SECONDS
"""What is promised from then on."""

EVEN_AGAIN_SECONDS = 4.0 * LEASE_SECONDS


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that happens to the ``who``-th member (of those that ever were) for ``seconds``."""

    kind: str
    who: int
    at: float
    seconds: float
    amount: float


KINDS = (
    "stop",
    "kill",
    "leave",
    "join",
    "lose requests",
    "lose answers",
    "slow",
    "set the server's clock",
    "the server fails over",
    "set the wall clock",
    "cannot take over",
)

faults = st.builds(
    Fault,
    kind=st.sampled_from(KINDS),
    who=st.integers(0, 3),
    at=st.floats(0.0, FAULTS_SECONDS),
    seconds=st.floats(0.0, 15.0),
    amount=st.floats(-1.0, 1.0),
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A world: how fast the clock of each member runs (1: right), and what happens."""

    rates: tuple[float, ...]
    faults: tuple[Fault, ...]
    seed: int


drifts = st.one_of(
    st.sampled_from((1.0 - DRIFT_MAX, 1.0, 1.0 + DRIFT_MAX)),
    st.floats(1.0 - DRIFT_MAX, 1.0 + DRIFT_MAX),
)
plans = st.builds(
    Plan,
    rates=st.lists(drifts, min_size=2, max_size=4).map(tuple),
    faults=st.lists(faults, max_size=8).map(tuple),
    seed=st.integers(0, 1000),
)


async def happen(world: CoordinationWorld, fault: Fault) -> None:
    """Let a fault begin and end."""
    members = list(world.members.values())
    member = members[fault.who % len(members)]
    if fault.kind == "join":
        again_at = world.failed_over_at + 2.0 * LEASE_SECONDS
        await asyncio.sleep(max(0.0, again_at - world.loop.time()))
        world.start(1.0 + fault.amount * DRIFT_MAX)
    elif fault.kind == "set the server's clock":
        world.server_error_seconds += fault.amount * 1e5
    elif fault.kind == "the server fails over":
        rows = dict(world.server.rows)
        await asyncio.sleep(max(0.0, fault.amount) * LEASE_SECONDS)
        world.fail_over(rows)
    elif fault.kind == "set the wall clock":
        member.clock.wall_error_seconds += fault.amount * 1e3
    elif not member.is_alive or member.is_stopped:
        return
    elif fault.kind == "kill":
        world.kill(member)
    elif fault.kind == "leave":
        world.leave(member)
    elif fault.kind == "slow":
        world.latency = (0.0, 2.0 * (1.0 + fault.amount))
        await asyncio.sleep(fault.seconds)
        world.latency = (0.001, 0.02)
    else:
        await _afflict(world, member, fault)


async def _afflict(world: CoordinationWorld, member: Member, fault: Fault) -> None:
    if fault.kind == "stop":
        world.stop(member)
        await asyncio.sleep(fault.seconds)
        world.go_on(member)
    elif fault.kind == "cannot take over":
        member.tenant.fails_to_take_over = True
        await asyncio.sleep(fault.seconds)
        member.tenant.fails_to_take_over = False
    else:
        member.loses.add(fault.kind.removeprefix("lose "))
        await asyncio.sleep(fault.seconds)
        member.loses.clear()


async def live(
    world: CoordinationWorld, plan: Plan, *besides: Coroutine[object, object, None]
) -> None:
    """Live through a plan, and a while after the last fault if somebody is left then."""
    for rate in plan.rates:
        world.start(rate)
    happening = [asyncio.create_task(one) for one in besides]
    for fault in sorted(plan.faults, key=lambda one: one.at):
        await asyncio.sleep(max(0.0, fault.at - world.loop.time()))
        happening.append(asyncio.create_task(happen(world, fault)))
    await asyncio.gather(*happening)
    if any(one.steward.is_leaving for one in world.members.values()):
        await asyncio.sleep(LEAVE_SECONDS + LEASE_SECONDS)
    if not any(one.is_alive for one in world.members.values()):
        return
    await asyncio.sleep(LOST_CALL_SECONDS)
    await world.settled(SERVED_AGAIN_SECONDS)
    await asyncio.sleep(EVEN_AGAIN_SECONDS)
    world.audit.counts = world.counts()


def check(world: CoordinationWorld) -> None:
    """Nobody wrote to what is another's; whoever is left shares all buckets evenly."""
    assert world.audit.wrongs == []
    if world.audit.counts:
        assert max(world.audit.counts.values()) - min(world.audit.counts.values()) <= 1
        assert sum(world.audit.counts.values()) == BUCKETS
