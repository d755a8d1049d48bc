"""Buckets in transition: the tenant takes over, hands over or loses them, each in a task of its own.

A bucket is released only after the tenant has handed it over. One that it could not take over is released
and left to others for a while. One that was lost, or could not be handed over, is not released before its
lease has run out: a write that was sent in time may be on its way until then.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from trimtab.coordination.holdings import SENDING_SECONDS, Stage
from trimtab.coordination.standing import Happened
from trimtab.errors import excerpt

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from trimtab.clock import Clock
    from trimtab.coordination.holdings import Holdings
    from trimtab.coordination.port import Tenant, Tenure
    from trimtab.coordination.standing import Tally

DECLINE_SECONDS_MAX = 60.0
"""How long at most a bucket that could not be taken over is left to others."""


class Changeover:
    """Moves buckets between the service and the tenant. ``to_release`` may be let go at the service."""

    def __init__(
        self,
        clock: Clock,
        holdings: Holdings,
        tenant: Tenant,
        tally: Tally,
        *,
        retry_seconds: float,
    ) -> None:
        """``retry_seconds``: how long a bucket is declined after the first failure to take it over."""
        self._clock = clock
        self._holdings = holdings
        self._tenant = tenant
        self._tally = tally
        self._retry_seconds = retry_seconds
        self._tasks: dict[Tenure, asyncio.Task[None]] = {}
        self._failed: dict[int, tuple[int, float]] = {}
        self._wary: dict[Tenure, float] = {}
        self.to_release: set[Tenure] = set()
        self.has_handed_over = asyncio.Event()

    @property
    def declined(self) -> frozenset[int]:
        """Return the buckets that could not be taken over and are not tried again yet."""
        now = self._clock.monotonic()
        return frozenset(bucket for bucket, (_, until) in self._failed.items() if now < until)

    @property
    def is_busy(self) -> bool:
        """Whether any bucket is changing hands."""
        return bool(self._tasks)

    async def progress(self) -> None:
        """Return when a bucket has changed hands; at once if none is about to."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)

    def take_over(self, tenure: Tenure, relied_until: float) -> None:
        """Begin with a bucket that was claimed."""
        if (earlier := self._holdings.of(tenure.bucket)) is not None:
            self.lose(earlier.tenure, "its lease had run out")
        self._holdings.hold(tenure, relied_until)
        self._tally.happened(Happened.CLAIMED, tenure)
        self._begin(tenure, self._take_over(tenure))

    def hand_over(self, tenure: Tenure) -> None:
        """Begin to give up a bucket; one that is not even taken over yet is let go as it is."""
        holding = self._holdings.of(tenure.bucket)
        if holding is None or holding.tenure != tenure or holding.stage is Stage.HANDING_OVER:
            return
        beginning = self._tasks.get(tenure)
        self._holdings.turn(tenure, Stage.HANDING_OVER)
        if beginning is None:
            self._begin(tenure, self._hand_over(tenure))
        else:
            self._begin(tenure, self._abandon(tenure, beginning))

    def hand_over_all(self) -> None:
        """Begin to give up everything."""
        for holding in self._holdings:
            self.hand_over(holding.tenure)

    def lose(self, tenure: Tenure, why: str) -> None:
        """Stop with a bucket at once, if it is held."""
        holding = self._holdings.drop(tenure)
        if holding is None:
            return
        self._wary[tenure] = holding.relied_until + SENDING_SECONDS
        task = self._tasks.get(tenure)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        self._stop(tenure)
        self._tally.happened(Happened.LOST, tenure, why)

    def release_stray(self, tenure: Tenure) -> None:
        """Have a bucket released that the service says is ours although we do not hold it.

        It was claimed or released and the answer was lost, or it was lost although a renewal had arrived.
        """
        now = self._clock.monotonic()
        self._wary = {one: until for one, until in self._wary.items() if now < until}
        if tenure not in self._wary and tenure not in self._holdings:
            self.may_be_released(tenure)

    async def close(self) -> None:
        """Cancel what is still changing hands, and wait until it has ended."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, tenure: Tenure, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(
            work, name=f"bucket {tenure.bucket} changes hands in term {tenure.term}"
        )
        self._tasks[tenure] = task
        task.add_done_callback(lambda ended: self._ended(tenure, ended))

    def _ended(self, tenure: Tenure, task: asyncio.Task[None]) -> None:
        if self._tasks.get(tenure) is task:
            del self._tasks[tenure]

    async def _take_over(self, tenure: Tenure) -> None:
        try:
            await self._tenant.take_over(tenure)
        except Exception as error:  # noqa: BLE001  whatever it is, the bucket needs another owner
            self._decline(tenure.bucket)
            self._tally.happened(Happened.TAKE_OVER_FAILED, tenure, excerpt(str(error)))
            self._let_go(tenure)
        else:
            self._failed.pop(tenure.bucket, None)
            self._holdings.turn(tenure, Stage.SERVING)
            self._tally.happened(Happened.TAKEN_OVER, tenure)

    async def _hand_over(self, tenure: Tenure) -> None:
        try:
            await self._tenant.hand_over(tenure)
        except Exception as error:  # noqa: BLE001  whatever it is, nobody knows that it has stopped
            self.lose(tenure, f"it could not be handed over: {excerpt(str(error))}")
        else:
            if self._holdings.drop(tenure) is not None:
                self._tally.happened(Happened.HANDED_OVER, tenure)
                self.may_be_released(tenure)

    async def _abandon(self, tenure: Tenure, beginning: asyncio.Task[None]) -> None:
        beginning.cancel()
        await asyncio.wait({beginning})
        self._let_go(tenure)

    def _let_go(self, tenure: Tenure) -> None:
        if self._holdings.drop(tenure) is not None:
            self._stop(tenure)
            self.may_be_released(tenure)

    def may_be_released(self, tenure: Tenure) -> None:
        """Have a bucket released of which nothing is under way."""
        self.to_release.add(tenure)
        self.has_handed_over.set()

    def _stop(self, tenure: Tenure) -> None:
        try:
            self._tenant.lose(tenure)
        except Exception as error:  # noqa: BLE001  a bug there must not keep others from hearing
            self._tally.happened(Happened.DEAF, tenure, excerpt(str(error)))

    def _decline(self, bucket: int) -> None:
        failures = self._failed.get(bucket, (0, 0.0))[0] + 1
        pause = min(self._retry_seconds * 2.0 ** min(failures - 1, 16), DECLINE_SECONDS_MAX)
        self._failed[bucket] = failures, self._clock.monotonic() + pause
