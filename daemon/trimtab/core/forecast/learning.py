"""One tick: what was learned so far and the load of one cell give what is known then."""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from trimtab.core.forecast import prediction, price, replay, seasons
from trimtab.core.forecast.curve import miss_share
from trimtab.core.forecast.experience import Arrays, Experience, Tally, counts_size, numbers_size
from trimtab.core.forecast.settings import wanted
from trimtab.core.forecast.start_values import COST, MISSED, WEIGHT_TICKS

if TYPE_CHECKING:
    from trimtab.core.forecast.judgement import Judgement
    from trimtab.core.forecast.terms import Terms

SMOOTHING: Final = 0.6
"""How much of a tick's load the requests in service feel within it."""

EARLY_TICKS: Final = 60
"""Fifteen minutes, in which nothing is let go."""

LOAD_MIN: Final = 0.25
"""Replicas: start values weigh as if there had been this much load at least."""


CURABLE_LOAD: Final = 0.5
"""Below this load of each replica, requests miss the SLO for reasons that no replica cures."""


def learned(before: Experience | None, at: float, load: float, terms: Terms) -> Experience:
    """Return what is known after a cell that ended at ``at`` (UTC seconds) with ``load`` replicas of work."""
    before = before or unlived(terms)
    tally = before.tally
    ticks = tally.ticks
    arrays = _continued(before, terms.lead_ticks)
    if ticks == 0:
        prediction.begin(arrays, load)
    running = learn_curves(
        arrays, RunningBin(tally.at, tally.bin, tally.bin_total, tally.bin_ticks), load, at
    )
    outlook, variance, season = prediction.predict(arrays, tally, load, at)
    seasons.learn_hour(arrays, at, load)
    counts = wanted(outlook, terms.lower, terms.upper)
    if ticks == 0:
        replay.begin(arrays, counts)
        tally = tally._replace(smooth=load, weighed=_price_in(arrays, load))
    smooth = tally.smooth + SMOOTHING * (load - tally.smooth)
    is_early = ticks < EARLY_TICKS or terms.is_early
    held = replay.hold(arrays, ticks, counts, terms.at_first if is_early else 0.0)
    booked = replay.book(arrays, held, load, smooth, fade=price.FADE, upper=terms.upper)
    voters = price.voters(arrays)
    promised = None if is_early or not terms.is_followed else price.mean(booked, voters)
    counted = _counted(tally, load, smooth, terms, promised)
    price_log, chosen = tally.price_log, tally.chosen
    if ticks % price.SEARCH_TICKS == 0:
        price_log, chosen = _chosen(arrays, tally._replace(**counted._asdict()), terms)
        voters = price.voters(arrays)
    # Made whole: to have it replace most of its numbers takes three times as long.
    after = Tally(
        at=at,
        ticks=ticks + 1,
        load=load,
        smooth=smooth,
        variance=variance,
        bin=running.bin,
        bin_total=running.total,
        bin_ticks=running.ticks,
        weighed=counted.weighed,
        offered=counted.offered,
        missed=counted.missed,
        price_log=price_log,
        chosen=chosen,
        wanted=price.mean_held(held, voters),
        forecast=outlook.forecast,
        spread=outlook.spread,
        seasonal=season,
        judgement=counted.judgement,
    )
    return Experience(after, arrays)


def unlived(terms: Terms) -> Experience:
    """Return what is known before the first tick."""
    return Experience(Tally(price_log=log(min(30.0, terms.ceiling))), _new(terms.lead_ticks))


class Counted(NamedTuple):
    """What a tick changes of what a ``Tally`` has added up."""

    weighed: float
    offered: float
    missed: float
    judgement: Judgement


def _counted(
    tally: Tally, load: float, smooth: float, terms: Terms, promised: float | None
) -> Counted:
    """Return what was offered and missed with one tick more, and what that says of the replay.

    The replay is judged by what it booked for the settings that decide (``promised``, replica-seconds in
    ticks). Where somebody else decided, only by what it would have booked for what really served, if misses are told.
    """
    missed_share, is_told = _missed_share(smooth, terms)
    judgement = tally.judgement
    if promised is None and is_told:
        promised = load * miss_share(smooth, terms.serving)
    if (
        promised is not None
        and not terms.is_past
        and not terms.is_surprised
        and terms.serving < terms.upper
    ):
        judgement = judgement.seeing(load, load * missed_share, promised)
    return Counted(
        weighed=price.FADE * tally.weighed + load,
        offered=price.FADE * tally.offered + load,
        missed=price.FADE * tally.missed + load * missed_share,
        judgement=judgement,
    )


