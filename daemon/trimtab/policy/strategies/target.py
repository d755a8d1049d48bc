"""``type: target``: keep a signal at a target per replica."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticKnownError

from trimtab.core.strategies.stride import Stride
from trimtab.core.strategies.target import Basis, Target, Tolerance
from trimtab.policy.parts import Part, SignalName, Word, require
from trimtab.policy.strategies.interface import MaxScaleDown, MaxScaleUp, OneSignalConfig

if TYPE_CHECKING:
    from typing import Self


DEFAULT_TOLERANCE = 0.1
"""The Kubernetes HPA's."""


class EachTolerance(Part):
    """A tolerance for each direction; what is left out is 0.1."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    up: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None, description="How far above the target is no reason for more."
    )
    down: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, description="How far below the target is no reason for fewer."
    )

    @model_validator(mode="after")
    def _is_for_a_direction(self) -> Self:
        require(self, ("up", "down"), "at least one")
        return self


def _each_tolerance(value: object) -> object:
    """A single number is for both directions."""
    if isinstance(value, dict | EachTolerance):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticKnownError("float_type")
    if not isfinite(value):
        raise PydanticKnownError("finite_number")
    if value < 0:
        raise PydanticKnownError("greater_than_equal", {"ge": 0})
    if value >= 1:
        raise PydanticKnownError("less_than", {"lt": 1})
    return EachTolerance.model_construct(up=float(value), down=float(value))


class _ToleranceSchema:
    """Makes the JSON Schema take one number, or one for each direction."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        number = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
        return {"anyOf": [number, handler(core)]}


class TargetConfig(OneSignalConfig):
    """Keep a signal at a target per replica, in proportion, as the Kubernetes HPA does."""

    type: Literal["target"]
    signal: SignalName = Field(description="The signal to steer by, one of `spec.signals`.")
    basis: Annotated[Basis, Word] | None = Field(
        alias="as",
        default=None,
        description="What the signal is: an `average` over replicas, a `total` over them, or one "
        "`value` whose ratio to the target scales the replicas that serve. Left out: `average` "
        "where the signal is counted `per: replica`, else `total`.",
    )
    target: Annotated[float, Field(ge=0)] = Field(
        description="What one replica should carry, in the unit of the signal; with `as: value`, "
        "what the signal should be. 0 only with `as: value`: the signal itself is the ratio then, "
        "so 0 lets every replica go.",
        examples=[24],
    )
    tolerance: Annotated[EachTolerance, BeforeValidator(_each_tolerance), _ToleranceSchema] = Field(
        default=EachTolerance(up=DEFAULT_TOLERANCE, down=DEFAULT_TOLERANCE),
        json_schema_extra={"default": DEFAULT_TOLERANCE},
        description="How far off, as a share of the target, is still on target: one number, or "
        "`{up: …, down: …}`.",
        examples=[0.1, {"up": 0.05, "down": 0.3}],
    )
    full_at: Annotated[float, Field(gt=0)] | None = Field(
        alias="fullAt",
        default=None,
        description="What a replica at full load shows, 100 for a utilisation in per cent. That "
        "busy are taken to be those that do not report when fewer are to be asked for; left out, "
        "as busy as the target.",
        examples=[100],
    )
    max_scale_up: MaxScaleUp = None
    max_scale_down: MaxScaleDown = None

    @field_validator("target")
    @classmethod
    def _is_above_zero(cls, target: float, info: ValidationInfo) -> float:
        if target == 0 and info.data.get("basis") is not Basis.VALUE:
            raise PydanticKnownError("greater_than", {"gt": 0})
        return target

    def build(self) -> Target:
        """The algorithm with these settings."""
        up, down = self.tolerance.up, self.tolerance.down
        return Target(
            signal=self.signal,
            target=self.target,
            basis=self.basis,
            tolerance=Tolerance(
                up=DEFAULT_TOLERANCE if up is None else up,
                down=DEFAULT_TOLERANCE if down is None else down,
            ),
            full_at=self.full_at,
            stride=Stride(up=self.max_scale_up, down=self.max_scale_down),
        )
