"""A daemon as one of several: what it decides for, what it takes over, and what it never sends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from scripted_world import (
    ACCOUNT,
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_policy,
    pass_time,
    settle,
)
from tests.worlds.members import BUCKETS, ScriptedSteward, SharedMemory

from trimtab.clock import ManualClock
from trimtab.core.buckets import bucket_of
from trimtab.core.decision import EventKind, Outcome, Tick, WriteStatus
from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.entries import Intended
from trimtab.journal.history import History
from trimtab.journal.port import JournalMode, JournalStatus
from trimtab.journal.sqlite import SqliteJournal
from trimtab.service.daemon import Daemon
from trimtab.service.reload import PolicyFiles
from trimtab.service.replay import replay
from trimtab.service.tenancy import Coordination
from trimtab.targets import permit

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.coordination.port import Tenant
    from trimtab.core.decision import Order
    from trimtab.journal.port import Journal

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat-prod}
spec:
  deployments: {match: {name: "*"}}
  signals:
    load: {source: gateway, query: rps, per: deployment, maxAge: 120s}
  rules:
    - {name: r, role: demand, strategy: {type: target, signal: load, target: 10}}
"""
EVERY = range(BUCKETS)
NAMES = [f"{ACCOUNT}/deployments/d{number}" for number in range(12)]
ONE = NAMES[0]
BUCKET = bucket_of(ONE, BUCKETS)
OTHERS = [bucket for bucket in EVERY if bucket != BUCKET]


class Member:
    """A daemon that sees the same deployments as the others, through a target of its own."""

    def __init__(
        self,
        scene: Scene,
        name: str,
        *,
        journal: Journal | None = None,
        files: PolicyFiles | None = None,
    ) -> None:
        self.clock = scene.clock
        self.target = ScriptedTarget(deployments=scene.deployments)
        self.source = ScriptedSource(scene.clock)
        self.journal = scene.shared.journal(name)
        self.ticks: list[Tick] = []
        self.outcomes: list[Outcome] = []
        self.daemon = Daemon(
            clock=scene.clock,
            targets=[self.target],
            sources=[self.source],
            policies=[a_policy()] if files is None else files.read()[1].policies,
            policy_files=files,
            random=Random(1),
            journal=journal or self.journal,
            coordination=Coordination(
                member=name,
                buckets=BUCKETS,
                steward=self._steward,
                shared=scene.shared,
            ),
            on_tick=self.ticks.append,
            on_outcome=self.outcomes.append,
        )

    def _steward(self, tenant: Tenant) -> ScriptedSteward:
        self.steward = ScriptedSteward(self.clock, tenant)
        return self.steward

    @property
    def written(self) -> list[str]:
        return [order.deployment for order in self.target.writes]

    @property
    def decided(self) -> set[str]:
        return {one.deployment for tick in self.ticks for one in tick.decisions}

    @property
    def events(self) -> list[EventKind]:
        return [event.kind for tick in self.ticks for event in tick.events]

    def shows(self) -> set[str]:
        return {one.deployment.name for one in self.daemon.status().deployments}


class Scene:
    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.deployments = {name: a_deployment(name) for name in NAMES}
        self.shared = SharedMemory(self.clock)
        self.a, self.b = Member(self, "a"), Member(self, "b")


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_member_without_buckets_decides_for_nothing_and_is_ready(scene: Scene) -> None:
    scene.a.source.load = 58.0
    async with scene.a.daemon:
        await pass_time(scene.clock, 20.0, step=2.0)
        assert scene.a.decided == set()
        assert scene.a.written == []
        assert scene.a.daemon.not_ready() == ()
        assert set(scene.a.daemon.fleet.deployments) == set(NAMES), (
            "it sees everything all the same"
        )


async def test_each_member_decides_for_its_own_buckets_alone(scene: Scene) -> None:
    scene.a.source.load = scene.b.source.load = 58.0
    async with scene.a.daemon, scene.b.daemon:
        await settle()
        await scene.a.steward.give(0, 1, 2)
        await scene.b.steward.give(3, 4, 5, 6, 7)
        await pass_time(scene.clock, 40.0, step=2.0)
    assert scene.a.decided == {name for name in NAMES if bucket_of(name, BUCKETS) < 3}
    assert scene.a.decided | scene.b.decided == set(NAMES)
    assert not scene.a.decided & scene.b.decided
    assert sorted([*scene.a.written, *scene.b.written]) == sorted(NAMES), "each once"


