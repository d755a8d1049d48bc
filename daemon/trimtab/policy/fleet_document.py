"""A Fleet as SREs write it: what there is for all deployments, and who comes first. The model is the format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from trimtab.policy.defaults import Defaults
from trimtab.policy.parts import (
    DAY,
    AcceleratorType,
    Count,
    Duration,
    Part,
    PolicyName,
    Text,
    require,
    within,
)
from trimtab.policy.times import TimeZone

if TYPE_CHECKING:
    from typing import Self

Usd = Annotated[float, Field(gt=0, le=1e12)]
UsdAnHour = Annotated[float, Field(gt=0, le=10_000)]


class FleetMetadata(Part):
    """What the document is called and who answers for it."""

    name: PolicyName = Field(
        description="Unique over all files: lower-case letters, digits and dashes, up to 63."
    )
    owner: Text | None = Field(default=None, description="Whom to ask about it.")


class QuotaDocument(Part):
    """How many accelerators there are for all deployments together."""

    accelerator: AcceleratorType = Field(
        description="The type, as the control plane writes it.", examples=["NVIDIA_H100_80GB"]
    )
    region: Text | None = Field(
        default=None,
        description="Only those in this region, or in all regions of a part of the world (`EU`: all `EU_…`); "
        "left out, all of the type. All quotas that count a replica hold.",
        examples=["EU_FRANKFURT_1"],
    )
    account: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[^/\s]+$")] | None = (
        Field(
            default=None,
            description="Only those of this account, as deployments are named: accounts/ACCOUNT/…, or clusters/ACCOUNT/…; left out, of all.",
            examples=["acme"],
        )
    )
    max: Count = Field(description="Never more than so many are asked for.")


class LimitDocument(Part):
    """The most that may be spent in a period."""

    usd: Usd = Field(description="US dollars.")
    warn_at: Annotated[float, Field(gt=0, le=1)] = Field(
        alias="warnAt", default=0.8, description="From which share of it on people are warned."
    )


class SpendDocument(Part):
    """Limits of spending, by period; days and months are those of `timezone`."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    hour: LimitDocument | None = Field(
        default=None, description="What all that runs may cost an hour: a limit of the rate."
    )
    day: LimitDocument | None = Field(default=None, description="The budget of a day.")
    month: LimitDocument | None = Field(default=None, description="The budget of a month.")

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        require(self, ("hour", "day", "month"), "at least one")
        return self


class TeamDeployments(Part):
    """Whose deployments are a team's: any of the patterns, or all of the annotations."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    names: Annotated[tuple[Text, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="Shell globs on the last part of the full name and on the display name.",
        examples=[["chat-*"]],
    )
    annotations: Annotated[dict[Text, Text], Field(min_length=1)] | None = Field(
        default=None,
        description="Annotations that a deployment must all have.",
        examples=[{"team": "research"}],
    )

    @model_validator(mode="after")
    def _selects_something(self) -> Self:
        require(self, ("names", "annotations"), "at least one")
        return self


ByType = Annotated[dict[AcceleratorType, Count], Field(min_length=1)]


class TeamDocument(Part):
    """Deployments that share a guarantee. All counts are accelerators, by their type."""

    name: PolicyName = Field(
        description="Unique over all files: lower-case letters, digits and dashes, up to 63."
    )
    deployments: TeamDeployments = Field(
        description="Whose they are; a deployment is of the first team that it fits."
    )
    priority: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None,
        description="Who is served first, higher first; left out, what each policy says.",
    )
    weight: Annotated[float, Field(gt=0, le=1_000_000)] = Field(
        default=1.0, description="How much a miss of this team counts beside another's."
    )
    guaranteed: ByType | None = Field(
        default=None, description="What the team gets before anybody gets more."
    )
    borrow: ByType | None = Field(
        default=None,
        description="How many beyond the guarantee it may hold; a type left out: any that are free.",
    )
    lend: ByType | None = Field(
        default=None,
        description="How many of the guaranteed ones others may use meanwhile; a type left out: all.",
    )
    protected: bool = Field(
        default=False, description="No limit of spending takes what is guaranteed."
    )


class FleetSpec(Part):
    """What there is, what it costs, and who comes first."""

    timezone: TimeZone = Field(
        default="UTC", description="The account's, in which its days and months end."
    )
    quotas: tuple[QuotaDocument, ...] = Field(
        default=(), description="The smallest of these and of the account's own counts."
    )
    prices: dict[AcceleratorType, UsdAnHour] = Field(
        default_factory=dict,
        description="US dollars an accelerator-hour, in place of the shipped prices.",
        examples=[{"NVIDIA_H100_80GB": 6.25}],
    )
    spend: SpendDocument | None = Field(default=None, description="Limits of spending.")
    teams: tuple[TeamDocument, ...] = Field(
        default=(), description="Who shares what; the first that a deployment fits counts."
    )
    preemption: Literal["never", "lower-priority"] = Field(
        default="never",
        description="Whether a replica that its deployment needs may be taken for another one.",
    )
    hold: Annotated[Duration, within(0, DAY)] = Field(
        default=1800.0,
        description="How long a replica that was taken over is kept at least, and over which a start "
        "is weighed against its gain.",
    )
    patience: Annotated[Duration, within(1, 7 * DAY)] = Field(
        default=900.0,
        description="Whenever somebody has waited so long, its wish counts twice as much.",
    )
    defaults: Defaults | None = Field(default=None, description="What policies leave out.")


class FleetDocument(Part):
    """What there is for all deployments together, and who comes first when it is not enough."""

    api_version: Literal["trimtab.dev/v1"] = Field(
        alias="apiVersion", description="The version of this format."
    )
    kind: Literal["Fleet"] = Field(description="What the document is.")
    metadata: FleetMetadata = Field(description="What it is called.")
    spec: FleetSpec = Field(description="What it orders.")
