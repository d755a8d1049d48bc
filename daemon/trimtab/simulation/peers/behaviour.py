"""The HPA's stabilisation windows and rate limits, for peers that leave the scaling itself to an HPA.

The same rules as the engine's stage ``behavior``, without what only the engine has (cooldowns,
holds, trails): the tests hold it against the HPA's own cases and against that stage.
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

from trimtab.core.memory import At
from trimtab.core.policy import Limit, MoveRules, Select
from trimtab.core.windows import alive, push_high, push_low

if TYPE_CHECKING:
    from collections.abc import Iterator

HPA_UP = MoveRules(
    stabilization_seconds=0.0,
    limits=(Limit(period_seconds=15.0, percent=100), Limit(period_seconds=15.0, replicas=4)),
)
"""The defaults of ``autoscaling/v2`` for scaling up: doubled or four more in 15 s, at once."""

HPA_DOWN = MoveRules(stabilization_seconds=300.0, limits=(Limit(period_seconds=15.0, percent=100),))
"""Its defaults for scaling down: to the highest wish of the last 300 s, however far."""


class Behaviour:
    """What an HPA lets through of a wish, one wish after the other."""

    def __init__(self, up: MoveRules = HPA_UP, down: MoveRules = HPA_DOWN) -> None:
        self._up, self._down = up, down
        self._lows: tuple[At, ...] = ()
        self._highs: tuple[At, ...] = ()
        self.moves: list[At] = []
        self._period = max(
            (limit.period_seconds for limit in (*up.limits, *down.limits)), default=0.0
        )

    def follow(self, wanted: int, current: int, now: float) -> int:
        """Return the count to ask for at ``now`` (UTC seconds), with ``current`` asked for so far.

        The first count that it sees is a wish as well, as with the HPA after a restart.
        """
        if not self._lows:
            self.wish(current, now)
        self.wish(wanted, now)
        settled = self._limited(self._stable(wanted, current, now), current, now)
        if settled != current:
            self.moves.append(At(now, settled - current))
        while self.moves and now - self.moves[0].time >= self._period:
            del self.moves[0]
        return settled

    def wish(self, wanted: int, now: float) -> None:
        """Note what was wanted at ``now``, whatever comes of it."""
        self._lows = push_low(self._lows, self._up.stabilization_seconds, now, wanted)
        self._highs = push_high(self._highs, self._down.stabilization_seconds, now, wanted)

    def _stable(self, wanted: int, current: int, now: float) -> int:
        if wanted > current:
            wishes = alive(self._lows, self._up.stabilization_seconds, now)
            return max(current, min((wanted, *wishes)))
        wishes = alive(self._highs, self._down.stabilization_seconds, now)
        return min(current, max((wanted, *wishes)))

    def _limited(self, wanted: int, current: int, now: float) -> int:
        if wanted == current:
            return current
        rules = self._up if wanted > current else self._down
        if rules.select is Select.DISABLED:
            return current
        ends = list(self._ends(rules, current, now, is_up=wanted > current))
        if not ends:
            return wanted
        if wanted > current:
            end = max(ends) if rules.select is Select.MAX else min(ends)
            return min(wanted, max(current, end))
        end = min(ends) if rules.select is Select.MAX else max(ends)
        return max(wanted, min(current, max(0, end)))

    def _ends(self, rules: MoveRules, current: int, now: float, *, is_up: bool) -> Iterator[int]:
        for limit in rules.limits:
            moved = sum(
                move.replicas for move in self.moves if now - move.time < limit.period_seconds
            )
            start = max(0, current - moved)
            if limit.percent is not None:
                share = start * (100 + limit.percent if is_up else 100 - limit.percent) / 100
                yield ceil(share) if is_up else floor(share)
            if limit.replicas is not None:
                yield start + (limit.replicas if is_up else -limit.replicas)
