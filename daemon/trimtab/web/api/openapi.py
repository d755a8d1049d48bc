"""The OpenAPI 3.1 document, made of the operations: what is not in it is not served, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from trimtab.web.api.operations import JSON
from trimtab.web.api.pushes import push_paths
from trimtab.web.problem import PROBLEM_JSON

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.web.api.operations import Operation
    from trimtab.web.api.parameters import Parameter

DESCRIPTION = """\
What trimtab knows and decides, and people's overrides of it.

Every failure is `application/problem+json` (RFC 9457) with one sentence in `detail`. A deployment is named by
the last part of the path, its full name as it is, slashes included (`%2F` is understood too); the last part of the
name is enough where it is unambiguous. Moments are RFC 3339 in UTC. Nothing is cached.

A token is sent as `Authorization: Bearer <token>`. Its scope is `read` or `operate`; who may operate may read.
"""

API_VERSION = "1"
"""Of the API: what it has stays, and more may come. That of trimtab is in ``/v1/daemon``."""

ALWAYS = (400, 401, 403, 405, 421, 429, 500)
"""Problems that any request may run into."""

TITLES: Mapping[int, str] = {
    400: "The request cannot be read",
    401: "No token, or one that is not known",
    403: "Not for this token, or not from there",
    404: "There is no such thing",
    405: "Another method is meant",
    413: "The body is too large",
    415: "The body is not JSON",
    421: "The request names a host that is not served",
    422: "The request can be read and cannot be meant",
    429: "Too many; wait as long as `Retry-After` says",
    500: "A bug of trimtab",
    503: "Not now; again after `Retry-After`",
}

PROBLEM = {
    "type": "object",
    "description": "Why a request got no answer (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence, with the remedy."},
    },
}


def openapi_document(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the document for ``operations``."""
    operations = tuple(operations)
    views = {one.answer for one in operations if one.answer is not None}
    ordered = sorted(views, key=lambda kind: str(kind.__name__))
    _, schemas = TypeAdapter.json_schemas(
        [(kind, "serialization", TypeAdapter(kind)) for kind in ordered],
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    paths |= push_paths()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "trimtab",
            "version": API_VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [
            {"name": name} for name in dict.fromkeys([*(one.tag for one in operations), "Signals"])
        ],
        "paths": paths,
        "components": {
            "schemas": _without_titles(schemas["$defs"]) | {"Problem": PROBLEM},
            "responses": _problem_responses(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Of a token file."}
            },
        },
    }


def _operation(one: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": one.id,
        "tags": [one.tag],
        "summary": one.summary,
        "security": [{}, {"token": []}],
        "x-scope": one.scope.value,
    }
    if one.description:
        found["description"] = one.description
    if one.parameters:
        found["parameters"] = [_parameter(each) for each in one.parameters]
    if one.body is not None:
        content = {"schema": dict(one.body.schema), "example": dict(one.body.example)}
        found["requestBody"] = {"required": True, "content": {JSON: content}}
    found["responses"] = {str(one.status): _answer(one)} | _problems(one)
    return found


def _answer(one: Operation) -> dict[str, Any]:
    if one.answer is None:
        content: dict[str, Any] = {one.content_type: {"schema": {"type": "string"}}}
        if one.content_type == JSON:
            content = {JSON: {"schema": {"type": "object"}}}
    else:
        name = one.answer.__name__
        content = {one.content_type: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {"description": one.answer_description or one.summary, "content": content}


def _problems(one: Operation) -> dict[str, Any]:
    of_bodies = (413, 415) if one.body is not None else ()
    return {
        str(status): {"$ref": f"#/components/responses/Problem{status}"}
        for status in sorted({*ALWAYS, *of_bodies, *one.refusals})
    }


def _problem_responses() -> dict[str, Any]:
    """Return one response for each status that a problem may have."""
    responses: dict[str, Any] = {}
    for status, title in TITLES.items():
        schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
        response: dict[str, Any] = {"description": title, "content": {PROBLEM_JSON: schema}}
        if status in (429, 503):
            header = {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
            response["headers"] = {"Retry-After": header}
        responses[f"Problem{status}"] = response
    return responses


def _parameter(one: Parameter) -> dict[str, Any]:
    found = {
        "name": one.name,
        "in": one.place,
        "required": one.is_required,
        "description": one.description,
        "schema": dict(one.schema),
    }
    return found if one.example is None else found | {"example": one.example}


def _without_titles(schema: Any) -> Any:
    """Leave out the titles that pydantic makes of names: they say nothing that the names do not."""
    if isinstance(schema, dict):
        is_list_of_names = "title" in schema and isinstance(schema["title"], dict)
        return {
            key: _without_titles(value)
            for key, value in schema.items()
            if key != "title" or is_list_of_names
        }
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    return schema
