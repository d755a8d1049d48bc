"""Whose bounds are these? Tells the range that people meant from what trimtab wrote itself.

Writing a pin or a floor overwrites the very fields that held the user's range, so the range is kept
in memory and in two annotations of the deployment. What is read back is believed end by end: an end
that equals what trimtab wrote is trimtab's own echo; an end that differs was set by somebody else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trimtab.core.decision import Event, EventKind, WriteStatus
from trimtab.core.deployment import is_workload
from trimtab.core.maximum import range_words, reaches
from trimtab.core.memory import DeploymentMemory, Pair, UserRange, Written
from trimtab.core.policy import Actuation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.decision import Order, Outcome
    from trimtab.core.deployment import Deployment

USER_BOUNDS = "trimtab.dev/user-bounds"
WRITTEN_BOUNDS = "trimtab.dev/written-bounds"

_BOUNDS = re.compile("([0-9]{1,9})-([0-9]{1,9})")

DOUBTFUL_MAX = 4
"""How many writes of unknown fate are remembered for one deployment."""

STALE_READ_SECONDS = 60.0
"""How long after a write the bounds from before it may still be read somewhere."""

SUPERSEDED_MAX = 8
"""How many of our earlier writes to one deployment are still recognised in an old view of it."""


def annotations_for(order: Order) -> dict[str, str]:
    """Return what a target should note on the deployment in the same write as ``order``."""
    return {
        USER_BOUNDS: range_words(order.user_min_replicas, order.user_max_replicas),
        WRITTEN_BOUNDS: range_words(order.min_replicas, order.max_replicas),
    }


def adopt(deployment: Deployment, now: float) -> DeploymentMemory:
    """Begin to remember a deployment, with the user's range as well as it can be known."""
    user, written = _recorded(deployment, now) or (_found(deployment, now), None)
    return DeploymentMemory(
        adopted_at=now,
        user=user,
        written=written,
        state=deployment.state,
        created_at=deployment.created_at,
    )


def _found(deployment: Deployment, now: float) -> UserRange:
    return UserRange(
        min_replicas=deployment.min_replicas,
        max_replicas=deployment.max_replicas,
        is_believed=not deployment.is_pinned or deployment.is_parked,
        since=now,
        origin="found on the deployment",
    )


def _recorded(deployment: Deployment, now: float) -> tuple[UserRange, Written] | None:
    """Return what an earlier run noted, if the wire still shows what that run wrote."""
    user = _parse(deployment.annotations, USER_BOUNDS)
    written = _parse(deployment.annotations, WRITTEN_BOUNDS)
    if user is None or written != (deployment.min_replicas, deployment.max_replicas):
        return None
    return (
        UserRange(
            min_replicas=user[0],
            max_replicas=user[1],
            is_believed=user[0] < user[1],
            since=now,
            origin="noted on the deployment by an earlier run",
        ),
        Written(
            min_replicas=written[0],
            max_replicas=written[1],
            before_min_replicas=written[0],
            before_max_replicas=written[1],
            at=now,
        ),
    )


def _parse(annotations: Mapping[str, str], key: str) -> tuple[int, int] | None:
    # Anybody may have written there, and anything: a number of a thousand digits is none of ours.
    match = _BOUNDS.fullmatch(annotations.get(key, ""))
    return None if match is None else (int(match[1]), int(match[2]))


def wrote(memory: DeploymentMemory, outcome: Outcome) -> DeploymentMemory:
    """Remember what a write of ours put on the wire, or may have put there.

    The scale verb leaves the bounds alone, or sets both to the count: which is not documented, but of workloads of
    Kubernetes, whose bounds are annotations.
    """
    order = outcome.order
    if order.actuation is Actuation.SCALE:
        if outcome.status is WriteStatus.NOT_APPLIED or is_workload(order.deployment):
            return memory
        return _doubting(memory, Pair(order.to_replicas, order.to_replicas))
    pair = Pair(order.min_replicas, order.max_replicas)
    if outcome.status is not WriteStatus.APPLIED:
        return _doubting(memory, pair)
    return memory._replace(
        doubtful=(),
        superseded=_with_superseded(memory, pair),
        written=Written(
            min_replicas=pair.min_replicas,
            max_replicas=pair.max_replicas,
            before_min_replicas=order.expected_min_replicas,
            before_max_replicas=order.expected_max_replicas,
            at=outcome.at,
        ),
    )


def _with_superseded(memory: DeploymentMemory, pair: Pair) -> tuple[Pair, ...]:
    if memory.written is None:
        return ()
    before = Pair(memory.written.min_replicas, memory.written.max_replicas)
    others = tuple(one for one in memory.superseded if one not in (before, pair))
    return (*others, before)[-SUPERSEDED_MAX:]


def _doubting(memory: DeploymentMemory, pair: Pair) -> DeploymentMemory:
    if pair in memory.doubtful:
        return memory
    return memory._replace(doubtful=(*memory.doubtful[1 - DOUBTFUL_MAX :], pair))


