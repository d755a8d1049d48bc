#!/usr/bin/env python3
"""How long one decision takes, and how much memory a deployment costs the engine.

A fleet lives through hours of changing load in ticks of 15 s. Every order is carried out at once,
so that the windows and limits have something in them. Each tick decides for the whole fleet;
its time divided by the fleet is one observation. Prints one JSON object; a sentence goes to stderr.
Numbers of one machine on one day: compare them only with others of the same machine.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import sys
import tracemalloc
from dataclasses import replace
from math import pi, sin
from time import perf_counter_ns

from trimtab.core.decision import Outcome, Tick, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, Shape
from trimtab.core.engine import Engine
from trimtab.core.policy import Policy, Rule, Selector
from trimtab.core.roles import Role
from trimtab.core.signals import Per, Sample, SignalSpec
from trimtab.core.strategies.target import Target

BUDGET_MICROSECONDS = 100
BUDGET_BYTES = 50_000

TICK_SECONDS = 15.0
DAY_SECONDS = 86_400.0
START = 1_767_225_600.0


def signal(name: str, per: Per) -> SignalSpec:
    return SignalSpec(name=name, source="bench", query=name, max_age_seconds=60.0, per=per)


POLICY = Policy(
    name="bench",
    selector=Selector(display_name="bench-*"),
    signals=(signal("concurrency", Per.REPLICA), signal("requests", Per.DEPLOYMENT)),
    rules=(
        Rule(name="busy", role=Role.DEMAND, strategy=Target(signal="concurrency", target=24.0)),
        Rule(name="rate", role=Role.DEMAND, strategy=Target(signal="requests", target=6.0)),
    ),
    min_replicas=1,
    max_replicas=40,
    accelerators_max=160,
)


def fleet_of(count: int) -> dict[str, Deployment]:
    names = [f"accounts/bench/deployments/d{number}" for number in range(count)]
    return {
        name: Deployment(
            name=name,
            display_name=f"bench-{number}",
            min_replicas=1,
            max_replicas=40,
            desired_replicas=4,
            replica_count=4,
            pipeline=Pipeline(ready=4),
            shape=Shape(accelerator_type="NVIDIA_H100_80GB", accelerators_per_replica=4),
            created_at=START,
        )
        for number, name in enumerate(names)
    }


def samples_at(now: float, fleet: dict[str, Deployment]) -> list[Sample]:
    """Let the load go up and down once a day, everywhere at another hour, with ripples upon it."""
    samples = []
    for number, (name, deployment) in enumerate(fleet.items()):
        phase = 2 * pi * ((now - START) / DAY_SECONDS + number / len(fleet))
        rate = 60 + 55 * sin(phase) + 5 * sin(97 * phase)
        each = 4 * rate / max(1, deployment.pipeline.ready)
        samples.append(Sample(name, "requests", now, max(0.0, rate)))
        samples.append(Sample(name, "concurrency", now, max(0.0, each)))
    return samples


def carry_out(engine: Engine, tick: Tick, fleet: dict[str, Deployment]) -> None:
    for order in tick.orders:
        count = order.to_replicas
        fleet[order.deployment] = replace(
            fleet[order.deployment],
            min_replicas=order.min_replicas,
            max_replicas=order.max_replicas,
            desired_replicas=count,
            replica_count=count,
            pipeline=Pipeline(ready=count),
        )
        engine.record(
            Outcome(order=order, at=order.at, status=WriteStatus.APPLIED, sentence="applied")
        )


def measure(deployments: int, ticks: int) -> tuple[list[float], int, int]:
    """Return µs per decision for each tick, the writes in all, and the bytes the engine holds."""
    fleet = fleet_of(deployments)
    engine = Engine([POLICY])
    engine.step(START, fleet, samples_at(START, fleet))
    microseconds, writes = [], 0
    for number in range(1, ticks + 1):
        now = START + number * TICK_SECONDS
        samples = samples_at(now, fleet)
        started = perf_counter_ns()
        tick = engine.step(now, fleet, samples)
        microseconds.append((perf_counter_ns() - started) / 1000 / deployments)
        writes += len(tick.orders)
        carry_out(engine, tick, fleet)
    return microseconds, writes, bytes_of(engine)


def bytes_of(engine: Engine) -> int:
    """Measure what a copy of the engine's memory, restored from its JSON form, takes."""
    document = json.dumps(engine.memory.to_json())
    gc.collect()
    tracemalloc.start()
    restored = type(engine.memory).from_json(json.loads(document))
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del restored
    return held


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--deployments", type=int, default=200, help="size of the fleet")
    parser.add_argument("--ticks", type=int, default=150, help="ticks of 15 s to live through")
    arguments = parser.parse_args()
    microseconds, writes, held = measure(arguments.deployments, arguments.ticks)
    median = statistics.median(microseconds)
    result = {
        "benchmark": "decisions",
        "python": platform.python_version(),
        "deployments": arguments.deployments,
        "decisions": arguments.deployments * arguments.ticks,
        "writes": writes,
        "median_microseconds": round(median, 2),
        "p99_microseconds": round(statistics.quantiles(microseconds, n=100)[98], 2),
        "budget_microseconds": BUDGET_MICROSECONDS,
        "bytes_per_deployment": round(held / arguments.deployments),
        "budget_bytes_per_deployment": BUDGET_BYTES,
    }
    sys.stderr.write(
        f"a decision takes {median:.1f} µs (median; budget {BUDGET_MICROSECONDS} µs), a deployment "
        f"{held / arguments.deployments / 1000:.1f} kB (budget {BUDGET_BYTES / 1000:.0f} kB)\n"
    )
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
