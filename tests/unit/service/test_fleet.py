from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from scripted_world import CHAT, CODE, START, ScriptedTarget, a_deployment, a_failure

from trimtab.clock import ManualClock
from trimtab.core.deployment import Pipeline, State
from trimtab.errors import ErrorKind
from trimtab.service.fleet import PIECE, Fleet, FleetChanges

OTHER = "accounts/other/deployments/big"
LOST = "accounts/acme/deployments/lost"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def target() -> ScriptedTarget:
    return ScriptedTarget().hold(a_deployment(CHAT), a_deployment(CODE))


async def test_nothing_is_known_before_the_first_reading(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    assert not fleet.is_known
    assert fleet.unread == ("accounts/acme",)
    await fleet.refresh(target)
    assert fleet.is_known
    assert fleet.unread == ()
    assert set(fleet.deployments) == {CHAT, CODE}


async def test_a_target_that_fails_keeps_its_last_view_and_says_since_when(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    await fleet.refresh(target)
    clock.advance(60)
    target.list_failure = a_failure(ErrorKind.TIMEOUT)
    reading = await fleet.refresh(target)
    clock.advance(30)
    await fleet.refresh(target)
    assert set(fleet.deployments) == {CHAT, CODE}
    assert reading.gone == ()
    assert reading.view_age_seconds == 60
    assert fleet.read_at(target.name) == START
    trouble = fleet.trouble(target.name)
    assert trouble is not None
    assert (trouble.since, trouble.kind) == (START + 60, ErrorKind.TIMEOUT)
    target.list_failure = None
    await fleet.refresh(target)
    assert fleet.trouble(target.name) is None


async def test_one_account_that_fails_leaves_the_others_alone(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    other = ScriptedTarget("accounts/other").hold(a_deployment(OTHER))
    fleet = Fleet(clock, [target, other])
    await fleet.refresh(target)
    await fleet.refresh(other)
    target.list_failure = a_failure()
    other.deployments[OTHER] = replace(other.deployments[OTHER], state=State.UPDATING)
    await fleet.refresh(target)
    await fleet.refresh(other)
    assert set(fleet.deployments) == {CHAT, CODE, OTHER}
    assert fleet.deployments[OTHER].state is State.UPDATING


async def test_a_deployment_that_is_no_longer_listed_is_gone(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    await fleet.refresh(target)
    del target.deployments[CODE]
    reading = await fleet.refresh(target)
    assert reading.gone == (CODE,)
    assert set(fleet.deployments) == {CHAT}


@pytest.mark.parametrize(
    "change",
    [
        {"state": State.UPDATING},
        {"state_text": "REBALANCING"},
        {"pipeline": Pipeline(ready=1, initializing=1)},
        {"min_replicas": 0},
        {"desired_replicas": 7},
        {"expires_at": START + 10},
        {"deleted_at": START},
    ],
)
async def test_a_transition_is_named_so_that_it_can_wake(
    clock: ManualClock, target: ScriptedTarget, change: dict[str, object]
) -> None:
    fleet = Fleet(clock, [target])
    await fleet.refresh(target)
    target.deployments[CHAT] = a_deployment(CHAT, **change)
    reading = await fleet.refresh(target)
    assert reading.changed == (CHAT,)


async def test_a_new_time_of_reading_alone_wakes_nobody(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    await fleet.refresh(target)
    target.deployments[CHAT] = a_deployment(CHAT, observed_at=START + 5, updated_at=START + 5)
    reading = await fleet.refresh(target)
    assert reading.changed == ()
    assert fleet.deployments[CHAT].observed_at == START + 5


async def test_a_list_that_began_before_a_write_does_not_undo_what_was_read_after_it(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    await fleet.refresh(target)

    async def read_by_itself_meanwhile() -> None:
        fleet.put(a_deployment(CHAT, replicas=7))
        fleet.drop(CODE)

    target.during_list = read_by_itself_meanwhile
    await fleet.refresh(target)
    assert fleet.deployments[CHAT].desired_replicas == 7
    assert CODE not in fleet.deployments
    target.during_list = None
    await fleet.refresh(target)
    assert fleet.deployments[CHAT].desired_replicas == 2, "the next list is newer than the reading"
    assert CODE in fleet.deployments


async def test_the_mapping_is_one_and_live_and_changes_are_told_once(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    deployments = fleet.deployments
    await fleet.refresh(target)
    assert fleet.deployments is deployments
    assert set(deployments) == {CHAT, CODE}
    assert fleet.take_changes() == FleetChanges(changed=(CHAT, CODE))
    assert fleet.take_changes() == FleetChanges()
    fleet.drop(CHAT)
    fleet.put(a_deployment(CODE, replicas=5))
    assert CHAT not in deployments
    assert fleet.take_changes() == FleetChanges(changed=(CODE,), gone=(CHAT,))


async def test_what_a_listing_shows_unchanged_keeps_its_object_and_is_no_change(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    await fleet.refresh(target)
    fleet.take_changes()
    before = fleet.deployments[CHAT]
    target.deployments[CHAT] = replace(before, observed_at=START + 15)
    await fleet.refresh(target)
    assert fleet.deployments[CHAT] is before
    assert fleet.take_changes() == FleetChanges()


async def test_the_listing_after_a_reading_by_itself_counts_as_newer_though_it_shows_the_same(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    await fleet.refresh(target)
    fleet.put(replace(target.deployments[CHAT], observed_at=START + 5))
    target.deployments[CHAT] = replace(target.deployments[CHAT], observed_at=START + 15)
    await fleet.refresh(target)
    assert fleet.deployments[CHAT].observed_at == START + 15, "read after the write, not before"


async def test_a_message_that_changed_is_a_change_though_it_wakes_nobody(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    await fleet.refresh(target)
    fleet.take_changes()
    target.deployments[CHAT] = replace(target.deployments[CHAT], annotations={"a": "b"})
    reading = await fleet.refresh(target)
    assert reading.changed == ()
    assert fleet.take_changes() == FleetChanges(changed=(CHAT,))


async def test_what_an_earlier_run_knew_is_gone_only_once_it_was_asked_for_by_name(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    fleet.expect([CHAT, LOST])
    target.read_failure = a_failure(ErrorKind.TIMEOUT)
    assert (await fleet.refresh(target)).gone == ()
    assert fleet.take_changes().gone == ()
    target.read_failure = None
    assert (await fleet.refresh(target)).gone == (LOST,)
    assert fleet.take_changes().gone == (LOST,)
    assert (await fleet.refresh(target)).gone == (), "told once"


async def test_the_roster_changes_with_names_and_with_what_policies_match_by(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    await fleet.refresh(target)
    version = fleet.roster_version
    target.deployments[CHAT] = replace(target.deployments[CHAT], desired_replicas=9)
    await fleet.refresh(target)
    assert fleet.roster_version == version
    target.deployments[CHAT] = replace(target.deployments[CHAT], display_name="other")
    reading = await fleet.refresh(target)
    assert reading.changed == (CHAT,), "another policy may be about it now"
    assert fleet.roster_version > version
    version = fleet.roster_version
    fleet.drop(CODE)
    assert fleet.roster_version > version


async def test_a_large_fleet_is_taken_in_by_pieces_that_give_way_to_others(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    names = [f"accounts/acme/deployments/d{number}" for number in range(3 * PIECE)]
    target.deployments = {name: a_deployment(name) for name in names}
    fleet = Fleet(clock, [target])
    seen: list[int] = []

    async def look() -> None:
        while len(seen) < 20:
            seen.append(len(fleet.deployments))
            if seen[-1] == PIECE:
                fleet.put(a_deployment(names[-1], replicas=7))  # newer than the listing
                fleet.drop(names[-2])
            await asyncio.sleep(0)

    await asyncio.gather(fleet.refresh(target), look())
    assert {PIECE, 2 * PIECE} <= {count - count % PIECE for count in seen}
    assert fleet.deployments[names[-1]].desired_replicas == 7
    assert set(fleet.deployments) == set(names) - {names[-2]}


async def test_two_readings_of_one_account_do_not_mix(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    listing, during_max = 0, 0

    async def count() -> None:
        nonlocal listing, during_max
        listing += 1
        during_max = max(during_max, listing)
        await asyncio.sleep(0)
        listing -= 1

    target.during_list = count
    await asyncio.gather(fleet.refresh(target), fleet.refresh(target))
    assert (target.lists, during_max) == (2, 1)


async def test_a_deployment_of_no_account_is_not_taken_in(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    fleet.put(a_deployment(OTHER))
    fleet.drop(OTHER)
    assert OTHER not in fleet.deployments
    assert fleet.target_of(OTHER) is None


def test_two_targets_of_one_name_are_refused(clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="name of its own"):
        Fleet(clock, [ScriptedTarget(), ScriptedTarget()])
