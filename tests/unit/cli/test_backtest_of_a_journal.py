"""``trimtab backtest --journal``: the recorded past again, with the policy of then and with others."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds.journal_world import POLICY, START, Life, name_of

from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.past_journal import read_journal
from trimtab.cli.past_roles import Roles
from trimtab.clock import ManualClock
from trimtab.core.decision import WriteStatus
from trimtab.journal.entries import Entry
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker
from trimtab.policy import read_policy_texts
from trimtab.simulation.backtest.courses import Lived
from trimtab.simulation.backtest.past import Recording
from trimtab.simulation.backtest.rerun import rerun

SAME = read_policy_texts([("chat.yaml", POLICY)]).policies


def journal_of(
    path: Path, happen: Callable[[Life], None], *, deployments: int = 3, begins_at: float = START
) -> None:
    """Write a journal of a life in which ``happen`` happens, or go on with one that is there."""

    async def live() -> None:
        clock = ManualClock(begins_at)
        journal = SqliteJournal(path, clock, worker=InlineWorker())
        await journal.open()

        def note(entry: Entry) -> None:
            clock.advance(life.now - clock.now())
            journal.note(entry)

        life = Life(note, deployments=deployments, now=begins_at)
        life.put_in_force()
        life.turn(load=20.0)
        happen(life)
        await journal.close()

    asyncio.run(live())


def some_days_work(life: Life) -> None:
    """Load that comes and goes, carried out at once."""
    for load in (20.0, 35.0, 70.0, 90.0, 60.0, 30.0, 12.0, 45.0):
        for _ in range(20):
            life.turn(load=load)
            life.act()


def random_life(seed: int) -> Callable[[Life], None]:
    """Orders that end late, otherwise than hoped for, or never; pauses; turns of some alone."""

    def happen(life: Life) -> None:
        random = Random(seed)
        for _ in range(60):
            match random.randrange(9):
                case 0 if life.open_orders:
                    life.intend(life.open_orders[0])
                case 1 if life.open_orders:
                    order = life.open_orders[0]
                    status = random.choice(list(WriteStatus))
                    if status is not WriteStatus.VOID:
                        life.intend(order)
                    life.end(order, status)
                case 2:
                    life.pause(random.randrange(life.deployments), seconds=90.0)
                case 3:
                    life.slice()
                case _:
                    life.turn(
                        load=max(0.0, random.gauss(50.0, 40.0)),
                        after=random.choice([0.5, 15.0, 15.0, 60.0, 400.0]),
                    )
                    if random.random() < 0.6:
                        life.act()

    return happen


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    journal_of(path, some_days_work)
    return path


def lived(recording: Recording) -> Lived:
    return rerun(
        recording.policies,
        recording.happenings(),
        recording.terms,
        real_orders=recording.real_orders,
    )


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_policy_that_made_a_journal_asks_for_exactly_the_same_again(seed: int) -> None:
    """Seen to catch: orders of people that are lifted as they are given, and orders without an end yet
    that are taken for others."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        journal_of(path, random_life(seed))
        recording = read_journal(path, policies=SAME, roles=Roles())
        again = lived(recording)
        assert again.departed_at == {}
        assert set(again.own) == {name_of(number) for number in range(3)}
        for name, counts in again.own.items():
            assert counts.changes == recording.pasts[name].counts.changes


def test_another_policy_is_modelled_from_its_first_difference_on(journal: Path) -> None:
    text = POLICY.replace("target: 10", "target: 20")
    other = read_policy_texts([("chat.yaml", text)]).policies
    recording = read_journal(journal, policies=other, roles=Roles())
    again = lived(recording)
    name = name_of(0)
    assert name in again.departed_at
    most = max(asked for _, asked, _ in again.own[name].changes)
    assert most == 5, "90 over 20"
    assert max(asked for _, asked, _ in recording.pasts[name].counts.changes) == 9


def test_a_signal_is_known_by_its_query_whatever_it_is_called(journal: Path) -> None:
    text = POLICY.replace("load:", "arrivals:").replace("signal: load", "signal: arrivals")
    renamed = read_policy_texts([("chat.yaml", text)]).policies
    recording = read_journal(journal, policies=renamed, roles=Roles(requests="arrivals"))
    assert lived(recording).departed_at == {}
    assert recording.pasts[name_of(0)].unknown["arrivals"] < 0.01


def test_a_signal_that_was_not_heard_then_is_missing(journal: Path) -> None:
    text = POLICY.replace("query: requests_per_second", "query: something_else")
    other = read_policy_texts([("chat.yaml", text)]).policies
    recording = read_journal(journal, policies=other, roles=Roles())
    assert recording.pasts[name_of(0)].unknown["load"] == 1.0
    assert {asked for _, asked, _ in lived(recording).own[name_of(0)].changes} != set()


