"""Deployments that share accelerators on a platform that scales them by itself where it is left any room.

Load stands still, and so does what the platform's own autoscalers want: whatever still moves after a while moves
because of what is decided. A platform's autoscaler goes up when its window is over, as far as the account has
accelerators, and down only after a window of minutes; a bound moves the count at once. (``emulator/autoscaler.py`` is the
documented one; this is as much of it as a count at rest depends on.)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.worlds.shared_fleet import SharedFleet

from trimtab.core.deployment import Pipeline, State
from trimtab.core.pipeline import asked_replicas
from trimtab.core.policy import Actuation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment

TICK_SECONDS = 15.0


@dataclass(frozen=True)
class Autoscaler:
    """What the platform wants for one deployment of itself (replicas), and how slowly it follows that."""

    wants: int = 1
    up_seconds: float = 0.0
    down_seconds: float = 600.0
    updating_seconds: float = 0.0


@dataclass
class ScaledFleet(SharedFleet):
    """As ``SharedFleet``, on such a platform. ``moves`` are the counts that each was asked to have, with their times."""

    autoscalers: dict[str, Autoscaler] = field(default_factory=dict)
    moves: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)
    _updating_until: dict[str, float] = field(default_factory=dict)
    _held_by_hand: set[str] = field(default_factory=set)

    def show(self, order: Order) -> None:
        """Let what an order brought be seen. The platform keeps what it has where the bounds allow it."""
        name, one = order.deployment, self.deployments[order.deployment]
        desired = one.desired_replicas
        if order.actuation is Actuation.SCALE:
            desired = order.to_replicas
            self._held_by_hand.add(name)
        else:
            self._held_by_hand.discard(name)
        desired = min(order.max_replicas, max(order.min_replicas, desired))
        self.moves.setdefault(name, []).append((self.now, order.to_replicas))
        self._updating_until[name] = self.now + self.autoscalers[name].updating_seconds
        self._put(
            replace(one, min_replicas=order.min_replicas, max_replicas=order.max_replicas), desired
        )

    def _put(self, one: Deployment, desired: int) -> None:
        is_updating = self.now < self._updating_until.get(one.name, 0.0)
        self._since.pop(one.name, None)
        self.deployments[one.name] = replace(
            one,
            state=State.UPDATING if is_updating else State.READY,
            desired_replicas=desired,
            replica_count=desired,
            pipeline=Pipeline(ready=desired),
            observed_at=self.now,
        )
        self.changed.add(one.name)

    def live(self, ticks: int) -> None:
        """Let time pass: autoscalers look, everybody is decided on, and what was ordered is carried out."""
        for _ in range(ticks):
            self.now += TICK_SECONDS
            for name in self.deployments:
                self._scale(name)
            self.step()
            self.stirred = set()
            for order in list(self.open_orders):
                self.carry_out(order)

    def _scale(self, name: str) -> None:
        one, scaler = self.deployments[name], self.autoscalers[name]
        if one.state is State.UPDATING and self.now >= self._updating_until[name]:
            self._put(one, one.desired_replicas)
            one = self.deployments[name]
        if one.min_replicas >= one.max_replicas or name in self._held_by_hand:
            return
        wanted = min(one.max_replicas, max(one.min_replicas, scaler.wants))
        count = asked_replicas(one)
        if wanted == count:
            self._since.pop(name, None)
            return
        since = self._since.setdefault(name, self.now)
        if wanted > count:
            if self.now - since >= scaler.up_seconds:
                self._put(one, min(wanted, count + self._room(one)))
        elif self.now - since >= scaler.down_seconds:
            self._put(one, wanted)

    def _room(self, one: Deployment) -> int:
        """Return how many replicas of ``one`` the account still has accelerators for."""
        if self.quota is None:
            return 1000
        free = self.quota - self.elsewhere - self.in_use()
        return max(0, free) // (one.shape.accelerators_per_replica or 1)


def turns(moves: Iterable[tuple[float, int]]) -> int:
    """Return how often a count that was ordered changed its direction."""
    counts = [count for _, count in moves]
    steps = [after - before for before, after in pairwise(counts) if after != before]
    return sum((one > 0) is not (other > 0) for one, other in pairwise(steps))
