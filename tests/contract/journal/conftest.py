"""Journals in either home: a file, and a schema of its own in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.servers.postgresql_process import PostgresqlProcess, postgresql_process
from tests.worlds import failing_database, failing_disk
from tests.worlds.failing_database import FailingDatabase
from tests.worlds.failing_disk import FailingDisk
from tests.worlds.journal_world import START

from trimtab.clock import ManualClock
from trimtab.journal.kept import KeptJournal
from trimtab.journal.places import Place
from trimtab.journal.postgresql.database import Database
from trimtab.journal.postgresql.journal import PostgresqlJournal
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker

_SCHEMAS = count()


class BusyWorker(InlineWorker):
    """At something else for ever, once ``is_busy``."""

    is_busy = False

    def submit(self, job: Callable[[], None]) -> None:
        if not self.is_busy:
            super().submit(job)


@dataclass
class Home:
    """Where the journals of one test are kept; each that was made is let go of at the end."""

    place: Place
    fail: Callable[[str, int], None]
    heal: Callable[[], None]
    make_one: Callable[..., KeptJournal]
    made: list[KeptJournal] = field(default_factory=list)

    def make(self, **options: Any) -> KeptJournal:
        journal = self.make_one(**options)
        self.made.append(journal)
        return journal


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresqlProcess]:
    with postgresql_process(tmp_path_factory.mktemp("postgresql")) as running:
        yield running


@pytest.fixture
def database(server: PostgresqlProcess) -> Database:
    return Database(server.url, schema=f"journal_{next(_SCHEMAS)}")


def in_a_file(path: Path, clock: ManualClock) -> Home:
    disk = FailingDisk()
    faults = {"full": failing_disk.FULL, "read_only": failing_disk.READ_ONLY}

    def make(**options: Any) -> SqliteJournal:
        workers = {"worker": InlineWorker(), "log_worker": InlineWorker()} | options
        return SqliteJournal(path, clock, connect=disk.connect, **workers)

    def fail(fault: str, after: int) -> None:
        disk.fail(faults.get(fault, failing_disk.IO_ERROR), after_writes=after)

    return Home(path, fail, disk.heal, make)


def in_postgresql(database: Database, clock: ManualClock) -> Home:
    failing = FailingDatabase()
    faults = {"full": failing_database.FULL, "read_only": failing_database.READ_ONLY}

    def make(**options: Any) -> PostgresqlJournal:
        workers = {"worker": InlineWorker(), "intention_worker": InlineWorker()} | options
        return PostgresqlJournal(database, clock, connect=failing.connect, **workers)

    def fail(fault: str, after: int) -> None:
        failing.fail(faults.get(fault, failing_database.LOST), after_writes=after)

    return Home(database, fail, failing.heal, make)


@pytest.fixture
def homes(tmp_path: Path, clock: ManualClock, database: Database) -> Iterator[dict[str, Home]]:
    both = {
        "file": in_a_file(tmp_path / "journal.db", clock),
        "postgresql": in_postgresql(database, clock),
    }
    yield both
    for home in both.values():
        home.heal()
        for journal in home.made:
            journal.abandon()


@pytest.fixture(params=["file", "postgresql"])
def home(request: pytest.FixtureRequest, homes: dict[str, Home]) -> Home:
    kind: str = request.param
    return homes[kind]
