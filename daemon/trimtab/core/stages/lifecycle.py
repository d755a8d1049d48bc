"""Stage 4, lifecycle: what the state and the timestamps of a deployment allow.

=========================  ======================================================================
CREATING                   no write until READY
READY                      act
UPDATING                   up only if the policy says so, never down; the wish is remembered
FAILED                     no write; the platform's own message is shown
DELETING, DELETED          no write, ever; so too once a delete or purge time is set
a word we do not know      no write
0/0, not written by us      parked by a person: no write
something else scales it    no write: two scalers of one thing fight for ever
actuation it cannot take    no write: a workload of Kubernetes has a count and no bounds
expired                    no write, or drain to 0 if the policy says so
expires too soon           no scale-up: a replica would serve for less than the minimum useful time
bounds just changed        no write for a grace period after somebody else changed them
replicas stuck             no scale-up: those asked for earlier have not come for too long
capacity refused           no scale-up for a pause that doubles with each refusal
a write is in flight       no second one until its outcome is known
=========================  ======================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from trimtab.core.decision import Reason
from trimtab.core.deployment import State, is_workload
from trimtab.core.maximum import range_words
from trimtab.core.memory import At
from trimtab.core.pipeline import asked_replicas, own_ready
from trimtab.core.policy import Actuation, AtExpiry, WhileUpdating
from trimtab.core.stages.draft import Block
from trimtab.core.watched import RefusalKind

if TYPE_CHECKING:
    from trimtab.core.deployment import Deployment
    from trimtab.core.policy import Policy
    from trimtab.core.stages.draft import Case, Draft
    from trimtab.core.watched import Watched

STAGE = "lifecycle"


def lifecycle(case: Case, draft: Draft) -> None:
    """Halt the decision, block a direction, or let it pass."""
    halt = (
        _ending(case.deployment)
        or _state(case.deployment)
        or _not_ours(case)
        or _in_flight(case)
        or _grace(case, draft)
    )
    if halt is not None:
        _halt(case, draft, halt)
    elif is_expired(case.deployment, case.now):
        _at_expiry(case, draft)
    elif case.deployment.is_parked and draft.memory.user.max_replicas == 0:
        _halt(case, draft, Block(Reason.PARKED, "parked at 0/0: a person has to wake it"))
    else:
        _while_updating(case, draft)
        _before_expiry(case, draft)
        _short_of_capacity(case, draft)
        _undo_what_is_blocked(case, draft)


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
        case State.READY | State.UPDATING | State.DELETING | State.DELETED:
            return None
        case State.CREATING:
            return Block(Reason.CREATING, "being created: waits for READY")
        case State.FAILED:
            message = deployment.status_message or "the platform gives no message"
            return Block(Reason.FAILED, f"failed: {message}")
        case State.UNKNOWN:
            word = deployment.state_text or "no state"
            why = f" ({deployment.status_message})" if deployment.status_message else ""
            return Block(Reason.UNKNOWN_STATE, f"in a state trimtab does not know: {word}{why}")
        case _:
            assert_never(deployment.state)


def _not_ours(case: Case) -> Block | None:
    """Halt for what is somebody else's to scale, or cannot be scaled as the policy wants it."""
    deployment, actuation = case.deployment, case.policy.actuation
    if deployment.other_scaler:
        return Block(
            Reason.OTHER_SCALER,
            f"{deployment.other_scaler} scales it too: nothing is written until that is gone",
        )
    if actuation is not Actuation.SCALE and is_workload(deployment.name):
        return Block(
            Reason.WRONG_ACTUATION,
            f"a workload of Kubernetes has a count and no bounds: policy {case.policy.name} says "
            f"`actuation: {actuation}`, only `scale` will do",
        )
    return None


def _in_flight(case: Case) -> Block | None:
    if not case.has_write_in_flight:
        return None
    return Block(Reason.WRITE_IN_FLIGHT, "a write is in flight: waits for its outcome")


def _at_expiry(case: Case, draft: Draft) -> None:
    if case.policy.at_expiry is AtExpiry.HOLD:
        _halt(case, draft, Block(Reason.EXPIRED, "expired: nothing is written any more"))
    elif case.current == 0:
        _halt(case, draft, Block(Reason.EXPIRED, "expired and drained"))
    else:
        draft.move(STAGE, 0, Reason.EXPIRY_DRAIN, "expired: drains to 0")
        draft.is_drain = True


