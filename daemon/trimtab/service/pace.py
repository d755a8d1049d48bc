"""Decides no faster than the journal can write down: otherwise every write would wait behind the backlog.

A write is sent once its intention is on the disk, and the journal keeps its order. So when more is heard
than can be decided and written down, it is the decisions that must wait: deployments that are woken again
meanwhile are decided once, and the backlog that an intention meets stays short.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BEHIND_MAX = 128
"""Decisions that may wait to be written: a few slices, about ten milliseconds of the journal's thread."""

LOOK_SECONDS = 0.002

WAIT_SECONDS_MAX = 1.0
"""A journal that is not back by then hangs. Decisions go on, for people to see; writes have to wait."""


class Pace:
    """Holds back whoever decides while the journal is behind. In real time, as its thread is."""

    def __init__(self, decisions_behind: Callable[[], int]) -> None:
        self._decisions_behind = decisions_behind
        self._is_given_up = False

    async def keep(self) -> None:
        """Return once the journal has caught up, or has been waited for in vain.

        After that it is not waited for again before it has caught up by itself.
        """
        if self._decisions_behind() <= BEHIND_MAX:
            self._is_given_up = False
            return
        if self._is_given_up:
            return
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + WAIT_SECONDS_MAX
        while self._decisions_behind() > BEHIND_MAX:
            if loop.time() >= give_up_at:
                self._is_given_up = True
                return
            await asyncio.sleep(LOOK_SECONDS)
