"""What the same traffic would have come to with replicas left alone: all at max, or all at min.

The two ends that every autoscaler is held against. At max nothing is ever missed and everything is
paid for; at min the reverse. A scaler is worth its trouble if it comes near the attainment of the
first at a cost nearer to the second.

A reference starts like the run that it is compared with (same replicas ready, empty queues, same
second of the same workload, a generator with the same seed), is asked for its count in the first
second and left there. So it pays for its own cold start at max and for its own drain at min.
Arrivals are drawn from the same rates; one draw of the plant more (a replica that starts) shifts all
draws after it, so single arrivals differ and sums agree within chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from trimtab.plant.deployment import PlantDeployment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.plant.serving_model import ServingModel, Slo
    from trimtab.plant.start_times import StartTimes
    from trimtab.plant.workload import Workload

HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a run came to: sums over requests, and what was paid for.

    ``accelerator_hours`` are billed: from allocation until a replica is gone, drains included.
    ``answered`` are the requests that can be judged: finished or refused.
    """

    answered: float = 0.0
    met_slo: float = 0.0
    accelerator_hours: float = 0.0
    usd: float | None = None

    @property
    def attainment(self) -> float | None:
        """Share of answered requests that met the SLO, 0 to 1; ``None`` when none was answered."""
        return self.met_slo / self.answered if self.answered > 0.0 else None

    def __add__(self, other: Account) -> Account:
        """Sum up two runs; money is unknown as soon as a part of it is."""
        known = self.usd is not None and other.usd is not None
        return Account(
            answered=self.answered + other.answered,
            met_slo=self.met_slo + other.met_slo,
            accelerator_hours=self.accelerator_hours + other.accelerator_hours,
            usd=(self.usd or 0.0) + (other.usd or 0.0) if known else None,
        )


NOTHING = Account(usd=0.0)
"""The account of no deployment at all: what sums begin with."""


def account_for(
    plant: PlantDeployment,
    *,
    accelerators_per_replica: int,
    usd_per_accelerator_hour: float | None = None,
) -> Account:
    """Return what ``plant`` has come to so far; without a price the money is unknown, not 0."""
    totals = plant.totals
    hours = totals.billed_replica_seconds * accelerators_per_replica / HOUR_SECONDS
    return Account(
        answered=totals.finished + totals.refused,
        met_slo=totals.met_slo,
        accelerator_hours=hours,
        usd=None if usd_per_accelerator_hour is None else hours * usd_per_accelerator_hour,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceCase:
    """One deployment to be left at ``replicas``.

    ``seed`` seeds the generator as the compared run's is seeded; ``started_at`` is UTC seconds and
    the workload's second 0; ``replicas_ready`` serve from then on.
    """

    name: str
    model: ServingModel
    slo: Slo
    workload: Workload
    start_times: StartTimes
    seed: str
    started_at: float
    replicas_ready: int
    replicas: int
    accelerators_per_replica: int
    usd_per_accelerator_hour: float | None = None


class Reference:
    """Deployments left alone, advanced beside a running world so that both can be compared live."""

    def __init__(self, cases: Iterable[ReferenceCase]) -> None:
        self._runs: dict[str, tuple[ReferenceCase, PlantDeployment]] = {}
        for case in cases:
            if case.name in self._runs:
                raise ValueError(f"two reference cases are called {case.name}; name each once")
            plant = PlantDeployment(
                model=case.model,
                slo=case.slo,
                workload=case.workload,
                start_times=case.start_times,
                rng=Random(case.seed),  # noqa: S311  reproducible, not secret
                started_at=case.started_at,
                replicas=case.replicas_ready,
            )
            plant.ask(case.replicas, case.started_at)
            self._runs[case.name] = (case, plant)

    def advance(self, now: float) -> None:
        """Live until ``now``, UTC seconds.

        In pieces of an hour, because the plant takes longer jumps in coarser steps: a reference
        must not depend on how often somebody looked.
        """
        for _, plant in self._runs.values():
            while now - plant.now > HOUR_SECONDS:
                plant.advance(plant.now + HOUR_SECONDS)
            plant.advance(now)

    @property
    def accounts(self) -> dict[str, Account]:
        """What each deployment has come to so far, by name."""
        return {
            name: account_for(
                plant,
                accelerators_per_replica=case.accelerators_per_replica,
                usd_per_accelerator_hour=case.usd_per_accelerator_hour,
            )
            for name, (case, plant) in self._runs.items()
        }

    @property
    def total(self) -> Account:
        """The sum over all deployments."""
        return sum(self.accounts.values(), NOTHING)


def run_reference(cases: Iterable[ReferenceCase], *, until: float) -> Reference:
    """Run ``cases`` until ``until`` (UTC seconds) at once and return the finished reference."""
    reference = Reference(cases)
    reference.advance(until)
    return reference
