"""Every value that a policy has in effect, and where it comes from: a line of a file, or a default."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from trimtab.core.policy import DEFAULT_DOWN, DEFAULT_UP
from trimtab.policy.durations import format_duration
from trimtab.policy.model_errors import show_path
from trimtab.policy.parts import Duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

    from trimtab.core.policy import MoveRules
    from trimtab.policy.place import Place
    from trimtab.policy.yaml_nodes import Node, Path

DEFAULT = "default"
DEPLOYMENT = "deployment"

LEFT_OUT: Mapping[str, tuple[object, str]] = {
    "bounds.min": ("the deployment's own", DEPLOYMENT),
    "bounds.max": ("the deployment's own", DEPLOYMENT),
    "accelerators": ("no limit", DEFAULT),
    "behavior.scaleToZero": ("never", DEFAULT),
    "fallback": ("none: the count stays", DEFAULT),
}
"""What a key that is left out comes to, where the model's ``None`` does not say it."""


@dataclass(frozen=True, slots=True)
class EffectiveValue:
    """One setting: its key below ``spec``, the value as people write it, and its origin.

    ``origin`` is ``file:line``, ``default``, or ``deployment`` where each deployment has its own.
    """

    key: str
    value: object
    origin: str


def effective_values(place: Place) -> tuple[EffectiveValue, ...]:
    """Return every setting of the policy at ``place``, in the order of the format."""
    return tuple(_part(place.spec, ("spec",), place.root, place.findings.file.name))


def _part(part: BaseModel, path: Path, root: Node, file: str) -> Iterator[EffectiveValue]:
    for name, field in type(part).model_fields.items():
        step = field.alias or name
        yield from _value(getattr(part, name), (*path, step), root, file, field)


def _value(
    value: Any, path: Path, root: Node, file: str, field: FieldInfo | None = None
) -> Iterator[EffectiveValue]:
    _, node, depth = root.find(path)
    is_stated = depth == len(path)
    is_written_short = is_stated and not isinstance(node.data, dict)
    if isinstance(value, BaseModel) and not is_written_short:
        yield from _part(value, path, root, file)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _value(one, (*path, key), root, file)
    elif isinstance(value, tuple) and any(isinstance(one, BaseModel) for one in value):
        for index, one in enumerate(value):
            yield from _value(one, (*path, index), root, file)
    elif is_stated:
        yield EffectiveValue(_key(path), _plain(node.data), f"{file}:{node.span.line}")
    elif (left_out := _left_out(_key(path), value, field)) is not None:
        yield left_out


def _left_out(key: str, value: Any, field: FieldInfo | None) -> EffectiveValue | None:
    """What a key that is not in the file comes to; ``None`` where that is nothing at all."""
    if key in LEFT_OUT:
        shown, origin = LEFT_OUT[key]
        return EffectiveValue(key, shown, origin)
    for direction, moves in (("scaleUp", DEFAULT_UP), ("scaleDown", DEFAULT_DOWN)):
        section, _, name = key.rpartition(".")
        if value is None and section == f"behavior.{direction}":
            return EffectiveValue(key, _of_moves(moves, name), DEFAULT)
    if value is None:
        return None
    if isinstance(value, float) and field is not None and _is_duration(field):
        return EffectiveValue(key, format_duration(value), DEFAULT)
    return EffectiveValue(key, _plain(value), DEFAULT)


def _of_moves(moves: MoveRules, key: str) -> object:
    if key == "stabilization":
        return format_duration(moves.stabilization_seconds)
    if key == "cooldown":
        return format_duration(moves.cooldown_seconds)
    return [
        {
            **({} if limit.percent is None else {"percent": limit.percent}),
            **({} if limit.replicas is None else {"replicas": limit.replicas}),
            "period": format_duration(limit.period_seconds),
        }
        for limit in moves.limits
    ]


_READS_DURATIONS = Duration.__metadata__[0]  # type: ignore[attr-defined]  # of an Annotated


def _is_duration(field: FieldInfo) -> bool:
    return any(one is _READS_DURATIONS for one in field.metadata)


def _key(path: Path) -> str:
    return show_path(path[1:])


def _plain(value: Any) -> object:
    """JSON values: lists for tuples, words for enumerations."""
    if isinstance(value, BaseModel):
        dumped: object = value.model_dump(mode="json", by_alias=True, exclude_none=True)
        return dumped
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value
