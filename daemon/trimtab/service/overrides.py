"""People's orders while the daemon runs: taken in, lifted, ended on time.

An order counts from the engine's next decision on, which is due at once, and a write that was decided
on before and not sent yet is held against it (``service/gate.py``).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.service.waiting import happened_within

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from trimtab.clock import Clock
    from trimtab.core.overrides import Override
    from trimtab.service.journalled_engine import JournalledEngine
    from trimtab.service.trigger import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideChange:
    """A person gave an order, in whose favour others may have ended, or lifted some."""

    at: float
    given: Override | None = None
    replaced: tuple[Override, ...] = ()
    lifted: tuple[Override, ...] = ()
    by: str = ""
    reason: str = ""


class Overrides:
    """Gives orders to the engine and wakes the loop when they begin and when they end."""

    def __init__(
        self,
        clock: Clock,
        *,
        journalled: JournalledEngine,
        trigger: Trigger,
        on_change: Callable[[OverrideChange], None],
    ) -> None:
        self._clock = clock
        self._journalled = journalled
        self._trigger = trigger
        self._on_change = on_change
        self._changed = asyncio.Event()
        self._ended: set[str] = set()

    @property
    def in_force(self) -> tuple[Override, ...]:
        """Every order that has not come to its end, the oldest first."""
        now = self._clock.now()
        return tuple(one for one in self._journalled.engine.overrides if one.is_in_force(now))

    def standing(self, deployment: str, now: float) -> tuple[Override, ...]:
        """Return the orders that count for one deployment at ``now``, the strongest kind first."""
        standing = self._journalled.engine.standing_at(deployment, now)
        return tuple(dict.fromkeys(one for one in standing if one is not None))

    def give(self, override: Override) -> tuple[Override, ...]:
        """Put an order in force; return those whose place it takes. Raises ``OverrideError``."""
        replaced = self._journalled.give(override)
        self._take_note([override, *replaced])
        self._on_change(
            OverrideChange(
                at=self._clock.now(),
                given=override,
                replaced=replaced,
                by=override.author,
                reason=override.reason,
            )
        )
        return replaced

    def lift(self, ids: Collection[str], *, by: str, reason: str = "") -> tuple[Override, ...]:
        """End orders before their time; return those that were in force."""
        lifted = self._journalled.lift(ids, by=by, reason=reason)
        if lifted:
            self._take_note(lifted)
            self._on_change(
                OverrideChange(at=self._clock.now(), lifted=lifted, by=by, reason=reason)
            )
        return lifted

    async def durable(self) -> None:
        """Return once what was ordered survives a restart. Raises ``JournalError``."""
        await self._journalled.journal.settle()

    async def run(self) -> None:
        """Have everything decided anew whose order has just come to its end, for ever."""
        while True:
            # A step for others may drop an order at its end: what is awaited was read before.
            waiting = [
                one for one in self._journalled.engine.overrides if one.id not in self._ended
            ]
            self._changed.clear()
            if not waiting:
                self._ended.clear()
                await self._changed.wait()
                continue
            left = min(one.until for one in waiting) - self._clock.now()
            if await happened_within(self._clock, self._changed, left):
                continue
            now = self._clock.now()
            over = [one for one in waiting if not one.is_in_force(now)]
            self._ended.update(one.id for one in over)
            self._wake(over)

    def _take_note(self, overrides: Iterable[Override]) -> None:
        self._wake(overrides)
        self._changed.set()

    def _wake(self, overrides: Iterable[Override]) -> None:
        names = {one.deployment for one in overrides}
        if None in names:
            self._trigger.tick_now()
        self._trigger.wake(name for name in names if name is not None)
