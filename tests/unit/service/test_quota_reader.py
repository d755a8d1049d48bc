"""Quotas are asked for rarely, sooner after a refusal, and ever more rarely while that fails."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from random import Random
from typing import Self

import pytest
from scripted_world import (
    CHAT,
    START,
    ScriptedTarget,
    TellingTarget,
    a_failure,
    a_reading,
    an_order,
    pass_time,
    settle,
)

from trimtab.clock import ManualClock
from trimtab.core.decision import Outcome, WriteStatus
from trimtab.errors import ErrorKind, TargetError
from trimtab.service import quota_reader
from trimtab.service.circuits import guarded
from trimtab.service.fleet_quotas import QuotasStatus
from trimtab.service.quota_reader import FIRST_READINGS, SOONEST_SECONDS, QuotaReader
from trimtab.service.reload import Reload, ReloadResult, Trigger

INTERVAL_SECONDS = 300.0
RELOADED = Reload(at=START, trigger=Trigger.REQUEST, result=ReloadResult.UNCHANGED, policies=())


class Asking:
    def __init__(self, *, is_wanted: bool = True) -> None:
        self.clock = ManualClock(START)
        self.target = TellingTarget(clock=self.clock, quotas=(a_reading(16, 4.0),))
        (self.guarded, *_), _ = guarded(
            [self.target], [], self.clock, Random(1), on_change=lambda _: None
        )
        self.is_wanted = is_wanted
        self.heard: list[QuotasStatus] = []
        self.reader = QuotaReader(
            self.clock,
            Random(1),
            [self.target, ScriptedTarget(account="accounts/plain")],
            interval_seconds=INTERVAL_SECONDS,
            is_wanted=lambda: self.is_wanted,
            on_reading=self.heard.append,
        )
        self.quotas = self.reader.quotas

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.reader.keep_reading(self.guarded))
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @property
    def gaps(self) -> list[float]:
        return [after - before for before, after in pairwise(self.target.quotas_at)]

    def refuse(self, name: str = CHAT, kind: ErrorKind = ErrorKind.QUOTA_EXCEEDED) -> None:
        self.reader.wrote(
            Outcome(
                order=an_order(name),
                at=self.clock.now(),
                status=WriteStatus.NOT_APPLIED,
                sentence="no",
                error_kind=kind.value,
            )
        )

    async def pass_time(self, seconds: float) -> None:
        await pass_time(self.clock, seconds, step=5.0)


async def test_the_first_readings_come_soon_and_the_others_about_an_interval_apart() -> None:
    async with Asking() as asking:
        assert asking.target.quotas_at == [0.0]
        (reading,) = asking.quotas.in_force(START)
        assert (reading.quota.accelerators, reading.used, reading.at) == (16, 4.0, START)
        assert reading.quota.pool.account == "acme"
        await asking.pass_time(3000.0)
        first, later = asking.gaps[: FIRST_READINGS - 1], asking.gaps[FIRST_READINGS - 1 :]
        assert first == [SOONEST_SECONDS] * (FIRST_READINGS - 1)
        assert len(set(later)) > 1
        assert all(0.9 * INTERVAL_SECONDS <= gap <= 1.1 * INTERVAL_SECONDS + 5 for gap in later)
        assert len(asking.heard) == len(asking.target.quotas_at)
        assert all(status.trouble is None for status in asking.heard)


async def test_nobody_is_asked_while_nobody_would_use_the_answer() -> None:
    async with Asking(is_wanted=False) as asking:
        await asking.pass_time(1000.0)
        assert asking.target.quotas_at == []
        asking.reader.reloaded(
            RELOADED
        )  # another policy was put in force, and still nobody needs it
        await settle()
        assert asking.target.quotas_at == []
        asking.is_wanted = True
        asking.reader.reloaded(RELOADED)
        await settle()
        assert asking.target.quotas_at == [1000.0]


async def test_a_refusal_has_it_read_again_soon_and_a_thousand_refusals_once() -> None:
    async with Asking() as asking:
        await asking.pass_time(100.0)
        before = len(asking.target.quotas_at)
        for _ in range(1000):
            asking.refuse()
        await asking.pass_time(SOONEST_SECONDS)
        assert asking.target.quotas_at[before:] == [100.0]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (CHAT, ErrorKind.CONFLICT),
        ("accounts/other/deployments/chat", ErrorKind.QUOTA_EXCEEDED),
        ("accounts/plain/deployments/chat", ErrorKind.QUOTA_EXCEEDED),
    ],
)
async def test_what_failed_otherwise_or_elsewhere_has_nothing_read(
    name: str, kind: ErrorKind
) -> None:
    async with Asking() as asking:
        await asking.pass_time(100.0)
        before = len(asking.target.quotas_at)
        asking.refuse(name, kind)
        await asking.pass_time(100.0)
        assert len(asking.target.quotas_at) == before


async def test_only_accounts_that_tell_quotas_are_asked_for_them() -> None:
    asking = Asking()
    plain = guarded(
        [asking.target, ScriptedTarget(account="accounts/plain")],
        [],
        asking.clock,
        Random(1),
        on_change=lambda _: None,
    )[0]
    assert [name for name, _ in asking.reader.tasks(plain)] == ["read the quotas of accounts/acme"]
    assert [status.target for status in asking.quotas.statuses] == ["accounts/acme"]


async def test_refusals_that_go_on_do_not_have_it_read_more_often_than_that() -> None:
    async with Asking() as asking:
        for _ in range(600):
            asking.refuse()
            await pass_time(asking.clock, 1.0, step=1.0)
        assert min(asking.gaps) >= SOONEST_SECONDS
        assert len(asking.target.quotas_at) > 10


@pytest.mark.parametrize("kind", [ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT, ErrorKind.RATE_LIMITED])
async def test_after_failures_that_pass_the_pauses_double(kind: ErrorKind) -> None:
    async with Asking() as asking:
        asking.target.quota_failure = a_failure(kind)
        await asking.pass_time(330.0)  # the reading at the start was fine
        await asking.pass_time(3600.0)
        failed = asking.gaps[1:]
        assert failed[0] <= 35.0
        assert 290.0 <= failed[-1] <= 605.0
        assert len(failed) < 20
        trouble = asking.heard[-1].trouble
        assert trouble is not None
        assert trouble.kind is kind


@pytest.mark.parametrize("kind", [ErrorKind.FORBIDDEN, ErrorKind.NOT_FOUND, ErrorKind.REJECTED])
async def test_a_key_that_may_not_see_quotas_is_tried_rarely(kind: ErrorKind) -> None:
    async with Asking() as asking:
        asking.target.quota_failure = a_failure(kind)
        await asking.pass_time(7200.0)
        assert len(asking.target.quotas_at) <= 8
        assert min(asking.gaps[1:]) >= 450.0


async def test_refusals_do_not_shorten_the_pause_after_a_failure() -> None:
    async with Asking() as asking:
        asking.target.quota_failure = a_failure(ErrorKind.FORBIDDEN)
        await asking.pass_time(35.0)
        before = len(asking.target.quotas_at)
        for _ in range(40):
            asking.refuse()
            await asking.pass_time(10.0)
        assert len(asking.target.quotas_at) == before


async def test_the_other_sides_wish_to_wait_is_granted() -> None:
    async with Asking() as asking:
        asking.target.quota_failure = a_failure(ErrorKind.RATE_LIMITED, retry_after_seconds=500.0)
        await asking.pass_time(1500.0)
        assert min(asking.gaps[1:]) >= 500.0


async def test_the_pauses_begin_anew_after_an_answer() -> None:
    async with Asking() as asking:
        asking.target.quota_failure = a_failure()
        await asking.pass_time(3600.0)
        asking.target.quota_failure = None
        await asking.pass_time(900.0)
        asking.target.quota_failure = a_failure()
        answered = len(asking.target.quotas_at)
        await asking.pass_time(400.0)
        assert asking.gaps[answered] <= 35.0


async def test_an_endpoint_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota_reader, "READ_SECONDS_MAX", 0.05)
    asking = Asking()
    asking.target.during_quotas = asyncio.Event().wait
    error = await asking.reader.read(asking.guarded)
    assert error is not None
    assert error.kind is ErrorKind.TIMEOUT
    assert asking.heard[-1].trouble is not None


class TestBehindItsCircuit:
    """The quota endpoint neither opens the circuit that scaling needs nor closes it."""

    async def test_failures_to_tell_quotas_open_nothing(self) -> None:
        asking = Asking()
        asking.target.quota_failure = a_failure()
        for _ in range(50):
            await asking.reader.read(asking.guarded)
        assert asking.guarded.circuit.refusal is None

    async def test_an_open_circuit_is_not_asked_for_quotas_and_not_closed_by_them(self) -> None:
        asking = Asking()
        asking.target.read_failure = a_failure()
        for _ in range(5):
            with pytest.raises(TargetError):
                await asking.guarded.read("accounts/acme/deployments/chat")
        for seconds in (0.0, 31.0):  # open, and then about to be probed
            asking.clock.advance(seconds)
            error = await asking.reader.read(asking.guarded)
            assert error is not None
            assert error.kind is ErrorKind.UNAVAILABLE
        assert asking.target.quotas_at == []
        asking.target.read_failure = None
        await asking.guarded.read("accounts/acme/deployments/chat")
        assert await asking.reader.read(asking.guarded) is None

    async def test_a_target_without_quotas_says_so(self) -> None:
        asking = Asking()
        plain = guarded([ScriptedTarget()], [], asking.clock, Random(1), on_change=lambda _: None)[
            0
        ][0]
        with pytest.raises(TargetError, match="tells no quotas"):
            await plain.read_quotas()
