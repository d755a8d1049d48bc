"""Fleets that are short of accelerators or money, for Hypothesis, and what an allocation of one adds up to.

The sums are counted anew from claims and grants, by other code than the allocation's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from trimtab.core.allocation.values import Allocation, Claim, SpendRoom, Terms
from trimtab.core.fleet_policy import NO_TEAM, Pool, Preemption, Quota, Team, TeamSelector
from trimtab.core.need import Need

if TYPE_CHECKING:
    from collections.abc import Sequence

TYPES = ("H100", "B200")
REGIONS = ("", "US", "EU")
NOW = 100_000.0
USD_AN_HOUR = {"H100": 7.0, "B200": 10.0}


def _team(number: int, guarantees: dict[str, int], draw: st.DrawFn) -> Team:
    by_type = st.dictionaries(st.sampled_from(TYPES), st.integers(0, 8), max_size=2)
    return Team(
        name=f"team-{number}",
        selector=TeamSelector(),
        priority=draw(st.none() | st.sampled_from([50, 100, 200])),
        weight=draw(st.sampled_from([0.5, 1.0, 1.0, 4.0])),
        guaranteed=guarantees,
        borrow_max=draw(st.just({}) | by_type),
        lend_max=draw(st.just({}) | by_type),
        is_protected=draw(st.booleans()),
    )


@st.composite
def teams(draw: st.DrawFn, quotas: dict[Pool, Quota]) -> tuple[Team, ...]:
    """Up to three teams whose guarantees add up to no more than the quotas."""
    left = {
        kind: quotas[Pool(kind)].accelerators if Pool(kind) in quotas else 16 for kind in TYPES
    }
    found = []
    for number in range(draw(st.integers(0, 3))):
        guarantees = {}
        for kind in TYPES:
            guaranteed = draw(st.integers(0, left[kind]))
            left[kind] -= guaranteed
            if guaranteed:
                guarantees[kind] = guaranteed
        found.append(_team(number, guarantees, draw))
    return tuple(found)


@st.composite
def claims(draw: st.DrawFn, name: str, of: tuple[Team, ...], size: int | None = None) -> Claim:
    """A claim such as stages 1 to 7 make: what is needed is wanted, unless a limit of theirs holds it back."""
    kind = draw(st.sampled_from(TYPES))
    each = size or draw(st.sampled_from([1, 2, 4, 8, 3]))
    held, wanted = draw(st.integers(0, 5)), draw(st.integers(0, 6))
    needed = draw(st.integers(0, 6))
    team = draw(st.sampled_from((NO_TEAM, *of)))
    spread = draw(st.sampled_from([0.0, 0.0, 0.5, 2.0]))
    priority = draw(st.sampled_from([50, 100, 100, 200])) if team.priority is None else team.priority
    return Claim(
        deployment=name,
        accelerator_type=kind,
        region=draw(st.sampled_from(REGIONS)),
        accelerators=each,
        held=held,
        wanted=wanted,
        needed=needed,
        least=draw(st.integers(0, held)),
        floor=draw(st.sampled_from([0, 0, 1, 3])),
        need=Need(float(wanted) if spread == 0.0 else draw(st.floats(0.0, 7.0)), spread),
        usd_an_hour=draw(st.sampled_from([USD_AN_HOUR[kind] * each] * 4 + [None])),
        lead_time_seconds=draw(st.sampled_from([60.0, 300.0, 1200.0])),
        held_since=draw(st.none() | st.sampled_from([NOW - 5000.0, NOW - 100.0])),
        short_since=draw(st.none() | st.sampled_from([NOW - 3000.0, NOW - 60.0])),
        priority=priority,
        team=team,
    )


@dataclass(frozen=True)
class ShortFleet:
    """What is handed to ``allocate``."""

    claims: tuple[Claim, ...]
    terms: Terms


@st.composite
def short_fleets(
    draw: st.DrawFn,
    *,
    size: int | None = None,
    is_limited: bool = True,
    preemptions: Sequence[Preemption] = tuple(Preemption),
) -> ShortFleet:
    """Up to eight claims on two types in two regions; ``size``: of so many accelerators each."""
    pools = draw(
        st.sets(st.sampled_from([Pool(k, r or None) for k in TYPES for r in REGIONS]), max_size=4)
    )
    quotas = {pool: Quota(pool, draw(st.integers(0, 40))) for pool in sorted(pools, key=str)}
    of = draw(teams(quotas))
    count = draw(st.integers(1, 8))
    found = tuple(draw(claims(f"d{number}", of, size)) for number in range(count))
    spend = None
    if is_limited and draw(st.booleans()):
        keep = draw(st.floats(0.0, 600.0))
        spend = SpendRoom(keep, keep * draw(st.sampled_from([1.0, 0.9])), "the limit")
    terms = Terms(
        now=NOW,
        quotas=quotas,
        elsewhere={pool: draw(st.integers(0, 4)) for pool in quotas if draw(st.booleans())},
        teams=of,
        spend=spend,
        preemption=draw(st.sampled_from(preemptions)),
    )
    return ShortFleet(found, terms)


def pools_of(claim: Claim) -> tuple[Pool, ...]:
    """Return the pools that ``claim`` takes from, whether they have a quota or not."""
    assert claim.accelerator_type is not None
    whole = Pool(claim.accelerator_type)
    return (whole, Pool(claim.accelerator_type, claim.region)) if claim.region else (whole,)


@dataclass(frozen=True)
class Sums:
    """What an allocation adds up to, in accelerators: by pool, and by team and type."""

    kept: Counter[Pool]
    held: Counter[Pool]
    asked: Counter[Pool]
    by_team: Counter[tuple[str, str]]
    usd_an_hour: float


def sums_of(fleet: ShortFleet, allocation: Allocation) -> Sums:
    """Count what is kept in the end, what is held at this moment and what that is with all that is asked for."""
    sums = Sums(Counter(), Counter(), Counter(), Counter(), 0.0)
    usd = 0.0
    for claim in fleet.claims:
        grant, each = allocation.of(claim), claim.accelerators or 0
        for pool in pools_of(claim):
            sums.kept[pool] += grant.entitled * each
            sums.held[pool] += claim.held * each
            sums.asked[pool] += max(claim.held, grant.replicas) * each
        sums.by_team[claim.team.name, claim.accelerator_type or ""] += grant.entitled * each
        usd += grant.entitled * (claim.usd_an_hour or 0.0)
    return Sums(sums.kept, sums.held, sums.asked, sums.by_team, usd)


def set_aside(fleet: ShortFleet, sums: Sums, kind: str, *, but: str) -> int:
    """Return how many accelerators are kept for teams (but one) that never lend them."""
    total = 0
    for team in fleet.terms.teams:
        guaranteed = team.guaranteed.get(kind, 0)
        never_lent = max(0, guaranteed - team.lend_max.get(kind, guaranteed))
        if team.name != but:
            total += max(0, never_lent - sums.by_team[team.name, kind])
    return total


def would_fit(fleet: ShortFleet, sums: Sums, claim: Claim) -> bool:
    """Whether one replica more of ``claim`` would break nothing."""
    kind, each, terms = claim.accelerator_type or "", claim.accelerators or 0, fleet.terms
    for pool in pools_of(claim):
        if pool not in terms.quotas:
            continue
        free = terms.quotas[pool].accelerators - terms.elsewhere.get(pool, 0) - sums.kept[pool]
        if pool.region is None:
            free -= set_aside(fleet, sums, kind, but=claim.team.name)
        if free < each:
            return False
    borrowing = claim.team.borrow_max.get(kind)
    most = None if borrowing is None else claim.team.guaranteed.get(kind, 0) + borrowing
    if most is not None and sums.by_team[claim.team.name, kind] + each > most:
        return False
    if terms.spend is None:
        return True
    if claim.usd_an_hour is None:
        return False
    return sums.usd_an_hour + claim.usd_an_hour <= terms.spend.grow_usd_an_hour - 1e-6
