"""From what an account says of its quotas to what the daemon asks for."""

from __future__ import annotations

from random import Random

import pytest
from scripted_world import (
    ACCOUNT,
    CHAT,
    START,
    ScriptedSource,
    ScriptedTarget,
    TellingTarget,
    a_deployment,
    a_failure,
    a_policy,
    a_reading,
    pass_time,
)

from trimtab.clock import ManualClock
from trimtab.core.account_quotas import QuotaReading
from trimtab.core.decision import Order, Outcome, Reason, WriteStatus
from trimtab.core.deployment import Shape
from trimtab.core.fleet_memory import FleetMemory
from trimtab.core.fleet_policy import (
    NO_FLEET_POLICY,
    FleetPolicy,
    Pool,
    Quota,
    QuotaSource,
    Team,
    TeamSelector,
)
from trimtab.core.known_quotas import AccountQuota, KnownQuotas
from trimtab.core.memory import Memory
from trimtab.errors import ErrorKind
from trimtab.service.daemon import Daemon
from trimtab.service.timing import Timing
from trimtab.service.withholding import Withheld
from trimtab.targets.port import WriteResult

H100 = Pool("NVIDIA_H100_80GB")
SHARED = FleetPolicy(teams=(Team(name="chat", selector=TeamSelector(names=("chat",))),))


class Scene:
    """Chat has two replicas of four accelerators and wants four."""

    def __init__(
        self, quota: int, fleet: FleetPolicy = SHARED, memory: Memory | None = None
    ) -> None:
        self.clock = ManualClock(START)
        shape = Shape(accelerator_type=H100.accelerator_type, accelerators_per_replica=4)
        self.target = TellingTarget(clock=self.clock, quotas=(a_reading(quota, used=8.0),))
        self.target.hold(a_deployment(shape=shape))
        self.outcomes: list[Outcome] = []
        self.daemon = Daemon(
            clock=self.clock,
            targets=[self.target],
            sources=[ScriptedSource(self.clock, load=40.0)],
            policies=[a_policy()],
            fleet_policy=fleet,
            memory=memory,
            timing=Timing(quota_refresh_interval_seconds=300.0),
            random=Random(1),
            on_outcome=self.outcomes.append,
        )

    @property
    def asked_for(self) -> int:
        return self.target.deployments[CHAT].desired_replicas

    @property
    def reason(self) -> Reason:
        (status,) = self.daemon.status().deployments
        return status.decision.verdict.reason


async def test_nobody_asks_for_more_than_the_account_allows() -> None:
    scene = Scene(quota=12)
    async with scene.daemon:
        await pass_time(scene.clock, 60.0)
        assert scene.asked_for == 3
        assert scene.reason is Reason.AT_MAX
        quota = scene.daemon.engine.sharing.quotas[H100._replace(account="acme")]
        assert (quota.accelerators, quota.source) == (12, QuotaSource.ACCOUNT)


async def test_without_a_fleet_file_quotas_are_nobodys_business() -> None:
    scene = Scene(quota=12, fleet=NO_FLEET_POLICY)
    async with scene.daemon:
        await pass_time(scene.clock, 600.0)
        assert scene.target.quotas_at == []
        assert scene.asked_for == 4


async def test_a_raised_quota_lets_the_refused_try_again_at_once() -> None:
    scene = Scene(quota=64)
    refusal = WriteResult(
        status=WriteStatus.NOT_APPLIED,
        sentence="no",
        error_kind=ErrorKind.QUOTA_EXCEEDED,
        quota=QuotaReading(Quota(H100, 8, QuotaSource.REFUSAL), 8.0, START),
    )
    scene.target.answers.extend([refusal] * 5)

    async def is_raised_meanwhile(_: Order) -> None:
        if len(scene.target.writes) == 5:
            scene.target.quotas = (a_reading(80, used=8.0),)

    scene.target.during_write = is_raised_meanwhile
    async with scene.daemon:
        while len(scene.outcomes) < 5:  # after 0, 1, 3, 7 and 15 minutes or so
            assert scene.asked_for == 2
            await pass_time(scene.clock, 10.0, step=5.0)
        assert scene.clock.now() - START > 600.0
        await pass_time(scene.clock, 45.0)  # a refusal has the quotas read within half a minute
        assert scene.asked_for == 4


async def test_after_an_hour_without_an_answer_the_last_one_limits_nobody() -> None:
    scene = Scene(quota=12)
    async with scene.daemon:
        await pass_time(scene.clock, 60.0)
        scene.target.quota_failure = a_failure(ErrorKind.FORBIDDEN)
        await pass_time(scene.clock, 3400.0, step=10.0)
        assert scene.asked_for == 3
        (remark,) = scene.daemon.remarks()
        assert "still limit" in remark
        await pass_time(scene.clock, 7200.0, step=10.0)
        assert scene.asked_for == 4
        assert scene.daemon.not_ready() == (), "it decides all the same"


