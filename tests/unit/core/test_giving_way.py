"""Who gives way to whom, for how much, and what becomes of what is over: by example."""

from __future__ import annotations

import pytest

from trimtab.core.allocation.allocate import allocate
from trimtab.core.allocation.book import Book
from trimtab.core.allocation.values import Allocation, Claim, SpendRoom, Terms
from trimtab.core.allocation.words import grant_words
from trimtab.core.decision import Reason
from trimtab.core.fleet_policy import NO_TEAM, Pool, Preemption, Quota, Team, TeamSelector
from trimtab.core.need import Need

NOW = 100_000.0
H100 = "H100"


def a_claim(name: str, held: int, wanted: int, each: int = 1, **changes: object) -> Claim:
    """One whose load takes all that it wants, and that has held what it holds for ever."""
    claim = Claim(name, H100, "", each, held, wanted, wanted, 0, need=Need(float(wanted)))
    claim = claim._replace(lead_time_seconds=60.0, usd_an_hour=7.0 * each)
    return claim._replace(**changes)  # type: ignore[arg-type]  # fields of a claim


def shared(quota: int, *claims: Claim, **terms: object) -> Allocation:
    own = [one.team for one in claims if one.team is not NO_TEAM]
    quotas = {Pool(H100): Quota(Pool(H100), quota)}
    return allocate(claims, Terms(NOW, quotas, teams=tuple(own), **terms))  # type: ignore[arg-type]  # fields of Terms


def strictly(quota: int, *claims: Claim, **terms: object) -> Allocation:
    return shared(quota, *claims, preemption=Preemption.LOWER_PRIORITY, **terms)


def entitled(allocation: Allocation, *claims: Claim) -> list[int]:
    return [allocation.of(one).entitled for one in claims]


def owner(**by_type: int) -> Team:
    return Team(name="owner", selector=TeamSelector(), guaranteed=by_type)


def test_an_owner_gets_what_it_asks_for_and_not_all_that_somebody_gave_up_for_it() -> None:
    borrower = a_claim("borrower", 1, 1, each=8, needed=0)
    own = a_claim("own", 0, 2, team=owner(H100=8))
    found = shared(8, borrower, own)
    assert entitled(found, borrower, own) == [0, 2]
    assert found.of(borrower).short is Reason.RECLAIMED
    assert found.of(borrower).ceded_to == "own"
    assert found.of(own) == found.of(own)._replace(replicas=0, short=Reason.NOT_FREE_YET)


def test_what_is_over_of_a_large_replica_goes_to_who_was_passed_over_before_it_was_taken() -> None:
    spare = a_claim("spare", 0, 1, each=4, priority=300, need=Need(0.01))
    first = a_claim("first", 0, 1, priority=200)
    last = a_claim("last", 1, 1, each=8)
    found = strictly(8, spare, first, last)
    assert entitled(found, spare, first, last) == [1, 1, 0]
    assert found.of(last).short is Reason.PREEMPTED


def test_who_gave_way_to_a_quota_that_shrank_gets_nothing_back_of_what_is_over() -> None:
    """It comes before the large one, which nobody needs either; of that there is some over."""
    small = a_claim("small", 2, 3, needed=0, need=Need(0.01))
    large = a_claim("large", 2, 2, each=8, needed=0)
    found = shared(15, small, large)
    assert entitled(found, small, large) == [0, 1]


@pytest.mark.parametrize("weight", [1.0, 0.01])
def test_weight_says_nothing_between_priorities(weight: float) -> None:
    light = Team(name="light", selector=TeamSelector(), weight=weight)
    first, last = a_claim("first", 0, 1, priority=101, team=light), a_claim("last", 1, 1)
    assert entitled(strictly(1, first, last), first, last) == [1, 0]


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param({"priority": 200}, id="of the same priority"),
        pytest.param({"held_since": NOW - 1799.0}, id="that rose within the hold"),
        pytest.param({"floor": 1}, id="of the lower bound"),
        pytest.param({"least": 1}, id="that may not go at once"),
        pytest.param({"team": owner(H100=1)}, id="that is guaranteed"),
        pytest.param({"accelerator_type": "B200"}, id="of another type"),
    ],
)
def test_preemption_leaves_a_replica(kept: dict[str, object]) -> None:
    first, last = a_claim("first", 0, 1, priority=200), a_claim("last", 1, 1, **kept)
    room = 0 if "accelerator_type" in kept else 1
    found = strictly(room, first, last)
    assert entitled(found, last) == [1]
    assert entitled(found, first) == [0]


