"""What the daemon knows and does right now, and whether that is all of its work."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from trimtab.clock import SystemClock
from trimtab.core.fleet_fit import orders_for_nobody
from trimtab.core.running import rate_usd_an_hour
from trimtab.policy.prices import priced
from trimtab.service.gate import WRITABLE_MODES
from trimtab.service.status import DeploymentStatus, JournalReport, StatusSnapshot, TargetStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trimtab.clock import Clock
    from trimtab.core.decision import Decision
    from trimtab.core.deployment import Deployment
    from trimtab.service.circuits import GuardedTarget
    from trimtab.service.deciding import Deciding
    from trimtab.service.outside import Outside
    from trimtab.service.people import People
    from trimtab.service.polls import Polls
    from trimtab.service.push import PushDesk
    from trimtab.service.setbacks import Setback
    from trimtab.service.withholding import Withholding


class Glimpse(NamedTuple):
    """As much of a deployment's status as tells how it is doing, for whoever looks at all of them."""

    deployment: Deployment
    decision: Decision
    withheld: Withholding | None
    setback: Setback | None


class Overview:
    """Looks at the daemon's parts, some of which others may look at through it, and changes none."""

    def __init__(
        self,
        clock: Clock,
        outside: Outside,
        deciding: Deciding,
        people: People,
        *,
        polls: Polls,
        desks: tuple[PushDesk, ...],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._clock = clock
        self.journalled = deciding.journalled
        self.fleet = outside.fleet
        self._targets = outside.targets
        self._sources = outside.sources
        self._quotas = outside.quotas
        self._controller = deciding.controller
        self._actuator = deciding.actuator
        self._interrupted = deciding.interrupted
        self.overrides = people.overrides
        self.reloader = people.reloader
        self._polls = polls
        self._desks = desks
        self._is_stopping = is_stopping
        self.started_at: float | None = None

    def status(self) -> StatusSnapshot:
        """Return everything as one value. Walks the fleet: not for what is asked often."""
        return replace(self.status_of_few(), deployments=tuple(self.deployments()))

    def deployments(self) -> Iterator[DeploymentStatus]:
        """Yield those that a policy matches, each as it is when it is asked for.

        Which there are is settled at the start, so that the loop may go on between two of them.
        """
        deployments, decisions = self.fleet.deployments, self._controller.decisions
        for name in tuple(decisions):
            deployment, decision = deployments.get(name), decisions.get(name)
            if deployment is not None and decision is not None:
                yield self._status_of(deployment, decision)

    def glimpses(self) -> Iterator[Glimpse]:
        """Yield as ``deployments`` does, at a fifth of the cost."""
        deployments, decisions = self.fleet.deployments, self._controller.decisions
        withheld, setbacks = self._controller.withheld, self._actuator.setbacks
        for name in tuple(decisions):
            deployment, decision = deployments.get(name), decisions.get(name)
            if deployment is not None and decision is not None:
                yield Glimpse(deployment, decision, withheld.get(name), setbacks.get(name))

    def deployment(self, name: str) -> DeploymentStatus | None:
        """Return one of them as it is now; ``None`` where no policy matches it, or it is not there."""
        deployment, decision = (
            self.fleet.deployments.get(name),
            self._controller.decisions.get(name),
        )
        if deployment is None or decision is None:
            return None
        return self._status_of(deployment, decision)

    def status_of_few(self) -> StatusSnapshot:
        """Return everything but the deployments, of which there are none in it."""
        clock, journalled = self._clock, self.journalled
        jumps = (0, 0)
        if isinstance(clock, SystemClock):
            jumps = (clock.jumps_forward, clock.jumps_backward)
        return StatusSnapshot(
            at=clock.now(),
            started_at=self.started_at,
            ticked_at=self._controller.ticked_at,
            is_stopping=self._is_stopping(),
            policies=journalled.engine.policies,
            deployments=(),
            targets=tuple(self._target_status(target) for target in self._targets),
            sources=tuple(self._polls.status_of(source) for source in self._sources),
            journal=JournalReport(
                status=journalled.journal.status,
                intended=journalled.intended,
                ended=journalled.ended,
                interrupted=len(self._interrupted.orders),
            ),
            circuits=(
                *(target.circuit.status for target in self._targets),
                *(source.circuit.status for source in self._sources),
            ),
            is_leader=journalled.has_recalled,
            evaluations_waiting=self._controller.evaluations_waiting,
            samples_waiting=self._controller.samples_waiting,
            orders_waiting=self._actuator.waiting,
            clock_jumps_forward=jumps[0],
            clock_jumps_backward=jumps[1],
            policy_files=None if self.reloader is None else self.reloader.status,
            overrides=self.overrides.in_force,
        )

    def _status_of(self, deployment: Deployment, decision: Decision) -> DeploymentStatus:
        name, engine = deployment.name, self.journalled.engine
        memory = engine.remembered(name)
        return DeploymentStatus(
            deployment=deployment,
            decision=decision,
            is_write_in_flight=name in self._actuator.in_flight,
            withheld=self._controller.withheld.get(name),
            setback=self._actuator.setbacks.get(name),
            lead_time=engine.lead_time_of(deployment),
            stuck_since=None if memory is None else memory.watched.stuck_at,
            usd_an_hour=rate_usd_an_hour(deployment, priced(engine.fleet_policy)),
        )

    def _target_status(self, target: GuardedTarget) -> TargetStatus:
        return TargetStatus(
            name=target.name,
            deployments=self.fleet.count(target.name),
            read_at=self.fleet.read_at(target.name),
            trouble=self.fleet.trouble(target.name),
        )

    def not_ready(self) -> tuple[str, ...]:
        """Return what is still missing before the daemon does its work; empty when it does."""
        missing = []
        if not self.journalled.has_recalled:
            status = self.journalled.journal.status
            why = "" if status.mode in WRITABLE_MODES else f": {status.sentence}"
            missing.append(f"the journal has not been opened yet{why}")
        if not self.journalled.engine.policies:
            missing.append("no policy is loaded")
        missing += [f"{name} has not been read yet" for name in self.fleet.unread]
        if self._controller.ticked_at is None:
            missing.append("nothing has been evaluated yet")
        return tuple(missing)

    def remarks(self) -> tuple[str, ...]:
        """Return what somebody should mend although the daemon decides."""
        remarks = []
        status = self.journalled.journal.status
        if status.mode not in WRITABLE_MODES:
            remarks.append(f"journal is {status.mode}: {status.sentence}")
        if self.reloader is not None:
            remarks += [f"policy file {bad.sentence}" for bad in self.reloader.status.bad]
        remarks += [remark for desk in self._desks for remark in desk.remarks]
        remarks += [
            f"accelerators of {target.name} are unknown: {target.shape_trouble}"
            for target in self._targets
            if target.shape_trouble is not None
        ]
        remarks += [one for target in self._targets for one in target.remarks]
        now = self._clock.now()
        remarks += [one for status in self._quotas.statuses if (one := status.remark(now))]
        engine = self.journalled.engine
        if engine.sharing.is_active and self.fleet.is_known:
            remarks += orders_for_nobody(engine.fleet_policy, self.fleet.deployments.values())
        return tuple(remarks)

    def beat_age_seconds(self) -> float:
        """Return how long ago the loop that decides last came round; it waits for nothing else.

        Before it has begun, while the journal is held by somebody else, nothing is stuck.
        """
        if not self.journalled.has_recalled:
            return 0.0
        return self._clock.monotonic() - self._controller.beat_at
