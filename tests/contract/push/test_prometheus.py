"""A real Prometheus scrapes a gateway and remote-writes to the daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer
from pushed_world import POLICY, TOKEN, World, pushed
from tests.servers.remote_write import prometheus_writing

from trimtab.core.decision import ScaleUp
from trimtab.sources.push.points import Fate


class Gateway:
    """What is scraped: the text of its metrics."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.served = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        async with TestServer(app) as server:
            yield f"{server.host}:{server.port}"

    async def _metrics(self, _: web.Request) -> web.Response:
        self.served += 60
        return web.Response(text=self.text.replace("SERVED", str(self.served)))


def write_to(world: World) -> dict[str, object]:
    return {
        "url": f"{world.url}/v1/push/gateway",
        "authorization": {"credentials": TOKEN},
        "queue_config": {"batch_send_deadline": "200ms"},
    }


async def test_a_gauge_that_prometheus_writes_scales_up_long_before_the_next_tick(
    tmp_path: Path,
) -> None:
    gateway = Gateway(
        'in_flight{deployment="chat",pod="a"} 20\n'
        'in_flight{deployment="chat",pod="b"} 15\n'
        'in_flight{deployment="chat",pod="test"} 500\n'
        'in_flight{deployment="elsewhere"} 900\n'
    )
    query = """'in_flight{pod!="test"}'"""
    async with (
        gateway.serving() as scraped,
        pushed(POLICY.replace("QUERY", query), gateway={"type": "remote_write"}) as world,
    ):
        with prometheus_writing(tmp_path, scraped=scraped, write=write_to(world)):
            await world.until(lambda: bool(world.plane.patches), "a PATCH")
            assert isinstance(world.decision.verdict, ScaleUp) or world.decision.current == 4
            assert world.plane.patches[0]["minReplicaCount"] in (2, 3, 4)  # limits of one step
            await world.until(
                lambda: any(one.value == 35.0 for one in world.decision.readings), "both pods"
            )
            (desk,) = world.daemon.desks
            status = desk.status
            assert status.samples[Fate.ACCEPTED] > 0
            assert status.samples[Fate.UNKNOWN_DEPLOYMENT] > 0  # prometheus writes all it has
            assert set(status.requests) == {"ok"}
            gateway.text = "in_flight 1\n"  # the series end: Prometheus marks them stale
            await world.until(
                lambda: desk.status.samples[Fate.STALE_MARKER] >= 2, "the staleness markers"
            )
            assert desk.status.samples[Fate.NOT_A_LOAD] == 0


async def test_a_counter_that_prometheus_writes_is_heard_as_a_rate(tmp_path: Path) -> None:
    gateway = Gateway('served_total{deployment="chat"} SERVED\n')
    async with (
        gateway.serving() as scraped,
        pushed(
            POLICY.replace("QUERY", "rate(served_total)"), gateway={"type": "remote_write"}
        ) as w,
    ):
        with prometheus_writing(tmp_path, scraped=scraped, write=write_to(w)):
            await w.until(
                lambda: any(30 < (one.value or 0) < 120 for one in w.decision.readings),
                "about 60 a second",
            )
            await w.until(lambda: bool(w.plane.patches), "a PATCH")


async def test_prometheus_tries_again_after_a_503_and_loses_nothing(tmp_path: Path) -> None:
    gateway = Gateway('in_flight{deployment="chat"} 35\n')
    async with (
        gateway.serving() as scraped,
        pushed(POLICY.replace("QUERY", "in_flight"), gateway={"type": "remote_write"}) as world,
    ):
        (desk,) = world.daemon.desks
        inbox = world.daemon._deciding.inbox
        room, inbox._pushed_max = inbox._pushed_max, 0
        with prometheus_writing(tmp_path, scraped=scraped, write=write_to(world)):
            await world.until(lambda: desk.status.requests.get("no_room", 0) >= 2, "refusals")
            assert desk.status.samples[Fate.ACCEPTED] == 0
            assert world.plane.patches == []
            inbox._pushed_max = room
            await world.until(lambda: bool(world.plane.patches), "a PATCH")
