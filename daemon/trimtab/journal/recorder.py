"""Entries into rows: what one entry means for every table, given what the entries before it meant.

A recorder lives as long as its connection's transactions succeed: what it remembers of the rows that
stand (fleet, memory, runs of decisions) is true of the file only then. After a failure another one
starts from nothing and writes everything in full.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from trimtab.core.decision import Decision, Order, Outcome
from trimtab.core.deployment import Deployment
from trimtab.core.memory import DeploymentMemory, Memory
from trimtab.core.overrides import Override
from trimtab.journal.backlog import Lost
from trimtab.journal.codec import encode, hints_of
from trimtab.journal.entries import Ended, Evaluated, Intended, Overridden, PoliciesInForce
from trimtab.journal.packing import compressed, pack, unpack
from trimtab.journal.turns import turn_as_document

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from trimtab.core.decision import Event
    from trimtab.journal.entries import Entry

CHECKPOINT_TURNS = 240
"""Every so many turns the whole memory is written as an entry: an hour of ticks. Replays start there."""

_MEMORY_FIELDS = tuple(one.name for one in fields(Memory) if one.name != "deployments")
_MEMORY_HINTS = hints_of(Memory)
_POLICY_FIELDS = tuple(
    one.name for one in fields(PoliciesInForce) if one.name not in ("documents", "at")
)
_POLICY_HINTS = hints_of(PoliciesInForce)

RunKey: TypeAlias = tuple[object, ...]


@dataclass(slots=True)
class _Run:
    """The last row of a deployment's decisions, which equal decisions extend."""

    id: int
    key: RunKey
    evaluations: int = 1


