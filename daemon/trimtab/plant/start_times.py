"""How long a replica takes to start, phase by phase.

Medians with lognormal jitter, never exponential: a start is a sequence of nearly fixed work, and
queues with deterministic set-up behave unlike ones with memoryless set-up (Williams,
Harchol-Balter, Wang 2022).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class StartTimes:
    """Median seconds of each phase, their spread, and how often a start fails.

    ``pending_seconds``: until an accelerator is allocated; billing starts after it.
    ``downloading_seconds``: image and weights. ``initializing_seconds``: load, compile, warm up.
    ``ready_lag_seconds``: the control plane says ready, but requests still get 503.
    ``cv``: coefficient of variation of each phase. ``failure_probability``: of one whole start; a
    failed one goes back to pending.
    """

    pending_seconds: float
    downloading_seconds: float
    initializing_seconds: float
    ready_lag_seconds: float = 0.0
    cv: float = 0.3
    failure_probability: float = 0.02

    def __post_init__(self) -> None:
        for name in (
            "pending_seconds",
            "downloading_seconds",
            "initializing_seconds",
            "ready_lag_seconds",
            "cv",
        ):
            value: float = getattr(self, name)
            if not 0.0 <= value < math.inf:
                raise ValueError(f"start time {name} is {value}; give a finite number, 0 or above")
        if not 0.0 <= self.failure_probability < 1.0:
            raise ValueError(
                f"start failure probability is {self.failure_probability}; "
                "give 0 or above and less than 1, or no replica would ever start"
            )

    @property
    def lead_time_seconds(self) -> float:
        """From asking for a replica until it serves, if every phase takes its median."""
        return (
            self.pending_seconds
            + self.downloading_seconds
            + self.initializing_seconds
            + self.ready_lag_seconds
        )

    def with_lead_time(self, seconds: float) -> StartTimes:
        """Return the same phases in the same proportions, stretched to this lead time."""
        if not 0.0 <= seconds < math.inf:
            raise ValueError(f"lead time is {seconds} s; give a finite number, 0 or above")
        if self.lead_time_seconds == 0.0:
            return replace(self, initializing_seconds=seconds)
        factor = seconds / self.lead_time_seconds
        return replace(
            self,
            pending_seconds=self.pending_seconds * factor,
            downloading_seconds=self.downloading_seconds * factor,
            initializing_seconds=self.initializing_seconds * factor,
            ready_lag_seconds=self.ready_lag_seconds * factor,
        )


def start_times_for(
    parameter_count_billions: float, *, ready_lag_seconds: float = 0.0
) -> StartTimes:
    """Return typical start times of a model of this size, with 16-bit weights.

    About two minutes for 8B and seven for 70B, the middle of what operators report for nodes that
    exist but hold neither image nor weights. The weights (2 GB a billion parameters) come at
    0.7 GB/s, the image in 40 s; loading and compiling grow with size.
    """
    if not 0.0 < parameter_count_billions < math.inf:
        raise ValueError(
            f"parameter count is {parameter_count_billions} billion; give a number above 0"
        )
    return StartTimes(
        pending_seconds=12.0 + 0.25 * parameter_count_billions,
        downloading_seconds=40.0 + 2.0 * parameter_count_billions / 0.7,
        initializing_seconds=35.0 + 1.6 * parameter_count_billions,
        ready_lag_seconds=ready_lag_seconds,
    )