async def test_the_term_is_written_down_with_the_intention(scene: Scene) -> None:
    scene.a.source.load = 58.0
    async with scene.a.daemon:
        await settle()
        await scene.a.steward.give(BUCKET, term=7)
        await pass_time(scene.clock, 40.0, step=2.0)
        terms = {one.term for one in scene.a.journal.entries if isinstance(one, Intended)}
        assert terms == {7}


async def test_a_new_owner_goes_on_from_what_the_last_one_knew(scene: Scene) -> None:
    scene.a.source.load = 58.0
    scene.b.source.load = 58.0
    async with scene.a.daemon, scene.b.daemon:
        await settle()
        await scene.a.steward.give(*EVERY)
        await pass_time(scene.clock, 40.0, step=2.0)
        before = scene.a.daemon.engine.remembered(ONE)
        assert before is not None
        assert before.moves
        scene.a.steward.lose(*EVERY)
        await scene.b.steward.give(*EVERY, term=2)
        after = scene.b.daemon.engine.remembered(ONE)
        assert after == before
        await pass_time(scene.clock, 20.0, step=2.0)
        assert EventKind.ADOPTED not in scene.b.events
        assert scene.b.written == []
        assert scene.b.shows() == set(NAMES)


async def test_what_people_change_is_to_be_kept_at_once(scene: Scene) -> None:
    pressed: list[list[int]] = []
    scene.shared.press = pressed.append  # type: ignore[attr-defined]  # as in ConfigMaps
    async with scene.a.daemon:
        await settle()
        await scene.a.steward.give(*EVERY)
        await pass_time(scene.clock, 30.0)
        assert pressed == []
        scene.deployments[ONE] = replace(scene.deployments[ONE], max_replicas=7)
        await pass_time(scene.clock, 30.0)
        assert pressed == [[BUCKET]]
        order = {"kind": "pause", "deployment": ONE, "for": "2h", "reason": "a test"}
        status, _ = await scene.a.daemon.desk.give(order, "here")
        assert (status, pressed[1:]) == (201, [[BUCKET]])
        order = {"kind": "pause", "all": True, "for": "2h", "reason": "a test"}
        status, _ = await scene.a.daemon.desk.give(order, "here")
        assert (status, pressed[2:]) == (201, [[*EVERY]])
        await scene.a.daemon.desk.lift({"deployment": ONE, "author": "a test"}, "here")
        assert pressed[3:] == [[BUCKET]]


async def test_what_is_handed_over_is_no_longer_told_of_and_is_not_gone(scene: Scene) -> None:
    async with scene.a.daemon:
        await settle()
        await scene.a.steward.give(*EVERY)
        await pass_time(scene.clock, 40.0, step=2.0)
        assert ONE in scene.a.shows()
        await scene.a.steward.take_back(BUCKET)
        await pass_time(scene.clock, 40.0, step=2.0)
        assert ONE not in scene.a.shows()
        assert scene.a.daemon.engine.remembered(ONE) is None
        assert EventKind.GONE not in scene.a.events
        assert scene.a.shows() == {n for n in NAMES if bucket_of(n, BUCKETS) != BUCKET}


async def test_a_bucket_is_handed_over_after_its_write_has_ended(scene: Scene) -> None:
    hold = asyncio.Event()

    async def wait(order: Order) -> None:
        if order.deployment == ONE:
            await hold.wait()

    scene.a.target.during_write = wait
    scene.a.source.load = 58.0
    async with scene.a.daemon:
        await settle()
        await scene.a.steward.give(BUCKET)
        await pass_time(scene.clock, 20.0, step=2.0)
        assert scene.a.target.writing == [ONE]
        handing = asyncio.create_task(scene.a.steward.take_back(BUCKET))
        await settle()
        assert not handing.done()
        hold.set()
        await settle()
        await handing
        applied = [one.order.deployment for one in scene.a.outcomes]
        assert ONE in applied
        assert scene.shared.unfinished == {}


