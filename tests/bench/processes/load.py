"""Load over HTTP: a background on schedule, and probes whose effect is waited for at the emulator.

Both are sent when they are due, however long earlier ones take, so that a slow answer hides no slow answers.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from time import perf_counter
from time import time as utc_seconds  # noqa: TID251  another process, real time

import aiohttp
import cramjam
from tests.bench.processes.emulated_account import REPLICAS, name_of
from tests.bench.processes.running import BACKGROUND_METRICS, ONE_REPLICA, TOKEN

BATCH = 500
CALM, RESTLESS = (0.80, 0.85), (1.20, 1.25)
"""What a signal shows, in replicas."""

ANSWER_SECONDS_MAX = 30.0
"""A probe that led to no write for so long counts as unanswered."""

_AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}
_REMOTE_WRITE = {
    **_AUTHORIZATION,
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
}


# -- remote-write bodies ---------------------------------------------------------------------------
def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def message(tag: int, content: bytes) -> bytes:
    """Return a field of protobuf that holds bytes."""
    return bytes([tag << 3 | 2]) + varint(len(content)) + content


def labels_of(metric: str, deployment: str, instance: int) -> bytes:
    """Return the labels that a scraped series has."""
    pairs = {
        "__name__": metric,
        "deployment": deployment,
        "instance": f"10.0.{instance >> 8}.{instance & 255}:8000",
        "job": "gateway",
        "zone": "eu-west-1a",
    }
    labels = (message(1, key.encode()) + message(2, word.encode()) for key, word in pairs.items())
    return b"".join(message(1, one) for one in labels)


def remote_write(labels: Sequence[bytes], values: Sequence[float], time: float) -> bytes:
    """Return one sample for each series, as Prometheus sends them. ``time`` in UTC seconds."""
    at = b"\x10" + varint(int(time * 1000))
    body = b"".join(
        message(1, one + message(2, b"\x09" + struct.pack("<d", value) + at))
        for one, value in zip(labels, values, strict=True)
    )
    return bytes(cramjam.snappy.compress_raw(body))


# -- background ------------------------------------------------------------------------------------
@dataclass
class Background:
    """Sends ``per_second`` samples in batches of 500 series of as many deployments as there are.

    Every value differs from the one before, by a few per cent of what one replica carries. A share of
    ``restless`` of them asks for a second replica, so that about twice that share crosses from one
    count to another and must be decided on. ``acknowledged`` counts samples, ``refused`` requests.
    """

    http: aiohttp.ClientSession
    url: str
    deployments: int
    per_second: float
    restless: float
    sent: int = 0
    acknowledged: int = 0
    refused: dict[int, int] = field(default_factory=dict)
    late_seconds_max: float = 0.0

    async def run(self) -> None:
        """Send for ever."""
        chance = Random(3)
        series = [self._series(metric) for metric in BACKGROUND_METRICS]
        next_at, number = perf_counter(), 0
        async with asyncio.TaskGroup() as group:
            while True:
                batches = series[number % len(series)]
                labels = batches[number // len(series) % len(batches)]
                values = self._values(chance, len(labels))
                group.create_task(self._send(remote_write(labels, values, utc_seconds())))
                number += 1
                next_at += BATCH / self.per_second
                self.late_seconds_max = max(self.late_seconds_max, perf_counter() - next_at)
                await asyncio.sleep(max(0.0, next_at - perf_counter()))

    def _values(self, chance: Random, count: int) -> list[float]:
        """Return a value for each series of a batch; of one deployment's instances, alike."""
        instances = max(1, BATCH // self.deployments)
        values: list[float] = []
        while len(values) < count:
            level = RESTLESS if chance.random() < self.restless else CALM
            values += [ONE_REPLICA * chance.uniform(*level) / instances] * instances
        return values[:count]

    def _series(self, metric: str) -> list[list[bytes]]:
        """Return the labels of all series of a metric, in batches; a few instances each if need be."""
        count = max(self.deployments, BATCH)
        labels = [labels_of(metric, f"d{one % self.deployments}", one) for one in range(count)]
        return [labels[begin : begin + BATCH] for begin in range(0, count, BATCH)]

    async def _send(self, body: bytes) -> None:
        self.sent += BATCH
        url = f"{self.url}/v1/push/gateway"
        async with self.http.post(url, data=body, headers=_REMOTE_WRITE) as response:
            if response.status == 204:
                self.acknowledged += BATCH
            else:
                self.refused[response.status] = self.refused.get(response.status, 0) + 1


# -- probes ----------------------------------------------------------------------------------------
@dataclass(slots=True)
class Probe:
    """One pushed sample and what followed: monotonic seconds, ``None`` for what has not happened."""

    deployment: str
    sent_at: float
    acknowledged_at: float | None = None
    read_at: float | None = None
    written: asyncio.Future[float] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def is_answered(self) -> bool:
        """Whether a write followed."""
        return self.written.done() and not self.written.cancelled()

    @property
    def seconds(self) -> float:
        """From sending the sample until the write began to be served; without one, what was waited."""
        return self.written.result() - self.sent_at if self.is_answered else ANSWER_SECONDS_MAX


class Prober:
    """Pushes for one deployment after the other that it needs one replica more."""

    def __init__(self, http: aiohttp.ClientSession, url: str, deployments: int) -> None:
        self._http = http
        self._url = f"{url}/v1/push/jobs"
        self._count = deployments
        self._wanted = [REPLICAS] * deployments
        self._open: dict[str, Probe] = {}
        self._chance = Random(7)
        self.stray_writes = 0
        self.acknowledged = 0

    def called(self, method: str, name: str, at: float) -> None:
        """Take in what the emulator tells of."""
        probe = self._open.get(name)
        if method == "GET" and probe is not None and probe.read_at is None:
            probe.read_at = at
        elif method == "PATCH":
            if probe is None:
                self.stray_writes += 1
            elif not probe.written.done():
                probe.written.set_result(at)

    async def run(self, count: int, per_second: float) -> list[Probe]:
        """Send ``count`` probes, on schedule where more than one deployment allows it."""
        tasks: list[asyncio.Task[Probe]] = []
        next_at = perf_counter()
        for _ in range(count):
            if self._count == 1 and tasks:
                await tasks[-1]
            tasks.append(asyncio.create_task(self._probe(self._choose())))
            # Somewhere in its slot, so that probes do not keep time with the background.
            slot_ends_at = next_at + 1.0 / per_second
            next_at += self._chance.random() / per_second
            await asyncio.sleep(max(0.0, next_at - perf_counter()))
            next_at = slot_ends_at
        return list(await asyncio.gather(*tasks))

    def _choose(self) -> int:
        while True:
            number = self._chance.randrange(self._count)
            if name_of(number) not in self._open:
                return number

    async def _probe(self, number: int) -> Probe:
        name = name_of(number)
        self._wanted[number] += 1
        item = {"deployment": name, "signal": "load", "value": self._wanted[number]}
        probe = self._open[name] = Probe(name, perf_counter())
        try:
            async with self._http.post(self._url, json=item, headers=_AUTHORIZATION) as response:
                if response.status != 202:
                    raise SystemExit(f"a probe was refused: {await response.text()}")
            probe.acknowledged_at = perf_counter()
            self.acknowledged += 1
            await asyncio.wait({probe.written}, timeout=ANSWER_SECONDS_MAX)
            await asyncio.sleep(0.05)  # for the answer: until then the deployment is in flight
        finally:
            del self._open[name]
        return probe
