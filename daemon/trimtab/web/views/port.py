"""The port through which the JSON API and the live page ask: one way to know, two ways to show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from trimtab.web.views.daemon import Banner, DaemonView
    from trimtab.web.views.decision import DecisionView
    from trimtab.web.views.deployment import DeploymentView, ForecastView, ProposalsView
    from trimtab.web.views.fleet import FleetPage, FleetWish
    from trimtab.web.views.history import DecisionsPage, DecisionsWish, SeriesView
    from trimtab.web.views.policies import PoliciesView
    from trimtab.web.views.upcoming import UpcomingPage, UpcomingWish
    from trimtab.web.views.what_if import WhatIfView, WhatIfWish


class Views(Protocol):
    """What may be seen. Nothing here changes anything, and nothing holds up the loop that decides.

    ``name`` is a full name, or the last part of one where that is unambiguous. Every method raises
    ``ProblemError`` (``web/problem.py``): 404 for what is not there, 400 for a wish that cannot be meant, 503
    where no journal is kept or too many ask it at once.
    """

    async def fleet(self, wish: FleetWish) -> FleetPage:
        """Return a page of the fleet."""
        ...

    async def deployment(self, name: str) -> DeploymentView:
        """Return everything about one deployment now."""
        ...

    async def proposals(self, name: str) -> ProposalsView:
        """Return what each rule asks for now."""
        ...

    async def forecast(self, name: str) -> ForecastView:
        """Return what the rules expect."""
        ...

    async def series(
        self, name: str, *, since: float | None = None, until: float | None = None
    ) -> SeriesView:
        """Return how one deployment went, from the journal; the last three hours unless told otherwise."""
        ...

    async def decisions(self, wish: DecisionsWish) -> DecisionsPage:
        """Return a page of decisions from the journal."""
        ...

    async def decision(self, decision_id: str) -> DecisionView:
        """Return one decision of the journal with its trail."""
        ...

    async def decision_at(self, name: str, at: float) -> DecisionView:
        """Return the decision that held for a deployment at a moment: what a click into a chart asks for."""
        ...

    async def upcoming(self, wish: UpcomingWish) -> UpcomingPage:
        """Return what will happen by itself."""
        ...

    async def policies(self) -> PoliciesView:
        """Return the policies in force with every value that counts, and the diagnostics of their files."""
        ...

    async def what_if(self, wish: WhatIfWish) -> WhatIfView:
        """Return what another policy would have decided. Takes seconds; one at a time."""
        ...

    def banner(self) -> Banner:
        """Return what is amiss with the daemon. Quick."""
        ...

    def daemon(self) -> DaemonView:
        """Return the daemon as a whole. Quick."""
        ...
