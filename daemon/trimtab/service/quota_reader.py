"""Asks each account for its accelerator quotas now and then: every few minutes, and after a refusal.

Nothing waits for it. Quotas are moved by people, so that a reading is good for a while; only a refusal says
that the last one was wrong. A key that may not see quotas will not be allowed to a minute later: it is asked for
rarely then, and what refusals teach is what is known.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, TargetError
from trimtab.service.audience import Listener
from trimtab.service.backoff import Pace
from trimtab.service.fleet_quotas import FleetQuotas
from trimtab.service.waiting import happened_within
from trimtab.targets.port import TellsQuotas

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from random import Random

    from trimtab.clock import Clock
    from trimtab.core.decision import Outcome
    from trimtab.service.circuits import GuardedTarget
    from trimtab.service.fleet_quotas import QuotasStatus
    from trimtab.service.reload import Reload
    from trimtab.targets.port import Target

JITTER_RATIO = 0.1
"""The interval is drawn anew each time from so much less to so much more, and thus falls on no one's minute."""

SOONEST_SECONDS = 30.0
"""Between two readings of one account, however many refusals there are; less where the interval is less."""

FIRST_READINGS = 3
"""So many come that soon after one another: what is in use elsewhere is what two of them agree on, and the first
may come before anybody knows what deployments hold."""

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


class QuotaReader(Listener):
    """One for all targets; each that tells quotas is asked on its own, and ``quotas`` has what they said.

    ``is_wanted`` says whether anybody would use an answer; while not, nobody is asked. ``on_reading`` hears how an
    account stands after each reading. As a listener it hears of refusals and of other policies.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        targets: Sequence[Target],
        *,
        interval_seconds: float,
        is_wanted: Callable[[], bool],
        on_reading: Callable[[QuotasStatus], None],
    ) -> None:
        self._clock = clock
        self._random = random
        self._targets = [target for target in targets if isinstance(target, TellsQuotas)]
        self._interval_seconds = interval_seconds
        self._is_wanted = is_wanted
        self._on_reading = on_reading
        self.quotas = FleetQuotas(target.name for target in self._targets)
        self._asked = {target.name: asyncio.Event() for target in self._targets}

    def tasks(
        self, targets: Iterable[GuardedTarget]
    ) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        """Return what has to run for ever, one for each of ``targets`` that tells quotas, named in prose."""
        return [
            (f"read the quotas of {target.name}", partial(self.keep_reading, target))
            for target in targets
            if target.name in self._asked
        ]

    def wrote(self, outcome: Outcome) -> None:
        """Have the quotas of an account read again that refused for one. While that fails, pauses stay."""
        if outcome.error_kind == ErrorKind.QUOTA_EXCEEDED:
            for target in self._targets:
                if target.owns(outcome.order.deployment):
                    self._asked[target.name].set()

    def reloaded(self, reload: Reload) -> None:
        """Look whether quotas are wanted now."""
        del reload
        for asked in self._asked.values():
            asked.set()

    async def keep_reading(self, target: GuardedTarget) -> None:
        """Read for ever, while it is wanted."""
        asked, failures, answers = self._asked[target.name], 0, 0
        soonest_seconds = min(SOONEST_SECONDS, self._interval_seconds)
        while True:
            while not self._is_wanted():
                await asked.wait()
                asked.clear()
            started_at = self._clock.monotonic()
            asked.clear()
            error = await self.read(target)
            if error is not None:
                failures += 1
                await self._clock.sleep(self._pause_seconds(error, failures))
                continue
            failures, answers = 0, answers + 1
            is_first = answers < FIRST_READINGS
            if is_first or await happened_within(self._clock, asked, self._wait_seconds()):
                rest = soonest_seconds - (self._clock.monotonic() - started_at)
                await self._clock.sleep(max(0.0, rest))

    async def read(self, target: GuardedTarget) -> TargetError | None:
        """Read the quotas of one account now; return why that could not be done."""
        error: TargetError | None = None
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                told = await target.read_quotas()
            self.quotas.take(target.name, told)
        except TargetError as failure:
            error = failure
        except TimeoutError:
            sentence = f"{target.name} did not tell its quotas within {READ_SECONDS_MAX:.0f} s"
            error = TargetError(sentence, kind=ErrorKind.TIMEOUT)
        if error is not None:
            self.quotas.fail(target.name, error, self._clock.now())
        self._on_reading(self.quotas.status(target.name))
        return error

    def _wait_seconds(self) -> float:
        ratio = self._random.uniform(1.0 - JITTER_RATIO, 1.0 + JITTER_RATIO)
        return self._interval_seconds * ratio

    def _pause_seconds(self, error: TargetError, failures: int) -> float:
        pace = STANDING if error.kind in _STANDING_KINDS else PASSING
        wait_seconds = pace.wait_seconds(failures, self._random)
        return max(wait_seconds, error.retry_after_seconds or 0.0)
