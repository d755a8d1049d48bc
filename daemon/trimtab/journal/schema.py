"""The tables, and how a file of an older format becomes one of this format.

``entries`` is the sequence of everything that the engine was told; it alone is needed for a replay.
``decisions``, ``writes``, ``events`` and ``overrides`` say the same again in columns, for people who
ask; ``checkpoint_pieces`` hold what is large of the checkpoints among the entries; ``memory`` and ``memory_fields`` are the memory as of the last entry, for the next start.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from trimtab.journal.faults import ForeignFileError
from trimtab.journal.ownership import APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_FORMAT_1 = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX entries_by_kind ON entries (kind, seq);
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    deployment TEXT NOT NULL,
    policy TEXT NOT NULL,
    since REAL NOT NULL,
    first_seq INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,
    current INTEGER NOT NULL,
    desired INTEGER NOT NULL,
    wanted INTEGER,
    sentence TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX decisions_by_deployment ON decisions (deployment, id);
CREATE TABLE decision_runs (
    id INTEGER PRIMARY KEY,
    until REAL NOT NULL,
    last_seq INTEGER NOT NULL,
    evaluations INTEGER NOT NULL
);
CREATE TABLE writes (
    id INTEGER PRIMARY KEY,
    deployment TEXT NOT NULL,
    intended_at REAL NOT NULL,
    order_body BLOB NOT NULL,
    ended_at REAL,
    status TEXT,
    error_kind TEXT,
    sentence TEXT
);
CREATE INDEX writes_by_deployment ON writes (deployment, id);
CREATE INDEX writes_unfinished ON writes (id) WHERE ended_at IS NULL;
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    deployment TEXT NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    sentence TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL
);
CREATE INDEX events_by_deployment ON events (deployment, id);
CREATE TABLE overrides (
    id INTEGER PRIMARY KEY,
    override TEXT NOT NULL,
    deployment TEXT,
    given_at REAL NOT NULL,
    until REAL NOT NULL,
    body BLOB NOT NULL,
    lifted_at REAL,
    lifted_by TEXT,
    lifted_reason TEXT
);
CREATE INDEX overrides_by_name ON overrides (override, id);
CREATE TABLE policy_texts (
    hash BLOB PRIMARY KEY,
    body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE policy_documents (
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    path TEXT NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (seq, position)
) WITHOUT ROWID;
CREATE TABLE memory (
    deployment TEXT PRIMARY KEY,
    body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE memory_fields (
    field TEXT PRIMARY KEY,
    body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value REAL
) WITHOUT ROWID;
"""

_FORMAT_2 = """
CREATE TABLE checkpoint_pieces (
    seq INTEGER NOT NULL,
    piece INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (seq, piece)
) WITHOUT ROWID;
ALTER TABLE decision_runs ADD COLUMN is_over INTEGER NOT NULL DEFAULT 1;
CREATE INDEX decision_runs_over ON decision_runs (last_seq) WHERE is_over;
CREATE INDEX decision_runs_open ON decision_runs (id) WHERE NOT is_over;
"""
"""Values by position in ``memory``, ``decisions`` and checkpoints; checkpoints in pieces."""

MIGRATIONS: tuple[str, ...] = (_FORMAT_1, _FORMAT_2)
"""Statement lists; number n (from 1) turns format n - 1 into format n. Never edited once released."""


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    *,
    migrations: Sequence[str] = MIGRATIONS,
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect,
) -> None:
    """Bring the file to the format of this version, after a copy ``<path>.format-<n>`` of an old one.

    Raises ``ForeignFileError`` for what a newer version or another program wrote, which is left as it
    is, and ``sqlite3.Error``.
    """
    found = check_format(connection, path, newest=len(migrations))
    if found == len(migrations):
        return
    if found:
        with closing(connect(f"{path}.format-{found}")) as copy:
            connection.backup(copy)
    statements = "".join(migrations[found:])
    connection.executescript(
        f"BEGIN IMMEDIATE;\n{statements}\nPRAGMA application_id = {APPLICATION_ID};\n"
        f"PRAGMA user_version = {len(migrations)};\nCOMMIT;"
    )


def check_format(
    connection: sqlite3.Connection, path: Path, *, newest: int = len(MIGRATIONS)
) -> int:
    """Return the format of the file, 0 for an empty one.

    Raises ``ForeignFileError`` if it is newer than ``newest`` or not a journal.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID:
        if application == 0 and found == 0 and tables == 0:
            return 0
        raise ForeignFileError(
            f"{path} is an SQLite file of another program; it is left untouched: name another "
            "journal.path"
        )
    if found > newest:
        raise ForeignFileError(
            f"the journal {path} has format {found}, and this version knows formats up to {newest}; "
            "it is left untouched: run the newer version, or name another journal.path"
        )
    return int(found)
