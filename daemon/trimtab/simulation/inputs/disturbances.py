"""What goes wrong besides the load: metrics that stop, replicas that take longer to start.

Plain values in the fields that ``simulation/scenario.py`` has for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from trimtab.simulation.inputs.input_error import unknown_name

if TYPE_CHECKING:
    from trimtab.plant.start_times import StartTimes

OUTAGE_SECONDS_MAX = 1800.0
"""No outage lasts longer than half an hour, and all of them together a tenth of the span at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What goes wrong, in seconds since the start.

    ``metric_gaps``: from when until when no metrics come. ``start_changes``: from when on replicas
    that are asked for start otherwise.
    """

    metric_gaps: tuple[tuple[float, float], ...] = ()
    start_changes: tuple[tuple[float, StartTimes], ...] = ()


NOTHING = Disturbance()

DISTURBANCES = {
    "metric-outage": "metrics stop three times, for up to half an hour, at times nobody knows",
    "slower-starts": "halfway through, replicas begin to take twice as long to start",
}
"""What can be asked for by name, and what it is."""


def disturbance(
    name: str, *, start_times: StartTimes, span_seconds: float, seed: int = 0
) -> Disturbance:
    """Return the disturbance of this name for a run of this span.

    The seed moves the outages; the same seed gives the same ones. Raises ``InputError`` for a name
    that there is not.
    """
    if name == "metric-outage":
        return Disturbance(metric_gaps=_outages(span_seconds, seed))
    if name == "slower-starts":
        doubled = start_times.with_lead_time(2.0 * start_times.lead_time_seconds)
        return Disturbance(start_changes=((span_seconds / 2.0, doubled),))
    raise unknown_name("disturbance", name, DISTURBANCES)


def _outages(span_seconds: float, seed: int) -> tuple[tuple[float, float], ...]:
    """One outage in each third of the span, so that none runs into the next."""
    rng = Random(f"metric-outage/{seed}")  # noqa: S311  not secrets
    third = span_seconds / 3.0
    gaps = []
    for number in range(3):
        longest = min(OUTAGE_SECONDS_MAX, third / 10.0)
        lasts = rng.uniform(longest / 6.0, longest)
        begin = number * third + rng.uniform(0.1 * third, 0.9 * third - longest)
        gaps.append((round(begin, 3), round(begin + lasts, 3)))
    return tuple(gaps)
