"""Where pushed samples go: into the inbox, and the deployments that they may move are woken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trimtab.core.signals import Sample
    from trimtab.service.fleet import Fleet
    from trimtab.service.inbox import Inbox
    from trimtab.service.trigger import Trigger


class WakingSink:
    """The sink of one push source, whose name its lane of the trigger has: none waits for another."""

    def __init__(
        self,
        source: str,
        inbox: Inbox,
        trigger: Trigger,
        fleet: Fleet,
        *,
        is_moving: Callable[[Sample], bool],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._source = source
        self._inbox = inbox
        self._trigger = trigger
        self._fleet = fleet
        self._is_moving = is_moving
        self._is_stopping = is_stopping
        self.quiet = 0

    @property
    def is_ready(self) -> bool:
        """Not before the fleet is known, and not while the daemon stops: nobody would decide."""
        return self._fleet.is_known and not self._is_stopping()

    @property
    def room(self) -> int:
        """How many samples could be accepted now."""
        return self._inbox.room

    def accept(self, samples: Sequence[Sample]) -> bool:
        """Take all samples, and wake the deployments that they may move; false: none was taken."""
        accepted = self._inbox.accept(samples, self._is_moving)
        if accepted is None:
            return False
        self.quiet += accepted.quiet
        self._trigger.wake(accepted.woken, lane=self._source)
        return True