def notice(
    memory: DeploymentMemory, deployment: Deployment, now: float
) -> tuple[DeploymentMemory, Event | None]:
    """Compare the wire with what is remembered, and take over what somebody else has set."""
    wire = Pair(deployment.min_replicas, deployment.max_replicas)
    written = memory.written
    if (after := _after_own_write(memory, deployment, wire, now)) is not None:
        return after, None
    if written is None:
        if wire == (memory.user.min_replicas, memory.user.max_replicas):
            return memory, None
        return _taken_over(memory, deployment, wire, now)
    if wire == (written.min_replicas, written.max_replicas):
        return memory, None
    if _is_echo(written, deployment, wire, now) or _is_old_note(memory, deployment, wire):
        return memory, None
    user = memory.user
    low = user.min_replicas if wire[0] == written.min_replicas else wire[0]
    high = user.max_replicas if wire[1] == written.max_replicas else wire[1]
    if not reaches(high, low):  # the untouched end was ours; the end that a person set decides
        low, high = wire
    return _taken_over(memory, deployment, Pair(low, high), now)


def _is_echo(written: Written, deployment: Deployment, wire: Pair, now: float) -> bool:
    if deployment.observed_at is not None and deployment.observed_at < written.at:
        return True  # read before our write
    before = (written.before_min_replicas, written.before_max_replicas)
    return wire == before and now - written.at < STALE_READ_SECONDS


def echo_ends_at(memory: DeploymentMemory, deployment: Deployment) -> float | None:
    """When the bounds from before our last write, still seen, begin to count as somebody else's."""
    written = memory.written
    if written is None:
        return None
    wire = (deployment.min_replicas, deployment.max_replicas)
    before = (written.before_min_replicas, written.before_max_replicas)
    is_old_view = wire == before and wire != (written.min_replicas, written.max_replicas)
    return written.at + STALE_READ_SECONDS if is_old_view else None


def _is_old_note(memory: DeploymentMemory, deployment: Deployment, wire: Pair) -> bool:
    """Whether the wire shows bounds that we wrote earlier, beside our own note of having written them.

    That is an old view, however long after, or an old write of ours that came late: who sets bounds
    by hand leaves the note of our last write as it is.
    """
    noted = _parse(deployment.annotations, WRITTEN_BOUNDS)
    return noted == wire and wire in memory.superseded


def _after_own_write(
    memory: DeploymentMemory, deployment: Deployment, wire: Pair, now: float
) -> DeploymentMemory | None:
    """Return what is remembered once a write of trimtab's that was not known to be applied is seen, if it is."""
    if wire in memory.doubtful:
        return _applied_after_all(memory, wire, now)
    if _is_unknown_note(memory, deployment, wire):
        return _written_by_another(memory, wire, now)
    return None


def _is_unknown_note(memory: DeploymentMemory, deployment: Deployment, wire: Pair) -> bool:
    """Whether the wire shows a write of trimtab's that is not remembered, with the note that was made of it.

    Another member wrote it, between what its successor was shown or recollects and now. The note must name
    the user's range that is remembered: a person who sets what we wrote before leaves an older one there.
    """
    if memory.written is not None:
        last = Pair(memory.written.min_replicas, memory.written.max_replicas)
        if wire == last or wire in memory.superseded:
            return False
    noted = (
        _parse(deployment.annotations, WRITTEN_BOUNDS),
        _parse(deployment.annotations, USER_BOUNDS),
    )
    return noted == (wire, (memory.user.min_replicas, memory.user.max_replicas))


def _written_by_another(memory: DeploymentMemory, wire: Pair, now: float) -> DeploymentMemory:
    before = memory.written or memory.user
    return memory._replace(
        superseded=_with_superseded(memory, wire),
        written=Written(
            min_replicas=wire.min_replicas,
            max_replicas=wire.max_replicas,
            before_min_replicas=before.min_replicas,
            before_max_replicas=before.max_replicas,
            at=now,
        ),
    )


def _applied_after_all(memory: DeploymentMemory, wire: Pair, now: float) -> DeploymentMemory:
    """Recognise a write of ours that was believed lost. What it moved is not known any more."""
    before = memory.written or memory.user
    return memory._replace(
        doubtful=(),
        written=Written(
            min_replicas=wire.min_replicas,
            max_replicas=wire.max_replicas,
            before_min_replicas=before.min_replicas,
            before_max_replicas=before.max_replicas,
            at=now,
        ),
    )


def _taken_over(
    memory: DeploymentMemory, deployment: Deployment, user: Pair, now: float
) -> tuple[DeploymentMemory, Event]:
    before = range_words(memory.user.min_replicas, memory.user.max_replicas)
    after = range_words(*user)
    wire = range_words(deployment.min_replicas, deployment.max_replicas)
    event = Event(
        deployment=deployment.name,
        at=now,
        kind=EventKind.BOUNDS_CHANGED,
        before=before,
        after=after,
        sentence=(
            f"somebody set the replica bounds to {wire}; "
            f"the user's range is now {after} (was {before})"
        ),
    )
    changed = memory._replace(
        written=None,
        superseded=(),
        doubtful=(),
        user=UserRange(
            min_replicas=user[0],
            max_replicas=user[1],
            is_believed=True,
            since=now,
            origin="set by somebody else while trimtab watched",
        ),
    )
    return _with_wire(changed, deployment), event


def _with_wire(memory: DeploymentMemory, deployment: Deployment) -> DeploymentMemory:
    """Remember the wire as the state to compare with, where it is not the user's range itself."""
    wire = (deployment.min_replicas, deployment.max_replicas)
    if wire == (memory.user.min_replicas, memory.user.max_replicas):
        return memory
    return memory._replace(
        written=Written(
            min_replicas=wire[0],
            max_replicas=wire[1],
            before_min_replicas=wire[0],
            before_max_replicas=wire[1],
            at=memory.user.since,
        ),
    )
