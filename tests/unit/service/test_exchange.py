"""Quotas over several members: never exceeded, whoever leads, and whoever is late to hear of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import pytest
from scripted_world import (
    ACCOUNT,
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_failure,
    a_policy,
    pass_time,
    settle,
)
from tests.worlds.leases_in_memory import LeaseServer, LeasesInMemory
from tests.worlds.members import BUCKETS, ScriptedSteward, SharedMemory

from trimtab.clock import ManualClock
from trimtab.core.allocation.values import Grant
from trimtab.core.buckets import LEADING_BUCKET, bucket_of
from trimtab.core.decision import Reason
from trimtab.core.deployment import Shape
from trimtab.core.fleet_memory import FleetMemory
from trimtab.core.fleet_policy import (
    FleetPolicy,
    Period,
    Pool,
    Price,
    Quota,
    QuotaSource,
    SpendLimit,
)
from trimtab.core.known_quotas import QuotaRefusal
from trimtab.core.spend import Spending, Spent, span_of
from trimtab.core.succession import ForeignClaim
from trimtab.errors import CoordinationError, ErrorKind
from trimtab.service.controller import UNREAD_SECONDS_MAX
from trimtab.service.daemon import Daemon
from trimtab.service.exchange import GRANT_SECONDS
from trimtab.service.postings import (
    PLAIN_CHARACTERS_MAX,
    ClaimsPosted,
    GrantsPosted,
    claims_posted,
    grants_posted,
    read_claims,
    read_grants,
)
from trimtab.service.tenancy import Coordination

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.coordination.port import Tenant
    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment
    from trimtab.core.signals import Sample, SignalSpec
    from trimtab.targets.port import WriteResult

KIND = "NVIDIA_H100_80GB"
NAMES = [f"{ACCOUNT}/deployments/d{number}" for number in range(12)]
QUOTA = 40
OF_A = [bucket for bucket in range(BUCKETS) if bucket % 2 == 0]
OF_B = [bucket for bucket in range(BUCKETS) if bucket % 2]


class Watched(ScriptedTarget):
    """Counts what is asked for after each write."""

    sums: list[int]

    def _applied(self, order: Order) -> WriteResult:
        result = super()._applied(order)
        self.sums.append(sum(one.desired_replicas for one in self.deployments.values()))
        return result


@dataclass
class Source(ScriptedSource):
    """Tells of the deployments in the buckets ``only`` alone, once a test says so."""

    only: Sequence[int] = range(BUCKETS)

    async def poll(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        told = {name for name in wanted if bucket_of(name, BUCKETS) in self.only}
        return await super().poll({name: wanted[name] for name in told})


class Member:
    def __init__(self, scene: Scene, name: str, *, is_forgetful: bool = False) -> None:
        self.clock = scene.clock
        self.target = Watched(deployments=scene.deployments)
        self.target.sums = scene.sums
        self.source = Source(scene.clock, interval_seconds=1.0)
        self.board = LeasesInMemory(scene.server, scene.clock)
        self.daemon = Daemon(
            clock=scene.clock,
            targets=[self.target, *scene.others],
            sources=[self.source],
            policies=[a_policy()],
            fleet_policy=scene.fleet_policy,
            random=Random(1),
            journal=scene.shared.journal(name),
            coordination=Coordination(
                member=name,
                buckets=BUCKETS,
                steward=self._steward,
                shared=None if is_forgetful else scene.shared,
                board=self.board,
            ),
        )

    def _steward(self, tenant: Tenant) -> ScriptedSteward:
        self.steward = ScriptedSteward(self.clock, tenant)
        return self.steward

    def reasons(self) -> set[Reason]:
        return {
            one.decision.verdict.reason for one in self.daemon.status().deployments
        }  # of all that it decides for


class Scene:
    fleet_policy = FleetPolicy(quotas=(Quota(Pool(KIND), QUOTA, QuotaSource.FILE),))

    def __init__(self, *others: ScriptedTarget) -> None:
        self.clock = ManualClock(START)
        shape = Shape(accelerator_type=KIND, accelerators_per_replica=1)
        self.deployments: dict[str, Deployment] = {
            name: a_deployment(name, shape=shape) for name in NAMES
        }
        self.sums: list[int] = []
        self.shared = SharedMemory(self.clock)
        self.server = LeaseServer(buckets=BUCKETS, now=self.clock.now)
        self.others = others
        self.a, self.b = Member(self, "a"), Member(self, "b")

    def load(self, value: float) -> None:
        self.a.source.load = self.b.source.load = value

    @property
    def asked_for(self) -> int:
        return sum(one.desired_replicas for one in self.deployments.values())


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_two_members_use_the_quota_up_and_never_exceed_it(scene: Scene) -> None:
    async with scene.a.daemon, scene.b.daemon:
        await settle()
        await scene.a.steward.give(*OF_A)
        await scene.b.steward.give(*OF_B)
        await pass_time(scene.clock, 30.0, step=1.0)
        scene.load(38.0)  # all of them together want 48
        await pass_time(scene.clock, 90.0, step=1.0)
        assert max(scene.sums) <= QUOTA
        assert scene.asked_for == QUOTA
        grown = [name for name in NAMES if scene.deployments[name].desired_replicas > 2]
        assert {bucket_of(name, BUCKETS) % 2 for name in grown} == {0, 1}, "both have of it"


async def test_a_member_without_a_leader_asks_for_no_more_than_it_holds(scene: Scene) -> None:
    async with scene.b.daemon:
        await settle()
        await scene.b.steward.give(*OF_B)
        scene.load(58.0)
        await pass_time(scene.clock, 60.0, step=1.0)
        assert scene.sums == []
        assert Reason.AWAITING_GRANT in scene.b.reasons()
        scene.load(5.0)
        await pass_time(scene.clock, 600.0, step=5.0)
        assert scene.b.target.writes, "fewer are never in need of a grant"
        assert scene.asked_for < 24


async def test_a_new_leader_lets_the_grants_of_the_last_one_run_out(scene: Scene) -> None:
    async with scene.a.daemon, scene.b.daemon:
        await settle()
        await scene.a.steward.give(*OF_A)
        await scene.b.steward.give(*OF_B)
        await pass_time(scene.clock, 30.0, step=1.0)
        scene.a.steward.lose(*OF_A)
        await scene.b.steward.give(*OF_A, term=2)
        scene.load(58.0)
        await pass_time(scene.clock, GRANT_SECONDS - 2.0, step=1.0)
        assert scene.sums == []
        await pass_time(scene.clock, 90.0, step=1.0)
        assert max(scene.sums) <= QUOTA
        assert scene.asked_for == QUOTA


async def test_grants_run_out_when_the_board_is_away(scene: Scene) -> None:
    async with scene.a.daemon, scene.b.daemon:
        await settle()
        await scene.a.steward.give(*OF_A)
        await scene.b.steward.give(*OF_B)
        await pass_time(scene.clock, 30.0, step=1.0)
        scene.b.board.read = away  # type: ignore[method-assign, assignment]  # it fails in any case
        await pass_time(scene.clock, GRANT_SECONDS + 2.0, step=1.0)
        before = len(scene.b.target.writes)
        scene.load(58.0)
        await pass_time(scene.clock, 90.0, step=1.0)
        assert len(scene.b.target.writes) == before
        assert max(scene.sums) <= QUOTA
        assert scene.a.target.writes, "whoever leads needs nobody's grant"


async def test_an_account_that_is_never_read_keeps_grants_back_for_5_minutes_and_no_longer() -> (
    None
):
    scene = Scene(ScriptedTarget("accounts/locked", list_failure=a_failure()))
    async with scene.a.daemon, scene.b.daemon:
        await settle()
        await scene.a.steward.give(*OF_A)
        await scene.b.steward.give(*OF_B)
        scene.b.source.load = 38.0
        await pass_time(scene.clock, UNREAD_SECONDS_MAX - 30.0, step=1.0)
        assert scene.sums == []
        await pass_time(scene.clock, 90.0, step=1.0)
        assert scene.b.target.writes, "whoever follows is granted what it needs, too"
        assert max(scene.sums) <= QUOTA


async def test_what_was_granted_is_forgotten_in_time_although_an_account_cannot_be_read() -> None:
    locked = ScriptedTarget("accounts/locked")
    scene = Scene(locked)
    async with scene.a.daemon, scene.b.daemon:
        await settle()
        await scene.a.steward.give(*OF_A)
        await scene.b.steward.give(*OF_B)
        scene.load(38.0)
        await pass_time(scene.clock, 30.0, step=1.0)
        locked.list_failure = a_failure()
        for turn in range(40):
            scene.b.source.load = 40.0 + 10.0 * (turn % 5)
            await pass_time(scene.clock, 3.0, step=1.0)
        exchange = scene.a.daemon.tenancy.exchange
        assert exchange is not None
        assert exchange.promises < 5


class Slow:
    """B is granted what is free, has not used it yet, and is heard of no more."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.hold = asyncio.Event()

    async def until_granted(self) -> None:
        scene, b = self.scene, self.scene.b
        await settle()
        await scene.a.steward.give(*OF_A)
        await b.steward.give(*OF_B)
        await pass_time(scene.clock, 30.0, step=1.0)
        b.target.during_read = self.hold.wait
        b.source.load = 58.0
        while not any(one.is_write_in_flight for one in b.daemon.status().deployments):
            await pass_time(scene.clock, 0.5)
        b.board.post = away  # type: ignore[method-assign]  # it fails in any case

    async def act(self) -> None:
        """Let B do what it was granted, which takes no time."""
        self.scene.b.target.during_read = None
        self.hold.set()
        await settle(200)
        assert self.scene.b.target.writes


