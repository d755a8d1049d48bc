"""``type: pass-through``: the signal is the count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trimtab.core.strategies.pass_through import PassThrough
from trimtab.core.strategies.stride import Stride
from trimtab.policy.parts import Count, SignalName
from trimtab.policy.strategies.interface import StrategyConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.policy.yaml_nodes import Path


class PassThroughConfig(StrategyConfig):
    """Ask for as many replicas as a signal says, rounded up, as the Nomad Autoscaler does."""

    type: Literal["pass-through"]
    signal: SignalName = Field(description="The signal that is the count, one of `spec.signals`.")
    max_scale_up: Count | None = Field(
        alias="maxScaleUp",
        default=None,
        description="The most replicas one proposal adds. For a speed use `behavior.scaleUp`.",
    )
    max_scale_down: Count | None = Field(
        alias="maxScaleDown",
        default=None,
        description="The most replicas one proposal removes. For a speed use `behavior.scaleDown`.",
    )

    def reads(self) -> Iterable[tuple[Path, str]]:
        """Its one signal."""
        return ((("signal",), self.signal),)

    def build(self) -> PassThrough:
        """The algorithm with these settings."""
        return PassThrough(
            signal=self.signal, stride=Stride(up=self.max_scale_up, down=self.max_scale_down)
        )
