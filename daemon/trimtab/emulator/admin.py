"""The levers of the emulated world, under ``/_emu/`` so that the real paths stay clean.

No key is asked for: whoever can reach the emulator may move it. JSON in, JSON out; a mistake is a
400 with one sentence in the same error body as everywhere else.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any

from aiohttp import web

from trimtab.emulator import operations, traffic
from trimtab.emulator.emulation import finite_seconds
from trimtab.emulator.faults import MEANINGS, Fault, FaultKind
from trimtab.emulator.quotas import Quota
from trimtab.emulator.ratelimit import TokenBucket
from trimtab.emulator.refusals import invalid, not_found
from trimtab.emulator.schema import SUSPEND_STATES
from trimtab.emulator.switches import turn
from trimtab.errors import SettingsError

if TYPE_CHECKING:
    from trimtab.emulator.account import Account
    from trimtab.emulator.deployment import Deployment
    from trimtab.emulator.emulation import Emulation

ADVANCE_SECONDS_MAX = 90 * 86400.0
ADVANCE_SLICE_SECONDS = 3600.0


def add_routes(app: web.Application, emulation: Emulation) -> None:
    """Register every admin route."""
    levers = _Levers(emulation)
    deployment = "/_emu/accounts/{account:[^/:]+}/deployments/{deployment:[^/:]+}"
    app.router.add_routes(
        [
            web.get("/_emu/", levers.overview, allow_head=False),
            web.post("/_emu/advance", levers.advance),
            web.get("/_emu/events", levers.events, allow_head=False),
            web.get("/_emu/switches", levers.switches, allow_head=False),
            web.patch("/_emu/switches", levers.turn_switches),
            web.get("/_emu/faults", levers.faults, allow_head=False),
            web.post("/_emu/faults", levers.add_fault),
            web.delete("/_emu/faults", levers.clear_faults),
            web.delete("/_emu/faults/{fault:[0-9]+}", levers.remove_fault),
            web.put("/_emu/accounts/{account:[^/:]+}", levers.put_account),
            web.put("/_emu/accounts/{account:[^/:]+}/quotas/{quota:[^/:]+}", levers.put_quota),
            web.get(deployment, levers.deployment, allow_head=False),
            web.put(deployment + "/traffic", levers.put_traffic),
            web.post(deployment + "/crash", levers.crash),
            web.post(deployment + "/ledger", levers.add_ledger_entry),
        ]
    )


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.text() or "{}")
    except (ValueError, RecursionError, LookupError):
        raise invalid("the body is not valid JSON") from None
    if not isinstance(body, dict):
        raise invalid("the body is not a JSON object")
    return body


def _integer(body: dict[str, Any], key: str, default: int | None, low: int = 0) -> int:
    value = body.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value < 2**31:
        raise invalid(f"{key} must be a whole number from {low}, not {value!r}")
    return value


def _number(body: dict[str, Any], key: str, default: float, low: float, high: float) -> float:
    value = body.get(key, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        raise invalid(f"{key} must be a number from {low:g} to {high:g}, not {value!r}")
    return float(value)


def _answer(value: object) -> web.Response:
    return web.json_response(value, dumps=lambda it: json.dumps(it, indent=2, default=str))


class _Levers:
    """The handlers, around one emulation."""

    def __init__(self, emulation: Emulation) -> None:
        self._emulation = emulation

    # -- the world ---------------------------------------------------------------------------

    async def overview(self, _: web.Request) -> web.Response:
        """Everything at a glance."""
        emulation = self._emulation
        now = emulation.advance()
        return _answer(
            {
                "now": now,
                "seed": emulation.seed,
                "accounts": sorted(emulation.accounts),
                "deployments": {
                    name: _seen(deployment) for name, deployment in emulation.deployments.items()
                },
                "faults": [dataclasses.asdict(fault) for fault in emulation.faults.armed()],
                "switches": dataclasses.asdict(emulation.switches),
            }
        )

    async def advance(self, request: web.Request) -> web.Response:
        """Move the clock forward: ``?seconds=``. Long moves are made in slices."""
        text = request.query.get("seconds", "")
        try:
            seconds = float(text)
        except ValueError:
            raise invalid(f"seconds must be a number, not {text[:40]!r}") from None
        if not finite_seconds(seconds, ADVANCE_SECONDS_MAX):
            raise invalid(f"seconds must be between 0 and {ADVANCE_SECONDS_MAX:g}, not {text}")
        while seconds > 0.0:
            part = min(seconds, ADVANCE_SLICE_SECONDS)
            try:
                self._emulation.jump(part)
            except SettingsError as error:
                raise invalid(str(error)) from None
            self._emulation.look()
            seconds -= part
            await asyncio.sleep(0)
        return _answer({"now": self._emulation.look()})

    async def events(self, request: web.Request) -> web.Response:
        """What happened, oldest first: ``?since=`` the last sequence number seen."""
        self._emulation.look()
        text = request.query.get("since", "0")
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise invalid(f"since must be a sequence number, not {text[:40]!r}")
        events = self._emulation.events.since(int(text))
        return _answer({"events": [dataclasses.asdict(event) for event in events]})

    async def switches(self, _: web.Request) -> web.Response:
        """How the undocumented behaviours are set."""
        return _answer(dataclasses.asdict(self._emulation.switches))

    async def turn_switches(self, request: web.Request) -> web.Response:
        """Change some: ``{"scale_mode": "reject"}``."""
        settings = {name: _plain(value) for name, value in (await _body(request)).items()}
        try:
            self._emulation.switches = turn(self._emulation.switches, settings)
        except SettingsError as error:
            raise invalid(str(error)) from None
        return await self.switches(request)

    # -- faults ------------------------------------------------------------------------------

    async def faults(self, _: web.Request) -> web.Response:
        """What is armed, and what there is to arm."""
        armed = [dataclasses.asdict(fault) for fault in self._emulation.faults.armed()]
        return _answer({"armed": armed, "kinds": {k.value: text for k, text in MEANINGS.items()}})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Arm one: ``{"kind": "error", "operation": "UpdateDeployment", "count": 1, …}``."""
        fault = self._fault(await _body(request))
        return _answer(dataclasses.asdict(self._emulation.faults.add(fault)))

    def _fault(self, body: dict[str, Any]) -> Fault:
        known = {field.name for field in dataclasses.fields(Fault)} - {"id", "until"}
        unknown = sorted(set(body) - known - {"forSeconds"})
        if unknown:
            raise invalid(
                f"unknown field {unknown[0]!r}; use {', '.join(sorted(known))}, forSeconds"
            )
        try:
            kind = FaultKind(body.get("kind", ""))
        except ValueError:
            raise invalid(f"kind must be one of {', '.join(FaultKind)}") from None
        texts = {key: body.get(key, default) for key, default in _FAULT_TEXTS.items()}
        for key, text in texts.items():
            if not isinstance(text, str):
                raise invalid(f"{key} must be text, not {text!r}")
        until = None
        if "forSeconds" in body:
            until = self._emulation.now() + _number(body, "forSeconds", 0.0, 0.0, 1e9)
        has_wait = body.get("retry_after_seconds") is not None
        return Fault(
            kind,
            **texts,
            count=None if body.get("count") is None else _integer(body, "count", 1, 1),
            probability=_number(body, "probability", 1.0, 0.0, 1.0),
            until=until,
            seconds=_number(body, "seconds", 0.0, 0.0, 86400.0),
            status=int(_number(body, "status", 503, 400, 599)),
            retry_after_seconds=_integer(body, "retry_after_seconds", 0) if has_wait else None,
        )

    async def clear_faults(self, _: web.Request) -> web.Response:
        """Disarm everything."""
        self._emulation.faults.clear()
        return _answer({})

    async def remove_fault(self, request: web.Request) -> web.Response:
        """Disarm one."""
        text = request.match_info["fault"]
        if len(text) > 15 or not self._emulation.faults.remove(int(text)):
            raise not_found("fault", text)
        return _answer({})

    # -- accounts ----------------------------------------------------------------------------

    async def put_account(self, request: web.Request) -> web.Response:
        """Open an account or change one: ``apiKey``, ``suspendState``, ``requestsPerMinute``."""
        body = await _body(request)
        account_id = request.match_info["account"]
        state = body.get("suspendState", "UNSUSPENDED")
        if state not in SUSPEND_STATES:
            raise invalid(f"suspendState must be one of {', '.join(SUSPEND_STATES)}")
        api_key = body.get("apiKey")
        if api_key is not None and not isinstance(api_key, str):
            raise invalid("apiKey must be text")
        rate = _number(body, "requestsPerMinute", 6000.0, 1.0, 1e9)
        account = self._emulation.accounts.get(account_id)
        if account is None:
            account = self._emulation.add_account(account_id, api_key=api_key)
        if "apiKey" in body:
            account.api_key = api_key
        if "suspendState" in body:
            account.suspend_state = state
        if "requestsPerMinute" in body:
            account.requests = TokenBucket(rate)
        return _answer({"name": account.name, "suspendState": account.suspend_state})

    def _account(self, request: web.Request) -> Account:
        account = self._emulation.accounts.get(request.match_info["account"])
        if account is None:
            raise not_found("account", request.match_info["account"])
        return account

    async def put_quota(self, request: web.Request) -> web.Response:
        """Set a quota as support would: ``value``, ``maxValue``, and ``usage`` beside the deployments."""
        account = self._account(request)
        body = await _body(request)
        value = _integer(body, "value", None)
        quota_id = request.match_info["quota"]
        quota = account.quotas.setdefault(quota_id, Quota(quota_id, value, value, 0.0))
        quota.value, quota.maximum = value, _integer(body, "maxValue", max(value, quota.maximum))
        quota.usage = _number(body, "usage", quota.usage, 0.0, 1e9)
        quota.updated_at = now = self._emulation.look()
        for deployment in account.deployments.values():
            self._emulation.settle(deployment, now)
        told = {"value": quota.value, "maxValue": quota.maximum, "usage": quota.usage}
        return _answer({"name": f"{account.name}/quotas/{quota_id}", **told})

    # -- deployments -------------------------------------------------------------------------

    def _deployment(self, request: web.Request) -> Deployment:
        self._emulation.look()
        found = operations.find(self._account(request), request.match_info["deployment"])
        return self._emulation.current(found)

    async def deployment(self, request: web.Request) -> web.Response:
        """Show the truth about one deployment, which the real API does not tell."""
        return _answer(_seen(self._deployment(request)))

    async def put_traffic(self, request: web.Request) -> web.Response:
        """Set the traffic profile; see ``traffic.parse``."""
        deployment = self._deployment(request)
        deployment.set_workload(traffic.parse(await _body(request)))
        return _answer(_seen(deployment))

    async def crash(self, request: web.Request) -> web.Response:
        """Crash ``replicas`` (default 1) replicas; they start anew."""
        deployment = self._deployment(request)
        wanted = _integer(await _body(request), "replicas", 1, 1)
        now = self._emulation.look()
        crashed = 0
        for _ in range(min(wanted, deployment.replica_count)):
            crashed += deployment.plant.replicas.crash_one(now) is not None
        deployment.termination_message = "Container exited with code 137 (out of memory)"
        self._emulation.events.add(now, "replicas_crashed", deployment.name, count=crashed)
        return _answer({"crashed": crashed})

    async def add_ledger_entry(self, request: web.Request) -> web.Response:
        """Note a hot load: ``{"value": …}``."""
        deployment = self._deployment(request)
        value = (await _body(request)).get("value")
        if not isinstance(value, str):
            raise invalid("value must be text")
        deployment.ledger.append({"timestamp": self._emulation.now(), "value": value})
        return _answer({"entries": len(deployment.ledger)})


_FAULT_TEXTS = {"operation": "*", "target": "*", "message": ""}


def _plain(value: object) -> str:
    """Return a JSON value as the command line would have it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _seen(deployment: Deployment) -> dict[str, Any]:
    plant = deployment.plant
    totals, replicas, load = plant.totals, plant.replicas, plant.load_now
    return {
        "state": deployment.state,
        "bounds": [deployment.minimum, deployment.maximum],
        "scheduleFloor": deployment.schedule_floor,
        "desired": deployment.desired,
        "replicas": {
            "pending": replicas.pending + deployment.starved,
            "downloading": replicas.downloading,
            "initializing": replicas.initializing,
            "ready": replicas.ready,
            "serving": replicas.serving,
            "draining": replicas.draining,
        },
        "load": {
            "requestsPerSecond": load.requests_per_second,
            "promptTokens": load.prompt_tokens,
            "outputTokens": load.output_tokens,
        },
        "totals": {
            "offered": totals.offered,
            "finished": totals.finished,
            "metSlo": totals.met_slo,
            "refused": totals.refused,
            "attainment": totals.attainment,
            "billedReplicaSeconds": totals.billed_replica_seconds,
        },
        "lastRequestAt": plant.last_request_at,
    }