async def test_what_was_not_sent_when_a_bucket_is_lost_is_never_sent(scene: Scene) -> None:
    hold = asyncio.Event()
    scene.a.source.load = 58.0
    async with scene.a.daemon:
        await settle()
        scene.a.target.during_read = hold.wait
        await scene.a.steward.give(BUCKET)
        await pass_time(scene.clock, 20.0, step=2.0)
        assert scene.shared.unfinished.keys() >= {ONE}, "its intention is written down"
        scene.a.steward.lose(BUCKET)
        hold.set()
        await pass_time(scene.clock, 5.0)
        assert scene.a.written == []
        assert ONE in scene.shared.unfinished, "whoever comes next finds out what became of it"
        assert [one.status for one in scene.a.outcomes] == [WriteStatus.VOID] * len(
            scene.a.outcomes
        )


async def test_an_order_of_an_earlier_term_is_not_sent_in_a_later_one(scene: Scene) -> None:
    hold = asyncio.Event()
    scene.a.source.load = 58.0
    async with scene.a.daemon:
        await settle()
        scene.a.target.during_read = hold.wait
        await scene.a.steward.give(BUCKET, term=3)
        await pass_time(scene.clock, 20.0, step=2.0)
        begun = scene.a.daemon.engine
        scene.a.steward.held[BUCKET] = scene.a.steward.held[BUCKET].__class__(bucket=BUCKET, term=5)
        hold.set()
        await settle()
        assert scene.a.written == []
        assert begun is scene.a.daemon.engine


async def test_a_lease_that_ends_soon_is_not_enough_for_a_write(scene: Scene) -> None:
    scene.a.source.load = 58.0
    async with scene.a.daemon:
        await settle()
        hold = asyncio.Event()
        scene.a.target.during_read = hold.wait
        await scene.a.steward.give(BUCKET)
        await pass_time(scene.clock, 20.0, step=2.0)
        scene.a.steward.until[BUCKET] = scene.clock.monotonic() + 0.5
        hold.set()
        await settle()
        assert scene.a.written == []
        assert "lease" in scene.a.outcomes[-1].sentence


async def test_a_process_that_stood_still_before_its_request_left_is_told_so(scene: Scene) -> None:
    refusals: list[str | None] = []

    async def stand_still(_: Order) -> None:
        refusals.append(permit.refusal())
        scene.clock.advance(60.0)
        refusals.append(permit.refusal())

    scene.a.target.during_write = stand_still
    scene.a.source.load = 58.0
    async with scene.a.daemon:
        await settle()
        await scene.a.steward.give(BUCKET, seconds=50.0)
        await pass_time(scene.clock, 20.0, step=2.0)
        before, after, *_ = refusals
        assert before is None
        assert after is not None


async def test_a_journal_that_fails_between_the_last_look_and_the_request_keeps_it_from_leaving(
    scene: Scene,
) -> None:
    refusals: list[str | None] = []

    async def ask_for_leave(_: Order) -> None:
        refusals.append(permit.refusal())
        scene.a.journal.status = JournalStatus(
            mode=JournalMode.BROKEN, since=START, sentence="the database is gone"
        )
        refusals.append(permit.refusal())

    scene.a.target.during_write = ask_for_leave
    scene.a.source.load = 58.0
    async with scene.a.daemon:
        await settle()
        await scene.a.steward.give(BUCKET)
        await pass_time(scene.clock, 20.0, step=2.0)
    before, after = refusals[:2]
    assert before is None
    assert after is not None
    assert "the database is gone" in after


async def test_all_in_a_bucket_is_due_as_soon_as_it_is_taken_over(scene: Scene) -> None:
    scene.a.source.load = None  # nothing is heard that would wake anybody
    async with scene.a.daemon:
        await pass_time(scene.clock, 5.0)
        await scene.a.steward.give(*EVERY)
        await pass_time(scene.clock, 2.0)
        assert scene.a.decided == set(NAMES)


async def test_a_write_that_outlasts_its_lease_is_cut_off(scene: Scene) -> None:
    async def hang(_: Order) -> None:
        scene.a.steward.until = dict.fromkeys(EVERY, 0.0)
        await asyncio.sleep(0)

    scene.a.target.during_write = hang
    scene.a.target.answers.clear()
    scene.a.source.load = 58.0
    async with scene.a.daemon:
        await settle()
        await scene.a.steward.give(BUCKET)
        await pass_time(scene.clock, 20.0, step=2.0)
        assert scene.a.outcomes[0].status in (WriteStatus.UNKNOWN, WriteStatus.APPLIED)


