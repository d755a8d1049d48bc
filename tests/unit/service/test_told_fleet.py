from __future__ import annotations

from scripted_world import START, ScriptedTarget, a_deployment

from trimtab.clock import ManualClock
from trimtab.service.fleet import Fleet, FleetChanges
from trimtab.service.told_fleet import ToldFleet

NAMES = [f"accounts/acme/deployments/d{number}" for number in range(10)]


async def a_fleet() -> tuple[Fleet, ToldFleet]:
    target = ScriptedTarget().hold(*(a_deployment(name) for name in NAMES))
    fleet = Fleet(ManualClock(START), [target])
    await fleet.refresh(target)
    return fleet, ToldFleet(fleet)


async def test_what_is_asked_about_is_shown_and_a_few_more() -> None:
    _, told = await a_fleet()
    changes = told.advance([NAMES[7]], more=2)
    assert changes == FleetChanges(changed=(NAMES[7], NAMES[0], NAMES[1]))
    assert set(told.deployments) == {NAMES[7], NAMES[0], NAMES[1]}
    assert told.is_behind


async def test_everything_is_shown_in_time_and_only_once() -> None:
    fleet, told = await a_fleet()
    shown = [name for _ in range(5) for name in told.advance([], more=2).changed]
    assert shown == NAMES
    assert not told.is_behind
    assert told.advance(NAMES) == FleetChanges()
    assert dict(told.deployments) == dict(fleet.deployments)


async def test_what_is_read_is_not_seen_before_it_is_told() -> None:
    fleet, told = await a_fleet()
    told.advance(NAMES)
    before = told.deployments[NAMES[0]]
    fleet.put(a_deployment(NAMES[0], replicas=9))
    fleet.drop(NAMES[1])
    assert told.deployments[NAMES[0]] is before
    assert NAMES[1] in told.deployments
    assert told.advance([NAMES[1]]) == FleetChanges(changed=(NAMES[0],), gone=(NAMES[1],))
    assert told.deployments[NAMES[0]].desired_replicas == 9
    assert NAMES[1] not in told.deployments


async def test_what_changed_again_while_it_waited_is_told_as_it_is_now() -> None:
    fleet, told = await a_fleet()
    told.advance([], more=0)
    fleet.drop(NAMES[3])
    fleet.drop(NAMES[4])
    fleet.put(a_deployment(NAMES[4], replicas=3))
    changes = told.advance(NAMES)
    assert changes.gone == (NAMES[3],)
    assert NAMES[4] in changes.changed
    assert told.deployments[NAMES[4]].desired_replicas == 3
