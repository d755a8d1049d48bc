"""What the control plane has taught of quotas: by its endpoint, and by refusing.

A refusal teaches the same as a quota that was known before: so many there are, and everybody shares them. It
stands for a pause that doubles with each refusal; then as many accelerators more as one replica takes may be
asked for, by whoever comes first. What is accepted lets twice as many be tried next (slow start, as TCP
feels for the width of a line: Jacobson, "Congestion avoidance and control", SIGCOMM 1988); so a quota that was
raised is found in a few writes, and one that was not costs one write for each pause, not one for each deployment.
"""

from __future__ import annotations

from collections import Counter
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from trimtab.core.capacity import FORGET_SECONDS, pause_seconds
from trimtab.core.fleet_policy import Pool, Quota, QuotaSource

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from trimtab.core.account_quotas import QuotaReading
    from trimtab.core.fleet_policy import FleetPolicy

Known = TypeVar("Known", "AccountQuota", "QuotaRefusal")


class AccountQuota(NamedTuple):
    """A quota as the account's endpoint told it last, at ``at`` (UTC seconds), in accelerators.

    ``beyond`` is how many more were in use than deployments held then; ``elsewhere`` how many are believed to be
    in use outside of all deployments: what two readings in a row agree on, because one of them may have been
    made while replicas came or went.
    """

    pool: Pool
    accelerators: int
    at: float
    beyond: int
    elsewhere: int


class QuotaRefusal(NamedTuple):
    """A write was refused for the quota of ``pool``, ``refusals`` times in a row since ``since``.

    No more than ``accelerators`` are asked for until ``until`` (UTC seconds), and ``probe`` more after that.
    """

    pool: Pool
    accelerators: int
    since: float
    until: float
    probe: int
    refusals: int = 1


class KnownQuotas(NamedTuple):
    """All that was taught, at most one of each kind for a pool, by pool. A value of the memory."""

    account: tuple[AccountQuota, ...] = ()
    refusals: tuple[QuotaRefusal, ...] = ()


NO_KNOWN_QUOTAS = KnownQuotas()


def after_readings(
    known: KnownQuotas, readings: Iterable[QuotaReading], held: Mapping[Pool, int] | None
) -> KnownQuotas:
    """Take in all that the account's endpoint says now; of a pool that it leaves out nothing is known.

    ``held`` is how many accelerators of each pool deployments hold, ``None``: nobody knows; then no more are in
    use elsewhere than were before, and than are in use at all. A quota that is another than before, read
    after a refusal, is believed more than the refusal.
    """
    found = tuple(readings)
    named = {one.quota.pool for one in found}
    known = known._replace(account=tuple(one for one in known.account if one.pool in named))
    for reading in found:
        known = _after_reading(
            known, reading, None if held is None else held.get(reading.quota.pool, 0)
        )
    return known


def _after_reading(known: KnownQuotas, reading: QuotaReading, held: int | None) -> KnownQuotas:
    pool, accelerators = reading.quota.pool, reading.quota.accelerators
    before = next((one for one in known.account if one.pool == pool), None)
    if before is not None and reading.at <= before.at:
        return known
    used = max(0, ceil(reading.used))
    if held is None:
        beyond = 0 if before is None else min(before.beyond, used)
        elsewhere = 0 if before is None else min(before.elsewhere, used)
    else:
        beyond = max(0, used - held)
        elsewhere = beyond if before is None else min(before.beyond, beyond)
    now = AccountQuota(pool, accelerators, reading.at, beyond, elsewhere)
    is_news = before is None or before.accelerators != accelerators
    return KnownQuotas(
        _with(known.account, now),
        tuple(
            one
            for one in known.refusals
            if not (one.pool == pool and is_news and reading.at > one.since)
        ),
    )


def after_refusal(
    known: KnownQuotas,
    pool: Pool,
    at: float,
    *,
    held: int,
    asked: int,
    each: int,
    reading: QuotaReading | None,
) -> KnownQuotas:
    """Take in that a write was refused which asked for ``asked`` accelerators beyond the ``held`` ones.

    ``each`` is what one replica takes. ``reading`` is what the refusal said of the quota; it is not believed
    where it would have allowed the same. Where it says nothing, there are as many as are held.
    """
    limit, before = held, next((one for one in known.refusals if one.pool == pool), None)
    if reading is not None:
        # What is in use beyond what is held is in use elsewhere: at the very moment, it needs no proof.
        elsewhere = max(0, ceil(reading.used) - held)
        limit = min(max(held, reading.quota.accelerators - elsewhere), held + asked - 1)
    refusals = 1 if before is None else before.refusals + 1
    until = at + pause_seconds(refusals)
    since = at if before is None else before.since
    refusal = QuotaRefusal(pool, limit, since, until, each, refusals)
    return known._replace(refusals=_with(known.refusals, refusal))


