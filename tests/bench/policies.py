#!/usr/bin/env python3
"""How long a directory of policies takes to read, and to read again after one file changed.

The files are the shipped policies, each time with another name and pattern, so that all of them are
valid together. Prints one JSON object; a sentence goes to stderr. The files have been read before, so
that the disk is not measured. Numbers of one machine on one day.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

from trimtab.policy import PolicyStore

BUDGET_LOAD_SECONDS = 1.0
BUDGET_RELOAD_MILLISECONDS = 50.0

POLICIES = Path(__file__).parents[2] / "policies"


def write_policies(folder: Path, count: int) -> list[Path]:
    """Write ``count`` valid files to ``folder``."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(POLICIES.glob("*.yaml"))]
    files = []
    for number in range(count):
        text = texts[number % len(texts)]
        text = re.sub(r"(?m)^  name: (.*)$", rf"  name: \1-{number}", text)
        text = re.sub(r'displayName: "([^"]*)\*"', rf'displayName: "\1-{number}-*"', text)
        files.append(folder / f"policy-{number:05}.yaml")
        files[-1].write_text(text, encoding="utf-8")
    return files


def load(folder: Path, count: int) -> PolicyStore:
    """Read the directory for the first time."""
    policies = PolicyStore()
    report = policies.load(folder)
    if len(report.policies) != count or report.diagnostics:
        raise SystemExit(f"the benchmark's own policies are not clean: {report.diagnostics[:3]}")
    return policies


def reload(policies: PolicyStore, folder: Path, file: Path, run: int) -> float:
    """Change one file, and return the seconds it takes to read the directory again."""
    file.write_text(f"{file.read_text(encoding='utf-8')}# {run}\n", encoding="utf-8")
    return seconds(lambda: policies.load(folder))


def seconds(action: Callable[[], object]) -> float:
    started = perf_counter()
    action()
    return perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=1000, help="how many policy files")
    parser.add_argument("--runs", type=int, default=5, help="how often each is measured")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        files = write_policies(folder, arguments.files)
        policies = load(folder, arguments.files)
        before = process_time()
        loads = [seconds(lambda: load(folder, arguments.files)) for _ in range(arguments.runs)]
        cpu_seconds = (process_time() - before) / arguments.runs
        changed = files[len(files) // 2]
        reloads = [reload(policies, folder, changed, run) for run in range(4 * arguments.runs)]
    load_seconds = statistics.median(loads)
    reload_milliseconds = statistics.median(reloads) * 1000
    result = {
        "benchmark": "policies",
        "python": platform.python_version(),
        "files": arguments.files,
        "load_seconds_median": round(load_seconds, 3),
        "load_seconds_best": round(min(loads), 3),
        "load_cpu_seconds_mean": round(cpu_seconds, 3),  # what others on the machine cannot take
        "load_seconds_worst": round(max(loads), 3),
        "budget_load_seconds": BUDGET_LOAD_SECONDS,
        "reload_milliseconds_median": round(reload_milliseconds, 1),
        "reload_milliseconds_worst": round(max(reloads) * 1000, 1),
        "budget_reload_milliseconds": BUDGET_RELOAD_MILLISECONDS,
    }
    sys.stderr.write(
        f"{arguments.files} policy files load in {load_seconds:.2f} s (median; budget "
        f"{BUDGET_LOAD_SECONDS:.0f} s), again with one changed in {reload_milliseconds:.0f} ms "
        f"(budget {BUDGET_RELOAD_MILLISECONDS:.0f} ms)\n"
    )
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
