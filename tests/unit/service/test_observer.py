from __future__ import annotations

import asyncio
from random import Random
from typing import Self

import pytest
from scripted_world import (
    CHAT,
    CODE,
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_policy,
    a_source_failure,
    pass_time,
    settle,
)

from trimtab.clock import ManualClock
from trimtab.core.engine import Engine
from trimtab.core.policy import Selector
from trimtab.core.signals import Sample
from trimtab.errors import ErrorKind
from trimtab.service.fleet import Fleet
from trimtab.service.inbox import Inbox
from trimtab.service.observer import Observer, Poll
from trimtab.service.trigger import Trigger
from trimtab.sources.port import PartialAnswerError


class Listening:
    def __init__(self, **policy: object) -> None:
        self.clock = ManualClock(START)
        self.source = ScriptedSource(self.clock)
        self.target = ScriptedTarget().hold(a_deployment())
        self.fleet = Fleet(self.clock, [self.target])
        self.engine = Engine([a_policy(**policy)])
        self.inbox = Inbox(self.clock)
        self.polls: list[Poll] = []
        self.trigger = Trigger(self.clock, Random(1), tick_interval_seconds=1e9)
        self.observer = Observer(
            self.clock,
            self.source,
            engine=self.engine,
            fleet=self.fleet,
            inbox=self.inbox,
            trigger=self.trigger,
            on_poll=self.polls.append,
        )

    async def __aenter__(self) -> Self:
        await self.fleet.refresh(self.target)
        await self.trigger.wait()  # the first tick
        self.task = asyncio.create_task(self.observer.run())
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_samples_wait_for_the_controller_and_wake_their_deployments() -> None:
    async with Listening() as listening:
        woken = asyncio.create_task(listening.trigger.wait())
        await pass_time(listening.clock, 1.0)
        assert (await woken).names == (CHAT,)
        assert listening.inbox.take([CHAT]).samples == [Sample(CHAT, "load", START, 20.0)]
        assert listening.inbox.take([CHAT]).samples == []


async def test_polls_come_at_the_interval_of_the_source() -> None:
    async with Listening() as listening:
        await pass_time(listening.clock, 100.0)
        assert listening.source.polls_at == [0.0, 30.0, 60.0, 90.0]


async def test_a_failing_source_is_asked_no_more_often_than_a_healthy_one() -> None:
    async with Listening() as listening:
        listening.source.failure = a_source_failure()
        await pass_time(listening.clock, 100.0)
        assert listening.source.polls_at == [0.0, 30.0, 60.0, 90.0]
        assert [poll.error_kind for poll in listening.polls][1:] == [ErrorKind.UNAVAILABLE] * 3
        assert listening.polls[-1].trouble == "the metrics are away"


async def test_a_retry_after_is_honoured() -> None:
    listening = Listening()
    listening.source.failure = a_source_failure(ErrorKind.RATE_LIMITED, retry_after_seconds=75.0)
    async with listening:
        await pass_time(listening.clock, 100.0)
        assert listening.source.polls_at == [0.0, 75.0]


async def test_a_bug_in_a_source_is_for_the_supervisor_not_swallowed() -> None:
    listening = Listening()
    listening.source.failure = ZeroDivisionError()
    async with listening:
        with pytest.raises(ZeroDivisionError):
            await listening.task


async def test_a_source_that_no_policy_uses_is_not_asked() -> None:
    async with Listening(selector=Selector(display_name="nothing-*")) as listening:
        await pass_time(listening.clock, 100.0)
        assert listening.source.polls_at == []


async def test_the_first_poll_follows_the_first_reading_of_the_fleet_at_once() -> None:
    listening = Listening()
    held = dict(listening.target.deployments)
    listening.target.deployments.clear()
    slow = ScriptedTarget("accounts/slow")
    listening.fleet = Fleet(listening.clock, [listening.target, slow])
    listening.observer._fleet = listening.observer._wanted._fleet = listening.fleet
    async with listening:
        await pass_time(listening.clock, 5.0)
        assert listening.source.polls_at == []
        listening.target.deployments |= held
        await listening.fleet.refresh(listening.target)
        await pass_time(listening.clock, 2.0)
        assert len(listening.source.polls_at) == 1


async def test_one_deployment_known_before_the_list_does_not_let_the_others_wait_for_an_interval() -> (
    None
):
    listening = Listening()
    listening.target.hold(a_deployment(CODE))
    listening.fleet.put(
        a_deployment(CODE)
    )  # read by itself: an earlier run's write was looked into
    task = asyncio.create_task(listening.observer.run())
    await pass_time(listening.clock, 3.0)
    assert listening.source.polls_at == []
    await listening.fleet.refresh(listening.target)
    await pass_time(listening.clock, 2.0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    heard = listening.inbox.take([CHAT, CODE]).samples
    assert {sample.deployment for sample in heard} == {CHAT, CODE}


async def test_what_is_wanted_is_worked_out_again_only_when_policies_or_the_roster_changed() -> (
    None
):
    async with Listening() as listening:
        asked_for: list[str] = []
        serves = listening.source.serves
        listening.source.serves = lambda name: asked_for.append(name) or serves(name)  # type: ignore[func-returns-value]  # a note in passing
        await pass_time(listening.clock, 60.0)
        assert asked_for == []
        listening.fleet.put(a_deployment(CODE))
        await pass_time(listening.clock, 30.0)
        assert asked_for == [CHAT, CODE]
        listening.engine.replace_policies([a_policy(selector=Selector(display_name="nothing-*"))])
        polls = len(listening.source.polls_at)
        await pass_time(listening.clock, 60.0)
        assert len(listening.source.polls_at) == polls


async def test_what_a_source_knows_in_part_is_heard_and_what_it_does_not_is_told() -> None:
    async with Listening() as listening:
        listening.polls.clear()
        listening.inbox.take([CHAT])
        sample = Sample(CHAT, "load", START, 3.0)
        listening.source.failure = PartialAnswerError(
            "1 of 2 questions failed: no", kind=ErrorKind.REJECTED, samples=[sample]
        )
        await pass_time(listening.clock, listening.source.interval_seconds)
        assert listening.inbox.take([CHAT]).samples == [sample]
        [poll] = listening.polls
        assert (poll.samples, poll.error_kind) == (1, ErrorKind.REJECTED)
        assert poll.trouble == "1 of 2 questions failed: no"
