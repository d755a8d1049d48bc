"""A policy document as SREs write it. This model is the format: checks, schema and docs follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from trimtab.core.deployment import is_workload
from trimtab.core.policy import Actuation, AtExpiry, Mode, WhileUpdating
from trimtab.core.signals import OnMissing, Per
from trimtab.policy.damping import Behavior, Fallback
from trimtab.policy.parts import (
    DAY,
    Count,
    DeploymentName,
    Duration,
    Part,
    PolicyName,
    PositiveCount,
    SignalName,
    Text,
    Word,
    contradiction,
    exactly_one,
    require,
    within,
)
from trimtab.policy.rules import AnyRule, HoldDocument, RuleDocument, default_rule
from trimtab.policy.trouble import OutOfBand, Stuck

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

API_VERSION = "trimtab.dev/v1"


class Metadata(Part):
    """What a policy is called and who answers for it."""

    name: PolicyName = Field(
        description="Unique over all files: lower-case letters, digits and dashes, up to 63."
    )
    owner: Text | None = Field(default=None, description="Whom to ask about it.")


class Match(Part):
    """Patterns that a deployment must all match: shell globs, case-sensitive."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    base_model: Text | None = Field(
        alias="baseModel",
        default=None,
        description="Glob on the full name of the base model.",
        examples=["accounts/fireworks/models/llama-*"],
    )
    display_name: Text | None = Field(
        alias="displayName",
        default=None,
        description="Glob on the display name.",
        examples=["chat-*"],
    )
    region: Annotated[tuple[Text, ...], Field(min_length=1)] | None = Field(
        default=None, description="Regions, any of which will do.", examples=[["US_IOWA_1"]]
    )

    @model_validator(mode="after")
    def _matches_something(self) -> Self:
        require(self, ("base_model", "display_name", "region"), "at least one")
        return self


class Deployments(Part):
    """Which deployments obey the policy: one by its name, or all that match."""

    model_config = ConfigDict(json_schema_extra=exactly_one("name", "match"))

    name: DeploymentName | None = Field(
        default=None,
        description="Full resource name of one deployment.",
        examples=["accounts/acme/deployments/chat-prod"],
    )
    match: Match | None = Field(default=None, description="Patterns that must all match.")

    @model_validator(mode="after")
    def _names_or_matches(self) -> Self:
        require(self, ("name", "match"), "exactly one")
        return self


class Bounds(Part):
    """Narrows the range that the deployment itself allows; never widens it."""

    min: Count | None = Field(default=None, description="Never fewer replicas than this.")
    max: PositiveCount | None = Field(default=None, description="Never more replicas than this.")


class Accelerators(Part):
    """A limit in accelerators; the shape says how many each replica takes."""

    max: PositiveCount = Field(description="Never more accelerators, over all replicas.")


class Missing(Part):
    """What a missing or stale signal does to moves in each direction."""

    up: Annotated[OnMissing, Word] = Field(
        default=OnMissing.IGNORE, description="To scale-ups that other signals ask for."
    )
    down: Annotated[OnMissing, Word] = Field(
        default=OnMissing.BLOCK, description="To scale-downs that other signals ask for."
    )


class Signal(Part):
    """A named series about a deployment, and how fresh it must be to count."""

    source: Text = Field(description="A source that the settings name; never an address.")
    query: Text = Field(description="What to ask for, in the source's own language.")
    max_age: Annotated[Duration, within(1, DAY)] = Field(
        alias="maxAge", description="A value older than this is stale and decides nothing."
    )
    per: Annotated[Per, Word] = Field(
        default=Per.DEPLOYMENT, description="What the value is counted over."
    )
    missing: Missing = Field(
        default_factory=Missing, description="What happens while there is no fresh value."
    )


class Expiry(Part):
    """What happens towards and after the end of a deployment's life."""

    minimum_useful_time: Annotated[Duration, within(0, 7 * DAY)] = Field(
        alias="minimumUsefulTime",
        default=600.0,
        description="No replica is ordered that could not serve at least this long.",
    )
    at_expiry: Annotated[AtExpiry, Word] = Field(
        alias="atExpiry",
        default=AtExpiry.HOLD,
        description="Leave an expired deployment alone, or drain it to 0.",
    )


