"""What is PostgreSQL's own: connections that are cut or go silent, locks, rights, versions, poolers."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.servers.postgresql_process import PostgresqlProcess

from trimtab.clock import ManualClock
from trimtab.coordination.port import Tenure
from trimtab.coordination.postgresql import LeasesInPostgresql
from trimtab.coordination.postgresql_session import Database, Session
from trimtab.coordination.postgresql_tables import VERSION
from trimtab.errors import CoordinationError, ErrorKind, SettingsError

asyncpg: Any = importlib.import_module("asyncpg")


class Proxy:
    """A way to the server that can be cut, or swallow what goes either way."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.swallows: set[str] = set()
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._pairs.add((writer, back))
        for source, sink, way in ((reader, back, "requests"), (there, writer, "answers")):
            task = asyncio.create_task(self._pump(source, sink, way))
            self._pumps.add(task)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: str
    ) -> None:
        try:
            while data := await source.read(65536):
                if way not in self.swallows:
                    sink.write(data)
        except OSError:
            pass
        sink.close()

    def cut(self) -> None:
        for pair in self._pairs:
            for writer in pair:
                writer.transport.abort()
        self._pairs.clear()

    async def close(self) -> None:
        self._server.close()
        self.cut()
        for task in self._pumps:
            task.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)


@pytest.fixture
async def proxy(server: PostgresqlProcess) -> AsyncIterator[Proxy]:
    proxy = Proxy(server.port)
    await proxy.open()
    yield proxy
    await proxy.close()


@pytest.fixture
async def admin(server: PostgresqlProcess) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(server.url)
    yield connection
    await connection.close()


def through(proxy: Proxy, database: Database, lease_seconds: float = 15.0) -> LeasesInPostgresql:
    url = f"postgresql://trimtab@127.0.0.1:{proxy.port}/postgres"
    return LeasesInPostgresql(
        ManualClock(),
        Database(url=url, schema=database.schema),
        buckets=4,
        lease_seconds=lease_seconds,
    )


def direct(database: Database) -> LeasesInPostgresql:
    return LeasesInPostgresql(ManualClock(), database, buckets=4)


async def one_claimed(service: LeasesInPostgresql, member: str = "a") -> Tenure:
    tenure = await service.claim(member, (await service.survey()).leases[0])
    assert tenure is not None
    return tenure


async def test_after_a_connection_was_cut_the_next_call_connects_anew(
    proxy: Proxy, database: Database
) -> None:
    service = through(proxy, database)
    await service.open()
    held = await one_claimed(service)
    assert await service.renew("a", [held])
    proxy.cut()
    with pytest.raises(CoordinationError) as failed:
        await service.renew("a", [held])
    assert failed.value.kind is ErrorKind.UNAVAILABLE
    assert failed.value.retryable
    assert await service.renew("a", [held]) == {held}
    await service.close()


@pytest.mark.parametrize("way", ["requests", "answers"])
async def test_a_call_into_silence_ends_within_a_third_of_the_lease(
    way: str, proxy: Proxy, database: Database
) -> None:
    service = through(proxy, database, lease_seconds=3.0)
    await service.open()
    held = await one_claimed(service)
    await service.renew("a", [held])
    proxy.swallows.add(way)
    with pytest.raises(CoordinationError) as failed:
        await service.renew("a", [held])
    assert failed.value.kind is ErrorKind.TIMEOUT
    with pytest.raises(CoordinationError, match="did not answer"):
        await service.survey()  # a new connection gets nowhere either
    proxy.swallows.clear()
    assert await service.renew("a", [held]) == {held}
    await service.close()


async def test_a_member_cut_off_within_a_transaction_does_not_keep_its_rows_locked(
    database: Database, admin: Any
) -> None:
    service = direct(database)
    await service.open()
    session = Session(database, limit_seconds=1.0)
    stuck = asyncio.Event()

    async def hold_on(connection: Any) -> None:
        await connection.execute("SELECT 1 FROM trimtab_leases WHERE bucket = 0 FOR UPDATE")
        session._connection = None  # so that nobody ends it from this side
        kept.append(connection)
        stuck.set()
        await asyncio.sleep(60.0)

    kept: list[Any] = []
    task = asyncio.create_task(session.run("stop in the middle", hold_on))
    await stuck.wait()
    seen = (await service.survey()).leases[0]
    assert await service.claim("b", seen) is None, "what is locked is not waited for"
    with pytest.raises(CoordinationError):
        await task
    for _ in range(200):  # the server ends it, at about the same time as we gave up
        if not await admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        ):
            break
        await asyncio.sleep(0.05)
    assert await service.claim("b", seen) == Tenure(bucket=0, term=1)
    kept[0].terminate()
    await service.close()


