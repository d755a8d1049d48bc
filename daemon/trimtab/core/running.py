"""What serves now, by accelerator type, and what that costs an hour: kept up deployment by deployment."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.fleet_policy import account_of
from trimtab.core.pipeline import own_ready

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy


class Serving(NamedTuple):
    """What of one deployment is billed: accelerators of a type that serve."""

    accelerator_type: str
    accelerators: int


class Running:
    """Sums over all deployments, in whole accelerators: exact, in whatever order they were added up."""

    __slots__ = ("_by_account", "_serving")

    def __init__(self) -> None:
        self._serving: dict[str, Serving] = {}
        self._by_account: Counter[tuple[str, str]] = Counter()

    @property
    def by_account(self) -> Mapping[tuple[str, str], int]:
        """Accelerators that serve, by account and type; live."""
        return self._by_account

    def count(self, name: str, deployment: Deployment | None) -> None:
        """Count what ``name`` has serving, in place of what it had; ``None``: it is no more."""
        now = None if deployment is None else _serving(deployment)
        before = self._serving.get(name)
        if before == now:
            return
        account = account_of(name)
        if before is not None:
            self._by_account[account, before.accelerator_type] -= before.accelerators
            del self._serving[name]
        if now is not None:
            self._by_account[account, now.accelerator_type] += now.accelerators
            self._serving[name] = now


def rate_of(by_account: Mapping[tuple[str, str], int], policy: FleetPolicy) -> tuple[float, int]:
    """Return US dollars an hour, and how many of these accelerators have no known price."""
    by_type: Counter[str] = Counter()
    for (_, kind), accelerators in by_account.items():
        by_type[kind] += accelerators
    usd_an_hour, unpriced = 0.0, 0
    for kind, accelerators in sorted(by_type.items()):
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
