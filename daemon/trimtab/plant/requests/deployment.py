"""One deployment, request by request: the same replicas as the fluid's, driven the same way.

Time is continuous: a replica that becomes ready takes its first request in that instant, and one
that drains is paid until its last request has finished. Arrivals, and replicas' fates, are drawn from
two generators, so the same seed sends the same requests whatever is asked of the replicas.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

from trimtab.plant.fast_deployment import Lived
from trimtab.plant.replicas import ReplicaSet
from trimtab.plant.requests.arrivals import DrawnArrivals
from trimtab.plant.requests.ledger import Ledger
from trimtab.plant.requests.request import Request
from trimtab.plant.requests.router import Router

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.plant.replicas import Replica
    from trimtab.plant.requests.arrivals import Arrivals
    from trimtab.plant.requests.ledger import Means
    from trimtab.plant.serving_model import ServingModel, Slo
    from trimtab.plant.start_times import StartTimes
    from trimtab.plant.totals import Totals
    from trimtab.plant.workload import Load, Workload


class RoutedReplicas(ReplicaSet):
    """Replicas whose changes reach the router in the instant they happen.

    ``live`` lets requests come and be served until a time (UTC seconds); it is called before each
    change, so that everything before it has happened. What ends in ``_seconds`` are integrals over
    time: replicas asked for, serving, draining, and neither (booting).
    """

    def __init__(
        self,
        start_times: StartTimes,
        rng: Random,
        router: Router,
        live: Callable[[float], None],
    ) -> None:
        super().__init__(start_times, rng)
        self.asked_seconds = 0.0
        self.serving_seconds = 0.0
        self.booting_seconds = 0.0
        self.draining_seconds = 0.0
        self._router = router
        self._live = live

    @property
    def existing(self) -> int:
        """How many replicas there are, in whatever state."""
        return len(self._replicas)

    def advance(self, now: float) -> None:
        """Let everything happen that is due by ``now``, and requests be served up to it."""
        super().advance(now)
        self._live(now)

    def _accrue(self, until: float) -> None:
        seconds = until - self._now
        if 0.0 < seconds < math.inf:
            served, draining = self.serving, self.draining
            self.asked_seconds += seconds * self.asked
            self.serving_seconds += seconds * served
            self.draining_seconds += seconds * draining
            self.booting_seconds += seconds * (self.existing - served - draining)
        super()._accrue(until)

    def _change(self, replica: Replica, at: float) -> None:
        self._live(at)
        super()._change(replica, at)

    def _set_serving(self, replica: Replica) -> None:
        super()._set_serving(replica)
        self._router.open(replica.number)

    def _stop(self, replica: Replica, now: float) -> None:
        if replica.is_serving:
            drains_at_ms = self._router.drain(replica.number)
            self.drain_seconds = (drains_at_ms - self._router.now_ms) / 1000.0
        super()._stop(replica, now)

    def _restart(self, replica: Replica, at: float) -> None:
        self._router.lose(replica.number)
        super()._restart(replica, at)

    def _lose(self, replica: Replica) -> None:
        self._router.lose(replica.number)
        super()._lose(replica)


class RequestDeployment:
    """The controlled system of one deployment, every request on its own.

    ``started_at`` is UTC seconds and the second 0 of the workload; ``replicas`` already serve then.
    ``arrivals`` come instead of what would be drawn from ``workload``, which then only says what
    the load is. ``told`` is called with each request once its fate is known.
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
        arrivals: Arrivals | None = None,
        told: Callable[[Request], None] | None = None,
    ) -> None:
        if not 0.0 <= cached_prompt_share < 1.0:
            raise ValueError(
                f"cached prompt share is {cached_prompt_share}; give 0 or above and less than 1"
            )
        self.model = model
        self.slo = slo
        self.started_at = started_at
        self.last_request_at: float | None = None
        self._computed_share = 1.0 - cached_prompt_share
        self._ledger = Ledger(slo, told)
        self._router = Router(
            model,
            self._ledger,
            model.sequences_max if waiting_max_per_replica is None else waiting_max_per_replica,
        )
        self._lived_to = started_at
        self._rng_of_arrivals = Random(rng.getrandbits(64))  # noqa: S311  load, not secrets
        self._workload = workload
        self._workload_started_at = started_at
        self._arrivals = arrivals or DrawnArrivals(workload, self._rng_of_arrivals)
        self.replicas = RoutedReplicas(start_times, rng, self._router, self._live)
        self.replicas.place_ready(replicas, started_at)

    # -- what is seen ------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The time up to which this deployment has lived."""
        return self._lived_to

    @property
    def load_now(self) -> Load:
        """The load that the workload asks of the deployment at this moment."""
        return self._workload.load(self._lived_to - self._workload_started_at)

    @property
    def totals(self) -> Totals:
        """What became of the requests and what the replicas cost, as of now; a copy to keep."""
        return self._ledger.totals.so_far(self.replicas.billed_replica_seconds)

    @property
    def offered(self) -> float:
        """Requests that arrived since the start: the ``offered`` of ``totals`` without its copy."""
        return self._ledger.totals.offered

    @property
    def in_flight(self) -> float:
        """Requests accepted and not yet answered."""
        return float(self._ledger.in_flight)

    @property
    def waiting(self) -> float:
        """Requests accepted whose prompt has not begun: in the queue or inside a replica."""
        return float(self._ledger.waiting)

    @property
    def lived(self) -> Lived:
        """What it has come to so far, as the fluid tells it too.

        A request is admitted when its first token comes; in service is whoever is being answered.
        """
        ledger, replicas, totals = self._ledger, self.replicas, self._ledger.totals
        sums = ledger.sums((self._lived_to - self.started_at) * 1000.0)
        spread = math.sqrt(ledger.tpot_variance_now * 3.0) / math.pi  # of the like logistic
        return Lived(
            self._lived_to, totals.offered, totals.finished, totals.met_slo, totals.refused,
            float(sums.first_tokens), sums.ttft_ms / 1000.0, sums.waiting_ms / 1000.0,
            float(sums.prompt_tokens), float(sums.output_tokens),
            (sums.in_flight_ms - sums.ttft_ms) / 1000.0, sums.waiting_ms / 1000.0,
            replicas.asked_seconds, replicas.serving_seconds, replicas.booting_seconds,
            replicas.draining_seconds, replicas.billed_replica_seconds,
            self.waiting, ledger.tpot_now_ms / 1000.0, spread / 1000.0,
            self._router.kv_share or 0.0,
        )  # fmt: skip

    def take_means(self, now: float) -> Means:
        """Return what was measured between the last call (or the start) and ``now``."""
        self.advance(now)
        return self._ledger.take_means((now - self.started_at) * 1000.0, self._router.kv_share)

    # -- what is done ------------------------------------------------------------------------

    def ask(self, count: int, now: float) -> None:
        """Ask for ``count`` replicas from ``now`` on."""
        self.replicas.ask(count, now)

    def set_workload(self, workload: Workload) -> None:
        """Replace the load; the new workload's second 0 is this moment."""
        self.replicas.before_change()
        self._workload = workload
        self._workload_started_at = self._lived_to
        self._arrivals = DrawnArrivals(workload, self._rng_of_arrivals)

    def advance(self, now: float) -> None:
        """Live until ``now``. Time never steps back: an earlier time changes nothing."""
        self.replicas.advance(now)

    # -- how it happens ----------------------------------------------------------------------

    def _live(self, now: float) -> None:
        """Let requests arrive and be served until ``now``; no replica changes before it."""
        if now <= self._lived_to:
            return
        router = self._router
        arrivals = self._arrivals
        offset = self._workload_started_at
        since_start = offset - self.started_at
        until = now - offset
        number = int(self._ledger.totals.offered)
        arrival = arrivals.next_by(until)
        while arrival is not None:
            at, prompt, output = arrival
            number += 1
            arrived_ms = (at + since_start) * 1000.0
            router.advance(arrived_ms)
            computed = max(1, round(prompt * self._computed_share))
            router.offer(Request(number, arrived_ms, prompt, output, computed, computed))
            self.last_request_at = at + offset
            arrival = arrivals.next_by(until)
        self._lived_to = now
        router.advance((now - self.started_at) * 1000.0)
