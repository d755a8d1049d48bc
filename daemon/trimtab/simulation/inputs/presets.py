"""What is simulated unless told otherwise: models on accelerators, with SLO, lead time and price.

The constants of the models are those of ``plant/serving_model.py``; SLOs are the ones that the
published capacities there were measured under.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trimtab.plant.serving_model import SERVING_MODELS, ServingModel, Slo
from trimtab.plant.start_times import StartTimes
from trimtab.simulation.inputs.input_error import InputError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

START_TIMES: dict[float, StartTimes] = {
    start.lead_time_seconds: start
    for start in (
        # The node is there, the image cached, weights come from a local disk.
        StartTimes(pending_seconds=5.0, downloading_seconds=10.0, initializing_seconds=45.0),
        # The node is there; the image is pulled and weights come from an object store.
        StartTimes(pending_seconds=15.0, downloading_seconds=85.0, initializing_seconds=80.0),
        # A node is made first, and a large model loads for minutes.
        StartTimes(pending_seconds=300.0, downloading_seconds=160.0, initializing_seconds=140.0),
    )
}
"""By lead time: 60, 180 and 600 s, in the phases that operators report. Spread (CV 0.3) and failures
(2 %) are those of ``StartTimes``. What is pending is not paid for yet."""

LEAD_SECONDS = tuple(START_TIMES)

LEAD_SECONDS_DEFAULT = 180.0

H100_USD_PER_HOUR = 7.00
A100_USD_PER_HOUR = 3.89
"""Published on-demand prices of an accelerator: H100 in 2026, A100 in 2024, when it was last listed
(fireworks.ai/pricing)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One model on its hardware: all that a simulated deployment needs besides its load.

    ``usd_per_accelerator_hour`` is ``None`` where the price is unknown, which is not free.
    """

    name: str
    model: ServingModel
    slo: Slo
    start_times: StartTimes
    accelerator: str
    accelerators_per_replica: int = 1
    usd_per_accelerator_hour: float | None = None

    def with_lead_time(self, seconds: float) -> Preset:
        """Return the same preset whose replicas take ``seconds`` to start, if all goes as usual."""
        return replace(self, start_times=start_times_of(seconds, like=self.start_times))


def start_times_of(seconds: float, *, like: StartTimes | None = None) -> StartTimes:
    """Return start times by phase with this lead time (0 s or more).

    60, 180 and 600 s have phases of their own; any other lead stretches those of the nearest of them
    (by ratio). Spread, failures and ready lag are those of ``like``, if given.
    """
    if not 0.0 <= seconds < math.inf:
        raise InputError(
            f"a lead time of {seconds} s cannot be; give a number of seconds, 0 or above"
        )
    nearest = min(START_TIMES, key=lambda lead: abs(math.log(lead / max(seconds, 1.0))))
    found = START_TIMES[nearest]
    if like is not None:
        found = replace(
            found,
            ready_lag_seconds=like.ready_lag_seconds,
            cv=like.cv,
            failure_probability=like.failure_probability,
        )
    if found.lead_time_seconds == seconds:
        return found
    return found.with_lead_time(seconds)


def _preset(name: str, slo: Slo, accelerator: str, count: int, usd: float) -> Preset:
    return Preset(
        name=name,
        model=SERVING_MODELS[name],
        slo=slo,
        start_times=START_TIMES[LEAD_SECONDS_DEFAULT],
        accelerator=accelerator,
        accelerators_per_replica=count,
        usd_per_accelerator_hour=usd,
    )


_SMALL = Slo(ttft_seconds=1.0, tpot_seconds=0.05)
_LARGE = Slo(ttft_seconds=2.0, tpot_seconds=0.1)

PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        _preset("8b-h100", _SMALL, "H100", 1, H100_USD_PER_HOUR),
        _preset("8b-a100", _SMALL, "A100", 1, A100_USD_PER_HOUR),
        _preset("70b-4xh100", _LARGE, "H100", 4, H100_USD_PER_HOUR),
        _preset("70b-4xa100", _LARGE, "A100", 4, A100_USD_PER_HOUR),
    )
}
"""The built-in ones, by name, each with a lead of 180 s."""


def by_name(name: str, presets: Mapping[str, Preset] = PRESETS) -> Preset:
    """Return the preset of this name; raise ``InputError`` for a name that there is not."""
    found = presets.get(name)
    if found is None:
        raise unknown_name("preset", name, presets)
    return found
