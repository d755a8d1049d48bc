"""From a decision to the write that carries it out, and the last checks before it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.decision import Hold, Order, Reason
from trimtab.core.deployment import State, is_workload
from trimtab.core.maximum import range_words, reaches
from trimtab.core.policy import Actuation, AtExpiry, Mode, WhileUpdating
from trimtab.core.stages.lifecycle import is_expired
from trimtab.errors import InvariantViolation

if TYPE_CHECKING:
    from trimtab.core.decision import Decision
    from trimtab.core.deployment import Deployment
    from trimtab.core.memory import UserRange
    from trimtab.core.policy import Policy


def asked_for(deployment: Deployment, policy: Policy, now: float) -> int:
    """Return the count that is asked for now, in the field that the policy's actuation steers by.

    A drain closes whatever the platform runs, so there it is the platform's own wish that counts.
    """
    if policy.at_expiry is AtExpiry.DRAIN and is_expired(deployment, now):
        return deployment.desired_replicas
    if is_workload(deployment.name):
        return deployment.desired_replicas
    match policy.actuation:
        case Actuation.PIN:
            if deployment.is_pinned:
                return deployment.min_replicas
            return deployment.desired_replicas
        case Actuation.FLOOR:
            return deployment.min_replicas
        case Actuation.SCALE:
            return deployment.desired_replicas


def order_for(
    decision: Decision, deployment: Deployment, policy: Policy, user: UserRange
) -> Order | None:
    """Return the write that carries out ``decision``; ``None`` where there is nothing to write."""
    if isinstance(decision.verdict, Hold) or policy.mode is Mode.ADVISE or decision.bounds is None:
        return None
    is_drain = decision.verdict.reason is Reason.EXPIRY_DRAIN
    low, high = _wire(decision.desired, deployment, policy.actuation, is_drain=is_drain)
    return Order(
        deployment=decision.deployment,
        policy=policy.name,
        at=decision.at,
        actuation=Actuation.PIN if is_drain else policy.actuation,
        from_replicas=decision.current,
        to_replicas=decision.desired,
        min_replicas=low,
        max_replicas=high,
        expected_state=deployment.state_text or deployment.state.value,
        expected_min_replicas=deployment.min_replicas,
        expected_max_replicas=deployment.max_replicas,
        lower=0 if is_drain else decision.bounds.lower.replicas,
        upper=decision.bounds.upper.replicas,
        user_min_replicas=user.min_replicas,
        user_max_replicas=user.max_replicas,
        reason=decision.verdict.reason,
        sentence=decision.sentence,
        rule=decision.rule,
    )


def _wire(
    replicas: int, deployment: Deployment, actuation: Actuation, *, is_drain: bool
) -> tuple[int, int | None]:
    """Return the bounds to write. A drain closes both ends: a floor of 0 would keep the platform free."""
    if is_drain or actuation is Actuation.PIN:
        return replicas, replicas
    if actuation is Actuation.FLOOR:
        most = deployment.max_replicas
        return replicas, most if reaches(most, replicas) else replicas
    return deployment.min_replicas, deployment.max_replicas


def check(order: Order, deployment: Deployment, policy: Policy, now: float) -> None:
    """Assert the invariants that every write must satisfy. Raises ``InvariantViolation``."""
    is_drain = order.reason is Reason.EXPIRY_DRAIN
    if policy.mode is Mode.ADVISE:
        raise InvariantViolation(
            f"policy {policy.name} only advises, but a write for {order.deployment} was prepared"
        )
    if not order.lower <= order.to_replicas <= order.upper:
        raise InvariantViolation(
            f"{order.to_replicas} replicas for {order.deployment} lie outside "
            f"{order.lower}-{order.upper}"
        )
    if order.to_replicas == order.from_replicas and not is_drain:
        raise InvariantViolation(f"a write for {order.deployment} would change nothing")
    may_write = {State.READY} | ({State.UPDATING} if _is_allowed_up(order, policy) else set())
    if deployment.state not in (may_write | ({State.UPDATING} if is_drain else set())):
        raise InvariantViolation(
            f"a write for {order.deployment} was prepared while it is {deployment.state}"
        )
    is_drain_allowed = is_drain and policy.at_expiry is AtExpiry.DRAIN
    if is_expired(deployment, now) and not is_drain_allowed:
        raise InvariantViolation(f"a write for {order.deployment} was prepared past its expiry")


def _is_allowed_up(order: Order, policy: Policy) -> bool:
    is_up = order.to_replicas > order.from_replicas
    return is_up and policy.while_updating is WhileUpdating.UP


def why_void(order: Order, fresh: Deployment | None, now: float) -> str | None:
    """Compare the deployment as just re-read with the one decided on.

    Returns a sentence when the order no longer fits and a new decision is due, else ``None``.
    """
    if fresh is None:
        return "the deployment is gone"
    state = fresh.state_text or fresh.state.value
    if state != order.expected_state:
        return f"its state went from {order.expected_state} to {state}"
    if fresh.deleted_at is not None or fresh.purged_at is not None:
        return "a time of deletion was set"
    expected = (order.expected_min_replicas, order.expected_max_replicas)
    found = (fresh.min_replicas, fresh.max_replicas)
    if found != expected:
        return f"its bounds went from {range_words(*expected)} to {range_words(*found)} meanwhile"
    if order.reason is Reason.EXPIRY_DRAIN:
        return None if is_expired(fresh, now) else "its expiry was put off or called off meanwhile"
    return _why_moved(order, fresh) or _why_too_late(order, fresh, now)


def _why_moved(order: Order, fresh: Deployment) -> str | None:
    """Say so if the platform has moved the count itself, as it may between bounds that are not equal.

    From the count that it is at now, the order might even go the other way.
    """
    if fresh.other_scaler:
        return f"{fresh.other_scaler} scales it now"
    is_free = order.expected_min_replicas != order.expected_max_replicas
    is_steered_by_it = order.actuation is Actuation.SCALE or (
        order.actuation is Actuation.PIN and is_free and order.reason is not Reason.HAND_BACK
    )
    if not is_steered_by_it or fresh.desired_replicas == order.from_replicas:
        return None
    return f"the platform went from {order.from_replicas} to {fresh.desired_replicas} replicas meanwhile"


def _why_too_late(order: Order, fresh: Deployment, now: float) -> str | None:
    """Return what time alone has changed since the decision."""
    if is_expired(fresh, now):
        return "it expired"
    for floor in fresh.schedule_floors:
        if order.lower < floor.replicas > order.to_replicas and floor.is_active(now):
            return f"the platform's schedule {floor.name} keeps at least {floor.replicas} now"
    return None
