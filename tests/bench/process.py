#!/usr/bin/env python3
"""What the daemon takes as a process: memory, the time until it is ready, and a scrape of its metrics.

``trimtab run`` with its journal on disk, beside the emulated account, at each size; a policy with four signals.
Memory is what is resident once every deployment was decided for, its signals were pushed and some ticks went by.
How long a scrape holds up the event loop is measured in this process, in time of the processor, with decisions by
the engine on four signals each. Prints one JSON object; a table to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import aiohttp
from prometheus_client import CollectorRegistry

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.processes.emulated_account import name_of
from tests.bench.processes.load import Background
from tests.bench.processes.running import POLICY, EmulatedAccount, TrimtabRun

from trimtab.core.deployment import Deployment, Pipeline, State
from trimtab.core.engine import Engine
from trimtab.core.signals import Sample
from trimtab.journal.port import VolatileJournal
from trimtab.policy.loader import read_policy_texts
from trimtab.service.exposition import Exposition
from trimtab.service.status import DeploymentStatus, JournalReport, StatusSnapshot
from trimtab.web.metrics import MetricsPage

BUDGET_IDLE_MEGABYTES = 90.0
BUDGET_KILOBYTES_PER_DEPLOYMENT = 50.0
BUDGET_STALL_MILLISECONDS = 5.0

SIGNALS = ("load", "rate", "queue", "busy")
SETTLE_SECONDS = 45.0
"""Three ticks, during which every signal but one is pushed several times."""

PER_SECOND = 4_000.0

DECIDED_SECONDS_MAX = 300.0


# -- the process ---------------------------------------------------------------------------------
async def measure_process(count: int, settle_seconds: float) -> dict[str, Any]:
    """Start both processes and watch the daemon's."""
    with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as folder:
        async with (
            EmulatedAccount(count) as account,
            TrimtabRun(account, Path(folder)) as daemon,
            aiohttp.ClientSession() as http,
        ):
            decided_seconds = daemon.ready_seconds + await _until_decided(daemon, count)
            start = daemon.usage
            noise = asyncio.create_task(
                Background(http, daemon.url, count, PER_SECOND, restless=0.05).run()
            )
            await asyncio.sleep(settle_seconds)
            noise.cancel()
            await asyncio.gather(noise, return_exceptions=True)
            resident = daemon.usage.resident_bytes
            scrapes = [await _scrape(daemon) for _ in range(5)]
            resident_scraped = daemon.usage.resident_bytes
    return {
        "ready_seconds": round(daemon.ready_seconds, 2),
        "all_decided_seconds": round(decided_seconds, 2),
        "start_cpu_seconds": round(start.seconds, 2),
        "resident_megabytes": round(resident / 1e6, 1),
        "resident_after_scrapes_megabytes": round(resident_scraped / 1e6, 1),
        "scrape_seconds_median": round(statistics.median(one["seconds"] for one in scrapes), 3),
        "scrape_cpu_seconds_median": round(
            statistics.median(one["cpu_seconds"] for one in scrapes), 3
        ),
        "page_megabytes": round(scrapes[-1]["megabytes"], 2),
        "page_compressed_megabytes": round(scrapes[-1]["megabytes_compressed"], 3),
    }


async def _until_decided(daemon: TrimtabRun, count: int) -> float:
    """Wait until every deployment has a decision; return the seconds."""
    started_at = perf_counter()
    async with asyncio.timeout(DECIDED_SECONDS_MAX):
        while True:
            held = await daemon.metrics()
            if held["trimtab_policy_deployments"] >= count:
                return perf_counter() - started_at
            await asyncio.sleep(0.2)


async def _scrape(daemon: TrimtabRun) -> dict[str, float]:
    before, started_at = daemon.usage, perf_counter()
    headers = {"Accept-Encoding": "gzip"}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as http,
        http.get(f"{daemon.url}/metrics", headers=headers) as response,
    ):
        body = await response.read()
    took = perf_counter() - started_at
    return {
        "seconds": took,
        "cpu_seconds": daemon.usage.seconds - before.seconds,
        "megabytes": len(gzip.decompress(body)) / 1e6,
        "megabytes_compressed": len(body) / 1e6,
    }


