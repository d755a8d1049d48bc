"""Who comes first where there is one replica for two who ask: told by what is handed out, not by the keys."""

from __future__ import annotations

import pytest

from trimtab.core.allocation.allocate import allocate
from trimtab.core.allocation.book import Book
from trimtab.core.allocation.values import Claim, Terms
from trimtab.core.fleet_policy import Pool, Quota, Team, TeamSelector
from trimtab.core.need import Need

NOW = 100_000.0
H100 = "H100"


def team(weight: float) -> Team:
    return Team(name=f"weight-{weight}", selector=TeamSelector(), weight=weight)


def a_claim(name: str, **changes: object) -> Claim:
    """One that holds a replica of one accelerator and asks for another one, since a minute ago."""
    claim = Claim(name, H100, "", 1, 1, 2, 2, 0, need=Need(2.0), short_since=NOW - 60.0)
    return claim._replace(**changes)  # type: ignore[arg-type]  # fields of a claim


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"priority": 101}, {"priority": 100, "team": team(9.0)}, id="priority"),
        pytest.param({"floor": 2}, {"floor": 1, "team": team(9.0)}, id="lower bound"),
        pytest.param(
            {"floor": 2},
            {"need": Need(1.9), "team": team(9.0)},
            id="lower bound before what is used in part",
        ),
        pytest.param({"team": team(2.0)}, {"team": team(1.0)}, id="weight"),
        pytest.param({"need": Need(1.9)}, {"need": Need(1.4)}, id="load uses more of it"),
        pytest.param({"need": Need(2.5, 0.5)}, {"need": Need(1.5, 0.5)}, id="load may use more of it"),
        pytest.param({"short_since": NOW - 90.0}, {"short_since": NOW - 60.0}, id="waits longer"),
        pytest.param(
            {"short_since": NOW - 1900.0},
            {"short_since": NOW - 60.0, "team": team(3.9)},
            id="waiting doubles with each patience",
        ),
        pytest.param(
            {"short_since": NOW - 60.0, "team": team(4.3)},
            {"short_since": NOW - 1900.0},
            id="and no more than that",
        ),
        pytest.param({"priority": 101}, {"priority": 100, "short_since": 0.0}, id="not over priorities"),
        pytest.param({"short_since": NOW - 1.0}, {"short_since": None}, id="who asks only now is last"),
        pytest.param({"accelerators": 1}, {"accelerators": 2, "held": 0}, id="what does not fit is passed over"),
    ],
)  # fmt: skip
def test_one_comes_before_the_other_whatever_their_names_and_places(
    first: dict[str, object], second: dict[str, object]
) -> None:
    for names in ("ab", "ba"):
        claims = [
            a_claim(name, **changes) for name, changes in zip(names, (first, second), strict=True)
        ]
        used = sum(one.held * (one.accelerators or 0) for one in claims)
        terms = Terms(now=NOW, quotas={Pool(H100): Quota(Pool(H100), used + 1)})
        for order in (claims, claims[::-1]):
            allocation = allocate(order, terms)
            assert [allocation.of(one).replicas for one in claims] == [2, claims[1].held]
        book = Book()
        book.open(terms)
        for one in claims:
            book.put(one)
        assert [book.grant(name).replicas for name in names] == [2, claims[1].held]


def test_equals_are_told_apart_by_their_names() -> None:
    claims = [a_claim("b"), a_claim("a")]
    allocation = allocate(claims, Terms(now=NOW, quotas={Pool(H100): Quota(Pool(H100), 3)}))
    assert [allocation.of(one).replicas for one in claims] == [1, 2]


def test_of_what_one_asks_for_only_as_much_as_its_lower_bound_comes_before_all_else() -> None:
    """Of three that it needs one is below its bound; the two beyond compete with the other by worth."""
    bound = a_claim("a", wanted=4, need=Need(4.0), floor=2)
    worthy = a_claim("b", need=Need(1.9), team=team(9.0))
    terms = Terms(now=NOW, quotas={Pool(H100): Quota(Pool(H100), 4)})
    allocation = allocate([bound, worthy], terms)
    assert [allocation.of(one).replicas for one in (bound, worthy)] == [2, 2]
