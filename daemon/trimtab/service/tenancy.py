"""The buckets that this member decides for: taken over, handed over, lost.

Between the steward, who holds leases, and the parts of the daemon, which decide and write. A deployment is
decided for once its bucket's memory is in the engine, and no longer than that; whether it may be written to
is the steward's word alone, asked anew before each write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import structlog

from trimtab.coordination.port import OwnsAll
from trimtab.core.buckets import LEADING_BUCKET, bucket_of
from trimtab.core.memory import Memory
from trimtab.core.set_back import set_back, set_back_seconds
from trimtab.core.succession import BucketLeft, BucketTaken, Joined
from trimtab.errors import JournalError
from trimtab.journal.port import Recollection
from trimtab.service.exchange import EXCHANGE_SECONDS, Exchange

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from trimtab.clock import Clock
    from trimtab.coordination.port import Board, Ownership, Tenure
    from trimtab.coordination.standing import Standing
    from trimtab.core.memory import DeploymentMemory
    from trimtab.journal.port import SharedMemory
    from trimtab.service.actuator import Actuator
    from trimtab.service.controller import Controller
    from trimtab.service.fleet import Fleet
    from trimtab.service.interrupted import Interrupted
    from trimtab.service.journalled_engine import JournalledEngine
    from trimtab.service.trigger import Trigger

    Chore: TypeAlias = tuple[str, Callable[[], Awaitable[None]]]

LOG = structlog.get_logger("trimtab")

WRITES_END_SECONDS_MAX = 10.0
"""How long writes in flight may hold up a bucket that is handed over. The lease is renewed meanwhile."""


@runtime_checkable
class _Losing(Protocol):
    """A shared memory that wants to know of a bucket that was lost."""

    def lose(self, bucket: int, term: int) -> None:
        """Keep nothing of it any more."""
        ...


@runtime_checkable
class _Pressing(Protocol):
    """A shared memory that is written from time to time."""

    def press(self, buckets: Iterable[int]) -> None:
        """Write these as soon as may be."""
        ...


class Steward(Protocol):
    """Whoever holds leases for this member, and says what may be relied on (``Ownership``)."""

    is_shared: bool

    def decides_for(self, deployment: str) -> bool:
        """See ``Ownership``."""
        ...

    def term_of(self, deployment: str) -> int | None:
        """See ``Ownership``."""
        ...

    def seconds_left(self, deployment: str) -> float:
        """See ``Ownership``."""
        ...

    @property
    def standing(self) -> Standing:
        """What is held, who else is there, and how the service answers."""
        ...

    async def run(self) -> None:
        """Claim, renew and release, until cancelled."""
        ...

    async def leave(self, limit_seconds: float = ...) -> None:
        """Hand over and release everything, while ``run`` still runs; then close. Never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordination:
    """What makes a daemon one of several: who holds its leases, and what members leave for one another.

    ``member`` is its name among them. ``shared`` is where the memory of a bucket comes from; ``None``: each
    owner begins anew. ``chores`` are further tasks that must run for ever.
    """

    member: str
    buckets: int
    steward: Callable[[Tenancy], Steward]
    shared: SharedMemory | None = None
    board: Board | None = None
    chores: tuple[Chore, ...] = ()
    exchange_seconds: float = EXCHANGE_SECONDS


