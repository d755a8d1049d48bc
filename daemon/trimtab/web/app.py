"""The daemon's HTTP surface: ``/metrics``, ``/livez``, ``/readyz``; ``/v1`` and ``/-/reload``.

The last two are for those whom the gate lets in (``web/access.py``). By default all of it is on loopback
only. A request that reached a loopback address under another host name came from a page in somebody's
browser (DNS rebinding) and is refused.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from trimtab.web.access import Gate, guarded
from trimtab.web.audit import audited
from trimtab.web.metrics import MetricsPage
from trimtab.web.problem import ProblemError, is_api, telling_problems
from trimtab.web.reload import reload_handler
from trimtab.web.tokens import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from trimtab.web.access import Handler
    from trimtab.web.audit import Audit
    from trimtab.web.metrics import Exposition
    from trimtab.web.reload import Reload

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every response that does not say otherwise itself, as pages do."""


class Health(Protocol):
    """What health is read from."""

    def not_ready(self) -> tuple[str, ...]:
        """Return what is missing before the daemon does its work; empty when it does."""
        ...

    def beat_age_seconds(self) -> float:
        """Return how long ago the loop that decides last came round."""
        ...


def build_app(
    *,
    health: Health,
    beat_age_seconds_max: float,
    allowed_hosts: Collection[str] | None = LOOPBACK_NAMES,
    exposition: Exposition | None = None,
    remarks: Callable[[], tuple[str, ...]] = tuple,
    gate: Gate | None = None,
    reload: Reload | None = None,
    audit: Audit | None = None,
) -> web.Application:
    """Return the application. ``allowed_hosts`` are names without port; ``None`` allows any.

    ``exposition`` is what ``/metrics`` is made from, ``reload`` what ``POST /-/reload`` does for those whom
    ``gate`` lets in (``None``: nobody), told to ``audit``; without them there are no such addresses. ``add_api`` and
    ``add_pages`` add the rest. ``remarks`` are sentences about what somebody should mend, though it keeps
    nothing from being ready; ``/readyz?verbose`` shows them.

    ``/livez`` fails when the loop is stuck for longer than ``beat_age_seconds_max`` and knows
    nothing of dependencies: a restart would not mend them. ``/readyz`` says what is missing.
    """
    app = web.Application(middlewares=[telling_problems(), _only_for(allowed_hosts)])
    app.on_response_prepare.append(_add_security_headers)
    app.router.add_get("/livez", _livez(health, beat_age_seconds_max))
    app.router.add_get("/readyz", _readyz(health, remarks))
    if exposition is not None:
        page = MetricsPage(exposition)
        app.on_cleanup.append(page.close)
        app.router.add_get("/metrics", page.answer)
    if reload is not None:
        handler = guarded(gate or Gate(), Scope.OPERATE, reload_handler(reload))
        app.router.add_post("/-/reload", handler if audit is None else audited(audit, handler))
    return app


def allowed_hosts_for(address: str) -> frozenset[str] | None:
    """Return the host names to answer to when listening on ``address``.

    On loopback only its own names; elsewhere any, since a scraper may call us by whatever name.
    """
    try:
        is_loopback = ip_address(address).is_loopback
    except ValueError:
        is_loopback = address == "localhost"
    return LOOPBACK_NAMES | {address} if is_loopback else None


def _livez(health: Health, beat_age_seconds_max: float) -> Handler:
    async def livez(request: web.Request) -> web.Response:
        age = health.beat_age_seconds()
        if age <= beat_age_seconds_max:
            return _answer(request, 200, "alive", (), beat_age_seconds=age)
        why = f"nothing was evaluated for {age:.0f} s; at most {beat_age_seconds_max:.0f} s is well"
        return _answer(request, 503, "stuck", (why,), beat_age_seconds=age)

    return livez


def _readyz(health: Health, remarks: Callable[[], tuple[str, ...]]) -> Handler:
    async def readyz(request: web.Request) -> web.Response:
        missing = health.not_ready()
        status, word = (503, "not ready") if missing else (200, "ready")
        return _answer(request, status, word, missing, remarks())

    return readyz


def _answer(
    request: web.Request,
    status: int,
    word: str,
    missing: tuple[str, ...],
    remarks: tuple[str, ...] = (),
    **facts: float,
) -> web.Response:
    """Answer in one word to a probe, with the reasons to ``?verbose``, in JSON to who accepts it."""
    if "application/json" in request.headers.get("Accept", ""):
        body = {"status": word, "missing": list(missing), **facts}
        if remarks:
            body["remarks"] = list(remarks)
        return web.json_response(body, status=status, dumps=lambda value: json.dumps(value) + "\n")
    lines = [word, *(f"- {reason}" for reason in missing)]
    if "verbose" in request.query:
        lines += [f"! {remark}" for remark in remarks]
        lines += [f"{name}: {value:.3f}" for name, value in facts.items()]
    return web.Response(status=status, text="\n".join(lines) + "\n")


def _only_for(
    allowed_hosts: Collection[str] | None,
) -> Callable[..., Awaitable[web.StreamResponse]]:
    @web.middleware
    async def check_host(request: web.Request, handler: Handler) -> web.StreamResponse:
        if allowed_hosts is not None and _host(request) not in allowed_hosts:
            text = f"host {_host(request)!r} is not served here; ask for localhost"
            if is_api(request):
                raise ProblemError(HTTPStatus.MISDIRECTED_REQUEST, text)
            return web.Response(status=421, text=f"{text}\n")
        return await handler(request)

    return check_host


def _host(request: web.Request) -> str:
    host = request.host
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()


async def _add_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
