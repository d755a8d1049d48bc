"""``trimtab run`` with a fleet file: what it orders is kept, said, followed as it changes, and shown."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from control_plane import KEY
from running import Trimtab, clean_environment, trimtab_run

from trimtab.clock import ScaledClock
from trimtab.emulator.emulation import Emulation
from trimtab.emulator.faults import Fault, FaultKind
from trimtab.emulator.server import EmulatorServer
from trimtab.plant import Load, PastTheEnd, StartTimes, SteppedWorkload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ACCOUNT = "acme"
H100 = "NVIDIA_H100_80GB"
SPEED = 60.0
WISHES = {"chat": 4, "search": 8, "batch": 8}
"""In replicas of 4, 1 and 1 accelerators: 32 in all."""
WINNERS = {"chat": 2, "search": 7, "batch": 1}
"""Four for the guarantee of search, then the second replica of chat, then what is left for search."""

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: by-rate, owner: tests}
spec:
  deployments: {match: {baseModel: "accounts/fireworks/models/llama-*"}}
  signals:
    requests:
      source: fireworks
      query: request_counter_total:sum_by_deployment
      maxAge: 150s
  behavior: {scaleUp: {limits: []}}
  rules:
    - name: rate
      role: demand
      strategy: {type: target, signal: requests, target: 10}
"""

FLEET = """\
apiVersion: trimtab.dev/v1
kind: Fleet
metadata: {name: acme, owner: tests}
spec:
  quotas:
    - {accelerator: NVIDIA_H100_80GB, max: 16}
  teams:
    - {name: chat, deployments: {names: [chat]}, priority: 200}
    - {name: search, deployments: {names: [search]}, guaranteed: {NVIDIA_H100_80GB: 4}}
    - {name: batch, deployments: {names: [batch]}, priority: 50}
"""


def an_emulation(quota: int = 64) -> Emulation:
    emulation = Emulation(
        ScaledClock(speed=SPEED), account=ACCOUNT, api_key=KEY, seed=7, accelerator_quota=quota
    )
    for name, wish in WISHES.items():
        # Arrivals are random: clear of the next replica, and of what one less would tolerate.
        rate = wish * 10.0 - (4.0 if name == "chat" else 1.0)
        emulation.add_deployment(
            ACCOUNT,
            name,
            shape="llama-70b-throughput" if name == "chat" else "llama-8b-minimal",
            workload=SteppedWorkload([(60.0, Load(rate, 20, 4))], past_the_end=PastTheEnd.HOLD),
            min=1,
            max=8,
            replicas_ready=1,
            start_times=StartTimes(5.0, 20.0, 20.0, failure_probability=0.0),
        )
    return emulation


@asynccontextmanager
async def running(folder: Path, emulation: Emulation) -> AsyncIterator[tuple[Trimtab, str]]:
    """The process at work, and where it listens."""
    async with EmulatorServer(emulation) as server:
        await emulation.clock.sleep(120.0)  # until the metrics know the whole load
        environment = clean_environment(
            TRIMTAB_FIREWORKS__ACCOUNT_ID=ACCOUNT,
            TRIMTAB_FIREWORKS__API_KEY=KEY,
            TRIMTAB_FIREWORKS__BASE_URL=server.base_url,
            TRIMTAB_TICK_INTERVAL="1s",
            TRIMTAB_FLEET_REFRESH_INTERVAL="1s",
            TRIMTAB_QUOTA_REFRESH_INTERVAL="1s",
            TRIMTAB_JOURNAL__PATH=str(folder.parent / "journal.db"),
        )
        async with trimtab_run(environment, folder) as process:
            started = await process.wait_for("started")
            yield process, f"http://{started['listen']}"
            process.process.terminate()
            assert await process.ended() == 0
    assert process.errors == ""


async def has_written(process: Trimtab, counts: dict[str, int]) -> None:
    for name, count in counts.items():
        await process.wait_for(
            "write",
            deployment=f"accounts/{ACCOUNT}/deployments/{name}",
            to_replicas=count,
            outcome="applied",
        )


