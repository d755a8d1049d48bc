"""Field masks: which fields a read returns and which fields a PATCH changes.

Paths are snake_case in every official example; camelCase is accepted unless a switch forbids it.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from trimtab.emulator import fields
from trimtab.emulator.fields import Field, Kind
from trimtab.emulator.refusals import invalid

if TYPE_CHECKING:
    from trimtab.emulator.messages import Message, Value
    from trimtab.emulator.switches import Switches

Path = tuple[str, ...]
"""Field names from the outside in; the last one may be a key of a map."""


def find(message: Message, path: str, switches: Switches, what: str) -> tuple[Path, Field | None]:
    """Resolve a dotted path; the field is ``None`` where the path ends in a map's key.

    ``what`` names the parameter in the refusal of an unknown path.
    """
    names: list[str] = []
    here: Message | None = message
    field: Field | None = None
    parts = path.split(".")
    for index, part in enumerate(parts):
        found = None if here is None else here.find(part)
        if found is None or (switches.snake_case_only and part != found.snake_name):
            raise invalid(f"invalid {what}: unknown path {path!r} in {message.name}")
        field = found
        names.append(field.name)
        if field.is_map:
            rest = ".".join(parts[index + 1 :])
            if rest:
                return (*names, rest), None
        if field.is_repeated and index + 1 < len(parts):
            raise invalid(f"invalid {what}: {path!r} reaches into a repeated field")
        here = field.message if field.kind is Kind.MESSAGE else None
    return tuple(names), field


def parse(message: Message, text: str, switches: Switches, what: str) -> list[Path] | None:
    """Read a comma-separated mask; ``None`` means everything (empty or ``*``)."""
    texts = [part.strip() for part in text.split(",")]
    if texts == [""] or "*" in texts:
        return None
    return [find(message, part, switches, what)[0] for part in texts]


def narrow(rendered: dict[str, Any], paths: list[Path] | None) -> dict[str, Any]:
    """Return only what ``paths`` select of a rendered resource."""
    if paths is None:
        return rendered
    out: dict[str, Any] = {}
    for path in paths:
        source: Any = rendered
        for name in path:
            source = source.get(name) if isinstance(source, dict) else None
        if source is None:
            continue
        target = out
        for name in path[:-1]:
            target = target.setdefault(name, {})
        target[path[-1]] = copy.deepcopy(source)
    return {name: out[name] for name in rendered if name in out}


def body_paths(message: Message, raw: dict[str, Any]) -> list[Path]:
    """Return the mask that grpc-gateway derives from a PATCH body: the keys that are present.

    Nested messages contribute their own keys; maps and lists count as a whole. Read-only fields
    are left out.
    """
    paths: list[Path] = []
    for key, item in raw.items():
        field = message.find(key)
        if field is None or field.is_read_only:
            continue
        inner = field.message
        is_nested = inner is not None and not field.is_map and not field.is_repeated
        if is_nested and inner is not None and isinstance(item, dict) and item:
            paths += [(field.name, *rest) for rest in body_paths(inner, item)]
        else:
            paths.append((field.name,))
    return paths


def apply(message: Message, current: Value, change: Value, paths: list[Path]) -> Value:
    """Return ``current`` with ``paths`` taken from ``change``; absent there means reset."""
    result = copy.deepcopy(current)
    for path in paths:
        root = message.fields[path[0]]
        if root.is_read_only:
            continue
        target, source = result, change
        for name in path[:-1]:
            target = target.setdefault(name, {})
            source = source.get(name) or {}
        if path[-1] in source:
            target[path[-1]] = copy.deepcopy(source[path[-1]])
        else:
            target.pop(path[-1], None)
    return result


def everything(message: Message) -> list[Path]:
    """Return the mask of a full replacement: every mutable field."""
    return [(field.name,) for field in message.mutable]


def value_at(message: Message, value: Value, path: Path) -> Any:
    """Return the canonical value at ``path``, with proto3 defaults for what is absent."""
    here: Any = value
    level: Message | None = message
    field: Field | None = None
    for name in path:
        if level is not None:
            field = level.fields[name]
            level = None if field.is_map else field.message
            here = (here or {}).get(name)
            if here is None:
                here = fields.default_of(field)
        else:
            here = (here or {}).get(name)
    return here
