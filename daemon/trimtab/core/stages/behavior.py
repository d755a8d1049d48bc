"""Stage 6, behavior: cooldown, stabilisation window, then rate limits, each per direction.

After the Kubernetes Horizontal Pod Autoscaler (v2): an upward move goes no further than the lowest
wish within the up window, a downward move no further than the highest within the down window; the
count at the start of a limit's period is the current one without our own moves inside the period.

A pin, which is a person's wish, waits for no cooldown and no window; the limits hold for it.
Replicas on their way are part of the current count, so they are never asked for twice.
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

from trimtab.core.decision import Reason
from trimtab.core.policy import Select
from trimtab.core.windows import alive, push_high, push_low

if TYPE_CHECKING:
    from trimtab.core.memory import At, DeploymentMemory
    from trimtab.core.policy import Limit, MoveRules, Policy
    from trimtab.core.stages.draft import Case, Draft

STAGE = "behavior"


def behavior(case: Case, draft: Draft) -> None:
    """Delay and slow down what the rules want."""
    if case.current != draft.memory.counted:
        _record_others_move(case, draft)
    if draft.wanted is not None:
        draft.memory = _record(draft.memory, case.policy, case.now, draft.wanted)
    if draft.halt is not None or draft.is_drain:
        return
    if draft.replicas == case.current:
        draft.note(STAGE, "nothing to slow down")
        return
    if draft.reason is Reason.WAKE:
        draft.note(STAGE, "a wake waits for nothing")
        return
    if not draft.is_pinned:
        _cool_down(case, draft)
    if draft.replicas != case.current and not draft.is_pinned:
        _stabilize(case, draft)
    if draft.replicas != case.current:
        _limit(case, draft)


def lowest_now(case: Case, draft: Draft) -> int:
    """Return how low the count may go now by cooldown and limits, whatever the windows keep."""
    rules, current = case.policy.down, case.current
    lasts = [moves[-1].time for moves in (draft.memory.moves, draft.memory.doubtful_moves) if moves]
    if lasts and max(lasts) + rules.cooldown_seconds > case.now:
        return current
    moves = (*draft.memory.moves, *(one for one in draft.memory.doubtful_moves if one.replicas < 0))
    allowed = _lowest_allowed(rules, moves, current, case.now)
    return 0 if allowed is None else allowed


def _record_others_move(case: Case, draft: Draft) -> None:
    """Count a change that is not ours as a wish: the platform's own autoscaler may know more.

    Otherwise a deployment that it has just raised would be lowered at once by samples from before.
    """
    memory = draft.memory
    is_ours = memory.written is not None or memory.counted is None
    if not is_ours:
        memory = _record(memory, case.policy, case.now, case.current)
    draft.memory = memory._replace(counted=case.current)


def _record(memory: DeploymentMemory, policy: Policy, now: float, wanted: int) -> DeploymentMemory:
    return memory._replace(
        lows=push_low(memory.lows, policy.up.stabilization_seconds, now, wanted),
        highs=push_high(memory.highs, policy.down.stabilization_seconds, now, wanted),
    )


def _cool_down(case: Case, draft: Draft) -> None:
    """Hold a direction for its cooldown after the last move, whichever way that went."""
    rules = case.policy.up if draft.replicas > case.current else case.policy.down
    if not rules.cooldown_seconds:
        return
    lasts = [moves[-1].time for moves in (draft.memory.moves, draft.memory.doubtful_moves) if moves]
    if not lasts:
        return
    left = max(lasts) + rules.cooldown_seconds - case.now
    if left > 0:
        sentence = f"cools down for another {left:.0f} s after the last move"
        draft.move(STAGE, case.current, Reason.COOLDOWN, sentence)


def _stabilize(case: Case, draft: Draft) -> None:
    current, wanted = case.current, draft.replicas
    if wanted > current:
        rules, extreme = case.policy.up, "lowest"
        least = min(alive(draft.memory.lows, rules.stabilization_seconds, case.now), default=wanted)
        steady = max(current, min(wanted, least))
    else:
        rules, extreme = case.policy.down, "highest"
        most = max(alive(draft.memory.highs, rules.stabilization_seconds, case.now), default=wanted)
        steady = min(current, max(wanted, most))
    if steady == wanted:
        return
    reason = Reason.STABILIZING if steady == current else draft.reason
    seconds = rules.stabilization_seconds
    sentence = f"{extreme} wish of the last {seconds:.0f} s goes no further than {steady}"
    draft.move(STAGE, steady, reason, sentence)


def _limit(case: Case, draft: Draft) -> None:
    current, wanted = case.current, draft.replicas
    rules = case.policy.up if wanted > current else case.policy.down
    # A move that may not have been made counts, but gives no room for one the other way.
    doubtful = (
        move for move in draft.memory.doubtful_moves if (move.replicas > 0) is (wanted > current)
    )
    moves = (*draft.memory.moves, *doubtful)
    allowed = (
        _highest_allowed(rules, moves, current, case.now)
        if wanted > current
        else _lowest_allowed(rules, moves, current, case.now)
    )
    if allowed is None or (wanted <= allowed if wanted > current else wanted >= allowed):
        draft.note(STAGE, "within the limits")
        return
    reason = Reason.RATE_LIMITED if allowed == current else draft.reason
    draft.move(STAGE, allowed, reason, f"limited to {allowed} now: {_in_words(rules)}")


def _highest_allowed(
    rules: MoveRules, moves: tuple[At, ...], current: int, now: float
) -> int | None:
    """Return the highest count the limits allow now; ``None`` where there is no limit."""
    if rules.select is Select.DISABLED:
        return current
    ends: list[int] = []
    for limit in rules.limits:
        start = _at_start(limit, moves, current, now)
        if limit.percent is not None:
            ends.append(ceil(start * (100 + limit.percent) / 100))
        if limit.replicas is not None:
            ends.append(start + limit.replicas)
    if not ends:
        return None
    return max(current, max(ends) if rules.select is Select.MAX else min(ends))


def _lowest_allowed(
    rules: MoveRules, moves: tuple[At, ...], current: int, now: float
) -> int | None:
    """Return the lowest count the limits allow now; ``None`` where there is no limit."""
    if rules.select is Select.DISABLED:
        return current
    ends: list[int] = []
    for limit in rules.limits:
        start = _at_start(limit, moves, current, now)
        if limit.percent is not None:
            ends.append(floor(start * (100 - limit.percent) / 100))
        if limit.replicas is not None:
            ends.append(start - limit.replicas)
    if not ends:
        return None
    return min(current, max(0, min(ends) if rules.select is Select.MAX else max(ends)))


def _at_start(limit: Limit, moves: tuple[At, ...], current: int, now: float) -> int:
    """Return the count at the start of the period: the current one without our moves inside it."""
    inside = sum(move.replicas for move in moves if now - move.time < limit.period_seconds)
    return max(0, current - inside)


def _in_words(rules: MoveRules) -> str:
    if rules.select is Select.DISABLED:
        return "this direction is disabled"
    parts = [
        (f"{limit.percent} %" if limit.percent is not None else f"{limit.replicas} replicas")
        + f" in {limit.period_seconds:.0f} s"
        for limit in rules.limits
    ]
    return (" or " if rules.select is Select.MAX else " and ").join(parts)
