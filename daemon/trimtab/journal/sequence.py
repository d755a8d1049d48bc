"""The sequence of everything that an engine was told, read back from the file in the order noted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from trimtab.core.account_quotas import QuotaReading
from trimtab.core.decision import Order, Outcome
from trimtab.core.overrides import Override
from trimtab.journal.checkpoints import BEGUN, Checkpoint, read_checkpoint
from trimtab.journal.codec import decode, hints_of
from trimtab.journal.entries import PoliciesInForce, Primed
from trimtab.journal.of_members import read_news
from trimtab.journal.packing import decompressed
from trimtab.journal.turns import Turn, read_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from trimtab.core.deployment import Deployment
    from trimtab.core.succession import MembersNews
    from trimtab.journal.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something went wrong here; ``turns`` and ``others`` are missing.

    With ``is_break`` an engine can go on only from the checkpoint that follows.
    """

    turns: int = 0
    others: int = 0
    is_break: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A person's order was given, or orders were lifted (``by`` is ``None`` if they ran out)."""

    given: Override | None
    lifted: tuple[str, ...]
    by: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotasTold:
    """The account said what its quotas are."""

    readings: tuple[QuotaReading, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersTold:
    """Something was told that concerns all engines of the fleet."""

    news: MembersNews


@dataclass(frozen=True, slots=True, kw_only=True)
class Intention:
    """An order was about to be sent, in ``term``; the engine is not told of it."""

    order: Order
    term: int | None = None


What: TypeAlias = (
    Checkpoint
    | Gap
    | Ordered
    | QuotasTold
    | MembersTold
    | Intention
    | Outcome
    | PoliciesInForce
    | Primed
    | Turn
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One entry: its number in the sequence, when it was (UTC seconds), and what it was."""

    seq: int
    at: float
    what: What


class Span(NamedTuple):
    """The numbers of the entries that one writer wrote: from ``first`` to before ``end``."""

    first: int
    end: int


EVERYTHING = Span(0, 2**63 - 1)


class Run(NamedTuple):
    """What one start of a process wrote, from when until when (UTC seconds). A file is one for all of them."""

    span: Span
    begun_at: float
    until: float


def course_of(runs: Iterable[Run]) -> Iterator[tuple[Run, float]]:
    """Choose of ``runs`` one after the other that together tell of all times, each with when it takes over.

    Each process sees the whole fleet, so that one at a time tells how it was. The next is the one that goes on
    longest of those that had begun when the last one ended, else the first that begins.
    """
    left, end = sorted(runs, key=lambda one: (one.begun_at, -one.until)), float("-inf")
    while left := [one for one in left if one.until > end]:
        begun = [one for one in left if one.begun_at <= end]
        chosen = max(begun, key=lambda one: one.until) if begun else left[0]
        yield chosen, max(end, chosen.begun_at)
        end = chosen.until


def read_sequence(
    connection: Connection, span: Span = EVERYTHING, *, since: float | None = None
) -> Iterator[Recorded]:
    """Yield the entries of ``span`` from the last checkpoint at or before ``since`` (``None``: the oldest).

    Policies in force at that point come first. What stands before the oldest checkpoint cannot be
    made sense of, and is left out; so are turns after a gap until a checkpoint is whole again: each is
    a ``Gap``. Raises ``ValueError`` for what cannot be read.
    """
    start = _first_checkpoint(connection, span, since)
    if start is None:
        return
    rows = connection.execute(
        "SELECT seq, at, kind, body FROM entries WHERE (seq >= ? AND seq < ?) OR seq = (SELECT max(seq) "
        "FROM entries WHERE kind = 'policies' AND seq >= ? AND seq < ?) ORDER BY seq",
        (start, span.end, span.first, start),
    )
    fleet: dict[str, Deployment] | None = {}
    for seq, at, kind, body in rows:
        if kind == BEGUN:
            continue  # the process ended, or is writing it: what came before goes on
        document = json.loads(decompressed(body))
        what: What
        if kind == "turn":
            what = Gap(turns=1) if fleet is None else read_turn(document, fleet)
        else:
            what = _READERS[kind](document, connection, seq)
        if isinstance(what, Checkpoint):
            fleet = dict(what.fleet)
        elif kind == "gap":
            # Earlier versions wrote the whole fleet with the next turn; now a checkpoint follows.
            fleet = None if "is_break" in document else {}
        yield Recorded(seq=seq, at=at, what=what)


def checkpoint_after(connection: Connection, span: Span, at: float) -> int | None:
    """Return the first entry of ``span`` from which one can go on, no earlier than ``at``."""
    (found,) = connection.execute(
        "SELECT min(seq) FROM entries WHERE kind IN ('start', 'checkpoint') AND seq >= ? AND seq < ? "
        "AND at >= ?",
        (*span, at),
    ).fetchone()
    return None if found is None else int(found)


def _first_checkpoint(connection: Connection, span: Span, since: float | None) -> int | None:
    wanted = (
        "SELECT {}(seq) FROM entries WHERE kind IN ('start', 'checkpoint') AND seq >= ? AND seq < ?"
    )
    if since is not None:
        (found,) = connection.execute(
            f"{wanted.format('max')} AND at <= ?", (*span, since)
        ).fetchone()
        if found is not None:
            return int(found)
    (found,) = connection.execute(wanted.format("min"), span).fetchone()
    return None if found is None else int(found)


def _start(document: Any, connection: Connection, seq: int) -> Checkpoint:
    return read_checkpoint(connection, seq, document, is_start=True)


def _checkpoint(document: Any, connection: Connection, seq: int) -> Checkpoint:
    return read_checkpoint(connection, seq, document, is_start=False)


def _gap(document: Any, _connection: Connection, _seq: int) -> Gap:
    turns = document["turns"]
    return Gap(
        turns=turns,
        others=document.get("others", 0),
        is_break=document.get("is_break", turns > 0),
    )


def _ended(document: Any, _connection: Connection, _seq: int) -> Outcome:
    outcome: Outcome = decode(Outcome, document)
    return outcome


def _intended(document: Any, _connection: Connection, _seq: int) -> Intention:
    return Intention(order=decode(Order, document["order"]), term=document.get("term"))


def _quotas(document: Any, _connection: Connection, _seq: int) -> QuotasTold:
    return QuotasTold(readings=decode(tuple[QuotaReading, ...], document["readings"]))


def _members(document: Any, _connection: Connection, _seq: int) -> MembersTold:
    return MembersTold(news=read_news(document))


def _overridden(document: Any, _connection: Connection, _seq: int) -> Ordered:
    given = document["given"]
    return Ordered(
        given=None if given is None else decode(Override, given),
        lifted=tuple(document["lifted"]),
        by=document["by"],
        reason=document["reason"],
    )


def _primed(document: Any, _connection: Connection, _seq: int) -> Primed:
    return Primed(**document)


def _policies(document: Any, connection: Connection, seq: int) -> PoliciesInForce:
    hints = hints_of(PoliciesInForce)
    return PoliciesInForce(
        documents=policy_texts(connection, seq),
        **{name: decode(hints[name], one) for name, one in document.items()},
    )


def policy_texts(connection: Connection, seq: int) -> dict[str, str]:
    """The documents of the entry ``seq``, in their order."""
    return {
        json.loads(path): json.loads(decompressed(body))
        for path, body in connection.execute(
            "SELECT path, body FROM policy_documents JOIN policy_texts USING (hash) "
            "WHERE seq = ? ORDER BY position",
            (seq,),
        )
    }


_READERS: dict[str, Callable[[Any, Connection, int], What]] = {
    "start": _start,
    "checkpoint": _checkpoint,
    "gap": _gap,
    "ended": _ended,
    "intended": _intended,
    "overridden": _overridden,
    "quotas": _quotas,
    "members": _members,
    "policies": _policies,
    "primed": _primed,
}
