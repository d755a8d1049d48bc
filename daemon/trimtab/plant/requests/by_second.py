"""One deployment request by request, driven like ``FastDeployment``: arrivals are handed in by the second.

So a simulated world runs on either, and both are sent the same number of requests in every second.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from trimtab.plant.requests.arrivals import CountedArrivals
from trimtab.plant.requests.deployment import RequestDeployment
from trimtab.plant.workload import ConstantWorkload, Load

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.plant.fast_deployment import Lived
    from trimtab.plant.fast_queue import Arrivals
    from trimtab.plant.replicas import ReplicaSet
    from trimtab.plant.requests.request import Request
    from trimtab.plant.serving_model import ServingModel, Slo
    from trimtab.plant.start_times import StartTimes

_SILENCE = ConstantWorkload(Load(0.0, 1.0, 1.0))


class RequestsBySecond:
    """The controlled system of one deployment; every request has its own lengths and times.

    ``started_at`` is UTC seconds; ``replicas`` already serve then. When within its second a request
    comes, and how long it is, is drawn from a generator of its own: what is asked of the replicas
    changes no request. ``told`` is called with each request once its fate is known.
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
        told: Callable[[Request], None] | None = None,
    ) -> None:
        self._coming = CountedArrivals(Random(rng.getrandbits(64)))  # noqa: S311  load, not secrets
        self._started_at = started_at
        self._plant = RequestDeployment(
            model=model,
            slo=slo,
            workload=_SILENCE,
            arrivals=self._coming,
            start_times=start_times,
            rng=rng,
            started_at=started_at,
            replicas=replicas,
            waiting_max_per_replica=waiting_max_per_replica,
            cached_prompt_share=cached_prompt_share,
            told=told,
        )

    @property
    def now(self) -> float:
        """The time up to which it has lived, UTC seconds."""
        return self._plant.now

    @property
    def replicas(self) -> ReplicaSet:
        """Its replicas."""
        return self._plant.replicas

    @property
    def in_flight(self) -> float:
        """Requests accepted and not yet answered."""
        return self._plant.in_flight

    @property
    def lived(self) -> Lived:
        """What it has come to so far."""
        return self._plant.lived

    def ask(self, count: int) -> None:
        """Ask for ``count`` replicas from now on."""
        self._plant.ask(count, self._plant.now)

    def live(self, arrivals: Arrivals, first: int, last: int) -> None:
        """Live one second for each of the arrivals from ``first`` to before ``last``."""
        plant, coming = self._plant, self._coming
        second = plant.now - self._started_at
        counts, prompts, outputs = arrivals
        for index in range(first, last):
            if counts[index]:
                coming.add(second + index - first, counts[index], prompts[index], outputs[index])
        plant.advance(plant.now + (last - first))
