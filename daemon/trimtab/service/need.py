"""Whose order is carried out first where not all can be begun at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.core.decision import Order


def need(order: Order) -> float:
    """Return how urgent an order is: the share by which replicas are short, 0 or less to shrink.

    From 2 to 4 comes before 10 to 15; whoever waits for capacity comes before whoever gives it back.
    A deployment at 0 that is to wake is short of everything.
    """
    missing = order.to_replicas - order.from_replicas
    return missing / order.from_replicas if order.from_replicas else float(missing) * 1e6
