"""Values of the core as JSON and back: equal values, floats bit for bit, by the types they declare.

The form follows the declarations, so that a field which is added with a default can be read from
what was written before it existed. Dataclasses become objects by field name. Named tuples of up to
five fields become arrays (they are the bulk: samples, windows), longer ones objects. Of several
classes the one that was meant is named. A field that holds ``None``, ``""`` or ``()``, where that is
its default, is left out.

A maximum is read through ``recorded_maximum``, as earlier versions had a number for "none".

What must not change without another format (``packing.FORMAT``): the order of fields of short named tuples, and
defaults that are ``None``, ``""`` or ``()``.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import types
import typing
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeAlias, get_args, get_origin

import trimtab.core
from trimtab.core.maximum import recorded_maximum

POSITIONAL_FIELDS_MAX = 5
"""Named tuples of so many fields or fewer are written as arrays."""

Coder: TypeAlias = Callable[[Any], Any]
"""One direction for one type; ``None`` in place of it means that the value is its own JSON form."""

_FORWARD = {"JsonValue": Any}
"""It refers to itself, and is its own JSON form."""


class UnknownWordError(ValueError):
    """A value has a word or a type that this version does not know: another version wrote it."""


def encode(kind: Any, value: Any) -> Any:
    """Return ``value`` of the declared type ``kind`` as what ``json`` can write."""
    coder = _encoder(kind)
    return value if coder is None else coder(value)


def decode(kind: Any, document: Any) -> Any:
    """Restore a value from what ``json`` read. Raises ``ValueError`` when it cannot be one."""
    coder = _decoder(kind)
    try:
        return document if coder is None else coder(document)
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"this is no {_name_of(kind)}: {error!r}") from error


def hints_of(kind: Any) -> dict[str, Any]:
    """The declared types of the fields of a class, resolved."""
    names = _core_names() | vars(sys.modules[kind.__module__]) | _FORWARD
    return typing.get_type_hints(kind, globalns=names)


@cache
def _core_names() -> dict[str, Any]:
    """What annotations may name: the core imports most of it for type checkers only.

    A name that two modules define differently is left out, as nobody could tell which was meant.
    """
    names: dict[str, Any] = {"Mapping": Mapping}
    ambiguous: set[str] = set()
    for module in pkgutil.iter_modules(trimtab.core.__path__, "trimtab.core."):
        for name, value in vars(importlib.import_module(module.name)).items():
            is_type = isinstance(value, type | types.UnionType) or get_origin(value) is not None
            if not is_type or name.startswith("_"):
                continue
            if names.setdefault(name, value) is not value and names[name] != value:
                ambiguous.add(name)
    return {name: value for name, value in names.items() if name not in ambiguous}


def _name_of(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))


def _is_named_tuple(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def _is_positional(kind: Any) -> bool:
    return len(kind._fields) <= POSITIONAL_FIELDS_MAX


def reads_maximum(name: str, hint: Any) -> bool:
    """Whether the field ``name`` of the declared type ``hint`` is a maximum that need not be stated."""
    return name.endswith("max_replicas") and hint == int | None


def _field_decoder(name: str, hint: Any) -> Coder | None:
    return recorded_maximum if reads_maximum(name, hint) else _decoder(hint)


def _defaults_of(kind: Any) -> dict[str, Any]:
    if _is_named_tuple(kind):
        return dict(kind._field_defaults)
    return {
        one.name: one.default if one.default is not MISSING else one.default_factory
        for one in fields(kind)
        if one.default is not MISSING or one.default_factory is not MISSING
    }


def _left_out(default: Any) -> Any:
    """The value of a field that is not written, or a thing that no field holds."""
    return default if default is None or default in ("", ()) else MISSING


# -- encoding -------------------------------------------------------------------------------------


@cache
def _encoder(kind: Any) -> Coder | None:  # noqa: PLR0911  one answer for each form of a type
    origin = get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _union_encoder(kind)
    if origin is tuple:
        return _sequence_encoder([one for one in get_args(kind) if one is not Ellipsis])
    if origin in (list, frozenset) or (
        isinstance(origin, type) and issubclass(origin, AbstractSet)
    ):
        return _items_encoder(get_args(kind)[0], is_set=origin is not list)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_encoder(*get_args(kind))
    if _is_named_tuple(kind) and _is_positional(kind):
        return _positional_encoder(kind)
    if _is_named_tuple(kind) or is_dataclass(kind):
        return _object_encoder(kind)
    if isinstance(kind, type) and issubclass(kind, Enum) and not issubclass(kind, str):
        return lambda value: value.value
    return None


def _union_encoder(kind: Any) -> Coder | None:
    members = [one for one in get_args(kind) if one is not type(None)]
    if len(members) == 1:
        coder = _encoder(members[0])
        if coder is None:
            return None
        return lambda value: None if value is None else coder(value)
    coders = {one: _encoder(one) for one in members}
    if all(coder is None for coder in coders.values()):
        return None

    def encode_union(value: Any) -> Any:
        if value is None:
            return None
        coder = coders[type(value)]
        return [type(value).__name__, value if coder is None else coder(value)]

    return encode_union


def _sequence_encoder(members: list[Any]) -> Coder | None:
    coders = [_encoder(one) for one in members]
    if all(coder is None for coder in coders):
        return None
    if len(coders) == 1:
        (coder,) = coders
        assert coder is not None  # noqa: S101  just seen
        return lambda value: [coder(one) for one in value]
    return lambda value: [
        one if coder is None else coder(one) for coder, one in zip(coders, value, strict=True)
    ]


def _items_encoder(member: Any, *, is_set: bool) -> Coder:
    coder = _encoder(member)
    order = sorted if is_set else list
    if coder is None:
        return order
    return lambda value: order(coder(one) for one in value)


def _mapping_encoder(key: Any, value: Any) -> Coder:
    keys, values = _encoder(key), _encoder(value)
    if key is str:
        if values is None:
            return dict
        return lambda mapping: {name: values(one) for name, one in mapping.items()}
    return lambda mapping: [
        [name if keys is None else keys(name), one if values is None else values(one)]
        for name, one in mapping.items()
    ]


def _positional_encoder(kind: Any) -> Coder | None:
    hints = hints_of(kind)
    coders = [_encoder(hints[name]) for name in kind._fields]
    if all(coder is None for coder in coders):
        return None
    return lambda value: [
        one if coder is None else coder(one) for coder, one in zip(coders, value, strict=True)
    ]


def _object_encoder(kind: Any) -> Coder:
    hints, defaults = hints_of(kind), _defaults_of(kind)
    names = kind._fields if _is_named_tuple(kind) else [one.name for one in fields(kind)]
    plan = [(name, _encoder(hints[name]), _left_out(defaults.get(name, MISSING))) for name in names]

    def encode_object(value: Any) -> dict[str, Any]:
        document = {}
        for name, coder, left_out in plan:
            one = getattr(value, name)
            if type(one) is type(left_out) and one == left_out:
                continue
            document[name] = one if coder is None or one is None else coder(one)
        return document

    return encode_object


# -- decoding -------------------------------------------------------------------------------------


@cache
def _decoder(kind: Any) -> Coder | None:  # noqa: PLR0911  one answer for each form of a type
    origin = get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _union_decoder(kind)
    if origin is tuple:
        return _tuple_decoder(get_args(kind))
    if origin is list or (isinstance(origin, type) and issubclass(origin, AbstractSet)):
        coder, make = _decoder(get_args(kind)[0]), list if origin is list else frozenset
        return lambda items: make(one if coder is None else coder(one) for one in items)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_decoder(*get_args(kind))
    if _is_named_tuple(kind) and _is_positional(kind):
        return _positional_decoder(kind)
    if _is_named_tuple(kind) or is_dataclass(kind):
        return _object_decoder(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return refusing_unknown_words(kind)
    return None


def refusing_unknown_words(kind: type[Enum]) -> Coder:
    """Return what reads a word of ``kind``, and raises ``UnknownWordError`` for any other."""
    known = {one.value: one for one in kind}

    def decode_enum(word: Any) -> Enum:
        found = known.get(word)
        if found is None:
            raise UnknownWordError(f"{kind.__name__} has no {word!r}; another version wrote it")
        return found

    return decode_enum


def _union_decoder(kind: Any) -> Coder | None:
    members = [one for one in get_args(kind) if one is not type(None)]
    if len(members) == 1:
        coder = _decoder(members[0])
        if coder is None:
            return None
        return lambda document: None if document is None else coder(document)
    if all(_encoder(one) is None for one in members):
        return None
    coders = {one.__name__: _decoder(one) for one in members}

    def decode_union(document: Any) -> Any:
        if document is None:
            return None
        name, content = document
        if name not in coders:
            raise UnknownWordError(f"there is no {name!r} here; another version wrote it")
        coder = coders[name]
        return content if coder is None else coder(content)

    return decode_union


def _tuple_decoder(members: tuple[Any, ...]) -> Coder:
    if members[-1] is Ellipsis:
        coder = _decoder(members[0])
        if coder is None:
            return tuple
        return lambda items: tuple(coder(one) for one in items)
    coders = [_decoder(one) for one in members]
    return lambda items: tuple(
        one if coder is None else coder(one) for coder, one in zip(coders, items, strict=True)
    )


def _mapping_decoder(key: Any, value: Any) -> Coder | None:
    keys, values = _decoder(key), _decoder(value)
    if key is str:
        if values is None:
            return None
        return lambda document: {name: values(one) for name, one in document.items()}
    return lambda document: {
        (name if keys is None else keys(name)): (one if values is None else values(one))
        for name, one in document
    }


def _positional_decoder(kind: Any) -> Coder:
    hints = hints_of(kind)
    coders = [_field_decoder(name, hints[name]) for name in kind._fields]
    if all(coder is None for coder in coders):
        return lambda items: kind(*items)
    return lambda items: kind(
        *(
            one if coder is None else coder(one)
            for coder, one in zip(coders, items, strict=False)  # fields since then have defaults
        )
    )


def _object_decoder(kind: Any) -> Coder:
    hints = hints_of(kind)
    coders = {name: _field_decoder(name, hint) for name, hint in hints.items()}

    def decode_object(document: dict[str, Any]) -> Any:
        unknown = document.keys() - coders.keys()
        if unknown:
            raise UnknownWordError(
                f"{_name_of(kind)} has no field {min(unknown)!r}; another version wrote it"
            )
        return kind(
            **{
                name: one if (coder := coders[name]) is None else coder(one)
                for name, one in document.items()
            }
        )

    return decode_object
