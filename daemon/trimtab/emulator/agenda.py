"""Who has to be looked at, and when: all others would stay as they are.

A platform with ten thousand deployments is asked thousands of times a second, and between two
requests nearly nothing happens. Walking over all of them at each would come to the same, and take
longer than the requests.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.emulator.deployment import Deployment

AT_ONCE = -math.inf
NEVER = math.inf
_OUT_OF_DATE_MAX = 1000


class Agenda:
    """When each deployment has to be looked at next, and which ones each tick has to visit.

    Both are promises: looking earlier, or visiting one that rests, changes nothing.
    """

    def __init__(self) -> None:
        self._due: dict[Deployment, float] = {}
        self._heap: list[tuple[float, int, Deployment]] = []  # entries may be out of date
        self._numbers = itertools.count()
        self._restless: set[Deployment] = set()

    def stir(self, deployment: Deployment) -> None:
        """Foresee nothing of this one any more: look at the next occasion, and at each tick."""
        self.expect(deployment, AT_ONCE)
        self._restless.add(deployment)

    def expect(self, deployment: Deployment, at: float) -> None:
        """Look at it at the first occasion from ``at`` on, and not before."""
        if self._due.get(deployment) == at:
            return
        self._due[deployment] = at
        if at == NEVER:
            return
        heapq.heappush(self._heap, (at, next(self._numbers), deployment))
        if len(self._heap) > _OUT_OF_DATE_MAX + 2 * len(self._due):
            self._heap = [
                (at, next(self._numbers), one) for one, at in self._due.items() if at != NEVER
            ]
            heapq.heapify(self._heap)

    def rest(self, deployment: Deployment) -> None:
        """Let ticks pass this one by, until it is stirred."""
        self._restless.discard(deployment)

    def drop(self, deployment: Deployment) -> None:
        """Forget one that is no more."""
        self._due.pop(deployment, None)
        self._restless.discard(deployment)

    def take_due(self, now: float) -> list[Deployment]:
        """Return those to look at now, in the order of their seats; each has to be expected anew."""
        due: list[Deployment] = []
        while self._heap and self._heap[0][0] <= now:
            at, _, deployment = heapq.heappop(self._heap)
            if self._due.get(deployment) == at:
                self._due[deployment] = NEVER
                due.append(deployment)
        return sorted(due, key=_seat)

    def restless(self) -> list[Deployment]:
        """Return those that a tick has to visit, in the order of their seats."""
        return sorted(self._restless, key=_seat)


def _seat(deployment: Deployment) -> tuple[int, int]:
    return deployment.seat
