"""Deployments that serve the same traffic on different shapes, compiled from ``kind: Group``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One deployment of a group, by its full name.

    ``requests_per_second`` is what one of its replicas carries within the SLO; ``None``: as its own
    ``capacity`` rule has learned it. ``usd_an_hour`` is what one of its replicas costs; ``None``: its
    accelerators at the fleet's prices. While either is unknown, the member keeps what it has.
    """

    deployment: str
    requests_per_second: float | None = None
    usd_an_hour: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Members whose demand is met together, by the cheapest mix; their order breaks ties.

    ``horizon_seconds``: over how long a cheaper mix must pay for the switch to it.
    ``miss_price_ratio``: what a second of load that no replica serves costs, in times of what serving it costs
    on the cheapest member.
    """

    name: str
    members: tuple[Member, ...]
    horizon_seconds: float = 3600.0
    miss_price_ratio: float = 20.0
    origin: str = ""
