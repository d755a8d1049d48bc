#!/usr/bin/env python3
"""What the journal costs: the loop's time for a note, the thread's for keeping a turn, and the disk's room.

A fleet lives through ticks of 15 s, with the load of ``bench/decisions.py``, and everything is noted:
turns, intentions, ends. Each tick is kept before the next. Growth is that of the file with its
write-ahead log, after everything was settled, as a day of such ticks. Prints one JSON object; a
sentence goes to stderr. Numbers of one machine on one day: compare them only with others of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent))

from decisions import POLICY, START, TICK_SECONDS, fleet_of, samples_at

from trimtab.clock import SystemClock
from trimtab.core.decision import Outcome, WriteStatus
from trimtab.core.deployment import Pipeline
from trimtab.core.engine import Engine
from trimtab.journal.entries import Ended, Evaluated, Intended
from trimtab.journal.sqlite import SqliteJournal

DAY_TICKS = 86_400 / TICK_SECONDS


async def live(path: Path, deployments: int, ticks: int) -> dict[str, float]:
    journal = SqliteJournal(path, SystemClock())
    await journal.open()
    fleet, engine = fleet_of(deployments), Engine([POLICY])
    notes, settles, intents, sizes = [], [], [], []
    for number in range(ticks):
        now = START + number * TICK_SECONDS
        fleet = {name: replace(one, observed_at=now - 2.0) for name, one in fleet.items()}
        samples = tuple(samples_at(now, fleet))
        tick = engine.step(now, fleet, samples)
        entry = Evaluated(
            at=now,
            fleet=fleet,
            samples=samples,
            due=tuple(fleet),
            absent=(),
            tick=tick,
            memory=engine.memory,
        )
        began = perf_counter()
        journal.note(entry)
        noted = perf_counter()
        await journal.settle()
        notes.append(noted - began)
        settles.append(perf_counter() - noted)
        for order in tick.orders:
            journal.note(Intended(at=now, order=order))
            began = perf_counter()
            if order is tick.orders[0]:
                await journal.settle()
                intents.append(perf_counter() - began)
            count = order.to_replicas
            changed = replace(
                fleet[order.deployment],
                min_replicas=order.min_replicas,
                max_replicas=order.max_replicas,
                desired_replicas=count,
                replica_count=count,
                pipeline=Pipeline(ready=count),
            )
            fleet = {**fleet, order.deployment: changed}
            outcome = Outcome(order=order, at=now, status=WriteStatus.APPLIED, sentence="applied")
            engine.record(outcome)
            journal.note(Ended(outcome=outcome, memory=engine.memory))
        if number in (ticks // 4, ticks - 1):
            await journal.settle()
            sizes.append(size_of(path))
    await journal.close()
    grown = (size_of(path) - sizes[0]) / (ticks - 1 - ticks // 4)
    return {
        "note_microseconds": round(statistics.median(notes) * 1e6, 1),
        "note_worst_microseconds": round(max(notes) * 1e6, 1),
        "turn_kept_milliseconds": round(statistics.median(settles) * 1e3, 2),
        "turn_kept_worst_milliseconds": round(max(settles) * 1e3, 2),
        "intention_milliseconds": round(statistics.median(intents) * 1e3, 2) if intents else 0.0,
        "bytes_a_turn": round(grown),
        "megabytes_a_day": round(grown * DAY_TICKS / 1e6, 1),
    }


def size_of(path: Path) -> int:
    return path.stat().st_size


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--deployments", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--ticks", type=int, default=120, help="ticks of 15 s to live through")
    parser.add_argument("--folder", type=Path, help="where the file is made")
    arguments = parser.parse_args()
    results = {}
    for deployments in arguments.deployments:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            found = asyncio.run(live(Path(folder) / "journal.db", deployments, arguments.ticks))
        results[str(deployments)] = found
        sys.stderr.write(
            f"{deployments} deployments: a note takes {found['note_microseconds']} µs, a turn is kept "
            f"after {found['turn_kept_milliseconds']} ms; {found['megabytes_a_day']} MB a day\n"
        )
    sys.stdout.write(
        json.dumps({"benchmark": "journal", "python": platform.python_version(), **results}) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
