#!/usr/bin/env python3
"""How fast pushes are taken in, and how soon a pushed sample has become a write.

Ingest: bodies of known series through a push source's desk (decompress, decode, find, enter, accept), without
HTTP. Latency: over HTTP on loopback, from the moment a sample is sent until the target is asked to write, while
5,000 other samples a second come in by remote-write; the exchange with the control plane is not in it. Prints one
JSON object; a table goes to stderr. Numbers of one machine on one day: compare them only with its others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from time import perf_counter
from typing import Any

import aiohttp
import cramjam
from prometheus_client import CollectorRegistry

from trimtab.clock import SystemClock
from trimtab.core.decision import Order, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, State
from trimtab.core.policy import MoveRules, Policy, Rule, Selector
from trimtab.core.roles import Role
from trimtab.core.signals import Sample, SignalSpec
from trimtab.core.strategies.target import Target as TargetStrategy
from trimtab.core.strategies.target import Tolerance
from trimtab.service.daemon import Daemon, Timing
from trimtab.service.push import PushDesk, PushSource
from trimtab.service.push_wiring import push_sources
from trimtab.settings_push import JsonSettings, RemoteWriteSettings
from trimtab.targets.port import WriteResult
from trimtab.web.app import build_app
from trimtab.web.push import add_push_routes
from trimtab.web.server import serving

ACCOUNT = "accounts/bench"
BACKGROUND_PER_SECOND = 5_000
BATCH = 500
WARM_UP_SECONDS = 2.0

SPEC = SignalSpec(name="load", source="jobs", query="load", max_age_seconds=600.0)
NOISE = SignalSpec(name="noise", source="gateway", query="noise", max_age_seconds=600.0)
POLICY = Policy(
    name="bench",
    selector=Selector(display_name="bench-*"),
    signals=(SPEC, NOISE),
    rules=(
        Rule(
            name="r",
            role=Role.DEMAND,
            strategy=TargetStrategy(
                signal="load", target=1.0, tolerance=Tolerance(up=0.0, down=0.0)
            ),
        ),
        Rule(name="n", role=Role.DEMAND, strategy=TargetStrategy(signal="noise", target=1e6)),
    ),
    min_replicas=1,
    max_replicas=100_000,
    up=MoveRules(stabilization_seconds=0.0),
)


def name_of(number: int) -> str:
    return f"{ACCOUNT}/deployments/d{number}"


class Fleet:
    """A target in memory that notes when it is asked to write."""

    name = ACCOUNT

    def __init__(self, count: int) -> None:
        self.deployments = {
            name_of(number): Deployment(
                name=name_of(number),
                display_name=f"bench-{number}",
                state=State.READY,
                min_replicas=1,
                max_replicas=100_000,
                desired_replicas=1,
                replica_count=1,
                pipeline=Pipeline(ready=1),
                created_at=0.0,
            )
            for number in range(count)
        }
        self.waiting: dict[str, asyncio.Future[float]] = {}

    def owns(self, deployment: str) -> bool:
        return deployment.startswith(ACCOUNT)

    async def read_fleet(self) -> Mapping[str, Deployment]:
        return dict(self.deployments)

    async def read(self, deployment: str) -> Deployment | None:
        return self.deployments.get(deployment)

    async def write(self, order: Order) -> WriteResult:
        waiting = self.waiting.pop(order.deployment, None)
        if waiting is not None:
            waiting.set_result(perf_counter())
        changed = replace(
            self.deployments[order.deployment],
            min_replicas=order.min_replicas,
            max_replicas=order.max_replicas,
            desired_replicas=order.to_replicas,
            replica_count=order.to_replicas,
            pipeline=Pipeline(ready=order.to_replicas),
        )
        self.deployments[order.deployment] = changed
        return WriteResult(status=WriteStatus.APPLIED, sentence="as ordered", deployment=changed)

    async def close(self) -> None:
        pass


# -- ingest --------------------------------------------------------------------------------------
class Everything:
    """A directory that knows every deployment, and a sink that always has room."""

    version, is_ready, room = 1, True, 1 << 30

    def find(self, text: str) -> str | None:
        return f"{ACCOUNT}/deployments/{text}"

    def deployments(self) -> Sequence[str]:
        return ()

    def signals(self, _: str) -> Sequence[SignalSpec]:
        return (SPEC, NOISE)

    def accept(self, _: Sequence[Sample]) -> bool:
        return True


def field(tag: int, content: bytes) -> bytes:
    return bytes([tag << 3 | 2]) + varint(len(content)) + content


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def remote_write(ids: Sequence[str], time: float, metric: bytes = b"noise") -> bytes:
    """One sample each, with the labels that a scraped series has."""
    body = bytearray()
    sample = b"\x09" + struct.pack("<d", 1.0) + b"\x10" + varint(int(time * 1000))
    for one in ids:
        pairs = (
            (b"__name__", metric),
            (b"deployment", one.encode()),
            (b"instance", b"10.0.0.1:8000"),
            (b"job", b"gateway"),
            (b"zone", b"eu-west-1a"),
        )
        labels = b"".join(field(1, field(1, key) + field(2, word)) for key, word in pairs)
        body += field(1, labels + field(2, sample))
    return bytes(cramjam.snappy.compress_raw(bytes(body)))


WRITE = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "Authorization": "Bearer bench-token-0123456789",
}
JSON = {"Content-Type": "application/json", "Authorization": "Bearer bench-token-0123456789"}
TOKEN = {"token": "bench-token-0123456789"}
FREE: dict[str, Any] = {
    **TOKEN,
    "samples_per_second": 10_000_000,
    "requests_per_second": 100_000,
}


def sources() -> tuple[PushSource, ...]:
    return push_sources(
        {
            "gateway": RemoteWriteSettings(type="remote_write", **FREE),
            "jobs": JsonSettings(type="json", **FREE),
        }
    )


async def ingest(kind: str, rounds: int) -> float:
    """Return samples a second, the median of all rounds."""
    clock = SystemClock()
    gateway, jobs = sources()
    everything = Everything()
    desk = PushDesk(
        clock, gateway if kind == "remote_write" else jobs, directory=everything, sink=everything
    )
    ids = [f"d{number}" for number in range(BATCH)]
    rates = []
    for number in range(rounds):
        now = clock.now() - rounds * 0.001 + number * 0.001
        if kind == "remote_write":
            headers, body = WRITE, remote_write(ids, now)
        else:
            items = [{"deployment": one, "signal": "load", "value": 1, "time": now} for one in ids]
            headers, body = JSON, json.dumps(items).encode()
        before = perf_counter()
        answer = await desk.take(headers, body)
        rates.append(BATCH / (perf_counter() - before))
        assert answer.status < 300, answer
    return statistics.median(rates[1:])


# -- latency -------------------------------------------------------------------------------------
async def latency(count: int, probes: int) -> tuple[float, float, float]:
    """Return p50 and p99 in seconds, and the background's samples a second as they were sent."""
    clock = SystemClock()
    fleet = Fleet(count)
    daemon = Daemon(
        clock=clock,
        targets=[fleet],
        sources=[],
        push_sources=sources(),
        policies=[POLICY],
        timing=Timing(tick_interval_seconds=3600.0, fleet_refresh_interval_seconds=3600.0),
        random=Random(1),
    )
    app = build_app(registry=CollectorRegistry(), health=daemon, beat_age_seconds_max=60.0)
    add_push_routes(app, [desk.door for desk in daemon.desks], clock)
    async with (
        serving(app, "127.0.0.1", 0) as (host, port),
        daemon,
        aiohttp.ClientSession() as http,
    ):
        url = f"http://{host}:{port}/v1/push"
        while daemon.status().ticked_at is None:  # noqa: ASYNC110  the daemon gives no event
            await asyncio.sleep(0.01)
        sent = [0]
        noise = asyncio.create_task(_background(http, url, clock, count, sent))
        await asyncio.sleep(WARM_UP_SECONDS)
        sent[0], begun = 0, perf_counter()
        chance = Random(7)
        took = [await _probe(http, url, fleet, chance.randrange(count)) for _ in range(probes)]
        rate = sent[0] / (perf_counter() - begun)
        noise.cancel()
        await asyncio.gather(noise, return_exceptions=True)
    return statistics.median(took), sorted(took)[int(len(took) * 0.99)], rate


