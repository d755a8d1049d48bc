"""How far the misses that the replay books can be believed, where those that happened are told.

What a replica carries within its SLO, and how fast answers get late beyond it, differs between models,
mixes of requests and accelerators; the replay knows one curve. Where the share of requests within the SLO is
measured, what the curve says of the replicas that really served is compared with what they came to. The same
error is in what it says of all settings, so that their budget is corrected by it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

FADE: Final = 1.0 - 1.0 / 5760.0
"""By 1/e in a day."""

DOUBT: Final = 0.5
"""Misses of this share of the error budget are added to both sides: few misses say little."""

DOUBT_TICKS: Final = 1440.0
"""As if so many ticks (six hours) more had been seen, with nothing to learn from."""

BOUNDS: Final = (0.2, 4.0)


class Judgement(NamedTuple):
    """Faded sums over ticks in which it was told, in replicas of work: missed really, by the replay, offered."""

    missed: float = 0.0
    booked: float = 0.0
    offered: float = 0.0
    ticks: float = 0.0

    def seeing(self, load: float, missed_share: float, booked_share: float) -> Judgement:
        """Take in one tick of ``load`` replicas: which shares of it were missed, and booked as missed."""
        return Judgement(
            missed=FADE * self.missed + load * missed_share,
            booked=FADE * self.booked + load * booked_share,
            offered=FADE * self.offered + load,
            ticks=FADE * self.ticks + 1.0,
        )

    def factor(self, share: float) -> float:
        """Return how many times what is booked is really missed; ``share`` is the error budget's.

        1.0 while nothing was told.
        """
        if self.ticks <= 0.0 or self.offered <= 0.0:
            return 1.0
        doubt = DOUBT * share * self.offered * (1.0 + DOUBT_TICKS / self.ticks)
        low, high = BOUNDS
        return min(max((self.missed + doubt) / (self.booked + doubt), low), high)
