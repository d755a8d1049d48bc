"""The perfect forecast at exactly the lead time: what causal scaling could come to if nothing surprised.

The only scaler that is given the future, and only as far as a start takes. What it pays beyond
``optimum`` is the price of not seeing further; what another scaler pays beyond it is the price of
forecast errors, caution and habit, which is all that a better scaler can win.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trimtab.plant.fast_capacity import capacities
from trimtab.simulation.feed import loads
from trimtab.simulation.optimum import replicas_needed, running_max

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.plant.serving_model import ServingModel, Slo
    from trimtab.plant.workload import Workload
    from trimtab.simulation.observation import Observation
    from trimtab.simulation.scenario import Case, Scenario

LEADS_AHEAD = 1.25
SECONDS_AHEAD = 30.0
"""It sees 1.25 leads and 30 s ahead: starts vary, and it is not asked in every second."""


def need_by_second(
    workload: Workload,
    *,
    model: ServingModel,
    slo: Slo,
    span_seconds: float,
    requests_factor: float = 1.0,
    attainment: float | None = None,
) -> NDArray[np.float64]:
    """Return the need of each second of a workload: its rate over what a replica carries at the SLO.

    Before chance: the rate, not what is drawn from it. Without ``attainment`` a replica carries what
    keeps its 95th percentiles within the SLO, and one that is full meets it for about 95 of 100
    requests. With it (above 0, below 1) it carries what meets the SLO for this share. Where not even
    an empty replica does that (an SLO as long as a prompt takes), more replicas do not help, and the
    need is that without ``attainment``; where no replica keeps that either, it is infinite.
    """
    values, seconds = loads(workload, 0, math.ceil(span_seconds))
    rates = values[:, 0] * requests_factor
    capacity = capacities(model, values[:, 1], values[:, 2], slo)
    if attainment is not None:
        sharper = capacities(model, values[:, 1], values[:, 2], slo, attainment=attainment)
        capacity = np.where(sharper > 0.0, sharper, capacity)
    need = np.zeros(len(rates))
    with np.errstate(divide="ignore"):
        np.divide(rates, capacity, out=need, where=rates > 0.0)
    return np.repeat(need, seconds)


def perfect_forecast(
    scenario: Scenario, case: Case, *, attainment: float | None = None
) -> PerfectForecast:
    """Return the perfect forecast for one deployment of a scenario, asked once a tick.

    It knows the load and the usual lead time; how long each start will take and what chance adds to
    the load it does not. ``attainment`` is the share of requests it orders for, as in
    ``need_by_second``: who is compared at 99 % is compared with a forecast that attains 99 %.
    """
    return PerfectForecast(
        need_by_second(
            case.workload,
            model=case.model,
            slo=case.slo,
            span_seconds=scenario.played_seconds,
            requests_factor=case.requests_factor,
            attainment=attainment,
        ),
        step_seconds=1.0,
        started_at=scenario.started_at,
        lead_seconds=case.start_times.lead_time_seconds,
        interval_seconds=scenario.tick_seconds,
        replicas_min=case.replicas_min,
        replicas_max=case.replicas_max,
    )


class PerfectForecast:
    """Asks for the most that is needed from now until what is ordered now surely serves.

    ``need`` has an element for each step of ``step_seconds`` from ``started_at`` (UTC seconds) on;
    after its end the last value goes on.
    """

    def __init__(
        self,
        need: NDArray[np.float64],
        *,
        step_seconds: float,
        started_at: float,
        lead_seconds: float,
        interval_seconds: float = 15.0,
        replicas_min: int = 0,
        replicas_max: int | None = None,
    ) -> None:
        if not len(need):
            raise ValueError("a perfect forecast of nothing; give the need of at least one step")
        ahead = LEADS_AHEAD * lead_seconds + SECONDS_AHEAD
        needed = np.clip(replicas_needed(need), replicas_min, replicas_max)
        # The step in which the time ahead ends is seen to its end.
        steps = math.floor(ahead / step_seconds) + 1
        self._ahead = running_max(needed[::-1], steps)[::-1]
        self._step_seconds = step_seconds
        self._started_at = started_at
        self._interval_seconds = interval_seconds

    @property
    def interval_seconds(self) -> float:
        """How often it is asked."""
        return self._interval_seconds

    def wanted(self, seen: Observation) -> int:
        """Return the most replicas needed from ``seen.at`` until 1.25 leads and 30 s later."""
        step = math.floor((seen.at - self._started_at) / self._step_seconds)
        if step < 0:
            raise ValueError(
                f"asked {-(seen.at - self._started_at):g} s before the need it knows begins; "
                "give it the run's started_at"
            )
        return int(self._ahead[min(step, len(self._ahead) - 1)])
