"""The same fluid, lived faster: many seconds at a time while nobody queues.

Nearly all seconds of a week are alike: replicas serve, everybody is admitted at once, and only the
batch moves. For those, ``FluidQueue.step`` and the pace that it asks for are written out here as one loop
over local variables, with the same operations in the same order, so that both give the same bits. Every other second (somebody
queues or may have to, replicas drain or none serves, the first request after a silence) goes through
``step`` itself: there is no second model.
"""

# ruff: noqa: FURB136, PLR1730  a comparison costs a third of min() and max(), millions of times
from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from trimtab.plant.serving import FLOW_SECONDS, REMNANT, FluidQueue
from trimtab.plant.serving_model import (
    LOGISTIC_P95,
    OUTPUT_SPREAD,
    PREFILL_BUSY_MAX,
    PROMPT_SPREAD,
    TPOT_TAIL,
)
from trimtab.plant.workload import Load

if TYPE_CHECKING:
    from collections.abc import Sequence

_SURE = 1.0 - 1e-9
"""Rounding moves a limit by less than this; whoever comes closer to it is left to ``step``."""

_HALF_SPREAD = 0.5 * OUTPUT_SPREAD


class Arrivals(NamedTuple):
    """What arrives in each of some seconds: requests, and the mean tokens of each second's load."""

    requests: Sequence[float]
    prompt_tokens: Sequence[float]
    output_tokens: Sequence[float]