def test_a_replica_is_taken_when_its_hold_is_over_and_load_uses_more_within_one_than_a_start_takes() -> (
    None
):
    last = a_claim("last", 1, 1, held_since=NOW - 1800.0)
    for used, taken in ((0.034, 1), (0.033, 0)):  # of 1,800 s: 61 and 59 s, for a start of 60 s
        first = a_claim("first", 0, 1, priority=200, need=Need(used))
        assert entitled(strictly(1, first, last), first, last) == [taken, 1 - taken]


def test_the_lowest_priority_gives_way_first_and_of_it_what_is_worth_least() -> None:
    first = a_claim("first", 0, 2, priority=200)
    middle, low = a_claim("middle", 1, 1, priority=100), a_claim("low", 2, 2, priority=50)
    used_less = a_claim("used less", 1, 1, priority=50, need=Need(0.5))
    found = strictly(4, first, middle, low, used_less)
    assert entitled(found, first, middle, low, used_less) == [2, 1, 1, 0]


def test_nobody_gives_way_in_vain() -> None:
    large = a_claim("large", 0, 1, each=8, priority=200)
    ones = [a_claim(f"one-{n}", 1, 1, least=int(n == 0)) for n in range(8)]
    found = strictly(8, large, *ones)
    assert entitled(found, large, *ones) == [0, *[1] * 8]
    assert not any(found.of(one).short for one in ones)


def test_who_gives_way_is_of_the_same_region_where_that_is_short() -> None:
    first = a_claim("first", 0, 1, priority=200, region="EU")
    here = a_claim("here", 1, 1, region="EU")
    there = a_claim("there", 3, 3, region="US", priority=50)
    pools = (Pool(H100), Pool(H100, "EU"))
    terms = Terms(NOW, {pools[0]: Quota(pools[0], 9), pools[1]: Quota(pools[1], 1)})
    found = allocate([first, here, there], terms._replace(preemption=Preemption.LOWER_PRIORITY))
    assert entitled(found, first, here, there) == [1, 0, 3]


def test_who_turns_out_not_to_be_necessary_keeps_its_replica() -> None:
    first = a_claim("first", 0, 1, each=2, priority=200)
    small, large = a_claim("small", 1, 1, need=Need(0.5)), a_claim("large", 1, 1, each=2)
    assert entitled(strictly(3, first, small, large), first, small, large) == [1, 1, 0]


def test_who_gave_way_to_one_did_so_to_no_other_who_asked_in_vain() -> None:
    first, second = a_claim("first", 0, 1, priority=200), a_claim("a", 0, 1, each=2, priority=150)
    last = a_claim("last", 2, 2)
    found = strictly(2, first, second, last)
    assert entitled(found, first, second, last) == [1, 0, 1]
    assert found.of(last).ceded_to == "first"


def test_a_quota_that_shrank_takes_what_is_not_needed_and_what_is_needed_only_where_preemption_is_allowed() -> (
    None
):
    one = a_claim("one", 4, 4, needed=3)
    assert entitled(shared(2, one), one) == [3]
    assert entitled(strictly(2, one), one) == [2]


def test_money_is_taken_from_the_lowest_priority_down_to_what_is_protected_and_from_nobody_without_a_price() -> (
    None
):
    safe = Team(name="safe", selector=TeamSelector(), guaranteed={H100: 1}, is_protected=True)
    protected = a_claim("protected", 2, 2, priority=10, team=safe)
    unpriced = a_claim("unpriced", 2, 2, priority=10, usd_an_hour=None)
    first = a_claim("first", 2, 2)
    for keep, counts in ((21.0, [1, 2, 2]), (7.0, [1, 2, 0]), (0.0, [1, 2, 0])):
        room = SpendRoom(keep, keep, "the limit", "the limit")
        found = shared(99, protected, unpriced, first, spend=room)
        assert entitled(found, protected, unpriced, first) == counts
        assert found.of(protected).short is Reason.SPEND_LIMIT


