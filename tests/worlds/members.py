"""Several daemons in one event loop: a steward that does as it is told, and a memory that they share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.coordination.holdings import Stage
from trimtab.coordination.port import Tenure
from trimtab.coordination.standing import Standing
from trimtab.core.buckets import LEADING_BUCKET, bucket_of
from trimtab.core.fleet_memory import NO_FLEET_MEMORY, FleetMemory
from trimtab.core.memory import Memory
from trimtab.core.succession import BucketLeft
from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.entries import Ended, Evaluated, Intended, OfMembers, Overridden, Primed
from trimtab.journal.port import JournalMode, JournalStatus, Recollection

if TYPE_CHECKING:
    from trimtab.clock import Clock
    from trimtab.coordination.port import Tenant
    from trimtab.core.decision import Order
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.overrides import Override
    from trimtab.journal.entries import Entry

BUCKETS = 8


class ScriptedSteward:
    """Holds what a test gives it, for as long as the test says. Implements what the daemon asks."""

    is_shared = True

    def __init__(self, clock: Clock, tenant: Tenant) -> None:
        self._clock = clock
        self.tenant = tenant
        self.held: dict[int, Tenure] = {}
        self.until: dict[int, float] = {}
        self.has_left = False
        self._is_running = asyncio.Event()

    async def give(self, *buckets: int, term: int = 1, seconds: float = 1e9) -> None:
        """Give what no steward gives before the daemon has begun and lets it run; served once it is taken over."""
        await self._is_running.wait()
        for bucket in buckets:
            tenure = Tenure(bucket=bucket, term=term)
            await self.tenant.take_over(tenure)
            self.held[bucket] = tenure
            self.until[bucket] = self._clock.monotonic() + seconds

    async def take_back(self, *buckets: int) -> None:
        for bucket in buckets:
            await self.tenant.hand_over(self.held[bucket])
            del self.held[bucket]

    def lose(self, *buckets: int) -> None:
        for bucket in buckets:
            self.tenant.lose(self.held.pop(bucket))

    def decides_for(self, deployment: str) -> bool:
        return self.term_of(deployment) is not None

    def term_of(self, deployment: str) -> int | None:
        tenure = self.held.get(bucket_of(deployment, BUCKETS))
        return None if tenure is None or not self.seconds_left(deployment) else tenure.term

    def seconds_left(self, deployment: str) -> float:
        bucket = bucket_of(deployment, BUCKETS)
        if bucket not in self.held:
            return 0.0
        return max(0.0, self.until[bucket] - self._clock.monotonic())

    @property
    def standing(self) -> Standing:
        return Standing(
            member="scripted",
            buckets=BUCKETS,
            stages={Stage.SERVING: len(self.held)},
            leading_term=None,
            renewal_age_seconds=None,
            survey=None,
            survey_age_seconds=None,
            trouble=None,
            trouble_seconds=None,
        )

    async def run(self) -> None:
        self._is_running.set()
        await asyncio.Event().wait()

    async def leave(self, limit_seconds: float = 5.0) -> None:
        async with asyncio.timeout(limit_seconds):
            await self.take_back(*tuple(self.held))
        self.has_left = True


@dataclass
class SharedMemory:
    """What all members have noted, as one database would keep it; each writes through a journal of its own."""

    clock: Clock
    memory: dict[str, DeploymentMemory] = field(default_factory=dict)
    overrides: dict[str, Override] = field(default_factory=dict)
    unfinished: dict[str, Order] = field(default_factory=dict)
    intended: list[tuple[str, Intended]] = field(default_factory=list)
    terms: dict[int, int] = field(default_factory=dict)
    failure: JournalError | None = None
    common: FleetMemory = NO_FLEET_MEMORY

    def journal(self, member: str) -> MembersJournal:
        return MembersJournal(self, member)

    async def take_over(self, bucket: int, term: int) -> Recollection:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        if term < self.terms.get(bucket, 0):
            raise JournalError(f"bucket {bucket} is in a later term", kind=ErrorKind.CONFLICT)
        self.terms[bucket] = term
        mine = [name for name in self.memory if bucket_of(name, BUCKETS) == bucket]
        return Recollection(
            memory=Memory(
                deployments={name: self.memory[name] for name in mine},
                overrides=tuple(self.overrides.values()),
                shared=self.common if bucket == LEADING_BUCKET else NO_FLEET_MEMORY,
            ),
            unfinished=tuple(
                one for name, one in self.unfinished.items() if bucket_of(name, BUCKETS) == bucket
            ),
            until=self.clock.now(),
        )

    async def let_go(self, bucket: int, term: int) -> None:
        if term < self.terms.get(bucket, 0):
            raise JournalError(f"bucket {bucket} is in a later term", kind=ErrorKind.CONFLICT)

    def take(self, entry: Entry) -> None:
        if isinstance(entry, Evaluated | Ended | Primed) or (
            isinstance(entry, OfMembers) and not isinstance(entry.news, BucketLeft)
        ):
            for name, one in entry.memory_changes.items():
                if one is None:
                    self.memory.pop(name, None)
                else:
                    self.memory[name] = one
        if isinstance(entry, Ended):
            self.unfinished.pop(entry.outcome.order.deployment, None)
        elif isinstance(entry, Overridden):
            if entry.given is not None:
                self.overrides[entry.given.id] = entry.given
            for lifted in entry.lifted:
                self.overrides.pop(lifted, None)


class MembersJournal:
    """One member's journal on the shared memory. Everything is kept at once."""

    decisions_behind = 0

    def __init__(self, shared: SharedMemory, member: str) -> None:
        self.shared = shared
        self.member = member
        self.entries: list[Entry] = []
        self.status = JournalStatus(
            mode=JournalMode.DURABLE, since=shared.clock.now(), sentence="all is kept"
        )

    async def open(self) -> Recollection:
        return Recollection()

    def note(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.shared.take(entry)

    async def intend(self, entry: Intended) -> None:
        self.entries.append(entry)
        await asyncio.sleep(0)
        name = entry.order.deployment
        assert entry.term is not None, "a member's intention says its term"
        if entry.term < self.shared.terms.get(bucket_of(name, BUCKETS), 0):
            raise JournalError("another owner has come", kind=ErrorKind.CONFLICT)
        self.shared.intended.append((self.member, entry))
        self.shared.unfinished[name] = entry.order

    async def settle(self) -> None:
        await asyncio.sleep(0)

    async def close(self) -> None:
        await asyncio.sleep(0)
