"""Requests in front of and inside the serving replicas, as a fluid: one step, one set of flows.

Every request is in exactly one place, always:

    offered = finished + refused + waiting + in service + draining

Waiting is first come, first served, in front of all replicas; in service is spread evenly over
them (what a least-loaded router does). Within a step the pace of the batch is constant. A request
passes through two stages of tau / 2 each, tau = output tokens * time per token, so its time in
service has a squared coefficient of variation of 1/2, near that of answers (``OUTPUT_SPREAD`` - 1):

    dS1/dt = admitted - 2 S1 / tau        dS2/dt = 2 (S1 - S2) / tau

which has an exact solution: a step may be long or an answer short without the flows running off.
With one stage alone, whoever comes would begin to leave at once, and a surge would be too easy to
bear. For the same reason the pace counts the prompts that do come, not those that would keep the batch
as it is. (Held against the model of single requests in ``tests/validation``.)

A request meets the SLO if its first token came in time (known when it is admitted) and its tokens
were fast enough (known when it finishes). It is counted when it finishes.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.plant.serving_model import tpot_share, ttft_share
from trimtab.plant.totals import (
    INTERNAL_ERROR,
    TOO_MANY_REQUESTS,
    UNAVAILABLE,
    StepRecord,
    Totals,
)

if TYPE_CHECKING:
    from trimtab.plant.serving_model import ServingModel, Slo
    from trimtab.plant.workload import Load

REMNANT = 1e-6
"""Less than this of a request is numerical dust and counts as finished."""

FLOW_SECONDS = 4.0
"""About this long the rate of prompts is averaged that an iteration has to compute."""

_DRAIN_SECONDS_MAX = 300.0
_DRAIN_TAUS = 4.6
"""After 4.6 time constants 99 % of a replica's requests have finished."""


@dataclass(slots=True)
class _Cohort:
    """Requests that wait and arrived together, evenly over a span of time."""

    begin: float
    seconds: float
    count: float


@dataclass(slots=True)
class _Apart:
    """What happened between two steps, for the record of the next one."""

    offered: float = 0.0
    admitted: float = 0.0
    refused_429: float = 0.0
    refused_503: float = 0.0
    lost_500: float = 0.0


