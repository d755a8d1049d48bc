"""Pages of decisions: following the cursors shows every row once, whatever is written meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.decision import Decision, Hold, Reason, ScaleUp
from trimtab.core.policy import Mode
from trimtab.journal import file_reading, past_reader
from trimtab.journal.decision_runs import DecisionRuns, counting_on
from trimtab.journal.past_reader import PastReader, RunsWanted
from trimtab.journal.schema import migrate

START = 1_767_225_600.0
PAGES_MAX = 100
"""More than any of these journals has; a walk that does not end has been sent in circles."""

NAMES = ("accounts/acme/deployments/chat", "accounts/acme/deployments/code")


def a_decision(number: int, name: str, reason: Reason) -> Decision:
    return Decision(
        deployment=name,
        policy="chat",
        mode=Mode.ENFORCE,
        at=START + number,
        verdict=ScaleUp(reason) if reason is Reason.DEMAND else Hold(reason),
        current=number,
        desired=number + (reason is Reason.DEMAND),
        wanted=None,
        bounds=None,
        sentence=f"decision {number}",
        trail=(),
    )


class Journal:
    """Runs of decisions, each another one, written to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = OFF")  # no test of disks
        migrate(self._connection, path)
        self._runs = DecisionRuns(counting_on(self._connection))
        self.written: list[Decision] = []

    def write(self, kinds: list[tuple[str, Reason]]) -> None:
        for name, reason in kinds:
            decision = a_decision(len(self.written), name, reason)
            self._runs.take_in([decision], len(self.written))
            self.written.append(decision)
        self._runs.write(self._connection)

    def close(self) -> None:
        self._connection.close()

    def page(self, wanted: RunsWanted) -> tuple[list[past_reader.RunRow], int | None]:
        with PastReader(self.path) as reader:
            return reader.page(wanted)


kind = st.tuples(st.sampled_from(NAMES), st.sampled_from([Reason.STEADY, Reason.DEMAND]))


@settings(max_examples=60)
@given(
    st.lists(kind, min_size=8, max_size=20),
    st.lists(st.lists(kind, max_size=5), max_size=6),
    st.integers(1, 9),
    st.integers(1, 5),
    st.sampled_from([None, NAMES[0]]),
    st.sampled_from([None, Reason.DEMAND]),
)
def test_no_row_is_shown_twice_or_lost_while_new_ones_arrive(
    there: list[tuple[str, Reason]],
    batches: list[list[tuple[str, Reason]]],
    limit: int,
    scanned_at_once: int,
    deployment: str | None,
    reason: Reason | None,
) -> None:
    """Caught `d.id <= ?` (in circles), `bottom - 1` for `bottom` (lost), and no cursor on a page cut short (lost)."""
    with (
        TemporaryDirectory() as folder,
        closing(Journal(Path(folder) / "journal.db")) as journal,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(past_reader, "SCANNED_AT_ONCE", scanned_at_once)
        journal.write(there)
        expected = [
            one.sentence
            for one in reversed(journal.written)
            if deployment in (None, one.deployment) and reason in (None, one.verdict.reason)
        ]
        shown: list[str] = []
        before: int | None = None
        arriving = iter(batches)
        for _ in range(PAGES_MAX):
            wanted = RunsWanted(
                deployment=deployment,
                reason=None if reason is None else reason.value,
                before=before,
                limit=limit,
            )
            rows, before = journal.page(wanted)
            assert len(rows) <= limit
            shown += [row.sentence for row in rows]
            if before is None:
                break
            journal.write(next(arriving, []))
        assert shown == expected


def test_a_page_may_end_before_it_is_full_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So much is looked through at once: a rare reason in a long journal costs several requests, not one long one."""
    monkeypatch.setattr(past_reader, "SCANNED_AT_ONCE", 10)
    monkeypatch.setattr(past_reader, "SCAN_SECONDS", -1.0)
    with closing(Journal(tmp_path / "journal.db")) as journal:
        journal.write([(NAMES[0], Reason.DEMAND), *[(NAMES[1], Reason.STEADY)] * 39])
        wanted = RunsWanted(reason="demand", limit=5)
        pages = [journal.page(wanted)]
        while (before := pages[-1][1]) is not None:
            pages.append(journal.page(RunsWanted(reason="demand", limit=5, before=before)))
        assert [len(rows) for rows, _ in pages] == [0, 0, 0, 1]


def test_a_question_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_reader, "QUESTION_SECONDS", -1.0)
    monkeypatch.setattr(file_reading, "STEPS_BETWEEN_LOOKS", 1)
    with closing(Journal(tmp_path / "journal.db")) as journal:
        journal.write([(NAMES[0], Reason.DEMAND)])
        with pytest.raises(past_reader.PastTooLargeError, match="ask for less time"):
            journal.page(RunsWanted())
