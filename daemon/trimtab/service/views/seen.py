"""The port ``Views`` over a running daemon: each question to the part that knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.journal.kept import KeptJournal
from trimtab.service.views.banner import DaemonSeen
from trimtab.service.views.chronicle import Chronicle
from trimtab.service.views.detail import Detail
from trimtab.service.views.fleet_table import FleetTable
from trimtab.service.views.names import Names
from trimtab.service.views.past import Past
from trimtab.service.views.policies import PoliciesSeen
from trimtab.service.views.upcoming import Upcoming
from trimtab.service.views.what_if import WhatIf

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.clock import Clock
    from trimtab.core.engine import Engine
    from trimtab.service.overview import Overview
    from trimtab.service.reload import PolicyFiles
    from trimtab.service.views.watch import Watch
    from trimtab.web.views.daemon import Banner, DaemonView
    from trimtab.web.views.decision import DecisionView
    from trimtab.web.views.deployment import DeploymentView, ForecastView, ProposalsView
    from trimtab.web.views.fleet import FleetPage, FleetWish
    from trimtab.web.views.history import DecisionsPage, DecisionsWish, SeriesView
    from trimtab.web.views.policies import PoliciesView
    from trimtab.web.views.upcoming import UpcomingPage, UpcomingWish
    from trimtab.web.views.what_if import WhatIfView, WhatIfWish

SERIES_SECONDS = 3 * 3600.0


class DaemonViews:
    """What may be seen of a daemon (``web/views/port.py``)."""

    def __init__(
        self,
        clock: Clock,
        overview: Overview,
        *,
        watch: Watch,
        files: PolicyFiles | None,
        plugins: tuple[str, ...],
        not_ready: Callable[[], tuple[str, ...]],
    ) -> None:
        self._clock = clock
        fleet, overrides, journalled = overview.fleet, overview.overrides, overview.journalled
        self._fleet = fleet
        journal = journalled.journal
        place = journal.place if isinstance(journal, KeptJournal) else None
        self._names = Names(fleet)

        def engine() -> Engine:
            return journalled.engine

        self._table = FleetTable(
            clock, overview=overview, fleet=fleet, overrides=overrides, watch=watch, engine=engine
        )
        self._upcoming = Upcoming(clock, fleet=fleet, overrides=overrides, engine=engine)
        self._detail = Detail(
            clock,
            overview=overview,
            fleet=fleet,
            overrides=overrides,
            engine=engine,
            table=self._table,
            upcoming=self._upcoming,
        )
        self._chronicle = Chronicle(Past(place))
        self._policies = PoliciesSeen(
            clock,
            engine=engine,
            files=files,
            reloader=overview.reloader,
            counts=self._table.count_by_policy,
        )
        self._daemon = DaemonSeen(
            overview=overview, fleet=fleet, engine=engine, not_ready=not_ready
        )
        self._what_if = WhatIf(clock, place, plugins)

    def full_name(self, name: str) -> str:
        """Return the full name that ``name`` means. Raises ``ProblemError`` (404)."""
        return self._names.full(name)

    async def fleet(self, wish: FleetWish) -> FleetPage:
        """Return a page of the fleet."""
        return await self._table.page(wish)

    async def deployment(self, name: str) -> DeploymentView:
        """Return everything about one deployment now."""
        return self._detail.view(self._names.full(name))

    async def proposals(self, name: str) -> ProposalsView:
        """Return what each rule asks for now."""
        return self._detail.proposals(self._names.full(name))

    async def forecast(self, name: str) -> ForecastView:
        """Return what the rules expect."""
        return self._detail.forecast(self._names.full(name))

    async def series(
        self, name: str, *, since: float | None = None, until: float | None = None
    ) -> SeriesView:
        """Return how one deployment went."""
        full = self._names.full(name, is_past=True)
        end = self._clock.now() if until is None else until
        begin = end - SERIES_SECONDS if since is None else since
        deployment = self._fleet.deployments.get(full)
        ready = None if deployment is None else deployment.pipeline.ready
        return await self._chronicle.series(full, since=begin, until=end, ready_now=ready)

    async def decisions(self, wish: DecisionsWish) -> DecisionsPage:
        """Return a page of decisions."""
        if wish.deployment is not None:
            wish = replace(wish, deployment=self._names.full(wish.deployment, is_past=True))
        return await self._chronicle.decisions(wish)

    async def decision(self, decision_id: str) -> DecisionView:
        """Return one decision with its trail."""
        return await self._chronicle.decision(decision_id)

    async def decision_at(self, name: str, at: float) -> DecisionView:
        """Return the decision that held for a deployment at a moment."""
        return await self._chronicle.decision_at(self._names.full(name, is_past=True), at)

    async def upcoming(self, wish: UpcomingWish) -> UpcomingPage:
        """Return what will happen by itself."""
        if wish.deployment is not None:
            wish = replace(wish, deployment=self._names.full(wish.deployment))
        return await self._upcoming.page(wish)

    async def policies(self) -> PoliciesView:
        """Return the policies in force."""
        return await self._policies.view()

    async def what_if(self, wish: WhatIfWish) -> WhatIfView:
        """Return what another policy would have decided."""
        if wish.deployment is not None:
            wish = replace(wish, deployment=self._names.full(wish.deployment, is_past=True))
        return await self._what_if.ask(wish)

    def banner(self) -> Banner:
        """Return what is amiss with the daemon."""
        return self._daemon.banner()

    def daemon(self) -> DaemonView:
        """Return the daemon as a whole."""
        return self._daemon.view()
