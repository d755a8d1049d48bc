"""The deployments of a policy test as time passes.

Writes are applied at once, replicas take their lead time to become ready, and people and the platform
interfere as the test says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.core.decision import Outcome, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, Shape
from trimtab.core.maximum import capped
from trimtab.core.policy import Actuation

if TYPE_CHECKING:
    from trimtab.core.decision import Order
    from trimtab.policy.testing.document import DeploymentUnderTest, WorldEvent


def deployment_at_start(tested: DeploymentUnderTest, begins_at: float) -> Deployment:
    """The deployment of a test as it is found at its start (UTC seconds)."""
    expires = tested.expires_after
    return Deployment(
        name=tested.name,
        state=tested.state,
        state_text=tested.state.value,
        display_name=tested.display_name or "",
        base_model=tested.base_model or "",
        region=tested.region or "",
        annotations=dict(tested.annotations),
        min_replicas=tested.min,
        max_replicas=tested.max,
        desired_replicas=tested.replicas,
        replica_count=tested.replicas,
        pipeline=Pipeline(ready=tested.replicas),
        shape=Shape(
            accelerator_type=tested.accelerator_type,
            accelerators_per_replica=tested.accelerators_per_replica,
        ),
        created_at=begins_at - 86_400.0,
        expires_at=None if expires is None else begins_at + expires,
        observed_at=begins_at,
    )


class Fleet:
    """Every deployment of one test, at one moment. ``now`` is UTC seconds."""

    def __init__(self, tested: tuple[DeploymentUnderTest, ...], begins_at: float) -> None:
        self.deployments = {one.name: deployment_at_start(one, begins_at) for one in tested}
        self._lead_seconds = {one.name: one.lead_time for one in tested}
        self._starting: dict[str, list[float]] = {one.name: [] for one in tested}
        self._begins_at = begins_at

    def next_ready_at(self) -> float | None:
        """When the next replica becomes ready; ``None`` while none is starting."""
        return min((at for each in self._starting.values() for at in each), default=None)

    def advance(self, now: float) -> None:
        """Let every replica serve whose lead time is over."""
        for name, starting in self._starting.items():
            still = [at for at in starting if at > now]
            if len(still) != len(starting):
                self._starting[name] = still
                self._count(name, now)

    def apply(self, order: Order, now: float) -> Outcome:
        """Carry out an order at once, and say so."""
        name = order.deployment
        before = self.deployments[name]
        after = replace(before, desired_replicas=order.to_replicas, observed_at=now)
        if order.actuation is not Actuation.SCALE:
            after = replace(after, min_replicas=order.min_replicas, max_replicas=order.max_replicas)
        self.deployments[name] = after
        self._follow(name, now)
        return Outcome(order=order, at=now, status=WriteStatus.APPLIED, sentence="applied")

    def happen(self, event: WorldEvent, name: str, now: float) -> None:
        """Change what the event says; the platform then follows the bounds, as platforms do."""
        deployment = self.deployments.get(name)
        if deployment is None:
            return
        if event.deleted:
            del self.deployments[name]
            self._starting[name] = []
            return
        changes: dict[str, object] = {"observed_at": now, "updated_at": now}
        if event.state is not None:
            changes |= {"state": event.state, "state_text": event.state.value}
        if event.min is not None:
            changes["min_replicas"] = event.min
        if event.max is not None:
            changes["max_replicas"] = event.max
        if event.expires_after is not None:
            changes["expires_at"] = self._begins_at + event.expires_after
        deployment = replace(deployment, **changes)  # type: ignore[arg-type]  # a field each
        if event.replicas is not None:
            self._starting[name] = []
            deployment = replace(
                deployment,
                desired_replicas=event.replicas,
                replica_count=event.replicas,
                pipeline=Pipeline(ready=event.replicas),
            )
        low = deployment.min_replicas
        desired = max(low, capped(deployment.desired_replicas, deployment.max_replicas))
        self.deployments[name] = replace(deployment, desired_replicas=desired)
        self._follow(name, now)

    def _follow(self, name: str, now: float) -> None:
        """Start or stop replicas until there are as many as asked for; those not ready go first."""
        deployment, starting = self.deployments[name], self._starting[name]
        missing = deployment.desired_replicas - deployment.pipeline.ready - len(starting)
        if missing > 0:
            starting += [now + self._lead_seconds[name]] * missing
        elif missing < 0:
            starting.sort()
            del starting[max(0, len(starting) + missing) :]
        self._starting[name] = [at for at in starting if at > now]
        self._count(name, now)

    def _count(self, name: str, now: float) -> None:
        deployment = self.deployments[name]
        on_their_way = len(self._starting[name])
        total = deployment.desired_replicas
        self.deployments[name] = replace(
            deployment,
            replica_count=total,
            pipeline=Pipeline(initializing=on_their_way, ready=total - on_their_way),
            observed_at=now,
        )
