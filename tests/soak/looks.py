"""What a soak looks at again and again, and how little of it may have grown by the end."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

OTHERS = ("trimtab.emulator", "trimtab.plant")
"""What stands for the world; it may remember what it likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The state at one moment; ``at_days`` since the beginning."""

    at_days: float
    resident_bytes: int
    objects: int
    """Objects that the garbage collector knows, of whatever kind and whosever they are."""

    own_objects: Counter[str] = field(repr=False)
    """Of the daemon's own classes, by class."""

    lag_p99_seconds: float
    lag_worst_seconds: float
    evaluated: int
    acknowledged: int
    told: int
    writes: int
    journal_bytes: int
    processor_seconds: float
    """Since the look before."""

    @property
    def own(self) -> int:
        """How many objects of the daemon's own classes there are."""
        return self.own_objects.total()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """By how much the median of the last looks may exceed that of the first: a share, and an amount."""

    what: str
    of: Callable[[Any], float]
    share: float
    amount: float


BOUNDS = (
    Bound(what="resident bytes", of=lambda one: one.resident_bytes, share=0.05, amount=8e6),
    Bound(what="objects", of=lambda one: one.objects, share=0.03, amount=3_000),
    Bound(what="objects of its own classes", of=lambda one: one.own, share=0.02, amount=1_000),
    Bound(what="journal bytes", of=lambda one: one.journal_bytes, share=0.15, amount=2e6),
    Bound(what="p99 seconds of lag", of=lambda one: one.lag_p99_seconds, share=0.1, amount=1.0),
    Bound(what="processor seconds", of=lambda one: one.processor_seconds, share=0.25, amount=5.0),
)
"""Slack for what differs from day to day: weekends, faults, and the allocator's mood."""

LOOKS_MAX = 10


def grown(looks: Sequence[Any], bounds: Sequence[Bound] = BOUNDS) -> list[str]:
    """Return a sentence for each thing that grew beyond its bound from the first looks to the last.

    Compared are the first and the last ten looks, or thirds where there are fewer than thirty. The very
    first is left out: windows fill and caches warm.
    """
    settled = looks[1:]
    count = min(LOOKS_MAX, len(settled) // 3)
    if count == 0:
        return [f"{len(looks)} looks are too few to see growth; take at least four"]
    first, last = settled[:count], settled[-count:]
    sentences = []
    for bound in bounds:
        before = median(bound.of(one) for one in first)
        after = median(bound.of(one) for one in last)
        if after > before * (1 + bound.share) + bound.amount:
            sentences.append(f"{bound.what} grew from {before:,.1f} to {after:,.1f}")
            if bound.what.startswith("objects"):
                sentences[-1] += f", most of them {_most_grown(first[0], last[-1])}"
    return sentences


def _most_grown(before: Look, after: Look) -> str:
    more = after.own_objects - before.own_objects
    return ", ".join(f"{name} (+{count})" for name, count in more.most_common(5)) or "not its own"


def resident_bytes() -> int:
    """Return how much of this process is in memory, without what it shares with files of a memory disk."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def count_objects() -> tuple[int, Counter[str]]:
    """Return how many objects there are, and how many of each of the daemon's classes."""
    gc.collect()
    everything = gc.get_objects()
    own: Counter[str] = Counter()
    for one in everything:
        kind = type(one)
        module = str(kind.__module__)
        if module.startswith("trimtab.") and not module.startswith(OTHERS):
            own[f"{module}.{kind.__qualname__}"] += 1
    return len(everything), own
