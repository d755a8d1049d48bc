# ruff: noqa: INP001  a folder of scripts, no package
"""Makes docs/reference/reasons.md: why it was scaled or held, and what to do about it."""

from __future__ import annotations

from trimtab.core.reason_words import GROUPS, Entry

__all__ = ["GROUPS", "Entry", "reasons_page"]


def reasons_page() -> str:
    """Return docs/reference/reasons.md."""
    lines = [
        "# Reasons",
        "",
        "Every decision carries one reason of this closed list: label of metrics, field of log lines,",
        "anchor on this page. The sentence beside it in the log gives the numbers.",
    ]
    for title, group in GROUPS.items():
        lines += ["", f"## {title}"]
        for reason, entry in group.items():
            lines += ["", f"### {reason.value}", "", entry.meaning, "", f"*To do:* {entry.remedy}"]
    return "\n".join(lines)
