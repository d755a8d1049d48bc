"""Labelled lines: a word, then a text that goes on beneath itself where a terminal is narrow."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

from trimtab.policy.diagnostics import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT_WIDTH_MIN = 24
"""A text is not squeezed below it; then the terminal breaks the line."""


def terminal_width() -> int | None:
    """Return how many columns are written to; ``None``: it is no terminal, and lines stay whole."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def hanging(label: str, text: str, width: int | None) -> Iterator[str]:
    """Yield ``text`` behind ``label``, broken at ``width`` columns with the label's width left free."""
    whole = printable(text)
    room = None if width is None else max(TEXT_WIDTH_MIN, width - len(label))
    parts = [whole] if room is None else textwrap.wrap(whole, room, break_on_hyphens=False) or [""]
    for index, part in enumerate(parts):
        yield f"{label if index == 0 else ' ' * len(label)}{part}".rstrip()
