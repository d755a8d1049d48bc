"""Which buckets are claimed and given up: worked out from what a survey shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.coordination.buckets import LEADING_BUCKET
from trimtab.coordination.port import LeaseSeen, Survey
from trimtab.coordination.share import (
    WORD,
    Share,
    Situation,
    Stance,
    by_preference,
    share,
    stance_in,
)

BUCKETS = 64
PATIENCE_SECONDS = 15.0


def survey(
    holders: Mapping[int, str | None],
    members: Collection[str],
    *,
    overdue: Collection[int] = (),
    stances: Mapping[str, Stance] = {},
) -> Survey:
    """Each bucket with its holder, ``None`` for free; ``overdue`` ran out and nobody took them."""
    return Survey(
        leases={
            bucket: LeaseSeen(
                bucket=bucket,
                holder=holder,
                term=1,
                is_free=holder is None or bucket in overdue,
            )
            for bucket, holder in holders.items()
        },
        members={name: {WORD: dict(stances.get(name, Stance()).said())} for name in members},
    )


def of(
    member: str,
    seen: Survey,
    *,
    handing_over: int = 0,
    free_seconds: Mapping[int, float] = {},
    moves_max: int = BUCKETS,
) -> Share:
    """What ``member`` concludes."""
    return share(
        Situation(
            survey=seen,
            member=member,
            stance=stance_in(seen.members.get(member, {})),
            held={
                one.bucket
                for one in seen.leases.values()
                if one.holder == member and not one.is_free
            },
            handing_over=handing_over,
            free_seconds=free_seconds,
            patience_seconds=PATIENCE_SECONDS,
            moves_max=moves_max,
        )
    )


def all_free(buckets: int = BUCKETS) -> dict[int, str | None]:
    return dict.fromkeys(range(buckets), None)


def held_by(*names: str, buckets: int = BUCKETS) -> dict[int, str | None]:
    return {bucket: names[bucket % len(names)] for bucket in range(buckets)}


@st.composite
def situations(draw: st.DrawFn) -> tuple[Survey, list[str]]:
    members = draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True))
    gone = draw(st.sampled_from(["", "x"]))
    holders = draw(
        st.lists(
            st.sampled_from([None, *members, *([gone] if gone else [])]), min_size=1, max_size=96
        )
    )
    return survey(dict(enumerate(holders)), members), members


@given(situations())
def test_a_free_bucket_is_meant_for_exactly_one_and_nobody_gets_too_many(
    case: tuple[Survey, list[str]],
) -> None:
    seen, members = case
    shares = {name: of(name, seen) for name in members}
    free = [one.bucket for one in seen.leases.values() if one.is_free]
    assert sorted(bucket for one in shares.values() for bucket in one.claim) == free
    for name, one in shares.items():
        held = sum(lease.holder == name for lease in seen.leases.values())
        assert held + len(one.claim) <= max(held, one.targets[name])


@given(situations())
def test_shares_differ_by_one_at_most_and_all_agree_on_them(
    case: tuple[Survey, list[str]],
) -> None:
    seen, members = case
    targets = [of(name, seen).targets for name in members]
    assert all(one == targets[0] for one in targets)
    assert max(targets[0].values()) - min(targets[0].values()) <= 1
    settled = sum(lease.holder == "x" for lease in seen.leases.values())
    assert sum(targets[0].values()) == len(seen.leases) - settled


@given(situations())
def test_no_more_is_given_up_than_is_too_much_and_than_others_have_room_for(
    case: tuple[Survey, list[str]],
) -> None:
    seen, members = case
    shares = {name: of(name, seen) for name in members}
    held = {
        name: {one.bucket for one in seen.leases.values() if one.holder == name} for name in members
    }
    given_up = {name: set(one.give_up) for name, one in shares.items()}
    free = sum(one.is_free for one in seen.leases.values())
    room = sum(max(0, shares[name].targets[name] - len(held[name])) for name in members)
    for name in members:
        assert given_up[name] <= held[name]
        assert len(held[name]) - len(given_up[name]) >= min(
            len(held[name]), shares[name].targets[name]
        )
    assert sum(map(len, given_up.values())) <= max(0, room - free)


def test_a_newcomer_gets_its_share_and_nothing_else_moves() -> None:
    seen = survey(held_by("a", "b"), "abc")
    assert of("c", seen).claim == ()
    assert (len(of("a", seen).give_up), len(of("b", seen).give_up)) in ((10, 11), (11, 10))


def test_what_somebody_left_is_shared_among_the_others_and_nobody_gives_anything_up() -> None:
    holders = {
        bucket: None if name == "c" else name for bucket, name in held_by("a", "b", "c").items()
    }
    seen = survey(holders, "ab")
    shares = [of(name, seen) for name in "ab"]
    kept = [[bucket for bucket, name in holders.items() if name == one] for one in "ab"]
    assert [len(held) + len(one.claim) for held, one in zip(kept, shares, strict=True)] == [32, 32]
    assert all(one.give_up == () for one in shares)


def test_a_difference_of_one_moves_nothing() -> None:
    seen = survey({0: "a", 1: "a", 2: "b"}, "ab")
    assert of("a", seen).give_up == of("b", seen).give_up == ()


def test_no_more_moves_at_once_than_is_allowed() -> None:
    assert len(of("a", survey(all_free(), "a"), moves_max=5).claim) == 5
    seen = survey(held_by("a"), "ab")
    assert len(of("a", seen, moves_max=5).give_up) == 5
    assert len(of("a", seen, moves_max=5, handing_over=3).give_up) == 2


def test_nothing_is_given_up_while_there_is_enough_that_is_free() -> None:
    holders = held_by("a") | dict.fromkeys(range(30), None)
    seen = survey(holders, "ab")
    assert len(of("b", seen).claim) == 30
    assert len(of("a", seen).give_up) == 2


def test_who_leads_goes_on_leading_as_long_as_it_can() -> None:
    seen = survey(held_by("a", buckets=8), "ab")
    assert LEADING_BUCKET not in of("a", seen).give_up
    assert len(of("a", seen).give_up) == 4


def test_a_member_that_leaves_takes_nothing_and_what_it_has_is_the_others() -> None:
    stances = {"a": Stance(is_leaving=True)}
    seen = survey(held_by("a", "b"), "ab", stances=stances)
    assert of("b", seen).targets == {"b": BUCKETS}
    assert of("a", survey(all_free(), "ab", stances=stances)).claim == ()


def test_a_member_whose_leases_ran_out_is_not_waited_for() -> None:
    overdue = [bucket for bucket, name in held_by("a", "b").items() if name == "a"]
    seen = survey(held_by("a", "b"), "ab", overdue=overdue)
    assert set(of("b", seen).claim) == set(overdue)


def test_what_is_held_by_one_that_says_nothing_stays_where_it_is() -> None:
    seen = survey(held_by("x", "a"), "ab")
    assert of("a", seen).targets == {"a": 16, "b": 16}


def test_a_bucket_that_one_cannot_take_over_is_meant_for_another() -> None:
    stances = {"a": Stance(declines=frozenset({5}))}
    seen = survey(held_by("a") | {5: None}, "ab", stances=stances)
    assert of("a", seen).claim == ()
    assert of("b", seen).claim == (5,)
    assert of("a", seen).give_up == (), "nor does it count what it cannot judge"


def test_a_bucket_that_all_decline_is_left_alone() -> None:
    stances = {name: Stance(declines=frozenset({5})) for name in "ab"}
    seen = survey(held_by("a", "b") | {5: None}, "ab", stances=stances)
    assert of("a", seen).claim == of("b", seen).claim == ()


@pytest.mark.parametrize("turn", range(3))
def test_what_the_preferred_one_does_not_take_is_meant_for_the_next(turn: int) -> None:
    seen = survey(all_free(3), "abc")
    order = by_preference(0, ("a", "b", "c"))
    takers = [
        name
        for name in "abc"
        if 0 in of(name, seen, free_seconds={0: (turn + 0.5) * PATIENCE_SECONDS}).claim
    ]
    assert takers == [order[turn]]


def test_each_member_is_preferred_for_about_as_many() -> None:
    first = [by_preference(bucket, ("a", "b", "c"))[0] for bucket in range(3000)]
    assert all(900 < first.count(name) < 1100 for name in "abc")


@pytest.mark.parametrize(
    "said",
    [{}, {WORD: None}, {WORD: "x"}, {WORD: {"leaving": 1, "declines": 3}}, {WORD: {"more": []}}],
)
def test_what_another_version_says_otherwise_is_taken_for_nothing_said(said: dict) -> None:  # type: ignore[type-arg]  # anything
    assert stance_in(said) == Stance()