async def test_two_who_come_first_at_the_same_time_make_the_tables_once(database: Database) -> None:
    services = [direct(database) for _ in range(4)]
    await asyncio.gather(*(one.open() for one in services))
    for one in services:
        assert len((await one.survey()).leases) == 4
        await one.close()


async def test_tables_of_a_later_version_are_refused_and_left_alone(
    database: Database, admin: Any
) -> None:
    service = direct(database)
    await service.open()
    await admin.execute(f"SET search_path = {database.schema}")
    await admin.execute("UPDATE trimtab_coordination SET version = $1", VERSION + 1)
    with pytest.raises(CoordinationError, match=f"version {VERSION + 1}") as refused:
        await direct(database).open()
    assert refused.value.kind is ErrorKind.REJECTED
    await service.close()


async def test_tables_that_are_gone_are_made_again_by_opening(
    database: Database, admin: Any
) -> None:
    service = direct(database)
    await service.open()
    await admin.execute(f'DROP SCHEMA "{database.schema}" CASCADE')
    with pytest.raises(CoordinationError) as failed:
        await service.survey()
    assert failed.value.kind is ErrorKind.NOT_FOUND
    await service.open()
    assert len((await service.survey()).leases) == 4
    await service.close()


async def test_a_user_without_the_right_to_make_a_schema_uses_one_that_it_owns(
    server: PostgresqlProcess, database: Database, admin: Any
) -> None:
    role = f"member_{database.schema}"
    await admin.execute(f"CREATE ROLE {role} LOGIN")
    mine = Database(url=server.url.replace("trimtab@", f"{role}@"), schema=database.schema)
    service = direct(mine)
    with pytest.raises(CoordinationError, match="one that it owns") as refused:
        await service.open()
    assert refused.value.kind is ErrorKind.FORBIDDEN
    await admin.execute(f"CREATE SCHEMA {database.schema} AUTHORIZATION {role}")
    await service.open()
    assert await one_claimed(service)
    await service.close()


async def test_nothing_of_a_call_outlives_its_transaction_so_that_a_pooler_may_stand_in_between(
    database: Database,
) -> None:
    service = direct(database)
    await service.open()
    held = await one_claimed(service)
    await service.renew("a", [held])
    await service.announce("a", {})
    await service.post("claims", "a", 1, {})
    await service.read("claims")
    for session in (service._looking, service._renewing):
        connection = session._connection
        assert await connection.fetchval("SELECT count(*) FROM pg_prepared_statements") <= 1
        assert await connection.fetchval("SHOW search_path") == '"$user", public'
        assert await connection.fetchval("SHOW statement_timeout") == "0"
        assert (
            await connection.fetchval(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
            )
            == 0
        )
    await service.close()


async def test_the_servers_clock_frees_no_lease(database: Database, admin: Any) -> None:
    """As if it had been set forwards by a day: the times are for people."""
    service, other = direct(database), direct(database)
    await service.open()
    held = await one_claimed(service)
    await service.announce("a", {})
    await admin.execute(f"SET search_path = {database.schema}")
    await admin.execute(
        """
        UPDATE trimtab_leases SET renewed_at = renewed_at - interval '1 day',
            expires_at = expires_at - interval '1 day';
        UPDATE trimtab_members SET announced_at = announced_at - interval '1 minute'
        """
    )
    survey = await other.survey()
    assert not survey.leases[0].is_free
    assert survey.members == {}, "who is there may be judged by it: nothing is lost by that"
    assert await service.renew("a", [held]) == {held}
    await service.close()
    await other.close()


async def test_a_password_is_read_anew_at_each_connection(
    server: PostgresqlProcess, database: Database, secret: Path
) -> None:
    mine = Database(url=server.url, schema=database.schema, password_file=secret)
    service = direct(mine)
    await service.open()
    await service.close()
    secret.unlink()  # noqa: ASYNC240  a file of three words
    with pytest.raises(CoordinationError, match="password file") as refused:
        await service.open()
    assert refused.value.kind is ErrorKind.UNAUTHENTICATED


async def test_a_server_that_is_not_there_is_said_in_a_sentence_without_secrets() -> None:
    service = direct(Database(url="postgresql://trimtab:made-up@127.0.0.1:1/fleet"))
    with pytest.raises(CoordinationError) as failed:
        await service.survey()
    assert failed.value.kind is ErrorKind.UNAVAILABLE
    assert "postgresql://127.0.0.1:1/fleet" in str(failed.value)
    assert "made-up" not in str(failed.value)


def test_without_the_driver_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(SettingsError, match=r"trimtab\[postgresql\]"):
        direct(Database(url="postgresql://127.0.0.1/fleet"))
