"""Where nothing leaves the network but through a proxy."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from trimtab.errors import ErrorKind, SettingsError
from trimtab.targets.fireworks import FireworksClient, FireworksError

NAME = "accounts/acct/deployments/d1"


async def test_the_control_plane_is_asked_through_the_proxy_that_the_settings_name(
    account: Any, clock: Any, server: Any, api_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "HTTP_PROXY", "http://127.0.0.1:1"
    )  # who does not ask the environment is not led astray
    behind = replace(account, base_url="http://control.invalid", proxy=server.url)
    server.reply({"name": NAME, "displayName": "d1"})
    async with FireworksClient(behind, clock) as client:
        assert (await client.get_deployment("d1")).display_name == "d1"
    (seen,) = server.seen
    assert seen.headers["host"] == "control.invalid"
    assert seen.headers["authorization"] == f"Bearer {api_key}"


async def test_a_proxy_that_is_away_is_named(account: Any, clock: Any) -> None:
    behind = replace(account, base_url="http://control.invalid", proxy="http://127.0.0.1:1")
    async with FireworksClient(behind, clock) as client:
        with pytest.raises(FireworksError, match="127\\.0\\.0\\.1:1") as caught:
            await client.get_deployment("d1")
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert caught.value.retryable


async def test_a_proxy_that_refuses_has_let_nothing_through(account: Any, clock: Any) -> None:
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.1 403 Not This Host\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with proxy:
        port = proxy.sockets[0].getsockname()[1]
        behind = replace(
            account, base_url="https://control.invalid", proxy=f"http://127.0.0.1:{port}"
        )
        async with FireworksClient(behind, clock) as client:
            with pytest.raises(
                FireworksError, match=r"proxy .* answered 403 Not This Host"
            ) as caught:
                await client.scale_deployment("d1", 3)
    assert asked[0] == b"CONNECT control.invalid:443 HTTP/1.1\r\n"
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert not caught.value.is_ambiguous


@pytest.mark.parametrize("proxy", ["proxy:3128", "socks5://proxy", "http://user:secret@proxy"])
def test_what_is_no_proxy_is_refused_without_its_secrets(account: Any, proxy: str) -> None:
    with pytest.raises(SettingsError, match="proxy") as caught:
        replace(account, proxy=proxy)
    assert "secret" not in str(caught.value)
