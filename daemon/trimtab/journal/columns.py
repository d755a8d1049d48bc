"""What an SQLite column can hold of a value of the core."""

from __future__ import annotations

from typing import Any


def column(value: Any) -> Any:
    """Return ``value`` without lone surrogates, and integers cut to 64 bits."""
    if isinstance(value, str):
        if value.isascii():
            return value
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, int):
        return max(-(2**63), min(2**63 - 1, value))
    return value
