#!/usr/bin/env python3
"""What the journal costs: its thread's time for a decision, the disk's room, and the wait for an intention.

A fleet is decided on in slices, as the daemon does: at first in ticks of 15 s, all of it, for what a day
takes of the disk; then a few deployments at a time, as samples of ``--rate`` a second would wake them, while
intentions are settled one after the other. The thread's time is CPU time of the journal's own thread; the
loop's is what building and noting an entry takes. Prints one JSON object; sentences go to stderr. Numbers
of one machine on one day: compare them only with others of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import queue
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from random import Random
from time import perf_counter, thread_time

sys.path.insert(0, str(Path(__file__).parent))

from decisions import POLICY, START, TICK_SECONDS, fleet_of, samples_at

from trimtab.clock import SystemClock
from trimtab.core.decision import Order, Outcome, Tick, WriteStatus
from trimtab.core.deployment import Pipeline
from trimtab.core.engine import Engine
from trimtab.core.signals import Sample
from trimtab.journal.history import History
from trimtab.journal.port import Journal, VolatileJournal
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import ThreadWorker
from trimtab.service.journalled_engine import JournalledEngine

DAY_TICKS = 86_400 / TICK_SECONDS
SLICE = 32
"""Deployments decided on in one step, as the daemon does."""


class MeasuredWorker(ThreadWorker):
    """Adds up the CPU time that its thread takes for its jobs."""

    def __init__(self) -> None:
        super().__init__("journal")
        self.cpu_seconds = 0.0

    def submit(self, job: Callable[[], None]) -> None:
        super().submit(lambda: self._measure(job))

    def submit_for_lull(self, job: Callable[[], None]) -> None:
        super().submit_for_lull(lambda: self._measure(job))

    def _measure(self, job: Callable[[], None]) -> None:
        began = thread_time()
        job()
        self.cpu_seconds += thread_time() - began


class BenchClock(SystemClock):
    """Real seconds, counted from the time at which the loads of ``decisions.py`` begin."""

    def __init__(self) -> None:
        super().__init__()
        self._began = self.monotonic()

    def now(self) -> float:
        return START + self.monotonic() - self._began


class Life:
    """A fleet whose engine is journalled; orders are carried out at once."""

    def __init__(self, journal: Journal, deployments: int) -> None:
        self.fleet = fleet_of(deployments)
        self.engine = Engine([POLICY])
        self.journalled = JournalledEngine(SystemClock(), self.engine, journal)
        self.loop_seconds = 0.0
        self.decisions = 0
        self._changed: dict[str, None] = dict.fromkeys(self.fleet)

    def step(self, now: float, names: list[str], samples: list[Sample]) -> Tick:
        changed, self._changed = tuple(self._changed), {}
        began = thread_time()
        tick = self.journalled.step(now, self.fleet, samples, due=names, changed=changed, absent=())
        self.loop_seconds += thread_time() - began
        self.decisions += len(tick.decisions)
        return tick

    def carry_out(self, order: Order, now: float) -> None:
        count = order.to_replicas
        self.fleet[order.deployment] = replace(
            self.fleet[order.deployment],
            min_replicas=order.min_replicas,
            max_replicas=order.max_replicas,
            desired_replicas=count,
            replica_count=count,
            pipeline=Pipeline(ready=count),
        )
        self._changed[order.deployment] = None
        self.journalled.record(
            Outcome(order=order, at=now, status=WriteStatus.APPLIED, sentence="applied")
        )


async def ticks(path: Path, deployments: int, count: int) -> dict[str, float]:
    """Live through ``count`` ticks and say what they cost; once more without a journal, to compare."""
    worker = MeasuredWorker()
    journal = SqliteJournal(path, BenchClock(), worker=worker)
    await journal.open()
    life, idle = Life(journal, deployments), Life(VolatileJournal(since=START), deployments)
    used, cpu, decisions, loop, bare = [], 0.0, 0, 0.0, 0.0
    for number in range(count):
        now = START + number * TICK_SECONDS
        if number == count // 4:  # adopted, and the windows have something in them
            await journal.settle()
            used.append(used_bytes(path))
            cpu, decisions, loop = worker.cpu_seconds, life.decisions, life.loop_seconds
            bare = idle.loop_seconds
        for one in (life, idle):
            await one_tick(one, now)
        await journal.settle()
    used.append(used_bytes(path))
    done = life.decisions - decisions
    result = {
        "thread_microseconds_a_decision": round((worker.cpu_seconds - cpu) / done * 1e6, 1),
        "loop_microseconds_a_decision": round(
            (life.loop_seconds - loop - idle.loop_seconds + bare) / done * 1e6, 1
        ),
        "bytes_a_decision": round((used[1] - used[0]) / done, 1),
        "megabytes_a_day": round((used[1] - used[0]) / done * deployments * DAY_TICKS / 1e6, 1),
        "dropped": journal.status.dropped,
    }
    await journal.close()
    return result


async def one_tick(life: Life, now: float) -> None:
    samples = samples_at(now, life.fleet)
    names = list(life.fleet)
    for start in range(0, len(names), SLICE):
        of_slice = samples[2 * start : 2 * (start + SLICE)]
        for order in life.step(now, names[start : start + SLICE], of_slice).orders:
            life.carry_out(order, now)
        await asyncio.sleep(0)


async def settling(path: Path, deployments: int, rate: float, seconds: float) -> dict[str, float]:
    """Wake deployments ``rate`` times a second in real time; settle an intention now and then."""
    worker = MeasuredWorker()
    journal = SqliteJournal(path, BenchClock(), worker=worker)
    await journal.open()
    life = Life(journal, deployments)
    random, waits, stops = Random(1), [], queue.SimpleQueue[bool]()
    order = an_order(life)
    names = shuffled(list(life.fleet), random)
    for number in range(4 * deployments // SLICE + 4):  # adopted, moved to its count, and steady
        wake(life, list(dict.fromkeys(islice(names, SLICE))), START - 30.0 + number * 1e-6, random)
        await asyncio.sleep(0.001)
    await journal.settle()

    async def intend() -> None:
        while stops.empty():
            await asyncio.sleep(random.uniform(0.02, 0.08))
            began = perf_counter()
            await life.journalled.intend(order)
            waits.append(perf_counter() - began)

    cpu, decisions = worker.cpu_seconds, life.decisions
    intending = asyncio.create_task(intend())
    began, done = perf_counter(), 0
    while (passed := perf_counter() - began) < seconds:
        wanted = int(passed * rate) - done
        if wanted < 1:
            await asyncio.sleep(0.002)
            continue
        woken = list(dict.fromkeys(islice(names, min(wanted, SLICE))))
        wake(life, woken, START + passed, random)
        done += min(wanted, SLICE)
        await asyncio.sleep(0)
    stops.put(True)
    await intending
    spent, came = worker.cpu_seconds - cpu, life.decisions - decisions
    dropped = journal.status.dropped
    await journal.close()
    waits.sort()
    return {
        "decisions_a_second": round(came / seconds),
        "thread_microseconds_a_decision": round(spent / came * 1e6, 1),
        "settle_p50_milliseconds": round(statistics.median(waits) * 1e3, 2),
        "settle_p99_milliseconds": round(waits[int(0.99 * (len(waits) - 1))] * 1e3, 2),
        "settles": len(waits),
        "dropped": dropped,
    }


def wake(life: Life, names: list[str], now: float, random: Random) -> None:
    """Let each be heard of under a load that asks for four replicas, give or take a little."""
    samples = [Sample(name, "requests", now, random.uniform(19.0, 23.5)) for name in names]
    samples += [Sample(name, "concurrency", now, 20.0) for name in names]
    for order in life.step(now, names, samples).orders:
        life.carry_out(order, now)


def an_order(life: Life) -> Order:
    """An order as the engine gives them, of a deployment under more load than it serves."""
    name = next(iter(life.fleet))
    engine = Engine([POLICY])
    heard = [Sample(name, signal, START, 90.0) for signal in ("requests", "concurrency")]
    (order,) = engine.step(START, {name: life.fleet[name]}, heard).orders
    return order


def shuffled(names: list[str], random: Random) -> Iterator[str]:
    random.shuffle(names)
    return cycle(names)


def used_bytes(path: Path) -> int:
    """What is in the file, in whole pages, wherever they are yet."""
    with History(path) as history:
        connection = history._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return int(pages - free) * 4096


def median_of(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in runs) for name in runs[0]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--deployments", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--decisions", type=int, default=60_000, help="for ticks, in each run")
    parser.add_argument(
        "--rate", type=float, default=3000.0, help="decisions a second, for settling"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of settling, in each run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the file is made")
    arguments = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    for deployments in arguments.deployments:
        count = min(400, max(8, arguments.decisions // deployments))
        told, settled = [], []
        for _ in range(arguments.runs):
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                told.append(asyncio.run(ticks(Path(folder) / "t.db", deployments, count)))
                settled.append(
                    asyncio.run(
                        settling(
                            Path(folder) / "s.db", deployments, arguments.rate, arguments.seconds
                        )
                    )
                )
        found = {f"ticks_{n}": one for n, one in median_of(told).items()}
        found |= {f"background_{n}": one for n, one in median_of(settled).items()}
        results[str(deployments)] = found
        sys.stderr.write(
            f"{deployments} deployments: {found['ticks_thread_microseconds_a_decision']} µs of the "
            f"thread and {found['ticks_bytes_a_decision']} bytes a decision "
            f"({found['ticks_megabytes_a_day']} MB a day); at {found['background_decisions_a_second']} "
            f"decisions/s an intention is kept after {found['background_settle_p50_milliseconds']} ms "
            f"(p99 {found['background_settle_p99_milliseconds']} ms)\n"
        )
    sys.stdout.write(
        json.dumps({"benchmark": "journal", "python": platform.python_version(), **results}) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
