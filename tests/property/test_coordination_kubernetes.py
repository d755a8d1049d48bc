"""The promises of ``test_coordination`` on Leases of a cluster, and what only a cluster can do to them.

People delete Leases, and the server's cache falls behind. ``test_each_mutant_does_harm_that_is_seen`` breaks
what this service adds on purpose: writes that name no version, a Lease that is free as soon as it is made
anew, terms that begin anew with it, and times in a Lease that are believed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import Phase, example, given, note, settings
from hypothesis import strategies as st
from tests.worlds.coordination_lives import (
    BUCKETS,
    FAULTS_SECONDS,
    LEASE_SECONDS,
    Fault,
    Plan,
    check,
    live,
    plans,
)
from tests.worlds.coordination_world import CoordinationWorld
from tests.worlds.kubernetes_coordination import LEASES, KubernetesWorld

from trimtab.coordination.holdings import DRIFT_MAX
from trimtab.coordination.kubernetes import LeasesInKubernetes
from trimtab.coordination.kubernetes_leases import LeaseWriter
from trimtab.coordination.kubernetes_objects import LeaseRead
from trimtab.coordination.port import LeaseSeen, Tenure
from trimtab.kubernetes.api import Api


@dataclass(frozen=True, kw_only=True)
class Meddling:
    """Somebody deletes the Lease of ``bucket``, or the cache is ``behind`` for ``seconds``."""

    at: float
    bucket: int | None
    behind: int = 0
    seconds: float = 0.0


meddlings = st.lists(
    st.one_of(
        st.builds(Meddling, at=st.floats(0.0, FAULTS_SECONDS), bucket=st.integers(0, BUCKETS - 1)),
        st.builds(
            Meddling,
            at=st.floats(0.0, FAULTS_SECONDS),
            bucket=st.none(),
            behind=st.integers(1, 60),
            seconds=st.floats(0.0, 10.0),
        ),
    ),
    max_size=4,
)


async def meddle(world: KubernetesWorld, meddling: Meddling) -> None:
    await asyncio.sleep(meddling.at)
    if meddling.bucket is not None:
        world.delete_lease(meddling.bucket)
        return
    world.cluster.api.cache_lag = meddling.behind
    await asyncio.sleep(meddling.seconds)
    world.cluster.api.cache_lag = 0


def lived_through(plan: Plan, meddlings: list[Meddling]) -> CoordinationWorld:
    world = KubernetesWorld(
        buckets=BUCKETS, seed=plan.seed, lease_seconds=LEASE_SECONDS, write_seconds_max=3.0
    )

    world.run(lambda: live(world, plan, *(meddle(world, one) for one in meddlings)))
    return world


CLAIMED_AND_DELETED_BETWEEN_TWO_LOOKS = {
    "plan": Plan(
        rates=(0.95, 1.05),
        faults=(Fault(kind="slow", who=2, at=0.0, seconds=7.0067, amount=-0.5876),),
        seed=0,
    ),
    "meddlings": [
        Meddling(at=0.0, bucket=3),
        Meddling(at=17.36, bucket=2),
        Meddling(at=12.65, bucket=3),
        Meddling(at=11.912, bucket=2),
    ],
}
"""Seen when a Lease was free after it had not been there, look after look, for the lease's time."""


@given(plan=plans, meddlings=meddlings)
@example(**CLAIMED_AND_DELETED_BETWEEN_TWO_LOOKS)
@settings(
    max_examples=int(os.environ.get("COORDINATION_WORLDS", "32" if os.environ.get("CI") else "12")),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to make one smaller takes minutes
)
def test_nobody_writes_to_what_is_anothers_and_all_is_served_again(
    plan: Plan, meddlings: list[Meddling]
) -> None:
    note(repr(plan))
    check(lived_through(plan, meddlings))


# -- what each guard is for ------------------------------------------------------------------------


async def cache_falls_behind(world: KubernetesWorld) -> None:
    world.start(1.0 - DRIFT_MAX)
    await asyncio.sleep(2.0 * LEASE_SECONDS)
    world.start(1.0 + DRIFT_MAX)
    world.cluster.api.cache_lag = 0
    for _ in range(100):
        before = world.cluster.api.store.revision
        await asyncio.sleep(0.2)
        world.cluster.api.cache_lag += world.cluster.api.store.revision - before


async def renewals_arrive_late(world: KubernetesWorld) -> None:
    member, _ = world.start(1.0 - DRIFT_MAX), world.start(1.0 + DRIFT_MAX)
    await asyncio.sleep(2.0 * LEASE_SECONDS)
    member.wire.latency = lambda call, way: (
        1.5 * LEASE_SECONDS if (call, way) == ("PATCH", "there") else 0.01
    )
    await asyncio.sleep(4.0 * LEASE_SECONDS)


