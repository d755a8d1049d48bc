"""How far one proposal may be from the count asked for now (Nomad's ``max_scale_up`` and ``…_down``).

It bounds a single proposal, not a speed: the next one may go as far again. Speeds are
``behavior.limits``, which count per period.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from trimtab.core.proposals import Wish


class Stride(NamedTuple):
    """The most replicas a proposal may add or remove (0 or more); ``None`` is without bound."""

    up: int | None = None
    down: int | None = None

    def shorten(self, wish: Wish, current: int) -> Wish:
        """Return ``wish``, no further from ``current`` than the stride reaches."""
        wanted = wish.replicas
        if wanted is None:
            return wish
        if self.up is not None and wanted > current + self.up:
            sentence = f"{wish.sentence}, at most {self.up} more at once"
            return wish._replace(replicas=current + self.up, sentence=sentence)
        if self.down is not None and wanted < current - self.down:
            sentence = f"{wish.sentence}, at most {self.down} fewer at once"
            return wish._replace(replicas=current - self.down, sentence=sentence)
        return wish


NO_STRIDE = Stride()
