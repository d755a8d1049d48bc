"""Load that several deployments serve together: how much of it comes to each.

The router sends requests where replicas serve, in proportion to what they carry, so every replica is
equally full. That is what ``docs/fleet.md`` takes for granted of a group. It learns of replicas that came
or went when the world is looked at next, as a router does from its health checks.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.plant.fast_queue import Arrivals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.plant.replicas import ReplicaSet
    from trimtab.plant.serving_model import ServingModel, Slo
    from trimtab.simulation.feed import Feed, Floats

PART_SECONDS = 15
"""How much is worked out at a time: longer than one look ahead, and it would be thrown away."""


class PartOfLoad:
    """The part of a shared load that comes to one deployment: a ``Feed`` like any other.

    ``whole`` is the load of all; every member has one of its own, with the same draws.
    """

    def __init__(self, whole: Feed) -> None:
        self._whole = whole
        self._shares: list[tuple[int, float]] = [(0, 0.0)]

    def take(self, second: int, share: float) -> None:
        """Let this share of the load (0 to 1) come from ``second`` (since the start) on."""
        if self._shares[-1][0] == second:
            self._shares[-1] = (second, share)
        elif self._shares[-1][1] != share:
            self._shares.append((second, share))

    def at(self, second: int) -> tuple[Arrivals, int, int]:
        """Return arrivals that hold ``second`` (since the start), its place in them, and their length."""
        arrivals, place, length = self._whole.at(second)
        end = min(length, place + PART_SECONDS)
        share = self._shares[-1][1]
        counts, prompts, outputs = (one[place:end] for one in arrivals)
        return Arrivals([count * share for count in counts], prompts, outputs), 0, end - place

    def needs(
        self, *, model: ServingModel, slo: Slo, span_seconds: int, step_seconds: int
    ) -> Floats:
        """Return the need of each step: the part that came, in replicas of this deployment at the SLO."""
        whole = self._whole.needs(
            model=model, slo=slo, span_seconds=span_seconds, step_seconds=step_seconds
        )
        return whole * self.shares(span_seconds, step_seconds)

    def shares(self, span_seconds: int, step_seconds: int) -> Floats:
        """Return the share of the load that came in each step, as a mean over the step."""
        by_second = np.zeros(span_seconds)
        for (begin, share), (end, _) in pairwise([*self._shares, (span_seconds, 0.0)]):
            by_second[begin:end] = share
        return np.asarray(by_second.reshape(-1, step_seconds).mean(axis=1))


class Member(NamedTuple):
    """One deployment behind the router, and what one of its replicas carries, in any unit."""

    feed: PartOfLoad
    replicas: ReplicaSet
    carries: float


def route(members: Iterable[Member], second: int) -> None:
    """Share the load from ``second`` on by what serves now; where nobody serves, it comes to the first."""
    found = tuple(members)
    weights = [one.replicas.serving * one.carries for one in found]
    if not (total := sum(weights)):
        weights[0] = total = 1.0
    for one, weight in zip(found, weights, strict=True):
        one.feed.take(second, weight / total)
