"""Replicas on their way: since when each is waited for, how long each took, and when it is too long.

Replicas have no names, only counts per stage. So the time of the n-th replica runs from the write
that raised the count to n or more until n serve. What would spoil a time ends its measuring without an
observation (it is censored): replicas that are lost meanwhile, an ask that is withdrawn, hardware that
changes. Replicas that are ready at the same look and were asked for at once are one observation, because
what delayed one delayed the others.

Revocable replicas are the platform's: they are neither asked for nor counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.decision import WriteStatus
from trimtab.core.deployment import State
from trimtab.core.maximum import capped
from trimtab.core.watched import Ask

if TYPE_CHECKING:
    from trimtab.core.decision import Outcome
    from trimtab.core.deployment import Deployment
    from trimtab.core.lead_time import LeadTime
    from trimtab.core.policy import Policy
    from trimtab.core.watched import Watched

ASKS_MAX = 32
"""How many asks of one deployment are told apart; later ones are waited for together."""

PROMPT_SECONDS = 10.0
"""So long an answer may come after its write was seen, and still say when it was made."""

STUCK_SECONDS_MIN = 300.0
"""Nothing counts as stuck sooner, however fast the starts were: a look may be late, a node slow."""

WAITING_STATES = (State.READY, State.UPDATING, State.CREATING)
"""In which replicas may be waited for; in the others they will not come, for a better reason."""


class Started(NamedTuple):
    """``replicas`` asked for at once that were found ready at one look, ``seconds`` after."""

    replicas: int
    seconds: float


def asked_replicas(deployment: Deployment) -> int:
    """Return the count that the platform has been asked for, whoever asked."""
    least = max(deployment.min_replicas, deployment.desired_replicas)
    return capped(least, deployment.max_replicas)


def own_ready(deployment: Deployment) -> int:
    """Return how many of the replicas asked for serve. A revocable one counts as none of them."""
    return max(0, deployment.pipeline.ready - deployment.revocable_replicas)


def follow(
    watched: Watched, deployment: Deployment, now: float
) -> tuple[Watched, tuple[Started, ...]]:
    """Take in how far the replicas are; return also those that became ready and were measured."""
    target, ready, before = asked_replicas(deployment), own_ready(deployment), watched.ready
    if ready == before and target <= ready and not watched.asks:
        return watched, ()  # by far the most looks
    seen_at = now if deployment.observed_at is None else deployment.observed_at
    asks, moved_at = watched.asks, watched.moved_at
    started: tuple[Started, ...] = ()
    if before is not None and ready > before:
        started, moved_at = _started(asks, before, ready, seen_at), now
    elif before is not None and ready < before:
        asks = _after_loss(asks, min(before, target), ready, now)
    asks = tuple(ask for ask in asks if ask.replicas > ready)
    if asks and asks[-1].replicas > target and seen_at >= asks[-1].at:
        asks = _withdrawn(asks, target, ready)
    covered = asks[-1].replicas if asks else ready
    if target > covered:
        asks = _appended(asks, Ask(now, target, is_measured=False))
    if (asks, ready, moved_at) == (watched.asks, before, watched.moved_at):
        return watched, started
    return watched._replace(asks=asks, ready=ready, moved_at=moved_at), started


def asked(watched: Watched, outcome: Outcome, *, is_timed: bool = True) -> Watched:
    """Take in the end of an order of ours: only what was applied, at a time that is known, is measured."""
    order = outcome.order
    if outcome.status is not WriteStatus.APPLIED:
        return watched
    if order.to_replicas < order.from_replicas:
        return watched._replace(
            asks=_withdrawn(watched.asks, order.to_replicas, watched.ready or 0)
        )
    # What is missed beyond the count before, only since, is this very write seen before its outcome.
    earlier = tuple(
        ask
        for ask in watched.asks
        if ask.replicas <= order.from_replicas or ask.is_measured or ask.at < order.at
    )
    covered = earlier[-1].replicas if earlier else watched.ready or 0
    if order.to_replicas <= covered:
        return watched
    # Its answer may come minutes after it was seen, and the waiting began then.
    seen_at = min((ask.at for ask in watched.asks if ask not in earlier), default=outcome.at)
    is_prompt = outcome.at - seen_at <= PROMPT_SECONDS
    at = outcome.at if is_prompt else seen_at
    ask = Ask(at, order.to_replicas, is_measured=is_timed and is_prompt)
    return watched._replace(asks=_appended(earlier, ask))


def unmeasured(watched: Watched, now: float) -> Watched:
    """Begin to wait anew, without a time that says anything of a start."""
    if not watched.asks:
        return watched
    return watched._replace(
        asks=tuple(Ask(now, ask.replicas, is_measured=False) for ask in watched.asks)
    )


def waiting_since(watched: Watched) -> float | None:
    """Since when nothing that is asked for has come; ``None`` when nothing is waited for."""
    if not watched.asks:
        return None
    oldest = min(ask.at for ask in watched.asks)
    return oldest if watched.moved_at is None else max(oldest, watched.moved_at)


def stuck_after_seconds(policy: Policy | None, lead_time: LeadTime) -> float:
    """Return how long is too long: what the policy says, else the 99th percentile of the starts."""
    if policy is not None and policy.stuck_after_seconds is not None:
        return policy.stuck_after_seconds
    return max(STUCK_SECONDS_MIN, lead_time.p99_seconds)


def _started(asks: tuple[Ask, ...], before: int, ready: int, seen_at: float) -> tuple[Started, ...]:
    found, previous = [], before
    for ask in asks:
        count = min(ready, ask.replicas) - max(before, previous)
        if count > 0 and ask.is_measured:
            found.append(Started(count, max(0.0, seen_at - ask.at)))
        previous = max(previous, ask.replicas)
    return tuple(found)


def _after_loss(asks: tuple[Ask, ...], had: int, ready: int, now: float) -> tuple[Ask, ...]:
    """Replicas went away: which of those on their way replaces them cannot be told any more."""
    spoilt = tuple(ask._replace(is_measured=False) for ask in asks)
    if had <= ready:
        return spoilt
    later = tuple(ask for ask in spoilt if ask.replicas > had)
    return (Ask(now, had, is_measured=False), *later)


def _withdrawn(asks: tuple[Ask, ...], target: int, ready: int) -> tuple[Ask, ...]:
    kept, previous = [], ready
    for ask in asks:
        if previous >= target:
            break
        kept.append(ask._replace(replicas=min(ask.replicas, target)))
        previous = ask.replicas
    return tuple(kept)


def _appended(asks: tuple[Ask, ...], ask: Ask) -> tuple[Ask, ...]:
    if len(asks) < ASKS_MAX:
        return (*asks, ask)
    together = asks[-1]._replace(replicas=ask.replicas, is_measured=False)
    return (*asks[:-1], together)
