"""Numbers and times as the demo writes them."""

from __future__ import annotations

from datetime import UTC, datetime

NOT_KNOWN = "-"


def percent(share: float | None, *, digits: int = 1) -> str:
    """``0.9987`` → ``99.8 %``: rounded down, so that 100 % means that nothing was missed."""
    if share is None:
        return NOT_KNOWN
    scale = 10.0**digits
    # A fluid model's sums miss 1 by float noise; that is not a miss.
    floored = int(min(1.0, share + 1e-9) * 100.0 * scale) / scale
    return f"{floored:.{digits}f} %"


def hours(count: float) -> str:
    """Accelerator-hours: two digits after the point while they matter."""
    return f"{count:.2f}" if count < 10.0 else f"{count:,.1f}"


def money(usd: float | None) -> str:
    """US dollars; unknown is not 0."""
    if usd is None:
        return NOT_KNOWN
    return f"${usd:,.2f}" if usd < 1000.0 else f"${usd:,.0f}"


def rate(requests_per_second: float) -> str:
    """Requests per second, with three significant digits at most."""
    if requests_per_second < 9.95:
        return f"{requests_per_second:.1f}"
    return f"{requests_per_second:,.0f}"


def clock(at: float, *, is_with_seconds: bool = False) -> str:
    """UTC seconds → ``07:42`` or ``07:42:15``."""
    moment = datetime.fromtimestamp(at, tz=UTC)
    return moment.strftime("%H:%M:%S" if is_with_seconds else "%H:%M")


def weekday(at: float) -> str:
    """UTC seconds → ``Mon``."""
    return ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[
        datetime.fromtimestamp(at, tz=UTC).weekday()
    ]


def span(seconds: float) -> str:
    """``5400`` → ``1 h 30 min``."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    hours_count, minutes = divmod(whole // 60, 60)
    if hours_count == 0:
        return f"{minutes} min"
    return f"{hours_count} h {minutes} min" if minutes else f"{hours_count} h"


def count_of(number: int, noun: str) -> str:
    """``1 patch``, ``2 patches``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('ch') else 's'}"
