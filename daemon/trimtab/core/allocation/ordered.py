"""Lists that stay sorted from one allocation to the next, of which only what has changed is taken out and put in."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection

FEW = 64
"""So many changes are made one by one; more of them are sorted in."""

_Entry = TypeVar("_Entry", int, "tuple[Any, ...]")


def changed(order: list[_Entry], gone: Collection[_Entry], new: Collection[_Entry]) -> list[_Entry]:
    """Return ``order`` without ``gone``, which are in it, and with ``new``; the list itself may be another one."""
    if len(gone) + len(new) <= FEW:
        for entry in gone:
            del order[bisect_left(order, entry)]
        for entry in new:
            insort(order, entry)
        return order
    if gone:
        dropped = set(gone)
        order = [entry for entry in order if entry not in dropped]
    order += new
    order.sort()
    return order
