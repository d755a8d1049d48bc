"""What one replica serves within the SLO, for any mix, quickly: a grid that fills as it is asked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trimtab.plant.serving_model import capacity_requests_per_second

if TYPE_CHECKING:
    from trimtab.plant.serving_model import ServingModel, Slo

GRID = math.log(1.05)
"""Knots lie 5 % apart in either length; between them the logarithm's plane is followed."""


class CapacityTable:
    """``capacity_requests_per_second`` of one model and SLO, interpolated between knots.

    Within 0.5 % of the formula for mixes that a replica serves with some ease, in 2 µs where the
    formula takes 60: a recording has a mix of its own in every bin. Where the formula goes to 0,
    because a lone request hardly meets the SLO, neither is worth much.
    """

    def __init__(self, model: ServingModel, slo: Slo) -> None:
        self.model = model
        self.slo = slo
        self._knots: dict[tuple[int, int], float] = {}

    def __call__(self, prompt_tokens: float, output_tokens: float) -> float:
        """Return requests per second of one replica for these mean lengths (1 or above)."""
        x, y = math.log(prompt_tokens) / GRID, math.log(output_tokens) / GRID
        left, low = math.floor(x), math.floor(y)
        along, up = x - left, y - low
        near = self._knot(left, low) * (1.0 - along) + self._knot(left + 1, low) * along
        if up == 0.0:
            return near
        far = self._knot(left, low + 1) * (1.0 - along) + self._knot(left + 1, low + 1) * along
        return near * (1.0 - up) + far * up

    def _knot(self, prompt_step: int, output_step: int) -> float:
        key = (prompt_step, output_step)
        known = self._knots.get(key)
        if known is None:
            known = self._knots[key] = capacity_requests_per_second(
                self.model, math.exp(prompt_step * GRID), math.exp(output_step * GRID), self.slo
            )
        return known
