"""The HTTP surface: who may ask, how often, which faults strike, and how answers look.

The order for each request: time is brought up to date, the key is checked, the account's limits
are charged, faults strike, the handler runs. Every error on a control plane path is a grpc-gateway
body, also for unknown paths, wrong methods and bugs of ours.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web

from trimtab.emulator import admin, inference, messages, refusals, schema
from trimtab.emulator.autoscaler import TICK_SECONDS
from trimtab.emulator.calls import Call, as_json
from trimtab.emulator.faults import Fault, FaultKind
from trimtab.emulator.inference import InferenceRefusal
from trimtab.emulator.refusals import Code, Refusal
from trimtab.emulator.routes import ROUTES, Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from trimtab.emulator.account import Account
    from trimtab.emulator.emulation import Emulation

BODY_BYTES_MAX = 4 * 1024 * 1024
HTML_PAGE = (
    "<!DOCTYPE html><html><head><title>{status}</title></head>"
    "<body><h1>{status}</h1><p>The upstream server is not reachable.</p></body></html>"
)
_CODE_BY_STATUS = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    409: Code.ABORTED,
    429: Code.RESOURCE_EXHAUSTED,
    500: Code.INTERNAL,
    501: Code.UNIMPLEMENTED,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
}
_log = logging.getLogger(__name__)


def build_app(emulation: Emulation) -> web.Application:
    """Return the application: control plane, metrics, inference and ``/_emu/`` admin routes."""
    app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_answer_errors(emulation)])
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _serve(emulation, route))
    admin.add_routes(app, emulation)
    app.cleanup_ctx.append(_life(emulation))
    return app


def _life(emulation: Emulation) -> Callable[[web.Application], AsyncIterator[None]]:
    """Let time pass while nobody asks."""

    async def live() -> None:
        while True:
            await emulation.clock.sleep(TICK_SECONDS)
            try:
                emulation.look()
            except Exception:  # noqa: BLE001  a bug in one tick must not stop time in silence
                _log.exception("the emulated world failed to advance")

    async def context(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(live(), name="emulator-life")
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return context


# -- errors ------------------------------------------------------------------------------------


def _answer_errors(emulation: Emulation) -> Any:
    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        return await answered(emulation, request, handler)

    return middleware


async def answered(
    emulation: Emulation,
    request: web.Request,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    """Return what ``handler`` answers; whatever it raises becomes an error body of the API."""
    try:
        return await handler(request)
    except InferenceRefusal as refusal:
        return inference.as_response(refusal)
    except Refusal as refusal:
        return _refused(request, refusal)
    except web.HTTPException as error:
        return _refused(request, _translated(error, emulation))
    except ConnectionError:
        raise
    except Exception:  # noqa: BLE001  the last line: a bug becomes a body, and is logged
        _log.exception("the emulator failed on %s %s", request.method, request.path)
        return _refused(request, Refusal(Code.INTERNAL, "internal error"))


def _refused(request: web.Request, refusal: Refusal) -> web.Response:
    if inference.is_inference_path(request.path):
        response = inference.as_response(
            InferenceRefusal(refusal.http_status, refusal.code.name, refusal.message)
        )
        response.headers.update(refusal.headers)
        return response
    return refusals.as_response(refusal)


def _translated(error: web.HTTPException, emulation: Emulation) -> Refusal:
    """Return what grpc-gateway says where aiohttp would send a page of its own."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        if emulation.switches.wrong_method == "unimplemented":
            return Refusal(Code.UNIMPLEMENTED, "Method Not Allowed")
        allowed = {"Allow": ", ".join(sorted(error.allowed_methods))}
        return Refusal(Code.UNIMPLEMENTED, "Method Not Allowed", http_status=405, headers=allowed)
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return Refusal(
            Code.RESOURCE_EXHAUSTED, f"received message larger than max ({BODY_BYTES_MAX} bytes)"
        )
    if error.status == 404:
        return Refusal(Code.NOT_FOUND, "Not Found")
    return Refusal(_CODE_BY_STATUS.get(error.status, Code.UNKNOWN), error.reason)


# -- one request -------------------------------------------------------------------------------


