"""Diagnostics as people and programs read them. Pure functions from diagnostics to text."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from trimtab.policy.codes import Severity
from trimtab.policy.diagnostics import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.policy.diagnostics import Diagnostic

EXCERPT_COLUMNS_MAX = 100


def as_text(diagnostics: Sequence[Diagnostic]) -> str:
    """For a terminal: each with its line of the file, a caret and the hint; a count at the end."""
    blocks = [_block(one) for one in diagnostics]
    return "\n".join([*blocks, summary(diagnostics)]) + "\n"


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """``2 errors, 1 warning in 1 file``."""
    counts = Counter(one.severity for one in diagnostics)
    parts = [_plural(counts[severity], severity) for severity in Severity if counts[severity]]
    if not parts:
        return "no findings"
    files = len({one.file for one in diagnostics})
    return f"{', '.join(parts)} in {_plural(files, 'file')}"


def as_json(diagnostics: Sequence[Diagnostic]) -> str:
    """For programs: one object with all diagnostics and their counts."""
    counts = Counter(one.severity for one in diagnostics)
    document = {
        "errors": counts[Severity.ERROR],
        "warnings": counts[Severity.WARNING],
        "diagnostics": [
            {
                "file": one.file,
                "line": one.line,
                "column": one.column,
                "length": one.length,
                "severity": one.severity,
                "code": one.code.id,
                "title": one.code.title,
                "message": one.message,
                "hint": one.hint or None,
            }
            for one in diagnostics
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_github(diagnostics: Sequence[Diagnostic]) -> str:
    """For GitHub Actions: workflow commands that annotate the lines of a change."""
    return "".join(f"{_annotation(one)}\n" for one in diagnostics)


def _block(diagnostic: Diagnostic) -> str:
    place = f"{printable(diagnostic.file)}:{diagnostic.line}:{diagnostic.column}"
    lines = [f"{place}: {diagnostic.severity} {diagnostic.code}: {diagnostic.message}"]
    if diagnostic.excerpt:
        shown, caret_column = _window(diagnostic.excerpt, diagnostic.column)
        before = "".join(" " * _width(letter) for letter in shown[:caret_column])
        marked = shown[caret_column : caret_column + diagnostic.length]
        carets = "^" * max(1, sum(_width(letter) for letter in marked))
        gutter = " " * len(str(diagnostic.line))
        lines += [f"  {diagnostic.line} | {shown}", f"  {gutter} | {before}{carets}"]
    if diagnostic.hint:
        lines.append(f"  hint: {diagnostic.hint}")
    return "\n".join([*lines, ""])


def _window(line: str, column: int) -> tuple[str, int]:
    """A line made safe for a terminal and cut around ``column``, and where the column is in it."""
    safe = "".join(_safe(letter) for letter in line)
    start = 0 if column <= EXCERPT_COLUMNS_MAX - 20 else column - EXCERPT_COLUMNS_MAX // 2
    shown = safe[start : start + EXCERPT_COLUMNS_MAX].rstrip()
    prefix = "…" if start else ""
    suffix = "…" if len(safe.rstrip()) > start + EXCERPT_COLUMNS_MAX else ""
    return f"{prefix}{shown}{suffix}", column - 1 - start + len(prefix)


def _safe(letter: str) -> str:
    if letter == "\t":
        return "→"  # one column wide, so that the caret stays below its place
    return printable(letter)


def _width(letter: str) -> int:
    return 2 if east_asian_width(letter) in "WF" else 1


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _annotation(diagnostic: Diagnostic) -> str:
    end = diagnostic.column + diagnostic.length
    properties = {
        "file": diagnostic.file,
        "line": diagnostic.line,
        "col": diagnostic.column,
        "endColumn": end,
        "title": f"{diagnostic.code} {diagnostic.code.title}",
    }
    listed = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in properties.items())
    hint = f"\n{diagnostic.hint}" if diagnostic.hint else ""
    return f"::{diagnostic.severity} {listed}::{_escaped(diagnostic.message + hint)}"


def _escaped(text: str, more: str = "") -> str:
    """GitHub's escapes: per cent, line breaks, and in properties the separators."""
    return "".join(f"%{ord(one):02X}" if one in f"%\r\n{more}" else one for one in text)
