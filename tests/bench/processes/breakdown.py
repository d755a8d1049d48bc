"""Where the time of reactions goes: the probes' own times and the daemon's trace, put together."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.processes.load import Probe
from tests.bench.processes.summary import percentile

STAGES = (
    ("sent → body read by the daemon", "body read"),
    ("body read → in the inbox", "taken in"),
    ("in the inbox → its slice begins", "slice begun"),
    ("slice begins → decided", "decided"),
    ("decided → reading again begins", "read begun"),
    ("reading again", "read"),
    ("read → intention noted", "intention noted"),
    ("intention noted → durable", "intention durable"),
    ("durable → write begins", "write begun"),
    ("write begins → PATCH arrives", "arrived"),
)
"""Each is the time since the stage before."""

Trace = Mapping[tuple[str, str], Sequence[float]]


def read_trace(path: Path) -> Trace:
    """Return the times of each stage of each deployment, in order."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for line in path.read_text().splitlines():
        stage, deployment, at = json.loads(line)
        found[stage, deployment].append(at)
    for times in found.values():
        times.sort()
    return found


def stages(probes: Sequence[Probe], trace: Trace) -> dict[str, dict[str, float]]:
    """Return p50 and p99 of each stage in milliseconds."""
    took: dict[str, list[float]] = defaultdict(list)
    for probe in filter(lambda one: one.is_answered, probes):
        before = probe.sent_at
        for label, stage in STAGES:
            at = _next(trace.get((stage, probe.deployment), ()), before, probe.written.result())
            if at is not None:
                took[label].append((at - before) * 1000)
                before = at
    return {
        label: {"p50": percentile(took[label], 50), "p99": percentile(took[label], 99)}
        for label, _ in STAGES
        if took[label]
    }


def _next(times: Sequence[float], after: float, until: float) -> float | None:
    """Return the first time that is not before ``after``; the end itself for what the trace lacks."""
    if not times:
        return until
    index = bisect_left(times, after)
    return times[index] if index < len(times) and times[index] <= until else None
