"""A recording of some deployments, wherever it comes from: what a backtest and a calibration work on."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from trimtab.simulation.backtest.courses import Counts, Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from trimtab.core.decision import Order
    from trimtab.core.policy import Policy
    from trimtab.simulation.backtest.moments import Happening
    from trimtab.simulation.backtest.series import Floats, Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of one deployment, on the recording's grid; NaN is unknown, ``None`` was not asked for.

    ``rate`` is requests a second in all, ``in_flight`` requests waiting and in service in all,
    ``violated`` 1 where the SLO was broken and 0 where it held. ``counts`` are the replicas that there
    really were, as they changed; empty where nothing tells them. ``unknown`` is by signal of its
    policy the share of the time for which it could not be used.
    """

    policy: Policy | None
    counts: Counts
    rate: Floats | None = None
    in_flight: Floats | None = None
    violated: Floats | None = None
    unknown: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    accelerators_per_replica: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Some deployments over some time.

    ``source`` says where it comes from, for people. ``happenings`` begins to tell it anew each time it is
    called. ``policies`` are those to be tried, each deployment selected by one. ``terms`` is what the
    engine begins with; ``real_orders`` are the orders of a journal, by deployment and time of decision.
    ``had_fleet``: a Fleet was in force then.
    ``asked_seconds`` is how much was asked for, of which the grid is what there is.
    """

    source: str
    grid: Grid
    pasts: Mapping[str, Past]
    happenings: Callable[[], Iterable[Happening]]
    policies: tuple[Policy, ...] = ()
    terms: Terms = field(default_factory=Terms)
    real_orders: Mapping[tuple[str, float], Order] = field(
        default_factory=lambda: MappingProxyType({})
    )
    notes: tuple[str, ...] = ()
    had_fleet: bool = False