async def page(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()


async def replayed(journal: Path) -> str:
    """What an engine that decides everything again comes to."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "trimtab", "journal", "replay", str(journal)),
        env=clean_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60.0)
    return output.decode()


def value(metrics: str, name: str, **labels: str) -> float | None:
    for line in metrics.splitlines():
        found = re.fullmatch(rf"{name}\{{(.*)\}} (\S+)", line)
        if found and all(f'{label}="{one}"' in found[1] for label, one in labels.items()):
            return float(found[2])
    return None


async def test_a_fleet_file_shares_accelerators_out_and_a_changed_one_more_of_them(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (folder / "fleet.yaml").write_text(FLEET, encoding="utf-8")
    emulation = an_emulation()
    async with running(folder, emulation) as (process, url):
        await has_written(process, {"chat": 2, "search": 7})
        held = await process.wait_for(
            "hold", deployment=f"accounts/{ACCOUNT}/deployments/batch", reason="quota"
        )
        told = await process.wait_for("quotas", target=f"accounts/{ACCOUNT}")
        short = await page(f"{url}/metrics")
        counts = {name: emulation.deployments[held["deployment"].replace("batch", name)].desired
                  for name in WISHES}  # fmt: skip
        (folder / "fleet.yaml").write_text(FLEET.replace("max: 16", "max: 40"), encoding="utf-8")
        await process.wait_for("policies_reloaded", fleet_changed=True)
        await has_written(process, WISHES)
        enough = await page(f"{url}/metrics")
    assert counts == WINNERS
    assert f"quota {H100} 16, 1 a replica -> at most 16, 8 held by chat" in held["sentence"]
    assert told["accelerators"][H100] == 64, "the account has more, and the file wins"
    assert value(short, "trimtab_fleet_quota_accelerators", source="file") == 16
    assert value(short, "trimtab_account_quota_accelerators", accelerator_type=H100) == 64
    assert value(short, "trimtab_fleet_held_accelerators", accelerator_type=H100) == 16
    assert value(enough, "trimtab_fleet_quota_accelerators", source="file") == 40
    assert process.find("write", error_kind="quota_exceeded") is None
    assert "reproduced exactly" in await replayed(tmp_path / "journal.db")


async def test_without_a_fleet_file_nobody_asks_for_quotas_and_one_that_comes_is_followed(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    emulation = an_emulation()
    async with running(folder, emulation) as (process, url):
        await has_written(process, WISHES)
        alone = await page(f"{url}/metrics")
        (folder / "fleet.yaml").write_text(FLEET, encoding="utf-8")
        await process.wait_for("policies_reloaded", fleet_changed=True)
        await process.wait_for("quotas", target=f"accounts/{ACCOUNT}")
        shared = await page(f"{url}/metrics")
    assert value(alone, "trimtab_target_requests_total", verb="quotas", outcome="ok") == 0
    assert "trimtab_fleet_quota_accelerators{" not in alone
    assert value(shared, "trimtab_target_requests_total", verb="quotas", outcome="ok") == 1
    # What runs and is needed stays, although it is twice what there is.
    assert value(shared, "trimtab_fleet_held_accelerators", accelerator_type=H100) == 32


async def test_a_quota_that_only_refusals_tell_of_is_kept_and_a_replay_learns_it_too(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    unlimited = FLEET.replace("  quotas:\n    - {accelerator: NVIDIA_H100_80GB, max: 16}\n", "")
    (folder / "fleet.yaml").write_text(unlimited, encoding="utf-8")
    emulation = an_emulation(quota=16)
    emulation.faults.add(Fault(FaultKind.ERROR, operation="ListQuotas", status=403))
    async with running(folder, emulation) as (process, url):
        refused = await process.wait_for("write", error_kind="quota_exceeded")
        held = await process.wait_for("hold", reason="quota")
        metrics = await page(f"{url}/metrics")
        while value(metrics, "trimtab_fleet_held_accelerators", accelerator_type=H100) != 16:
            await asyncio.sleep(0.2)
            metrics = await page(f"{url}/metrics")
        readiness = await page(f"{url}/readyz?verbose=1")
    refusals = [line for line in process.lines if line.get("error_kind") == "quota_exceeded"]
    assert "global--h100-count for account acme, in use: " in refused["sentence"]
    assert f"quota {H100} of acme 16, " in held["sentence"]
    assert value(metrics, "trimtab_fleet_quota_accelerators", source="refusal") == 16
    assert len(refusals) <= len(WISHES), "each may have asked before the first answer, and no more"
    assert "the quotas of accounts/acme were never read" in readiness
    assert "reproduced exactly" in await replayed(tmp_path / "journal.db")
