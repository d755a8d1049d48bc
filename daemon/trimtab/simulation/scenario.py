"""What is simulated: deployments with their load and their hardware, and how they are looked at. Values only."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.plant.serving_model import ServingModel, Slo
    from trimtab.plant.start_times import StartTimes
    from trimtab.plant.workload import Workload

EVERY_POOL = "*"
"""What ``Scenario.accelerator_quota`` is called among the quotas."""

STARTED_AT = 1_767_571_200.0
"""UTC seconds of Monday 5 January 2026, midnight: where a simulated world begins unless told otherwise."""

Span = tuple[float, float]
"""From one time to before another, in seconds since the start of the run."""


class Resolution(StrEnum):
    """How closely the plant is looked at: as a fluid in steps of a second, or request by request."""

    FLUID = "fluid"
    REQUESTS = "requests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One deployment of a scenario.

    ``name`` is its full name. ``requests_factor`` multiplies the workload's rate. Replicas are kept
    within ``replicas_min`` and ``replicas_max`` whatever is asked for; ``replicas_at_start`` serve
    already. ``start_changes`` are other start times that hold for every phase that begins from then
    on: ``(seconds since the start, times)``, in order.

    What is heard of the load is ``metric_age_seconds`` old. Where ``metric_refresh_seconds`` is set,
    metrics are computed that often only, and in between the last ones are read again: what a reader
    sees is then up to that much older (the account's endpoint: 30 s, of values 30 s old). Within
    ``metric_gaps`` nothing is heard at all, and what happened then is never told later. Replica
    counts come from the control plane, are of now, and have no gaps.

    ``pools`` names the quotas that its accelerators count in. With ``shared_load`` the workload is not its own
    but that of all cases with the same word there: each gets the part that its replicas carry, of which one
    carries ``carries`` (``shared_load.py``).
    """

    name: str
    model: ServingModel
    slo: Slo
    workload: Workload
    start_times: StartTimes
    replicas_min: int = 0
    replicas_max: int = 100
    replicas_at_start: int = 1
    accelerators_per_replica: int = 1
    usd_per_accelerator_hour: float | None = None
    requests_factor: float = 1.0
    waiting_max_per_replica: int | None = None
    metric_age_seconds: float = 0.0
    metric_refresh_seconds: float | None = None
    metric_gaps: tuple[Span, ...] = ()
    start_changes: tuple[tuple[float, StartTimes], ...] = ()
    pools: tuple[str, ...] = ()
    shared_load: str = ""
    carries: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.replicas_min <= self.replicas_max:
            raise ValueError(
                f"{self.name}: replicas from {self.replicas_min} to {self.replicas_max} is no range; "
                "give a minimum of 0 or more and a maximum not below it"
            )
        if self.replicas_at_start < 0:
            raise ValueError(
                f"{self.name}: starts with {self.replicas_at_start} replicas; the least is 0"
            )
        if self.accelerators_per_replica < 1:
            raise ValueError(
                f"{self.name}: a replica on {self.accelerators_per_replica} accelerators runs on "
                "nothing; give 1 or more"
            )
        if not 0.0 < self.requests_factor < math.inf:
            raise ValueError(
                f"{self.name}: requests factor is {self.requests_factor}; give a finite number above 0"
            )
        if not (self.metric_age_seconds >= 0.0 and self.metric_age_seconds % 1.0 == 0.0):
            raise ValueError(
                f"{self.name}: metrics are {self.metric_age_seconds} s old; "
                "give whole seconds, 0 or more"
            )
        refresh = self.metric_refresh_seconds
        if refresh is not None and not (refresh >= 1.0 and refresh % 1.0 == 0.0):
            raise ValueError(
                f"{self.name}: metrics are computed every {refresh} s; give whole seconds, 1 or more"
            )
        if not 0.0 < self.carries < math.inf:
            raise ValueError(
                f"{self.name}: a replica carries {self.carries}; give a finite number above 0"
            )
        for begin, end in self.metric_gaps:
            if not begin < end:
                raise ValueError(
                    f"{self.name}: a metric gap from {begin} s to {end} s ends before it begins"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Some deployments over some time. The same scenario and scaler give the same run, bit for bit.

    ``seed`` decides every draw: arrivals, start times, failed starts. ``tick_seconds`` is the step of
    timelines. ``span_seconds`` is how long the load is; of it as much is played as makes whole ticks
    (``played_seconds``), as a shorter last step would have to be told apart in every measure.
    ``accelerator_quota`` is what all deployments may hold together: replicas beyond it stay pending
    and cost nothing, until others give accelerators back. ``quotas`` are the same for the deployments
    whose ``pools`` name them.
    """

    cases: tuple[Case, ...]
    span_seconds: float
    seed: int = 1
    tick_seconds: int = 15
    started_at: float = STARTED_AT
    accelerator_quota: int | None = None
    resolution: Resolution = Resolution.FLUID
    quotas: Mapping[str, int] = field(default_factory=dict)
    names: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(case.name for case in self.cases))
        if not self.cases or len(self.names) != len(self.cases):
            given = ", ".join(case.name for case in self.cases) or "none"
            raise ValueError(
                f"a scenario has one case or more, each called differently; got {given}"
            )
        if self.tick_seconds < 1 or self.tick_seconds != int(self.tick_seconds):
            raise ValueError(f"a tick of {self.tick_seconds} s; give whole seconds, 1 or more")
        if not self.tick_seconds <= self.span_seconds < math.inf:
            raise ValueError(
                f"a run of {self.span_seconds} s, of which a tick is {self.tick_seconds} s; "
                "give a span of a tick or more"
            )
        if self.accelerator_quota is not None and self.accelerator_quota < 0:
            raise ValueError(f"an accelerator quota of {self.accelerator_quota}; the least is 0")
        for pool, accelerators in self.quotas.items():
            if accelerators < 0:
                raise ValueError(f"a quota of {accelerators} {pool}; the least is 0")
        if self.resolution is Resolution.REQUESTS and any(one.shared_load for one in self.cases):
            raise ValueError(
                "a load that deployments share is divided as a flow, not request by request; "
                f"give the resolution {Resolution.FLUID}"
            )
        if not (self.started_at >= 0.0 and self.started_at % 1.0 == 0.0):
            raise ValueError(
                f"a run begins at {self.started_at}; give UTC seconds, a whole number from 0 on"
            )

    @property
    def played_seconds(self) -> int:
        """How long the run lasts: the whole ticks of its span. What is left over is less than a tick."""
        return int(self.span_seconds // self.tick_seconds) * self.tick_seconds
