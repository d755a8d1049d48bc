"""``type: ratio``: follow the replicas of another deployment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trimtab.core.strategies.ratio import Counted, Ratio
from trimtab.policy.parts import DeploymentName, Word
from trimtab.policy.strategies.interface import StrategyConfig


class RatioConfig(StrategyConfig):
    """So many replicas for each replica of another deployment, plus a constant."""

    type: Literal["ratio"]
    of: DeploymentName = Field(
        description="Full name of the deployment to follow; trimtab must see it, not scale it.",
        examples=["accounts/acme/deployments/chat-prod"],
    )
    ratio: Annotated[float, Field(gt=0, le=1000)] = Field(
        description="Replicas for each replica of the other, rounded up in all.", examples=[0.5]
    )
    offset: Annotated[int, Field(ge=-1000, le=1000)] = Field(
        default=0, description="Replicas added to that; negative takes away."
    )
    by: Annotated[Counted, Word] = Field(
        default=Counted.ASKED,
        description="Count what is `asked` for there, or only what is `ready`.",
    )

    def build(self) -> Ratio:
        """The algorithm with these settings."""
        return Ratio(of=self.of, ratio=self.ratio, offset=self.offset, by=self.by)
