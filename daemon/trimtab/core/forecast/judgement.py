"""How far the misses that the replay books can be believed, held against those that happened.

The replay knows one curve of how answers get late, one lead time, and settings that each decide alone. Models, mixes
of requests and accelerators differ from the curve, starts take less or longer, and the mean of settings misses
less than they do in the mean. So what was booked for the settings that decided is compared with what was
missed while they did. The same error is in what is booked for all of them, so that their budget is corrected by it.
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
    """Faded sums over the ticks that were compared, in replicas of work: missed really, by the replay, offered."""

    missed: float = 0.0
    booked: float = 0.0
    offered: float = 0.0
    ticks: float = 0.0

    def seeing(self, load: float, missed: float, booked: float) -> Judgement:
        """Take in one tick of ``load`` replicas: how much of it was missed, and was booked as missed."""
        return Judgement(
            FADE * self.missed + missed,
            FADE * self.booked + booked,
            FADE * self.offered + load,
            FADE * self.ticks + 1.0,
        )

    def factor(self, share: float) -> float:
        """Return how many times what is booked is really missed; ``share`` is the error budget's.

        1.0 while nothing was compared.
        """
        if self.ticks <= 0.0 or self.offered <= 0.0:
            return 1.0
        doubt = DOUBT * share * self.offered * (1.0 + DOUBT_TICKS / self.ticks)
        low, high = BOUNDS
        return min(max((self.missed + doubt) / (self.booked + doubt), low), high)
