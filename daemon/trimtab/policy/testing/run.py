"""Runs one policy test: the real engine, the test's own time, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from trimtab.core.decision import Hold, ScaleDown, ScaleUp
from trimtab.core.engine import Engine
from trimtab.core.lead_time import LeadTimes
from trimtab.core.signals import Sample
from trimtab.policy.testing.series import Mark
from trimtab.policy.testing.world import Fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.core.decision import Decision
    from trimtab.policy.testing.document import Expectation
    from trimtab.policy.testing.reader import PolicyTestCase

FAILURES_MAX = 20
"""Of one test: whoever sees twenty has seen enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One expectation that was not met, and the decision that did not meet it, if there was one."""

    line: int
    at_seconds: float
    expected: str
    actual: str
    decision: Decision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTestResult:
    """What came of one test. ``decisions`` is how many decisions were made."""

    test: PolicyTestCase
    failures: tuple[Failure, ...]
    decisions: int

    @property
    def is_ok(self) -> bool:
        """Whether every expectation was met."""
        return not self.failures


@dataclass(frozen=True, slots=True)
class _Seen:
    """One decision and how many replicas served when it was made."""

    at_seconds: float
    decision: Decision
    ready: int


def run_test(test: PolicyTestCase) -> PolicyTestResult:
    """Play the test through and compare every decision with what is expected of it."""
    seen = list(_play(test))
    failures: list[Failure] = []
    for line, expectation in zip(test.lines, test.spec.expect, strict=True):
        failures += _judge(line, expectation, seen)
    return PolicyTestResult(test=test, failures=tuple(failures[:FAILURES_MAX]), decisions=len(seen))


def _play(test: PolicyTestCase) -> Iterator[_Seen]:
    spec, begins_at = test.spec, test.begins_at
    fleet = Fleet((spec.deployment, *spec.others), begins_at)
    lead_times = LeadTimes(default_seconds=spec.deployment.lead_time)
    engine = Engine(test.policies, lead_times=lead_times, fleet=test.fleet)
    events = sorted(spec.events, key=lambda event: event.at)
    times = _agenda(test)
    while times:
        elapsed = _pop_all(times)
        now = begins_at + elapsed
        fleet.advance(now)
        while events and events[0].at <= elapsed:
            event = events.pop(0)
            fleet.happen(event, event.deployment or spec.deployment.name, now)
        engine = _without_ended(engine, test, elapsed, lead_times)
        tick = engine.step(now, dict(fleet.deployments), _samples(test, elapsed))
        for order in tick.orders:
            engine.record(fleet.apply(order, now))
        next_ready_at = fleet.next_ready_at()
        if next_ready_at is not None and next_ready_at - begins_at <= _end(test):
            heappush(times, next_ready_at - begins_at)
        for decision in tick.decisions:
            if decision.deployment == spec.deployment.name:
                ready = fleet.deployments[decision.deployment].pipeline.ready
                yield _Seen(elapsed, decision, ready)


def _end(test: PolicyTestCase) -> float:
    return max(expectation.span[1] for expectation in test.spec.expect)


def _agenda(test: PolicyTestCase) -> list[float]:
    """When something is due: samples, ticks, events, and whatever an expectation names."""
    spec, end = test.spec, _end(test)
    step = spec.evaluate or spec.interval
    times = {0.0, end}
    times.update(index * step for index in range(int(end / step) + 1))
    length = max((len(values) for values in test.series.values()), default=0)
    times.update(index * spec.interval for index in range(length))
    times.update(event.at for event in spec.events)
    times.update(time for expectation in spec.expect for time in expectation.span)
    return sorted(time for time in times if time <= end)


def _pop_all(times: list[float]) -> float:
    """The earliest time, however often it is on the agenda."""
    first = heappop(times)
    while times and times[0] == first:
        heappop(times)
    return first


def _index(test: PolicyTestCase, elapsed: float) -> int | None:
    """Which value of the series falls on this moment; ``None`` between two of them."""
    index = round(elapsed / test.spec.interval)
    return index if abs(index * test.spec.interval - elapsed) < 1e-6 else None


def _samples(test: PolicyTestCase, elapsed: float) -> list[Sample]:
    index = _index(test, elapsed)
    if index is None:
        return []
    name, now = test.spec.deployment.name, test.begins_at + elapsed
    return [
        Sample(name, signal, now, value)
        for signal, values in test.series.items()
        if index < len(values) and not isinstance(value := values[index], Mark)
    ]


def _without_ended(
    engine: Engine, test: PolicyTestCase, elapsed: float, lead_times: LeadTimes
) -> Engine:
    """The engine without the latest sample of each series that is ``stale`` now.

    A source cannot unsay a sample, so what the engine remembers is edited: through its memory, which
    restores it exactly.
    """
    index = _index(test, elapsed)
    ended = {
        signal
        for signal, values in test.series.items()
        if index is not None and index < len(values) and values[index] is Mark.STALE
    }
    memory = engine.memory.deployments.get(test.spec.deployment.name)
    if memory is None or not ended & set(memory.latest):
        return engine
    latest = {name: one for name, one in memory.latest.items() if name not in ended}
    edited = {
        **engine.memory.deployments,
        test.spec.deployment.name: memory._replace(latest=latest),
    }
    return Engine(
        test.policies,
        replace(engine.memory, deployments=edited),
        lead_times=lead_times,
        fleet=test.fleet,
    )


def _judge(line: int, expectation: Expectation, seen: list[_Seen]) -> Iterator[Failure]:
    first, last = expectation.span
    concerned = [one for one in seen if first <= one.at_seconds <= last]
    if not concerned:
        yield Failure(
            line=line,
            at_seconds=first,
            expected=in_words(expectation),
            actual="no decision: the deployment does not exist then",
        )
    for one in concerned:
        if not _meets(expectation, one):
            yield Failure(
                line=line,
                at_seconds=one.at_seconds,
                expected=in_words(expectation),
                actual=_actual(one),
                decision=one.decision,
            )
            return  # the first of a stretch tells the story


def _word(decision: Decision) -> str:
    match decision.verdict:
        case ScaleUp():
            return "scale-up"
        case ScaleDown():
            return "scale-down"
        case Hold():
            return "hold"


def _meets(expectation: Expectation, seen: _Seen) -> bool:
    decision, desired = seen.decision, seen.decision.desired
    return all(
        (
            expectation.verdict in (None, _word(decision)),
            expectation.desired in (None, desired),
            expectation.at_least is None or desired >= expectation.at_least,
            expectation.at_most is None or desired <= expectation.at_most,
            expectation.current in (None, decision.current),
            expectation.ready in (None, seen.ready),
            expectation.reason in (None, decision.verdict.reason),
            expectation.rule in (None, decision.rule),
        )
    )


def in_words(expectation: Expectation) -> str:
    """What is expected, as one line."""
    parts: list[str] = [expectation.verdict or ""]
    if expectation.desired is not None:
        parts.append(f"desired {expectation.desired}")
    if expectation.at_least is not None:
        parts.append(f"desired ≥ {expectation.at_least}")
    if expectation.at_most is not None:
        parts.append(f"desired ≤ {expectation.at_most}")
    if expectation.current is not None:
        parts.append(f"current {expectation.current}")
    if expectation.ready is not None:
        parts.append(f"ready {expectation.ready}")
    if expectation.reason is not None:
        parts.append(f"reason {expectation.reason.value}")
    if expectation.rule is not None:
        parts.append(f"rule {expectation.rule}")
    return ", ".join(part for part in parts if part)


def _actual(seen: _Seen) -> str:
    decision = seen.decision
    rule = f", rule {decision.rule}" if decision.rule else ""
    return (
        f"{_word(decision)}, desired {decision.desired}, current {decision.current}, "
        f"ready {seen.ready}, reason {decision.verdict.reason.value}{rule}"
    )
