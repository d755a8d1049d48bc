"""Stage 5, override: a human's order wins over the rules, never over lifecycle and bounds.

=======  ==========================================================================================
pause    nothing is written, not even to bring a count back within its bounds or to drain at expiry
pin N    N takes the place of what the rules want, with data or without; no cooldown and no window
         delays it, while rate limits, the lifecycle and the bounds hold. Pin 0 is the explicit order
         by which the last replica may go, where the bounds allow none.
block    the rules may not move that way; the bounds and a drain at expiry still may
=======  ==========================================================================================

What the rules want meanwhile is remembered all the same, so that nothing jumps when the order ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.decision import Reason
from trimtab.core.overrides import NOTHING_ORDERED
from trimtab.core.stages.draft import Block

if TYPE_CHECKING:
    from trimtab.core.overrides import Override
    from trimtab.core.stages.draft import Case, Draft

STAGE = "override"


def override(case: Case, draft: Draft) -> None:
    """Do what a person ordered for this deployment; without an order nothing happens here."""
    standing = case.standing
    if standing is NOTHING_ORDERED:
        return
    if standing.pause is not None:
        _pause(case, draft, standing.pause)
    elif draft.halt is not None or draft.is_drain:
        for one in (standing.pin, standing.block_up, standing.block_down):
            if one is not None:
                draft.note(STAGE, f"{one.sentence(case.now)}; it has to wait")
    elif standing.pin is not None:
        _pin(case, draft, standing.pin)
    else:
        _block(case, draft, standing.block_up, standing.block_down)


def _pause(case: Case, draft: Draft, pause: Override) -> None:
    sentence = pause.sentence(case.now)
    if draft.halt is not None:
        draft.note(STAGE, sentence)  # what halted it already is the better reason
        return
    draft.halt = Block(Reason.PAUSED, sentence)
    draft.is_drain = False
    draft.move(STAGE, case.current, Reason.PAUSED, sentence)


def _pin(case: Case, draft: Draft, pin: Override) -> None:
    count = case.current if pin.replicas is None else pin.replicas
    draft.rule = ""
    draft.is_pinned = True
    draft.may_be_zero = draft.may_be_zero or count == 0
    draft.sentences.clear()  # what the rules wanted is in the trail; it is not the reason any more
    draft.move(STAGE, count, Reason.PINNED, pin.sentence(case.now))
    block = draft.up_block if count > case.current else draft.down_block
    if count != case.current and block is not None:
        draft.move(STAGE, case.current, block.reason, block.sentence)


def _block(case: Case, draft: Draft, up: Override | None, down: Override | None) -> None:
    is_up, is_down = draft.replicas > case.current, draft.replicas < case.current
    block = up if is_up else down if is_down else None
    if block is not None:
        sentence = block.sentence(case.now)
        draft.move(STAGE, case.current, Reason.BLOCKED_BY_OVERRIDE, sentence)
        return
    for one in (up, down):
        if one is not None:
            draft.note(STAGE, f"{one.sentence(case.now)}; nothing to stop now")
