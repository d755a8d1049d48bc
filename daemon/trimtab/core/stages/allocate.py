"""Stage 8, allocate: no more than the deployment's share of what all have, and what it must give back.

The one stage that rests on what others want (``core/allocation``). It raises no count. What it gives back
was within the rate limits when it was claimed, and passes the window that it was kept by.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.bounds import Bound
from trimtab.core.counted import counted
from trimtab.errors import InvariantViolation

if TYPE_CHECKING:
    from trimtab.core.allocation.values import Grant
    from trimtab.core.decision import Order
    from trimtab.core.stages.draft import Case, Draft

STAGE = "allocate"


class Share(NamedTuple):
    """What was granted, and why it is not what was wanted, in words.

    ``most`` is the most that the quotas of the files allow at this moment; ``None``: they say nothing of it.
    """

    grant: Grant
    sentence: str
    most: int | None = None


def check_share(order: Order, share: Share | None) -> None:
    """Assert that no more is asked for than a quota of the files allows. Raises ``InvariantViolation``."""
    is_up = order.to_replicas > order.from_replicas
    if share is None or share.most is None or not is_up or order.to_replicas <= share.most:
        return
    raise InvariantViolation(
        f"{counted(order.to_replicas, 'replica')} for {order.deployment} would exceed a quota of the fleet, which "
        f"allows {share.most} beside what others hold"
    )


def allocate(case: Case, draft: Draft, share: Share | None) -> None:
    """Lower the count to what is granted. ``None``: this one takes no part."""
    if share is None:
        return
    if draft.halt is not None or draft.is_drain or draft.replicas <= share.grant.replicas:
        draft.note(STAGE, "there is room for it")
        return
    count, reason = share.grant.replicas, share.grant.short
    if reason is None or draft.replicas < case.current <= count:
        draft.note(STAGE, "there is room for it")
        return
    is_cut_short = case.current < count < draft.replicas
    if draft.bounds is not None and count < draft.bounds.lower.replicas:
        # Accelerators that are not there win over a lower bound.
        draft.bounds = replace(draft.bounds, lower=Bound(count, share.sentence))
    draft.move(STAGE, count, draft.reason if is_cut_short else reason, share.sentence)
