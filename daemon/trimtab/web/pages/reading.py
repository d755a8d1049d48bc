"""The pages that show something: each asks the views and hands what they say to its template."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from trimtab.core.decision import Reason
from trimtab.web.api.parameters import member, moment, text, whole, word, yes_or_no
from trimtab.web.pages.addresses import deployment_address
from trimtab.web.pages.charting import charted
from trimtab.web.pages.charts import timeline
from trimtab.web.pages.rendering import drawn
from trimtab.web.pages.wording import iso
from trimtab.web.problem import ProblemError
from trimtab.web.views.fleet import FleetOrder, FleetWish
from trimtab.web.views.history import DecisionsWish
from trimtab.web.views.override import OverrideView
from trimtab.web.views.trouble import Level
from trimtab.web.views.upcoming import UpcomingKind, UpcomingWish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiohttp import web

    from trimtab.clock import Clock
    from trimtab.web.api.parameters import Parameter
    from trimtab.web.overrides import Desk
    from trimtab.web.pages.entrance import Guest
    from trimtab.web.pages.rendering import Notice
    from trimtab.web.views.deployment import DeploymentView
    from trimtab.web.views.members import MembersView
    from trimtab.web.views.port import Views

ROWS = 50
"""Of the fleet on one page: what an eye goes over, and a browser draws at once."""

DECISIONS = 50
WRITES = 8
"""Of a deployment, the last: each decision that was carried out, and how that went."""

SPANS: Mapping[str, float] = {
    "1h": 3_600.0,
    "3h": 10_800.0,
    "12h": 43_200.0,
    "1d": 86_400.0,
    "7d": 604_800.0,
}
SPAN = "3h"

NOBODY: Mapping[str, str] = {}

_POLICY = text("policy", "Only those of this policy.")
_VERDICT = word("verdict", "Only those that came to this.", ("scale-up", "scale-down", "hold"))
_REASON = text("reason", "Only those with this reason.")
_FLEET = (
    member("order", "What the rows are ordered by.", FleetOrder),
    yes_or_no("reversed", "The other way round.", field="is_reversed"),
    whole("page", "Which page, from 1.", 1, 1_000_000),
    text("text", "Part of the name, the display name or the model."),
    _POLICY,
    member("level", "Only those that do so.", Level),
    _VERDICT,
    _REASON,
    text("state", "Only those in this state."),
    text("team", "Only those of this team."),
)
_DECISIONS = (
    text("deployment", "Only of this one."),
    moment("ago", "Until when.", field="until"),
    _VERDICT,
    _REASON,
    _POLICY,
    text("cursor", "Where the last page ended."),
)
_DEPLOYMENT = (word("span", "How far back.", SPANS), moment("at", "Of which moment the trail is."))

_COLUMNS = (
    ("name", "Deployment", ""),
    ("trouble", "How it is", ""),
    (None, "What was decided", ""),
    (None, "Replicas", "spare"),
    ("current", "Ready", "num"),
    (None, "Wanted", "num"),
    (None, "Bounds", "num"),
    (None, "Cost/h", "num"),
    (None, "Policy", ""),
    ("changed", "Changed", "num"),
)
"""What the table of the fleet is ordered by, its heads, and their styles."""

_DESCENDING = frozenset({FleetOrder.TROUBLE, FleetOrder.CURRENT, FleetOrder.CHANGED})


class Reading:
    """Shows what there is."""

    def __init__(
        self,
        *,
        views: Views,
        members: Callable[[], MembersView],
        desk: Desk | None,
        clock: Clock,
    ) -> None:
        self._views = views
        self._members = members
        self._desk = desk
        self._clock = clock

    async def fleet(self, guest: Guest) -> web.Response:
        """Show the fleet as a table, or say why there is none."""
        wish = FleetWish(limit=ROWS, **self._read(_FLEET, guest))
        fleet = await self._views.fleet(wish)

        def sorted_as(order: str) -> str:
            is_descending = (order in _DESCENDING) is not wish.is_reversed
            return "descending" if is_descending else "ascending"

        return guest.page(
            "fleet",
            fleet=fleet,
            wish=wish,
            said=guest.query,
            columns=_COLUMNS,
            sorted_as=sorted_as,
            has_prices=any(row.usd_an_hour is not None for row in fleet.rows),
            daemon=self._views.daemon() if fleet.counts.all == 0 else None,
        )

    async def deployment(self, guest: Guest) -> web.StreamResponse:
        """Show one deployment; one that was called by its short name at its full one."""
        name = guest.request.match_info["name"]
        one = await self._views.deployment(name)
        if one.name != name:
            return guest.sent_to(deployment_address(one.name, **guest.query))
        return await self.one(guest, one)

    async def one(
        self,
        guest: Guest,
        one: DeploymentView,
        *,
        status: int = 200,
        notice: Notice | None = None,
        said: Mapping[str, str] = NOBODY,
    ) -> web.Response:
        """Show a deployment; ``said`` is what an order that was refused had in it."""
        query = self._read(_DEPLOYMENT, guest) if guest.request.method == "GET" else {}
        span = str(query.get("span", SPAN))
        at = query.get("at")
        values: dict[str, Any] = {"then": None, "then_at": at, "why_no_then": ""}
        if at is not None:
            try:
                values["then"] = await self._views.decision_at(one.name, at)
            except ProblemError as problem:
                values["why_no_then"] = problem.sentence
        values |= await self._chart(one, span, at)
        return guest.page(
            "deployment",
            status=status,
            notice=notice,
            one=one,
            span=span,
            spans=tuple(SPANS),
            upcoming=[one for one in one.upcoming if one.kind is not UpcomingKind.RECHECK],
            may_order=self._desk is not None and guest.could_operate,
            said=said,
            **values,
        )

    async def _chart(self, one: DeploymentView, span: str, at: float | None) -> dict[str, Any]:
        now, length = self._clock.now(), SPANS[span]
        until = now if at is None or at >= now - length else min(now, at + length / 2)
        try:
            series = await self._views.series(one.name, since=until - length, until=until)
        except ProblemError as problem:
            return {"chart": None, "why_no_chart": problem.sentence, "writes": ()}
        if not series.runs:
            why = "Nothing was decided in this time."
            return {"chart": None, "why_no_chart": why, "writes": ()}
        drawing = charted(
            series,
            address_at=lambda moment: (
                deployment_address(one.name, span=span, at=iso(moment)) + "#then"
            ),
            picked_at=at,
        )
        title = f"Load and replicas of {one.short_name}, the last {span}"
        return {
            "chart": drawn(timeline(drawing, key="timeline", title=title)),
            "why_no_chart": "",
            "is_cut": series.is_cut,
            "detail_since": series.detail_since,
            "since": series.since,
            "has_rules": bool(drawing.rules),
            "writes": series.writes[-WRITES:],
        }

    async def decisions(self, guest: Guest) -> web.Response:
        """Show a page of decisions."""
        values = self._read(_DECISIONS, guest)
        wish = DecisionsWish(limit=DECISIONS, **values)
        page = await self._views.decisions(wish)
        reasons = [reason.value for reason in Reason]
        return guest.page("decisions", page=page, wish=wish, said=guest.query, reasons=reasons)

    async def decision(self, guest: Guest) -> web.Response:
        """Show one decision with its trail, and where it is in the chart."""
        decision = await self._views.decision(guest.request.match_info["id"])
        return guest.page("decision", decision=decision, span=SPAN)

    async def overrides(
        self,
        guest: Guest,
        *,
        status: int = 200,
        notice: Notice | None = None,
        said: Mapping[str, str] = NOBODY,
    ) -> web.Response:
        """Show people's orders; ``said`` is what one that was refused had in it."""
        return guest.page(
            "overrides",
            status=status,
            notice=notice,
            overrides=await self._overrides(),
            may_order=self._desk is not None and guest.could_operate,
            said=said,
        )

    async def _overrides(self) -> tuple[OverrideView, ...]:
        if self._desk is None:
            return ()
        status, body = await self._desk.listed()
        listed = body.get("overrides") if status == HTTPStatus.OK else None
        return tuple(override_view(one) for one in listed) if isinstance(listed, list) else ()

    async def upcoming(self, guest: Guest) -> web.Response:
        """Show what will happen by itself."""
        return guest.page("upcoming", page=await self._views.upcoming(UpcomingWish()))

    async def policies(self, guest: Guest) -> web.Response:
        """Show the policies in force; ``?name=`` only the one."""
        policies = await self._views.policies()
        name = guest.query.get("name")
        shown = [one for one in policies.policies if name is None or one.name == name]
        return guest.page("policies", policies=policies, shown=shown)

    async def daemon(self, guest: Guest) -> web.Response:
        """Show the daemon itself."""
        return guest.page("daemon", daemon=self._views.daemon(), members=self._members())

    def _read(self, parameters: Sequence[Parameter], guest: Guest) -> dict[str, Any]:
        """Read what stands behind the question mark. Raises ``ProblemError`` (400)."""
        found: dict[str, Any] = {}
        for one in parameters:
            given = guest.query.get(one.name)
            if given is None:
                continue
            try:
                found[one.field or one.name] = one.read(given, self._clock.now())
            except ValueError as error:
                why = f"{one.name}={given[:50]!r} is {error}; go back and choose again"
                raise ProblemError(HTTPStatus.BAD_REQUEST, why) from None
        return found


def override_view(body: Mapping[str, Any]) -> OverrideView:
    """Return an order as templates have it of one as JSON has it: moments are seconds there."""
    moments = {key: datetime.fromisoformat(body[key]).timestamp() for key in ("since", "until")}
    return OverrideView(**{**body, **moments})
