"""A policy as the engine uses it: plain values, compiled from the documents that SREs edit.

The documents, their YAML and their diagnostics live in ``trimtab/policy``; nothing here parses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.core.deployment import Deployment
    from trimtab.core.expressions import Program
    from trimtab.core.roles import Blocks, Role
    from trimtab.core.signals import SignalSpec
    from trimtab.core.strategies.interface import Strategy


class Mode(StrEnum):
    """Whether decisions are carried out or only shown."""

    ENFORCE = "enforce"
    ADVISE = "advise"


class Actuation(StrEnum):
    """How a count is written: both bounds, the lower bound, or the scale verb."""

    PIN = "pin"
    FLOOR = "floor"
    SCALE = "scale"


class Select(StrEnum):
    """Which of several limits applies: the most permissive, the strictest, or no movement at all."""

    MAX = "max"
    MIN = "min"
    DISABLED = "disabled"


class WhileUpdating(StrEnum):
    """What may happen while the platform rolls out a change."""

    HOLD = "hold"
    UP = "up"


class AtExpiry(StrEnum):
    """What happens once a deployment has expired and still exists."""

    HOLD = "hold"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which deployments a policy is about: one full name, or patterns that must all match.

    Patterns are shell globs (``*``, ``?``, ``[…]``), case-sensitive. ``None`` matches everything.
    """

    name: str | None = None
    base_model: str | None = None
    display_name: str | None = None
    regions: tuple[str, ...] | None = None

    def matches(self, deployment: Deployment) -> bool:
        """Whether the policy applies to ``deployment``."""
        if self.name is not None:
            return deployment.name == self.name
        return (
            (self.base_model is None or fnmatchcase(deployment.base_model, self.base_model))
            and (
                self.display_name is None or fnmatchcase(deployment.display_name, self.display_name)
            )
            and (self.regions is None or deployment.region in self.regions)
        )

    def __str__(self) -> str:
        """Say whom it is about in the words of a policy file."""
        patterns = {
            "name": self.name,
            "baseModel": self.base_model,
            "displayName": self.display_name,
            "region": " or ".join(self.regions) if self.regions else None,
        }
        told = [f"{key} {pattern}" for key, pattern in patterns.items() if pattern is not None]
        return ", ".join(told) or "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How far one direction may move within a period: a share of the count, or a number of replicas."""

    period_seconds: float
    percent: int | None = None
    replicas: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRules:
    """One direction's behaviour. No limits means no rate limit.

    ``cooldown_seconds``: no move this way sooner than that after the last move, either way.
    """

    stabilization_seconds: float
    limits: tuple[Limit, ...] = ()
    select: Select = Select.MAX
    cooldown_seconds: float = 0.0


DEFAULT_UP = MoveRules(
    stabilization_seconds=0.0,
    limits=(Limit(percent=100, period_seconds=60.0), Limit(replicas=4, period_seconds=60.0)),
)
DEFAULT_DOWN = MoveRules(
    stabilization_seconds=300.0, limits=(Limit(percent=50, period_seconds=60.0),)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damping:
    """One direction of one rule: its own window, and its own pause after a move that it caused."""

    stabilization_seconds: float = 0.0
    cooldown_seconds: float = 0.0


NO_DAMPING = Damping()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of reasoning that asks for a count."""

    name: str
    role: Role
    strategy: Strategy
    up: Damping = NO_DAMPING
    down: Damping = NO_DAMPING


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRule:
    """One line of reasoning that blocks a direction while ``condition`` is true."""

    name: str
    condition: Program
    blocks: Blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """What to do once every demand has been unknown for ``after_seconds``.

    ``replicas`` raises to that count and never lowers; ``None`` leaves the count as it is. Of KEDA's
    behaviours the first is ``static`` and ``currentReplicasIfHigher``, the second ``currentReplicas``
    and ``currentReplicasIfLower``, as far as they do not lower on missing data.
    """

    after_seconds: float
    replicas: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleToZero:
    """Let the last replica go after ``after_seconds`` without demand; any load on ``wake_on`` brings one back."""

    after_seconds: float
    wake_on: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What SREs ordered for the deployments that ``selector`` matches.

    ``origin`` is the file and line it came from, for explanations. ``lead_time_seconds`` is the
    start value for "asked until serving"; ``None`` leaves it to the settings.
    ``out_of_band_grace_seconds``: how long nothing is written after somebody else changed the bounds.
    ``stuck_after_seconds``: how long replicas may be waited for; ``None`` takes the 99th percentile of
    what was learned. ``fallback_to`` are full names of deployments that step in, in this order.
    """

    name: str
    selector: Selector
    rules: tuple[Rule, ...]
    holds: tuple[HoldRule, ...] = ()
    signals: tuple[SignalSpec, ...] = ()
    owner: str = ""
    mode: Mode = Mode.ENFORCE
    actuation: Actuation = Actuation.PIN
    min_replicas: int | None = None
    max_replicas: int | None = None
    accelerators_max: int | None = None
    up: MoveRules = field(default=DEFAULT_UP)
    down: MoveRules = field(default=DEFAULT_DOWN)
    fallback: Fallback | None = None
    scale_to_zero: ScaleToZero | None = None
    while_updating: WhileUpdating = WhileUpdating.HOLD
    minimum_useful_seconds: float = 600.0
    at_expiry: AtExpiry = AtExpiry.HOLD
    out_of_band_grace_seconds: float = 120.0
    stuck_after_seconds: float | None = None
    fallback_to: tuple[str, ...] = ()
    hand_back: bool = False
    lead_time_seconds: float | None = None
    priority: int = 100
    origin: str = ""
