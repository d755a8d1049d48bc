"""``type: fixed``: always the same count."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trimtab.core.strategies.fixed import Fixed
from trimtab.policy.parts import Count
from trimtab.policy.strategies.interface import StrategyConfig


class FixedConfig(StrategyConfig):
    """Always the same count: for floors, ceilings, and deployments that should not move."""

    type: Literal["fixed"]
    replicas: Count = Field(description="How many replicas to ask for.")

    def build(self) -> Fixed:
        """The algorithm with these settings."""
        return Fixed(replicas=self.replicas)