async def away(*_: object) -> None:
    raise CoordinationError("the board is away", kind=ErrorKind.UNAVAILABLE)


async def test_what_was_promised_counts_as_held(scene: Scene) -> None:
    slow = Slow(scene)
    async with scene.a.daemon, scene.b.daemon:
        await slow.until_granted()
        scene.a.source.load = 58.0
        await pass_time(scene.clock, 3.0)
        await slow.act()
        assert max(scene.sums) <= QUOTA
        await pass_time(scene.clock, 90.0, step=1.0)
        assert max(scene.sums) <= QUOTA
        assert scene.asked_for == QUOTA


async def test_what_another_leader_had_promised_counts_until_it_has_run_out(scene: Scene) -> None:
    slow = Slow(scene)
    third = Member(scene, "c")
    async with scene.a.daemon, scene.b.daemon, third.daemon:
        await slow.until_granted()
        scene.a.steward.lose(*OF_A)
        third.source.load = 58.0
        await third.steward.give(*OF_A, term=2)
        await pass_time(scene.clock, 3.0)
        await slow.act()
        assert max(scene.sums) <= QUOTA


async def test_what_was_promised_to_an_earlier_owner_counts_whatever_the_next_one_knows(
    scene: Scene,
) -> None:
    slow, listing = Slow(scene), asyncio.Event()
    third = Member(scene, "c", is_forgetful=True)
    async with scene.a.daemon, scene.b.daemon, third.daemon:
        await slow.until_granted()
        for one in (scene.a, third):  # their views are of before the write
            one.target.during_list = listing.wait
        await slow.act()
        scene.b.steward.lose(*OF_B)
        await third.steward.give(*OF_B, term=2)
        scene.a.source.load = 58.0
        await pass_time(scene.clock, 8.0)
        assert max(scene.sums) <= QUOTA
        listing.set()
        await pass_time(scene.clock, 120.0, step=1.0)
        assert max(scene.sums) == QUOTA


