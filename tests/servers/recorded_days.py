"""A real Prometheus that holds some days of a simulated deployment, as a daemon would have made them.

The deployment is a plant (8B on H100) with a made-up load; a policy scaled it, and every 30 s its metrics
were written down. So it is known what a replica carries, how long one starts and what the policy asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from trimtab.core.policy import Policy
from trimtab.plant.serving_model import capacity_requests_per_second
from trimtab.plant.workload import Load
from trimtab.simulation.engine_scaler import EngineScaler
from trimtab.simulation.inputs.presets import PRESETS
from trimtab.simulation.observation import Observation
from trimtab.simulation.scaler import FleetScaler
from trimtab.simulation.scenario import Case, Scenario
from trimtab.simulation.world import run

STEP_SECONDS = 30
PROMPT_TOKENS, OUTPUT_TOKENS = 900.0, 180.0
PRESET = PRESETS["8b-h100"]
CAPACITY = capacity_requests_per_second(PRESET.model, PROMPT_TOKENS, OUTPUT_TOKENS, PRESET.slo)
LEAD_SECONDS = PRESET.start_times.lead_time_seconds

POLICY = f"""\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {{name: chat}}
spec:
  deployments: {{match: {{displayName: "chat*"}}}}
  bounds: {{min: 1, max: 40}}
  stuck: {{after: 1h}}
  signals:
    requests: {{source: prometheus, query: requests_per_second, maxAge: 90s}}
  rules:
    - name: rate
      role: demand
      strategy: {{type: target, signal: requests, target: {CAPACITY:.4g}, tolerance: 0}}
"""
"""So tight that every rise overloads the replicas while others start."""


class Waves:
    """Load between a fifth and all of ``replicas``, a wave every two hours, with a quicker one on it."""

    span_seconds = None

    def __init__(self, replicas: float) -> None:
        self._top = replicas * CAPACITY

    def load(self, elapsed_seconds: float) -> Load:
        slow = 0.5 - 0.5 * math.cos(2.0 * math.pi * elapsed_seconds / 7200.0)
        quick = math.sin(2.0 * math.pi * elapsed_seconds / 1500.0)
        return Load(
            self._top * (0.2 + 0.7 * slow + 0.1 * quick * slow), PROMPT_TOKENS, OUTPUT_TOKENS
        )


class Watching(FleetScaler):
    """Passes everything on, and keeps what was seen."""

    interval_seconds = float(STEP_SECONDS)

    def __init__(self, scaler: FleetScaler) -> None:
        self._scaler = scaler
        self.seen: list[dict[str, Observation]] = []

    def wanted(self, seen: Mapping[str, Observation]) -> Mapping[str, int]:
        self.seen.append(dict(seen))
        return self._scaler.wanted(seen)


@dataclass(frozen=True)
class Days:
    """What happened: observations every 30 s, and the share of each step's requests within the SLO."""

    started_at: float
    name: str
    seen: list[Observation]
    met: list[float | None]

    @property
    def ended_at(self) -> float:
        return self.started_at + STEP_SECONDS * len(self.seen)


def lived(
    policy: Policy, *, name: str, started_at: float, hours: float, seed: int, replicas: float
) -> Days:
    """Let ``policy`` scale the plant."""
    case = Case(
        name=name,
        model=PRESET.model,
        slo=PRESET.slo,
        workload=Waves(replicas),
        start_times=PRESET.start_times,
        replicas_max=60,
        replicas_at_start=2,
    )
    scenario = Scenario(
        cases=(case,),
        span_seconds=int(hours * 3600.0),
        seed=seed,
        tick_seconds=STEP_SECONDS,
        started_at=started_at,
    )
    watching = Watching(EngineScaler([policy], scenario, interval_seconds=float(STEP_SECONDS)))
    timeline = run(scenario, watching)[name]
    shares = [
        float(met / offered) if offered > 0.0 else None
        for met, offered in zip(timeline.met, timeline.offered, strict=True)
    ]
    # What is measured at a step is of the stretch before it.
    return Days(started_at, name, [one[name] for one in watching.seen], [None, *shares[:-1]])


def metrics(days: Days, *, gap: range = range(0)) -> str:
    """Return what was to be seen, as OpenMetrics; nothing of it in the steps of ``gap``."""
    families: dict[str, list[str]] = {
        name: []
        for name in (
            "requests_per_second",
            "in_flight",
            "slo_share",
            "trimtab_deployment_current_replicas",
            "trimtab_deployment_ready_replicas",
        )
    }

    def tell(family: str, value: float | None, at: int) -> None:
        if value is not None:
            families[family].append(f'{family}{{deployment="{days.name}"}} {value!r} {at}')

    for step, seen in enumerate(days.seen):
        if step in gap:
            continue
        at = int(seen.at)
        measured = seen.measured
        tell("requests_per_second", measured and measured.requests_per_second, at)
        tell("in_flight", measured and measured.in_flight, at)
        tell("slo_share", days.met[step], at)
        tell("trimtab_deployment_current_replicas", seen.asked, at)
        tell("trimtab_deployment_ready_replicas", seen.ready, at)
    lines: list[str] = []
    for family, values in families.items():
        lines += [f"# TYPE {family} gauge", *values]
    return "\n".join([*lines, "# EOF", ""])
