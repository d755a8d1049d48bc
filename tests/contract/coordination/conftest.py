"""The same service three times: in memory, a real PostgreSQL that is started once, and a strict Kubernetes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.servers.kubernetes_api.direct import Direct
from tests.servers.kubernetes_api.service import Service as KubernetesService
from tests.servers.postgresql_process import PostgresqlProcess, postgresql_process
from tests.worlds.leases_in_memory import LeaseServer, LeasesInMemory

from trimtab.clock import ManualClock
from trimtab.coordination.kubernetes import LeasesInKubernetes
from trimtab.coordination.kubernetes_objects import Place
from trimtab.coordination.port import Board, Leases
from trimtab.coordination.postgresql import LeasesInPostgresql
from trimtab.coordination.postgresql_session import Database

BUCKETS = 8
LEASE_SECONDS = 15.0
SCHEMAS = itertools.count()


class Service(Leases, Board):
    """What is under test offers both."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresqlProcess]:
    with postgresql_process(tmp_path_factory.mktemp("postgresql")) as server:
        yield server


@dataclass
class Members:
    """Makes members' connections to one service that nobody has used before."""

    connect: Callable[[ManualClock, int, float], Service]
    restart: Callable[[], None]
    opened: list[Service] = field(default_factory=list)
    clocks: list[ManualClock] = field(default_factory=list)

    async def __call__(
        self, *, buckets: int = BUCKETS, lease_seconds: float = LEASE_SECONDS
    ) -> Service:
        """Connect one more member; its clock stands still until ``pass_time``."""
        clock = ManualClock()
        self.clocks.append(clock)
        service = self.connect(clock, buckets, lease_seconds)
        self.opened.append(service)
        await service.open()
        return service

    def pass_time(self, seconds: float) -> None:
        for clock in self.clocks:
            clock.advance(seconds)


@pytest.fixture(params=["in memory", "postgresql", "kubernetes"])
async def members(request: pytest.FixtureRequest) -> AsyncIterator[Members]:
    if request.param == "kubernetes":
        made = _in_a_cluster()
    else:
        made = _in_memory() if request.param == "in memory" else _on_a_server(request)
    yield made
    for one in made.opened:
        await one.close()
    await asyncio.sleep(0)  # transports close in the next turn of the loop


def _in_memory() -> Members:
    server = LeaseServer(buckets=BUCKETS)

    def connect(clock: ManualClock, buckets: int, lease_seconds: float) -> Service:
        return LeasesInMemory(server, clock, buckets=buckets, lease_seconds=lease_seconds)  # type: ignore[return-value]  # by its shape

    return Members(connect, server.restart)


def _in_a_cluster() -> Members:
    api = KubernetesService(now=lambda: 1_800_000_000.0)
    place = Place(namespace="default", group="contract")

    def connect(clock: ManualClock, buckets: int, lease_seconds: float) -> Service:
        return LeasesInKubernetes(  # type: ignore[return-value]  # by its shape
            clock,
            Direct(api),
            place,
            writes_per_second_max=100,
            buckets=buckets,
            lease_seconds=lease_seconds,
        )

    def restart() -> None:
        pytest.skip(
            "a restart of the API is not seen: what it has confirmed, its store does not lose"
        )

    return Members(connect, restart)


def _on_a_server(request: pytest.FixtureRequest) -> Members:
    server: PostgresqlProcess = request.getfixturevalue("server")
    schema = f"contract_{next(SCHEMAS)}"

    def connect(clock: ManualClock, buckets: int, lease_seconds: float) -> Service:
        database = Database(url=server.url, schema=schema)
        return LeasesInPostgresql(clock, database, buckets=buckets, lease_seconds=lease_seconds)  # type: ignore[return-value]  # by its shape

    def restart() -> None:
        server.kill()
        server.start()

    return Members(connect, restart)


@pytest.fixture
def database(server: PostgresqlProcess) -> Database:
    return Database(url=server.url, schema=f"contract_{next(SCHEMAS)}")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("made-up-password\n", encoding="utf-8")
    return path
