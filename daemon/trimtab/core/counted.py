"""A number with its noun, for sentences."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return ``1 accelerator``, ``2 accelerators``; the noun is one that takes an ``s``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
