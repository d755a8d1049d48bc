"""When the money that is left may change what is allowed, although nothing else has happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.fleet_policy import Period
from trimtab.core.spend import HOUR_SECONDS, span_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.fleet_policy import SpendLimit
    from trimtab.core.spend import Spending, SpendOutlook

TRIMMED_SECONDS = 600.0
"""While somebody is short and budgets are set, the money is looked at again this often."""

NEAR_SECONDS = 60.0
"""No budget is used up sooner than it is looked at: that costs a minute of it at most."""


def spend_edges(
    limits: Iterable[SpendLimit],
    spending: Spending,
    timezone: str,
    now: float,
    outlook: SpendOutlook,
    *,
    is_short: bool,
) -> list[float]:
    """Return when periods begin anew and when budgets may come to bind, in UTC seconds.

    Until half of what is left at the present rate is gone, no budget begins to bind: looking again then, and at
    half of the rest, comes close in a few looks.
    """
    edges: list[float] = []
    for limit in limits:
        if limit.period is Period.HOUR:
            continue
        end = span_of(limit.period, timezone, now).end
        edges.append(end)
        spent = spending.of(limit.period)
        left = limit.usd - (0.0 if spent is None else spent.usd)
        rate = spending.usd_an_hour
        seconds = 0.5 * HOUR_SECONDS * left / rate if rate > 0.0 else end - now
        if outlook.room is not None and rate > 0.0:
            slack = outlook.room.keep_usd_an_hour - rate
            seconds *= min(1.0, max(0.0, slack / rate))
        edges.append(now + max(NEAR_SECONDS, seconds))
        if is_short:
            edges.append(now + TRIMMED_SECONDS)
    return edges
