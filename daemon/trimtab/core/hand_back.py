"""At a clean stop: give deployments back the range that people meant, so that the platform scales on.

A pin left behind is a deployment that nobody scales. ``handBack: true`` in the policy asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.decision import Order, Reason
from trimtab.core.deployment import State
from trimtab.core.policy import Actuation, Mode
from trimtab.core.stages.lifecycle import is_expired

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.core.deployment import Deployment
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.overrides import Standing
    from trimtab.core.policy import Policy


def hand_back_all(
    now: float,
    fleet: Mapping[str, Deployment],
    memories: Mapping[str, DeploymentMemory],
    policy_of: Callable[[Deployment], Policy | None],
    standing_at: Callable[[str, float], Standing],
) -> tuple[Order, ...]:
    """Return the writes that restore what people meant, of all that are remembered and in the fleet."""
    orders = []
    for name, memory in memories.items():
        deployment = fleet.get(name)
        policy = None if deployment is None else policy_of(deployment)
        if deployment is not None and policy is not None:
            orders.append(hand_back(deployment, memory, policy, standing_at(name, now), now))
    return tuple(order for order in orders if order is not None)


def hand_back(
    deployment: Deployment,
    memory: DeploymentMemory,
    policy: Policy,
    standing: Standing,
    now: float,
) -> Order | None:
    """Return the write that restores the user's range, or ``None`` where that is not ours to do.

    Only what trimtab wrote itself is undone: bounds that show anything else were set by somebody, and
    a range that was never more than a guess is not written as if it were known, nor one that states no
    maximum: its bounds are annotations, which trimtab never writes. A person's pause or
    pin outlives us. The deployment must be ``READY``: no other state allows a write.
    """
    user, written = memory.user, memory.written
    is_asked_for = policy.hand_back and policy.mode is Mode.ENFORCE
    if not is_asked_for or written is None or not user.is_believed:
        return None
    if user.max_replicas is None:
        return None
    if standing.pause is not None or standing.pin is not None:
        return None
    wire = (deployment.min_replicas, deployment.max_replicas)
    meant = (user.min_replicas, user.max_replicas)
    if wire != (written.min_replicas, written.max_replicas) or wire == meant:
        return None
    is_leaving = deployment.deleted_at is not None or deployment.purged_at is not None
    if deployment.state is not State.READY or is_leaving or is_expired(deployment, now):
        return None
    count = deployment.desired_replicas
    kept = min(max(count, user.min_replicas), user.max_replicas)
    return Order(
        deployment=deployment.name,
        policy=policy.name,
        at=now,
        actuation=Actuation.PIN,
        from_replicas=count,
        to_replicas=kept,
        min_replicas=user.min_replicas,
        max_replicas=user.max_replicas,
        expected_state=deployment.state_text or deployment.state.value,
        expected_min_replicas=deployment.min_replicas,
        expected_max_replicas=deployment.max_replicas,
        lower=user.min_replicas,
        upper=user.max_replicas,
        user_min_replicas=user.min_replicas,
        user_max_replicas=user.max_replicas,
        reason=Reason.HAND_BACK,
        sentence=(
            f"trimtab stops and hands back {user.min_replicas}-{user.max_replicas} "
            f"({user.origin}) at {count} replicas"
        ),
    )
