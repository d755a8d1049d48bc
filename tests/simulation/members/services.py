"""On what members meet: one of two services, each with what ``trimtab run`` puts beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tests.simulation.members.clocks import DriftingLoop
from tests.simulation.members.roads import Road
from tests.simulation.members.shared_journal import JournalOfItsOwn, JournalOnTables, Tables
from tests.worlds.kubernetes_coordination import ClusterOfLeases, WiredApi
from tests.worlds.leases_in_memory import LeaseServer, LeasesInMemory

from trimtab.clock import Clock
from trimtab.coordination.buckets import bucket_of
from trimtab.coordination.kubernetes import LeasesInKubernetes
from trimtab.coordination.kubernetes_memory import MemoryInKubernetes
from trimtab.coordination.kubernetes_objects import Place
from trimtab.coordination.port import Tenure
from trimtab.core.memory import Memory
from trimtab.journal.port import Recollection, SharedMemory
from trimtab.service.coordination_wiring import KUBERNETES_EXCHANGE_SECONDS
from trimtab.service.exchange import EXCHANGE_SECONDS

if TYPE_CHECKING:
    from trimtab.service.tenancy import Chore

Listener = Callable[[str, Tenure], None]


@dataclass(frozen=True, kw_only=True)
class Post:
    """What one start of a member gets of a service."""

    leases: LeasesInMemory | LeasesInKubernetes
    journal: JournalOnTables | JournalOfItsOwn
    shared: SharedMemory
    chores: tuple[Chore, ...]
    exchange_seconds: float


class Service(Protocol):
    """What members meet on. ``error_seconds`` is by how much its wall clock is wrong."""

    error_seconds: float

    def post(self, clock: Clock, road: Road, memory_of: Callable[[int], Memory]) -> Post: ...
    def listen(self, on_claim: Listener, on_release: Listener) -> None: ...
    def restart(self) -> None: ...
    def fall_behind(self, changes: int) -> None: ...


class PostgresqlLike:
    """Leases and journal in one server."""

    def __init__(self, loop: DriftingLoop, *, buckets: int, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self.error_seconds = 0.0
        self.server = LeaseServer(
            buckets=buckets, now=lambda: loop.true_time() + self.error_seconds
        )
        self.tables = Tables(lambda name: bucket_of(name, buckets))

    def post(self, clock: Clock, road: Road, memory_of: Callable[[int], Memory]) -> Post:
        wire = road.wire(self._lease_seconds / 3)
        journal = JournalOnTables(self.tables, clock, wire, grace_seconds=self._lease_seconds)
        return Post(
            leases=LeasesInMemory(self.server, clock, wire, lease_seconds=self._lease_seconds),
            journal=journal,
            shared=journal,
            chores=(),
            exchange_seconds=EXCHANGE_SECONDS,
        )

    def listen(self, on_claim: Listener, on_release: Listener) -> None:
        self.server.on_claim.append(on_claim)
        self.server.on_release.append(on_release)

    def restart(self) -> None:
        self.server.restart()

    def fall_behind(self, changes: int) -> None:
        """It never does."""
        if changes:
            self.restart()


class KubernetesLike:
    """Leases in a cluster, and what owners know in a ConfigMap for each bucket."""

    def __init__(self, loop: DriftingLoop, *, buckets: int, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._buckets = buckets
        self.error_seconds = 0.0
        self.cluster = ClusterOfLeases(buckets, lambda: loop.true_time() + self.error_seconds)

    def post(self, clock: Clock, road: Road, memory_of: Callable[[int], Memory]) -> Post:
        api: Any = WiredApi(self.cluster.api, road.wire(self._lease_seconds / 3))
        place = Place(namespace="default", group="world")
        memory: MemoryInKubernetes[Recollection] = MemoryInKubernetes(
            clock, api, place, memory_of=memory_of, recollects=Recollection
        )
        return Post(
            leases=LeasesInKubernetes(
                clock,
                api,
                place,
                writes_per_second_max=1000,
                buckets=self._buckets,
                lease_seconds=self._lease_seconds,
            ),
            journal=JournalOfItsOwn(clock),
            shared=memory,
            chores=(("keep the memory of our buckets", memory.run),),
            exchange_seconds=KUBERNETES_EXCHANGE_SECONDS,
        )

    def listen(self, on_claim: Listener, on_release: Listener) -> None:
        self.cluster.on_claim.append(on_claim)
        self.cluster.on_release.append(on_release)

    def restart(self) -> None:
        """Nothing is lost, and nobody sees it but by answers that do not come."""

    def fall_behind(self, changes: int) -> None:
        self.cluster.api.cache_lag = changes
