"""The wheel in an environment of its own, run as the shipped unit runs it: stopped, started again, nothing forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from control_plane import ACCOUNT, KEY, ControlPlane
from machine_pip import machine_pip
from running import POLICY, Trimtab
from systemd_service import Machine, NotifyListener, command, reload_signal
from tests.servers.process import answers, free_port

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def installed(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``trimtab`` of a fresh environment: the pinned packages, and the wheel that was built."""
    folder = tmp_path_factory.mktemp("opt") / "trimtab"
    (wheel,) = released.glob("*.whl")
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder), "PIP_CONFIG_FILE": os.devnull}
    environment = kept | machine_pip().variables
    python = folder / "bin" / "python"
    for step in (
        [sys.executable, "-m", "venv", folder],
        [
            *(python, "-m", "pip", "install", "--quiet", "--require-hashes"),
            *("--requirement", ROOT / "requirements" / "runtime.txt"),
        ],
        [python, "-m", "pip", "install", "--quiet", "--no-deps", wheel],
        [python, "-m", "pip", "check"],
    ):
        ran = subprocess.run(  # noqa: S603  our own command
            step, env=environment, cwd="/", capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder / "bin" / "trimtab"


class Unit(Trimtab):
    """The process as systemd starts it: the unit's command, environment and working directory."""

    def __init__(self, installed: Path, machine: Machine, notify: Path) -> None:
        super().__init__((), machine.environment(notify))
        self._command = command(installed)
        self._folder = machine.state

    async def __aenter__(self) -> Unit:  # noqa: PYI034  nobody derives from it
        return await self.begin(*self._command, folder=self._folder)


@contextlib.asynccontextmanager
async def unit(
    installed: Path, machine: Machine, folder: Path
) -> AsyncIterator[tuple[Unit, NotifyListener]]:
    """The unit from its start, which is over when it says that it is ready, to its clean stop."""
    listener = NotifyListener(folder / "notify")
    try:
        async with Unit(installed, machine, listener.path) as process:
            await asyncio.to_thread(listener.wait_for, "READY=1")
            yield process, listener
            process.signal(signal.SIGTERM)
            assert await process.ended() == 0
            await asyncio.to_thread(listener.wait_for, "STOPPING=1")
        assert process.errors == ""
    finally:
        listener.close()
        listener.path.unlink()


def test_it_says_its_version_and_knows_its_commands(installed: Path) -> None:
    said = subprocess.run(  # noqa: S603  our own command
        [installed, "--version"], capture_output=True, text=True, check=False, env={}
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("trimtab 0.")
    policies = sorted((ROOT / "policies").glob("*.yaml"))
    checked = subprocess.run(  # noqa: S603  our own command
        [installed, "check", *policies], capture_output=True, text=True, check=False, env={}
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


async def test_as_the_shipped_unit_it_runs_stops_starts_again_and_has_forgotten_nothing(
    installed: Path, tmp_path: Path
) -> None:
    port = free_port()
    async with ControlPlane() as plane:
        machine = Machine(
            tmp_path / "root",
            KEY,
            {
                "TRIMTAB_FIREWORKS__ACCOUNT_ID": ACCOUNT,
                "TRIMTAB_FIREWORKS__BASE_URL": plane.base_url,
                "TRIMTAB_LISTEN": f"127.0.0.1:{port}",
                "TRIMTAB_TICK_INTERVAL": "1s",
                "TRIMTAB_FLEET_REFRESH_INTERVAL": "1s",
            },
        )
        (machine.policies / "chat.yaml").write_text(POLICY, encoding="utf-8")
        async with unit(installed, machine, tmp_path) as (process, listener):
            await process.wait_for("write", outcome="applied", to_replicas=3)
            assert await asyncio.to_thread(answers, f"http://127.0.0.1:{port}/readyz")
            heard = len(listener.lines)
            process.signal(reload_signal())
            await asyncio.to_thread(listener.wait_for, "RELOADING=1", after=heard)
            await process.wait_for("policies_reloaded", trigger="signal")
        assert [path.name for path in machine.state.iterdir() if path.suffix == ".db"] == [
            "journal.db"
        ]
        async with unit(installed, machine, tmp_path) as (process, _):
            opened = await process.wait_for("journal_opened")
            assert opened["deployments"] == 1
            await process.wait_for("hold")
            # What it wrote before is its own, and no range that somebody set.
            assert process.find("adopted") is None
            assert process.find("write") is None
    assert len(plane.patches) == 1
