"""A book that is kept up claim by claim grants what one allocation over all of them would.

Seen to catch, each: an order that keeps the wishes of a claim that has changed, or of one that is gone; places left with the
sums of claims that are gone; a walk that ends when the first pool is full; a quota that changed and left wishes cut to
the old one; teams below their guarantee taken for the plain case; grants kept when only the time has changed.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds.short_fleets import (
    NOW,
    ShortFleet,
    a_short_fleet,
    growths,
    pools_of,
    short_fleets,
)

from trimtab.core.allocation.allocate import allocate
from trimtab.core.allocation.book import Book
from trimtab.core.allocation.fill import Filled
from trimtab.core.allocation.shelf import Shelf
from trimtab.core.allocation.values import Terms
from trimtab.core.fleet_policy import Preemption, Quota, Team, TeamSelector
from trimtab.core.need import Need

if TYPE_CHECKING:
    from trimtab.core.allocation.values import Claim

EXAMPLES = 300


def changed(claim: Claim, random: Random) -> Claim:
    """The same deployment a while later."""
    held, wanted = claim.held, claim.wanted
    if random.random() < 0.6:
        held, wanted = random.randint(0, 5), random.randint(0, 8)
    need = random.choice([claim.need, Need(float(wanted)), Need(random.uniform(0.0, 7.0), 0.5)])
    since = None if random.random() < 0.1 else NOW - random.choice([60.0, 900.0, 3000.0])
    return claim._replace(
        held=held,
        wanted=wanted,
        needed=random.randint(0, 6),
        least=random.randint(0, held),
        floor=random.choice([claim.floor, 0, 3]),
        need=need,
        held_since=random.choice([None, NOW - 5000.0, NOW - 100.0]),
        short_since=since,
    )


def other_quotas(terms: Terms, random: Random) -> Terms:
    quotas = {pool: Quota(pool, random.randint(0, 40)) for pool in terms.quotas}
    return terms._replace(quotas=quotas, now=terms.now + random.choice([0.0, 15.0, 1800.0]))


def opened(fleet: ShortFleet) -> tuple[Book, dict[str, Claim]]:
    """A book with all claims of a fleet in it, and the claims by deployment."""
    book = Book()
    book.open(fleet.terms)
    for one in fleet.claims:
        book.put(one)
    return book, {one.deployment: one for one in fleet.claims}


@given(fleet=short_fleets(), seed=st.integers(), steps=st.integers(1, 12))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_book_kept_up_step_by_step_grants_what_an_allocation_over_all_claims_does(
    fleet: ShortFleet, seed: int, steps: int
) -> None:
    random, terms = Random(seed), fleet.terms
    book, claims = opened(fleet)
    for _ in range(steps):
        name = random.choice(sorted(claims) or [""])
        match random.randint(0, 5):
            case 0 if len(claims) > 1:
                book.drop(name)
                del claims[name]
            case 1:
                terms = other_quotas(terms, random)
                book.open(terms)
            case _:
                claims[name] = changed(claims[name], random)
                book.put(claims[name])
        expected = allocate(tuple(claims.values()), terms)
        for one in claims.values():
            assert book.grant(one.deployment) == expected.of(one)
        assert book.is_anybody_short is any(
            expected.of(one).replicas < one.wanted or expected.of(one).short
            for one in claims.values()
        )


@given(fleet=short_fleets(), seed=st.integers(), steps=st.integers(1, 12))
@settings(max_examples=EXAMPLES, deadline=None)
def test_whose_count_is_another_than_it_was_decided_with_is_stirred_once_and_nobody_else(
    fleet: ShortFleet, seed: int, steps: int
) -> None:
    random, terms = Random(seed), fleet.terms
    book, claims = opened(fleet)
    for _ in range(steps):
        for one in claims.values():
            book.settle(one.deployment, book.grant(one.deployment).replicas)
        book.stirred()
        before = {name: book.grant(name).replicas for name in claims}
        name = random.choice(sorted(claims))
        if random.random() < 0.2:
            terms = other_quotas(terms, random)
            book.open(terms)
        else:
            claims[name] = changed(claims[name], random)
            book.put(claims[name])
        stirred = book.stirred()
        moved = {one for one in claims if book.grant(one).replicas != before[one]}
        assert moved == set(stirred)
        assert book.stirred() == ()


def a_crowd(seed: int) -> ShortFleet:
    """Some fifty claims on pools that have room for a part of what they ask for; nothing is guaranteed."""
    random = Random(seed)
    claims = tuple(
        one._replace(
            deployment=f"{number}-{one.deployment}",
            team=Team(
                name=f"of-{one.team.weight}", selector=TeamSelector(), weight=one.team.weight
            ),
            wanted=max(one.wanted, one.held),
        )
        for number in range(12)
        for one in a_short_fleet(20 * seed + number, is_limited=False).claims
    )
    every = sorted({pool for one in claims for pool in pools_of(one)}, key=str)
    quotas = {}
    for pool in random.sample(every, min(4, len(every))):
        ones = [one for one in claims if pool in pools_of(one)]
        held = sum(one.held * (one.accelerators or 0) for one in ones)
        asked = sum(one.wanted * (one.accelerators or 0) for one in ones) - held
        quotas[pool] = Quota(pool, held + random.randint(0, asked))
    return ShortFleet(claims, Terms(now=NOW, quotas=quotas))


def walked(fleet: ShortFleet) -> dict[str, int]:
    """What each gets if all that is asked for is worked out, sorted into one list and handed out one by one."""
    claims = {one.deployment: one for one in fleet.claims}
    counts = {one.deployment: one.held for one in fleet.claims}
    free = {pool: quota.accelerators for pool, quota in fleet.terms.quotas.items()}
    for one in fleet.claims:
        for pool in free.keys() & set(pools_of(one)):
            free[pool] -= one.held * (one.accelerators or 0)
    wishes = sorted(one for claim in fleet.claims for one in growths(0, claim, fleet.terms, 100))
    for (_, _, name), _, count in wishes:
        pools = free.keys() & set(pools_of(claims[name]))
        each = claims[name].accelerators or 0
        for _ in range(count):
            if all(free[pool] >= each for pool in pools):
                counts[name] += 1
                for pool in pools:
                    free[pool] -= each
    return counts


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_plain_case_grants_what_one_walk_over_all_that_is_asked_for_does(seed: int) -> None:
    fleet = a_crowd(seed)
    expected = walked(fleet)
    book, claims = opened(fleet)
    allocation = allocate(fleet.claims, fleet.terms)
    for name, claim in claims.items():
        assert book.grant(name).replicas == expected[name]
        assert allocation.count(claim) == expected[name]
    usd = sum(expected[name] * (one.usd_an_hour or 0.0) for name, one in claims.items())
    assert allocation.usd_an_hour == pytest.approx(usd)


def test_a_shortage_is_the_plain_case_unless_somebody_has_to_give_way() -> None:
    """Else the properties above would compare ``allocate`` with itself."""
    plain = 0
    for seed in range(200):
        fleet = a_short_fleet(seed, is_limited=False, preemptions=[Preemption.NEVER])
        shelf = Shelf()
        for one in fleet.claims:
            if one.accelerator_type == "H100":
                shelf.add(one._replace(short_since=NOW))
        plain += isinstance(shelf.shares(fleet.terms), Filled)
    assert plain > 30
