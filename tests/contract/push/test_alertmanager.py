"""A real Alertmanager notifies the daemon; the policies are those that the documentation shows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pushed_world import TOKEN, World, pushed
from tests.servers.alertmanager import alertmanager

from trimtab.core.decision import Reason

PAGE = Path(__file__).parents[3] / "docs" / "push.md"
GATEWAY = {"type": "json"}
ALERTS = {"type": "alertmanager", "watchdog": "Watchdog"}


def policy(name: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    (found,) = re.findall(rf"```yaml\n# policy: {name}\n(.*?)```", text, re.DOTALL)
    return str(found)


class Alerts:
    """What Prometheus would say to Alertmanager."""

    def __init__(self, world: World, url: str) -> None:
        self._world = world
        self._url = url

    async def send(self, name: str, *, is_firing: bool, **labels: str) -> None:
        now = datetime.now(UTC)  # noqa: TID251  Alertmanager lives in real time
        ends = now + timedelta(hours=1) if is_firing else now
        alert: Mapping[str, object] = {
            "labels": {"alertname": name, **labels},
            "startsAt": (now - timedelta(minutes=1)).isoformat(),
            "endsAt": ends.isoformat(),
        }
        url = f"{self._url}/api/v2/alerts"
        async with self._world.http.post(url, json=[alert]) as response:
            assert response.status == 200

    async def load(self, value: float) -> None:
        item = {"deployment": "chat", "signal": "in_flight", "value": value}
        status, _ = await self._world.post("/v1/signals", document=[item])
        assert status == 202

    def reading(self, name: str) -> float | None:
        readings = self._world.decision.readings
        return next(one.value for one in readings if one.spec.name == name)


@asynccontextmanager
async def notified(
    tmp_path: Path, policy_name: str, replicas: int = 1
) -> AsyncIterator[tuple[World, Alerts]]:
    async with pushed(policy(policy_name), replicas, gateway=GATEWAY, alerts=ALERTS) as world:
        webhook = {
            "url": f"{world.url}/v1/push/alerts",
            "http_config": {"authorization": {"credentials": TOKEN}},
        }
        with alertmanager(tmp_path, webhook=webhook) as url:
            yield world, Alerts(world, url)


async def test_a_firing_alert_holds_and_a_resolved_one_lets_go(tmp_path: Path) -> None:
    async with notified(tmp_path, "hold") as (world, alerts):
        await alerts.send("BadRollout", is_firing=True, deployment="chat")
        await world.until(lambda: alerts.reading("rollout") == 1.0, "the alert is heard")
        await alerts.load(35)
        await world.until(lambda: alerts.reading("requests") == 35.0, "the load is heard")
        assert world.decision.verdict.reason is Reason.BLOCKED_BY_RULE
        assert world.plane.patches == []
        await alerts.send("BadRollout", is_firing=False, deployment="chat")
        await world.until(lambda: bool(world.plane.patches), "a PATCH once it is resolved")
        assert alerts.reading("rollout") == 0.0


async def test_a_firing_alert_is_a_floor(tmp_path: Path) -> None:
    async with notified(tmp_path, "floor") as (world, alerts):
        await alerts.load(5)
        await alerts.send("LaunchDay", is_firing=True, deployment="chat")
        await world.until(lambda: bool(world.plane.patches), "a PATCH")
        assert world.plane.patches[-1]["minReplicaCount"] == 4


async def test_a_firing_alert_wakes_from_zero(tmp_path: Path) -> None:
    async with notified(tmp_path, "wake", replicas=0) as (world, alerts):
        await alerts.load(0)
        await alerts.send("Watchdog", is_firing=True)
        await world.until(lambda: alerts.reading("waiting") == 0.0, "quiet is known to be quiet")
        assert world.plane.patches == []
        await alerts.send("SomebodyWaits", is_firing=True, deployment="chat")
        await world.until(lambda: bool(world.plane.patches), "a PATCH")
        assert world.plane.patches[-1]["minReplicaCount"] == 1


async def test_alertmanager_tries_again_after_a_503(tmp_path: Path) -> None:
    async with notified(tmp_path, "hold") as (world, alerts):
        inbox = world.daemon._deciding.inbox
        room, inbox._pushed_max = inbox._pushed_max, 0
        await alerts.send("BadRollout", is_firing=True, deployment="chat")
        desk = next(one for one in world.daemon.desks if one.source.name == "alerts")
        await world.until(lambda: bool(desk.status.requests.get("no_room")), "a refusal")
        inbox._pushed_max = room
        await world.until(lambda: alerts.reading("rollout") == 1.0, "the alert is heard")


@pytest.mark.parametrize("name", ["hold", "floor", "wake"])
async def test_each_policy_of_the_page_loads(name: str) -> None:
    async with pushed(policy(name), gateway=GATEWAY, alerts=ALERTS) as world:
        await asyncio.sleep(0)
        assert len(world.daemon.engine.policies) == 1
