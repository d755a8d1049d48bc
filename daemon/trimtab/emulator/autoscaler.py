"""The platform's own autoscaler, as far as it is documented; the rest is our reading of it.

It runs only where minimum < maximum. Several load targets each give a replica count and the
largest wins. Up when more was wanted for the whole scaleUpWindow; down when less was wanted for
the whole scaleDownWindow, to the largest count wanted in it; to zero after scaleToZeroWindow
without a request; from zero on the first request, which itself gets 503.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from trimtab.plant.serving_model import capacity_requests_per_second

if TYPE_CHECKING:
    from trimtab.emulator.deployment import Deployment
    from trimtab.emulator.switches import Switches
    from trimtab.plant.serving_model import ServingModel, Slo

TICK_SECONDS = 15.0
SMOOTHING_SECONDS = 60.0
REVOCATION_PROBABILITY = 0.02
"""Chance per tick that the platform takes revocable replicas back."""

LOAD_TARGETS = (
    *("default", "tokens_generated_per_second", "prompt_tokens_per_second"),
    *("requests_per_second", "concurrent_requests"),
)


def bounds(deployment: Deployment, switches: Switches) -> tuple[int, int]:
    """Return the bounds that hold now: the owner's, with the active schedule floor on top."""
    low, high = deployment.minimum, deployment.maximum
    floor = deployment.schedule_floor
    if switches.schedule_above_max == "capped":
        floor = min(floor, high)
    low = max(low, floor)
    return low, max(high, low)


def clamp(deployment: Deployment, count: int, switches: Switches) -> int:
    """Return ``count`` cut to the bounds that hold now."""
    low, high = bounds(deployment, switches)
    return min(max(count, low), high)


def set_desired(deployment: Deployment, count: int, now: float) -> bool:
    """Make ``count`` the platform's aim; says whether that is a change."""
    if count == deployment.desired:
        return False
    if count == 0:
        deployment.zero_since = now
    elif deployment.desired == 0:
        deployment.zero_since = None
        deployment.idle_since = now
    deployment.desired = count
    deployment.scaler.above_since = None
    deployment.scaler.below_since = None
    return True


def wake(deployment: Deployment, now: float, switches: Switches) -> bool:
    """Raise a deployment that is scaled to zero, not parked, and was asked for since."""
    last = deployment.plant.last_request_at
    if deployment.desired or deployment.zero_since is None or last is None:
        return False
    _, high = bounds(deployment, switches)
    if high == 0 or deployment.scaler.is_held or last <= deployment.zero_since:
        return False
    return set_desired(deployment, 1, now)


def tick(deployment: Deployment, now: float, switches: Switches) -> bool:
    """Let the autoscaler look once; says whether it changed the desired count."""
    low, high = bounds(deployment, switches)
    _observe(deployment, now)
    if not (low <= deployment.desired <= high) and not (
        deployment.scaler.is_held and deployment.schedule_floor <= deployment.desired
    ):
        return set_desired(deployment, min(max(deployment.desired, low), high), now)
    if low >= high or deployment.scaler.is_held:
        return False
    if deployment.desired == 0:
        return wake(deployment, now, switches)
    policy = deployment.policy
    quiet_since = max(deployment.plant.last_request_at or 0.0, deployment.idle_since)
    if low == 0 and now - quiet_since >= policy["scaleToZeroWindow"]:
        return set_desired(deployment, 0, now)
    want = min(max(_wanted(deployment), low, 1), high)
    return _settle(deployment, want, now)


def is_at_rest(deployment: Deployment, switches: Switches) -> bool:
    """Say whether ``tick``, which has just changed nothing, will not before ``zero_at`` either.

    It has seen that nobody asks, so what it observes stays; nothing waits for the end of a window.
    """
    memory, plant = deployment.scaler, deployment.plant
    if not plant.is_quiet or memory.rate != 0.0 or memory.offered_seen != plant.offered:
        return False
    if deployment.policy.get("scalingSchedules") or plant.replicas.revocable:
        return False
    low, high = bounds(deployment, switches)
    is_left_alone = low >= high or memory.is_held
    is_waiting = memory.above_since is not None or memory.below_since is not None
    return (is_left_alone or not is_waiting) and extra_wanted(deployment) == 0


