"""``POST /v1/push/{source}`` and ``POST /v1/signals``: bodies of pushes, read within limits.

Who may not push is refused before the body is read. A body that is too long, or comes too slowly, is
not read to its end. What the body says is the intake's business, not ours.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, Protocol

from aiohttp import web

from trimtab.web.problem import problem_response
from trimtab.web.push_access import Doorkeeper
from trimtab.web.token_bucket import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.clock import Clock
    from trimtab.web.push_access import PushAccess

SIGNALS_PATH = "/v1/signals"


class TurnedAway(StrEnum):
    """Why a request was refused before anybody looked at its content. Closed: it is a metric label."""

    UNAUTHENTICATED = "unauthenticated"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    CUT_SHORT = "cut_short"
    RATE_LIMITED = "rate_limited"
    BUSY = "busy"


STATUSES: Mapping[TurnedAway, int] = {
    TurnedAway.UNAUTHENTICATED: 401,
    TurnedAway.TOO_LARGE: 413,
    TurnedAway.TOO_SLOW: 408,
    TurnedAway.CUT_SHORT: 400,
    TurnedAway.RATE_LIMITED: 429,
    TurnedAway.BUSY: 503,
}


class PushAnswer(NamedTuple):
    """What the sender is told."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}


class Intake(Protocol):
    """What becomes of the bodies that were read."""

    async def take(self, headers: Mapping[str, str], body: bytes) -> PushAnswer:
        """Take a body in, or refuse it; either is in the answer."""
        ...

    def turn_away(
        self, headers: Mapping[str, str], kind: TurnedAway, status: int, why: str
    ) -> PushAnswer:
        """Count and log that a request was refused unread, and put it in the protocol's words."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PushLimits:
    """What one source may send. Sizes are in bytes as sent; times are real seconds."""

    body_bytes_max: int = 1024 * 1024
    body_seconds_max: float = 10.0
    requests_in_flight_max: int = 8
    requests_per_second: float = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PushDoor:
    """One push source as the HTTP surface sees it. ``is_signals``: ``/v1/signals`` leads here too."""

    name: str
    access: PushAccess
    limits: PushLimits
    intake: Intake
    is_signals: bool = False


def add_push_routes(app: web.Application, doors: Sequence[PushDoor], clock: Clock) -> None:
    """Add the addresses of all push sources to the application."""
    if not doors:
        return
    entries = {door.name: _Entry(door, clock) for door in doors}

    async def push(request: web.Request) -> web.Response:
        entry = entries.get(request.match_info["source"])
        if entry is None:
            return _plain(404, "no push source of this name is in the settings")
        return await entry.handle(request)

    app.router.add_post("/v1/push/{source}", push)
    app.router.add_post("/v1/push/{source}/v1/metrics", push)  # what OTLP exporters append
    signals = [entries[door.name] for door in doors if door.is_signals]
    app.router.add_post(SIGNALS_PATH, signals[0].handle if len(signals) == 1 else _no_signals)


async def _no_signals(_: web.Request) -> web.Response:
    why = "needs exactly one source of type json in the settings; else use /v1/push/<source>"
    return _plain(404, f"{SIGNALS_PATH} {why}")


class _Entry:
    """The requests for one source, from headers to answer."""

    def __init__(self, door: PushDoor, clock: Clock) -> None:
        self._intake = door.intake
        self._limits = door.limits
        self._doorkeeper = Doorkeeper(door.access)
        self._clock = clock
        per_second = door.limits.requests_per_second
        self._bucket = TokenBucket(clock, per_second=per_second, burst=max(1.0, 2 * per_second))
        self._in_flight = 0

    async def handle(self, request: web.Request) -> web.Response:
        why = self._doorkeeper.before_body(request)
        if why is not None:
            return self._refuse(request, TurnedAway.UNAUTHENTICATED, why)
        wait_seconds = self._bucket.take()
        if wait_seconds is not None:
            why = f"more than {self._limits.requests_per_second:g} requests a second"
            return self._refuse(request, TurnedAway.RATE_LIMITED, why, wait_seconds)
        if self._in_flight >= self._limits.requests_in_flight_max:
            why = f"{self._in_flight} requests are being read already"
            return self._refuse(request, TurnedAway.BUSY, why, 1.0)
        self._in_flight += 1
        try:
            return await self._read_and_take(request)
        finally:
            self._in_flight -= 1

    async def _read_and_take(self, request: web.Request) -> web.Response:
        limits = self._limits
        too_large = f"a body may be {limits.body_bytes_max} bytes long; send smaller batches"
        if (request.content_length or 0) > limits.body_bytes_max:
            return self._refuse(request, TurnedAway.TOO_LARGE, too_large)
        body = bytearray()
        try:
            async with asyncio.timeout(limits.body_seconds_max):
                async for piece in request.content.iter_any():
                    body += piece
                    if len(body) > limits.body_bytes_max:
                        return self._refuse(request, TurnedAway.TOO_LARGE, too_large)
        except TimeoutError:
            why = f"the body did not come within {limits.body_seconds_max:g} s"
            return self._refuse(request, TurnedAway.TOO_SLOW, why)
        except web.RequestPayloadError:
            return self._refuse(request, TurnedAway.CUT_SHORT, "the body broke off")
        whole = bytes(body)
        refusal = self._doorkeeper.after_body(request.headers, whole, self._clock.now())
        if refusal is not None:
            return self._refuse(request, TurnedAway.UNAUTHENTICATED, refusal)
        is_taken = False
        try:
            answer = await self._intake.take(request.headers, whole)
            is_taken = answer.status < 300
        finally:
            if not is_taken:
                self._doorkeeper.was_not_taken(request.headers)
        return _response(answer)

    def _refuse(
        self, request: web.Request, kind: TurnedAway, why: str, wait_seconds: float | None = None
    ) -> web.Response:
        response = _response(self._intake.turn_away(request.headers, kind, STATUSES[kind], why))
        if kind is TurnedAway.UNAUTHENTICATED:
            response.headers["WWW-Authenticate"] = "Bearer"
        if wait_seconds is not None:
            response.headers["Retry-After"] = str(max(1, ceil(wait_seconds)))
        if not request.content.is_eof():
            response.force_close()  # what was not read is not waited for
        return response


def _response(answer: PushAnswer) -> web.Response:
    response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
    if answer.body:
        response.content_type = answer.content_type
    return response


def _plain(status: int, why: str) -> web.Response:
    return problem_response(status, why)