def _serve(
    emulation: Emulation, route: Route
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve_route(request: web.Request) -> web.StreamResponse:
        return await serve(emulation, route, request)

    return serve_route


async def serve(emulation: Emulation, route: Route, request: web.Request) -> web.StreamResponse:
    """Answer one request that ``route`` matches. Raises ``Refusal``."""
    emulation.look()
    call = Call(emulation, request, route.operation)
    call.key = _key(request)
    _charge(call, _opened_by(emulation, call.key))
    struck = emulation.faults.strike(route.operation, call.target, emulation.now())
    if struck:
        return await _serve_struck(call, route, struck)
    return _response(await route.handler(call))


def _key(request: web.Request) -> str:
    """Return the caller's key: ``X-Api-Key``, or a bearer token."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    key = request.headers.get("X-Api-Key", "") or (token if scheme.lower() == "bearer" else "")
    if not key.strip():
        raise Refusal(Code.UNAUTHENTICATED, "no API key; send 'Authorization: Bearer <key>'")
    return key.strip()


def _opened_by(emulation: Emulation, key: str) -> Account:
    for account in emulation.accounts.values():
        if account.is_opened_by(key):
            return account
    raise Refusal(Code.UNAUTHENTICATED, "invalid API key")


def _charge(call: Call, account: Account) -> None:
    """Charge the account's request limit and refuse where the account is suspended."""
    named = call.emulation.accounts.get(call.request.match_info.get("account", ""))
    if named is not None and named.is_opened_by(call.key):
        account = named
    wait_seconds = account.requests.take(call.emulation.now())
    if wait_seconds is not None:
        raise refusals.exhausted(
            f"account {account.id} exceeded {account.requests.per_minute:g} requests per minute",
            retry_after_seconds=wait_seconds,
        )
    if account.suspend_state != "UNSUSPENDED":
        is_billing = account.suspend_state != "BLOCKED_BY_ABUSE_RULE"
        raise Refusal(
            Code.FAILED_PRECONDITION,
            f"account {account.id} is suspended: {account.suspend_state}",
            http_status=402 if is_billing else 412,
        )


def _response(answer: dict[str, Any] | web.StreamResponse) -> web.StreamResponse:
    if isinstance(answer, web.StreamResponse):
        return answer
    return as_json(messages.encode(answer))


# -- faults ------------------------------------------------------------------------------------


async def _serve_struck(
    call: Call, route: Route, struck: dict[FaultKind, Fault]
) -> web.StreamResponse:
    emulation = call.emulation
    for fault in struck.values():
        emulation.events.add(
            emulation.now(), "fault", call.target, fault=fault.kind.value, operation=call.operation
        )
    if FaultKind.LATENCY in struck:
        await (
            call.request.read()
        )  # what has arrived whole is done, even if the caller is gone by then
        await emulation.clock.sleep(struck[FaultKind.LATENCY].seconds)
        emulation.look()
    if FaultKind.RESET in struck:
        return _cut(call.request)
    if FaultKind.ERROR in struck:
        raise _injected(struck[FaultKind.ERROR])
    if FaultKind.HTML in struck:
        status = struck[FaultKind.HTML].status
        page = HTML_PAGE.format(status=status)
        return web.Response(text=page, status=status, content_type="text/html")
    stale = _stale(call) if FaultKind.STALE_READ in struck else None
    response = _response(stale if stale is not None else await route.handler(call))
    if FaultKind.APPLIED_RESET in struck:
        return _cut(call.request)
    if FaultKind.APPLIED_ERROR in struck:
        raise _injected(struck[FaultKind.APPLIED_ERROR])
    return _garbled(response, struck)


def _injected(fault: Fault) -> Refusal:
    code = _CODE_BY_STATUS.get(fault.status, Code.UNKNOWN)
    headers: dict[str, str] = {}
    if fault.retry_after_seconds is not None:
        headers["Retry-After"] = str(fault.retry_after_seconds)
    message = fault.message or f"injected {code.name.lower().replace('_', ' ')}"
    return Refusal(code, message, http_status=fault.status, headers=headers)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _stale(call: Call) -> dict[str, Any] | None:
    """Return the deployment as it was before its latest write, if this call reads one."""
    if call.operation != "GetDeployment":
        return None
    deployment = call.account().deployments.get(call.id("deployment"))
    if deployment is None:
        return None
    before = deployment.before_last_write
    if before is None:
        return None
    return messages.render(schema.DEPLOYMENT, before, call.emulation.switches)


def _garbled(response: web.StreamResponse, struck: dict[FaultKind, Fault]) -> web.StreamResponse:
    if not isinstance(response, web.Response):
        return response
    if FaultKind.TRUNCATED_JSON in struck and response.text:
        response.text = response.text[: len(response.text) // 2] or "{"
    if FaultKind.EMPTY_BODY in struck:
        response.text = ""
    if FaultKind.WRONG_TYPE in struck:
        response.text = "[1, 2, 3]"
    return response
