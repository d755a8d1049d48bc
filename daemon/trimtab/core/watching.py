"""Takes in what the control plane shows of a deployment, and tells each change once, as an event.

What was told is remembered (``core/watched.py``), so that neither the next tick nor a restart tells it
again. Nothing here decides: the stages read what is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.core.adoption import notice
from trimtab.core.capacity import after_look
from trimtab.core.decision import Event, EventKind
from trimtab.core.deployment import NO_SHAPE, Shape, State
from trimtab.core.lead_time import LeadTimes, key_of
from trimtab.core.memory import At, Pair
from trimtab.core.moves import with_move_seen
from trimtab.core.pipeline import (
    WAITING_STATES,
    asked_replicas,
    follow,
    own_ready,
    stuck_after_seconds,
    unmeasured,
    waiting_since,
)
from trimtab.core.stages.lifecycle import is_expired
from trimtab.core.watched import Mark, RefusalKind, Watched

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.core.deployment import Deployment
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.policy import Policy

MINIMUM_USEFUL_SECONDS = 600.0
"""For a deployment that no policy speaks of any more."""


@dataclass(slots=True, kw_only=True)
class Look:
    """One look at the fleet: the time, the events so far, and what is known of lead times."""

    now: float
    policy_of: Callable[[Deployment], Policy | None]
    lead_times: LeadTimes
    events: list[Event] = field(default_factory=list)

    def tell(
        self, deployment: str, kind: EventKind, sentence: str, before: str = "", after: str = ""
    ) -> None:
        """Add an event."""
        self.events.append(
            Event(
                deployment=deployment,
                at=self.now,
                kind=kind,
                sentence=sentence,
                before=before,
                after=after,
            )
        )


def watch(
    look: Look, memory: DeploymentMemory, deployment: Deployment, *, in_flight: Pair | None
) -> DeploymentMemory:
    """Compare ``deployment`` with what is remembered of it; tell and remember what is new."""
    if memory.gone_at is not None:
        memory = memory._replace(gone_at=None)
        look.tell(deployment.name, EventKind.RETURNED, "is there again: an earlier list lacked it")
    watched = before = memory.watched
    if deployment.shape is not watched.shape and deployment.shape != watched.shape:
        memory, watched = _reshaped(look, memory, watched, deployment)
    if memory.state is not deployment.state:
        memory, watched = _changed_state(look, memory, watched, deployment)
    watched = _edges(look, watched, deployment)
    watched = _capacity(look, watched, deployment)
    if (deployment.min_replicas, deployment.max_replicas) != in_flight:
        # Else it is our own write, seen before its outcome came back.
        memory = _moved_after_all(look, memory, deployment)
        memory, event = notice(memory, deployment, look.now)
        if event is not None:
            look.events.append(event)
            watched = watched._replace(changed_at=look.now)
    return memory if watched is before else memory._replace(watched=watched)


def _moved_after_all(
    look: Look, memory: DeploymentMemory, deployment: Deployment
) -> DeploymentMemory:
    """Count the move of a write that was believed lost from when it is seen, if it was one."""
    count, before = deployment.min_replicas, memory.counted
    if before is None or Pair(count, deployment.max_replicas) not in memory.doubtful:
        return memory
    policy = look.policy_of(deployment)
    policies = () if policy is None else (policy,)
    return with_move_seen(memory, At(look.now, count - before), policies=policies)


def first_look(look: Look, memory: DeploymentMemory, deployment: Deployment) -> DeploymentMemory:
    """Begin to watch: the hardware as found, and whatever already holds (an expiry, a floor)."""
    watched = memory.watched._replace(shape=deployment.shape)
    watched = _capacity(look, _edges(look, watched, deployment), deployment)
    return memory._replace(watched=watched)


# -- state and shape ----------------------------------------------------------------------------


def _changed_state(
    look: Look, memory: DeploymentMemory, watched: Watched, deployment: Deployment
) -> tuple[DeploymentMemory, Watched]:
    before, after = memory.state, deployment.state
    sentence = f"went from {before} to {after}"
    if after is State.FAILED:
        sentence += f": {deployment.status_message or 'the platform gives no message'}"
        if watched.asks:
            look.lead_times = look.lead_times.with_failure(key_of(deployment))
            watched = unmeasured(watched, look.now)
    look.tell(deployment.name, EventKind.STATE_CHANGED, sentence, before.value, after.value)
    return memory._replace(state=after), watched


def _reshaped(
    look: Look, memory: DeploymentMemory, watched: Watched, deployment: Deployment
) -> tuple[DeploymentMemory, Watched]:
    """Take over the hardware; forget what was learned of the other, keep what was heard of load.

    What could not be read (``None``) is no change: the shape may merely be unreadable for now.
    """
    old, new = watched.shape, deployment.shape
    known = _merged(old, new)
    if not _is_other_hardware(old, new):
        return memory, watched._replace(shape=known)
    policy = look.policy_of(deployment)
    forgetful = {
        rule.name
        for rule in (() if policy is None else policy.rules)
        if getattr(rule.strategy, "forgets_with_hardware", False)
    }
    forgotten = sorted(forgetful & memory.rules.keys())
    sentence = f"its hardware changed from {_in_words(old)} to {_in_words(known)}"
    if forgotten:
        sentence += f"; forgotten is what {', '.join(forgotten)} knew of the other"
    look.tell(deployment.name, EventKind.SHAPE_CHANGED, sentence, _in_words(old), _in_words(known))
    kept = {name: one for name, one in memory.rules.items() if name not in forgetful}
    watched = unmeasured(watched, look.now)
    if watched.refusal is not None:
        watched = watched._replace(refusal=watched.refusal._replace(is_over=True))
    watched = watched._replace(shape=known)
    return memory._replace(rules=kept), watched


_HARDWARE = ("name", "accelerator_type", "accelerators_per_replica", "precision")


def _is_other_hardware(old: Shape, new: Shape) -> bool:
    pairs = ((getattr(old, end), getattr(new, end)) for end in _HARDWARE)
    return any(one is not None and other is not None and one != other for one, other in pairs)


def _merged(old: Shape, new: Shape) -> Shape:
    if old == NO_SHAPE or _is_other_hardware(old, new):
        return new
    return Shape(
        name=old.name if new.name is None else new.name,
        accelerator_type=(
            old.accelerator_type if new.accelerator_type is None else new.accelerator_type
        ),
        accelerators_per_replica=(
            old.accelerators_per_replica
            if new.accelerators_per_replica is None
            else new.accelerators_per_replica
        ),
        precision=old.precision if new.precision is None else new.precision,
        preset=old.preset if new.preset is None else new.preset,
        parameter_count=old.parameter_count if new.parameter_count is None else new.parameter_count,
    )


def _in_words(shape: Shape) -> str:
    count = "?" if shape.accelerators_per_replica is None else shape.accelerators_per_replica
    parts = [f"{count} x {shape.accelerator_type or 'unknown accelerators'}", shape.precision]
    named = [] if shape.name is None else [shape.name.rpartition("/")[2]]
    return " ".join([*named, *(part for part in parts if part)])


# -- points in its life -------------------------------------------------------------------------


def _edges(look: Look, watched: Watched, deployment: Deployment) -> Watched:
    """Tell the platform's schedules that began or ended, and the points of its end that were passed."""
    if deployment.schedule_floors or watched.floors:
        watched = _floors(look, watched, deployment)
    is_ending = deployment.deleted_at is not None or deployment.purged_at is not None
    if not is_ending and deployment.expires_at is None and not watched.marks:
        return watched
    marks: list[Mark] = []
    if is_ending:
        marks.append(Mark.DELETION_SET)
    if is_expired(deployment, look.now):
        marks.append(Mark.EXPIRED)
    elif deployment.expires_at is not None:
        policy = look.policy_of(deployment)
        useful = MINIMUM_USEFUL_SECONDS if policy is None else policy.minimum_useful_seconds
        stated = None if policy is None else policy.lead_time_seconds
        left = deployment.expires_at - look.now
        if left < look.lead_times.of(deployment, stated).p90_seconds + useful:
            marks.append(Mark.EXPIRY_NEAR)
    if tuple(marks) == watched.marks:
        return watched
    for mark in marks:
        if mark not in watched.marks:
            look.tell(deployment.name, EventKind(mark.value), _passed(mark, look.now, deployment))
    return watched._replace(marks=tuple(marks))


