"""A past that others recorded, lived through before the first decision that needs it.

Of the last day every tick is replayed, as if it had been lived: books, forecasts and how good they were. Of what
lies before only the daily and the weekly curve are learned, to the same numbers: replaying costs a hundred times
as much, and books look back a few days at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trimtab.core.forecast.cells import TICK_SECONDS, Heard, hear
from trimtab.core.forecast.experience import Experience
from trimtab.core.forecast.known import Known
from trimtab.core.forecast.learning import EARLY_TICKS, RunningBin, learn_curves, learned, unlived
from trimtab.core.past import PastValue, Span

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from trimtab.core.forecast.terms import Terms

REPLAYED_SECONDS: Final = 86_400.0
"""How much of the past is replayed; what lies before is learned as curves alone."""

SPANS: Final = (Span(14 * 86_400.0, 300.0), Span(REPLAYED_SECONDS, 60.0))
"""Two weeks, so that each day of the week was seen twice, in the steps of the daily curve; the last day
finer, since the spare that it took is learned from it."""

COLD_TICKS: Final = 240
"""Who has lived an hour knows more of the last one than a server tells. Less is not worth a beginning either."""

BEHIND_SECONDS: Final = 120.0
"""A past that ends longer than this before what was lived is too old to go on from."""

REPLAYED_A_PIECE: Final = 8
CURVES_A_PIECE: Final = 400
"""Ticks of about a millisecond."""


def is_cold(known: Known | None) -> bool:
    """Whether too little was lived to be worth keeping against a past."""
    return known is None or known.experience is None or known.experience.tally.ticks < COLD_TICKS


def loads_of(
    past: Mapping[str, Sequence[PastValue]],
    capacities: Mapping[str, float],
    factor: float,
    most: float,
) -> list[PastValue]:
    """Return the load in replicas, at ``most`` that: each signal over what one replica carries, added up.

    Known only where every signal is: of the others the value counts that held at a time of the first.
    """
    if not capacities:
        return []
    first, *others = capacities
    loads: list[PastValue] = []
    places = dict.fromkeys(others, 0)
    for time, value, held in past.get(first, ()):
        load: float | None = value / capacities[first]
        for name in others:
            series, place = past.get(name, ()), places[name]
            while place < len(series) and series[place].time < time:
                place += 1
            places[name] = place
            if place == len(series) or series[place].time - series[place].held_seconds >= time:
                load = None
                break
            assert load is not None  # noqa: S101  for the type checker
            load += series[place].value / capacities[name]
        if load is not None:
            loads.append(PastValue(time, min(load * factor, most), held))
    return loads


def live_through(
    loads: Iterable[PastValue], terms: Terms, replayed_from: float
) -> Generator[None, None, tuple[Heard | None, Experience | None]]:
    """Learn from ``loads``, in order of time, in pieces of a millisecond; return where that leads.

    Ticks that end after ``replayed_from`` (UTC seconds) are replayed under ``terms``.
    """
    heard: Heard | None = None
    experience: Experience | None = None
    before = unlived(terms)
    arrays, running = before.copied(), RunningBin()
    work = 0
    for time, load, held in loads:
        heard, cells = hear(heard or Heard(time - held), time, load, held)
        for cell in cells:
            if experience is None and cell.end <= replayed_from:
                running = learn_curves(arrays, running, cell.load, cell.end)
                work += REPLAYED_A_PIECE
            else:
                if experience is None:
                    tally = before.tally._replace(
                        at=running.at,
                        bin=running.bin,
                        bin_total=running.total,
                        bin_ticks=running.ticks,
                    )
                    experience = Experience(tally, arrays)
                experience = learned(experience, cell.end, cell.load, terms)
                work += CURVES_A_PIECE
            if work >= REPLAYED_A_PIECE * CURVES_A_PIECE:
                work = 0
                yield
    return heard, experience


def joined(primed: Known, known: Known) -> Known | None:
    """Return ``primed`` with what was lived meanwhile; ``None`` where that is worth more, or newer.

    The past ends about where living has come to, as whoever tells of it goes on until then. What only
    living tells is kept: what a replica carries, what was really missed, the age of data; and the count
    that is wanted, until the next tick.
    """
    past, lived = primed.experience, known.experience
    if past is None or not is_cold(known):
        return None
    heard = primed.heard
    if known.heard is not None:
        if past.tally.at < known.heard.until - BEHIND_SECONDS:
            return None
        if heard is None or known.heard.until > heard.until:
            heard = known.heard
        heard = heard._replace(age_seconds=known.heard.age_seconds)
    tally = past.tally._replace(offered=0.0, missed=0.0)
    early_ticks = EARLY_TICKS
    if lived is None:
        tally = tally._replace(wanted=max(tally.wanted, float(known.at_first)))
    else:
        tally = tally._replace(
            offered=lived.tally.offered,
            missed=lived.tally.missed,
            judgement=lived.tally.judgement,
            wanted=lived.tally.wanted,
        )
        early_ticks -= lived.tally.ticks
    now = tally.at if heard is None else max(tally.at, heard.until)
    kept_until = None if early_ticks <= 0 else now + early_ticks * TICK_SECONDS
    return Known(
        known.at_first,
        heard,
        Experience(tally, past.arrays),
        known.line,
        known.trim,
        known.mix if known.mix.work_seconds > 0.0 else primed.mix,
        kept_until,
    )
