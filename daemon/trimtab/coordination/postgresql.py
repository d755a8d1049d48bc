"""Leases and a board in PostgreSQL: rows that are compared and swapped.

The server's clock (``clock_timestamp()``) writes the times that people read and judges nobody's lease: it is
a wall clock, and another one after a standby has taken over. What is free is judged as ``judging`` says.
Two connections, so that no look or claim ever makes a renewal wait.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trimtab.coordination.buckets import BUCKETS
from trimtab.coordination.judging import Ages, Attendance, Vacancies
from trimtab.coordination.port import Survey, Tenure
from trimtab.coordination.postgresql_session import Database, Session
from trimtab.coordination.postgresql_tables import make_tables
from trimtab.coordination.rows import LeaseRow, MemberRow, PostingRow
from trimtab.errors import CoordinationError, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from trimtab.clock import Clock
    from trimtab.coordination.port import LeaseSeen, Posting
    from trimtab.core.proposals import JsonValue

CALL_SHARE = 0.3
"""Of the lease's time, for one call: below the third that the port allows."""

POSTING_BYTES_MAX = 256 * 1024

_EPOCH = "SELECT extract(epoch FROM pg_postmaster_start_time())::text"

_LEASES = "SELECT bucket, holder, term, version, lease_seconds FROM trimtab_leases ORDER BY bucket"

_MEMBERS = """
SELECT member, says, version, lease_seconds,
    extract(epoch FROM clock_timestamp() - announced_at)::float8 AS age_seconds
FROM trimtab_members
"""

_ANNOUNCE = """
INSERT INTO trimtab_members AS known (member, says, version, lease_seconds, announced_at)
VALUES ($1, $2::jsonb, 1, $3, clock_timestamp())
ON CONFLICT (member) DO UPDATE SET says = excluded.says, version = known.version + 1,
    lease_seconds = excluded.lease_seconds, announced_at = excluded.announced_at
"""

_FORGET_MEMBERS = """
DELETE FROM trimtab_members WHERE member IN (
    SELECT member FROM trimtab_members WHERE announced_at < clock_timestamp() - interval '1 hour'
    FOR UPDATE SKIP LOCKED)
"""

_CLAIM = """
UPDATE trimtab_leases SET holder = $2, term = term + 1, version = version + 1, lease_seconds = $4,
    claimed_at = clock_timestamp(), renewed_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => $4)
WHERE bucket = (
    SELECT bucket FROM trimtab_leases
    WHERE bucket = $1 AND version = $3
        AND extract(epoch FROM pg_postmaster_start_time())::text = $5
    FOR UPDATE SKIP LOCKED)
RETURNING term
"""
"""Of what is being renewed or claimed at this moment nobody waits for the end: it is not free."""

_OURS = """
WITH ours AS (
    SELECT bucket FROM trimtab_leases
    JOIN unnest($2::integer[], $3::bigint[]) AS held (bucket, term) USING (bucket, term)
    WHERE holder = $1 ORDER BY bucket FOR UPDATE OF trimtab_leases)
"""
"""Locked in one order, so that two calls for the same buckets never wait for each other."""

_RENEW = f"""
{_OURS}
UPDATE trimtab_leases SET version = version + 1, lease_seconds = $4, renewed_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => $4)
FROM ours WHERE trimtab_leases.bucket = ours.bucket
RETURNING trimtab_leases.bucket, trimtab_leases.term
"""  # noqa: S608  made of constants

_RELEASE = f"""
{_OURS}
UPDATE trimtab_leases SET holder = NULL, version = version + 1, expires_at = clock_timestamp()
FROM ours WHERE trimtab_leases.bucket = ours.bucket
"""  # noqa: S608  made of constants

_POST = """
INSERT INTO trimtab_board AS known (topic, member, term, version, body, posted_at)
VALUES ($1, $2, $3, 1, $4::jsonb, clock_timestamp())
ON CONFLICT (topic, member) DO UPDATE SET term = excluded.term, version = known.version + 1,
    body = excluded.body, posted_at = excluded.posted_at
WHERE known.term <= excluded.term
"""

_FORGET_POSTINGS = """
DELETE FROM trimtab_board WHERE (topic, member) IN (
    SELECT topic, member FROM trimtab_board WHERE posted_at < clock_timestamp() - interval '1 day'
    FOR UPDATE SKIP LOCKED)
"""

_READ = """
SELECT member, term, version, body,
    extract(epoch FROM clock_timestamp() - posted_at)::float8 AS age_seconds
FROM trimtab_board WHERE topic = $1
"""


