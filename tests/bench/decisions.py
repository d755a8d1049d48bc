#!/usr/bin/env python3
"""How long one decision takes, what a whole tick takes, and how much memory a deployment costs the engine.

A fleet lives through hours of changing load in ticks of 15 s; four signals each, one policy. Every order
is carried out at once, so that the windows and limits have something in them. One observation is the CPU
time of a step divided by its decisions. Then: each strategy alone; a tick of the whole fleet at several
sizes; one deployment due among as many; when time alone may change a decision; and the bytes that an
engine with full windows holds. Prints one JSON object; a table goes to stderr.
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
from time import process_time_ns
from typing import Any

from trimtab.core.calendar import Recurrence
from trimtab.core.decision import Outcome, Tick, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, Shape
from trimtab.core.engine import Engine
from trimtab.core.memory import Memory
from trimtab.core.policy import Damping, Policy, Rule, Selector
from trimtab.core.roles import Role
from trimtab.core.signals import Per, Sample, SignalSpec
from trimtab.core.strategies.capacity import Capacity
from trimtab.core.strategies.expression import Expression
from trimtab.core.strategies.fixed import Fixed
from trimtab.core.strategies.interface import Strategy
from trimtab.core.strategies.panic_window import PanicWindow
from trimtab.core.strategies.pass_through import PassThrough
from trimtab.core.strategies.queue import Queue
from trimtab.core.strategies.ratio import Ratio
from trimtab.core.strategies.schedule import Schedule, Window
from trimtab.core.strategies.step import Adjustment, Side, Step, StepAdjustment
from trimtab.core.strategies.target import Target
from trimtab.core.strategies.threshold import Threshold
from trimtab.policy.cel import Wanted, program
from trimtab.service.trigger import SLICE_MAX

BUDGET_MICROSECONDS = 100
BUDGET_BYTES = 50_000

TICK_SECONDS = 15.0
DAY_SECONDS = 86_400.0
START = 1_767_225_600.0
SLICE = 32
"""Deployments in one step where nothing else is said."""


def signal(name: str, per: Per) -> SignalSpec:
    return SignalSpec(name=name, source="bench", query=name, max_age_seconds=60.0, per=per)


POLICY = Policy(
    name="bench",
    selector=Selector(display_name="bench-*"),
    signals=(
        signal("concurrency", Per.REPLICA),
        signal("requests", Per.DEPLOYMENT),
        signal("waiting", Per.DEPLOYMENT),
        signal("cache", Per.REPLICA),
    ),
    rules=(
        Rule(name="busy", role=Role.DEMAND, strategy=Target(signal="concurrency", target=24.0)),
        Rule(name="rate", role=Role.DEMAND, strategy=Target(signal="requests", target=6.0)),
        Rule(name="queue", role=Role.DEMAND, strategy=Target(signal="waiting", target=3.0)),
    ),
    min_replicas=1,
    max_replicas=40,
    accelerators_max=160,
)

OFFICE = Recurrence(cron="0 8 * * 1-5", timezone="Europe/Berlin", duration_seconds=36_000.0)
STRATEGIES: dict[str, Strategy] = {
    "target": Target(signal="requests", target=6.0),
    "queue": Queue(signal="requests", target=6.0),
    "panic-window": PanicWindow(signal="requests", target=8.0),
    "threshold": Threshold(signal="requests", window_seconds=120.0, lower=90.0, delta=1),
    "step": Step(
        signal="requests",
        steps=(
            StepAdjustment(Side.ABOVE, 80.0, 3, Adjustment.PERCENT, 20),
            StepAdjustment(Side.BELOW, 20.0, 5, Adjustment.CHANGE, -1),
        ),
    ),
    "pass-through": PassThrough(signal="requests"),
    "ratio": Ratio(of="accounts/bench/deployments/d0", ratio=1.5),
    "schedule": Schedule(
        windows=(Window(opening=OFFICE, replicas=6, label="office"),), timezone="Europe/Berlin"
    ),
    "expression": Expression(
        program=program("math.ceil(signals.requests / 6.0 + signals.waiting)", Wanted.NUMBER)
    ),
    "fixed": Fixed(replicas=4),
    "capacity": Capacity(requests="requests", requests_per_second=6.0),
}
"""Each alone in a policy. ``requests`` moves between 0 and 120."""


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
        rate = max(0.0, 60 + 55 * sin(phase) + 5 * sin(97 * phase))
        each = 4 * rate / max(1, deployment.pipeline.ready)
        samples.append(Sample(name, "requests", now, rate))
        samples.append(Sample(name, "concurrency", now, each))
        samples.append(Sample(name, "waiting", now, rate / 10))
        samples.append(Sample(name, "cache", now, min(1.0, each / 100)))
    return samples


def carry_out(engine: Engine, tick: Tick, fleet: dict[str, Deployment]) -> list[str]:
    """Carry out the orders at once; return whose deployment changed."""
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
    return [order.deployment for order in tick.orders]


def live(
    policy: Policy, deployments: int, ticks: int
) -> tuple[Engine, dict[str, Deployment], list[float], int]:
    """Return the engine, its fleet, µs per decision for each tick, and how many writes there were."""
    fleet = fleet_of(deployments)
    engine = Engine([policy])
    engine.step(START, fleet, samples_at(START, fleet))
    names, changed = list(fleet), list(fleet)
    microseconds, writes = [], 0
    for number in range(1, ticks + 1):
        now = START + number * TICK_SECONDS
        samples = samples_at(now, fleet)
        started = process_time_ns()
        tick = engine.step(now, fleet, samples, due=names, changed=changed, absent=())
        microseconds.append((process_time_ns() - started) / 1000 / deployments)
        writes += len(tick.orders)
        changed = carry_out(engine, tick, fleet)
    return engine, fleet, microseconds, writes


def whole_fleet(deployments: int, ticks: int) -> dict[str, float]:
    """A tick in slices as the daemon takes them, one due among them all, and the edges of all."""
    engine, fleet, _, _ = live(POLICY, deployments, 1)
    names = list(fleet)
    in_all, longest, alone, edges = [], [], [], []
    for number in range(2, ticks + 2):
        now = START + number * TICK_SECONDS
        samples, took = samples_at(now, fleet), []
        for at in range(0, deployments, SLICE_MAX):
            end = at + SLICE_MAX
            due, heard = names[at:end], samples[4 * at : 4 * end]
            started = process_time_ns()
            tick = engine.step(now, fleet, heard, due=due, changed=(), absent=())
            took.append((process_time_ns() - started) / 1e6)
            carry_out(engine, tick, fleet)
        in_all.append(sum(took))
        longest.append(sorted(took)[-max(1, len(took) // 100)])
        started = process_time_ns()
        for name in names:
            engine.next_edge(name, now)
        edges.append((process_time_ns() - started) / 1000 / deployments)
        for name in names[:: max(1, deployments // 50)]:
            started = process_time_ns()
            engine.step(now + 1, fleet, (), due=[name], changed=(), absent=())
            alone.append((process_time_ns() - started) / 1000)
    return {
        "deployments": deployments,
        "tick_milliseconds": round(statistics.median(in_all), 2),
        "slice_p99_milliseconds": round(statistics.median(longest), 3),
        "one_due_microseconds": round(statistics.median(alone), 2),
        "next_edge_microseconds": round(statistics.median(edges), 2),
    }


def bytes_of(deployments: int) -> float:
    """Bytes a deployment of an engine with ``deployments``, whose every window is as full as it gets.

    One deployment lives for an hour with damped rules of three strategies; all others remember the
    same, restored from its JSON form each on its own, and have been looked at and decided on once.
    """
    damping = Damping(stabilization_seconds=300.0, cooldown_seconds=60.0)
    strategies = ("queue", "panic-window", "target")
    rules = tuple(
        Rule(name=one, role=Role.DEMAND, strategy=STRATEGIES[one], up=damping, down=damping)
        for one in strategies
    )
    policy = replace(POLICY, rules=rules)
    engine, lived, _, _ = live(policy, 1, 240)
    document = json.dumps(engine.memory.to_json())
    (template,) = lived.values()
    now = START + 241 * TICK_SECONDS
    fleet = {
        name: replace(template, name=name, display_name=one.display_name)
        for name, one in fleet_of(deployments).items()
    }
    gc.collect()
    tracemalloc.start()
    memories = {}
    for name in fleet:
        (one,) = Memory.from_json(json.loads(document)).deployments.values()
        memories[name] = one
    engine = Engine([policy], Memory(deployments=memories))
    del memories, one
    for at in range(0, deployments, SLICE):
        names = list(fleet)[at : at + SLICE]
        engine.step(now, fleet, (), due=names, changed=names, absent=())
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / deployments


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--deployments", type=int, default=SLICE, help="size of the fleet")
    parser.add_argument("--ticks", type=int, default=400, help="ticks of 15 s to live through")
    parser.add_argument(
        "--fleets", type=int, nargs="*", default=[100, 1_000, 10_000], help="sizes for whole ticks"
    )
    parser.add_argument("--held", type=int, default=10_000, help="deployments for the memory")
    arguments = parser.parse_args()
    size, ticks = arguments.deployments, arguments.ticks
    _, _, microseconds, writes = live(POLICY, size, ticks)
    strategies = {
        name: live(
            replace(POLICY, rules=(Rule(name="r", role=Role.DEMAND, strategy=strategy),)),
            size,
            ticks // 4,
        )[2]
        for name, strategy in STRATEGIES.items()
    }
    result = {
        "benchmark": "decisions",
        "python": platform.python_version(),
        "decisions": size * ticks,
        "writes": writes,
        "median_microseconds": round(statistics.median(microseconds), 2),
        "least_microseconds": round(min(microseconds), 2),
        "p99_microseconds": round(statistics.quantiles(microseconds, n=100)[98], 2),
        "budget_microseconds": BUDGET_MICROSECONDS,
        "strategies": {
            name: {
                "median_microseconds": round(statistics.median(took), 2),
                "least_microseconds": round(min(took), 2),
            }
            for name, took in strategies.items()
        },
        "fleets": [whole_fleet(count, 5) for count in arguments.fleets],
        "bytes_per_deployment": round(bytes_of(arguments.held)),
        "budget_bytes_per_deployment": BUDGET_BYTES,
    }
    sys.stderr.write(table(result))
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


def table(result: dict[str, Any]) -> str:
    alone = (
        f"a decision: {result['median_microseconds']:.1f} µs CPU, the least of them "
        f"{result['least_microseconds']:.1f} (3 rules, 4 signals; budget {BUDGET_MICROSECONDS} µs)"
    )
    lines = [alone]
    lines += [
        f"  {name:<14} {one['median_microseconds']:7.1f} µs   least {one['least_microseconds']:7.1f}"
        for name, one in result["strategies"].items()
    ]
    lines += [
        f"{one['deployments']:>7,} deployments: tick {one['tick_milliseconds']:8.1f} ms in slices of "
        f"{SLICE_MAX} (p99 {one['slice_p99_milliseconds']:.2f} ms); one due "
        f"{one['one_due_microseconds']:.1f} µs; next edge {one['next_edge_microseconds']:.2f} µs"
        for one in result["fleets"]
    ]
    lines.append(
        f"a deployment: {result['bytes_per_deployment'] / 1000:.1f} kB with every window full "
        f"(budget {BUDGET_BYTES / 1000:.0f} kB)"
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
