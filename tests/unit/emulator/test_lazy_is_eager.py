"""Looking only at whom the agenda names comes to exactly what looking at everyone would come to.

Two emulators live through the same calls, times, faults and changes of rules: ours, and one whose
agenda promises nothing, so that it visits everyone at every look and every tick.

Seen to be caught, by the random run: a fault of capacity, a change of switches or a scaling schedule
that stirs nobody; resting while a window runs, while load lasts or before its average has died
down; a replica's next stage, a first request, a scale to zero or any date left out of what is
foreseen; ticks passed by that are not made up for; accelerators not uncounted. By the scenarios:
quota given back of which who waits for it does not hear; the end of a fault that nobody notices
before the next tick; skipped steps recorded with the replicas of later.
"""

from __future__ import annotations

import dataclasses
import json
from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab.clock import ManualClock
from trimtab.emulator import Emulation, Fault, FaultKind, Switches, quotas
from trimtab.emulator.agenda import Agenda
from trimtab.emulator.deployment import Deployment
from trimtab.emulator.in_process import ask
from trimtab.plant import ConstantWorkload, Load
from trimtab.plant.workload import SteppedWorkload, Workload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATH = "/v1/accounts/acct/deployments"
MODEL = "accounts/fireworks/models/llama-v3p1-8b-instruct"
SHAPES = ("llama-8b-minimal", "llama-8b-economy")
SCHEDULES = {
    "s": {"minReplicaCount": 1, "schedule": "*/20 * * * *", "duration": "300s", "timezone": "UTC"}
}
WORKLOADS: tuple[Workload, ...] = (
    ConstantWorkload(Load(0.0, 512, 128)),
    ConstantWorkload(Load(0.01, 512, 128)),
    ConstantWorkload(Load(20.0, 512, 128)),
    SteppedWorkload([(100.0, Load(3.0, 100, 50)), (400.0, Load(0.0, 100, 50))]),
)


class Everyone(Agenda):
    """Promises nothing: everyone is due at every look and visited by every tick."""

    def expect(self, deployment: Deployment, at: float) -> None:
        self._due[deployment] = at

    def rest(self, deployment: Deployment) -> None:
        pass

    def take_due(self, now: float) -> list[Deployment]:
        return sorted(self._due, key=lambda one: one.seat)

    def restless(self) -> list[Deployment]:
        return self.take_due(0.0)


class Unresting(Emulation):
    def _tick(self, deployment: Deployment, now: float) -> None:
        super()._tick(deployment, now)
        deployment.scaler.rests = False


class World:
    """One emulator and everything that was heard of it."""

    def __init__(self, kind: type[Emulation], agenda: Agenda, seed: int, **switches: Any) -> None:
        self.clock = ManualClock(1_767_225_600.1)
        self.emulation = kind(
            self.clock,
            account="acct",
            seed=seed,
            switches=Switches(inference_takes_time=False, **switches),
            accelerator_quota=12,
        )
        self.emulation._agenda = agenda
        self.emulation.account.requests.per_minute = 1e9
        self.emulation.account.scrapes.per_minute = 1e9
        self.heard: list[Any] = []

    async def ask(self, method: str, path: str, body: Any = None, **query: str) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": "Bearer k"}
        reply = await ask(self.emulation, method, path, query=query, headers=headers, body=data)
        self.heard.append((method, path, reply and (reply.status, reply.text)))

    async def do(self, rng: Random, name: str) -> None:
        one = self.emulation.account.deployments.get(name)
        action = rng.choice(ACTIONS)
        if action == "wait":
            self.clock.advance(rng.choice([0, 0.3, 1, 3, 7, 15, 15.5, 61, 61, 310, 310, 2000]))
        elif action == "ask":
            method, path, body, query = rng.choice(_calls(rng, name))
            await self.ask(method, path, body, **query)
        elif action == "traffic" and one is not None:
            one.set_workload(rng.choice(WORKLOADS))
        elif action == "crash" and one is not None:
            one.plant.replicas.crash_one(self.clock.now())
        elif action == "fault":
            kinds = [
                "capacity_stuck",
                "capacity_refused",
                "fail_on_create",
                "fail_on_update",
                "capacity_stuck",
            ]
            kind, until = FaultKind(rng.choice(kinds)), self.clock.now() + rng.choice([5, 100, 900])
            self.emulation.faults.add(
                Fault(kind, target=f"*/{rng.choice([name, '*'])}", until=until)
            )
        elif action == "turn":
            change: dict[str, Any] = rng.choice(
                [
                    {"expire_time_mode": "auto_delete"},
                    {"schedule_above_max": "capped"},
                    {"idle_delete_time_shown": True},
                ]
            )
            self.emulation.switches = dataclasses.replace(self.emulation.switches, **change)

    def told(self) -> list[Any]:
        self.clock.advance(20.0)
        self.emulation.advance()
        told: list[Any] = [*self.heard, self.emulation.events.since()]
        for one in self.emulation.account.deployments.values():
            totals = dataclasses.asdict(one.plant.totals)
            # Sums of many parts and of few differ in the last bits.
            totals["billed_replica_seconds"] = round(totals["billed_replica_seconds"], 6)
            memory = dataclasses.asdict(one.scaler) | {"rests": None}
            told.append((one.name, one.state, one.granted, memory, totals, one.plant.now))
            told.append((list(one.plant._records), one.plant._rng.random()))
        return told


