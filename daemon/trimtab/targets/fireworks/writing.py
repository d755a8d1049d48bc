"""What to send for an order, and how to tell from a deployment whether it was carried out: pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.core.adoption import annotations_for
from trimtab.core.decision import WriteStatus
from trimtab.core.maximum import range_words, reaches
from trimtab.core.policy import Actuation
from trimtab.errors import ErrorKind
from trimtab.targets.fireworks.quotas import refusal_of
from trimtab.targets.fireworks.wire import replica_bounds_body
from trimtab.targets.port import WriteResult

if TYPE_CHECKING:
    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment
    from trimtab.targets.fireworks.errors import FireworksError
    from trimtab.targets.fireworks.resources import DeploymentResource


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One PATCH: the fields of its body and the names in its mask."""

    fields: dict[str, object]
    mask: tuple[str, ...]


def update_for(order: Order, current: DeploymentResource, *, annotate: bool) -> Update:
    """Return the one PATCH that carries out a ``pin`` or ``floor`` order.

    Both bounds are always in the body, so that no server fills in a default; a floor's mask names
    the maximum only where it has to rise. ``baseModel`` is required in the body and never meant to
    change, so it stays out of the mask. Annotations are a map that is replaced as a whole: other
    people's are sent back unchanged.
    """
    fields: dict[str, object] = dict(replica_bounds_body(order.min_replicas, order.max_replicas))
    mask = ["min_replica_count"]
    is_floor = order.actuation is Actuation.FLOOR
    if not is_floor or order.max_replicas != current.max_replica_count:
        mask.append("max_replica_count")
    if current.base_model:
        fields["baseModel"] = current.base_model
    if annotate:
        fields["annotations"] = {**current.annotations, **annotations_for(order)}
        mask.append("annotations")
    return Update(fields=fields, mask=tuple(mask))


def is_carried_out(order: Order, found: DeploymentResource) -> bool:
    """Whether a deployment looks as the order wants it."""
    match order.actuation:
        case Actuation.SCALE:
            return found.desired_replica_count == order.to_replicas
        case Actuation.FLOOR:
            # The maximum may be higher by somebody else's hand, and the floor still holds.
            return found.min_replica_count == order.min_replicas and reaches(
                found.max_replica_count, order.max_replicas
            )
        case Actuation.PIN:
            return (
                found.min_replica_count == order.min_replicas
                and found.max_replica_count == order.max_replicas
            )


def applied(order: Order, fresh: Deployment, error: FireworksError | None) -> WriteResult:
    """The deployment shows what was ordered; ``error`` is what got in the way of hearing so."""
    despite = "" if error is None else f", although the answer was lost ({error.kind})"
    return WriteResult(
        status=WriteStatus.APPLIED,
        sentence=f"{order.deployment} shows {_wanted(order)}{despite}.",
        deployment=fresh,
    )


def not_applied(
    order: Order, found: DeploymentResource, fresh: Deployment, error: FireworksError | None
) -> WriteResult:
    """The deployment was read back and shows something else."""
    cause = (
        "the write was accepted, but the platform or somebody else decided otherwise"
        if error is None
        else str(error).rstrip(".")
    )
    return WriteResult(
        status=WriteStatus.NOT_APPLIED,
        sentence=f"{order.deployment} shows {_shown(order, found)}, not {_wanted(order)}: {cause}.",
        deployment=fresh,
        error_kind=ErrorKind.CONFLICT if error is None else error.kind,
        retry_after_seconds=None if error is None else error.retry_after_seconds,
    )


def refused(order: Order, error: FireworksError, now: float) -> WriteResult:
    """Nothing was changed, and the error says so beyond doubt."""
    is_quota = error.kind is ErrorKind.QUOTA_EXCEEDED
    return WriteResult(
        status=WriteStatus.NOT_APPLIED,
        sentence=f"{order.deployment} did not get {_wanted(order)}: {error}",
        error_kind=error.kind,
        retry_after_seconds=error.retry_after_seconds,
        quota=refusal_of(error.server_message, now) if is_quota else None,
    )


def unknown(order: Order, error: FireworksError | None, failure: FireworksError) -> WriteResult:
    """Sending ended with ``error`` (or well) and reading back with ``failure``: who knows."""
    cause = failure if error is None else error
    was = "was accepted" if error is None else f"may have been applied ({cause.kind})"
    return WriteResult(
        status=WriteStatus.UNKNOWN,
        sentence=(
            f"{order.deployment}: the write of {_wanted(order)} {was} and could not be read "
            f"back: {failure}"
        ),
        error_kind=cause.kind,
        retry_after_seconds=failure.retry_after_seconds,
    )


def refuses_annotations(error: FireworksError) -> bool:
    """Whether a server does not know the field; then nothing of the PATCH was applied."""
    return error.http_status == 400 and "annotations" in error.server_message


def _wanted(order: Order) -> str:
    if order.actuation is Actuation.SCALE:
        return f"{order.to_replicas} replicas"
    return f"bounds {range_words(order.min_replicas, order.max_replicas)}"


def _shown(order: Order, found: DeploymentResource) -> str:
    if order.actuation is Actuation.SCALE:
        return f"{found.desired_replica_count} replicas asked for"
    return f"bounds {found.min_replica_count}-{found.max_replica_count}"
