"""Who is let in: whoever knows a token of the scope, or, where that is open, programs on the same machine.

A page in somebody's browser can reach loopback too, so a request with the ``Origin`` of another site is
refused, and one that a proxy passed on is not taken for a local one. Requests that name a foreign host are
refused before they come here (``web/app.py``). Names that a client states of itself open nothing.
"""

from __future__ import annotations

import hmac
import json
from contextvars import ContextVar
from hashlib import sha256
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from trimtab.web.problem import ProblemError
from trimtab.web.token_bucket import TokenBucket
from trimtab.web.tokens import CLOSED, Access, Scope, Token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from trimtab.clock import Clock

Handler: TypeAlias = "Callable[[web.Request], Awaitable[web.StreamResponse]]"

Answer: TypeAlias = "tuple[int, Mapping[str, object]]"
"""A status and a body for JSON."""

PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")

LOOPBACK = "loopback"
"""How a caller without a token is called. No token has this name."""

WRONG_TOKENS_PER_SECOND = 2.0
WRONG_TOKENS_AT_ONCE = 20.0
"""More wrong tokens than this are told to wait, so that a log shows a guesser and not his guesses."""


class Caller(NamedTuple):
    """Who was let in: the name of the token, or ``loopback``, and what that opens."""

    name: str
    scope: Scope


_CALLER = web.RequestKey("trimtab.caller", Caller)

FORWARDED = "Trimtab-Forwarded-By"
"""The header of a request that another member passed on: it names that member."""


class Passing(NamedTuple):
    """What of the request at hand another member must know: the token, and whether one passed it on already."""

    token: str | None = None
    is_forwarded: bool = False


_PASSING: ContextVar[Passing | None] = ContextVar("passing", default=None)


def passing() -> Passing:
    """Return that of the request which the task at hand answers, once it was let in."""
    return _PASSING.get() or Passing()


class Gate:
    """Lets requests in, by the access in force, which may change while the daemon runs."""

    def __init__(self, access: Access = CLOSED, clock: Clock | None = None) -> None:
        """``clock`` paces wrong tokens; without one they are not counted."""
        self._access = access
        self._wrong = (
            None
            if clock is None
            else TokenBucket(clock, per_second=WRONG_TOKENS_PER_SECOND, burst=WRONG_TOKENS_AT_ONCE)
        )

    @property
    def access(self) -> Access:
        """What is in force."""
        return self._access

    def take(self, access: Access) -> None:
        """Let another access be in force from the next request on."""
        self._access = access

    def needs_token(self, request: web.Request, scope: Scope) -> bool:
        """Whether ``scope`` is open to this request with a token only."""
        return not (self._access.opens_to_loopback(scope) and is_local(request))

    def admit(self, request: web.Request, scope: Scope, *, token: str | None = None) -> Caller:
        """Return who sent the request, who may do what ``scope`` says.

        ``token`` is one that came with a form or a session; else the header ``Authorization`` is read. Raises
        ``ProblemError``: 401 without a token that is known, 403 where none would help, 429 for a guesser.
        """
        caller = self._admitted(request, scope, token)
        request[_CALLER] = caller
        given = _bearer(request) if token is None else token
        _PASSING.set(Passing(given, FORWARDED in request.headers))
        return caller

    def _admitted(self, request: web.Request, scope: Scope, token: str | None) -> Caller:
        if not _is_of_this_site(request):
            why = "a page of another site may not speak to trimtab"
            raise ProblemError(HTTPStatus.FORBIDDEN, why)
        given = _bearer(request) if token is None else token
        tokens = self._access.tokens
        if given is not None and tokens:
            return self._known(given, scope)
        if not self.needs_token(request, scope):
            return Caller(LOOPBACK, scope)
        if any(one.scope.covers(scope) for one in tokens):
            raise _unknown(f"send a token of scope {scope}: `Authorization: Bearer <token>`")
        raise ProblemError(HTTPStatus.FORBIDDEN, _remedy(scope, self._access))

    def _known(self, given: str, scope: Scope) -> Caller:
        found = _token(given, self._access.tokens)
        if found is None:
            wait = None if self._wrong is None else self._wrong.take()
            if wait is not None:
                why = "too many wrong tokens were sent; wait, and check the token"
                raise ProblemError(
                    HTTPStatus.TOO_MANY_REQUESTS, why, retry_after_seconds=max(1.0, wait)
                )
            raise _unknown("this token is not known; check the file that it is read from")
        if not found.scope.covers(scope):
            why = f"the token {found.name} may {found.scope} and nothing more; use one that may {scope}"
            raise ProblemError(HTTPStatus.FORBIDDEN, why)
        return Caller(found.name, found.scope)


