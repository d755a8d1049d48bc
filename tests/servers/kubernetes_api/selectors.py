"""Label and field selectors, as ``kubectl -l`` and ``--field-selector`` write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.servers.kubernetes_api.failures import bad_request
from tests.servers.kubernetes_api.kinds import Kind

Matches = Callable[[Mapping[str, Any]], bool]

_SET = re.compile(r"^\s*([^\s!=,()]+)\s+(in|notin)\s*\(([^)]*)\)\s*$")
_EQUAL = re.compile(r"^\s*([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)\s*$")
_THERE = re.compile(r"^\s*(!?)\s*([^\s!=,()]+)\s*$")


def _parts(text: str) -> list[str]:
    parts, depth, part = [], 0, ""
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [*parts, part]


def labels_match(text: str) -> Callable[[Mapping[str, str]], bool]:
    """Return what judges labels by a selector; raises 400 for one that cannot be read."""
    tests: list[Callable[[Mapping[str, str]], bool]] = []
    for part in _parts(text) if text.strip() else []:
        if found := _SET.match(part):
            key, how, listed = found.groups()
            values = {value.strip() for value in listed.split(",")}
            if how == "in":
                tests.append(lambda labels, k=key, v=values: labels.get(k) in v)  # type: ignore[misc]  # bound now
            else:
                tests.append(lambda labels, k=key, v=values: labels.get(k) not in v)  # type: ignore[misc]  # bound now
        elif found := _EQUAL.match(part):
            key, how, value = found.groups()
            wanted = how != "!="
            tests.append(lambda labels, k=key, v=value, w=wanted: (labels.get(k) == v) is w)  # type: ignore[misc]  # bound now
        elif found := _THERE.match(part):
            absent, key = found.groups()
            tests.append(lambda labels, k=key, a=not absent: (k in labels) is a)  # type: ignore[misc]  # bound now
        else:
            raise bad_request(f'unable to parse requirement: found "{part}", expected: identifier')
    return lambda labels: all(test(labels) for test in tests)


_FIELDS = {
    "pods": ("spec.nodeName", "spec.restartPolicy", "status.phase", "status.podIP"),
    "events": (
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.namespace",
        "involvedObject.uid",
        "reason",
        "type",
        "regarding.kind",
        "regarding.name",
        "regarding.namespace",
        "reportingController",
    ),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
}


def _field(thing: Mapping[str, Any], path: str) -> str:
    value: Any = thing
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return "" if value is None else str(value)


def fields_match(text: str, kind: Kind) -> Matches:
    """Return what judges objects; raises 400 for a field that ``kind`` cannot be selected by."""
    tests: list[tuple[str, bool, str]] = []
    for part in _parts(text) if text.strip() else []:
        found = re.match(r"^\s*([\w.]+)\s*(==|=|!=)\s*(.*?)\s*$", part)
        if not found:
            raise bad_request(f"invalid field selector: {part}")
        path, how, value = found.groups()
        if path not in ("metadata.name", "metadata.namespace", *_FIELDS.get(kind.plural, ())):
            raise bad_request(f"field label not supported: {path}")
        tests.append((path, how != "!=", value))
    return lambda thing: all(
        (_field(thing, path) == value) is is_wanted for path, is_wanted, value in tests
    )


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """``spec.selector`` as the text that a ``scale`` shows."""
    if not selector:
        return ""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for wish in selector.get("matchExpressions") or []:
        key, how, values = wish["key"], wish["operator"], ",".join(wish.get("values") or ())
        parts.append(
            {"Exists": key, "DoesNotExist": f"!{key}"}.get(how, f"{key} {how.lower()} ({values})")
        )
    return ",".join(parts)


def name_selected(text: str) -> str | None:
    """The one name that a field selector asks for: permission may be given for just that."""
    found = re.search(r"(?:^|,)metadata\.name==?([^,]+)", text)
    return found.group(1) if found else None