def zero_at(deployment: Deployment, switches: Switches) -> float:
    """Return the earliest time at which a tick may send one that nobody asks to zero, or infinity."""
    low, high = bounds(deployment, switches)
    is_kept = low > 0 or high == 0 or deployment.desired == 0 or deployment.scaler.is_held
    if is_kept or not deployment.is_live:
        return math.inf
    quiet_since = max(deployment.plant.last_request_at or 0.0, deployment.idle_since)
    # A second early, so that no rounding makes it late: from then on ticks look.
    return float(quiet_since + deployment.policy["scaleToZeroWindow"] - 1.0)


def _settle(deployment: Deployment, want: int, now: float) -> bool:
    """Move only when the wish has held for its whole window."""
    memory, policy = deployment.scaler, deployment.policy
    if want > deployment.desired:
        memory.below_since = None
        if memory.above_since is None:
            memory.above_since = now
        if now - memory.above_since >= policy["scaleUpWindow"]:
            return set_desired(deployment, want, now)
    elif want < deployment.desired:
        memory.above_since = None
        if memory.below_since is None:
            memory.below_since, memory.below_want_max = now, want
        memory.below_want_max = max(memory.below_want_max, want)
        if now - memory.below_since >= policy["scaleDownWindow"]:
            return set_desired(deployment, memory.below_want_max, now)
    else:
        memory.above_since = memory.below_since = None
    return False


def _observe(deployment: Deployment, now: float) -> None:
    """Follow the arrival rate, smoothed over about a minute."""
    memory = deployment.scaler
    offered = deployment.plant.offered
    if memory.observed_at is not None and now > memory.observed_at:
        elapsed = now - memory.observed_at
        rate = (offered - memory.offered_seen) / elapsed
        gain = 1.0 if memory.rate is None else -math.expm1(-elapsed / SMOOTHING_SECONDS)
        memory.rate = rate if memory.rate is None else memory.rate + gain * (rate - memory.rate)
    memory.observed_at, memory.offered_seen = now, offered


def _wanted(deployment: Deployment) -> int:
    """Return the largest of the counts that the load targets give."""
    plant, rate = deployment.plant, deployment.scaler.rate
    ready = plant.replicas.ready
    if ready == 0 or rate is None:
        return deployment.desired
    load = plant.load_now
    capacity = _capacity(
        plant.model, _rounded(load.prompt_tokens), _rounded(load.output_tokens), plant.slo
    )
    total = {
        # What the platform means by load is not published; ours is offered rate over capacity.
        "default": rate / capacity if capacity > 0 else 0.0,
        "requests_per_second": rate,
        "prompt_tokens_per_second": rate * load.prompt_tokens,
        "tokens_generated_per_second": rate * load.output_tokens,
        "concurrent_requests": plant.in_flight,
    }
    targets = deployment.policy["loadTargets"] or {"default": 0.8}
    # A hair of slack, because targets are 32-bit floats: 1.6 / 0.8 must stay 2.
    counts = [total[key] / target for key, target in targets.items() if key in total and target > 0]
    return max((math.ceil(count - 1e-6) for count in counts), default=deployment.desired)


def _rounded(tokens: float) -> float:
    """Return ``tokens`` on a grid of 5 %, so that capacities can be remembered."""
    return float(1.05 ** round(math.log(max(tokens, 1.0)) / math.log(1.05)))


@lru_cache(maxsize=4096)
def _capacity(model: ServingModel, prompt_tokens: float, output_tokens: float, slo: Slo) -> float:
    return capacity_requests_per_second(model, prompt_tokens, output_tokens, slo)


def extra_wanted(deployment: Deployment) -> int:
    """Return the revocable replicas that load calls for beyond the maximum."""
    ceiling = int(deployment.spec.get("maxWithRevocableReplicaCount", 0))
    room = ceiling - deployment.maximum
    is_scaling = deployment.minimum < deployment.maximum
    if room <= 0 or not is_scaling or deployment.desired < deployment.maximum:
        return 0
    return min(room, max(0, _wanted(deployment) - deployment.maximum))
