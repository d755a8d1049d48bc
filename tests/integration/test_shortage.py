"""Sixteen accelerators and deployments that want thirty-two: who gets them, what is said, what it costs to ask."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from math import log2
from typing import TYPE_CHECKING

from emulated_world import ACCOUNT, EmulatedWorld, by_rate, steps

from trimtab.core.decision import Hold, Reason, WriteStatus
from trimtab.core.fleet_policy import (
    FleetPolicy,
    Pool,
    Preemption,
    Quota,
    QuotaSource,
    Team,
    TeamSelector,
)
from trimtab.core.policy import MoveRules
from trimtab.emulator.faults import Fault, FaultKind
from trimtab.errors import ErrorKind
from trimtab.plant import Load
from trimtab.service.daemon import Daemon
from trimtab.service.timing import Timing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trimtab.core.decision import Decision, Outcome

H100 = "NVIDIA_H100_80GB"
QUOTA = 16
QUOTA_ID = "global--h100-count"
OF_ACCOUNT = Pool(H100, None, ACCOUNT)
SETTLED_SECONDS = 300.0
"""So long of the emulated time without a write is an end."""

LARGE, SMALL = "llama-70b-throughput", "llama-8b-minimal"
WISHES = {"chat": 4, "search": 8, "batch": 8}
"""In replicas of 4, 1 and 1 accelerators: 32 in all."""
EACH = {"chat": 4, "search": 1, "batch": 1}

POLICY = by_rate(
    "by-rate",
    max_replicas=8,
    up=MoveRules(stabilization_seconds=0.0),  # no limit: the first wish is the whole one
)

FLEET = FleetPolicy(
    teams=(
        Team(name="chat", selector=TeamSelector(names=("chat",)), priority=200, weight=4.0),
        Team(
            name="search",
            selector=TeamSelector(names=("search",)),
            weight=2.0,
            guaranteed={H100: 4},
        ),
        Team(name="batch", selector=TeamSelector(names=("batch",)), priority=50),
    ),
)

WINNERS = {"chat": 2, "search": 7, "batch": 1}
"""Four for the guarantee of search; then chat, which comes first, gets the second replica that fits; search, the
next, the three accelerators that are too few for a third; batch keeps what it holds."""


def name_of(deployment: str) -> str:
    return f"accounts/{ACCOUNT}/deployments/{deployment}"


class Shortage(EmulatedWorld):
    """The account is short of accelerators, and three deployments want more than there are."""

    def __init__(self, *, quota: int = QUOTA, fleet: FleetPolicy = FLEET) -> None:
        super().__init__(accelerator_quota=quota)
        self.fleet = fleet
        self._gap = self.emulation.faults.add(Fault(FaultKind.METRICS_GAP))
        for deployment, wish in WISHES.items():
            # Arrivals are random: clear of the next replica, and of what one less would tolerate.
            rate = wish * 10.0 - (4.0 if deployment == "chat" else 1.0)
            shape = LARGE if EACH[deployment] == 4 else SMALL
            self.put(deployment, steps((60.0, Load(rate, 20, 4))), shape)

    @asynccontextmanager
    async def short(self) -> AsyncIterator[Daemon]:
        await self.clock.sleep(90.0)  # until the metrics would know the whole load
        timing = Timing(quota_refresh_interval_seconds=120.0)
        async with self.running(POLICY, fleet_policy=self.fleet, timing=timing) as daemon:
            yield daemon

    async def evaluations(self, count: int) -> None:
        """Return after so many more."""
        ticks = len(self.ticks)
        await self.until(lambda: len(self.ticks) >= ticks + count, f"{count} more evaluations")

    async def settle(self) -> dict[str, int]:
        """Return what is asked for once nothing has been written for a while."""
        await self.until(lambda: bool(self.outcomes), "a write")
        await self.until(
            lambda: self.ticks[-1].at - self.outcomes[-1].at > SETTLED_SECONDS, "nothing moves"
        )
        return self.asked_for

    @property
    def asked_for(self) -> dict[str, int]:
        self.emulation.look()
        deployments = self.emulation.deployments
        return {one: deployments[name_of(one)].desired for one in WISHES}

    @property
    def written(self) -> dict[str, int]:
        """As the daemon has heard it, last."""
        return {order.deployment.rpartition("/")[2]: order.to_replicas for order in self.applied}

    @property
    def held(self) -> int:
        return sum(count * EACH[one] for one, count in self.asked_for.items())

    @property
    def latest(self) -> dict[str, Decision]:
        found = {one.deployment: one for tick in self.ticks for one in tick.decisions}
        return {one: found[name_of(one)] for one in WISHES}

    @property
    def reasons(self) -> set[Reason]:
        return {one.verdict.reason for tick in self.ticks for one in tick.decisions}

    @property
    def refusals(self) -> list[Outcome]:
        return [one for one in self.outcomes if one.error_kind == ErrorKind.QUOTA_EXCEEDED]

    def set_quota(self, value: int, usage: float = 0.0) -> None:
        """As support would."""
        quota = self.emulation.account.quotas[QUOTA_ID]
        quota.value, quota.maximum, quota.usage = value, max(value, quota.maximum), usage

    def hide_quotas(self) -> None:
        """As for a key that may not see them."""
        self.emulation.faults.add(Fault(FaultKind.ERROR, operation="ListQuotas", status=403))

    def show_load(self) -> None:
        """Let the metrics tell of everybody's load at the same moment."""
        self.emulation.faults.remove(self._gap.id)


