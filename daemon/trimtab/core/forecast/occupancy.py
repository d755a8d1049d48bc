"""Requests in flight as a measure of load, and what one replica carries, learned from both.

A replica that batches gets slower the more it has in service: the time for a request grows in a straight
line with the batch. By Little's law the requests in flight on one replica are then a hyperbola of its load
(``LOAD_CURVE`` at the SLO), steep near saturation: to steer by their ratio is to overshoot twofold. So
they are turned back into load first.

The same line says what a replica can carry where nobody has: from request rate ``x`` and time in flight
``w`` for each replica, ``1 / w`` falls in a straight line with ``x``, from a lone request's to nothing
at saturation.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LOAD_CURVE: Final = 1.0 / 3.0
"""How far beyond the load at the SLO saturation lies, as a share of it. Fits published points of an 8B
model (25, 53, 86, 126 in flight at 0.5, 0.75, 0.9 and 1.0 of the load at the SLO) within 6 %."""

STRETCH: Final = (1.0 + LOAD_CURVE) / LOAD_CURVE
"""At the SLO a request takes so many times as long as a lone one."""

TOLD_MAX: Final = 1e9
"""Requests: more a second, or in flight, is a broken exporter."""

SAMPLES_MIN: Final = 40.0
"""Ten minutes of ticks, before a capacity is told at all."""

FADE: Final = 1.0 - 1.0 / 5760.0
"""Observations fade by 1/e in a day."""

BEYOND_SEEN: Final = 1.5
"""A capacity is told up to so many times the load that was seen to be served well."""

SPREAD_MIN: Final = 0.08
"""Without loads that differ by this share of their mean there is no line, only a point."""


def load_of(in_flight: float, serving: int, at_slo: float) -> float:
    """Return the load in replicas at which ``serving`` of them have this many requests in flight.

    ``at_slo`` is what one has at the edge of its SLO. Never more than a third above what serves: what
    waits beyond that is a queue, and says how long there has been too much, not how much.
    """
    if serving <= 0:
        return in_flight / at_slo
    each = in_flight / serving / at_slo
    if each <= 0.0:
        return 0.0
    return serving * (1.0 + LOAD_CURVE) / (1.0 + LOAD_CURVE / each)


class Line(NamedTuple):
    """Faded sums over ticks of request rate ``x`` and inverse time in flight ``u`` of a replica.

    ``most`` is the largest load for which requests took less than ``STRETCH`` times the shortest time.
    """

    weight: float = 0.0
    x: float = 0.0
    u: float = 0.0
    xx: float = 0.0
    xu: float = 0.0
    fastest: float = 0.0
    most: float = 0.0

    def seeing(self, rate: float, in_flight: float, serving: int) -> Line:
        """Take in one tick: requests/s and requests in flight, over ``serving`` replicas."""
        is_told = 0.0 < rate <= TOLD_MAX and 0.0 < in_flight <= TOLD_MAX
        if serving <= 0 or not is_told:
            return self
        x, u = rate / serving, rate / in_flight
        fastest = max(self.fastest * FADE, u)
        is_well = u * STRETCH > fastest
        most = self.most * FADE
        return Line(
            weight=FADE * self.weight + 1.0,
            x=FADE * self.x + x,
            u=FADE * self.u + u,
            xx=FADE * self.xx + x * x,
            xu=FADE * self.xu + x * u,
            fastest=fastest,
            most=max(most, x) if is_well else most,
        )

    @property
    def capacity(self) -> float | None:
        """Requests/s that one replica carries at its SLO; ``None`` while too little was seen.

        Where loads hardly differed, what was served well is taken for all that can be: too low rather
        than too high.
        """
        if self.weight < SAMPLES_MIN or self.most <= 0.0:
            return None
        x, u = self.x / self.weight, self.u / self.weight
        variance = max(0.0, self.xx / self.weight - x * x)
        if variance < (SPREAD_MIN * x) ** 2:
            return self.most
        slope = (self.xu / self.weight - x * u) / variance
        lone = u - slope * x
        if slope >= 0.0 or lone <= 0.0:
            return self.most
        saturation = lone / -slope
        return min(saturation * (1.0 - 1.0 / STRETCH), BEYOND_SEEN * self.most)


class Mix(NamedTuple):
    """Work of one request in replica-seconds, from its tokens, smoothed; 0 before anything was told."""

    work_seconds: float = 0.0

    def seeing(self, work: float, rate: float) -> Mix:
        """Take in one tick: work in replicas by the tokens, and requests a second."""
        if rate <= 0.0 or work <= 0.0 or rate > TOLD_MAX:
            return self
        told = work / rate
        if self.work_seconds <= 0.0:
            return Mix(told)
        return Mix(self.work_seconds + MIX_SHARE * (told - self.work_seconds))


MIX_SHARE: Final = 1.0 / 20.0
"""What a request takes is a mean over about five minutes."""
