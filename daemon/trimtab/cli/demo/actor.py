"""One deployment on stage: what it is, who uses it, what is kept beside it, and how it looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.cli.demo.history import DayShape, History
from trimtab.cli.demo.snapshot import RECENT_MINUTES, DeploymentView, Replicas
from trimtab.core.decision import Hold
from trimtab.simulation.references import account_for

if TYPE_CHECKING:
    from trimtab.cli.demo.audit import WriteAudit
    from trimtab.cli.demo.chronicle import Chronicle
    from trimtab.cli.demo.world import DemoDeployment, Traffic
    from trimtab.core.decision import Decision
    from trimtab.core.facts import Facts
    from trimtab.emulator.deployment import Deployment as EmulatedDeployment
    from trimtab.emulator.switches import Switches
    from trimtab.plant import Slo
    from trimtab.simulation.references import Account


class Actor:
    """One deployment. ``local_seconds`` is its users' time since Monday midnight when it begins."""

    def __init__(
        self,
        deployment: DemoDeployment,
        emulated: EmulatedDeployment,
        traffic: Traffic,
        *,
        local_seconds: float,
    ) -> None:
        self.deployment = deployment
        self.emulated = emulated
        self.traffic = traffic
        self._history = History(emulated.plant.started_at)
        self._day = DayShape(traffic.workload, local_seconds=local_seconds)

    @property
    def name(self) -> str:
        """The full resource name."""
        return self.deployment.name

    def look(self, now: float) -> None:
        """Take down how it is at ``now``, up to which the plant has lived."""
        plant = self.emulated.plant
        self._history.look(
            now, plant.totals, ready=plant.replicas.ready, asked=self.emulated.desired
        )

    def view(
        self,
        now: float,
        *,
        switches: Switches,
        audit: WriteAudit,
        chronicle: Chronicle,
        at_max: Account,
        at_min: Account,
    ) -> DeploymentView:
        """Return how it looks at ``now``, beside what it would have come to left alone."""
        deployment, emulated, history = self.deployment, self.emulated, self._history
        name, plant = self.name, emulated.plant
        policy = audit.watched[name].policy
        decision = chronicle.latest.get(name)
        verdict = None if decision is None else decision.verdict
        elapsed = now - plant.started_at
        replicas = self._replicas()
        return DeploymentView(
            id=deployment.id,
            name=name,
            hardware=deployment.hardware,
            users=deployment.users,
            hours_ahead=deployment.hours_ahead,
            state=emulated.shown_state(switches),
            mode="" if policy is None else policy.mode.value,
            policy="" if policy is None else policy.name,
            allowed=audit.range_of(name),
            requests_per_second=self._rate(),
            history=history.moments,
            day=self._day.levels(elapsed),
            day_position=self._day.position(elapsed),
            replicas=replicas,
            ready_least=history.ready_least,
            ready_most=history.ready_most,
            slo=_words(plant.slo),
            attainment_recent=history.attainment_over(RECENT_MINUTES),
            account=account_for(
                plant,
                accelerators_per_replica=emulated.accelerators,
                usd_per_accelerator_hour=deployment.usd_per_accelerator_hour,
            ),
            at_max=at_max,
            at_min=at_min,
            scale_ups=chronicle.scale_ups_by_deployment[name],
            scale_downs=chronicle.scale_downs_by_deployment[name],
            patches=audit.arrived_by_deployment.get(name, 0),
            holds_for=verdict.reason.value if isinstance(verdict, Hold) else None,
            wanted=None if decision is None else decision.wanted,
            fitted=self.traffic.fitted,
            facts=None if decision is None else _facts(decision),
        )

    def _rate(self) -> float:
        """Requests per second over the last minute; before the first is over, what is meant to come."""
        moments = self._history.moments
        if moments:
            return moments[-1].requests_per_second
        return self.emulated.plant.load_now.requests_per_second

    def _replicas(self) -> Replicas:
        replicas = self.emulated.plant.replicas
        return Replicas(
            asked=self.emulated.desired,
            pending=replicas.pending + self.emulated.starved,
            downloading=replicas.downloading,
            initializing=replicas.initializing,
            ready=replicas.ready,
            draining=replicas.draining,
        )


def _facts(decision: Decision) -> Facts | None:
    known = (one.facts for one in decision.proposals if one.facts is not None)
    return next(known, None)


def _words(slo: Slo) -> str:
    return f"TTFT {slo.ttft_seconds:g} s, TPOT {slo.tpot_seconds * 1000.0:g} ms"
