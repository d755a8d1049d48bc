"""``/v1/overrides``: the same door as everything that changes something, and JSON alone."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from trimtab.clock import ManualClock
from trimtab.web.access import Gate
from trimtab.web.api.catalogue import operating
from trimtab.web.api.routes import add_api
from trimtab.web.app import build_app
from trimtab.web.tokens import CLOSED, Access, Scope, Token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

TOKEN = "correct-horse-battery-staple"
LOOPBACK = Access(is_operating_open_to_loopback=True)
WITH_TOKEN = Access(tokens=(Token("ana", Scope.OPERATE, TOKEN),))
URL = "/v1/overrides"


class Well:
    def not_ready(self) -> tuple[str, ...]:
        return ()

    def beat_age_seconds(self) -> float:
        return 0.0


class Desk:
    def __init__(self) -> None:
        self.heard: list[tuple[str, Mapping[str, object], str]] = []

    async def listed(self) -> tuple[int, Mapping[str, object]]:
        self.heard.append(("list", {}, ""))
        return 200, {"overrides": []}

    async def give(self, body: Mapping[str, object], peer: str) -> tuple[int, Mapping[str, object]]:
        self.heard.append(("give", body, peer))
        return 201, {"notes": ["naïve"]}

    async def lift(self, body: Mapping[str, object], peer: str) -> tuple[int, Mapping[str, object]]:
        self.heard.append(("lift", body, peer))
        return 200, {}


@asynccontextmanager
async def serving(
    access: Access = LOOPBACK,
) -> AsyncIterator[tuple[TestClient[Any, Any], Desk]]:
    desk = Desk()
    clock = ManualClock(0.0)
    app = build_app(health=Well(), beat_age_seconds_max=60.0)
    add_api(app, operating(desk), gate=Gate(access), clock=clock, audit=lambda _: None)
    async with TestClient(TestServer(app)) as client:
        yield client, desk


async def test_orders_are_given_listed_and_lifted() -> None:
    async with serving() as (client, desk):
        given = await client.post(URL, json={"kind": "pause"})
        assert (given.status, await given.json()) == (201, {"notes": ["naïve"]})
        assert (await client.get(URL)).status == 200
        assert (await client.post(f"{URL}/lift", json={"all": True})).status == 200
        assert (await client.delete(f"{URL}/3f9a?author=bo&reason=done")).status == 200
        assert desk.heard == [
            ("give", {"kind": "pause"}, "127.0.0.1"),
            ("list", {}, ""),
            ("lift", {"all": True}, "127.0.0.1"),
            ("lift", {"ids": ["3f9a"], "author": "bo", "reason": "done"}, "127.0.0.1"),
        ]


@pytest.mark.parametrize(
    ("access", "headers", "status"),
    [
        (CLOSED, {}, 403),
        (LOOPBACK, {"Origin": "https://example.org"}, 403),
        (LOOPBACK, {"Origin": "null"}, 403),
        (LOOPBACK, {"X-Forwarded-For": "203.0.113.9"}, 403),
        (LOOPBACK, {"Host": "rebound.example.org"}, 421),
        (WITH_TOKEN, {}, 401),
        (WITH_TOKEN, {"Authorization": "Bearer guess"}, 401),
    ],
)
@pytest.mark.parametrize("verb", ["list", "give", "lift", "delete"])
async def test_whoever_is_not_let_in_changes_and_sees_nothing(
    access: Access, headers: Mapping[str, str], status: int, verb: str
) -> None:
    async with serving(access) as (client, desk):
        match verb:
            case "list":
                response = await client.get(URL, headers=headers)
            case "give":
                response = await client.post(URL, json={}, headers=headers)
            case "lift":
                response = await client.post(f"{URL}/lift", json={}, headers=headers)
            case _:
                response = await client.delete(f"{URL}/x", headers=headers)
        assert (response.status, desk.heard) == (status, [])


async def test_the_name_of_the_token_is_written_down_beside_the_address() -> None:
    async with serving(WITH_TOKEN) as (client, desk):
        well = {"Authorization": f"Bearer {TOKEN}"}
        await client.post(URL, json={"author": "x"}, headers=well)
        assert desk.heard == [("give", {"author": "x"}, "127.0.0.1, token ana")]


async def test_the_author_a_client_states_opens_nothing() -> None:
    async with serving(WITH_TOKEN) as (client, desk):
        assert (await client.post(URL, json={"author": "root"})).status == 401
        well = {"Authorization": f"Bearer {TOKEN}"}
        assert (await client.post(URL, json={"author": "x"}, headers=well)).status == 201
        assert len(desk.heard) == 1


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"kind=pause", "application/x-www-form-urlencoded", 415),
        (b'{"kind": "pause"}', "text/plain", 415),
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 16_000, "application/json", 400),
        (b'"' + b"x" * 17_000 + b'"', "application/json", 413),
    ],
)
async def test_a_body_that_is_no_order_is_refused_in_one_sentence(
    data: bytes, content_type: str, status: int
) -> None:
    async with serving() as (client, desk):
        response = await client.post(URL, data=data, headers={"Content-Type": content_type})
        assert response.status == status
        assert response.content_type == "application/problem+json"
        problem = await response.json()
        assert (problem["type"], problem["status"]) == ("about:blank", status)
        assert problem["detail"]
        assert desk.heard == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            '{"deployment": "chat", "for": "1h", "deployment": "code"}',
            "'deployment' more than once",
        ),
        ('{"a": {"b": 1, "b": 2}}', "'b' more than once"),
        ('{"replicas": NaN}', "not JSON"),
        ('{"replicas": -Infinity}', "not JSON"),
    ],
)
async def test_what_readers_of_json_take_for_different_things_is_refused(
    body: str, words: str
) -> None:
    async with serving() as (client, desk):
        sent = {"Content-Type": "application/json"}
        answer = await client.post(URL, data=body.encode(), headers=sent)
        assert answer.status == 400
        assert words in (await answer.json())["detail"]
        assert desk.heard == []
