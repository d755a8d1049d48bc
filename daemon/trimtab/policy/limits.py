"""The limits of spending of one Fleet, by period."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.fleet_policy import Period

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.policy.fleet_document import FleetSpec, LimitDocument


def limits_of(spec: FleetSpec) -> Iterator[tuple[Period, LimitDocument]]:
    """Every limit that is given, from the shortest period to the longest."""
    spend = spec.spend
    if spend is None:
        return
    for period, limit in (
        (Period.HOUR, spend.hour),
        (Period.DAY, spend.day),
        (Period.MONTH, spend.month),
    ):
        if limit is not None:
            yield period, limit
