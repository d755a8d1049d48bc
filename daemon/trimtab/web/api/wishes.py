"""The bodies of requests: what they may hold, an example each, and what is wrong with one in a sentence."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from trimtab.web.api.operations import Body
from trimtab.web.problem import ProblemError
from trimtab.web.views.what_if import WhatIfWish

if TYPE_CHECKING:
    from pydantic import ValidationError

TEXT_BYTES_MAX = 256 * 1024
"""Of a policy to try; what a policy file may have at most."""

_NAMES = {
    "deployment": {
        "type": "string",
        "minLength": 1,
        "description": "Its full name, or the last part of it where that is unambiguous.",
    },
    "all": {"type": "boolean", "description": "Every deployment; in place of `deployment`."},
}
_WHO = {
    "author": {
        "type": "string",
        "maxLength": 100,
        "description": "Who orders it. It is written down beside the address and the token's name, and "
        "opens nothing.",
    },
    "reason": {
        "type": "string",
        "maxLength": 500,
        "description": "Why, for whoever finds it at night.",
    },
}

GIVE = Body(
    schema={
        "type": "object",
        "description": "A person's order. Exactly one of `deployment` and `all`, exactly one of `for` and "
        "`until`; `replicas` exactly for a pin, `blocks` exactly for a block.",
        "required": ["kind", "reason"],
        "additionalProperties": False,
        "properties": {
            "kind": {"type": "string", "enum": ["pause", "pin", "block"]},
            **_NAMES,
            "replicas": {"type": "integer", "minimum": 0, "maximum": 100_000},
            "blocks": {"type": "string", "enum": ["up", "down"]},
            "for": {"type": "string", "description": "How long, as in `2h`; 30 days at most."},
            "until": {"type": "string", "format": "date-time"},
            **_WHO,
        },
    },
    example={
        "kind": "pin",
        "replicas": 6,
        "deployment": "chat",
        "for": "2h",
        "author": "ana",
        "reason": "launch",
    },
)

LIFT = Body(
    schema={
        "type": "object",
        "description": "Exactly one of `deployment`, `all` and `ids`.",
        "additionalProperties": False,
        "properties": {
            **_NAMES,
            "ids": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            **_WHO,
        },
    },
    example={"deployment": "chat", "author": "ana", "reason": "the launch is over"},
)

WHAT_IF = Body(
    schema=TypeAdapter(WhatIfWish).json_schema() | {"additionalProperties": False},
    example={"deployment": "chat", "hours": 3, "text": "apiVersion: trimtab.dev/v1\n…"},
    bytes_max=TEXT_BYTES_MAX,
)


def as_problem(error: ValidationError) -> ProblemError:
    """Return the first thing that is wrong with a body."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the body"
    message = str(first["msg"]).lower()
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{place}: {message}"[:300])
