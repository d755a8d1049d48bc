"""The cheapest mix of a group's members that serves its demand, and the way from what runs to there.

A covering knapsack with whole replicas (Martello and Toth, "Knapsack Problems", 1990, chapter 3): members have a
price, a capacity and bounds, and their capacities must add up to the demand. What a mix costs is counted
over the group's horizon:

- every replica at its price;
- every replica that is not asked for yet: its lead time at its price, too, because hardware is taken and does
  not serve; and what runs and is given up goes on until the last one that replaces it serves;
- load that nobody serves meanwhile, at the miss price.

So a cheaper mix is taken only if it saves more over the horizon than its starts cost; what has been asked
for is paid already, so that a switch that was begun is gone through with. The search is branch and bound: exact
to ``GAIN_RATIO_MIN``, unless it takes more than ``LOOKS_MAX`` looks, and then the best that was found.
"""

from __future__ import annotations

from math import ceil, floor, inf
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOKS_MAX = 1000
"""Partial mixes looked at in one search, at most: some 10 ms. Then what was found is improved by exchanges."""

EXCHANGES = (1, -1, 2, -2, 4, -4, 8, -8, 16, -16, 32, -32)
"""Replicas more or fewer that are tried at once."""

GAIN_RATIO_MIN = 0.002
"""A mix is better than another one from this share of its cost on; no search is worth less."""

CLOSE = 1e-9
"""Capacities that differ by less than this share are equal."""

_HOUR_SECONDS = 3600.0


class Part(NamedTuple):
    """One member as it stands. Counts are replicas.

    ``requests_per_second`` is what one carries within the SLO and ``usd_an_hour`` what it costs, both above 0.
    ``asked`` are asked for, ``serving`` of them serve. From ``lower`` to ``upper`` may be asked for. ``is_growing``:
    more can be had, and what is asked for comes; a member that is refused, stuck or out of quota has what
    serves and gets no more.
    """

    deployment: str
    requests_per_second: float
    usd_an_hour: float
    asked: int
    serving: int
    lower: int
    upper: int
    lead_time_seconds: float
    is_growing: bool = True


class Demand(NamedTuple):
    """Requests a second: what is to be expected, and what is asked for with spare (at least as much)."""

    load: float
    asked: float


class Mix(NamedTuple):
    """How many replicas each member should have: ``target`` in the end, ``now`` until those serve.

    In the order of the parts. ``requests_per_second`` is what ``target`` carries; less than the demand only where
    all that can be had is less. ``is_exact``: nothing better exists, rather than: was found.
    """

    target: tuple[int, ...]
    now: tuple[int, ...]
    requests_per_second: float
    usd_an_hour: float
    is_exact: bool = True


def cheapest_mix(
    parts: Sequence[Part],
    demand: Demand,
    *,
    horizon_seconds: float = 3600.0,
    miss_price_ratio: float = 20.0,
) -> Mix:
    """Return the mix of ``parts`` (at least one) that serves ``demand`` at the lowest cost.

    Equal costs: what is asked for already, then more of the members that come first.
    """
    pricing = Pricing(parts, demand, horizon_seconds, miss_price_ratio)
    search = _Search(pricing)
    found = search.run()
    target = tuple(
        part.asked if not part.is_growing and count == part.serving else count
        for part, count in zip(parts, found, strict=True)
    )
    return Mix(
        target=target,
        now=_now(parts, found, target, demand),
        requests_per_second=_capacity(parts, found),
        usd_an_hour=sum(part.usd_an_hour * count for part, count in zip(parts, found, strict=True)),
        is_exact=not search.is_over,
    )


def reach(part: Part) -> tuple[int, int]:
    """Return the fewest and the most replicas of ``part`` that can be counted on."""
    if part.is_growing:
        return min(part.lower, part.upper), part.upper
    return min(part.lower, part.serving), part.serving


