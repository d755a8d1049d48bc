#!/usr/bin/env python3
"""Where a profiled process spent its time: the functions that ran most, alone and with what they call.

Reads the collapsed stacks that ``reaction.py --profile`` writes. A sample is taken for each 2 ms of the
processor's time; it shows every thread, so those that waited are left out.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

IDLE_LEAVES = (
    "selectors:",
    "threading:Condition.wait",
    "concurrent.futures.thread:_worker",
    "anyio._backends._asyncio:WorkerThread.run",
    "trimtab.journal.worker:ThreadWorker._run",
)
"""Where a thread is that waits for something to do."""


def read(path: Path) -> list[tuple[list[str], int]]:
    """Return each stack, the thread's kind first, with how often it was seen running."""
    stacks = []
    for line in path.read_text(encoding="utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        names = stack.split(";")
        if not names[-1].startswith(IDLE_LEAVES):
            stacks.append((names, int(count)))
    return stacks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--top", type=int, default=25)
    options = parser.parse_args()
    stacks = read(options.file)
    alone: Counter[str] = Counter()
    in_all: Counter[str] = Counter()
    for names, count in stacks:
        thread = names[0]
        alone[f"{thread}: {names[-1]}"] += count
        for name in set(names[1:]):
            in_all[f"{thread}: {name}"] += count
    whole = sum(count for _, count in stacks) or 1
    for title, counts in (("alone", alone), ("with what they call", in_all)):
        sys.stdout.write(f"{title}, of {whole} samples of threads that ran:\n")
        for name, count in counts.most_common(options.top):
            sys.stdout.write(f"  {count / whole:6.1%}  {name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
