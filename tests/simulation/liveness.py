"""What a healed world must look like: every deployment where an undisturbed run would have it."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.auditor import Watch
    from tests.simulation.policies import PolicySpec
    from tests.simulation.world import World

    from trimtab.emulator.deployment import Deployment

RECENT_SECONDS = 1500.0
"""Steady load is random arrivals: what the last scrapes said is what a run may have followed."""

TOLERANCE = 0.1


def why_not_converged(world: World) -> tuple[str, str] | None:
    """Return the first deployment that is not where it should be ('': the daemon), and why."""
    process = world.process
    if process is None or process.is_dead:
        return "", "no process runs"
    missing = process.daemon.not_ready()
    if missing:
        return "", f"not ready: {'; '.join(missing)}"
    steered = 0
    for name, watch in world.auditor.watches.items():
        one = world.emulation.deployments.get(name)
        spec = world.book.specs[watch.policy]
        if one is None or not _is_steered(one, spec):
            continue
        steered += 1
        wrong = _wrong(world, one, watch, spec)
        if wrong is not None:
            return name, wrong
    world.counts["converged"] += steered
    return None


def _is_steered(one: Deployment, spec: PolicySpec) -> bool:
    """Whether load alone decides where it belongs."""
    is_open = one.state == "READY" and one.maximum > 0 and spec.mode == "enforce"
    has_end = one.spec.get("expireTime") is not None
    schedules = (one.spec.get("autoscalingPolicy") or {}).get("scalingSchedules")
    return is_open and not has_end and not schedules and one.plant.replicas.serving > 0


def _wrong(world: World, one: Deployment, watch: Watch, spec: PolicySpec) -> str | None:
    span = watch.ranges[-1][1]
    lower = max(span[0], spec.minimum or 0, 0 if spec.actuation == "floor" else 1)
    upper = min(span[1], spec.maximum or 10**9)
    if spec.accelerators is not None:
        upper = min(upper, spec.accelerators // one.accelerators)
    if lower > upper:
        return None
    now = world.auditor.moment()
    loads = [load for at, load, _ in watch.loads if now - at < RECENT_SECONDS]
    if not loads:
        return f"no load was heard of it for {RECENT_SECONDS:.0f} s"
    is_free = one.minimum != one.maximum and spec.actuation == "pin"
    count = one.desired if is_free else one.minimum
    least = ceil(min(loads) / spec.target / (1 + TOLERANCE) - 1e-6)
    most = ceil(max(loads) / spec.target / (1 - TOLERANCE) + 1e-6)
    least, most = (min(max(wish, lower), upper) for wish in (least, most))
    if spec.concurrency_target is not None:
        most = upper
    if least <= count <= most:
        return None
    if count < least and world.fleet_auditor.excuse(one) is not None:
        world.counts["short_for_the_fleet"] += 1
        return None
    return (
        f"it is at {one.minimum}-{one.maximum} (desired {one.desired}); its load of "
        f"{min(loads):.1f} to {max(loads):.1f} wants {least}-{most} within {lower}-{upper}"
    )
