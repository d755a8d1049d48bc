"""Every operation of the API, in the order of its documentation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from trimtab.core.decision import Reason
from trimtab.web.api.operations import Operation
from trimtab.web.api.parameters import (
    LIMIT_MAX,
    duration,
    member,
    moment,
    text,
    whole,
    word,
    yes_or_no,
)
from trimtab.web.api.wishes import GIVE, LIFT, WHAT_IF, as_problem
from trimtab.web.tokens import Scope
from trimtab.web.views.daemon import DaemonView
from trimtab.web.views.decision import DecisionView
from trimtab.web.views.deployment import DeploymentView, ForecastView, ProposalsView
from trimtab.web.views.fleet import FleetOrder, FleetPage, FleetWish
from trimtab.web.views.history import DecisionsPage, DecisionsWish, SeriesView
from trimtab.web.views.members import MembersView
from trimtab.web.views.override import OverrideGiven, OverridesLifted, OverridesView
from trimtab.web.views.policies import PoliciesView
from trimtab.web.views.trouble import Level
from trimtab.web.views.upcoming import UpcomingPage, UpcomingWish
from trimtab.web.views.what_if import WhatIfView, WhatIfWish

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trimtab.web.api.operations import Answering, Call
    from trimtab.web.overrides import Desk
    from trimtab.web.views.port import Views

VERDICTS = ("scale-up", "scale-down", "hold")

NAME = text(
    "name",
    "The deployment: its full name as it is, slashes included, or the last part of it where that is "
    "unambiguous.",
    place="path",
    is_required=True,
    example="chat",
)
ID = text("id", "As a list has it.", place="path", is_required=True)
DEPLOYMENT = text("deployment", "Only of this one: its full name, or the last part of it.")
VERDICT = word("verdict", "Only those that came to this.", VERDICTS)
REASON = member("reason", "Only those with this reason.", Reason)
POLICY = text("policy", "Only those of this policy.")
LIMIT = whole("limit", "How many at most.", 1, LIMIT_MAX)
CURSOR = text("cursor", "Where the last page ended: its `next_cursor`.")
SINCE = moment("since", "From when on: a time with its zone, or so long ago, as in `3h`.")
UNTIL = moment("until", "Until when: a time with its zone, or so long ago.")

AT = moment("at", "When: a time with its zone, or so long ago, as in `20m`.", is_required=True)

OF_THE_FLEET = (
    member("order", "What the rows are ordered by.", FleetOrder),
    yes_or_no("reversed", "The other way round.", field="is_reversed"),
    LIMIT,
    whole("page", "Which page, from 1; not with a cursor.", 1, 1_000_000),
    CURSOR,
    text("text", "Part of the name, the display name or the model."),
    POLICY,
    member("level", "Only those that do so.", Level),
    VERDICT,
    REASON,
    text("state", "Only those in this state."),
    text("team", "Only those of this team."),
)
OF_WHAT_COMES = (
    DEPLOYMENT,
    duration("horizon", "How far ahead, as in `24h`.", field="horizon_seconds"),
    LIMIT,
)
OF_DECISIONS = (DEPLOYMENT, SINCE, UNTIL, VERDICT, REASON, POLICY, LIMIT, CURSOR)

_GONE_OR_BUSY = (404, 503)


def reading(views: Views) -> tuple[Operation, ...]:
    """Return what only looks."""
    return (*_of_now(views), *_of_the_past(views), *_of_policies(views))


def _look(id_: str, tag: str, path: str, answer: Any, summary: str, **more: Any) -> Operation:
    return Operation(
        id=id_,
        tag=tag,
        method="GET",
        path=path,
        answer=answer,
        summary=summary,
        scope=Scope.READ,
        **more,
    )


def _of_now(views: Views) -> tuple[Operation, ...]:
    async def daemon(_: Call) -> object:
        return views.daemon()

    return (
        _look("getFleet", "Fleet", "/v1/fleet", FleetPage,
              "The fleet as a table, what needs somebody first",
              answering=_wished(views.fleet, FleetWish), parameters=OF_THE_FLEET),
        _of_one("getDeployment", "/v1/deployments/{name}", DeploymentView, views.deployment,
                "Everything about one deployment now"),
        _of_one("getProposals", "/v1/proposals/{name}", ProposalsView, views.proposals,
                "What each rule asks for now"),
        _of_one("getForecast", "/v1/forecasts/{name}", ForecastView, views.forecast,
                "What the rules expect, a lead time ahead"),
        _look("getUpcomingEvents", "Fleet", "/v1/events/upcoming", UpcomingPage,
              "What will happen by itself: schedules, expiries, ends of overrides",
              answering=_wished(views.upcoming, UpcomingWish), parameters=OF_WHAT_COMES,
              refusals=(404,)),
        _look("getDaemon", "Daemon", "/v1/daemon", DaemonView,
              "The daemon itself, and what is amiss with it", answering=daemon),
    )  # fmt: skip


def _of_the_past(views: Views) -> tuple[Operation, ...]:
    async def decision(call: Call) -> object:
        return await views.decision(call.values["id"])

    async def decision_at(call: Call) -> object:
        return await views.decision_at(**call.values)

    async def series(call: Call) -> object:
        return await views.series(**call.values)

    return (
        _look("listDecisions", "Past", "/v1/decisions", DecisionsPage,
              "What was decided, the newest first",
              description="Equal decisions in a row are one row. A page may have fewer rows than `limit` "
              "and still a `next_cursor`: so much of the journal was looked through at once.",
              answering=_wished(views.decisions, DecisionsWish), parameters=OF_DECISIONS,
              refusals=_GONE_OR_BUSY),
        _look("getDecision", "Past", "/v1/decisions/{id}", DecisionView,
              "One decision with its trail", answering=decision, parameters=(ID,),
              refusals=_GONE_OR_BUSY),
        _look("getDecisionAt", "Past", "/v1/decisions/at/{name}", DecisionView,
              "The decision that held for a deployment at a moment", answering=decision_at,
              parameters=(NAME, AT), rest="name", refusals=_GONE_OR_BUSY),
        _look("getSeries", "Past", "/v1/series/{name}", SeriesView,
              "Load, what was wanted and what there was, over time", answering=series,
              parameters=(NAME, SINCE, UNTIL), rest="name", refusals=_GONE_OR_BUSY),
    )  # fmt: skip


def _of_policies(views: Views) -> tuple[Operation, ...]:
    what_if_wish = TypeAdapter(WhatIfWish)

    async def policies(_: Call) -> object:
        return await views.policies()

    async def what_if(call: Call) -> object:
        try:
            wish = what_if_wish.validate_json(json.dumps(call.body), strict=True, extra="forbid")
        except ValidationError as error:
            raise as_problem(error) from None
        return await views.what_if(wish)

    return (
        _look("getPolicies", "Policies", "/v1/policies", PoliciesView,
              "The policies in force with every value that counts, and what is wrong with the files",
              answering=policies),
        Operation(
            id="askWhatIf",
            tag="Policies",
            method="POST",
            path="/v1/what-if",
            summary="What another policy would have decided over the last hours",
            description="Changes nothing. The journal is replayed to an engine with these policies, which only "
            "advises, in a process of its own; `caveats` says what that cannot tell. One at a time.",
            scope=Scope.READ,
            answer=WhatIfView,
            answering=what_if,
            body=WHAT_IF,
            refusals=(404, 422, 503),
        ),
    )  # fmt: skip


def membership(members: Callable[[], MembersView]) -> tuple[Operation, ...]:
    """Return what tells who shares the fleet."""

    async def answering(_: Call) -> object:
        return members()

    return (
        _look("listMembers", "Daemon", "/v1/members", MembersView,
              "The daemons that share the fleet, what each decides for, and who leads",
              answering=answering),
    )  # fmt: skip


def operating(desk: Desk) -> tuple[Operation, ...]:
    """Return what is about overrides: looking at them, giving them and ending them."""

    async def listed(_: Call) -> object:
        return await desk.listed()

    async def give(call: Call) -> object:
        return await desk.give(call.body, call.peer)

    async def lift(call: Call) -> object:
        return await desk.lift(call.body, call.peer)

    async def lift_one(call: Call) -> object:
        named = {name: value for name, value in call.values.items() if name != "id"}
        return await desk.lift({"ids": [call.values["id"]], **named}, call.peer)

    def one(id_: str, method: str, path: str, summary: str, **more: Any) -> Operation:
        return Operation(id=id_, tag="Overrides", method=method, path=path, summary=summary, **more)

    orders = "/v1/overrides"
    return (
        one("listOverrides", "GET", orders, "People's orders in force, the oldest first",
            scope=Scope.READ, answer=OverridesView, answering=listed),
        one("giveOverride", "POST", orders, "Pause, pin or block, until a time",
            description="In force before the answer is sent.", scope=Scope.OPERATE,
            answer=OverrideGiven, answering=give, body=GIVE, status=201, refusals=(422, 503)),
        one("liftOverrides", "POST", f"{orders}/lift", "End orders before their time",
            description="Those of one deployment, those for all, or some by their ids.",
            scope=Scope.OPERATE, answer=OverridesLifted, answering=lift, body=LIFT,
            refusals=(404, 422, 503)),
        one("liftOverride", "DELETE", f"{orders}/{{id}}", "End one order before its time",
            scope=Scope.OPERATE, answer=OverridesLifted, answering=lift_one,
            but=("id", "lift"), parameters=(ID, text("author", "Who ends it."), text("reason", "Why.")),
            refusals=(404, 422, 503)),
    )  # fmt: skip


def _of_one(
    id_: str, path: str, answer: Any, ask: Callable[[str], Awaitable[object]], summary: str
) -> Operation:
    async def answering(call: Call) -> object:
        return await ask(call.values["name"])

    return _look(
        id_, "Fleet", path, answer, summary, answering=answering, parameters=(NAME,), rest="name",
        refusals=(404,),
    )  # fmt: skip


def _wished(ask: Callable[[Any], Awaitable[object]], wish: Callable[..., object]) -> Answering:
    async def answering(call: Call) -> object:
        return await ask(wish(**call.values))

    return answering
