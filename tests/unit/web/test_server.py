"""The daemon's own port, when somebody is rude to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession, web

from trimtab.web.server import CONNECTIONS_MAX, AddressError, serving

UNFINISHED = b"GET /alive HTTP/1.1\r\nHost: localhost\r\nX-Never-Ends: "


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    async def alive(_: web.Request) -> web.Response:
        return web.Response(text="alive")

    app = web.Application()
    app.router.add_get("/alive", alive)
    async with serving(app, "127.0.0.1", 0) as bound:
        yield bound


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Whether the other side has hung up; given a moment to do it."""
    try:
        return await asyncio.wait_for(reader.read(1), 0.05) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


async def test_connections_that_never_ask_keep_nobody_out(address: tuple[str, int]) -> None:
    host, port = address
    readers = []
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS_MAX + 40):
            reader, writer = await asyncio.open_connection(host, port)
            stack.callback(writer.close)
            writer.write(UNFINISHED)
            readers.append(reader)
        async with (
            ClientSession() as session,
            session.get(f"http://{host}:{port}/alive") as response,
        ):
            assert await response.text() == "alive"
        closed = await asyncio.gather(*(is_closed(reader) for reader in readers))
    assert closed.count(False) <= CONNECTIONS_MAX
    assert closed[:40] == [True] * 40, "the oldest go first"
    assert not any(closed[-10:])


async def test_few_connections_are_left_alone(address: tuple[str, int]) -> None:
    host, port = address
    async with AsyncExitStack() as stack:
        readers = []
        for _ in range(CONNECTIONS_MAX - 1):
            reader, writer = await asyncio.open_connection(host, port)
            stack.callback(writer.close)
            readers.append(reader)
        assert not any(await asyncio.gather(*(is_closed(reader) for reader in readers)))


async def test_a_host_that_nobody_knows_is_said_in_words() -> None:
    with pytest.raises(AddressError) as refused:
        async with serving(web.Application(), "nowhere.invalid", 0):
            pass
    assert "Unknown error" not in str(refused.value)
    assert str(refused.value).startswith("cannot listen on nowhere.invalid:0: ")


async def test_an_address_that_is_taken_is_said(address: tuple[str, int]) -> None:
    host, port = address
    with pytest.raises(
        AddressError, match=f"cannot listen on {host}:{port}: .*; set TRIMTAB_LISTEN"
    ):
        async with serving(web.Application(), host, port):
            pass


async def test_what_is_no_http_fills_no_log(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    for rude in (b"\x16\x03\x01\x02\r\n\r\n", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n"):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(rude)
        assert (await reader.readline()).split()[1] == b"400"
        writer.close()
    assert caplog.records == []


async def test_a_bug_of_ours_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_: web.Request) -> web.Response:
        raise ZeroDivisionError

    app = web.Application()
    app.router.add_get("/", broken)
    async with serving(app, "127.0.0.1", 0) as (host, port), ClientSession() as session:
        assert (await session.get(f"http://{host}:{port}/")).status == 500
    assert [record.levelname for record in caplog.records] == ["ERROR"]
