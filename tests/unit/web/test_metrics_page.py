"""``/metrics`` as a page: formats, compression, sharing, and scrapers that do not behave."""

from __future__ import annotations

import asyncio
import gzip
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from trimtab.web import metrics
from trimtab.web.app import build_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

OPENMETRICS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
"""What Prometheus asks for."""


class Health:
    def not_ready(self) -> tuple[str, ...]:
        return ()

    def beat_age_seconds(self) -> float:
        return 0.0


class Exposition:
    """Counts how often it is written; ``lines`` of text that does not compress to nothing."""

    def __init__(self, lines: int = 3) -> None:
        self.lines = lines
        self.written = 0
        self.has_begun = asyncio.Event()
        self.fault: Exception | None = None

    def pieces(self, *, is_openmetrics: bool = False) -> Iterator[str]:
        self.written += 1
        self.has_begun.set()
        if self.fault is not None:
            raise self.fault
        for start in range(0, self.lines, 100):
            numbers = range(start, min(start + 100, self.lines))
            yield "".join(f"answer_{one} {one * 0.618033988749 % 1}\n" for one in numbers)
        yield "# EOF\n" if is_openmetrics else ""

    @property
    def text(self) -> str:
        written = self.written
        text = "".join(self.pieces())
        self.written = written
        return text


@asynccontextmanager
async def serving(exposition: Exposition) -> AsyncIterator[TestClient[Any, Any]]:
    app = build_app(exposition=exposition, health=Health(), beat_age_seconds_max=60.0)
    server = TestServer(app)
    async with TestClient(server, auto_decompress=False) as client:
        yield client


async def test_the_plain_format_is_for_everybody() -> None:
    exposition = Exposition()
    async with serving(exposition) as client:
        for accept in ("*/*", "text/plain", "text/html", "application/openmetrics-text;q=0"):
            response = await client.get("/metrics", headers={"Accept": accept})
            assert response.status == 200
            assert response.headers["Content-Type"] == metrics.PLAIN
            if "Content-Encoding" not in response.headers:
                assert await response.text() == exposition.text


@pytest.mark.parametrize("accept", [OPENMETRICS, "application/openmetrics-text"])
async def test_openmetrics_is_for_who_asks_for_it(accept: str) -> None:
    async with serving(Exposition()) as client:
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        response = await client.get("/metrics", headers=headers)
        assert response.headers["Content-Type"] == metrics.OPENMETRICS
        assert (await response.text()).endswith("# EOF\n")


async def test_an_openmetrics_of_another_version_is_not_pretended() -> None:
    async with serving(Exposition()) as client:
        headers = {"Accept": "application/openmetrics-text;version=2.0.0"}
        response = await client.get("/metrics", headers=headers)
        assert response.headers["Content-Type"] == metrics.PLAIN


@pytest.mark.parametrize("accepted", ["gzip", "br, GZIP;q=0.5", "*"])
async def test_the_page_is_compressed_for_who_takes_it_so(accepted: str) -> None:
    exposition = Exposition(lines=20_000)
    async with serving(exposition) as client:
        response = await client.get("/metrics", headers={"Accept-Encoding": accepted})
        body = await response.read()
        assert response.headers["Content-Encoding"] == "gzip"
        assert int(response.headers["Content-Length"]) == len(body)
        assert gzip.decompress(body).decode() == exposition.text


@pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "gzip;q=0.000, br", ""])
async def test_the_page_is_plain_for_who_does_not(accepted: str) -> None:
    exposition = Exposition(lines=20_000)
    async with serving(exposition) as client:
        response = await client.get("/metrics", headers={"Accept-Encoding": accepted})
        assert "Content-Encoding" not in response.headers
        assert await response.text() == exposition.text


async def test_a_head_request_gets_no_body() -> None:
    async with serving(Exposition()) as client:
        for accepted in ("gzip", "identity"):
            response = await client.head("/metrics", headers={"Accept-Encoding": accepted})
            assert (response.status, await response.read()) == (200, b"")
        assert (await client.get("/metrics")).status == 200, "the connection is still in step"


async def test_scrapes_that_come_while_one_is_written_are_answered_with_it() -> None:
    exposition = Exposition(lines=200_000)
    async with serving(exposition) as client:
        answers = await asyncio.gather(*(client.get("/metrics") for _ in range(8)))
        bodies = {await answer.read() for answer in answers}
        assert len(bodies) == 1
        assert exposition.written < 8
        before = exposition.written
        await client.get("/metrics")
        assert exposition.written == before + 1, "nothing is kept for the next"


async def test_others_are_served_while_a_page_is_written() -> None:
    exposition = Exposition(lines=400_000)
    async with serving(exposition) as client:
        scrape = asyncio.create_task(client.get("/metrics"))
        await exposition.has_begun.wait()
        assert (await client.get("/livez")).status == 200
        assert not scrape.done(), "the probe was answered in between"
        assert (await scrape).status == 200


def test_a_turn_is_as_long_as_that_of_the_others_but_no_more_than_a_few_milliseconds() -> None:
    turns = [metrics.turn_seconds(others) for others in (0.0, 0.003, 1.0)]
    assert turns == [metrics.TURN_SECONDS_MIN, 0.003, metrics.TURN_SECONDS_MAX]


async def test_a_scrape_too_many_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "SCRAPES_MAX", 2)
    async with serving(Exposition(lines=200_000)) as client:
        answers = await asyncio.gather(*(client.get("/metrics") for _ in range(5)))
        assert sorted(answer.status for answer in answers) == [200, 200, 503, 503, 503]
        for answer in answers:
            await answer.read()
        assert (await client.get("/metrics")).status == 200, "room again"


async def test_who_does_not_read_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "SEND_SECONDS_MAX", 0.2)
    monkeypatch.setattr(metrics, "SCRAPES_MAX", 1)
    exposition = Exposition(lines=200_000)
    async with serving(exposition) as client:
        assert client.port is not None
        small = socket.create_connection(("127.0.0.1", client.port))
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader, writer = await asyncio.open_connection(sock=small, limit=1024)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await exposition.has_begun.wait()
        while (await client.get("/metrics")).status == 503:  # noqa: ASYNC110  there is no event
            await asyncio.sleep(0.05)  # the only place is taken, until it is given up
        writer.close()
        received = await reader.read()
        assert not received.endswith(b"0\r\n\r\n"), "it was cut off before its end"


async def test_a_page_that_cannot_be_written_is_an_error_and_the_next_one_is_tried_anew() -> None:
    exposition = Exposition()
    exposition.fault = RuntimeError("no such thing")
    async with serving(exposition) as client:
        assert (await client.get("/metrics")).status == 500
        exposition.fault = None
        assert (await client.get("/metrics")).status == 200


async def test_a_page_that_is_being_written_at_the_end_is_let_go() -> None:
    exposition = Exposition(lines=100_000_000)
    async with serving(exposition) as client:
        scrape = asyncio.create_task(client.get("/metrics"))
        await exposition.has_begun.wait()
        scrape.cancel()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "write /metrics"]
