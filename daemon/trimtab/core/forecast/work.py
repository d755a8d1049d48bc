"""What samples tell of a deployment's load, before anything is learned from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from trimtab.core.forecast.occupancy import Mix


class Work(NamedTuple):
    """A load in replicas, when it was true, and how to say where it comes from.

    ``is_by_rate``: what arrives, not what is there. ``mix``: what a request is known to take then.
    """

    time: float
    load: float
    hold_seconds: float
    text: str
    is_by_rate: bool = True
    mix: Mix | None = None


class Sighting(NamedTuple):
    """Requests a second and in flight over the replicas that serve, where both are told."""

    rate: float | None
    in_flight: float | None
