"""``type: threshold``: one move once enough samples of a window lie within bounds."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from trimtab.core.strategies.threshold import Threshold
from trimtab.policy.parts import (
    Count,
    Duration,
    SignalName,
    contradiction,
    exactly_one,
    require,
    within,
)
from trimtab.policy.strategies.interface import OneSignalConfig

if TYPE_CHECKING:
    from typing import Self


HOUR = 3600.0


class ThresholdConfig(OneSignalConfig):
    """Move when enough samples of a window lie within bounds, as the Nomad Autoscaler does.

    Different from it: a sample counts once, and only at the count it was taken at, so a move is not
    repeated before as many new samples say so; and while it is not triggered it abstains, so it
    keeps no other rule from lowering the count.
    """

    model_config = ConfigDict(json_schema_extra=exactly_one("delta", "percentage", "value"))

    type: Literal["threshold"]
    signal: SignalName = Field(description="The signal to watch, one of `spec.signals`.")
    lower_bound: Annotated[float, Field(ge=0)] | None = Field(
        alias="lowerBound",
        default=None,
        description="A sample at or above this is within bounds. Left out: any is.",
    )
    upper_bound: Annotated[float, Field(gt=0)] | None = Field(
        alias="upperBound",
        default=None,
        description="A sample below this is within bounds. Left out: any is.",
    )
    window: Annotated[Duration, within(1.0, HOUR)] = Field(
        description="How far back samples count: 1s-1h. It must hold as many as are to trigger: "
        "with a sample a minute and the default of 5, more than 4m."
    )
    trigger: Annotated[int, Field(ge=1, le=1000)] = Field(
        alias="withinBoundsTrigger",
        default=5,
        description="How many samples within bounds trigger the move.",
    )
    delta: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = Field(
        default=None, description="Replicas to add; below 0 to remove.", examples=[1, -1]
    )
    percentage: Annotated[float, Field(ge=-100, le=100_000)] | None = Field(
        default=None,
        description="Per cent of the count to add, below 0 to remove; the result is rounded up.",
        examples=[30],
    )
    value: Count | None = Field(default=None, description="The count to go to.")

    @model_validator(mode="after")
    def _says_when_and_what(self) -> Self:
        require(self, ("lower_bound", "upper_bound"), "at least one")
        require(self, ("delta", "percentage", "value"), "exactly one")
        low, high = self.lower_bound, self.upper_bound
        if low is not None and high is not None and low >= high:
            raise contradiction(
                f"no sample is at least {low:g} and below {high:g}",
                "lower `lowerBound` or raise `upperBound`",
            )
        return self

    def build(self) -> Threshold:
        """The algorithm with these settings."""
        return Threshold(
            signal=self.signal,
            window_seconds=self.window,
            trigger=self.trigger,
            lower=-inf if self.lower_bound is None else self.lower_bound,
            upper=inf if self.upper_bound is None else self.upper_bound,
            delta=self.delta,
            percentage=self.percentage,
            value=self.value,
        )
