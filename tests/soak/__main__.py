#!/usr/bin/env python3
"""Let a fleet live a month of virtual time, and fail if anything grew or was lost.

``make soak DAYS=30 DEPLOYMENTS=1000``. Every virtual day one line says how things are; the last ten days are
compared with the first ten, and each bound that is exceeded is named. Ends with 1 then.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.soak.life import live
from tests.soak.looks import Look, grown
from tests.soak.world import Plan, SoakedFleet, as_json


def say(fleet: SoakedFleet, look: Look) -> None:
    sys.stdout.write(
        f"day {look.at_days:5.1f}: {look.resident_bytes / 1e6:6.1f} MB resident, {look.objects:9,} "
        f"objects ({look.own:,} own), lag p99 {look.lag_p99_seconds:.2f} s worst "
        f"{look.lag_worst_seconds:.0f} s, {look.evaluated:11,} decisions, {look.writes:8,} writes, "
        f"{look.acknowledged:11,} samples acknowledged, journal {look.journal_bytes / 1e6:6.1f} MB, "
        f"{look.processor_seconds:6.1f} s of the processor\n"
    )
    for sentence in fleet.failures():
        sys.stdout.write(f"  {sentence}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--deployments", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tick", type=float, default=1800.0, help="seconds between ticks")
    parser.add_argument("--json", type=Path, help="write what was seen there, one look a line")
    options = parser.parse_args()
    plan = Plan(
        days=options.days,
        deployments=options.deployments,
        seed=options.seed,
        tick_seconds=options.tick,
    )
    fleet = live(plan, say)
    if options.json is not None:
        options.json.write_text(as_json(fleet), encoding="utf-8")
    return 0 if verdict(fleet) else 1


def verdict(fleet: SoakedFleet) -> bool:
    """Say what grew or was lost; true when nothing did."""
    sentences = [*fleet.failures(), *grown(fleet.looks)]
    for sentence in sentences:
        sys.stdout.write(f"FAILED: {sentence}\n")
    if not sentences:
        days = fleet.looks[-1].at_days
        sys.stdout.write(f"{days:.0f} days: nothing grew beyond its bound, nothing was lost\n")
    return not sentences


if __name__ == "__main__":
    sys.exit(main())
