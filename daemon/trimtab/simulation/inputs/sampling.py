"""A workload looked at in even steps, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from trimtab.plant.workload import Workload
    from trimtab.simulation.inputs.bins import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampled:
    """One element for each step, as the load is in the step's middle."""

    step_seconds: float
    requests_per_second: Floats
    prompt_tokens: Floats
    output_tokens: Floats


def sampled(
    workload: Workload, span_seconds: float, *, step_seconds: float, from_seconds: float = 0.0
) -> Sampled:
    """Look at ``span_seconds`` of a workload from ``from_seconds`` on, at least once."""
    count = max(1, round(span_seconds / step_seconds))
    look = workload.load
    loads = [look(from_seconds + (index + 0.5) * step_seconds) for index in range(count)]
    return Sampled(
        step_seconds=step_seconds,
        requests_per_second=np.array([load.requests_per_second for load in loads]),
        prompt_tokens=np.array([load.prompt_tokens for load in loads]),
        output_tokens=np.array([load.output_tokens for load in loads]),
    )
