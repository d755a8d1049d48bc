"""What serves now, by accelerator type, and what that costs an hour: kept up deployment by deployment."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.pipeline import own_ready

if TYPE_CHECKING:
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy


class Serving(NamedTuple):
    """What of one deployment is billed: accelerators of a type that serve."""

    accelerator_type: str
    accelerators: int


class Running:
    """Sums over all deployments, in whole accelerators: exact, in whatever order they were added up."""

    __slots__ = ("_by_type", "_serving")

    def __init__(self) -> None:
        self._serving: dict[str, Serving] = {}
        self._by_type: Counter[str] = Counter()

    def count(self, name: str, deployment: Deployment | None) -> None:
        """Count what ``name`` has serving, in place of what it had; ``None``: it is no more."""
        now = None if deployment is None else _serving(deployment)
        before = self._serving.get(name)
        if before == now:
            return
        if before is not None:
            self._by_type[before.accelerator_type] -= before.accelerators
            del self._serving[name]
        if now is not None:
            self._by_type[now.accelerator_type] += now.accelerators
            self._serving[name] = now

    def rate(self, policy: FleetPolicy) -> tuple[float, int]:
        """Return US dollars an hour, and how many accelerators serve whose price is unknown."""
        usd_an_hour, unpriced = 0.0, 0
        for kind, accelerators in sorted(self._by_type.items()):
            price = policy.usd_an_hour(kind)
            if price is None:
                unpriced += accelerators
            else:
                usd_an_hour += price * accelerators
        return usd_an_hour, unpriced


def rate_usd_an_hour(deployment: Deployment, policy: FleetPolicy) -> float | None:
    """Return what the replicas of ``deployment`` that serve cost an hour; ``None``: unknown."""
    now, price = _serving(deployment), policy.usd_an_hour(deployment.shape.accelerator_type)
    return None if now is None or price is None else now.accelerators * price


def _serving(deployment: Deployment) -> Serving | None:
    kind, each = deployment.shape.accelerator_type, deployment.shape.accelerators_per_replica
    return Serving(kind, own_ready(deployment) * each) if kind is not None and each else None
