from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from scripted_world import CHAT, START, a_deployment, a_failure, a_policy, a_reading, an_order

from trimtab.clock import ManualClock
from trimtab.core.decision import Outcome, Reason, WriteStatus
from trimtab.core.deployment import State
from trimtab.core.engine import Engine
from trimtab.core.signals import Sample
from trimtab.errors import ErrorKind, TargetError
from trimtab.service import line_budget
from trimtab.service.controller import Evaluation
from trimtab.service.fleet import Reading, Trouble
from trimtab.service.fleet_quotas import FleetQuotas
from trimtab.service.line_budget import (
    LINES_BURST,
    LINES_PER_SECOND,
    SUMMARY_SECONDS,
    LineBudget,
)
from trimtab.service.logs import Lines, configure_logs
from trimtab.service.narrator import NAMES_TOLD_MAX, Narrator, some_of
from trimtab.service.observer import Poll
from trimtab.service.withholding import Withheld, Withholding
from trimtab.targets.port import AccountQuotas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.core.account_quotas import QuotaReading


class Book:
    """A narrator that writes JSON lines into memory."""

    def __init__(self) -> None:
        self.stream = StringIO()
        self.clock = ManualClock(START)
        configure_logs(self.clock, stream=self.stream)
        self.narrator = Narrator(15.0, 0.5)
        self.engine = Engine([a_policy()])

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]

    def evaluate_fleet(self, count: int, load: float | None = None, **deployment: Any) -> None:
        self.clock.advance(1.0)
        now = self.clock.now()
        fleet = {f"d{one}": a_deployment(f"d{one}", **deployment) for one in range(count)}
        samples = [] if load is None else [Sample(one, "load", now, load) for one in fleet]
        tick = self.engine.step(now, fleet, samples)
        self.narrator.evaluated(Evaluation(tick=tick, took_seconds=0.001))

    def evaluate(self, load: float | None = None, **deployment: Any) -> None:
        self.clock.advance(1.0)
        now = self.clock.now()
        fleet = {CHAT: a_deployment(**deployment)}
        samples = [] if load is None else [Sample(CHAT, "load", now, load)]
        tick = self.engine.step(now, fleet, samples)
        self.narrator.evaluated(Evaluation(tick=tick, took_seconds=0.001))


BURST = 50


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> Iterator[Book]:
    monkeypatch.setattr(line_budget, "LINES_BURST", BURST)
    yield Book()
    structlog.reset_defaults()


def test_a_line_begins_with_time_level_and_event(book: Book) -> None:
    book.evaluate(20.0)
    assert list(book.lines[0])[:3] == ["time", "level", "event"]
    assert book.lines[0]["time"] == "2026-01-01T00:00:01.000+00:00"


def test_a_repeated_hold_is_told_once_and_again_when_its_reason_changes(book: Book) -> None:
    for _ in range(5):
        book.evaluate(20.0)
    for _ in range(5):
        book.evaluate(20.0, state=State.FAILED)
    book.evaluate(20.0)
    holds = [line["reason"] for line in book.lines if line["event"] == "hold"]
    assert holds == ["steady", "failed", "steady"]


def test_a_decision_is_told_with_what_it_rests_on(book: Book) -> None:
    book.evaluate(58.0)
    book.evaluate(58.0)
    [line] = [line for line in book.lines if line["event"] == "decision"]
    assert line["deployment"] == CHAT
    assert (line["verdict"], line["reason"]) == ("scale up", "demand")
    assert (line["current"], line["desired"], line["wanted"]) == (2, 6, 6)
    assert line["sentence"].startswith("scale up 2 → 6: ")


def test_events_are_told_and_a_deployment_that_comes_back_is_told_anew(book: Book) -> None:
    book.evaluate(20.0)
    tick = book.engine.step(book.clock.now() + 1, {}, [])
    book.narrator.evaluated(Evaluation(tick=tick, took_seconds=0.001))
    book.evaluate(20.0)
    assert book.events() == ["adopted", "hold", "gone", "returned", "hold"]


