"""Many worlds, over the cores that there are: ``python -m tests.simulation.runner --seeds 1-2000``."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from functools import partial

from tests.simulation.members.world import run_members_seed
from tests.simulation.plan import as_fleet, draw_plan
from tests.simulation.world import Report, run_plan, run_seed


def say(text: str) -> None:
    """Tell whoever runs the command."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def parse_seeds(text: str) -> range:
    """Return the seeds that ``A-B`` or ``A`` means, both ends included."""
    first, dash, last = text.partition("-")
    return range(int(first), int(last if dash else first) + 1)


@contextmanager
def _gc_at_rest() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


def run_with_fleet(seed: int) -> Report:
    """Let the world of ``seed`` live with a fleet file."""
    return run_plan(as_fleet(draw_plan(seed), seed))


def run_one(seed: int, run: Callable[[int], Report]) -> tuple[Report | None, str, float]:
    """Run one world; returns its report, or what went wrong with the simulation itself."""
    started = time.perf_counter()
    try:
        with _gc_at_rest():
            report = run(seed)
    except Exception as error:  # noqa: BLE001  one world's end is not the others'
        import traceback

        text = f"seed {seed}: the simulation failed: {error!r}\n{traceback.format_exc()}"
        return None, text, time.perf_counter() - started
    text = "" if report.broken is None else str(report.broken)
    return report, text, time.perf_counter() - started


def summary(reports: Iterable[Report], failures: int, wall_seconds: float, seeds: range) -> str:
    """Return what all the worlds came to, in lines."""
    hours = deployment_hours = 0.0
    counts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    worlds = 0
    for report in reports:
        worlds += 1
        hours += report.hours
        deployment_hours += report.deployment_hours
        counts += report.counts
        faults += report.faults
    shown = ", ".join(f"{kind} {count}" for kind, count in sorted(faults.items()))
    deeds = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
    return (
        f"seeds {seeds.start}-{seeds.stop - 1}: {worlds} worlds, {failures} failures\n"
        f"{hours:,.0f} virtual hours, {deployment_hours:,.0f} deployment-hours in "
        f"{wall_seconds:,.0f} s: {hours / wall_seconds:.1f} virtual hours and "
        f"{deployment_hours / wall_seconds:.0f} deployment-hours a second\n"
        f"faults injected: {shown}\n"
        f"what happened: {deeds}"
    )


WORLDS_PER_PROCESS = 40
"""Then a fresh one takes over: what a thousand worlds leave behind makes the collector slow."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=parse_seeds, required=True, metavar="A-B")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=None, help="begin no world after this")
    parser.add_argument("--verbose", action="store_true", help="say how each world went")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at a failure")
    parser.add_argument("--fleet", action="store_true", help="give every world a fleet file")
    parser.add_argument(
        "--members", action="store_true", help="worlds of several daemons that share one fleet"
    )
    parser.add_argument("--small", action="store_true", help="leave out the large worlds")
    parser.add_argument("--digest", action="store_true", help="print the digest of each world only")
    options = parser.parse_args(arguments)
    if options.digest:
        for seed in options.seeds:
            say(f"{seed} {kind_of(options)(seed).digest}")
        return 0
    started = time.perf_counter()
    reports: list[Report] = []
    failures = 0
    with closing(_results(options, started)) as results:
        for report, text, seconds in results:
            if report is not None:
                reports.append(report)
            if text:
                failures += 1
                say(text)
            if options.verbose and report is not None:
                say(
                    f"seed {report.seed}: {report.digest}, {report.hours:.1f} h, "
                    f"{report.deployment_hours:.0f} deployment-hours, {seconds:.2f} s",
                )
            if failures and not options.keep_going:
                break
    say(summary(reports, failures, time.perf_counter() - started, options.seeds))
    return 1 if failures else 0


def kind_of(options: argparse.Namespace) -> Callable[[int], Report]:
    """Return what runs a world of the kind that is wanted."""
    if options.members:
        return run_members_seed
    return run_with_fleet if options.fleet else run_seed


def _results(
    options: argparse.Namespace, started: float
) -> Iterator[tuple[Report | None, str, float]]:
    """Hand out seeds in small batches, so that an end by time is near the time.

    A pool is given up as a whole: one that lets each process retire by itself (``max_tasks_per_child``)
    hangs for ever where the last of them retire together (CPython issue 115634).
    """
    batch = options.processes * (12 if options.seconds is None else 3)
    is_small = options.small and not options.members
    seeds = [one for one in options.seeds if not (is_small and draw_plan(one).is_large)]
    run = partial(run_one, run=kind_of(options))
    while seeds:
        with ProcessPoolExecutor(
            options.processes, mp_context=multiprocessing.get_context("forkserver")
        ) as pool:
            for _ in range(0, WORLDS_PER_PROCESS * options.processes, batch):
                if options.seconds is not None and time.perf_counter() - started > options.seconds:
                    return
                yield from pool.map(run, seeds[:batch])
                del seeds[:batch]


if __name__ == "__main__":
    sys.exit(main())
