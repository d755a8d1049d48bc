"""``capacity``: as many replicas as will be needed when an order placed now serves, learned by replay.

Load is told as offered work: requests or tokens a second over what one replica carries at its SLO. That
is linear, where requests in flight are not (``core/forecast/occupancy.py``). Every 15 s each of many
simple settings (a forecast and some spare, the load and some per cent, each held for a while) is replayed
against the load just seen, with the real lead time: what it would have been billed, which requests it
would have missed. Those with the lowest ``bill + price x misses`` decide, and the price is the lowest
that keeps the misses inside the error budget (``core/forecast/price.py``). So it comes to what people
would tune by hand, for each deployment, in hindsight, all the time.

Replicas on their way are asked for already and count. While data is missing it says so, which holds;
nothing is learned and no error budget is spent. Load that cannot be foreseen costs at most
``price_ceiling``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from trimtab.core.forecast.cells import TICK_SECONDS, Heard, hear
from trimtab.core.forecast.numeric import numeric
from trimtab.core.forecast.occupancy import load_of
from trimtab.core.forecast.terms import Terms, lead_ticks_of
from trimtab.core.forecast.trim import Seen
from trimtab.core.forecast.work import (
    BY_IN_FLIGHT,
    BY_MIX,
    BY_RATE,
    BY_TOKENS,
    Work,
    hold_of,
    sighting_of,
    value_of,
)
from trimtab.core.need import Need
from trimtab.core.proposals import REPLICAS_MAX, Wish

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from trimtab.core.facts import Facts
    from trimtab.core.forecast.experience import Experience
    from trimtab.core.forecast.known import Known
    from trimtab.core.past import PastValue, PastWanted
    from trimtab.core.proposals import JsonValue, View

AGE_SHARE = 0.1
"""How much of the newest sample's age counts for how old data is when it comes."""

IDLE_LOAD = 0.005
"""Replicas, smoothed over twenty minutes: less than this, and nothing at all now, is no demand."""

LOAD_MAX = 1e6
"""Replicas: whatever tells of more is broken, and must not break what was learned."""

