"""Durations as people write them: a number with its unit, from large to small (``1h30m``)."""

from __future__ import annotations

import re
from difflib import get_close_matches

UNIT_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_SECONDS = tuple(UNIT_SECONDS.values())

_NUMBER = r"(\d{1,9}(?:\.\d{1,9})?)"
PATTERN = "^(?=.)" + "".join(rf"(?:{_NUMBER}{unit})?" for unit in UNIT_SECONDS) + "$"
"""Matches exactly the durations; one group for each unit, in the order of ``UNIT_SECONDS``."""

_DURATION = re.compile(PATTERN, re.ASCII)
MEANT_CHARACTERS_MAX = 64
"""What is longer is no misspelt duration, and guessing takes the square of its length."""

NUMBER_MAX = 1e12
"""A number that lacks its unit is shown up to this; nothing lasts longer, in milliseconds too."""

_LOOSE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]+)", re.ASCII)
_ISO = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII)
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
    total = 0.0
    for number, seconds in zip(match.groups(), _SECONDS, strict=True):
        if number is not None:
            total += float(number) * seconds
    return total


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
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < NUMBER_MAX:
        return f"say which unit: `{value}s`, `{value}m` or `{value}h`" if value else "write `0s`"
    if not isinstance(value, str):
        return "write numbers with units, from large to small: `90s`, `5m`, `1h30m`"
    value = value.strip()
    meant = _meant(value) if len(value) <= MEANT_CHARACTERS_MAX else None
    if meant is not None:
        return f"write `{meant}`"
    is_short = len(value) <= MEANT_CHARACTERS_MAX
    if is_short and re.fullmatch(r"\d+(\.\d+)?", value, re.ASCII):
        return f"say which unit: `{value}s`, `{value}m` or `{value}h`"
    return "write numbers with units, from large to small: `90s`, `5m`, `1h30m`"


def _meant(text: str) -> str | None:
    """What ``text`` probably means, written as a duration: other words for units, ISO 8601, order."""
    counts: dict[str, str] = {}
    iso = _ISO.fullmatch(text)
    if iso is not None and iso.lastindex is not None:
        found = zip("dhms", iso.groups(), strict=True)
        counts = {unit: number for unit, number in found if number is not None}
    elif not _LOOSE.sub("", text).strip(" ,"):
        for number, word in _LOOSE.findall(text):
            is_weeks = word.lower() in ("w", "week", "weeks")
            near = get_close_matches(word.lower(), _UNIT_OF_WORD, n=1, cutoff=0.75)
            unit = "d" if is_weeks else _UNIT_OF_WORD[near[0]] if near else ""
            if not unit or unit in counts:
                return None
            counts[unit] = f"{float(number) * 7:g}" if is_weeks else number
    meant = "".join(f"{counts[unit]}{unit}" for unit in UNIT_SECONDS if unit in counts)
    return None if parse_duration(meant) is None else meant
