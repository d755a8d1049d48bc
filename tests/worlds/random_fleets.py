"""Large random fleets that are short of accelerators, by seed, and the best that could be made of them.

What is compared is the weighted demand that is left unmet: of each replica that is asked for and not granted, the
team's weight times its accelerators times the share of it that load would use. All have one priority, no
guarantees and no waiting behind them: with these the order is not one of worth, and no optimum of it.
"""

from __future__ import annotations

from math import ceil
from random import Random
from typing import NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from trimtab.core.allocation.allocate import allocate
from trimtab.core.allocation.values import Claim, Terms
from trimtab.core.fleet_policy import Pool, Quota, Team, TeamSelector
from trimtab.core.need import Need

TYPES = ("H100", "H200", "B200")
NOW = 100_000.0


class RandomFleet(NamedTuple):
    """What is handed to ``allocate``."""

    claims: tuple[Claim, ...]
    terms: Terms


def random_fleet(seed: int, *, least: int = 20, most: int = 200) -> RandomFleet:
    """``least`` to ``most`` deployments of 1 to 8 accelerators a replica on up to three types and two regions.

    Of what is asked for beyond what is held, 10 to 95 % is there; half the fleets with regions are short in one
    of these, too.
    """
    random = Random(seed)
    kinds = TYPES[: random.randint(1, 3)]
    weights = [random.choice([0.5, 1.0, 2.0, 4.0]) for _ in range(random.randint(1, 4))]
    teams = tuple(
        Team(name=f"t{number}", selector=TeamSelector(), weight=weight)
        for number, weight in enumerate(weights)
    )
    regions = random.choice([("",), ("US", "EU")])
    count = round(least * (most / least) ** random.random())
    claims = tuple(_claim(f"d{n}", random, kinds, regions, teams) for n in range(count))
    quotas: dict[Pool, Quota] = {}
    for kind in kinds:
        _limit(quotas, claims, Pool(kind), random.uniform(0.1, 0.95))
        if len(regions) > 1 and random.random() < 0.5:
            _limit(quotas, claims, Pool(kind, random.choice(regions)), random.uniform(0.3, 1.0))
    return RandomFleet(claims, Terms(now=NOW, quotas=quotas, teams=teams))


def _claim(
    name: str,
    random: Random,
    kinds: tuple[str, ...],
    regions: tuple[str, ...],
    teams: tuple[Team, ...],
) -> Claim:
    load, spread = random.uniform(0.0, 6.0), random.choice([0.0, 0.3, 1.0])
    wanted = ceil(load + 1.3 * spread)
    return Claim(
        deployment=name,
        accelerator_type=random.choice(kinds),
        region=random.choice(regions),
        accelerators=random.choice([1, 2, 4, 8]),
        held=random.randint(0, 4),
        wanted=wanted,
        needed=wanted,
        least=0,
        need=Need(load, spread) if spread else Need(float(wanted)),
        team=random.choice(teams),
    )


def _limit(quotas: dict[Pool, Quota], claims: tuple[Claim, ...], pool: Pool, share: float) -> None:
    ones = [one for one in claims if is_in(one, pool)]
    kept = sum(min(one.held, one.wanted) * (one.accelerators or 0) for one in ones)
    full = sum(one.wanted * (one.accelerators or 0) for one in ones)
    quotas[pool] = Quota(pool, kept + int(share * (full - kept)))


def is_in(claim: Claim, pool: Pool) -> bool:
    """Whether the replicas of ``claim`` come from ``pool``."""
    return claim.accelerator_type == pool.accelerator_type and pool.region in (None, claim.region)


def value(claim: Claim, number: int) -> float:
    """What is left unmet if ``claim`` does not get its replica number ``number``."""
    return claim.team.weight * (claim.accelerators or 0) * claim.need.used(number)


def unmet(fleet: RandomFleet) -> float:
    """What ``allocate`` leaves unmet."""
    allocation = allocate(fleet.claims, fleet.terms)
    return sum(
        value(claim, number)
        for claim in fleet.claims
        for number in range(max(claim.held, allocation.of(claim).entitled) + 1, claim.wanted + 1)
    )


def asked(fleet: RandomFleet) -> float:
    """What would be left unmet if nobody got anything."""
    return sum(found for _, found in _items(fleet))


def least_unmet(fleet: RandomFleet, *, is_whole: bool = False) -> float:
    """The least that can be left unmet: with fractions of replicas (a linear program), or with whole ones."""
    items = _items(fleet)
    if not items:
        return 0.0
    values = np.array([found for _, found in items])
    rows, room = [], []
    for pool, quota in fleet.terms.quotas.items():
        kept = sum(
            min(one.held, one.wanted) * (one.accelerators or 0)
            for one in fleet.claims
            if is_in(one, pool)
        )
        rows.append([(one.accelerators or 0) * is_in(one, pool) for one, _ in items])
        room.append(quota.accelerators - kept)
    solve = _with_whole_replicas if is_whole else _with_fractions
    return float(values.sum()) - solve(values, np.array(rows, dtype=float), np.array(room))


def _with_fractions(values: np.ndarray, rows: np.ndarray, room: np.ndarray) -> float:
    found = linprog(-values, A_ub=rows, b_ub=room, bounds=(0.0, 1.0), method="highs")
    return -float(found.fun)


def _with_whole_replicas(values: np.ndarray, rows: np.ndarray, room: np.ndarray) -> float:
    found = milp(
        -values,
        constraints=LinearConstraint(rows, -np.inf, room),
        bounds=Bounds(0.0, 1.0),
        integrality=np.ones(len(values)),
        options={"mip_rel_gap": 1e-6, "time_limit": 10.0},
    )
    return -float(found.fun)


def _items(fleet: RandomFleet) -> list[tuple[Claim, float]]:
    return [
        (claim, value(claim, number))
        for claim in fleet.claims
        for number in range(claim.held + 1, claim.wanted + 1)
    ]


class Excess(NamedTuple):
    """How far ``allocate`` is from an optimum over many fleets, as shares of what the optimum leaves unmet."""

    fleets: int
    mean: float
    median: float
    worst: float
    of_all: float


def excess(fleets: range, *, least: int = 20, most: int = 200, is_whole: bool = False) -> Excess:
    """Compare over the fleets of these seeds. Fleets of which everything can be met have no share and are left out.

    ``of_all`` is the excess of all fleets together over what their optima leave unmet together.
    """
    found: list[tuple[float, float]] = []
    for seed in fleets:
        fleet = random_fleet(seed, least=least, most=most)
        optimum = least_unmet(fleet, is_whole=is_whole)
        if optimum > 1e-6:
            found.append((unmet(fleet) - optimum, optimum))
    shares = [more / optimum for more, optimum in found]
    total = sum(optimum for _, optimum in found)
    return Excess(
        len(found),
        float(np.mean(shares)),
        float(np.median(shares)),
        max(shares),
        sum(more for more, _ in found) / total,
    )
