"""How a request for a page comes in and goes out: who it is from, what may be seen, the cookies, the refusals.

Pages are for people: what the API says as a problem document, a page says as a page, and where a token would help it
asks for one.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from trimtab.web.pages.addresses import is_own
from trimtab.web.pages.rendering import THEMES, Frame, Notice, page
from trimtab.web.pages.visitors import Visitor, Visitors
from trimtab.web.problem import ProblemError
from trimtab.web.tokens import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from trimtab.clock import Clock
    from trimtab.web.access import Caller, Gate, Handler
    from trimtab.web.views.daemon import Banner
    from trimtab.web.views.port import Views

    Shown = Callable[["Guest"], Awaitable[web.StreamResponse]]

FORM_BYTES_MAX = 16 * 1024
FORM_TYPE = "application/x-www-form-urlencoded"
THEME_COOKIE, AUTHOR_COOKIE = "trimtab_theme", "trimtab_author"
YEAR_SECONDS = 365 * 86_400
AUTHOR_CHARACTERS_MAX = 100


class Guest:
    """One request for a page, and whom it is from."""

    def __init__(self, entrance: Entrance, request: web.Request, visitor: Visitor) -> None:
        self.request = request
        self.visitor = visitor
        self.form: Mapping[str, str] = {}
        self._entrance = entrance

    @property
    def query(self) -> dict[str, str]:
        """What stands behind the question mark, without what was left empty."""
        return {key: value for key, value in self.request.query.items() if value}

    @property
    def back(self) -> str:
        """Where a form wants its sender to be sent back to; the fleet, if that is not here."""
        wanted = self.form.get("back", "/")
        return wanted if is_own(wanted) else "/"

    def admit(self, scope: Scope, *, token: str | None = None) -> Caller:
        """Return who this is, who may do what ``scope`` says; raises ``ProblemError`` as the gate does.

        A token that was withdrawn signs its visitor out.
        """
        gate, visitor = self._entrance.gate, self.visitor
        if token is not None or visitor.token is None:
            return gate.admit(self.request, scope, token=token)
        try:
            return gate.admit(self.request, scope, token=visitor.token)
        except ProblemError as problem:
            if problem.status != HTTPStatus.UNAUTHORIZED:
                raise
        self._entrance.visitors.sign_out(visitor)
        self.visitor = Visitor(visitor.name)
        return gate.admit(self.request, scope)

    @property
    def may_operate(self) -> bool:
        """Whether this visitor may give orders as things are."""
        try:
            self.admit(Scope.OPERATE)
        except ProblemError:
            return False
        return True

    @property
    def could_operate(self) -> bool:
        """Whether there is a way to: with a token, or as things are."""
        tokens = self._entrance.gate.access.tokens
        return any(one.scope.covers(Scope.OPERATE) for one in tokens) or self.may_operate

    def page(
        self, template: str, *, status: int = 200, notice: Notice | None = None, **values: object
    ) -> web.Response:
        """Return a page for this visitor."""
        entrance, request = self._entrance, self.request
        if notice is None and status == HTTPStatus.OK:
            notice = entrance.visitors.told(self.visitor)
        frame = Frame(
            at=entrance.clock.now(),
            banner=entrance.banner_for(self),
            path=request.path,
            address=request.path_qs,
            theme=_chosen(request.cookies.get(THEME_COOKIE)),
            form_key=entrance.visitors.form_key(self.visitor),
            author=request.cookies.get(AUTHOR_COOKIE, "")[:AUTHOR_CHARACTERS_MAX],
            has_tokens=bool(entrance.gate.access.tokens),
            is_signed_in=self.visitor.token is not None,
            asks_token=not self.may_operate,
            notice=notice,
        )
        return page(template, frame, status=status, **values)

    def problem(self, problem: ProblemError) -> web.Response:
        """Return a refusal as a page; where a token is missing, one that asks for it."""
        if problem.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS):
            said = problem.sentence if "token" in self.form else ""
            return self.page(
                "session",
                status=problem.status,
                why=said or "Reading here needs a token.",
                is_wrong=bool(said),
                back=self.request.path_qs if not self.form else self.back,
            )
        title = HTTPStatus(problem.status).phrase
        return self.page("problem", status=problem.status, title=title, sentence=problem.sentence)

    def sent_to(self, address: str, notice: Notice | None = None) -> web.Response:
        """Send the visitor on with a GET, there to read what became of a form."""
        if notice is not None:
            self._entrance.visitors.tell(self.visitor, notice)
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={hdrs.LOCATION: address})


class Entrance:
    """Where requests for pages come in."""

    def __init__(self, *, views: Views, gate: Gate, clock: Clock) -> None:
        self.gate = gate
        self.clock = clock
        self.visitors = Visitors(clock)
        self._views = views

    def seen(self, show: Shown) -> Handler:
        """Return a handler for who may read."""

        async def handle(request: web.Request) -> web.StreamResponse:
            guest = self._guest(request)
            try:
                guest.admit(Scope.READ)
                response = await show(guest)
            except ProblemError as problem:
                response = guest.problem(problem)
            return self._with_cookie(guest, response)

        return handle

    def shown(self, show: Shown) -> Handler:
        """Return a handler for anybody, which is what asks for a token."""

        async def handle(request: web.Request) -> web.StreamResponse:
            guest = self._guest(request)
            return self._with_cookie(guest, await show(guest))

        return handle

    def sent(self, take: Shown) -> Handler:
        """Return a handler for a form of ours; what it opens is for ``take`` to ask the gate."""

        async def handle(request: web.Request) -> web.StreamResponse:
            guest = self._guest(request)
            try:
                guest.form = await _form(request)
                self._check_key(guest)
                response = await take(guest)
            except ProblemError as problem:
                response = guest.problem(problem)
            return self._with_cookie(guest, response)

        return handle

    def _check_key(self, guest: Guest) -> None:
        if not self.visitors.sent_by(guest.visitor, guest.form.get("key", "")):
            why = "this form is not one of this visit; load the page again, and send it then"
            raise ProblemError(HTTPStatus.FORBIDDEN, why)

    def banner_for(self, guest: Guest) -> Banner | None:
        """Return what is amiss with the daemon, for who may know."""
        try:
            guest.admit(Scope.READ)
        except ProblemError:
            return None
        return self._views.banner()

    def _guest(self, request: web.Request) -> Guest:
        return Guest(self, request, self.visitors.known_by(request.cookies.get(_cookie(request))))

    def _with_cookie(self, guest: Guest, response: web.StreamResponse) -> web.StreamResponse:
        if guest.visitor.is_new and not response.prepared:
            keep(guest.request, response, _cookie(guest.request), guest.visitor.name)
        return response


def keep(
    request: web.Request,
    response: web.StreamResponse,
    name: str,
    value: str,
    *,
    seconds: int | None = None,
) -> None:
    """Set a cookie that no script reads and no other site's form sends; ``None``: until the browser ends."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=request.secure,
    )


def _cookie(request: web.Request) -> str:
    """Name the cookie by the port: several daemons on one machine share the host, and so the cookies."""
    port = request.host.rpartition(":")[2]
    return f"trimtab_{port}" if port.isascii() and port.isdigit() else "trimtab"


def _chosen(theme: str | None) -> str:
    return theme if theme in THEMES else THEMES[0]


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_type != FORM_TYPE:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send a form, as {FORM_TYPE}")
    body = bytearray()
    while len(body) <= FORM_BYTES_MAX and not request.content.at_eof():
        body += await request.content.read(FORM_BYTES_MAX + 1 - len(body))
    if len(body) > FORM_BYTES_MAX:
        why = f"a form has at most {FORM_BYTES_MAX} bytes"
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50))
    except ValueError:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "the form cannot be read") from None
