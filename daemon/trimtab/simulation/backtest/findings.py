"""What a backtest found of one deployment: what would have been, what was, the difference, how sure.

Uncertainty is shown by judging again under what may as well be true: a replica that carries less or
more, replicas that take as long to start as one in ten does. The engine lives through the slower starts
too, since it asks for other counts then.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.simulation.backtest.judgement import Assumed, Replicas, figures, timeline
from trimtab.simulation.backtest.series import share
from trimtab.simulation.measures import misses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.simulation.backtest.courses import Counts, Lived
    from trimtab.simulation.backtest.past import Past
    from trimtab.simulation.backtest.series import Booleans, Grid
    from trimtab.simulation.measures import Value
    from trimtab.simulation.timeline import Timeline

WAS = "as it was"


class Capacity(NamedTuple):
    """What one replica carries at the edge of its SLO: requests a second, an interval, who says so."""

    requests_per_second: float
    low: float
    high: float
    origin: str


class Lead(NamedTuple):
    """From asking for a replica until it serves: median and 90th percentile in seconds, who says so."""

    p50_seconds: float
    p90_seconds: float
    origin: str


class Range(NamedTuple):
    """A value, and between what it may lie."""

    value: float
    low: float
    high: float

    @classmethod
    def around(cls, value: float, *others: float | None) -> Range:
        """Return the range of all that is known."""
        known = [one for one in others if one is not None and math.isfinite(one)]
        return cls(value, min([value, *known]), max([value, *known]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One course of the replicas: how it looks, its measures, and what share of requests it missed.

    ``asked`` is (UTC seconds, count) wherever the count changed.
    """

    name: str
    timeline: Timeline
    figures: Mapping[str, Value]
    missed: Range | None
    asked: tuple[tuple[float, int], ...]

    def number(self, key: str) -> float | None:
        """Return a measure as a number, ``None`` if it is unknown."""
        found = self.figures.get(key)
        return float(found) if isinstance(found, int | float) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a replica costs: accelerators, and US dollars for one of them an hour; ``None`` if unknown."""

    accelerators_per_replica: int = 1
    usd_per_accelerator_hour: float | None = None
    asked_attainment: float = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found of one deployment.

    ``was`` is ``None`` where the recording does not tell the replicas. ``slower`` is the same policy with
    starts as slow as one in ten. ``compared`` is the share of the time that is counted for both,
    ``load_unknown`` the share of that without a known load, ``modelled`` the share of it for which the
    replicas are modelled because other counts would have been asked for. ``difference_missed`` is in shares of the
    requests, below 0 for fewer misses.
    """

    deployment: str
    policy: str
    would: Judged
    slower: Judged
    was: Judged | None
    capacity: Capacity | None
    lead: Lead
    compared: float
    load_unknown: float | None
    modelled: float
    unknown: Mapping[str, float]
    difference_missed: Range | None
    because: str = ""

    @property
    def difference_hours(self) -> Range | None:
        """Replica-hours more than there were, as a share of these; ``None`` where nothing tells."""
        if self.was is None:
            return None
        base, own = self.was.number("replica_hours"), self.would.number("replica_hours")
        slow = self.slower.number("replica_hours")
        if not base or own is None:
            return None
        return Range.around(own / base - 1.0, None if slow is None else slow / base - 1.0)


def judged(
    name: str,
    past: Past,
    grid: Grid,
    lived: tuple[Lived, Lived],
    *,
    capacity: Capacity | None,
    lead: Lead,
    prices: Prices,
) -> Finding:
    """Return what was found of the deployment ``name``.

    ``lived`` is the rerun with usual and the one with slow starts.
    """
    usual, slow = lived
    own, slower = (Replicas.of(one.own[name], grid) for one in lived)
    real = Replicas.of(past.counts, grid) if past.counts.changes else None
    counted = np.isfinite(own.asked) & np.isfinite(slower.asked)
    if real is not None and np.isfinite(real.asked).any():
        counted &= np.isfinite(real.asked) & np.isfinite(real.ready)
    else:
        real = None
    judge = _Judge(past, grid, counted, capacity, lead, prices)
    policy = usual.policies.get(name, "" if past.policy is None else past.policy.name)
    would = judge.of(policy, own, usual.own[name], best=own, worst=slower)
    was = None if real is None else judge.of(WAS, real, past.counts, best=real, worst=real)
    named = f"{policy}, starts of {lead.p90_seconds:.0f} s"
    return Finding(
        deployment=name,
        policy=policy,
        would=would,
        slower=judge.of(named, slower, slow.own[name], best=slower, worst=slower),
        was=was,
        capacity=capacity,
        lead=lead,
        compared=share(counted),
        load_unknown=judge.load_unknown,
        modelled=_share_within(usual.modelled.get(name, ()), grid, counted),
        unknown=past.unknown,
        difference_missed=None if real is None else judge.difference(own, slower, real),
        because=usual.because.get(name, ""),
    )


