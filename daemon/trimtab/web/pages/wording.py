"""Numbers, times and ages as people read them. All times are UTC; the page says so once."""

from __future__ import annotations

import math
from datetime import UTC, datetime

MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS = 60.0, 3_600.0, 86_400.0

UNKNOWN = "\N{EN DASH}"
"""What stands where nothing is known: missing is never zero."""


def count(value: float | None) -> str:
    """Write a whole number with its thousands apart: ``10 000``."""
    return UNKNOWN if value is None else f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def quantity(value: float | None) -> str:
    """Write a measured number with three digits that count: ``0.0312``, ``4.7``, ``1 240``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return count(value)
    if abs(value) < 1e-3:
        return f"{value:.2e}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def span(seconds: float | None) -> str:
    """Say how long, in the two largest units: ``45 s``, ``3 min 20 s``, ``2 h 5 min``, ``6 d 4 h``."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    left = max(0, round(seconds))
    days, left = divmod(left, int(DAY_SECONDS))
    hours, left = divmod(left, int(HOUR_SECONDS))
    minutes, left = divmod(left, int(MINUTE_SECONDS))
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    first = next((index for index, (number, _) in enumerate(units) if number), 3)
    parts = [f"{number} {unit}" for number, unit in units[first : first + 2] if number]
    return (
        "\N{NO-BREAK SPACE}".join(parts).replace(" ", "\N{NO-BREAK SPACE}")
        or "0\N{NO-BREAK SPACE}s"
    )


def ago(at: float | None, now: float) -> str:
    """Say how long before ``now``, or how long after it: ``12 s ago``, ``in 4 min``, ``now``."""
    if at is None:
        return "never"
    passed = now - at
    if abs(passed) < 1:
        return "now"
    return f"{_about(passed)} ago" if passed > 0 else f"in {_about(-passed)}"


def _about(seconds: float) -> str:
    """Leave out the smaller unit where the larger is ten or more: ``12 min``, but ``2 h 5 min``."""
    said = span(seconds)
    parts = said.split("\N{NO-BREAK SPACE}")
    return "\N{NO-BREAK SPACE}".join(parts[:2]) if len(parts) > 2 and int(parts[0]) >= 10 else said


def moment(at: float | None, now: float | None = None) -> str:
    """Write a time of the day; with its date where that is not the day of ``now``."""
    if at is None:
        return UNKNOWN
    then = datetime.fromtimestamp(at, UTC)
    if now is not None and datetime.fromtimestamp(now, UTC).date() == then.date():
        return f"{then:%H:%M:%S}"
    return f"{then:%b} {then.day}, {then:%H:%M:%S}"


def iso(at: float) -> str:
    """Write a time for programs: ``2026-03-02T18:00:00Z``."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def words(name: str) -> str:
    """Write a word of the code as words: ``missing_data`` becomes ``missing data``."""
    return name.replace("_", " ").replace("-", " ")


def short(name: str) -> str:
    """Return the last part of a resource name, which is what people call it."""
    return name.rpartition("/")[2] or name


def account(name: str) -> str:
    """Return the account of a resource name, ``""`` where it has none."""
    parts = name.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "accounts" else ""
