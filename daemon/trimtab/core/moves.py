"""Remembers moves that were carried out, for the limits and cooldowns that look back at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.memory import At, DeploymentMemory
    from trimtab.core.policy import Policy


def with_move(
    memory: DeploymentMemory, change: At, *, rule: str, policies: Iterable[Policy]
) -> DeploymentMemory:
    """Remember ``change``, and that ``rule`` caused it if that rule has damping of its own.

    Moves that no limit and no cooldown of ``policies`` can still look back at are forgotten.
    """
    periods = [
        seconds
        for policy in policies
        for rules in (policy.up, policy.down)
        for seconds in (rules.cooldown_seconds, *(limit.period_seconds for limit in rules.limits))
    ]
    longest = max(periods, default=0.0)
    recent = tuple(move for move in memory.moves if change.time - move.time < longest)
    memory = memory._replace(moves=(*recent, change))
    if rule in memory.damped:
        caused = memory.damped[rule]._replace(moved=change)
        memory = memory._replace(damped={**memory.damped, rule: caused})
    return memory
