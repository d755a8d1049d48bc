"""Remembers moves that were carried out, for the limits and cooldowns that look back at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.memory import At, DeploymentMemory
    from trimtab.core.policy import Policy


def with_move(
    memory: DeploymentMemory,
    change: At,
    *,
    rule: str,
    policies: Iterable[Policy],
    is_certain: bool = True,
) -> DeploymentMemory:
    """Remember ``change``, and that ``rule`` caused it if that rule has damping of its own.

    One that is not certain to have been made at that time must neither be made again too soon nor give
    room for a move the other way. Moves that no limit and no cooldown of ``policies`` can still look back at are forgotten.
    """
    periods = [
        seconds
        for policy in policies
        for rules in (policy.up, policy.down)
        for seconds in (rules.cooldown_seconds, *(limit.period_seconds for limit in rules.limits))
    ]
    longest = max(periods, default=0.0)
    before = memory.moves if is_certain else memory.doubtful_moves
    recent = (*(move for move in before if change.time - move.time < longest), change)
    memory = memory._replace(moves=recent) if is_certain else memory._replace(doubtful_moves=recent)
    if rule in memory.damped:
        caused = memory.damped[rule]._replace(moved=change)
        memory = memory._replace(damped={**memory.damped, rule: caused})
    return memory


def with_move_seen(
    memory: DeploymentMemory, change: At, *, policies: Iterable[Policy]
) -> DeploymentMemory:
    """Remember ``change``, found on the wire after its write had seemed lost, as made just now.

    It may have been made earlier, which is not known; limits and cooldowns hold the longer for it. What
    was remembered of it as a move that may have been made is replaced.
    """
    if change.replicas == 0:
        return memory
    others = tuple(one for one in memory.doubtful_moves if one.replicas != change.replicas)
    return with_move(memory._replace(doubtful_moves=others), change, rule="", policies=policies)
