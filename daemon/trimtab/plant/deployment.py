"""One deployment in software: users' load, the queue, the replicas, and what it all came to.

Driven from outside: ``advance(now)`` lets time pass in steps of one second, ``ask`` changes the
number of replicas. Everything random comes from the generator handed in, so the same seed and the
same calls give the same run.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.plant.chance import lognormal, poisson
from trimtab.plant.replicas import ReplicaSet
from trimtab.plant.serving import FluidQueue
from trimtab.plant.totals import StepRecord
from trimtab.plant.window import WINDOW_SECONDS, fold
from trimtab.plant.workload import ConstantWorkload

if TYPE_CHECKING:
    from random import Random

    from trimtab.plant.serving_model import ServingModel, Slo
    from trimtab.plant.start_times import StartTimes
    from trimtab.plant.totals import Totals
    from trimtab.plant.window import Window
    from trimtab.plant.workload import Load, Workload

STEP_SECONDS = 1.0
COARSE_STEP_SECONDS = 10.0
"""How a long jump is caught up with, except for its last part."""

FINE_SECONDS_MAX = 7200.0
"""Jumps up to this long are taken in steps of one second throughout."""

FINE_TAIL_SECONDS = 900.0
"""The end of a longer jump, taken in steps of one second: what windows and queues still show."""

_EXACT_SECONDS_MAX = 2.0**51
"""Below this a float counts whole seconds exactly."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What became of one request: HTTP status, and its times if it was accepted (200)."""

    status: int
    ttft_seconds: float | None = None
    total_seconds: float | None = None