async def test_what_was_promised_counts_although_who_leads_decides_by_now(scene: Scene) -> None:
    scene.a = Member(scene, "a", is_forgetful=True)
    slow, listing = Slow(scene), asyncio.Event()
    async with scene.a.daemon, scene.b.daemon:
        await slow.until_granted()
        scene.a.target.during_list = listing.wait
        await slow.act()
        scene.b.steward.lose(*OF_B)
        scene.a.source.only = OF_A
        scene.a.source.load = 58.0
        await scene.a.steward.give(*OF_B, term=2)
        await pass_time(scene.clock, 8.0)
        assert max(scene.sums) <= QUOTA
        listing.set()
        await pass_time(scene.clock, 120.0, step=1.0)
        assert max(scene.sums) == QUOTA


@pytest.mark.parametrize("is_followed", [False, True])
async def test_what_an_earlier_owner_asked_for_counts_until_it_was_seen(
    scene: Scene, is_followed: bool
) -> None:
    listing, third = asyncio.Event(), Member(scene, "c", is_forgetful=True)
    async with scene.a.daemon, scene.b.daemon, third.daemon:
        await settle()
        await scene.a.steward.give(*OF_A)
        await scene.b.steward.give(*OF_B)
        await pass_time(scene.clock, 30.0, step=1.0)
        for one in (scene.a, third):  # their views are of before what B is about to write
            one.target.during_list = listing.wait
        scene.b.source.load = 58.0
        await pass_time(scene.clock, 12.0, step=1.0)
        assert scene.asked_for == QUOTA
        scene.b.steward.lose(*OF_B)
        if is_followed:
            await third.steward.give(*OF_B, term=2)
        scene.a.source.only, scene.a.source.load = OF_A, 58.0
        await pass_time(scene.clock, 12.0, step=1.0)
        assert scene.asked_for == QUOTA
        listing.set()


