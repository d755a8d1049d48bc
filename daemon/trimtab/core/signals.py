"""Load as the core sees it: samples, what a policy expects of a signal, and what can be used now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import NamedTuple


class Sample(NamedTuple):
    """One value of one signal of one deployment; ``time`` is when it was true, in UTC seconds.

    ``replicas`` is how many replicas an average was taken over, where the source knows it: fewer
    than serve means that some of them did not report.
    """

    deployment: str
    signal: str
    time: float
    value: float
    replicas: int | None = None


class Latest(NamedTuple):
    """The newest believable sample of a signal."""

    time: float
    value: float
    replicas: int | None = None


class Per(StrEnum):
    """What a value is counted over."""

    REPLICA = "replica"
    DEPLOYMENT = "deployment"


class OnMissing(StrEnum):
    """What a missing signal does to moves in one direction."""

    IGNORE = "ignore"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSpec:
    """A named series about a deployment, with its freshness contract.

    ``source`` names a source in the settings, ``query`` is in that source's own language.
    """

    name: str
    source: str
    query: str
    max_age_seconds: float
    per: Per = Per.DEPLOYMENT
    missing_up: OnMissing = OnMissing.IGNORE
    missing_down: OnMissing = OnMissing.BLOCK


class Freshness(StrEnum):
    """Whether a signal can be used at this moment."""

    USABLE = "usable"
    STALE = "stale"
    MISSING = "missing"


class Reading(NamedTuple):
    """What is known of one signal now. ``value`` is set exactly when it is usable.

    ``time`` is when the sample was true, in UTC seconds (``age_seconds`` is never below 0, so a
    sample from a clock slightly ahead has no age to tell it by). ``replicas`` is how many replicas an average covers, ``None`` where the source does not say.
    """

    spec: SignalSpec
    freshness: Freshness
    value: float | None = None
    age_seconds: float | None = None
    replicas: int | None = None
    time: float | None = None


_USABLE = Freshness.USABLE  # bound once: Python 3.11 looks members of an enumeration up slowly

FUTURE_TOLERANCE_SECONDS = 5.0
"""A sample from further ahead than this comes from a wrong clock and is not believed."""


def is_believable(value: float) -> bool:
    """Loads are finite and not negative; anything else is a broken exporter, not a load."""
    return isfinite(value) and value >= 0


def read(spec: SignalSpec, latest: Latest | None, now: float) -> Reading:
    """Judge the latest sample of a signal by its contract at ``now``."""
    if latest is None:
        return Reading(spec, Freshness.MISSING)
    age = now - latest.time
    if age > spec.max_age_seconds:
        return Reading(spec, Freshness.STALE, age_seconds=age, time=latest.time)
    time, value, replicas = latest
    return Reading(spec, _USABLE, value, max(0.0, age), replicas, time)