def test_a_quota_of_a_region_that_shrank_takes_from_nobody_elsewhere() -> None:
    here, there = a_claim("here", 2, 2, region="EU", needed=0), a_claim("a", 2, 2, needed=0)
    pool = Pool(H100, "EU")
    found = allocate([here, there], Terms(NOW, {pool: Quota(pool, 1)}))
    assert entitled(found, here, there) == [1, 2]


@pytest.mark.parametrize(("since", "taken"), [(NOW - 1799.0, 0), (NOW - 1800.0, 1), (None, 1)])
def test_an_owner_waits_for_the_hold_of_what_a_borrower_needs(
    since: float | None, taken: int
) -> None:
    borrower = a_claim("borrower", 1, 1, held_since=since)
    own = a_claim("own", 0, 1, team=owner(H100=1))
    assert entitled(strictly(1, borrower, own), borrower, own) == [1 - taken, taken]
    assert entitled(shared(1, borrower, own), borrower, own) == [1, 0], "never without preemption"


def test_what_is_not_needed_goes_to_a_higher_priority_only_where_preemption_is_allowed() -> None:
    first, last = a_claim("first", 0, 1, priority=200), a_claim("last", 1, 1, needed=0)
    assert entitled(strictly(1, first, last), first, last) == [1, 0]
    assert entitled(shared(1, first, last), first, last) == [0, 1]


def test_who_wants_fewer_goes_below_its_lower_bound_and_its_guarantee() -> None:
    """What is given back of itself is nobody's to hold back."""
    one = a_claim("one", 4, 1, floor=3, team=owner(H100=4))
    assert entitled(shared(4, one), one) == [1]


def test_of_a_guarantee_that_is_never_lent_nothing_is_given_to_others_in_the_account_of_the_team() -> (
    None
):
    team = Team(name="owner", selector=TeamSelector(), guaranteed={H100: 4}, lend_max={H100: 1})
    own = a_claim("own", 0, 0, team=team, account="acme")
    here = a_claim("here", 0, 4, account="acme")
    there = a_claim("there", 0, 4, account="other")
    quotas = {
        pool: Quota(pool, 4) for pool in (Pool(H100, None, "acme"), Pool(H100, None, "other"))
    }
    found = allocate([own, here, there], Terms(NOW, quotas, teams=(team,)))
    assert entitled(found, here, there) == [1, 4]
    assert found.of(here).short is Reason.RESERVED
    nobody = allocate([here, there], Terms(NOW, quotas, teams=(team,)))
    assert entitled(nobody, here, there) == [1, 1], "nobody knows where it will come"
    own = own._replace(wanted=3)
    found = allocate([own, here, there], Terms(NOW, quotas, teams=(team,)))
    assert entitled(found, own, here, there) == [3, 1, 4]


def test_what_is_set_aside_for_a_team_and_is_in_use_is_not_there_for_it_either() -> None:
    """Seen to catch: a team that may have all that is set aside for it, however little of that is free."""
    team = Team(name="owner", selector=TeamSelector(), guaranteed={H100: 8}, lend_max={H100: 0})
    own = a_claim("own", 0, 8, team=team)
    before = a_claim("before", 6, 6)
    assert entitled(shared(8, own, before), own, before) == [2, 6]


def test_of_what_nobody_knows_what_it_takes_no_more_is_given_where_a_quota_is_set() -> None:
    unknown = a_claim("unknown", 1, 3, accelerators=None)
    found = shared(9, unknown)
    assert found.of(unknown).short is Reason.NO_SHAPE
    assert entitled(found, unknown) == [1]
    assert entitled(allocate([unknown], Terms(NOW)), unknown) == [3]


def a_book(terms: Terms, *claims: Claim) -> Book:
    book = Book()
    book.open(terms)
    for one in claims:
        book.put(one)
    return book