class FluidQueue:
    """The requests of one deployment. ``waiting_max_per_replica``: beyond it, requests get 429."""

    def __init__(
        self,
        model: ServingModel,
        slo: Slo,
        *,
        waiting_max_per_replica: int | None = None,
        cached_prompt_share: float = 0.0,
    ) -> None:
        if not 0.0 <= cached_prompt_share < 1.0:
            raise ValueError(
                f"cached prompt share is {cached_prompt_share}; give 0 or above and less than 1"
            )
        self.model = model
        self.slo = slo
        self.cached_prompt_share = cached_prompt_share
        self.waiting_max_per_replica = (
            model.sequences_max if waiting_max_per_replica is None else waiting_max_per_replica
        )
        self.totals = Totals()
        self.waiting = 0.0
        self.in_service = 0.0
        self.draining = 0.0
        self._cohorts: deque[_Cohort] = deque()  # oldest first
        self._first_stage = 0.0  # of those in service, how many are in the first half of their time
        self._prompt_flow = 0.0  # prompt tokens admitted a second, of late
        self._in_time = 0.0  # of those in service, how many got their first token in time
        self._draining_in_time = 0.0
        self._prompt_tokens = 0.0  # of those in service, summed
        self._output_tokens = 0.0
        self._pace = model.pace(0.0, 1.0, 1.0)
        self._tpot_ms = self._pace[0]  # smoothed over a request's time in service
        self._apart = _Apart()
        self._draining_output_tokens = 1.0  # mean of those draining

    @property
    def in_flight(self) -> float:
        """Requests accepted and not yet answered."""
        return self.waiting + self.in_service + self.draining

    @property
    def is_empty(self) -> bool:
        """Whether a step without arrivals would leave everything as it is and have nothing to tell."""
        apart = self._apart
        is_told = not (apart.offered or apart.lost_500)
        return is_told and not (self.waiting or self.in_service or self.draining or self._cohorts)

    # -- one step ----------------------------------------------------------------------------

    def step(
        self,
        ended_at: float,
        seconds: float,
        arrivals: float,
        load: Load,
        serving: int,
        draining: int,
    ) -> StepRecord:
        """Let ``seconds`` pass with ``arrivals`` spread over them and return what happened."""
        self.totals.offered += arrivals
        drained = self._step_draining(seconds, draining) if self.draining else 0.0
        unserved = 0.0
        if serving and (arrivals or self.in_service or self.waiting):
            admitted, finished, wait, refused, batch, prompt, output = self._serve(
                ended_at, seconds, arrivals, load, serving
            )
        else:
            admitted = finished = wait = refused = batch = 0.0
            prompt, output = load.prompt_tokens, load.output_tokens
            if not serving:
                unserved = self._turn_away(arrivals)
        apart = self._apart
        if apart.offered or apart.lost_500:
            self._apart = _Apart()
        return StepRecord(
            ended_at, seconds, serving, arrivals + apart.offered, refused + apart.refused_429,
            unserved + apart.refused_503, apart.lost_500, admitted + apart.admitted,
            finished + drained, wait, batch, self.waiting, prompt, output,
        )  # fmt: skip

    def _serve(
        self, now: float, seconds: float, arrivals: float, load: Load, serving: int
    ) -> tuple[float, float, float, float, float, float, float]:
        """Admit, decode and finish; return the flows of the step, the batch and its mean lengths.

        The flows are requests admitted and finished, the mean wait of those admitted in seconds,
        and requests refused for want of room.
        """
        before = self.in_service
        if before > REMNANT:
            prompt = self._prompt_tokens / before
            output = self._output_tokens / before
            pace = self._pace
        else:
            prompt = load.prompt_tokens
            output = load.output_tokens
            pace = self.model.pace(0.0, prompt, output, self.cached_prompt_share)
        stay = output * pace[0] / 1000.0
        ratio = 2.0 * seconds / stay
        fade = math.exp(-ratio)
        moved = ratio * fade
        decay = fade + (moved * self._first_stage / before if before > REMNANT else 0.0)
        gain = (1.0 - fade - 0.5 * moved) * stay / seconds
        limit = serving * self.model.batch_max(prompt, output, self.cached_prompt_share)
        ttft_ms = pace[2] + pace[3]
        after = before * decay + arrivals * gain
        # What a burst cannot pass: the prefill budget of this step, and the room in the batch.
        prefill_room = serving * seconds * 1000.0 / pace[4]
        wait = refused = 0.0
        if self.waiting or after > limit or arrivals > prefill_room:
            room = min(prefill_room, max(0.0, (limit - before * decay) / gain))
            if arrivals > 0.0:
                self._cohorts.append(_Cohort(now - seconds, seconds, arrivals))
                self.waiting += arrivals
            admitted, in_time, wait = self._admit(now - seconds, seconds, room, ttft_ms)
            refused = self._refuse_newest(serving)
            after = before * decay + admitted * gain
        else:
            admitted = arrivals
            in_time = arrivals * ttft_share(self.slo.ttft_seconds, 0.0, ttft_ms)
        first = self._first_stage * fade + admitted * (1.0 - fade) * 0.5 * stay / seconds
        if after < REMNANT:
            after = first = 0.0
        self._first_stage = first
        finished = before + admitted - after
        self._settle(decay, gain, admitted, in_time, finished, load)
        self.in_service = after
        batch = after / serving
        self._prompt_flow += (admitted * load.prompt_tokens / seconds - self._prompt_flow) * (
            seconds / (seconds + FLOW_SECONDS)
        )
        prompts = self._prompt_flow * pace[0] / 1000.0 / serving / prompt
        self._pace = self.model.pace(batch, prompt, output, self.cached_prompt_share, prompts)
        return admitted, finished, wait, refused, batch, prompt, output

    def _settle(
        self,
        decay: float,
        gain: float,
        admitted: float,
        in_time: float,
        finished: float,
        load: Load,
    ) -> None:
        """Carry along what is known of those in service, and judge those that finished."""
        joined = admitted * gain
        self._prompt_tokens = self._prompt_tokens * decay + joined * load.prompt_tokens
        self._output_tokens = self._output_tokens * decay + joined * load.output_tokens
        before = self._in_time
        self._in_time = before * decay + in_time * gain
        pace = self._pace
        self._tpot_ms += (pace[0] - self._tpot_ms) * (1.0 - decay)
        totals = self.totals
        totals.finished += finished
        totals.met_slo += (before + in_time - self._in_time) * tpot_share(
            self.slo.tpot_seconds, self._tpot_ms, pace[1]
        )

    def _admit(
        self, begin: float, seconds: float, room: float, ttft_ms: float
    ) -> tuple[float, float, float]:
        """Admit from the front, evenly over the step, until ``room`` requests were let in.

        Returns how many were admitted, how many of those in time, and their mean wait. Waits are
        from the middle of when a group arrived to the middle of when it is admitted: a queue
        shorter than a step has waits shorter than a step.
        """
        cohorts = self._cohorts
        admitted = in_time = waited = 0.0
        while cohorts and room - admitted > REMNANT:
            cohort = cohorts[0]
            count = cohort.count
            take = min(count, room - admitted)
            share = take / count
            let_in_at = begin + seconds * (admitted + 0.5 * take) / room
            wait = max(0.0, let_in_at - cohort.begin - 0.5 * share * cohort.seconds)
            in_time += take * ttft_share(self.slo.ttft_seconds, wait, ttft_ms)
            waited += take * wait
            admitted += take
            if share == 1.0:
                cohorts.popleft()
            else:
                cohort.begin += share * cohort.seconds
                cohort.seconds -= share * cohort.seconds
                cohort.count -= take
        self.waiting = self.waiting - admitted if cohorts else 0.0
        return admitted, in_time, (waited / admitted if admitted else 0.0)

    def _refuse_newest(self, serving: int) -> float:
        """Refuse who came last, as far as more wait than may; return how many."""
        refused = self.waiting - self.waiting_max_per_replica * serving
        if refused <= 0.0:
            return 0.0
        self.waiting -= refused
        self.totals.refused_by_code[TOO_MANY_REQUESTS] += refused
        left = refused
        while left > 0.0 and self._cohorts:
            newest = self._cohorts[-1]
            if newest.count > left:
                newest.count -= left
                break
            left -= self._cohorts.pop().count
        return refused

    def _turn_away(self, arrivals: float) -> float:
        """Nothing serves: everyone waiting and everyone arriving gets 503."""
        turned_away = arrivals + self.waiting
        self.waiting = 0.0
        self._cohorts.clear()
        self.totals.refused_by_code[UNAVAILABLE] += turned_away
        return turned_away

    def _step_draining(self, seconds: float, draining: int) -> float:
        """Let what left with draining replicas finish; with the last of them, all of it has."""
        before = self.draining
        decay = 0.0
        if draining:
            decay = math.exp(-seconds * 1000.0 / (self._draining_output_tokens * self._tpot_ms))
        self.draining = before * decay if before * decay > REMNANT else 0.0
        left = self.draining / before
        in_time = self._draining_in_time * (1.0 - left)
        self._draining_in_time -= in_time
        self.totals.finished += before - self.draining
        self.totals.met_slo += in_time * tpot_share(
            self.slo.tpot_seconds, self._tpot_ms, self._pace[1]
        )
        return before - self.draining

    # -- one real request --------------------------------------------------------------------

    def offer(
        self, now: float, prompt_tokens: float, output_tokens: float, serving: int
    ) -> tuple[int, float]:
        """Take one request between two steps; return its status and expected wait for admission.

        From then on it is part of the fluid, and counted like everybody else.
        """
        self.totals.offered += 1.0
        apart = self._apart
        apart.offered += 1.0
        if serving == 0:
            self.totals.refused_by_code[UNAVAILABLE] += 1.0
            apart.refused_503 += 1.0
            return UNAVAILABLE, 0.0
        limit = serving * self.model.batch_max(
            prompt_tokens, output_tokens, self.cached_prompt_share
        )
        if self.waiting == 0.0 and self.in_service + 1.0 <= limit:
            self.in_service += 1.0
            self._first_stage += 1.0
            apart.admitted += 1.0
            self._prompt_tokens += prompt_tokens
            self._output_tokens += output_tokens
            ttft_ms = self._pace[2] + self._pace[3]
            self._in_time += ttft_share(self.slo.ttft_seconds, 0.0, ttft_ms)
            return 200, 0.0
        if self.waiting + 1.0 > self.waiting_max_per_replica * serving:
            self.totals.refused_by_code[TOO_MANY_REQUESTS] += 1.0
            apart.refused_429 += 1.0
            return TOO_MANY_REQUESTS, 0.0
        wait_seconds = (self.waiting + 1.0) * output_tokens * self._pace[0] / 1000.0 / limit
        self._cohorts.append(_Cohort(now, 0.0, 1.0))
        self.waiting += 1.0
        return 200, wait_seconds

    # -- what happens to replicas ------------------------------------------------------------

    def move_to_draining(self, share: float) -> None:
        """Let this share of what is in service leave with replicas that drain."""
        moved = self.in_service * share
        if moved <= 0.0:
            return
        self._draining_output_tokens = self._output_tokens / self.in_service
        self.draining += moved
        self._draining_in_time += self._in_time * share
        self._keep(1.0 - share)

    def lose(self, share: float) -> None:
        """Lose this share of what is in service: their replicas crashed."""
        lost = self.in_service * share
        self.totals.refused_by_code[INTERNAL_ERROR] += lost
        self._apart.lost_500 += lost
        self._keep(1.0 - share)

    def _keep(self, share: float) -> None:
        self.in_service *= share
        self._first_stage *= share
        self._in_time *= share
        self._prompt_tokens *= share
        self._output_tokens *= share

    def drain_seconds(self) -> float:
        """How long a replica that stops now needs until nearly all its requests have finished."""
        if self.in_service <= REMNANT:
            return 0.0
        stay = self._output_tokens / self.in_service * self._pace[0] / 1000.0
        return min(_DRAIN_SECONDS_MAX, _DRAIN_TAUS * stay)