async def test_a_promise_that_was_not_used_is_given_to_others_in_the_end(scene: Scene) -> None:
    slow = Slow(scene)
    async with scene.a.daemon, scene.b.daemon:
        await slow.until_granted()
        scene.b.board.read = away  # type: ignore[method-assign, assignment]  # it fails in any case
        scene.b.steward.until = dict.fromkeys(range(BUCKETS), 0.0)  # and may not write either
        scene.a.source.load = 58.0
        await pass_time(scene.clock, 120.0, step=1.0)
        assert max(scene.sums) == QUOTA


async def test_whoever_comes_to_lead_knows_what_was_spent_before_it_began() -> None:
    class Limited(Scene):
        limit = SpendLimit(period=Period.MONTH, usd=60_000.0)
        fleet_policy = FleetPolicy(spend_limits=(limit,), prices={KIND: Price(7.0, "tests")})

    scene = Limited()
    month = Spent(span_of(Period.MONTH, "UTC", START).begin, 59_990.0)
    scene.shared.common = FleetMemory(Spending(at=START, usd_an_hour=168.0, month=month))
    async with scene.a.daemon:
        await settle()
        await scene.a.steward.give(*OF_A, *OF_B)
        scene.load(58.0)
        await pass_time(scene.clock, 60.0, step=1.0)
        assert scene.asked_for == 12, "hardly anything is left of the month's budget"
        assert max(scene.sums) < 24


def test_postings_come_back_as_they_were() -> None:
    pool = Pool(KIND)
    claims = ClaimsPosted(
        heard=(3, 17),
        terms={0: 4, 7: 1},
        claims={name: ForeignClaim(None, 3) for name in NAMES},
        refusals=(QuotaRefusal(pool, 8, 1.0, 2.0, 1),),
    )
    assert read_claims(claims_posted(claims)) == claims
    grants = GrantsPosted(
        seq=5, grants={name: Grant(name, 3, 4, Reason.QUOTA, pool, "") for name in NAMES}
    )
    assert read_grants(grants_posted(grants)) == grants


def test_large_postings_are_deflated() -> None:
    names = [f"{ACCOUNT}/deployments/a-long-name-of-a-deployment-{n}" for n in range(1000)]
    claims = ClaimsPosted(claims={name: ForeignClaim(None, 3) for name in names})
    body = claims_posted(claims)
    assert len(str(body)) < len(str(names)) / 3
    assert len(str(names)) > PLAIN_CHARACTERS_MAX
    assert read_claims(body) == claims


@pytest.mark.parametrize("body", [{}, {"deflated": "!"}, {"seq": 1, "grants": {"d": [1]}}])
def test_what_is_no_posting_is_told_as_such(body: dict[str, object]) -> None:
    with pytest.raises(CoordinationError, match="cannot be read"):
        read_grants(body)  # type: ignore[arg-type]  # that is the point


def test_the_leading_bucket_is_among_those_of_the_member_that_leads_here() -> None:
    assert LEADING_BUCKET in OF_A
