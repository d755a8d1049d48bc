"""Who may look at trimtab and control it over HTTP, and who may not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from trimtab.clock import ManualClock
from trimtab.web.access import Gate
from trimtab.web.api.operations import Call, Operation
from trimtab.web.api.routes import add_api
from trimtab.web.app import allowed_hosts_for, build_app
from trimtab.web.tokens import CLOSED, Access, Scope, Token

READER, OPERATOR = "reads-battery-staple-1", "operates-battery-staple"
LOOPBACK = Access(is_operating_open_to_loopback=True)
READING = Access(is_reading_open_to_loopback=True)
TOKENS = (Token("dashboards", Scope.READ, READER), Token("ana", Scope.OPERATE, OPERATOR))
WITH_TOKENS = Access(tokens=TOKENS, is_reading_open_to_loopback=True)
TOKENS_ONLY = Access(tokens=TOKENS)
FROM_ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Well:
    def not_ready(self) -> tuple[str, ...]:
        return ()

    def beat_age_seconds(self) -> float:
        return 0.0


@asynccontextmanager
async def reloadable(
    gate: Gate, reads: list[None] | None = None
) -> AsyncIterator[TestClient[Any, Any]]:
    """A client of a daemon whose policies can be read again; ``reads`` has one for each time they were."""

    async def reload() -> tuple[int, Mapping[str, object]]:
        if reads is not None:
            reads.append(None)
        return 200, {"result": "ok"}

    app = build_app(health=Well(), beat_age_seconds_max=60.0, gate=gate, reload=reload)
    async with TestClient(TestServer(app)) as client:
        yield client


@asynccontextmanager
async def lookable(access: Access, clock: ManualClock) -> AsyncIterator[TestClient[Any, Any]]:
    """A client of a daemon that has something at ``/v1/look`` for who may read."""

    async def look(_: Call) -> object:
        return 200, {}

    operation = Operation(
        id="look",
        method="GET",
        path="/v1/look",
        summary="",
        tag="",
        scope=Scope.READ,
        answering=look,
    )
    app = build_app(health=Well(), beat_age_seconds_max=60.0)
    add_api(app, [operation], gate=Gate(access, clock), clock=clock, audit=lambda _: None)
    async with TestClient(TestServer(app)) as client:
        yield client


async def answer(
    access: Access, headers: Mapping[str, str], method: str = "POST"
) -> tuple[int, int]:
    """The status, and how often the policies were read."""
    reads: list[None] = []
    async with reloadable(Gate(access, ManualClock(0.0)), reads) as client:
        response = await client.request(method, "/-/reload", headers=headers)
        return response.status, len(reads)


async def looked(access: Access, headers: Mapping[str, str]) -> int:
    """The status of a request that needs to read."""
    async with lookable(access, ManualClock(0.0)) as client:
        return (await client.get("/v1/look", headers=headers)).status


# Who may do what: the status of who wants to read, and of who wants to operate.
TABLE: list[tuple[Access, Mapping[str, str], int, int]] = [
    # nothing is open
    (CLOSED, {}, 403, 403),
    (CLOSED, bearer(OPERATOR), 403, 403),
    # by default: programs on the machine may read, and nobody may operate
    (READING, {}, 200, 403),
    (READING, bearer(OPERATOR), 200, 403),
    (READING, FROM_ELSEWHERE, 403, 403),
    (READING, {"forwarded": "for=203.0.113.9"}, 403, 403),
    (READING, {"x-real-ip": "203.0.113.9"}, 403, 403),
    (READING, {"Origin": "https://example.org"}, 403, 403),
    (READING, {"Origin": "null"}, 403, 403),
    (READING, {"Host": "rebound.example.org"}, 421, 421),
    # the settings say that programs on the machine may operate
    (LOOPBACK, {}, 200, 200),
    (LOOPBACK, FROM_ELSEWHERE, 403, 403),
    (LOOPBACK, {"Origin": "https://example.org"}, 403, 403),
    (LOOPBACK, {"Host": "rebound.example.org"}, 421, 421),
    # tokens, and reading is open to the machine
    (WITH_TOKENS, {}, 200, 401),
    (WITH_TOKENS, bearer(READER), 200, 403),
    (WITH_TOKENS, bearer(OPERATOR), 200, 200),
    (WITH_TOKENS, bearer(OPERATOR + "x"), 401, 401),
    (WITH_TOKENS, bearer(""), 401, 401),
    (WITH_TOKENS, bearer("\udcff"), 401, 401),
    (WITH_TOKENS, {"Authorization": f"Basic {OPERATOR}"}, 401, 401),
    (WITH_TOKENS, {"Authorization": f"bearer {OPERATOR}"}, 200, 200),
    (WITH_TOKENS, FROM_ELSEWHERE, 401, 401),
    (WITH_TOKENS, bearer(READER) | FROM_ELSEWHERE, 200, 403),
    (WITH_TOKENS, bearer(OPERATOR) | FROM_ELSEWHERE, 200, 200),
    (WITH_TOKENS, bearer(OPERATOR) | {"Origin": "https://example.org"}, 403, 403),
    (WITH_TOKENS, bearer(OPERATOR) | {"Host": "rebound.example.org"}, 421, 421),
    # nothing without a token
    (TOKENS_ONLY, {}, 401, 401),
    (TOKENS_ONLY, bearer(READER), 200, 403),
    (TOKENS_ONLY, bearer(OPERATOR), 200, 200),
]


@pytest.mark.parametrize(("access", "headers", "reading", "operating"), TABLE)
async def test_who_may_do_what(
    access: Access, headers: Mapping[str, str], reading: int, operating: int
) -> None:
    assert await looked(access, headers) == reading
    assert await answer(access, headers) == (operating, int(operating == 200))


async def test_a_page_that_this_daemon_served_may_do_what_its_token_may() -> None:
    async with reloadable(Gate(WITH_TOKENS)) as client:
        own = {"Origin": str(client.make_url("/").origin())}
        assert (await client.post("/-/reload", headers=own)).status == 401
        assert (await client.post("/-/reload", headers=own | bearer(OPERATOR))).status == 200


async def test_who_guesses_is_told_to_wait_and_who_knows_is_not() -> None:
    clock = ManualClock(0.0)
    async with lookable(WITH_TOKENS, clock) as client:
        statuses = [
            (await client.get("/v1/look", headers=bearer(f"guess-{number}"))).status
            for number in range(25)
        ]
        assert statuses == [401] * 20 + [429] * 5
        assert (await client.get("/v1/look", headers=bearer(READER))).status == 200
        clock.advance(1.0)
        assert (await client.get("/v1/look", headers=bearer("again"))).status == 401


async def test_a_token_that_was_taken_away_opens_nothing_from_the_next_request_on() -> None:
    gate = Gate(WITH_TOKENS)
    async with reloadable(gate) as client:
        assert (await client.post("/-/reload", headers=bearer(OPERATOR))).status == 200
        gate.take(Access(tokens=TOKENS[:1]))
        assert (await client.post("/-/reload", headers=bearer(OPERATOR))).status == 401


async def test_looking_does_not_reload() -> None:
    assert await answer(LOOPBACK, {}, method="GET") == (405, 0)


def test_tokens_are_in_no_text() -> None:
    assert READER not in repr(WITH_TOKENS)


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


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("rebound.example.org", 403),
        ("rebound.example.org:9464", 403),
        ("localhost.example.org", 403),
        ("[::1", 403),
        ("", 403),
        ("localhost:9464", 200),
        ("127.0.0.1", 200),
        ("[::1]:9464", 200),
    ],
)
async def test_a_rebound_name_opens_nothing_where_every_name_is_served_either(
    host: str, status: int
) -> None:
    async def reload() -> tuple[int, Mapping[str, object]]:
        return 200, {"result": "ok"}

    app = build_app(
        health=Well(),
        beat_age_seconds_max=60.0,
        allowed_hosts=allowed_hosts_for("0.0.0.0"),  # noqa: S104  what is shown
        gate=Gate(LOOPBACK),
        reload=reload,
    )
    async with TestClient(TestServer(app)) as client:
        sent = {"Host": host, "Origin": f"http://{host}"}  # of one site, as the browser sees it
        assert (await client.post("/-/reload", headers=sent)).status == status
