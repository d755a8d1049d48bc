"""A coordination service in memory, as faithful as the real ones by the same contract tests.

``LeaseServer`` is what all share. ``LeasesInMemory`` is one member's connection to it, over a ``Wire`` that
may lose requests or answers, or be slow. Requests travel outside of the member's process: one that was
sent arrives, although its sender was stopped or killed meanwhile.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from tests.simulation.virtual_time import PROCESS

from trimtab.clock import Clock, ManualClock
from trimtab.coordination.buckets import BUCKETS
from trimtab.coordination.judging import Ages, Attendance, Vacancies
from trimtab.coordination.port import LeaseSeen, Posting, Survey, Tenure
from trimtab.coordination.rows import LeaseRow, MemberRow, PostingRow
from trimtab.core.proposals import JsonValue
from trimtab.errors import CoordinationError, ErrorKind

T = TypeVar("T")

POSTING_BYTES_MAX = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A member or a posting as the server keeps it; ``at`` is by the server's own clock."""

    text: str
    version: int
    at: float
    term: int = 0
    lease_seconds: float = 0.0


@dataclass
class LeaseServer:
    """The one truth. ``now`` is the server's wall clock, which may be set."""

    buckets: int = BUCKETS
    now: Callable[[], float] = lambda: 0.0
    rows: dict[int, LeaseRow] = field(default_factory=dict)
    members: dict[str, Kept] = field(default_factory=dict)
    board: dict[tuple[str, str], Kept] = field(default_factory=dict)
    epoch: int = 1
    on_claim: list[Callable[[str, Tenure], None]] = field(default_factory=list)
    """Told of every claim that was granted, at that instant; ``on_release`` likewise."""

    on_release: list[Callable[[str, Tenure], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rows = {
            bucket: LeaseRow(bucket=bucket, holder=None, term=0, version=0, lease_seconds=0.0)
            for bucket in range(self.buckets)
        }

    def restart(self, rows: Mapping[int, LeaseRow] | None = None) -> None:
        """Begin anew; with ``rows`` as a standby that lacks what came after them."""
        self.epoch += 1
        self.rows = dict(self.rows if rows is None else rows)

    def claim(self, member: str, seen: LeaseSeen, lease_seconds: float) -> Tenure | None:
        row = self.rows[seen.bucket]
        if f"{self.epoch}/{row.version}" != seen.version:
            return None
        row = LeaseRow(
            bucket=seen.bucket,
            holder=member,
            term=row.term + 1,
            version=row.version + 1,
            lease_seconds=lease_seconds,
        )
        self.rows[seen.bucket] = row
        tenure = Tenure(bucket=seen.bucket, term=row.term)
        for listener in self.on_claim:
            listener(member, tenure)
        return tenure

    def renew(
        self, member: str, held: Collection[Tenure], lease_seconds: float
    ) -> frozenset[Tenure]:
        still = frozenset(one for one in held if self._holds(member, one))
        for one in still:
            row = self.rows[one.bucket]
            self.rows[one.bucket] = replace(
                row, version=row.version + 1, lease_seconds=lease_seconds
            )
        return still

    def release(self, member: str, held: Collection[Tenure]) -> None:
        for one in held:
            if self._holds(member, one):
                row = self.rows[one.bucket]
                self.rows[one.bucket] = replace(row, holder=None, version=row.version + 1)
                for listener in self.on_release:
                    listener(member, one)

    def _holds(self, member: str, tenure: Tenure) -> bool:
        row = self.rows[tenure.bucket]
        return row.holder == member and row.term == tenure.term


class Wire(Protocol):
    """What lies between a member and the server."""

    async def carry(self, call: str, work: Callable[[], T]) -> T:
        """Do ``work`` at the server and bring back the answer, or raise ``CoordinationError``."""
        ...


class GoodWire:
    """Everything arrives at once."""

    async def carry(self, call: str, work: Callable[[], T]) -> T:
        return work()


@dataclass
class BadWire:
    """Each way takes its time; a test cuts either way, and the call ends at its limit.

    Slow requests arrive all the same, after the member has given up on them. ``latency`` hears the call
    and the way, ``there`` or ``back``.
    """

    limit_seconds: float
    latency: Callable[[str, str], float] = lambda _call, _way: 0.01
    loses_requests: Callable[[str], bool] = lambda _: False
    loses_answers: Callable[[str], bool] = lambda _: False

    async def carry(self, call: str, work: Callable[[], T]) -> T:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def travel() -> None:
            lost = self.loses_requests(call)
            await asyncio.sleep(self.latency(call, "there"))
            if lost:
                return
            found = work()
            lost = self.loses_answers(call)
            await asyncio.sleep(self.latency(call, "back"))
            if not lost and not answer.done():
                answer.set_result(found)

        outside(travel())
        try:
            async with asyncio.timeout(self.limit_seconds):
                return await answer
        except TimeoutError:
            raise unreachable(f"`{call}` was not answered", ErrorKind.TIMEOUT) from None


_TRAVELLING: set[asyncio.Task[None]] = set()


def outside(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` as part of the world, whatever becomes of the process that began it."""
    context = copy_context()
    context.run(PROCESS.set, 0)
    task = asyncio.get_running_loop().create_task(work, context=context)
    _TRAVELLING.add(task)
    task.add_done_callback(_TRAVELLING.discard)


def unreachable(sentence: str, kind: ErrorKind = ErrorKind.UNAVAILABLE) -> CoordinationError:
    return CoordinationError(sentence, kind=kind)


class LeasesInMemory:
    """One member's side. Implements ``Leases`` and ``Board``."""

    def __init__(
        self,
        server: LeaseServer,
        clock: Clock | None = None,
        wire: Wire | None = None,
        *,
        buckets: int | None = None,
        lease_seconds: float = 15.0,
    ) -> None:
        self._server = server
        self._clock = clock or ManualClock()
        self._wire = wire or GoodWire()
        self._buckets = server.buckets if buckets is None else buckets
        self._lease_seconds = lease_seconds
        self._vacancies = Vacancies(lease_seconds)
        self._attendance = Attendance()
        self._ages = Ages()

    @property
    def buckets(self) -> int:
        return self._buckets

    @property
    def lease_seconds(self) -> float:
        return self._lease_seconds

    async def open(self) -> None:
        found = await self._wire.carry("open", lambda: self._server.buckets)
        if found != self._buckets:
            raise unreachable(
                f"the service shares {found} buckets and this member {self._buckets}; "
                "give all members the same number",
                ErrorKind.REJECTED,
            )

    async def survey(self) -> Survey:
        def look() -> tuple[str, list[LeaseRow], list[MemberRow]]:
            now = self._server.now()
            members = [
                MemberRow(
                    member=name,
                    says=one.text,
                    version=one.version,
                    lease_seconds=one.lease_seconds,
                    age_seconds=now - one.at,
                )
                for name, one in self._server.members.items()
            ]
            return f"{self._server.epoch}", list(self._server.rows.values()), members

        asked_at = self._clock.monotonic()
        epoch, leases, members = await self._wire.carry("survey", look)
        answered_at = self._clock.monotonic()
        return Survey(
            leases=self._vacancies.judged(
                leases, epoch=epoch, asked_at=asked_at, answered_at=answered_at
            ),
            members=self._attendance.alive(
                members, epoch=epoch, asked_at=asked_at, answered_at=answered_at
            ),
        )

    async def announce(self, member: str, says: Mapping[str, JsonValue]) -> None:
        text = json.dumps(says)

        def write() -> None:
            before = self._server.members.get(member)
            self._server.members[member] = Kept(
                text=text,
                version=1 if before is None else before.version + 1,
                at=self._server.now(),
                lease_seconds=self._lease_seconds,
            )

        await self._wire.carry("announce", write)

    async def claim(self, member: str, seen: LeaseSeen) -> Tenure | None:
        return await self._wire.carry(
            "claim", lambda: self._server.claim(member, seen, self._lease_seconds)
        )

    async def renew(self, member: str, held: Collection[Tenure]) -> frozenset[Tenure]:
        held = frozenset(held)
        return await self._wire.carry(
            "renew", lambda: self._server.renew(member, held, self._lease_seconds)
        )

    async def release(self, member: str, held: Collection[Tenure]) -> None:
        held = frozenset(held)
        await self._wire.carry("release", lambda: self._server.release(member, held))

    async def leave(self, member: str) -> None:
        await self._wire.carry("leave", lambda: self._server.members.pop(member, None))

    async def close(self) -> None:
        pass

    # -- Board -----------------------------------------------------------------------------------

    async def post(self, topic: str, member: str, term: int, body: Mapping[str, JsonValue]) -> None:
        text = json.dumps(body)
        if len(text.encode()) > POSTING_BYTES_MAX:
            raise unreachable(f"a posting under {topic!r} is too large", ErrorKind.REJECTED)

        def write() -> None:
            before = self._server.board.get((topic, member))
            if before is None or before.term <= term:
                self._server.board[topic, member] = Kept(
                    term=term,
                    text=text,
                    version=1 if before is None else before.version + 1,
                    at=self._server.now(),
                )

        await self._wire.carry("post", write)

    async def read(self, topic: str) -> Mapping[str, Posting]:
        def look() -> list[PostingRow]:
            return [
                PostingRow(
                    member=key[1],
                    term=one.term,
                    body=one.text,
                    version=one.version,
                    age_seconds=self._server.now() - one.at,
                )
                for key, one in self._server.board.items()
                if key[0] == topic
            ]

        asked_at = self._clock.monotonic()
        rows = await self._wire.carry("read", look)
        return self._ages.postings(
            topic, rows, asked_at=asked_at, answered_at=self._clock.monotonic()
        )
