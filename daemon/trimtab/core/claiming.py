"""From a decision in the making to its claim on the fleet, and from what is remembered back to that claim.

``claim_of`` is the one way in which a claim comes about: of what is seen, remembered and in force, and of
nothing else. So a book that was kept up step by step holds what one would hold that is made anew, after a
restart or in the middle of a replay.
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

from trimtab.core.allocation.values import Claim
from trimtab.core.claimed import Claimed
from trimtab.core.deployment import State
from trimtab.core.fleet_policy import account_of, priority_of
from trimtab.core.need import Need
from trimtab.core.pipeline import asked_replicas
from trimtab.core.policy import Actuation, Mode
from trimtab.core.roles import Blocks
from trimtab.core.signals import Freshness
from trimtab.core.stages.behavior import lowest_now
from trimtab.core.windows import alive

if TYPE_CHECKING:
    from trimtab.core.claimed import Asked
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.policy import Policy
    from trimtab.core.stages.draft import Case, Draft

SAME_WORTH_DOUBLINGS = 1.0 / 16.0
"""A need that changes the worth of a replica by less than the step in which worths are compared is the same."""


def held_by(deployment: Deployment, flight: int | None, asked: Asked | None) -> int:
    """Return how many replicas count against quotas: the most of what is seen, and of what we asked for since.

    ``flight`` is the count of a write under way. What was asked for counts until a look that is later.
    """
    seen = 0 if deployment.state is State.DELETED else asked_replicas(deployment)
    if asked is not None:
        at = deployment.observed_at
        if at is not None and at <= asked.at:
            seen = max(seen, asked.replicas)
    return seen if flight is None else max(seen, flight)


def claim_of(
    deployment: Deployment,
    claimed: Claimed | None,
    policy: Policy | None,
    fleet: FleetPolicy,
    flight: int | None,
) -> Claim:
    """Return what ``deployment`` claims: what it was last decided to want (``claimed``), or what it holds.

    ``policy`` is the one that decides for it, ``None``: there is none.
    """
    team = fleet.team_of(deployment)
    shape = deployment.shape
    each = shape.accelerators_per_replica
    if each is not None and each <= 0:
        each = None
    price = fleet.usd_an_hour(shape.accelerator_type)
    held = held_by(deployment, flight, None if claimed is None else claimed.asked)
    is_bound = policy is not None and policy.mode is Mode.ENFORCE
    wanted = needed = least = held
    floor, need, lead = 0, Need(float(held)), 0.0
    held_since = short_since = None
    if claimed is not None and is_bound:
        held_since, lead = claimed.held_since, claimed.lead_time_seconds
        if claimed.is_binding:
            wanted, needed, least = claimed.wanted, claimed.needed, min(claimed.least, held)
            if policy is not None and policy.actuation is Actuation.FLOOR and wanted < held:
                wanted = held  # what the platform adds of itself is not ours to give back
                if claimed.least >= claimed.held:
                    least = held
            floor, need, short_since = claimed.floor, claimed.need, claimed.short_since
    return Claim(
        deployment.name,
        shape.accelerator_type,
        deployment.region,
        each,
        held,
        wanted,
        needed,
        least,
        floor,
        need,
        None if price is None or each is None else price * each,
        lead,
        held_since,
        short_since,
        priority_of(team, policy, deployment),
        team,
        account_of(deployment.name),
    )


def claimed_by(case: Case, draft: Draft, flight: int | None) -> Claimed | None:
    """Return the claim that the draft of a decision makes after stage 7, as it is to be remembered.

    ``None``: none, because its policy only advises. While a write is under way the last one stands.
    """
    before = draft.memory.claimed
    if case.policy.mode is Mode.ADVISE:
        return None
    if case.has_write_in_flight and before is not None:
        return before
    asked = None if before is None else before.asked
    held = held_by(case.deployment, flight, asked)
    wanted, needed, least = draft.replicas, held, held
    is_binding = draft.halt is None
    if is_binding:
        needed, least = _needed(case, draft), _least(case, draft)
        if case.policy.actuation is Actuation.FLOOR and wanted < held and not _is_giving(before):
            least = held  # the platform keeps it, whatever the floor
    floor = 0 if draft.bounds is None else draft.bounds.lower.replicas
    since = None if before is None else before.held_since
    if before is not None and held > before.held:
        since = case.now
    return Claimed(
        held=held,
        wanted=wanted,
        needed=needed,
        least=min(least, held),
        floor=floor,
        need=_need(draft, before, wanted, held),
        lead_time_seconds=case.lead_time_seconds,
        granted=wanted,
        entitled=wanted,
        held_since=since,
        short_since=None if before is None else before.short_since,
        asked=asked,
        is_binding=is_binding,
    )


def _is_giving(before: Claimed | None) -> bool:
    """Whether the last decision gave some of what is held to others, which the platform may take minutes to do.

    For as long as it is asked for, it stands, however slowly limits let the floor's own wish rise again: else the
    floor would be raised and lowered with every period of a limit.
    """
    return before is not None and before.is_binding and before.entitled < before.held


def _needed(case: Case, draft: Draft) -> int:
    """Return the most that the rules themselves wanted within one lead time. What is unknown is needed."""
    is_known = draft.wanted is not None and all(
        one.freshness is Freshness.USABLE for one in draft.readings
    )
    if not is_known:
        return max(case.current, draft.replicas)
    wishes = alive(draft.memory.highs, case.lead_time_seconds, case.now)
    needed = max(draft.replicas if draft.is_pinned else draft.wanted or 0, *wishes, 0)
    if draft.bounds is None:
        return needed
    return max(draft.bounds.lower.replicas, min(needed, draft.bounds.upper.replicas))


def _least(case: Case, draft: Draft) -> int:
    """Return how few there may be at once: as many as now where the way down is closed."""
    if draft.is_drain:
        return draft.replicas
    is_closed = (
        draft.down_block is not None
        or case.standing.block_down is not None
        or case.standing.pin is not None
        or any(one.blocks in (Blocks.DOWN, Blocks.BOTH) for one in draft.proposals)
    )
    if is_closed:
        return case.current
    lower = 0 if draft.bounds is None else draft.bounds.lower.replicas
    return max(lower, lowest_now(case, draft))


def _need(draft: Draft, before: Claimed | None, wanted: int, held: int) -> Need:
    """Return the need behind the wish; the one before, where that makes no difference."""
    found = draft.need or next(
        (one.need for one in draft.proposals if one.rule == draft.rule and draft.rule), None
    )
    if found is None or draft.is_pinned:
        return Need(float(wanted))
    if before is None or before.need.spread_replicas == 0.0:
        return found
    is_same = all(
        abs(log2(found.used(count)) - log2(before.need.used(count))) < SAME_WORTH_DOUBLINGS
        for count in {max(1, wanted), max(1, held), held + 1}
    )
    return before.need if is_same else found
