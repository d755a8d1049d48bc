"""What to send for an order, and how it ended: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.core.decision import WriteStatus
from trimtab.errors import ErrorKind
from trimtab.kubernetes.fields import whole
from trimtab.targets.port import WriteResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment
    from trimtab.kubernetes.api import KubernetesError


def scale_patch(replicas: int, version: str) -> dict[str, Any]:
    """Return the merge patch of ``scale`` that sets a count on exactly that version of the workload."""
    return {"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}}


def scaled_to(scale: Mapping[str, Any]) -> int | None:
    """Return the count that a Scale object asks for; a count of 0 is left out of it."""
    spec = scale.get("spec")
    if not isinstance(spec, dict):
        return None
    return whole(spec, "replicas") if "replicas" in spec else 0


def applied(order: Order, fresh: Deployment | None, error: KubernetesError | None) -> WriteResult:
    """The workload took the count; ``error`` is what got in the way of hearing so, ``fresh`` how it is by now."""
    despite = "" if error is None else f", although the answer was lost ({error.kind})"
    is_other = fresh is not None and fresh.desired_replicas != order.to_replicas
    since = f", and somebody set {fresh.desired_replicas} since" if fresh and is_other else ""
    return WriteResult(
        status=WriteStatus.APPLIED,
        sentence=f"{order.deployment} took {order.to_replicas} replicas{despite}{since}.",
        deployment=fresh,
    )


def moved_on(order: Order, fresh: Deployment, why: str) -> WriteResult:
    """Somebody else wrote to the workload first, so nothing was changed and a new decision is due."""
    return WriteResult(
        status=WriteStatus.VOID,
        sentence=f"{order.deployment} did not get {order.to_replicas} replicas: {why}.",
        deployment=fresh,
        error_kind=ErrorKind.CONFLICT,
    )


def refused(order: Order, error: KubernetesError, fresh: Deployment | None = None) -> WriteResult:
    """Nothing was changed, and the error says so beyond doubt."""
    return WriteResult(
        status=WriteStatus.NOT_APPLIED,
        sentence=f"{order.deployment} did not get {order.to_replicas} replicas: {error}",
        deployment=fresh,
        error_kind=error.kind,
        retry_after_seconds=error.retry_after_seconds,
    )


def not_ours(order: Order, why: str, fresh: Deployment | None = None) -> WriteResult:
    """Nothing was sent: this is not what can be written, or not to whom."""
    return WriteResult(
        status=WriteStatus.NOT_APPLIED,
        sentence=f"nothing was sent for {order.deployment}: {why}",
        deployment=fresh,
        error_kind=ErrorKind.REJECTED,
    )


def unknown(order: Order, error: KubernetesError, failure: KubernetesError) -> WriteResult:
    """Sending ended with ``error`` and reading back with ``failure``: who knows."""
    return WriteResult(
        status=WriteStatus.UNKNOWN,
        sentence=(
            f"{order.deployment}: the write of {order.to_replicas} replicas may have been applied "
            f"({error.kind}) and could not be read back: {failure}"
        ),
        error_kind=error.kind,
        retry_after_seconds=failure.retry_after_seconds,
    )
