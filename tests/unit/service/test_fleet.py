from __future__ import annotations

from dataclasses import replace

import pytest
from scripted_world import CHAT, CODE, START, ScriptedTarget, a_deployment, a_failure

from trimtab.clock import ManualClock
from trimtab.core.deployment import Pipeline, State
from trimtab.errors import ErrorKind
from trimtab.service.fleet import Fleet

OTHER = "accounts/other/deployments/big"


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
    assert reading.gone == frozenset()
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
    assert reading.gone == {CODE}
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
    assert reading.changed == {CHAT}


async def test_a_new_time_of_reading_alone_wakes_nobody(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    await fleet.refresh(target)
    target.deployments[CHAT] = a_deployment(CHAT, observed_at=START + 5, updated_at=START + 5)
    reading = await fleet.refresh(target)
    assert reading.changed == frozenset()
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


async def test_a_view_that_was_handed_out_does_not_change_any_more(
    clock: ManualClock, target: ScriptedTarget
) -> None:
    fleet = Fleet(clock, [target])
    await fleet.refresh(target)
    before = fleet.deployments
    fleet.drop(CHAT)
    assert CHAT in before
    assert CHAT not in fleet.deployments


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
