#!/usr/bin/env python3
"""How many machine instructions a decision, a pushed sample and a claim that is first shared out take: a number that no neighbour changes.

Counted by ``valgrind --tool=cachegrind`` in a process of its own for each workload, once with few rounds and
once with more: the difference, divided by what the further rounds did, leaves start-up out. It is the same
to about a thousandth from run to run on the same machine and Python, so that a change of a
hundredth is a change of the code. It is no time: a cache miss costs no instruction. Without valgrind the
result says so and holds no numbers. Prints one JSON object; a table goes to stderr.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Coroutine
from math import sin
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

ROUNDS = (2, 8)
DEPLOYMENTS = 40
CLAIMS = 1_000
START = 1_767_225_600.0
COUNTED = re.compile(r"I\s+refs:\s+([\d,]+)")


# -- workloads: each returns how many things a round does, and does a round ---------------------------
def decisions() -> tuple[int, Callable[[int], None]]:
    """Evaluate a fleet of which every deployment has two signals that move, and nothing to write."""
    from trimtab.core.deployment import Deployment, Pipeline
    from trimtab.core.engine import Engine
    from trimtab.core.policy import Policy, Rule, Selector
    from trimtab.core.roles import Role
    from trimtab.core.signals import Sample, SignalSpec
    from trimtab.core.strategies.target import Target

    names = ("requests", "busy")
    policy = Policy(
        name="bench",
        selector=Selector(display_name="bench-*"),
        signals=tuple(
            SignalSpec(name=one, source="bench", query=one, max_age_seconds=60.0) for one in names
        ),
        rules=tuple(
            Rule(name=one, role=Role.DEMAND, strategy=Target(signal=one, target=10.0))
            for one in names
        ),
        min_replicas=4,
        max_replicas=4,
    )
    fleet = {
        f"accounts/bench/deployments/d{number}": Deployment(
            name=f"accounts/bench/deployments/d{number}",
            display_name=f"bench-{number}",
            min_replicas=4,
            max_replicas=4,
            desired_replicas=4,
            replica_count=4,
            pipeline=Pipeline(ready=4),
            created_at=START,
        )
        for number in range(DEPLOYMENTS)
    }
    engine = Engine([policy])

    def step(number: int) -> None:
        now = START + 15.0 * number
        samples = [
            Sample(name, signal, now, 30.0 + 5.0 * sin(number))
            for name in fleet
            for signal in names
        ]
        engine.step(now, fleet, samples, due=tuple(fleet), changed=() if number else None)

    return DEPLOYMENTS, step


def remote_write_samples() -> tuple[int, Callable[[int], None]]:
    """Take in a body of known series."""
    from tests.bench.push import BATCH, HEADERS, SOURCES, Everything, batches, body_of

    from trimtab.clock import ManualClock
    from trimtab.service.push import PushDesk
    from trimtab.service.push_wiring import push_sources

    kind = "remote_write"
    clock, everything = ManualClock(START), Everything(kind)
    source = push_sources({kind: SOURCES[kind]})[0]
    desk = PushDesk(clock, source, directory=everything, sink=everything)
    ids, labels = next(batches(BATCH))
    bodies = [body_of(kind, ids, labels, START + number) for number in range(ROUNDS[-1])]

    def step(number: int) -> None:
        clock.advance(1.0)
        answer = done(desk.take(HEADERS[kind], bodies[number]))
        if answer.status >= 300:
            raise SystemExit(f"the benchmark's own body was refused: {answer}")

    return BATCH, step


def first_allocations() -> tuple[int, Callable[[int], None]]:
    """Share out for the first time among claims that all ask for more, of which half is there."""
    from tests.bench.allocation import a_book, a_fleet

    claims, terms = a_fleet(CLAIMS, 1.0)
    books = [a_book(claims, terms) for _ in range(ROUNDS[-1])]

    def step(number: int) -> None:
        books[number].stirred()

    return CLAIMS, step


WORKLOADS = {
    "decision": decisions,
    "remote_write_sample": remote_write_samples,
    "first_allocation_claim": first_allocations,
}


def done(work: Coroutine[Any, Any, Any]) -> Any:
    """Return what ``work`` does that only gives way to others: a loop would look at the time."""
    while True:
        try:
            work.send(None)
        except StopIteration as end:
            return end.value


# -- counting --------------------------------------------------------------------------------------
def live(workload: str, rounds: int) -> None:
    """Be the process that is counted."""
    _, step = WORKLOADS[workload]()
    gc.collect()
    gc.disable()  # when it runs depends on what else was allocated
    for number in range(rounds):
        step(number)


def count(valgrind: str, workload: str, rounds: int) -> int:
    """Return the instructions of a whole process."""
    command = [valgrind, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    found = subprocess.run(  # noqa: S603  our own words
        [*command, sys.executable, __file__, "--live", workload, "--rounds", str(rounds)],
        check=True,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": f"{ROOT / 'daemon'}{os.pathsep}{ROOT}",
        },
    )
    counted = COUNTED.search(found.stderr)
    if counted is None:
        raise SystemExit(f"valgrind said nothing of instructions: {found.stderr[-500:]}")
    return int(counted[1].replace(",", ""))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--live", choices=WORKLOADS, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.live:
        live(arguments.live, arguments.rounds)
        return 0
    result: dict[str, Any] = {"benchmark": "instructions", "python": platform.python_version()}
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        result["not_measured"] = "there is no valgrind; install it"
        sys.stderr.write(f"{result['not_measured']}\n")
    for workload in WORKLOADS if valgrind else ():
        few, many = (count(valgrind or "", workload, rounds) for rounds in ROUNDS)
        each, _ = WORKLOADS[workload]()
        instructions = (many - few) / (ROUNDS[1] - ROUNDS[0]) / each
        result[f"{workload}_instructions"] = round(instructions)
        sys.stderr.write(f"{instructions:12,.0f} instructions a {workload.replace('_', ' ')}\n")
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
