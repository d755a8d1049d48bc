"""Schemathesis runs every operation of the API's OpenAPI document against the emulator.

The document is not ours and not in the repository: it is read from ``../shared/reference`` beside
the project, or from the path in ``FIREWORKS_OPENAPI``.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from emulator_thread import emulator_in_thread
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from tests.contract.closed_schemas import close

from trimtab.clock import ManualClock
from trimtab.emulator import Emulation
from trimtab.emulator.routers import Router
from trimtab.plant import ConstantWorkload, Load

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[3]
DOCUMENT = Path(
    os.environ.get(
        "FIREWORKS_OPENAPI", PROJECT.parent / "shared" / "reference" / "fireworks-openapi.json"
    )
)
DOCUMENTED_STATUSES = (400, 401, 403, 404, 405, 409, 412, 429, 499)
"""The HTTP statuses that the document gives its error codes, without the 5xx ones: bad input must
never look like a fault of the server."""

IDS = {
    "account_id": ["acct"],
    "deployment_id": ["chat", "batch", "parked", "gone", "broken"],
    "deployment_shape_id": ["own"],
    "version_id": ["v1"],
    "quota_id": ["global--h100-count", "monthly-spend-usd"],
    "router_id": ["own", "chat"],
}
BASE_MODEL = "accounts/fireworks/models/llama-v3p1-8b-instruct"
SHAPE = "accounts/fireworks/deploymentShapes/llama-8b-minimal"
SENSIBLE: dict[str, dict[str, Any]] = {
    "baseModel": {"enum": [BASE_MODEL, "accounts/acct/models/mine"]},
    "deploymentShape": {"enum": [SHAPE, f"{SHAPE}/versions/k3v9q2ma", "default"]},
    "displayName": {"maxLength": 63},
    "minReplicaCount": {"minimum": 0, "maximum": 2},
    "maxReplicaCount": {"minimum": 1, "maximum": 4},
    "maxWithRevocableReplicaCount": {"minimum": 4, "maximum": 6},
    "replicaCount": {"minimum": 0, "maximum": 8},
    "acceleratorCount": {"minimum": 0, "maximum": 4},
    "scaleUpWindow": {"pattern": "^[1-9][0-9]{0,2}s$"},
    "scaleDownWindow": {"pattern": "^[1-9][0-9]{0,2}s$"},
    "scaleToZeroWindow": {"pattern": "^[3-9][0-9]{2}s$"},
    "duration": {"pattern": "^[3-9][0-9]{2}s$"},
    "schedule": {"enum": ["0 8 * * 1-5", "*/30 * * * *"]},
    "timezone": {"enum": ["Europe/Berlin", "UTC"]},
    "loadTargets": {
        "propertyNames": {"enum": ["default", "requests_per_second"]},
        "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    },
    "deployments": {"items": {"type": "string", "enum": ["accounts/acct/deployments/chat"]}},
    "value": {"pattern": "^[1-9][0-9]?$"},
    "maxValue": {"pattern": "^[1-9][0-9]?$"},
    "units": {"pattern": "^[1-9][0-9]{0,8}$"},
}
"""What a sensible request says where the document only gives a type. Without it hardly any generated
request would get past validation. Requests that violate it are tried as well."""

pytestmark = pytest.mark.slow

if not DOCUMENT.is_file():
    pytest.skip(
        f"no OpenAPI document at {DOCUMENT}; put it there or name its path in FIREWORKS_OPENAPI: "
        "whether the emulator keeps to it is NOT being tested",
        allow_module_level=True,
    )


def strict_document() -> dict[str, Any]:
    """Return the document with what it leaves open closed.

    Error answers get their schema and statuses (the document lists only 200), objects take no
    further properties, and ids are those of the seeded world (a violation tries others).
    """
    document: dict[str, Any] = json.loads(DOCUMENT.read_text())
    schemas = document["components"]["schemas"]
    close(document)
    separate_requests(document)
    schemas["rpcStatus"] = {
        "type": "object",
        "required": ["code", "message", "details"],
        "additionalProperties": False,
        "properties": {
            "code": {"type": "integer", "minimum": 1, "maximum": 16},
            "message": {"type": "string", "minLength": 1},
            "details": {"type": "array"},
        },
    }
    refused = {
        "description": "google.rpc.Status",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/rpcStatus"}}},
    }
    for path in document["paths"].values():
        for operation in path.values():
            for status in DOCUMENTED_STATUSES:
                operation["responses"][str(status)] = copy.deepcopy(refused)
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["schema"]["enum"] = IDS[parameter["name"]]
    return document


def separate_requests(document: dict[str, Any]) -> None:
    """Give requests their own copies of the schemas, narrowed to sensible values.

    The answers' schemas stay as they are.
    """
    schemas = document["components"]["schemas"]
    for name, schema in list(schemas.items()):
        schemas[f"Sent{name}"] = as_sent(copy.deepcopy(schema))
    for path in document["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                operation["requestBody"] = as_sent(operation["requestBody"])


def as_sent(node: Any) -> Any:
    if isinstance(node, list):
        return [as_sent(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: as_sent(item) for key, item in node.items()}
    if isinstance(out.get("$ref"), str):
        out["$ref"] = out["$ref"].replace("/schemas/", "/schemas/Sent")
    for name, schema in out.get("properties", {}).items():
        schema.update(copy.deepcopy(SENSIBLE.get(name, {})))
        if schema.get("type") == "integer":
            schema.setdefault("minimum", 0)
        if schema.get("format") == "float":
            schema.setdefault("maximum", 1e9)
    return out


def seeded() -> Emulation:
    """Return a small world in which every kind of resource exists in every state."""
    clock = ManualClock(1_767_225_600.0)
    emulation = Emulation(clock, account="acct", accelerator_quota=64)
    emulation.account.requests.per_minute = 1e9
    emulation.account.requests._tokens = 1e9
    for name in IDS["deployment_id"]:
        emulation.add_deployment(
            "acct",
            name,
            shape="llama-8b-minimal",
            workload=ConstantWorkload(Load(4.0, 512, 128)) if name == "chat" else None,
            min=0,
            max=0 if name == "parked" else 4,
            replicas_ready=0 if name == "parked" else 1,
        )
    clock.advance(300)
    emulation.advance()
    own = copy.deepcopy(emulation.accounts["fireworks"].shapes["llama-8b-minimal"])
    own.account, own.id, own.versions[0].id = "acct", "own", "v1"
    emulation.account.shapes["own"] = own
    emulation.account.routers["own"] = Router("acct", "own", {"evenLoad": {}}, clock.now(), "me")
    emulation.deployments["accounts/acct/deployments/gone"].state = "DELETED"
    emulation.deployments["accounts/acct/deployments/broken"].state = "FAILED"
    return emulation


schema = schemathesis.openapi.from_dict(strict_document())


@pytest.fixture
def base_url() -> Iterator[str]:
    with emulator_in_thread(seeded()) as server:
        yield server.base_url


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """One connection for all examples of an operation."""
    with requests.Session() as session:
        yield session


@schema.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_answer_lies_outside_the_document(
    case: schemathesis.Case, base_url: str, session: requests.Session
) -> None:
    case.call_and_validate(
        base_url=base_url,
        session=session,
        headers={"Authorization": "Bearer any"},
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
            unsupported_method,
        ],
    )
