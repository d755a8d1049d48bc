"""What samples tell of a deployment's load, before anything is learned from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.signals import Per

if TYPE_CHECKING:
    from trimtab.core.forecast.occupancy import Mix
    from trimtab.core.proposals import View
    from trimtab.core.signals import Reading


BY_RATE = "{} {:.4g}, {}capacity {:.4g} a replica"
BY_IN_FLIGHT = "{} {:.4g}, {:.4g} a replica at SLO"
BY_TOKENS = "{} {:.4g} of {:.4g} a replica"
BY_MIX = "{} {:.4g}, {:.3g} replica-seconds each"
"""How to say where a load comes from."""


class Work(NamedTuple):
    """A load in replicas, when it was true, and how to say where it comes from.

    ``words`` are those of ``text``, with places for what was ``told``: mostly nobody asks.
    ``is_by_rate``: what arrives, not what is there. ``mix``: what a request is known to take then.
    """

    time: float
    load: float
    hold_seconds: float
    words: str
    told: tuple[object, ...]
    is_by_rate: bool = True
    mix: Mix | None = None

    @property
    def text(self) -> str:
        """Where the load comes from."""
        return self.words.format(*self.told)


class Sighting(NamedTuple):
    """Requests a second and in flight over the replicas that serve, where both are told."""

    rate: float | None
    in_flight: float | None


def value_of(view: View, name: str, why: list[str]) -> tuple[Reading, float] | None:
    """Return a reading and its value over all replicas; ``None``, and why, where there is none."""
    reading = view.readings[name]
    if reading.value is None:
        why.append(f"{name} is {reading.freshness}")
        return None
    if reading.spec.per is not Per.REPLICA:
        return reading, reading.value
    if view.ready == 0:
        why.append(f"no replica serves, so {name} per replica says nothing")
        return None
    return reading, reading.value * view.ready


def sighting_of(view: View, requests: str | None, in_flight: str | None) -> Sighting:
    """Return what these signals tell over all replicas, as far as they can be used."""
    ignored: list[str] = []
    rate = None if requests is None else value_of(view, requests, ignored)
    there = None if in_flight is None else value_of(view, in_flight, ignored)
    return Sighting(None if rate is None else rate[1], None if there is None else there[1])


def hold_of(reading: Reading) -> float:
    """Return for how many seconds at most a sample stands for the load before it."""
    return reading.spec.max_age_seconds
