"""The whole daemon against the emulator over HTTP, with time running 300 times as fast."""

from __future__ import annotations

from control_plane import KEY
from emulated_world import ACCOUNT, EmulatedWorld, by_rate, steps
from fireworks import AsyncFireworks

from trimtab.core.decision import EventKind, Reason
from trimtab.core.policy import MoveRules
from trimtab.plant import Load

CHAT = f"accounts/{ACCOUNT}/deployments/chat"
SMALL = "llama-8b-minimal"
POLICY = by_rate("chat", max_replicas=6, down=MoveRules(stabilization_seconds=120.0))


def rate(requests_per_second: float) -> Load:
    return Load(requests_per_second, 500, 100)


async def test_replicas_follow_the_load_up_and_down_again() -> None:
    world = EmulatedWorld()
    world.put("chat", steps((300, rate(8)), (900, rate(34)), (60, rate(8))), SMALL)
    async with world.running(POLICY) as daemon:

        def ready() -> int:
            return daemon.fleet.deployments[CHAT].pipeline.ready

        await world.until(
            lambda: any(one.to_replicas > one.from_replicas for one in world.applied), "scaled up"
        )
        await world.until(lambda: ready() >= 4, "four replicas serve")
        up = len(world.applied)
        await world.until(lambda: ready() == 1, "back to one replica")
    assert all(one.to_replicas < one.from_replicas for one in world.applied[up:])
    assert max(one.to_replicas for one in world.applied) <= 6, "the policy's maximum holds"
    assert Reason.INVARIANT not in {
        decision.verdict.reason for tick in world.ticks for decision in tick.decisions
    }


async def test_a_deployment_that_the_official_sdk_creates_is_adopted_and_scaled() -> None:
    world = EmulatedWorld()
    async with world.running(POLICY) as daemon:
        sdk = AsyncFireworks(api_key=KEY, account_id=ACCOUNT, base_url=world.server.base_url)
        async with sdk:
            created = await sdk.deployments.create(
                base_model="accounts/fireworks/models/llama-v3p1-8b-instruct",
                deployment_shape="accounts/fireworks/deploymentShapes/llama-8b-minimal",
                deployment_id="fresh",
                min_replica_count=1,
                max_replica_count=4,
            )
            assert created.name is not None
            name = created.name
            await world.until(
                lambda: any(
                    event.deployment == name and event.kind is EventKind.ADOPTED
                    for event in world.events
                ),
                "adopted",
            )
            await world.until(
                lambda: daemon.fleet.deployments[name].state == "READY", "the deployment is ready"
            )
            world.emulation.deployments[name].plant.set_workload(steps((60, rate(25))))
            await world.until(
                lambda: any(one.to_replicas == 3 for one in world.applied),
                "three replicas asked for",
            )
            seen = await sdk.deployments.get(deployment_id="fresh")
    assert (seen.min_replica_count, seen.max_replica_count) == (3, 3)


async def test_a_deployment_that_is_deleted_is_never_recreated() -> None:
    world = EmulatedWorld()
    world.put("chat", steps((60, rate(30))), SMALL)
    async with world.running(POLICY) as daemon:
        await world.until(lambda: bool(world.applied), "a write")
        async with AsyncFireworks(
            api_key=KEY, account_id=ACCOUNT, base_url=world.server.base_url
        ) as sdk:
            await sdk.deployments.delete(deployment_id="chat", ignore_checks=True)
        await world.until(lambda: CHAT not in daemon.fleet.deployments, "it is gone")
        writes = len(world.outcomes)
        ticks = len(world.ticks)
        await world.until(lambda: len(world.ticks) > ticks + 10, "ten more evaluations")
        assert len(world.outcomes) == writes
        assert daemon.status().deployments == ()
