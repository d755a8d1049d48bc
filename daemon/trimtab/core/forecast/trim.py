"""What one replica was given to carry, corrected by what it is seen to carry.

Longer prompts or answers make a request more work, shorter ones less, and the rate of requests shows nothing of
it. So a factor on the load is kept: how much more work a request is than the given capacity says.

Where the share of requests within the SLO is told, that decides. Misses though the load, as it is believed to
be, is below the capacity of what serves mean that the capacity is wrong, not the forecast: those came who were expected, and
were served late. No misses at loads that should have some mean that it is too low. Both are one estimate:
the factor at which the curve of misses over load (``curve.miss_share``) comes to as many as were missed. Misses
grow with the 16th power of load, so the 16th root of how many times too many there are is how far the factor is off.

Misses that the believed load explains tell nothing: with too few replicas, or the queue they left behind, all is
missed, whatever one carries. Where all is missed and nothing explains it, answers cannot be later than late, but
requests pile up: of those that came, the share that did not go again is how far load exceeds what replicas get through.
Where none pile up any more, as queues are full, the load is taken to be twice what serves: who doubles a size
that he does not know is there in a few steps, and never at more than twice of it.

Where misses are not told, requests in flight are compared with what the load should come to. How they grow with
load differs between models and mixes of requests: more work is believed on the strength of that, less is not.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Self

from trimtab.core.forecast.cells import TICK_SECONDS
from trimtab.core.forecast.curve import (
    BACKLOG_MISSED_TICKS,
    BACKLOG_TICKS_MAX,
    CURVE_POWER,
    MISS_AT_CAPACITY,
    MISS_LOAD_MAX,
    OVERFLOW,
)
from trimtab.core.forecast.occupancy import load_of

BOUNDS: Final = (0.5, 5.0)
"""From twice of what was given to a fifth: what is beyond is no correction, but another deployment."""

POOL_FADE: Final = 1.0 - 1.0 / 10.0
"""Misses are compared over two or three minutes, by 1/e."""

DOUBT_SHARE: Final = 0.005
DOUBT_REQUESTS: Final = 0.5
"""So many misses, the larger of the two, are added to those that were and to those that should have been: a few
say little, and none at a load that should have few says nothing."""

HEAVIER_SHARE: Final = 0.25
"""Late answers are late now: the factor rises to what they tell within a minute or two."""

LIGHTER_SHARE: Final = 1.0 / 120.0
"""Saving can wait: it falls within half an hour."""

FULL_SHARE: Final = 1.0 / 12.0
"""Replicas that are full without a reason are believed within minutes."""

CALM_TICKS: Final = 4.0
CALM_TICKS_MAX: Final = 24.0
"""Misses are laid to the capacity a minute after an overload is over, and as long as a request stays; at most
six minutes."""

TAIL_TICKS: Final = 20.0
FALLING: Final = 0.98
"""For five minutes after an overload shares are taken for what is left of it, as queries look back; but for all
that is missed, and no less than before."""

DRAINING: Final = 0.95
LEVEL_SHARE: Final = 0.25
"""In flight so much less than in the last minute: a queue is being cleared, and late for that."""

LOST_SHARE: Final = 0.9
LOST_TICKS: Final = 4.0
"""All is missed: from so much on, for a minute."""

PILED_MIN: Final = 0.02
PILED_MAX: Final = 0.75
PILING_MISSED: Final = 0.05
"""From two of a hundred requests on, at most three of four, that pile up in flight while more than 5 % are missed."""

UNSEEN_TICKS: Final = 8.0
DOUBLED: Final = 2.0
"""Where none pile up it is doubled, after two minutes."""

BUSY_LOAD: Final = 0.5
"""Below this load of each replica, requests miss the SLO for reasons that no replica cures."""

IN_FLIGHT_LOADS: Final = (0.5, 1.15)
"""In flight tells how much work there is where replicas are at least half busy, and no queue has formed."""

FINE_SHARE: Final = 0.01
"""With fewer missed than this, what is in flight may show that requests are no longer as heavy."""

SURPRISED: Final = 1.05
SURPRISE_TICKS: Final = 20.0
"""For five minutes after a capacity turned out to be less by more than this, misses are laid to it alone."""

REQUESTS_UNTOLD: Final = 1000.0
"""A tick whose requests nobody counts weighs as if there had been so many."""


class Seen(NamedTuple):
    """One tick. ``load`` is what the given capacity makes of it, in replicas, of which ``serving`` served.

    ``requests`` are those of the tick, ``in_flight`` those waiting and in service; ``occupied`` is the load that
    the latter tell of, in replicas, and ``stay_ticks`` how long a request is in service. ``missed_share`` is
    the share of requests that missed the SLO. ``None`` is what is not told.
    """

    load: float
    serving: int
    requests: float = REQUESTS_UNTOLD
    in_flight: float | None = None
    occupied: float | None = None
    stay_ticks: float = 0.0
    missed_share: float | None = None

    @classmethod
    def by(
        cls,
        serving: int,
        rate: float | None,
        in_flight: float | None,
        in_flight_at_slo: float | None,
        missed_share: float | None,
    ) -> Self:
        """Return a tick without its load; ``rate`` is requests a second, ``in_flight_at_slo`` of one replica."""
        stay_ticks, occupied, served = 0.0, None, in_flight
        if in_flight is not None and in_flight_at_slo is not None and serving > 0:
            occupied = load_of(in_flight, serving, in_flight_at_slo)
            served = min(in_flight, serving * in_flight_at_slo)  # the others are in a queue
        if served is not None and rate:
            stay_ticks = min(CALM_TICKS_MAX, served / rate / TICK_SECONDS)
        requests = REQUESTS_UNTOLD if rate is None else rate * TICK_SECONDS
        return cls(0.0, serving, requests, in_flight, occupied, stay_ticks, missed_share)

    def of(self, load: float) -> Seen:
        """Return the same tick with this load."""
        return Seen(load, *self[1:])


class Trim(NamedTuple):
    """The load is believed to be ``factor`` times what the given capacity makes of it. The rest leads to that.

    ``requests``, ``missed`` and ``expected``, faded, are of the ticks that tell something: all requests, those
    that missed the SLO, and those that should have if the factor were 1. ``each`` is the untrimmed load of a replica
    over the time that requests stay. ``backlog`` is work that waits by what is believed, in ticks of a
    replica; for ``calm`` ticks there was no overload by what is believed. ``in_flight`` is smoothed over a
    minute, ``in_flight_before`` and ``missed_before`` are of the last tick, ``piled`` is the largest share of a tick's
    requests that stayed in flight since misses began. ``lost``: for how many ticks all was missed and nothing
    explains it; ``surprised``: for how many more the capacity is to blame for what is missed.
    """

    factor: float = 1.0
    requests: float = 0.0
    missed: float = 0.0
    expected: float = 0.0
    each: float = 0.0
    backlog: float = 0.0
    calm: float = CALM_TICKS_MAX + 1.0
    in_flight: float = 0.0
    missed_before: float = 0.0
    lost: float = 0.0
    surprised: float = 0.0
    in_flight_before: float = 0.0
    piled: float = 0.0

    def seeing(self, seen: Seen) -> Trim:
        """Take in one tick."""
        if seen.serving <= 0 or seen.load <= 0.0:
            return self
        lived, is_calm = self._living(seen)
        missed_share = seen.missed_share
        if missed_share is None:
            return _filled(lived, seen, is_calm=is_calm)
        told = _judged(lived, seen, missed_share, is_calm=is_calm)
        return _lightened(told, seen) if missed_share < FINE_SHARE else told

    def _living(self, seen: Seen) -> tuple[Trim, bool]:
        """Return what holds whatever was missed, and whether misses now would be the capacity's fault."""
        now = seen.load / seen.serving
        each = now if self.each <= 0.0 else self.each + (now - self.each) / (1.0 + seen.stay_ticks)
        believed = self.factor * now
        backlog = min(max(0.0, self.backlog + believed - OVERFLOW), BACKLOG_TICKS_MAX)
        is_overload = backlog > BACKLOG_MISSED_TICKS or believed >= MISS_LOAD_MAX
        calm = 0.0 if is_overload else min(self.calm + 1.0, CALM_TICKS_MAX + 1.0)
        there = seen.in_flight or 0.0
        lived = Trim(  # made whole: replacing most of a tuple takes twice as long, here and below
            self.factor,
            self.requests,
            self.missed,
            self.expected,
            each=each,
            backlog=backlog,
            calm=calm,
            in_flight=self.in_flight + LEVEL_SHARE * (there - self.in_flight),
            missed_before=self.missed_before if seen.missed_share is None else seen.missed_share,
            lost=self.lost,
            surprised=max(0.0, self.surprised - 1.0),
            in_flight_before=there,
            piled=self._piled(seen),
        )
        is_calm = calm > min(CALM_TICKS + seen.stay_ticks, CALM_TICKS_MAX)
        if seen.missed_share is not None and calm <= TAIL_TICKS:
            is_calm &= seen.missed_share >= FALLING * self.missed_before
        return lived, is_calm and there >= DRAINING * self.in_flight

    def _piled(self, seen: Seen) -> float:
        if seen.in_flight is None or self.in_flight_before <= 0.0 or seen.requests <= 0.0:
            return 0.0
        now = min(PILED_MAX, max(0.0, (seen.in_flight - self.in_flight_before) / seen.requests))
        return max(now, self.piled) if self.missed_before > PILING_MISSED else now

    @property
    def is_surprised(self) -> bool:
        """Whether a replica turned out to carry less lately: then misses say nothing of forecasts and spare."""
        return self.surprised > 0.0


