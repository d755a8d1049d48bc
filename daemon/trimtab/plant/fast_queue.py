"""The same fluid, lived faster: many seconds at a time while nobody queues.

Nearly all seconds of a week are alike: replicas serve, everybody is admitted at once, and only the
batch moves. For those, ``FluidQueue.step`` is written out here as one loop over local variables, with
the same operations in the same order, so that both give the same bits. Every other second (somebody
queues or may have to, replicas drain or none serves, the first request after a silence) goes through
``step`` itself: there is no second model.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from trimtab.plant.serving import FLOW_SECONDS, REMNANT, FluidQueue
from trimtab.plant.workload import Load

if TYPE_CHECKING:
    from collections.abc import Sequence

_SURE = 1.0 - 1e-9
"""Rounding moves a limit by less than this; whoever comes closer to it is left to ``step``."""


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
        by_cache = self.model.batch_max(most, longest, self.cached_prompt_share)
        by_prefill = self.model.batch_max(most, least, self.cached_prompt_share)
        return serving * min(by_cache, by_prefill) * _SURE

    def _unqueued(  # noqa: PLR0915  one loop over local variables, or it would not be fast
        self, arrivals: Arrivals, first: int, last: int, serving: int
    ) -> int:
        """Live seconds while everybody is certainly admitted at once; return the first not lived."""
        count = self.in_service
        if self._apart.offered or self._apart.lost_500 or 0.0 < count <= REMNANT:
            return first
        limit, budget = self._sure_limit(arrivals, first, last, serving), serving * 1000.0
        pace_of, cached = self.model.pace, self.cached_prompt_share
        exp, expm1 = math.exp, math.expm1
        ttft_slo, tpot_slo = self.slo.ttft_seconds * 1000.0, self.slo.tpot_seconds * 1000.0
        requests, prompts, outputs = arrivals
        pace = self._pace
        mean, scale, prefill, wait, service = pace
        prompt_sum, output_sum = self._prompt_tokens, self._output_tokens
        stage, flow, weight = self._first_stage, self._prompt_flow, 1.0 / (1.0 + FLOW_SECONDS)
        in_time_sum, tpot = self._in_time, self._tpot_ms
        finished_sum, met_sum, offered = self.totals.finished, self.totals.met_slo, 0.0
        prompts_sum = ttft_sum = generated = present = 0.0
        for index in range(first, last):
            arrived = requests[index]
            if count == 0.0:
                if arrived:
                    break  # the first after a silence: ``step`` begins the batch
                continue
            prompt = prompt_sum / count
            output = output_sum / count
            stay = output * mean / 1000.0
            ratio = 2.0 / stay
            fade = exp(-ratio)
            moved = ratio * fade
            decay = fade + moved * stage / count
            left = 1.0 - decay
            gain = (1.0 - fade - 0.5 * moved) * stay
            after = count * decay + arrived * gain
            if after > limit or arrived > budget / service:
                break
            ttft = prefill + wait
            in_time = arrived if ttft_slo >= 40.0 * ttft else arrived * -expm1(-ttft_slo / ttft)
            stage = stage * fade + arrived * (1.0 - fade) * 0.5 * stay
            if after < REMNANT:
                after = stage = 0.0
            finished = count + arrived - after
            joined = arrived * gain
            prompt_sum = prompt_sum * decay + joined * prompts[index]
            output_sum = output_sum * decay + joined * outputs[index]
            judged = in_time_sum + in_time
            in_time_sum = in_time_sum * decay + in_time * gain
            judged -= in_time_sum
            tpot += (mean - tpot) * left
            margin = tpot_slo - tpot
            if margin > 30.0 * scale:
                met_sum += judged
            elif margin >= -30.0 * scale and scale > 0.0:
                met_sum += judged * (1.0 / (1.0 + exp(-margin / scale)))
            elif margin >= 0.0:
                met_sum += judged
            finished_sum += finished
            offered += arrived
            prompts_sum += arrived * prompts[index]
            ttft_sum += arrived * ttft
            generated += finished * output
            present += after
            count = after
            flow += (arrived * prompts[index] - flow) * weight
            begun = flow * mean / 1000.0 / serving / prompt
            pace = pace_of(after / serving, prompt, output, cached, begun)
            mean, scale, prefill, wait, service = pace
        else:
            index = last
        self.in_service, self._pace, self._tpot_ms = count, pace, tpot
        self._first_stage, self._prompt_flow = stage, flow
        self._prompt_tokens, self._output_tokens, self._in_time = (
            prompt_sum,
            output_sum,
            in_time_sum,
        )
        self.totals.finished, self.totals.met_slo = finished_sum, met_sum
        self._add(offered, prompts_sum, ttft_sum, generated, present)
        return index

    def _add(
        self, offered: float, prompts: float, ttft_sum: float, generated: float, present: float
    ) -> None:
        self.totals.offered += offered
        self.offered_prompt_tokens += prompts
        self.admitted += offered
        self.ttft_sum_seconds += ttft_sum / 1000.0
        self.generated += generated
        self.in_service_seconds += present
