"""A memory whose times lie ahead: the machine's clock was set back between two runs.

Within a run the clock never steps back, so this can only come with a restart. Taken as they are, such
times would make an old sample look fresh, and a cooldown last for as long as the clock was wrong.
How much later this run began than the last one ended is not known; nothing is assumed to have passed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.known_quotas import KnownQuotas
from trimtab.core.signals import FUTURE_TOLERANCE_SECONDS
from trimtab.core.stages.propose import kept, recalled
from trimtab.core.strategies.interface import Redatable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.core.claimed import Claimed
    from trimtab.core.fleet_memory import FleetMemory
    from trimtab.core.memories import Memories
    from trimtab.core.memory import At, DeploymentMemory, RuleMemory, Shadow
    from trimtab.core.policy import Rule
    from trimtab.core.watched import Watched

TOLERANCE_SECONDS = 1.0
"""Less than this is no step of a clock."""


def set_all_back(memories: Memories, now: float) -> None:
    """Set every memory back by as much as the latest of their times lies ahead of ``now``, if it does.

    Once, and before anything of this run is remembered beside them, which its clock tells already.
    """
    if memories.is_by_this_clock:
        return
    memories.is_by_this_clock = True
    known = memories.by_name
    seconds = set_back_seconds(known.values(), now)
    if seconds > 0:
        for name, memory in list(known.items()):
            memories.keep(name, set_back(memory, seconds))


def set_back_seconds(memories: Iterable[DeploymentMemory], now: float) -> float:
    """Return by how much the times remembered lie ahead of ``now``; 0 where they do not."""
    newest = max((_newest(memory) for memory in memories), default=now)
    return newest - now if newest - now > TOLERANCE_SECONDS else 0.0


def set_back(memory: DeploymentMemory, seconds: float) -> DeploymentMemory:
    """Return ``memory`` as a clock that is ``seconds`` behind would have told its times.

    Samples are forgotten, because their age is not known. What strategies remember is as before until
    ``set_rules_back``.
    """
    back = _Back(seconds)
    user, written, shadow = memory.user, memory.written, memory.shadow
    return memory._replace(
        adopted_at=back.time(memory.adopted_at),
        user=replace(user, since=back.time(user.since)),
        written=None if written is None else replace(written, at=back.time(written.at)),
        latest={},
        rules_ahead_seconds=memory.rules_ahead_seconds + seconds,
        lows=back.counts(memory.lows),
        highs=back.counts(memory.highs),
        moves=back.counts(memory.moves),
        doubtful_moves=back.counts(memory.doubtful_moves),
        damped={rule: back.damped(one) for rule, one in memory.damped.items()},
        demand_unknown_since=back.maybe(memory.demand_unknown_since),
        idle_since=back.maybe(memory.idle_since),
        wish=None if memory.wish is None else back.dated(memory.wish),
        gone_at=back.maybe(memory.gone_at),
        watched=back.watched(memory.watched),
        shadow=None if shadow is None else back.shadow(shadow),
        claimed=None if memory.claimed is None else back.claimed(memory.claimed),
    )


def set_rules_back(memory: DeploymentMemory, rules: Iterable[Rule]) -> DeploymentMemory:
    """Let the strategies of ``rules`` tell the times that they remember by this clock.

    A strategy that cannot begins anew.
    """
    seconds, told = memory.rules_ahead_seconds, {}
    for rule in rules:
        remembered, strategy = recalled(rule, memory), rule.strategy
        if remembered is not None and isinstance(strategy, Redatable):
            told[rule.name] = kept(strategy, strategy.set_back(remembered, seconds))
    return memory._replace(rules=told, rules_ahead_seconds=0.0)


def set_shared_back(shared: FleetMemory, now: float) -> FleetMemory:
    """Return what all share as the clock of ``now`` would have told its times, if the latest lies ahead of it.

    Money has its own way (``core/spend.py``): nobody forgets what was spent.
    """
    account, refusals = shared.quotas
    newest = max([*(one.at for one in account), *(one.since for one in refusals)], default=now)
    if newest - now <= TOLERANCE_SECONDS:
        return shared
    back = _Back(newest - now)
    known = KnownQuotas(
        tuple(one._replace(at=back.time(one.at)) for one in account),
        tuple(
            one._replace(since=back.time(one.since), until=back.time(one.until)) for one in refusals
        ),
    )
    return shared._replace(quotas=known)


def _newest(memory: DeploymentMemory) -> float:
    times = [memory.adopted_at, memory.user.since]
    # A sender's clock may be ahead of ours, and as far as that is allowed it says nothing of ours.
    times += [sample.time - FUTURE_TOLERANCE_SECONDS for sample in memory.latest.values()]
    times += [window[-1].time for window in (memory.lows, memory.highs, memory.moves) if window]
    times += [] if memory.written is None else [memory.written.at]
    return max(times)


class _Back(NamedTuple):
    """Tells times ``seconds`` earlier."""

    seconds: float

    def time(self, at: float) -> float:
        return at - self.seconds

    def maybe(self, at: float | None) -> float | None:
        return None if at is None else at - self.seconds

    def dated(self, at: At) -> At:
        return at._replace(time=at.time - self.seconds)

    def counts(self, window: tuple[At, ...]) -> tuple[At, ...]:
        return tuple(map(self.dated, window))

    def by_rule(self, moved: Mapping[str, At]) -> dict[str, At]:
        return {rule: self.dated(at) for rule, at in moved.items()}

    def damped(self, one: RuleMemory) -> RuleMemory:
        moved = None if one.moved is None else self.dated(one.moved)
        return one._replace(lows=self.counts(one.lows), highs=self.counts(one.highs), moved=moved)

    def shadow(self, shadow: Shadow) -> Shadow:
        return shadow._replace(
            since=self.time(shadow.since),
            moves=self.counts(shadow.moves),
            moved=self.by_rule(shadow.moved),
        )

    def claimed(self, claimed: Claimed) -> Claimed:
        asked = claimed.asked
        return claimed._replace(
            held_since=self.maybe(claimed.held_since),
            short_since=self.maybe(claimed.short_since),
            asked=None if asked is None else asked._replace(at=self.time(asked.at)),
        )

    def watched(self, watched: Watched) -> Watched:
        refusal = watched.refusal
        return watched._replace(
            changed_at=self.maybe(watched.changed_at),
            # How long a start has lasted cannot be told across a clock that was set.
            asks=tuple(
                ask._replace(at=self.time(ask.at), is_measured=False) for ask in watched.asks
            ),
            moved_at=self.maybe(watched.moved_at),
            stuck_at=self.maybe(watched.stuck_at),
            refusal=None
            if refusal is None
            else refusal._replace(since=self.time(refusal.since), until=self.time(refusal.until)),
        )