def _passed(mark: Mark, now: float, deployment: Deployment) -> str:
    if mark is Mark.DELETION_SET:
        return "a time of deletion is set: trimtab writes nothing any more"
    if mark is Mark.EXPIRED:
        return "its expiry time has come"
    left = (deployment.expires_at or now) - now
    return f"expires in {left:.0f} s: from now on a new replica would start for too little"


def _floors(look: Look, watched: Watched, deployment: Deployment) -> Watched:
    now = {one.name: one for one in deployment.schedule_floors if one.is_active(look.now)}
    if tuple(now) == watched.floors:
        return watched
    for name, floor in now.items():
        if name not in watched.floors:
            sentence = f"the platform's schedule {name} keeps at least {floor.replicas} from now on"
            look.tell(deployment.name, EventKind.FLOOR_BEGAN, sentence)
    for name in watched.floors:
        if name not in now:
            sentence = f"the platform's schedule {name} has ended"
            look.tell(deployment.name, EventKind.FLOOR_ENDED, sentence)
    return watched._replace(floors=tuple(now))


# -- replicas on their way ----------------------------------------------------------------------


def _capacity(look: Look, watched: Watched, deployment: Deployment) -> Watched:
    had = watched.ready
    watched, started = follow(watched, deployment, look.now)
    for one in started:
        look.lead_times = look.lead_times.with_start(key_of(deployment), one.seconds)
        count = "a replica is" if one.replicas == 1 else f"{one.replicas} replicas are"
        look.tell(
            deployment.name,
            EventKind.REPLICA_READY,
            f"{count} ready, {one.seconds:.0f} s after being asked for",
            after=f"{one.seconds:.3f}",
        )
    if watched.refusal is not None or deployment.status_code or deployment.status_message:
        has_moved = had is not None and (watched.ready or 0) > had
        watched = _refusal(look, watched, deployment, has_moved=has_moved)
    if watched.asks or watched.stuck_at is not None:
        watched = _waiting(look, watched, deployment)
    return watched


