"""Stage 7, bounds: deployment ∩ policy ∩ accelerators of the shape, raised by the platform's floors.

Bounds win over rates: a count outside them is brought back in one step, whatever the limits say.
They do not win over the lifecycle.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.core.bounds import effective_bounds
from trimtab.core.decision import Reason
from trimtab.core.stages.draft import Block

if TYPE_CHECKING:
    from trimtab.core.bounds import Bounds
    from trimtab.core.stages.draft import Case, Draft

STAGE = "bounds"


def bounds(case: Case, draft: Draft) -> Draft:
    """Clamp the count into the effective bounds, or halt where they contradict each other."""
    allowed = effective_bounds(
        case.deployment, case.policy, draft.memory.user, current=case.current, now=case.now
    )
    draft = replace(draft, bounds=allowed)
    if draft.halt is not None or draft.is_drain:
        return draft.note(STAGE, f"would be {allowed}")
    if allowed.is_conflict:
        halt = Block(
            Reason.BOUNDS_CONFLICT,
            f"the bounds contradict each other: at least {allowed.lower.replicas} "
            f"({allowed.lower.set_by}), at most {allowed.upper.replicas} ({allowed.upper.set_by})",
        )
        return replace(draft, halt=halt).move(STAGE, case.current, halt.reason, halt.sentence)
    return _clamp(case, draft, allowed)


def _clamp(case: Case, draft: Draft, allowed: Bounds) -> Draft:
    current, wanted = case.current, draft.replicas
    if allowed.contains(wanted):
        return draft.note(STAGE, f"within {allowed}")
    end = allowed.lower if wanted < allowed.lower.replicas else allowed.upper
    word = "at least" if end is allowed.lower else "at most"
    block = draft.up_block if end.replicas > current else draft.down_block
    if end.replicas != current and block is not None:
        return draft.move(
            STAGE,
            current,
            block.reason,
            f"{word} {end.replicas} ({end.set_by}), but {block.sentence}",
        )
    return draft.move(
        STAGE,
        end.replicas,
        _reason(case, draft, end.replicas, is_lower=end is allowed.lower),
        f"{word} {end.replicas} ({end.set_by})",
    )


def _reason(case: Case, draft: Draft, end: int, *, is_lower: bool) -> Reason:
    current, wanted = case.current, draft.replicas
    if end == current:
        return Reason.AT_MIN if is_lower else Reason.AT_MAX
    is_cut_short = current < end < wanted or wanted < end < current
    return draft.reason if is_cut_short else Reason.BOUNDS
