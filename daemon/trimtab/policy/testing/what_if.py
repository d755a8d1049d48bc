"""One decision under a load that has lasted for a while: what ``trimtab explain`` shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from trimtab.core.decision import Outcome, WriteStatus
from trimtab.core.engine import Engine
from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.core.lead_time import LeadTimes
from trimtab.core.policy import Mode
from trimtab.core.signals import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.decision import Decision, Order
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.policy import Policy

STEPS_MAX = 240
STEP_SECONDS_MIN = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The decision, and the write that would follow it (``None``: none)."""

    decision: Decision
    order: Order | None

    @property
    def local_time(self) -> str:
        """The moment asked about, in UTC."""
        return datetime.fromtimestamp(self.decision.at, tz=UTC).isoformat(timespec="seconds")


def what_if(
    policies: Sequence[Policy],
    deployment: Deployment,
    signals: Mapping[str, tuple[float, float]],
    *,
    at: float,
    lasting_seconds: float = 0.0,
    lead_time_seconds: float | None = None,
    fleet: FleetPolicy = NO_FLEET_POLICY,
) -> Answer:
    """Decide for ``deployment`` at ``at`` (UTC seconds), after ``lasting_seconds`` of the same.

    ``signals`` are values and their ages in seconds. Nothing that is decided on the way is carried
    out, so rate limits are untouched and stabilisation windows hold nothing but this load. Exactly one
    of ``policies`` must match. ``fleet`` is what is ordered for all deployments; of these there is one.
    """
    lead_times = (
        LeadTimes() if lead_time_seconds is None else LeadTimes(default_seconds=lead_time_seconds)
    )
    # As if it enforced: an advising policy's shadow would move on the way, which nobody asked about.
    engine = Engine(
        [replace(policy, mode=Mode.ENFORCE) for policy in policies],
        lead_times=lead_times,
        fleet=fleet,
    )
    modes = {policy.name: policy.mode for policy in policies}
    steps = min(STEPS_MAX, int(lasting_seconds / STEP_SECONDS_MIN))
    # The count found at the start counts as a wish; one step more lets a window of that length end.
    times = [at - lasting_seconds * (steps - index) / steps - 1e-3 for index in range(steps)]
    # A strategy may ask when the deployment came to be; it was there before it was looked at.
    created_at = deployment.created_at
    seen = replace(deployment, created_at=at if created_at is None else created_at)
    answer: Answer | None = None
    for now in (*times, at):
        samples = [
            Sample(deployment.name, name, now - age, value)
            for name, (value, age) in signals.items()
        ]
        tick = engine.step(now, {deployment.name: replace(seen, observed_at=now)}, samples)
        for order in tick.orders:
            engine.record(
                Outcome(order=order, at=now, status=WriteStatus.VOID, sentence="only asked about")
            )
        (decision,) = tick.decisions
        mode = modes.get(decision.policy, decision.mode)
        following = tick.orders[0] if tick.orders and mode is Mode.ENFORCE else None
        answer = Answer(decision._replace(mode=mode), following)
    assert answer is not None  # noqa: S101  for the type checker: there is always the last step
    return answer
