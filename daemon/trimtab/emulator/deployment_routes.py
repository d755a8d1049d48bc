"""The deployment endpoints: each reads its call, runs one operation and renders the outcome."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from aiohttp import web

from trimtab.emulator import deployment as states
from trimtab.emulator import operations, schema
from trimtab.emulator.calls import as_json
from trimtab.emulator.deployment import message_text, message_value, split_over_regions
from trimtab.emulator.fields import render_timestamp
from trimtab.emulator.listing import list_page, list_plainly
from trimtab.emulator.refusals import invalid

if TYPE_CHECKING:
    from trimtab.emulator.calls import Call
    from trimtab.emulator.deployment import Deployment
    from trimtab.emulator.messages import Value
    from trimtab.plant.window import Window

Answer = dict[str, Any] | web.Response
_TIME_RANGE = re.compile(r"([1-9][0-9]{0,5})([smhd])\Z", re.ASCII)


def _found(call: Call) -> Deployment:
    return call.emulation.current(operations.find(call.account(), call.id("deployment")))


def _rendered(call: Call, deployment: Deployment) -> Answer:
    switches = call.emulation.switches
    if not call.text("readMask"):
        return as_json(message_text(deployment, switches))
    return call.rendered(schema.DEPLOYMENT, message_value(deployment, switches))


async def list_deployments(call: Call) -> Answer:
    """ListDeployments: deleted ones only with showDeleted."""
    account, switches = call.account(), call.emulation.switches
    is_showing_deleted = call.flag("showDeleted")
    shown = [
        deployment
        for deployment in account.deployments.listed
        if is_showing_deleted or deployment.state != states.DELETED
    ]
    query = call.list_query(str(is_showing_deleted))
    current = call.emulation.current
    if query.is_plain:

        def text_of(deployment: Deployment) -> str:
            return message_text(current(deployment), switches)

        return as_json(list_plainly("deployments", shown, _place, text_of, query, switches))
    values = [message_value(current(deployment), switches) for deployment in shown]
    return list_page("deployments", schema.DEPLOYMENT, values, query, switches)


def _place(deployment: Deployment) -> tuple[float, str]:
    """Where it stands in the default order; message values hold the same, as createTime and name."""
    return deployment.created_at, deployment.name


async def create_deployment(call: Call) -> Answer:
    """CreateDeployment: the id is a query parameter; in the body it is an unknown field."""
    account = call.account()
    _, spec = await call.body(schema.DEPLOYMENT)
    for name in ("disableAutoDeploy", "disableSpeculativeDecoding", "skipImageTagValidation"):
        call.flag(name)
    deployment = operations.create(
        call.emulation,
        account,
        call.key,
        spec,
        deployment_id=call.text("deploymentId"),
        is_validated_only=call.flag("validateOnly"),
        is_validation_skipped=call.flag("skipShapeValidation"),
        is_shapeless_accepted=call.flag("acceptShapelessRisk"),
    )
    return _rendered(call, deployment)


async def get_deployment(call: Call) -> Answer:
    """GetDeployment: also answers for a soft-deleted one."""
    return _rendered(call, _found(call))


async def update_deployment(call: Call) -> Answer:
    """UpdateDeployment."""
    account = call.account()
    deployment = _found(call)
    raw, change = await call.body(schema.DEPLOYMENT)
    before = message_value(deployment, call.emulation.switches)
    operations.update(
        call.emulation,
        account,
        call.key,
        deployment,
        raw,
        change,
        mask=call.text("updateMask"),
        is_validation_skipped=call.flag("skipShapeValidation"),
    )
    deployment.before_last_write = before
    return _rendered(call, deployment)


async def scale_deployment(call: Call) -> Answer:
    """ScaleDeployment: a PATCH that answers ``{}``; an absent replicaCount is 0."""
    account = call.account()
    deployment = _found(call)
    _, body = await call.body(schema.SCALE_BODY)
    before = message_value(deployment, call.emulation.switches)
    operations.scale(call.emulation, account, deployment, body.get("replicaCount", 0))
    deployment.before_last_write = before
    return {}


async def delete_deployment(call: Call) -> Answer:
    """DeleteDeployment."""
    deployment = _found(call)
    is_hard, is_unchecked = call.flag("hard"), call.flag("ignoreChecks")
    before = message_value(deployment, call.emulation.switches)
    operations.delete(call.emulation, deployment, is_hard=is_hard, is_unchecked=is_unchecked)
    deployment.before_last_write = before
    return {}


async def undelete_deployment(call: Call) -> Answer:
    """UndeleteDeployment."""
    account = call.account()
    deployment = _found(call)
    await call.body(schema.EMPTY)
    operations.undelete(call.emulation, account, deployment)
    return _rendered(call, deployment)


async def termination_message(call: Call) -> Answer:
    """GetTerminationMessage: why replicas ended, empty if they did not."""
    message = _found(call).termination_message
    return {"message": message} if message or call.emulation.switches.emit_defaults else {}


async def list_shards(call: Call) -> Answer:
    """ListDeploymentShards: one per region."""
    deployment = _found(call)
    state = deployment.state if deployment.state != states.DELETED else states.DELETING
    values: list[Value] = [
        {
            "name": f"{deployment.name}/shards/{region.lower().replace('_', '-')}",
            "createTime": deployment.created_at,
            "updateTime": deployment.updated_at,
            "state": state,
            "status": deployment.status,
            "replicaStats": stats,
        }
        for region, stats in zip(deployment.regions, split_over_regions(deployment), strict=True)
    ]
    return call.page("deploymentShards", schema.SHARD, values)


async def get_ledger(call: Call) -> Answer:
    """GetLedger: which model versions were hot-loaded, and when."""
    entries = [
        {"timestamp": render_timestamp(entry["timestamp"]), "value": entry["value"]}
        for entry in _found(call).ledger
    ]
    return {"ledger": entries} if entries or call.emulation.switches.emit_defaults else {}


async def reset_ledger(call: Call) -> Answer:
    """ResetLedger."""
    _found(call).ledger.clear()
    return {}


async def deployment_metrics(call: Call) -> Answer:
    """GetDeploymentMetrics (deprecated): a few numbers; their names are not documented.

    ``timeRange`` is checked; whatever it says, the emulator looks at the last minute.
    """
    deployment = _found(call)
    text = call.text("timeRange")
    if text and not _TIME_RANGE.match(text):
        raise invalid(f"invalid time_range {text[:40]!r}: write for example '1m', '10m' or '2h'")
    values = _headline(deployment.plant.window(call.emulation.now()))
    paths = [part.strip() for part in call.text("readMask").split(",") if part.strip()]
    if paths and "*" not in paths and "metrics" not in paths:
        wanted = {path.removeprefix("metrics.") for path in paths}
        if not wanted <= set(values):
            raise invalid(f"invalid read_mask: unknown path {min(wanted - set(values))!r}")
        values = {name: value for name, value in values.items() if name in wanted}
    return {"metrics": values}


def _headline(window: Window) -> dict[str, float]:
    values = {
        "requests_per_second": window.requests_per_second,
        "prompt_tokens_per_second": window.prompt_tokens_per_second,
        "tokens_generated_per_second": window.generated_tokens_per_second,
        "concurrent_requests": window.concurrent_requests_per_replica or 0.0,
        "kv_blocks_fraction": window.kv_blocks_fraction or 0.0,
    }
    return {name: value for name, value in values.items() if math.isfinite(value)}
