"""What a seed means for a world of several members: who they are, on what they meet, and what befalls them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from trimtab.coordination.holdings import DRIFT_MAX

TROUBLES = (
    "kill",
    "kill amid a write",
    "pause",
    "pause amid a write",
    "stop",
    "leases: requests and answers lost",
    "leases: requests lost",
    "leases: answers lost",
    "leases: slow",
    "control plane: requests and answers lost",
    "control plane: requests lost",
    "control plane: answers lost",
    "control plane: refused",
    "control plane: slow",
    "step the wall clock",
    "step the service's clock",
    "restart the service",
    "service away",
    "service behind",
)
"""``service behind``: a cluster's cache shows the past; PostgreSQL has none, and is restarted instead."""


MILD = tuple(one for one in TROUBLES if one.startswith(("kill", "pause", "stop", "control plane")))
"""Those that cost nothing of what a shared journal was told a moment before."""


@dataclass(frozen=True, kw_only=True)
class MembersPlan:
    """Everything about a world that is decided before it begins. Seconds."""

    seed: int
    service: str
    rates: tuple[float, ...]
    """How fast the monotonic clock of each member's machine runs; 1 is right."""

    buckets: int
    lease_seconds: float
    ranges: tuple[tuple[int, int], ...]
    """The user's range of each deployment."""

    actuation: str
    down_stabilization_seconds: float
    chaos_seconds: float
    tick_seconds: float
    refresh_seconds: float
    load_seconds: float
    seconds_between_load_changes: float
    troubles: tuple[str, ...]
    seconds_between_troubles: float
    quota: int | None = None
    """Accelerators that a fleet file gives all of them, one a replica; ``None``: nothing is shared."""

    def __post_init__(self) -> None:
        least = sum(max(low, 1) for low, _ in self.ranges)
        if self.quota is not None and self.quota < least:
            raise ValueError(
                f"a quota of {self.quota} is less than the {least} replicas that these deployments keep at least, "
                "so no world of it converges; give it more or None"
            )

    @property
    def keeps_memory(self) -> bool:
        """Whether whoever takes a bucket over must know all that its last owner knew a moment before."""
        return self.service == "postgresql" and set(self.troubles) <= set(MILD)

    def range_of(self, deployment: str) -> tuple[int, int]:
        """Return the range that its user gave a deployment, by its full name."""
        return self.ranges[int(deployment.rpartition("/d")[2])]


def draw_members_plan(seed: int) -> MembersPlan:
    """Return the plan of ``seed``."""
    rng = Random(f"{seed}:members plan")
    among = MILD if rng.random() < 0.25 else TROUBLES
    kinds = tuple(one for one in among if rng.random() < 0.4) or ("kill",)
    lows = [rng.randint(0, 2) for _ in range(rng.randint(3, 9))]
    return _with_quota(seed, _drawn(seed, rng, kinds, lows))


def _with_quota(seed: int, plan: MembersPlan) -> MembersPlan:
    """Let half of those that pin share fewer accelerators than all may want."""
    rng = Random(f"{seed}:members quota")
    if plan.actuation != "pin" or rng.random() < 0.4:
        return plan
    most = sum(high for _, high in plan.ranges)
    return replace(plan, quota=max(2 * len(plan.ranges), round(most * rng.uniform(0.3, 0.8))))


def _drawn(seed: int, rng: Random, kinds: tuple[str, ...], lows: list[int]) -> MembersPlan:
    return MembersPlan(
        seed=seed,
        service=rng.choice(("postgresql", "kubernetes")),
        rates=tuple(_rate(rng) for _ in range(rng.choice((2, 2, 2, 3, 3, 4, 5)))),
        buckets=rng.choice((2, 4, 8)),
        lease_seconds=rng.choice((6.0, 15.0)),
        ranges=tuple((low, low + rng.randint(2, 12)) for low in lows),
        actuation=rng.choice(("pin", "pin", "floor")),
        down_stabilization_seconds=rng.choice((0.0, 20.0, 60.0)),
        chaos_seconds=rng.uniform(40.0, 160.0),
        tick_seconds=rng.choice((5.0, 15.0)),
        refresh_seconds=rng.choice((5.0, 15.0, 30.0)),
        load_seconds=rng.choice((2.0, 5.0, 40.0)),
        seconds_between_load_changes=rng.choice((2.0, 6.0)),
        troubles=kinds,
        seconds_between_troubles=rng.choice((4.0, 8.0, 20.0)),
    )


def _rate(rng: Random) -> float:
    drift = rng.choice((0.0, -DRIFT_MAX, DRIFT_MAX, rng.uniform(-DRIFT_MAX, DRIFT_MAX), 1e-4))
    return 1.0 + drift
