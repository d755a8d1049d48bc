"""Which replica a request goes to: the one with the fewest in flight of those that have room.

Who finds no room anywhere waits in one queue in front of all replicas, first come, first served:
the head waits until it fits and nobody passes it. A queue at its limit answers 429; without any
replica in service everybody gets 503.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from operator import attrgetter
from typing import TYPE_CHECKING

from trimtab.plant.requests.batching import NEVER, BatchingReplica
from trimtab.plant.totals import INTERNAL_ERROR, TOO_MANY_REQUESTS, UNAVAILABLE

if TYPE_CHECKING:
    from trimtab.plant.requests.ledger import Ledger
    from trimtab.plant.requests.request import Request
    from trimtab.plant.serving_model import ServingModel

_in_flight = attrgetter("in_flight")


class Router:
    """The replicas that serve or drain, and the queue in front of them.

    ``waiting_max_per_replica``: how many may wait in front for each serving replica.
    """

    def __init__(self, model: ServingModel, ledger: Ledger, waiting_max_per_replica: int) -> None:
        self.now_ms = 0.0
        self.queue: deque[Request] = deque()
        self._model = model
        self._ledger = ledger
        self._waiting_max_per_replica = waiting_max_per_replica
        self._serving: list[BatchingReplica] = []  # who was given a request last stands last
        self._draining: list[BatchingReplica] = []
        self._runs: list[tuple[float, int, int, BatchingReplica]] = []  # a heap, partly out of date
        self._runs_planned = 0

    # -- what is seen ------------------------------------------------------------------------

    @property
    def serving(self) -> int:
        """How many replicas take requests."""
        return len(self._serving)

    @property
    def kv_share(self) -> float | None:
        """How full the KV caches of the serving replicas are, 0 to 1; ``None`` without any."""
        if not self._serving:
            return None
        tokens = sum(replica.kv_tokens(self.now_ms) for replica in self._serving)
        return tokens / (len(self._serving) * self._model.kv_capacity_tokens)

    # -- requests ----------------------------------------------------------------------------

    def advance(self, now_ms: float) -> None:
        """Let the replicas work until ``now_ms``."""
        runs = self._runs
        while runs and runs[0][0] <= now_ms:
            run_at, _, _, replica = heappop(runs)
            if replica.run_ends_ms != run_at:
                continue  # it was planned anew since
            self.now_ms = run_at
            finished = replica.finish_run()
            if replica.run_ends_ms != NEVER:
                self._expect(replica)
            if finished:
                for request in finished:
                    self._ledger.finished(request)
                if self.queue:
                    self._admit()
        self.now_ms = max(self.now_ms, now_ms)

    def offer(self, request: Request) -> None:
        """Take a request that arrives now; ``advance`` to its arrival came before."""
        ledger = self._ledger
        ledger.arrived(request)
        if not self._serving:
            ledger.refused(request, UNAVAILABLE, self.now_ms)
        elif self.queue or not self._place(request):
            if len(self.queue) >= self._waiting_max_per_replica * len(self._serving):
                ledger.refused(request, TOO_MANY_REQUESTS, self.now_ms)
            else:
                self.queue.append(request)

    def _place(self, request: Request) -> bool:
        """Give a request to the least loaded replica with room for it; say whether there was one."""
        serving = self._serving
        replica = min(serving, key=_in_flight)
        if not replica.fits(request):
            fitting = [each for each in serving if each.fits(request)]
            if not fitting:
                return False
            replica = min(fitting, key=_in_flight)
        serving.remove(replica)  # among equals the next one goes to another replica
        serving.append(replica)
        planned = replica.run_ends_ms
        replica.take(request, self.now_ms)
        if replica.run_ends_ms != planned:
            self._expect(replica)
        return True

    def _expect(self, replica: BatchingReplica) -> None:
        """Remember when the run of a replica ends; of equals, the older replica comes first."""
        self._runs_planned += 1
        run = (replica.run_ends_ms, replica.number, self._runs_planned, replica)
        heappush(self._runs, run)

    def _admit(self) -> None:
        queue = self.queue
        while queue and self._place(queue[0]):
            queue.popleft()

    # -- replicas ----------------------------------------------------------------------------

    def open(self, number: int) -> None:
        """Let a replica begin to serve, now; whoever waits may go to it."""
        self._serving.insert(0, BatchingReplica(self._model, number, self._ledger))
        self._admit()

    def drain(self, number: int) -> float:
        """Give a replica nothing more; return when it will have finished what is in it (ms)."""
        replica = next(each for each in self._serving if each.number == number)
        self._serving.remove(replica)
        self._draining = [each for each in self._draining if each.in_flight]
        self._draining.append(replica)
        self._turn_away()
        return replica.drains_at_ms(self.now_ms)

    def lose(self, number: int) -> None:
        """Lose a replica, serving or draining, and every request in it (500)."""
        for replicas in (self._serving, self._draining):
            for replica in replicas:
                if replica.number == number:
                    replicas.remove(replica)
                    replica.run_ends_ms = NEVER  # what it planned will not be
                    for request in replica.requests:
                        self._ledger.refused(request, INTERNAL_ERROR, self.now_ms)
                    self._turn_away()
                    return

    def _turn_away(self) -> None:
        """Answer everyone who waits with 503 if nothing serves any more."""
        while self.queue and not self._serving:
            self._ledger.refused(self.queue.popleft(), UNAVAILABLE, self.now_ms)
