"""``threshold``: one move once enough samples of a window lie within bounds.

The rule of the Nomad Autoscaler's strategy of that name: when at least ``trigger`` of the samples of
``window_seconds`` are within the bounds, the count changes by a difference, by a share, or to a value.
Two such rules, one for each direction, make a classic pair.

Unlike there, a sample counts once and only at the count it was taken at: a burst of evaluations does
not repeat the move. While it is not triggered the rule abstains and keeps no other from moving.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from trimtab.core.proposals import Wish
from trimtab.core.strategies.breaches import Breaches, sample_of
from trimtab.core.strategies.rounding import whole_up

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Move when ``trigger`` samples of ``signal`` lie in [``lower``, ``upper``) within the window.

    Exactly one of ``delta`` (replicas), ``percentage`` (of the count, rounded up) and ``value`` (the
    count itself) says where to; the first two may be negative.
    """

    forgets_with_hardware: ClassVar[bool] = True
    """Breaches by replicas on other hardware say nothing of these."""

    signal: str
    window_seconds: float
    trigger: int = 5
    lower: float = -inf
    upper: float = inf
    delta: int | None = None
    percentage: float | None = None
    value: int | None = None

    @property
    def signals(self) -> tuple[str, ...]:
        """The one signal it watches."""
        return (self.signal,)

    def propose(self, view: View, memory: JsonValue) -> Wish:
        """Count the samples within the bounds, and move if they are enough."""
        breaches = Breaches.recall(memory, 1).at(view.current)
        sample = sample_of(view, self.signal)
        if sample is None:
            sentence = f"{self.signal} is {view.readings[self.signal].freshness}"
            return Wish(replicas=None, sentence=sentence, memory=breaches.remember())
        time, value = sample
        if breaches.is_new(time):
            met = [self.lower <= value < self.upper]
            breaches = breaches.take(time, met, [self.trigger], in_a_row=False)
        count = sum(view.now - one < self.window_seconds for one in breaches.times[0])
        found = f"{self.signal} {self._bounds()} in {count} samples of {self.window_seconds:.0f} s"
        if count < self.trigger:
            return Wish(
                replicas=None,
                sentence=f"{found}, {self.trigger} trigger a move",
                memory=breaches.remember(),
                is_abstaining=True,
            )
        wanted = self._wanted(view.current)
        return Wish(
            replicas=wanted, sentence=f"{found}: wants {wanted}", memory=breaches.remember()
        )

    def edges(self, now: float, memory: JsonValue) -> tuple[float, ...]:
        """When samples leave the window, while they are enough: fewer trigger nothing."""
        (times,) = Breaches.recall(memory, 1).times
        inside = [one for one in times if now - one < self.window_seconds]
        return (inside[0] + self.window_seconds,) if len(inside) >= self.trigger else ()

    def _wanted(self, current: int) -> int:
        if self.delta is not None:
            return whole_up(current + self.delta)
        if self.percentage is not None:
            return whole_up(current * (1 + self.percentage / 100))
        return current if self.value is None else self.value

    def _bounds(self) -> str:
        if self.lower == -inf:
            return f"below {self.upper:.4g}" if self.upper < inf else "at any value"
        if self.upper == inf:
            return f"at least {self.lower:.4g}"
        return f"from {self.lower:.4g} to below {self.upper:.4g}"
