"""One emulated deployment: what its owner wrote, what the platform made of it, its replicas."""

from __future__ import annotations

import marshal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trimtab.emulator import messages, schema

if TYPE_CHECKING:
    from trimtab.emulator.messages import Value
    from trimtab.emulator.switches import Switches
    from trimtab.plant.deployment import PlantDeployment
    from trimtab.plant.serving_model import ServingModel
    from trimtab.plant.workload import Workload

_BYTES_BY_VALUE = 2
"""The newest version of marshal whose bytes depend on the value alone, not on who refers to it."""

Seat = tuple[int, int]
"""Where a deployment stands among all of an emulator's: its account's number, its own in there."""

CREATING, READY, UPDATING = "CREATING", "READY", "UPDATING"
DELETING, DELETED, FAILED = "DELETING", "DELETED", "FAILED"

POLICY_DEFAULTS: dict[str, Any] = {
    "scaleUpWindow": 30.0,
    "scaleDownWindow": 600.0,
    "scaleToZeroWindow": 3600.0,
    "loadTargets": {"default": 0.8},
}


@dataclass(slots=True)
class ScalerMemory:
    """What the platform's autoscaler remembers of one deployment.

    ``rests``: it has found nothing to do, and ticks pass the deployment by until it is stirred.
    """

    above_since: float | None = None
    below_since: float | None = None
    below_want_max: int = 0
    is_held: bool = False
    rate: float | None = None
    observed_at: float | None = None
    offered_seen: float = 0.0
    rests: bool = False


@dataclass(slots=True)
class Rollout:
    """A change of model, shape or hardware on its way; ``model`` serves once it is done."""

    ends_at: float
    model: ServingModel
    fails: bool = False


@dataclass(slots=True, eq=False)
class Deployment:
    """The state of one deployment. Times are UTC seconds, ``None`` is never.

    ``spec`` holds the writable fields in canonical form. ``desired`` is what the platform tries to
    reach; ``granted`` the part of it that the quota allows, which the plant was asked for. Whoever
    changes a field by hand calls ``Emulation.advance`` afterwards, which expects nothing to be as it
    was.
    """

    account: str
    id: str
    spec: Value
    plant: PlantDeployment
    workload: Workload
    regions: tuple[str, ...]
    created_at: float
    updated_at: float
    state: str = CREATING
    status: Value | None = None
    desired: int = 0
    granted: int = 0
    schedule_floor: int = 0
    deleted_at: float | None = None
    purge_at: float | None = None
    gone_at: float | None = None
    fails_at: float | None = None
    zero_since: float | None = None
    idle_since: float = 0.0
    rollout: Rollout | None = None
    scaler: ScalerMemory = field(default_factory=ScalerMemory)
    before_last_write: Value | None = None
    ledger: list[Value] = field(default_factory=list)
    termination_message: str = ""
    seat: Seat = (0, 0)
    shown: tuple[bytes, Switches, str] | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"accounts/{self.account}/deployments/{self.id}"

    @property
    def minimum(self) -> int:
        """The owner's minReplicaCount."""
        return int(self.spec.get("minReplicaCount", 0))

    @property
    def maximum(self) -> int:
        """The owner's maxReplicaCount; absent means 0."""
        return int(self.spec.get("maxReplicaCount", 0))

    @property
    def accelerators(self) -> int:
        """Accelerators of one replica, at least 1."""
        return max(1, int(self.spec.get("acceleratorCount", 0)))

    @property
    def accelerator_type(self) -> str:
        """The accelerator's enum name."""
        return str(self.spec.get("acceleratorType", "ACCELERATOR_TYPE_UNSPECIFIED"))

    @property
    def policy(self) -> Value:
        """The autoscaling policy with its documented defaults filled in."""
        return POLICY_DEFAULTS | (self.spec.get("autoscalingPolicy") or {})

    @property
    def is_live(self) -> bool:
        """Whether it can have replicas."""
        return self.state in {CREATING, READY, UPDATING}

    @property
    def held(self) -> int:
        """Accelerators that it holds or waits to be scheduled on, in the eyes of the quota."""
        return self.granted * self.accelerators if self.is_live else 0

    @property
    def starved(self) -> int:
        """Replicas that wait because the quota does not cover them."""
        return max(0, self.desired - self.granted)

    def set_workload(self, workload: Workload) -> None:
        """Change the traffic; its second 0 is now. A deleted deployment gets it when undeleted."""
        self.workload = workload
        if self.is_live or self.state == FAILED:
            self.plant.set_workload(workload)

    def run_on(self, model: ServingModel) -> None:
        """Let the replicas serve as ``model`` does: other hardware, precision or weights."""
        self.plant.model = model
        self.plant._queue.model = model  # noqa: SLF001  the plant has no other way to swap it

    def stats(self) -> dict[str, int]:
        """Return the replica pipeline as replicaStats names it."""
        replicas = self.plant.replicas
        return {
            "pendingSchedulingReplicaCount": replicas.pending + self.starved,
            "downloadingModelReplicaCount": replicas.downloading,
            "initializingReplicaCount": replicas.initializing,
            "readyReplicaCount": replicas.ready,
            "revocableReplicaCount": replicas.revocable,
        }

    @property
    def replica_count(self) -> int:
        """The sum of the four stages; draining replicas no longer count."""
        replicas = self.plant.replicas
        started = replicas.pending + replicas.downloading + replicas.initializing
        return started + replicas.ready + self.starved

    def shown_state(self, switches: Switches) -> str:
        """Return the state on the wire, which one switch may colour while replicas change."""
        is_moving = self.plant.replicas.ready != self.desired or self.starved > 0
        if self.state == READY and switches.state_while_scaling == UPDATING and is_moving:
            return UPDATING
        return self.state


def message_value(deployment: Deployment, switches: Switches) -> Value:
    """Return the whole Deployment message in canonical form, ready to filter, mask and render."""
    value = dict(deployment.spec)
    status = deployment.status or ({} if switches.healthy_status else None)
    value.update(
        name=deployment.name,
        createTime=deployment.created_at,
        updateTime=deployment.updated_at,
        state=deployment.shown_state(switches),
        status=status,
        desiredReplicaCount=deployment.desired,
        replicaCount=deployment.replica_count,
        replicaStats=deployment.stats(),
        region=deployment.regions[0],
        deleteTime=deployment.deleted_at,
        purgeTime=deployment.purge_at,
    )
    if switches.echo_policy_defaults:
        value["autoscalingPolicy"] = deployment.policy
    return value


def message_text(deployment: Deployment, switches: Switches) -> str:
    """Return the whole Deployment message as JSON; the text is kept until there is another to tell.

    What is told is compared in every type and bit, by its bytes.
    """
    value = message_value(deployment, switches)
    told = marshal.dumps(value, _BYTES_BY_VALUE)
    shown = deployment.shown
    if shown is not None and shown[0] == told and shown[1] is switches:
        return shown[2]
    text = messages.encode(messages.render(schema.DEPLOYMENT, value, switches))
    deployment.shown = (told, switches, text)
    return text


def split_over_regions(deployment: Deployment) -> list[dict[str, int]]:
    """Return the pipeline per region; the sum over regions is the deployment's own."""
    count = len(deployment.regions)
    shares: list[dict[str, int]] = [{} for _ in range(count)]
    for stage, total in deployment.stats().items():
        for index, share in enumerate(shares):
            share[stage] = total // count + (1 if index < total % count else 0)
    return shares
