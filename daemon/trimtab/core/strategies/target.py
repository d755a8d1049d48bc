"""``target``: as many replicas as bring a signal to its target, in proportion.

The proportional rule of the Kubernetes Horizontal Pod Autoscaler: ``desired = ceil(load / target)``,
no move while the ratio is within a tolerance of 1, replicas that do not serve yet counted as idle
before more are asked for, and no change of direction by that correction.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from trimtab.core.proposals import Wish
from trimtab.core.signals import Freshness, Per

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue, View

ROUNDING = 1e-9
"""Keeps ``ceil`` from turning the float noise of an exact quotient into a replica."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Keep ``signal`` at ``target`` per replica; ``tolerance`` is a share of the target.

    A signal that is counted ``per: replica`` is an average over the replicas that serve; one that
    is counted ``per: deployment`` is a total to be divided among them.
    """

    signal: str
    target: float
    tolerance: float = 0.1

    @property
    def signals(self) -> tuple[str, ...]:
        """The one signal it steers by."""
        return (self.signal,)

    def propose(self, view: View, memory: JsonValue) -> Wish:  # noqa: ARG002  the interface
        """Divide the load by the target."""
        reading = view.readings[self.signal]
        if reading.freshness is not Freshness.USABLE or reading.value is None:
            return Wish(replicas=None, sentence=f"{self.signal} is {reading.freshness}")
        if reading.spec.per is Per.REPLICA:
            return self._from_average(view, reading.value)
        return self._from_total(view, reading.value)

    def _from_average(self, view: View, average: float) -> Wish:
        ready, current = view.ready, view.current
        if ready == 0:
            return Wish(
                replicas=None,
                sentence=f"no replica serves, so {self.signal} per replica says nothing",
            )
        total = average * ready
        wanted = self._count(total)
        load = f"{self.signal} {average:.4g} on each of {ready} ready, target {self.target:.4g}"
        if self._is_on_target(average / self.target):
            return Wish(replicas=current, sentence=f"{load}: within tolerance, keeps {current}")
        is_enough_on_its_way = total <= self.target * current * (1 + self.tolerance)
        if average > self.target and current > ready and is_enough_on_its_way:
            # Those on their way serve soon: they count as idle before more are asked for.
            return Wish(
                replicas=current,
                sentence=f"{load}: the {current - ready} on their way will do, keeps {current}",
            )
        return Wish(replicas=wanted, sentence=f"{load}: wants {wanted}")

    def _from_total(self, view: View, total: float) -> Wish:
        current = view.current
        wanted = self._count(total)
        load = f"{self.signal} {total:.4g} in all, target {self.target:.4g} a replica"
        if current > 0 and self._is_on_target(total / (self.target * current)):
            return Wish(replicas=current, sentence=f"{load}: within tolerance, keeps {current}")
        return Wish(replicas=wanted, sentence=f"{load}: wants {wanted}")

    def _count(self, total: float) -> int:
        return ceil(total / self.target - ROUNDING)

    def _is_on_target(self, ratio: float) -> bool:
        return 1 - self.tolerance <= ratio <= 1 + self.tolerance
