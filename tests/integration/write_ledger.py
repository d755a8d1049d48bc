"""What a journal says was written, against what a control plane saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trimtab.core.decision import WriteStatus
from trimtab.journal.history import WriteRecord

CLOCKS_APART_SECONDS = 1.0
"""The two processes' clocks are read one after the other, on a machine that may be busy."""

MOMENT_SECONDS = 0.2
"""Between the end of a write and the entry about it: which of two moments the limits looked at."""

ON_ITS_WAY_SECONDS = 60.0
"""How long after its intention a write may arrive."""


@dataclass(frozen=True)
class Arrival:
    """A PATCH that arrived, in real time; ``bounds`` are ``None`` if it was lost there."""

    deployment: str
    at: float
    bounds: tuple[int, int] | None


@dataclass(frozen=True)
class Limits:
    """The rate limit of the policy, the same up and down."""

    replicas: int
    period_seconds: float


@dataclass(frozen=True)
class Ledger:
    """Both sides of every write; ``writes`` and ``arrivals`` from the oldest to the newest."""

    writes: Sequence[WriteRecord]
    arrivals: Sequence[Arrival]
    limits: Limits

    def faults(self, *, are_open_excused: bool = False) -> list[str]:
        """Each thing that does not add up, as a sentence."""
        pairs, said = self._paired()
        ends = () if are_open_excused else self._open()
        return [*said, *ends, *self._too_fast(pairs)]

    def _paired(self) -> tuple[list[tuple[Arrival, WriteRecord]], list[str]]:
        """Each PATCH has an intention of its own, and none that was applied is said not to be."""
        free, pairs, said = list(self.writes), list[tuple[Arrival, WriteRecord]](), list[str]()
        for arrival in sorted(self.arrivals, key=lambda one: one.at):
            fitting = [write for write in free if _fits(write, arrival)]
            if not fitting:
                said.append(f"nobody intended {arrival}, or it was sent twice")
                continue
            write = fitting[-1]  # the newest: an older one was sent long before, or never
            free.remove(write)
            pairs.append((arrival, write))
            if arrival.bounds and write.status in (WriteStatus.NOT_APPLIED, WriteStatus.VOID):
                said.append(f"applied, and said not to be: {write}")
        said += [
            f"said to be applied, and never arrived: {write}"
            for write in free
            if write.status == WriteStatus.APPLIED
        ]
        return pairs, said

    def _open(self) -> Iterator[str]:
        for write in self.writes:
            if write.ended_at is None:
                yield f"intended, and no end is known: {write}"

    def _too_fast(self, pairs: Sequence[tuple[Arrival, WriteRecord]]) -> Iterator[str]:
        """The limits hold as if there had been one process all along.

        The counts are what arrived. A move is judged at the time of its decision, and looked back at
        from the time when its end was known, which after a kill may be a while after it arrived.
        """
        counts: dict[str, int] = {}
        moves: dict[str, list[_Move]] = {}
        for arrival, write in pairs:
            if arrival.bounds is None:
                continue
            name, new = arrival.deployment, arrival.bounds[0]
            # Before the first write the platform moved it as well, from then on nobody else.
            count = counts.get(name, write.order.from_replicas)
            starts = self._starts(count, moves.get(name, ()), write.order.at)
            way = 1 if new > count else -1
            if not any((new - start) * way <= self.limits.replicas for start in starts):
                yield f"{name} went from {starts} by {count} to {new} within a period: {write}"
            known_at = arrival.at if write.ended_at is None else write.ended_at
            if known_at < arrival.at - CLOCKS_APART_SECONDS:
                yield f"known before it arrived: {arrival}, {write}"
            is_certain = write.status == WriteStatus.APPLIED
            moves.setdefault(name, []).append(_Move(known_at, new - count, is_certain))
            counts[name] = new

    def _starts(self, count: int, moves: Sequence[_Move], now: float) -> set[int]:
        """The counts that the period before ``now`` may have begun with."""
        starts = {count}
        for move in moves:
            since = now - move.at - self.limits.period_seconds
            if not move.is_certain or abs(since) < MOMENT_SECONDS:
                starts |= {start - move.by for start in starts}
            elif since < 0:
                starts = {start - move.by for start in starts}
        return starts


class _Move(NamedTuple):
    """By how much a count changed, and from when on that was known; certain if it was seen at once."""

    at: float
    by: int
    is_certain: bool


def _fits(write: WriteRecord, arrival: Arrival) -> bool:
    order = write.order
    took = arrival.at - write.intended_at
    return (
        order.deployment == arrival.deployment
        and (arrival.bounds is None or arrival.bounds == (order.min_replicas, order.max_replicas))
        and -CLOCKS_APART_SECONDS <= took <= ON_ITS_WAY_SECONDS
    )
