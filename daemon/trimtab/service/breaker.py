"""Circuit breaker: leave a dependency alone that fails, and find out soon when it is well again.

Pure: time (a monotonic clock's seconds) and chance are handed in. The three states and everything
that leads from one to another, as a table that the code below is made of:

==========  ==================  ===========  ==========================================================
state       event               next state   when
==========  ==================  ===========  ==========================================================
CLOSED      TOO_MANY_FAILURES   OPEN         ``failures_max`` failures within ``window_seconds`` and no
                                             success between them
OPEN        COOLED              HALF_OPEN    somebody asks after the pause; that call is the probe
HALF_OPEN   PROBE_SUCCEEDED     CLOSED
HALF_OPEN   PROBE_FAILED        OPEN         the pause is twice as long, up to ``OPENED.seconds_max``
HALF_OPEN   PROBE_LOST          HALF_OPEN    the probe said nothing for ``PROBE_SECONDS_MAX``, or was
                                             given up: the next call is the probe
==========  ==================  ===========  ==========================================================

An event that is not in the table for a state cannot happen there. Calls are numbered by the period in
which they began, so that what comes back late from a period that is over changes nothing.

A dependency that is well again is asked at most ``OPENED.seconds_max`` (30 s) after the last failure, or
at the asker's next turn after that. Refusing is all that a breaker does: it answers nothing in the
dependency's place, so that what was known stays as old as it is.

After M. Nygard, Release It! (2007); the table is in the manner of h11's state machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from trimtab.errors import InvariantViolation
from trimtab.service.backoff import Pace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random


class CircuitState(StrEnum):
    """As with an electric circuit, closed is when things work. It is a metric label."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitEvent(StrEnum):
    """What leads from state to state."""

    TOO_MANY_FAILURES = "too_many_failures"
    COOLED = "cooled"
    PROBE_SUCCEEDED = "probe_succeeded"
    PROBE_FAILED = "probe_failed"
    PROBE_LOST = "probe_lost"


TRANSITIONS: Mapping[CircuitState, Mapping[CircuitEvent, CircuitState]] = MappingProxyType(
    {
        CircuitState.CLOSED: {CircuitEvent.TOO_MANY_FAILURES: CircuitState.OPEN},
        CircuitState.OPEN: {CircuitEvent.COOLED: CircuitState.HALF_OPEN},
        CircuitState.HALF_OPEN: {
            CircuitEvent.PROBE_SUCCEEDED: CircuitState.CLOSED,
            CircuitEvent.PROBE_FAILED: CircuitState.OPEN,
            CircuitEvent.PROBE_LOST: CircuitState.HALF_OPEN,
        },
    }
)

OPENED = Pace(first_seconds=5.0, seconds_max=30.0)
"""How long an open circuit refuses everything."""

PROBE_SECONDS_MAX = 30.0
"""A probe that says nothing for so long does not keep others from asking."""


class Heard(StrEnum):
    """What a call said about the dependency. ``NOTHING``: it was given up, or told to come later."""

    WELL = "well"
    FAILING = "failing"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How many failures within how many seconds are too many."""

    failures_max: int
    window_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A dependency's circuit. ``since`` and ``until`` are monotonic seconds.

    ``period`` numbers the time since the last change, ``openings`` counts those in a row, ``failures``
    are the times of those since the last success. ``until`` is when an open circuit may be probed; in a
    half-open one it is when the probe counts as lost, ``None``: there is none under way.
    """

    tolerance: Tolerance
    since: float
    state: CircuitState = CircuitState.CLOSED
    failures: tuple[float, ...] = ()
    openings: int = 0
    period: int = 0
    until: float | None = None


def refuses_for(breaker: Breaker, now: float) -> float | None:
    """Return for how many seconds no call is admitted any more; ``None`` when one is now."""
    if breaker.state is CircuitState.CLOSED or breaker.until is None or now >= breaker.until:
        return None
    return breaker.until - now


def admit(breaker: Breaker, now: float) -> Breaker | None:
    """Begin a call, numbered by the ``period`` of what is returned; ``None``: it is refused."""
    if refuses_for(breaker, now) is not None:
        return None
    if breaker.state is CircuitState.CLOSED:
        return breaker
    is_open = breaker.state is CircuitState.OPEN
    event = CircuitEvent.COOLED if is_open else CircuitEvent.PROBE_LOST
    return _next(breaker, event, now, until=now + PROBE_SECONDS_MAX)


def hear(breaker: Breaker, period: int, heard: Heard, now: float, random: Random) -> Breaker:
    """Take in how a call ended that began in ``period``."""
    if period != breaker.period:
        return breaker
    if breaker.state is CircuitState.HALF_OPEN:
        return _hear_probe(breaker, heard, now, random)
    if heard is Heard.NOTHING:
        return breaker
    if heard is Heard.WELL:
        return replace(breaker, failures=())
    window = breaker.tolerance.window_seconds
    failures = (*(at for at in breaker.failures if now - at < window), now)
    if len(failures) < breaker.tolerance.failures_max:
        return replace(breaker, failures=failures)
    return _open(breaker, CircuitEvent.TOO_MANY_FAILURES, now, random)


def _hear_probe(breaker: Breaker, heard: Heard, now: float, random: Random) -> Breaker:
    match heard:
        case Heard.WELL:
            closed = _next(breaker, CircuitEvent.PROBE_SUCCEEDED, now)
            return replace(closed, openings=0)
        case Heard.FAILING:
            return _open(breaker, CircuitEvent.PROBE_FAILED, now, random)
        case Heard.NOTHING:
            return _next(breaker, CircuitEvent.PROBE_LOST, now)


def _open(breaker: Breaker, event: CircuitEvent, now: float, random: Random) -> Breaker:
    openings = breaker.openings + 1
    until = now + OPENED.wait_seconds(openings, random)
    return replace(_next(breaker, event, now, until=until), openings=openings)


def _next(
    breaker: Breaker, event: CircuitEvent, now: float, *, until: float | None = None
) -> Breaker:
    state = TRANSITIONS[breaker.state].get(event)
    if state is None:
        raise InvariantViolation(f"a circuit that is {breaker.state} cannot hear {event}")
    return replace(
        breaker,
        state=state,
        since=breaker.since if state is breaker.state else now,
        failures=(),
        period=breaker.period + 1,
        until=until,
    )
