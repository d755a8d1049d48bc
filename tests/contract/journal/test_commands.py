"""Whatever reads a journal takes the URL of a database as well as a file."""

from __future__ import annotations

import json

import pytest
from tests.servers.postgresql_process import PostgresqlProcess
from tests.worlds.journal_world import POLICY, START, Life
from typer.testing import CliRunner

from trimtab.cli.main import build_app
from trimtab.clock import ManualClock
from trimtab.journal.places import as_document, from_document
from trimtab.journal.postgresql.database import Database
from trimtab.journal.postgresql.journal import PostgresqlJournal
from trimtab.journal.worker import InlineWorker
from trimtab.service.views.what_if_process import answer


def trimtab(*words: str) -> str:
    environment = {"NO_COLOR": "1", "COLUMNS": "200"}
    result = CliRunner().invoke(build_app(list(words)), list(words), env=environment)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
async def url(server: PostgresqlProcess, clock: ManualClock) -> str:
    journal = PostgresqlJournal(Database(server.url), clock, worker=InlineWorker())
    remembered = await journal.open()
    life = Life(journal.note, memory=remembered.memory, now=remembered.until or START)
    life.put_in_force()
    for _ in range(10):
        life.turn(load=90.0)
        life.act()
    life.pause(1)
    await journal.close()
    return server.url


def test_the_commands_of_the_journal_read_a_database(url: str) -> None:
    assert "format 1" in trimtab("journal", "status", url)
    assert "chat-0" in trimtab("journal", "history", url, "--deployment", "chat-0")
    assert "applied" in trimtab("journal", "writes", url)
    assert "ada@example" in trimtab("journal", "overrides", url)
    assert "is sound" in trimtab("journal", "verify", url)
    assert "reproduced exactly" in trimtab("journal", "replay", url)
    assert "postgresql" in trimtab("cost", url, "--since", "30d", "--json", "-")


def test_a_what_if_in_a_process_of_its_own_finds_the_database_again(
    url: str, clock: ManualClock
) -> None:
    place = json.loads(json.dumps(as_document(Database(url))))
    assert from_document(place) == Database(url)
    asked = {
        "journal": place,
        "text": POLICY.replace("max: 20", "max: 2"),
        "deployment": None,
        "since": clock.now(),
        "seconds": 10.0,
        "plugins": [],
    }
    assert answer(asked).turns > 5