@pytest.mark.parametrize(
    ("reason", "level"),
    [
        (Reason.STEADY, "info"),
        (Reason.FAILED, "warning"),
        (Reason.UNKNOWN_STATE, "warning"),
        (Reason.INVARIANT, "error"),
    ],
)
def test_a_hold_is_as_loud_as_it_is_grave(book: Book, reason: Reason, level: str) -> None:
    tick = book.engine.step(START, {CHAT: a_deployment()}, [Sample(CHAT, "load", START, 20.0)])
    [decision] = tick.decisions
    held = decision._replace(verdict=replace(decision.verdict, reason=reason))
    tick = replace(tick, decisions=(held,), events=())
    book.narrator.evaluated(Evaluation(tick=tick, took_seconds=0.0))
    assert [line["level"] for line in book.lines] == [level]


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (WriteStatus.APPLIED, "info"),
        (WriteStatus.VOID, "info"),
        (WriteStatus.NOT_APPLIED, "warning"),
        (WriteStatus.UNKNOWN, "warning"),
    ],
)
def test_every_write_is_told_with_its_outcome(book: Book, status: WriteStatus, level: str) -> None:
    outcome = Outcome(order=an_order(), at=START, status=status, sentence="so it went")
    book.narrator.wrote(outcome)
    [line] = book.lines
    assert (line["event"], line["level"], line["outcome"]) == ("write", level, status.value)
    assert (line["from_replicas"], line["to_replicas"]) == (2, 4)


def test_a_withheld_order_is_told_once_while_nothing_about_it_changes(book: Book) -> None:
    tick = book.engine.step(START, {}, [])

    def withheld(sentence: str) -> None:
        one = Withholding(order=an_order(), reason=Withheld.BACKING_OFF, sentence=sentence)
        book.narrator.evaluated(Evaluation(tick=tick, took_seconds=0.0, withheld=(one,)))

    for sentence in ("quota", "quota", "refused", "refused"):
        withheld(sentence)
    assert [line["sentence"] for line in book.lines] == ["quota", "refused"]


def test_a_failing_source_is_told_once_per_change_of_state(book: Book) -> None:
    def polled(kind: ErrorKind | None, words: str = "") -> None:
        book.narrator.polled(
            Poll(
                source="fireworks",
                endpoint="accounts/acme",
                at=START,
                took_seconds=0.1,
                trouble=words or None,
                error_kind=kind,
            )
        )

    polled(None)
    polled(ErrorKind.TIMEOUT, "no answer within 5 s")
    polled(ErrorKind.TIMEOUT, "no answer within 6 s")
    polled(ErrorKind.UNAUTHENTICATED, "bad key")
    polled(None)
    polled(None)
    assert book.events() == ["source_failed", "source_failed", "source_recovered"]
    assert [line.get("error_kind") for line in book.lines] == ["timeout", "unauthenticated", None]


def test_a_failing_target_says_how_old_the_view_is_that_stays_in_force(book: Book) -> None:
    trouble = Trouble(since=START, kind=ErrorKind.UNAVAILABLE, sentence="away")
    for _ in range(3):
        book.narrator.fleet_read(
            Reading(target="accounts/acme", trouble=trouble, view_age_seconds=42.0)
        )
    book.narrator.fleet_read(Reading(target="accounts/acme"))
    assert book.events() == ["target_failed", "target_recovered"]
    assert book.lines[0]["view_age_seconds"] == 42.0


def test_quotas_are_told_when_they_are_other_than_before_and_when_they_cannot_be_read(
    book: Book,
) -> None:
    quotas = FleetQuotas(["accounts/acme"])

    def told(*readings: QuotaReading, not_understood: tuple[str, ...] = ()) -> None:
        quotas.take(
            "accounts/acme",
            AccountQuotas(at=START, readings=readings, not_understood=not_understood),
        )
        book.narrator.quotas_read(quotas.status("accounts/acme"))

    told(a_reading(16, used=4.0))
    told(a_reading(16, used=8.0))  # what is in use changes all the time
    for _ in range(2):
        quotas.fail("accounts/acme", a_failure(ErrorKind.FORBIDDEN), START)
        book.narrator.quotas_read(quotas.status("accounts/acme"))
    told(a_reading(32), not_understood=("global--gb300-count",))
    assert book.events() == ["quotas", "quotas_failed", "quotas_recovered", "quotas"]
    assert book.lines[0]["accelerators"] == {"NVIDIA_H100_80GB": 16}
    assert book.lines[3]["accelerators"] == {"NVIDIA_H100_80GB": 32}
    assert book.lines[3]["not_understood"] == ["global--gb300-count"]


def test_a_task_that_ended_is_told_with_its_traceback_for_who_mends_it(book: Book) -> None:
    with pytest.raises(TargetError) as caught:
        raise a_failure()
    book.narrator.task_ended("read the fleet", caught.value, 1.5)
    [line] = book.lines
    assert line["error"] == "TargetError: the control plane is away"
    assert "Traceback" in line["exception"]


