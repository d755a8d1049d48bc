"""A request as the API reads it, and what it answers: values, whatever carried them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.servers.kubernetes_api.failures import Refusal, bad_request, too_large

BODY_BYTES_MAX = 3 * 1024 * 1024

VERB_OF = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """``headers`` have lower-case names. ``query`` has the first value of each parameter."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_watch(self) -> bool:
        return self.method == "GET" and self.query.get("watch") in ("1", "true", "True")

    def json(self) -> dict[str, Any]:
        if len(self.body) > BODY_BYTES_MAX:
            raise too_large()
        try:
            found = json.loads(self.body)
        except ValueError as error:
            raise bad_request(f"the object provided is unrecognized: {error}") from None
        if not isinstance(found, dict):
            raise bad_request("the object provided is unrecognized (must be of type object)")
        return found

    def number(self, name: str) -> int | None:
        text = self.query.get(name, "")
        if not text:
            return None
        if not text.lstrip("-").isdigit():
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    code: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        return json.loads(self.body)


def answer(code: int, thing: Any) -> Answer:
    body = json.dumps(thing, separators=(",", ":")).encode() + b"\n"
    return Answer(code=code, body=body, headers={"Content-Type": "application/json"})


def refused(refusal: Refusal) -> Answer:
    if refusal.is_plain:
        return Answer(
            code=refusal.code,
            body=refusal.message.encode() + b"\n",
            headers={"Content-Type": "text/plain; charset=utf-8", **refusal.headers},
        )
    body = refusal.body()
    fresh = getattr(refusal, "fresh_continue", None)
    if fresh is not None:
        body["metadata"]["continue"] = fresh
    found = answer(refusal.code, body)
    return Answer(code=found.code, body=found.body, headers={**found.headers, **refusal.headers})


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a path names."""

    group: str
    version: str
    plural: str = ""
    namespace: str | None = None
    name: str = ""
    subresource: str = ""


def route_of(path: str) -> Route | None:
    """Read ``/api/v1/…`` and ``/apis/GROUP/VERSION/…``; ``None`` for every other path."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = None
    if rest[:1] == ["namespaces"] and len(rest) >= 3 and rest[2] != "status":
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        return None
    plural, name, subresource = (*rest, "", "", "")[:3]
    if plural == "namespaces" and name:
        namespace = name
    return Route(
        group=group,
        version=version,
        plural=plural,
        namespace=namespace,
        name=name,
        subresource=subresource,
    )
