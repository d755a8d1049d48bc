"""Accelerator quotas: what is in use, what may still be asked for, and how a refusal reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.emulator.hardware import ACCELERATORS
from trimtab.emulator.refusals import exhausted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.emulator.deployment import Deployment
    from trimtab.emulator.messages import Value
    from trimtab.emulator.roster import Roster


@dataclass(slots=True)
class Quota:
    """One limit. ``value`` is enforced; ``maximum`` is how far its owner may raise it.

    ``usage`` is what is in use beside the deployments: dollars, requests, or accelerators that train.
    """

    id: str
    value: int
    maximum: int
    updated_at: float
    accelerator_type: str | None = None
    usage: float = 0.0


def quota_id(accelerator_type: str) -> str | None:
    """Return the quota that limits this type, ``None`` for a type that has none."""
    part = ACCELERATORS.get(accelerator_type)
    return None if part is None else f"global--{part.quota_name}-count"


def starting_quotas(accelerators: int, now: float) -> dict[str, Quota]:
    """Return the quotas of a new account: ``accelerators`` of each type, spend and rate limits."""
    quotas = [
        Quota(f"global--{part.quota_name}-count", accelerators, accelerators, now, kind)
        for kind, part in ACCELERATORS.items()
    ]
    quotas.append(Quota("monthly-spend-usd", 5000, 50_000, now))
    quotas.append(Quota("serverless-inference-rpm", 6000, 6000, now))
    return {quota.id: quota for quota in quotas}


def in_use(deployments: Iterable[Deployment], accelerator_type: str) -> int:
    """Return the accelerators of this type that live deployments hold or wait to be scheduled on."""
    return sum(
        deployment.held
        for deployment in deployments
        if deployment.accelerator_type == accelerator_type
    )


def require(
    quotas: dict[str, Quota],
    deployments: Roster,
    account: str,
    accelerator_type: str,
    requesting: int,
) -> None:
    """Refuse with 429 when ``requesting`` more accelerators would exceed the quota."""
    quota = quotas.get(quota_id(accelerator_type) or "")
    if quota is None or requesting <= 0:
        return
    used = deployments.held(accelerator_type) + quota.usage
    if used + requesting > quota.value:
        raise exhausted(
            f"{quota.id} for account {account}, in use: {used:g}, quota: {quota.value}, "
            f"requesting: {requesting}"
        )


def grantable(quotas: dict[str, Quota], deployments: Roster, deployment: Deployment) -> int:
    """Return how many replicas of ``deployment`` the quota covers now. Held ones are kept."""
    quota = quotas.get(quota_id(deployment.accelerator_type) or "")
    if quota is None:
        return deployment.desired
    used_by_others = deployments.held(deployment.accelerator_type) + int(quota.usage)
    if deployments.has(deployment):
        used_by_others -= deployment.held
    room = max(0, quota.value - used_by_others) // deployment.accelerators
    return min(deployment.desired, max(room, deployment.granted))


def message_value(account: str, quota: Quota, usage: float) -> Value:
    """Return the Quota message in canonical form."""
    return {
        "name": f"accounts/{account}/quotas/{quota.id}",
        "value": quota.value,
        "maxValue": quota.maximum,
        "usage": usage,
        "updateTime": quota.updated_at,
    }
