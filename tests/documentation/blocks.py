"""The fenced blocks of a page, and what is to be done with each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(
    r"(?:<!-- not run: (?P<why>[^\n]*?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
_FILE = re.compile(r"^(?:#|//) (?P<name>[\w./-]+\.[a-z]+)\n")


class Kind(StrEnum):
    """What a reader does with a block."""

    COMMANDS = "commands"
    FILE = "file"
    PYTHON = "python"
    OUTPUT = "output"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Block:
    """One block. ``why_not_run`` is the page's own reason, in a comment above it that readers do not see."""

    line: int
    language: str
    text: str
    why_not_run: str | None

    @property
    def file_name(self) -> str | None:
        """The file that it is, said by its first line."""
        found = _FILE.match(self.text)
        return None if found is None else found["name"]

    @property
    def kind(self) -> Kind:
        if self.language == "sh":
            return Kind.COMMANDS
        if self.file_name is not None:
            return Kind.FILE
        if self.language == "python":
            return Kind.PYTHON
        return Kind.OUTPUT if self.language == "text" else Kind.SHOWN


def blocks_of(page: Path) -> tuple[Block, ...]:
    """Every fenced block of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return tuple(
        Block(
            line=text.count("\n", 0, found.start()) + 1,
            language=found["language"],
            text=found["text"],
            why_not_run=found["why"],
        )
        for found in _FENCE.finditer(text)
    )


def as_pattern(expected: str) -> re.Pattern[str]:
    """Output as a page shows it: ``…`` stands for anything, spaces for as many as there are."""
    lines = [line for line in expected.splitlines() if line.strip()]
    parts = [
        r"[ \t]+".join(".*?".join(map(re.escape, word.split("…"))) for word in line.strip().split())
        for line in lines
    ]
    return re.compile(r"\s*" + r"\s*\n\s*".join(parts) + r"\s*", re.DOTALL)
