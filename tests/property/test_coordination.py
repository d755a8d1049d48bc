"""Never two who write, whatever clocks, wires and processes do, as long as clocks drift no more than is said.

Members live in virtual time with monotonic clocks that run up to ``DRIFT_MAX`` too fast or too slow, wall
clocks that are set to anything, wires that lose requests or answers or are slower than any limit, and are
stopped, killed, joined and sent away; the service fails over to a standby that lacks the last seconds. What is judged is judged by true time, where a write arrives and where
a claim is granted.

``test_each_mutant_does_harm_that_is_seen`` breaks the steward or the service on purpose. What sees it: a
write that arrives when its term is over (no check before the write; released before it was handed over, or
at once after it was lost), a bucket given to one while another relies on it (wall clock, no margin, counted
from the answer instead of the question, a claim of what was renewed in between), a term given twice. The
generated worlds found all of them too, but for what is counted from the answer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st
from tests.worlds.coordination_world import (
    CoordinationWorld,
    DriftingClock,
    Member,
    WritingTenant,
)
from tests.worlds.leases_in_memory import LeaseServer

from trimtab.coordination.handing import Changeover
from trimtab.coordination.holdings import DRIFT_MAX, Holdings, margin_seconds
from trimtab.coordination.port import LeaseSeen, Tenure
from trimtab.coordination.standstill import Standstill
from trimtab.coordination.steward import LEAVE_SECONDS, Steward

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


def lived_through(plan: Plan) -> CoordinationWorld:
    """Live through a plan, and a while after the last fault if somebody is left then."""
    world = CoordinationWorld(
        buckets=BUCKETS,
        seed=plan.seed,
        lease_seconds=LEASE_SECONDS,
        write_seconds_max=3.0,
    )

    async def story() -> None:
        for rate in plan.rates:
            world.start(rate)
        happening = []
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

    world.run(story)
    return world


@given(plan=plans)
@settings(
    max_examples=120 if os.environ.get("CI") else 40,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to make one smaller takes minutes
)
def test_nobody_writes_to_what_is_anothers_and_all_is_served_again(plan: Plan) -> None:
    note(repr(plan))
    world = lived_through(plan)
    assert world.audit.wrongs == []
    if world.audit.counts:
        assert max(world.audit.counts.values()) - min(world.audit.counts.values()) <= 1
        assert sum(world.audit.counts.values()) == BUCKETS


class WallClock:
    """What a steward must not look at."""

    def __init__(self, clock: DriftingClock) -> None:
        self._clock = clock
        self.sleep = clock.sleep
        self.now = self.monotonic = clock.now


class ByTheWall(Steward):
    def __init__(self, clock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(WallClock(clock), *args, **kwargs)


def unasked(self: WritingTenant, bucket: int, _name: str) -> None:
    """Write to what is being served, without asking again."""
    for tenure in self.serving:
        if tenure.bucket == bucket:
            self.send(tenure, self.world.write_seconds_max)


async def hand_over_late(self: Changeover, tenure: Tenure) -> None:
    self.may_be_released(tenure)
    await hand_over(self, tenure)


def extend_from_now(self: Holdings, tenure: Tenure, _relied_until: float) -> bool:
    good_for = LEASE_SECONDS - margin_seconds(LEASE_SECONDS)
    return extend(self, tenure, self._clock.monotonic() + good_for)


def claim_in_the_same_term(
    self: LeaseServer, member: str, seen: LeaseSeen, lease_seconds: float
) -> Tenure | None:
    row = self.rows[seen.bucket]
    self.rows[seen.bucket] = replace(row, term=max(0, row.term - 1))
    return claim(self, member, seen, lease_seconds)


def claim_what_was_renewed(
    self: LeaseServer, member: str, seen: LeaseSeen, lease_seconds: float
) -> Tenure | None:
    seen = replace(seen, version=f"{self.epoch}/{self.rows[seen.bucket].version}")
    return claim(self, member, seen, lease_seconds)


def stood_still_since_it_was_asked(
    self: Standstill[Any], key: Any, version: str, *, asked_at: float, answered_at: float
) -> float:
    return seconds(self, key, version, asked_at=answered_at, answered_at=asked_at)


def release_at_once(self: Changeover, tenure: Tenure) -> None:
    if tenure not in self._holdings:
        self.may_be_released(tenure)


hand_over = Changeover._hand_over
extend = Holdings.extend
claim = LeaseServer.claim
seconds = Standstill.seconds


async def cut_off(world: CoordinationWorld) -> None:
    member, _ = world.start(1.0 - DRIFT_MAX), world.start(1.0 + DRIFT_MAX)
    await asyncio.sleep(5.0)
    member.loses.add("requests")
    await asyncio.sleep(2.0 * LEASE_SECONDS)


async def cut_off_after_slow_answers(world: CoordinationWorld) -> None:
    member, _ = world.start(1.0 - DRIFT_MAX), world.start(1.0 + DRIFT_MAX)
    await asyncio.sleep(5.0)
    member.wire.latency = lambda _, way: 0.01 if way == "there" else LEASE_SECONDS / 3 - 0.1
    await asyncio.sleep(8.0)
    member.loses.add("requests")
    await asyncio.sleep(2.0 * LEASE_SECONDS)


async def looked_at_slowly(world: CoordinationWorld) -> None:
    member, other = world.start(1.0 - DRIFT_MAX), world.start(1.0 + DRIFT_MAX)
    await asyncio.sleep(5.0)
    other.wire.latency = lambda call, way: (
        LEASE_SECONDS / 3 - 0.1 if (call, way) == ("survey", "there") else 0.01
    )
    await asyncio.sleep(8.0)
    member.loses.add("requests")
    await asyncio.sleep(2.0 * LEASE_SECONDS)


async def set_back_and_cut_off(world: CoordinationWorld) -> None:
    member, _ = world.start(), world.start()
    await asyncio.sleep(5.0)
    member.clock.wall_error_seconds -= 1000.0
    member.loses.add("requests")
    await asyncio.sleep(2.0 * LEASE_SECONDS)


async def answers_lost(world: CoordinationWorld) -> None:
    member, _ = world.start(1.0 - DRIFT_MAX), world.start(1.0 + DRIFT_MAX)
    member.wire.loses_answers = lambda call: call == "renew" and world.loop.time() > 5.0
    await asyncio.sleep(5.0 * LEASE_SECONDS)


async def joined(world: CoordinationWorld) -> None:
    for _ in range(3):
        world.start()
        await asyncio.sleep(6.0)


async def begun_together(world: CoordinationWorld) -> None:
    world.latency = (0.0, 1.0)
    for _ in range(4):
        world.start()
    await asyncio.sleep(5.0)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A defect, and what has to happen so that it does harm."""

    defect: Callable[[], AbstractContextManager[Any]]
    story: Callable[[CoordinationWorld], Coroutine[Any, Any, None]]
    steward: type[Steward] = Steward


