"""The replicas of one deployment, from being asked for until they are gone.

::

    ask up ──▶ PENDING ──▶ DOWNLOADING ──▶ INITIALIZING ──▶ READY ──▶ DRAINING ──▶ gone
                 ▲ ▲             billed from here on          │           │ ask down of a serving one
                 │ └──────── start failed ──────┘             │           ▼
                 └──────────────── crashed ───────────────────┘     finishes its requests

Asking down removes what is not ready first, youngest first: it disappears at once. Then ready
replicas, youngest first, which drain. Times are whatever the driver calls ``now`` (UTC seconds);
``advance`` handles what fell due since, in the order and at the times it fell due.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from trimtab.plant.chance import lognormal

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from trimtab.plant.start_times import StartTimes

_NEVER = math.inf


def _nothing() -> None:
    pass


class ReplicaState(StrEnum):
    """Where a replica is in its life; gone ones are not kept."""

    PENDING = "pending"
    DOWNLOADING = "downloading"
    INITIALIZING = "initializing"
    READY = "ready"
    DRAINING = "draining"


_NOT_READY = (ReplicaState.PENDING, ReplicaState.DOWNLOADING, ReplicaState.INITIALIZING)
_NEXT_STATE = {
    ReplicaState.PENDING: ReplicaState.DOWNLOADING,
    ReplicaState.DOWNLOADING: ReplicaState.INITIALIZING,
    ReplicaState.INITIALIZING: ReplicaState.READY,
}


@dataclass(slots=True)
class Replica:
    """One replica. ``due_at`` is when its next change comes; ``None`` if none will by itself."""

    number: int
    state: ReplicaState
    requested_at: float
    state_since: float
    due_at: float | None
    is_serving: bool = False
    is_revocable: bool = False
    will_fail: bool = False
    start_failures: int = 0
    ready_at: float | None = None


class ReplicaSet:
    """All replicas of one deployment and what they have cost.

    ``drain_seconds`` is how long a serving replica drains once it is asked to go; whoever knows
    the requests in it sets it. ``left_by_drain`` and ``left_by_loss`` count serving replicas that
    stopped serving, since the start: the queue in front reads them to move or lose their requests.
    ``before_change`` is called before anything is done to the replicas or asked of them, so that
    who looks only now and then can catch up and look again soon.
    """

    def __init__(self, start_times: StartTimes, rng: Random) -> None:
        self.start_times = start_times
        self.before_change: Callable[[], None] = _nothing
        self.drain_seconds = 30.0
        self.serving = 0
        self.serving_changes = 0
        self.left_by_drain = 0
        self.left_by_loss = 0
        self.start_failures = 0
        self.asked = 0
        self._rng = rng
        self._replicas: list[Replica] = []
        self._counts = dict.fromkeys(ReplicaState, 0)
        self._numbers = 0
        self._billed = 0
        self._billed_seconds = 0.0
        self._now = -_NEVER
        self._due: list[tuple[float, int, Replica]] = []  # a heap; entries may be out of date
        self._due_at = _NEVER
        self._due_order = 0
        self._scheduling_blocked = False
        self._held: list[Replica] = []  # pending ones that fell due while scheduling was blocked

    # -- what is seen ------------------------------------------------------------------------

    @property
    def members(self) -> tuple[Replica, ...]:
        """Every replica that exists, oldest first."""
        return tuple(self._replicas)

    @property
    def pending(self) -> int:
        """Replicas waiting for an accelerator."""
        return self._counts[ReplicaState.PENDING]

    @property
    def downloading(self) -> int:
        """Replicas fetching image and weights."""
        return self._counts[ReplicaState.DOWNLOADING]

    @property
    def initializing(self) -> int:
        """Replicas loading and warming up."""
        return self._counts[ReplicaState.INITIALIZING]

    @property
    def ready(self) -> int:
        """Replicas that the control plane calls ready (some may not serve yet: the ready lag)."""
        return self._counts[ReplicaState.READY]

    @property
    def draining(self) -> int:
        """Replicas that finish their last requests."""
        return self._counts[ReplicaState.DRAINING]

    @property
    def revocable(self) -> int:
        """Extra replicas that may vanish at any time; draining ones no longer count."""
        return sum(
            replica.is_revocable and replica.state is not ReplicaState.DRAINING
            for replica in self._replicas
        )

    @property
    def due_at(self) -> float:
        """When something changes by itself, at the earliest; infinity: nothing does."""
        return self._due_at

    @property
    def billed_replica_seconds(self) -> float:
        """Replica-seconds paid up to the last ``advance``: from allocation, drains included."""
        return self._billed_seconds

    @property
    def scheduling_blocked(self) -> bool:
        """Whether no accelerator can be had: pending replicas stay pending until this is lifted."""
        return self._scheduling_blocked

    @scheduling_blocked.setter
    def scheduling_blocked(self, blocked: bool) -> None:
        self.before_change()
        self._scheduling_blocked = blocked
        if not blocked:
            held, self._held = self._held, []
            for replica in held:
                if replica.state is ReplicaState.PENDING and replica.due_at is not None:
                    self._schedule(replica, self._now)

    # -- what is done ------------------------------------------------------------------------

    def ask(self, count: int, now: float) -> None:
        """Make ``count`` the number of replicas wanted (revocable extras are beside it)."""
        if count < 0:
            raise ValueError(f"asked for {count} replicas; the least is 0")
        self.before_change()
        self.advance(now)
        self.asked = count
        held = [
            replica
            for replica in self._replicas
            if not replica.is_revocable and replica.state is not ReplicaState.DRAINING
        ]
        for _ in range(count - len(held)):
            self._start(now)
        surplus = len(held) - count
        if surplus > 0:
            held.sort(key=lambda replica: (replica.state is ReplicaState.READY, -replica.number))
            for replica in held[:surplus]:
                self._stop(replica, now)

    def place_ready(self, count: int, now: float) -> None:
        """Put ``count`` replicas there that already serve: how a run begins."""
        self.advance(now)
        for _ in range(count):
            replica = self._new(ReplicaState.READY, now)
            replica.ready_at = now
            self._set_serving(replica)
        self.asked += count

    def add_revocable(self, count: int, now: float) -> None:
        """Start ``count`` extra replicas beyond what was asked for."""
        self.before_change()
        self.advance(now)
        for _ in range(count):
            self._start(now).is_revocable = True

    def revoke(self, count: int, now: float) -> int:
        """Take away up to ``count`` revocable replicas at once; return how many went."""
        self.before_change()
        self.advance(now)
        extras = [replica for replica in self._replicas if replica.is_revocable]
        gone = extras[::-1][: max(0, count)]
        for replica in gone:
            self._lose(replica)
        return len(gone)

    def crash_one(self, now: float) -> Replica | None:
        """Crash a replica, a serving one if there is any; it starts anew from pending.

        Its requests are lost. A revocable one that crashes does not come back. ``None`` where
        there is nothing to crash.
        """
        self.before_change()
        self.advance(now)
        choices = [replica for replica in self._replicas if replica.is_serving] or [
            replica for replica in self._replicas if replica.state in _NOT_READY
        ]
        if not choices:
            return None
        replica = self._rng.choice(choices)
        if replica.is_revocable:
            self._lose(replica)
        else:
            if replica.is_serving:
                self._unserve(replica)
                self.left_by_loss += 1
            self._restart(replica, now)
        return replica

    def advance(self, now: float) -> None:
        """Let everything happen that is due by ``now``. Time never steps back: an earlier is kept."""
        if now <= self._now:
            return
        while self._due_at <= now:
            at, _, replica = heapq.heappop(self._due)
            self._due_at = self._due[0][0] if self._due else _NEVER
            if replica.due_at == at:
                self._accrue(at)
                self._change(replica, at)
        self._accrue(now)

    # -- how it happens ----------------------------------------------------------------------

    def _accrue(self, until: float) -> None:
        if until <= self._now:
            return
        if self._billed:
            self._billed_seconds += self._billed * (until - self._now)
        self._now = until

    def _change(self, replica: Replica, at: float) -> None:
        state = replica.state
        if state is ReplicaState.DRAINING:
            self._remove(replica)
        elif state is ReplicaState.READY:
            self._set_serving(replica)
        elif state is ReplicaState.PENDING and self._scheduling_blocked:
            self._held.append(replica)
        elif state is ReplicaState.INITIALIZING and replica.will_fail:
            self.start_failures += 1
            replica.start_failures += 1
            self._restart(replica, at)
        else:
            self._progress(replica, at)

    def _progress(self, replica: Replica, at: float) -> None:
        state = _NEXT_STATE[replica.state]
        self._move(replica, state, at)
        if state is ReplicaState.READY:
            replica.ready_at = at
            if replica.due_at is None:
                self._set_serving(replica)

    def _schedule(self, replica: Replica, due_at: float) -> None:
        replica.due_at = due_at
        self._due_order += 1  # ties fall due in the order they were set
        heapq.heappush(self._due, (due_at, self._due_order, replica))
        self._due_at = self._due[0][0]

    def _start(self, now: float) -> Replica:
        replica = self._new(ReplicaState.PENDING, now)
        self._enter(replica, now)
        return replica

    def _new(self, state: ReplicaState, now: float) -> Replica:
        self._numbers += 1
        replica = Replica(self._numbers, state, now, now, due_at=None)
        self._replicas.append(replica)
        self._counts[state] += 1
        self._billed += state is not ReplicaState.PENDING
        return replica

    def _move(self, replica: Replica, state: ReplicaState, at: float) -> None:
        self._counts[replica.state] -= 1
        self._counts[state] += 1
        self._billed += (state is not ReplicaState.PENDING) - (
            replica.state is not ReplicaState.PENDING
        )
        replica.state = state
        self._enter(replica, at)

    def _enter(self, replica: Replica, at: float) -> None:
        """Set when the state just entered ends, and draw whether the start will fail."""
        times = self.start_times
        state = replica.state
        replica.state_since = at
        if state is ReplicaState.DRAINING:
            self._schedule(replica, at + self.drain_seconds)
            return
        if state is ReplicaState.INITIALIZING:
            replica.will_fail = self._rng.random() < times.failure_probability
        median = {
            ReplicaState.PENDING: times.pending_seconds,
            ReplicaState.DOWNLOADING: times.downloading_seconds,
            ReplicaState.INITIALIZING: times.initializing_seconds,
            ReplicaState.READY: times.ready_lag_seconds,
        }[state]
        if state is ReplicaState.READY and median == 0.0:
            replica.due_at = None
        else:
            self._schedule(replica, at + lognormal(self._rng, median, times.cv))

    def _restart(self, replica: Replica, at: float) -> None:
        replica.ready_at = None
        self._move(replica, ReplicaState.PENDING, at)

    def _set_serving(self, replica: Replica) -> None:
        replica.is_serving = True
        replica.due_at = None
        self.serving += 1
        self.serving_changes += 1

    def _unserve(self, replica: Replica) -> None:
        replica.is_serving = False
        self.serving -= 1
        self.serving_changes += 1

    def _stop(self, replica: Replica, now: float) -> None:
        if not replica.is_serving:
            self._remove(replica)
            return
        self._unserve(replica)
        self.left_by_drain += 1
        self._move(replica, ReplicaState.DRAINING, now)

    def _lose(self, replica: Replica) -> None:
        if replica.is_serving:
            self._unserve(replica)
            self.left_by_loss += 1
        self._remove(replica)

    def _remove(self, replica: Replica) -> None:
        self._counts[replica.state] -= 1
        self._billed -= replica.state is not ReplicaState.PENDING
        self._replicas.remove(replica)
        replica.due_at = None