def test_a_book_sets_aside_where_the_team_is_now_and_forgets_where_it_was() -> None:
    team = Team(name="owner", selector=TeamSelector(), guaranteed={H100: 4}, lend_max={H100: 1})
    own = a_claim("own", 0, 0, team=team, account="acme")
    there = a_claim("there", 0, 4, account="other", short_since=NOW)
    pool = Pool(H100, None, "other")
    book = a_book(Terms(NOW, {pool: Quota(pool, 4)}, teams=(team,)), own, there)
    assert book.grant("there").replicas == 4
    book.drop("own")
    book.put(there._replace(floor=1))
    assert book.grant("there").replicas == 1, "the team may come here"


def test_the_next_hold_that_ends_is_one_that_has_not_ended_yet() -> None:
    over = a_claim("over", 1, 1, least=1, held_since=NOW - 5000.0)
    soon, later = (
        a_claim(name, 1, 1, held_since=NOW - held)
        for name, held in (("soon", 900.0), ("later", 9.0))
    )
    first = a_claim("first", 0, 1, priority=200, short_since=NOW)
    terms = Terms(NOW, {Pool(H100): Quota(Pool(H100), 3)}, preemption=Preemption.LOWER_PRIORITY)
    book = a_book(terms, over, soon, later, first)
    assert book.grant("first").replicas == 0
    assert book.hold_end == NOW + 900.0
    book.open(terms._replace(now=NOW + 900.0))
    assert book.grant("first").entitled == 1


def test_a_book_hears_of_another_need_of_who_is_short_and_of_another_patience() -> None:
    long = a_claim("long", 0, 1, need=Need(0.2), short_since=NOW - 1800.0)
    new = a_claim("new", 0, 1, short_since=NOW)
    terms = Terms(NOW, {Pool(H100): Quota(Pool(H100), 1)}, patience_seconds=900.0)
    book = a_book(terms, long, new)
    assert [book.grant(name).replicas for name in ("long", "new")] == [0, 1]  # 4 times a fifth
    book.put(long._replace(need=Need(0.5)))
    assert [book.grant(name).replicas for name in ("long", "new")] == [1, 0]
    book.open(terms._replace(patience_seconds=18_000.0))
    assert [book.grant(name).replicas for name in ("long", "new")] == [0, 1]


def test_who_wants_more_than_there_will_ever_be_is_short_all_the_same() -> None:
    large = a_claim("large", 0, 1, each=4, short_since=NOW)
    book = a_book(Terms(NOW, {Pool(H100): Quota(Pool(H100), 3)}), large)
    assert book.grant("large").short is Reason.QUOTA
    assert book.is_anybody_short


def test_a_team_borrows_no_more_than_it_may_however_much_is_free() -> None:
    team = Team(
        name="team", selector=TeamSelector(), guaranteed={H100: 2}, borrow_max={H100: 1}
    )  # fmt: skip
    ones = [a_claim(name, 0, 3, team=team, short_since=NOW) for name in "ab"]
    terms = Terms(NOW, {Pool(H100): Quota(Pool(H100), 99)}, teams=(team,))
    found = allocate(ones, terms)
    assert sum(entitled(found, *ones)) == 3
    book = a_book(terms, *ones)
    assert [book.grant(one.deployment) for one in ones] == [found.of(one) for one in ones]
    assert {found.of(one).short for one in ones} == {None, Reason.BORROWING}


def said(allocation: Allocation, claim: Claim, terms: Terms) -> str:
    return grant_words(claim, allocation.of(claim), terms, ())


def test_what_somebody_gives_back_of_itself_is_not_said_to_go_to_another() -> None:
    """Seen to catch: three said to go to the one who takes one of them, and two that the rules let go."""
    terms = Terms(NOW, {Pool(H100): Quota(Pool(H100), 5)}, preemption=Preemption.LOWER_PRIORITY)
    first = a_claim("first", 0, 3, priority=200)
    for needed, words in (
        (1, "1 not needed goes to first"),
        (3, "1 goes to first, which comes first"),
    ):
        last = a_claim("last", 5, 3, needed=needed)
        found = allocate([first, last], terms)
        assert entitled(found, first, last) == [3, 2]
        assert said(found, last, terms) == f"{words}: 2 of 3"


