"""Durations as people write them: a number with its unit, from large to small (``1h30m``)."""

from __future__ import annotations

import re
from math import isfinite

UNIT_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

_NUMBER = r"(\d{1,9}(?:\.\d{1,9})?)"
PATTERN = "^(?=.)" + "".join(rf"(?:{_NUMBER}{unit})?" for unit in UNIT_SECONDS) + "$"
"""Matches exactly the durations; one group for each unit, in the order of ``UNIT_SECONDS``."""

_DURATION = re.compile(PATTERN, re.ASCII)
_LOOSE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*$", re.ASCII)
_WORDS = {
    "d": ("day", "days"),
    "h": ("hr", "hrs", "hour", "hours"),
    "m": ("min", "mins", "minute", "minutes"),
    "s": ("sec", "secs", "second", "seconds"),
    "ms": ("msec", "millis", "millisecond", "milliseconds"),
}
_UNIT_OF_WORD = {word: unit for unit, words in _WORDS.items() for word in (unit, *words)}


def parse_duration(text: str) -> float | None:
    """Seconds for ``text``; ``None`` if it is not a duration."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    parts = zip(match.groups(), UNIT_SECONDS.values(), strict=True)
    return sum(float(number) * seconds for number, seconds in parts if number is not None)


def format_duration(seconds: float) -> str:
    """The shortest exact way to write ``seconds`` (0 or more, whole milliseconds) as a duration."""
    rest = round(seconds * 1000)
    parts = []
    for unit, unit_seconds in UNIT_SECONDS.items():
        count, rest = divmod(rest, round(unit_seconds * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def duration_hint(value: object) -> str:
    """What to write instead of ``value``, which is not a duration."""
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return f"say which unit: `{value}s`, `{value}m` or `{value}h`" if value else "write `0s`"
    if isinstance(value, str) and (match := _LOOSE.fullmatch(value)):
        number, word = match.groups()
        unit = _UNIT_OF_WORD.get(word.lower())
        if unit is not None:
            return f"write `{number}{unit}`"
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value, re.ASCII):
        return f"say which unit: `{value}s`, `{value}m` or `{value}h`"
    return "write numbers with units, from large to small: `90s`, `5m`, `1h30m`"