def _missed_share(smooth: float, terms: Terms) -> tuple[float, bool]:
    """Return the share of the tick's requests that was missed, and whether that was told.

    With all replicas serving that there may be, misses are nobody's choice: they cost no budget. Nor
    are those of replicas that are half idle: more of them would miss as much.
    """
    if terms.is_past:
        return price.BUDGET_SHARE * (1.0 - terms.attainment), False
    if terms.serving >= terms.upper:
        return 0.0, False
    if terms.missed_share is None or smooth < CURABLE_LOAD * terms.serving:
        felt = smooth if terms.occupied is None else max(smooth, terms.occupied)
        return miss_share(felt, terms.serving), False
    return terms.missed_share, True


def _chosen(arrays: Arrays, tally: Tally, terms: Terms) -> tuple[float, int]:
    """Look for the price; return its logarithm, and the setting that is best at what is paid."""
    days = tally.ticks / price.TICKS_A_DAY
    ceiling = price.highest(terms.ceiling, days)
    allowed = price.budget(tally, terms.attainment) * tally.weighed
    asked = price.found(arrays, allowed, ceiling)
    paid_log = min(price.smoothed(tally.price_log, asked, tally.ticks), log(ceiling))
    return paid_log, price.weigh(arrays, exp(paid_log))


class RunningBin(NamedTuple):
    """The running bin of the daily curve, as ``Tally`` has it, and the end of the last cell."""

    at: float = 0.0
    bin: int = -1
    total: float = 0.0
    ticks: int = 0


def learn_curves(arrays: Arrays, running: RunningBin, load: float, at: float) -> RunningBin:
    """Collect the load for the curves; a bin is learned when the next one begins."""
    position = seasons.day_bin(at)
    if position == running.bin:
        return RunningBin(at, position, running.total + load, running.ticks + 1)
    if running.ticks:
        mean = running.total / running.ticks
        seasons.learn_bin(arrays.day, arrays.day_seen, running.bin, mean, seasons.DAY_SHARE)
        week = seasons.week_bin(running.at)
        share = seasons.WEEK_SHARE / 3.0  # three bins of the day fall into one of the week
        seasons.learn_bin(arrays.week, arrays.week_seen, week, mean, share)
    return RunningBin(at, position, load, 1)


def _new(lead_ticks: int) -> Arrays:
    numbers = np.zeros(numbers_size(lead_ticks))
    counts = np.zeros(counts_size(lead_ticks), dtype=np.float32)
    return Arrays(numbers, counts, lead_ticks)


def _price_in(arrays: Arrays, load: float) -> float:
    """Begin the books with what deployments have come to elsewhere; return with what weight, in replicas."""
    weight = WEIGHT_TICKS * max(LOAD_MIN, load)
    np.multiply(COST, weight, out=arrays.cost)
    np.multiply(MISSED, weight, out=arrays.missed)
    return weight


def _continued(experience: Experience, lead_ticks: int) -> Arrays:
    """Return its arrays as a copy that may be changed, with rings as long as the lead time is now.

    Of a ring that becomes longer, the oldest row is taken to have been there before, too.
    """
    if lead_ticks == experience.lead_ticks:
        return experience.copied()
    before, ticks = experience.arrays, experience.tally.ticks
    arrays = _new(lead_ticks)
    for name in _KEPT:
        getattr(arrays, name)[:] = getattr(before, name)
    for age in range(1, lead_ticks + 1):
        source = (ticks - min(age, before.lead_ticks)) % before.lead_ticks
        arrays.made[(ticks - age) % lead_ticks] = before.made[source]
        arrays.held[(ticks - age) % lead_ticks] = before.held[source]
    return arrays


_KEPT: Final = (
    *("levels", "losses", "day", "day_seen", "week", "week_seen", "hour", "hour_seen"),
    *("cost", "missed", "backlog", "weights", "recent", "blocks"),
)
