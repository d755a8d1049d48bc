#!/usr/bin/env python3
"""How long simulated weeks take, with nobody deciding and with two strategies, and an hour request by request.

A made-up business load (bursts, wander, a token mix that drifts) of about seven replicas' need runs
for ``--days`` in the fluid model, decided on every 15 s, by rate tracking (``target``) and by ``capacity``;
a constant load of 10 requests a second runs for an hour in the model of single requests. One core, the
process's own time: preparing the load and working out measures are not in it. What is left of a run without
anybody deciding is the plant. Prints one JSON object; a table goes to stderr. Numbers of one machine on
one day.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable
from time import process_time
from typing import Any

from trimtab.cli.simulation_default import default_policy
from trimtab.plant import SERVING_MODELS, ConstantWorkload, Load, Slo, StartTimes, Workload
from trimtab.plant.day import DayWorkload
from trimtab.policy import read_policy_texts
from trimtab.simulation.engine_scaler import EngineScaler
from trimtab.simulation.observation import Observation
from trimtab.simulation.scaler import Scaler
from trimtab.simulation.scenario import Case, Resolution, Scenario
from trimtab.simulation.world import AnyScaler, run

NAME = "accounts/bench/deployments/chat"
DAYS = 14.0
DAY_SECONDS = 86_400
HOUR_SECONDS = 3600
REQUESTS_PER_SECOND, IN_FLIGHT = 19.0, 90.0
"""About what one replica carries."""

TARGET = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: target}
spec:
  deployments: {match: {displayName: "*"}}
  signals:
    load: {source: prometheus, query: requests_per_second, maxAge: 300s}
  rules:
    - {name: load, role: demand, strategy: {type: target, signal: load, target: 15}}
"""


class Nobody(Scaler):
    """Leaves everything as it is."""

    interval_seconds = 15.0

    def wanted(self, seen: Observation) -> int:
        return seen.asked


def with_target(scenario: Scenario) -> AnyScaler:
    return EngineScaler(read_policy_texts([("the benchmark", TARGET)]).policies, scenario)


def with_capacity(scenario: Scenario) -> AnyScaler:
    return EngineScaler([default_policy(0.99, (REQUESTS_PER_SECOND, IN_FLIGHT))], scenario)


def scenario_of(
    workload: Workload, seconds: int, resolution: Resolution, at_start: int
) -> Scenario:
    case = Case(
        name=NAME,
        model=SERVING_MODELS["8b-h100"],
        slo=Slo(ttft_seconds=1.0, tpot_seconds=0.05),
        workload=workload,
        start_times=StartTimes(20.0, 100.0, 60.0, cv=0.3, failure_probability=0.01),
        replicas_max=40,
        replicas_at_start=at_start,
        metric_age_seconds=30.0,
    )
    return Scenario(cases=(case,), span_seconds=seconds, resolution=resolution)


def weeks(days: float, at_start: int = 3) -> Scenario:
    workload = DayWorkload(
        peak_requests_per_second=200.0, prompt_tokens=1155.0, output_tokens=211.0, seed=3
    )
    return scenario_of(workload, round(days * DAY_SECONDS), Resolution.FLUID, at_start)


def seconds_of(scenario: Scenario, scaler: Callable[[Scenario], AnyScaler]) -> float:
    """Return the processor's seconds of one run."""
    decides = scaler(scenario)
    started = process_time()
    run(scenario, decides)
    return process_time() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=float, default=DAYS, help="what is run; told for 14 days")
    arguments = parser.parse_args()
    result: dict[str, Any] = {"benchmark": "simulation", "python": platform.python_version()}
    for name, scaler, scenario in (
        ("nobody", lambda _: Nobody(), weeks(arguments.days, at_start=14)),
        ("target", with_target, weeks(arguments.days)),
        ("capacity", with_capacity, weeks(arguments.days)),
    ):
        seconds = seconds_of(scenario, scaler) * DAYS / arguments.days
        result[f"two_weeks_with_{name}_cpu_seconds"] = round(seconds, 2)
        times = DAYS * DAY_SECONDS / seconds
        sys.stderr.write(
            f"14 days with {name}: {seconds:.1f} s of processor time, {times:,.0f} x real time\n"
        )
    single = scenario_of(
        ConstantWorkload(Load(10.0, 1155.0, 211.0)), HOUR_SECONDS, Resolution.REQUESTS, 1
    )
    times = HOUR_SECONDS / seconds_of(single, lambda _: Nobody())
    result["request_by_request_times_real_time"] = round(times)
    sys.stderr.write(f"request by request at 10 requests/s: {times:,.0f} x real time\n")
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
