"""A machine that calls the emulator at random, with faults and time: what must hold in any world."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from trimtab.clock import ManualClock
from trimtab.emulator import (
    Emulation,
    Fault,
    FaultKind,
    Switches,
    messages,
    operations,
    quotas,
    schema,
)
from trimtab.emulator.deployment import message_value, split_over_regions
from trimtab.emulator.refusals import Refusal
from trimtab.plant import ConstantWorkload, Load

MODEL = "accounts/fireworks/models/llama-v3p1-8b-instruct"
SHAPES = ["llama-8b-minimal", "llama-8b-economy"]
QUOTA = 12
IDS = st.sampled_from(["a", "b", "c"])
COUNTS = st.integers(-1, 14)


class World(RuleBasedStateMachine):
    """Three ids, one account, every operation."""

    @initialize(
        mode=st.sampled_from(["clamp", "reject", "rebound"]),
        check=st.sampled_from(["write", "scheduling"]),
        expiry=st.sampled_from(["ignored", "auto_delete"]),
    )
    def start(self, mode: str, check: str, expiry: str) -> None:
        self.clock = ManualClock(1_767_225_600.0)
        switches = Switches(scale_mode=mode, quota_check=check, expire_time_mode=expiry)
        self.emulation = Emulation(
            self.clock, account="acct", switches=switches, accelerator_quota=QUOTA
        )
        self.account = self.emulation.account

    def attempt(self, call: Any) -> None:
        """Do it; a refusal is fine if it leaves everything as it was."""
        before = self.snapshot()
        refused: int | None = None
        try:
            call()
        except Refusal as refusal:
            refused = refusal.http_status
        assert refused is None or (400 <= refused < 500 and self.snapshot() == before)

    def snapshot(self) -> str:
        values = [
            message_value(deployment, self.emulation.switches)
            for deployment in self.account.deployments.values()
        ]
        return json.dumps(values, sort_keys=True, default=str)

    def found(self, name: str) -> Any:
        return operations.find(self.account, name)

    @rule(name=IDS, shape=st.sampled_from(SHAPES), low=COUNTS, high=COUNTS)
    def create(self, name: str, shape: str, low: int, high: int) -> None:
        spec = {
            "baseModel": MODEL,
            "deploymentShape": f"accounts/fireworks/deploymentShapes/{shape}",
            "minReplicaCount": low,
            "maxReplicaCount": high,
        }
        self.attempt(
            lambda: operations.create(self.emulation, self.account, "k", spec, deployment_id=name)
        )

    @rule(name=IDS, low=COUNTS, high=COUNTS, expires_in=st.none() | st.floats(1, 5000))
    def update(self, name: str, low: int, high: int, expires_in: float | None) -> None:
        change: dict[str, Any] = {"minReplicaCount": low, "maxReplicaCount": high}
        if expires_in is not None:
            change["expireTime"] = self.clock.now() + expires_in
        self.attempt(
            lambda: operations.update(
                self.emulation, self.account, "k", self.found(name), change, change
            )
        )

    @rule(name=IDS, shape=st.sampled_from(SHAPES))
    def move(self, name: str, shape: str) -> None:
        change = {"deploymentShape": f"accounts/fireworks/deploymentShapes/{shape}"}
        self.attempt(
            lambda: operations.update(
                self.emulation, self.account, "k", self.found(name), change, change
            )
        )

    @rule(name=IDS, count=COUNTS)
    def scale(self, name: str, count: int) -> None:
        self.attempt(
            lambda: operations.scale(self.emulation, self.account, self.found(name), count)
        )

    @rule(name=IDS, hard=st.booleans(), unchecked=st.booleans())
    def delete(self, name: str, *, hard: bool, unchecked: bool) -> None:
        self.attempt(
            lambda: operations.delete(
                self.emulation, self.found(name), is_hard=hard, is_unchecked=unchecked
            )
        )

    @rule(name=IDS)
    def undelete(self, name: str) -> None:
        self.attempt(lambda: operations.undelete(self.emulation, self.account, self.found(name)))

    @rule(name=IDS, rate=st.floats(0, 200))
    def traffic(self, name: str, rate: float) -> None:
        if name in self.account.deployments:
            self.found(name).set_workload(ConstantWorkload(Load(rate, 512, 128)))

    @rule(name=IDS, kind=st.sampled_from(["capacity_stuck", "fail_on_create", "fail_on_update"]))
    def break_something(self, name: str, kind: str) -> None:
        fault = Fault(FaultKind(kind), target=f"*/{name}", until=self.clock.now() + 900)
        self.emulation.faults.add(fault)

    @rule(name=IDS)
    def crash(self, name: str) -> None:
        if name in self.account.deployments:
            self.found(name).plant.replicas.crash_one(self.clock.now())

    @rule(seconds=st.sampled_from([0, 1, 14, 15, 61, 900, 4000]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.emulation.advance()

    @invariant()
    def counts_add_up(self) -> None:
        for deployment in self.account.deployments.values():
            stats = deployment.stats()
            revocable = stats.pop("revocableReplicaCount")
            assert sum(stats.values()) == deployment.replica_count
            assert deployment.replica_count == deployment.desired + revocable
            shares = split_over_regions(deployment)
            assert sum(s["readyReplicaCount"] for s in shares) == stats["readyReplicaCount"]

    @invariant()
    def the_dead_hold_nothing(self) -> None:
        for deployment in self.account.deployments.values():
            if not deployment.is_live:
                assert deployment.replica_count == deployment.desired == 0
            is_ended = deployment.state in {"DELETING", "DELETED"}
            assert is_ended == (deployment.purge_at is not None)

    @invariant()
    def the_quota_holds(self) -> None:
        for kind in ("NVIDIA_H100_80GB", "NVIDIA_A100_80GB"):
            assert quotas.in_use(self.account.deployments.values(), kind) <= QUOTA

    @invariant()
    def everything_shown_is_understood_again(self) -> None:
        switches = self.emulation.switches
        for deployment in self.account.deployments.values():
            shown = messages.render(
                schema.DEPLOYMENT, message_value(deployment, switches), switches
            )
            text = json.dumps(shown)
            messages.Parser(text, switches).parse(schema.DEPLOYMENT, messages.decode(text))


World.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestWhateverCallersDo = World.TestCase
