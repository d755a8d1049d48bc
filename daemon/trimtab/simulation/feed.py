"""What arrives at one deployment, second by second, drawn an hour at a time.

The draws depend on the seed, the deployment's name and the hour alone. So every scaler that is compared
on a seed meets the very same requests, whatever it does; and what arrives until a second does not
depend on what the workload says of later ones.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

from trimtab.plant.fast_capacity import capacities
from trimtab.plant.fast_queue import Arrivals
from trimtab.plant.workload import Holding, Tabled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.plant.serving_model import ServingModel, Slo
    from trimtab.plant.workload import Workload

    Floats = NDArray[np.float64]
    Seconds = NDArray[np.int64]

HOUR_SECONDS = 3600
"""How much is drawn at a time."""


class Feed:
    """The arrivals of one deployment.

    ``requests_factor`` multiplies the workload's rate. ``is_drawn`` false takes the rate itself for
    what arrives: a fluid without chance, for those who want to compare with a formula.
    """

    def __init__(
        self,
        workload: Workload,
        *,
        seed: int,
        name: str,
        requests_factor: float = 1.0,
        is_drawn: bool = True,
    ) -> None:
        self._workload = workload
        self._seed = seed_of(seed, name, "arrivals")
        self._factor = requests_factor
        self._is_drawn = is_drawn
        self._runs: list[tuple[Floats, Seconds]] = []
        self._hour = -1
        self._arrivals = Arrivals((), (), ())

    def at(self, second: int) -> tuple[Arrivals, int, int]:
        """Return arrivals that hold ``second`` (since the start), its place in them, and their length."""
        place = second - self._hour * HOUR_SECONDS
        if not 0 <= place < HOUR_SECONDS:
            hour, place = divmod(second, HOUR_SECONDS)
            self._arrivals, self._hour = self._drawn(hour), hour
        return self._arrivals, place, HOUR_SECONDS

    def needs(
        self, *, model: ServingModel, slo: Slo, span_seconds: int, step_seconds: int
    ) -> Floats:
        """Return the need of each step so far: offered work in replicas at the SLO, a mean over the step.

        The work is the workload's rate, before chance: what is needed is asked for by a rate, not by a
        draw. Infinite while lengths come that no replica serves within the SLO.
        """
        values = np.concatenate([runs for runs, _ in self._runs])
        lengths = np.concatenate([seconds for _, seconds in self._runs])
        rates = values[:, 0] * self._factor
        capacity = capacities(model, values[:, 1], values[:, 2], slo)
        with np.errstate(divide="ignore", invalid="ignore"):
            need = np.where(rates > 0.0, rates / capacity, 0.0)
        by_second = np.repeat(need, lengths)[:span_seconds]
        return np.asarray(by_second.reshape(-1, step_seconds).mean(axis=1))

    def _drawn(self, hour: int) -> Arrivals:
        values, lengths = loads(self._workload, hour * HOUR_SECONDS, HOUR_SECONDS)
        self._runs.append((values, lengths))
        rates, prompts, outputs = np.repeat(values, lengths, axis=0).T
        counts = rates * self._factor
        if self._is_drawn:
            seeds = np.random.SeedSequence((self._seed, hour))
            counts = np.random.Generator(np.random.PCG64(seeds)).poisson(counts)
        return Arrivals(counts.astype(np.float64).tolist(), prompts.tolist(), outputs.tolist())


def seed_of(seed: int, *names: str) -> int:
    """Return a seed of 64 bits for one purpose of a run; the same on every machine and in every process."""
    text = "/".join((str(seed), *names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def loads(workload: Workload, begin: int, seconds: int) -> tuple[Floats, Seconds]:
    """Return the loads from second ``begin`` on: rate, prompt and output tokens, and how long each holds.

    A second has the load of its beginning.
    """
    if isinstance(workload, Tabled):
        return workload.table(begin, seconds)
    known = workload if isinstance(workload, Holding) else None
    values: list[tuple[float, float, float]] = []
    lengths: list[int] = []
    at, end = begin, begin + seconds
    while at < end:
        load = workload.load(at)
        until = at + 1
        if known is not None:
            holds = known.holds_until(at)
            until = min(end, max(until, math.ceil(min(holds, end) - _ROUNDING_SECONDS)))
        values.append((load.requests_per_second, load.prompt_tokens, load.output_tokens))
        lengths.append(until - at)
        at = until
    return np.array(values), np.array(lengths)


_ROUNDING_SECONDS = 1e-6
"""A load that ends so little after a second has ended with it."""
