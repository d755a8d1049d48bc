"""Who may write what: a bucket has a term, and whoever writes in an earlier one is refused.

In the database a row for each bucket says in which term, and by which run, it may be written. Whatever is
written of a bucket looks at its row in the same transaction and holds it (``FOR SHARE``) until the end; a
new owner changes it. So either the old owner's last transaction is there when the new one reads, or it is
refused. Martin Kleppmann, "How to do distributed locking" (2016), calls such a term a fencing token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.journal.postgresql.faults import FencedError, LostPastError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.journal.entries import Intended
    from trimtab.journal.postgresql.session import Session

ALONE = -1
"""In place of a bucket: the row of a process that shares with nobody."""


@dataclass(slots=True)
class Fences:
    """What this run may write. ``bucket_of`` is ``None`` for a process that shares with nobody.

    ``terms`` are those of the buckets that it took over, or of ``ALONE``; ``begun_at`` (UTC seconds) is when the
    run began, by which its row is told from another's.
    """

    bucket_of: Callable[[str], int] | None = None
    run: int = 0
    begun_at: float = 0.0
    terms: dict[int, int] = field(default_factory=dict)

    @property
    def is_alone(self) -> bool:
        """Whether this process shares with nobody."""
        return self.bucket_of is None

    def bucket(self, deployment: str) -> int:
        """Return the bucket of a deployment, or ``ALONE``."""
        return ALONE if self.bucket_of is None else self.bucket_of(deployment)

    def why_not(self, entry: Intended) -> str | None:
        """Say why ``entry`` cannot be meant, as far as is known here."""
        name = entry.order.deployment
        held = self.terms.get(self.bucket(name))
        if held is None:
            return f"bucket {self.bucket(name)} of {name} was not taken over, so nothing is written to it"
        if entry.term is not None and not self.is_alone and entry.term != held:
            return (
                f"the write of {name} was meant in term {entry.term} of bucket {self.bucket(name)}, and now "
                f"it is term {held}"
            )
        return None

    def term_for(self, entry: Intended) -> int:
        """Return the term that ``entry`` is meant in."""
        if self.is_alone or entry.term is None:
            return self.terms.get(self.bucket(entry.order.deployment), 0)
        return entry.term


def take_alone(session: Session, fences: Fences) -> None:
    """Shut out every other process, as this one shares with nobody."""
    (term,) = session.execute(
        "INSERT INTO fences (bucket, term, run) VALUES (?, 1, ?) ON CONFLICT (bucket) DO UPDATE "
        "SET term = fences.term + 1, run = excluded.run RETURNING term",
        (ALONE, fences.run),
    ).fetchone()
    session.execute("UPDATE fences SET run = ? WHERE bucket <> ?", (fences.run, ALONE))
    fences.terms = {ALONE: term}


def shut_out_alone(session: Session, fences: Fences) -> None:
    """Shut out a process that thinks that it shares with nobody."""
    session.execute(
        "UPDATE fences SET term = term + 1, run = ? WHERE bucket = ?", (fences.run, ALONE)
    )


def take_bucket(session: Session, fences: Fences, bucket: int, term: int) -> None:
    """Let nobody write of ``bucket`` in an earlier term. Raises ``FencedError``."""
    taken = session.execute(
        "INSERT INTO fences (bucket, term, run) VALUES (?, ?, ?) ON CONFLICT (bucket) DO UPDATE "
        "SET term = excluded.term, run = excluded.run WHERE fences.term < excluded.term "
        "OR (fences.term = excluded.term AND fences.run = excluded.run) RETURNING term",
        (bucket, term, fences.run),
    ).fetchone()
    if taken is not None:
        return
    row = session.execute("SELECT term, run FROM fences WHERE bucket = ?", (bucket,)).fetchone()
    raise FencedError(
        f"bucket {bucket} was taken over in term {row[0]} by run {row[1]}, so term {term} comes too late; if "
        f"the terms of coordination began anew, empty {session.database.schema}.fences"
    )


def held_terms(session: Session, fences: Fences) -> dict[int, int]:
    """Return the buckets that this run may still write, with their terms, and hold them so until the end.

    Raises ``LostPastError`` where the database has lost that this run took one over.
    """
    terms = fences.terms
    rows = session.execute(
        "SELECT bucket, term FROM fences WHERE run = ? ORDER BY bucket FOR SHARE", (fences.run,)
    ).fetchall()
    held = {bucket: term for bucket, term in rows if terms.get(bucket) == term}
    if missing := [bucket for bucket in terms if bucket not in held]:
        _check_past(session, terms, missing)
    return held


def _check_past(session: Session, terms: Mapping[int, int], missing: list[int]) -> None:
    """Raise ``LostPastError`` where a fence is lower than it was: nobody but a lossy server sets one back."""
    rows = session.execute(
        "SELECT bucket, term FROM fences WHERE bucket = ANY(?::integer[])", (missing,)
    ).fetchall()
    found = dict(rows)
    lost = sorted(bucket for bucket in missing if found.get(bucket, 0) < terms[bucket])
    if lost:
        raise LostPastError(f"bucket {lost[0]} was taken over in term {terms[lost[0]]}")


def retake(session: Session, fences: Fences) -> None:
    """Shut earlier owners out again where the database has lost that they were; later ones stay."""
    rows = [(bucket, term, fences.run) for bucket, term in sorted(fences.terms.items())]
    session.executemany(
        "INSERT INTO fences (bucket, term, run) VALUES (?, ?, ?) ON CONFLICT (bucket) DO UPDATE "
        "SET term = excluded.term, run = excluded.run WHERE fences.term < excluded.term",
        rows,
    )


def check_alone(session: Session, fences: Fences) -> dict[int, int] | None:
    """Raise ``FencedError`` where another process shut this one out, which shares with nobody.

    Else return what it holds, as ``held_terms``; ``None`` for one that shares.
    """
    held = held_terms(session, fences) if fences.is_alone else None
    if held is not None and ALONE not in held:
        raise FencedError(
            f"another trimtab began to write the journal {session.database.name}, so this one writes nothing "
            "any more; end one of the two, or let them share (coordination), and start this one anew"
        )
    return held
