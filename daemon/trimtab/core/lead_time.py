"""How long a replica takes from being asked for until it serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.deployment import Deployment


DEFAULT_SECONDS = 300.0
"""Start value: cold starts of 75 s to 10 minutes are reported for the first control plane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadTimes:
    """Start values in seconds: per accelerator type where stated, else ``default_seconds``."""

    default_seconds: float = DEFAULT_SECONDS
    by_accelerator: Mapping[str, float] = field(default_factory=dict)

    def of(self, deployment: Deployment) -> float:
        """Return the lead time to plan with for ``deployment``."""
        kind = deployment.shape.accelerator_type
        if kind is None:
            return self.default_seconds
        return self.by_accelerator.get(kind, self.default_seconds)
