"""``type: target``: keep a signal at a target per replica."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from trimtab.core.strategies.target import Target
from trimtab.policy.parts import SignalName
from trimtab.policy.strategies.interface import StrategyConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.policy.yaml_nodes import Path


class TargetConfig(StrategyConfig):
    """Keep a signal at a target per replica, in proportion, as the Kubernetes HPA does."""

    type: Literal["target"]
    signal: SignalName = Field(description="The signal to steer by, one of `spec.signals`.")
    target: Annotated[float, Field(gt=0)] = Field(
        description="What one replica should carry, in the unit of the signal.", examples=[24]
    )
    tolerance: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.1, description="How far off, as a share of the target, is still on target."
    )

    def reads(self) -> Iterable[tuple[Path, str]]:
        """Its one signal."""
        return ((("signal",), self.signal),)

    def build(self) -> Target:
        """The algorithm with these settings."""
        return Target(signal=self.signal, target=self.target, tolerance=self.tolerance)
