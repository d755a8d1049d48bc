"""The whole daemon on a Kubernetes cluster: policies, pushed load, workloads scaled, and what stands in the way.

The cluster is the strict fake over HTTP, whose replicas start and become ready. Ticks and listings are far
apart: whatever happens here, happens because of a push or a watch.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.kubernetes_target.cluster_world import NAME
from tests.contract.kubernetes_target.cluster_world import World as Cluster
from tests.servers.kubernetes_api.faults import Fault, What, of
from tests.servers.kubernetes_api.progress import Progress
from tests.servers.kubernetes_api.serving import served

from trimtab.clock import SystemClock
from trimtab.core.decision import Hold, Reason, ScaleDown, WriteStatus
from trimtab.core.deployment import State
from trimtab.journal.port import VolatileJournal
from trimtab.policy import read_policy_texts
from trimtab.service.daemon import Daemon
from trimtab.service.push_wiring import push_sources
from trimtab.service.timing import Timing
from trimtab.settings_push import JsonSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from trimtab.core.decision import Decision, Outcome

TOKEN = "0123456789abcdef0123456789abcdef"
PATIENCE_SECONDS = 30.0
NEVER_SECONDS = 3600.0

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat, owner: tests}
spec:
  deployments: {match: {displayName: "llm/*"}}
  actuation: scale
  signals:
    queued: {source: jobs, query: queued, maxAge: 150s}
  rules:
    - {name: depth, role: demand, strategy: {type: target, signal: queued, target: 10}}
  behavior:
    scaleUp: {stabilization: 0s, limits: [{replicas: 100, period: 1s}]}
    scaleDown: {stabilization: 0s, limits: [{replicas: 100, period: 1s}]}
"""


