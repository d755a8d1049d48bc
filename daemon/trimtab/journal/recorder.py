"""Entries into rows: what one entry means for every table, given what the entries before it meant.

A recorder lives as long as its connection's transactions succeed: how it thinks that the engine stands
is what the file holds only then. After a failure another one begins with what is known to be kept.
What entries mean for the sequence, the memory and the runs of decisions waits until ``write_rows``: it is
written with few statements, and what changed again and again once.
"""

from __future__ import annotations

import json
from dataclasses import fields
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, assert_never

from trimtab.core.account_quotas import QuotaReading
from trimtab.core.decision import Order, Outcome
from trimtab.core.encoded import plain
from trimtab.core.memory import Memory
from trimtab.core.overrides import Override
from trimtab.journal.bulk import insert
from trimtab.journal.checkpoints import BEGUN, CheckpointWriter, head_of
from trimtab.journal.codec import encode, hints_of
from trimtab.journal.columns import column
from trimtab.journal.decision_runs import DecisionRuns, counting_on
from trimtab.journal.entries import (
    Ended,
    Evaluated,
    Intended,
    Lost,
    OfMembers,
    Overridden,
    PoliciesInForce,
    Primed,
    QuotasRead,
)
from trimtab.journal.of_members import news_as_document
from trimtab.journal.packing import compressed, pack, pack_row, unpack
from trimtab.journal.turns import turn_as_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trimtab.core.decision import Event
    from trimtab.journal.connection import Connection
    from trimtab.journal.entries import Item
    from trimtab.journal.standing import Standing

CHECKPOINT_SECONDS = 3600.0
"""How often all that an engine holds is written as an entry: replays start there."""

CHECKPOINT_TURNS = 20_000
"""Turns after which it is written sooner: some minutes of a fleet that is never quiet."""

ROWS_WAITING_MAX = 512
"""Deployments, and entries, whose rows wait at most: 5 ms for whoever waits for the transaction's end."""

_MEMORY_FIELDS = ("overrides", "lead_times", "shared")
_MEMORY_HINTS = hints_of(Memory)
_POLICY_FIELDS = tuple(
    one.name for one in fields(PoliciesInForce) if one.name not in ("documents", "at")
)
_POLICY_HINTS = hints_of(PoliciesInForce)


