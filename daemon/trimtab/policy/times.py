"""Times as people write them in a policy: time zones, cron expressions, local dates and times."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSimError
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from trimtab.core.calendar import ZONE_CHARACTERS_MAX, check_cron
from trimtab.policy.suggestions import nearest

LOCAL_TIME_PATTERN = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$"

CRON_FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")

# Debian's and Quartz's short forms; cronsim reads the five fields only.
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@lru_cache(maxsize=1024)
def is_time_zone(name: str) -> bool:
    """Whether ``name`` is a zone of the IANA database, spelt exactly so."""
    if len(name) > ZONE_CHARACTERS_MAX:
        return False
    try:
        return ZoneInfo(name).key == name
    except (KeyError, ValueError, OSError):  # OSError: the name of a directory of zones
        return False


def _time_zone(value: str) -> str:
    if is_time_zone(value):
        return value
    near = nearest(value, available_timezones())
    hint = f"did you mean `{near}`?" if near else "write it as in `Europe/Berlin` or `UTC`"
    raise PydanticCustomError("time_zone", "there is no time zone {value}", {"hint": hint})


def _cron(value: str) -> str:
    if len(value.split()) != len(CRON_FIELDS):
        why = "it does not have five fields"
        hint = f"five fields are needed: {', '.join(CRON_FIELDS)}"
        if value in _NICKNAMES:
            hint = f"write `{_NICKNAMES[value]}`"
        raise PydanticCustomError("cron", "{why}", {"why": why, "hint": hint})
    try:
        check_cron(value)
    except CronSimError as error:
        why = str(error).replace("Bad ", "it has no such ").replace("-", " ")
        hint = "write it as in `0 8 * * MON-FRI`: at 08:00 from Monday to Friday"
        raise PydanticCustomError("cron", "{why}", {"why": why, "hint": hint}) from None
    return value


def _local_time(value: str) -> str:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        hint = "write date and time as in `2026-12-24T18:00`"
        raise PydanticCustomError("local_time", "no date and time", {"hint": hint}) from None
    if time.tzinfo is not None:
        hint = "leave the offset out: the time is local to `timezone` of the strategy"
        raise PydanticCustomError("local_time", "has an offset", {"hint": hint})
    if "T" not in value:
        hint = f"say at what time: `{value}T00:00`"
        raise PydanticCustomError("local_time", "no time of day", {"hint": hint})
    return value


TimeZone = Annotated[str, AfterValidator(_time_zone)]
"""The name of a zone in the IANA database."""

Cron = Annotated[str, AfterValidator(_cron)]
"""Five fields: minute, hour, day of the month, month, day of the week."""

LocalTime = Annotated[
    str,
    AfterValidator(_local_time),
    Field(json_schema_extra={"pattern": LOCAL_TIME_PATTERN}),
]
"""Date and time without an offset (ISO 8601), local to a zone that is stated elsewhere."""