def said(decision: Decision) -> str:
    """What stage 8 says of it in the trail."""
    (step,) = (one for one in decision.trail if one.stage == "allocate")
    return step.sentence


async def test_what_there_is_goes_to_guarantees_then_by_priority_and_comes_back_when_it_is_raised() -> (
    None
):
    world = Shortage()
    async with world.short() as daemon:
        await world.until(lambda: OF_ACCOUNT in daemon.engine.sharing.quotas, "the quota is known")
        world.show_load()
        assert await world.settle() == WINNERS
        assert world.held == QUOTA, "nothing is free that somebody could use"
        chat, search, batch = (world.latest[one] for one in ("chat", "search", "batch"))
        world.set_quota(40)
        await world.until(lambda: world.written == WISHES, "everybody has what they want")
        writes = len(world.outcomes)
        world.set_quota(8)
        await world.until(
            lambda: daemon.engine.sharing.quotas[OF_ACCOUNT].accelerators == 8,
            "the lower quota is known",
        )
        await world.evaluations(20)
        assert world.asked_for == WISHES, "what runs and is needed stays"
    assert len(world.outcomes) == writes
    assert said(chat) == (
        f"quota {OF_ACCOUNT} 16, 4 a replica -> at most 4, 7 accelerators held by search, "
        f"1 accelerator held by batch: 2 of 4"
    )
    assert said(search) == (
        f"quota {OF_ACCOUNT} 16, 1 a replica -> at most 16, 8 held by chat, 1 held by batch: 7 of 8"
    )
    assert said(batch) == (
        f"quota {OF_ACCOUNT} 16, 1 a replica -> at most 16, 8 held by chat, 7 held by search: 1 of 8"
    )
    for decision in (chat, search, batch):
        assert decision.verdict == Hold(Reason.QUOTA)
        assert said(decision) in decision.sentence
    # What the account says is known: nobody ever asked for more than there was.
    assert {one.status for one in world.outcomes} == {WriteStatus.APPLIED}
    assert Reason.INVARIANT not in world.reasons


async def test_accelerators_that_are_in_use_outside_of_all_deployments_are_taken_off() -> None:
    world = Shortage(quota=20)
    world.set_quota(20, usage=4)
    async with world.short() as daemon:
        await world.until(
            lambda: any(one.elsewhere == 4 for one in daemon.engine.shared.quotas.account),
            "what trains is known",
        )
        world.show_load()
        assert await world.settle() == WINNERS
    assert world.refusals == []
    assert "4 accelerators in use outside of all deployments" in said(world.latest["batch"])


async def test_the_fleet_file_wins_where_it_allows_less_than_the_account() -> None:
    in_file = Quota(Pool(H100), QUOTA, QuotaSource.FILE)
    world = Shortage(quota=64, fleet=replace(FLEET, quotas=(in_file,)))
    async with world.short() as daemon:
        await world.until(lambda: OF_ACCOUNT in daemon.engine.sharing.quotas, "the quota is known")
        world.show_load()
        assert await world.settle() == WINNERS
    assert world.refusals == []


async def test_refusals_teach_what_an_account_does_not_tell_and_that_it_tells_more_without_a_storm() -> (
    None
):
    world = Shortage(
        fleet=replace(FLEET, preemption=Preemption.LOWER_PRIORITY, hold_seconds=1200.0)
    )
    world.hide_quotas()
    in_force = Quota(OF_ACCOUNT, QUOTA, QuotaSource.REFUSAL)
    async with world.short() as daemon:
        await world.until(lambda: bool(daemon.remarks()), "nobody tells quotas")
        began_at = world.clock.now()
        world.show_load()

        def is_taught() -> bool:
            """After a pause a replica more is tried, and for that moment there seems to be more."""
            known = daemon.engine.sharing.quotas[OF_ACCOUNT] == in_force
            return known and all(
                f"quota {OF_ACCOUNT} 16, " in said(one) for one in world.latest.values()
            )

        # Who wrote first had more, as nobody knew; the order of precedence wins when that was held long enough.
        await world.until(
            lambda: world.asked_for == WINNERS and is_taught(), "the winners of a known quota"
        )
        refused, seconds = len(world.refusals), world.clock.now() - began_at
        assert [one for one in daemon.remarks() if "quotas of" in one]
        world.set_quota(40)
        await world.until(lambda: world.asked_for == WISHES, "everybody has what they want")
        again = len(world.refusals) - refused
    # Three may ask before the first answer. Then it is the account's pauses, of 1, 2, 4 … minutes.
    assert 1 <= refused <= 3 + log2(1 + seconds / 60.0), refused
    assert again <= 1, "one may have been under way"
    assert Reason.INVARIANT not in world.reasons
