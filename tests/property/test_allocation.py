"""What must hold however short a fleet is: of quotas, guarantees, money, precedence and fairness.

Seen to catch, each by the property that is about it: what is free now counted by what is kept; a wish that is
given all where some fits; a room taken for full too early; a scale-down held back; what is needed taken for a
quota that shrank, and what is below ``least``; money that is never over, and money that is spent before it is
free; no growth into guarantees; ties broken by the order of the claims.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds.short_fleets import (
    ShortFleet,
    growths,
    pools_of,
    set_aside,
    short_fleets,
    sums_of,
    would_fit,
)

from trimtab.core.allocation.allocate import allocate
from trimtab.core.decision import Reason
from trimtab.core.fleet_policy import Preemption, Quota

if TYPE_CHECKING:
    from trimtab.core.allocation.values import Claim

EXAMPLES = 300


@given(fleet=short_fleets())
@settings(max_examples=EXAMPLES)
def test_no_quota_is_exceeded_by_what_is_asked_for_while_everybody_still_holds_what_is_held(
    fleet: ShortFleet,
) -> None:
    sums = sums_of(fleet, allocate(fleet.claims, fleet.terms))
    for pool, quota in fleet.terms.quotas.items():
        there = quota.accelerators - fleet.terms.elsewhere.get(pool, 0)
        assert sums.asked[pool] <= max(there, sums.held[pool])
        assert sums.kept[pool] <= max(there, sums.held[pool])


@given(fleet=short_fleets())
@settings(max_examples=EXAMPLES)
def test_whoever_wants_fewer_gets_fewer_and_nobody_gets_more_than_is_wanted(
    fleet: ShortFleet,
) -> None:
    allocation = allocate(fleet.claims, fleet.terms)
    for claim in fleet.claims:
        grant = allocation.of(claim)
        assert grant.replicas <= grant.entitled <= claim.wanted
        assert grant.entitled >= min(claim.least, claim.wanted)


@given(fleet=short_fleets())
@settings(max_examples=EXAMPLES)
def test_nothing_stays_free_that_somebody_wants_may_have_and_could_fit(fleet: ShortFleet) -> None:
    allocation = allocate(fleet.claims, fleet.terms)
    sums = sums_of(fleet, allocation)
    for claim in fleet.claims:
        grant = allocation.of(claim)
        is_lowered = grant.entitled < min(claim.held, claim.wanted)
        if grant.entitled < claim.wanted and not is_lowered:
            assert not would_fit(fleet, sums, claim), (claim, grant)


@given(fleet=short_fleets(is_limited=False))
@settings(max_examples=EXAMPLES)
def test_a_team_is_short_of_its_guarantee_only_if_not_even_all_that_others_borrowed_anew_would_do(
    fleet: ShortFleet,
) -> None:
    allocation = allocate(fleet.claims, fleet.terms)
    sums = sums_of(fleet, allocation)
    grown = {
        pool: sum(
            max(0, allocation.of(one).entitled - one.held) * (one.accelerators or 0)
            for one in fleet.claims
            if pool in pools_of(one) and not one.team.guaranteed.get(one.accelerator_type or "")
        )
        for pool in fleet.terms.quotas
    }
    for claim in fleet.claims:
        kind, each = claim.accelerator_type or "", claim.accelerators or 0
        grant = allocation.of(claim)
        used = sums.by_team[claim.team.name, kind]
        if grant.entitled == claim.wanted or used + each > claim.team.guaranteed.get(kind, 0):
            continue
        if grant.short in (Reason.RECLAIMED, Reason.PREEMPTED):
            continue
        assert any(
            quota.accelerators
            - fleet.terms.elsewhere.get(pool, 0)
            - set_aside(fleet, sums, pool, but=claim.team.name)
            - sums.kept[pool]
            + grown[pool]
            < each
            for pool in pools_of(claim)
            if (quota := fleet.terms.quotas.get(pool)) is not None
        )


@given(fleet=short_fleets(preemptions=[Preemption.NEVER], is_limited=False))
@settings(max_examples=EXAMPLES)
def test_without_preemption_nobody_loses_what_is_needed(fleet: ShortFleet) -> None:
    allocation = allocate(fleet.claims, fleet.terms)
    for claim in fleet.claims:
        assert allocation.of(claim).entitled >= min(claim.held, claim.wanted, claim.needed)


@given(fleet=short_fleets())
@settings(max_examples=EXAMPLES)
def test_money_lowers_what_runs_to_what_may_be_kept_or_to_what_nobody_may_lower(
    fleet: ShortFleet,
) -> None:
    allocation = allocate(fleet.claims, fleet.terms)
    spend = fleet.terms.spend
    if spend is None or allocation.usd_an_hour <= spend.keep_usd_an_hour + 1e-6:
        return
    for claim in fleet.claims:
        entitled = allocation.of(claim).entitled
        assert entitled <= claim.held
        is_priced = bool(claim.usd_an_hour)
        assert not is_priced or entitled <= fewest(claim) or claim.team.is_protected


@given(fleet=short_fleets())
@settings(max_examples=EXAMPLES)
def test_no_money_is_spent_that_others_have_yet_to_give_back(fleet: ShortFleet) -> None:
    allocation, spend = allocate(fleet.claims, fleet.terms), fleet.terms.spend
    if spend is None:
        return
    held = sum((one.usd_an_hour or 0.0) * one.held for one in fleet.claims)
    asked = sum(
        (one.usd_an_hour or 0.0) * max(one.held, allocation.count(one)) for one in fleet.claims
    )
    assert asked <= max(held, spend.grow_usd_an_hour) + 1e-6


def fewest(claim: Claim) -> int:
    """What nobody may take: what is there at least, and what is needed up to the lower bound."""
    return max(claim.least, min(claim.floor, claim.needed, claim.held))


def is_settled(claim: Claim, now: float, hold_seconds: float) -> bool:
    return claim.held_since is None or now - claim.held_since >= hold_seconds


@given(fleet=short_fleets(preemptions=[Preemption.LOWER_PRIORITY]))
@settings(max_examples=EXAMPLES)
def test_preemption_takes_nothing_that_a_guarantee_or_a_lower_bound_covers_or_that_rose_within_the_hold(
    fleet: ShortFleet,
) -> None:
    allocation, terms = allocate(fleet.claims, fleet.terms), fleet.terms
    sums = sums_of(fleet, allocation)
    for claim in fleet.claims:
        grant = allocation.of(claim)
        if grant.short is not Reason.PREEMPTED:
            continue
        assert grant.entitled >= fewest(claim)
        assert is_settled(claim, terms.now, terms.hold_seconds) or not grant.ceded_to
        kind = claim.accelerator_type or ""
        assert sums.by_team[claim.team.name, kind] >= claim.team.guaranteed.get(kind, 0)


@given(fleet=short_fleets(preemptions=[Preemption.LOWER_PRIORITY], is_limited=False, size=2))
@settings(max_examples=EXAMPLES)
def test_a_higher_priority_is_short_only_where_lower_ones_have_nothing_left_that_may_be_taken(
    fleet: ShortFleet,
) -> None:
    free = tuple(
        one._replace(team=replace(one.team, guaranteed={}, borrow_max={})) for one in fleet.claims
    )
    fleet = ShortFleet(free, fleet.terms._replace(teams=()))
    allocation, terms = allocate(fleet.claims, fleet.terms), fleet.terms
    for claim in fleet.claims:
        entitled = allocation.of(claim).entitled
        used_seconds = claim.need.used(entitled + 1) * terms.hold_seconds
        is_lowered = entitled < min(claim.held, claim.wanted)
        if is_lowered or entitled >= claim.wanted or used_seconds <= claim.lead_time_seconds:
            continue
        if allocation.of(claim).short is not Reason.QUOTA:
            continue
        for other in fleet.claims:
            if other.priority >= claim.priority or pools_of(other) != pools_of(claim):
                continue
            if is_settled(other, terms.now, terms.hold_seconds):
                kept = allocation.of(other).entitled
                assert kept <= max(fewest(other), min(other.held, other.least)), (claim, other)


@given(fleet=short_fleets(preemptions=[Preemption.LOWER_PRIORITY], size=2))
@settings(max_examples=EXAMPLES)
def test_a_higher_priority_is_short_of_money_only_where_what_lower_ones_may_give_is_too_little(
    fleet: ShortFleet,
) -> None:
    free = tuple(
        one._replace(team=replace(one.team, guaranteed={}, borrow_max={})) for one in fleet.claims
    )
    fleet = ShortFleet(free, fleet.terms._replace(teams=()))
    allocation, terms = allocate(fleet.claims, fleet.terms), fleet.terms
    spend = terms.spend
    for claim in fleet.claims:
        grant = allocation.of(claim)
        used_seconds = claim.need.used(grant.entitled + 1) * terms.hold_seconds
        if grant.short is not Reason.SPEND_LIMIT or used_seconds <= claim.lead_time_seconds:
            continue
        if grant.entitled < min(claim.held, claim.wanted):
            continue  # it gave way itself
        assert spend is not None
        assert claim.usd_an_hour is not None
        left = spend.grow_usd_an_hour - allocation.usd_an_hour
        for other in fleet.claims:
            if other.priority < claim.priority and is_settled(other, terms.now, terms.hold_seconds):
                kept = allocation.of(other).entitled
                may_give = kept - max(fewest(other), min(other.held, other.least))
                if kept <= other.held:
                    left += max(0, may_give) * (other.usd_an_hour or 0.0)
        assert left < claim.usd_an_hour + 1e-6, (claim, allocation)


@given(fleet=short_fleets(preemptions=[Preemption.LOWER_PRIORITY]))
@settings(max_examples=EXAMPLES)
def test_while_wishes_stand_still_preemption_comes_to_rest_and_nothing_is_taken_within_the_hold(
    fleet: ShortFleet,
) -> None:
    hold_seconds = fleet.terms.hold_seconds
    rested = 0
    for _ in range(60):
        before = fleet
        fleet = carried_out(fleet, after=hold_seconds / 3.0)
        rested = rested + 1 if _counts(fleet) == _counts(before) else 0
        if rested > 4:
            return
    raise AssertionError(fleet)


def _counts(fleet: ShortFleet) -> list[int]:
    return [one.held for one in fleet.claims]


def carried_out(fleet: ShortFleet, after: float) -> ShortFleet:
    """The fleet when all has been done that may be asked for; checks that what is needed was held for its time."""
    allocation, terms = allocate(fleet.claims, fleet.terms), fleet.terms
    found = []
    for claim in fleet.claims:
        grant = allocation.of(claim)
        held = min(grant.replicas, claim.wanted)
        if held < min(claim.held, claim.needed, claim.wanted):
            assert grant.short in {Reason.PREEMPTED, Reason.SPEND_LIMIT}
            is_for_somebody = bool(grant.ceded_to)  # else a quota or a limit shrank
            assert is_settled(claim, terms.now, terms.hold_seconds) or not is_for_somebody
        since = terms.now if held > claim.held else claim.held_since
        short_since = None if held >= claim.wanted else claim.short_since or terms.now
        least = min(claim.least, held)
        found.append(
            claim._replace(held=held, held_since=since, short_since=short_since, least=least)
        )
    return ShortFleet(tuple(found), terms._replace(now=terms.now + after))


@given(fleet=short_fleets(), seed=st.integers())
@settings(max_examples=EXAMPLES)
def test_the_order_of_the_claims_makes_no_difference(fleet: ShortFleet, seed: int) -> None:
    shuffled = list(fleet.claims)
    Random(seed).shuffle(shuffled)
    first, second = allocate(fleet.claims, fleet.terms), allocate(shuffled, fleet.terms)
    assert (first.grants, first.used) == (second.grants, second.used)


def _with_more(fleet: ShortFleet, more: int, *, in_regions: bool = True) -> ShortFleet:
    quotas = {
        pool: Quota(pool, quota.accelerators + (more if in_regions or not pool.region else 0))
        for pool, quota in fleet.terms.quotas.items()
    }
    return replace(fleet, terms=fleet.terms._replace(quotas=quotas))


@given(
    fleet=short_fleets(size=4, is_limited=False, preemptions=[Preemption.NEVER]),
    more=st.integers(1, 5).map(lambda replicas: 4 * replicas),
)
@settings(max_examples=EXAMPLES)
def test_with_replicas_of_one_size_and_no_guarantees_more_quota_lowers_nobody(
    fleet: ShortFleet, more: int
) -> None:
    free = tuple(one._replace(team=replace(one.team, guaranteed={})) for one in fleet.claims)
    fleet = ShortFleet(free, fleet.terms._replace(teams=()))
    with_more = _with_more(fleet, more, in_regions=False)  # which would let others in
    before, after = (allocate(one.claims, one.terms) for one in (fleet, with_more))
    for claim in fleet.claims:
        assert after.of(claim).entitled >= before.of(claim).entitled, (claim, before, after)


@given(fleet=short_fleets(preemptions=[Preemption.NEVER]), more=st.integers(1, 20))
@settings(max_examples=EXAMPLES)
def test_with_more_quota_the_first_in_precedence_whose_grant_changes_gets_more(
    fleet: ShortFleet, more: int
) -> None:
    bare = tuple(one._replace(team=replace(one.team, guaranteed={})) for one in fleet.claims)
    bare = tuple(one._replace(held=min(one.held, one.needed)) for one in bare)
    fleet = ShortFleet(bare, fleet.terms._replace(teams=(), elsewhere={}))
    with_more = _with_more(fleet, more)
    before, after = (allocate(one.claims, one.terms) for one in (fleet, with_more))
    wishes = sorted(
        (key, number, replicas)
        for number, claim in enumerate(fleet.claims)
        if claim.wanted > claim.held
        for key, _, replicas in growths(number, claim, fleet.terms, 100)
    )
    begins = [claim.held for claim in fleet.claims]
    for _, number, replicas in wishes:
        claim, begin = fleet.claims[number], begins[number]
        begins[number] += replicas
        got = [min(replicas, max(0, one.of(claim).entitled - begin)) for one in (before, after)]
        if got[0] != got[1]:
            assert got[1] > got[0]
            return
