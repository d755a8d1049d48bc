"""Rules that begin with no memory, and a source that knows what was before them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sin
from random import Random
from typing import Any

import pytest
from scripted_world import ACCOUNT, START, ScriptedSource, ScriptedTarget, a_deployment, a_policy
from test_journalled import ScriptedJournal

from trimtab.clock import ManualClock
from trimtab.core.decision import Tick
from trimtab.core.forecast.known import Known
from trimtab.core.past import Span
from trimtab.core.policy import Rule
from trimtab.core.roles import Role
from trimtab.core.signals import Per, Sample, SignalSpec
from trimtab.core.strategies.capacity import Capacity
from trimtab.errors import ErrorKind, SourceError
from trimtab.journal.entries import Primed
from trimtab.service.circuits import guarded
from trimtab.service.daemon import Daemon
from trimtab.service.primer import ATTEMPTS_MAX, stretches
from trimtab.sources.asking import Question, questions
from trimtab.sources.port import PastSeries, Recount

NAMES = [f"{ACCOUNT}/deployments/d{number}" for number in range(3)]
REQUESTS = SignalSpec(name="load", source="gateway", query="rps", max_age_seconds=120.0)


def load_at(at: float) -> float:
    return 30.0 + 10.0 * sin(at / 13_000.0)


@dataclass
class RecountingSource(ScriptedSource):
    """Also knows the past, back to ``begins_at``; fails as scripted, and may take a while."""

    history_seconds: float = 7200.0
    begins_at: float = 0.0
    recount_failures: list[Exception] = field(default_factory=list)
    is_free: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[tuple[str, float, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.is_free.set()

    async def poll(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        self.load = load_at(self.clock.now())
        return await ScriptedSource.poll(self, wanted)

    async def recount(self, question: Question, start: float, end: float, step: float) -> Recount:
        self.asked.append((question.text, start, end, step))
        await self.is_free.wait()
        if self.recount_failures:
            raise self.recount_failures.pop(0)
        until = min(end, start + 99.0 * step)
        times = [start + step * place for place in range(int((until - start) / step) + 1)]
        points = tuple((at, load_at(at)) for at in times if at >= self.begins_at)
        series = [
            PastSeries(name, signal, points)
            for name, signals in question.signals.items()
            for signal in signals
        ]
        return Recount(tuple(series), until)


def capacity(**changes: Any) -> Capacity:
    return Capacity(**{"requests": "load", "requests_per_second": 10.0} | changes)


def with_capacity(strategy: Capacity | None = None, spec: SignalSpec = REQUESTS) -> Any:
    rule = Rule(name="ahead", role=Role.DEMAND, strategy=strategy or capacity())
    return a_policy(signals=(spec,), rules=(rule,))


class Scene:
    """Three deployments that nothing is remembered of, under a policy that orders ahead."""

    def __init__(self, *, source: Any = None, policy: Any = None, **changes: Any) -> None:
        self.clock = ManualClock(START)
        self.journal = ScriptedJournal()
        self.source = source or RecountingSource(self.clock)
        self.source.clock = self.clock
        self.target = ScriptedTarget().hold(*(a_deployment(name) for name in NAMES))
        self.ticks: list[Tick] = []
        self.daemon = Daemon(
            clock=self.clock,
            targets=[self.target],
            sources=[self.source],
            policies=[policy or with_capacity()],
            journal=self.journal,
            random=Random(1),
            on_tick=self.ticks.append,
            **changes,
        )

    async def pass_time(self, seconds: float, *, turns: int = 800) -> None:
        for _ in range(int(seconds)):
            self.clock.advance(1.0)
            for _ in range(turns):
                await asyncio.sleep(0)

    def ticks_known(self, name: str = NAMES[0]) -> int:
        memory = self.daemon.engine.remembered(name)
        assert memory is not None
        match memory.rules.get("ahead"):
            case [_, remembered]:
                known = Known.recalled(remembered)
                return (
                    0 if known is None or known.experience is None else known.experience.tally.ticks
                )
        return 0

    def count(self, outcome: str) -> float:
        value = self.daemon.instruments.registry.get_sample_value(
            "trimtab_history_rules_total", {"source": "gateway", "outcome": outcome}
        )
        return value or 0.0


async def test_a_rule_that_begins_with_nothing_soon_knows_what_was() -> None:
    scene = Scene()
    async with scene.daemon:
        await scene.pass_time(40)
        assert [scene.ticks_known(name) >= 480 for name in NAMES] == [True] * 3
        assert scene.count("primed") == 3.0


async def test_one_question_asks_for_all_deployments_and_never_beyond_now() -> None:
    scene = Scene()
    async with scene.daemon:
        await scene.pass_time(40)
    assert {text for text, *_ in scene.source.asked} == {"rps"}
    assert len(scene.source.asked) < 6, "however many deployments there are"
    assert all(end <= scene.clock.now() for _, _, end, _ in scene.source.asked)
    assert min(start for _, start, _, _ in scene.source.asked) >= START - 7200.0 - 300.0


async def test_decisions_do_not_wait_for_a_past_that_does_not_come() -> None:
    scene = Scene()
    scene.source.is_free.clear()
    async with scene.daemon:
        await scene.pass_time(60, turns=50)
        assert scene.source.asked
        decided = {one.deployment for tick in scene.ticks for one in tick.decisions}
        assert decided == set(NAMES)
        assert scene.ticks_known() >= 1, "what comes is learned from meanwhile"
        scene.source.is_free.set()
        await scene.pass_time(20)
        assert scene.ticks_known() >= 480


async def test_a_past_that_comes_late_and_what_was_lived_make_one_memory() -> None:
    scene = Scene()
    scene.source.is_free.clear()
    async with scene.daemon:
        await scene.pass_time(400, turns=50)
        lived = scene.ticks_known()
        scene.source.is_free.set()
        await scene.pass_time(20)
        both = scene.ticks_known()
    assert lived >= 20
    # Two hours before the asking, and what was lived since: no gap, and nothing twice.
    assert both == pytest.approx(480 + 28, abs=4)


async def test_what_is_learned_is_journalled_and_the_journal_stands_where_the_engine_does() -> None:
    scene = Scene()
    async with scene.daemon:
        await scene.pass_time(40)
        assert scene.journal.memory.deployments == scene.daemon.engine.memory.deployments
    primed = [one for one in scene.journal.entries if isinstance(one, Primed)]
    assert {one.deployment for one in primed} == set(NAMES)


async def test_what_passes_is_tried_again() -> None:
    scene = Scene()
    scene.source.recount_failures = [SourceError("busy", kind=ErrorKind.TIMEOUT)] * 2
    async with scene.daemon:
        await scene.pass_time(60)
        assert scene.count("primed") == 3.0
        assert scene.count("failed") == 0.0


@pytest.mark.parametrize(
    ("kind", "times"), [(ErrorKind.TIMEOUT, ATTEMPTS_MAX), (ErrorKind.REJECTED, 1)]
)
async def test_what_does_not_pass_is_given_up_and_told_once(
    kind: ErrorKind, times: int, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = Scene()
    scene.source.recount_failures = [SourceError("no", kind=kind)] * 100
    async with scene.daemon:
        await scene.pass_time(700, turns=30)
        assert len(scene.source.asked) == times
        assert scene.count("failed") == 3.0
        assert scene.ticks_known() > 20, "and it learns from what comes"
        status = scene.daemon.status().circuits
        assert {one.state for one in status} == {"closed"}, "the past must not cost the present"
    assert capsys.readouterr().out.count("history_failed") == 1


async def test_failures_of_the_past_never_open_the_circuit_of_the_present() -> None:
    clock = ManualClock(START)
    source = RecountingSource(clock)
    source.recount_failures = [SourceError("no", kind=ErrorKind.TIMEOUT)] * 10
    _, (one,) = guarded([], [source], clock, Random(1), on_change=lambda _: None)
    (question,) = questions({NAMES[0]: [REQUESTS]})
    for _ in range(10):
        with pytest.raises(SourceError, match="no"):
            await one.recount(question, 0.0, 60.0, 60.0)
    assert one.circuit.status.state == "closed"


async def test_after_a_change_of_policies_it_is_tried_again() -> None:
    scene = Scene()
    scene.source.recount_failures = [SourceError("no", kind=ErrorKind.REJECTED)]
    async with scene.daemon:
        await scene.pass_time(30)
        assert scene.count("failed") == 3.0
        changed = replace(with_capacity(), name="another")
        await asyncio.gather(
            scene.daemon._deciding.controller.put_in_force((changed,), {}),
            scene.pass_time(40),
        )
        assert scene.count("primed") == 3.0


async def test_without_enough_of_a_past_everything_stays_as_it_is() -> None:
    scene = Scene()
    scene.source.begins_at = START - 600.0
    async with scene.daemon:
        await scene.pass_time(40)
        assert scene.count("nothing") == 3.0
        assert scene.ticks_known() < 10


@pytest.mark.parametrize(
    "source", [RecountingSource(None, history_seconds=0.0), ScriptedSource(None)]
)
async def test_a_source_without_a_past_is_asked_for_none(source: Any) -> None:
    scene = Scene(source=source)
    async with scene.daemon:
        await scene.pass_time(30, turns=50)
        assert scene.count("nothing") == 0.0, "nobody even looked"
    assert getattr(source, "asked", []) == []


async def test_a_deployment_that_comes_later_is_asked_for_alone() -> None:
    scene = Scene()
    newcomer = f"{ACCOUNT}/deployments/new"
    async with scene.daemon:
        await scene.pass_time(40)
        scene.source.asked.clear()
        scene.target.hold(a_deployment(newcomer))
        await scene.pass_time(60)
        assert scene.ticks_known(newcomer) >= 480
        assert scene.count("primed") == 4.0


async def test_a_signal_counted_over_each_replica_is_not_asked_for() -> None:
    """How many served then, nobody knows."""
    scene = Scene(policy=with_capacity(spec=replace(REQUESTS, per=Per.REPLICA)))
    async with scene.daemon:
        await scene.pass_time(30, turns=50)
    assert scene.source.asked == []


def test_stretches_meet_and_never_overlap_nor_reach_beyond_now() -> None:
    spans = (Span(14 * 86_400.0, 300.0), Span(86_400.0, 60.0))
    now = 1_000_123.0
    coarse, fine = stretches(spans, now, 30 * 86_400.0)
    assert coarse[1] + 60.0 == fine[0]
    assert now - 60.0 < fine[1] <= now
    assert all(at % step == 0.0 for start, end, step in (coarse, fine) for at in (start, end))


def test_a_source_that_is_asked_for_less_than_the_last_span_is_asked_for_that_alone() -> None:
    spans = (Span(14 * 86_400.0, 300.0), Span(86_400.0, 60.0))
    (only,) = stretches(spans, 1_000_123.0, 3600.0)
    assert only[2] == 60.0
