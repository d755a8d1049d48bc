"""How a policy damps its moves: rate limits, windows, pauses, the way to zero and the fallback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError

from trimtab.core.policy import Select
from trimtab.policy.durations import duration_hint, parse_duration
from trimtab.policy.parts import (
    DAY,
    DURATION_SCHEMA,
    Duration,
    Part,
    PositiveCount,
    SignalName,
    Word,
    exactly_one,
    require,
    within,
)

if TYPE_CHECKING:
    from typing import Literal, Self

CURRENT = "current"
"""The word for "leave the count as it is"."""


class EachWay(Part):
    """A duration for each direction; what is left out is `0s`."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    up: Annotated[Duration, within(0, DAY)] | None = Field(default=None, description="For rising.")
    down: Annotated[Duration, within(0, DAY)] | None = Field(
        default=None, description="For falling."
    )

    @model_validator(mode="after")
    def _is_for_a_direction(self) -> Self:
        require(self, ("up", "down"), "at least one")
        return self

    def each(self, way: Literal["up", "down"]) -> float:
        """The seconds for one direction."""
        seconds = self.up if way == "up" else self.down
        return 0.0 if seconds is None else seconds


_BOTH_WAYS = within(0, DAY)


def _each_way(value: object) -> object:
    """A single duration is for both directions."""
    if isinstance(value, dict | EachWay):
        return value
    seconds = parse_duration(value) if isinstance(value, str) else None
    if seconds is None:
        raise PydanticCustomError("duration", "not a duration", {"hint": duration_hint(value)})
    _BOTH_WAYS.func(seconds)  # type: ignore[call-arg]  # ours takes the value alone
    return EachWay.model_construct(up=seconds, down=seconds)


class _EitherWaySchema:
    """Makes the JSON Schema take one duration, or one for each direction."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [dict(DURATION_SCHEMA), handler(core)]}


EitherWay = Annotated[EachWay, BeforeValidator(_each_way), _EitherWaySchema]
"""Written as one duration for both directions, or as `{up: …, down: …}`."""


class UpLimit(Part):
    """How far the count may rise within a period, as a share of it or as a number of replicas."""

    model_config = ConfigDict(json_schema_extra=exactly_one("percent", "replicas"))

    percent: PositiveCount | None = Field(
        default=None, description="Per cent of the count at the start of the period."
    )
    replicas: PositiveCount | None = Field(default=None, description="Number of replicas.")
    period: Annotated[Duration, within(1, DAY)] = Field(description="Over how long.")

    @model_validator(mode="after")
    def _is_percent_or_replicas(self) -> Self:
        require(self, ("percent", "replicas"), "exactly one")
        return self


class DownLimit(UpLimit):
    """How far the count may fall within a period, as a share of it or as a number of replicas."""

    percent: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, description="Per cent of the count at the start of the period, up to 100."
    )


class UpMoves(Part):
    """How fast the count may rise. Left out, each key has its default."""

    stabilization: Annotated[Duration, within(0, DAY)] | None = Field(
        default=None, description="Moves only to the smallest wish within this time (0s)."
    )
    cooldown: Annotated[Duration, within(0, DAY)] = Field(
        default=0.0,
        description="No move this way sooner than that after the last move, either way.",
    )
    limits: tuple[UpLimit, ...] | None = Field(
        default=None, description="Rate limits; an empty list means none (100 % or 4 per 60s)."
    )
    select: Annotated[Select, Word] = Field(
        default=Select.MAX,
        description="Which limit counts: the most permissive, the strictest; or no move at all.",
    )


class DownMoves(Part):
    """How fast the count may fall. Left out, each key has its default."""

    stabilization: Annotated[Duration, within(0, DAY)] | None = Field(
        default=None,
        description="Moves only to the largest wish within this time (300s; 0s where every rule "
        "that follows load damps itself, as `capacity` does).",
    )
    cooldown: Annotated[Duration, within(0, DAY)] = Field(
        default=0.0,
        description="No move this way sooner than that after the last move, either way.",
    )
    limits: tuple[DownLimit, ...] | None = Field(
        default=None, description="Rate limits; an empty list means none (50 % per 60s)."
    )
    select: Annotated[Select, Word] = Field(
        default=Select.MAX,
        description="Which limit counts: the most permissive, the strictest; or no move at all.",
    )


class ScaleToZero(Part):
    """When the last replica may go, and what brings one back."""

    after: Annotated[Duration, within(0, 7 * DAY)] = Field(
        description="For how long there must certainly have been no demand."
    )
    wake_on: Annotated[tuple[SignalName, ...], Field(min_length=1)] = Field(
        alias="wakeOn",
        description="Signals of `spec.signals`: any load on one brings a replica back.",
        examples=[["requests"]],
    )


class Behavior(Part):
    """How fast the count may move, for each direction."""

    scale_up: UpMoves = Field(alias="scaleUp", default_factory=UpMoves, description="Rising.")
    scale_down: DownMoves = Field(
        alias="scaleDown", default_factory=DownMoves, description="Falling."
    )
    scale_to_zero: ScaleToZero | None = Field(
        alias="scaleToZero",
        default=None,
        description="Left out, the last replica stays.",
    )


def _count_or_current(value: object) -> object:
    if isinstance(value, str) and value != CURRENT:
        raise PydanticCustomError("count_or_word", "a count or a word", {"words": [CURRENT]})
    return None if value == CURRENT else value


class _CountOrCurrentSchema:
    """Makes the JSON Schema take the word, or a count."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _core: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "anyOf": [{"const": CURRENT}, {"type": "integer", "minimum": 1, "maximum": 1_000_000}]
        }


CountOrCurrent = Annotated[
    PositiveCount | None, BeforeValidator(_count_or_current), _CountOrCurrentSchema
]
"""A count, or ``None`` for the word ``current``."""


class Fallback(Part):
    """What happens once every demand has been unknown for a while. It can raise, and never lowers."""

    after: Annotated[Duration, within(0, DAY)] = Field(
        description="For how long every demand must have been unknown."
    )
    replicas: CountOrCurrent = Field(
        description="Raise to this count; `current` leaves the count as it is.",
        examples=["current", 4],
    )