ACTIONS = ("ask", "ask", "ask", "ask", "wait", "wait", "wait", "traffic", "crash", "fault", "turn")


def _calls(rng: Random, name: str) -> list[tuple[str, str, Any, dict[str, str]]]:
    low = rng.choice([0, 0, 1, 2, 5])
    high = low + rng.choice([0, 0, 1, 5])
    bounds: dict[str, Any] = {"minReplicaCount": low, "maxReplicaCount": high}
    policy = rng.choice([{"scaleToZeroWindow": "300s", "scaleDownWindow": "60s"}, {}])
    schedules = {"scalingSchedules": SCHEDULES} if high else {}
    shape = f"accounts/fireworks/deploymentShapes/{rng.choice(SHAPES)}"
    made = {"baseModel": MODEL, "deploymentShape": shape, **bounds}
    expiry = {"expireTime": f"2026-01-01T00:{rng.randrange(60):02d}:00Z"}
    prompt = {"model": f"accounts/acct/deployments/{name}", "prompt": "x" * 200, "max_tokens": 20}
    one = f"{PATH}/{name}"
    return [
        ("GET", one, None, {}),
        *[("GET", PATH, None, {"showDeleted": "true"})] * 4,
        ("GET", PATH, None, {"pageSize": "2", "showDeleted": "true"}),
        ("GET", PATH, None, {"filter": 'state="READY"', "orderBy": "update_time desc"}),
        *[("PATCH", one, bounds, {})] * 3,
        *[("PATCH", one, bounds | {"autoscalingPolicy": policy}, {})] * 2,
        *[("PATCH", one, bounds | {"autoscalingPolicy": policy | schedules}, {})] * 2,
        ("PATCH", one, bounds | {"maxWithRevocableReplicaCount": high + 3}, {}),
        ("PATCH", one, expiry, {}),
        ("PATCH", one, {"deploymentShape": shape}, {}),
        ("PATCH", f"{one}:scale", {"replicaCount": rng.choice([0, 1, 3, 6])}, {}),
        ("POST", PATH, made, {"deploymentId": name}),
        ("DELETE", one, None, {"ignoreChecks": "true", "hard": rng.choice(["true", "false"])}),
        ("POST", f"{one}:undelete", {}, {}),
        ("POST", "/v1/completions", prompt, {}),
        ("GET", "/v1/accounts/acct/quotas", None, {}),
        ("GET", "/v1/accounts/acct/metrics", None, {}),
    ]


def _actions(seed: int) -> Random:
    return Random(f"{seed}:actions")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    steps=st.integers(1, 80),
    count=st.integers(1, 5),
    check=st.sampled_from(["write", "scheduling"]),
    lag=st.sampled_from([0.0, 40.0]),
)
async def test_whatever_is_asked_and_whenever_the_answers_are_the_same(
    seed: int, steps: int, count: int, check: str, lag: float
) -> None:
    switches = {"quota_check": check, "ready_lag_seconds": lag, "purge_retention_seconds": 600.0}
    lazy = World(Emulation, Agenda(), seed, **switches)
    eager = World(Unresting, Everyone(), seed, **switches)
    for world in (lazy, eager):
        rng = _actions(seed)
        names = [f"d{number}" for number in range(count)]
        for name in names[: rng.randrange(count + 1)]:
            low, ready = rng.choice([0, 1]), rng.choice([0, 1, 2])
            shape = rng.choice(SHAPES)
            world.emulation.add_deployment(
                "acct", name, shape=shape, min=low, max=5, replicas_ready=ready
            )
        for _ in range(steps):
            await world.do(rng, rng.choice(names))
            deployments = world.emulation.account.deployments
            for kind in ("NVIDIA_H100_80GB", "NVIDIA_A100_80GB"):
                assert deployments.held(kind) == quotas.in_use(deployments.values(), kind)

    assert lazy.told() == eager.told()


