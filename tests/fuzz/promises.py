"""What every answer of a parser has to keep, whatever it was fed."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from trimtab.errors import TrimtabError

MESSAGE_CHARACTERS_MAX = 2000
"""Several excerpts of 256 characters with words between them; a log line, not a page."""

Holds = Callable[[object], bool]


class BrokenPromiseError(AssertionError):
    """The code under test answered, and the answer is not what it promises."""


def promise(is_kept: bool, what: str, *values: object) -> None:
    """Raise unless a promise is kept; ``values`` are shown."""
    if not is_kept:
        raise BrokenPromiseError(f"{what}: {', '.join(repr(value)[:300] for value in values)}")


def a_sound_error(error: TrimtabError) -> None:
    """One line of bounded length that any log and terminal can take."""
    text = str(error)
    promise(0 < len(text) <= MESSAGE_CHARACTERS_MAX, "a message has a sane length", text, len(text))
    promise(text.isprintable(), "a message is printable, on one line", text)


def sound_value(value: object) -> None:
    """Every field of the frozen value is of the type that it is declared with.

    Floats are finite, texts can be written as UTF-8, whole numbers are no booleans.
    """
    declared: Any = type(value)
    holds = _holds(declared)
    if not holds(value):
        wrong = [
            (field.name, getattr(value, field.name))
            for field in dataclasses.fields(value)  # type: ignore[arg-type]  # is_dataclass was asked
            if not _holds(_hints(type(value))[field.name])(getattr(value, field.name))
        ]
        promise(False, f"{type(value).__name__} is of its types", wrong or value)


def _text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


_PLAIN: dict[Any, Holds] = {
    str: _text,
    bool: lambda value: isinstance(value, bool),
    int: lambda value: isinstance(value, int) and not isinstance(value, bool),
    float: lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    ),
    type(None): lambda value: value is None,
    object: lambda _: True,
}


def _hints(declared: type) -> dict[str, Any]:
    return get_type_hints(declared, localns={"Mapping": Mapping})  # imported for types only


@cache
def _holds(declared: Any) -> Holds:
    if declared in _PLAIN:
        return _PLAIN[declared]
    if isinstance(declared, type) and issubclass(declared, Enum):
        return lambda value: isinstance(value, declared)
    if isinstance(declared, type) and dataclasses.is_dataclass(declared):
        return _holds_fields(declared)
    origin, arguments = get_origin(declared), get_args(declared)
    if origin in (Union, types.UnionType):
        choices = [_holds(one) for one in arguments]
        return lambda value: any(choice(value) for choice in choices)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        item = _holds(arguments[0])
        return lambda value: isinstance(value, tuple) and all(map(item, value))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, item = (_holds(one) for one in arguments)
        return lambda value: (
            isinstance(value, Mapping) and all(key(k) and item(v) for k, v in value.items())
        )
    raise TypeError(f"no promise is known for {declared}")


def _holds_fields(declared: type) -> Holds:
    hints = _hints(declared)
    fields = [(one.name, _holds(hints[one.name])) for one in dataclasses.fields(declared)]

    def holds(value: object) -> bool:
        return isinstance(value, declared) and all(
            check(getattr(value, name)) for name, check in fields
        )

    return holds
