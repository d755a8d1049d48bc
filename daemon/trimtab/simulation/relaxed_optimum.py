"""The least that anyone could have paid who knew the future and might miss a share of the requests: a bound.

``optimum`` has no replica too few in any step, and scalers that are asked for 99 % of all requests need
not do that. Here a replica too few loses the part of a step's requests that it would have carried, and
each lost request has a price; at a price every replica decides for itself when to serve (as in ``optimum``: what the second would
serve is never more than what the first would), which a dynamic program over time with two states,
on and off, solves exactly. The price is then set so that as many are lost as may be.

Lagrange relaxation: what comes out is the lower convex hull of all schedules. Where it lies on a
schedule it is the optimum; in between it is a bound that none reaches, and the schedule next to it is
given too. It is generous also in what it takes for a miss: queues and latency spare nobody but those
beyond capacity, and a replica may be given up and be back within a lead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.simulation.optimum import HOUR_SECONDS, Terms, replicas_needed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LEVELS_AT_ONCE = 64
_PRICES_AT_ONCE = 8
_PASSES_MAX = 30
_EXACT = 1e-9
"""Relative: two sums of as many floats as there are steps agree to this."""


class Chosen(NamedTuple):
    """A schedule that could be run: what it attains and what it is billed."""

    attainment: float
    replica_hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxedOptimum:
    """What ``attainment`` costs at least; ``None`` where nobody could attain it.

    ``attainment_max`` is the most that anyone could have attained: below 1 where need comes before
    the first lead is over, or beyond the maximum. ``chosen`` is the cheapest schedule on the hull that
    attains enough; ``price_replica_seconds`` is what one request more is worth there.
    """

    attainment: float
    attainment_max: float
    replica_hours: float | None
    chosen: Chosen | None
    price_replica_seconds: float | None


def relaxed_optimum(
    need: Floats, offered: Floats, *, attainment: float, step_seconds: float, terms: Terms
) -> RelaxedOptimum | None:
    """Return the least cost of serving this share (0 to 1) of ``offered`` requests; ``None`` of none.

    ``need`` is the offered work of each step in replicas at the SLO. Costs of starts beyond their
    time (``Terms.start_cost_seconds``) are part of what is minimised and of the hours. Takes some
    seconds for two weeks in steps of 15 s.
    """
    if not 0.0 <= attainment <= 1.0:
        raise ValueError(f"an attainment of {attainment} asked for; give a share from 0 to 1")
    total = float(offered.sum())
    if total <= 0.0:
        return None
    problem = _Problem(need, offered, step_seconds, terms)
    may_miss = (1.0 - attainment) * total
    attainment_max = 1.0 - problem.lost / total
    rounding = _EXACT * total
    if problem.lost > may_miss + rounding:
        return RelaxedOptimum(
            attainment=attainment,
            attainment_max=attainment_max,
            replica_hours=None,
            chosen=None,
            price_replica_seconds=None,
        )
    bound, price, best = _searched(problem, may_miss + rounding, rounding)
    hours = step_seconds / HOUR_SECONDS
    return RelaxedOptimum(
        attainment=attainment,
        attainment_max=attainment_max,
        replica_hours=bound * hours,
        chosen=Chosen(min(1.0, 1.0 - best.missed / total), best.cost * hours),
        price_replica_seconds=price * step_seconds,
    )


class _Vertex(NamedTuple):
    """The cheapest schedule at a price: requests missed, and replica-steps paid."""

    price: float
    missed: float
    cost: float

    def bound(self, may_miss: float) -> float:
        """Return what no schedule that misses so few can cost less than."""
        return self.cost + self.price * (self.missed - may_miss)


class _Chunk(NamedTuple):
    """Some levels over the steps in which any of them would serve something.

    ``served[i, k]`` are the requests that level k serves in the i-th of these steps, ``gaps[i]`` the
    steps left out before it, ``start_steps[i]`` what a start costs that serves from it on.
    """

    served: Floats
    gaps: Floats
    start_steps: Floats
    is_on: NDArray[np.bool_]


class _Problem:
    """The levels that may be on or off, and what is settled beforehand.

    ``lost`` are requests that nobody can serve, ``kept_cost`` what the minimum costs, replica-steps.
    """

    def __init__(self, need: Floats, offered: Floats, step_seconds: float, terms: Terms) -> None:
        self._need, self._offered = need, offered
        self._at_start = terms.replicas_at_start
        self._lead = terms.lead_steps(step_seconds)
        self._start_steps = _start_steps(terms, step_seconds, len(need))
        least = terms.replicas_min
        most = max(least, int(replicas_needed(need).max(initial=0)))
        if terms.replicas_max is not None:
            most = min(most, terms.replicas_max)
        self.chunks = [
            self._chunk(begin, min(begin + _LEVELS_AT_ONCE, most))
            for begin in range(least, most, _LEVELS_AT_ONCE)
        ]
        self.kept_cost = self._cost_of_first(least)
        served = math.fsum(float(chunk.served.sum()) for chunk in self.chunks)
        served += float(self._served(0, least).sum())
        self.lost = max(0.0, float(offered[need > 0.0].sum()) - served)

    @property
    def steps_per_request(self) -> float:
        """Replica-steps of work in a request: what prices are measured against."""
        finite = np.isfinite(self._need)
        return float(self._need[finite].sum()) / max(float(self._offered[finite].sum()), _EXACT)

    @property
    def price_of_all(self) -> float:
        """A price (replica-steps a request) at which nothing that can be served is missed."""
        least = min(
            (float(np.min(chunk.served, where=chunk.served > 0.0, initial=np.inf))
             for chunk in self.chunks),
            default=1.0,
        )  # fmt: skip
        dearest = len(self._need) + float(self._start_steps.max(initial=0.0)) + 1.0
        return 2.0 * dearest / least

    def _served(self, begin: int, end: int) -> Floats:
        """Return the requests that the levels after ``begin`` up to ``end`` serve in each step."""
        share = np.zeros((len(self._need), end - begin))
        is_needed = (self._need > 0.0) & np.isfinite(self._need)
        work = self._need[is_needed, None]
        share[is_needed] = np.clip(work - np.arange(begin, end), 0.0, 1.0) / work
        if self._at_start is not None:
            share[: self._lead, max(0, self._at_start - begin) :] = 0.0
        return share * self._offered[:, None]

    def _chunk(self, begin: int, end: int) -> _Chunk:
        served = self._served(begin, end)
        steps = np.flatnonzero(served.max(axis=1) > 0.0)
        gaps = np.diff(steps, prepend=-1) - 1.0
        is_on = np.arange(begin, end) < (self._at_start or 0)
        return _Chunk(served[steps], gaps, self._start_steps[steps], is_on)

    def _cost_of_first(self, count: int) -> float:
        """Return the replica-steps of so many replicas that are kept from as early on as can be."""
        steps = len(self._need)
        if self._at_start is None:
            return count * (steps + float(self._start_steps[0]))
        late = max(0, count - self._at_start) if self._lead < steps else 0
        start = float(self._start_steps[-1])
        return min(count, self._at_start) * steps + late * (steps - self._lead + start)

    def at_prices(self, prices: Floats) -> Iterator[_Vertex]:
        """Yield the cheapest schedule at each price (replica-steps a request)."""
        missed = np.full(len(prices), self.lost)
        cost = np.full(len(prices), self.kept_cost)
        for chunk in self.chunks:
            chunk_missed, chunk_cost = _cheapest(chunk, prices)
            missed += chunk_missed
            cost += chunk_cost
        for index, price in enumerate(prices):
            yield _Vertex(float(price), float(missed[index]), float(cost[index]))


def _cheapest(chunk: _Chunk, prices: Floats) -> tuple[Floats, Floats]:
    """Return misses and replica-steps of the levels of a chunk at each price, each level at its best.

    Two states, on and off, and for each the least value (cost and price of misses) of any past that
    ends in it, and the misses on the way. One row of the arrays a level, one column a price.
    """
    shape = len(chunk.is_on), len(prices)
    off, off_missed = np.zeros(shape), np.zeros(shape)
    on = np.where(chunk.is_on[:, None], np.zeros(shape), np.inf)
    on_missed = np.zeros(shape)
    begun, priced = np.empty(shape), np.empty(shape)
    is_better = np.empty(shape, dtype=bool)
    for served, gap, start in zip(
        chunk.served[:, :, None], chunk.gaps, chunk.start_steps, strict=True
    ):
        np.less(on, off, out=is_better)  # let go: costs nothing
        np.copyto(off_missed, on_missed, where=is_better)
        np.minimum(on, off, out=off)
        np.add(off, start, out=begun)
        on += gap
        np.less(begun, on, out=is_better)  # begin, instead of having stayed on over the gap
        np.copyto(on_missed, off_missed, where=is_better)
        np.minimum(on, begun, out=on)
        on += 1.0
        np.multiply(served, prices, out=priced)
        off += priced
        off_missed += served
    np.copyto(off_missed, on_missed, where=on < off)
    value = np.minimum(on, off) - off_missed * prices
    return off_missed.sum(axis=0), value.sum(axis=0)


def _start_steps(terms: Terms, step_seconds: float, steps: int) -> Floats:
    """Return what a start costs that serves from each step on; what lies before the run is free."""
    beside = terms.start_cost_seconds / step_seconds
    paid = np.full(steps, terms.start_steps(step_seconds) - beside)
    if terms.replicas_at_start is None:
        paid = np.minimum(paid, np.arange(steps))
    return paid + beside


def _searched(problem: _Problem, may_miss: float, rounding: float) -> tuple[float, float, _Vertex]:
    """Return the greatest bound over all prices, its price, and the cheapest schedule that is allowed.

    Between two vertices of the hull, one with too many misses and one with few enough, the price that
    makes both equally good either finds a vertex below their edge or proves the edge.
    """
    few, many = problem.at_prices(np.array([problem.price_of_all, 0.0]))
    if many.missed <= may_miss:
        return many.cost, 0.0, many
    if few.missed >= may_miss - 2.0 * rounding:
        return few.cost, few.price, few
    bound = max(few.bound(may_miss), many.bound(may_miss))
    price = few.price
    guess = problem.steps_per_request * np.geomspace(0.5, 1e4, _PRICES_AT_ONCE - 1)
    for _ in range(_PASSES_MAX):
        edge = (few.cost - many.cost) / (many.missed - few.missed)
        found = list(problem.at_prices(np.sort(np.append(guess, edge))))
        for vertex in found:
            if vertex.bound(may_miss) > bound:
                bound, price = vertex.bound(may_miss), vertex.price
            if vertex.missed <= may_miss:
                few = min(few, vertex, key=lambda one: (one.cost, one.price))
            else:
                many = max(many, vertex, key=lambda one: (one.cost, one.price))
        on_edge = few.cost + (few.missed - may_miss) / (many.missed - few.missed) * (
            few.cost - many.cost
        )
        if bound >= on_edge - _EXACT * max(1.0, on_edge):
            break
        low = max(many.price, few.price * 1e-6)
        guess = np.geomspace(low, few.price, _PRICES_AT_ONCE + 1)[1:-1]
    return min(bound, few.cost), price, few
