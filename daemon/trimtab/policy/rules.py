"""A rule as SREs write it: one that asks for a count by a strategy, or one that holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union

from pydantic import Discriminator, Field, Tag, WrapValidator

from trimtab.core.roles import Blocks, Role
from trimtab.policy.damping import EitherWay
from trimtab.policy.parts import Part, RuleName, Text, Word
from trimtab.policy.plugins import validate_plugin_config
from trimtab.policy.registry import BUILT_IN
from trimtab.policy.times import TimeZone

if TYPE_CHECKING:
    from collections.abc import Collection

    from trimtab.policy.strategies.interface import StrategyConfig

    AnyStrategy: TypeAlias = StrategyConfig
else:
    AnyStrategy = Annotated[
        Union[tuple(kind.config for kind in BUILT_IN.values())],  # noqa: UP007  built, not written
        Field(discriminator="type"),
        WrapValidator(validate_plugin_config),
    ]


class RuleDocument(Part):
    """One line of reasoning that asks for a count."""

    name: RuleName = Field(description="Unique within the policy.")
    role: Annotated[Role, Word] = Field(
        description="`demand`: the largest wins; `floor` raises; `ceiling` caps; `hold` blocks.",
        json_schema_extra={"not": {"const": "hold"}},
    )
    strategy: AnyStrategy = Field(description="The algorithm, chosen by its `type`.")
    stabilization: EitherWay | None = Field(
        default=None,
        description="As in `spec.behavior`, on the wishes of this rule alone (0s).",
    )
    cooldown: EitherWay | None = Field(
        default=None,
        description="No further move by this rule for so long after a move that it caused (0s).",
    )


class HoldDocument(Part):
    """One line of reasoning that blocks a direction while a condition is true."""

    name: RuleName = Field(description="Unique within the policy.")
    role: Literal["hold"] = Field(description="It blocks, and asks for no count.")
    when: Text = Field(
        description="A condition in CEL over `signals`, `deployment` and `time`.",
        examples=["signals.errors > 0.05", "time.hour < 6"],
    )
    blocks: Annotated[Blocks, Word] = Field(description="What may not happen while it is true.")
    timezone: TimeZone = Field(
        default="UTC", description="IANA zone that `time` in the condition is local to."
    )


def _tag(rule: Any) -> str:
    """Which model a rule is held against; what is neither is told about as an ordinary rule."""
    if not isinstance(rule, dict):
        return "hold" if isinstance(rule, HoldDocument) else "rule"
    is_like_a_hold = "strategy" not in rule and ("when" in rule or "blocks" in rule)
    role = rule.get("role")
    is_hold = role == "hold" or (is_like_a_hold and role not in ("demand", "floor", "ceiling"))
    return "hold" if is_hold else "rule"


RULE_TAGS: dict[str, type[Part]] = {"rule": RuleDocument, "hold": HoldDocument}
"""The steps that pydantic puts into a ``loc`` below ``spec.rules``, which are no place in a file."""

AnyRule: TypeAlias = Annotated[
    Annotated[RuleDocument, Tag("rule")] | Annotated[HoldDocument, Tag("hold")],
    Discriminator(_tag),
]


CONVENTIONAL_SIGNALS = {
    "requests": "requests_per_second",
    "inFlight": "in_flight",
    "waiting": "waiting",
    "withinSlo": "within_slo",
}
"""What the strategy ``capacity`` reads in the rule of a policy that names none, by its own words."""


def default_rule(signals: Collection[str]) -> dict[str, Any] | None:
    """Return the rule of a policy that names none and has these signals, as in a file.

    ``None`` where the signals do not tell it of load and of what a replica carries.
    """
    if not {"requests_per_second", "in_flight"} <= set(signals):
        return None
    read = {key: name for key, name in CONVENTIONAL_SIGNALS.items() if name in signals}
    strategy = {"type": "capacity", **read}
    return {"name": "capacity", "role": "demand", "strategy": strategy}
