"""The whole HTTP surface of a daemon as one application, and who is let in while it runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from trimtab.service.line_budget import LineBudget
from trimtab.service.peers import Peers
from trimtab.service.reload_answer import reload_answer
from trimtab.service.shared_desk import SharedDesk
from trimtab.service.views.members import MembersSeen
from trimtab.service.views.shared import SharedViews
from trimtab.web.access import Gate
from trimtab.web.api.catalogue import membership, operating, reading
from trimtab.web.api.routes import add_api
from trimtab.web.api.stream import stream_operation
from trimtab.web.app import allowed_hosts_for, build_app
from trimtab.web.pages.routes import add_pages
from trimtab.web.push import add_push_routes
from trimtab.web.tokens import CLOSED, Access

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web

    from trimtab.clock import Clock
    from trimtab.service.daemon import Daemon
    from trimtab.web.api.operations import Operation
    from trimtab.web.audit import AuditEntry
    from trimtab.web.overrides import Desk
    from trimtab.web.views.port import Views

LOG = structlog.get_logger("trimtab")

REFUSED = frozenset({401, 403, 429})


class Doors:
    """The gate, and the files of tokens that it goes by, which are read again at each reload.

    ``read_again`` returns who may what and what is wrong, in sentences; it may block. ``None``: nothing is
    read, and ``access`` stays.
    """

    def __init__(
        self,
        clock: Clock,
        access: Access = CLOSED,
        read_again: Callable[[], tuple[Access, tuple[str, ...]]] | None = None,
    ) -> None:
        self.gate = Gate(access, clock)
        self._read_again = read_again
        self._reading: asyncio.Task[None] | None = None

    async def reread(self) -> None:
        """Read the files of tokens, in a thread, and go by them from then on."""
        if self._read_again is None:
            return
        access, problems = await asyncio.to_thread(self._read_again)
        self.gate.take(access)
        for sentence in problems:
            LOG.warning("token_unusable", sentence=sentence)
        LOG.info("tokens_read", tokens=[one.name for one in access.tokens])

    def reread_soon(self) -> None:
        """Have that done. Returns at once."""
        self._reading = asyncio.create_task(self.reread(), name="read the tokens again")


class AuditLog:
    """Writes down who changed something over HTTP; what was refused too, as far as there is room."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._budget = LineBudget()

    def __call__(self, entry: AuditEntry) -> None:
        """Write an entry down."""
        said = {"method": entry.method, "path": entry.path, "status": entry.status}
        if entry.status not in REFUSED:
            LOG.info("api_write", who=entry.who, peer=entry.peer, **said)
        elif self._budget.spend(self._clock.now(), "api_refused"):
            LOG.warning("api_refused", who=entry.who, peer=entry.peer, **said)


def surface_of(daemon: Daemon, host: str, doors: Doors) -> web.Application:
    """Return everything that ``daemon`` serves when it listens on ``host``."""
    clock, gate = daemon.clock, doors.gate
    audit = AuditLog(clock)

    async def reload() -> tuple[int, Mapping[str, object]]:
        await doors.reread()
        return await reload_answer(daemon)

    app = build_app(
        exposition=daemon.exposition,
        health=daemon,
        beat_age_seconds_max=daemon.timing.beat_age_seconds_max,
        allowed_hosts=allowed_hosts_for(host),
        remarks=daemon.remarks,
        gate=gate,
        reload=reload,
        audit=audit,
    )
    views, desk = _shared(daemon, app)
    add_api(app, operations_of(daemon, views, desk), gate=gate, clock=clock, audit=audit)
    add_pages(
        app,
        views=views,
        members=_members_of(daemon).view,
        desk=desk,
        gate=gate,
        clock=clock,
        newsroom=daemon.watch,
        audit=audit,
    )
    add_push_routes(app, [desk.door for desk in daemon.desks], clock)
    return app


def _shared(daemon: Daemon, app: web.Application) -> tuple[Views, Desk]:
    """Return what answers for all of a fleet that several members share; alone, the daemon's own."""
    if daemon.tenancy is None:
        return daemon.views, daemon.desk
    peers = Peers(daemon.tenancy)

    async def close(_: web.Application) -> None:
        await peers.close()

    app.on_cleanup.append(close)
    desk = SharedDesk(daemon.desk, peers, daemon.views.full_name)
    return SharedViews(daemon.views, peers), desk


def operations_of(daemon: Daemon, views: Views, desk: Desk) -> tuple[Operation, ...]:
    """Return everything that ``/v1`` can do with ``daemon``, as ``views`` and ``desk`` answer."""
    return (
        *reading(views),
        *membership(_members_of(daemon).view),
        *operating(desk),
        stream_operation(daemon.watch, daemon.views.full_name),
    )


def _members_of(daemon: Daemon) -> MembersSeen:
    return MembersSeen(daemon.clock, daemon.tenancy, lambda: daemon.status().started_at)
