#!/usr/bin/env python3
"""What a pushed sample costs before anything is decided: from the body's bytes to the inbox, without HTTP.

Bodies of 500 samples of known series go through a push source's desk: decompress, decode, find the signals,
enter the values, accept. Measured is the processor's time of one sample, the median of all bodies, with 500,
5,000 and 50,000 series known; it should not depend on how many are. Prints one JSON object; a table
goes to stderr. ``reaction.py`` measures the whole way to a write, over HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import sys
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from time import thread_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from tests.bench.processes.load import labels_of, remote_write

from trimtab.clock import SystemClock
from trimtab.core.signals import Sample, SignalSpec
from trimtab.service.push import PushDesk
from trimtab.service.push_wiring import push_sources
from trimtab.settings_push import JsonSettings, OtlpSettings, RemoteWriteSettings

BATCH = 500
STEP_SECONDS = 0.01
FREE: dict[str, Any] = {
    "token": "bench-token-0123456789",
    "samples_per_second": 10_000_000,
    "requests_per_second": 100_000,
    "series_max": 1_000_000,
}
SOURCES = {
    "remote_write": RemoteWriteSettings(type="remote_write", **FREE),
    "otlp": OtlpSettings(type="otlp", **FREE),
    "json": JsonSettings(type="json", **FREE),
}
HEADERS = {
    "remote_write": {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"},
    "otlp": {"Content-Type": "application/x-protobuf"},
    "json": {"Content-Type": "application/json"},
}


class Everything:
    """A directory that knows every deployment, and a sink that always has room."""

    version, is_ready, room = 1, True, 1 << 30

    def __init__(self, source: str) -> None:
        self._signals = (SignalSpec(name="load", source=source, query="load", max_age_seconds=60),)

    def find(self, text: str) -> str | None:
        return f"accounts/bench/deployments/{text}"

    def deployments(self) -> Sequence[str]:
        return ()

    def signals(self, _: str) -> Sequence[SignalSpec]:
        return self._signals

    def accept(self, _: Sequence[Sample]) -> bool:
        return True


def otlp(ids: Sequence[str], time: float, value: float) -> bytes:
    """Return a gauge with one data point for each deployment, as a collector sends it."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "gateway"
    metric = resource.scope_metrics.add().metrics.add(name="load")
    for one in ids:
        point = metric.gauge.data_points.add(time_unix_nano=int(time * 1e9), as_double=value)
        point.attributes.add(key="deployment").value.string_value = one
        point.attributes.add(key="zone").value.string_value = "eu-west-1a"
    return bytes(request.SerializeToString())


def body_of(kind: str, ids: Sequence[str], labels: Sequence[bytes], time: float) -> bytes:
    """Return a batch whose values differ from those before."""
    value = time % 1000
    if kind == "remote_write":
        return remote_write(labels, [value] * len(labels), time)
    if kind == "otlp":
        return otlp(ids, time, value)
    items = [{"deployment": one, "signal": "load", "value": value, "time": time} for one in ids]
    return json.dumps(items).encode()


def batches(series: int) -> Iterator[tuple[list[str], list[bytes]]]:
    """Go round all series for ever, 500 at a time."""
    every = []
    for begin in range(0, series, BATCH):
        ids = [f"d{number}" for number in range(begin, begin + BATCH)]
        every.append((ids, [labels_of("load", one, 1) for one in ids]))
    return cycle(every)


async def ingest(kind: str, series: int, rounds: int) -> float:
    """Return µs of the processor for one sample, the median of all bodies."""
    clock = SystemClock()
    everything = Everything(kind)
    source = push_sources({kind: SOURCES[kind]})[0]
    desk = PushDesk(clock, source, directory=everything, sink=everything)
    known = series // BATCH
    began_at = clock.now() - (known + rounds) * STEP_SECONDS
    took = []
    for number, (ids, labels) in enumerate(islice(batches(series), known + rounds)):
        body = body_of(kind, ids, labels, began_at + number * STEP_SECONDS)
        before = thread_time()
        answer = await desk.take(HEADERS[kind], body)
        took.append((thread_time() - before) / BATCH * 1e6)
        if answer.status >= 300:
            raise SystemExit(f"the benchmark's own {kind} body was refused: {answer}")
    return statistics.median(took[known:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=100, help="bodies of 500 samples each")
    parser.add_argument("--series", type=int, nargs="+", default=[500, 5_000, 50_000])
    arguments = parser.parse_args()
    result: dict[str, Any] = {"benchmark": "push", "python": platform.python_version()}
    for kind in SOURCES:
        result[kind] = {"microseconds_per_sample": {}}
        for series in arguments.series:
            took = asyncio.run(ingest(kind, series, arguments.rounds))
            result[kind]["microseconds_per_sample"][str(series)] = round(took, 3)
            sys.stderr.write(f"{kind:14} {series:7,} series: {took:6.2f} µs a sample\n")
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