class Pricing:
    """What a mix costs over the horizon, in US dollars."""

    def __init__(
        self, parts: Sequence[Part], demand: Demand, horizon_seconds: float, miss_price_ratio: float
    ) -> None:
        self.parts = parts
        self.demand = demand
        self.hours = horizon_seconds / _HOUR_SECONDS
        served = min(part.usd_an_hour / part.requests_per_second for part in parts)
        self._usd_a_missed_hour = miss_price_ratio * served
        self._serving = sum(part.serving * part.requests_per_second for part in parts)

    def own(self, part: Part, count: int) -> float:
        """Return what ``count`` replicas of one member cost, whatever the others do."""
        starts = max(0, count - part.asked)
        hours = self.hours * count + part.lead_time_seconds / _HOUR_SECONDS * starts
        return part.usd_an_hour * hours

    def missed(self, counts: Sequence[int]) -> float:
        """Return what the load costs that nobody serves until all of ``counts`` do. More replicas, fewer misses."""
        served, usd, at = self._serving, 0.0, 0.0
        coming = sorted(
            (part.lead_time_seconds, (count - part.serving) * part.requests_per_second)
            for part, count in zip(self.parts, counts, strict=True)
            if count > part.serving
        )
        for lead_seconds, more in coming:
            short = self.demand.load - served
            if short <= 0.0:
                break
            usd += short * (lead_seconds - at) / _HOUR_SECONDS * self._usd_a_missed_hour
            served, at = served + more, lead_seconds
        return usd

    def of(self, counts: Sequence[int]) -> float:
        """Return what all of a mix costs."""
        wait_seconds, going_usd_an_hour, usd = 0.0, 0.0, 0.0
        for part, count in zip(self.parts, counts, strict=True):
            usd += self.own(part, count)
            if count > part.serving:
                wait_seconds = max(wait_seconds, part.lead_time_seconds)
            else:
                going_usd_an_hour += (part.serving - count) * part.usd_an_hour
        return usd + wait_seconds / _HOUR_SECONDS * going_usd_an_hour + self.missed(counts)


class _Search:
    """Branch and bound, depth first, from what is asked for now, the most promising count of a member first."""

    def __init__(self, pricing: Pricing) -> None:
        self.pricing = pricing
        self.parts = pricing.parts
        self.looked = 0
        # Who serves soonest comes first: after these the misses are known best.
        self.order = sorted(
            range(len(self.parts)), key=lambda place: (self.parts[place].lead_time_seconds, place)
        )
        self.reach = [reach(part) for part in self.parts]
        self.most = [most for _, most in self.reach]
        capacity = _capacity(self.parts, self.most)
        self.need = min(pricing.demand.asked, capacity) * (1.0 - CLOSE)
        self.rest = [_Rest(pricing, self.order[depth:]) for depth in range(len(self.order) + 1)]
        self.best: tuple[float, tuple[int, ...]] = (inf, tuple(self.most))

    @property
    def is_over(self) -> bool:
        """Whether the search was given up before its end."""
        return self.looked > LOOKS_MAX

    def run(self) -> tuple[int, ...]:
        """Return the best counts, in the order of the parts."""
        staying = [
            min(max(part.asked, least), most)
            for part, (least, most) in zip(self.parts, self.reach, strict=True)
        ]
        if _capacity(self.parts, staying) >= self.need:
            self._offer(staying)
        self._descend(0, [*self.most], self.need, 0.0)
        while self.is_over and self._exchange():
            pass
        return self.best[1]

    def _exchange(self) -> bool:
        """Try what is best so far with some more or fewer of one member, made up for by another."""
        usd, counts = self.best[0], [*self.best[1]]
        for first, (least, most) in enumerate(self.reach):
            for step in EXCHANGES:
                count = counts[first] + step
                if least <= count <= most:
                    self._make_up(counts, first, count)
        return self.best[0] < usd

    def _make_up(self, before: Sequence[int], first: int, count: int) -> None:
        """Offer the mix with ``count`` of one member and as few as will do of another."""
        counts = [*before]
        counts[first] = count
        short = self.need - _capacity(self.parts, counts)
        if short <= 0.0:
            self._offer(counts)
        for place, (least, most) in enumerate(self.reach):
            needed = counts[place] + ceil(short / self.parts[place].requests_per_second - CLOSE)
            if place != first and needed <= most:
                changed = [*counts]
                changed[place] = max(least, needed)
                self._offer(changed)

    def _descend(self, depth: int, counts: list[int], need: float, usd: float) -> None:
        if depth == len(self.order):
            self._offer(counts)
            return
        place = self.order[depth]
        part, (least, most) = self.parts[place], self.reach[place]
        each, rest = part.requests_per_second, self.rest[depth + 1]
        least = max(least, ceil((need - rest.capacity) / each - CLOSE))
        most = min(most, max(least, ceil(need / each), part.asked, self._in_a_hurry(part)))
        alone = self.rest[depth].best_of_first(need, least, most)
        for found in (range(alone, most + 1), range(alone - 1, least - 1, -1)):
            for count in found:
                self.looked += 1
                counts[place] = count
                own = usd + self.pricing.own(part, count)
                left = need - count * each
                bound = own + rest.at_least(left)
                if bound + self.pricing.missed(counts) < self._enough:
                    self._descend(depth + 1, counts, left, own)
                elif count < alone or bound >= self._enough:
                    break  # fewer cost more and miss more; more cost more, but may miss less
                if self.is_over and self.best[0] < inf:
                    break
        counts[place] = self.most[place]

    @property
    def _enough(self) -> float:
        """What a mix must stay below to be worth a look."""
        return self.best[0] * (1.0 - GAIN_RATIO_MIN)

    def _in_a_hurry(self, part: Part) -> int:
        """Return how many would serve all load alone: more than that no miss is a reason for."""
        return ceil(self.pricing.demand.load / part.requests_per_second)

    def _offer(self, counts: Sequence[int]) -> None:
        usd = self.pricing.of(counts)
        if usd < self._enough:
            self.best = (usd, tuple(counts))


