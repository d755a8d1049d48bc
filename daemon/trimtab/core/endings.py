"""What is remembered once it is known how an order ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.adoption import wrote
from trimtab.core.capacity import after_outcome
from trimtab.core.decision import Reason, WriteStatus
from trimtab.core.memory import At
from trimtab.core.moves import with_move
from trimtab.core.pipeline import asked
from trimtab.errors import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.decision import Outcome
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.policy import Policy


def after_ending(
    memory: DeploymentMemory,
    outcome: Outcome,
    policies: Iterable[Policy],
    *,
    is_timed: bool,
    is_shared: bool = False,
) -> DeploymentMemory:
    """Return what is remembered after ``outcome``: its move, its wire, its refusal. ``VOID`` never was.

    ``policies`` are those in force. ``is_timed``: that an order taken over from an earlier run was
    carried out is known, and not when. ``is_shared``: a refusal for the quota is the fleet's matter.
    """
    order, status = outcome.order, outcome.status
    if status is WriteStatus.VOID:
        return memory
    if order.reason is Reason.HAND_BACK:  # no move of ours: the platform's from here on
        return wrote(memory, outcome)
    if status is not WriteStatus.NOT_APPLIED:
        memory = with_move(
            memory,
            At(outcome.at, order.to_replicas - order.from_replicas),
            rule=order.rule,
            policies=[one for one in policies if one.name == order.policy],
            is_certain=status is WriteStatus.APPLIED and is_timed,
        )
    if status is WriteStatus.APPLIED:  # when it is seen, it is nobody else's move
        memory = memory._replace(counted=order.to_replicas)
    watched = asked(memory.watched, outcome, is_timed=is_timed)
    refusal = watched.refusal
    if not (is_shared and outcome.error_kind == ErrorKind.QUOTA_EXCEEDED):
        refusal = after_outcome(refusal, outcome)
    return wrote(memory._replace(watched=watched._replace(refusal=refusal)), outcome)
