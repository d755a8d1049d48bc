"""What a strategy knows in numbers, for people who watch it."""

from __future__ import annotations

from typing import NamedTuple


class Facts(NamedTuple):
    """The numbers behind a proposal: metrics, one each, and part of the journal. ``None``: there is none.

    One closed list for all strategies, so that a metric has one meaning and nothing grows with what
    strategies make up. The unit comes last in a name; everything in replicas is as replicas at their SLO.

    ``load_replicas`` is the offered load now, ``forecast_replicas`` that when an order placed now serves,
    ``horizon_seconds`` ahead; ``spare_replicas`` what is asked for beyond it, ``forecast_error_replicas``
    one standard deviation of the forecast. ``miss_price_ratio``: what is paid now for a missed request less,
    in times of what serving it costs. ``missed_ratio`` is the share of the load that was missed lately,
    ``missed_ratio_max`` the share that may be. ``capacity_requests_per_second`` is what one replica is
    believed to carry within its SLO, ``capacity_factor_ratio`` what a capacity that was given turned out
    to be, as a share of it.
    """

    load_replicas: float | None = None
    forecast_replicas: float | None = None
    spare_replicas: float | None = None
    forecast_error_replicas: float | None = None
    horizon_seconds: float | None = None
    miss_price_ratio: float | None = None
    missed_ratio: float | None = None
    missed_ratio_max: float | None = None
    capacity_requests_per_second: float | None = None
    capacity_factor_ratio: float | None = None
