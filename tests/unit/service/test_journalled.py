"""The daemon and its journal: what is noted, in which order, and what a journal that fails means."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from scripted_world import (
    ACCOUNT,
    CHAT,
    CODE,
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_failure,
    a_policy,
    an_order,
    pass_time,
    settle,
)

from trimtab.clock import ManualClock
from trimtab.core.decision import EventKind, Outcome, Tick, WriteStatus
from trimtab.core.engine import Engine
from trimtab.core.policy import Actuation, Mode
from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.entries import Ended, Entry, Evaluated, Intended, PoliciesInForce
from trimtab.journal.port import JournalMode, JournalStatus, Recollection
from trimtab.journal.standing import Standing
from trimtab.service.audience import Listener
from trimtab.service.daemon import Daemon
from trimtab.service.interrupted import QUIET_SECONDS, SENT_SECONDS_MAX, judge
from trimtab.service.journal_watch import JournalWatch
from trimtab.service.withholding import Withheld

if TYPE_CHECKING:
    from trimtab.core.decision import Order
    from trimtab.core.memory import Memory


@dataclass
class ScriptedJournal:
    """Keeps everything in a list; held, failing or slow as scripted."""

    recollection: Recollection = field(default_factory=Recollection)
    mode: JournalMode = JournalMode.DURABLE
    trouble: str | None = None
    failure: JournalError | None = None
    is_free: asyncio.Event = field(default_factory=asyncio.Event)
    entries: list[Entry] = field(default_factory=list)
    durable: int = 0
    is_closed: bool = False
    decisions_behind: int = 0

    def __post_init__(self) -> None:
        self.is_free.set()

    @property
    def status(self) -> JournalStatus:
        return JournalStatus(
            mode=self.mode, since=START, sentence="the journal says so", trouble=self.trouble
        )

    async def open(self) -> Recollection:
        await self.is_free.wait()
        return self.recollection

    def note(self, entry: Entry) -> None:
        assert not self.is_closed, "noted after the end"
        self.entries.append(entry)

    async def intend(self, entry: Intended) -> None:
        self.note(entry)
        await self.settle()

    async def settle(self) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.durable = len(self.entries)

    async def close(self) -> None:
        self.is_closed = True

    def of(self, *kinds: type) -> list[str]:
        return [type(entry).__name__ for entry in self.entries if isinstance(entry, kinds)]

    @property
    def memory(self) -> Memory:
        """What the engine remembers after all that was noted."""
        standing = Standing.of(self.recollection.memory, ())
        for entry in self.entries:
            standing.take_in(entry)
        return standing.as_memory()


class Scene:
    def __init__(self, journal: ScriptedJournal | None = None, **changes: object) -> None:
        self.clock = ManualClock(START)
        self.journal = journal or ScriptedJournal()
        self.target = ScriptedTarget().hold(a_deployment())
        self.source = ScriptedSource(self.clock, load=58.0)
        self.ticks: list[Tick] = []
        self.outcomes: list[Outcome] = []
        settings: dict[str, object] = {
            "clock": self.clock,
            "targets": [self.target],
            "sources": [self.source],
            "policies": [a_policy()],
            "random": Random(1),
            "on_tick": self.ticks.append,
            "on_outcome": self.outcomes.append,
            "journal": self.journal,
        }
        self.daemon = Daemon(**(settings | changes))  # type: ignore[arg-type]  # as the tests name them

    @property
    def events(self) -> list[EventKind]:
        return [event.kind for tick in self.ticks for event in tick.events]

    @property
    def withheld(self) -> Withheld | None:
        [status] = self.daemon.status().deployments
        return None if status.withheld is None else status.withheld.reason


async def test_an_engine_that_is_told_what_was_noted_decides_the_same() -> None:
    scene = Scene()
    async with scene.daemon:
        await pass_time(scene.clock, 60.0)
        scene.source.load = 12.0
        await pass_time(scene.clock, 400.0)
    engine, standing = Engine([a_policy()]), Standing()
    evaluated = 0
    for entry in scene.journal.entries:
        standing.take_in(entry)
        match entry:
            case Evaluated():
                evaluated += 1
                tick = engine.step(
                    entry.at,
                    standing.fleet,
                    entry.samples,
                    due=entry.due,
                    changed=entry.changed,
                    absent=entry.absent,
                )
                assert tick == entry.tick
            case Ended():
                engine.record(entry.outcome)
            case _:
                pass
        assert engine.memory == standing.as_memory()
    assert evaluated >= 20
    assert len(scene.target.writes) >= 2


async def test_the_policies_in_force_come_first_and_every_write_has_its_intention_and_its_end() -> (
    None
):
    scene = Scene()
    intended_before: list[int] = []

    async def look(order: Order) -> None:
        del order
        found = scene.journal.entries[: scene.journal.durable]
        intended_before.append(sum(isinstance(entry, Intended) for entry in found))

    scene.target.during_write = look
    async with scene.daemon:
        await pass_time(scene.clock, 20.0)
    assert isinstance(scene.journal.entries[0], PoliciesInForce)
    assert len(scene.target.writes) == 1
    assert intended_before == [1], "durable before the write left"
    assert scene.journal.of(Intended, Ended) == ["Intended", "Ended"]


@pytest.mark.parametrize(
    "mode", [JournalMode.FULL, JournalMode.READ_ONLY, JournalMode.BROKEN, JournalMode.LOCKED]
)
async def test_a_journal_that_keeps_nothing_lets_everything_go_on_but_writes(
    mode: JournalMode,
) -> None:
    scene = Scene(ScriptedJournal(mode=mode))
    async with scene.daemon:
        await pass_time(scene.clock, 40.0)
        assert scene.target.writes == []
        assert scene.withheld is Withheld.JOURNAL
        assert scene.daemon.not_ready() == ()
        assert scene.daemon.remarks() == (f"journal is {mode}: the journal says so",)
        scene.journal.mode = JournalMode.DURABLE
        await pass_time(scene.clock, 20.0)
        assert len(scene.target.writes) == 1
    assert scene.journal.of(Intended) == ["Intended"]


async def test_an_intention_that_cannot_be_written_down_is_not_sent_and_not_hammered() -> None:
    scene = Scene()
    scene.journal.failure = JournalError("disk I/O error", kind=ErrorKind.UNAVAILABLE)
    async with scene.daemon:
        await pass_time(scene.clock, 60.0)
        assert scene.target.writes == []
        assert {outcome.status for outcome in scene.outcomes} == {WriteStatus.VOID}
        assert "disk I/O error" in scene.outcomes[0].sentence
        assert len(scene.outcomes) < 20
        scene.journal.failure = None
        await pass_time(scene.clock, 45.0)
        assert len(scene.target.writes) == 1
    assert len(scene.journal.of(Intended)) == len(scene.outcomes)


async def test_where_no_journal_is_required_intentions_in_memory_are_enough() -> None:
    scene = Scene(ScriptedJournal(mode=JournalMode.FULL), is_journal_required=False)
    scene.journal.failure = JournalError("the disk is full", kind=ErrorKind.UNAVAILABLE)
    async with scene.daemon:
        await pass_time(scene.clock, 20.0)
    assert len(scene.target.writes) == 1


async def test_a_journal_that_somebody_else_holds_stops_writes_even_where_none_is_required() -> (
    None
):
    scene = Scene(ScriptedJournal(mode=JournalMode.LOCKED), is_journal_required=False)
    async with scene.daemon:
        await pass_time(scene.clock, 20.0)
    assert scene.target.writes == []


async def test_each_change_of_the_journals_mode_is_told_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = Scene()
    async with scene.daemon:
        await pass_time(scene.clock, 20.0)
        scene.journal.mode = JournalMode.FULL
        await pass_time(scene.clock, 100.0)
        scene.journal.mode = JournalMode.DURABLE
        await pass_time(scene.clock, 100.0)
    lines = [line for line in capsys.readouterr().out.splitlines() if "] journal " in line]
    assert ["full" in lines[0], "durable" in lines[1], len(lines)] == [True, True, 2]


async def test_while_another_process_holds_the_journal_the_daemon_lives_and_waits() -> None:
    scene = Scene(ScriptedJournal(mode=JournalMode.LOCKED))
    scene.journal.is_free.clear()
    async with scene.daemon:
        await pass_time(scene.clock, 600.0, step=30.0)
        assert scene.daemon.beat_age_seconds() == 0.0
        assert scene.target.lists == 0
        assert (
            "the journal has not been opened yet: the journal says so" in scene.daemon.not_ready()
        )
        scene.journal.mode = JournalMode.DURABLE
        scene.journal.is_free.set()
        await pass_time(scene.clock, 20.0)
        assert scene.daemon.not_ready() == ()


async def test_a_stop_ends_the_wait_for_the_journal() -> None:
    scene = Scene(ScriptedJournal(mode=JournalMode.LOCKED))
    scene.journal.is_free.clear()
    async with scene.daemon:
        await pass_time(scene.clock, 5.0)
    assert scene.journal.is_closed
    assert scene.journal.entries == []


async def test_a_restart_goes_on_where_the_journal_ends() -> None:
    first = Scene()
    async with first.daemon:
        await pass_time(first.clock, 30.0)
    second = Scene(
        ScriptedJournal(Recollection(memory=first.journal.memory, until=START + 30)),
    )
    second.clock.advance(30.0)
    second.target.hold(first.target.deployments[CHAT])
    async with second.daemon:
        await pass_time(second.clock, 20.0)
        memory = second.daemon.engine.memory.deployments[CHAT]
    assert EventKind.ADOPTED not in second.events
    assert memory.adopted_at == first.journal.memory.deployments[CHAT].adopted_at
    assert (memory.user.min_replicas, memory.user.max_replicas) == (1, 10)


async def test_an_account_that_was_not_read_yet_does_not_look_deleted_after_a_restart() -> None:
    first = Scene()
    async with first.daemon:
        await pass_time(first.clock, 30.0)
    other = "accounts/other"
    second = Scene(
        ScriptedJournal(Recollection(memory=first.journal.memory, until=START + 30)),
        targets=[ScriptedTarget(ACCOUNT, list_failure=a_failure()), ScriptedTarget(other)],
    )
    async with second.daemon:
        await pass_time(second.clock, 60.0)
        assert second.ticks, "the account that can be read is decided for"
    assert EventKind.GONE not in second.events


async def test_an_account_that_left_the_settings_is_said_once_and_not_forgotten_as_deleted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = Scene()
    async with first.daemon:
        await pass_time(first.clock, 30.0)
    second = Scene(
        ScriptedJournal(Recollection(memory=first.journal.memory, until=START + 30)),
        targets=[ScriptedTarget("accounts/other")],
    )
    async with second.daemon:
        await pass_time(second.clock, 4000.0, step=5.0)
        assert CHAT in second.daemon.engine.memory.deployments
    assert EventKind.GONE not in second.events
    assert capsys.readouterr().out.count("deployments_out_of_reach") == 1


@pytest.mark.parametrize("is_there", [True, False])
async def test_what_the_first_list_lacks_after_a_restart_is_asked_for_by_name(
    is_there: bool,
) -> None:
    first = Scene()
    async with first.daemon:
        await pass_time(first.clock, 30.0)
    second = Scene(ScriptedJournal(Recollection(memory=first.journal.memory, until=START + 30)))
    hidden = second.target.deployments.pop(CHAT)
    if is_there:
        second.target.unlisted = {CHAT: hidden}
    async with second.daemon:
        await pass_time(second.clock, 5.0)
    assert (EventKind.GONE in second.events) is not is_there


class TestAnInterruptedWrite:
    """The order was to pin 4 where 1-10 stood."""

    def scene(self, found: Order, *, until: float = START) -> Scene:
        recollection = Recollection(unfinished=(found,), until=until)
        return Scene(ScriptedJournal(recollection))

    async def test_that_was_made_counts_as_applied_and_is_recognised_as_ours(self) -> None:
        scene = self.scene(an_order())
        scene.target.hold(a_deployment(replicas=4, min_replicas=4, max_replicas=4))
        scene.source.load = 38.0
        async with scene.daemon:
            await pass_time(scene.clock, 10.0)
        [ended] = [entry.outcome for entry in scene.journal.entries if isinstance(entry, Ended)]
        assert ended.status is WriteStatus.APPLIED
        assert EventKind.BOUNDS_CHANGED not in scene.events
        assert scene.target.writes == []

    async def test_that_was_not_seen_is_unknown_after_the_quiet_time_and_decided_anew(self) -> None:
        scene = self.scene(an_order())
        async with scene.daemon:
            await pass_time(scene.clock, QUIET_SECONDS - 1)
            assert scene.target.writes == [], "it may still be on its way"
            assert len(scene.daemon.status().deployments) == 1, "it is seen all the same"
            await pass_time(scene.clock, 30.0)
        first = next(entry.outcome for entry in scene.journal.entries if isinstance(entry, Ended))
        assert first.status is WriteStatus.UNKNOWN
        [write] = scene.target.writes
        assert write.to_replicas == 4, "6 are wanted, but what may have been made counts as a step"

    async def test_ends_although_every_run_since_was_shorter_than_the_quiet_time(self) -> None:
        order = replace(an_order(), at=START - SENT_SECONDS_MAX - QUIET_SECONDS)
        scene = self.scene(order, until=START - 1)  # a run before ours wrote a second ago
        async with scene.daemon:
            await pass_time(scene.clock, 10.0)
        first = next(entry.outcome for entry in scene.journal.entries if isinstance(entry, Ended))
        assert first.status is WriteStatus.UNKNOWN

    async def test_that_cannot_be_read_stays_in_flight_until_it_can(self) -> None:
        scene = self.scene(an_order())
        scene.target.read_failure = a_failure()
        async with scene.daemon:
            await pass_time(scene.clock, 300.0)
            assert scene.journal.of(Ended) == []
            assert scene.target.writes == []
            assert scene.daemon.status().journal.interrupted == 1
            scene.target.read_failure = None
            await pass_time(scene.clock, 30.0)
            assert scene.daemon.status().journal.interrupted == 0
        assert len(scene.target.writes) == 1

    async def test_whose_deployment_is_gone_is_not_applied(self) -> None:
        scene = self.scene(an_order())
        scene.target.deployments.clear()
        async with scene.daemon:
            await pass_time(scene.clock, 5.0)
        [ended] = [entry.outcome for entry in scene.journal.entries if isinstance(entry, Ended)]
        assert ended.status is WriteStatus.NOT_APPLIED

    async def test_leaves_other_deployments_alone(self) -> None:
        scene = self.scene(an_order(CODE))
        scene.target.hold(a_deployment(CODE))
        async with scene.daemon:
            await pass_time(scene.clock, 10.0)
        assert [order.deployment for order in scene.target.writes] == [CHAT]

    def test_of_long_ago_is_not_waited_for(self) -> None:
        outcome = judge(an_order(), a_deployment(), now=START, quiet_until=START - 1)
        assert outcome is not None
        assert outcome.status is WriteStatus.UNKNOWN

    def test_that_was_a_floor_may_have_a_higher_maximum(self) -> None:
        order = an_order(actuation=Actuation.FLOOR, min_replicas=4, max_replicas=10)
        found = a_deployment(min_replicas=4, max_replicas=12)
        outcome = judge(order, found, now=START, quiet_until=START + 60)
        assert outcome is not None
        assert outcome.status is WriteStatus.APPLIED

    def test_that_scaled_is_judged_by_the_count_asked_for(self) -> None:
        order = an_order(actuation=Actuation.SCALE, min_replicas=1, max_replicas=10)
        assert judge(order, a_deployment(replicas=2), now=START, quiet_until=START + 60) is None
        outcome = judge(order, a_deployment(replicas=4), now=START, quiet_until=START + 60)
        assert outcome is not None
        assert outcome.status is WriteStatus.APPLIED


async def test_an_order_of_a_policy_that_came_to_advise_meanwhile_is_not_sent() -> None:
    scene = Scene()
    gate = asyncio.Event()
    scene.target.during_read = gate.wait
    async with scene.daemon:
        await pass_time(scene.clock, 5.0)
        scene.daemon.engine.replace_policies([replace(a_policy(), mode=Mode.ADVISE)])
        gate.set()
        await settle()
    assert scene.target.writes == []
    assert [outcome.sentence for outcome in scene.outcomes][:1] == ["policy chat-prod only advises"]


async def test_the_journal_is_closed_after_the_last_end_of_an_order() -> None:
    scene = Scene()
    scene.target.during_write = lambda _: asyncio.sleep(0.05)
    async with scene.daemon:
        await pass_time(scene.clock, 5.0)
        assert scene.target.writing == [CHAT]
    assert scene.journal.is_closed
    assert scene.journal.of(Intended, Ended) == ["Intended", "Ended"]


def test_what_is_amiss_although_everything_is_kept_is_told_once_and_so_is_its_end() -> None:
    told: list[str | None] = []

    class Hearing(Listener):
        def journal_troubled(self, trouble: str | None) -> None:
            told.append(trouble)

        def journal_changed(self, status: JournalStatus) -> None:
            raise AssertionError(f"the mode is as it was: {status}")

    journal = ScriptedJournal()
    watch = JournalWatch(journal, Hearing())
    for trouble in (None, "the log cannot be written", "the log cannot be written", None, None):
        journal.trouble = trouble
        watch.look()
    assert told == ["the log cannot be written", None]
