"""Fleets that are short of accelerators or money, for Hypothesis, and what an allocation of one adds up to.

The sums are counted anew from claims and grants, by other code than the allocation's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from trimtab.core.allocation.precedence import wishes_of
from trimtab.core.allocation.values import Allocation, Claim, SpendRoom, Terms
from trimtab.core.fleet_policy import NO_TEAM, Pool, Preemption, Quota, Team, TeamSelector
from trimtab.core.need import Need

if TYPE_CHECKING:
    from collections.abc import Sequence

TYPES = ("H100", "B200")
REGIONS = ("", "US", "EU", "US_IOWA_1")
ACCOUNTS = ("", "acme", "other")
NOW = 100_000.0
ELSEWHERE_MAX = 4
USD_AN_HOUR = {"H100": 7.0, "B200": 10.0}


def _by_type(random: Random, most: int) -> dict[str, int]:
    return {kind: random.randint(0, most) for kind in TYPES if random.random() < 0.5}


def _teams(random: Random, quotas: dict[Pool, Quota]) -> tuple[Team, ...]:
    """Up to three teams whose guarantees add up to no more than the quotas."""
    left = {
        kind: max(0, quotas[Pool(kind)].accelerators - ELSEWHERE_MAX)
        if Pool(kind) in quotas
        else 16
        for kind in TYPES
    }
    found = []
    for number in range(random.randint(0, 3)):
        guarantees = {kind: random.randint(0, left[kind]) for kind in TYPES}
        left = {kind: left[kind] - guarantees[kind] for kind in TYPES}
        found.append(
            Team(
                name=f"team-{number}",
                selector=TeamSelector(),
                priority=random.choice([None, None, 50, 100, 200]),
                weight=random.choice([0.5, 1.0, 1.0, 4.0]),
                guaranteed={kind: count for kind, count in guarantees.items() if count},
                borrow_max=random.choice([{}, _by_type(random, 8)]),
                lend_max=random.choice([{}, _by_type(random, 8)]),
                is_protected=random.random() < 0.5,
            )
        )
    return tuple(found)


def _claim(name: str, random: Random, of: tuple[Team, ...], size: int | None, mix: Mix) -> Claim:
    """A claim such as stages 1 to 7 make: what is needed is wanted, unless a limit of theirs holds it back."""
    kind = random.choice(mix.kinds)
    each = size or random.choice(mix.sizes)
    held, wanted = random.randint(0, 5), random.randint(0, 8)
    team = random.choice((NO_TEAM, *of))
    spread = random.choice([0.0, 0.0, 0.5, 2.0])
    priority = random.choice(mix.priorities) if team.priority is None else team.priority
    return Claim(
        deployment=name,
        accelerator_type=kind,
        region=random.choice(mix.regions),
        accelerators=each,
        held=held,
        wanted=wanted,
        needed=random.randint(0, 6),
        least=random.randint(0, held),
        floor=random.choice([0, 0, 1, 3]),
        need=Need(float(wanted) if spread == 0.0 else random.uniform(0.0, 7.0), spread),
        usd_an_hour=random.choice([USD_AN_HOUR[kind] * each] * 4 + [None]),
        lead_time_seconds=random.choice([60.0, 300.0, 1200.0]),
        held_since=random.choice([None, NOW - 5000.0, NOW - 100.0]),
        short_since=random.choice([None, NOW - 3000.0, NOW - 60.0]),
        priority=priority,
        team=team,
        account=random.choice(mix.accounts),
    )


@dataclass(frozen=True)
class ShortFleet:
    """What is handed to ``allocate``."""

    claims: tuple[Claim, ...]
    terms: Terms


@dataclass(frozen=True)
class Mix:
    """Of what a fleet is made: few things, so that they meet."""

    kinds: Sequence[str]
    regions: Sequence[str]
    accounts: Sequence[str]
    sizes: Sequence[int]
    priorities: Sequence[int]


def short_fleets(
    *,
    size: int | None = None,
    is_limited: bool = True,
    preemptions: Sequence[Preemption] = tuple(Preemption),
) -> st.SearchStrategy[ShortFleet]:
    """Up to eight claims on two types in three regions of two accounts; ``size``: of so many accelerators each.

    Drawn from one seed: Hypothesis likes small and equal numbers, with which accelerators are seldom short.
    """
    return st.builds(
        lambda seed: a_short_fleet(seed, size=size, is_limited=is_limited, preemptions=preemptions),
        st.integers(0, 2**32),
    )


def a_short_fleet(
    seed: int,
    *,
    size: int | None = None,
    is_limited: bool = True,
    preemptions: Sequence[Preemption] = tuple(Preemption),
) -> ShortFleet:
    """The one of that number."""
    return _short_fleet(Random(seed), size, is_limited, preemptions)


def _short_fleet(
    random: Random, size: int | None, is_limited: bool, preemptions: Sequence[Preemption]
) -> ShortFleet:
    mix = Mix(
        kinds=random.choice([TYPES[:1], TYPES]),
        regions=random.choice([REGIONS[:1], REGIONS]),
        accounts=random.choice([ACCOUNTS[:1], ACCOUNTS[1:2], ACCOUNTS]),
        sizes=random.choice([(1,), (1, 2, 4, 8, 3)]),
        priorities=random.choice([(100,), (50, 100, 100, 200)]),
    )
    every = [
        Pool(kind, region or None, account or None)
        for kind in TYPES
        for region in REGIONS
        for account in ACCOUNTS
    ]
    pools = random.choice(
        [[Pool(kind) for kind in TYPES], random.sample(every, random.randint(0, 4))]
    )
    quotas = {pool: Quota(pool, random.randint(0, 40)) for pool in pools}
    of = _teams(random, quotas)
    claims = tuple(
        _claim(f"d{number}", random, of, size, mix) for number in range(random.randint(1, 8))
    )
    if random.random() < 0.7:  # some room, and not enough: where most of what can go wrong does
        quotas = {pool: _tight(pool, claims, of, random.randint(0, 12)) for pool in quotas}
    spend = None
    if is_limited and random.random() < 0.5:
        keep = random.uniform(0.0, 600.0)
        spend = SpendRoom(keep, keep * random.choice([1.0, 0.9]), "the limit", "the limit")
    terms = Terms(
        now=NOW,
        quotas=quotas,
        elsewhere={
            pool: random.randint(0, ELSEWHERE_MAX) for pool in quotas if random.random() < 0.3
        },
        teams=of,
        spend=spend,
        preemption=random.choice(tuple(preemptions)),
    )
    return ShortFleet(claims, terms)


def _tight(pool: Pool, claims: Sequence[Claim], of: Sequence[Team], room: int) -> Quota:
    """A quota with so much room beyond what is held; guarantees are kept."""
    held = sum(one.held * (one.accelerators or 0) for one in claims if pool in pools_of(one))
    guaranteed = sum(team.guaranteed.get(pool.accelerator_type, 0) for team in of)
    least = 0 if pool.region else guaranteed + ELSEWHERE_MAX  # an account's may be all of it
    return Quota(pool, max(held + room, least))


def pools_of(claim: Claim) -> tuple[Pool, ...]:
    """Return the pools that ``claim`` takes from, whether they have a quota or not."""
    assert claim.accelerator_type is not None
    regions = [None]
    if claim.region:
        regions.append("US" if claim.region == "US_IOWA_1" else claim.region)
    if claim.region == "US_IOWA_1":
        regions += ["US_IOWA", "US_IOWA_1"]
    accounts = [None, claim.account] if claim.account else [None]
    return tuple(Pool(claim.accelerator_type, *one) for one in product(regions, accounts))


@dataclass(frozen=True)
class Sums:
    """What an allocation adds up to, in accelerators: by pool, and by team and type."""

    kept: Counter[Pool]
    held: Counter[Pool]
    asked: Counter[Pool]
    by_team: Counter[tuple[str, str]]
    usd_an_hour: float


def growths(
    place: int, claim: Claim, terms: Terms, most: int
) -> list[tuple[tuple[int, float, str], int, int]]:
    """Return what ``claim`` asks for beyond what it holds, by its key in the order of precedence."""
    since = terms.now if claim.short_since is None else claim.short_since
    found = wishes_of(claim, place, since, terms.patience_seconds, most)
    return [(wish[:3], place, wish[3]) for wish in found]


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


def set_aside(fleet: ShortFleet, sums: Sums, pool: Pool, *, but: str) -> int:
    """Return how many accelerators of a pool are kept for teams (but one) that never lend them."""
    total, kind = 0, pool.accelerator_type
    if pool.region is not None:
        return 0
    for team in fleet.terms.teams:
        accounts = {
            one.account
            for one in fleet.claims
            if (one.team.name, one.accelerator_type) == (team.name, kind)
        }
        if pool.account is not None and accounts and pool.account not in accounts:
            continue
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
        free -= set_aside(fleet, sums, pool, but=claim.team.name)
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
