"""What was spent in this hour, day and month of the account, and what may therefore be asked for.

Replicas that serve are billed by the second, those that start are not. The rate is counted as it is seen,
at every look, and added up; the sums are a value in the engine's memory, so a restart goes on with them.
Nobody looks while the daemon is down: that time is charged at the last rate, because replicas stay where
they are, and is said to be assumed. What has no price is counted in accelerator-hours, never as 0 dollars.

A limit a day or a month is a budget. While what is left of it lasts longer than its horizon nothing happens;
then the rate may be what is left over the horizon, so it falls smoothly and the budget is never used up
before its end, but for what is protected: its minimum is set aside for all of the period first.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from math import exp
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast
from zoneinfo import ZoneInfo

from trimtab.core.allocation.values import SpendRoom
from trimtab.core.fleet_policy import Period

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.fleet_policy import SpendLimit
    from trimtab.core.proposals import JsonValue

HOUR_SECONDS = 3600.0

HORIZON_SECONDS = {Period.DAY: 3 * HOUR_SECONDS, Period.MONTH: 48 * HOUR_SECONDS}
"""Over how long what is left must last: an eighth of a day, two days of a month."""

KEEP_SECONDS = 1800.0
"""A replica more must still be allowed after so long, or it would be stopped soon after it has started."""

SET_BACK_SECONDS = 1.0
"""A step of the clock by less is none (``core/set_back.py`` has the same)."""

_FULL_RATIO = 1.0

_Sums: TypeAlias = "tuple[float, float, float, float] | None"
_Written: TypeAlias = "tuple[float | None, float, int, _Sums, _Sums, _Sums, float]"


class Span(NamedTuple):
    """One hour, day or month: UTC seconds, the end excluded."""

    begin: float
    end: float


class Spent(NamedTuple):
    """What one period has cost so far.

    ``usd`` includes ``assumed_usd``, which was charged for what nobody looked at meanwhile.
    ``unpriced_accelerator_hours`` ran on types without a price.
    """

    begin: float
    usd: float = 0.0
    assumed_usd: float = 0.0
    unpriced_accelerator_hours: float = 0.0


class Spending(NamedTuple):
    """The sums and the rate since ``at`` (UTC seconds; ``None``: nothing was seen yet).

    ``usd_an_hour`` is the rate of everything that serves and has a price, ``unpriced_accelerators`` how many
    accelerators serve without one. ``assumed_usd_an_hour`` is the part of the rate that was not seen since the start.
    A value of the memory: ``core/memory.py`` keeps it, a restart goes on.
    """

    at: float | None = None
    usd_an_hour: float = 0.0
    unpriced_accelerators: int = 0
    hour: Spent | None = None
    day: Spent | None = None
    month: Spent | None = None
    assumed_usd_an_hour: float = 0.0

    def of(self, period: Period) -> Spent | None:
        """Return the sum of the current ``period``."""
        return {Period.HOUR: self.hour, Period.DAY: self.day, Period.MONTH: self.month}[period]


NOTHING_SPENT = Spending()


@lru_cache(maxsize=64)
def _span(zone: str, first: date, after: date) -> Span:
    tz = ZoneInfo(zone)
    begin, end = (datetime.combine(one, time.min, tzinfo=tz).timestamp() for one in (first, after))
    return Span(begin, end)


def span_of(period: Period, timezone: str, now: float) -> Span:
    """Return the period that ``now`` lies in. Days and months are the zone's, of 23 or 25 hours too.

    Hours are whole ones of UTC, which are as long on the days when clocks change. Raises what ``ZoneInfo``
    raises for a zone that it does not know.
    """
    if period is Period.HOUR:
        return Span(begin := now - now % HOUR_SECONDS, begin + HOUR_SECONDS)
    today = datetime.fromtimestamp(now, ZoneInfo(timezone)).date()
    if period is Period.DAY:
        return _span(timezone, today, today + timedelta(days=1))
    first = today.replace(day=1)
    return _span(timezone, first, (first + timedelta(days=31)).replace(day=1))


def spent_until(
    before: Spending, now: float, timezone: str, *, is_assumed: bool = False
) -> Spending:
    """Add up what has been running since the last call at its rate, until ``now``.

    Sums begin anew with each period; what falls before its begin is not in it. ``is_assumed``: nobody looked
    meanwhile. A clock that was set back adds nothing, and time goes on from where it stands then. A period
    whose begin moves by less than half its length is the same one: neither a clock that was set back across
    midnight nor another ``timezone`` makes anybody forget what was spent.
    """
    since = now if before.at is None else before.at
    at = now if since - now > SET_BACK_SECONDS else max(since, now)
    hour, day, month = (
        _with(before, period, span_of(period, timezone, at), since, at, is_assumed)
        for period in Period
    )
    return before._replace(at=at, hour=hour, day=day, month=month)


def _with(
    before: Spending, period: Period, span: Span, since: float, at: float, is_assumed: bool
) -> Spent:
    spent = before.of(period)
    if spent is None or not _is_same(spent, span):
        spent = Spent(span.begin)
    hours = max(0.0, at - max(since, span.begin)) / HOUR_SECONDS
    usd = before.usd_an_hour * hours
    assumed_usd = usd if is_assumed else before.assumed_usd_an_hour * hours
    return Spent(
        span.begin,
        spent.usd + usd,
        spent.assumed_usd + assumed_usd,
        spent.unpriced_accelerator_hours + before.unpriced_accelerators * hours,
    )


def joined_spending(ours: Spending, theirs: Spending, timezone: str) -> Spending:
    """Return what was spent as two have added it up of the same fleet: of each period what is more.

    One that began later has not seen all of it, and neither has seen what was not spent.
    """
    if theirs.at is None or ours.at is None:
        return theirs if ours.at is None else ours
    known = spent_until(theirs, ours.at, timezone)
    hour, day, month = (
        _more(ours.of(period), known.of(period), period, timezone, ours.at) for period in Period
    )
    return ours._replace(hour=hour, day=day, month=month)


def _more(
    ours: Spent | None, theirs: Spent | None, period: Period, timezone: str, at: float
) -> Spent | None:
    span = span_of(period, timezone, at)
    alive = [one for one in (ours, theirs) if one is not None and _is_same(one, span)]
    return max(alive, key=lambda one: one.usd, default=None)


def _is_same(spent: Spent, span: Span) -> bool:
    return spent.begin - span.begin > (span.begin - span.end) / 2.0


class Warned(NamedTuple):
    """A limit that people should know of: how much of it is used, by what there was and by what will be.

    ``ratio`` is the share spent, ``ahead_ratio`` that which will be at the end of the period at this rate.
    """

    limit: SpendLimit
    ratio: float
    ahead_ratio: float
    is_trimming: bool


class SpendOutlook(NamedTuple):
    """What the limits say of this moment; ``room`` is ``None`` where there are none."""

    room: SpendRoom | None
    warned: tuple[Warned, ...]


NO_OUTLOOK = SpendOutlook(None, ())


def spend_outlook(
    limits: Iterable[SpendLimit],
    spending: Spending,
    timezone: str,
    *,
    protected_usd_an_hour: float,
    rate_usd_an_hour: float,
) -> SpendOutlook:
    """Return how high the running rate may be, and of which limits to warn.

    ``protected_usd_an_hour`` is what the minima cost that no limit may touch, ``rate_usd_an_hour`` what all
    that is asked for costs once it serves.
    """
    room: SpendRoom | None = None
    warned: list[Warned] = []
    for limit in limits:
        keep, grow, ratio, ahead = _room(
            limit, spending, timezone, protected_usd_an_hour, rate_usd_an_hour
        )
        is_trimming = rate_usd_an_hour > keep
        if max(ratio, ahead) >= limit.warn_ratio or is_trimming:
            warned.append(Warned(limit, ratio, ahead, is_trimming))
        words = in_words(limit, spending)
        if room is None:
            room = SpendRoom(keep, grow, words, words)
        if keep < room.keep_usd_an_hour:
            room = room._replace(keep_usd_an_hour=keep, limit=words)
        if grow < room.grow_usd_an_hour:
            room = room._replace(grow_usd_an_hour=grow, grow_limit=words)
    return SpendOutlook(room, tuple(warned))


def _room(
    limit: SpendLimit, spending: Spending, timezone: str, protected: float, rate: float
) -> tuple[float, float, float, float]:
    if limit.period is Period.HOUR:
        keep = max(limit.usd, protected)
        share = rate / limit.usd if limit.usd > 0 else _FULL_RATIO
        return keep, keep, share, share
    at = spending.at or 0.0
    span = span_of(limit.period, timezone, at)
    spent = spending.of(limit.period)
    used = 0.0 if spent is None or not _is_same(spent, span) else spent.usd
    left_hours = max(span.end - at, 60.0) / HOUR_SECONDS
    over_hours = min(left_hours, HORIZON_SECONDS[limit.period] / HOUR_SECONDS)
    free = max(0.0, limit.usd - used - protected * left_hours)
    keep = protected + free / over_hours
    later = exp(-KEEP_SECONDS / HOUR_SECONDS / over_hours) if left_hours > over_hours else 1.0
    grow = protected + free / over_hours * later
    if left_hours * HOUR_SECONDS < KEEP_SECONDS:
        grow = min(grow, _first_room(limit, timezone, span, protected))
    usd = max(limit.usd, 1e-9)
    return keep, grow, used / usd, (used + rate * left_hours) / usd


def _first_room(limit: SpendLimit, timezone: str, before: Span, protected: float) -> float:
    """Return how high the rate may be when the period after ``before`` begins."""
    begin, end = span_of(limit.period, timezone, before.end)
    hours = (end - begin) / HOUR_SECONDS
    free = max(0.0, limit.usd - protected * hours)
    return protected + free / (HORIZON_SECONDS[limit.period] / HOUR_SECONDS)


def in_words(limit: SpendLimit, spending: Spending) -> str:
    """Say a limit as people read it."""
    if limit.period is Period.HOUR:
        return f"the limit of ${limit.usd:,.0f} an hour"
    spent = spending.of(limit.period)
    return (
        f"the limit of ${limit.usd:,.0f} a {limit.period}, of which "
        f"${0.0 if spent is None else spent.usd:,.2f} are spent"
    )


def spending_to_json(one: Spending) -> JsonValue:
    """Return JSON values from which ``spending_from_json`` restores ``one`` exactly."""
    sums: list[JsonValue] = [
        None if spent is None else list(spent) for spent in (one.hour, one.day, one.month)
    ]
    return [one.at, one.usd_an_hour, one.unpriced_accelerators, *sums, one.assumed_usd_an_hour]


def spending_from_json(one: JsonValue) -> Spending:
    """Restore what ``spending_to_json`` gave; ``None``: nothing was spent."""
    if one is None:
        return NOTHING_SPENT
    # The document is our own; the cast says what was written.
    at, rate, unpriced, *rest = cast("_Written", one)
    hour, day, month = (
        None if spent is None else Spent(*spent) for spent in cast("list[_Sums]", rest[:3])
    )
    assumed_rate = cast("list[float]", rest[3:])  # none in an earlier version's
    return Spending(at, rate, unpriced, hour, day, month, *assumed_rate)
