"""The tables of coordination in PostgreSQL, made by whoever comes first.

Versions only grow; members of one version refuse tables of a later one, and of another number of buckets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.errors import CoordinationError, ErrorKind

if TYPE_CHECKING:
    from trimtab.coordination.postgresql_session import Database

VERSION = 1

LOCK = 0x7472696D_74616201
"""The advisory lock that whoever makes tables holds until the end of its transaction (``trimtab``, 1)."""

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE trimtab_coordination (
        is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
        version integer NOT NULL,
        buckets integer NOT NULL
    );
    CREATE TABLE trimtab_leases (
        bucket integer PRIMARY KEY,
        holder text,
        term bigint NOT NULL DEFAULT 0,
        version bigint NOT NULL DEFAULT 0,
        lease_seconds double precision NOT NULL DEFAULT 0,
        claimed_at timestamptz,
        renewed_at timestamptz,
        expires_at timestamptz
    ) WITH (fillfactor = 50);
    CREATE TABLE trimtab_members (
        member text PRIMARY KEY,
        says jsonb NOT NULL,
        version bigint NOT NULL,
        lease_seconds double precision NOT NULL,
        announced_at timestamptz NOT NULL
    ) WITH (fillfactor = 50);
    CREATE TABLE trimtab_board (
        topic text NOT NULL,
        member text NOT NULL,
        term bigint NOT NULL,
        version bigint NOT NULL,
        body jsonb NOT NULL,
        posted_at timestamptz NOT NULL,
        PRIMARY KEY (topic, member)
    );
    COMMENT ON TABLE trimtab_leases IS
        'Who holds which bucket. Times are for people: a lease is free when version stands still.';
    """,
)
"""From each version to the next. Rows of leases are rewritten in place (HOT), hence the space in pages."""


async def make_tables(connection: Any, database: Database, buckets: int) -> None:
    """Make what is missing, in the transaction that is open. Raises ``CoordinationError``."""
    if not await _agrees(connection, database, buckets):
        await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
        if not await _agrees(connection, database, buckets):
            await _make(connection, database, buckets)


async def _agrees(connection: Any, database: Database, buckets: int) -> bool:
    """Whether the tables are there, and as we need them."""
    table = f'"{database.schema}".trimtab_coordination'
    if await connection.fetchval("SELECT to_regclass($1)", table) is None:
        return False
    row = await connection.fetchrow("SELECT version, buckets FROM trimtab_coordination")
    if row is None:
        raise _refused(f"{database.name} has an empty table {table}; drop it, or restore it")
    if row["version"] > VERSION:
        raise _refused(
            f"{database.name} has tables of version {row['version']}, and this trimtab knows version "
            f"{VERSION}; use a trimtab at least as new as those that used them last"
        )
    if row["buckets"] != buckets:
        raise _refused(
            f"the members on {database.name} share {row['buckets']} buckets, and this one was told "
            f"{buckets}; set coordination.buckets to {row['buckets']}, or stop all of them and drop "
            f'the schema "{database.schema}"'
        )
    return bool(row["version"] == VERSION)


async def _make(connection: Any, database: Database, buckets: int) -> None:
    schema = database.schema
    if await connection.fetchval("SELECT to_regnamespace($1)", f'"{schema}"') is None:
        await connection.execute(f'CREATE SCHEMA "{schema}"')
    table = f'"{schema}".trimtab_coordination'
    is_new = await connection.fetchval("SELECT to_regclass($1)", table) is None
    since = 0
    if not is_new:
        since = await connection.fetchval("SELECT version FROM trimtab_coordination")
    for step in STEPS[since:]:
        await connection.execute(step)
    if is_new:
        await connection.execute(
            "INSERT INTO trimtab_coordination (version, buckets) VALUES ($1, $2)", VERSION, buckets
        )
        await connection.execute(
            "INSERT INTO trimtab_leases (bucket) SELECT generate_series(0, $1::integer - 1)",
            buckets,
        )
    else:
        await connection.execute("UPDATE trimtab_coordination SET version = $1", VERSION)


def _refused(sentence: str) -> CoordinationError:
    return CoordinationError(sentence, kind=ErrorKind.REJECTED)