async def told_by_both(script: Callable[[World], Awaitable[None]], **switches: Any) -> list[Any]:
    lazy = World(Emulation, Agenda(), 7, **switches)
    eager = World(Unresting, Everyone(), 7, **switches)
    for world in (lazy, eager):
        for name in ("d0", "d1"):
            world.emulation.add_deployment(
                "acct", name, shape=SHAPES[0], min=1, max=9, replicas_ready=2
            )
        await script(world)
    told = lazy.told()
    assert told == eager.told()
    return told


def pinned(count: int) -> dict[str, int]:
    return {"minReplicaCount": count, "maxReplicaCount": count}


async def wait(world: World, seconds: float, name: str) -> None:
    world.clock.advance(seconds)
    await world.ask("GET", f"{PATH}/{name}")


async def test_accelerators_given_back_go_to_who_waits_for_them_at_the_next_look() -> None:
    async def script(world: World) -> None:
        await world.ask("PATCH", f"{PATH}/d0", pinned(9))
        await world.ask("PATCH", f"{PATH}/d1", pinned(9))
        for _ in range(10):
            await wait(world, 61, "d1")
        assert world.emulation.account.deployments["d1"].starved
        await world.ask("PATCH", f"{PATH}/d0", pinned(1))
        await wait(world, 1, "d0")
        await wait(world, 1, "d1")
        assert not world.emulation.account.deployments["d1"].starved

    await told_by_both(script, quota_check="scheduling")


async def test_replicas_start_at_the_first_look_after_accelerators_can_be_had_again() -> None:
    async def script(world: World) -> None:
        until = world.clock.now() + 100.0
        world.emulation.faults.add(Fault(FaultKind.CAPACITY_STUCK, target="*/d0", until=until))
        await world.ask("PATCH", f"{PATH}/d0", pinned(4))
        for _ in range(6):
            await wait(world, 16.0, "d1")
        await wait(world, 4.5, "d1")
        await wait(world, 300.0, "d0")
        assert world.emulation.account.deployments["d0"].plant.replicas.ready == 4

    await told_by_both(script)


async def test_who_rests_is_sent_to_zero_at_the_very_tick() -> None:
    async def script(world: World) -> None:
        bounds = {"minReplicaCount": 0, "maxReplicaCount": 5}
        await wait(world, 300.4, "d0")
        await world.ask("PATCH", f"{PATH}/d0", pinned(1))
        await world.ask(
            "PATCH", f"{PATH}/d0", bounds | {"autoscalingPolicy": {"scaleToZeroWindow": "300s"}}
        )
        for _ in range(70):
            await wait(world, 4.9, "d1")
        assert world.emulation.account.deployments["d0"].desired == 0

    await told_by_both(script)


async def test_skipped_steps_are_recorded_with_the_replicas_of_their_time() -> None:
    async def script(world: World) -> None:
        await wait(world, 30.0, "d0")
        await world.ask("PATCH", f"{PATH}/d0", pinned(1))
        await wait(world, 5.0, "d0")

    told = await told_by_both(script)
    records = told[-3][0]
    assert {record.serving for record in records} == {1, 2}


async def test_a_look_visits_only_those_to_whom_something_happens() -> None:
    visited: list[str] = []

    class Noting(Emulation):
        def _live(self, deployment: Deployment, now: float) -> bool:
            visited.append(deployment.id)
            return super()._live(deployment, now)

    world = World(Noting, Agenda(), 1)
    for number in range(10):
        world.emulation.add_deployment(
            "acct", f"d{number}", shape=SHAPES[0], min=1, max=9, replicas_ready=1
        )
    for _ in range(10):
        world.clock.advance(15.0)
        world.emulation.look()
    visited.clear()
    for _ in range(100):
        world.clock.advance(3.0)
        await world.ask("GET", f"{PATH}/d7")
    await world.ask("PATCH", f"{PATH}/d8", {"minReplicaCount": 2, "maxReplicaCount": 2})
    for _ in range(3):
        world.clock.advance(3.0)
        await world.ask("GET", f"{PATH}/d7")

    assert set(visited) == {"d8"}
