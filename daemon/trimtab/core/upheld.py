"""A wish that samples upheld after the decision it comes from: it stood until the last of them was heard.

Windows hold wishes at the moments at which they were decided on. A sample that changes no wish is not
decided on (``core/footing.py``), but what it upheld must count as if it had been, or a window would let go
of it too early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.windows import push_high, push_low

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.core.deployment import Deployment
    from trimtab.core.memories import Memories
    from trimtab.core.memory import DeploymentMemory, RuleMemory
    from trimtab.core.policy import Policy, Rule


def is_wish_told(memory: DeploymentMemory) -> bool:
    """Whether the windows tell what was wished last: wishes of one second share an entry."""
    lows, highs = memory.lows, memory.highs
    if lows and highs and lows[-1].replicas != highs[-1].replicas:
        return False
    return all(
        not one.lows or one.lows[-1].replicas == one.highs[-1].replicas
        for one in memory.damped.values()
    )


def uphold_all(
    memories: Memories,
    upheld: Mapping[str, float],
    fleet: Mapping[str, Deployment],
    policy_of: Callable[[Deployment], Policy | None],
) -> None:
    """Remember of each deployment that its last wish stood until then (UTC seconds)."""
    for name, until in upheld.items():
        deployment, memory = fleet.get(name), memories.get(name)
        policy = None if deployment is None else policy_of(deployment)
        if memory is not None and policy is not None:
            memories.keep(name, uphold(memory, policy, until))


def uphold(memory: DeploymentMemory, policy: Policy, until: float) -> DeploymentMemory:
    """Return ``memory`` with the last wish, and that of each damped rule, in its windows at ``until``.

    What had no wish at the last decision has none since: of the windows only those are touched whose
    newest entry is as new as any.
    """
    is_known = bool(memory.lows) and memory.demand_unknown_since is None
    times = [one.lows[-1].time for one in memory.damped.values() if one.lows]
    if is_known:
        times.append(memory.lows[-1].time)
    last = max(times, default=until)
    if last >= until:
        return memory
    if is_known and memory.lows[-1].time == last:
        memory = memory._replace(
            lows=push_low(
                memory.lows, policy.up.stabilization_seconds, until, memory.lows[-1].replicas
            ),
            highs=push_high(
                memory.highs, policy.down.stabilization_seconds, until, memory.highs[-1].replicas
            ),
        )
    if memory.damped:
        rules = {rule.name: rule for rule in policy.rules}
        damped = {
            name: _upheld(one, rules[name], until)
            if name in rules and one.lows and one.lows[-1].time == last
            else one
            for name, one in memory.damped.items()
        }
        memory = memory._replace(damped=damped)
    return memory


def _upheld(memory: RuleMemory, rule: Rule, until: float) -> RuleMemory:
    return memory._replace(
        lows=push_low(memory.lows, rule.up.stabilization_seconds, until, memory.lows[-1].replicas),
        highs=push_high(
            memory.highs, rule.down.stabilization_seconds, until, memory.highs[-1].replicas
        ),
    )