class FastQueue(FluidQueue):
    """A ``FluidQueue`` that can live through seconds in bulk, and sums up what they came to.

    The sums begin at 0 and only grow: the prompts of everybody who came, ``admitted`` requests, their
    times to the first token (``ttft_sum_seconds``; of these ``wait_sum_seconds`` waiting for
    admission), tokens ``generated``, and the integrals over time of the requests in service and
    waiting.
    """

    offered_prompt_tokens = 0.0
    admitted = 0.0
    ttft_sum_seconds = 0.0
    wait_sum_seconds = 0.0
    generated = 0.0
    in_service_seconds = 0.0
    waiting_seconds = 0.0

    _arrivals: Arrivals | None = None
    """Those that ``_lengths`` (longest prompt, shortest and longest answer) and ``_fits`` are of."""
    _lengths = (0.0, 0.0, 0.0)
    _fits = 0.0

    @cached_property
    def _constants(self) -> tuple[float, ...]:
        """What the loop over seconds needs of the model and the SLO, in milliseconds and as floats."""
        model, slo = self.model, self.slo
        per_token, chunk = model.ms_per_token, float(model.prefill_chunk_tokens)
        full_compute = max(per_token * chunk, model.weight_read_ms)
        return (
            model.overhead_ms, model.weight_read_ms, per_token, model.ms_per_thousand_kv_tokens,
            chunk, full_compute, slo.ttft_seconds * 1000.0, slo.tpot_seconds * 1000.0,
        )  # fmt: skip

    @property
    def tpot_seconds(self) -> float:
        """Mean time per output token of those that finish now."""
        return self._tpot_ms / 1000.0

    @property
    def tpot_scale_seconds(self) -> float:
        """The scale of its logistic spread over requests."""
        return self._pace[1] / 1000.0

    def kv_share(self, serving: int) -> float:
        """How full the KV caches of ``serving`` replicas are, 0 to 1."""
        count = self.in_service
        if not serving or count <= REMNANT:
            return 0.0
        most = self.model.kv_batch_max(self._prompt_tokens / count, self._output_tokens / count)
        return min(1.0, count / serving / most)

    def live(
        self, arrivals: Arrivals, first: int, last: int, *, now: float, serving: int, draining: int
    ) -> None:
        """Live the seconds ``first`` to before ``last`` of ``arrivals``, which begin at ``now``.

        Replicas stay as they are for so long.
        """
        index = first
        while index < last:
            if serving and not (self.waiting or self.draining):
                index = self._unqueued(arrivals, index, last, serving)
                if index == last:
                    return
            self._one(arrivals, index, now + (index - first) + 1.0, serving, draining)
            index += 1

    def _one(
        self, arrivals: Arrivals, index: int, ended_at: float, serving: int, draining: int
    ) -> None:
        """Live one second the way of the base class."""
        ttft_ms = self._pace[2] + self._pace[3]
        load = Load(0.0, arrivals.prompt_tokens[index], arrivals.output_tokens[index])
        record = self.step(ended_at, 1.0, arrivals.requests[index], load, serving, draining)
        self.offered_prompt_tokens += arrivals.requests[index] * load.prompt_tokens
        self.admitted += record.admitted
        self.wait_sum_seconds += record.admitted * record.wait_seconds
        self.ttft_sum_seconds += record.admitted * (record.wait_seconds + ttft_ms / 1000.0)
        self.generated += record.finished * record.output_tokens
        self.in_service_seconds += self.in_service
        self.waiting_seconds += self.waiting

    def _sure_limit(self, arrivals: Arrivals, first: int, last: int, serving: int) -> float:
        """Return a batch, of all replicas, up to which nobody can have to queue in these seconds.

        The lengths of those in service lie between what they are and what arrives, and the batch that
        fits falls with prompts, and rises with answers as far as prefill limits it, falls as far as the
        cache does.
        """
        prompts, outputs = arrivals.prompt_tokens[first:last], arrivals.output_tokens[first:last]
        most, least, longest = max(prompts), min(outputs), max(outputs)
        if self.in_service:
            prompt = self._prompt_tokens / self.in_service
            output = self._output_tokens / self.in_service
            most, least, longest = max(most, prompt), min(least, output), max(longest, output)
        return serving * self._fitting(most, least, longest) * _SURE

    def _surest_limit(self, arrivals: Arrivals, first: int, last: int, serving: int) -> float:
        """Return a limit that is no higher than ``_sure_limit``, from all of ``arrivals`` and so for less.

        Nearly always nobody comes near it, and then it need not be known better.
        """
        if arrivals is not self._arrivals:
            prompts, outputs = arrivals.prompt_tokens, arrivals.output_tokens
            self._arrivals = arrivals
            self._lengths = most, least, longest = max(prompts), min(outputs), max(outputs)
            self._fits = self._fitting(most, least, longest)
        count, (most, least, longest) = self.in_service, self._lengths
        if count == 0.0 or (
            self._prompt_tokens / count <= most and least <= self._output_tokens / count <= longest
        ):
            return serving * self._fits * _SURE
        return self._sure_limit(arrivals, first, last, serving)

    def _fitting(self, most: float, least: float, longest: float) -> float:
        """Return the batch that fits for prompts up to ``most``, answers of ``least`` to ``longest``."""
        by_cache = self.model.batch_max(most, longest, self.cached_prompt_share)
        by_prefill = self.model.batch_max(most, least, self.cached_prompt_share)
        return min(by_cache, by_prefill)

    def _unqueued(  # noqa: C901, PLR0912, PLR0915  one loop over local variables, or it would not be fast
        self, arrivals: Arrivals, first: int, last: int, serving: int
    ) -> int:
        """Live seconds while everybody is certainly admitted at once; return the first not lived."""
        count = self.in_service
        if self._apart.offered or self._apart.lost_500 or 0.0 < count <= REMNANT:
            return first
        limit, budget = self._surest_limit(arrivals, first, last, serving), serving * 1000.0
        fresh, replicas, exp, expm1 = (
            1.0 - self.cached_prompt_share,
            float(serving),
            math.exp,
            math.expm1,
        )
        overhead, weight_read, per_token, per_kv, chunk, full_compute, ttft_slo, tpot_slo = (
            self._constants
        )
        mean, scale, prefill, wait, service = self._pace
        prompt_sum, output_sum = self._prompt_tokens, self._output_tokens
        stage, flow, weight = self._first_stage, self._prompt_flow, 1.0 / (1.0 + FLOW_SECONDS)
        in_time_sum, tpot = self._in_time, self._tpot_ms
        finished_sum, met_sum, offered = self.totals.finished, self.totals.met_slo, 0.0
        prompts_sum = ttft_sum = generated = present = 0.0
        index = first - 1
        for arrived, arrived_prompt, arrived_output in zip(
            arrivals.requests[first:last],
            arrivals.prompt_tokens[first:last],
            arrivals.output_tokens[first:last],
            strict=True,
        ):
            index += 1
            if count == 0.0:
                if arrived:
                    break  # the first after a silence: ``step`` begins the batch
                continue
            prompt = prompt_sum / count
            output = output_sum / count
            stay = output * mean / 1000.0
            ratio = 2.0 / stay
            fade = exp(-ratio)
            faded = 1.0 - fade
            moved = ratio * fade
            decay = fade + moved * stage / count
            gain = (faded - 0.5 * moved) * stay
            joined = arrived * gain
            after = count * decay + joined
            if after > limit or arrived > budget / service:
                # Only now what is certain has to be known as well as it can be.
                limit = self._sure_limit(arrivals, first, last, serving)
                if after > limit or arrived > budget / service:
                    break
            ttft = prefill + wait
            in_time = arrived if ttft_slo >= 40.0 * ttft else arrived * -expm1(-ttft_slo / ttft)
            stage = stage * fade + arrived * faded * 0.5 * stay
            if after < REMNANT:
                after = stage = 0.0
            finished = count + arrived - after
            prompt_sum = prompt_sum * decay + joined * arrived_prompt
            output_sum = output_sum * decay + joined * arrived_output
            judged = in_time_sum + in_time
            in_time_sum = in_time_sum * decay + in_time * gain
            judged -= in_time_sum
            tpot += (mean - tpot) * (1.0 - decay)
            margin = tpot_slo - tpot
            if margin > 30.0 * scale:
                met_sum += judged
            elif margin >= -30.0 * scale and scale > 0.0:
                met_sum += judged * (1.0 / (1.0 + exp(-margin / scale)))
            elif margin >= 0.0:
                met_sum += judged
            finished_sum += finished
            offered += arrived
            prompts = arrived * arrived_prompt
            prompts_sum += prompts
            ttft_sum += arrived * ttft
            generated += finished * output
            present += after
            count = after
            flow += (prompts - flow) * weight
            # From here on it is ``ServingModel.pace`` for this batch and these lengths.
            batch = after / replicas
            computed = prompt * fresh
            needed = flow * mean / 1000.0 / replicas / prompt * computed
            room = chunk - batch
            piece = computed if computed < room else room
            fixed = overhead + per_kv * batch * (prompt + _HALF_SPREAD * output) / 1000.0
            decode = per_token * batch
            if decode < weight_read:
                decode = weight_read
            if needed < piece:
                loaded = per_token * (batch + piece)
                if loaded < weight_read:
                    loaded = weight_read
                mean = fixed + decode + needed / piece * (loaded - decode)
            else:
                loaded = per_token * (batch + (needed if needed < room else room))
                if loaded < weight_read:
                    loaded = weight_read
                mean = fixed + loaded
            full = fixed + full_compute
            tail = TPOT_TAIL * (mean - overhead - weight_read)
            if mean + tail > full:
                tail = full - mean
            scale = tail / LOGISTIC_P95 if tail > 0.0 else 0.0
            chunks = computed / room
            service = chunks * full
            busy = needed / room * full / mean
            if busy > PREFILL_BUSY_MAX:
                busy = PREFILL_BUSY_MAX
            prefill = (fixed + loaded) * chunks if chunks > 1.0 else fixed + loaded
            wait = 0.5 * mean + busy / (1.0 - busy) * service * 0.5 * PROMPT_SPREAD
        else:
            index = last
        self.in_service, self._pace = count, (mean, scale, prefill, wait, service)
        self._tpot_ms, self._first_stage, self._prompt_flow = tpot, stage, flow
        self._prompt_tokens, self._output_tokens = prompt_sum, output_sum
        self._in_time = in_time_sum
        self.totals.finished, self.totals.met_slo = finished_sum, met_sum
        self.totals.offered += offered
        self.offered_prompt_tokens += prompts_sum
        self.admitted += offered
        self.ttft_sum_seconds += ttft_sum / 1000.0
        self.generated += generated
        self.in_service_seconds += present
        return index
