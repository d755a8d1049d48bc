"""Damping of a single rule: its own stabilisation window and cooldown, before the rules are combined.

The windows work as the policy's do (``core/stages/behavior.py``), on this rule's wishes alone. The
cooldown counts from the last move that this rule caused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.memory import At, RuleMemory
from trimtab.core.windows import alive, push_high, push_low

if TYPE_CHECKING:
    from trimtab.core.policy import Rule
    from trimtab.core.proposals import Wish


def damp(
    wish: Wish, rule: Rule, memory: RuleMemory | None, current: int, now: float
) -> tuple[Wish, RuleMemory]:
    """Return the wish as far as the rule's own damping lets it through, and what to remember."""
    wanted = wish.replicas
    if wanted is None:
        return wish, memory or RuleMemory()
    if memory is None:
        # As for the policy: the count found counts as a first wish.
        memory = RuleMemory((At(now, current),), (At(now, current),))
    memory = memory._replace(
        lows=push_low(memory.lows, rule.up.stabilization_seconds, now, wanted),
        highs=push_high(memory.highs, rule.down.stabilization_seconds, now, wanted),
    )
    damping = rule.up if wanted > current else rule.down
    if wanted == current:
        return wish, memory
    left = _cooldown_left(memory.moved, damping.cooldown_seconds, now)
    if left > 0:
        return _held(wish, current, f"cools down for another {left:.0f} s"), memory
    if wanted > current:
        least = min(alive(memory.lows, damping.stabilization_seconds, now), default=wanted)
        steady = max(current, min(wanted, least))
    else:
        most = max(alive(memory.highs, damping.stabilization_seconds, now), default=wanted)
        steady = min(current, max(wanted, most))
    if steady == wanted:
        return wish, memory
    seconds = damping.stabilization_seconds
    return _held(wish, steady, f"no further than {steady} within its {seconds:.0f} s"), memory


def _cooldown_left(moved: At | None, seconds: float, now: float) -> float:
    return 0.0 if moved is None else moved.time + seconds - now


def _held(wish: Wish, count: int, why: str) -> Wish:
    return wish._replace(replicas=count, sentence=f"{wish.sentence}; {why}")
