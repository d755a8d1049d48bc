"""What was promised to those who push, and what the engine was told: nothing acknowledged may be lost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from trimtab.core.decision import Tick
from trimtab.core.signals import Sample
from trimtab.journal.entries import Entry, Evaluated, Intended
from trimtab.journal.port import Journal, JournalStatus, Recollection

GRACE_SECONDS = 900.0
"""While a write is in flight its deployment is not evaluated; one that hangs takes minutes."""


class Promise(NamedTuple):
    """An acknowledged sample: its time, and when it was acknowledged."""

    time: float
    at: float


class Ledger:
    """Keeps, of each signal, the oldest and the newest acknowledged sample that the engine was not told yet.

    A newer sample of a signal stands for the older ones: the engine looks at the newest only. A sample
    that moves nothing wakes nobody, and is told at the next regular look, ``look_seconds`` later at most.
    """

    def __init__(self, look_seconds: float = 0.0) -> None:
        self._told_within = look_seconds + GRACE_SECONDS
        self.acknowledged = 0
        self.told = 0
        self._open: dict[tuple[str, str], tuple[Promise, Promise]] = {}
        self._woken_at: dict[str, float] = {}
        self._lags: list[float] = []

    def acknowledge(self, deployment: str, signal: str, time: float, now: float) -> None:
        """Take in that a sender was told that its sample of ``time`` was taken."""
        self.acknowledged += 1
        promise, key = Promise(time, now), (deployment, signal)
        oldest, _ = self._open.get(key, (promise, promise))
        self._open[key] = (oldest, promise)

    def wake(self, deployments: Iterable[str], now: float) -> None:
        """Take in that samples came which may move these."""
        for deployment in deployments:
            self._woken_at.setdefault(deployment, now)

    def tell(self, samples: Iterable[Sample]) -> None:
        """Take in what the engine was told."""
        for one in samples:
            self.told += 1
            key = (one.deployment, one.signal)
            oldest, newest = self._open.get(key, (None, None))
            if newest is not None and one.time >= newest.time:
                del self._open[key]
            elif newest is not None and oldest is not None and one.time >= oldest.time:
                self._open[key] = (newest, newest)

    def heard(self, tick: Tick) -> None:
        """Take in what was decided on, and how long ago it was woken."""
        for decision in tick.decisions:
            woken_at = self._woken_at.pop(decision.deployment, None)
            if woken_at is not None:
                self._lags.append(tick.at - woken_at)

    def forget(self, deployment: str) -> None:
        """Drop a deployment that is no more: nobody decides on it."""
        self._woken_at.pop(deployment, None)
        for key in [one for one in self._open if one[0] == deployment]:
            del self._open[key]

    def lost(self, now: float) -> list[str]:
        """Name the signals whose acknowledged sample the engine was not told, long after."""
        return [
            f"{deployment} {signal}: the sample of {oldest.time:.0f}, acknowledged "
            f"{now - oldest.at:.0f} s ago"
            for (deployment, signal), (oldest, _) in self._open.items()
            if now - oldest.at > self._told_within
        ]

    def overdue(self, now: float) -> list[str]:
        """Name the deployments that were woken long ago and not evaluated since."""
        return [name for name, at in self._woken_at.items() if now - at > GRACE_SECONDS]

    def take_lags(self) -> list[float]:
        """Return the seconds from waking to deciding since the last time this was asked."""
        lags, self._lags = self._lags, []
        return lags


class AuditedJournal:
    """A journal that shows the ledger what the engine was told."""

    def __init__(self, real: Journal, ledger: Ledger) -> None:
        self._real = real
        self._ledger = ledger

    @property
    def status(self) -> JournalStatus:
        return self._real.status

    @property
    def decisions_behind(self) -> int:
        return self._real.decisions_behind

    async def open(self) -> Recollection:
        return await self._real.open()

    def note(self, entry: Entry) -> None:
        if isinstance(entry, Evaluated):
            self._ledger.tell(entry.samples)
        self._real.note(entry)

    async def intend(self, entry: Intended) -> None:
        await self._real.intend(entry)

    async def settle(self) -> None:
        await self._real.settle()

    async def close(self) -> None:
        await self._real.close()