def after_acceptance(
    known: KnownQuotas, pools: Iterable[Pool], at: float, held: Mapping[Pool, int]
) -> KnownQuotas:
    """Take in that a write was accepted which leaves ``held`` accelerators asked for: a refusal may be over."""
    for pool in pools:
        for one in known.refusals:
            if one.pool == pool and held.get(pool, 0) > one.accelerators:
                more = QuotaRefusal(pool, held[pool], one.since, at, 2 * one.probe)
                known = known._replace(refusals=_with(known.refusals, more))
    return known


def with_refusals(known: KnownQuotas, refusals: Iterable[QuotaRefusal]) -> KnownQuotas:
    """Take in what others were taught by refusals; of the same pool the one that stands for longer counts."""
    for one in refusals:
        ours = next((mine for mine in known.refusals if mine.pool == one.pool), None)
        if ours is None or ours.until < one.until:
            known = known._replace(refusals=_with(known.refusals, one))
    return known


def without_the_past(known: KnownQuotas, now: float) -> KnownQuotas:
    """Forget refusals whose pause was over long ago."""
    alive = tuple(one for one in known.refusals if now < one.until + FORGET_SECONDS)
    return known if len(alive) == len(known.refusals) else known._replace(refusals=alive)


def quotas_in_force(policy: FleetPolicy, known: KnownQuotas, now: float) -> dict[Pool, Quota]:
    """Return the quota of each pool that has one: of what is ordered, told and taught that of which the least is left."""
    found: dict[Pool, Quota] = {}
    told = (Quota(one.pool, one.accelerators, QuotaSource.ACCOUNT) for one in known.account)
    taught = (
        Quota(
            one.pool,
            one.accelerators + (one.probe if now >= one.until else 0),
            QuotaSource.REFUSAL,
        )
        for one in known.refusals
    )
    elsewhere = _elsewhere(known)

    def left(quota: Quota) -> int:
        is_taught = quota.source is QuotaSource.REFUSAL
        return quota.accelerators - (0 if is_taught else elsewhere[quota.pool])

    for quota in (*policy.quotas, *told, *taught):
        before = found.get(quota.pool)
        if before is None or left(quota) < left(before):
            found[quota.pool] = quota
    return found


def elsewhere_in(known: KnownQuotas, quotas: Mapping[Pool, Quota]) -> dict[Pool, int]:
    """Return how many accelerators of each pool are taken off. A refusal has taken them off already."""
    return {
        pool: accelerators
        for pool, accelerators in _elsewhere(known).items()
        if pool in quotas and quotas[pool].source is not QuotaSource.REFUSAL
    }


def _elsewhere(known: KnownQuotas) -> Counter[Pool]:
    """Return what is in use outside of all deployments; of a pool that is over all accounts, in each of them."""
    found: Counter[Pool] = Counter()
    for one in known.account:
        for pool in {one.pool, one.pool._replace(account=None)} if one.elsewhere else ():
            found[pool] += one.elsewhere
    return found


def unseen_in(
    held: Mapping[tuple[str, str], int], known: KnownQuotas, quotas: Collection[Pool]
) -> dict[Pool, int]:
    """Return what accounts that were not read hold of each pool over all accounts, as it was known last.

    ``held`` is in accelerators by account and type. In which region they are is not known. What an account's own
    endpoint says to be in use is taken off already.
    """
    told: Counter[tuple[str | None, str]] = Counter()
    for one in known.account:
        if one.pool.region is None:
            told[one.pool.account, one.pool.accelerator_type] += one.elsewhere
    found: Counter[Pool] = Counter()
    for (account, kind), accelerators in held.items():
        if (pool := Pool(kind)) in quotas:
            found[pool] += max(0, accelerators - told[account, kind])
    return dict(+found)


def _with(ones: tuple[Known, ...], new: Known) -> tuple[Known, ...]:
    found = {one.pool: one for one in ones}
    found[new.pool] = new
    return tuple(found[pool] for pool in sorted(found, key=str))
