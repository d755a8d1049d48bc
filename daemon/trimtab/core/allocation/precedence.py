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
from typing import TYPE_CHECKING

from trimtab.core.need import CERTAIN_SPREAD

if TYPE_CHECKING:
    from trimtab.core.allocation.values import Claim, Terms

STEPS_A_DOUBLING = 16
"""Worths are compared in steps of the sixteenth root of two."""

REPLICAS_AT_ONCE = 4096
"""More than this many of one claim are not told apart: the rest count as the last of them."""

Key = tuple[int, float, str]
"""Priority, lower bound or not, and worth in one number; since when; the name."""

Growth = tuple[Key, int, int]
"""The key (the smaller comes first), the place of a claim, and replicas that it asks for, worth the same."""

STEPS_MAX = 2**44
"""More than there are steps between any two worths: one number tells priority and worth."""


def worth(claim: Claim, replicas: int) -> float:
    """Return what an accelerator of replica number ``replicas`` is worth."""
    return claim.team.weight * claim.need.used(replicas)


def growths(place: int, claim: Claim, terms: Terms, most: int) -> list[Growth]:
    """Return what ``claim`` asks for beyond what it holds, at most ``most`` replicas, the best first."""
    held, floor, need = claim.held, claim.floor, claim.need
    first, last = held + 1, min(held + most, claim.wanted)
    mean, spread = need
    since = terms.now if claim.short_since is None else claim.short_since
    base = log2(claim.team.weight) - since / terms.patience_seconds
    name, rank = claim.deployment, -2 * claim.priority
    if spread < CERTAIN_SPREAD and floor < first and mean >= last:  # a plain shortfall
        step = (rank + 1) * STEPS_MAX - round(base * STEPS_A_DOUBLING)
        return [((step, since, name), place, last - held)]
    if spread < CERTAIN_SPREAD or last - held > REPLICAS_AT_ONCE or floor >= first:
        return _in_parts(place, claim, base, since, last)
    rank = (rank + 1) * STEPS_MAX
    return [
        ((rank - round((base + log2(used)) * STEPS_A_DOUBLING), since, name), place, 1)
        for used in need.shares(first, last)
    ]


def _in_parts(place: int, claim: Claim, base: float, since: float, last: int) -> list[Growth]:
    """As ``growths``, where a lower bound, certain load or a huge count makes several worth the same."""
    found: list[Growth] = []
    first, (mean, spread) = claim.held + 1, claim.need
    while first <= last:
        if spread < CERTAIN_SPREAD and (first <= mean or first > mean + 1.0):
            until = min(last, int(mean)) if first <= mean else last
        else:
            until = last if first >= claim.held + REPLICAS_AT_ONCE else first
        is_beyond = first > claim.floor
        if not is_beyond:
            until = min(until, claim.floor)
        step = -round((base + log2(claim.need.used(first))) * STEPS_A_DOUBLING)
        rank = (is_beyond - 2 * claim.priority) * STEPS_MAX
        found.append(((rank + step, since, claim.deployment), place, until - first + 1))
        first = until + 1
    return found
