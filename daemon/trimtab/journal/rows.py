"""Values of the core as JSON arrays by position: what the C encoder writes almost by itself.

For what is written thousands of times a second (``codec.py`` is for the rest): every named tuple and
every dataclass is an array of its fields in their order. Of several classes the one meant is named
first. Reading goes by the declarations, so that equal values come back, floats bit for bit.

What must not change without another form in ``packing.py``: the order of the fields. A field may be added
behind the others if it has a default.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, TypeAlias, get_args, get_origin

from trimtab.core.decision import Verdict
from trimtab.core.encoded import Encoded
from trimtab.core.maximum import recorded_maximum
from trimtab.journal.codec import UnknownWordError, hints_of, reads_maximum, refusing_unknown_words

Reader: TypeAlias = Callable[[Any], Any]
"""From JSON to a value; ``None`` in place of it means that the JSON value is the value."""

_NAMED = frozenset(get_args(Verdict))
"""Classes that stand where another one might: their name is written with them."""

_FIELDS: dict[type, Callable[[Any], Any]] = {}


def as_row(value: Any) -> str:
    """Return ``value`` as one line of JSON, ASCII only."""
    return _ENCODER.encode(value)


def from_row(kind: Any, text: str) -> Any:
    """Restore a value of the declared type ``kind``.

    Raises ``ValueError`` when the text is none, and ``UnknownWordError`` when another version wrote it.
    """
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError("a value is nested too deeply to be ours") from None
    return read_row(kind, document)


def read_row(kind: Any, document: Any) -> Any:
    """Restore a value from what ``json`` read. Raises as ``from_row`` does."""
    reader = _reader(kind)
    try:
        return document if reader is None else reader(document)
    except (TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        name = getattr(kind, "__name__", str(kind))
        raise ValueError(f"this is no {name}: {error!r}") from error


def field_names(kind: Any) -> tuple[str, ...]:
    """The fields of a named tuple or a dataclass, in the order in which they are written."""
    return getattr(kind, "_fields", None) or tuple(one.name for one in fields(kind))


def _plain(value: Any) -> Any:
    """What the encoder asks for when it meets something that is no JSON value."""
    kind = type(value)
    taken = _FIELDS.get(kind)
    if taken is None:
        taken = _FIELDS[kind] = _fields_of(kind)
    return taken(value)


def _fields_of(kind: type) -> Callable[[Any], Any]:
    if issubclass(kind, Encoded):
        return kind.as_json
    if issubclass(kind, Mapping):
        return dict
    if not is_dataclass(kind):
        raise TypeError(f"the journal cannot write a {kind.__name__}")
    names = field_names(kind)
    if kind in _NAMED:
        return lambda value: [kind.__name__, *(getattr(value, name) for name in names)]
    if len(names) == 1:
        return lambda value: [getattr(value, names[0])]
    return attrgetter(*names)


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_plain, check_circular=False)


@cache
def _reader(kind: Any) -> Reader | None:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _union_reader(arguments)
    if origin is tuple:
        return _tuple_reader(arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if arguments[0] is not str:
            raise TypeError(f"{kind} cannot be written: JSON has no keys but texts")
        return _mapping_reader(_reader(arguments[1]))
    if isinstance(kind, type) and (hasattr(kind, "_fields") or is_dataclass(kind)):
        return _fields_reader(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return refusing_unknown_words(kind)
    return None


def _union_reader(arguments: tuple[Any, ...]) -> Reader | None:
    members = [one for one in arguments if one is not type(None)]
    if len(members) == 1:
        reader = _reader(members[0])
        return None if reader is None else lambda one: None if one is None else reader(one)
    if not set(members) <= _NAMED:
        if any(_reader(one) is not None for one in members):
            raise TypeError(f"{members} cannot be told from each other: add them to _NAMED")
        return None
    readers = {one.__name__: _fields_reader(one) for one in members}

    def read_union(document: Any) -> Any:
        name, *content = document
        if name not in readers:
            raise UnknownWordError(f"there is no {name!r} here; another version wrote it")
        return readers[name](content)

    return read_union


def _tuple_reader(members: tuple[Any, ...]) -> Reader:
    readers = [_reader(one) for one in members if one is not Ellipsis]
    if members[-1] is Ellipsis:
        (reader,) = readers
        return tuple if reader is None else lambda items: tuple(map(reader, items))
    return lambda items: tuple(_each(readers, items, strict=True))


def _mapping_reader(reader: Reader | None) -> Reader | None:
    if reader is None:
        return None
    return lambda document: {name: reader(one) for name, one in document.items()}


def _fields_reader(kind: Any) -> Reader:
    names = field_names(kind)
    hints = hints_of(kind)
    readers = [
        recorded_maximum if reads_maximum(name, hints[name]) else _reader(hints[name])
        for name in names
    ]
    is_tuple = hasattr(kind, "_fields")

    def read_fields(items: Any) -> Any:
        if len(items) > len(names):
            raise UnknownWordError(
                f"{kind.__name__} has no field number {len(items)}; another version wrote it"
            )
        values = _each(readers, items, strict=False)  # fields since then have defaults
        return kind(*values) if is_tuple else kind(**dict(zip(names, values, strict=False)))

    return read_fields


def _each(readers: list[Reader | None], items: Any, *, strict: bool) -> list[Any]:
    return [
        one if reader is None else reader(one) for reader, one in zip(readers, items, strict=strict)
    ]
