"""AIBrix's APA: a proportional rule with a dead band and a bound on each step, on the KV caches.

Built from what is documented. Three things seen in the code as of ``e3e10f9e`` are not reproduced, all
to its advantage: its scale-down window takes the lowest recommendation where the highest is meant,
its average over pods forgets the pods that have not come up and so doubles again and again while
they start (a guard was merged later; here those that serve are what the ratio multiplies), and
panic is not its own rule's business.
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

from trimtab.core.strategies.rounding import whole_up
from trimtab.core.windows import alive, push_high
from trimtab.simulation.peers.recent import Recent

if TYPE_CHECKING:
    from trimtab.core.memory import At
    from trimtab.simulation.observation import Observation
    from trimtab.simulation.peers.sizing import Sizing

TICK_SECONDS = 10.0


class AibrixApa:
    """Bring the mean KV cache use of the stable window to ``target``, a share of 1.

    No move within ``tolerance``; at most doubled and at least halved by one decision; fewer only
    as far as the highest count of ``cooldown_seconds``. Missing data: keeps its replicas.
    """

    interval_seconds = TICK_SECONDS

    def __init__(
        self,
        sizing: Sizing,
        *,
        target: float = 0.5,
        tolerance: float = 0.1,
        window_seconds: float = 180.0,
        cooldown_seconds: float = 300.0,
        rate: float = 2.0,
    ) -> None:
        self._sizing = sizing
        self._target = target
        self._tolerance = tolerance
        self._rate = rate
        self._cooldown_seconds = cooldown_seconds
        self._use = Recent(window_seconds)
        self._counts: tuple[At, ...] = ()

    def wanted(self, seen: Observation) -> int:
        """Return the count after this tick."""
        asked = self._sizing.within(seen.asked)
        if seen.measured is None or seen.measured_at is None or seen.ready == 0:
            return asked
        self._use.add(seen.measured_at, seen.measured.kv_share)
        use = self._use.mean()
        assert use is not None  # noqa: S101  one has just been added
        wish = self._wish(use / self._target, seen.ready, asked)
        if not self._counts:
            self._counts = push_high((), self._cooldown_seconds, seen.at, asked)
        self._counts = push_high(self._counts, self._cooldown_seconds, seen.at, wish)
        if wish < asked:
            wish = min(asked, max(alive(self._counts, self._cooldown_seconds, seen.at)))
        return self._sizing.within(wish)

    def _wish(self, ratio: float, ready: int, asked: int) -> int:
        if ratio > 1.0 + self._tolerance:
            return max(asked, min(whole_up(ready * ratio), ceil(self._rate * ready)))
        if ratio < 1.0 - self._tolerance:
            return min(asked, max(whole_up(ready * ratio), floor(ready / self._rate)))
        return asked