class PlantDeployment:
    """The controlled system of one deployment.

    ``started_at`` is UTC seconds and the second 0 of the workload; ``replicas`` already serve then.
    """

    def __init__(
        self,
        *,
        model: ServingModel,
        slo: Slo,
        workload: Workload,
        start_times: StartTimes,
        rng: Random,
        started_at: float,
        replicas: int = 0,
        waiting_max_per_replica: int | None = None,
        cached_prompt_share: float = 0.0,
    ) -> None:
        self.model = model
        self.slo = slo
        self.started_at = started_at
        self.last_request_at: float | None = None
        self.replicas = ReplicaSet(start_times, rng)
        self._rng = rng
        self._queue = FluidQueue(
            model,
            slo,
            waiting_max_per_replica=waiting_max_per_replica,
            cached_prompt_share=cached_prompt_share,
        )
        self._recorded: deque[StepRecord] = deque(maxlen=int(WINDOW_SECONDS / STEP_SECONDS))
        self._skipped = (0, STEP_SECONDS)  # quiet steps not recorded yet, and the length of each
        self._stepped_to = started_at
        self._workload = workload
        self._workload_started_at = started_at
        self._is_silent = _is_silent(workload)
        self._serving_seen = 0
        self._drained_seen = 0
        self._lost_seen = 0
        self._changes_seen = 0
        self.replicas.place_ready(replicas, started_at)
        self._follow_replicas()

    # -- what is seen ------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The time up to which this deployment has lived."""
        return self._stepped_to

    @property
    def next_step_at(self) -> float:
        """When the next step will have been lived."""
        return self._stepped_to + STEP_SECONDS

    @property
    def load_now(self) -> Load:
        """The load that the workload asks of the deployment at this moment."""
        return self._workload.load(self._stepped_to - self._workload_started_at)

    @property
    def totals(self) -> Totals:
        """What became of the requests and what the replicas cost, as of now; a copy to keep."""
        return self._queue.totals.so_far(self.replicas.billed_replica_seconds)

    @property
    def offered(self) -> float:
        """Requests that arrived since the start: the ``offered`` of ``totals`` without its copy."""
        return self._queue.totals.offered

    @property
    def is_quiet(self) -> bool:
        """Whether nobody asks anything and nothing is in flight; only replicas may still change."""
        return self._is_silent and self._queue.is_empty

    @property
    def in_flight(self) -> float:
        """Requests accepted and not yet answered."""
        return self._queue.in_flight

    @property
    def waiting(self) -> float:
        """Requests accepted and waiting for a place in a batch."""
        return self._queue.waiting

    def window(self, now: float) -> Window:
        """Return what the metrics endpoint can say about the minute before ``now``."""
        self.advance(now)
        return fold(self._records, self.model, self._queue.cached_prompt_share, now)

    # -- what is done ------------------------------------------------------------------------

    def ask(self, count: int, now: float) -> None:
        """Ask for ``count`` replicas from ``now`` on."""
        self.advance(now)
        self.replicas.drain_seconds = self._queue.drain_seconds()
        self.replicas.ask(count, now)
        self._follow_replicas()

    def set_workload(self, workload: Workload) -> None:
        """Replace the load; the new workload's second 0 is this moment."""
        self.replicas.before_change()
        self._record_skipped()
        self._workload = workload
        self._workload_started_at = self._stepped_to
        self._is_silent = _is_silent(workload)

    def advance(self, now: float) -> None:
        """Live until ``now``, in whole steps; what is left of a step waits for the next call."""
        behind = now - self._stepped_to
        if behind > FINE_SECONDS_MAX:
            coarse = int((behind - FINE_TAIL_SECONDS) / COARSE_STEP_SECONDS)
            self._run(coarse, COARSE_STEP_SECONDS)
            behind = now - self._stepped_to
        self._run(int(behind / STEP_SECONDS), STEP_SECONDS)
        self.replicas.advance(now)

    def offer(self, now: float, prompt_tokens: float, output_tokens: float) -> Offered:
        """Send one real request; its times are drawn as the plant's state has them."""
        self.replicas.before_change()
        self.advance(now)
        self._follow_replicas()
        self.last_request_at = now
        queue = self._queue
        status, wait_seconds = queue.offer(
            now, max(1.0, prompt_tokens), max(1.0, output_tokens), self.replicas.serving
        )
        if status != 200:
            return Offered(status)
        batch = queue.in_service / self.replicas.serving
        tpot_ms, scale_ms, prefill_ms, prefill_wait_ms, _ = self.model.pace(
            batch, max(1.0, prompt_tokens), max(1.0, output_tokens), queue.cached_prompt_share
        )
        ttft = wait_seconds + (prefill_ms + self._rng.expovariate(1.0) * prefill_wait_ms) / 1000.0
        tpot = lognormal(self._rng, tpot_ms, scale_ms / tpot_ms) / 1000.0
        return Offered(status, ttft, ttft + max(0.0, output_tokens - 1.0) * tpot)

    # -- how it happens ----------------------------------------------------------------------

    def _run(self, steps: int, seconds: float) -> None:
        steps -= self._skip_quiet(steps, seconds)
        if steps <= 0:
            return
        rng = self._rng
        queue = self._queue
        replicas = self.replicas
        records = self._records
        workload = self._workload
        offset = self._workload_started_at
        at = self._stepped_to
        for _ in range(steps):
            load = workload.load(at - offset)
            at += seconds
            replicas.advance(at)
            if replicas.serving_changes != self._changes_seen:
                self._follow_replicas()
            arrivals = poisson(rng, load.requests_per_second * seconds)
            if arrivals:
                self.last_request_at = at
            records.append(
                queue.step(at, seconds, arrivals, load, replicas.serving, replicas.draining)
            )
        self._stepped_to = at

    def _skip_quiet(self, steps: int, seconds: float) -> int:
        """Pass over steps in which nothing can happen, at once; return how many.

        They come to what taking each would have come to, bit for bit, down to the records that the
        next look at the window finds. Steps are whole seconds, so adding many at once is exact as
        long as the sum's exponent stays: then each of the sums between would have been exact too.
        """
        replicas = self.replicas
        begin = self._stepped_to
        if not (steps > 0 and self.is_quiet and replicas.serving_changes == self._changes_seen):
            return 0
        if replicas.due_at <= begin + steps * seconds:
            steps = max(0, math.ceil((replicas.due_at - begin) / seconds) - 1)
        end = begin + steps * seconds
        if math.frexp(begin)[1] != math.frexp(end)[1] or abs(end) >= _EXACT_SECONDS_MAX:
            return 0
        skipped, of_seconds = self._skipped
        if skipped and of_seconds != seconds:
            self._record_skipped()
            skipped = 0
        self._skipped = (skipped + steps, seconds)
        self._stepped_to = end
        return steps

    def _record_skipped(self) -> None:
        """Record the quiet steps that were passed over, as far as the window reaches back."""
        steps, seconds = self._skipped
        if not steps:
            return
        self._skipped = (0, seconds)
        load, serving = self.load_now, self._serving_seen
        nothing = (0.0,) * 9
        for index in range(min(steps, self._recorded.maxlen or steps) - 1, -1, -1):
            ended_at = self._stepped_to - index * seconds
            self._recorded.append(
                StepRecord(
                    ended_at, seconds, serving, *nothing, load.prompt_tokens, load.output_tokens
                )
            )

    @property
    def _records(self) -> deque[StepRecord]:
        """The steps of the last minute."""
        self._record_skipped()
        return self._recorded

    def _follow_replicas(self) -> None:
        """Move requests along with the replicas that left service since the last look."""
        self._record_skipped()
        replicas = self.replicas
        lost = replicas.left_by_loss - self._lost_seen
        drained = replicas.left_by_drain - self._drained_seen
        before = self._serving_seen
        if lost and before:
            lost = min(lost, before)
            self._queue.lose(lost / before)
            before -= lost
        if drained and before:
            self._queue.move_to_draining(min(drained, before) / before)
        self._lost_seen = replicas.left_by_loss
        self._drained_seen = replicas.left_by_drain
        self._serving_seen = replicas.serving
        self._changes_seen = replicas.serving_changes


def _is_silent(workload: Workload) -> bool:
    """Say whether a workload is known never to ask anything."""
    is_constant = isinstance(workload, ConstantWorkload)
    return is_constant and workload.load(0.0).requests_per_second == 0.0
