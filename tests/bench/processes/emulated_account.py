#!/usr/bin/env python3
"""The product's emulator in a process of its own, with as many deployments as asked for; tells when it is asked.

Each ``PATCH`` and ``GET`` of a single deployment is a line on standard output, a JSON list
``[method, full name, seconds]``, written when its handler begins. The seconds are the system's monotonic
clock, which all processes of a machine share, so that they compare with those of whoever caused it. The first
line is ``{"listening": "http://…"}``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter

from aiohttp import web

from trimtab.clock import ScaledClock
from trimtab.emulator import Emulation
from trimtab.emulator.app import build_app

ACCOUNT = "bench"
SHAPE = "llama-8b-minimal"
REPLICAS = 3
"""Of each deployment at the start."""

PLENTY = 1_000_000_000


def name_of(number: int) -> str:
    """Return the full name of the deployment of that number."""
    return f"accounts/{ACCOUNT}/deployments/d{number}"


def emulation_of(count: int) -> Emulation:
    """Return an account with ``count`` deployments that have a few replicas each, and no traffic."""
    emulation = Emulation(ScaledClock(), seed=1, account=ACCOUNT, accelerator_quota=PLENTY)
    for number in range(count):
        emulation.add_deployment(
            ACCOUNT,
            f"d{number}",
            shape=SHAPE,
            min=REPLICAS,
            max=REPLICAS,
            replicas_ready=REPLICAS,
            display_name=f"bench-{number}",
        )
    return emulation


def say(line: object) -> None:
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()


@web.middleware
async def telling(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Tell that a deployment is read or written, before anything else is done."""
    if "/deployments/" in request.path:
        say([request.method, request.path.removeprefix("/v1/"), perf_counter()])
    return await handler(request)


async def serve(count: int) -> None:
    app = build_app(emulation_of(count))
    # A real account does not stop for a fifth of a second to look for its garbage.
    gc.collect()
    gc.freeze()
    gc.disable()
    app.middlewares.insert(0, telling)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        say({"listening": f"http://127.0.0.1:{runner.addresses[0][1]}"})
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--deployments", type=int, default=1)
    asyncio.run(serve(parser.parse_args().deployments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
