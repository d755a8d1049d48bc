"""A PostgreSQL that is restarted, killed, missing, of a newer version, or shared with a pooler."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from tests.contract.journal.conftest import in_postgresql
from tests.servers.postgresql_process import PostgresqlProcess, postgresql_process
from tests.worlds.journal_world import Life

from trimtab.clock import ManualClock, SystemClock
from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.history import History
from trimtab.journal.port import JournalMode
from trimtab.journal.postgresql import schema, session
from trimtab.journal.postgresql.database import Database
from trimtab.journal.postgresql.journal import PostgresqlJournal
from trimtab.journal.worker import InlineWorker
from trimtab.service.replay import replay


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[PostgresqlProcess]:
    with postgresql_process(tmp_path) as running:
        yield running


@pytest.fixture
async def live(own_server: PostgresqlProcess) -> AsyncIterator[PostgresqlJournal]:
    """As the daemon has it: with threads, in real time."""
    journal = PostgresqlJournal(Database(own_server.url), SystemClock())
    await journal.open()
    yield journal
    await journal.close()


async def settled(journal: PostgresqlJournal, life: Life) -> None:
    """Go on noting, as a daemon does, until it is kept again."""
    for _ in range(300):
        life.turn()
        try:
            await journal.settle()
        except JournalError:
            await asyncio.sleep(0.1)
        else:
            return
    raise AssertionError(journal.status.sentence)


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_restart_of_the_server_loses_nothing_that_was_settled(
    own_server: PostgresqlProcess, live: PostgresqlJournal, how: str
) -> None:
    life = Life(live.note, now=SystemClock().now())  # or it would be too old to be kept
    life.put_in_force()
    order = life.until_ordered()
    await live.intend(life.intention(order))
    for _ in range(2):
        await live.settle()
        before = life.engine.memory
        getattr(own_server, how)()
        life.turn()
        with pytest.raises(JournalError):
            await live.settle()
        assert live.status.mode is JournalMode.BROKEN
        assert "look at the database server" in live.status.sentence
        own_server.start()
        with History(live.database) as history:
            kept = history.recollection()
            assert kept.memory == before
            assert kept.unfinished == (order,)
        await settled(live, life)
        assert live.status.mode is JournalMode.DURABLE
    with History(live.database) as history:
        assert history.recollection().memory == life.engine.memory
        replayed = replay(history.sequence())
        assert replayed.is_exact, replayed.difference
        assert not replayed.problems


async def test_connections_that_were_cut_while_nobody_looked_are_made_anew(
    own_server: PostgresqlProcess, live: PostgresqlJournal
) -> None:
    life = Life(live.note, now=SystemClock().now())  # or it would be too old to be kept
    life.put_in_force()
    order = life.until_ordered()
    await live.settle()
    other = await asyncpg.connect(own_server.url)
    await other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'trimtab%'"
    )
    await other.close()
    await live.intend(life.intention(order))  # with a second attempt of its own
    await settled(live, life)
    with History(live.database) as history:
        assert history.recollection().unfinished == (order,)


async def test_what_is_noted_is_kept_within_half_a_second_by_itself(
    live: PostgresqlJournal,
) -> None:
    life = Life(live.note, now=SystemClock().now())  # or it would be too old to be kept
    life.put_in_force()
    life.turn()
    while live.status.waiting:  # noqa: ASYNC110  what a thread does by itself is no event
        await asyncio.sleep(0.01)
    with History(live.database) as history:
        assert history.summary().turns == 1
        assert history.summary().writer is not None


async def test_at_the_start_the_database_is_waited_for(own_server: PostgresqlProcess) -> None:
    own_server.stop()
    journal = PostgresqlJournal(Database(own_server.url), SystemClock())
    opening = asyncio.create_task(journal.open())
    while "cannot be reached" not in journal.status.sentence:  # noqa: ASYNC110  as above
        await asyncio.sleep(0.01)
    assert journal.status.mode is JournalMode.BROKEN
    own_server.start()
    assert (await opening).until is None
    assert journal.status.mode is JournalMode.DURABLE
    await journal.close()


# -- the tables -----------------------------------------------------------------------------------


@pytest.fixture
def make(database: Database, clock: ManualClock) -> Iterator[Callable[[], PostgresqlJournal]]:
    home = in_postgresql(database, clock)

    def make_one() -> PostgresqlJournal:
        journal = home.make()
        assert isinstance(journal, PostgresqlJournal)
        return journal

    yield make_one
    for one in home.made:
        one.abandon()


async def test_tables_of_a_newer_version_are_left_untouched(
    make: Callable[[], PostgresqlJournal], database: Database
) -> None:
    await make().open()
    other = await asyncpg.connect(database.url)
    newer = len(schema.MIGRATIONS) + 1
    await other.execute(f"UPDATE {database.schema}.journal_format SET version = {newer}")  # noqa: S608  a name of ours
    journal = make()
    assert journal._keeper.open() is None
    assert f"has format {newer}, and this version knows formats up to" in journal.status.sentence
    assert "name another schema" in journal.status.sentence
    with pytest.raises(JournalError, match="run the newer version") as refused:
        History(database)
    assert refused.value.kind is ErrorKind.REJECTED
    assert await other.fetchval(f"SELECT count(*) FROM {database.schema}.runs") == 1  # noqa: S608  the same
    await other.close()


async def test_an_older_format_becomes_this_one_and_keeps_what_was_there(
    make: Callable[[], PostgresqlJournal], database: Database
) -> None:
    journal = make()
    await journal.open()
    life = Life(journal.note)
    life.turn()
    await journal.close()
    further = (*schema.MIGRATIONS, "ALTER TABLE runs ADD COLUMN colour text")
    connection = session.Session(database, label="test", seconds=5.0)
    connection.open()
    schema.migrate(connection, migrations=further)
    connection.begin()
    assert schema.found_format(connection, newest=len(further)) == len(further)
    assert connection.execute("SELECT count(colour), count(*) FROM runs").fetchall() == [(0, 1)]
    (kept,) = connection.execute("SELECT count(*) FROM memory").fetchone()
    connection.close()
    assert kept == len(life.engine.memory.deployments)


async def test_two_that_begin_at_once_make_the_tables_once(database: Database) -> None:
    both = [PostgresqlJournal(database, SystemClock(), bucket_of=len) for _ in range(2)]
    await asyncio.gather(*(one.open() for one in both))
    assert [one.status.mode for one in both] == [JournalMode.DURABLE] * 2
    for one in both:
        await one.close()


async def test_a_database_without_a_journal_is_one_sentence(database: Database) -> None:
    with pytest.raises(JournalError, match="there is no journal in") as refused:
        History(database)
    assert refused.value.kind is ErrorKind.NOT_FOUND
    with pytest.raises(JournalError, match="cannot be reached"):
        History("postgresql://me@127.0.0.1:1/nothing")
    with pytest.raises(JournalError, match="there is no database"):
        History(database.url.replace("/postgres", "/nothing"))


async def test_secrets_are_in_no_sentence(clock: ManualClock) -> None:
    database = Database("postgresql://me:secret@127.0.0.1:1/nothing")
    journal = PostgresqlJournal(database, clock, worker=InlineWorker())
    assert journal._keeper.open() is None
    assert "secret" not in journal.status.sentence
    assert "127.0.0.1:1/nothing" in journal.status.sentence


async def test_nothing_outlives_a_transaction_on_the_server_so_a_pooler_may_stand_in_between(
    make: Callable[[], PostgresqlJournal],
) -> None:
    journal = make()
    await journal.open()
    life = Life(journal.note)
    order = life.until_ordered()
    await journal.intend(life.intention(order))
    await journal.settle()
    sessions = [journal._keeper._store.session, journal._table._session]  # type: ignore[union-attr]  # one of a database
    for one in sessions:
        assert one is not None
        assert one.fetch("SELECT count(*) FROM pg_prepared_statements", ()) == [(0,)]
        [(path, limit)] = one.fetch(
            "SELECT current_setting('search_path'), current_setting('statement_timeout')", ()
        )
        assert (path, limit) == ('"$user", public', "0")
        held = one.fetch("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", ())
        assert held == [(0,)]


async def test_names_may_hold_anything(make: Callable[[], PostgresqlJournal]) -> None:
    journal = make()
    await journal.open()
    life = Life(journal.note)
    order = life.until_ordered()
    strange = "accounts/acme/deployments/chat-'; DROP TABLE writes; --\\\0\ud800é"
    entry = life.intention(order)
    entry = entry.__class__(
        at=entry.at, order=order.__class__(**{**_fields(order), "deployment": strange})
    )
    await journal.intend(entry)
    journal.abandon()
    assert (await make().open()).unfinished == (entry.order,)


def _fields(value: object) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}  # type: ignore[attr-defined]  # a dataclass
