"""How the addresses that load is pushed to are described: ``web/push.py`` serves them, to senders of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.web.problem import PROBLEM_JSON
from trimtab.web.push import SIGNALS_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUSALS: Mapping[int, str] = {
    400: "It cannot be read",
    401: "Not let in",
    404: "No push source of this name is in the settings",
    405: "Another method is meant",
    408: "The body took too long",
    413: "Too large, or too many samples",
    415: "Another protocol",
    421: "The request names a host that is not served",
    429: "More than the source may send; wait as long as `Retry-After` says",
    500: "A bug of trimtab",
    503: "Not now: nothing of it was taken; again after `Retry-After`",
}

SAMPLE = {
    "type": "object",
    "required": ["deployment", "signal", "value"],
    "properties": {
        "deployment": {"type": "string"},
        "signal": {"type": "string", "description": "What the policy's `query` says."},
        "value": {"type": "number"},
        "time": {
            "description": "RFC 3339 or UTC seconds; now where it is left out.",
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}],
        },
    },
}

SIGNALS: Mapping[str, Any] = {
    "operationId": "pushSignals",
    "tags": ["Signals"],
    "summary": "Push samples to the one source of type `json`",
    "security": [{}, {"token": []}],
    "x-scope": "push",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"anyOf": [SAMPLE, {"type": "array", "items": SAMPLE}]},
                "example": [{"deployment": "chat", "signal": "queued", "value": 12}],
            }
        },
    },
    "responses": {
        "202": {
            "description": "How many samples came to what",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
}

TO_A_SOURCE: Mapping[str, Any] = {
    "operationId": "push",
    "tags": ["Signals"],
    "summary": "Push to a source by its name, in the protocol of its type",
    "description": "Prometheus remote-write, OTLP metrics, JSON, Alertmanager and other webhooks: docs/push.md. "
    "Refusals are in the words of the protocol.",
    "security": [{}, {"token": []}],
    "x-scope": "push",
    "parameters": [
        {
            "name": "source",
            "in": "path",
            "required": True,
            "description": "As the settings call it.",
            "schema": {"type": "string"},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {}},
            "application/x-protobuf": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    "responses": {
        "200": {"description": "Taken"},
        "202": {"description": "Taken"},
        "204": {"description": "Taken"},
    },
}


def push_paths() -> dict[str, dict[str, Any]]:
    """Return the paths of the document that are about pushing."""
    return {
        SIGNALS_PATH: {"post": _with_refusals(SIGNALS)},
        "/v1/push/{source}": {"post": _with_refusals(TO_A_SOURCE)},
    }


def _with_refusals(operation: Mapping[str, Any]) -> dict[str, Any]:
    problem = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    refusals = {
        str(status): {"description": words, "content": problem}
        for status, words in REFUSALS.items()
    }
    return {**operation, "responses": {**operation["responses"], **refusals}}
