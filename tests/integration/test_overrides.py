"""People order things of the real process with the real commands, and a kill forgets nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from control_plane import ControlPlane
from running import (
    PATIENCE_SECONDS,
    account_environment,
    clean_environment,
    trimtab_run,
    write_policy,
)

if TYPE_CHECKING:
    from pathlib import Path


async def command(url: str, *words: str) -> tuple[int | None, str]:
    """Run ``trimtab`` with these words against the daemon at ``url``: its code, and all it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "trimtab",
        *words,
        "--url",
        url,
        env=clean_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    return process.returncode, said.decode()


@pytest.mark.slow
async def test_a_pin_is_carried_out_survives_a_kill_and_ends_when_it_is_lifted(
    tmp_path: Path,
) -> None:
    folder = write_policy(tmp_path / "policies")
    async with ControlPlane() as plane:
        more = {
            "TRIMTAB_JOURNAL__PATH": str(tmp_path / "journal.db"),
            "TRIMTAB_CONTROL__HTTP": "loopback",
        }
        environment = account_environment(plane.base_url, **more)
        async with trimtab_run(environment, folder) as trimtab:
            url = f"http://{(await trimtab.wait_for('started'))['listen']}"
            await trimtab.wait_for("write", to_replicas=3)
            order = ("--for", "1h", "--reason", "launch", "--author", "ana")
            code, said = await command(url, "pin", "5", "chat", *order)
            assert code == 0, said
            assert "pinned at 5: accounts/" in said
            given = await trimtab.wait_for("override_given")
            assert (given["author"], given["peer"]) == ("ana", "127.0.0.1")
            await trimtab.wait_for("write", to_replicas=5, reason="pinned")
            trimtab.signal(signal.SIGKILL)
            await trimtab.ended()
        async with trimtab_run(environment, folder) as trimtab:
            url = f"http://{(await trimtab.wait_for('started'))['listen']}"
            await trimtab.wait_for("hold", reason="pinned")
            code, said = await command(url, "overrides", "--json")
            (one,) = json.loads(said)["overrides"]
            assert (one["replicas"], one["reason"]) == (5, "launch")
            code, said = await command(url, "resume", "chat")
            assert (code, "no longer pinned at 5" in said) == (0, True)
            await trimtab.wait_for("override_lifted")
            code, said = await command(url, "pause", "chta", *order)
            assert (code, "did you mean `chat`?" in said) == (1, True)
            trimtab.signal(signal.SIGTERM)
            assert await trimtab.ended() == 0
        code, said = await command(url, "overrides")
        assert (code, said.count("\n")) == (69, 1)