def _share_within(spans: Sequence[tuple[float, float]], grid: Grid, counted: Booleans) -> float:
    """Return which share of the counted steps lies within ``spans`` of UTC seconds, parts of steps too."""
    edges = grid.edges
    inside = np.zeros(grid.steps)
    for begin, end in spans:
        inside += np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], begin), 0.0, None)
    counts = int(counted.sum())
    within = float(inside[counted].sum())
    return min(1.0, within / (counts * grid.step_seconds)) if counts else 0.0


class _Judge:
    """Judges every course of one deployment's replicas by the same load and the same terms."""

    def __init__(
        self,
        past: Past,
        grid: Grid,
        counted: Booleans,
        capacity: Capacity | None,
        lead: Lead,
        prices: Prices,
    ) -> None:
        self._grid, self._counted, self._capacity = grid, counted, capacity
        self._rate = np.full(grid.steps, np.nan) if past.rate is None else past.rate
        self.load_unknown = None if past.rate is None else share(~np.isfinite(self._rate[counted]))
        bounds = past.policy
        self._assumed = Assumed(
            requests_per_second=None
            if capacity is None or past.rate is None
            else capacity.requests_per_second,
            lead_seconds=lead.p50_seconds,
            replicas_min=0 if bounds is None else bounds.min_replicas or 0,
            replicas_max=None if bounds is None else bounds.max_replicas,
            accelerators_per_replica=past.accelerators_per_replica
            or prices.accelerators_per_replica,
            usd_per_accelerator_hour=prices.usd_per_accelerator_hour,
            asked_attainment=prices.asked_attainment,
        )

    def of(
        self, name: str, replicas: Replicas, counts: Counts, *, best: Replicas, worst: Replicas
    ) -> Judged:
        """Return ``replicas`` judged; ``best`` and ``worst`` bound what they may have been."""
        ran = timeline(self._grid, replicas, self._rate, self._counted, self._assumed)
        missed = _missed_share(ran)
        capacity = self._capacity
        return Judged(
            name=name,
            timeline=ran,
            figures=figures(ran, self._assumed, self._counted),
            missed=None
            if missed is None or capacity is None
            else Range.around(
                missed, self._missed(best, capacity.high), self._missed(worst, capacity.low)
            ),
            asked=_asked(counts, self._grid),
        )

    def difference(self, own: Replicas, slower: Replicas, real: Replicas) -> Range | None:
        """Return by how much more is missed than was, under the same assumption each time."""
        capacity = self._capacity
        if capacity is None:
            return None
        pairs = (
            (own, capacity.requests_per_second),
            (own, capacity.high),
            (own, capacity.low),
            (slower, capacity.low),
        )
        found = [
            None if mine is None or theirs is None else mine - theirs
            for replicas, carries in pairs
            for mine, theirs in [(self._missed(replicas, carries), self._missed(real, carries))]
        ]
        return None if found[0] is None else Range.around(found[0], *found[1:])

    def _missed(self, replicas: Replicas, requests_per_second: float) -> float | None:
        if self._assumed.requests_per_second is None:
            return None
        assumed = replace(self._assumed, requests_per_second=requests_per_second)
        return _missed_share(timeline(self._grid, replicas, self._rate, self._counted, assumed))


def _missed_share(ran: Timeline) -> float | None:
    offered = float(ran.offered.sum())
    return float(misses(ran).sum()) / offered if offered > 0.0 else None


def _asked(counts: Counts, grid: Grid) -> tuple[tuple[float, int], ...]:
    found: list[tuple[float, int]] = []
    for at, asked, _ in counts.changes:
        if at >= grid.ended_at:
            break
        if at <= grid.started_at:  # a journal is read from before the range on
            found = []
        if not math.isnan(asked) and (not found or found[-1][1] != asked):
            found.append((max(at, grid.started_at), round(asked)))
    return tuple(found)
