"""What a journal says was written, against what a control plane saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trimtab.core.decision import WriteStatus
from trimtab.journal.history import WriteRecord

CLOCKS_APART_SECONDS = 1.0
"""The two processes' clocks are read one after the other, on a machine that may be busy."""

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

    def faults(self) -> list[str]:
        """Each thing that does not add up, as a sentence."""
        return [*self._unpaired(), *self._open(), *self._too_fast()]

    def _unpaired(self) -> Iterator[str]:
        """Each PATCH has an intention of its own, and none that was applied is said not to be."""
        free = list(self.writes)
        for arrival in sorted(self.arrivals, key=lambda one: one.at):
            fitting = [write for write in free if _fits(write, arrival)]
            if not fitting:
                yield f"nobody intended {arrival}, or it was sent twice"
                continue
            free.remove(fitting[-1])  # the newest: an older one was sent long before, or never
            if arrival.bounds and fitting[-1].status in (
                WriteStatus.NOT_APPLIED,
                WriteStatus.VOID,
            ):
                yield f"applied, and said not to be: {fitting[-1]}"
        for write in free:
            if write.status == WriteStatus.APPLIED:
                yield f"said to be applied, and never arrived: {write}"

    def _open(self) -> Iterator[str]:
        for write in self.writes:
            if write.ended_at is None:
                yield f"intended, and no end is known: {write}"

    def _too_fast(self) -> Iterator[str]:
        """The limits hold as if there had been one process all along."""
        names = {one.deployment for one in self.arrivals}
        for name in sorted(names):
            count, moves = 1, list[tuple[float, int]]()
            for one in sorted(self.arrivals, key=lambda arrival: arrival.at):
                if one.deployment != name or one.bounds is None:
                    continue
                new = one.bounds[0]
                period = self.limits.period_seconds - 2 * CLOCKS_APART_SECONDS
                start = count - sum(by for at, by in moves if one.at - at < period)
                if abs(new - start) > self.limits.replicas and abs(new - start) > abs(
                    count - start
                ):
                    yield f"{name} went from {start} by {count} to {new} within a period, at {one.at}"
                moves.append((one.at, new - count))
                count = new


def _fits(write: WriteRecord, arrival: Arrival) -> bool:
    order = write.order
    took = arrival.at - write.intended_at
    return (
        order.deployment == arrival.deployment
        and (arrival.bounds is None or arrival.bounds == (order.min_replicas, order.max_replicas))
        and -CLOCKS_APART_SECONDS <= took <= ON_ITS_WAY_SECONDS
    )
