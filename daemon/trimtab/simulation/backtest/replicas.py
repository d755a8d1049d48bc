"""The replicas that a deployment would have had: each serves a lead time after it was asked for.

Deliberately plain: no failures, no spread, no drain. What spread of the lead time does to a result is
shown by running it again with a longer one (``findings.py``), which says more than one draw would.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.core.deployment import Pipeline
from trimtab.core.pipeline import asked_replicas, own_ready
from trimtab.core.policy import Actuation

if TYPE_CHECKING:
    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment


class Twin:
    """The replicas of one deployment, in place of those that it really had.

    ``asked`` replicas are asked for, ``ready`` of them serve. ``low`` and ``high`` are the bounds as
    they would be on the wire.
    """

    __slots__ = ("_due", "asked", "high", "lead_seconds", "low", "ready")

    def __init__(
        self, like: Deployment, *, now: float, lead_seconds: float, asked_at: float | None = None
    ) -> None:
        """Begin with what ``like`` has. Replicas on their way were asked for at ``asked_at``, or now."""
        self.lead_seconds = lead_seconds
        self.low, self.high = like.min_replicas, like.max_replicas
        self.asked = max(asked_replicas(like), 0)
        self.ready = min(self.asked, own_ready(like))
        begun = now if asked_at is None else asked_at
        self._due = [max(now, begun + lead_seconds)] * (self.asked - self.ready)

    @property
    def next_ready_at(self) -> float:
        """When the next replica begins to serve (UTC seconds); infinite if none is on its way."""
        return self._due[0] if self._due else math.inf

    def advance(self) -> None:
        """Let the next replica serve."""
        self._due.pop(0)
        self.ready += 1

    def obey(self, order: Order, now: float) -> None:
        """Carry out an order at once. Of those given up, the ones that are least far go first."""
        self._ask(order.to_replicas, now)
        if order.actuation is not Actuation.SCALE:
            self.low, self.high = order.min_replicas, order.max_replicas

    def _ask(self, count: int, now: float) -> None:
        more = count - self.asked
        if more > 0:
            self._due += [now + self.lead_seconds] * more
            self._due.sort()
        elif more < 0:
            from_way = min(len(self._due), -more)
            del self._due[len(self._due) - from_way :]
            self.ready = max(0, self.ready + more + from_way)
        self.asked = count

    def shown(self, real: Deployment) -> Deployment:
        """Return ``real`` with these replicas in place of its own."""
        return replace(
            real,
            min_replicas=self.low,
            max_replicas=self.high,
            desired_replicas=self.asked,
            replica_count=self.asked,
            revocable_replicas=0,
            pipeline=Pipeline(initializing=self.asked - self.ready, ready=self.ready),
        )

    def is_like(self, real: Deployment) -> bool:
        """Whether ``real`` stands exactly so, with nothing on its way: from here on the two are one."""
        return (
            not self._due
            and real.revocable_replicas == 0
            and (real.min_replicas, real.max_replicas) == (self.low, self.high)
            and real.desired_replicas == self.asked == asked_replicas(real)
            and own_ready(real) == self.ready == self.asked
        )
