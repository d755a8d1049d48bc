"""Stage 4, lifecycle: what the state and the timestamps of a deployment allow.

=========================  ======================================================================
CREATING                   no write until READY
READY                      act
UPDATING                   up only if the policy says so, never down; the wish is remembered
FAILED                     no write; the platform's own message is shown
DELETING, DELETED          no write, ever; so too once a delete or purge time is set
a word we do not know      no write
0/0 on the wire            parked by a person: no write
expired                    no write, or drain to 0 if the policy says so
expires too soon           no scale-up: a replica would serve for less than the minimum useful time
a write is in flight       no second one until its outcome is known
=========================  ======================================================================
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from trimtab.core.decision import Reason
from trimtab.core.deployment import State
from trimtab.core.memory import At
from trimtab.core.policy import AtExpiry, WhileUpdating
from trimtab.core.stages.draft import Block

if TYPE_CHECKING:
    from trimtab.core.deployment import Deployment
    from trimtab.core.stages.draft import Case, Draft

STAGE = "lifecycle"


def lifecycle(case: Case, draft: Draft) -> Draft:
    """Halt the decision, block a direction, or let it pass."""
    halt = _ending(case.deployment) or _state(case.deployment)
    if halt is not None:
        return _halted(case, draft, halt)
    if case.has_write_in_flight:
        block = Block(Reason.WRITE_IN_FLIGHT, "a write is in flight: waits for its outcome")
        return _halted(case, draft, block)
    if is_expired(case.deployment, case.now):
        return _at_expiry(case, draft)
    if case.deployment.is_parked:
        return _halted(case, draft, Block(Reason.PARKED, "parked at 0/0: a person has to wake it"))
    checked = _before_expiry(case, _while_updating(case, draft))
    if checked.trail is not draft.trail:
        return checked
    return _may_act(case, checked)


def _may_act(case: Case, draft: Draft) -> Draft:
    wish = draft.memory.wish
    if wish is None:
        return draft.note(STAGE, f"{case.deployment.state}: may act")
    draft = replace(draft, memory=replace(draft.memory, wish=None))
    return draft.note(
        STAGE,
        f"{case.deployment.state}: may act; {wish.replicas} were wished for "
        f"{case.now - wish.time:.0f} s ago, when it might not",
    )


def is_expired(deployment: Deployment, now: float) -> bool:
    """Whether the expiry time has come. Some platforms delete then, others do nothing."""
    return deployment.expires_at is not None and deployment.expires_at <= now


def _ending(deployment: Deployment) -> Block | None:
    if deployment.state is State.DELETED:
        return Block(Reason.GONE, "deleted")
    if deployment.state is State.DELETING:
        return Block(Reason.DELETING, "being deleted")
    if deployment.deleted_at is not None or deployment.purged_at is not None:
        return Block(Reason.DELETING, "a time of deletion is set")
    return None


def _state(deployment: Deployment) -> Block | None:
    match deployment.state:
        case State.CREATING:
            return Block(Reason.CREATING, "being created: waits for READY")
        case State.FAILED:
            message = deployment.status_message or "the platform gives no message"
            return Block(Reason.FAILED, f"failed: {message}")
        case State.UNKNOWN:
            word = deployment.state_text or "no state"
            return Block(Reason.UNKNOWN_STATE, f"in a state trimtab does not know: {word}")
        case State.DELETING | State.DELETED | State.READY | State.UPDATING:
            return None
        case _:
            assert_never(deployment.state)


def _at_expiry(case: Case, draft: Draft) -> Draft:
    if case.policy.at_expiry is AtExpiry.HOLD:
        return _halted(case, draft, Block(Reason.EXPIRED, "expired: nothing is written any more"))
    if case.current == 0:
        return _halted(case, draft, Block(Reason.EXPIRED, "expired and drained"))
    drained = draft.move(STAGE, 0, Reason.EXPIRY_DRAIN, "expired: drains to 0")
    return replace(drained, is_drain=True)


def _while_updating(case: Case, draft: Draft) -> Draft:
    if case.deployment.state is not State.UPDATING:
        return draft
    block = Block(Reason.UPDATING, "the platform is rolling out a change")
    draft = replace(draft, down_block=block)
    if case.policy.while_updating is WhileUpdating.HOLD:
        draft = replace(draft, up_block=block)
    return _blocked(case, draft)


def _before_expiry(case: Case, draft: Draft) -> Draft:
    expires_at = case.deployment.expires_at
    if expires_at is None:
        return draft
    left = expires_at - case.now
    if left >= case.lead_time_seconds + case.policy.minimum_useful_seconds:
        return draft
    block = Block(
        Reason.EXPIRES_SOON,
        f"expires in {left:.0f} s: a replica takes {case.lead_time_seconds:.0f} s to start and "
        f"should serve {case.policy.minimum_useful_seconds:.0f} s",
    )
    return _blocked(case, replace(draft, up_block=block))


def _blocked(case: Case, draft: Draft) -> Draft:
    """Undo a move that is now forbidden, remembering what was wished for."""
    block = draft.up_block if draft.replicas > case.current else draft.down_block
    if block is None or draft.replicas == case.current:
        return draft
    draft = _remember(case, draft)
    return draft.move(STAGE, case.current, block.reason, block.sentence)


def _halted(case: Case, draft: Draft, halt: Block) -> Draft:
    draft = replace(_remember(case, draft), halt=halt)
    return draft.move(STAGE, case.current, halt.reason, halt.sentence)


def _remember(case: Case, draft: Draft) -> Draft:
    wish = At(case.now, draft.replicas) if draft.replicas != case.current else None
    return replace(draft, memory=replace(draft.memory, wish=wish))
