"""The table of endpoints: method, path, operation name, handler. Nothing is served beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trimtab.emulator import account_routes as accounts
from trimtab.emulator import deployment_routes as deployments
from trimtab.emulator import inference
from trimtab.emulator import shape_routes as shapes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from trimtab.emulator.calls import Call


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. ``operation`` is the API's own name, which faults and events use."""

    method: str
    path: str
    operation: str
    handler: Callable[[Call], Awaitable[dict[str, Any] | web.StreamResponse]]


# An id never contains a colon, or `d1:scale` would be an id and scaling an update.
_ACCOUNT = "/v1/accounts/{account:[^/:]+}"
_DEPLOYMENT = _ACCOUNT + "/deployments/{deployment:[^/:]+}"
_SHAPE = _ACCOUNT + "/deploymentShapes/{shape:[^/:]+}"
_VERSION = _SHAPE + "/versions/{version:[^/:]+}"
_QUOTA = _ACCOUNT + "/quotas/{quota:[^/:]+}"
_ROUTER = _ACCOUNT + "/routers/{router:[^/:]+}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/accounts", "ListAccounts", accounts.list_accounts),
    Route("GET", _ACCOUNT, "GetAccount", accounts.get_account),
    Route("GET", _ACCOUNT + "/metrics", "ScrapeMetrics", accounts.scrape),
    Route("GET", _ACCOUNT + "/deployments", "ListDeployments", deployments.list_deployments),
    Route("POST", _ACCOUNT + "/deployments", "CreateDeployment", deployments.create_deployment),
    Route("GET", _DEPLOYMENT, "GetDeployment", deployments.get_deployment),
    Route("PATCH", _DEPLOYMENT, "UpdateDeployment", deployments.update_deployment),
    Route("DELETE", _DEPLOYMENT, "DeleteDeployment", deployments.delete_deployment),
    Route("PATCH", _DEPLOYMENT + ":scale", "ScaleDeployment", deployments.scale_deployment),
    Route("POST", _DEPLOYMENT + ":undelete", "UndeleteDeployment", deployments.undelete_deployment),
    Route("GET", _DEPLOYMENT + ":metrics", "GetDeploymentMetrics", deployments.deployment_metrics),
    Route(
        "GET",
        _DEPLOYMENT + "/terminationMessage",
        "GetTerminationMessage",
        deployments.termination_message,
    ),
    Route("GET", _DEPLOYMENT + "/shards", "ListDeploymentShards", deployments.list_shards),
    Route("GET", _DEPLOYMENT + "/ledger", "GetLedger", deployments.get_ledger),
    Route("DELETE", _DEPLOYMENT + "/ledger", "ResetLedger", deployments.reset_ledger),
    Route("GET", _ACCOUNT + "/deploymentShapes", "ListDeploymentShapes", shapes.list_shapes),
    Route("POST", _ACCOUNT + "/deploymentShapes", "CreateDeploymentShape", shapes.create_shape),
    Route("GET", _SHAPE, "GetDeploymentShape", shapes.get_shape),
    Route("PATCH", _SHAPE, "UpdateDeploymentShape", shapes.update_shape),
    Route("DELETE", _SHAPE, "DeleteDeploymentShape", shapes.delete_shape),
    Route("GET", _SHAPE + "/versions", "ListDeploymentShapeVersions", shapes.list_versions),
    Route("GET", _VERSION, "GetDeploymentShapeVersion", shapes.get_version),
    Route("PATCH", _VERSION, "UpdateDeploymentShapeVersion", shapes.update_version),
    Route(
        "POST",
        _ACCOUNT + "/deploymentShapeVersions:match",
        "MatchDeploymentShapeVersions",
        shapes.match_versions,
    ),
    Route("GET", _ACCOUNT + "/quotas", "ListQuotas", accounts.list_quotas),
    Route("GET", _QUOTA, "GetQuota", accounts.get_quota),
    Route("PATCH", _QUOTA, "UpdateQuota", accounts.update_quota),
    Route("GET", _ACCOUNT + "/routers", "ListRouters", accounts.list_routers),
    Route("POST", _ACCOUNT + "/routers", "CreateRouter", accounts.create_router),
    Route("GET", _ROUTER, "GetRouter", accounts.get_router),
    Route("PATCH", _ROUTER, "UpdateRouter", accounts.update_router),
    Route("DELETE", _ROUTER, "DeleteRouter", accounts.delete_router),
    *(
        Route("POST", prefix + path, operation, inference.complete)
        for prefix in ("", "/inference")
        for path, operation in (
            ("/v1/chat/completions", "ChatCompletions"),
            ("/v1/completions", "Completions"),
            ("/v1/messages", "Messages"),
        )
    ),
)
