"""``type: step``: fixed answers to how far a signal is off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from trimtab.core.strategies.step import Adjustment, Side, Step, StepAdjustment
from trimtab.policy.parts import Count, Part, PositiveCount, SignalName, contradiction, require
from trimtab.policy.strategies.interface import OneSignalConfig

if TYPE_CHECKING:
    from typing import Self


ANSWERS = ("add", "remove", "percent", "to")


def _is_not_zero(percent: int) -> int:
    if percent == 0:
        raise contradiction("0 per cent changes nothing", "use `to`, or remove the step")
    return percent


class StepDocument(Part):
    """One step: beyond which bound, after how many samples in a row, and what then."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"oneOf": [{"required": [key]} for key in ("above", "below")]},
                {"oneOf": [{"required": [key]} for key in ANSWERS]},
            ]
        }
    )

    above: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="A sample above this is a breach; the bound itself is not."
    )
    below: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="A sample below this is a breach; the bound itself is not."
    )
    breaches: Annotated[int, Field(ge=1, le=100)] = Field(
        alias="for", default=1, description="How many breaches in a row make the step due."
    )
    add: PositiveCount | None = Field(default=None, description="Replicas to add.")
    remove: PositiveCount | None = Field(default=None, description="Replicas to remove.")
    percent: Annotated[int, Field(ge=-100, le=10_000), AfterValidator(_is_not_zero)] | None = Field(
        default=None,
        description="Per cent of the count to add, below 0 to remove: cut off to whole replicas, "
        "at least 1.",
    )
    to: Count | None = Field(default=None, description="The count to go to.")

    @model_validator(mode="after")
    def _says_when_and_what(self) -> Self:
        require(self, ("above", "below"), "exactly one")
        require(self, ANSWERS, "exactly one")
        return self

    def build(self) -> StepAdjustment:
        """The step as the algorithm has it."""
        side = Side.BELOW if self.above is None else Side.ABOVE
        adjustment, amount = self._answer()
        bound = self.below if self.above is None else self.above
        return StepAdjustment(side, bound or 0.0, self.breaches, adjustment, amount)

    def _answer(self) -> tuple[Adjustment, int]:
        if self.percent is not None:
            return Adjustment.PERCENT, self.percent
        if self.to is not None:
            return Adjustment.EXACT, self.to
        return Adjustment.CHANGE, (self.add or 0) - (self.remove or 0)


def _are_different(steps: tuple[StepDocument, ...]) -> tuple[StepDocument, ...]:
    seen = set()
    for step in steps:
        condition = (step.above, step.below, step.breaches)
        if condition in seen:
            side = f"below {step.below:g}" if step.above is None else f"above {step.above:g}"
            what = f"two steps are due {side} with `for: {step.breaches}`"
            raise contradiction(what, "keep one of them, or give them different bounds")
        seen.add(condition)
    return steps


class StepConfig(OneSignalConfig):
    """Add or remove by fixed steps after breaches in a row, as AWS step scaling does.

    Of several steps that are due on one side the one furthest out counts, and of those with the
    same bound the one that waited for more breaches; of two sides the one that comes to more
    replicas. Samples count once, and only at the count they were taken at; a sample that does not
    breach, or data missing for longer than the signal's `maxAge`, begins the count anew.
    """

    type: Literal["step"]
    signal: SignalName = Field(description="The signal to watch, one of `spec.signals`.")
    steps: Annotated[
        tuple[StepDocument, ...], Field(min_length=1, max_length=50), AfterValidator(_are_different)
    ] = Field(
        description="The steps, in any order.",
        examples=[[{"above": 80, "for": 3, "add": 2}, {"below": 20, "for": 10, "remove": 1}]],
    )

    def build(self) -> Step:
        """The algorithm with these settings."""
        return Step(signal=self.signal, steps=tuple(step.build() for step in self.steps))
