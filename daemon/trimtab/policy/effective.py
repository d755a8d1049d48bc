"""What a policy comes to with every default filled in, and where each value is from, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from trimtab.core.policy import DEFAULT_DOWN, DEFAULT_UP
from trimtab.policy.default_moves import damped_by, default_down
from trimtab.policy.durations import format_duration
from trimtab.policy.parts import is_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from trimtab.core.policy import MoveRules
    from trimtab.policy.place import Place
    from trimtab.policy.yaml_nodes import Path


class Source(StrEnum):
    """Who said that a value is what it is."""

    FILE = "file"
    FLEET = "fleet"
    DEFAULT = "default"
    STRATEGY = "strategy"
    DEPLOYMENT = "deployment"


@dataclass(frozen=True, slots=True)
class EffectiveValue:
    """One setting: ``key`` is its way below ``spec``, ``value`` is written as in a file (JSON data).

    ``None`` is no value: no limit, no fallback, or what the deployment itself says. ``origin`` is
    where people find it: file and line (of the policy, or of a Fleet whose default it is), or the word
    of ``source``, with the strategy that it is.
    """

    key: str
    value: Any
    source: Source
    origin: str


def effective_values(place: Place) -> tuple[EffectiveValue, ...]:
    """Every setting of one policy that the engine goes by, in the order of the format."""
    return tuple(_section(place, place.spec, ("spec",)))


# What is said of a key that is not in the file and has no default in the format itself.
_ABSENT_SAYS_SOMETHING = frozenset({"accelerators", "fallback", "behavior.scaleToZero", "leadTime"})
_OF_THE_DEPLOYMENT = frozenset({"bounds.min", "bounds.max"})
_WINDOW_DOWN: Path = ("spec", "behavior", "scaleDown", "stabilization")
_PAUSES_OF_A_RULE = frozenset({"cooldown", "stabilization"})


def _section(place: Place, part: BaseModel, path: Path) -> Iterator[EffectiveValue]:
    is_rule = path[:2] == ("spec", "rules") and len(path) == 3
    for name, field in type(part).model_fields.items():
        if is_rule and name == "name":
            continue  # it is part of every key below
        yield from _field(place, getattr(part, name), field, (*path, field.alias or name))


def _field(place: Place, value: Any, field: FieldInfo, path: Path) -> Iterator[EffectiveValue]:
    node, depth = place.root.find(path)[1:]
    is_given = depth == len(path)
    if isinstance(value, BaseModel) and not (is_given and not isinstance(node.data, dict)):
        yield from _section(place, value, path)
    elif path == ("spec", "signals"):
        for name, signal in value.items():
            yield from _section(place, signal, (*path, name))
    elif path == ("spec", "rules"):
        for index, rule in enumerate(value):
            yield from _section(place, rule, (*path, index))
    elif is_given:
        line = place.root.key_span(path).line
        origin = f"{place.findings.file.name}:{line}"
        yield EffectiveValue(_key(place, path), plain(node.data), Source.FILE, origin)
    elif (default := place.inherited_from(path)) is not None:
        inherited = plain(place.inherited_data(path))
        origin = f"{default} ({Source.FLEET})"
        yield EffectiveValue(_key(place, path), inherited, Source.FLEET, origin)
    elif path == _WINDOW_DOWN and (strategies := damped_by(place.spec)) is not None:
        window = format_duration(default_down(place.spec).stabilization_seconds)
        origin = f"{Source.STRATEGY} {strategies}"
        yield EffectiveValue(_key(place, path), window, Source.STRATEGY, origin)
    else:
        yield from _default(_key(place, path), value, field)


def _default(key: str, value: Any, field: FieldInfo) -> Iterator[EffectiveValue]:
    if key in _OF_THE_DEPLOYMENT:
        yield EffectiveValue(key, None, Source.DEPLOYMENT, Source.DEPLOYMENT)
        return
    section, _, last = key.rpartition(".")
    is_pause = section.startswith("rules.") and last in _PAUSES_OF_A_RULE
    if value is None and key in _CORE_DEFAULTS:
        yield EffectiveValue(key, _CORE_DEFAULTS[key], Source.DEFAULT, Source.DEFAULT)
    elif is_pause and section.count(".") == 1 and value is None:
        yield EffectiveValue(key, "0s", Source.DEFAULT, Source.DEFAULT)
    elif value is not None and is_duration(field):
        yield EffectiveValue(key, format_duration(value), Source.DEFAULT, Source.DEFAULT)
    elif value is not None or key in _ABSENT_SAYS_SOMETHING:
        yield EffectiveValue(key, plain(value), Source.DEFAULT, Source.DEFAULT)


def _key(place: Place, path: Path) -> str:
    """The way below ``spec``, with rules by their names."""
    steps = list(path[1:])
    match steps:
        case ["rules", int(index), *_]:
            steps[1] = place.spec.rules[index].name
    return ".".join(str(step) for step in steps)


def plain(data: Any) -> Any:
    """Data of a file as JSON has it: lists as lists."""
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    return [plain(item) for item in data] if isinstance(data, tuple | list) else data


def _limits(moves: MoveRules) -> list[dict[str, Any]]:
    return [
        ({"replicas": one.replicas} if one.percent is None else {"percent": one.percent})
        | {"period": format_duration(one.period_seconds)}
        for one in moves.limits
    ]


_CORE_DEFAULTS = {"stuck.after": "auto"} | {
    f"behavior.{way}.{key}": value
    for way, moves in (("scaleUp", DEFAULT_UP), ("scaleDown", DEFAULT_DOWN))
    for key, value in (
        ("stabilization", format_duration(moves.stabilization_seconds)),
        ("limits", _limits(moves)),
    )
}
"""Defaults that the engine has, where the format leaves the key out."""
