"""Forms of values that several settings have: durations in a range, sizes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import BeforeValidator, ConfigDict

from trimtab.policy.durations import duration_hint, format_duration, parse_duration

FROZEN = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
"""What every section is: nothing unknown, nothing changed, no value in an error's text."""

_SIZE = re.compile(r"(\d{1,6}) ?(MiB|GiB|TiB)")
_BYTES = {"MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}


@dataclass(frozen=True, slots=True)
class Between:
    """Reads a duration such as ``90s`` as seconds, from ``low`` to ``high``; the reference tells the range."""

    low: float
    high: float

    def __call__(self, value: object) -> float:
        """Return the seconds; raise ``ValueError`` for what is no duration, or not in the range."""
        found = parse_duration(value) if isinstance(value, str) else None
        if found is None:
            raise ValueError(f"is not a duration; {duration_hint(value)}")
        if not self.low <= found <= self.high:
            raise ValueError(
                f"is outside what works; use {format_duration(self.low)} to "
                f"{format_duration(self.high)}"
            )
        return found


def between(low: float, high: float) -> BeforeValidator:
    """Read a duration such as ``90s`` as seconds, from ``low`` to ``high``."""
    return BeforeValidator(Between(low, high))


def size_bytes(value: object) -> int:
    """Read a size such as ``512MiB`` as bytes, from 16 MiB to 16 TiB."""
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("is not a size; write it as in 512MiB or 2GiB")
    size = int(found[1]) * _BYTES[found[2]]
    if not 16 * 1024**2 <= size <= 16 * 1024**4:
        raise ValueError("is outside what works; use 16MiB to 16TiB")
    return size
