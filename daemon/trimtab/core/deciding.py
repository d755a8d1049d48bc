"""One decision: the stages in their order, how it ends, the order that follows, and the last check of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.conclusions import conclude, isolated
from trimtab.core.orders import check, order_for
from trimtab.core.shadow import carried_out
from trimtab.core.stages.allocate import allocate, check_share
from trimtab.core.stages.behavior import behavior
from trimtab.core.stages.bounds import bounds
from trimtab.core.stages.combine import combine
from trimtab.core.stages.draft import Draft
from trimtab.core.stages.freshness import freshness
from trimtab.core.stages.group import group, tell_mates
from trimtab.core.stages.lifecycle import lifecycle
from trimtab.core.stages.override import override
from trimtab.core.stages.propose import propose

if TYPE_CHECKING:
    from trimtab.core.decision import Decision, Order
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.proposals import View
    from trimtab.core.stages.allocate import Share
    from trimtab.core.stages.draft import Case

STAGES = (freshness, propose, combine, group, lifecycle, override, behavior, bounds)
"""In the order they run. ``allocate`` stands after them: it needs what all others want."""


class Decided(NamedTuple):
    """A decision, the write that carries it out, what to remember (``None``: what was, is), what was seen."""

    decision: Decision
    order: Order | None = None
    memory: DeploymentMemory | None = None
    view: View | None = None


def decide(case: Case, memory: DeploymentMemory) -> Decided:
    """Decide on a deployment that shares nothing with others."""
    draft = drafted(case, memory)
    return draft if isinstance(draft, Decided) else decided(case, draft, None)


def drafted(case: Case, memory: DeploymentMemory) -> Draft | Decided:
    """Let stages 1 to 7 have their say. A bug in any of them holds this deployment, and changes nothing."""
    draft = Draft(memory=memory, replicas=case.current)
    try:
        for stage in STAGES:
            stage(case, draft)
        tell_mates(case, draft, memory.grouped)
    except Exception as bug:  # noqa: BLE001  one deployment is isolated; the fleet goes on
        return Decided(isolated(case, draft, bug))
    return draft


def decided(case: Case, draft: Draft, share: Share | None) -> Decided:
    """Let stage 8 have its say and conclude. A bug holds this deployment, and changes nothing."""
    try:
        allocate(case, draft, share)
        decision = conclude(case, draft)
        order = order_for(decision, case.deployment, case.policy, draft.memory.user)
        if order is not None:
            check(order, case.deployment, case.policy, case.now)
            check_share(order, share)
    except Exception as bug:  # noqa: BLE001  as above
        return Decided(isolated(case, draft, bug))
    remembered = carried_out(draft.memory, decision, case.policy)
    return Decided(decision, order, remembered, draft.view)
