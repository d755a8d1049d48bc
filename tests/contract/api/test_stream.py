"""Server-sent events: what happens is told once, in order; who is too slow hears that something was left out."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.worlds.lived_in import OPERATOR, LivedIn, lived_in, name_of

from trimtab.service.views import watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE_SECONDS = 20.0


class Told:
    """What a client of the stream has heard."""

    def __init__(self, content: Any) -> None:
        self._content = content

    async def line(self) -> str:
        async with asyncio.timeout(PATIENCE_SECONDS):
            line: bytes = await self._content.readline()
        return line.decode().rstrip("\n")

    async def event(self) -> tuple[int, str, Any]:
        """The number, the kind and the data of the next event; comments are passed over."""
        found: dict[str, str] = {}
        while not ("data" in found and (line := await self.line()) == ""):
            line = await self.line() if "data" not in found else line
            name, _, value = line.partition(": ")
            if name in ("id", "event", "data"):
                found[name] = value
        return int(found["id"]), found["event"], json.loads(found["data"])

    async def until(self, kind: str) -> tuple[int, Any]:
        while True:
            number, heard, data = await self.event()
            if heard == kind:
                return number, data


@asynccontextmanager
async def listening(world: LivedIn, query: str = "", **headers: str) -> AsyncIterator[Told]:
    url = f"{world.url}/v1/stream{query}"
    async with world.http.get(url, headers=headers) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        told = Told(response.content)
        assert await told.line() == "retry: 2000"
        assert await told.line() == ""
        yield told


ORDER = {"kind": "pin", "replicas": 5, "deployment": "chat-0", "for": "1h", "reason": "launch"}


async def test_an_order_its_decision_and_its_write_are_told(tmp_path: Path) -> None:
    async with lived_in(tmp_path, seconds=120.0) as world, listening(world) as told:
        await world.ask("POST", "/v1/overrides", json=ORDER, token=OPERATOR)
        await world.pass_time(30.0)
        _, state = await told.until("state")
        assert (state["subject"], state["deployment"]) == ("overrides", name_of("chat-0"))
        _, decision = await told.until("decision")
        assert (decision["deployment"], decision["desired"]) == (name_of("chat-0"), 5)
        _, write = await told.until("write")
        assert (write["to_replicas"], write["status"]) == (5, "applied")


async def test_who_asks_for_one_deployment_hears_of_no_other(tmp_path: Path) -> None:
    async with lived_in(tmp_path, seconds=120.0) as world:
        async with listening(world, "?deployment=chat-full") as told:
            await world.ask("POST", "/v1/overrides", json=ORDER, token=OPERATOR)
            mine = ORDER | {"deployment": "chat-full", "replicas": 4}
            await world.ask("POST", "/v1/overrides", json=mine, token=OPERATOR)
            await world.pass_time(30.0)
            _, kind, data = await told.event()
            assert (kind, data["deployment"]) == ("state", name_of("chat-full"))
        assert (await world.get("/v1/stream?deployment=nope"))[0] == 404


async def test_a_broken_connection_goes_on_where_it_was(tmp_path: Path) -> None:
    async with lived_in(tmp_path, seconds=120.0) as world:
        async with listening(world) as told:
            await world.ask("POST", "/v1/overrides", json=ORDER, token=OPERATOR)
            first, _, _ = await told.event()
        await world.pass_time(30.0)
        async with listening(world, Last_Event_ID="x"), listening(
            world, **{"Last-Event-ID": str(first)}
        ) as told:  # fmt: skip
            number, kind, _ = await told.event()
            assert (number, kind) == (first + 1, "decision")


@pytest.mark.parametrize("last", ["0", "99999999"])
async def test_who_was_away_too_long_hears_that_something_is_missing(
    tmp_path: Path, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a number that is long gone, and by one of another run of the daemon."""
    monkeypatch.setattr(watch, "KEPT_MAX", 2)
    async with lived_in(tmp_path, seconds=120.0) as world:
        world.daemon.watch._kept = type(world.daemon.watch._kept)(maxlen=2)
        for number in range(3):
            order = ORDER | {"replicas": number + 1}
            await world.ask("POST", "/v1/overrides", json=order, token=OPERATOR)
        async with listening(world, **{"Last-Event-ID": last}) as told:
            _, kind, data = await told.event()
            assert kind == "resync"
            assert "read again" in data["sentence"]


async def test_who_does_not_read_hears_that_something_is_missing_and_holds_nobody_up() -> None:
    listener = watch.Watch()
    news = listener.listen()
    assert await anext(aiter_of_one(listener, news)) is not None
    for _ in range(watch.WAITING_MAX + 5):
        listener._state("journal", "it goes up and down")
    first = await asyncio.wait_for(anext(news), PATIENCE_SECONDS)
    assert first is not None
    assert first.kind == "resync"
    await news.aclose()
    assert not listener._listeners


async def aiter_of_one(listener: watch.Watch, news: Any) -> AsyncIterator[Any]:
    """Begin to listen, and hear one piece of news."""
    waiting = asyncio.ensure_future(anext(news))
    await asyncio.sleep(0)
    listener._state("journal", "it begins")
    yield await waiting


async def test_only_so_many_may_listen_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(watch, "LISTENERS_MAX", 1)
    async with lived_in(tmp_path, seconds=60.0) as world:
        async with listening(world):
            await world.until(lambda: bool(world.daemon.watch._listeners))
            status, problem = await world.get("/v1/stream")
            assert status == 503
            assert "listen already" in problem["detail"]
        await world.until(lambda: not world.daemon.watch._listeners)
        async with listening(world):
            pass


async def test_a_heartbeat_shows_that_the_connection_lives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(watch, "PULSE_SECONDS", 0.02)
    async with lived_in(tmp_path, seconds=60.0) as world, listening(world) as told:
        assert await told.line() == ": beat"
