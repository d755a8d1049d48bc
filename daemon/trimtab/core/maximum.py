"""The upper end of a deployment's own range, which it need not state: ``None`` lies above every count."""

from __future__ import annotations

FORMER_NO_MAXIMUM = 1_000_000
"""What earlier versions wrote for "none"; every journal, ConfigMap and annotation may still hold it."""


def capped(replicas: int, maximum: int | None) -> int:
    """Return ``replicas``, or ``maximum`` where that is less."""
    return replicas if maximum is None else min(replicas, maximum)


def reaches(maximum: int | None, other: int | None) -> bool:
    """Whether a range that ends at ``maximum`` goes as far as one that ends at ``other``, or a count."""
    return maximum is None or (other is not None and maximum >= other)


def range_words(least: int, maximum: int | None) -> str:
    """Return a range for a sentence: ``2-12``, or ``2 or more`` where no maximum is stated."""
    return f"{least} or more" if maximum is None else f"{least}-{maximum}"


def recorded_maximum(recorded: int | None) -> int | None:
    """Return the maximum that was meant where this or an earlier version wrote one down."""
    return None if recorded == FORMER_NO_MAXIMUM else recorded
