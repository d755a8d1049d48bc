"""``type: headroom``: as many replicas as are in use, and some to spare.

An example of a strategy that lives outside trimtab. It has three parts: the algorithm (a frozen value,
pure), its configuration (what an SRE writes), and the ``StrategyKind`` that the entry point names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Annotated, Literal

from pydantic import Field

from trimtab.core.proposals import REPLICAS_MAX, JsonValue, View, Wish
from trimtab.policy.parts import Count, SignalName
from trimtab.policy.registry import StrategyKind
from trimtab.policy.strategies.interface import StrategyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """Divide the requests in flight by the slots of a replica, round up, and add ``spare``."""

    signal: str
    slots: float
    spare: int

    @property
    def signals(self) -> tuple[str, ...]:
        """The one signal it reads."""
        return (self.signal,)

    def propose(self, view: View, memory: JsonValue) -> Wish:
        """Ask for the replicas in use and the spare ones."""
        reading = view.readings[self.signal]
        if reading.value is None:
            return Wish(replicas=None, sentence=f"{self.signal} is {reading.freshness}")
        used = ceil(min(reading.value / self.slots, REPLICAS_MAX))
        wanted = min(used + self.spare, REPLICAS_MAX)
        return Wish(
            replicas=wanted,
            sentence=f"{reading.value:.4g} in flight use {used}, and {self.spare} to spare: {wanted}",
        )


class HeadroomConfig(StrategyConfig):
    """As many replicas as are in use, and some to spare."""

    type: Literal["headroom"]
    signal: SignalName = Field(description="Requests in flight over the whole deployment.")
    slots: Annotated[float, Field(gt=0)] = Field(description="Requests that one replica serves.")
    spare: Count = Field(default=1, description="Replicas to keep free.")

    def reads(self) -> Iterable[tuple[tuple[str | int, ...], str]]:
        """Its one signal, and the key that names it."""
        return ((("signal",), self.signal),)

    def build(self) -> Headroom:
        """The algorithm with these settings."""
        return Headroom(signal=self.signal, slots=self.slots, spare=self.spare)


HEADROOM = StrategyKind(
    config=HeadroomConfig,
    build=HeadroomConfig.build,
    summary="as many replicas as are in use, and some to spare",
)
