"""What the daemon did, told: the latest in words, everything in counts."""

import pytest

from trimtab.cli.demo.chronicle import ENTRIES_MAX, Chronicle, Kind, because
from trimtab.core.decision import (
    Decision,
    Event,
    EventKind,
    Hold,
    Order,
    Outcome,
    Reason,
    ScaleUp,
    Tick,
    Verdict,
    WriteStatus,
)
from trimtab.core.policy import Actuation, Mode

NAME = "accounts/demo/deployments/chat-8b"


def decision(verdict: Verdict, *, current: int = 4, desired: int = 4) -> Decision:
    return Decision(
        deployment=NAME, policy="p", mode=Mode.ENFORCE, at=60.0, verdict=verdict, current=current,
        desired=desired, wanted=desired, bounds=None, trail=(),
        sentence=f"{verdict} {current} → {desired}: requests 80 in all: wants {desired}",
    )  # fmt: skip


def outcome(before: int, after: int, status: WriteStatus = WriteStatus.APPLIED) -> Outcome:
    order = Order(
        deployment=NAME, policy="p", at=60.0, actuation=Actuation.PIN, from_replicas=before,
        to_replicas=after, min_replicas=after, max_replicas=after, expected_state="READY",
        expected_min_replicas=before, expected_max_replicas=before, lower=1, upper=12,
        user_min_replicas=1, user_max_replicas=12, reason=Reason.DEMAND,
        sentence=f"scale {before} → {after}: requests 80 in all",
    )  # fmt: skip
    return Outcome(order=order, at=61.0, status=status, sentence="the server said so")


def test_a_decision_counts_as_one_that_changed_something_when_its_write_was_applied() -> None:
    chronicle = Chronicle()
    chronicle.take_outcome(outcome(4, 6))
    chronicle.take_outcome(outcome(6, 5))
    assert (chronicle.decisions, chronicle.scale_ups, chronicle.scale_downs) == (2, 1, 1)
    assert [(entry.kind, entry.before, entry.after) for entry in chronicle.entries] == [
        (Kind.UP, 4, 6),
        (Kind.DOWN, 6, 5),
    ]
    assert chronicle.entries[0].sentence == "requests 80 in all"


@pytest.mark.parametrize("status", [WriteStatus.NOT_APPLIED, WriteStatus.UNKNOWN, WriteStatus.VOID])
def test_a_write_that_was_not_applied_changed_nothing_and_is_told_as_a_setback(
    status: WriteStatus,
) -> None:
    chronicle = Chronicle()
    chronicle.take_outcome(outcome(4, 6, status))
    assert chronicle.decisions == 0
    (entry,) = chronicle.entries
    assert entry.kind is Kind.SETBACK
    assert entry.sentence == f"{status.value.replace('_', ' ')}: the server said so"


def test_holds_are_counted_by_reason_and_not_told() -> None:
    chronicle = Chronicle()
    held = Tick(at=60.0, decisions=(decision(Hold(Reason.STEADY)),))
    chronicle.take_tick(held)
    chronicle.take_tick(held)
    assert chronicle.holds == {"steady": 2}
    assert chronicle.evaluations == 2
    assert not chronicle.entries


def test_advice_is_told_once_for_each_count_it_would_have() -> None:
    chronicle = Chronicle()
    for desired in (6, 6, 7):
        advice = decision(ScaleUp(Reason.DEMAND), desired=desired)
        chronicle.take_tick(Tick(at=60.0, decisions=(advice,)))
    assert [(entry.kind, entry.after) for entry in chronicle.entries] == [
        (Kind.ADVICE, 6),
        (Kind.ADVICE, 7),
    ]
    assert chronicle.decisions == 0


def test_events_and_the_platforms_own_moves_are_told() -> None:
    chronicle = Chronicle()
    event = Event(deployment=NAME, at=60.0, kind=EventKind.ADOPTED, sentence="adopted")
    chronicle.take_tick(Tick(at=60.0, events=(event,)))
    chronicle.take_platform_move(61.0, NAME, 4, 5)
    assert [entry.kind for entry in chronicle.entries] == [Kind.EVENT, Kind.EVENT]
    assert chronicle.decisions == 0


def test_whoever_prints_entries_gets_each_once_and_old_ones_are_dropped() -> None:
    chronicle = Chronicle()
    for _ in range(ENTRIES_MAX + 10):
        chronicle.take_outcome(outcome(4, 6))
    told = chronicle.told
    assert len(chronicle.untold(0)) == ENTRIES_MAX
    assert chronicle.untold(told) == ()
    chronicle.take_outcome(outcome(6, 4))
    assert [entry.kind for entry in chronicle.untold(told)] == [Kind.DOWN]


def test_a_sentence_without_reasons_is_told_whole() -> None:
    assert because("scale up 4 → 5: because: of this") == "because: of this"
    assert because("nothing to split") == "nothing to split"
