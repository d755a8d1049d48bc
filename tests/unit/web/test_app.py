from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import TestClient, TestServer

from trimtab.web.app import allowed_hosts_for, build_app
from trimtab.web.server import AddressError, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from aiohttp import web


@dataclass
class Condition:
    missing: tuple[str, ...] = ()
    age_seconds: float = 1.0

    def not_ready(self) -> tuple[str, ...]:
        return self.missing

    def beat_age_seconds(self) -> float:
        return self.age_seconds


class Answer:
    def pieces(self, *, is_openmetrics: bool = False) -> Iterator[str]:
        del is_openmetrics
        yield "trimtab_answer 42.0\n"


@pytest.fixture
def health() -> Condition:
    return Condition()


@pytest.fixture
async def client(health: Condition) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = build_app(exposition=Answer(), health=health, beat_age_seconds_max=60.0)
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_alive_while_the_loop_comes_round(client: TestClient) -> None:
    response = await client.get("/livez")
    assert (response.status, await response.text()) == (200, "alive\n")


async def test_stuck_once_the_loop_has_not_come_round_for_too_long(
    client: TestClient, health: Condition
) -> None:
    health.age_seconds = 61.0
    response = await client.get("/livez")
    assert response.status == 503
    assert "nothing was evaluated for 61 s" in await response.text()


async def test_what_is_missing_for_readiness_does_not_make_it_less_alive(
    client: TestClient, health: Condition
) -> None:
    health.missing = ("accounts/acme has not been read yet",)
    assert (await client.get("/livez")).status == 200


async def test_readiness_names_everything_that_is_missing(
    client: TestClient, health: Condition
) -> None:
    health.missing = ("no policy is loaded", "accounts/acme has not been read yet")
    response = await client.get("/readyz")
    assert response.status == 503
    assert await response.text() == (
        "not ready\n- no policy is loaded\n- accounts/acme has not been read yet\n"
    )
    health.missing = ()
    response = await client.get("/readyz")
    assert (response.status, await response.text()) == (200, "ready\n")


async def test_health_is_json_to_who_accepts_json(client: TestClient, health: Condition) -> None:
    health.missing = ("no policy is loaded",)
    response = await client.get("/readyz", headers={"Accept": "application/json"})
    assert await response.json() == {"status": "not ready", "missing": ["no policy is loaded"]}


async def test_the_verbose_form_gives_the_numbers(client: TestClient) -> None:
    response = await client.get("/livez?verbose")
    assert await response.text() == "alive\nbeat_age_seconds: 1.000\n"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9464", "127.0.0.1.evil.example"])
async def test_a_foreign_host_name_on_loopback_is_refused(client: TestClient, host: str) -> None:
    response = await client.get("/metrics", headers={"Host": host})
    assert response.status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9464", "127.0.0.1:1", "[::1]:9464"])
async def test_the_names_of_loopback_are_served(client: TestClient, host: str) -> None:
    assert (await client.get("/livez", headers={"Host": host})).status == 200


@pytest.mark.parametrize("path", ["/", "/-/reload", "/metrics/x"])
async def test_there_is_nothing_else(client: TestClient, path: str) -> None:
    assert (await client.get(path)).status == 404


async def test_nothing_can_be_changed_from_here(client: TestClient) -> None:
    for path in ("/metrics", "/livez", "/readyz"):
        assert (await client.post(path)).status == 405


async def test_answers_are_neither_cached_nor_framed_nor_sniffed(client: TestClient) -> None:
    for path in ("/livez", "/metrics"):
        headers = (await client.get(path)).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_only_loopback_is_choosy_about_host_names() -> None:
    assert allowed_hosts_for("0.0.0.0") is None  # noqa: S104  the address under test
    assert allowed_hosts_for("10.1.2.3") is None
    for address in ("127.0.0.1", "localhost", "::1"):
        hosts = allowed_hosts_for(address)
        assert hosts is not None
        assert "localhost" in hosts


async def test_a_taken_port_is_one_sentence_with_the_remedy(health: Condition) -> None:
    def app() -> web.Application:
        return build_app(health=health, beat_age_seconds_max=60.0)

    async with serving(app(), "127.0.0.1", 0) as (host, port):
        with pytest.raises(AddressError, match=f"cannot listen on {host}:{port}: .*TRIMTAB_LISTEN"):
            async with serving(app(), host, port):
                pass
