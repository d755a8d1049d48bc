#!/usr/bin/env python3
"""What a page of the fleet and of a deployment cost the daemon, by the size of its fleet.

A whole daemon on a scripted control plane, asked over HTTP by a client in the same process. Times are of the
processor, client included, as other programs' work is not measured; ``worst`` is the slowest of all. ``grown_bytes``
is by how much the process grew while it answered all requests but the first few. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import platform
import statistics
import sys
from pathlib import Path
from random import Random
from time import process_time
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import structlog
from aiohttp import ClientSession
from tests.unit.service.scripted_world import (
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_policy,
    pass_time,
)

from trimtab.clock import ManualClock
from trimtab.service.daemon import Daemon
from trimtab.service.garbage import old_objects_left_alone
from trimtab.service.surface import Doors, surface_of
from trimtab.web.server import serving
from trimtab.web.tokens import Access

if TYPE_CHECKING:
    from collections.abc import Mapping

WARM_UPS = 10


def name_of(number: int) -> str:
    """Return a deployment's full name."""
    return f"accounts/acme/deployments/chat-{number:05}"


def resident_bytes() -> int:
    """Return what the process has in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


async def asked(session: ClientSession, address: str) -> int:
    """Read a page; its length."""
    async with session.get(address) as answer:
        body = await answer.read()
        answer.raise_for_status()
        return len(body)


async def cost_of(session: ClientSession, addresses: list[str]) -> Mapping[str, Any]:
    """Ask for each address once and return what that took."""
    for address in addresses[:WARM_UPS]:
        await asked(session, address)
    gc.collect()
    before, seconds, length = resident_bytes(), [], 0
    for address in addresses[WARM_UPS:]:
        started = process_time()
        length = await asked(session, address)
        seconds.append(process_time() - started)
    gc.collect()
    return {
        "median_milliseconds": round(1000 * statistics.median(seconds), 2),
        "worst_milliseconds": round(1000 * max(seconds), 2),
        "page_bytes": length,
        "grown_bytes": resident_bytes() - before,
    }


async def until_quiet(daemon: Daemon, clock: ManualClock, deployments: int) -> None:
    """Let the daemon decide on every deployment and carry all of it out."""
    while True:
        await pass_time(clock, 20.0, step=1.0)
        now = daemon.views.daemon()
        if now.deployments == deployments and not now.orders_waiting:
            return


async def measure(deployments: int, runs: int) -> Mapping[str, Any]:
    """Run a daemon with so many deployments and ask for its pages."""
    clock, draw = ManualClock(START), Random(deployments)
    target = ScriptedTarget().hold(*(a_deployment(name_of(n)) for n in range(deployments)))
    source = ScriptedSource(clock, load=300.0)  # more than any may have: all of them are short
    daemon = Daemon(
        clock=clock, targets=[target], sources=[source], policies=[a_policy()], random=draw
    )
    access = Access(is_reading_open_to_loopback=True)
    app = surface_of(daemon, "127.0.0.1", Doors(clock, access))
    total = WARM_UPS + runs
    pages = max(1, deployments // 50)
    some = [draw.randrange(max(1, deployments)) for _ in range(total)]
    async with daemon, serving(app, "127.0.0.1", 0) as (host, port):
        await until_quiet(daemon, clock, deployments)
        async with ClientSession(f"http://{host}:{port}") as session:
            found = {
                "first_page": await cost_of(session, ["/"] * total),
                "any_page": await cost_of(
                    session, [f"/?page={1 + n % pages}" for n in range(total)]
                ),
                "filtered": await cost_of(session, [f"/?text=chat-{n:05}" for n in some]),
            }
            if deployments:
                found["deployment"] = await cost_of(
                    session, [f"/deployments/{name_of(n)}" for n in some]
                )
    return {"deployments": deployments, **found}


async def run(sizes: list[int], runs: int) -> list[Mapping[str, Any]]:
    """Measure each size, one after the other."""
    with old_objects_left_alone():  # as the daemon's process has it
        return [await measure(size, runs) for size in sizes]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, nargs="+", default=[0, 1_000, 10_000])
    parser.add_argument("--runs", type=int, default=200)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    sizes = asyncio.run(run(given.deployments, given.runs))
    sys.stdout.write(json.dumps({"python": platform.python_version(), "sizes": sizes}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