def _judged(trim: Trim, seen: Seen, missed_share: float, *, is_calm: bool) -> Trim:
    """Learn from the share that was missed."""
    load = min(trim.each, MISS_LOAD_MAX / trim.factor)
    by_curve: float = MISS_AT_CAPACITY * load**CURVE_POWER
    is_more: bool = missed_share > by_curve * trim.factor**CURVE_POWER
    if is_more and _busy(trim, seen) < BUSY_LOAD:
        return trim._replace(lost=0.0)
    lost = _lost(trim, missed_share, is_calm=is_calm)
    true_load = _lost_load(trim, lost)
    if true_load is not None:
        factor = min(BOUNDS[1], max(trim.factor, true_load / trim.each))
        return _anew(trim, lost)._replace(factor=factor, surprised=SURPRISE_TICKS)
    if is_more and not is_calm:
        return _anew(trim, lost)
    if 0.0 < trim.calm <= TAIL_TICKS:
        return trim._replace(lost=lost)
    requests = POOL_FADE * trim.requests + seen.requests
    missed = POOL_FADE * trim.missed + seen.requests * missed_share
    expected = POOL_FADE * trim.expected + seen.requests * by_curve
    told = _told(trim.factor, requests, missed, expected)
    share = HEAVIER_SHARE if told > trim.factor else LIGHTER_SHARE
    return Trim(
        trim.factor + share * (told - trim.factor),
        requests,
        missed,
        expected,
        each=trim.each,
        backlog=trim.backlog,
        calm=trim.calm,
        in_flight=trim.in_flight,
        missed_before=trim.missed_before,
        lost=lost,
        surprised=SURPRISE_TICKS if told > SURPRISED * trim.factor else trim.surprised,
        in_flight_before=trim.in_flight_before,
        piled=trim.piled,
    )