def test_who_takes_nobody_knows_what_is_not_said_to_have_no_price() -> None:
    """Seen to catch: a price that is in the fleet's file, and a sentence that there is none."""
    terms = Terms(NOW, spend=SpendRoom(99.0, 99.0, "the limit", "the limit"))
    unknown = a_claim("unknown", 1, 3, accelerators=None, usd_an_hour=None)
    found = allocate([unknown], terms)
    assert found.of(unknown).short is Reason.NO_SHAPE
    assert said(found, unknown, terms) == (
        "its accelerators are unknown, and spend is limited: 1 of 3"
    )


SAFE = Team(name="safe", selector=TeamSelector(), guaranteed={H100: 4}, is_protected=True)
A100 = "A100"


@pytest.mark.parametrize(("needed", "short"), [(0, Reason.RECLAIMED), (2, Reason.PREEMPTED)])
@pytest.mark.parametrize("team", [SAFE, NO_TEAM])
def test_for_money_who_comes_last_gives_way_too(needed: int, short: Reason, team: Team) -> None:
    first = a_claim("first", 0, 1, team=team, priority=200)
    last = a_claim("last", 2, 2, needed=needed)
    room = SpendRoom(14.0, 14.0, "the limit", "the limit")
    found = strictly(99, first, last, spend=room)
    assert entitled(found, first, last) == [1, 1]
    assert (found.of(last).short, found.of(last).ceded_to) == (short, "first")
    assert found.of(first).replicas == 0, "what still runs is not spent twice"
    assert found.of(first).short is Reason.NOT_FREE_YET


def test_for_money_enough_is_taken_of_whatever_type_and_no_more() -> None:
    first = a_claim("first", 0, 1, priority=200)  # 7 dollars
    dear = a_claim("dear", 1, 1, accelerator_type=A100, usd_an_hour=8.0, need=Need(0.9))
    cheap = a_claim("cheap", 4, 4, accelerator_type=A100, usd_an_hour=4.0, need=Need(0.5))
    room = SpendRoom(24.0, 24.0, "the limit", "the limit")
    found = strictly(99, first, dear, cheap, spend=room)
    assert entitled(found, first, dear, cheap) == [1, 1, 2]
    assert found.usd_an_hour == 23.0


def test_for_money_nobody_gives_way_in_vain() -> None:
    first = a_claim("first", 0, 1, each=8, priority=200)  # 56 dollars
    last = a_claim("last", 2, 2)
    own = a_claim("own", 5, 5, team=SAFE)
    room = SpendRoom(60.0, 60.0, "the limit", "the limit")
    found = strictly(99, first, last, own, spend=room)
    assert entitled(found, first, last, own) == [0, 2, 5]
    assert found.of(first).short is Reason.SPEND_LIMIT


def test_for_money_and_accelerators_at_once_both_are_found() -> None:
    first = a_claim("first", 0, 1, priority=200)
    other = a_claim("other", 1, 1, accelerator_type=A100, need=Need(0.1))
    same = a_claim("same", 1, 1)
    room = SpendRoom(14.0, 14.0, "the limit", "the limit")
    found = strictly(1, first, other, same, spend=room)
    # Room is to be made in the quota, and that pays for it as well.
    assert entitled(found, first, same) == [1, 0]
    assert entitled(found, other) == [1]


def test_without_preemption_nobody_gives_what_is_needed_for_money() -> None:
    first = a_claim("first", 0, 1, priority=200, team=SAFE)
    last = a_claim("last", 2, 2)
    idle = a_claim("idle", 1, 1, needed=0, accelerator_type=A100)
    room = SpendRoom(21.0, 21.0, "the limit", "the limit")
    assert entitled(
        shared(99, first, last, spend=room._replace(grow_usd_an_hour=14.0)), first, last
    ) == [0, 2]
    assert entitled(shared(99, first, last, idle, spend=room), first, last, idle) == [1, 2, 0]
