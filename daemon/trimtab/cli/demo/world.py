"""The demo's world: three deployments of different shapes, and what their users ask of them.

Their users live in different time zones, so that at any hour somebody's morning begins while
somebody's evening ends: within an hour the fleet grows in one place and shrinks in another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.errors import SettingsError
from trimtab.plant import DayWorkload, Load, capacity_requests_per_second, read_trace
from trimtab.plant.trace import TraceError
from trimtab.simulation.fitting import BUSY_SHARE, FittedWorkload, fit

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.plant import ServingModel, Slo, Workload
    from trimtab.simulation.fitting import Fit

ACCOUNT = "demo"
HOUR_SECONDS = 3600.0
DAY_SECONDS = 24 * HOUR_SECONDS

MONDAY = 1_767_571_200.0
"""UTC seconds of Monday 5 January 2026, midnight: second 0 of every load in the demo."""

MORNING_SECONDS = 7 * HOUR_SECONDS
"""Where the demo begins unless told otherwise: London goes to work, Dubai to lunch, Auckland to bed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoDeployment:
    """One deployment of the demo: what its owner set, and who uses it.

    ``busiest`` is the load at the top of an ordinary weekday with the mean lengths of a request.
    ``hours_ahead`` of UTC is where its users live. ``accelerator`` is for people to read.
    """

    id: str
    shape: str
    accelerator: str
    accelerators_per_replica: int
    usd_per_accelerator_hour: float
    min_replicas: int
    max_replicas: int
    users: str
    hours_ahead: float
    busiest: Load

    @property
    def name(self) -> str:
        """The full resource name."""
        return f"accounts/{ACCOUNT}/deployments/{self.id}"

    @property
    def hardware(self) -> str:
        """What one replica runs on, in words."""
        return f"{self.accelerators_per_replica}x {self.accelerator}"


H100_USD = 7.00
"""A published on-demand price of an accelerator-hour in 2026 (fireworks.ai/pricing)."""

A100_USD = 3.89
"""The last published one (2024); nobody lists it any more."""

DEPLOYMENTS = (
    DemoDeployment(
        id="chat-8b",
        shape="llama-8b-minimal",
        accelerator="H100",
        accelerators_per_replica=1,
        usd_per_accelerator_hour=H100_USD,
        min_replicas=2,
        max_replicas=16,
        users="London",
        hours_ahead=0.0,
        busiest=Load(165.0, 1155.0, 211.0),
    ),
    DemoDeployment(
        id="chat-70b",
        shape="llama-70b-throughput",
        accelerator="H100",
        accelerators_per_replica=4,
        usd_per_accelerator_hour=H100_USD,
        min_replicas=1,
        max_replicas=8,
        users="Auckland",
        hours_ahead=13.0,
        busiest=Load(46.0, 1155.0, 211.0),
    ),
    DemoDeployment(
        id="code-8b",
        shape="llama-8b-economy",
        accelerator="A100",
        accelerators_per_replica=1,
        usd_per_accelerator_hour=A100_USD,
        min_replicas=1,
        max_replicas=10,
        users="Dubai",
        hours_ahead=4.0,
        busiest=Load(24.0, 1750.0, 28.0),
    ),
)
"""Lengths are the means of conversations and of code completion in the Azure 2023 LLM trace; code
prompts (2,048 there) are a little shorter, because by day they drift a fifth above the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the users of one deployment ask of it, and how a recording was scaled to that.

    ``fitted`` is ``None`` for the demo's own made-up day.
    """

    workload: Workload
    fitted: Fit | None = None


class MadeUpDay:
    """The demo's own load: a working week, a different one for each seed."""

    title = "a made-up day"
    trace: str | None = None

    def __init__(self, *, seed: int, from_seconds: float) -> None:
        self._seed = seed
        self.from_seconds = from_seconds

    def traffic(
        self,
        deployment: DemoDeployment,
        model: ServingModel,  # noqa: ARG002  the signature of both kinds of load
        slo: Slo,  # noqa: ARG002  likewise
        replicas_max: int,  # noqa: ARG002  likewise
    ) -> Traffic:
        """Return what arrives at ``deployment``."""
        local = self.from_seconds + deployment.hours_ahead * HOUR_SECONDS
        busiest = deployment.busiest
        return Traffic(
            workload=DayWorkload(
                peak_requests_per_second=busiest.requests_per_second,
                prompt_tokens=busiest.prompt_tokens,
                output_tokens=busiest.output_tokens,
                seed=self._seed * len(DEPLOYMENTS) + DEPLOYMENTS.index(deployment),
                hour=local % DAY_SECONDS / HOUR_SECONDS,
                weekday=int(local // DAY_SECONDS) % 7,
            )
        )


class Recording:
    """A load trace, read once and played to each deployment at its users' local time.

    Raises ``SettingsError`` for a trace that cannot be read or that ends before ``from_seconds``.
    """

    def __init__(self, path: Path, *, from_seconds: float | None) -> None:
        try:
            self._workload = read_trace(path)
        except TraceError as error:
            raise SettingsError(str(error)) from error
        span = self._workload.span_seconds or 0.0
        if from_seconds is None:
            # Second 0 of a recording of days is a midnight; a shorter one begins where it begins.
            from_seconds = MORNING_SECONDS if span >= DAY_SECONDS else 0.0
        if from_seconds >= span:
            raise SettingsError(
                f"--from {from_seconds / HOUR_SECONDS:g}h lies past the end of {path}, which lasts "
                f"{span / HOUR_SECONDS:.3g} h; begin within it"
            )
        self.from_seconds = from_seconds
        self.trace: str | None = path.name
        self.title = path.name

    def traffic(
        self, deployment: DemoDeployment, model: ServingModel, slo: Slo, replicas_max: int
    ) -> Traffic:
        """Return what arrives at ``deployment``; raises ``SettingsError`` if nothing ever does.

        The recording is scaled to ``replicas_max``, what the deployment may have at most.
        """
        try:
            fitted = fit(
                self._workload,
                model=model,
                slo=slo,
                typical=deployment.busiest,
                replicas_max=replicas_max,
            )
        except ValueError as error:
            raise SettingsError(f"{self.title} cannot be played: {error}") from error
        local = self.from_seconds + deployment.hours_ahead * HOUR_SECONDS
        workload = FittedWorkload(self._workload, fitted, from_seconds=local)
        return Traffic(workload=workload, fitted=fitted)


def replicas_for(load: Load, model: ServingModel, slo: Slo) -> int:
    """Return how many replicas carry ``load`` at the share of capacity they should run at."""
    capacity = capacity_requests_per_second(model, load.prompt_tokens, load.output_tokens, slo)
    if capacity <= 0.0:
        return 0
    return math.ceil(load.requests_per_second / (capacity * BUSY_SHARE))
