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
    from collections.abc import Iterator

    from trimtab.core.allocation.values import Claim

STEPS_A_DOUBLING = 16
"""Worths are compared in steps of the sixteenth root of two."""

REPLICAS_AT_ONCE = 4096
"""More than this many of one claim are not told apart: the rest count as the last of them."""

STEPS_MAX = 2**44
"""More than there are steps between any two worths: one number tells priority and worth."""


Wish = tuple[int, float, str, int, int, int]
"""What is asked for. Priority, lower bound or not, and worth in one number, of which the smaller comes first; since
when; the name; replicas that are worth the same; accelerators of each (0: unknown); the number of its place."""


def worth(claim: Claim, replicas: int) -> float:
    """Return what an accelerator of replica number ``replicas`` is worth."""
    return claim.team.weight * claim.need.used(replicas)


def first_step(
    priority: int, weight: float, is_below_bound: bool, since: float, patience_seconds: float
) -> int:
    """Return where the first wish of a claim stands at best: if all of its first replica is needed."""
    rank = -2 * priority if is_below_bound else 1 - 2 * priority
    base = log2(weight) - since / patience_seconds
    return rank * STEPS_MAX - round(base * STEPS_A_DOUBLING)


def wishes_of(
    claim: Claim, place: int, since: float, patience_seconds: float, most: int
) -> list[Wish]:
    """Return what ``claim`` asks for beyond what it holds, at most ``most`` replicas, the best first.

    ``since`` is when its waiting began, UTC seconds; it doubles its worth with each ``patience_seconds``.
    """
    name, _, _, accelerators, held, wanted, _, _, floor, need, _, _, _, _, priority, team, _ = claim
    each = accelerators or 0
    first, last = held + 1, wanted if wanted - held <= most else held + most
    mean, spread = need
    base = log2(team.weight) - since / patience_seconds
    rank = -2 * priority
    if spread < CERTAIN_SPREAD and floor < first and mean >= last:  # a plain shortfall
        step = (rank + 1) * STEPS_MAX - round(base * STEPS_A_DOUBLING)
        return [(step, since, name, last - held, each, place)]
    if spread < CERTAIN_SPREAD or last - held > REPLICAS_AT_ONCE or floor >= first:
        return [
            (step, since, name, replicas, each, place)
            for step, replicas in _in_parts(claim, base, last)
        ]
    rank = (rank + 1) * STEPS_MAX
    wishes = []
    for used in need.shares(first, last):
        step = rank - round((base + log2(used)) * STEPS_A_DOUBLING)
        wishes.append((step, since, name, 1, each, place))
    return wishes


def _in_parts(claim: Claim, base: float, last: int) -> Iterator[tuple[int, int]]:
    """How many replicas at which step, where a lower bound, certain load or a huge count makes several worth the same."""
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
        yield rank + step, until - first + 1
        first = until + 1
