"""Where a character of a YAML scalar's value stands in the file, whatever style it is written in.

In every style the characters of the value that are not white space stand in the text in the same
order: plain and quoted scalars fold lines, block scalars are indented, quotes have escapes. So white
space is left out on both sides, and the rest is matched one by one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trimtab.policy.diagnostics import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.policy.diagnostics import FileText

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_SIMPLE_ESCAPES = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "v": "\v",
    "f": "\f",
    "e": "\x1b",
    '"': '"',
    "/": "/",
    "\\": "\\",
}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}

_Place = tuple[int, int, str]  # line, column (both from 1), and the character of the value


def span_within(file: FileText, at: Span, value: str, offset: int, length: int) -> Span:
    """The place of ``value[offset:offset + length]``, of the scalar that begins at ``at``.

    Beyond the end it is the place after the last character. If the text does not say what the value
    does (it changed meanwhile), it is the place of the scalar.
    """
    places = _characters(file, at)
    found: list[tuple[int, int]] = []
    for letter in value:
        if letter.isspace():
            found.append(found[-1] if found else (at.line, at.column))
            continue
        place = next(places, None)
        if place is None or place[2] != letter:
            return at
        found.append(place[:2])
    if offset < len(found):
        line, column = found[offset]
        last = found[min(offset + max(length, 1), len(found)) - 1]
        return Span(line, column, last[1] - column + 1 if last[0] == line else 1)
    line, column = found[-1] if found else (at.line, at.column)
    return Span(line, column + 1)


def _characters(file: FileText, at: Span) -> Iterator[_Place]:
    """The scalar's characters that are not white space, escapes resolved, and what follows it."""
    first = file.line(at.line)
    begin = _PROPERTIES.match(first, at.column - 1)
    column = begin.end() if begin is not None else at.column - 1
    opening = first[column : column + 1]
    if opening in ("|", ">"):
        yield from _plain(file, at.line + 1, 0)
    elif opening == '"':
        yield from _double_quoted(file, at.line, column + 1)
    elif opening == "'":
        yield from _single_quoted(file, at.line, column + 1)
    else:
        yield from _plain(file, at.line, column)


def _plain(file: FileText, line: int, column: int) -> Iterator[_Place]:
    for number in range(line, len(file.lines) + 1):
        text = file.line(number)
        for index in range(column if number == line else 0, len(text)):
            if not text[index].isspace():
                yield number, index + 1, text[index]


def _single_quoted(file: FileText, line: int, column: int) -> Iterator[_Place]:
    was_quote = False
    for number, index, letter in _plain(file, line, column):
        if letter == "'" and not was_quote:
            was_quote = True  # the first of two; a single one ends the scalar
            continue
        was_quote = False
        yield number, index, letter


def _double_quoted(file: FileText, line: int, column: int) -> Iterator[_Place]:
    for number in range(line, len(file.lines) + 1):
        text, index = file.line(number), column if number == line else 0
        while index < len(text):
            letter, width = text[index], 1
            if letter == "\\":
                letter, width = _escape(text, index)
            if letter and not letter.isspace():
                yield number, index + 1, letter
            index += width


def _escape(text: str, index: int) -> tuple[str, int]:
    """The character that the escape at ``index`` stands for ("" for white space), and its width."""
    name = text[index + 1 : index + 2]
    if name in _HEX_DIGITS:
        digits = text[index + 2 : index + 2 + _HEX_DIGITS[name]]
        return chr(int(digits, 16)), 2 + len(digits)
    return _SIMPLE_ESCAPES.get(name, ""), 2
