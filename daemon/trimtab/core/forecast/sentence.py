"""The sentence with which ``capacity`` explains a count: its numbers, in the order in which they matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.forecast.settings import in_words

if TYPE_CHECKING:
    from trimtab.core.facts import Facts
    from trimtab.core.forecast.experience import Tally
    from trimtab.core.proposals import View


def sentence(
    view: View, tally: Tally, facts: Facts, count: int, queued: int, given: float | None
) -> str:
    """Say why ``count`` is asked for, ``queued`` of them for what waits.

    ``given`` is what one replica was said to carry, in requests a second.
    """
    usual = f"usual change {tally.seasonal:+.2f}, " if abs(tally.seasonal) >= 0.05 else ""
    way = max(0, view.current - view.ready)
    more = f", {queued} of them for what waits" if queued else ""
    return (
        f"need {tally.forecast:.2f} in {(facts.horizon_seconds or 0.0) / 60.0:.0f} min: "
        f"{tally.load:.2f} now, {usual}"
        f"spare {facts.spare_replicas:.2f} (error {tally.spread:.2f}); "
        f"{view.ready} ready, {way} on the way: ask for {count}{more} "
        f"(as {in_words(tally.chosen)}; price {facts.miss_price_ratio:.3g}, "
        f"missed {facts.missed_ratio:.2%} of {facts.missed_ratio_max:.2%}{_each(facts, given)})"
    )


def _each(facts: Facts, given: float | None) -> str:
    """Say what one replica is believed to carry, and by whom."""
    each, factor = facts.capacity_requests_per_second, facts.capacity_factor_ratio
    if each is None:
        return "" if factor is None else f"; a replica carries {factor:.0%} of what was given"
    if given is None:
        return f"; a replica carries {each:.3g} requests/s, learned"
    of_given = (
        "" if factor is None or abs(factor - 1.0) < 0.005 else f", {factor:.0%} of what was given"
    )
    return f"; a replica carries {each:.3g} requests/s{of_given}"