async def leases_are_deleted(world: KubernetesWorld) -> None:
    world.start(1.0 - DRIFT_MAX)
    world.start(1.0 + DRIFT_MAX)
    await asyncio.sleep(2.0 * LEASE_SECONDS)
    for bucket in range(BUCKETS):
        await asyncio.sleep(0.3)
        world.delete_lease(bucket)
    await asyncio.sleep(3.0 * LEASE_SECONDS)


async def a_clock_runs_ahead(world: KubernetesWorld) -> None:
    world.start()
    other = world.start()
    await asyncio.sleep(LEASE_SECONDS)
    other.clock.wall_error_seconds += 1000.0
    await asyncio.sleep(3.0 * LEASE_SECONDS)


class Blind:
    """An API to which no version is told: it does what it is asked to whatever is there."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def call(self, method: str, path: str, **more: Any) -> Any:
        body = more.get("body")
        if body is not None:
            metadata = {**body["metadata"]}
            metadata.pop("resourceVersion", None)
            more["body"] = {**body, "metadata": metadata}
        return await self._api.call(method, path, **more)


async def claimed_blindly(self: LeaseWriter, member: str, seen: LeaseSeen) -> Any:
    with patch.object(self, "_api", Blind(self._api)):
        return await claim(self, member, seen)


async def renewed_blindly(
    self: LeaseWriter, member: str, tenure: Tenure, body: dict[str, Any]
) -> bool:
    with patch.object(self, "_api", Blind(self._api)):
        return await swap(self, member, tenure, body)


def free_when_made_anew(
    self: LeasesInKubernetes, bucket: int, lease: LeaseRead, still: Any
) -> LeaseSeen:
    found = seen(self, bucket, lease, still)
    return replace(found, is_free=found.is_free or lease.holder is None)


def by_the_lease_alone(
    self: LeasesInKubernetes, bucket: int, lease: LeaseRead, still: Any
) -> LeaseSeen:
    """A term as it stands in the Lease."""
    self._writer._terms.clear()
    self._writer.highest = 0
    return seen(self, bucket, lease, still)


async def made_without_a_term(self: LeaseWriter, buckets: Any) -> None:
    self.highest = 0
    await make_anew(self, buckets)


@contextmanager
def forgetful() -> Iterator[None]:
    """Nobody knows of a term but by its Lease."""
    with (
        patch.object(LeasesInKubernetes, "_seen", by_the_lease_alone),
        patch.object(LeaseWriter, "make_anew", made_without_a_term),
    ):
        yield


def by_the_wall(self: LeasesInKubernetes, bucket: int, lease: LeaseRead, still: Any) -> LeaseSeen:
    """By the time of the last renewal as its holder wrote it."""
    found = seen(self, bucket, lease, still)
    stored = self._api._api.store.read(LEASES, ("default", lease.name))  # type: ignore[attr-defined]  # a wired one
    if stored is None or lease.holder is None:
        return found
    renewed_at = datetime.fromisoformat(stored["spec"]["renewTime"]).timestamp()
    return replace(found, is_free=self._clock.now() > renewed_at + LEASE_SECONDS)


claim, swap = LeaseWriter.claim, LeaseWriter._replace
unseen, seen = LeasesInKubernetes._unseen, LeasesInKubernetes._seen
make_anew = LeaseWriter.make_anew


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A defect, and what has to happen so that it does harm."""

    defect: Callable[[], AbstractContextManager[Any]]
    story: Callable[[KubernetesWorld], Coroutine[Any, Any, None]]


MUTANTS = {
    "a claim that names no version": Mutant(
        defect=lambda: patch.object(LeaseWriter, "claim", claimed_blindly),
        story=cache_falls_behind,
    ),
    "a renewal that names no version": Mutant(
        defect=lambda: patch.object(LeaseWriter, "_replace", renewed_blindly),
        story=renewals_arrive_late,
    ),
    "a Lease that is free as soon as it is made anew": Mutant(
        defect=lambda: patch.object(LeasesInKubernetes, "_seen", free_when_made_anew),
        story=leases_are_deleted,
    ),
    "terms that begin anew with a Lease": Mutant(defect=forgetful, story=leases_are_deleted),
    "times in a Lease that are believed": Mutant(
        defect=lambda: patch.object(LeasesInKubernetes, "_seen", by_the_wall),
        story=a_clock_runs_ahead,
    ),
}


def wrongs_in(mutant: Mutant) -> list[str]:
    found = []
    for seed in range(5):
        world = KubernetesWorld(
            buckets=BUCKETS, lease_seconds=LEASE_SECONDS, write_seconds_max=3.0, seed=seed
        )
        world.run(partial(mutant.story, world))
        found += world.audit.wrongs
    return found


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_does_harm_that_is_seen(name: str) -> None:
    mutant = MUTANTS[name]
    assert wrongs_in(mutant) == []
    with mutant.defect():
        wrongs = wrongs_in(mutant)
    assert wrongs
