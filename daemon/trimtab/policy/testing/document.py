"""A policy test as SREs write it: the model is the format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from trimtab.core.decision import Reason
from trimtab.core.deployment import State
from trimtab.policy.parts import (
    Count,
    DeploymentName,
    Duration,
    Part,
    PolicyName,
    PositiveCount,
    RuleName,
    SignalName,
    Text,
    Word,
    within,
)
from trimtab.policy.testing.series import SeriesError, expand
from trimtab.policy.times import LocalTime, TimeZone

if TYPE_CHECKING:
    from typing import Self

DAY = 86_400.0
LENGTH_SECONDS_MAX = 60 * DAY

DEFAULT_NAME = "accounts/test/deployments/under-test"


def _readable_series(text: str) -> str:
    try:
        expand(text)
    except SeriesError as error:
        raise PydanticCustomError("series", "{why}", {"why": str(error)}) from None
    return text


Series = Annotated[Text, AfterValidator(_readable_series)]
Offset = Annotated[Duration, within(0, LENGTH_SECONDS_MAX)]
"""Time since the start of the test."""


class PolicyTestMetadata(Part):
    """What the test is called."""

    name: PolicyName = Field(
        description="Unique within its file: lower-case letters, digits and dashes, up to 63."
    )
    description: Text | None = Field(default=None, description="What the test is to show.")


class DeploymentUnderTest(Part):
    """The deployment as it is when the test starts: ``replicas`` of it are ready."""

    name: DeploymentName = Field(default=DEFAULT_NAME, description="Its full resource name.")
    display_name: Text | None = Field(
        alias="displayName", default=None, description="What `match.displayName` sees."
    )
    base_model: Text | None = Field(
        alias="baseModel", default=None, description="What `match.baseModel` sees."
    )
    region: Text | None = Field(default=None, description="What `match.region` sees.")
    annotations: dict[Text, Text] = Field(
        default_factory=dict,
        description="Its annotations: what `teams[].deployments.annotations` of a Fleet sees.",
        examples=[{"team": "research"}],
    )
    min: Count = Field(default=0, description="The lower end of its own range.")
    max: PositiveCount = Field(default=1000, description="The upper end of its own range.")
    replicas: Count = Field(description="How many replicas are asked for and ready at the start.")
    state: Annotated[State, Word] = Field(default=State.READY, description="Its state.")
    accelerator_type: Text | None = Field(
        alias="acceleratorType",
        default=None,
        description="The accelerator of a replica.",
        examples=["NVIDIA_H100_80GB"],
    )
    accelerators_per_replica: PositiveCount | None = Field(
        alias="acceleratorsPerReplica",
        default=None,
        description="How many of them a replica takes; unknown when left out.",
    )
    lead_time: Annotated[Duration, within(0, DAY)] = Field(
        alias="leadTime",
        default=300.0,
        description="From asking for a replica until it is ready.",
    )
    expires_after: Offset | None = Field(
        alias="expiresAfter", default=None, description="When it expires; never when left out."
    )

    @model_validator(mode="after")
    def _starts_within_its_range(self) -> Self:
        if self.min > self.max:
            message = "`min` is {low} and above `max`, which is {high}"
            raise PydanticCustomError("range", message, {"low": self.min, "high": self.max})
        return self


class WorldEvent(Part):
    """Something that happens to a deployment, by no order of trimtab's."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 2})

    at: Offset = Field(description="When, since the start.")
    deployment: DeploymentName | None = Field(
        default=None, description="Which; the one under test when left out."
    )
    state: Annotated[State, Word] | None = Field(default=None, description="It goes to this state.")
    min: Count | None = Field(default=None, description="Somebody sets its lower bound.")
    max: Count | None = Field(default=None, description="Somebody sets its upper bound.")
    replicas: Count | None = Field(
        default=None, description="The platform has so many ready replicas now."
    )
    expires_after: Offset | None = Field(
        alias="expiresAfter", default=None, description="Its expiry is set to this time."
    )
    deleted: Literal[True] | None = Field(default=None, description="It is gone.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        changes = ("state", "min", "max", "replicas", "expires_after", "deleted")
        if all(getattr(self, one) is None for one in changes):
            names = ["state", "min", "max", "replicas", "expiresAfter", "deleted"]
            context = {"count": "at least one", "names": names, "given": 0}
            raise PydanticCustomError("one_of", "{count} of {names} is needed", context)
        return self


class Expectation(Part):
    """What the decision at a time, or every decision between two times, must be."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["at"]}, {"required": ["between"]}],
            "minProperties": 2,
        }
    )

    at: Offset | None = Field(default=None, description="When, since the start.")
    between: Annotated[tuple[Offset, ...], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="From when until when, both included."
    )
    verdict: Literal["scale-up", "scale-down", "hold"] | None = Field(
        default=None, description="Which way it goes."
    )
    desired: Count | None = Field(default=None, description="The count it asks for.")
    at_least: Count | None = Field(
        alias="atLeast", default=None, description="The count it asks for is no smaller."
    )
    at_most: Count | None = Field(
        alias="atMost", default=None, description="The count it asks for is no larger."
    )
    current: Count | None = Field(default=None, description="The count asked for before it.")
    ready: Count | None = Field(default=None, description="How many replicas serve at that time.")
    reason: Annotated[Reason, Word] | None = Field(default=None, description="Why.")
    rule: RuleName | None = Field(default=None, description="The rule whose wish it was.")

    @model_validator(mode="after")
    def _expects_something_at_some_time(self) -> Self:
        times = [one for one in (self.at, self.between) if one is not None]
        if len(times) != 1:
            context = {
                "count": "exactly one",
                "names": ["at", "between"],
                "given": len(times),
            }
            raise PydanticCustomError("one_of", "{count} of {names} is needed", context)
        if all(getattr(self, one) is None for one in EXPECTED):
            names = [type(self).model_fields[one].alias or one for one in EXPECTED]
            context = {"count": "at least one", "names": names, "given": 0}
            raise PydanticCustomError("one_of", "{count} of {names} is needed", context)
        if self.between is not None and self.between[0] > self.between[1]:
            raise PydanticCustomError("order", "`between` ends before it begins; swap the two")
        return self

    @property
    def span(self) -> tuple[float, float]:
        """First and last second, since the start, that it speaks of."""
        if self.between is not None:
            return self.between[0], self.between[1]
        return (self.at or 0.0), (self.at or 0.0)


EXPECTED = ("verdict", "desired", "at_least", "at_most", "current", "ready", "reason", "rule")


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class PolicyTestSpec(Part):
    """The policies, the deployment, its load, and what should come of it."""

    policies: Annotated[
        tuple[Text, ...],
        Field(min_length=1),
        BeforeValidator(_one_or_more, json_schema_input_type=str | list[str]),
    ] = Field(
        description="Files of the policies under test, relative to this one.",
        examples=[["../chat-small.yaml"]],
    )
    deployment: DeploymentUnderTest = Field(description="What they decide for.")
    others: tuple[DeploymentUnderTest, ...] = Field(
        default=(), description="Further deployments, for rules that follow another one."
    )
    timezone: TimeZone = Field(default="UTC", description="The zone of `start`.")
    start: LocalTime = Field(
        default="2026-01-05T00:00",
        description="When the test starts, as a local time; a Monday when left out.",
        examples=["2026-03-02T07:30"],
    )
    interval: Annotated[Duration, within(1, DAY)] = Field(
        default=60.0, description="From one value of a series to the next."
    )
    evaluate: Annotated[Duration, within(1, DAY)] | None = Field(
        default=None, description="From one decision to the next; `interval` when left out."
    )
    series: dict[SignalName, Series] = Field(
        default_factory=dict,
        description="The signals of the deployment, in promtool's notation.",
        examples=[{"requests": "0+10x5 _x3 stale 120x20"}],
    )
    events: tuple[WorldEvent, ...] = Field(
        default=(), description="What happens to the deployments meanwhile."
    )
    expect: Annotated[tuple[Expectation, ...], Field(min_length=1)] = Field(
        description="What should be decided, and when."
    )


class PolicyTest(Part):
    """What policies decide for a deployment under a given load."""

    api_version: Literal["trimtab.dev/v1"] = Field(
        alias="apiVersion", description="The version of this format."
    )
    kind: Literal["PolicyTest"] = Field(description="What the document is.")
    metadata: PolicyTestMetadata = Field(description="What it is called.")
    spec: PolicyTestSpec = Field(description="What it states.")
