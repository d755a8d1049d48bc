"""From settings to coordination: the service on which members meet, and where a bucket's memory comes from."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING

import structlog

from trimtab.coordination.buckets import bucket_of
from trimtab.coordination.members import unique_member
from trimtab.coordination.postgresql import LeasesInPostgresql
from trimtab.coordination.standing import Happened
from trimtab.coordination.steward import Steward
from trimtab.errors import SettingsError
from trimtab.journal.port import Recollection
from trimtab.journal.postgresql.journal import PostgresqlJournal
from trimtab.service.tenancy import Coordination
from trimtab.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from trimtab.clock import Clock
    from trimtab.coordination.port import Leases
    from trimtab.coordination.standing import Event
    from trimtab.core.memory import Memory
    from trimtab.core.proposals import JsonValue
    from trimtab.journal.port import Journal, SharedMemory
    from trimtab.service.tenancy import Chore, Tenancy
    from trimtab.settings import Settings
    from trimtab.settings_coordination import CoordinationSettings

LOG = structlog.get_logger("trimtab")

TROUBLES = frozenset(
    {Happened.SERVICE_AWAY, Happened.TAKE_OVER_FAILED, Happened.LOST, Happened.DEAF}
)

KUBERNETES_EXCHANGE_SECONDS = 3.0
"""A ConfigMap is dearer to write than a row."""


def bucket_function(settings: CoordinationSettings) -> Callable[[str], int] | None:
    """Return what says into which bucket a deployment falls; ``None`` where this process is alone."""
    if settings.service == "none":
        return None
    return partial(bucket_of, buckets=settings.buckets)


def coordination_of(
    settings: Settings,
    clock: Clock,
    random: Random,
    journal: Journal,
) -> Coordination | None:
    """Return what makes the process one of several, ``None`` where it is alone. Raises ``SettingsError``.

    ``random`` must differ from start to start: the member's name comes from it.
    """
    said = settings.coordination
    if said.service == "none":
        return None
    member = unique_member(said.member or socket.gethostname(), random)
    says = partial(_says, settings, clock.now())
    parts = _Parts(settings, clock, random, member, says)
    if said.service == "postgresql":
        return parts.on_postgresql(journal)
    return parts.on_kubernetes(journal)


class _Parts:
    """What both services are wired with."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        random: Random,
        member: str,
        says: Callable[[int | None], Mapping[str, JsonValue]],
    ) -> None:
        self.settings, self.clock, self.random = settings.coordination, clock, random
        self.member, self.says = member, says
        self.tenancy: Tenancy | None = None

    def on_postgresql(self, journal: Journal) -> Coordination:
        said = self.settings.postgresql
        if said is None:
            raise SettingsError("coordination.postgresql.url says where members meet; set it")
        if not isinstance(journal, PostgresqlJournal):
            raise SettingsError(
                "coordination.service postgresql needs a journal that all members share; set "
                "journal.postgresql.url, or who takes over knows nothing of cooldowns and writes in flight"
            )
        leases = LeasesInPostgresql(
            self.clock,
            said.database,
            buckets=self.settings.buckets,
            lease_seconds=self.settings.lease,
        )
        return Coordination(
            member=self.member,
            buckets=self.settings.buckets,
            steward=partial(self._steward, leases),
            shared=journal,
            board=leases,
        )

    def on_kubernetes(self, journal: Journal) -> Coordination:
        # Imported here: lightkube is an extra.
        from trimtab.coordination.kubernetes import LeasesInKubernetes
        from trimtab.coordination.kubernetes_memory import MemoryInKubernetes
        from trimtab.coordination.kubernetes_objects import Place
        from trimtab.kubernetes.access import Access
        from trimtab.kubernetes.connection import Connection

        said = self.settings.kubernetes
        access = Access(kubeconfig=said.kubeconfig, context=said.context)
        api = Connection(
            self.clock, access, writes_per_second_max=float(said.writes_per_second_max)
        )
        place = Place(namespace=said.namespace or api.namespace, group=said.group)
        leases = LeasesInKubernetes(
            self.clock,
            api,
            place,
            writes_per_second_max=float(said.writes_per_second_max),
            buckets=self.settings.buckets,
            lease_seconds=self.settings.lease,
        )
        chores: tuple[Chore, ...] = ()
        shared: SharedMemory
        if isinstance(journal, PostgresqlJournal):
            shared = journal
        else:
            memory: MemoryInKubernetes[Recollection] = MemoryInKubernetes(
                self.clock,
                api,
                place,
                memory_of=self._memory_of,
                recollects=Recollection,
            )
            shared, chores = memory, (("keep the memory of our buckets", memory.run),)
        return Coordination(
            member=self.member,
            buckets=self.settings.buckets,
            steward=partial(self._steward, leases),
            shared=shared,
            board=leases,
            chores=chores,
            exchange_seconds=KUBERNETES_EXCHANGE_SECONDS,
        )

    def _memory_of(self, bucket: int) -> Memory:
        assert self.tenancy is not None  # noqa: S101  it exists before anything is taken over
        return self.tenancy.memory_of(bucket)

    def _steward(self, leases: Leases, tenancy: Tenancy) -> Steward:
        self.tenancy = tenancy
        return Steward(
            self.clock,
            self.random,
            leases,
            tenancy,
            member=self.member,
            says=lambda: self.says(tenancy.port),
            on_event=_tell,
        )


def _tell(event: Event) -> None:
    """Log what the tenancy does not log itself: what the service does, and why something went wrong."""
    said = (
        {} if event.tenure is None else {"bucket": event.tenure.bucket, "term": event.tenure.term}
    )
    if event.what in TROUBLES:
        LOG.warning("coordination_trouble", what=event.what.value, why=event.sentence, **said)
    elif event.what is Happened.SERVICE_BACK:
        LOG.info("coordination_service_back")


def _says(settings: Settings, started_at: float, port: int | None) -> dict[str, JsonValue]:
    """Return what this member tells the others of itself; ``port``: what it listens on, once it does."""
    return {"address": _address(settings, port), "version": VERSION, "started_at": started_at}


def _address(settings: Settings, port: int | None) -> str | None:
    """Return the URL under which others reach our HTTP API; ``None``: nobody does."""
    if settings.coordination.address is not None:
        return settings.coordination.address
    listen = settings.listen_address
    if listen is None or port is None:
        return None
    host = listen[0]
    if host in ("127.0.0.1", "::1", "localhost"):
        return f"http://{host}:{port}"  # only who is on this machine can
    return f"http://{socket.gethostname()}:{port}"
