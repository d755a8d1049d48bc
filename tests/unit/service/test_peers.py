"""Any member answers for the whole fleet, over HTTP: by itself, or by asking whoever decides."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from scripted_world import (
    ACCOUNT,
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_policy,
    pass_time,
    settle,
)
from tests.worlds.members import BUCKETS, ScriptedSteward, SharedMemory

from trimtab.clock import ManualClock
from trimtab.coordination.port import LeaseSeen, Survey
from trimtab.core.buckets import bucket_of
from trimtab.service.daemon import Daemon
from trimtab.service.surface import Doors, surface_of
from trimtab.service.tenancy import Coordination
from trimtab.web.access import FORWARDED
from trimtab.web.server import serving
from trimtab.web.tokens import Access, Scope, Token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trimtab.coordination.port import Tenant
    from trimtab.coordination.standing import Standing

NAMES = [f"{ACCOUNT}/deployments/d{number}" for number in range(9)]
TOKEN = "made-up-token-of-an-operator-0123456789"
BOTH = {"a": [0, 1, 2, 3], "b": [4, 5, 6, 7]}
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


class Seeing(ScriptedSteward):
    """Also shows who holds what, as the scene says."""

    scene: Scene
    member: str

    @property
    def standing(self) -> Standing:
        leases = {
            bucket: LeaseSeen(bucket=bucket, holder=name, term=1, is_free=bucket in self.scene.free)
            for name, buckets in BOTH.items()
            for bucket in buckets
        }
        members: Any = {
            name: {"address": url, "version": "1"} for name, url in self.scene.urls.items()
        }
        survey = Survey(leases=leases, members=members)
        return replace(super().standing, member=self.member, survey=survey)


class Scene:
    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.deployments = {name: a_deployment(name) for name in NAMES}
        self.shared = SharedMemory(self.clock)
        self.urls: dict[str, str] = {}
        self.free: set[int] = set()
        self.daemons = {name: self._daemon(name) for name in BOTH}
        self.stewards: dict[str, Seeing]

    def _daemon(self, name: str) -> Daemon:
        def steward(tenant: Tenant) -> Seeing:
            made = Seeing(self.clock, tenant)
            made.scene, made.member = self, name
            self.__dict__.setdefault("stewards", {})[name] = made
            return made

        return Daemon(
            clock=self.clock,
            targets=[ScriptedTarget(deployments=self.deployments)],
            sources=[ScriptedSource(self.clock)],
            policies=[a_policy()],
            random=Random(name),
            journal=self.shared.journal(name),
            coordination=Coordination(
                member=name, buckets=BUCKETS, steward=steward, shared=self.shared
            ),
        )

    @asynccontextmanager
    async def served(self) -> AsyncIterator[aiohttp.ClientSession]:
        access = Access(tokens=(Token(name="op", secret=TOKEN, scope=Scope.OPERATE),))
        async with AsyncExitStack() as stack:
            for name, daemon in self.daemons.items():
                app = surface_of(daemon, "127.0.0.1", Doors(self.clock, access))
                host, port = await stack.enter_async_context(serving(app, "127.0.0.1", 0))
                self.urls[name] = f"http://{host}:{port}"
                await stack.enter_async_context(daemon)
            await settle()
            for name, buckets in BOTH.items():
                await self.stewards[name].give(*buckets)
            await pass_time(self.clock, 20.0, step=5.0)
            yield await stack.enter_async_context(aiohttp.ClientSession(headers=HEADERS))

    def of(self, member: str) -> list[str]:
        return [name for name in NAMES if bucket_of(name, BUCKETS) in BOTH[member]]


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_deployment_is_shown_by_whichever_member_is_asked(scene: Scene) -> None:
    async with scene.served() as session:
        for name in (scene.of("a")[0], scene.of("b")[0]):
            answers = []
            for url in scene.urls.values():
                for kind in ("deployments", "proposals", "forecasts"):
                    async with session.get(f"{url}/v1/{kind}/{name}") as answer:
                        assert answer.status == 200, await answer.text()
                        answers.append(await answer.json())
            assert answers[0] == answers[3]
            assert answers[0]["row"]["member"] == ("a" if name in scene.of("a") else "b")


async def test_a_request_goes_one_hop_and_no_further(scene: Scene) -> None:
    async with scene.served() as session:
        name = scene.of("b")[0]
        headers = {FORWARDED: "b"}
        async with session.get(
            f"{scene.urls['a']}/v1/deployments/{name}", headers=headers
        ) as answer:
            assert answer.status == 503
            assert "member b" in (await answer.json())["detail"]


async def test_an_owner_that_does_not_answer_is_named(scene: Scene) -> None:
    async with scene.served() as session:
        here = scene.urls["a"]
        scene.urls["b"] = "http://127.0.0.1:1"
        async with session.get(f"{here}/v1/deployments/{scene.of('b')[0]}") as answer:
            assert answer.status == 503
            assert "member b" in (await answer.json())["detail"]
        async with session.get(f"{here}/v1/fleet") as answer:
            page = await answer.json()
            assert page["unanswered"] == ["b"]
            assert {row["name"] for row in page["rows"]} == set(scene.of("a"))
            assert {row["member"] for row in page["rows"]} == {"a"}


async def test_a_token_that_opens_nothing_here_opens_nothing_there(scene: Scene) -> None:
    async with scene.served() as session:
        name = scene.of("b")[0]
        headers = {"Authorization": "Bearer wrong"}
        async with session.get(
            f"{scene.urls['a']}/v1/deployments/{name}", headers=headers
        ) as answer:
            assert answer.status == 401


async def test_pages_of_the_fleet_have_every_deployment_once_in_one_order(scene: Scene) -> None:
    async with scene.served() as session:
        for query in ("trouble", "name&reversed=true", "current", "changed&reversed=true"):
            by_member = []
            for url in scene.urls.values():
                names: list[str] = []
                cursor = ""
                while True:
                    path = f"{url}/v1/fleet?limit=4&order={query}{cursor}"
                    async with session.get(path) as answer:
                        page = await answer.json()
                    assert page["total"] == page["counts"]["all"] == len(NAMES)
                    assert page["position"] == len(names) + 1
                    names += [row["name"] for row in page["rows"]]
                    if page["next_cursor"] is None:
                        break
                    cursor = f"&cursor={page['next_cursor']}"
                assert sorted(names) == NAMES
                by_member.append(names)
            assert by_member[0] == by_member[1]


async def test_a_page_by_its_number_is_of_all_members_too(scene: Scene) -> None:
    async with scene.served() as session:
        async with session.get(f"{scene.urls['a']}/v1/fleet?order=name&limit=4&page=2") as answer:
            page = await answer.json()
        assert [row["name"] for row in page["rows"]] == NAMES[4:8]
        assert page["position"] == 5


async def test_an_order_for_a_deployment_goes_to_whoever_decides_for_it(scene: Scene) -> None:
    until = (datetime.fromtimestamp(START, UTC) + timedelta(hours=2)).isoformat()
    name = scene.of("b")[0]
    order = {"kind": "pause", "deployment": name, "until": until, "author": "me", "reason": "test"}
    async with scene.served() as session:
        async with session.post(f"{scene.urls['a']}/v1/overrides", json=order) as answer:
            assert answer.status == 201, await answer.text()
        assert scene.daemons["a"].engine.overrides == ()
        [given] = scene.daemons["b"].engine.overrides
        assert given.deployment == name
        async with session.get(f"{scene.urls['a']}/v1/overrides") as answer:
            assert [one["id"] for one in (await answer.json())["overrides"]] == [given.id]
        lift = f"{scene.urls['a']}/v1/overrides/{given.id}?author=me&reason=over"
        async with session.delete(lift) as answer:
            assert answer.status == 200, await answer.text()
        assert scene.daemons["b"].engine.overrides == ()


async def test_an_order_for_all_is_in_force_with_every_member(scene: Scene) -> None:
    until = (datetime.fromtimestamp(START, UTC) + timedelta(hours=2)).isoformat()
    order = {"kind": "pause", "all": True, "until": until, "author": "me", "reason": "test"}
    async with scene.served() as session:
        async with session.post(f"{scene.urls['a']}/v1/overrides", json=order) as answer:
            assert answer.status == 201, await answer.text()
        for daemon in scene.daemons.values():
            assert [one.kind for one in daemon.engine.overrides] == ["pause"]


async def test_an_order_for_all_ends_with_every_member_by_its_id(scene: Scene) -> None:
    until = (datetime.fromtimestamp(START, UTC) + timedelta(hours=2)).isoformat()
    order = {"kind": "pause", "all": True, "until": until, "author": "me", "reason": "test"}
    async with scene.served() as session:
        async with session.post(f"{scene.urls['a']}/v1/overrides", json=order) as answer:
            assert answer.status == 201, await answer.text()
        async with session.get(f"{scene.urls['b']}/v1/overrides") as answer:
            [one] = (await answer.json())["overrides"]
        lift = f"{scene.urls['b']}/v1/overrides/{one['id']}?author=me&reason=over"
        async with session.delete(lift) as answer:
            assert answer.status == 200, await answer.text()
        for daemon in scene.daemons.values():
            assert daemon.engine.overrides == ()


async def test_while_nobody_decides_for_a_deployment_no_order_for_it_is_taken_in(
    scene: Scene,
) -> None:
    until = (datetime.fromtimestamp(START, UTC) + timedelta(hours=2)).isoformat()
    name = scene.of("b")[0]
    order = {"kind": "pause", "deployment": name, "until": until, "author": "me", "reason": "test"}
    async with scene.served() as session:
        scene.free = {bucket_of(name, BUCKETS)}
        async with session.post(f"{scene.urls['a']}/v1/overrides", json=order) as answer:
            assert answer.status == 503
            assert "nobody decides" in (await answer.json())["detail"]
        assert scene.daemons["a"].engine.overrides == ()


async def test_members_are_told_by_each(scene: Scene) -> None:
    async with scene.served() as session:
        for name, url in scene.urls.items():
            async with session.get(f"{url}/v1/members") as answer:
                found = json.loads(await answer.text())
            rows = {one["name"]: one for one in found["members"]}
            assert {n: one["buckets"] for n, one in rows.items()} == {"a": 4, "b": 4}
            assert [n for n, one in rows.items() if one["is_leading"]] == ["a"]
            assert [n for n, one in rows.items() if one["is_this"]] == [name]
            assert found["buckets_free"] == 0
