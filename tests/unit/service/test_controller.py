from __future__ import annotations

import asyncio
from random import Random

from scripted_world import (
    CHAT,
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_policy,
    pass_time,
    settle,
)

from trimtab.clock import ManualClock
from trimtab.core.decision import EventKind, Tick
from trimtab.core.policy import Selector
from trimtab.service.daemon import Daemon
from trimtab.service.told_fleet import MORE_MAX
from trimtab.service.trigger import SLICE_MAX

NAMES = [f"accounts/acme/deployments/d{number}" for number in range(5 * SLICE_MAX)]


class Scene:
    def __init__(self, names: list[str], **policy: object) -> None:
        self.clock = ManualClock(START)
        self.target = ScriptedTarget().hold(*(a_deployment(name) for name in names))
        self.source = ScriptedSource(self.clock, load=None)
        self.ticks: list[Tick] = []
        self.daemon = Daemon(
            clock=self.clock,
            targets=[self.target],
            sources=[self.source],
            policies=[a_policy(**policy)],
            random=Random(1),
            on_tick=self.ticks.append,
        )

    @property
    def decided(self) -> list[str]:
        return [one.deployment for tick in self.ticks for one in tick.decisions]


async def test_a_fleet_is_decided_on_in_slices_and_everybody_gets_a_turn_in_between() -> None:
    scene = Scene(NAMES)
    turns: list[int] = []

    async def somebody_else() -> None:
        while True:
            turns.append(len(scene.ticks))
            await asyncio.sleep(0)

    async with scene.daemon:
        await pass_time(scene.clock, 1.0)
        assert sorted(scene.decided) == sorted(NAMES)
        other = asyncio.create_task(somebody_else())
        begun = len(scene.ticks)
        scene.daemon._deciding.trigger.tick_now()
        await settle(100)
        other.cancel()
    assert all(len(tick.decisions) <= SLICE_MAX for tick in scene.ticks)
    assert {begun + number for number in range(1, 5)} <= set(turns)


async def test_each_slice_is_a_beat_of_the_heart() -> None:
    scene = Scene(NAMES)
    async with scene.daemon:
        await pass_time(scene.clock, 100.0)
        assert scene.daemon.beat_age_seconds() < 20.0


async def test_what_changed_without_mattering_to_a_decision_is_noticed_and_not_decided_on() -> None:
    scene = Scene([CHAT])
    async with scene.daemon:
        await pass_time(scene.clock, 5.0)
        scene.ticks.clear()
        # Somebody renames the note of what trimtab wrote: a change, and no reason to decide.
        scene.target.hold(a_deployment(CHAT, annotations={"note": "changed"}))
        await scene.daemon.read(scene.target)
        scene.daemon._deciding.trigger.look_now()
        await settle()
        assert scene.daemon._deciding.controller._told.deployments[CHAT].annotations == {
            "note": "changed"
        }
        assert scene.decided == []


async def test_a_deployment_under_no_policy_costs_no_ticks_until_a_policy_is_about_it() -> None:
    scene = Scene([CHAT], selector=Selector(display_name="nobody-*"))
    async with scene.daemon:
        await pass_time(scene.clock, 60.0)
        assert scene.decided == []
        assert len(scene.daemon._deciding.trigger._due) == 0
        in_force = scene.daemon._deciding.controller.put_in_force((a_policy(),), {})
        await asyncio.gather(in_force, pass_time(scene.clock, 1.0))
        assert scene.decided == [CHAT]
        await pass_time(scene.clock, 60.0)
        assert len(scene.decided) >= 4


async def test_a_deployment_that_comes_under_a_policy_by_its_name_is_adopted_at_once() -> None:
    scene = Scene([CHAT], selector=Selector(display_name="mine"))
    async with scene.daemon:
        await pass_time(scene.clock, 5.0)
        scene.target.hold(a_deployment(CHAT, display_name="mine"))
        await scene.daemon.read(scene.target)
        await pass_time(scene.clock, 0.1, step=0.01)
        assert scene.decided == [CHAT]


async def test_what_vanishes_ticks_no_more_and_comes_back_when_it_is_seen_again() -> None:
    scene = Scene([CHAT])
    async with scene.daemon:
        await pass_time(scene.clock, 5.0)
        del scene.target.deployments[CHAT]
        await scene.daemon.read(scene.target)
        await pass_time(scene.clock, 0.1, step=0.01)
        assert [event.kind for tick in scene.ticks for event in tick.events][-1] is EventKind.GONE
        assert len(scene.daemon._deciding.trigger._due) == 0
        scene.target.hold(a_deployment(CHAT))
        await scene.daemon.read(scene.target)
        scene.ticks.clear()
        await pass_time(scene.clock, 0.1, step=0.01)
        assert scene.decided == [CHAT]


async def test_a_thousand_changes_at_once_are_shown_to_the_engine_by_portions() -> None:
    names = [f"accounts/acme/deployments/n{number}" for number in range(500)]
    scene = Scene(names, selector=Selector(display_name="nobody-*"))
    async with scene.daemon:
        await pass_time(scene.clock, 5.0)
        told = scene.daemon._deciding.controller._told
        assert len(told.deployments) == 500
        for name in names:
            scene.daemon.fleet.put(a_deployment(name, annotations={"note": "changed"}))
        scene.ticks.clear()
        scene.daemon._deciding.trigger.look_now()
        await settle(200)
        assert dict(told.deployments) == dict(scene.daemon.fleet.deployments)
        assert len(scene.ticks) >= 500 / MORE_MAX, "no evaluation looks at all of them"