def _while_updating(case: Case, draft: Draft) -> None:
    if case.deployment.state is not State.UPDATING:
        return
    block = Block(Reason.UPDATING, "the platform is rolling out a change")
    draft.down_block = block
    if case.policy.while_updating is WhileUpdating.HOLD:
        draft.up_block = block


def _before_expiry(case: Case, draft: Draft) -> None:
    expires_at = case.deployment.expires_at
    if expires_at is None:
        return
    left = expires_at - case.now
    if left >= case.lead_time_seconds + case.policy.minimum_useful_seconds:
        return
    draft.up_block = Block(
        Reason.EXPIRES_SOON,
        f"expires in {left:.0f} s: a replica takes {case.lead_time_seconds:.0f} s to start and "
        f"should serve {case.policy.minimum_useful_seconds:.0f} s",
    )


def _grace(case: Case, draft: Draft) -> Block | None:
    left = grace_left(draft.memory.watched, case.policy, case.now)
    if left <= 0 or case.deployment.is_parked:  # parked, there is nothing to write
        return None
    user = draft.memory.user
    return Block(
        Reason.OUT_OF_BAND,
        f"somebody else set the bounds to {range_words(user.min_replicas, user.max_replicas)}: "
        f"nothing is written for another {left:.0f} s",
    )


def grace_left(watched: Watched, policy: Policy, now: float) -> float:
    """Return for how many seconds more nothing is written after somebody else changed the bounds."""
    if watched.changed_at is None:
        return 0.0
    return max(0.0, watched.changed_at + policy.out_of_band_grace_seconds - now)


def _short_of_capacity(case: Case, draft: Draft) -> None:
    """Ask for no more while those asked for do not come, or were refused a moment ago."""
    watched = draft.memory.watched
    refusal = watched.refusal
    if draft.up_block is not None:
        return
    if refusal is not None and not refusal.is_over and case.now < refusal.until:
        is_quota = refusal.kind is RefusalKind.QUOTA
        times = "" if refusal.refusals == 1 else f" {refusal.refusals} times"
        draft.up_block = Block(
            Reason.QUOTA_EXCEEDED if is_quota else Reason.CAPACITY_REFUSED,
            f"{'the quota allows' if is_quota else 'the platform has'} no accelerators for more, "
            f"refused{times}: asks again in {refusal.until - case.now:.0f} s",
        )
    elif watched.stuck_at is not None:
        deployment = case.deployment
        missing = asked_replicas(deployment) - own_ready(deployment)
        draft.up_block = Block(
            Reason.STUCK,
            f"{missing} replicas asked for do not come ({deployment.pipeline.pending} pending), stuck "
            f"for {case.now - watched.stuck_at:.0f} s: asks for no more",
        )


def _undo_what_is_blocked(case: Case, draft: Draft) -> None:
    block = draft.up_block if draft.replicas > case.current else draft.down_block
    if draft.replicas == case.current or block is None:
        _let_pass(case, draft)
    else:
        _remember(case, draft)
        draft.move(STAGE, case.current, block.reason, block.sentence)


def _let_pass(case: Case, draft: Draft) -> None:
    wish = draft.memory.wish
    if wish is None:
        draft.note(STAGE, f"{case.deployment.state}: may act")
        return
    draft.memory = draft.memory._replace(wish=None)
    draft.note(
        STAGE,
        f"{case.deployment.state}: may act; {wish.replicas} were wished for "
        f"{case.now - wish.time:.0f} s ago, when it might not",
    )


def _halt(case: Case, draft: Draft, halt: Block) -> None:
    _remember(case, draft)
    draft.halt = halt
    draft.move(STAGE, case.current, halt.reason, halt.sentence)


def _remember(case: Case, draft: Draft) -> None:
    """Keep what was wished for, to be acted on when the lifecycle allows it again."""
    wish = At(case.now, draft.replicas) if draft.replicas != case.current else None
    if wish != draft.memory.wish:
        draft.memory = draft.memory._replace(wish=wish)
