"""What one replica carries within its SLO, from what replicas were seen to carry.

Two ways, by what the data tells. Where it says whether the SLO held (latency quantiles, or the share of
requests within it), the capacity is the load that best tells the steps in which it held from those in
which it did not. Where it only says how many requests were in flight, the line of
``core/forecast/occupancy.py`` is fitted: by Little's law the inverse of the time in flight falls in a
straight line with the load, and the SLO is taken to be lost where a request takes ``STRETCH`` times as long
as a lone one.

Either way what was not seen is not told: data that never came near saturation gives a lower bound. Intervals
are 90 % bootstrap intervals over blocks of an hour, because neighbouring steps tell the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.forecast.occupancy import STRETCH, Line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Booleans = NDArray[np.bool_]

STEPS_MIN = 40
"""Steps that are told and settled: fewer than ten minutes' worth say nothing."""

VIOLATIONS_MIN = 20
"""Fewer steps with a broken SLO from the capacity on, or with one that held up to it, do not show where it
breaks: what broke below it broke for another reason than load."""

RESAMPLES = 200
BLOCK_SECONDS = 3600.0
BLOCKS_MIN = 12
SETTLE_SECONDS = 60.0
"""After replicas change, so long pass until what is measured is theirs."""

QUANTILE_MOST = 0.99
"""What was carried at most is this quantile: the very largest step is chance."""

BEYOND = 1.1
"""A line that puts the capacity more than this far beyond what was carried well is an extrapolation."""


class Method(StrEnum):
    """How a capacity was found."""

    SLO = "slo"
    IN_FLIGHT = "in_flight"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityFit:
    """Requests a second that one replica carries within its SLO.

    ``low`` to ``high`` is a 90 % interval. ``is_at_least``: the data never showed more load than
    replicas carry, so that ``requests_per_second`` is a lower bound and ``high`` is unknown.
    ``in_flight`` is how many requests are in flight on a replica at that load, where that is told.
    ``most_carried`` is the largest load that was carried well, ``steps`` how many steps were used.
    """

    requests_per_second: float
    low: float
    high: float | None
    method: Method
    most_carried: float
    steps: int
    is_at_least: bool = False
    in_flight: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """What steps of ``step_seconds`` tell; NaN where they do not.

    ``rate`` is requests a second in all, ``ready`` replicas that serve, ``in_flight`` requests waiting
    and in service in all. ``violated``: 1 where the SLO was broken, 0 where it held.
    """

    step_seconds: float
    rate: Floats
    ready: Floats
    in_flight: Floats | None = None
    violated: Floats | None = None


class TooLittleDataError(ValueError):
    """The data cannot tell a capacity; one sentence that says what is missing."""


def fit_capacity(seen: Observed, *, seed: int = 1) -> CapacityFit:
    """Return the capacity that the data shows. Raises ``TooLittleDataError``."""
    is_told = _settled(seen) & np.isfinite(seen.rate) & (seen.rate > 0.0)
    if seen.violated is not None:
        is_told &= np.isfinite(seen.violated)
        told = "request rate, serving replicas and SLO"
    elif seen.in_flight is not None:
        is_told &= np.isfinite(seen.in_flight) & (seen.in_flight > 0.0)
        told = "request rate, serving replicas and requests in flight"
    else:
        raise TooLittleDataError(
            "nothing tells how well replicas served; give --in-flight, or --slo with a latency quantile"
        )
    places = np.flatnonzero(is_told)
    if places.size < STEPS_MIN:
        raise TooLittleDataError(
            f"only {places.size} steps tell {told} of settled replicas, and {STEPS_MIN} are needed; "
            "give a longer range"
        )
    each = seen.rate[places] / seen.ready[places]
    blocks = _blocks(places, seen.step_seconds)
    if seen.violated is not None:
        return _by_slo(seen, places, each, blocks, np.random.default_rng(seed))
    return _by_line(seen, places, np.random.default_rng(seed))


def _settled(seen: Observed) -> Booleans:
    """Where replicas serve, and have been as many for long enough."""
    steps = max(1, round(SETTLE_SECONDS / seen.step_seconds))
    is_settled = np.isfinite(seen.ready) & (seen.ready >= 1.0)
    before = seen.ready
    for _ in range(steps):
        before = np.concatenate([[np.nan], before[:-1]])
        is_settled &= before == seen.ready
    return is_settled