# -- the page ------------------------------------------------------------------------------------
async def measure_page(count: int, runs: int) -> dict[str, Any]:
    """Have the page written so many times, while somebody else asks for every turn of the loop."""
    page = MetricsPage(exposition_of(count))
    totals, longest = [], []
    for _ in range(runs):
        stalls: list[float] = []
        watching = asyncio.create_task(_watch(stalls))
        before = thread_time()
        await page.write(is_openmetrics=False)
        totals.append(thread_time() - before)
        watching.cancel()
        longest.append(max(stalls, default=totals[-1]))  # nobody else had a turn
    return {
        "page_cpu_milliseconds_median": round(statistics.median(totals) * 1000, 1),
        "page_turns": len(stalls),
        "longest_stall_cpu_milliseconds_median": round(statistics.median(longest) * 1000, 2),
        "budget_longest_stall_cpu_milliseconds": BUDGET_STALL_MILLISECONDS,
    }


async def _watch(stalls: list[float]) -> None:
    """Note how much of the processor's time goes by until each next turn."""
    before = thread_time()
    while True:
        await asyncio.sleep(0)
        now = thread_time()
        stalls.append(now - before)
        before = now


def exposition_of(count: int) -> Exposition:
    """Return the page of ``count`` deployments that were just decided for on four signals each."""
    now = 1_767_225_600.0
    policies = read_policy_texts([("bench.yaml", POLICY)]).policies
    fleet = {name_of(number): _deployment(number) for number in range(count)}
    samples = [
        Sample(deployment=name, signal=signal, value=1.0, time=now - 5.0)
        for name in fleet
        for signal in SIGNALS
    ]
    engine = Engine(policies)
    tick = engine.step(now, fleet, samples)
    statuses = [
        DeploymentStatus(
            deployment=fleet[decision.deployment],
            decision=decision,
            is_write_in_flight=False,
            withheld=None,
            setback=None,
            lead_time=engine.lead_time_of(fleet[decision.deployment]),
        )
        for decision in tick.decisions
    ]
    if len(statuses) != count:
        raise SystemExit(f"{len(statuses)} of {count} deployments were decided for")
    status = StatusSnapshot(
        at=now,
        started_at=now,
        ticked_at=now,
        is_stopping=False,
        policies=policies,
        deployments=(),
        targets=(),
        sources=(),
        journal=JournalReport(status=VolatileJournal(since=now).status),
    )
    return Exposition(CollectorRegistry(), lambda: status, lambda: iter(statuses))


def _deployment(number: int) -> Deployment:
    return Deployment(
        name=name_of(number),
        display_name=f"bench-{number}",
        state=State.READY,
        min_replicas=1,
        max_replicas=1,
        desired_replicas=1,
        replica_count=1,
        pipeline=Pipeline(ready=1),
        created_at=0.0,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--deployments", type=int, nargs="+", default=[1, 1_000, 10_000])
    parser.add_argument("--settle", type=float, default=SETTLE_SECONDS, help="seconds")
    parser.add_argument("--runs", type=int, default=5, help="how often the page is timed")
    options = parser.parse_args()
    sizes: dict[int, dict[str, Any]] = {}
    for count in options.deployments:
        found = sizes[count] = asyncio.run(measure_process(count, options.settle))
        found.update(asyncio.run(measure_page(count, options.runs)))
        if count == 1:
            found["budget_resident_megabytes"] = BUDGET_IDLE_MEGABYTES
        elif 1 in sizes:
            more = found["resident_megabytes"] - sizes[1]["resident_megabytes"]
            found["resident_kilobytes_per_deployment"] = round(1000 * more / (count - 1), 1)
            found["budget_resident_kilobytes_per_deployment"] = BUDGET_KILOBYTES_PER_DEPLOYMENT
        sys.stderr.write(
            f"{count:6} deployments: {found['resident_megabytes']:.0f} MB, ready in "
            f"{found['ready_seconds']:.1f} s, all decided in {found['all_decided_seconds']:.1f} s; a scrape "
            f"takes {found['scrape_seconds_median']:.2f} s, of the processor "
            f"{found['page_cpu_milliseconds_median']:.0f} ms, at a time at most "
            f"{found['longest_stall_cpu_milliseconds_median']:.1f} ms\n"
        )
    result = {"benchmark": "process", "python": platform.python_version(), "deployments": sizes}
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
