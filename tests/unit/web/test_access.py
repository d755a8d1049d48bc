"""Who may control trimtab over HTTP, and who may not; shown with ``POST /-/reload``."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from aiohttp.test_utils import TestClient, TestServer

from trimtab.web.access import CLOSED, Access
from trimtab.web.app import build_app

TOKEN = "correct-horse-battery-staple"
LOOPBACK = Access(is_open_to_loopback=True)
WITH_TOKEN = Access(token=TOKEN)


class Well:
    def not_ready(self) -> tuple[str, ...]:
        return ()

    def beat_age_seconds(self) -> float:
        return 0.0


async def answer(
    access: Access, headers: Mapping[str, str], method: str = "POST"
) -> tuple[int, int]:
    """The status, and how often the policies were read."""
    reads = 0

    async def reload() -> tuple[int, Mapping[str, object]]:
        nonlocal reads
        reads += 1
        return 200, {"result": "ok"}

    app = build_app(
        health=Well(),
        beat_age_seconds_max=60.0,
        access=access,
        reload=reload,
    )
    async with TestClient(TestServer(app)) as client:
        response = await client.request(method, "/-/reload", headers=headers)
        return response.status, reads


@pytest.mark.parametrize(
    ("access", "headers", "status"),
    [
        (CLOSED, {}, 403),
        (LOOPBACK, {}, 200),
        (LOOPBACK, {"Origin": "https://example.org"}, 403),
        (LOOPBACK, {"Origin": "null"}, 403),
        (LOOPBACK, {"X-Forwarded-For": "203.0.113.9"}, 403),
        (LOOPBACK, {"forwarded": "for=203.0.113.9"}, 403),
        (LOOPBACK, {"x-real-ip": "203.0.113.9"}, 403),
        (LOOPBACK, {"Host": "rebound.example.org"}, 421),
        (WITH_TOKEN, {}, 401),
        (WITH_TOKEN, {"Authorization": "Bearer \udcff"}, 401),
        (WITH_TOKEN, {"Authorization": f"Bearer {TOKEN}x"}, 401),
        (WITH_TOKEN, {"Authorization": f"Basic {TOKEN}"}, 401),
        (WITH_TOKEN, {"Authorization": "Bearer "}, 401),
        (WITH_TOKEN, {"Authorization": f"Bearer {TOKEN}"}, 200),
        (WITH_TOKEN, {"Authorization": f"bearer {TOKEN}", "X-Forwarded-For": "::1"}, 200),
        (WITH_TOKEN, {"Authorization": f"Bearer {TOKEN}", "Origin": "https://example.org"}, 403),
    ],
)
async def test_policies_are_read_only_for_who_may_ask(
    access: Access, headers: Mapping[str, str], status: int
) -> None:
    assert await answer(access, headers) == (status, int(status == 200))


async def test_looking_does_not_reload() -> None:
    assert await answer(LOOPBACK, {}, method="GET") == (405, 0)


def test_the_token_is_in_no_text() -> None:
    assert TOKEN not in repr(WITH_TOKEN)


async def test_without_files_there_is_no_such_address() -> None:
    app = build_app(health=Well(), beat_age_seconds_max=60.0)
    async with TestClient(TestServer(app)) as client:
        assert (await client.post("/-/reload")).status == 404


async def test_remarks_are_for_who_asks_and_leave_it_ready() -> None:
    app = build_app(
        health=Well(),
        beat_age_seconds_max=60.0,
        remarks=lambda: ("policy file a.yaml is bad",),
    )
    async with TestClient(TestServer(app)) as client:
        assert await (await client.get("/readyz")).text() == "ready\n"
        verbose = await client.get("/readyz?verbose")
        assert (verbose.status, await verbose.text()) == (
            200,
            "ready\n! policy file a.yaml is bad\n",
        )
        as_json = await client.get("/readyz", headers={"Accept": "application/json"})
        assert (await as_json.json())["remarks"] == ["policy file a.yaml is bad"]
