"""Connections that say nothing, and connections too many."""

from __future__ import annotations

import asyncio
import gzip

from aiohttp import ClientSession, web

from trimtab.clock import ManualClock
from trimtab.web.server import serving
from trimtab.web.token_bucket import TokenBucket


def an_app() -> web.Application:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application()
    app.router.add_post("/", echo)
    return app


async def test_a_connection_that_never_finishes_its_first_headers_is_closed() -> None:
    async with serving(an_app(), "127.0.0.1", 0, first_request_seconds_max=0.1) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()


async def test_a_connection_that_has_sent_a_request_may_stay() -> None:
    async with (
        serving(an_app(), "127.0.0.1", 0, first_request_seconds_max=0.5) as (host, port),
        ClientSession() as http,
    ):
        for _ in range(2):
            async with http.post(f"http://{host}:{port}/", data=b"x") as response:
                assert await response.read() == b"x"
            await asyncio.sleep(0.6)
        assert http.connector is not None
        assert len(http.connector._conns) == 1, "the same connection"


async def test_where_all_are_being_served_a_connection_too_many_is_told_so_and_closed() -> None:
    async with serving(an_app(), "127.0.0.1", 0, connections_max=2) as address:
        taken = [await asyncio.open_connection(*address) for _ in range(2)]
        for _, one in taken:
            one.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
        await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection(*address)
        assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.1 503 ")
        for _, one in taken:
            one.write(b"b")
        for served, _ in taken:
            assert (await served.readline()).startswith(b"HTTP/1.1 200 ")
        for _, one in [*taken, (reader, writer)]:
            one.close()


async def test_a_connection_that_idles_makes_room_for_a_new_one() -> None:
    async with (
        serving(an_app(), "127.0.0.1", 0, connections_max=1) as (host, port),
        ClientSession() as idling,
        ClientSession() as http,
    ):
        for client in (idling, http):
            async with client.post(f"http://{host}:{port}/", data=b"x") as response:
                assert await response.read() == b"x"


async def test_bodies_are_handed_on_as_they_were_sent() -> None:
    body = gzip.compress(b"hello")
    async with serving(an_app(), "127.0.0.1", 0) as (host, port), ClientSession() as http:
        headers = {"Content-Encoding": "gzip"}
        async with http.post(f"http://{host}:{port}/", data=body, headers=headers) as response:
            assert await response.read() == body


def test_a_bucket_grants_its_burst_then_so_many_a_second() -> None:
    clock = ManualClock()
    bucket = TokenBucket(clock, per_second=2.0, burst=4.0)
    assert [bucket.take() for _ in range(5)] == [None, None, None, None, 0.5]
    clock.advance(0.5)
    assert [bucket.take(), bucket.take()] == [None, 0.5]


def test_more_than_the_burst_waits_for_a_full_bucket_and_leaves_a_debt() -> None:
    clock = ManualClock()
    bucket = TokenBucket(clock, per_second=1.0, burst=4.0)
    assert bucket.take(10) is None
    assert bucket.take(1) == 7.0