class World:
    """A cluster and a daemon, in real time."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.clock = SystemClock()
        self.outcomes: list[Outcome] = []

    @asynccontextmanager
    async def running(self, *policies: str, token: str | None = None) -> AsyncIterator[Daemon]:
        texts = [(f"{number}.yaml", one) for number, one in enumerate(policies or (POLICY,))]
        self.daemon = Daemon(
            clock=self.clock,
            targets=[self.cluster.target(token=token)],
            sources=[],
            push_sources=push_sources(
                {"jobs": JsonSettings(type="json", token=TOKEN)}  # type: ignore[arg-type]  # pydantic takes text
            ),
            policies=read_policy_texts(texts, sources={"jobs"}).policies,
            timing=Timing(
                tick_interval_seconds=NEVER_SECONDS,
                fleet_refresh_interval_seconds=NEVER_SECONDS,
            ),
            journal=VolatileJournal(since=self.clock.now()),
            random=Random(1),
            on_outcome=self.outcomes.append,
        )
        progress = Progress(self.cluster.api, self.clock.now, boot_seconds=0.1)
        moving = asyncio.create_task(progress.run())
        try:
            async with self.daemon:
                yield self.daemon
        finally:
            moving.cancel()

    async def push(self, queued: float, name: str = NAME) -> None:
        item = {"deployment": name, "signal": "queued", "value": queued}
        headers = {"Content-Type": "application/json"}
        answer = await self.daemon.desks[0].take(headers, json.dumps([item]).encode())
        assert answer.status == 202

    def decision(self, name: str = NAME) -> Decision | None:
        return self.daemon._deciding.controller.decisions.get(name)

    def reason(self, name: str = NAME) -> Reason | None:
        found = self.decision(name)
        return None if found is None else found.verdict.reason

    async def until(self, is_so: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not is_so():  # noqa: ASYNC110  it happens in other tasks
                    await asyncio.sleep(0.01)
        except TimeoutError:
            said = self.decision()
            raise AssertionError(f"still not: {what}; {self.outcomes[-1:]}; {said}") from None


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with served() as server, AsyncExitStack() as stack:
        yield World(Cluster(server, tmp_path, stack))


async def test_a_workload_follows_its_load_up_and_down_within_its_annotations(world: World) -> None:
    cluster = world.cluster
    cluster.workload(replicas=2, min_replicas="1", max_replicas="6")
    async with world.running() as daemon:
        await world.until(lambda: world.decision() is not None, "it is decided on")
        await world.push(45)
        await world.until(lambda: cluster.replicas() == 5, "it is scaled up")
        await world.until(
            lambda: daemon.fleet.deployments[NAME].pipeline.ready == 5, "its replicas are seen"
        )
        await world.push(1000)
        await world.until(lambda: cluster.replicas() == 6, "it is scaled up to its maximum")
        await world.push(15)
        await world.until(lambda: cluster.replicas() == 2, "it is scaled down")
        assert {one.status for one in world.outcomes} == {WriteStatus.APPLIED}
        lists = cluster.server.service.count()["list deployments"]
        assert lists == 1, "everything after the first list was told by watches"
    reasons = sorted(one["reason"] for one in cluster.events())
    assert reasons == ["ScaledDown", "ScaledUp", "ScaledUp"]


async def test_a_workload_without_any_maximum_never_grows(world: World) -> None:
    world.cluster.workload(replicas=2)
    async with world.running():
        await world.until(lambda: world.decision() is not None, "it is decided on")
        await world.push(500)
        await world.until(lambda: world.reason() is Reason.AT_MAX, "it is held")
        found = world.decision()
        assert found is not None
        assert found.bounds is not None
        assert found.bounds.upper.set_by == "no maximum is stated"
        assert world.cluster.replicas() == 2


async def test_what_somebody_sets_by_hand_is_scaled_from_there_and_is_no_range(
    world: World,
) -> None:
    world.cluster.workload(replicas=2, max_replicas="9")
    async with world.running() as daemon:
        await world.until(lambda: world.decision() is not None, "it is decided on")
        await world.push(35)
        await world.until(lambda: world.cluster.replicas() == 4, "it is scaled up")
        world.cluster.scale_by_hand(9)
        await world.until(
            lambda: daemon.fleet.deployments[NAME].desired_replicas == 9, "that is seen"
        )
        await world.until(lambda: world.cluster.replicas() == 4, "the load decides again")


async def test_an_autoscaler_on_the_same_workload_is_left_to_its_work_until_it_is_gone(
    world: World,
) -> None:
    cluster = world.cluster
    cluster.workload(replicas=2, max_replicas="9")
    cluster.autoscaler()
    async with world.running() as daemon:
        await world.until(lambda: world.reason() is Reason.OTHER_SCALER, "it is held")
        await world.push(65)
        await world.until(lambda: (found := world.decision()) is not None and bool(found.wanted),
                          "the wish is told")  # fmt: skip
        found = world.decision()
        assert found is not None
        assert isinstance(found.verdict, Hold)
        assert "HorizontalPodAutoscaler chat-hpa scales it too" in found.sentence
        assert cluster.replicas() == 2
        trouble = await daemon.views.deployment(NAME)
        assert "HorizontalPodAutoscaler chat-hpa" in str(trouble)
        kind = cluster.api.kinds.stored("autoscaling", "horizontalpodautoscalers")
        cluster.api.objects.delete(kind, ("llm", "chat-hpa"), {})
        await world.until(lambda: cluster.replicas() == 7, "it is scaled at once")


async def test_a_conflict_leads_to_another_look_and_the_load_is_served(world: World) -> None:
    cluster = world.cluster
    cluster.workload(replicas=2, max_replicas="9")
    async with world.running():
        await world.until(lambda: world.decision() is not None, "it is decided on")
        meddled = iter([5])

        def meddle(attempt: Any) -> bool:
            """Somebody scales by hand between our look and our write, once."""
            if attempt.resource == "deployments/scale":
                for replicas in meddled:
                    cluster.scale_by_hand(replicas)
            return False

        cluster.faults.add(Fault(what=What.DELAY, when=meddle))
        await world.push(65)
        await world.until(lambda: len(world.outcomes) == 2, "it is written again")
        assert cluster.replicas() == 7
        statuses = [one.status for one in world.outcomes]
        assert statuses == [WriteStatus.VOID, WriteStatus.APPLIED]
        assert world.outcomes[0].error_kind == "conflict"


async def test_a_watch_that_is_too_old_loses_nothing(world: World) -> None:
    cluster = world.cluster
    cluster.workload(replicas=2, max_replicas="9")
    cut = cluster.faults.add(Fault(what=What.REFUSE, when=of("deployments", "watch")))
    async with world.running() as daemon:
        await world.until(lambda: world.decision() is not None, "it is decided on")
        cluster.workload("judge", replicas=1, max_replicas="5")
        cluster.api.store.compact()
        cluster.faults.end(cut)
        judge = NAME.replace("chat", "judge")
        await world.until(lambda: judge in daemon.fleet.deployments, "the new one is seen")
        await world.push(25, judge)
        await world.until(lambda: cluster.replicas("judge") == 3, "and scaled")


async def test_a_kind_that_may_not_be_seen_is_said_and_the_others_are_scaled(world: World) -> None:
    cluster = world.cluster
    cluster.workload(replicas=2, max_replicas="9")
    cluster.workload("judge", kind="StatefulSet")
    token = cluster.grant(
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["patch"]},
        {
            "apiGroups": ["autoscaling"],
            "resources": ["horizontalpodautoscalers"],
            "verbs": ["list", "watch"],
        },
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
    )
    async with world.running(token=token) as daemon:
        await world.until(lambda: world.decision() is not None, "it is decided on")
        assert any("statefulsets" in one for one in daemon.remarks())
        await world.push(45)
        await world.until(lambda: cluster.replicas() == 5, "it is scaled up")


async def test_a_right_to_scale_that_lacks_is_said_and_not_hammered(world: World) -> None:
    cluster = world.cluster
    cluster.workload(replicas=2, max_replicas="9")
    token = cluster.grant(
        {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["autoscaling"], "resources": ["*"], "verbs": ["list", "watch"]},
    )
    async with world.running(token=token):
        await world.until(lambda: world.decision() is not None, "it is decided on")
        await world.push(45)
        await world.until(lambda: bool(world.outcomes), "a write has ended")
        assert world.outcomes[0].error_kind == "forbidden"
        assert "cannot patch resource" in world.outcomes[0].sentence
        for _ in range(5):
            await world.push(45)
        assert cluster.server.service.count()["patch deployments/scale"] == 1


async def test_a_policy_that_would_write_bounds_is_held_with_the_remedy(world: World) -> None:
    world.cluster.workload(replicas=2, max_replicas="9")
    async with world.running(POLICY.replace("actuation: scale", "actuation: pin")):
        await world.until(lambda: world.reason() is Reason.WRONG_ACTUATION, "it is held")
        found = world.decision()
        assert found is not None
        assert "only `scale` will do" in found.sentence


async def test_of_two_policies_the_annotation_says_which(world: World) -> None:
    world.cluster.workload(replicas=2, max_replicas="9", policy="slow")
    slow = POLICY.replace("name: chat,", "name: slow,").replace("target: 10", "target: 100")
    slow = slow.replace("llm/*", "llm/c*")
    async with world.running(POLICY, slow):
        await world.until(lambda: world.decision() is not None, "it is decided on")
        found = world.decision()
        assert found is not None
        assert found.policy == "slow"
        await world.push(450)
        await world.until(lambda: world.cluster.replicas() == 5, "it is scaled by that one")


async def test_a_workload_that_is_scaled_to_nothing_wakes_when_load_comes(world: World) -> None:
    policy = POLICY + "    scaleToZero: {after: 1s, wakeOn: [queued]}\n"
    cluster = world.cluster
    cluster.workload(replicas=1, min_replicas="0", max_replicas="4")
    async with world.running(policy) as daemon:
        await world.until(lambda: world.decision() is not None, "it is decided on")

        async def idle() -> None:
            while True:
                await world.push(0)
                await asyncio.sleep(0.2)

        idling = asyncio.create_task(idle())
        try:
            await world.until(lambda: cluster.replicas() == 0, "it sleeps")
        finally:
            idling.cancel()
        found = world.decision()
        assert found is not None
        assert isinstance(found.verdict, ScaleDown | Hold)
        await world.until(
            lambda: daemon.fleet.deployments[NAME].replica_count == 0, "its replicas are gone"
        )
        assert daemon.fleet.deployments[NAME].state is State.READY
        await world.push(25)
        await world.until(lambda: cluster.replicas() == 3, "it wakes")