async def test_whoever_takes_over_finds_out_how_an_interrupted_write_ended(scene: Scene) -> None:
    hold = asyncio.Event()
    scene.a.target.during_write = lambda _: hold.wait()  # type: ignore[assignment, return-value]  # any awaitable will do
    scene.a.source.load = 58.0
    scene.b.source.load = 58.0
    async with scene.a.daemon, scene.b.daemon:
        await settle()
        await scene.a.steward.give(BUCKET)
        await pass_time(scene.clock, 20.0, step=2.0)
        assert scene.a.target.writing
        scene.a.steward.lose(BUCKET)
        await settle()
        await scene.b.steward.give(BUCKET, term=2)
        await settle()
        held = [name for name in NAMES if bucket_of(name, BUCKETS) == BUCKET]
        assert scene.b.written == []
        await pass_time(scene.clock, 150.0, step=2.0)
        assert sorted(set(scene.b.written)) == sorted(held)
        assert scene.shared.unfinished == {}
    assert scene.a.written.count(ONE) == 1


async def test_a_bucket_whose_memory_cannot_be_read_is_not_decided_for(scene: Scene) -> None:
    scene.shared.failure = JournalError("the database is away", kind=ErrorKind.UNAVAILABLE)
    scene.a.source.load = 58.0
    async with scene.a.daemon:
        await settle()
        with pytest.raises(JournalError, match="away"):
            await scene.a.steward.give(BUCKET)
        await pass_time(scene.clock, 40.0, step=2.0)
        assert scene.a.decided == set()


async def test_a_clean_stop_hands_over_before_it_ends(scene: Scene) -> None:
    async with scene.a.daemon:
        await settle()
        await scene.a.steward.give(*EVERY)
        await pass_time(scene.clock, 20.0, step=2.0)
    assert scene.a.steward.has_left
    assert scene.a.steward.held == {}


async def test_what_a_member_was_told_is_replayed_exactly(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "chat.yaml").write_text(POLICY)
    journal = SqliteJournal(tmp_path / "a.db", scene.clock)
    files = PolicyFiles(tmp_path / "policies", sources=frozenset({"gateway"}))
    member = Member(scene, "c", journal=journal, files=files)
    member.source.load = 58.0
    scene.a.source.load = 58.0
    async with scene.a.daemon, member.daemon:
        await settle()
        await scene.a.steward.give(*EVERY)
        await pass_time(scene.clock, 40.0, step=2.0)
        scene.a.steward.lose(*EVERY)
        await member.steward.give(*EVERY, term=2)
        member.source.load = 20.0
        await pass_time(scene.clock, 40.0, step=2.0)
        await member.steward.take_back(BUCKET)
        await pass_time(scene.clock, 40.0, step=2.0)
        member.steward.lose(*OTHERS[:3])
        await pass_time(scene.clock, 40.0, step=2.0)
        await member.steward.give(BUCKET, term=9)
        await pass_time(scene.clock, 40.0, step=2.0)
    with History(tmp_path / "a.db") as history:
        replayed = replay(history.sequence())
    assert replayed.difference is None
    assert replayed.decisions > len(NAMES)
    assert replayed.turns_unchecked == 0


async def test_handing_over_and_ending_take_no_longer_together_than_a_stop_may(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supervisor kills what takes longer, in the middle of a write."""
    timeout_seconds = 0.2
    limits: list[float] = []

    async def leave_at_the_last_moment(limit_seconds: float) -> None:
        limits.append(limit_seconds)
        await asyncio.sleep(limit_seconds)

    async def end(seconds: float, **_: object) -> None:
        limits.append(seconds)

    monkeypatch.setattr("trimtab.service.daemon.end", end)
    daemon = scene.a.daemon
    daemon.timing = replace(daemon.timing, shutdown_timeout_seconds=timeout_seconds)
    running = asyncio.create_task(daemon.run())
    await settle()
    monkeypatch.setattr(scene.a.steward, "leave", leave_at_the_last_moment)
    daemon.stop()
    await running
    assert len(limits) == 2
    assert min(limits) > 0
    assert sum(limits) == pytest.approx(timeout_seconds)
