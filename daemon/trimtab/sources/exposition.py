"""Prometheus text exposition: the series of a few metrics, out of a text that has many.

Reading is left to the reference parser, but only for the lines that are wanted: most of an
account's text is histogram buckets that nobody asked for. All other lines are only checked to be
lines of this format, so that a page of HTML or a text cut short is never taken for "no load".
"""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from trimtab.errors import ErrorKind, SourceError, excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_LINE = re.compile(
    r"\s*(?:#.*|([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{.*\}\s*|\s)[!-|~]+(?:\s+-?[0-9]{1,18})?\s*)?\Z"
)
"""A comment, an empty line, or a name, labels, a value and perhaps a timestamp in milliseconds.

A value has no brace and nothing but ASCII, so that there is one way only to read a line.
"""

LINE_CHARACTERS_MAX = 16_384
"""No honest line is a tenth as long; the reference parser takes the square of a line's length."""

_BEGINNING = re.compile(r"\s*[#a-zA-Z_:]")

SHOWN_CHARACTERS = 80


class Series(NamedTuple):
    """One series of one metric; ``time`` is its own timestamp in UTC seconds, if it states one."""

    metric: str
    labels: Mapping[str, str]
    value: float
    time: float | None


def read_series(text: str, metrics: Collection[str]) -> Iterator[Series]:
    """Yield the series of ``metrics``, in the order of the text.

    Values may be NaN or infinite. Raises ``SourceError`` (bad_response) for what is not a whole
    text in this format.
    """
    wanted = "".join(f"{line}\n" for line in _wanted_lines(text, frozenset(metrics)))
    try:
        for family in text_string_to_metric_families(wanted):
            for sample in family.samples:
                time = None if sample.timestamp is None else _finite(float(sample.timestamp))
                yield Series(sample.name, sample.labels, float(sample.value), time)
    except (ValueError, OverflowError, IndexError) as error:
        # The latter two it lets slip: whole numbers that no float holds, labels of spaces only.
        raise _unreadable(f"not Prometheus text: {excerpt(str(error), 120)}") from error


def _finite(timestamp: float) -> float:
    if not isfinite(timestamp):
        raise ValueError(f"a timestamp is {timestamp}")
    return timestamp


def _wanted_lines(text: str, metrics: frozenset[str]) -> Iterator[str]:
    *lines, rest = text.split("\n")
    for number, line in enumerate(lines, start=1):
        match = _LINE.match(line) if len(line) <= LINE_CHARACTERS_MAX else None
        if match is None:
            shown = excerpt(line, SHOWN_CHARACTERS)
            raise _unreadable(f"not Prometheus text; line {number} is {shown!r}")
        if match[1] in metrics:
            yield line
    if rest:  # every line ends in a newline, the last one too
        shown = excerpt(rest, SHOWN_CHARACTERS)
        begins_well = _BEGINNING.match(rest) is not None
        what = "text cut short; it ends in" if begins_well else "not Prometheus text; it is"
        raise _unreadable(f"{what} {shown!r}")


def _unreadable(what: str) -> SourceError:
    return SourceError(f"the answer is {what}", kind=ErrorKind.BAD_RESPONSE)
