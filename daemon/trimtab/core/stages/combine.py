"""Stage 3, combine: the largest demand, raised by floors, capped by ceilings, blocked by holds.

Missing data can block a move. It can never turn a move around and never shrinks a deployment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.decision import Reason
from trimtab.core.roles import Blocks, Role
from trimtab.core.signals import Freshness, OnMissing
from trimtab.core.stages.relief import note_own, note_wanted, own_count, relief_wanted
from trimtab.core.strategies.interface import dispensable

if TYPE_CHECKING:
    from trimtab.core.proposals import Proposal
    from trimtab.core.signals import Reading
    from trimtab.core.stages.draft import Case, Draft

STAGE = "combine"


class Count(NamedTuple):
    """A count in the making, the rule it came from, and why it is what it is."""

    replicas: int
    rule: str
    reason: Reason
    sentence: str


def combine(case: Case, draft: Draft) -> None:
    """Make one count of all proposals, then apply missing-data contracts and holds."""
    demand = _largest(draft.proposals, Role.DEMAND)
    is_known = demand is not None or not _is_anything_demanded(draft)
    _keep_track(case, draft, is_known=is_known, demand=demand)
    count = _demanded(case, draft, demand)
    count = _relieving(case, draft, count)
    count = _woken(case, draft, count)
    count = _raised_and_capped(draft, count)
    if count.replicas == case.current and count.reason in (Reason.DEMAND, Reason.RELIEF):
        count = count._replace(reason=Reason.STEADY)
    draft.move(STAGE, count.replicas, count.reason, count.sentence)
    draft.rule = count.rule
    # Only a wish that rests on data is kept for the stabilisation windows (behavior).
    draft.wanted = count.replicas if is_known else None
    if draft.memory.watched.stuck_at is not None:
        note_wanted(draft)
    _apply_missing(case, draft, is_known=is_known)
    _apply_holds(case, draft)


def _keep_track(case: Case, draft: Draft, *, is_known: bool, demand: Proposal | None) -> None:
    """Remember since when demand is unknown, and since when there is certainly none."""
    memory = draft.memory
    unknown_since = None if is_known else memory.demand_unknown_since
    if not is_known and unknown_since is None:
        unknown_since = case.now
    idle_since = None
    if _is_idle(case, draft, demand):
        idle_since = case.now if memory.idle_since is None else memory.idle_since
    if (unknown_since, idle_since) != (memory.demand_unknown_since, memory.idle_since):
        draft.memory = memory._replace(demand_unknown_since=unknown_since, idle_since=idle_since)
    to_zero = case.policy.scale_to_zero
    draft.may_be_zero = to_zero is not None and (
        case.current == 0
        or (
            case.current == 1
            and idle_since is not None
            and case.now - idle_since >= to_zero.after_seconds
        )
    )


def _is_idle(case: Case, draft: Draft, demand: Proposal | None) -> bool:
    """Whether it is certain that nothing is asked for: unknown is not idle."""
    to_zero = case.policy.scale_to_zero
    if to_zero is None or demand is None or demand.replicas != 0:
        return False
    if any(one.replicas is None and not one.is_abstaining for one in _demands(draft)):
        return False
    return all(reading.value == 0 for reading in _wake_readings(case, draft))


def _wake_readings(case: Case, draft: Draft) -> list[Reading]:
    to_zero = case.policy.scale_to_zero
    names = () if to_zero is None else to_zero.wake_on
    return [reading for reading in draft.readings if reading.spec.name in names]


def _demanded(case: Case, draft: Draft, demand: Proposal | None) -> Count:
    if demand is not None and demand.replicas is not None:
        return Count(demand.replicas, demand.rule, Reason.DEMAND, demand.sentence)
    if not _is_anything_demanded(draft):
        own = own_count(case, draft)
        reason = Reason.STEADY if own == case.current else Reason.RELIEF
        return Count(own, "", reason, "no rule demands anything")
    why = _why_unknown(draft)
    fallback, since = case.policy.fallback, draft.memory.demand_unknown_since
    is_all_heard = all(one.freshness is Freshness.USABLE for one in draft.readings)
    unknown = Reason.UNKNOWN_DEMAND if is_all_heard else Reason.MISSING_DATA
    if fallback is None or fallback.replicas is None or since is None:
        return Count(case.current, "", unknown, why)
    unknown_seconds = case.now - since
    if unknown_seconds < fallback.after_seconds or fallback.replicas <= case.current:
        return Count(case.current, "", unknown, why)
    sentence = f"{why} for {unknown_seconds:.0f} s: falls back to {fallback.replicas}"
    return Count(fallback.replicas, "", Reason.FALLBACK, sentence)


def _relieving(case: Case, draft: Draft, count: Count) -> Count:
    """Add what stuck deployments miss, where the own demand is known: else it would grow for ever."""
    if not case.reliefs and draft.memory.watched.own is None:
        return count
    more, sentence = relief_wanted(case)
    is_known = count.reason in (Reason.DEMAND, Reason.STEADY, Reason.RELIEF)
    note_own(case, draft, count.replicas if is_known else None)
    if not more or not is_known:
        return count
    total = count.replicas + more
    return count._replace(
        replicas=total,
        reason=Reason.RELIEF,
        sentence=f"{count.sentence}; {sentence}: {total} in all",
    )


def _woken(case: Case, draft: Draft, count: Count) -> Count:
    """Bring one replica back from zero as soon as a wake signal shows any load."""
    if case.current > 0 or count.replicas > 0:
        return count
    for reading in _wake_readings(case, draft):
        if reading.value:
            sentence = f"{reading.spec.name} is {reading.value:.4g}: wakes from zero"
            return Count(1, "", Reason.WAKE, sentence)
    return count


def _raised_and_capped(draft: Draft, count: Count) -> Count:
    floor = _largest(draft.proposals, Role.FLOOR)
    if floor is not None and floor.replicas is not None and floor.replicas > count.replicas:
        sentence = f"floor {floor.rule}: {floor.sentence}"
        count = Count(floor.replicas, floor.rule, Reason.FLOOR, sentence)
    for one in draft.proposals:
        at_most = one.replicas if one.role is Role.CEILING else one.at_most
        if at_most is not None and at_most < count.replicas:
            sentence = f"ceiling {one.rule}: {one.sentence}"
            count = Count(at_most, one.rule, Reason.CEILING, sentence)
    return count


def _apply_missing(case: Case, draft: Draft, *, is_known: bool) -> None:
    current = case.current
    if draft.replicas < current:
        blockers = [] if is_known else ["every demand signal"]
        blockers += _missing(case, draft, Blocks.DOWN)
        word = "fewer"
    elif draft.replicas > current and draft.reason not in (Reason.FALLBACK, Reason.WAKE):
        blockers = _missing(case, draft, Blocks.UP)
        word = "more"
    else:
        return
    if blockers:
        draft.move(
            STAGE,
            current,
            Reason.MISSING_DATA,
            f"not {word} than {current} while data is missing: {', '.join(blockers)}",
        )


def _missing(case: Case, draft: Draft, direction: Blocks) -> list[str]:
    """Names of signals that a rule needs, that cannot be used now, and that block this direction."""
    missing = [one for one in draft.readings if one.freshness is not Freshness.USABLE]
    if not missing:
        return []
    used: set[str] = set()
    for rule in case.policy.rules:
        used.update(set(rule.strategy.signals) - set(dispensable(rule.strategy)))
    used.update(name for hold in case.policy.holds for name in hold.condition.signals)
    return [
        one.spec.name
        for one in missing
        if one.spec.name in used
        and (one.spec.missing_down if direction is Blocks.DOWN else one.spec.missing_up)
        is OnMissing.BLOCK
    ]


def _apply_holds(case: Case, draft: Draft) -> None:
    if draft.replicas == case.current:
        return
    direction = Blocks.UP if draft.replicas > case.current else Blocks.DOWN
    for one in draft.proposals:
        if one.blocks in (direction, Blocks.BOTH):
            sentence = f"hold {one.rule} blocks the way {direction}: {one.sentence}"
            draft.move(STAGE, case.current, Reason.BLOCKED_BY_RULE, sentence)
            return


def _demands(draft: Draft) -> list[Proposal]:
    return [one for one in draft.proposals if one.role is Role.DEMAND]


def _is_anything_demanded(draft: Draft) -> bool:
    return any(not one.is_abstaining and one.role is Role.DEMAND for one in draft.proposals)


def _why_unknown(draft: Draft) -> str:
    sentences = [one.sentence for one in _demands(draft) if not one.is_abstaining]
    return "no demand can be told: " + "; ".join(dict.fromkeys(sentences))


def _largest(proposals: tuple[Proposal, ...], role: Role) -> Proposal | None:
    largest, most = None, -1
    for one in proposals:
        if one.replicas is not None and one.replicas > most and one.role is role:
            largest, most = one, one.replicas
    return largest