class Recorder:
    """Writes entries inside a transaction of somebody else's. Raises what the database raises.

    ``standing`` is how the engine stood when the file was last right, and is followed from there. ``next_id``
    numbers runs of decisions (``DecisionRuns``); by default as in a file.
    """

    def __init__(
        self,
        connection: Connection,
        seq: int,
        standing: Standing,
        last_intention: int = 0,
        *,
        next_id: Callable[[float], int] | None = None,
    ) -> None:
        self.connection = connection
        self.standing = standing
        self.last_intention = last_intention
        """The number of the last intention in the file."""
        self._seq = seq
        self._runs = DecisionRuns(next_id or counting_on(connection))
        self._entries: list[tuple[int, float, str, bytes]] = []
        self._changed: dict[str, None] = {}
        self._changed_fields: set[str] = set()
        self._checkpoint: CheckpointWriter | None = None
        self._checkpoint_at = 0.0
        self._turns = 0

    def begin(self, at: float) -> None:
        """Write that a run begins as things stand."""
        self._begin_checkpoint(at, "start")
        self.finish_checkpoint()

    def begin_again(self, at: float) -> None:
        """Write how things stand, whatever the file says: after a failure nobody knows what that is."""
        self._clear_memory()
        self._changed = dict.fromkeys(self.standing.memory)
        self._changed_fields = set(_MEMORY_FIELDS)
        self.write_rows()
        self._break_off(at, Lost(at=at))
        self.finish_checkpoint()

    def write(self, item: Item) -> None:
        """Write one entry."""
        if isinstance(item, Evaluated):
            self._evaluated(item)
        elif isinstance(item, Ended):
            self._ended(item)
        elif isinstance(item, Intended):
            self._intended(item)
        elif isinstance(item, Overridden):
            self._overridden(item)
        elif isinstance(item, Primed):
            self._primed(item)
        elif isinstance(item, Lost):
            self._lost(item)
        elif isinstance(item, QuotasRead | OfMembers):
            self._told(item)
        elif isinstance(item, PoliciesInForce):
            self._policies(item)
        else:
            assert_never(item)
        if max(len(self._changed), len(self._entries)) >= ROWS_WAITING_MAX:
            self.write_rows()

    # -- what the engine was told --------------------------------------------------------------

    def _evaluated(self, entry: Evaluated) -> None:
        self._entry(entry.at, "turn", turn_as_document(entry, self.standing.fleet))
        self._runs.take_in(entry.tick.decisions, self._seq)
        self._events(entry.tick.events)
        self._follow(entry)
        self._turns += 1
        since = entry.at - self._checkpoint_at
        # Below 0 where the clock was set back.
        is_due = self._turns >= CHECKPOINT_TURNS or not 0 <= since < CHECKPOINT_SECONDS
        if is_due and self._checkpoint is None:
            self._begin_checkpoint(entry.at, "checkpoint")

    def _lost(self, lost: Lost) -> None:
        self._follow(lost)
        self._events(lost.events)
        self._break_off(lost.at, lost)

    def _break_off(self, at: float, lost: Lost) -> None:
        """Write that replays stop trusting here, and from what they can begin again."""
        gap = {"turns": lost.turns, "others": lost.others, "is_break": True}
        self._entry(at, "gap", gap)
        self._begin_checkpoint(at, "checkpoint")

    def _told(self, entry: QuotasRead | OfMembers) -> None:
        if isinstance(entry, OfMembers):
            self._entry(entry.at, "members", {"at": entry.at, **news_as_document(entry.news)})
        else:
            readings = encode(tuple[QuotaReading, ...], entry.readings)
            self._entry(entry.at, "quotas", {"at": entry.at, "readings": readings})
        self._follow(entry)

    def _follow(
        self, item: Evaluated | Ended | Overridden | Primed | QuotasRead | OfMembers | Lost
    ) -> None:
        """Note which rows are no longer right."""
        if isinstance(item, Evaluated | OfMembers | Lost):
            changes = item.memory_changes
            for name in _MEMORY_FIELDS:
                value = getattr(item, name)
                if value is not None and value != getattr(self.standing, name):
                    self._changed_fields.add(name)
        elif isinstance(item, Overridden):
            changes = {}
            if item.overrides is not None:
                self._changed_fields.add("overrides")
        else:
            changes = {} if isinstance(item, QuotasRead) else item.memory_changes
            shared = None if isinstance(item, Primed) else item.shared
            if shared is not None and shared != self.standing.shared:
                self._changed_fields.add("shared")
        self._changed |= dict.fromkeys(changes)
        self.standing.take_in(item)

    def _events(self, events: Iterable[Event]) -> None:
        rows = [
            tuple(map(column, (e.deployment, e.at, e.kind, e.sentence, e.before, e.after)))
            for e in events
        ]
        insert(
            self.connection,
            "INSERT INTO events (deployment, at, kind, sentence, before, after)",
            rows,
        )

    def _ended(self, entry: Ended) -> None:
        self._entry(entry.outcome.at, "ended", encode(Outcome, entry.outcome))
        self.finish(entry.outcome)
        self._follow(entry)

    def finish(self, outcome: Outcome) -> None:
        """Close the row of the write that ``outcome`` ends; one that was never sent has none."""
        self.connection.executemany(
            "UPDATE writes SET ended_at = ?, status = ?, error_kind = ?, sentence = ? WHERE id = ?",
            [
                (
                    outcome.at,
                    outcome.status.value,
                    column(outcome.error_kind),
                    column(outcome.sentence),
                    row,
                )
                for row in self._unfinished_rows(outcome.order)
            ],
        )

    def _unfinished_rows(self, order: Order) -> list[int]:
        rows = self.connection.execute(
            "SELECT id, order_body FROM writes WHERE ended_at IS NULL AND deployment = ?",
            (column(order.deployment),),
        )
        standing: list[tuple[int, Order]] = [(row, unpack(Order, body)) for row, body in rows]
        return [row for row, one in standing if one == order]

    def _intended(self, entry: Intended) -> None:
        document = {"at": entry.at, "order": encode(Order, entry.order)}
        if entry.term is not None:
            document["term"] = entry.term
        self._entry(entry.at, "intended", document)
        self.intend(entry)
        self.last_intention = max(self.last_intention, entry.number)

    def take_over(self, entry: Intended) -> None:
        """Write an intention that a log had and the file had not, with the memory that came with it."""
        self._intended(entry)
        self._changed[entry.order.deployment] = None

    def intend(self, entry: Intended) -> None:
        """Make the row of a write, if the same one does not stand unfinished already."""
        if self._unfinished_rows(entry.order):
            return
        self.connection.execute(
            "INSERT INTO writes (deployment, intended_at, order_body) VALUES (?, ?, ?)",
            (column(entry.order.deployment), entry.at, pack(Order, entry.order)),
        )

    def _overridden(self, entry: Overridden) -> None:
        given = entry.given
        document = {
            "at": entry.at,
            "given": None if given is None else encode(Override, given),
            "lifted": list(entry.lifted),
            "by": entry.by,
            "reason": entry.reason,
        }
        self._entry(entry.at, "overridden", document)
        if given is not None:
            self.connection.execute(
                "INSERT INTO overrides (override, deployment, given_at, until, body) VALUES (?,?,?,?,?)",
                (
                    column(given.id),
                    column(given.deployment),
                    entry.at,
                    given.until,
                    pack(Override, given),
                ),
            )
        self.connection.executemany(
            "UPDATE overrides SET lifted_at = ?, lifted_by = ?, lifted_reason = ? "
            "WHERE override = ? AND lifted_at IS NULL",
            [(entry.at, column(entry.by), column(entry.reason), column(o)) for o in entry.lifted],
        )
        self._follow(entry)

    def _primed(self, entry: Primed) -> None:
        document = {
            "at": entry.at,
            "deployment": entry.deployment,
            "rule": entry.rule,
            "remembered": plain(entry.remembered),
        }
        self._entry(entry.at, "primed", document)
        self._follow(entry)

    def _policies(self, entry: PoliciesInForce) -> None:
        document = {"at": entry.at} | {
            name: encode(_POLICY_HINTS[name], getattr(entry, name)) for name in _POLICY_FIELDS
        }
        seq = self._entry(entry.at, "policies", document)
        for position, (path, text) in enumerate(entry.documents.items()):
            content = json.dumps(text).encode("ascii")
            digest = blake2b(content, digest_size=16).digest()
            self.connection.execute(
                "INSERT INTO policy_texts (hash, body) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (digest, compressed(content, level=6)),
            )
            self.connection.execute(
                "INSERT INTO policy_documents (seq, position, path, hash) VALUES (?, ?, ?, ?)",
                (seq, position, json.dumps(path), digest),
            )

    # -- rows that wait ------------------------------------------------------------------------

    def write_rows(self) -> None:
        """Bring the rows of memory and decisions up to the last entry."""
        memory = self.standing.memory
        kept, gone = [], []
        for name in self._changed:
            one = memory.get(name)
            if one is None:
                gone.append(name)
                self._runs.forget(name)
            else:
                kept.append((name, pack_row(one)))
        if kept or gone:
            self._write_memory(kept, gone)
        if self._changed_fields:
            self._write_fields(sorted(self._changed_fields))
        self._changed, self._changed_fields = {}, set()
        self._write_entries()
        self._runs.write(self.connection)

    def _clear_memory(self) -> None:
        """Make room for the memory as it stands: all of it is written next."""
        self.connection.execute("DELETE FROM memory")
        self.connection.execute("DELETE FROM memory_fields")

    def _write_memory(self, kept: list[tuple[str, bytes]], gone: list[str]) -> None:
        """Write what is remembered of ``kept``, and that ``gone`` are remembered no more."""
        rows = [(json.dumps(name), body) for name, body in kept]
        insert(self.connection, "INSERT OR REPLACE INTO memory (deployment, body)", rows)
        if gone:
            names = [(json.dumps(name),) for name in gone]
            self.connection.executemany("DELETE FROM memory WHERE deployment = ?", names)

    def _write_fields(self, names: list[str]) -> None:
        """Write these parts of what is remembered of all."""
        for name in names:
            self.connection.execute(
                "INSERT OR REPLACE INTO memory_fields (field, body) VALUES (?, ?)",
                (name, pack(_MEMORY_HINTS[name], getattr(self.standing, name))),
            )

    def _write_entries(self) -> None:
        insert(self.connection, "INSERT INTO entries (seq, at, kind, body)", self._entries)
        self._entries = []

    # -- checkpoints ---------------------------------------------------------------------------

    @property
    def has_pieces(self) -> bool:
        """Whether a checkpoint is not whole yet."""
        return self._checkpoint is not None

    def write_piece(self) -> None:
        """Write one more piece of a checkpoint that is not whole."""
        self._write_entries()  # its own may be among them
        if self._checkpoint is not None and self._checkpoint.write_piece(self.connection):
            self._checkpoint = None

    def finish_checkpoint(self) -> None:
        """Write all of its pieces."""
        while self._checkpoint is not None:
            self.write_piece()

    def _begin_checkpoint(self, at: float, kind: str) -> None:
        seq = self._entry(at, BEGUN, head_of(self.standing))
        self._checkpoint = CheckpointWriter(seq, kind, self.standing)
        self._checkpoint_at, self._turns = at, 0

    def _entry(self, at: float, kind: str, document: dict[str, Any]) -> int:
        self._seq += 1
        body = compressed(json.dumps(document, separators=(",", ":")).encode("ascii"))
        self._entries.append((self._seq, at, kind, body))
        return self._seq
