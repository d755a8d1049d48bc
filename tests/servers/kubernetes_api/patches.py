"""Patches: JSON patch (RFC 6902), JSON merge patch (RFC 7386), and the strategic kind for built-ins."""

from __future__ import annotations

import json
from typing import Any

from tests.servers.kubernetes_api.failures import (
    Refusal,
    bad_request,
    patch_does_not_apply,
    unsupported_media_type,
)
from tests.servers.kubernetes_api.store import copied

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

MERGED_BY = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "conditions": "type",
    "ownerReferences": "uid",
    "imagePullSecrets": "name",
}
"""The lists whose entries a strategic patch merges, and the key that tells entries apart."""


def patched(thing: Any, body: bytes, media_type: str, *, is_custom: bool) -> Any:
    """Return what becomes of ``thing``; it is left as it is."""
    accepted = [JSON_PATCH, MERGE_PATCH] + ([] if is_custom else [STRATEGIC_PATCH])
    if media_type not in accepted:
        raise unsupported_media_type(accepted)
    try:
        patch = json.loads(body)
    except ValueError as error:
        raise bad_request(f"error decoding patch: {error}") from None
    if media_type == JSON_PATCH:
        return _json_patched(thing, patch)
    if not isinstance(patch, dict):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal into map[string]interface {}"
        )
    return merged(thing, patch) if media_type == MERGE_PATCH else _strategic(thing, patch)


def merged(thing: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copied(patch)
    result = dict(thing) if isinstance(thing, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _strategic(thing: Any, patch: Any, name: str = "") -> Any:
    if isinstance(patch, list) and name in MERGED_BY and isinstance(thing, list):
        return _merged_list(thing, patch, MERGED_BY[name])
    if not isinstance(patch, dict):
        return copied(patch)
    wish = patch.get("$patch")
    if wish == "replace":
        return {key: copied(value) for key, value in patch.items() if key != "$patch"}
    if wish == "delete":
        return {}
    result = dict(thing) if isinstance(thing, dict) else {}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _strategic(result.get(key), value, key)
    return result


def _merged_list(old: list[Any], patch: list[Any], by: str) -> list[Any]:
    result = list(old)
    for entry in patch:
        if not isinstance(entry, dict) or by not in entry:
            raise bad_request(f"map: {entry} does not contain declared merge key: {by}")
        at = next((i for i, had in enumerate(result) if had.get(by) == entry[by]), None)
        if entry.get("$patch") == "delete":
            if at is not None:
                del result[at]
        elif at is None:
            result.append(copied(entry))
        else:
            result[at] = _strategic(result[at], entry)
    return result


# -- RFC 6902 ----------------------------------------------------------------------------------


def _json_patched(thing: Any, patch: Any) -> Any:
    if not isinstance(patch, list):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    result = copied(thing)
    for operation in patch:
        try:
            result = _operate(result, operation)
        except Refusal:
            raise
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            raise patch_does_not_apply() from None
    return result


def _keys(pointer: str) -> list[str]:
    if pointer == "":
        return []
    if not pointer.startswith("/"):
        raise ValueError(pointer)
    return [key.replace("~1", "/").replace("~0", "~") for key in pointer[1:].split("/")]


def _get(thing: Any, keys: list[str]) -> Any:
    for key in keys:
        thing = thing[int(key)] if isinstance(thing, list) else thing[key]
    return thing


def _operate(thing: Any, operation: Any) -> Any:
    what, keys = operation["op"], _keys(operation["path"])
    if what == "test":
        if _get(thing, keys) != operation.get("value"):
            raise patch_does_not_apply()
        return thing
    if what in ("move", "copy"):
        source = _keys(operation["from"])
        value = copied(_get(thing, source))
        if what == "move":
            thing = _placed(thing, source, None, "remove")
        return _placed(thing, keys, value, "add")
    if what in ("add", "replace", "remove"):
        value = copied(operation["value"]) if what != "remove" else None
        return _placed(thing, keys, value, what)
    raise bad_request(f'Unexpected kind: unknown operation "{what}"')


def _placed(thing: Any, keys: list[str], value: Any, what: str) -> Any:
    if not keys:
        return value
    parent, last = _get(thing, keys[:-1]), keys[-1]
    if isinstance(parent, list):
        at = len(parent) if last == "-" and what == "add" else int(last)
        if not 0 <= at < len(parent) + (what == "add"):
            raise IndexError(at)
        if what == "add":
            parent.insert(at, value)
        elif what == "replace":
            parent[at] = value
        else:
            del parent[at]
    elif what == "remove":
        del parent[last]
    elif what == "replace":
        if last not in parent:
            raise KeyError(last)
        parent[last] = value
    else:
        parent[last] = value
    return thing