async def test_what_an_earlier_run_knew_limits_for_the_rest_of_its_hour() -> None:
    known = KnownQuotas(account=(AccountQuota(H100, 12, START - 1800.0, 0, 0),))
    scene = Scene(quota=64, memory=Memory(shared=FleetMemory(quotas=known)))
    scene.target.quota_failure = a_failure(ErrorKind.FORBIDDEN)
    async with scene.daemon:
        await pass_time(scene.clock, 1500.0, step=10.0)
        assert scene.asked_for == 3
        await pass_time(scene.clock, 4200.0, step=10.0)
        assert scene.asked_for == 4


async def test_people_are_told_of_what_is_not_known() -> None:
    scene = Scene(quota=12)
    scene.target.quota_failure = a_failure(ErrorKind.FORBIDDEN)
    scene.target.shape_trouble = a_failure(ErrorKind.NOT_FOUND)
    async with scene.daemon:
        await pass_time(scene.clock, 5.0)
        assert scene.daemon.remarks() == (
            "accelerators of accounts/acme are unknown: the control plane is away",
            "the quotas of accounts/acme were never read: the control plane is away",
        )


class Accounts:
    """Chat has two replicas of four accelerators and wants four; another account holds as many, of sixteen."""

    def __init__(self, **trouble: object) -> None:
        self.clock = ManualClock(START)
        shape = Shape(accelerator_type=H100.accelerator_type, accelerators_per_replica=4)
        other = "accounts/other"
        self.target = ScriptedTarget().hold(a_deployment(shape=shape))
        self.other = ScriptedTarget(other, **trouble)  # type: ignore[arg-type]  # as the tests name it
        self.other.hold(a_deployment(f"{other}/deployments/code", shape=shape, max_replicas=2))
        self.daemon = Daemon(
            clock=self.clock,
            targets=[self.target, self.other],
            sources=[ScriptedSource(self.clock, load=40.0)],
            policies=[a_policy()],
            fleet_policy=FleetPolicy(quotas=(Quota(H100, 16),)),
            random=Random(1),
        )


async def test_after_a_start_nobody_grows_before_it_is_known_what_others_hold() -> None:
    """Seen to catch: chat had all sixteen as long as the other account was not read."""
    scene: Accounts

    async def is_slow() -> None:
        await scene.clock.sleep(40.0)

    scene = Accounts(during_list=is_slow)
    async with scene.daemon:
        await pass_time(scene.clock, 30.0)
        (status,) = scene.daemon.status().deployments
        assert status.withheld is not None
        assert status.withheld.reason is Withheld.FLEET_UNREAD
        assert "accounts/other was not read" in status.withheld.sentence
        await pass_time(scene.clock, 90.0)
        assert scene.target.writes == []
        assert all(one.withheld is None for one in scene.daemon.status().deployments)
        # What others hold may become less, and then there is room.
        code = f"{scene.other.account}/deployments/code"
        scene.other.deployments[code] = a_deployment(
            code, 1, shape=scene.other.deployments[code].shape, max_replicas=1
        )
        await pass_time(scene.clock, 120.0)
        assert scene.target.deployments[CHAT].desired_replicas == 3


async def test_an_account_that_cannot_be_read_holds_nobody_up_for_ever() -> None:
    scene = Accounts(list_failure=a_failure())
    async with scene.daemon:
        await pass_time(scene.clock, 280.0)
        assert scene.target.writes == []
        await pass_time(scene.clock, 60.0)
        assert scene.target.deployments[CHAT].desired_replicas == 4


@pytest.mark.slow
async def test_a_fleet_that_the_engine_is_shown_by_portions_keeps_its_quota_from_the_first_one_on() -> (
    None
):
    """Seen to catch: the first portion had what the others hold."""
    clock = ManualClock(START)
    shape = Shape(accelerator_type=H100.accelerator_type, accelerators_per_replica=1)
    names = [f"{ACCOUNT}/deployments/d{number}" for number in range(2000)]
    target = ScriptedTarget().hold(*(a_deployment(name, shape=shape) for name in names))
    daemon = Daemon(
        clock=clock,
        targets=[target],
        sources=[ScriptedSource(clock, load=40.0)],
        policies=[a_policy(min_replicas=4, max_replicas=10)],
        fleet_policy=FleetPolicy(quotas=(Quota(H100, 4005),)),
        random=Random(1),
    )
    async with daemon:
        await pass_time(clock, 4.0)
    assert sum(one.desired_replicas for one in target.deployments.values()) == 4005
