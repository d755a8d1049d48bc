"""The tables in PostgreSQL, and how those of an older format become those of this one.

They are the tables of the file (``journal/schema.py``), for many writers: each start of a process is a run,
and the numbers of its entries have the run in their upper bits, so that each run has its own sequence and
all have one order. Runs of decisions and writes are numbered by time. Memory has the bucket and the term in
which it was written, and ``fences`` says in which term, and by which run, a bucket may be written now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.journal.faults import ForeignFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.journal.postgresql.session import Session

_FORMAT_1 = """
CREATE TABLE runs (
    run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    member text NOT NULL,
    begun_at double precision NOT NULL,
    until double precision NOT NULL,
    ended_at double precision,
    last_intention bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0
);
CREATE TABLE fences (
    bucket integer PRIMARY KEY,
    term bigint NOT NULL,
    run bigint NOT NULL
);
CREATE TABLE entries (
    seq bigint PRIMARY KEY,
    at double precision NOT NULL,
    kind text NOT NULL,
    body bytea NOT NULL
);
ALTER TABLE entries ALTER body SET STORAGE EXTERNAL;
CREATE INDEX entries_by_kind ON entries (kind, seq);
CREATE INDEX turns_by_time ON entries (at, seq) WHERE kind = 'turn';
CREATE TABLE checkpoint_pieces (
    seq bigint NOT NULL,
    piece integer NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (seq, piece)
);
ALTER TABLE checkpoint_pieces ALTER body SET STORAGE EXTERNAL;
CREATE TABLE decisions (
    id bigint PRIMARY KEY,
    deployment text NOT NULL,
    policy text NOT NULL,
    since double precision NOT NULL,
    first_seq bigint NOT NULL,
    verdict text NOT NULL,
    reason text NOT NULL,
    current bigint NOT NULL,
    desired bigint NOT NULL,
    wanted bigint,
    sentence text NOT NULL,
    body bytea NOT NULL
);
CREATE INDEX decisions_by_deployment ON decisions (deployment, id);
CREATE TABLE decision_runs (
    id bigint PRIMARY KEY,
    until double precision NOT NULL,
    last_seq bigint NOT NULL,
    evaluations bigint NOT NULL,
    is_over boolean NOT NULL
) WITH (fillfactor = 70);
CREATE TABLE writes (
    id bigint PRIMARY KEY,
    run bigint NOT NULL,
    number bigint,
    bucket integer,
    term bigint,
    deployment text NOT NULL,
    intended_at double precision NOT NULL,
    order_body bytea NOT NULL,
    memory bytea,
    ended_at double precision,
    status text,
    error_kind text,
    sentence text,
    UNIQUE (run, number)
);
CREATE INDEX writes_by_deployment ON writes (deployment, id);
CREATE INDEX writes_unfinished ON writes (bucket) WHERE ended_at IS NULL;
CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deployment text NOT NULL,
    at double precision NOT NULL,
    kind text NOT NULL,
    sentence text NOT NULL,
    before text NOT NULL,
    after text NOT NULL
);
CREATE INDEX events_by_deployment ON events (deployment, id);
CREATE TABLE overrides (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    override text NOT NULL,
    deployment text,
    given_at double precision NOT NULL,
    until double precision NOT NULL,
    body bytea NOT NULL,
    lifted_at double precision,
    lifted_by text,
    lifted_reason text
);
CREATE INDEX overrides_by_name ON overrides (override, id);
CREATE TABLE policy_texts (
    hash bytea PRIMARY KEY,
    body bytea NOT NULL
);
CREATE TABLE policy_documents (
    seq bigint NOT NULL,
    position integer NOT NULL,
    path text NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (seq, position)
);
CREATE TABLE memory (
    deployment text PRIMARY KEY,
    bucket integer,
    term bigint NOT NULL,
    run bigint NOT NULL,
    body bytea NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX memory_by_bucket ON memory (bucket);
CREATE TABLE memory_overrides (
    override text PRIMARY KEY,
    position bigint GENERATED ALWAYS AS IDENTITY,
    deployment text,
    body bytea NOT NULL
);
CREATE TABLE memory_lead_times (
    name text PRIMARY KEY,
    body bytea NOT NULL
);
CREATE TABLE memory_shared (
    is_only boolean PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    body bytea NOT NULL
);
"""

MIGRATIONS: tuple[str, ...] = (_FORMAT_1,)
"""Statement lists; number n (from 1) turns format n - 1 into format n. Never edited once released."""


def migrate(session: Session, *, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Bring the tables to the format of this version, making schema and tables where there are none.

    Only one process does it at a time. Raises ``ForeignFileError`` for what a newer version wrote, which is
    left as it is.
    """
    session.begin()
    schema = session.database.schema
    session.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", (f"trimtab {schema}",)
    ).fetchone()
    has_schema = session.execute(
        "SELECT 1 FROM pg_namespace WHERE nspname = ?", (schema,)
    ).fetchone()
    if not has_schema:
        session.script(f'CREATE SCHEMA "{schema}"')
    found = found_format(session, newest=len(migrations))
    if found < len(migrations):
        statements = "".join(migrations[found:])
        if found == 0:
            session.script("CREATE TABLE journal_format (version integer NOT NULL)")
            session.script("INSERT INTO journal_format (version) VALUES (0)")
        session.script(statements)
        session.execute("UPDATE journal_format SET version = ?", (len(migrations),))
    session.commit()


def found_format(session: Session, *, newest: int = len(MIGRATIONS)) -> int:
    """Return the format of the tables, 0 where there are none. Raises ``ForeignFileError`` for a newer one."""
    (table,) = session.execute(
        "SELECT to_regclass(quote_ident(?) || '.journal_format')::text", (session.database.schema,)
    ).fetchone()
    if table is None:
        return 0
    (found,) = session.execute("SELECT version FROM journal_format").fetchone()
    if found > newest:
        raise ForeignFileError(
            f"the journal {session.database.name} has format {found}, and this version knows formats up to "
            f"{newest}; it is left untouched: run the newer version, or name another schema"
        )
    return int(found)
