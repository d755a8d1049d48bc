#!/usr/bin/env python3
"""What listing a whole account costs the daemon, and what requests cost the emulator it is tested with.

Listing: pages of 200 as the control plane sends them, over a connection in memory, through the target, to the
core's deployments: the first time, with every row as before, with one row in a hundred changed, with all
changed. CPU time of the thread, and the longest time for which the event loop had nobody else's turn. The
emulator: one read, one write, one page, by handlers and all but without sockets. Garbage of old generations
is not looked for meanwhile, as in the daemon. Prints one JSON object; a table goes to stderr. Numbers of one
machine on one day: compare them only with its others.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import statistics
import sys
from collections.abc import Awaitable, Callable
from time import thread_time
from typing import Any

from trimtab.clock import ManualClock, SystemClock
from trimtab.emulator import Emulation
from trimtab.emulator.in_process import ask
from trimtab.targets.fireworks import FireworksAccount, FireworksTarget
from trimtab.targets.fireworks.answers import Answer, Call
from trimtab.targets.fireworks.pages import PAGE_SIZE_MAX

ACCOUNT = "bench"
LIST = f"/v1/accounts/{ACCOUNT}/deployments"
HEADERS = {"Authorization": "Bearer bench"}
OFTEN = 10**9


def row(number: int, replicas: int) -> dict[str, Any]:
    """Return a deployment with all that a scaled one usually shows."""
    return {
        "name": f"accounts/{ACCOUNT}/deployments/d{number:05d}",
        "displayName": f"chat-{number}",
        "createTime": "2026-07-10T19:16:09.655062Z",
        "updateTime": "2026-07-10T19:20:41.120933Z",
        "state": "READY",
        "minReplicaCount": replicas,
        "maxReplicaCount": replicas,
        "desiredReplicaCount": replicas,
        "replicaCount": replicas,
        "replicaStats": {"readyReplicaCount": replicas},
        "autoscalingPolicy": {
            "scaleUpWindow": "30s",
            "scaleDownWindow": "600s",
            "scaleToZeroWindow": "3600s",
            "loadTargets": {"default": 0.8},
        },
        "baseModel": "accounts/fireworks/models/gpt-oss-120b",
        "acceleratorCount": 1,
        "acceleratorType": "NVIDIA_H200_141GB",
        "precision": "FP4",
        "placement": {"multiRegion": "GLOBAL"},
        "region": "US_VIRGINIA_1",
        "deploymentShape": "accounts/fireworks/deploymentShapes/gpt-oss/versions/etmdyl20",
        "annotations": {
            "trimtab.dev/user-bounds": "0-8",
            "trimtab.dev/written-bounds": f"{replicas}-{replicas}",
        },
    }


class Pages:
    """A control plane in memory. ``show`` sets what the next listing finds."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._rows = [row(number, 1) for number in range(count)]
        self._texts: list[str] = []

    def show(self, replicas: int, *, every: int) -> None:
        """Give every so manieth deployment that many replicas."""
        for number in range(0, self.count, every):
            self._rows[number] = row(number, replicas)
        self._texts = []
        for begin in range(0, self.count, PAGE_SIZE_MAX):
            end = begin + PAGE_SIZE_MAX
            page: dict[str, Any] = {"deployments": self._rows[begin:end], "totalSize": self.count}
            if end < self.count:
                page["nextPageToken"] = str(end)
            self._texts.append(json.dumps(page, separators=(",", ":")))

    async def exchange(self, call: Call) -> Answer:
        await asyncio.sleep(0)
        if "deploymentShapes" in call.path:
            snapshot = {"name": "gpt-oss", "acceleratorCount": 1}
            text = json.dumps({"name": call.path, "snapshot": snapshot})
        else:
            text = self._texts[int(call.query.get("pageToken", "0")) // PAGE_SIZE_MAX]
        return Answer(status=200, headers={}, text=text)

    async def close(self) -> None:
        pass


class Stalls:
    """Takes every turn it can get, and knows the longest CPU time between two of them."""

    def __init__(self) -> None:
        self.longest_seconds = 0.0

    async def watch(self) -> None:
        last = thread_time()
        while True:
            await asyncio.sleep(0)
            now = thread_time()
            self.longest_seconds = max(self.longest_seconds, now - last)
            last = now


async def listing(count: int, rounds: int) -> dict[str, Any]:
    """Return CPU milliseconds and the longest stall of each kind of listing, medians of rounds."""
    found: dict[str, list[tuple[float, float]]] = {}
    for turn in range(rounds):
        pages = Pages(count)
        account = FireworksAccount(
            account_id=ACCOUNT, api_key="bench-key-0123456789", control_per_minute=OFTEN
        )
        target = FireworksTarget(account, SystemClock(), connection=pages)
        stalls = Stalls()
        watching = asyncio.create_task(stalls.watch())
        for kind, replicas, every in (
            ("first", turn, 1),
            ("unchanged", turn, 1),
            ("one_in_a_hundred_changed", turn + 1, 100),
            ("all_changed", turn + 2, 1),
        ):
            pages.show(replicas, every=every)
            gc.collect(1)  # what these pages were made of
            await asyncio.sleep(0)
            stalls.longest_seconds = 0.0
            begun = thread_time()
            fleet = await target.read_fleet()
            # The watcher's own turns are in it: a fiftieth of it at most.
            found.setdefault(kind, []).append((thread_time() - begun, stalls.longest_seconds))
            assert len(fleet) == count
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return {
        kind: {
            "cpu_milliseconds": round(1e3 * statistics.median(cpu for cpu, _ in pairs), 2),
            "longest_stall_milliseconds": round(1e3 * statistics.median(s for _, s in pairs), 2),
        }
        for kind, pairs in found.items()
    }


async def emulator(count: int, times: int) -> dict[str, float]:
    """Return CPU milliseconds of a read, a write and a page while the emulator's time passes."""
    clock = ManualClock(1_767_225_600.0)
    emulation = Emulation(clock, account=ACCOUNT, accelerator_quota=OFTEN)
    begun = thread_time()
    for number in range(count):
        emulation.add_deployment(
            ACCOUNT, f"d{number}", shape="llama-8b-minimal", min=1, max=50, replicas_ready=1
        )
    added_seconds = thread_time() - begun
    emulation.account.requests.per_minute = float(OFTEN)
    for _ in range(4):  # until the platform's own autoscaler has nothing left to find out
        clock.advance(15.0)
        emulation.look()

    async def call(method: str, path: str, body: object = None, **query: str) -> dict[str, Any]:
        data = b"" if body is None else json.dumps(body).encode()
        reply = await ask(emulation, method, path, query=query, headers=HEADERS, body=data)
        assert reply is not None
        assert reply.status == 200
        answer: dict[str, Any] = json.loads(reply.text)
        return answer

    token = ""

    async def read(turn: int) -> None:
        await call("GET", f"{LIST}/d{turn * 7 % count}")

    async def write(turn: int) -> None:
        replicas = 2 + turn % 5
        bounds = {"minReplicaCount": replicas, "maxReplicaCount": replicas}
        await call("PATCH", f"{LIST}/d{turn * 11 % count}", bounds)

    async def page(_: int) -> None:
        nonlocal token
        query = {"pageSize": str(PAGE_SIZE_MAX), **({"pageToken": token} if token else {})}
        token = (await call("GET", LIST, **query)).get("nextPageToken", "")

    async def timed(act: Callable[[int], Awaitable[None]]) -> float:
        seconds: list[float] = []
        for turn in range(times):
            clock.advance(0.05)
            begun = thread_time()
            await act(turn)
            seconds.append(thread_time() - begun)
        return round(1e3 * statistics.median(seconds), 3)

    return {
        "add_all_milliseconds": round(1e3 * added_seconds, 1),
        "get_milliseconds": await timed(read),
        "patch_milliseconds": await timed(write),
        "page_milliseconds": await timed(page),
    }


async def measure(sizes: list[int], rounds: int, times: int) -> list[dict[str, Any]]:
    """Return what was found at each size."""
    found: list[dict[str, Any]] = []
    for count in sizes:
        gc.collect()
        gc.freeze()
        before = gc.get_threshold()
        gc.set_threshold(before[0], before[1], OFTEN)
        try:
            listed = await listing(count, rounds)
            found.append(
                {"deployments": count, "listing": listed, "emulator": await emulator(count, times)}
            )
        finally:
            gc.set_threshold(*before)
            gc.unfreeze()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=3, help="listings of each kind")
    parser.add_argument("--times", type=int, default=100, help="requests of each kind")
    options = parser.parse_args()
    found = asyncio.run(measure(options.sizes, options.rounds, options.times))
    table: list[str] = []
    for one in found:
        table.append(f"{one['deployments']} deployments")
        for kind, numbers in one["listing"].items():
            cpu, stall = numbers["cpu_milliseconds"], numbers["longest_stall_milliseconds"]
            table.append(f"  {kind:26} {cpu:8.1f} ms CPU {stall:8.2f} ms longest stall")
        for name, milliseconds in one["emulator"].items():
            what = name.removesuffix("_milliseconds")
            table.append(f"  emulator {what:17} {milliseconds:8.3f} ms CPU")
    sys.stderr.write("\n".join([*table, ""]))
    told = {"benchmark": "listing", "python": platform.python_version(), "fleets": found}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
