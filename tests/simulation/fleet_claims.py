"""Who comes first, and that nobody is kept from having fewer: checked after each step, from its claims.

From outside nobody sees who wanted what at which moment. So this one check looks at what the daemon says it
was told to want, and judges by the terms of the file alone who should have had it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.decision import Reason
from trimtab.core.policy import Actuation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.simulation.process import Process

    from trimtab.core.allocation.values import Claim
    from trimtab.core.decision import Order, Tick
    from trimtab.core.engine import Engine


UNDECIDED = frozenset({Reason.INVARIANT, Reason.WRITE_IN_FLIGHT})
"""Nothing new is decided: the claim is that of the last decision."""


class Broken(NamedTuple):
    """A promise that a step broke, to whom."""

    promise: str
    name: str
    text: str


def check_step(process: Process, tick: Tick) -> None:
    """Complain of the first thing that is wrong with a step."""
    engine = process.daemon.engine
    if not engine.sharing.is_active:
        return
    for one in (*_kept_from_falling(engine, tick), *_out_of_turn(engine, tick)):
        process.world.auditor.violated(*one)
        return


def _kept_from_falling(engine: Engine, tick: Tick) -> Iterator[Broken]:
    for one in tick.decisions:
        memory = engine.remembered(one.deployment)
        claimed = None if memory is None else memory.claimed
        if claimed is None or not claimed.is_binding or one.verdict.reason in UNDECIDED:
            continue
        if claimed.wanted < one.current and one.desired > claimed.wanted:
            text = f"{one.current} -> {one.desired}, wanted {claimed.wanted}: {one.sentence}"
            yield Broken("no limit keeps anybody from having fewer", one.deployment, text)


def _out_of_turn(engine: Engine, tick: Tick) -> Iterator[Broken]:
    claims = engine.sharing.book.claims
    used: Counter[tuple[str, str | None]] = Counter()
    ordered = {order.deployment: order.to_replicas for order in tick.orders}
    for name, claim in claims.items():
        held = max(claim.held, ordered.get(name, 0))  # also of an order that has to wait
        used[claim.team.name, claim.accelerator_type] += held * (claim.accelerators or 0)
    for order in tick.orders:
        taker = claims.get(order.deployment)
        if taker is None or order.to_replicas <= order.from_replicas or not taker.accelerators:
            continue
        if order.actuation is Actuation.FLOOR:
            continue  # the platform may have asked for them already
        beyond = _beyond(taker, order, used)
        for short in _short(engine, tick, taker.accelerator_type):
            if short.deployment == taker.deployment or (short.accelerators or 0) > beyond:
                continue
            if short.account != taker.account and _is_limited(engine, short):
                continue  # what the other account has is of no use to it
            mine = used[short.team.name, short.accelerator_type] + (short.accelerators or 0)
            guaranteed = short.team.guaranteed.get(short.accelerator_type or "", 0)
            borrowed = short.team.borrow_max.get(short.accelerator_type or "")
            is_owed = mine <= guaranteed
            is_allowed = borrowed is None or mine <= guaranteed + borrowed
            text = f"{order.from_replicas} -> {order.to_replicas} while {short} is short"
            if is_owed and taker.team is not short.team:
                yield Broken("guarantees come first", taker.deployment, text)
            elif is_allowed and short.priority > taker.priority:
                yield Broken("higher priorities come first", taker.deployment, text)


def _is_limited(engine: Engine, short: Claim) -> bool:
    """Whether the account of ``short`` has a quota of its own."""
    return any(
        (pool.accelerator_type, pool.account) == (short.accelerator_type, short.account)
        for pool in engine.sharing.quotas
    )


def _beyond(taker: Claim, order: Order, used: Counter[tuple[str, str | None]]) -> int:
    """Return how many of the accelerators that an order asks for no guarantee covers."""
    grown = (order.to_replicas - order.from_replicas) * (taker.accelerators or 0)
    guaranteed = taker.team.guaranteed.get(taker.accelerator_type or "", 0)
    return min(grown, max(0, used[taker.team.name, taker.accelerator_type] - guaranteed))


def _short(engine: Engine, tick: Tick, kind: str | None) -> Iterable[Claim]:
    """Yield those who were granted less than they want, and who know it since this very step."""
    quotas = {pool.accelerator_type: one for pool, one in engine.sharing.quotas.items()}
    for one in tick.decisions:
        claim, memory = (
            engine.sharing.book.claims.get(one.deployment),
            engine.remembered(one.deployment),
        )
        claimed = None if memory is None else memory.claimed
        if claim is None or claimed is None or not claimed.is_binding or not claim.accelerators:
            continue
        is_growing = claim.wanted > claim.held and claimed.held <= claimed.entitled < claimed.wanted
        quota = quotas.get(kind or "")
        most = claim.wanted if quota is None else quota.accelerators // claim.accelerators
        if claim.accelerator_type == kind and is_growing and claim.held < most:
            yield claim
