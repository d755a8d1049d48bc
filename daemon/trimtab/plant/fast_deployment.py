"""One deployment for simulated weeks: the same replicas and the same fluid, without the records.

What ``PlantDeployment`` is to the emulator: the arrivals are handed in instead of drawn second by
second, nobody asks for windows or offers single requests, and whoever drives it reads running sums.
Given the same arrivals and the same draws for its replicas, both live the same life, bit for bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from trimtab.plant.fast_queue import FastQueue
from trimtab.plant.replicas import ReplicaSet

if TYPE_CHECKING:
    from random import Random

    from trimtab.plant.fast_queue import Arrivals
    from trimtab.plant.serving_model import ServingModel, Slo
    from trimtab.plant.start_times import StartTimes


class Lived(NamedTuple):
    """What a deployment has come to since its start, up to ``at`` (UTC seconds): sums, but the last four.

    Requests: ``offered = finished + refused + in_flight``; ``met`` of the ``finished`` were within the
    SLO. ``ttft_seconds`` and ``wait_seconds`` are summed over those ``admitted``. What ends in
    ``_request_seconds`` or ``_replica_seconds`` is an integral over time; ``ready_replica_seconds``
    counts replicas that serve, ``booting`` those that are asked for and do not serve yet.

    The last four are of this moment: requests waiting, mean and spread (logistic scale) of the time
    per output token, and how full the KV caches are.
    """

    at: float
    offered: float
    finished: float
    met: float
    refused: float
    admitted: float
    ttft_seconds: float
    wait_seconds: float
    prompt_tokens: float
    generated_tokens: float
    in_service_request_seconds: float
    waiting_request_seconds: float
    asked_replica_seconds: float
    ready_replica_seconds: float
    booting_replica_seconds: float
    draining_replica_seconds: float
    billed_replica_seconds: float
    waiting: float
    tpot_seconds: float
    tpot_scale_seconds: float
    kv_share: float


class FastDeployment:
    """The controlled system of one deployment; time passes in whole seconds.

    ``started_at`` is UTC seconds; ``replicas`` already serve then. Draws from ``rng`` are for the
    replicas only: how long each takes to start.
    """

    def __init__(
        self,
        *,
        model: ServingModel,
        slo: Slo,
        start_times: StartTimes,
        rng: Random,
        started_at: float,
        replicas: int = 0,
        waiting_max_per_replica: int | None = None,
        cached_prompt_share: float = 0.0,
    ) -> None:
        self.now = started_at
        self.replicas = ReplicaSet(start_times, rng)
        self.queue = FastQueue(
            model,
            slo,
            waiting_max_per_replica=waiting_max_per_replica,
            cached_prompt_share=cached_prompt_share,
        )
        self._asked_seconds = self._ready_seconds = 0.0
        self._booting_seconds = self._draining_seconds = 0.0
        self._serving = self._booting = self._draining = 0
        self._drained_seen = self._lost_seen = 0
        self.replicas.place_ready(replicas, started_at)
        self._follow()

    @property
    def in_flight(self) -> float:
        """Requests accepted and not yet answered."""
        return self.queue.in_flight

    @property
    def lived(self) -> Lived:
        """What it has come to so far."""
        queue, totals = self.queue, self.queue.totals
        return Lived(
            self.now, totals.offered, totals.finished, totals.met_slo, totals.refused,
            queue.admitted, queue.ttft_sum_seconds, queue.wait_sum_seconds,
            queue.offered_prompt_tokens, queue.generated,
            queue.in_service_seconds, queue.waiting_seconds,
            self._asked_seconds, self._ready_seconds, self._booting_seconds, self._draining_seconds,
            self.replicas.billed_replica_seconds,
            queue.waiting, queue.tpot_seconds, queue.tpot_scale_seconds,
            queue.kv_share(self._serving),
        )  # fmt: skip

    def ask(self, count: int) -> None:
        """Ask for ``count`` replicas from now on."""
        self.replicas.drain_seconds = self.queue.drain_seconds()
        self.replicas.ask(count, self.now)
        self._follow()

    def live(self, arrivals: Arrivals, first: int, last: int) -> None:
        """Live one second for each of the arrivals from ``first`` to before ``last``."""
        replicas, index = self.replicas, first
        while index < last:
            due_in, alike = replicas.due_at - self.now, last - index
            if due_in <= alike:
                alike = max(0, math.ceil(due_in) - 1)
            if not alike:  # something happens to a replica within this second, and it ends so
                replicas.advance(self.now + 1.0)
                self._follow()
                alike = 1
            self.queue.live(
                arrivals,
                index,
                index + alike,
                now=self.now,
                serving=self._serving,
                draining=self._draining,
            )
            self.now += alike
            self._asked_seconds += replicas.asked * alike
            self._ready_seconds += self._serving * alike
            if self._booting or self._draining:
                self._booting_seconds += self._booting * alike
                self._draining_seconds += self._draining * alike
            index += alike
        replicas.advance(self.now)

    def _follow(self) -> None:
        """Look at the replicas, and move requests along with those that left service."""
        replicas = self.replicas
        before = self._serving
        lost = min(replicas.left_by_loss - self._lost_seen, before)
        if lost:
            self.queue.lose(lost / before)
            before -= lost
        drained = min(replicas.left_by_drain - self._drained_seen, before)
        if drained:
            self.queue.move_to_draining(drained / before)
        self._lost_seen, self._drained_seen = replicas.left_by_loss, replicas.left_by_drain
        self._serving, self._draining = replicas.serving, replicas.draining
        self._booting = (
            replicas.pending
            + replicas.downloading
            + replicas.initializing
            + replicas.ready
            - replicas.serving
        )
