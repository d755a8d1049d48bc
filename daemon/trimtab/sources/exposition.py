"""Prometheus and OpenMetrics text: the series of a few metrics, out of a text that has many.

One compiled expression takes a line apart; the labels are read only of metrics that are wanted, as
most of a text is histogram buckets that nobody asked for. Every other line is still checked to be a
line of the format, so that a page of HTML or a text cut short is never taken for "no load".

Formats: the text format 0.0.4 of the Prometheus documentation, and OpenMetrics 1.0. Where the reference
parser (``prometheus_client``) is laxer than they are, so are we not; the differences are in
``tests/unit/sources/test_exposition_against_the_reference.py``, one test each.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from trimtab.errors import ErrorKind, SourceError, excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

LINE_CHARACTERS_MAX = 64 * 1024
"""No honest series is longer."""

SHOWN_CHARACTERS = 80

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_QUOTED = r'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"'
_BRACED = rf'\{{([^"{{}}\n]*+(?:{_QUOTED}[^"{{}}\n]*+)*+)\}}[ \t]*+'
_NUMBER = (
    r"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?|[+-]?(?i:inf(?:inity)?)|(?i:nan)"
)
_START = rf"[ \t]*+({_NAME})[ \t]*+(?:{_BRACED}|(?<=[ \t]))({_NUMBER})"
_COMMENT = r"[ \t]*+#[^\n]*+\n|[ \t\r]*+\n"

_TEXT_LINE = re.compile(rf"{_START}(?:[ \t]++(-?[0-9]++))?[ \t\r]*+\n|{_COMMENT}")
"""A series, its value and perhaps a timestamp in milliseconds; a comment; an empty line."""

_OPENMETRICS_LINE = re.compile(
    rf"{_START}(?:[ \t]++(-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?))?"
    rf"(?:[ \t]++\#[ \t]++{_BRACED.replace('(', '(?:', 1)}[^\n]*+)?[ \t\r]*+\n|{_COMMENT}"
)
"""The same with a timestamp in seconds, and perhaps an exemplar, which is passed over."""

_PAIR = (
    r'[ \t]*+([a-zA-Z_][a-zA-Z0-9_]*+)[ \t]*+=[ \t]*+"([^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+)"[ \t]*+'
)
_PAIRS = re.compile(_PAIR)
_LABELS = re.compile(rf"(?:{_PAIR}(?:,{_PAIR})*+,?)?[ \t]*+")

_HEAD = re.compile(r"[ \t]*+,[ \t]*+([a-zA-Z_][a-zA-Z0-9_]*+)[ \t]*+=[ \t]*+")
_TAIL = re.compile(r"[ \t]*+,?[ \t]*+")

_ESCAPE = re.compile(r'\\([\\n"])')
_BEGINNING = re.compile(r"\s*[#a-zA-Z_:]")
_EOF = "# EOF\n"


class Series(NamedTuple):
    """One series of one metric; ``time`` is its own timestamp in UTC seconds, if it states one."""

    metric: str
    labels: Mapping[str, str]
    value: float
    time: float | None


def read_series(
    text: str, metrics: Collection[str], *, is_openmetrics: bool = False
) -> Iterator[Series]:
    """Yield the series of ``metrics``, in the order of the text.

    ``is_openmetrics`` is for answers of type ``application/openmetrics-text``. Values may be NaN or
    infinite. Raises ``SourceError`` (bad_response) for what is not a whole text in the format.
    """
    wanted = frozenset(metrics)
    line = _OPENMETRICS_LINE if is_openmetrics else _TEXT_LINE
    milliseconds = 1.0 if is_openmetrics else 1000.0
    end, whole = 0, len(text)
    heads: dict[str, str] = {}
    # Searching (finditer) would try anew at every character of what is no line.
    while end < whole and (found := line.match(text, end)) is not None:
        start, until = end, found.end()
        if until - start > LINE_CHARACTERS_MAX:
            break
        end = until
        name, labels, value, time = found.groups()
        if name not in wanted:
            continue
        at = None if time is None else float(time) / milliseconds
        if at is not None and not isfinite(at):  # more digits than any time has
            raise _no_line(text, start)
        yield Series(
            name,
            _labels(labels, text, start, heads) if labels else {},
            float(value),
            at,
        )
    if end != whole:
        raise _no_line(text, end)
    if is_openmetrics and not text.endswith(_EOF):
        raise _unreadable("OpenMetrics text cut short; it does not end in '# EOF'")


def _labels(written: str, text: str, start: int, heads: dict[str, str]) -> dict[str, str]:
    """Read what stands between the braces. ``heads`` remembers what precedes values: it recurs."""
    if "\\" in written:
        return _escaped_labels(written, text, start)
    parts = f",{written}".split('"')
    before, values = parts[:-1:2], parts[1::2]
    try:
        names = [heads[head] for head in before]
    except KeyError:
        for head in before:
            found = _HEAD.fullmatch(head)
            if found is None:
                raise _no_line(text, start) from None
            heads[head] = found[1]
        names = [heads[head] for head in before]
    labels = dict(zip(names, values, strict=True))
    if len(labels) != len(names) or _TAIL.fullmatch(parts[-1]) is None:
        raise _no_line(text, start)
    return labels


def _escaped_labels(written: str, text: str, start: int) -> dict[str, str]:
    if _LABELS.fullmatch(written) is None:
        raise _no_line(text, start)
    pairs = _PAIRS.findall(written)
    labels = {name: _ESCAPE.sub(_unescaped, value) for name, value in pairs}
    if len(labels) != len(pairs):
        raise _no_line(text, start)
    return labels


def _unescaped(escape: re.Match[str]) -> str:
    return "\n" if escape[1] == "n" else escape[1]


def _no_line(text: str, start: int) -> SourceError:
    """Say what stands at ``start``, which is the beginning of a line."""
    end = text.find("\n", start)
    if end < 0:  # every line ends in a newline, the last one too
        rest = text[start : start + LINE_CHARACTERS_MAX]
        begins_well = _BEGINNING.match(rest) is not None
        what = "text cut short; it ends in" if begins_well else "not Prometheus text; it is"
        return _unreadable(f"{what} {excerpt(rest, SHOWN_CHARACTERS)!r}")
    number = text.count("\n", 0, start) + 1
    if end - start > LINE_CHARACTERS_MAX:
        return _unreadable(
            f"no Prometheus text; line {number} has more than {LINE_CHARACTERS_MAX} characters"
        )
    shown = excerpt(text[start:end], SHOWN_CHARACTERS)
    return _unreadable(f"not Prometheus text; line {number} is {shown!r}")


def _unreadable(what: str) -> SourceError:
    return SourceError(f"the answer is {what}", kind=ErrorKind.BAD_RESPONSE)
