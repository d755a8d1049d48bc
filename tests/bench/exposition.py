#!/usr/bin/env python3
"""How many series a second are read from Prometheus text, beside the reference parser.

The text is what an account with many deployments exports: gauges and histogram buckets with five
labels each. "all" reads every series, "few" the two gauges among them that policies usually want.
Prints one JSON object; a sentence goes to stderr. Times are of the processor, as other programs' work is
not measured. Numbers of one machine on one day.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable
from time import process_time

from prometheus_client.parser import text_string_to_metric_families

from trimtab.sources.exposition import read_series

GOAL_TIMES = 5.0
BUCKETS = (50, 150, 300, 500, 750, 1000, 1500, 3000, 5000, 7500, 10000, "+Inf")
GAUGES = (
    "request_counter_total:sum_by_deployment",
    "generator_kv_blocks_fraction:avg_by_deployment",
)
HISTOGRAM = "latency_overall_ms_bucket:sum_by_deployment"


def exposition(deployments: int) -> str:
    """Return the text of an account."""
    lines: list[str] = []
    for name in (*GAUGES, HISTOGRAM):
        lines.append(f"# TYPE {name} gauge")
        for number in range(deployments):
            labels = (
                'base_model="accounts/fireworks/models/gpt-oss-120b",'
                f'deployment="accounts/acme/deployments/d{number:05}",'
                f'deployment_account="acme",deployment_id="d{number:05}"'
            )
            if name == HISTOGRAM:
                lines += [f'{name}{{{labels},le="{le}"}} {i * 1.5}' for i, le in enumerate(BUCKETS)]
            else:
                lines.append(f"{name}{{{labels}}} {number / 7}")
    return "\n".join([*lines, ""])


def rate(series: int, action: Callable[[], object], runs: int) -> float:
    """Return the median of series a second."""
    seconds = []
    for _ in range(runs):
        started = process_time()
        action()
        seconds.append(process_time() - started)
    return series / statistics.median(seconds)


def main() -> int:
    """Measure, print, and fail when the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=500)
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    text = exposition(given.deployments)
    names = {*GAUGES, HISTOGRAM}
    series = sum(1 for _ in read_series(text, names))
    ours = rate(series, lambda: list(read_series(text, names)), given.runs)
    few = rate(series, lambda: list(read_series(text, GAUGES)), given.runs)
    theirs = rate(series, lambda: list(text_string_to_metric_families(text)), given.runs)
    result = {
        "series": series,
        "python": platform.python_version(),
        "series_per_second": {"all": round(ours), "few": round(few), "reference": round(theirs)},
        "times_the_reference": {"all": round(ours / theirs, 1), "few": round(few / theirs, 1)},
    }
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stderr.write(
        f"{ours:,.0f} series a second, {ours / theirs:.1f} times the reference parser "
        f"(goal: {GOAL_TIMES:.0f} times); {few:,.0f} when two of three metrics are wanted\n"
    )
    return 0 if ours >= GOAL_TIMES * theirs else 1


if __name__ == "__main__":
    sys.exit(main())
