"""The series notation of promtool's unit tests: ``0+10x5 _x3 stale 120x20``.

The grammar is that of Prometheus' series descriptions
(https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series): items
separated by white space, one value for each step of the interval.

=============  =====================================================================
``a``          one value; a decimal number, ``NaN`` or ``Inf``, with a sign or without
``axn``        ``a`` and then n more of it: n + 1 values
``a+bxn``      ``a`` and then n more, each ``b`` above the one before; ``a-bxn`` below
``_``          no sample at this step; ``_xn`` at n steps (n, not n + 1)
``stale``      the series ends here: the last value is gone, not merely old
=============  =====================================================================
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TypeAlias

VALUES_MAX = 100_000
"""More steps than this in one series is a slip of the keyboard: 70 days of minutes."""


class Mark(Enum):
    """A step without a value."""

    MISSING = "_"
    STALE = "stale"


Value: TypeAlias = float | Mark

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_ITEM = re.compile(
    rf"(?P<blank>_)(?:x(?P<blanks>[0-9]+))?"
    rf"|(?P<stale>stale)"
    rf"|(?P<start>[-+]?{_NUMBER})(?:(?P<step>[-+]{_NUMBER})?x(?P<times>[0-9]+))?"
    rf"|(?P<special>[-+]?(?i:inf|nan))",
    re.ASCII,
)


class SeriesError(ValueError):
    """A text is not in the notation; the message names the item and what would do."""


def expand(text: str) -> tuple[Value, ...]:
    """Every value of a series, one for each step. Raises ``SeriesError``."""
    values: list[Value] = []
    for item in text.split():
        match = _ITEM.fullmatch(item)
        if match is None:
            raise SeriesError(f"`{item}` is none of `1.5`, `1x4`, `0+10x5`, `_`, `_x3` and `stale`")
        count = _count_of(match)
        if len(values) + count > VALUES_MAX:
            raise SeriesError(f"`{item}` makes the series longer than {VALUES_MAX:,} values")
        values += _values_of(match, count)
    if not values:
        raise SeriesError("the series has no values")
    return tuple(values)


def _count_of(match: re.Match[str]) -> int:
    if match["blank"]:
        return _times(match["blanks"], 1)
    return _times(match["times"], 0) + 1


def _times(digits: str | None, default: int) -> int:
    """A repetition as a number; an absurdly long one is merely too large."""
    if digits is None:
        return default
    return int(digits) if len(digits) <= len(str(VALUES_MAX)) else VALUES_MAX + 1


def _values_of(match: re.Match[str], count: int) -> list[Value]:
    if match["blank"]:
        return [Mark.MISSING] * count
    if match["stale"]:
        return [Mark.STALE]
    if match["special"]:
        return [float(match["special"])]
    start, step = float(match["start"]), float(match["step"] or 0)
    return [start + step * index for index in range(count)]