def guarded(gate: Gate, scope: Scope, handler: Handler) -> Handler:
    """Return ``handler`` for those whom ``gate`` lets in."""

    async def handle(request: web.Request) -> web.StreamResponse:
        gate.admit(request, scope)
        return await handler(request)

    return handle


def caller_of(request: web.Request) -> Caller | None:
    """Return who was let in; ``None`` where nobody was."""
    found: Caller | None = request.get(_CALLER)
    return found


def audit_peer(request: web.Request, caller: Caller) -> str:
    """Return where a request came from as it is written down: the address, and the token's name."""
    address = request.remote or "unknown"
    return address if caller.name == LOOPBACK else f"{address}, token {caller.name}"


def as_json(status: int, body: Mapping[str, object]) -> web.Response:
    """Return a response with ``body`` in JSON, ending in a newline for people with ``curl``."""
    return web.json_response(body, status=status, dumps=_with_newline)


def _with_newline(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _unknown(why: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNAUTHORIZED, why, headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="trimtab"'}
    )


def _remedy(scope: Scope, access: Access) -> str:
    if scope is Scope.READ:
        return (
            "only programs on the same machine may read here without a token; set one "
            "(TRIMTAB_CONTROL__TOKENS)"
        )
    if access.is_operating_open_to_loopback:
        return (
            "only programs on the same machine may control trimtab; to open it, set a token "
            "(TRIMTAB_CONTROL__HTTP=token)"
        )
    return (
        "control over HTTP is off; set a token that may operate (TRIMTAB_CONTROL__TOKEN_FILE), or "
        "TRIMTAB_CONTROL__HTTP=loopback for every program on the machine"
    )


def _token(given: str, tokens: tuple[Token, ...]) -> Token | None:
    """Find a token; every one is compared, and each comparison takes the same time."""
    found: Token | None = None
    digest = sha256(as_sent(given)).digest()
    for one in tokens:
        if hmac.compare_digest(digest, sha256(one.secret.encode()).digest()):
            found = one
    return found


def _bearer(request: web.Request) -> str | None:
    """Return the token that the header carries; one of another scheme is none that is known."""
    header = request.headers.get(hdrs.AUTHORIZATION)
    if header is None:
        return None
    scheme, _, given = header.partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


def _is_of_this_site(request: web.Request) -> bool:
    """Whether no page sent the request, or one that this daemon served. Behind TLS the scheme may differ."""
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == request.host.lower()
    except ValueError:
        return False


def knows(token: str, request: web.Request) -> bool:
    """Whether the request carries ``token``; the comparison takes the same time whatever it carries."""
    given = _bearer(request)
    is_right = hmac.compare_digest(as_sent(given or ""), token.encode())
    return given is not None and is_right


def as_sent(header: str) -> bytes:
    """Return a header's value as it came, which need not be text."""
    return header.encode("utf-8", "surrogateescape")


def is_local(request: web.Request) -> bool:
    """Whether a program on this machine sent the request to this machine, and no proxy passed it on.

    A page in a browser here, whose name was made to lead to loopback (DNS rebinding), names its own host.
    """
    if any(name in request.headers for name in PROXY_HEADERS):  # in whichever case it was sent
        return False
    if not _is_loopback_name(request.host):
        return False
    try:
        return ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


def _is_loopback_name(host: str) -> bool:
    """Whether a host, with or without a port, is this machine by a name that no DNS server is asked for."""
    try:
        name = urlsplit(f"//{host}").hostname if host.isascii() else None
        return name == "localhost" or ip_address(name or "").is_loopback
    except ValueError:
        return False
