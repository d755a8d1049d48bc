"""The live page: rendered on the server, so that everything can be read without JavaScript; live with it.

Its addresses are for people. What programs want is under ``/v1`` (``web/api``), from the same views.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from trimtab.web.api.stream import tell
from trimtab.web.audit import audited
from trimtab.web.pages.entrance import Entrance
from trimtab.web.pages.ordering import Ordering
from trimtab.web.pages.reading import Reading
from trimtab.web.pages.rendering import STATIC, static_digest, static_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.clock import Clock
    from trimtab.web.access import Gate, Handler
    from trimtab.web.audit import Audit
    from trimtab.web.overrides import Desk
    from trimtab.web.pages.entrance import Guest, Shown
    from trimtab.web.views.members import MembersView
    from trimtab.web.views.port import Views
    from trimtab.web.views.stream import Newsroom


def add_pages(
    app: web.Application,
    *,
    views: Views,
    members: Callable[[], MembersView],
    desk: Desk | None,
    gate: Gate,
    clock: Clock,
    newsroom: Newsroom | None = None,
    audit: Audit | None = None,
) -> None:
    """Add the pages to ``app``. Without a ``desk`` no orders are taken, without a ``newsroom`` nothing is live.

    ``audit`` hears of every order that was given or ended, and of those that were refused.
    """
    entrance = Entrance(views=views, gate=gate, clock=clock)
    reading = Reading(views=views, members=members, desk=desk, clock=clock)
    ordering = Ordering(entrance=entrance, reading=reading, views=views, desk=desk, clock=clock)
    get, post = app.router.add_get, app.router.add_post
    for path, show in (
        ("/", reading.fleet),
        ("/deployments/{name:.+}", reading.deployment),
        ("/decisions", reading.decisions),
        ("/decisions/{id}", reading.decision),
        ("/overrides", reading.overrides),
        ("/upcoming", reading.upcoming),
        ("/policies", reading.policies),
        ("/daemon", reading.daemon),
    ):
        get(path, entrance.seen(show))
    get("/session", entrance.shown(ordering.asked_to_sign_in))
    for path, order in (("/overrides/give", ordering.give), ("/overrides/end", ordering.end)):
        handler = entrance.sent(order)
        post(path, handler if audit is None else audited(audit, handler))
    for path, take in (
        ("/session", ordering.sign_in),
        ("/session/end", ordering.sign_out),
        ("/theme", ordering.choose_theme),
    ):
        post(path, entrance.sent(take))
    if newsroom is not None:
        get("/live", entrance.seen(_live(newsroom, views)))
    get("/pages/{digest}/{name}", _static())


def _live(newsroom: Newsroom, views: Views) -> Shown:
    async def live(guest: Guest) -> web.StreamResponse:
        """Tell news to a browser, which cannot send a token but has its cookie."""
        named = guest.query.get("deployment")
        name = None if named is None else (await views.deployment(named)).name
        return await tell(guest.request, newsroom.listen(deployment=name))

    return live


def _static() -> Handler:
    async def static(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in STATIC or request.match_info["digest"] != static_digest():
            return web.Response(status=HTTPStatus.NOT_FOUND, text="there is no such file\n")
        return web.Response(
            body=static_file(name),
            content_type=STATIC[name],
            charset="utf-8",
            headers={hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable"},
        )

    return static
