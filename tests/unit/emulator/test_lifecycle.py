"""What happens by itself: starting, failing, expiring, being deleted for idleness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from trimtab.clock import ManualClock
from trimtab.emulator import Emulation, Fault, FaultKind, Switches
from trimtab.plant import ConstantWorkload, Load, StartTimes

if TYPE_CHECKING:
    from trimtab.emulator import Deployment

SHAPE = "llama-8b-minimal"
NAME = "accounts/acct/deployments/d1"
DAY = 86400.0


def seeded(emulation: Emulation, **options: Any) -> Deployment:
    return emulation.add_deployment("acct", "d1", shape=SHAPE, **options)


def test_the_first_ready_replica_ends_creating(emulation: Emulation, clock: ManualClock) -> None:
    times = StartTimes(10, 20, 30, cv=0.0, failure_probability=0.0)
    deployment = seeded(emulation, min=1, start_times=times)
    seen = []
    for _ in range(8):
        seen.append((deployment.state, *(c for c in deployment.stats().values() if c)))
        clock.advance(10)
        emulation.advance()

    stages = [
        next(name for name, count in zip(("p", "d", "i", "r"), counts, strict=False) if count)
        for counts in [list(deployment.stats().values())]
    ]
    assert [state for state, *_ in seen] == ["CREATING"] * 6 + ["READY"] * 2
    assert stages == ["r"]


def test_ready_does_not_prove_serving(clock: ManualClock) -> None:
    emulation = Emulation(clock, account="acct", switches=Switches(ready_lag_seconds=120.0))
    deployment = seeded(emulation, min=1)
    while deployment.state == "CREATING":
        clock.advance(5)
        emulation.advance()

    assert deployment.plant.replicas.ready == 1
    assert deployment.plant.replicas.serving == 0


def test_same_seed_same_run() -> None:
    def run(seed: int) -> list[tuple[float, str]]:
        clock = ManualClock(0.0)
        emulation = Emulation(clock, account="acct", seed=seed)
        seeded(emulation, min=3, max=3, workload=ConstantWorkload(Load(20.0, 512, 128)))
        for _ in range(100):
            clock.advance(7)
            emulation.advance()
        deployment = emulation.deployments[NAME]
        seen = [(event.at, event.kind) for event in emulation.events.since()]
        return [*seen, (deployment.plant.totals.offered, "offered")]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_create_can_be_made_to_fail(emulation: Emulation, clock: ManualClock) -> None:
    emulation.faults.add(Fault(FaultKind.FAIL_ON_CREATE, target=NAME, count=1))
    from trimtab.emulator import operations

    spec = {
        "baseModel": "accounts/fireworks/models/llama-v3p1-8b-instruct",
        "deploymentShape": f"accounts/fireworks/deploymentShapes/{SHAPE}",
    }
    deployment = operations.create(emulation, emulation.account, "k", spec, deployment_id="d1")
    clock.advance(120)
    emulation.advance()

    assert deployment.state == "FAILED"
    assert deployment.status is not None
    assert deployment.status["code"] == "INTERNAL"
    assert deployment.replica_count == 0


@pytest.mark.parametrize(("mode", "state"), [("ready", "READY"), ("failed", "FAILED")])
def test_a_failing_rollout_ends_as_switched(
    emulation: Emulation, clock: ManualClock, mode: str, state: str
) -> None:
    from trimtab.emulator import operations

    emulation.switches = Switches(failed_rollout=mode)
    deployment = seeded(emulation, min=1, replicas_ready=1)
    emulation.faults.add(Fault(FaultKind.FAIL_ON_UPDATE, target=NAME))
    change = {"maxContextLength": 4096}
    operations.update(emulation, emulation.account, "k", deployment, change, change)
    during = deployment.state
    clock.advance(121)
    emulation.advance()

    assert (during, deployment.state) == ("UPDATING", state)
    assert deployment.status is not None
    assert deployment.status["code"] == "INTERNAL"


@pytest.mark.parametrize(("mode", "state"), [("ignored", "READY"), ("auto_delete", "DELETING")])
def test_expiry_deletes_only_in_its_mode(
    emulation: Emulation, clock: ManualClock, mode: str, state: str
) -> None:
    emulation.switches = Switches(expire_time_mode=mode)
    deployment = seeded(emulation, min=1, replicas_ready=1)
    deployment.spec["expireTime"] = clock.now() + 100
    clock.advance(99)
    emulation.advance()
    before = deployment.state
    clock.advance(2)
    emulation.advance()

    assert (before, deployment.state) == ("READY", state)


def test_seven_idle_days_at_minimum_zero_delete(emulation: Emulation, clock: ManualClock) -> None:
    deployment = seeded(emulation, min=0, replicas_ready=1)
    clock.advance(7 * DAY - 60)
    emulation.advance()
    before = deployment.state
    clock.advance(61)
    emulation.advance()

    assert (before, deployment.state) == ("READY", "DELETING")
    assert "deployment_idle_deleted" in emulation.events.kinds(NAME)


@pytest.mark.parametrize("why", ["minimum", "traffic", "switch"])
def test_what_keeps_an_idle_deployment_alive(
    emulation: Emulation, clock: ManualClock, why: str
) -> None:
    if why == "switch":
        emulation.switches = Switches(idle_deletion=False)
    deployment = seeded(emulation, min=1 if why == "minimum" else 0, max=1, replicas_ready=1)
    clock.advance(6 * DAY)
    emulation.advance()
    if why == "traffic":
        deployment.plant.offer(clock.now(), 10, 10)
    clock.advance(1.5 * DAY)
    emulation.advance()

    assert deployment.state == "READY"


def test_the_coming_idle_deletion_can_be_shown_beforehand(
    emulation: Emulation, clock: ManualClock
) -> None:
    emulation.switches = Switches(idle_delete_time_shown=True)
    deployment = seeded(emulation, min=0, replicas_ready=1)
    clock.advance(60)
    emulation.advance()

    assert deployment.deleted_at == deployment.created_at + 7 * DAY


def test_stuck_capacity_keeps_replicas_pending_until_it_is_lifted(
    emulation: Emulation, clock: ManualClock
) -> None:
    fault = emulation.faults.add(Fault(FaultKind.CAPACITY_STUCK, target="*/d1"))
    deployment = seeded(emulation, min=2, max=2)
    clock.advance(3600)
    emulation.advance()
    stuck = deployment.stats()["pendingSchedulingReplicaCount"]
    emulation.faults.remove(fault.id)
    emulation.advance()
    clock.advance(1)
    emulation.advance()
    clock.advance(3600)
    emulation.advance()

    assert stuck == 2
    assert deployment.stats()["readyReplicaCount"] == 2


def test_refused_capacity_shows_in_the_status_while_replicas_wait(
    emulation: Emulation, clock: ManualClock
) -> None:
    deployment = seeded(emulation, min=1, max=4, replicas_ready=1)
    fault = emulation.faults.add(Fault(FaultKind.CAPACITY_REFUSED, target="*/d1"))
    emulation.advance()
    before = deployment.status
    deployment.desired = 2
    for _ in range(2):
        clock.advance(30)
        emulation.advance()
    refused = deployment.status
    emulation.faults.remove(fault.id)
    for _ in range(2):
        clock.advance(30)
        emulation.advance()

    assert before is None
    assert refused is not None
    assert refused["code"] == "RESOURCE_EXHAUSTED"
    assert deployment.status is None


def test_replicas_are_split_over_regions_without_losing_one(emulation: Emulation) -> None:
    from trimtab.emulator.deployment import split_over_regions

    deployment = seeded(emulation, min=5, max=5, replicas_ready=5)
    shares = split_over_regions(deployment)

    assert len(shares) == len(deployment.regions) == 2
    assert sum(share["readyReplicaCount"] for share in shares) == 5


def test_one_jump_arrives_where_small_steps_do() -> None:
    def lived(step_seconds: float) -> tuple[str, int]:
        clock = ManualClock(0.0)
        emulation = Emulation(clock, account="acct")
        deployment = seeded(emulation, min=0, max=2, replicas_ready=1)
        for _ in range(round(2 * DAY / step_seconds)):
            clock.advance(step_seconds)
            emulation.advance()
        return deployment.state, deployment.desired

    assert lived(2 * DAY) == lived(3600.0) == ("READY", 0)
