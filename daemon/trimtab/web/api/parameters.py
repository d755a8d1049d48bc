"""What may stand behind the question mark and in the path: how it is read, and how it is described."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from enum import StrEnum

TEXT_CHARACTERS_MAX = 512
"""Names are far below this."""

LIMIT_MAX = 500
BACK_SECONDS_MAX = 3_650 * 86_400.0

_BACK = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_UNIT_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_LOST_PLUS = re.compile(r" (?=\d\d:?\d\d$)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter. ``read`` makes its value of the text and of now, in UTC seconds, or raises ``ValueError``.

    The message of that is what the text is not; ``schema`` describes the text. ``field`` is the argument it becomes.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    read: Callable[[str, float], Any]
    field: str = ""
    place: Literal["query", "path"] = "query"
    is_required: bool = False
    example: str | None = None


def text(name: str, description: str, **more: Any) -> Parameter:
    """A text that is taken as it is."""

    def read(given: str, _: float) -> str:
        if len(given) > TEXT_CHARACTERS_MAX or not given.isprintable():
            raise ValueError(f"no printable text of at most {TEXT_CHARACTERS_MAX} characters")
        return given

    schema = {"type": "string", "maxLength": TEXT_CHARACTERS_MAX}
    return Parameter(name=name, description=description, schema=schema, read=read, **more)


def word(name: str, description: str, words: Iterable[str], **more: Any) -> Parameter:
    """One of some words."""
    known = tuple(words)

    def read(given: str, _: float) -> str:
        if given not in known:
            raise ValueError(_none_of(given, known))
        return given

    schema = {"type": "string", "enum": list(known)}
    return Parameter(name=name, description=description, schema=schema, read=read, **more)


def member(name: str, description: str, kind: type[StrEnum], **more: Any) -> Parameter:
    """One of the members of an enumeration."""
    words = [one.value for one in kind]

    def read(given: str, _: float) -> StrEnum:
        try:
            return kind(given)
        except ValueError:
            raise ValueError(_none_of(given, words)) from None

    schema = {"type": "string", "enum": words}
    return Parameter(name=name, description=description, schema=schema, read=read, **more)


def _none_of(given: str, words: Sequence[str]) -> str:
    near = get_close_matches(given, words, n=1)
    return f"none of {', '.join(words)}" + (f"; did you mean `{near[0]}`?" if near else "")


def whole(name: str, description: str, least: int, most: int, **more: Any) -> Parameter:
    """A whole number within both ends."""

    def read(given: str, _: float) -> int:
        if given.isascii() and given.isdigit() and len(given) < 10 and least <= int(given) <= most:
            return int(given)
        raise ValueError(f"no whole number from {least} to {most}")

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Parameter(name=name, description=description, schema=schema, read=read, **more)


def yes_or_no(name: str, description: str, **more: Any) -> Parameter:
    """``true`` or ``false``."""

    def read(given: str, _: float) -> bool:
        if given not in ("true", "false"):
            raise ValueError("neither true nor false")
        return given == "true"

    schema = {"type": "boolean"}
    return Parameter(name=name, description=description, schema=schema, read=read, **more)


def moment(name: str, description: str, **more: Any) -> Parameter:
    """A moment: RFC 3339 with its zone, or so long ago, as in ``3h``."""

    def read(given: str, now: float) -> float:
        back = _seconds(given)
        if back is not None:
            return now - back
        try:
            found = datetime.fromisoformat(_LOST_PLUS.sub("+", given))
            if found.tzinfo is not None:
                return found.astimezone(UTC).timestamp()
        except (ValueError, OverflowError):
            pass
        raise ValueError(
            "no time with its zone, as in 2026-03-02T18:00:00Z, nor so long ago, as in 3h"
        )

    schema = {"type": "string", "maxLength": 64, "examples": ["2026-03-02T18:00:00Z", "3h"]}
    return Parameter(name=name, description=description, schema=schema, read=read, **more)


def duration(name: str, description: str, **more: Any) -> Parameter:
    """A span of time, as in ``24h``."""

    def read(given: str, _: float) -> float:
        seconds = _seconds(given)
        if seconds is None:
            raise ValueError("no span of time, as in 90m or 24h")
        return seconds

    schema = {"type": "string", "pattern": r"^[0-9]{1,9}[smhd]$"}
    return Parameter(name=name, description=description, schema=schema, read=read, **more)


def _seconds(given: str) -> float | None:
    found = _BACK.fullmatch(given)
    if found is None:
        return None
    seconds = int(found[1]) * _UNIT_SECONDS[found[2]]
    return seconds if seconds <= BACK_SECONDS_MAX else None
