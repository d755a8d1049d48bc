"""What the daemon gives back when it is stopped."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from scripted_world import CHAT, CODE, a_deployment, a_failure, a_policy, pass_time
from test_journalled import Scene, ScriptedJournal

from trimtab.core.decision import Reason, WriteStatus
from trimtab.journal.entries import Ended, Intended
from trimtab.journal.port import JournalMode
from trimtab.service.timing import Timing

HANDS_BACK = a_policy(hand_back=True)


async def test_a_clean_stop_restores_the_range_with_intention_and_end() -> None:
    scene = Scene(policies=[HANDS_BACK])
    async with scene.daemon:
        await pass_time(scene.clock, 20.0)
        assert scene.target.deployments[CHAT].is_pinned
    found = scene.target.deployments[CHAT]
    assert (found.min_replicas, found.max_replicas) == (1, 10)
    assert scene.outcomes[-1].order.reason is Reason.HAND_BACK
    assert scene.outcomes[-1].status is WriteStatus.APPLIED
    assert scene.journal.of(Intended, Ended) == ["Intended", "Ended"] * 2
    assert scene.journal.is_closed
    assert scene.target.is_closed


async def test_nothing_is_restored_unless_the_policy_says_so() -> None:
    scene = Scene()
    async with scene.daemon:
        await pass_time(scene.clock, 20.0)
    assert scene.target.deployments[CHAT].is_pinned


async def test_what_somebody_changed_at_the_last_moment_is_left() -> None:
    scene = Scene(policies=[HANDS_BACK])
    async with scene.daemon:
        await pass_time(scene.clock, 20.0)
        changed = replace(scene.target.deployments[CHAT], max_replicas=8)
        scene.target.hold(changed)  # not listed since
    assert scene.target.deployments[CHAT] == changed
    assert scene.outcomes[-1].status is WriteStatus.VOID


async def test_what_cannot_be_written_down_is_not_handed_back() -> None:
    scene = Scene(ScriptedJournal(), policies=[HANDS_BACK])
    async with scene.daemon:
        await pass_time(scene.clock, 20.0)
        scene.journal.mode = JournalMode.FULL
    assert scene.target.deployments[CHAT].is_pinned
    assert scene.journal.of(Ended) == ["Ended", "Ended"], "also what was never sent has its end"


async def test_an_account_that_is_away_does_not_hold_up_the_stop() -> None:
    scene = Scene(policies=[HANDS_BACK])
    async with scene.daemon:
        await pass_time(scene.clock, 20.0)
        scene.target.read_failure = a_failure()
    assert scene.outcomes[-1].status is WriteStatus.NOT_APPLIED
    assert len(scene.target.writes) == 1


async def test_handing_back_ends_with_the_time_that_a_stop_may_take() -> None:
    scene = Scene(
        policies=[HANDS_BACK], timing=Timing(shutdown_timeout_seconds=0.2), writes_in_flight_max=1
    )
    scene.target.hold(a_deployment(CODE))
    async with scene.daemon:
        await pass_time(scene.clock, 20.0)
        scene.target.during_write = lambda _: asyncio.Event().wait()  # type: ignore[assignment, return-value]  # any awaitable will do
    endings = [outcome.status for outcome in scene.outcomes[-2:]]
    assert sorted(endings) == [WriteStatus.UNKNOWN, WriteStatus.VOID]
