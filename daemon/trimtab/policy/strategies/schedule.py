"""``type: schedule``: a count at certain times."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from trimtab.core.calendar import Period, Recurrence, utc_seconds
from trimtab.core.strategies.schedule import Schedule, Window
from trimtab.policy.durations import format_duration
from trimtab.policy.parts import DAY, Count, Duration, Part, require, within
from trimtab.policy.strategies.interface import StrategyConfig
from trimtab.policy.times import Cron, LocalTime, TimeZone

if TYPE_CHECKING:
    from typing import Self

    from trimtab.core.calendar import Opening

_SHAPES: dict[str, Any] = {
    "oneOf": [
        {"required": ["cron", "for"], "properties": {"from": False, "until": False}},
        {"required": ["from", "until"], "properties": {"cron": False, "for": False}},
    ]
}


class WindowConfig(Part):
    """When a count applies: `cron` with `for`, again and again, or `from` with `until`, once."""

    model_config = ConfigDict(json_schema_extra=_SHAPES)

    cron: Cron | None = Field(
        default=None,
        description="Opens at: minute, hour, day of month, month, day of week, in `timezone`.",
        examples=["0 8 * * MON-FRI"],
    )
    lasts: Annotated[Duration, within(60, 31 * DAY)] | None = Field(
        alias="for", default=None, description="How long it stays open, in real time."
    )
    starts: LocalTime | None = Field(
        alias="from",
        default=None,
        description="Opens once, at this local time.",
        examples=["2026-12-24T18:00"],
    )
    ends: LocalTime | None = Field(
        alias="until", default=None, description="Closes at this local time."
    )
    replicas: Count = Field(description="How many replicas to ask for while it is open.")
    exactly: bool = Field(
        default=False, description="Keep the other rules from asking for more, too."
    )
    priority: Annotated[int, Field(ge=-1000, le=1000)] = Field(
        default=0, description="Where windows overlap the higher one counts, then the larger count."
    )

    @model_validator(mode="after")
    def _is_recurrent_or_single(self) -> Self:
        require(self, ("cron", "starts"), "exactly one")
        require(self, ("lasts", "ends"), "exactly one")
        if (self.cron is None) != (self.lasts is None):
            raise PydanticCustomError(
                "pairs",
                "`cron` goes with `for`, and `from` with `until`",
                {"hint": "write `cron` and `for`, or `from` and `until`"},
            )
        if self.starts is not None and self.ends is not None:
            begin, end = datetime.fromisoformat(self.starts), datetime.fromisoformat(self.ends)
            if end <= begin:
                raise PydanticCustomError(
                    "pairs", "it closes before it opens", {"hint": "put `until` after `from`"}
                )
        return self

    def opening(self, timezone: str) -> Opening:
        """When it is open, with its local times in ``timezone``."""
        if self.cron is not None and self.lasts is not None:
            return Recurrence(cron=self.cron, timezone=timezone, duration_seconds=self.lasts)
        # A validator has seen to it that otherwise both ends are there.
        begin, end = (
            datetime.fromisoformat(self.starts or ""),
            datetime.fromisoformat(self.ends or ""),
        )
        return Period(
            start=utc_seconds(begin, timezone),
            end=utc_seconds(end, timezone, is_later_of_two=True),
        )

    @property
    def label(self) -> str:
        """The window in a few words, as it was written."""
        if self.cron is not None and self.lasts is not None:
            return f"`{self.cron}` for {format_duration(self.lasts)}"
        return f"{self.starts} to {self.ends}"


class ScheduleConfig(StrategyConfig):
    """A count at certain times, in a time zone; nothing to say at others."""

    type: Literal["schedule"]
    timezone: TimeZone = Field(
        description="IANA zone that the times are local to.", examples=["Europe/Berlin", "UTC"]
    )
    windows: Annotated[tuple[WindowConfig, ...], Field(min_length=1, max_length=100)] = Field(
        description="When which count applies."
    )

    def build(self) -> Schedule:
        """The algorithm with these settings."""
        return Schedule(
            timezone=self.timezone,
            windows=tuple(
                Window(
                    opening=window.opening(self.timezone),
                    replicas=window.replicas,
                    label=window.label,
                    priority=window.priority,
                    is_exact=window.exactly,
                )
                for window in self.windows
            ),
        )
