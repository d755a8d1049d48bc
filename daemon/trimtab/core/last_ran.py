"""What each account ran when it was last read: it counts for as long as the account was not read again after a start.

Replicas stay where they are while nobody looks, and cost what they cost. So a limit of money holds although an
account cannot be read, and nobody spends what others still run. Kept as sums by account and accelerator
type: of deployments under no policy nothing else is remembered.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


class Ran(NamedTuple):
    """Accelerators of one type of one account: how many served, and how many were held (asked for), at the last look."""

    account: str
    accelerator_type: str
    serving: int
    held: int


class Unseen(NamedTuple):
    """What is counted of accounts without being seen, in accelerators by account and type."""

    serving: Mapping[tuple[str, str], int]
    held: Mapping[tuple[str, str], int]


NOTHING_UNSEEN = Unseen({}, {})


def ran_since(
    before: Iterable[Ran],
    unread: Collection[str],
    serving: Mapping[tuple[str, str], int],
    held: Mapping[tuple[str, str], int],
) -> tuple[Ran, ...]:
    """Return what is to be remembered: what is seen, and of accounts that were not read since the start no less than ``before``.

    An account is shown by portions; until the last of them what was known last is the better sum.
    """
    last = {one[:2]: one for one in before if one.account in unread}
    found = []
    for key in sorted({*serving, *held, *last}):
        known = last.get(key)
        one = Ran(*key, serving.get(key, 0), held.get(key, 0))
        if known is not None:
            one = Ran(*key, max(one.serving, known.serving), max(one.held, known.held))
        if key[0] and (one.serving or one.held):
            found.append(one)
    return tuple(found)


def unseen(
    ran: Iterable[Ran],
    unread: Collection[str],
    serving: Mapping[tuple[str, str], int],
    held: Mapping[tuple[str, str], int],
) -> Unseen:
    """Return by how much what is remembered of ``unread`` accounts exceeds what is seen of them."""
    if not unread:
        return NOTHING_UNSEEN
    more: tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]] = Counter(), Counter()
    for one in ran:
        key = one.account, one.accelerator_type
        if one.account in unread:
            more[0][key] = max(0, one.serving - serving.get(key, 0))
            more[1][key] = max(0, one.held - held.get(key, 0))
    return Unseen(+more[0], +more[1])
