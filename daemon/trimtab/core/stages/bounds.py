"""Stage 7, bounds: deployment ∩ policy ∩ accelerators of the shape, raised by the platform's floors.

Bounds win over rates: a count outside them is brought back in one step, whatever the limits say.
They do not win over the lifecycle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.decision import Reason
from trimtab.core.effective_bounds import effective_bounds
from trimtab.core.stages.draft import Block

if TYPE_CHECKING:
    from trimtab.core.bounds import Bounds
    from trimtab.core.stages.draft import Case, Draft

STAGE = "bounds"


def bounds(case: Case, draft: Draft) -> None:
    """Clamp the count into the effective bounds, or halt where they contradict each other."""
    allowed = draft.bounds
    if allowed is None or draft.may_be_zero:
        allowed = draft.bounds = effective_bounds(
            case.deployment,
            case.policy,
            draft.memory.user,
            current=case.current,
            now=case.now,
            may_be_zero=draft.may_be_zero,
            ceiling=case.ceiling,
        )
    if draft.halt is not None or draft.is_drain:
        draft.note(STAGE, f"would be {allowed}")
    elif allowed.is_conflict:
        draft.halt = Block(
            Reason.BOUNDS_CONFLICT,
            f"the bounds contradict each other: at least {allowed.lower.replicas} "
            f"({allowed.lower.set_by}), at most {allowed.upper.replicas} ({allowed.upper.set_by})",
        )
        draft.move(STAGE, case.current, draft.halt.reason, draft.halt.sentence)
    elif allowed.contains(draft.replicas):
        draft.note(STAGE, f"within {allowed}")
    else:
        _clamp(case, draft, allowed)


def _clamp(case: Case, draft: Draft, allowed: Bounds) -> None:
    current = case.current
    is_lower = draft.replicas < allowed.lower.replicas
    end = allowed.lower if is_lower else allowed.upper
    sentence = f"at {'least' if is_lower else 'most'} {end.replicas} ({end.set_by})"
    block = draft.up_block if end.replicas > current else draft.down_block
    if end.replicas != current and block is not None:
        draft.move(STAGE, current, block.reason, f"{sentence}, but {block.sentence}")
        return
    reason = _reason(case, draft, end.replicas, is_lower=is_lower)
    draft.move(STAGE, end.replicas, reason, sentence)


def _reason(case: Case, draft: Draft, end: int, *, is_lower: bool) -> Reason:
    current, wanted = case.current, draft.replicas
    if end == current:
        return Reason.AT_MIN if is_lower else Reason.AT_MAX
    is_cut_short = current < end < wanted or wanted < end < current
    return draft.reason if is_cut_short else Reason.BOUNDS