def policy_file(folder: Path, text: str = POLICY) -> Path:
    path = folder / "new.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_report_holds_both_courses_and_their_difference(
    trimtab: Any, journal: Path, tmp_path: Path
) -> None:
    policy = policy_file(tmp_path, POLICY.replace("target: 10", "target: 20"))
    result = trimtab(
        "backtest", "--policy", policy, "--journal", journal,
        "--requests", "load", "--capacity", "10..12", "--price", "3",
        "--json", tmp_path / "out.json", "--html", tmp_path / "out.html",
    )  # fmt: skip
    assert result.exit_code == ExitCode.CLEAN, result.output
    assert "as it was" in result.stdout
    assert "would have been" in result.stdout
    assert "difference" in result.stdout
    found = json.loads((tmp_path / "out.json").read_text())
    one = found["deployments"][0]
    assert one["was"]["replica_hours"] > one["would_have"]["replica_hours"]
    assert one["difference"]["replica_hours_share"]["value"] < 0.0
    assert one["difference"]["missed_share"]["value"] > 0.0, "fewer replicas miss more"
    missed = one["would_have"]["missed_share"]
    assert missed["low"] <= missed["value"] <= missed["high"]
    assert one["was"]["cost_usd"] == pytest.approx(one["was"]["accelerator_hours"] * 3.0)
    assert one["was"]["accelerator_hours"] == pytest.approx(4 * one["was"]["replica_hours"])
    assert max(count for _, count in one["would_have"]["asked"]) == 5
    assert (tmp_path / "out.html").read_text().startswith("<!DOCTYPE html>")


def test_the_same_policy_differs_in_nothing(trimtab: Any, journal: Path, tmp_path: Path) -> None:
    result = trimtab(
        "backtest", "--policy", policy_file(tmp_path), "--journal", journal,
        "--requests", "load", "--capacity", "11", "--json", "-",
    )  # fmt: skip
    assert result.exit_code == ExitCode.CLEAN, result.output
    for one in json.loads(result.stdout)["deployments"]:
        assert one["unknown"]["modelled_share"] == 0.0
        assert one["difference"]["replica_hours_share"]["value"] == 0.0
        assert one["difference"]["missed_share"]["value"] == 0.0
        assert one["would_have"]["asked"] == one["was"]["asked"]


def test_without_a_capacity_misses_are_not_known_and_not_zero(
    trimtab: Any, journal: Path, tmp_path: Path
) -> None:
    result = trimtab(
        "backtest", "--policy", policy_file(tmp_path), "--journal", journal, "--json", "-"
    )
    assert result.exit_code == ExitCode.CLEAN, result.output
    for one in json.loads(result.stdout)["deployments"]:
        assert one["would_have"]["missed_share"] is None
        assert one["would_have"]["attainment"] is None
        assert one["would_have"]["optimum_replica_hours"] is None
        assert one["would_have"]["replica_hours"] > 0.0


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], ExitCode.USAGE, "name one kind of data: --prometheus URL, or --journal FILE"),
        (["--journal", "nowhere.db"], ExitCode.FAILED, "there is no journal at nowhere.db"),
        (
            ["--journal", "{journal}", "--deployment", "chat-9"],
            ExitCode.USAGE,
            "did you mean chat-",
        ),
        (
            ["--journal", "{journal}", "--requests", "loads"],
            ExitCode.USAGE,
            "has no signal 'loads'",
        ),
        (["--journal", "{journal}", "--until", "2026-01-01"], ExitCode.USAGE, "--until is about"),
        (
            ["--journal", "{journal}", "--capacity", "many"],
            ExitCode.USAGE,
            "--capacity 'many' is no",
        ),
        (
            ["--journal", "{journal}", "--capacity", "9..2"],
            ExitCode.USAGE,
            "--capacity '9..2' is no",
        ),
        (["--journal", "{journal}", "--lead", "soon"], ExitCode.USAGE, "--lead 'soon' is not a"),
        (["--journal", "{journal}", "--range", "0s"], ExitCode.USAGE, "--range 0s is no span"),
        (["--journal", "{journal}", "--step", "0s"], ExitCode.USAGE, "--step 0s is out of range"),
        (["--journal", "{journal}", "--slo", "fast"], ExitCode.USAGE, "--slo 'fast' is no limit"),
        (["--journal", "{journal}", "--attainment", "99"], ExitCode.USAGE, "--attainment 99 is no"),
        (["--journal", "{journal}", "--html", "/"], ExitCode.USAGE, "--html / is a directory"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    trimtab: Any,
    journal: Path,
    tmp_path: Path,
    arguments: list[str],
    code: ExitCode,
    sentence: str,
) -> None:
    words = [word.format(journal=journal) for word in arguments]
    result = trimtab("backtest", "--policy", policy_file(tmp_path), *words)
    assert result.exit_code == code, result.output
    assert sentence in result.stderr
    assert result.stderr.startswith("trimtab backtest: ")


def test_a_policy_that_selects_nobody_is_told_whom_there_is(
    trimtab: Any, journal: Path, tmp_path: Path
) -> None:
    policy = policy_file(tmp_path, POLICY.replace('"chat-*"', '"code-*"'))
    result = trimtab("backtest", "--policy", policy, "--journal", journal)
    assert result.exit_code == ExitCode.USAGE
    assert "no deployment of the journal is selected by chat" in result.stderr
    assert name_of(0) in result.stderr


def test_a_policy_with_mistakes_is_refused_with_all_of_them(
    trimtab: Any, journal: Path, tmp_path: Path
) -> None:
    policy = policy_file(tmp_path, POLICY.replace("target: 10", "taget: 10"))
    result = trimtab("backtest", "--policy", policy, "--journal", journal)
    assert result.exit_code == ExitCode.BAD_CONFIGURATION
    assert "POL" in result.stderr


def test_help_shows_examples(trimtab: Any) -> None:
    result = trimtab("backtest", "--help")
    assert "trimtab backtest --policy new.yaml --journal journal.db" in result.stdout
