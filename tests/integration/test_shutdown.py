from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from control_plane import ControlPlane
from running import account_environment, trimtab_run, write_policy

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    return write_policy(tmp_path / "policies")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_during_a_slow_write_finishes_it_and_exits_cleanly(
    number: signal.Signals, policies: Path
) -> None:
    async with ControlPlane(patch_seconds=1.5) as control_plane:
        environment = account_environment(control_plane.base_url)
        async with trimtab_run(environment, policies) as process:
            await asyncio.wait_for(control_plane.patch_started.wait(), 30)
            process.signal(number)
            async with asyncio.timeout(10):  # the promise: well inside a grace period
                assert await process.ended() == 0
    write = process.find("write")
    assert write is not None
    assert (write["outcome"], write["to_replicas"]) == ("applied", 3)
    assert control_plane.deployment["minReplicaCount"] == 3
    assert len(control_plane.patches) == 1
    assert process.lines[-1]["event"] == "stopped"
    assert process.errors == ""


async def test_a_write_that_hangs_is_abandoned_when_the_time_to_stop_is_over(
    policies: Path,
) -> None:
    async with ControlPlane(patch_seconds=60.0) as control_plane:
        environment = account_environment(control_plane.base_url, TRIMTAB_SHUTDOWN_TIMEOUT="1s")
        async with trimtab_run(environment, policies) as process:
            await asyncio.wait_for(control_plane.patch_started.wait(), 30)
            process.signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                assert await process.ended() == 0
    write = process.find("write", outcome="unknown")
    assert write is not None
    assert write["sentence"] == "trimtab stopped before the answer came"
    assert "Traceback" not in process.errors


async def test_a_second_signal_ends_it_at_once(policies: Path) -> None:
    async with ControlPlane(patch_seconds=60.0) as control_plane:
        environment = account_environment(control_plane.base_url)
        async with trimtab_run(environment, policies) as process:
            await asyncio.wait_for(control_plane.patch_started.wait(), 30)
            process.signal(signal.SIGTERM)
            await process.wait_for("stopping", signal="SIGTERM")
            process.signal(signal.SIGINT)
            assert await process.ended() == 128 + signal.SIGINT
    assert process.find("stopped_at_once", signal="SIGINT") is not None
    assert process.find("write") is None


async def test_a_stop_during_the_first_reading_does_not_wait_for_it(policies: Path) -> None:
    asked = asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.Event().wait()
        return web.Response(text=str(request.url))

    async with ControlPlane(answers={"all": never}) as control_plane:
        environment = account_environment(control_plane.base_url)
        async with trimtab_run(environment, policies, "--fail-fast") as process:
            await asyncio.wait_for(asked.wait(), 30)
            process.signal(signal.SIGTERM)
            async with asyncio.timeout(5):
                assert await process.ended() == 0
    assert "Traceback" not in process.errors
