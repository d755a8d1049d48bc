"""The few styles of the live view, and lines with words in them.

Only the terminal's own basic colours are used, which people have chosen to be legible on their
background, light or dark.
"""

from __future__ import annotations

from rich.text import Text

GOOD, COMING, GOING, BAD = "green", "cyan", "magenta", "bold red"
QUIET, STRONG = "dim", "bold"


def grade(attainment: float | None) -> str:
    """Return the style of an attainment: good from 99 %, bad below 95 %."""
    if attainment is None:
        return QUIET
    if attainment >= 0.99:
        return GOOD
    return BAD if attainment < 0.95 else STRONG


def rule(left: str, right: str, width: int) -> Text:
    """Draw a horizontal line with words in it."""
    head = f"─ {left} " if left else ""
    tail = f" {right} ─" if right else ""
    line = Text(head, style=STRONG if right else QUIET)
    line.append("─" * max(0, width - len(head) - len(tail)), QUIET)
    line.append(tail, QUIET)
    return line


def apart(left: Text, right: Text, width: int) -> Text:
    """Put two texts at the two ends of a line; the left one gives way."""
    room = width - right.cell_len - 1
    left.truncate(max(0, room), overflow="ellipsis")
    return Text.assemble(left, " " * max(1, width - left.cell_len - right.cell_len), right)
