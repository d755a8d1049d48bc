"""What a shelf tells of whose count is another than it was."""

from __future__ import annotations

from tests.worlds.short_fleets import NOW

from trimtab.core.allocation.book import Book
from trimtab.core.allocation.values import Claim, Terms
from trimtab.core.fleet_policy import NO_TEAM, Pool, Quota
from trimtab.core.need import Need


def a_claim(name: str, region: str, held: int, wanted: int) -> Claim:
    return Claim(
        name, "H100", region, 1, held, wanted, wanted, 0, 0, Need(float(wanted)),
        None, 60.0, None, None, 100, NO_TEAM, "",
    )  # fmt: skip


def test_who_wants_another_count_is_told_of_between_two_allocations_that_do_not_name_it() -> None:
    """An allocation names who is short; in a region without a quota nobody is."""
    quota = Quota(Pool("H100", "EU"), 4)
    book = Book()
    book.open(Terms(now=NOW, quotas={quota.pool: quota}))
    for one in (a_claim("short", "EU", 4, 8), a_claim("free", "US", 1, 2)):
        book.put(one)
    for name in ("short", "free"):
        book.settle(name, book.grant(name).replicas)
    assert book.stirred() == ()
    book.put(a_claim("free", "US", 1, 3))
    assert book.stirred() == ("free",)
