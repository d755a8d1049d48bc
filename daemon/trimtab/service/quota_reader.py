"""Asks each account for its accelerator quotas now and then: every few minutes, and after a refusal.

Nothing waits for it. Quotas are moved by people, so that a reading is good for a while; only a refusal says
that the last one was wrong. A key that may not see quotas will not be allowed to a minute later: it is asked for
rarely then, and what refusals teach is what is known.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, TargetError
from trimtab.service.backoff import Pace
from trimtab.service.waiting import happened_within

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from trimtab.clock import Clock
    from trimtab.service.circuits import GuardedTarget
    from trimtab.service.fleet_quotas import FleetQuotas, QuotasStatus

JITTER_RATIO = 0.1
"""The interval is drawn anew each time from so much less to so much more, and thus falls on no one's minute."""

SOONEST_SECONDS = 30.0
"""Between two readings of one account, however many refusals there are."""

READ_SECONDS_MAX = 60.0
"""In real time."""

PASSING = Pace(first_seconds=30.0, seconds_max=600.0)
"""After time-outs, lost connections, 5xx, rate limits."""

STANDING = Pace(first_seconds=900.0, seconds_max=3600.0)
"""After a refusal: the key may not see quotas, or this control plane has none."""

_STANDING_KINDS = frozenset(
    {
        *(ErrorKind.FORBIDDEN, ErrorKind.NOT_FOUND, ErrorKind.REJECTED),
        *(ErrorKind.UNAUTHENTICATED, ErrorKind.QUOTA_EXCEEDED),
    }
)


class QuotaReader:
    """One for all targets that tell quotas; each is asked on its own.

    ``is_wanted`` says whether anybody would use an answer; while not, nobody is asked. ``on_call`` hears the
    target and the outcome of each call, ``on_reading`` how the account stands after it.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        quotas: FleetQuotas,
        *,
        interval_seconds: float,
        is_wanted: Callable[[], bool],
        on_call: Callable[[str, str, str], None],
        on_reading: Callable[[QuotasStatus], None],
    ) -> None:
        self._clock = clock
        self._random = random
        self._quotas = quotas
        self._interval_seconds = interval_seconds
        self._is_wanted = is_wanted
        self._on_call = on_call
        self._on_reading = on_reading
        self._asked = {status.target: asyncio.Event() for status in quotas.statuses}

    def look_soon(self, target: str | None = None) -> None:
        """Read ``target`` (``None``: all) as soon as it may be asked again. Returns at once.

        While an account cannot be read, its pauses stay as they are.
        """
        for name in self._asked if target is None else (target,):
            if name in self._asked:
                self._asked[name].set()

    async def keep_reading(self, target: GuardedTarget) -> None:
        """Read for ever, while it is wanted."""
        asked, failures = self._asked[target.name], 0
        while True:
            while not self._is_wanted():
                await asked.wait()
                asked.clear()
            started_at = self._clock.monotonic()
            asked.clear()
            error = await self.read(target)
            failures = 0 if error is None else failures + 1
            wait_seconds = self._wait_seconds(error, failures)
            if error is not None:
                await self._clock.sleep(wait_seconds)
            elif await happened_within(self._clock, asked, wait_seconds):
                rest = SOONEST_SECONDS - (self._clock.monotonic() - started_at)
                await self._clock.sleep(max(0.0, rest))

    async def read(self, target: GuardedTarget) -> TargetError | None:
        """Read the quotas of one account now; return why that could not be done."""
        error: TargetError | None = None
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                told = await target.read_quotas()
            status = self._quotas.take(target.name, told)
        except TargetError as failure:
            error = failure
        except TimeoutError:
            sentence = f"{target.name} did not tell its quotas within {READ_SECONDS_MAX:.0f} s"
            error = TargetError(sentence, kind=ErrorKind.TIMEOUT)
        if error is not None:
            status = self._quotas.fail(target.name, error, self._clock.now())
        self._on_call(target.name, "quotas", "ok" if error is None else error.kind.value)
        self._on_reading(status)
        return error

    def _wait_seconds(self, error: TargetError | None, failures: int) -> float:
        if error is None:
            ratio = self._random.uniform(1.0 - JITTER_RATIO, 1.0 + JITTER_RATIO)
            return self._interval_seconds * ratio
        pace = STANDING if error.kind in _STANDING_KINDS else PASSING
        wait_seconds = pace.wait_seconds(failures, self._random)
        return max(wait_seconds, error.retry_after_seconds or 0.0)
