"""Keys are rotated: the file of a Secret changes while the daemon runs, and the old key is revoked."""

from __future__ import annotations

import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trimtab.errors import ErrorKind
from trimtab.targets.fireworks import FireworksClient, FireworksError

NAME = "accounts/acct/deployments/d1"
NEW_KEY = "fw_rotated_key_5678"
REVOKED = {"code": 16, "message": "the key was revoked"}
FOUND = {"name": NAME, "displayName": "d1"}


@pytest.fixture
def key_file(tmp_path: Path, api_key: str) -> Path:
    path = tmp_path / "api-key"
    path.write_text(f"{api_key}\n", encoding="utf-8")
    return path


def rotate(key_file: Path, text: str | None) -> None:
    """Let another text be in the file; ``None``: the file is gone."""
    if text is None:
        key_file.unlink()
    else:
        key_file.write_text(text, encoding="utf-8")


def keys_sent(server: Any) -> list[str]:
    return [seen.headers["authorization"].removeprefix("Bearer ") for seen in server.seen]


async def test_a_key_that_is_taken_no_more_is_read_again_and_the_call_is_made_with_it(
    account: Any, clock: Any, server: Any, reply: Any, key_file: Path, api_key: str
) -> None:
    server.reply(FOUND, reply(REVOKED, status=401), FOUND, FOUND)
    async with FireworksClient(replace(account, api_key_file=key_file), clock) as client:
        await client.get_deployment("d1")
        rotate(key_file, f"{NEW_KEY}\n")
        assert (await client.get_deployment("d1")).display_name == "d1"
        await client.get_deployment("d1")
    assert keys_sent(server) == [api_key, api_key, NEW_KEY, NEW_KEY]


async def test_a_write_that_was_refused_for_the_key_is_sent_with_the_new_one(
    account: Any, clock: Any, server: Any, reply: Any, key_file: Path, api_key: str
) -> None:
    server.reply(reply(REVOKED, status=401), {})
    async with FireworksClient(replace(account, api_key_file=key_file), clock) as client:
        rotate(key_file, NEW_KEY)
        await client.scale_deployment("d1", 3)
    assert keys_sent(server) == [api_key, NEW_KEY]
    assert server.seen[0].body == server.seen[1].body


@pytest.mark.parametrize("content", [None, "", "two words", "clé", "fw_secret_key_1234"])
async def test_a_file_without_another_key_is_no_reason_to_ask_again(
    content: str | None, account: Any, clock: Any, server: Any, reply: Any, key_file: Path
) -> None:
    server.reply(reply(REVOKED, status=401))
    async with FireworksClient(replace(account, api_key_file=key_file), clock) as client:
        rotate(key_file, content)
        with pytest.raises(FireworksError) as caught:
            await client.get_deployment("d1")
    assert caught.value.kind is ErrorKind.UNAUTHENTICATED


async def test_a_new_key_that_is_refused_too_is_tried_once_and_shown_nowhere(
    account: Any, clock: Any, server: Any, reply: Any, key_file: Path, api_key: str
) -> None:
    server.reply(
        reply(REVOKED, status=401),
        reply({"code": 16, "message": f"neither {api_key} nor {NEW_KEY}"}, status=401),
    )
    async with FireworksClient(replace(account, api_key_file=key_file), clock) as client:
        rotate(key_file, NEW_KEY)
        with pytest.raises(FireworksError) as caught:
            await client.get_deployment("d1")
    shown = "".join(traceback.format_exception(caught.value))
    assert "neither [API key] nor [API key]" in shown
    assert api_key not in shown
    assert NEW_KEY not in shown
