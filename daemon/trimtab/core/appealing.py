"""Who is stuck and asks for help, and whom a step is to help: as memories and policies say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.policy import Mode
from trimtab.core.stages.relief import reliefs
from trimtab.core.ties import Ties

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from trimtab.core.deployment import Deployment
    from trimtab.core.memories import Memories
    from trimtab.core.policy import Policy
    from trimtab.core.stages.relief import Relief


def hear_appeal(
    ties: Ties,
    memories: Memories,
    deployment: Deployment,
    policy_of: Callable[[Deployment], Policy | None],
) -> None:
    """Take in whom a deployment asks for help while it is stuck."""
    policy = policy_of(deployment)
    is_asking = (
        deployment.name in memories.stuck and policy is not None and policy.mode is Mode.ENFORCE
    )
    helpers = policy.fallback_to if is_asking and policy is not None else ()
    ties.ask(deployment.name, helpers)


def hear_all_appeals(
    memories: Memories,
    fleet: Mapping[str, Deployment],
    policy_of: Callable[[Deployment], Policy | None],
) -> Ties:
    """Return new ties that know of everybody who is stuck."""
    ties = Ties()
    for name in memories.stuck:
        if name in fleet:
            hear_appeal(ties, memories, fleet[name], policy_of)
    return ties


def helping(
    ties: Ties,
    memories: Memories,
    now: float,
    due: Collection[str],
    fleet: Mapping[str, Deployment],
    policy_of: Callable[[Deployment], Policy | None],
) -> dict[str, tuple[Relief, ...]]:
    """Return whom those that are due make up for, as it stands before any of them is decided on.

    Those who are stuck themselves have been: they help nobody.
    """
    asked = ties.appeals.helpers
    helpers = [name for name in due if name in asked] if asked else ()
    if not helpers:
        return {}
    return reliefs(ties.appeals, helpers, now, fleet, memories.by_name, policy_of)
