"""What is wrong with a policy file, as a value: where, which code, one sentence, and the remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from trimtab.policy.codes import Code, Severity

# The line breaks that the YAML reader counts; str.splitlines() would count a few more.
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

SENTENCE_CHARACTERS_MAX = 600
"""A message or a hint that quotes more than fits is cut."""

EXCERPT_CHARACTERS_MAX = 2000
"""A longer line is not shown: a file of one line could have a finding in every word of it."""


class Span(NamedTuple):
    """A place in a file: line and column count from 1, in characters; ``length`` is on that line."""

    line: int
    column: int
    length: int = 1


START = Span(1, 1)
"""Where a diagnostic about a whole file points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding about one place. ``hint`` says what to do.

    ``excerpt`` is the line it is about, empty where that is longer than 2,000 characters.
    """

    file: str
    line: int
    column: int
    length: int
    code: Code
    message: str
    hint: str = ""
    excerpt: str = ""

    @property
    def severity(self) -> Severity:
        """Whether the file can be used all the same."""
        return self.code.severity

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.severity} {self.code}: {self.message}{hint}"


@dataclass(frozen=True)
class FileText:
    """A file's name, as people know it, and its text."""

    name: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """The text line by line; split only when a diagnostic needs it."""
        return LINE_BREAK.split(self.text)

    def place(self, offset: int) -> Span:
        """The position of the character at ``offset``."""
        breaks = list(LINE_BREAK.finditer(self.text, 0, offset))
        return Span(len(breaks) + 1, offset - (breaks[-1].end() if breaks else 0) + 1)

    def line(self, number: int) -> str:
        """Line ``number`` (from 1), or nothing beyond the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


@dataclass
class Findings:
    """Collects the diagnostics of one file, in the order in which they are found."""

    file: FileText
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def add(self, code: Code, at: Span, message: str, hint: str = "") -> None:
        """Note one finding at ``at``. What it quotes from the file can do a terminal no harm."""
        line = self.file.line(at.line)
        self.diagnostics.append(
            Diagnostic(
                file=self.file.name,
                line=at.line,
                column=at.column,
                length=at.length,
                code=code,
                message=_sentence(message),
                hint=_sentence(hint),
                excerpt=line if len(line) <= EXCERPT_CHARACTERS_MAX else "",
            )
        )


def _sentence(text: str) -> str:
    if len(text) > SENTENCE_CHARACTERS_MAX:
        text = text[: SENTENCE_CHARACTERS_MAX - 1] + "…"
    return printable(text)


def printable(text: str) -> str:
    """``text`` with a replacement for every character that could move a terminal's cursor."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def in_order(diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The diagnostics of one file from top to bottom."""
    return tuple(sorted(diagnostics, key=lambda one: (one.line, one.column, one.code.id)))
