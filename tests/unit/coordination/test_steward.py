"""What a steward does, in virtual time, over a service in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from tests.worlds.coordination_world import LEASE_SECONDS, CoordinationWorld, Member

from trimtab.coordination.holdings import Stage, margin_seconds
from trimtab.coordination.members import unique_member
from trimtab.coordination.port import Tenure
from trimtab.coordination.standing import Happened
from trimtab.errors import CoordinationError, ErrorKind, JournalError

RELIABLE_SECONDS = LEASE_SECONDS - margin_seconds(LEASE_SECONDS)


Story = Callable[[CoordinationWorld], Coroutine[Any, Any, None]]


def in_virtual_time(buckets: int = 64) -> Callable[[Story], Callable[[], None]]:
    """A test that is lived in a world of its own, in which nothing may happen that must never happen."""

    def of(story: Story) -> Callable[[], None]:
        def test() -> None:
            world = CoordinationWorld(buckets=buckets)
            world.run(lambda: story(world))
            assert world.audit.wrongs == []

        test.__name__, test.__doc__ = story.__name__, story.__doc__
        return test

    return of


async def one_that_owns_all(world: CoordinationWorld) -> Member:
    """The only member, for long enough to hold every bucket."""
    member = world.start()
    await asyncio.sleep(20)
    return member


def serving(member: Member) -> int:
    return member.steward.standing.stages[Stage.SERVING]


def happened(member: Member, what: Happened) -> int:
    return member.steward.standing.happened.get(what, 0)


@in_virtual_time()
async def test_one_member_serves_everything_within_seconds(world: CoordinationWorld) -> None:
    member = world.start()
    await world.settled(5.0)
    assert serving(member) == 64
    assert member.steward.standing.leading_term == 1
    assert world.audit.writes > 0


@in_virtual_time()
async def test_members_share_evenly_and_only_what_had_to_move_has_moved(
    world: CoordinationWorld,
) -> None:
    for _ in range(3):
        world.start()
        await asyncio.sleep(10)
    assert sorted(world.counts().values()) == [21, 21, 22]
    moved = sum(len(one.tenant.handed_over) for one in world.members.values())
    assert moved == 32 + 21


@in_virtual_time()
async def test_members_that_begin_together_race_for_little(world: CoordinationWorld) -> None:
    members = [world.start() for _ in range(4)]
    await asyncio.sleep(10)
    assert sorted(world.counts().values()) == [16, 16, 16, 16]
    claims = sum(one.steward.standing.calls["claim"] for one in members)
    assert claims < 3 * 64


@in_virtual_time()
async def test_what_a_dead_member_held_is_served_again_within_one_and_a_half_lease_times(
    world: CoordinationWorld,
) -> None:
    victim, _, _ = (world.start() for _ in range(3))
    await asyncio.sleep(20)
    world.kill(victim)
    await asyncio.sleep(LEASE_SECONDS / 2)
    assert world.unserved(), "its leases run for a while"
    await world.settled(LEASE_SECONDS)
    assert sorted(world.counts().values()) == [32, 32]


@in_virtual_time()
async def test_who_leaves_hands_over_within_a_second_and_is_gone(world: CoordinationWorld) -> None:
    leaver, other = world.start(), world.start()
    for one in (leaver, other):
        one.tenant.take_over_seconds = lambda: 0.1
        one.tenant.write = lambda _bucket, _name: None  # type: ignore[method-assign]  # none in flight
    await asyncio.sleep(20)
    before = world.loop.time()
    world.leave(leaver)
    while leaver.is_alive or world.unserved():  # noqa: ASYNC110  it is virtual time
        await asyncio.sleep(0.01)
    assert world.loop.time() - before < 1.0
    assert serving(other) == 64
    assert leaver.name not in world.server.members
    assert leaver.tenant.lost == []


@in_virtual_time()
async def test_what_cannot_be_handed_over_in_time_is_stopped_and_left_to_run_out(
    world: CoordinationWorld,
) -> None:
    member = await one_that_owns_all(world)
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stuck = member.tenant.in_flight.setdefault(3, set())
    stuck.add(never)
    await member.steward.leave(2.0)
    assert [one.bucket for one in member.tenant.lost] == [3]
    assert [bucket for bucket, row in world.server.rows.items() if row.holder] == [3]
    assert member.steward.term_of(world.deployments[3]) is None


@in_virtual_time()
async def test_leaving_takes_no_longer_than_it_may_although_the_service_is_silent(
    world: CoordinationWorld,
) -> None:
    member = await one_that_owns_all(world)
    member.loses.add("requests")
    before = world.loop.time()
    await member.steward.leave(2.0)
    assert world.loop.time() - before <= 2.0
    assert len(member.tenant.handed_over) == 64, "which needs no service"
    assert all(member.steward.term_of(name) is None for name in world.deployments.values())


@in_virtual_time()
async def test_nothing_is_relied_on_when_renewals_fail_and_all_of_it_again_when_they_do_not(
    world: CoordinationWorld,
) -> None:
    member = await one_that_owns_all(world)
    member.loses.add("requests")
    cut_at = world.loop.time()
    await asyncio.sleep(LEASE_SECONDS / 3 + 1.0)
    assert serving(member) == 64, "one renewal that fails is not the end"
    assert "not answered" in str(member.steward.standing.trouble)
    while serving(member):  # noqa: ASYNC110  it is virtual time
        await asyncio.sleep(0.01)
    assert world.loop.time() - cut_at > RELIABLE_SECONDS - LEASE_SECONDS / 3 - 1.0
    assert world.loop.time() - cut_at <= RELIABLE_SECONDS
    assert len(member.tenant.lost) == 64
    assert all(member.steward.seconds_left(name) == 0 for name in world.deployments.values())
    member.loses.clear()
    await world.settled(LEASE_SECONDS)
    assert member.steward.standing.trouble is None
    assert happened(member, Happened.SERVICE_AWAY) == 1
    assert happened(member, Happened.SERVICE_BACK) == 1


@in_virtual_time()
async def test_a_process_that_was_stopped_for_long_relies_on_nothing_at_its_first_question(
    world: CoordinationWorld,
) -> None:
    member = await one_that_owns_all(world)
    world.stop(member)
    await asyncio.sleep(RELIABLE_SECONDS + 1)
    # Nothing of it has run since: no timer, no task. Only the clock went on.
    for name in world.deployments.values():
        assert member.steward.term_of(name) is None
        assert not member.steward.decides_for(name)
        assert member.steward.seconds_left(name) == 0.0
    assert member.tenant.lost == []
    world.go_on(member)
    await asyncio.sleep(0.01)
    assert len(member.tenant.lost) == 64


@in_virtual_time()
async def test_a_short_stop_costs_nothing(world: CoordinationWorld) -> None:
    member = await one_that_owns_all(world)
    world.stop(member)
    await asyncio.sleep(LEASE_SECONDS / 2)
    world.go_on(member)
    await asyncio.sleep(20)
    assert serving(member) == 64
    assert member.tenant.lost == []


@in_virtual_time()
async def test_renewals_go_on_while_a_bucket_is_taken_over_and_it_may_not_be_written_to(
    world: CoordinationWorld,
) -> None:
    member = world.start()
    member.tenant.take_over_seconds = lambda: 5 * LEASE_SECONDS
    name = world.deployments[0]
    await asyncio.sleep(4 * LEASE_SECONDS)
    assert world.server.rows[0].holder == member.name
    assert member.steward.term_of(name) is None
    assert not member.steward.decides_for(name)
    await asyncio.sleep(2 * LEASE_SECONDS)
    assert member.steward.term_of(name) == 1
    assert member.tenant.lost == []


@in_virtual_time(buckets=8)
async def test_a_bucket_that_one_cannot_take_over_another_takes(world: CoordinationWorld) -> None:
    broken, well = world.start(), world.start()
    broken.tenant.fails_to_take_over = True
    await world.settled(2 * LEASE_SECONDS)
    assert (serving(broken), serving(well)) == (0, 8)
    broken.tenant.fails_to_take_over = False
    await asyncio.sleep(120)
    assert serving(broken) == serving(well) == 4


@in_virtual_time(buckets=8)
async def test_a_bucket_that_could_not_be_handed_over_is_not_released_before_it_ran_out(
    world: CoordinationWorld,
) -> None:
    member = await one_that_owns_all(world)

    async def refuse(_: Tenure) -> None:
        raise JournalError("the disk is full", kind=ErrorKind.UNAVAILABLE)

    member.tenant.hand_over = refuse  # type: ignore[method-assign]  # a stand-in
    newcomer = world.start()
    await asyncio.sleep(LEASE_SECONDS / 2)
    assert serving(newcomer) == 0
    assert len(member.tenant.lost) == 4
    await asyncio.sleep(2 * LEASE_SECONDS)
    assert serving(newcomer) == 4


@in_virtual_time()
async def test_what_another_took_is_lost_at_the_next_renewal(world: CoordinationWorld) -> None:
    member = await one_that_owns_all(world)
    row = world.server.rows[7]
    world.server.rows[7] = type(row)(
        bucket=7, holder="thief", term=9, version=row.version + 1, lease_seconds=LEASE_SECONDS
    )
    await asyncio.sleep(LEASE_SECONDS / 3 + 0.1)
    assert [one.bucket for one in member.tenant.lost] == [7]


@in_virtual_time()
async def test_a_claim_whose_answer_was_lost_is_given_back(world: CoordinationWorld) -> None:
    member = world.start()
    member.wire.loses_answers = lambda call: call == "claim" and world.loop.time() < 4.0
    await world.settled(2 * LEASE_SECONDS)
    assert serving(member) == 64
    assert max(row.term for row in world.server.rows.values()) == 2


@in_virtual_time()
async def test_a_tenant_that_fails_to_stop_keeps_no_other_bucket_from_being_stopped(
    world: CoordinationWorld,
) -> None:
    member = await one_that_owns_all(world)
    told: list[Tenure] = []

    def fail(tenure: Tenure) -> None:
        told.append(tenure)
        raise ValueError("a bug")

    member.tenant.lose = fail  # type: ignore[method-assign]  # a stand-in
    member.loses.add("requests")
    await asyncio.sleep(LEASE_SECONDS)
    assert len(told) == 64
    assert happened(member, Happened.DEAF) == 64


@in_virtual_time(buckets=8)
async def test_one_that_is_heard_but_hears_nothing_stops_and_others_take_its_buckets(
    world: CoordinationWorld,
) -> None:
    """Requests arrive and answers do not: it stops by its own clock, and its leases run out later."""

    deaf, other = world.start(), world.start()
    await asyncio.sleep(20)
    deaf.loses.add("answers")
    await asyncio.sleep(RELIABLE_SECONDS)
    assert serving(deaf) == 0
    await asyncio.sleep(LEASE_SECONDS + LEASE_SECONDS / 3)
    for _ in range(60):
        assert serving(other) == 8, "nothing is given up to one who cannot take it"
        await asyncio.sleep(1.0)
    deaf.loses.clear()
    await asyncio.sleep(LEASE_SECONDS)
    assert serving(deaf) == serving(other) == 4


@in_virtual_time()
async def test_the_service_is_not_hammered_while_it_is_away(world: CoordinationWorld) -> None:
    async def refuse(_call: str, _work: object) -> None:
        raise CoordinationError("refused", kind=ErrorKind.UNAVAILABLE)

    member = await one_that_owns_all(world)
    member.wire.carry = refuse  # type: ignore[method-assign, assignment]  # a stand-in
    before = sum(member.steward.standing.calls.values())
    await asyncio.sleep(300)
    assert sum(member.steward.standing.calls.values()) - before < 300


@in_virtual_time()
async def test_standing_tells_what_people_need(world: CoordinationWorld) -> None:
    member, other = world.start(version="1.0"), world.start(version="1.1")
    await asyncio.sleep(30)
    standing = member.steward.standing
    assert standing.survey is not None
    assert {name: says["version"] for name, says in standing.survey.members.items()} == {
        member.name: "1.0",
        other.name: "1.1",
    }
    assert standing.renewal_age_seconds is not None
    assert standing.renewal_age_seconds <= LEASE_SECONDS / 3
    assert standing.survey_age_seconds is not None
    assert standing.survey_age_seconds < 1.0
    assert standing.failures == {}
    leads = [one.steward.standing.leading_term is not None for one in (member, other)]
    assert sorted(leads) == [False, True]


def test_every_start_is_another_member() -> None:
    names = [unique_member("GPU-Node_3.example", Random(seed)) for seed in range(3)]
    assert len(set(names)) == 3
    assert all(name.startswith("gpu-node-3.example-") and len(name) <= 63 for name in names)
    assert unique_member("…", Random(1)).startswith("trimtab-")
    assert len(unique_member("x" * 500, Random(1))) <= 63