COUNT_MAX = 2**24
"""Counts are kept as 32-bit numbers, which are whole up to here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Replicas for the load that is coming, at ``attainment`` of the requests within the SLO.

    ``requests``, ``prompt_tokens`` and ``output_tokens`` name signals a second, ``in_flight`` and
    ``waiting`` name signals that count requests, and ``within_slo`` one that says which share of the
    requests met the SLO (0 to 1); the first that can be used with what is known of one
    replica decides. What one carries at its SLO: ``requests_per_second``, or the two token rates (work
    adds up), or ``in_flight_at_slo``; where none is given it is learned from requests and in flight.
    ``price_ceiling``: what a second of misses may cost, in replica-seconds for each replica they need.
    """

    requests: str | None = None
    prompt_tokens: str | None = None
    output_tokens: str | None = None
    in_flight: str | None = None
    waiting: str | None = None
    within_slo: str | None = None
    requests_per_second: float | None = None
    prompt_tokens_per_second: float | None = None
    output_tokens_per_second: float | None = None
    in_flight_at_slo: float | None = None
    attainment: float = 0.99
    price_ceiling: float = 100.0

    forgets_with_hardware = True

    @property
    def signals(self) -> tuple[str, ...]:
        """Those that are named."""
        return (*self._needed, *self.dispensable_signals)

    @property
    def dispensable_signals(self) -> tuple[str, ...]:
        """The share within the SLO: without requests there is none, and that must not keep replicas."""
        share = self.within_slo
        return () if share is None or share in self._needed else (share,)

    @property
    def _needed(self) -> tuple[str, ...]:
        named = (
            self.requests, self.prompt_tokens, self.output_tokens, self.in_flight, self.waiting,
        )  # fmt: skip
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def propose(self, view: View, memory: JsonValue) -> Wish:
        """Take in the newest sample, learn from each cell that it fills, and ask for what is best now."""
        known, work = self._lived(view, memory)
        if isinstance(work, str):
            return Wish(None, work, known)
        if known.experience is None:
            return Wish(None, f"{work.text}: listens until the first 15 s are over", known)
        return self._wish(view, known, known.experience, work)

    def propose_unsaid(self, view: View, memory: JsonValue) -> Wish:
        """Do the same without a word: its sentence takes as long as much of what it learns."""
        known, work = self._lived(view, memory)
        if isinstance(work, str) or known.experience is None:
            return Wish(None, "", known)
        return Wish(self._count(view, known, known.experience, work), "", known)

    def set_back(self, memory: JsonValue, seconds: float) -> JsonValue:
        """Go on with what was learned on a clock that is ``seconds`` behind."""
        known = numeric().known.recalled(memory)
        return None if known is None else known.set_back(seconds)

    def _lived(self, view: View, memory: JsonValue) -> tuple[Known, Work | str]:
        """Return what is known with the newest sample, and the load that it tells of, or why it does not."""
        known_type = numeric().known
        known = known_type.recalled(memory) or known_type(view.current)
        work = self._work(view, known)
        if isinstance(work, str):
            return self._listening(view, known), work
        return self._learned(view, known, work), work

    def edges(self, now: float, memory: JsonValue) -> Iterable[float]:  # noqa: ARG002  the interface
        """When the next cell may be full."""
        return ((now // TICK_SECONDS + 1.0) * TICK_SECONDS,)

    # -- the time before it began (``Primeable``) -----------------------------------------------

    def past_wanted(self, memory: JsonValue) -> PastWanted | None:
        """Ask for what tells of load, unless an hour was lived through or nothing is told over time.

        Requests in flight are not asked for: what they say depends on how many replicas served.
        """
        from trimtab.core.forecast.known import Known
        from trimtab.core.forecast.past import SPANS, is_cold
        from trimtab.core.past import PastWanted

        known = Known.recalled(memory)
        told = self._capacities(known)
        is_hopeful = self.requests is not None and self.in_flight is not None
        return PastWanted(tuple(told), SPANS) if is_cold(known) and (told or is_hopeful) else None

    def primed(
        self, past: Mapping[str, Sequence[PastValue]], view: View, memory: JsonValue
    ) -> Generator[None, None, JsonValue]:
        """Live through ``past``: the settings as they would have been; nobody knows what served then.

        The curves as if all of it had been lived, the rest as of its last day. ``view`` gives lead time
        and bounds. ``None`` where that is less than an hour, or ended an hour ago or more.
        """
        from trimtab.core.forecast.known import Known
        from trimtab.core.forecast.past import COLD_TICKS, REPLAYED_SECONDS, live_through, loads_of

        known = Known.recalled(memory) or Known(view.current)
        loads = loads_of(past, self._capacities(known), known.trim.factor, LOAD_MAX)
        if not loads or loads[-1].time < view.now - COLD_TICKS * TICK_SECONDS:
            return None
        terms = self._terms(view, None, 0.0, known.at_first)._replace(is_past=True)
        replayed_from = loads[-1].time - REPLAYED_SECONDS
        heard, experience = yield from live_through(loads, terms, replayed_from)
        if experience is None or experience.tally.ticks < COLD_TICKS:
            return None
        return Known(known.at_first, heard, experience)

    def joined(self, primed: JsonValue, memory: JsonValue, view: View) -> JsonValue | None:
        """Return what ``primed`` and what was lived meanwhile come to; ``None`` where that is warm."""
        from trimtab.core.forecast.known import Known
        from trimtab.core.forecast.past import joined

        known = Known.recalled(memory) or Known(view.current)
        of_past = Known.recalled(primed)
        return None if of_past is None else joined(of_past, known)

    def _capacities(self, known: Known | None) -> dict[str, float]:
        """What one replica carries of each signal that tells of load over time, as ``_work`` has it."""
        tokens = {
            self.prompt_tokens: self.prompt_tokens_per_second,
            self.output_tokens: self.output_tokens_per_second,
        }
        told = {name: one for name, one in tokens.items() if name is not None and one is not None}
        if told or self.requests is None:
            return told
        each = self.requests_per_second or (None if known is None else known.line.capacity)
        return {} if each is None else {self.requests: each}

    # -- from readings to work -----------------------------------------------------------------

    def _work(self, view: View, known: Known) -> Work | str:
        """Return the load now, or why it cannot be told."""
        why: list[str] = []
        told: tuple[object, ...]
        prompt, output = self.prompt_tokens_per_second, self.output_tokens_per_second
        if prompt is not None or output is not None:
            work = self._token_work(view, known, why)
            if work is not None:
                return work._replace(load=work.load * known.trim.factor)
        if self.requests is not None:
            capacity = self.requests_per_second or known.line.capacity
            seen = value_of(view, self.requests, why)
            if seen is not None and capacity is not None:
                each = "" if self.requests_per_second is not None else "learned "
                told = self.requests, seen[1], each, capacity
                load = seen[1] / capacity * known.trim.factor
                return Work(seen[0].time or view.now, load, hold_of(seen[0]), BY_RATE, told)
            if seen is not None and self.in_flight_at_slo is None:
                why.append("what one replica carries is not learned yet")
        if self.in_flight is not None and self.in_flight_at_slo is not None:
            seen = value_of(view, self.in_flight, why)
            if seen is not None:
                load = load_of(seen[1], view.ready, self.in_flight_at_slo)
                told = self.in_flight, seen[1], self.in_flight_at_slo
                return Work(seen[0].time or view.now, load, hold_of(seen[0]), BY_IN_FLIGHT, told)
        return "; ".join(why) or "no signal is named that tells of load"

    def _token_work(self, view: View, known: Known, why: list[str]) -> Work | None:
        load, times, holds = 0.0, [], []
        told: list[object] = []
        for name, capacity in (
            (self.prompt_tokens, self.prompt_tokens_per_second),
            (self.output_tokens, self.output_tokens_per_second),
        ):
            if name is None or capacity is None:
                continue
            seen = value_of(view, name, why)
            if seen is None:
                return None
            load += seen[1] / capacity
            times.append(seen[0].time or view.now)
            holds.append(hold_of(seen[0]))
            told += (name, seen[1], capacity)
        if not times:
            return None
        words = " and ".join([BY_TOKENS] * len(times))
        work = Work(min(times), load, min(holds), words, tuple(told))
        rate = None if self.requests is None else value_of(view, self.requests, why)
        if rate is None:
            return work
        # Generated tokens come late, and no faster than replicas serve: what arrives tells what is asked.
        mix = known.mix
        if known.heard is None or work.time > known.heard.until:
            mix = mix.seeing(load, rate[1])
        by_mix = self.requests, rate[1], mix.work_seconds
        load = rate[1] * mix.work_seconds
        return Work(work.time, load, work.hold_seconds, BY_MIX, by_mix, mix=mix)

    # -- learning ------------------------------------------------------------------------------

    def _listening(self, view: View, known: Known) -> Known:
        """Learn what a replica carries while that is not known: no load can be told before it is."""
        rate, in_flight = sighting_of(view, self.requests, self.in_flight)
        if self.requests is None or rate is None or in_flight is None:
            return known
        reading = view.readings[self.requests]
        heard, cells = hear(known.heard, reading.time or view.now, 0.0, hold_of(reading))
        if heard is known.heard:
            return known
        line = known.line
        for _ in cells:
            line = line.seeing(rate, in_flight, view.ready)
        # Only the time was of interest: a load that is not known is none to be remembered.
        heard = heard._replace(total=0.0, seconds=0.0)
        return known.living(heard, known.experience, line, known.trim)

    def _learned(self, view: View, known: Known, work: Work) -> Known:
        """Live through the cells that the sample fills."""
        learned = numeric().learned
        load = min(work.load, LOAD_MAX)
        heard, cells = hear(known.heard, work.time, load, work.hold_seconds)
        if heard is known.heard:
            return known
        age = max(0.0, view.now - work.time)
        before = age if known.heard is None else heard.age_seconds
        age_seconds = before + AGE_SHARE * (age - before)
        heard = Heard(heard.until, heard.total, heard.seconds, age_seconds)
        experience, line, trim = known.experience, known.line, known.trim
        if not cells:
            return known.living(heard, experience, line, trim, work.mix)
        rate, in_flight = sighting_of(view, self.requests, self.in_flight)
        missed_share = self._missed_share(view)
        seen = Seen.by(view.ready, rate, in_flight, self.in_flight_at_slo, missed_share)
        terms = self._terms(
            view, experience, age_seconds, known.at_first, seen.occupied, missed_share
        )
        for cell in cells:
            is_early = known.kept_until is not None and cell.end <= known.kept_until
            lived = terms
            if is_early or trim.is_surprised:
                lived = terms._replace(is_early=is_early, is_surprised=trim.is_surprised)
            experience = learned(experience, cell.end, cell.load, lived)
            if rate is not None and in_flight is not None and self.requests_per_second is None:
                line = line.seeing(rate, in_flight, view.ready)
            if work.is_by_rate:
                load = cell.load / known.trim.factor  # cells are trimmed already
                trim = trim.seeing(seen.of(load))
        return known.living(heard, experience, line, trim, work.mix)

    def _missed_share(self, view: View) -> float | None:
        """Return which share of the requests is told to have missed the SLO."""
        within = None if self.within_slo is None else view.readings[self.within_slo].value
        return None if within is None else 1.0 - min(1.0, max(0.0, within))

    def _terms(
        self,
        view: View,
        before: Experience | None,
        age: float,
        at_first: int,
        occupied: float | None = None,
        missed_share: float | None = None,
    ) -> Terms:
        bounds = view.bounds
        lower = 1.0 if bounds is None else max(1.0, float(bounds.lower.replicas))
        upper = COUNT_MAX if bounds is None else min(COUNT_MAX, bounds.upper.replicas)
        before_ticks = None if before is None else before.lead_ticks
        return Terms(
            lead_ticks_of(view.lead_time_seconds + age, before_ticks),
            view.ready,
            at_first,
            lower,
            max(lower, float(upper)),
            self.attainment,
            self.price_ceiling,
            occupied,
            missed_share,
            is_followed=before is None or before.is_followed(view.current),
        )

    # -- answering -----------------------------------------------------------------------------

    def _wish(self, view: View, known: Known, experience: Experience, work: Work) -> Wish:
        facts = self._facts(known, int(experience.tally.wanted))
        count = self._count(view, known, experience, work)
        if count == 0:
            return Wish(0, f"{work.text}: no load, wants none", known, facts=facts)
        queued = self._queued(view, known, experience)
        text = numeric().sentence(
            view, experience.tally, facts, count, queued, self.requests_per_second
        )
        forecast, error = facts.forecast_replicas or 0.0, facts.forecast_error_replicas or 0.0
        need = Need(forecast + queued, error)
        return Wish(count, text, known, facts=facts, need=need)

    def _count(self, view: View, known: Known, experience: Experience, work: Work) -> int:
        """Return how many replicas are asked for: 0 exactly where there is no load."""
        if work.load == 0.0 and float(experience.arrays.levels[4]) < IDLE_LOAD:
            return 0
        count = int(experience.tally.wanted) + self._queued(view, known, experience)
        return min(count, REPLICAS_MAX)

    def _facts(self, known: Known, count: int) -> Facts:
        """The numbers behind ``count``, with what was given."""
        factor = known.trim.factor
        given = self.requests_per_second
        is_given = given is not None or self.in_flight_at_slo is not None
        if given is not None:
            each: float | None = given / factor
        elif known.mix.work_seconds > 0.0:
            each = 1.0 / (known.mix.work_seconds * factor)
        else:
            each = known.capacity
        return known.facts(
            count,
            missed_ratio_max=1.0 - self.attainment,
            capacity_requests_per_second=each,
            capacity_factor_ratio=1.0 / factor if is_given else None,
        )

    def _queued(self, view: View, known: Known, experience: Experience) -> int:
        """Replicas more for what waits: as many as would clear it within a lead time.

        A queue is no lasting load: its requests are served once. One that will be gone before
        another replica could serve rounds to none.
        """
        capacity = self.requests_per_second or known.line.capacity
        if self.waiting is None or capacity is None:
            return 0
        seen = value_of(view, self.waiting, [])
        if seen is None:
            return 0
        work_seconds = seen[1] / capacity * known.trim.factor
        lead_seconds = experience.lead_ticks * TICK_SECONDS
        return max(0, ceil(work_seconds / max(60.0, lead_seconds) - 0.5))
