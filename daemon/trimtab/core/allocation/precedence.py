"""Who comes first: priority, then lower bounds, then what an accelerator is worth, then who waited longest.

What an accelerator is worth is the weight of its team times the share of the replica that load will
use. A miss counts as the work that is not done, in accelerators, whatever the model: requests of
different models cannot be added up, and a replica of eight accelerators serves what eight replicas of one do.
Worths are compared in steps of about five per cent; what is as good as equal goes to who waits longest.
Waiting makes them worth more, too: twice as much for each ``patience_seconds``.

Who waits gains on whoever comes later, and on nobody else. So the order is told by numbers that stand still,
``log2(worth) - begin of waiting / patience``, as fair queues tell theirs by virtual times (Demers, Keshav and
Shenker, "Analysis and simulation of a fair queueing algorithm", SIGCOMM 1989).
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.need import CERTAIN_SPREAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.core.allocation.values import Claim, Terms

STEPS_A_DOUBLING = 16
"""Worths are compared in steps of the sixteenth root of two."""

REPLICAS_AT_ONCE = 4096
"""More than this many of one claim are not told apart: the rest count as the last of them."""

Key = tuple[int, bool, int, float, str]


class Growth(NamedTuple):
    """Replicas that the claim at ``place`` asks for, worth the same. The smaller key comes first."""

    key: Key
    place: int
    replicas: int


def worth(claim: Claim, replicas: int) -> float:
    """Return what an accelerator of replica number ``replicas`` is worth."""
    return claim.team.weight * claim.need.used(replicas)


def growths(place: int, claim: Claim, terms: Terms, most: int) -> Iterator[Growth]:
    """Yield what ``claim`` asks for beyond what it holds, at most ``most`` replicas, the best first."""
    first, last = claim.held + 1, claim.held + min(most, claim.wanted - claim.held)
    mean, spread = claim.need
    since = terms.now if claim.short_since is None else claim.short_since
    base = log2(claim.team.weight) - since / terms.patience_seconds
    name, rank = claim.deployment, -claim.priority
    while first <= last:
        if spread < CERTAIN_SPREAD and (first <= mean or first > mean + 1.0):
            until = min(last, int(mean)) if first <= mean else last
        else:
            until = last if first >= claim.held + REPLICAS_AT_ONCE else first
        is_beyond = first > claim.floor
        if not is_beyond:
            until = min(until, claim.floor)
        used = log2(claim.need.used(first))
        step = -round((base + used) * STEPS_A_DOUBLING)
        yield Growth((rank, is_beyond, step, since, name), place, until - first + 1)
        first = until + 1