class Spec(Part):
    """What the policy orders."""

    deployments: Deployments = Field(description="Whom it is for.")
    mode: Annotated[Mode, Word] = Field(
        default=Mode.ENFORCE, description="`advise` decides and explains, and writes nothing."
    )
    actuation: Annotated[Actuation, Word] = Field(
        default=Actuation.PIN,
        description="How a count is written: `pin` both bounds, `floor` the lower, `scale` once. A workload of "
        "Kubernetes knows `scale` alone, which is the default where the policy names one.",
    )
    bounds: Bounds = Field(default_factory=Bounds, description="Allowed replica range.")
    accelerators: Accelerators | None = Field(default=None, description="Limit in accelerators.")
    signals: dict[SignalName, Signal] = Field(
        default_factory=dict, description="What it listens to, by the names that rules use."
    )
    rules: Annotated[tuple[AnyRule, ...], Field(min_length=1)] = Field(
        default=(),
        validate_default=False,
        description="What it reasons; the order does not matter. Left out: one rule with the strategy "
        "`capacity`, which needs the signals `requests_per_second` and `in_flight`.",
    )
    behavior: Behavior = Field(default_factory=Behavior, description="How fast it moves.")
    fallback: Fallback | None = Field(
        default=None, description="When every demand has been unknown for a while."
    )
    while_updating: Annotated[WhileUpdating, Word] = Field(
        alias="whileUpdating",
        default=WhileUpdating.HOLD,
        description="While the platform rolls out a change.",
    )
    expiry: Expiry = Field(default_factory=Expiry, description="Towards the end of its life.")
    lead_time: Annotated[Duration, within(1, 7200)] | None = Field(
        alias="leadTime",
        default=None,
        description="How long a replica takes to serve, until enough starts were seen; left out, what "
        "the settings say.",
    )
    out_of_band: OutOfBand = Field(
        alias="outOfBand",
        default_factory=OutOfBand,
        description="After somebody else changed the replica bounds.",
    )
    stuck: Stuck = Field(default_factory=Stuck, description="When replicas do not come.")
    hand_back: bool = Field(
        alias="handBack",
        default=False,
        description="At a clean stop of trimtab, restore the range that people had set.",
    )
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=100, description="Who is served first when accelerators are short; higher first."
    )

    @model_validator(mode="before")
    @classmethod
    def _reasons_by_default(cls, data: Any) -> Any:
        """Give a policy that names no rule the one that needs no tuning, if it hears what that needs."""
        if not isinstance(data, dict) or "rules" in data:
            return data
        signals = data.get("signals")
        rule = default_rule(signals if isinstance(signals, dict) else ())
        return data if rule is None else data | {"rules": (rule,)}

    @model_validator(mode="before")
    @classmethod
    def _scales_workloads(cls, data: Any) -> Any:
        """Let a policy that names a workload write counts: there is nothing else to write."""
        if not isinstance(data, dict) or "actuation" in data:
            return data
        whom = data.get("deployments")
        name = whom.get("name") if isinstance(whom, dict) else None
        is_one = isinstance(name, str) and is_workload(name)
        return data | {"actuation": Actuation.SCALE.value} if is_one else data

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        name = self.deployments.name
        if name is not None and is_workload(name) and self.actuation is not Actuation.SCALE:
            raise contradiction(
                f"`actuation: {self.actuation}` writes replica bounds, and a workload of Kubernetes has none",
                "write `actuation: scale`, or leave it out",
            )
        return self

    @model_validator(mode="after")
    def _has_rules(self) -> Self:
        if not self.rules:
            raise contradiction(
                "`spec.rules` is missing, and the signals are not those of the default rule",
                "give rules, or declare the signals `requests_per_second` and `in_flight`",
            )
        return self

    def strategy_rules(self) -> Iterator[tuple[int, RuleDocument]]:
        """The rules that ask for a count, each with its position in the list."""
        for index, rule in enumerate(self.rules):
            if isinstance(rule, RuleDocument):
                yield index, rule

    def holds(self) -> Iterator[tuple[int, HoldDocument]]:
        """The rules that block a direction, each with its position in the list."""
        for index, rule in enumerate(self.rules):
            if isinstance(rule, HoldDocument):
                yield index, rule


class ScalingPolicy(Part):
    """How the replicas of some deployments follow their load."""

    api_version: Literal["trimtab.dev/v1"] = Field(
        alias="apiVersion", description="The version of this format."
    )
    kind: Literal["ScalingPolicy"] = Field(description="What the document is.")
    metadata: Metadata = Field(description="What it is called.")
    spec: Spec = Field(description="What it orders.")