MUTANTS = {
    "no check before the write": Mutant(
        defect=lambda: patch.object(WritingTenant, "write", unasked), story=cut_off
    ),
    "released before it is handed over": Mutant(
        defect=lambda: patch.object(Changeover, "_hand_over", hand_over_late), story=joined
    ),
    "no margin": Mutant(
        defect=lambda: patch("trimtab.coordination.steward.margin_seconds", lambda _: 0.0),
        story=cut_off,
    ),
    "counted from the answer": Mutant(
        defect=lambda: patch.object(Holdings, "extend", extend_from_now),
        story=cut_off_after_slow_answers,
    ),
    "standing still counted from the question": Mutant(
        defect=lambda: patch.object(Standstill, "seconds", stood_still_since_it_was_asked),
        story=looked_at_slowly,
    ),
    "the wall clock": Mutant(defect=nullcontext, story=set_back_and_cut_off, steward=ByTheWall),
    "a term given twice": Mutant(
        defect=lambda: patch.object(LeaseServer, "claim", claim_in_the_same_term), story=joined
    ),
    "a claim of what was renewed": Mutant(
        defect=lambda: patch.object(LeaseServer, "claim", claim_what_was_renewed),
        story=begun_together,
    ),
    "released at once after it was lost": Mutant(
        defect=lambda: patch.object(Changeover, "release_stray", release_at_once),
        story=answers_lost,
    ),
}


def wrongs_in(mutant: Mutant, steward: type[Steward]) -> list[str]:
    found = []
    for seed in range(5):
        world = CoordinationWorld(
            buckets=BUCKETS,
            lease_seconds=LEASE_SECONDS,
            write_seconds_max=3.0,
            seed=seed,
            steward=steward,
        )
        world.run(partial(mutant.story, world))
        found += world.audit.wrongs
    return found


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_does_harm_that_is_seen(name: str) -> None:
    mutant = MUTANTS[name]
    assert wrongs_in(mutant, Steward) == []
    with mutant.defect():
        wrongs = wrongs_in(mutant, mutant.steward)
    assert wrongs
