"""Part of stage 3: who cannot get its replicas is helped by deployments that its policy names.

What a stuck deployment misses is added to the demand of the first deployment of its
``stuck.fallbackTo`` that is healthy, under that one's own policy, ceilings and bounds. Replicas are
counted one for one, whatever hardware they run on. A stuck deployment helps nobody, so help
never goes in circles; what it misses is counted from its own rules alone, so help is not passed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.deployment import State
from trimtab.core.pipeline import asked_replicas, own_ready
from trimtab.core.policy import Mode
from trimtab.core.stages.lifecycle import grace_left, is_expired

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from trimtab.core.deployment import Deployment
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.policy import Policy
    from trimtab.core.stages.draft import Case, Draft


class Relief(NamedTuple):
    """``replicas`` that ``deployment`` misses, to be served by another."""

    deployment: str
    replicas: int


class Appeals:
    """Which stuck deployments may be helped by which others: the ``stuck.fallbackTo`` of their policies."""

    __slots__ = ("_by_helper", "_helpers")

    def __init__(self) -> None:
        self._helpers: dict[str, tuple[str, ...]] = {}
        self._by_helper: dict[str, set[str]] = {}

    def __contains__(self, stuck: str) -> bool:
        return stuck in self._helpers

    @property
    def helpers(self) -> Collection[str]:
        """Everybody who is asked for help; live."""
        return self._by_helper.keys()

    def note(self, stuck: str, helpers: tuple[str, ...]) -> None:
        """Let ``stuck`` ask ``helpers``, in this order, in place of those before; nobody: ``()``."""
        before = self._helpers.pop(stuck, ())
        if helpers:
            self._helpers[stuck] = helpers
        if helpers == before:
            return
        for helper in before:
            asking = self._by_helper[helper]
            asking.discard(stuck)
            if not asking:
                del self._by_helper[helper]
        for helper in helpers:
            self._by_helper.setdefault(helper, set()).add(stuck)

    def of(self, stuck: str) -> tuple[str, ...]:
        """Return whom ``stuck`` asks, in order."""
        return self._helpers.get(stuck, ())

    def to(self, helper: str) -> list[str]:
        """Return who asks ``helper``, by name."""
        return sorted(self._by_helper.get(helper, ()))


def reliefs(
    appeals: Appeals,
    names: Iterable[str],
    now: float,
    fleet: Mapping[str, Deployment],
    memories: Mapping[str, DeploymentMemory],
    policy_of: Callable[[Deployment], Policy | None],
) -> dict[str, tuple[Relief, ...]]:
    """Return for each of ``names`` that helps, whom it helps and with how many replicas."""
    healthy: dict[str, bool] = {}

    def is_healthy(name: str) -> bool:
        if name not in healthy:
            helper = fleet.get(name)
            healthy[name] = helper is not None and _is_healthy(
                helper, memories.get(name), now, policy_of
            )
        return healthy[name]

    found: dict[str, tuple[Relief, ...]] = {}
    for name in names:
        for stuck in appeals.to(name):
            deployment, memory = fleet.get(stuck), memories.get(stuck)
            if deployment is None or memory is None:
                continue
            missing = _missing(deployment, memory)
            if missing > 0 and name == next(filter(is_healthy, appeals.of(stuck)), None):
                found[name] = (*found.get(name, ()), Relief(stuck, missing))
    return found


def relief_wanted(case: Case) -> tuple[int, str]:
    """Return how many replicas to add to the demand for others, and for whom in words."""
    names = ", ".join(
        f"{one.replicas} for {one.deployment}, which is stuck" for one in case.reliefs
    )
    return sum(one.replicas for one in case.reliefs), names


def own_count(case: Case, draft: Draft) -> int:
    """Return the count that a deployment's own rules start from: without what it does for others.

    Rules that say "one more than now" would otherwise add to the help at every tick.
    """
    own = draft.memory.watched.own
    return case.current if own is None else min(case.current, own)


def note_own(case: Case, draft: Draft, demanded: int | None) -> None:
    """Remember what the own rules ask for, from when help begins until the count is back there."""
    watched = draft.memory.watched
    own = watched.own if demanded is None else demanded
    if not case.reliefs and (own is None or own >= case.current):
        own = None
    if own != watched.own:
        draft.memory = draft.memory._replace(watched=watched._replace(own=own))


def note_wanted(draft: Draft) -> None:
    """Remember what the rules of a stuck deployment want, within its bounds: what others make up for."""
    watched = draft.memory.watched
    if draft.wanted is None or draft.bounds is None:
        return
    wanted = min(draft.wanted, draft.bounds.upper.replicas)
    if wanted != watched.wanted:
        draft.memory = draft.memory._replace(watched=watched._replace(wanted=wanted))


def _missing(deployment: Deployment, memory: DeploymentMemory) -> int:
    wanted = memory.watched.wanted
    return (asked_replicas(deployment) if wanted is None else wanted) - own_ready(deployment)


def _is_healthy(
    helper: Deployment,
    memory: DeploymentMemory | None,
    now: float,
    policy_of: Callable[[Deployment], Policy | None],
) -> bool:
    policy = policy_of(helper)
    return (
        memory is not None
        and memory.gone_at is None
        and memory.watched.stuck_at is None
        and memory.watched.refusal is None
        and policy is not None
        and grace_left(memory.watched, policy, now) <= 0
        and policy.mode is Mode.ENFORCE
        and helper.state is State.READY
        and not (helper.is_parked and memory.user.max_replicas == 0)
        and helper.deleted_at is None
        and helper.purged_at is None
        and not is_expired(helper, now)
    )
