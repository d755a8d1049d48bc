"""Load as deployments have it: a day's curve, each at another hour, quieter weekends, bursts and noise.

A function of time and deployment alone: whoever asks, in whatever order, hears the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import pi, sin

from trimtab.clock import Clock
from trimtab.core.signals import Sample, SignalSpec

DAY_SECONDS = 86_400.0
BURST_SHARE = 0.01
"""Of all hours of all deployments: the load is half as high again."""

IN_FLIGHT_PER_REQUEST = 4.0
"""Requests that are being served for each one that comes in a second."""


def requests(number: int, now: float) -> float:
    """Return the requests a second of the deployment of that number; ``now`` in UTC seconds."""
    days = now / DAY_SECONDS + _share(number, 1)
    curve = 0.55 + 0.45 * sin(2 * pi * days)
    if int(days) % 7 >= 5:
        curve *= 0.6
    if _share(number, 2, int(now // 3600)) < BURST_SHARE:
        curve *= 1.5
    noise = 0.95 + 0.1 * _share(number, 3, int(now // 60))
    return (5.0 + 35.0 * _share(number, 4)) * curve * noise


def served(number: int, now: float) -> float:
    """Return a counter of requests that grows as the load on average does, and begins anew each day."""
    return (20.0 + 10.0 * _share(number, 4)) * (now % DAY_SECONDS)


def _share(*numbers: int) -> float:
    """Return something between 0 and 1 that looks random and is always the same."""
    mixed = 0x9E3779B97F4A7C15
    for number in numbers:
        mixed = (mixed ^ number) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        mixed ^= mixed >> 31
    return mixed / 2**64


class Gauges:
    """A source that is asked, as Prometheus is: requests in flight, over all replicas."""

    name, endpoint = "gauges", "memory"

    def __init__(self, clock: Clock, *, interval_seconds: float) -> None:
        self._clock = clock
        self.interval_seconds = interval_seconds

    def serves(self, _: str) -> bool:
        return True

    async def poll(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        now = self._clock.now()
        return [
            Sample(name, one.name, now, IN_FLIGHT_PER_REQUEST * requests(number_of(name), now))
            for name, specs in wanted.items()
            for one in specs
        ]

    async def close(self) -> None:
        pass


def number_of(deployment: str) -> int:
    """Return the number in a deployment's name."""
    return int(deployment.rpartition("/d")[2])
