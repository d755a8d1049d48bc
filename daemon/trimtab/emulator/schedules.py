"""The platform's scaling schedules: cron starts, in a time zone, that hold a floor for a while.

Day-light saving follows ``cronsim`` (Debian's cron): a start that falls into the skipped hour
comes right after it, one in the repeated hour comes once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from trimtab.emulator.refusals import invalid

if TYPE_CHECKING:
    from trimtab.emulator.messages import Value

SCHEDULES_MAX = 5
DURATION_SECONDS_MIN, DURATION_SECONDS_MAX = 300, 604_800
_CACHE_ENTRIES_MAX = 4096
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def check(name: str, schedule: Value, replicas_max: int) -> None:
    """Refuse a schedule that cannot be meant; the message names it and the field."""
    where = f"autoscaling_policy.scaling_schedules[{name!r}]"
    floor = schedule.get("minReplicaCount", 0)
    if not 0 <= floor <= max(0, replicas_max):
        raise invalid(f"{where}: min_replica_count must be between 0 and max_replica_count")
    duration = schedule.get("duration", 0.0)
    if not DURATION_SECONDS_MIN <= duration <= DURATION_SECONDS_MAX or duration % 1:
        raise invalid(f"{where}: duration must be whole seconds between 300s and 604800s")
    zone_name = schedule.get("timezone", "")
    if not zone_name:
        raise invalid(f"{where}: timezone is required")
    zone = _zone(zone_name)
    if zone is None:
        raise invalid(f"{where}: unknown time zone {zone_name!r}")
    expression = schedule.get("schedule", "")
    try:
        is_five_fields = len(expression.split()) == 5
        is_cron = is_five_fields and next(CronSim(expression, _SOME_DAY.astimezone(zone)), None)
    except (CronSimError, OverflowError):
        is_cron = None
    if not is_cron:
        raise invalid(f"{where}: {expression!r} is not a five-field cron schedule")


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


class ScheduleBook:
    """Answers which floor holds now, and remembers when that answer changes."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], tuple[float, float | None, float | None]] = {}

    def floor(self, schedules: dict[str, Value], now: float) -> int:
        """Return the highest floor of the schedules that are active at ``now``, else 0."""
        floors = [0]
        for schedule in schedules.values():
            if schedule.get("disabled") or not schedule.get("minReplicaCount"):
                continue
            if self._is_active(schedule, now):
                floors.append(schedule["minReplicaCount"])
        return max(floors)

    def _is_active(self, schedule: Value, now: float) -> bool:
        key = (schedule["schedule"], schedule["timezone"])
        seen = self._windows.get(key)
        if seen is None or now < seen[0] or (seen[2] is not None and now >= seen[2]):
            if len(self._windows) > _CACHE_ENTRIES_MAX:
                self._windows.clear()
            seen = self._windows[key] = (now, *_starts_around(*key, now))
        started = seen[1]
        return started is not None and now < started + schedule["duration"]


def _starts_around(expression: str, zone: str, now: float) -> tuple[float | None, float | None]:
    """Return the last start at or before ``now`` and the next one after it."""
    moment = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(zone))
    # Both directions are exclusive, so look back from a little later.
    last = _first(CronSim(expression, moment + timedelta(minutes=1), reverse=True))
    while last is not None and last > now:
        earlier = datetime.fromtimestamp(last, UTC).astimezone(ZoneInfo(zone))
        last = _first(CronSim(expression, earlier, reverse=True))
    return last, _first(CronSim(expression, moment))


def _first(starts: CronSim) -> float | None:
    try:
        return next(starts).timestamp()
    except (StopIteration, OverflowError):
        return None
