"""What a policy orders for when others interfere, or replicas do not come."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError

from trimtab.policy.durations import duration_hint, format_duration, parse_duration
from trimtab.policy.parts import DAY, DURATION_SCHEMA, DeploymentName, Duration, Part, within

AUTO = "auto"
"""The word for "as long as nearly all starts take, as far as they were seen"."""

STUCK_SECONDS_MIN = 30.0
FALLBACKS_MAX = 8


def _seconds_or_auto(value: object) -> float | None:
    if value == AUTO:
        return None
    seconds = parse_duration(value) if isinstance(value, str) else None
    if seconds is None:
        hint = f"{duration_hint(value)}, or `{AUTO}`"
        raise PydanticCustomError("duration", "not a duration", {"hint": hint})
    if not STUCK_SECONDS_MIN <= seconds <= DAY:
        limits = {"least": format_duration(STUCK_SECONDS_MIN), "most": format_duration(DAY)}
        raise PydanticCustomError("duration_range", "between {least} and {most}", limits)
    return seconds


class _DurationOrAutoSchema:
    """Makes the JSON Schema take the word, or a duration."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _core: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"const": AUTO}, dict(DURATION_SCHEMA)], "default": AUTO}


DurationOrAuto = Annotated[float | None, BeforeValidator(_seconds_or_auto), _DurationOrAutoSchema]
"""Seconds, or ``None`` for the word ``auto``."""


class OutOfBand(Part):
    """What happens after somebody else changed the replica bounds."""

    grace: Annotated[Duration, within(0, DAY)] = Field(
        default=120.0, description="Nothing is written for this long; then their range holds."
    )


class Stuck(Part):
    """When replicas that were asked for do not become ready."""

    after: DurationOrAuto = Field(
        default=None,
        description="How long nothing may come before no more is asked for; `auto` is the 99th "
        "percentile of the starts seen, at least 5m.",
        examples=["auto", "15m"],
    )
    fallback_to: Annotated[tuple[DeploymentName, ...], Field(max_length=FALLBACKS_MAX)] = Field(
        alias="fallbackTo",
        default=(),
        description="Full names of deployments: the first healthy one makes up for what is missing, "
        "within its own policy.",
        examples=[["accounts/acme/deployments/chat-spare"]],
    )
