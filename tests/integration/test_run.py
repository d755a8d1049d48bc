"""``trimtab run`` when all is well, as a process and as its parts."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest
import structlog
from aiohttp import ClientSession, web
from control_plane import ACCOUNT, KEY, ControlPlane
from running import account_environment, trimtab_run, write_policy

from trimtab.cli import run as run_command
from trimtab.cli.exit_codes import ExitCode
from trimtab.core import deciding
from trimtab.errors import InvariantViolation
from trimtab.settings import AccountSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    return write_policy(tmp_path / "policies")


async def test_it_scales_and_shows_what_it_does_over_http(policies: Path) -> None:
    async with ControlPlane() as control_plane:
        environment = account_environment(control_plane.base_url)
        async with trimtab_run(environment, policies) as process, ClientSession() as session:
            started = await process.wait_for("started")
            url = f"http://{started['listen']}"
            write = await process.wait_for("write", outcome="applied")
            async with session.get(f"{url}/readyz") as response:
                ready = (response.status, await response.text())
            async with session.get(f"{url}/livez") as response:
                alive = response.status
            async with session.get(f"{url}/metrics") as response:
                metrics = await response.text()
            process.process.terminate()
            assert await process.ended() == 0
    assert (write["from_replicas"], write["to_replicas"]) == (1, 3)
    assert control_plane.patches[0]["minReplicaCount"] == 3
    assert control_plane.patches[0]["maxReplicaCount"] == 3
    assert ready == (200, "ready\n")
    assert alive == 200
    assert 'trimtab_writes_total{direction="up",outcome="applied"} 1.0' in metrics
    assert f'deployment="{control_plane.name}"' in metrics
    assert KEY not in metrics + process.raw_output + process.errors
    assert process.errors == ""


async def test_it_is_not_ready_before_it_has_read_the_deployments(policies: Path) -> None:
    async with ControlPlane(answers={"list": never}) as control_plane:
        environment = account_environment(control_plane.base_url)
        async with trimtab_run(environment, policies) as process, ClientSession() as session:
            started = await process.wait_for("started")
            async with session.get(f"http://{started['listen']}/readyz") as response:
                assert response.status == 503
                assert f"- accounts/{ACCOUNT} has not been read yet" in await response.text()
            process.process.terminate()
            assert await process.ended() == 0


async def never(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def test_it_goes_on_scaling_when_nobody_reads_its_log(policies: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    async with ControlPlane() as control_plane:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "trimtab", "run", "--policies", str(policies)),
            env=account_environment(control_plane.base_url),
            stdout=write_end,
            stderr=asyncio.subprocess.PIPE,
        )
        os.close(write_end)
        await asyncio.wait_for(control_plane.patch_started.wait(), 30)
        process.terminate()
        _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, errors) == (0, b"")


@pytest.fixture
def _quiet() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize("is_fail_fast", [True, False])
async def test_a_bug_isolates_its_deployment_and_with_fail_fast_ends_the_process_with_70(
    policies: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_fail_fast: bool,
) -> None:
    def broken(*_: object) -> None:
        raise InvariantViolation("99 replicas lie outside 1-8")

    monkeypatch.setattr(deciding, "check", broken)
    async with ControlPlane() as control_plane:
        settings = Settings(
            accounts={ACCOUNT: AccountSettings(api_key=KEY, base_url=control_plane.base_url)},  # type: ignore[arg-type]  # a plain key, as it is read
            listen="off",
            policies=policies,
        )
        files = run_command._load(settings)
        assert files is not None
        running = run_command._run(settings, *files, is_fail_fast=is_fail_fast)
        if is_fail_fast:
            code = await asyncio.wait_for(running, 30)
            assert code is ExitCode.INVARIANT_VIOLATION
            assert "99 replicas lie outside 1-8" in capsys.readouterr().err
        else:
            said, process = "", asyncio.create_task(running)
            async with asyncio.timeout(30):
                while '"reason": "invariant"' not in said:
                    await asyncio.sleep(0.05)
                    said += capsys.readouterr().out
            assert not process.done(), "the others are still decided on"
            process.cancel()
            await asyncio.gather(process, return_exceptions=True)
    assert control_plane.patches == []
