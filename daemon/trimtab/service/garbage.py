"""When the interpreter looks for unreachable cycles: often among the young, seldom among everything.

Nearly all that the daemon drops goes at once, by reference counts. What is left for the cycle collector is
little, but to find it among everything it has to walk everything: 300 ms for the million objects of ten
thousand deployments, during which nothing is heard and nothing is written. By default it does so whenever
the old objects have grown by a quarter, which a fleet under load, with every decision replaced each few
seconds, brings about all the time. Here the time between two such walks follows from how long they take,
and the young are looked at in smaller portions: as much work in all, in shorter pauses.
"""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.clock import Clock

PAUSE_SHARE_MAX = 0.001
"""Of all time, that walks over everything may take: one of 300 ms every five minutes."""

INTERVAL_SECONDS_MIN = 60.0
"""Small heaps are walked in a few milliseconds; more often than this there is nothing to find."""

OBJECT_SECONDS = 0.5e-6
"""What an object adds to a walk, roughly, where memory does not fit into caches; until one was timed."""

YOUNG_PORTIONS = 2
"""Portions of new objects that are looked at once more together; by default ten, for 10 ms at a time. From
3.14 on the number means something else (the collector is incremental), and is left as it is."""

OLD_NEVER = 1_000_000_000
"""A threshold of the oldest generation that is not reached."""


@contextmanager
def old_objects_left_alone() -> Iterator[None]:
    """Let the collector look at young objects only, and never again at what the start left behind.

    Modules, classes and settings live as long as the process; walking them each time would be half the work of
    a small daemon. For the duration of the block; ``keep_collecting`` does the rest.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    portions = YOUNG_PORTIONS if sys.version_info < (3, 14) else before[1]
    gc.set_threshold(before[0], portions, OLD_NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def keep_collecting(clock: Clock) -> None:
    """Walk everything for ever, at intervals that keep the walks' share of all time bounded."""
    await clock.sleep(INTERVAL_SECONDS_MIN)
    took_seconds = len(gc.get_objects()) * OBJECT_SECONDS
    await clock.sleep(interval_seconds(took_seconds) - INTERVAL_SECONDS_MIN)
    while True:
        started_at = clock.monotonic()
        gc.collect()
        took_seconds = clock.monotonic() - started_at
        await clock.sleep(interval_seconds(took_seconds))


def interval_seconds(took_seconds: float) -> float:
    """Return how long to wait after a walk that took so long."""
    return max(INTERVAL_SECONDS_MIN, took_seconds / PAUSE_SHARE_MAX)