@dataclass(slots=True)
class Recorder:
    """Writes entries inside a transaction of somebody else's. Raises ``sqlite3.Error``."""

    connection: sqlite3.Connection
    seq: int
    in_flight: dict[str, list[Order]] = field(default_factory=dict)
    """Orders of ticks whose end was not told: what an engine holds as in flight."""

    is_memory_known: bool = False
    turns_to_checkpoint: int = 0
    _fleet: Mapping[str, Deployment] = field(default_factory=dict)
    _memory: Memory = field(default_factory=Memory)
    _runs: dict[str, _Run] = field(default_factory=dict)

    def begin(self, at: float, memory: Memory, resumed: Iterable[Order]) -> None:
        """Write that a run begins with ``memory`` and takes over ``resumed``."""
        self.in_flight = {}
        for order in resumed:
            self.in_flight.setdefault(order.deployment, []).append(order)
        self.keep_memory(memory)
        self._checkpoint(at, memory, "start")

    def write(self, entry: Entry | Lost) -> None:
        """Write one entry."""
        if isinstance(entry, Evaluated):
            self._evaluated(entry)
        elif isinstance(entry, Ended):
            self._ended(entry)
        elif isinstance(entry, Intended):
            self._intended(entry)
        elif isinstance(entry, Overridden):
            self._overridden(entry)
        elif isinstance(entry, Lost):
            self.lose(entry)
        elif isinstance(entry, PoliciesInForce):
            self._policies(entry)
        else:
            assert_never(entry)

    def lose(self, lost: Lost) -> None:
        """Write that turns are missing here: what is said of them, and where replays stop trusting.

        ``Lost()`` says that none is, and that the next turn's fleet is written in full.
        """
        self._fleet = {}
        self._entry(lost.at, "gap", {"turns": lost.turns})
        self._events(lost.events)
        for order in lost.orders.values():
            self.in_flight.setdefault(order.deployment, []).append(order)
        self.turns_to_checkpoint = 0

    # -- what the engine was told --------------------------------------------------------------

    def _evaluated(self, entry: Evaluated) -> None:
        self._entry(entry.at, "turn", turn_as_document(entry, self._fleet))
        self._fleet = entry.fleet
        for order in entry.tick.orders:
            self.in_flight.setdefault(order.deployment, []).append(order)
        self._decisions(entry.tick.decisions)
        self._events(entry.tick.events)
        self.keep_memory(entry.memory)
        self.turns_to_checkpoint -= 1
        if self.turns_to_checkpoint < 0:
            self._checkpoint(entry.at, entry.memory, "checkpoint")

    def _events(self, events: Iterable[Event]) -> None:
        self.connection.executemany(
            "INSERT INTO events (deployment, at, kind, sentence, before, after) VALUES (?,?,?,?,?,?)",
            [
                tuple(
                    map(
                        _column,
                        (one.deployment, one.at, one.kind, one.sentence, one.before, one.after),
                    )
                )
                for one in events
            ],
        )

    def _ended(self, entry: Ended) -> None:
        outcome = entry.outcome
        self._entry(outcome.at, "ended", encode(Outcome, outcome))
        waiting = self.in_flight.get(outcome.order.deployment, [])
        if outcome.order in waiting:
            waiting.remove(outcome.order)
        self.finish(outcome)
        self.keep_memory(entry.memory)

    def finish(self, outcome: Outcome) -> None:
        """Close the row of the write that ``outcome`` ends; one that was never sent has none."""
        self.connection.executemany(
            "UPDATE writes SET ended_at = ?, status = ?, error_kind = ?, sentence = ? WHERE id = ?",
            [
                (
                    outcome.at,
                    outcome.status.value,
                    _column(outcome.error_kind),
                    _column(outcome.sentence),
                    row,
                )
                for row in self._unfinished_rows(outcome.order)
            ],
        )

    def _unfinished_rows(self, order: Order) -> list[int]:
        rows = self.connection.execute(
            "SELECT id, order_body FROM writes WHERE ended_at IS NULL AND deployment = ?",
            (_column(order.deployment),),
        )
        standing: list[tuple[int, Order]] = [(row, unpack(Order, body)) for row, body in rows]
        return [row for row, one in standing if one == order]

    def _intended(self, entry: Intended) -> None:
        self._entry(entry.at, "intended", {"at": entry.at, "order": encode(Order, entry.order)})
        self.intend(entry)

    def intend(self, entry: Intended) -> None:
        """Make the row of a write, if the same one does not stand unfinished already."""
        if self._unfinished_rows(entry.order):
            return
        self.connection.execute(
            "INSERT INTO writes (deployment, intended_at, order_body) VALUES (?, ?, ?)",
            (_column(entry.order.deployment), entry.at, pack(Order, entry.order)),
        )

    def _overridden(self, entry: Overridden) -> None:
        given = entry.given
        self._entry(
            entry.at,
            "overridden",
            {
                "at": entry.at,
                "given": None if given is None else encode(Override, given),
                "lifted": list(entry.lifted),
                "by": entry.by,
                "reason": entry.reason,
            },
        )
        if given is not None:
            self.connection.execute(
                "INSERT INTO overrides (override, deployment, given_at, until, body) VALUES (?,?,?,?,?)",
                (
                    _column(given.id),
                    _column(given.deployment),
                    entry.at,
                    given.until,
                    pack(Override, given),
                ),
            )
        self.connection.executemany(
            "UPDATE overrides SET lifted_at = ?, lifted_by = ?, lifted_reason = ? "
            "WHERE override = ? AND lifted_at IS NULL",
            [
                (entry.at, _column(entry.by), _column(entry.reason), _column(one))
                for one in entry.lifted
            ],
        )
        if entry.memory is not None:
            self.keep_memory(entry.memory)

    def _policies(self, entry: PoliciesInForce) -> None:
        seq = self._entry(
            entry.at,
            "policies",
            {"at": entry.at}
            | {name: encode(_POLICY_HINTS[name], getattr(entry, name)) for name in _POLICY_FIELDS},
        )
        for position, (path, text) in enumerate(entry.documents.items()):
            plain = json.dumps(text).encode("ascii")
            digest = blake2b(plain, digest_size=16).digest()
            self.connection.execute(
                "INSERT OR IGNORE INTO policy_texts (hash, body) VALUES (?, ?)",
                (digest, compressed(plain, level=6)),
            )
            self.connection.execute(
                "INSERT INTO policy_documents (seq, position, path, hash) VALUES (?, ?, ?, ?)",
                (seq, position, json.dumps(path), digest),
            )

    # -- what came of it -----------------------------------------------------------------------

    def _decisions(self, decisions: Iterable[Decision]) -> None:
        extended = []
        for one in decisions:
            key = _run_key(one)
            run = self._runs.get(one.deployment)
            if run is None or run.key != key:
                self._runs[one.deployment] = _Run(self._first_of_run(one), key)
                continue
            run.evaluations += 1
            extended.append((one.at, self.seq, run.evaluations, run.id))
        self.connection.executemany(
            "UPDATE decision_runs SET until = ?, last_seq = ?, evaluations = ? WHERE id = ?",
            extended,
        )

    def _first_of_run(self, one: Decision) -> int:
        row = self.connection.execute(
            "INSERT INTO decisions (deployment, policy, since, first_seq, verdict, reason, current, "
            "desired, wanted, sentence, body) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            (
                _column(one.deployment),
                _column(one.policy),
                one.at,
                self.seq,
                str(one.verdict),
                one.verdict.reason.value,
                _column(one.current),
                _column(one.desired),
                _column(one.wanted),
                _column(one.sentence),
                pack(Decision, one),
            ),
        ).lastrowid
        assert row is not None  # noqa: S101  an INSERT has one
        self.connection.execute(
            "INSERT INTO decision_runs (id, until, last_seq, evaluations) VALUES (?, ?, ?, 1)",
            (row, one.at, self.seq),
        )
        return row

    # -- memory --------------------------------------------------------------------------------

    def keep_memory(self, memory: Memory) -> None:
        """Write what differs from the rows that stand, by identity; everything if they are unknown."""
        before = self._memory
        if not self.is_memory_known:
            self.connection.execute("DELETE FROM memory")
            self.connection.execute("DELETE FROM memory_fields")
            before = Memory()
        old = before.deployments
        if memory.deployments is not old:
            gone = [(json.dumps(name),) for name in old if name not in memory.deployments]
            self.connection.executemany("DELETE FROM memory WHERE deployment = ?", gone)
            self.connection.executemany(
                "INSERT OR REPLACE INTO memory (deployment, body) VALUES (?, ?)",
                [
                    (json.dumps(name), pack(DeploymentMemory, one))
                    for name, one in memory.deployments.items()
                    if old.get(name) is not one
                ],
            )
        for name in _MEMORY_FIELDS:
            value = getattr(memory, name)
            if not self.is_memory_known or getattr(before, name) != value:
                self.connection.execute(
                    "INSERT OR REPLACE INTO memory_fields (field, body) VALUES (?, ?)",
                    (name, pack(_MEMORY_HINTS[name], value)),
                )
        self._memory, self.is_memory_known = memory, True

    def _checkpoint(self, at: float, memory: Memory, kind: str) -> None:
        resumed = [order for orders in self.in_flight.values() for order in orders]
        self._entry(
            at,
            kind,
            {
                "memory": encode(Memory, memory),
                "fleet": {name: encode(Deployment, one) for name, one in self._fleet.items()},
                "in_flight": [encode(Order, order) for order in resumed],
            },
        )
        self.turns_to_checkpoint = CHECKPOINT_TURNS

    def _entry(self, at: float, kind: str, document: dict[str, Any]) -> int:
        self.seq += 1
        body = compressed(json.dumps(document, separators=(",", ":")).encode("ascii"))
        self.connection.execute(
            "INSERT INTO entries (seq, at, kind, body) VALUES (?, ?, ?, ?)",
            (self.seq, at, kind, body),
        )
        return self.seq


def _run_key(one: Decision) -> RunKey:
    return (
        one.policy,
        one.mode,
        type(one.verdict),
        one.verdict.reason,
        one.current,
        one.desired,
        one.wanted,
        one.bounds,
        one.rule,
    )


def _column(value: Any) -> Any:
    """What an SQLite column can hold: no lone surrogates, integers of 64 bits."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, int):
        return max(-(2**63), min(2**63 - 1, value))
    return value
