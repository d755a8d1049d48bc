"""Stage 6, behavior: stabilisation windows, then rate limits, each per direction.

After the Kubernetes Horizontal Pod Autoscaler (v2): an upward move goes no further than the lowest
wish within the up window, a downward move no further than the highest within the down window; the
count at the start of a limit's period is the current one without our own moves inside the period.
Membership in a window is strict: an entry exactly as old as the window has left it.

Replicas on their way are part of the current count, so they are never asked for twice.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor
from typing import TYPE_CHECKING

from trimtab.core.decision import Reason
from trimtab.core.memory import At
from trimtab.core.policy import Select

if TYPE_CHECKING:
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.policy import Limit, MoveRules, Policy
    from trimtab.core.stages.draft import Case, Draft

STAGE = "behavior"

RESOLUTION_SECONDS = 1.0
"""Wishes closer together than this share an entry, so that a burst of events cannot grow a window."""


def behavior(case: Case, draft: Draft) -> None:
    """Delay and slow down what the rules want."""
    if draft.wanted is not None:
        draft.memory = _record(draft.memory, case.policy, case.now, draft.wanted)
    if draft.halt is not None or draft.is_drain:
        return
    if draft.replicas == case.current:
        draft.note(STAGE, "nothing to slow down")
        return
    _stabilize(case, draft)
    if draft.replicas != case.current:
        _limit(case, draft)


def _record(memory: DeploymentMemory, policy: Policy, now: float, wanted: int) -> DeploymentMemory:
    return replace(
        memory,
        lows=_push(memory.lows, policy.up.stabilization_seconds, now, wanted, sign=1),
        highs=_push(memory.highs, policy.down.stabilization_seconds, now, wanted, sign=-1),
    )


def _push(
    window: tuple[At, ...], window_seconds: float, now: float, wanted: int, *, sign: int
) -> tuple[At, ...]:
    """Append to a monotonic window: with ``sign`` 1 its first entry is the minimum, with -1 the maximum."""
    kept = [at for at in window if now - at.time < window_seconds and now >= at.time]
    while kept and sign * kept[-1].replicas >= sign * wanted:
        kept.pop()
    if kept and kept[-1].time // RESOLUTION_SECONDS == now // RESOLUTION_SECONDS:
        # The stronger wish stands for both until this second is out: never shorter than true.
        kept[-1] = At(now, kept[-1].replicas)
    else:
        kept.append(At(now, wanted))
    return tuple(kept)


def _stabilize(case: Case, draft: Draft) -> None:
    current, wanted = case.current, draft.replicas
    if wanted > current:
        rules, extreme = case.policy.up, "lowest"
        least = min(_alive(draft.memory.lows, rules, case.now), default=wanted)
        steady = max(current, min(wanted, least))
    else:
        rules, extreme = case.policy.down, "highest"
        most = max(_alive(draft.memory.highs, rules, case.now), default=wanted)
        steady = min(current, max(wanted, most))
    if steady == wanted:
        return
    reason = Reason.STABILIZING if steady == current else draft.reason
    seconds = rules.stabilization_seconds
    sentence = f"{extreme} wish of the last {seconds:.0f} s goes no further than {steady}"
    draft.move(STAGE, steady, reason, sentence)


def _alive(window: tuple[At, ...], rules: MoveRules, now: float) -> list[int]:
    return [at.replicas for at in window if now - at.time < rules.stabilization_seconds]


def _limit(case: Case, draft: Draft) -> None:
    current, wanted = case.current, draft.replicas
    rules = case.policy.up if wanted > current else case.policy.down
    allowed = (
        _highest_allowed(rules, draft.memory.moves, current, case.now)
        if wanted > current
        else _lowest_allowed(rules, draft.memory.moves, current, case.now)
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
