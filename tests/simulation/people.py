"""What people do to a world meanwhile: edit, create, delete, park, deploy, and bring more traffic."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.network import KEY
from tests.simulation.policies import BAD_TEXTS, edited

from trimtab.emulator import deployment as states
from trimtab.emulator import lifecycle
from trimtab.emulator.fields import render_timestamp
from trimtab.emulator.in_process import ask
from trimtab.journal.port import JournalMode
from trimtab.plant.workload import ConstantWorkload, Load

if TYPE_CHECKING:
    from tests.simulation.auditor import Look
    from tests.simulation.world import World

    from trimtab.emulator.deployment import Deployment

DEPLOYMENTS_MAX = 60
ORDER_TRANSIT_SECONDS = 15.0
"""A write that has been looked at already may still leave after an order was given."""

AFTER_PIN_SECONDS = 300.0
LOADS = (0.0, 1.0, 3.0, 6.0, 10.0, 18.0, 30.0)
PROMPT_TOKENS, OUTPUT_TOKENS = 64.0, 16.0


@dataclass(frozen=True, slots=True)
class Ordered:
    """An override that was accepted; ``is_kept``: on a disk that was well. ``None`` is every one."""

    kind: str
    deployment: str | None
    since: float
    until: float
    replicas: int
    blocks: str
    is_kept: bool
    is_lifted: bool = False

    def concerns(self, name: str) -> bool:
        return self.deployment in {None, name}

    def ended(self, now: float) -> Ordered:
        return replace(self, is_lifted=True, until=min(self.until, now))


class People:
    """Several persons with one source of chance."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.counts: Counter[str] = Counter()
        self._rng = Random(f"{world.seed}:people")
        self._created = 0
        self._orders: list[Ordered] = []

    @staticmethod
    def draw_load(rng: Random) -> Load:
        """Return what users may ask of a deployment."""
        rate = rng.choice(LOADS) * rng.uniform(0.7, 1.3)
        return Load(rate, PROMPT_TOKENS, OUTPUT_TOKENS)

    async def live(self) -> None:
        """Do something now and then."""
        plan = self.world.plan
        rates = {
            self._deed: plan.deeds_per_hour if plan.people else 0.0,
            self._traffic: plan.traffic_changes_per_hour * max(1.0, plan.deployments / 3.0),
            self._step_clock: plan.clock_steps_per_hour,
            self._override: plan.overrides_per_hour,
        }
        total = sum(rates.values())
        while True:
            await asyncio.sleep(self._rng.expovariate(total / 3600.0))
            (chosen,) = self._rng.choices(list(rates), weights=list(rates.values()))
            await chosen()

    async def _deed(self) -> None:
        deed = self._rng.choice(self.world.plan.people)
        done = await getattr(self, f"_{deed}")()
        if done:
            self.counts[deed] += 1

    async def _traffic(self) -> None:
        one = self._pick()
        if one is not None:
            load = self.draw_load(self._rng)
            one.set_workload(ConstantWorkload(load))
            self._note(one.name, f"users ask {load.requests_per_second:.1f} a second")

    async def _step_clock(self) -> None:
        step = self._rng.choice([-3600.0, -300.0, -20.0, -2.0, 2.0, 20.0, 300.0, 3600.0])
        self.world.machine.offset_seconds += step
        self.counts["clock_step"] += 1
        self._note("", f"the daemon's wall clock is stepped by {step:.0f} s")

    # -- overrides -------------------------------------------------------------------------------

    async def _override(self) -> None:
        """Give the daemon an order, or lift what stands."""
        rng, process = self._rng, self.world.process
        one = self._pick()
        if process is None or process.is_dead or one is None:
            return
        if rng.random() < 0.25:
            await self._lift_all()
            return
        kind = rng.choice(["pause", "pin", "block"])
        seconds = rng.choice([300.0, 1800.0, 7200.0])
        until = process.clock.now() + seconds
        body: dict[str, object] = {"kind": kind, "reason": "a drill", "author": "ada"}
        body |= {"for": f"{seconds:.0f}s"}
        body |= {"all": True} if rng.random() < 0.3 else {"deployment": one.name}
        replicas = rng.randint(1, 9)
        blocks = rng.choice(["up", "down"])
        if kind == "pin":
            body["replicas"] = replicas
        elif kind == "block":
            body["blocks"] = blocks
        subject = None if "all" in body else one.name
        journalled_in_time = process.journal.status.mode is JournalMode.DURABLE
        status, answer = await process.daemon.desk.give(body, "127.0.0.1")
        if status != 201:
            self._note("", f"an order is refused: {answer}")
            return
        self.counts[f"override_{kind}"] += 1
        # A newer order of the same kind takes the place of the older one, also if it ends earlier.
        self._orders = [
            one.ended(self.world.now()) if (one.kind, one.deployment) == (kind, subject) else one
            for one in self._orders
        ]
        is_kept = journalled_in_time and process.journal.status.mode is JournalMode.DURABLE
        self._orders.append(
            Ordered(kind, subject, self.world.now(), until, replicas, blocks, is_kept)
        )
        self._note(subject or "", f"a person orders {kind} {body} for {subject or 'all'}")

    async def _lift_all(self) -> None:
        process = self.world.process
        if process is None or process.is_dead:
            return
        listed: Any = (await process.daemon.desk.listed())[1]
        ids = [one["id"] for one in listed["overrides"]]
        if ids:
            await process.daemon.desk.lift({"ids": ids, "author": "ada"}, "127.0.0.1")
            self._note("", f"a person lifts {len(ids)} orders")
        self._orders = [one.ended(self.world.now()) for one in self._orders]

    def a_process_ends(self, now: float) -> None:
        """Take note that orders were over by the clock of a process, whatever the next one's says."""
        self._orders = [
            replace(one, is_lifted=True) if one.until <= now else one for one in self._orders
        ]

    def forget_orders(self) -> None:
        """Expect of no order that it is obeyed: the file that kept them is damaged."""
        self._orders = [replace(one, is_kept=False) for one in self._orders]

    def forbidding(self, name: str, count: int, look: Look) -> str | None:
        """Return the order of a person that writing ``count`` would break."""
        now = self.world.daemon_now()
        for one in self._orders:
            is_new = self.world.now() - one.since < ORDER_TRANSIT_SECONDS
            if not one.concerns(name) or one.until <= now or is_new or not one.is_kept:
                continue
            if one.is_lifted:
                continue
            if one.kind == "pause":
                return "it is paused"
        return None

    def is_pinned(self, name: str) -> bool:
        """Whether a person ordered a count, now or so lately that it may still be on its way."""
        now = self.world.daemon_now()
        return any(
            one.kind == "pin" and one.concerns(name) and now < one.until + AFTER_PIN_SECONDS
            for one in self._orders
        )

    # -- policies --------------------------------------------------------------------------------

    async def _edit_policy(self) -> bool:
        book = self.world.book
        name = self._rng.choice(sorted(book.specs))
        spec = edited(self._rng, book.specs[name])
        book.write(self.world.now(), spec)
        self._note("", f"policy {name} is edited: {spec}")
        self._tell_watchers()
        return True

    async def _spoil_policy(self) -> bool:
        book = self.world.book
        name = self._rng.choice(sorted(book.specs))
        book.spoil(name, self._rng.choice(BAD_TEXTS))
        self._note("", f"policy {name} is spoilt")
        self._tell_watchers()
        await asyncio.sleep(self._rng.uniform(1.0, 1800.0))
        self.mend_policies()
        return True

    def mend_policies(self) -> None:
        """Write good documents where bad ones are."""
        book = self.world.book
        for name in sorted(book.bad):
            book.write(self.world.now(), book.specs[name])
            self._note("", f"policy {name} is mended")
        self._tell_watchers()

    def _tell_watchers(self) -> None:
        if self.world.process is not None:
            self.world.process.changed.set()

    # -- deployments -----------------------------------------------------------------------------

    async def _set_bounds(self) -> bool:
        one = self._pick(states.READY)
        if one is None:
            return False
        watch = self.world.auditor.watches[one.name]
        taken = {one.minimum, one.maximum, *watch.counts_sent}
        low = self._rng.choice([n for n in range(1, 40) if n not in taken][:3])
        high = self._rng.choice([n for n in range(low + 1, 60) if n not in taken][:9])
        return await self._set_range(one, low, high)

    async def _park(self) -> bool:
        one = self._pick(states.READY)
        if one is None or not await self._set_range(one, 0, 0):
            return False
        await asyncio.sleep(self._rng.uniform(60.0, 3600.0))
        if one.state == states.READY and one.maximum == 0:
            low, high = 1, self._rng.randint(4, 12)
            # An end that is what the daemon wrote last is not told from one that was left alone.
            taken = self.world.auditor.watches[one.name].counts_sent
            while low in taken:
                low += 1
            while high in taken or high <= low:
                high += 1
            await self._set_range(one, low, high)
        return True

    async def _set_range(self, one: Deployment, low: int, high: int) -> bool:
        body = {"minReplicaCount": low, "maxReplicaCount": high}
        if not await self._patch(one, body, "min_replica_count,max_replica_count"):
            return False
        self.world.auditor.watches[one.name].mean(self.world.now(), (low, high))
        self._note(one.name, f"a person sets the range {low}-{high}")
        return True

    async def _create(self) -> bool:
        world = self.world
        if len(world.emulation.deployments) >= DEPLOYMENTS_MAX:
            return False
        account = self._rng.choice(world.account_ids)
        self._created += 1
        policy = self._rng.choice(sorted(world.book.specs))
        low = self._rng.randint(0, 2)
        high = low + self._rng.randint(2, 10)
        body = {
            "displayName": f"{policy}-new{self._created}",
            "baseModel": "accounts/fireworks/models/llama-v3p1-8b-instruct",
            "deploymentShape": "accounts/fireworks/deploymentShapes/llama-8b-minimal",
            "minReplicaCount": low,
            "maxReplicaCount": high,
        }
        deployment_id = f"new{self._created}"
        path = f"/v1/accounts/{account}/deployments"
        if not await self._ask("POST", path, body, {"deploymentId": deployment_id}):
            return False
        name = f"accounts/{account}/deployments/{deployment_id}"
        world.watch(name, policy, low, high)
        world.emulation.deployments[name].set_workload(ConstantWorkload(self.draw_load(self._rng)))
        self._note(name, f"a person creates it with {low}-{high}")
        return True

    async def _delete(self) -> bool:
        one = self._pick()
        if one is None:
            return False
        hard = "true" if self._rng.random() < 0.5 else "false"
        query = {"ignoreChecks": "true", "hard": hard}
        done = await self._ask("DELETE", f"/v1/{one.name}", None, query)
        if done:
            self._note(one.name, f"a person deletes it, hard: {hard}")
        return done

    async def _undelete(self) -> bool:
        one = self._pick(states.DELETED) or self._pick(states.FAILED)
        if one is None or not await self._ask("POST", f"/v1/{one.name}:undelete", {}):
            return False
        self._note(one.name, "a person undeletes it")
        return True

    async def _expire(self) -> bool:
        one = self._pick(states.READY)
        if one is None:
            return False
        at = self.world.now() + self._rng.uniform(60.0, 5400.0)
        done = await self._patch(one, {"expireTime": render_timestamp(at)}, "expire_time")
        if done:
            self._note(one.name, f"a person lets it expire in {at - self.world.now():.0f} s")
        return done

    async def _fail(self) -> bool:
        one = self._pick(states.READY)
        if one is None:
            return False
        now = self.world.emulation.advance()
        lifecycle.fail(one, now, "INTERNAL", "a disk burnt")
        self.world.emulation.settle(one, now)
        self._note(one.name, "it fails")
        return True

    async def _change_shape(self) -> bool:
        one = self._pick(states.READY)
        if one is None or "llama" not in one.spec["baseModel"]:
            return False
        shape = self._rng.choice(["llama-8b-minimal", "llama-8b-economy"])
        body = {"deploymentShape": f"accounts/fireworks/deploymentShapes/{shape}"}
        done = await self._patch(one, body, "deployment_shape")
        if done:
            self._note(one.name, f"a person moves it to {shape}")
        return done

    async def _crash_replica(self) -> bool:
        one = self._pick(states.READY)
        return one is not None and one.plant.replicas.crash_one(self.world.now()) is not None

    async def _schedule(self) -> bool:
        one = self._pick(states.READY)
        if one is None or one.maximum == 0:
            return False
        hour = self._rng.randrange(24)
        schedule = {
            "schedule": f"0 {hour} * * *",
            "timezone": "UTC",
            "duration": "3600s",
            "minReplicaCount": self._rng.randint(1, one.maximum),
        }
        body = {"autoscalingPolicy": {"scalingSchedules": {"rush": schedule}}}
        done = await self._patch(one, body, "autoscaling_policy")
        if done:
            self._note(one.name, f"a person sets a floor: {schedule}")
        return done

    async def leave(self) -> None:
        """Put right what people would put right, and go home."""
        self.mend_policies()

    async def lift_at_last(self) -> None:
        """End every order that still stands."""
        await self._lift_all()

    # -- how -------------------------------------------------------------------------------------

    def _pick(self, *wanted: str) -> Deployment | None:
        live = wanted or (states.CREATING, states.READY, states.UPDATING)
        found = [
            one
            for name, one in self.world.emulation.deployments.items()
            if one.state in live and name in self.world.auditor.watches
        ]
        return self._rng.choice(found) if found else None

    def _note(self, name: str, text: str) -> None:
        self.world.trail.add("person", name, text)

    async def _patch(self, one: Deployment, body: dict[str, Any], mask: str) -> bool:
        return await self._ask("PATCH", f"/v1/{one.name}", body, {"updateMask": mask})

    async def _ask(
        self, method: str, path: str, body: Any, query: dict[str, str] | None = None
    ) -> bool:
        emulation = self.world.emulation
        armed, emulation.faults._armed = emulation.faults._armed, {}  # people's own line is good
        try:
            reply = await ask(
                emulation,
                method,
                path,
                query=query,
                headers={"Authorization": f"Bearer {KEY}"},
                body=b"" if body is None else json.dumps(body).encode(),
            )
        finally:
            emulation.faults._armed = armed
        return reply is not None and reply.status < 300
