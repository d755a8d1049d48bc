"""Leave to write, asked for at the last moment before a request goes out."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from trimtab.clock import ManualClock
from trimtab.errors import ErrorKind
from trimtab.targets import permit
from trimtab.targets.fireworks import FireworksAccount
from trimtab.targets.fireworks.client import FireworksClient
from trimtab.targets.fireworks.errors import FireworksError, check_permit


def test_whoever_asks_for_nothing_may_write() -> None:
    assert permit.refusal() is None
    check_permit()


def test_what_is_said_at_the_moment_of_the_question_counts() -> None:
    answers = iter([None, "another member decides for it"])
    with permit.asking(lambda: next(answers)):
        check_permit()
        with pytest.raises(FireworksError, match="Nothing was sent: another member") as caught:
            check_permit()
    assert caught.value.kind is ErrorKind.CONFLICT
    assert not caught.value.is_ambiguous
    assert permit.refusal() is None


async def test_it_is_asked_in_tasks_that_were_begun_meanwhile_and_in_no_others() -> None:
    async def ask() -> str | None:
        await asyncio.sleep(0)
        return permit.refusal()

    outside = asyncio.create_task(ask())
    with permit.asking(lambda: "no"):
        inside = asyncio.create_task(ask())
    assert await inside == "no"
    assert await outside is None


async def test_a_change_whose_leave_ends_while_it_waits_for_a_connection_does_not_arrive() -> None:
    arrived: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        arrived.append(request.method)
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        account = FireworksAccount(
            account_id="acme", api_key="fw_made_up_0123456789", base_url=str(server.make_url("/"))
        )
        client = FireworksClient(account, ManualClock(0.0))
        answers = iter([None, "the lease on it has ended"])
        with (
            permit.asking(lambda: next(answers)),
            pytest.raises(FireworksError, match="the lease on it has ended") as caught,
        ):
            await client.scale_deployment("chat", 3)
        assert not caught.value.is_ambiguous
        assert arrived == []
        with permit.asking(lambda: None):
            await client.scale_deployment("chat", 3)
        assert arrived == ["PATCH"]
        await client.close()