class Tenancy:
    """The daemon as the steward's tenant, and the daemon's own answer to whose a deployment is."""

    is_shared = True

    def __init__(
        self,
        clock: Clock,
        coordination: Coordination,
        journalled: JournalledEngine,
        fleet: Fleet,
    ) -> None:
        self.coordination = coordination
        self._clock = clock
        self._journalled = journalled
        self._fleet = fleet
        self._open: dict[int, int] = {}
        self._known: set[Tenure] = set()
        self._bucket_by_name: dict[str, int] = {}
        self.exchange: Exchange | None = None
        self.port: int | None = None
        """Where our HTTP API listens, once it does: the system may have chosen it."""
        self.steward = coordination.steward(self)

    def join(
        self,
        trigger: Trigger,
        actuator: Actuator,
        controller: Controller,
        interrupted: Interrupted,
    ) -> None:
        """Take in the parts that ask here themselves. Called once, before anything is taken over."""
        self._trigger, self._actuator = trigger, actuator
        self._controller, self._interrupted = controller, interrupted

    def tasks(self) -> list[Chore]:
        """Return each task that must run for ever, with its name in prose."""
        tasks: list[Chore] = [
            ("hold a share of the buckets", self.steward.run),
            *self.coordination.chores,
        ]
        if (board := self.coordination.board) is not None:
            self.exchange = Exchange(
                self._clock,
                board,
                member=self.coordination.member,
                tenancy=self,
                journalled=self._journalled,
                fleet=self._fleet,
                trigger=self._trigger,
                is_fleet_whole=lambda: self._controller.is_fleet_whole,
                interval_seconds=self.coordination.exchange_seconds,
            )
            tasks.append(("exchange claims and grants", self.exchange.run))
        return tasks

    def begin(self) -> None:
        """Let the engine know that it is one of several."""
        self._journalled.hear_of_members(Joined(buckets=self.coordination.buckets))
        self._journalled.on_people = self._keep_soon

    # -- Ownership -------------------------------------------------------------------------------

    def decides_for(self, deployment: str) -> bool:
        """Whether its memory is here and its lease can be relied on."""
        term = self._open.get(self.bucket_of(deployment))
        return term is not None and self.steward.term_of(deployment) == term

    def term_of(self, deployment: str) -> int | None:
        """See ``Ownership``."""
        return self.steward.term_of(deployment)

    def seconds_left(self, deployment: str) -> float:
        """See ``Ownership``."""
        return self.steward.seconds_left(deployment)

    def bucket_of(self, deployment: str) -> int:
        """Return the bucket of a deployment by its full name."""
        found = self._bucket_by_name.get(deployment)
        if found is None:
            if len(self._bucket_by_name) > 2 * len(self._fleet.deployments) + 1000:
                self._bucket_by_name.clear()  # names of the past, or what people mistyped
            found = bucket_of(deployment, self.coordination.buckets)
            self._bucket_by_name[deployment] = found
        return found

    @property
    def open_terms(self) -> Mapping[int, int]:
        """The buckets that are decided for, each with its term."""
        return self._open

    # -- Tenant ----------------------------------------------------------------------------------

    async def take_over(self, tenure: Tenure) -> None:
        """Recollect what the last owner of a bucket knew, and let all in it be due. Raises ``JournalError``."""
        self._known.add(tenure)
        try:
            found = await self._recollect(tenure)
        except BaseException:
            self._known.discard(tenure)
            raise
        if tenure in self._known:  # not lost meanwhile
            self._take(tenure, found)

    async def _recollect(self, tenure: Tenure) -> Recollection:
        shared = self.coordination.shared
        if shared is None:
            return Recollection()
        return await shared.take_over(tenure.bucket, tenure.term)

    def _take(self, tenure: Tenure, found: Recollection) -> None:
        memory = self._memory_of(tenure.bucket, found)
        unfinished = tuple(
            order for order in found.unfinished if self.bucket_of(order.deployment) == tenure.bucket
        )
        self._journalled.hear_of_members(
            BucketTaken(
                bucket=tenure.bucket,
                term=tenure.term,
                memory=memory,
                overrides=tuple(
                    one
                    for one in found.memory.overrides
                    if one.deployment is None or self.bucket_of(one.deployment) == tenure.bucket
                ),
                lead_times=found.memory.lead_times,
                unfinished=unfinished,
                shared=found.memory.shared if tenure.bucket == LEADING_BUCKET else None,
            )
        )
        self._fleet.expect(memory)
        self._interrupted.take(unfinished, found.until)
        self._open[tenure.bucket] = tenure.term
        names = [one for one in self._fleet.deployments if self.bucket_of(one) == tenure.bucket]
        self._trigger.take_on(dict.fromkeys((*names, *memory)))
        LOG.info(
            "bucket_taken",
            bucket=tenure.bucket,
            term=tenure.term,
            remembered=len(memory),
            unfinished=len(unfinished),
        )

    async def hand_over(self, tenure: Tenure) -> None:
        """Decide no more for a bucket, let its writes in flight end, and make durable what is known."""
        self._close(tenure)
        await self._actuator.hand_over(self._is_in(tenure.bucket), WRITES_END_SECONDS_MAX)
        if tenure not in self._known:
            return  # lost meanwhile
        try:
            await self._journalled.journal.settle()
            if self.coordination.shared is not None:
                await self.coordination.shared.let_go(tenure.bucket, tenure.term)
        except JournalError as error:
            # Who comes next goes on from what was durable before; holding on would help nobody.
            LOG.warning("bucket_not_kept", bucket=tenure.bucket, term=tenure.term, why=str(error))
        if tenure in self._known:
            self._leave(tenure)
            LOG.info("bucket_handed_over", bucket=tenure.bucket, term=tenure.term)

    def lose(self, tenure: Tenure) -> None:
        """Stop all that concerns a bucket at once."""
        if tenure not in self._known:
            return
        self._close(tenure)
        self._actuator.lose(self._is_in(tenure.bucket))
        self._leave(tenure)
        shared: object = self.coordination.shared
        if isinstance(shared, _Losing):
            shared.lose(tenure.bucket, tenure.term)
        LOG.warning("bucket_lost", bucket=tenure.bucket, term=tenure.term)

    def memory_of(self, bucket: int) -> Memory:
        """Return what is remembered of a bucket now, for whoever keeps it elsewhere."""
        memory = self._journalled.engine.memory
        known = {n: one for n, one in memory.deployments.items() if self.bucket_of(n) == bucket}
        ours = (None, *known)
        overrides = tuple(one for one in memory.overrides if one.deployment in ours)
        return Memory(known, overrides, memory.lead_times, memory.shared)

    def _keep_soon(self, names: Iterable[str | None]) -> None:
        """Let what people changed outlive us: nobody else could tell it from what we do ourselves."""
        shared: object = self.coordination.shared
        if isinstance(shared, _Pressing):
            known = set(names)
            buckets = {self.bucket_of(name) for name in known if name is not None}
            shared.press(sorted(self._open if None in known else buckets))

    def _close(self, tenure: Tenure) -> None:
        if self._open.get(tenure.bucket) == tenure.term:
            del self._open[tenure.bucket]

    def _leave(self, tenure: Tenure) -> None:
        """Forget the bucket's deployments; they are others' to tell of. No event says that they are gone."""
        self._known.discard(tenure)
        is_left = self._is_in(tenure.bucket)
        self._journalled.hear_of_members(BucketLeft(bucket=tenure.bucket, term=tenure.term))
        self._interrupted.forget(is_left)
        self._controller.leave(is_left)

    def _is_in(self, bucket: int) -> Callable[[str], bool]:
        return lambda deployment: self.bucket_of(deployment) == bucket

    def _memory_of(self, bucket: int, found: Recollection) -> dict[str, DeploymentMemory]:
        """Return the bucket's part of what was found, by our clock: the last owner's may have been ahead."""
        memory = {
            name: one
            for name, one in found.memory.deployments.items()
            if self.bucket_of(name) == bucket
        }
        seconds = set_back_seconds(memory.values(), self._clock.now())
        if seconds > 0:
            return {name: set_back(one, seconds) for name, one in memory.items()}
        return memory


def tenancy_of(
    coordination: Coordination | None,
    clock: Clock,
    journalled: JournalledEngine,
    fleet: Fleet,
) -> tuple[Tenancy | None, Ownership]:
    """Return the tenancy of one of several, and who says whose a deployment is in any case."""
    if coordination is None:
        return None, OwnsAll()
    tenancy = Tenancy(clock, coordination, journalled, fleet)
    return tenancy, tenancy
