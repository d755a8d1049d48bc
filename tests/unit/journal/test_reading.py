"""The journal as people ask it, while it is written; and a replay that shows what differs."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.journal.conftest import MakeJournal, begun
from tests.worlds.journal_world import name_of
from typer.testing import CliRunner

from trimtab.cli.main import build_app
from trimtab.errors import JournalError
from trimtab.journal.history import History
from trimtab.journal.packing import compressed, decompressed
from trimtab.journal.sqlite import SqliteJournal
from trimtab.service.replay import replay


def ask(*words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(build_app(["journal"]), ["journal", *words])
    return answer.exit_code, answer.output


@pytest.fixture
async def journal(make: MakeJournal) -> SqliteJournal:
    """Of a life that goes on: the journal is not closed while it is read."""
    journal, life = await begun(make)
    life.put_in_force()
    for _ in range(5):
        life.turn(load=20.0)
    life.until_ordered()
    life.act()
    life.lift(life.pause(1))
    for _ in range(4):
        life.turn()
    return journal


@pytest.mark.usefixtures("journal")
async def test_equal_decisions_are_one_row_with_the_first_whole(path: Path) -> None:
    with History(path) as history:
        runs = history.decisions(name_of(0))
        oldest = runs[-1]
        assert oldest.evaluations > 1
        assert oldest.until > oldest.since
        assert oldest.first is not None
        assert oldest.first.sentence == oldest.sentence
        assert oldest.first.trail


@pytest.mark.usefixtures("journal")
async def test_rows_are_the_newest_first_and_within_the_time_asked_for(path: Path) -> None:
    with History(path) as history:
        everything = history.events()
        assert [one.at for one in everything] == sorted((e.at for e in everything), reverse=True)
        moment = everything[len(everything) // 2].at
        assert history.events(since=moment, until=moment)
        assert {one.at for one in history.events(since=moment, until=moment)} == {moment}
        assert len(history.writes(limit=1)) == 1


@pytest.mark.usefixtures("journal")
async def test_the_command_answers_while_the_daemon_writes(path: Path) -> None:
    assert "process" in ask("status", str(path))[1]
    assert "applied" in ask("writes", str(path), "--deployment", "chat-0")[1]
    assert "lifted" in ask("overrides", str(path))[1]
    assert "is sound" in ask("verify", str(path))[1]
    assert "reproduced exactly" in ask("replay", str(path))[1]
    assert "adopted" in ask("history", str(path), "--limit", "1000")[1]


async def test_a_replay_shows_the_first_difference(journal: SqliteJournal, path: Path) -> None:
    await journal.close()
    with History(path) as history:
        assert replay(history.sequence()).is_exact
    with opened(path) as connection:
        seq, body = connection.execute(
            "SELECT seq, body FROM entries WHERE kind = 'turn' ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        document = json.loads(decompressed(body))
        document["samples"][4][0] = 1.0
        packed = compressed(json.dumps(document).encode())
        connection.execute("UPDATE entries SET body = ? WHERE seq = ?", (packed, seq))
        connection.commit()
    with History(path) as history:
        replayed = replay(history.sequence())
    assert replayed.difference is not None
    assert replayed.difference.seq == seq
    code, said = ask("replay", str(path))
    assert code == 1
    assert "chat-0 journalled:" in said
    assert "chat-0 replayed:" in said


def opened(path: Path) -> closing[sqlite3.Connection]:

    return closing(sqlite3.connect(path))


def test_where_there_is_no_journal_the_command_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal at"):
        History(tmp_path / "nothing.db")
    code, said = ask("status", str(tmp_path / "nothing.db"))
    assert code == 1
    assert "name the file that journal.path says" in said
