"""Policies change under the running daemon: by hand, by ConfigMap, by signal, by request."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from control_plane import ControlPlane
from running import POLICY, Trimtab, account_environment, trimtab_run, write_policy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "correct-horse-battery-staple"
TEN_TIMES_LESS = POLICY.replace("target: 10", "target: 100")
BAD = POLICY.replace("target: 10", "tagret: 10")
SECOND = POLICY.replace("name: chat,", "name: code,").replace("chat*", "code*")


@asynccontextmanager
async def running(folder: Path, **settings: str) -> AsyncIterator[tuple[Trimtab, str]]:
    """The daemon at work on one deployment: the process and where it listens."""
    async with ControlPlane() as plane:
        environment = account_environment(plane.base_url, **settings)
        async with trimtab_run(environment, folder) as trimtab:
            started = await trimtab.wait_for("started")
            await trimtab.wait_for("write", to_replicas=3)
            yield trimtab, f"http://{started['listen']}"
            trimtab.signal(signal.SIGTERM)
            assert await trimtab.ended() == 0


async def get(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()


async def post(url: str, **headers: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers) as response:
        return response.status, await response.json()


async def metric(url: str, name: str) -> float:
    (line,) = [
        line for line in (await get(f"{url}/metrics")).splitlines() if line.startswith(f"{name} ")
    ]
    return float(line.split()[1])


async def test_a_bad_edit_keeps_the_last_good_version_and_a_good_one_follows(
    tmp_path: Path,
) -> None:
    folder = write_policy(tmp_path / "policies")
    async with running(folder) as (trimtab, url):
        write_policy(folder, BAD)
        bad = await trimtab.wait_for("policy_file_bad")
        assert bad["kept"] == ["chat"]
        assert "chat.yaml:14:50: POL104: `tagret` is not a key" in bad["sentence"]
        assert await metric(url, "trimtab_policy_reload_successful") == 0
        assert await metric(url, "trimtab_policy_bad_files") == 1
        assert "! policy file" in await get(f"{url}/readyz?verbose")
        assert (await get(f"{url}/readyz")).startswith("ready")
        assert 'trimtab_policy_info{actuation="pin"' in await get(f"{url}/metrics")

        write_policy(folder, TEN_TIMES_LESS)
        await trimtab.wait_for("policies_reloaded", result="ok", changed=["chat"])
        # What the engine remembers has survived: the wish for 3 still fills the window downwards.
        await trimtab.wait_for("hold", reason="stabilizing")
        assert trimtab.find("adopted") is not None
        assert sum(line["event"] == "adopted" for line in trimtab.lines) == 1
        assert await metric(url, "trimtab_policy_reload_successful") == 1
        assert "! policy" not in await get(f"{url}/readyz?verbose")


async def test_a_configmap_is_followed_when_its_link_is_swapped(tmp_path: Path) -> None:
    """As the kubelet writes it: ..data is replaced, the files are links through it for ever."""
    mounted = tmp_path / "mounted"
    (mounted / "..1").mkdir(parents=True)
    (mounted / "..1" / "chat.yaml").write_text(POLICY, encoding="utf-8")
    (mounted / "..data").symlink_to("..1")
    (mounted / "chat.yaml").symlink_to("..data/chat.yaml")
    async with running(mounted) as (trimtab, url):
        (mounted / "..2").mkdir()
        (mounted / "..2" / "chat.yaml").write_text(TEN_TIMES_LESS, encoding="utf-8")
        (mounted / "..data_tmp").symlink_to("..2")
        os.replace(mounted / "..data_tmp", mounted / "..data")  # noqa: PTH105  as it does
        shutil.rmtree(mounted / "..1")
        await trimtab.wait_for("policies_reloaded", trigger="change", changed=["chat"])
        await trimtab.wait_for("hold", reason="stabilizing")
        assert await metric(url, "trimtab_policy_reload_successful") == 1


async def test_sighup_reads_the_files_and_says_so_even_if_nothing_changed(tmp_path: Path) -> None:
    folder = write_policy(tmp_path / "policies")
    async with running(folder) as (trimtab, _):
        trimtab.signal(signal.SIGHUP)
        told = await trimtab.wait_for("policies_reloaded", trigger="signal")
        assert told["result"] == "unchanged"


async def test_a_request_from_this_machine_reloads_and_hears_what_is_wrong(tmp_path: Path) -> None:
    folder = write_policy(tmp_path / "policies")
    async with running(folder, TRIMTAB_CONTROL__HTTP="loopback") as (_, url):
        (folder / "code.yaml").write_text(SECOND, encoding="utf-8")
        status, body = await post(f"{url}/-/reload")
        # The watch may have been quicker; either way both are in force when the answer comes.
        assert (status, body["policies"]) == (200, ["chat", "code"])

        write_policy(folder, BAD)
        status, body = await post(f"{url}/-/reload")
        assert status == 422
        (bad,) = body["bad_files"]
        assert bad["kept"] == ["chat"]
        assert [one["code"] for one in bad["diagnostics"]] == ["POL104"]
        assert bad["diagnostics"][0]["hint"] == "did you mean `target`?"
        assert body["policies"] == ["chat", "code"]

        (folder / "code.yaml").unlink()
        status, body = await post(f"{url}/-/reload")
        assert (status, body["policies"]) == (422, ["chat"])

        status, body = await post(f"{url}/-/reload", Origin="https://example.org")
        assert status == 403


async def test_a_token_opens_the_reload_and_nothing_else_does(tmp_path: Path) -> None:
    folder, token = write_policy(tmp_path / "policies"), tmp_path / "token"
    token.write_text(f"{TOKEN}\n", encoding="utf-8")
    settings = {"TRIMTAB_CONTROL__HTTP": "token", "TRIMTAB_CONTROL__TOKEN_FILE": str(token)}
    async with running(folder, **settings) as (trimtab, url):
        assert (await post(f"{url}/-/reload"))[0] == 401
        assert (await post(f"{url}/-/reload", Authorization="Bearer guess"))[0] == 401
        status, body = await post(f"{url}/-/reload", Authorization=f"Bearer {TOKEN}")
        assert (status, body["result"]) == (200, "unchanged")
        assert TOKEN not in trimtab.raw_output
        written = await trimtab.wait_for("api_write", who="control")
        assert (written["path"], written["status"]) == ("/-/reload", 200)

        token.write_text(f"{TOKEN}-2\n", encoding="utf-8")
        trimtab.signal(signal.SIGHUP)
        await trimtab.wait_for("policies_reloaded", trigger="signal")
        while (await post(f"{url}/-/reload", Authorization=f"Bearer {TOKEN}"))[0] != 401:  # noqa: ASYNC110  it happens in another process
            await asyncio.sleep(0.02)  # read in a thread
        assert (await post(f"{url}/-/reload", Authorization=f"Bearer {TOKEN}-2"))[0] == 200


@pytest.mark.parametrize("settings", [{}, {"TRIMTAB_CONTROL__HTTP": "off"}])
async def test_nobody_reloads_over_http_unless_the_settings_say_so(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    folder = write_policy(tmp_path / "policies")
    async with running(folder, **settings) as (_, url):
        status, body = await post(f"{url}/-/reload")
        assert status == 403
        assert "TRIMTAB_CONTROL__HTTP" in body["detail"]