class _Rest:
    """The cheapest that some members can be, where replicas may be broken: a bound from below."""

    def __init__(self, pricing: Pricing, places: Sequence[int]) -> None:
        self.places = places
        self.pricing = pricing
        self.usd = 0.0
        self.carried = 0.0
        self.segments: list[tuple[float, float, int]] = []
        for place in places:
            part = pricing.parts[place]
            least, most = reach(part)
            each, paid = part.requests_per_second, max(least, min(part.asked, most))
            self.usd += pricing.own(part, least)
            self.carried += least * each
            slope, starting = part.usd_an_hour / each, part.lead_time_seconds / _HOUR_SECONDS
            self.segments.append((slope * pricing.hours, (paid - least) * each, place))
            self.segments.append((slope * (pricing.hours + starting), (most - paid) * each, place))
        self.segments.sort(key=lambda one: (one[0], one[2]))
        self.capacity = self.carried + sum(more for _, more, _ in self.segments)

    def at_least(self, need: float) -> float:
        """Return what serving ``need`` costs at least; ``inf`` where it cannot be."""
        usd, need = self.usd, need - self.carried
        for slope, most, _ in self.segments:
            if need <= 0.0:
                return usd
            usd += slope * min(need, most)
            need -= most
        return usd if need <= CLOSE * max(1.0, self.capacity) else inf

    def best_of_first(self, need: float, least: int, most: int) -> int:
        """Return how many of the first member there would be, from ``least`` to ``most``."""
        first, need = self.places[0], need - self.carried
        part = self.pricing.parts[first]
        carried = reach(part)[0] * part.requests_per_second
        for _, more, place in self.segments:
            if need <= 0.0:
                break
            carried += min(need, more) if place == first else 0.0
            need -= more
        return min(most, max(least, ceil(carried / part.requests_per_second - CLOSE)))


def _capacity(parts: Sequence[Part], counts: Sequence[int]) -> float:
    return sum(part.requests_per_second * count for part, count in zip(parts, counts, strict=True))


def _now(
    parts: Sequence[Part], found: Sequence[int], target: Sequence[int], demand: Demand
) -> tuple[int, ...]:
    """Return the counts until the target serves: what serves goes only as far as it is not missed."""
    now = [max(part.asked, count) for part, count in zip(parts, target, strict=True)]
    spare = sum(part.serving * part.requests_per_second for part in parts) - min(
        demand.asked, _capacity(parts, found)
    )
    dearest_first = sorted(
        range(len(parts)),
        key=lambda place: (-parts[place].usd_an_hour / parts[place].requests_per_second, -place),
    )
    for place in dearest_first:
        part, count = parts[place], target[place]
        if count >= part.asked:
            continue
        going = max(0, part.serving - count)
        allowed = floor(max(0.0, spare) / part.requests_per_second * (1.0 + CLOSE) + CLOSE)
        given = min(going, allowed)
        spare -= given * part.requests_per_second
        # What is not serving yet is missed by nobody.
        now[place] = max(count, min(part.asked, part.serving) - given)
    return tuple(now)