def test_an_evaluation_slower_than_half_a_second_is_told(book: Book) -> None:
    tick = book.engine.step(START, {}, [])
    book.narrator.evaluated(Evaluation(tick=tick, took_seconds=0.49))
    book.narrator.evaluated(Evaluation(tick=tick, took_seconds=0.51))
    assert book.events() == ["slow_evaluation"]


def test_the_level_decides_what_is_written() -> None:
    stream = StringIO()
    configure_logs(ManualClock(START), level="warning", stream=stream)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    structlog.reset_defaults()
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_the_console_form_is_for_people() -> None:
    stream = StringIO()
    configure_logs(ManualClock(START), form="console", stream=stream)
    structlog.get_logger().info("started", version="1")
    structlog.reset_defaults()
    assert stream.getvalue().startswith("2026-01-01T00:00:00.000+00:00 [info     ] started")


def test_a_fleet_that_changes_at_once_is_told_of_in_sums(book: Book) -> None:
    count = BURST * 2
    book.evaluate_fleet(count, 20.0)
    for _ in range(int(SUMMARY_SECONDS) + 1):
        book.evaluate_fleet(count, 20.0)
    told = [line for line in book.lines if line["event"] in {"hold", "adopted"}]
    sums = [line for line in book.lines if line["event"] == "lines_left_out"]
    assert len(told) == BURST
    assert sum(line["count"] for line in sums) == 2 * count - BURST
    assert sums[0]["of"] == {"adopted": count - BURST, "hold steady": count}
    assert sums[0]["level"] == "info"


def test_alarms_of_a_whole_fleet_are_summed_apart_from_what_is_merely_noticed(book: Book) -> None:
    count = BURST + 100
    book.evaluate_fleet(count, 20.0)
    for _ in range(int(SUMMARY_SECONDS) + 1):
        book.evaluate_fleet(count, 20.0, state=State.FAILED)
    warnings = [line for line in book.lines if line["level"] == "warning"]
    assert [line["event"] for line in warnings[:BURST]] == ["hold"] * BURST
    assert (warnings[-1]["event"], warnings[-1]["of"]) == ("lines_left_out", {"hold failed": 100})


def test_every_move_is_told_however_many_there_are(book: Book) -> None:
    count = BURST * 2
    book.evaluate_fleet(count, 20.0)
    book.evaluate_fleet(count, 58.0)
    assert book.events().count("decision") == count


def test_room_for_lines_comes_back_with_time() -> None:
    budget = LineBudget()

    def lines_at(seconds: float) -> int:
        return sum(budget.spend(START + seconds, "hold steady") for _ in range(LINES_BURST * 2))

    assert [lines_at(0.0), lines_at(0.0)] == [LINES_BURST, 0]
    assert lines_at(1.0) == LINES_PER_SECOND
    assert lines_at(3600.0) == LINES_BURST


def test_a_clock_that_is_set_back_takes_no_lines_away() -> None:
    budget = LineBudget()
    for _ in range(LINES_BURST + 1):
        budget.spend(START, "hold steady")
    assert not budget.spend(START - 3600.0, "hold steady")
    assert budget.take_left_out(START - 3600.0) == {"hold steady": 2}
    assert budget.spend(START - 3599.0, "hold steady")


def test_a_line_names_a_few_and_counts_the_rest() -> None:
    names = [f"p{number}" for number in range(NAMES_TOLD_MAX + 5)]
    assert some_of(names[:2]) == ["p0", "p1"]
    assert some_of(names[:NAMES_TOLD_MAX]) == names[:NAMES_TOLD_MAX]
    assert some_of(names) == [*names[:NAMES_TOLD_MAX], "and 5 more"]


def test_a_full_disk_under_the_log_stops_nobody_from_scaling() -> None:
    full = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115  closing it fails as well
    lines = Lines(full)
    lines.msg("lost")
    lines.msg("lost as well")
    with suppress(OSError):
        full.close()


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("latin-1", b"caf\xe9 \\u65e5 \\udcff\n"),
        ("ascii", b"caf\\xe9 \\u65e5 \\udcff\n"),
        ("utf-8", "caf\u00e9 \u65e5 \\udcff\n".encode()),
    ],
)
def test_what_the_output_has_no_letters_for_is_escaped(encoding: str, written: bytes) -> None:
    file = BytesIO()
    out = TextIOWrapper(file, encoding=encoding, newline="\n")
    Lines(out).msg("caf\u00e9 \u65e5 \udcff")
    assert file.getvalue() == written
