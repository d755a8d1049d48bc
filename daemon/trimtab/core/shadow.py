"""The shadow life of a deployment whose policy only advises: what it would have, move by move.

A move that is advised counts as carried out at once: the next decision starts from the shadow's
count, and limits, cooldowns and windows look back at the shadow's moves. Load stays real, so per-replica
values are still divided by the replicas that really serve. Nothing of it is ever written.

The shadow begins at the count that is really asked for: when a policy first advises, whenever somebody
has changed the real bounds, and after any time in which nothing could have been written. When
the policy begins to enforce, the shadow's moves are forgotten, the real ones from before count again,
and the real count stands in the windows as the only wish, as at adoption.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.deployment import State
from trimtab.core.memory import At, Pair, RuleMemory, Shadow
from trimtab.core.moves import with_move
from trimtab.core.policy import Actuation, AtExpiry, Mode
from trimtab.core.stages.lifecycle import is_expired

if TYPE_CHECKING:
    from trimtab.core.decision import Decision
    from trimtab.core.deployment import Deployment
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.policy import Policy


def life_of(
    memory: DeploymentMemory,
    deployment: Deployment,
    policy: Policy,
    now: float,
    *,
    actual: int,
    is_writing: bool,
) -> tuple[DeploymentMemory, int]:
    """Return the memory and the count that a decision starts from: the shadow's, else ``actual``."""
    shadow = memory.shadow
    if policy.mode is Mode.ENFORCE and shadow is None:
        return memory, actual
    is_living = (
        policy.mode is Mode.ADVISE
        and not is_writing  # one that was sent before the policy changed its mode
        and _could_write(memory, deployment, policy, now)
    )
    wire = Pair(deployment.min_replicas, deployment.max_replicas)
    if is_living and shadow is not None and shadow.wire == wire:
        return memory, shadow.replicas
    if shadow is not None:
        memory = _without_shadow(memory, shadow, actual, now)
    if is_living:
        memory = memory._replace(
            shadow=Shadow(
                replicas=actual,
                since=now,
                wire=wire,
                moves=memory.moves,
                moved={rule: one.moved for rule, one in memory.damped.items() if one.moved},
            )
        )
    return memory, actual


def carried_out(memory: DeploymentMemory, decision: Decision, policy: Policy) -> DeploymentMemory:
    """Let the shadow do what was advised."""
    shadow = memory.shadow
    if shadow is None or decision.desired == decision.current:
        return memory
    change = At(decision.at, decision.desired - decision.current)
    memory = with_move(memory, change, rule=decision.rule, policies=(policy,))
    # `counted` as well: a move of the shadow's own is nobody else's.
    is_closed = decision.desired == 0 and policy.actuation is Actuation.PIN
    return memory._replace(
        counted=decision.desired,
        shadow=shadow._replace(replicas=decision.desired, is_closed=is_closed),
    )


def _could_write(
    memory: DeploymentMemory, deployment: Deployment, policy: Policy, now: float
) -> bool:
    if deployment.state not in (State.READY, State.UPDATING):
        return False
    if deployment.deleted_at is not None or deployment.purged_at is not None:
        return False
    if deployment.is_parked and memory.user.max_replicas == 0:
        return False
    return policy.at_expiry is AtExpiry.DRAIN or not is_expired(deployment, now)


def _without_shadow(
    memory: DeploymentMemory, shadow: Shadow, actual: int, now: float
) -> DeploymentMemory:
    found = (At(now, actual),)
    return memory._replace(
        shadow=None,
        moves=shadow.moves,
        lows=found,
        highs=found,
        counted=actual,
        damped={
            rule: RuleMemory(lows=found, highs=found, moved=shadow.moved.get(rule))
            for rule in memory.damped
        },
    )
