"""What may be seen of a fleet that several members share: each answers for all of it.

Of a deployment that another member decides for that one is asked; a table is put together from everybody's. What
comes from the journal is read here, as all members write to one. A request that another member passed on is
answered from here alone.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

from pydantic import TypeAdapter

from trimtab.service.views.fleet_table import cursor_after, row_key
from trimtab.web.problem import ProblemError
from trimtab.web.views.deployment import DeploymentView, ForecastView, ProposalsView
from trimtab.web.views.fleet import FleetCounts, FleetPage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trimtab.service.peers import Peers
    from trimtab.service.views.seen import DaemonViews
    from trimtab.web.views.fleet import FleetWish

T = TypeVar("T")

ROWS_MAX = 500
"""Rows that a member is asked for at once."""

_PAGE = TypeAdapter(FleetPage)
_DEPLOYMENT = TypeAdapter(DeploymentView)
_PROPOSALS = TypeAdapter(ProposalsView)
_FORECAST = TypeAdapter(ForecastView)


class SharedViews:
    """The port ``Views`` over one of several daemons: asks the others where they know better."""

    def __init__(self, here: DaemonViews, peers: Peers) -> None:
        self._here = here
        self._peers = peers
        self.series = here.series
        self.decisions = here.decisions
        self.decision = here.decision
        self.decision_at = here.decision_at
        self.upcoming = here.upcoming
        self.policies = here.policies
        self.what_if = here.what_if
        self.banner = here.banner
        self.daemon = here.daemon

    async def fleet(self, wish: FleetWish) -> FleetPage:
        """Return a page of the fleet, of all members' rows."""
        if self._peers.is_hop:
            return await self._here.fleet(wish)
        asked = wish
        if wish.cursor is None and wish.page > 1:
            if wish.page * wish.limit > ROWS_MAX:
                why = f"rows beyond {ROWS_MAX} of a shared fleet are reached by the cursor alone"
                raise ProblemError(HTTPStatus.BAD_REQUEST, why)
            asked = replace(wish, page=1, limit=wish.page * wish.limit)
        own = _of_member(await self._here.fleet(asked), self._peers.this)
        path = f"/v1/fleet?{urlencode(_parameters(asked))}"
        found = await asyncio.gather(*(self._page_of(one, path) for one in self._peers.others))
        return self._merged(wish, own, found)

    async def deployment(self, name: str) -> DeploymentView:
        """Return everything about one deployment now, from whoever decides for it."""
        found = await self._of_owner(name, "deployments", _DEPLOYMENT, self._here.deployment)
        if found.row is None or self._peers.is_hop:
            return found
        owner = self._peers.owner_of(found.name) or self._peers.this
        return replace(found, row=replace(found.row, member=owner))

    async def proposals(self, name: str) -> ProposalsView:
        """Return what each rule asks for now."""
        return await self._of_owner(name, "proposals", _PROPOSALS, self._here.proposals)

    async def forecast(self, name: str) -> ForecastView:
        """Return what the rules expect."""
        return await self._of_owner(name, "forecasts", _FORECAST, self._here.forecast)

    async def _of_owner(
        self,
        name: str,
        kind: str,
        adapter: TypeAdapter[T],
        here: Callable[[str], Awaitable[T]],
    ) -> T:
        full = self._here.full_name(name)
        owner = self._peers.owner_of(full)
        if owner is None:
            return await here(full)
        if self._peers.is_hop:
            why = f"{full} has just gone over to member {owner}; ask again"
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, why, retry_after_seconds=1.0)
        text = await self._peers.get(owner, f"/v1/{kind}/{quote(full, safe='/')}")
        return adapter.validate_json(text)

    async def _page_of(self, member: str, path: str) -> FleetPage | str:
        """Return a member's page, or its name where it does not answer."""
        try:
            page = _PAGE.validate_json(await self._peers.get(member, path))
            return _of_member(page, member)
        except ProblemError as problem:
            if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise  # what is wrong is with the request, or with its token
            return member

    def _merged(self, wish: FleetWish, own: FleetPage, found: list[FleetPage | str]) -> FleetPage:
        pages = [own, *(one for one in found if isinstance(one, FleetPage))]
        silent = tuple(one for one in found if isinstance(one, str))
        known = {row.name: row for page in reversed(pages) for row in page.rows}
        rows = sorted(
            known.values(),
            key=lambda row: row_key(row, wish.order),
            reverse=wish.is_reversed,
        )
        skipped = 0 if wish.cursor is not None else (wish.page - 1) * wish.limit
        shown = tuple(rows[skipped : skipped + wish.limit])
        is_more = len(rows) > skipped + wish.limit or any(
            page.next_cursor is not None for page in pages
        )
        before = sum(page.position - 1 if page.rows else page.total for page in pages)
        counts = _added([page.counts for page in pages])
        return replace(
            own,
            rows=shown,
            total=sum(page.total for page in pages),
            position=before + skipped + 1 if shown else 0,
            next_cursor=cursor_after(wish, shown[-1]) if shown and is_more else None,
            counts=replace(
                counts,
                without_policy=max(0, own.counts.all + own.counts.without_policy - counts.all),
            ),
            states=tuple(sorted({state for page in pages for state in page.states})),
            unanswered=silent,
        )


def _of_member(page: FleetPage, member: str) -> FleetPage:
    return replace(page, rows=tuple(replace(row, member=member) for row in page.rows))


def _added(counts: list[FleetCounts]) -> FleetCounts:
    return FleetCounts(
        all=sum(one.all for one in counts),
        failing=sum(one.failing for one in counts),
        short=sum(one.short for one in counts),
        held=sum(one.held for one in counts),
        well=sum(one.well for one in counts),
        without_policy=0,
    )


def _parameters(wish: FleetWish) -> dict[str, Any]:
    said = {
        "order": wish.order.value,
        "reversed": "true" if wish.is_reversed else None,
        "limit": wish.limit,
        "cursor": wish.cursor,
        "text": wish.text or None,
        "policy": wish.policy,
        "level": None if wish.level is None else wish.level.value,
        "verdict": wish.verdict,
        "reason": wish.reason,
        "state": wish.state,
        "team": wish.team,
    }
    return {name: value for name, value in said.items() if value is not None}
