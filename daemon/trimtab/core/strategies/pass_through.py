"""``pass-through``: the signal is the count. For figures that something else has worked out already.

The rule of the Nomad Autoscaler's strategy of that name; a fraction is rounded up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.core.proposals import Wish
from trimtab.core.signals import Freshness
from trimtab.core.strategies.rounding import counts_as, whole_up
from trimtab.core.strategies.stride import NO_STRIDE, Stride

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue, View


@dataclass(frozen=True, slots=True, kw_only=True)
class PassThrough:
    """Ask for as many replicas as ``signal`` says, no further off than ``stride`` reaches."""

    signal: str
    stride: Stride = NO_STRIDE

    @property
    def signals(self) -> tuple[str, ...]:
        """The one signal it repeats."""
        return (self.signal,)

    def propose(self, view: View, memory: JsonValue) -> Wish:  # noqa: ARG002  the interface
        """Repeat the signal."""
        reading = view.readings[self.signal]
        if reading.freshness is not Freshness.USABLE or reading.value is None:
            return Wish(replicas=None, sentence=f"{self.signal} is {reading.freshness}")
        wanted = whole_up(reading.value)
        wish = Wish(replicas=wanted, sentence=f"{self.signal} says {reading.value:.4g}")
        return self.stride.shorten(wish, view.current)

    def steady_range(self, view: View) -> tuple[float, float] | None:
        """Return the values that come to the same whole count."""
        value = view.readings[self.signal].value
        return None if value is None else counts_as(value, 1.0, None)
