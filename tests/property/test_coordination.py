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
from tests.worlds.coordination_lives import BUCKETS, LEASE_SECONDS, Plan, check, live, plans
from tests.worlds.coordination_world import (
    CoordinationWorld,
    DriftingClock,
    WritingTenant,
)
from tests.worlds.leases_in_memory import LeaseServer

from trimtab.coordination.handing import Changeover
from trimtab.coordination.holdings import DRIFT_MAX, Holdings, margin_seconds
from trimtab.coordination.port import LeaseSeen, Tenure
from trimtab.coordination.standstill import Standstill
from trimtab.coordination.steward import Steward


def lived_through(plan: Plan) -> CoordinationWorld:
    world = CoordinationWorld(
        buckets=BUCKETS,
        seed=plan.seed,
        lease_seconds=LEASE_SECONDS,
        write_seconds_max=3.0,
    )
    world.run(lambda: live(world, plan))
    return world


@given(plan=plans)
@settings(
    max_examples=120 if os.environ.get("CI") else 40,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to make one smaller takes minutes
)
def test_nobody_writes_to_what_is_anothers_and_all_is_served_again(plan: Plan) -> None:
    note(repr(plan))
    check(lived_through(plan))


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