def _told(factor: float, requests: float, missed: float, expected: float) -> float:
    """Return the factor at which as many should have been missed as were."""
    doubt = max(DOUBT_REQUESTS, DOUBT_SHARE * requests)
    expected *= factor**CURVE_POWER
    ratio: float = (missed + doubt) / (expected + doubt)
    low, high = BOUNDS
    root: float = ratio ** (1.0 / CURVE_POWER)
    return min(max(factor * root, low), high)


def _lost(trim: Trim, missed_share: float, *, is_calm: bool) -> float:
    if missed_share < LOST_SHARE or (trim.factor * trim.each < 1.0 and not is_calm):
        return 0.0
    return trim.lost + 1.0 if is_calm or trim.lost > 0.0 else 0.0


def _lost_load(trim: Trim, lost: float) -> float | None:
    """Return the load of a replica that has lost all for so many ticks, once that can be told."""
    if not LOST_TICKS <= lost <= UNSEEN_TICKS:
        return None
    if trim.piled > PILED_MIN:
        return OVERFLOW / (1.0 - trim.piled)
    return DOUBLED if lost == UNSEEN_TICKS else None


def _busy(trim: Trim, seen: Seen) -> float:
    """Return the load of a replica: by what is in flight, else as it is believed to be."""
    if seen.occupied is None:
        return trim.factor * trim.each
    return seen.occupied / seen.serving


def _anew(trim: Trim, lost: float) -> Trim:
    """Return it without the misses so far: what they told is of another time."""
    return trim._replace(requests=0.0, missed=0.0, expected=0.0, lost=lost)


def _following(trim: Trim, told: float, share: float) -> Trim:
    return trim._replace(factor=trim.factor + share * (told - trim.factor))


def _lightened(trim: Trim, seen: Seen) -> Trim:
    """Believe that requests are heavy only for as long as something tells of it.

    Where nobody is late, and few are there who might be, misses say nothing any more.
    """
    if seen.occupied is None or trim.factor <= 1.0:
        return trim
    told = max(1.0, seen.occupied / seen.load)
    return _following(trim, told, LIGHTER_SHARE) if told < trim.factor else trim


def _filled(trim: Trim, seen: Seen, *, is_calm: bool) -> Trim:
    """Learn from what is in flight alone."""
    if seen.occupied is None:
        return trim
    low, high = IN_FLIGHT_LOADS
    busy = seen.occupied / seen.serving
    if busy < low or (busy > high and not is_calm):
        return trim
    told = min(max(seen.occupied / seen.load, 1.0), BOUNDS[1])
    return _following(trim, told, FULL_SHARE if busy > high else LIGHTER_SHARE)