def _refusal(look: Look, watched: Watched, deployment: Deployment, *, has_moved: bool) -> Watched:
    refusal = after_look(watched.refusal, deployment, look.now, has_moved=has_moved)
    if refusal is not None and not refusal.is_told and not refusal.is_over:
        who = "the quota" if refusal.kind is RefusalKind.QUOTA else "the platform"
        words = deployment.status_message or "a write was refused"
        sentence = f"{who} gives no accelerators for more replicas: {words}"
        look.tell(deployment.name, EventKind.CAPACITY_REFUSED, sentence, after=refusal.kind.value)
        refusal = refusal._replace(is_told=True)
    elif refusal is not None and refusal.is_over:
        if refusal.is_told:
            sentence = (
                f"more may be asked for again, {look.now - refusal.since:.0f} s after a refusal"
            )
            kind = EventKind.CAPACITY_AVAILABLE
            look.tell(deployment.name, kind, sentence, before=refusal.kind.value)
        refusal = None
    return watched if refusal is watched.refusal else watched._replace(refusal=refusal)


def _waiting(look: Look, watched: Watched, deployment: Deployment) -> Watched:
    """Tell when the waiting becomes too long, and when it ends."""
    since = waiting_since(watched) if deployment.state in WAITING_STATES else None
    policy = look.policy_of(deployment)
    stated = None if policy is None else policy.lead_time_seconds
    limit = stuck_after_seconds(policy, look.lead_times.of(deployment, stated))
    is_stuck = since is not None and look.now - since >= limit
    if watched.stuck_at is not None:
        # It ends when something moves, not when a slower estimate would allow more.
        is_stuck = since is not None and since <= watched.stuck_at
    if is_stuck and asked_replicas(deployment) <= own_ready(deployment):
        # No view has shown for so long what was asked for, and views are no older than that: it was never asked
        # for, or is not any more. Another member that saw an older view may have left it.
        watched, is_stuck = watched._replace(asks=()), False
    if is_stuck == (watched.stuck_at is not None):
        return watched
    if is_stuck and since is not None:
        missing = asked_replicas(deployment) - own_ready(deployment)
        pending = deployment.pipeline.pending
        look.lead_times = look.lead_times.with_failure(key_of(deployment))
        look.tell(
            deployment.name,
            EventKind.STUCK,
            f"stuck: {missing} of {asked_replicas(deployment)} replicas are not ready ({pending} "
            f"pending), nothing has come for {look.now - since:.0f} s, allowed {limit:.0f} s",
        )
        return watched._replace(stuck_at=look.now, wanted=watched.own)
    came = (
        "its replicas come again" if watched.moved_at == look.now else "nothing is missed any more"
    )
    if deployment.state not in WAITING_STATES:
        came = f"it is {deployment.state}"
    look.tell(deployment.name, EventKind.UNSTUCK, f"no longer stuck: {came}")
    return watched._replace(stuck_at=None, wanted=None)
