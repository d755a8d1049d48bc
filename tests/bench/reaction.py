#!/usr/bin/env python3
"""How soon a pushed sample has become a write: from sending it until its PATCH arrives at the emulator.

Three processes, as in production: the emulated account, ``trimtab run`` with its defaults and its journal on
disk, and this one, which pushes. In the background 5,000 samples a second come in by remote-write; each
differs from the one before and is wanted by a policy, and some (``--restless``) ask for another count than
the one before, which costs a decision. The probes are JSON pushes that ask for one replica more; on the way to the
write there is everything: the answer, the trigger, the decision, the deployment read again, the intention
on disk. Ticks and listings go on.

Prints one JSON object; a table goes to stderr. All three processes share the machine with whatever else
runs on it: the processor's time beside each number says how much of a core the daemon needed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.processes.breakdown import read_trace, stages
from tests.bench.processes.load import Background, Probe, Prober
from tests.bench.processes.running import EmulatedAccount, TrimtabRun
from tests.bench.processes.summary import percentile

BACKGROUND_PER_SECOND = 5_000.0
RESTLESS_SHARE = 0.05
"""So that one sample in ten crosses from one count to another; 0.5 is the worst there is."""

PROBES_PER_SECOND = 10.0
"""A probe is a read and a write; the control plane allows 100 requests a second, listings included."""

WARM_UP_SECONDS = 20.0
"""More than a tick and a listing."""


async def measure(count: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return what was seen with ``count`` deployments."""
    with tempfile.TemporaryDirectory(prefix="trimtab-bench-", dir=options.folder) as name:
        folder = Path(name)
        trace = folder / "trace.jsonl" if options.breakdown else None
        profile = None if options.profile is None else Path(f"{options.profile}.{count}")
        async with (
            EmulatedAccount(count) as account,
            TrimtabRun(
                account, folder, trace=trace, profile=profile, has_journal=not options.no_journal
            ) as daemon,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
        ):
            probes, result = await observe(http, account, daemon, count, options)
        if trace is not None:
            result["breakdown_milliseconds"] = stages(probes, read_trace(trace))
    return result


async def observe(
    http: aiohttp.ClientSession,
    account: EmulatedAccount,
    daemon: TrimtabRun,
    count: int,
    options: argparse.Namespace,
) -> tuple[list[Probe], dict[str, Any]]:
    """Let the load come, and time the probes."""
    background = Background(http, daemon.url, count, options.background, options.restless)
    prober = Prober(http, daemon.url, count)
    account.on_call = prober.called
    noise = asyncio.create_task(background.run())
    try:
        await asyncio.sleep(options.warm_up)
        decisions = (await daemon.metrics())["trimtab_decisions_total"]
        await asyncio.sleep(1.0)
        before = (daemon.usage, account.usage, background.acknowledged, perf_counter())
        probes = await prober.run(options.probes, PROBES_PER_SECOND)
        seconds = perf_counter() - before[3]
        after = (daemon.usage, account.usage, background.acknowledged)
        metrics_after = await daemon.metrics()
        counted_seconds = perf_counter() - before[3] + 1.0
    finally:
        noise.cancel()
        await asyncio.gather(noise, return_exceptions=True)
    took = [one.seconds * 1000 for one in probes]
    decided = (metrics_after["trimtab_decisions_total"] - decisions) / counted_seconds
    return probes, {
        "p50_milliseconds": percentile(took, 50),
        "p90_milliseconds": percentile(took, 90),
        "p99_milliseconds": percentile(took, 99),
        "worst_milliseconds": max(took),
        "probes": len(probes),
        "probes_unanswered": sum(not one.is_answered for one in probes),
        "stray_writes": prober.stray_writes,
        "background_samples_per_second": (after[2] - before[2]) / seconds,
        "background_refused": background.refused,
        "decisions_per_second": decided,
        "daemon_loop_cores": (after[0].loop_seconds - before[0].loop_seconds) / seconds,
        "daemon_other_threads_cores": (
            (after[0].other_threads_seconds - before[0].other_threads_seconds) / seconds
        ),
        "emulator_cores": (after[1].seconds - before[1].seconds) / seconds,
        "daemon_resident_bytes": after[0].resident_bytes,
        "start_to_ready_seconds": daemon.ready_seconds,
    }


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return round(value, 2) if isinstance(value, float) else value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--deployments", type=int, nargs="+", default=[1, 1_000, 10_000])
    parser.add_argument("--probes", type=int, default=400, help="pushes that are timed")
    parser.add_argument("--background", type=float, default=BACKGROUND_PER_SECOND)
    parser.add_argument(
        "--restless", type=float, default=RESTLESS_SHARE, help="share of it that asks for more"
    )
    parser.add_argument("--warm-up", type=float, default=WARM_UP_SECONDS, help="seconds")
    parser.add_argument("--breakdown", action="store_true", help="say where the time goes")
    parser.add_argument("--profile", help="write where the daemon's time goes to FILE.<count>")
    parser.add_argument("--no-journal", action="store_true", help="to see what it costs")
    parser.add_argument("--folder", type=Path, help="where the journal is made")
    options = parser.parse_args()
    sizes = {}
    for count in options.deployments:
        found = sizes[str(count)] = rounded(asyncio.run(measure(count, options)))
        sys.stderr.write(
            f"push to write, {count:6} deployments: p50 {found['p50_milliseconds']:.1f} ms, "
            f"p99 {found['p99_milliseconds']:.1f} ms, worst {found['worst_milliseconds']:.1f} ms "
            f"under {found['background_samples_per_second']:,.0f} samples/s and "
            f"{found['decisions_per_second']:,.0f} decisions/s; the daemon used "
            f"{found['daemon_loop_cores']:.2f} + {found['daemon_other_threads_cores']:.2f} cores\n"
        )
        for stage, line in found.get("breakdown_milliseconds", {}).items():
            sys.stderr.write(f"    {stage:42} p50 {line['p50']:8.2f}  p99 {line['p99']:8.2f}\n")
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    result = {
        "benchmark": "reaction",
        "python": platform.python_version(),
        "load_average": load,
        "deployments": sizes,
    }
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
