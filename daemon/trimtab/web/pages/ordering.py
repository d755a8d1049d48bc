"""The forms that change something: orders given and ended, signing in and out, the choice of colours."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from trimtab.web.access import audit_peer
from trimtab.web.pages.addresses import is_own
from trimtab.web.pages.entrance import (
    AUTHOR_CHARACTERS_MAX,
    AUTHOR_COOKIE,
    THEME_COOKIE,
    YEAR_SECONDS,
    keep,
)
from trimtab.web.pages.reading import override_view
from trimtab.web.pages.rendering import THEMES, Notice
from trimtab.web.pages.wording import ago, moment, short
from trimtab.web.problem import ProblemError
from trimtab.web.tokens import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from trimtab.clock import Clock
    from trimtab.web.access import Caller
    from trimtab.web.overrides import Desk
    from trimtab.web.pages.entrance import Entrance, Guest
    from trimtab.web.pages.reading import Reading
    from trimtab.web.views.override import OverrideView
    from trimtab.web.views.port import Views

NO_DESK = "orders cannot be given here; use another daemon"
COUNT_DIGITS_MAX = 9


class Ordering:
    """Takes forms."""

    def __init__(
        self, *, entrance: Entrance, reading: Reading, views: Views, desk: Desk | None, clock: Clock
    ) -> None:
        self._entrance = entrance
        self._reading = reading
        self._views = views
        self._desk = desk
        self._clock = clock

    async def give(self, guest: Guest) -> web.StreamResponse:
        """Give an order; one that is refused comes back with what is wrong, and with all that was typed."""
        form = guest.form
        try:
            caller = self._let_in(guest)
        except ProblemError as problem:
            return await self._again(guest, int(problem.status), problem.sentence)
        status, body = await self._at_desk().give(_order(form), audit_peer(guest.request, caller))
        if status >= HTTPStatus.BAD_REQUEST:
            return await self._again(guest, status, _sentence(body))
        given = override_view(_mapping(body["override"]))
        response = guest.sent_to(guest.back, self._told(given, body))
        author = form.get("author", "").strip()
        if author.isprintable():
            keep(
                guest.request,
                response,
                AUTHOR_COOKIE,
                author[:AUTHOR_CHARACTERS_MAX],
                seconds=YEAR_SECONDS,
            )
        return response

    async def end(self, guest: Guest) -> web.StreamResponse:
        """End an order before its time."""
        form = guest.form
        caller = self._let_in(guest)
        wish = {"ids": [form.get("id", "")], **_signature(form)}
        status, body = await self._at_desk().lift(wish, audit_peer(guest.request, caller))
        if status >= HTTPStatus.BAD_REQUEST:
            return guest.sent_to(guest.back, Notice(style="bad", sentence=_sentence(body)))
        ended = [override_view(_mapping(one)) for one in _listed(body, "lifted")]
        said = ", ".join(f"{_subject(one)} is no longer {one.text}" for one in ended)
        notice = Notice(style="good", sentence=f"{said}.", notes=tuple(_listed(body, "notes")))
        return guest.sent_to(guest.back, notice)

    async def sign_in(self, guest: Guest) -> web.StreamResponse:
        """Keep a token that opens something."""
        token = guest.form.get("token", "").strip()
        caller = guest.admit(Scope.READ, token=token)
        guest.visitor = self._entrance.visitors.sign_in(guest.visitor, token)
        notice = Notice(style="good", sentence=f"Signed in as {caller.name}: may {caller.scope}.")
        return guest.sent_to(guest.back, notice)

    async def asked_to_sign_in(self, guest: Guest) -> web.StreamResponse:
        """Show the form for a token."""
        back = guest.query.get("back", "/")
        return guest.page("session", why="", is_wrong=False, back=back if is_own(back) else "/")

    async def sign_out(self, guest: Guest) -> web.StreamResponse:
        """Forget the token."""
        self._entrance.visitors.sign_out(guest.visitor)
        return guest.sent_to("/")

    async def choose_theme(self, guest: Guest) -> web.StreamResponse:
        """Remember which colours are wanted."""
        response = guest.sent_to(guest.back)
        theme = guest.form.get("theme", "")
        if theme in THEMES:
            keep(guest.request, response, THEME_COOKIE, theme, seconds=YEAR_SECONDS)
        return response

    def _let_in(self, guest: Guest) -> Caller:
        """Return who may operate; a token that came with the form is kept, as if signed in with."""
        token = guest.form.get("token", "").strip()
        if not token:
            return guest.admit(Scope.OPERATE)
        caller = guest.admit(Scope.OPERATE, token=token)
        guest.visitor = self._entrance.visitors.sign_in(guest.visitor, token)
        return caller

    def _at_desk(self) -> Desk:
        if self._desk is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, NO_DESK)
        return self._desk

    async def _again(self, guest: Guest, status: int, sentence: str) -> web.StreamResponse:
        notice = Notice(style="bad", sentence=f"Nothing was ordered: {sentence}.")
        said = {key: value for key, value in guest.form.items() if key not in ("token", "key")}
        guest.admit(Scope.READ)  # who may not look is not shown the page again
        name = guest.form.get("deployment")
        if name is None:
            return await self._reading.overrides(guest, status=status, notice=notice, said=said)
        one = await self._views.deployment(name)
        return await self._reading.one(guest, one, status=status, notice=notice, said=said)

    def _told(self, given: OverrideView, body: Mapping[str, Any]) -> Notice:
        now = self._clock.now()
        sentence = (
            f"{_subject(given)} is {given.text} until {moment(given.until, now)} "
            f"({ago(given.until, now)})."
        )
        return Notice(style="good", sentence=sentence, notes=tuple(_listed(body, "notes")))


def _order(form: Mapping[str, str]) -> dict[str, object]:
    """Return what the desk is asked, of what a form said; what is wrong with it the desk knows."""
    kind, _, blocks = form.get("kind", "").partition("-")
    wish: dict[str, object] = {"kind": kind, "for": form.get("for", ""), **_signature(form)}
    if "deployment" in form:
        wish["deployment"] = form["deployment"]
    else:
        wish["all"] = True
    if blocks:
        wish["blocks"] = blocks
    if kind == "pin":
        count = form.get("replicas", "").strip()
        is_number = count.isascii() and count.isdigit() and len(count) <= COUNT_DIGITS_MAX
        wish["replicas"] = int(count) if is_number else count
    return wish


def _signature(form: Mapping[str, str]) -> dict[str, object]:
    return {key: form[key] for key in ("author", "reason") if form.get(key)}


def _subject(one: OverrideView) -> str:
    return "Every deployment" if one.deployment is None else short(one.deployment)


def _sentence(body: Mapping[str, object]) -> str:
    return str(body.get("error", "it was refused"))


def _mapping(value: object) -> Mapping[str, Any]:
    assert isinstance(value, dict)  # noqa: S101  what the desk answers when all went well
    return value


def _listed(body: Mapping[str, Any], key: str) -> list[Any]:
    value = body.get(key, [])
    return list(value) if isinstance(value, list | tuple) else []