async def _probe(http: aiohttp.ClientSession, url: str, fleet: Fleet, number: int) -> float:
    name = name_of(number)
    wanted = fleet.deployments[name].replica_count + 1
    done = fleet.waiting[name] = asyncio.get_running_loop().create_future()
    item = {"deployment": name, "signal": "load", "value": wanted}
    before = perf_counter()
    async with http.post(f"{url}/jobs", json=item, headers=TOKEN_HEADER) as response:
        assert response.status == 202, await response.text()
    took = await asyncio.wait_for(done, 30.0) - before
    await asyncio.sleep(0.02)
    return took


TOKEN_HEADER = {"Authorization": "Bearer bench-token-0123456789"}


async def _background(
    http: aiohttp.ClientSession, url: str, clock: SystemClock, count: int, sent: list[int]
) -> None:
    """Send batches on schedule; of one deployment the noise is another series each, that nobody wants."""
    interval, number = BATCH / BACKGROUND_PER_SECOND, 0
    next_at = perf_counter()
    while True:
        ids = [f"d{(number * BATCH + i) % max(count, BATCH)}" for i in range(BATCH)]
        async with http.post(
            f"{url}/gateway", data=remote_write(ids, clock.now()), headers=WRITE
        ) as response:
            assert response.status == 204, await response.text()
        sent[0] += BATCH
        number += 1
        next_at += interval
        await asyncio.sleep(max(0.0, next_at - perf_counter()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200, help="bodies of 500 samples each")
    parser.add_argument("--probes", type=int, default=200, help="pushes that are timed")
    parser.add_argument("--deployments", type=int, nargs="+", default=[1, 1_000])
    arguments = parser.parse_args()
    rates = {kind: asyncio.run(ingest(kind, arguments.rounds)) for kind in ("remote_write", "json")}
    lines = [f"{kind:14} {rate:12,.0f} samples/s" for kind, rate in rates.items()]
    latencies = []
    for count in arguments.deployments:
        p50, p99, rate = asyncio.run(latency(count, arguments.probes))
        latencies.append(
            {
                "deployments": count,
                "p50_milliseconds": round(p50 * 1000, 2),
                "p99_milliseconds": round(p99 * 1000, 2),
                "background_samples_per_second": round(rate),
            }
        )
        lines.append(
            f"push to write  {count:6} deployments: p50 {p50 * 1000:6.1f} ms, p99 {p99 * 1000:6.1f} ms "
            f"under {rate:,.0f} samples/s"
        )
    result = {
        "benchmark": "push",
        "python": platform.python_version(),
        "ingest_samples_per_second": {kind: round(rate) for kind, rate in rates.items()},
        "latency": latencies,
    }
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
