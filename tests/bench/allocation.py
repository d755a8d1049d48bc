#!/usr/bin/env python3
"""How long it takes to share accelerators that are short, and how far from the best possible that is.

``allocate``: the whole function over a fleet on three accelerator types, of which a tenth asks for more than there
is, and of which everybody does. ``again``: what the engine's book takes for the same once one claim of each type has
changed, all three types together: the precedence of all others is known. ``book_step``: what one changed claim costs the book while all sums fit.
CPU time, the median of some runs, while old objects are left alone as in the daemon. ``excess``: over a thousand random fleets, see ``tests/worlds/random_fleets.py``.
Prints one JSON object; compare numbers of one machine only.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
from pathlib import Path
from random import Random
from time import process_time_ns
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from trimtab.core.allocation.allocate import allocate
from trimtab.core.allocation.book import Book
from trimtab.core.allocation.values import Claim, SpendRoom, Terms
from trimtab.core.fleet_policy import Pool, Preemption, Quota, Team, TeamSelector
from trimtab.core.need import Need
from trimtab.service.garbage import old_objects_left_alone

if TYPE_CHECKING:
    from collections.abc import Callable

TYPES = ("H100", "H200", "B200")
NOW = 100_000.0
RUNS = 9


def a_fleet(count: int, share: float) -> tuple[tuple[Claim, ...], Terms]:
    """Return a fleet in which ``share`` of all ask for more, and half of what is asked for is there."""
    random = Random(1)
    teams = tuple(
        Team(name=f"t{number}", selector=TeamSelector(), weight=random.choice([0.5, 1.0, 2.0, 4.0]))
        for number in range(5)
    )
    claims = tuple(_claim(number, random, share, teams) for number in range(count))
    quotas = {}
    for kind in TYPES:
        ones = [one for one in claims if one.accelerator_type == kind]
        held = sum(one.held * (one.accelerators or 0) for one in ones)
        wanted = sum(one.wanted * (one.accelerators or 0) for one in ones)
        quotas[Pool(kind)] = Quota(Pool(kind), (held + wanted) // 2)
    return claims, Terms(now=NOW, quotas=quotas, teams=teams)


def _claim(number: int, random: Random, share: float, teams: tuple[Team, ...]) -> Claim:
    each, held = random.choice([1, 2, 4, 8]), random.randint(1, 4)
    wanted = held + (random.randint(1, 3) if random.random() < share else 0)
    return Claim(
        deployment=f"accounts/acme/deployments/d{number}",
        accelerator_type=random.choice(TYPES),
        region=random.choice(["US", "EU"]),
        accelerators=each,
        held=held,
        wanted=wanted,
        needed=wanted,
        least=1,
        floor=1,
        need=Need(wanted - 1 + random.random(), 0.5),
        usd_an_hour=7.0 * each,
        lead_time_seconds=60.0,
        short_since=NOW - random.random() * 900.0,
        team=random.choice(teams),
    )


def milliseconds(run: Callable[[Any], object], *, made: Callable[[], Any] = lambda: None) -> float:
    """Return the median CPU time of some runs, each on what was ``made`` for it."""
    found = []
    for _ in range(RUNS):
        one = made()
        begun = process_time_ns()
        run(one)
        found.append((process_time_ns() - begun) / 1e6)
    return round(statistics.median(found), 2)


def measure(count: int) -> dict[str, Any]:
    """Measure one size of the fleet."""
    claims, terms = a_fleet(count, 0.1)
    every, their_terms = a_fleet(count, 1.0)
    strict = their_terms._replace(preemption=Preemption.LOWER_PRIORITY)
    spent = sum(one.held * (one.usd_an_hour or 0.0) for one in every)
    limited = their_terms._replace(
        spend=SpendRoom(1.2 * spent, 1.2 * spent, "the limit", "the limit")
    )
    return {
        "deployments": count,
        "allocate_milliseconds": milliseconds(lambda _: allocate(claims, terms)),
        "again_milliseconds": _again(claims, terms),
        "everybody_asks": {
            "allocate_milliseconds": milliseconds(lambda _: allocate(every, their_terms)),
            "first_milliseconds": _first(every, their_terms),
            "first_with_preemption_milliseconds": _first(of_priorities(every), strict),
            "first_with_spend_limit_milliseconds": _first(every, limited),
            "again_milliseconds": _again(every, their_terms),
            "again_with_preemption_milliseconds": _again(of_priorities(every), strict),
            "again_with_spend_limit_milliseconds": _again(every, limited),
        },
        "book_step_microseconds": _book_step(claims, terms),
    }


def of_priorities(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """Return the claims with one of three priorities each: somebody is always short who may take from others."""
    random = Random(2)
    return tuple(one._replace(priority=random.choice([50, 100, 200])) for one in claims)


def a_book(claims: tuple[Claim, ...], terms: Terms) -> Book:
    """Return a book in which all of it stands, everybody decided on with what is held, and nothing is shared out yet."""
    book = Book()
    book.open(terms)
    for claim in claims:
        book.put(claim)
        book.settle(claim.deployment, claim.held)
    return book


def _first(claims: tuple[Claim, ...], terms: Terms) -> float:
    """What a book takes to share everything out for the first time, and to say whom it concerns."""
    return milliseconds(Book.stirred, made=lambda: a_book(claims, terms))


def _again(claims: tuple[Claim, ...], terms: Terms) -> float:
    """What a book takes to share everything out once one claim on each type has changed, and to say whom it concerns."""
    book = a_book(claims, terms)
    book.stirred()
    ones = [next(one for one in claims if one.accelerator_type == kind) for kind in TYPES]

    def step(_: None) -> None:
        for number, one in enumerate(ones):
            ones[number] = one._replace(wanted=one.wanted % 5 + 1)
            book.put(ones[number])
        book.stirred()
        for one in ones:
            book.grant(one.deployment)

    return milliseconds(step)


def _book_step(claims: tuple[Claim, ...], terms: Terms) -> float:
    book = Book()
    quotas = {pool: Quota(pool, 10**9) for pool in terms.quotas}
    book.open(terms._replace(quotas=quotas))
    for claim in claims:
        book.put(claim)
    book.stirred()
    one = claims[0]

    def step() -> None:
        nonlocal one
        one = one._replace(wanted=one.wanted % 5 + 1)
        book.put(one)
        book.stirred()
        book.grant(one.deployment)

    return round(1000.0 * milliseconds(lambda _: [step() for _ in range(100)]) / 100.0, 2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--fleets", type=int, default=1_000, help="random fleets to compare")
    arguments = parser.parse_args()
    from tests.worlds.random_fleets import excess  # and with it numpy, which starts threads

    with old_objects_left_alone():
        sizes = [measure(size) for size in arguments.sizes]
    with_fractions = excess(range(arguments.fleets))
    whole = excess(range(arguments.fleets), least=4, most=40, is_whole=True)
    document = {
        "benchmark": "allocation",
        "python": platform.python_version(),
        "sizes": sizes,
        "excess_over_the_linear_program": with_fractions._asdict(),
        "excess_of_small_fleets_over_whole_replicas": whole._asdict(),
    }
    sys.stdout.write(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