def _blocks(places: NDArray[np.intp], step_seconds: float) -> list[NDArray[np.intp]]:
    """Return positions within ``places``, an hour of the clock together; less where there are few hours."""
    span = float(places[-1] - places[0] + 1) * step_seconds
    block = min(BLOCK_SECONDS, max(step_seconds, span / BLOCKS_MIN))
    _, begins = np.unique((places * step_seconds // block).astype(np.int64), return_index=True)
    return np.split(np.arange(places.size), begins[1:])


def _resampled(blocks: list[NDArray[np.intp]], rng: np.random.Generator) -> NDArray[np.intp]:
    drawn = rng.integers(len(blocks), size=len(blocks))
    return np.concatenate([blocks[index] for index in drawn])


# -- by the SLO ------------------------------------------------------------------------------------


def _by_slo(
    seen: Observed,
    places: NDArray[np.intp],
    each: Floats,
    blocks: list[NDArray[np.intp]],
    rng: np.random.Generator,
) -> CapacityFit:
    assert seen.violated is not None  # noqa: S101  the caller has looked
    violated = seen.violated[places] > 0.0
    in_flight = None if seen.in_flight is None else seen.in_flight[places] / seen.ready[places]
    if violated.all():
        raise TooLittleDataError(
            "the SLO was broken in every step, so that nothing shows what a replica carries within it; "
            "give a range with less load, or check the limit of --slo"
        )
    most = float(np.quantile(each[~violated], QUANTILE_MOST))
    found = _threshold(each, violated)
    if np.count_nonzero(violated & (each > found)) < VIOLATIONS_MIN:
        return CapacityFit(
            requests_per_second=most,
            low=most,
            high=None,
            method=Method.SLO,
            most_carried=most,
            steps=places.size,
            is_at_least=True,
            in_flight=_in_flight_at(each, in_flight, most),
        )
    if np.count_nonzero(~violated & (each < found)) < VIOLATIONS_MIN:
        raise TooLittleDataError(
            f"the SLO was broken more often than it held from {found:.4g} requests/s a replica on, and "
            f"held in fewer than {VIOLATIONS_MIN} steps with less, so that nothing shows what a replica "
            "carries within it; give a range with less load, or check the limit of --slo"
        )
    drawn = []
    for _ in range(RESAMPLES):
        chosen = _resampled(blocks, rng)
        if violated[chosen].any() and not violated[chosen].all():
            drawn.append(_threshold(each[chosen], violated[chosen]))
    low, high = (float(one) for one in np.quantile(drawn, (0.05, 0.95)))
    return CapacityFit(
        requests_per_second=found,
        low=min(low, found),
        high=max(high, found),
        method=Method.SLO,
        most_carried=most,
        steps=places.size,
        in_flight=_in_flight_at(each, in_flight, found),
    )


def _threshold(each: Floats, violated: Booleans) -> float:
    """Return the load that parts kept from broken steps with the fewest on the wrong side.

    That is where a monotone regression of "broken" on load (isotonic, Ayer et al. 1955) crosses one half. Of
    loads that part equally well, the middle: the SLO broke somewhere between them. The least load where it was
    broken more often from there on, the largest where it never was.
    """
    order = np.argsort(each, kind="stable")
    loads, broken = each[order], violated[order]
    gain = np.concatenate([[0], np.cumsum(np.where(broken, -1, 1))])
    # Equal loads stay together.
    is_between = np.concatenate([[True], loads[1:] > loads[:-1], [True]])
    best = int(np.argmax(np.where(is_between, gain, -1)))
    if best == 0:
        return float(loads[0])
    if best == loads.size:
        return float(loads[-1])
    return float((loads[best - 1] + loads[best]) / 2.0)


def _in_flight_at(each: Floats, in_flight: Floats | None, load: float) -> float | None:
    """Return the median of requests in flight on a replica at about this load."""
    if in_flight is None:
        return None
    near = np.isfinite(in_flight) & (np.abs(each - load) <= 0.1 * load)
    return float(np.median(in_flight[near])) if near.sum() >= VIOLATIONS_MIN else None


# -- by requests in flight -------------------------------------------------------------------------


def _carried(seen: Observed) -> Floats:
    """Return the requests a second that were answered: what came, less what stayed.

    While requests pile up, more come than are carried, and Little's law is about those carried.
    """
    assert seen.in_flight is not None  # noqa: S101  the caller has looked
    piled_up = np.diff(seen.in_flight, prepend=np.nan) / seen.step_seconds
    return np.where(np.isfinite(piled_up), seen.rate - piled_up, np.nan)


def _by_line(seen: Observed, places: NDArray[np.intp], rng: np.random.Generator) -> CapacityFit:
    assert seen.in_flight is not None  # noqa: S101  the caller has looked
    carried = _carried(seen)[places] / seen.ready[places]
    is_moving = carried > 0.0
    places, each = places[is_moving], carried[is_moving]
    if places.size < STEPS_MIN:
        raise TooLittleDataError(
            "hardly a request was answered in settled steps; give another range"
        )
    blocks = _blocks(places, seen.step_seconds)
    speed = each * seen.ready[places] / seen.in_flight[places]
    line = _line(each, speed)
    found = line.capacity
    if found is None or found <= 0.0:
        raise TooLittleDataError("no load was seen to be served well; give another range")
    drawn = []
    for _ in range(RESAMPLES):
        chosen = _resampled(blocks, rng)
        capacity = _line(each[chosen], speed[chosen]).capacity
        if capacity is not None:
            drawn.append(capacity)
    low, high = (float(one) for one in np.quantile(drawn, (0.05, 0.95)))
    # Where loads hardly differ, or no line falls with them, the most that was carried is all there is.
    is_at_least = found > BEYOND * line.most or found == line.most
    told = min(found, line.most) if is_at_least else found
    near = _in_flight_at(each, 1.0 / speed * each, told)
    return CapacityFit(
        requests_per_second=told,
        low=min(low, told),
        high=None if is_at_least else max(high, told),
        method=Method.IN_FLIGHT,
        most_carried=line.most,
        steps=places.size,
        is_at_least=is_at_least,
        in_flight=near,
    )


def _line(each: Floats, speed: Floats) -> Line:
    """Return the sums that ``Line`` learns from, over all steps alike, its extremes as quantiles."""
    fastest = float(np.quantile(speed, QUANTILE_MOST))
    is_well = speed * STRETCH > fastest
    most = float(np.quantile(each[is_well], QUANTILE_MOST)) if is_well.any() else 0.0
    return Line(
        weight=float(each.size),
        x=float(each.sum()),
        u=float(speed.sum()),
        xx=float((each * each).sum()),
        xu=float((each * speed).sum()),
        fastest=fastest,
        most=most,
    )