class LeasesInPostgresql:
    """Implements ``Leases`` and ``Board``. One member's view: not to be shared by two stewards.

    Needs the extra ``postgresql``: raises ``SettingsError`` where it is not installed.
    """

    def __init__(
        self,
        clock: Clock,
        database: Database,
        *,
        buckets: int = BUCKETS,
        lease_seconds: float = 15.0,
    ) -> None:
        self._clock = clock
        self._database = database
        self._buckets = buckets
        self._lease_seconds = lease_seconds
        limit_seconds = lease_seconds * CALL_SHARE
        self._renewing = Session(database, limit_seconds=limit_seconds)
        self._looking = Session(database, limit_seconds=limit_seconds)
        self._vacancies = Vacancies(lease_seconds)
        self._attendance = Attendance()
        self._ages = Ages()

    @property
    def buckets(self) -> int:
        """See ``Leases``."""
        return self._buckets

    @property
    def lease_seconds(self) -> float:
        """See ``Leases``."""
        return self._lease_seconds

    async def open(self) -> None:
        """Make the tables, and agree on the number of buckets with whoever was here before."""

        async def work(connection: Any) -> None:
            await make_tables(connection, self._database, self._buckets)

        await self._looking.run("open", work)

    async def survey(self) -> Survey:
        """See ``Leases``."""

        async def work(connection: Any) -> tuple[str, list[LeaseRow], list[MemberRow]]:
            epoch = str(await connection.fetchval(_EPOCH))
            leases = [LeaseRow(**row) for row in await connection.fetch(_LEASES)]
            members = [MemberRow(**row) for row in await connection.fetch(_MEMBERS)]
            return epoch, leases, members

        asked_at = self._clock.monotonic()
        epoch, leases, members = await self._looking.run("survey", work)
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
        """See ``Leases``."""

        async def work(connection: Any) -> None:
            await connection.execute(_ANNOUNCE, member, json.dumps(says), self._lease_seconds)
            await connection.execute(_FORGET_MEMBERS)

        await self._looking.run("announce", work)

    async def claim(self, member: str, seen: LeaseSeen) -> Tenure | None:
        """See ``Leases``."""
        epoch, _, version = seen.version.partition("/")

        async def work(connection: Any) -> int | None:
            term: int | None = await connection.fetchval(
                _CLAIM, seen.bucket, member, int(version), self._lease_seconds, epoch
            )
            return term

        term = await self._looking.run("claim", work)
        return None if term is None else Tenure(bucket=seen.bucket, term=term)

    async def renew(self, member: str, held: Collection[Tenure]) -> frozenset[Tenure]:
        """See ``Leases``. All in one statement."""

        async def work(connection: Any) -> frozenset[Tenure]:
            rows = await connection.fetch(_RENEW, member, *_listed(held), self._lease_seconds)
            return frozenset(Tenure(bucket=row["bucket"], term=row["term"]) for row in rows)

        return await self._renewing.run("renew", work)

    async def release(self, member: str, held: Collection[Tenure]) -> None:
        """See ``Leases``. All in one statement."""

        async def work(connection: Any) -> None:
            await connection.execute(_RELEASE, member, *_listed(held))

        await self._looking.run("release", work)

    async def leave(self, member: str) -> None:
        """See ``Leases``."""

        async def work(connection: Any) -> None:
            await connection.execute("DELETE FROM trimtab_members WHERE member = $1", member)

        await self._looking.run("leave", work)

    async def close(self) -> None:
        """See ``Leases``."""
        self._renewing.drop()
        self._looking.drop()

    # -- Board -----------------------------------------------------------------------------------

    async def post(self, topic: str, member: str, term: int, body: Mapping[str, JsonValue]) -> None:
        """See ``Board``."""
        text = json.dumps(body)
        if len(text.encode()) > POSTING_BYTES_MAX:
            raise CoordinationError(
                f"what {member} posts under {topic!r} has {len(text.encode())} bytes, more than the "
                f"{POSTING_BYTES_MAX} that are allowed",
                kind=ErrorKind.REJECTED,
            )

        async def work(connection: Any) -> None:
            await connection.execute(_POST, topic, member, term, text)
            await connection.execute(_FORGET_POSTINGS)

        await self._looking.run("post", work)

    async def read(self, topic: str) -> Mapping[str, Posting]:
        """See ``Board``."""

        async def work(connection: Any) -> list[PostingRow]:
            return [PostingRow(**row) for row in await connection.fetch(_READ, topic)]

        asked_at = self._clock.monotonic()
        rows = await self._looking.run("read", work)
        return self._ages.postings(
            topic, rows, asked_at=asked_at, answered_at=self._clock.monotonic()
        )


def _listed(held: Collection[Tenure]) -> tuple[list[int], list[int]]:
    """Return buckets and terms, as the statements take them."""
    ordered = sorted(held, key=lambda tenure: tenure.bucket)
    return [one.bucket for one in ordered], [one.term for one in ordered]
