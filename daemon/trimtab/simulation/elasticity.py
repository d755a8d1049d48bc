"""How closely supply followed demand, by the elasticity measures of the SPEC Research Group.

Definitions after Herbst et al., "Ready for rain? A view from SPEC Research on the future of cloud
metrics" (SPEC-RG-2016-01), the normalised ones. They are blind to requests and money: a supply that is
ahead of demand by one lead, as it has to be, counts as wrong. So each is worth giving twice: what
serves against what is needed, and what is paid against what the clairvoyant optimum pays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOUR_SECONDS = 3600.0

_EQUAL = 1e-9
_GUARD_PERCENT = 0.1
"""Added to both sides of a ratio of percentages, so that a perfect 0 compares at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elasticity:
    """Percentages of time or of demand, 0 is perfect; their symbols are those of the paper.

    ``under_provisioned_percent`` (θ_U) and ``over_provisioned_percent`` (θ_O): how much supply is
    lacking or idle, relative to the demand of the moment, on average over time.
    ``under_time_percent`` (τ_U) and ``over_time_percent`` (τ_O): the share of time with too little or
    too much. ``instability_percent`` (upsilon): the share of time in which supply moves another way than
    demand. ``jitter_per_hour`` (j): how many times an hour supply changes beyond the times that demand
    does; below 0 where it follows only some.
    """

    under_provisioned_percent: float
    over_provisioned_percent: float
    under_time_percent: float
    over_time_percent: float
    instability_percent: float
    jitter_per_hour: float

    @property
    def percentages(self) -> tuple[float, float, float, float]:
        """θ_U, θ_O, τ_U and τ_O: what speed-up and deviation are made of."""
        return (
            self.under_provisioned_percent,
            self.over_provisioned_percent,
            self.under_time_percent,
            self.over_time_percent,
        )

    def speedup(self, without: Elasticity) -> float:
        """Return ε: how many times better than ``without`` any scaling, the geometric mean of four."""
        logs = [
            math.log((before + _GUARD_PERCENT) / (after + _GUARD_PERCENT))
            for before, after in zip(without.percentages, self.percentages, strict=True)
        ]
        return math.exp(math.fsum(logs) / len(logs))

    def deviation(self, order: float = 4.0) -> float:
        """Return the distance to the perfect scaler, the norm of this order of the four, percent.

        After Bauer et al. (2019), whose distance is a Minkowski metric; ``order`` is 1 or more, and
        the higher it is, the more the worst of the four counts.
        """
        if not order >= 1.0:
            raise ValueError(f"a norm of order {order}; give 1 or more")
        powers = math.fsum(math.pow(one, order) for one in self.percentages)
        return math.pow(powers, 1.0 / order)


def elasticity(
    demanded: NDArray[np.float64], supplied: NDArray[np.float64], *, step_seconds: float
) -> Elasticity | None:
    """Return the measures of a supply (replicas in each step) against a demand; ``None`` of no steps.

    Where nothing is demanded, idle supply counts relative to one replica.
    """
    if demanded.shape != supplied.shape:
        raise ValueError(
            f"a demand of {demanded.size} steps and a supply of {supplied.size}; give both for the "
            "same steps"
        )
    if not demanded.size:
        return None
    lacking = np.maximum(demanded - supplied, 0.0)
    idle = np.maximum(supplied - demanded, 0.0)
    relative_to = np.maximum(demanded, 1.0)
    moves = _moves(demanded), _moves(supplied)
    hours = demanded.size * step_seconds / HOUR_SECONDS
    changes = _changes(supplied) - _changes(demanded)
    return Elasticity(
        under_provisioned_percent=_percent(lacking / relative_to),
        over_provisioned_percent=_percent(idle / relative_to),
        under_time_percent=_percent(lacking > _EQUAL),
        over_time_percent=_percent(idle > _EQUAL),
        instability_percent=_percent(moves[0] != moves[1]) if moves[0].size else 0.0,
        jitter_per_hour=changes / hours,
    )


def _percent(shares: NDArray[np.float64] | NDArray[np.bool_]) -> float:
    return 100.0 * float(shares.mean())


def _moves(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each step after the first whether the count rose (1), fell (-1) or stayed (0)."""
    change = np.diff(counts)
    moves: NDArray[np.float64] = np.where(np.abs(change) > _EQUAL, np.sign(change), 0.0)
    return moves


def _changes(counts: NDArray[np.float64]) -> int:
    """Return how often the whole count changed; a change within a step is one, not two."""
    return int(np.count_nonzero(np.diff(np.rint(counts))))
