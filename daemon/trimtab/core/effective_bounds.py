"""Works out the bounds: deployment ∩ policy ∩ accelerators, raised by the platform's schedules."""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from trimtab.core.bounds import Bound, Bounds
from trimtab.core.counted import counted
from trimtab.core.policy import Actuation

if TYPE_CHECKING:
    from trimtab.core.deployment import Deployment
    from trimtab.core.memory import UserRange
    from trimtab.core.policy import Policy

End: TypeAlias = tuple[int, str]
"""One end of the range in the making: replicas, and what set it."""


def effective_bounds(
    deployment: Deployment,
    policy: Policy,
    user: UserRange,
    *,
    current: int,
    now: float,
    may_be_zero: bool = False,
    is_emptied: bool = False,
    ceiling: End | None = None,
) -> Bounds:
    """Intersect the user's range, the policy's, what accelerators allow and the platform's floors.

    The strictest end wins and gives its name. ``may_be_zero``: the policy scales to zero, and has
    waited long enough, or a person pinned the count at 0. ``is_emptied``: trimtab itself took the last
    replica, and nothing would bring one back. An accelerator limit on a shape whose accelerators are
    unknown allows no growth: unknown is never zero. ``ceiling`` is what the quotas allow: it wins over lower
    bounds, as there is no more, and lowers nothing that is asked for already.
    """
    has_own_range = policy.min_replicas is not None or policy.max_replicas is not None
    is_user_range_counted = user.is_believed or not has_own_range
    counted = 0 if may_be_zero else max(current, int(is_emptied))
    lower = _lower(deployment, policy, user, is_user_range_counted, counted, now)
    upper = _upper(deployment, policy, user, is_user_range_counted, current)
    if ceiling is not None:
        ceiling = max(ceiling[0], current), ceiling[1]
        lower, upper = (min(one, ceiling, key=itemgetter(0)) for one in (lower, upper))
    return _bounds(*lower, *upper)


@lru_cache(maxsize=8192)  # the same few for ages; making them anew was a tenth of a decision
def _bounds(least: int, least_by: str, most: int, most_by: str) -> Bounds:
    return Bounds(Bound(least, least_by), Bound(most, most_by))


def _lower(
    deployment: Deployment,
    policy: Policy,
    user: UserRange,
    is_user_range_counted: bool,
    current: int,
    now: float,
) -> End:
    least, set_by = 0, "nothing asks for more"
    if is_user_range_counted:
        least, set_by = user.min_replicas, "the deployment's own minimum"
    if policy.min_replicas is not None and policy.min_replicas > least:
        least, set_by = policy.min_replicas, f"policy {policy.name}"
    for floor in deployment.schedule_floors:
        if floor.replicas > least and floor.is_active(now):
            least, set_by = floor.replicas, f"the platform's schedule {floor.name}"
    if least == 0 and current > 0 and policy.actuation is not Actuation.FLOOR:
        # A pin at 0 is not woken by traffic, so the last replica goes only on an explicit order.
        return _last_replica(policy)
    return least, set_by


def _last_replica(policy: Policy) -> End:
    if policy.scale_to_zero is None:
        return 1, "scaling to zero is off"
    seconds = policy.scale_to_zero.after_seconds
    return 1, f"the last replica goes after {seconds:.0f} s without demand"


def _upper(
    deployment: Deployment,
    policy: Policy,
    user: UserRange,
    is_user_range_counted: bool,
    current: int,
) -> End:
    ends: list[End] = []
    if is_user_range_counted and user.max_replicas is not None:
        ends.append((user.max_replicas, "the deployment's own maximum"))
    if policy.max_replicas is not None:
        ends.append((policy.max_replicas, f"policy {policy.name}"))
    if policy.accelerators_max is not None:
        ends.append(_accelerator_ceiling(deployment, policy.accelerators_max, current))
    if not ends:
        # Only a minimum is stated, on a deployment that states no maximum, or whose pin says nothing of one.
        ends.append((max(current, policy.min_replicas or 0), "no maximum is stated"))
    return min(ends, key=itemgetter(0))


def _accelerator_ceiling(deployment: Deployment, accelerators_max: int, current: int) -> End:
    each = deployment.shape.accelerators_per_replica
    if each is None or each <= 0:
        return current, f"{counted(accelerators_max, 'accelerator')}, but a replica's are unknown"
    return accelerators_max // each, f"{counted(accelerators_max, 'accelerator')}, {each} a replica"
