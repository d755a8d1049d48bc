"""What must survive a restart of what all deployments share: money spent, and quotas as they were taught."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from trimtab.core.fleet_policy import Pool
from trimtab.core.known_quotas import (
    NO_KNOWN_QUOTAS,
    AccountQuota,
    KnownQuotas,
    QuotaRefusal,
    with_refusals,
)
from trimtab.core.last_ran import Ran
from trimtab.core.spend import (
    NOTHING_SPENT,
    Spending,
    joined_spending,
    spending_from_json,
    spending_to_json,
)

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue


class FleetMemory(NamedTuple):
    """A part of the engine's memory; nothing in it while no fleet policy is in force.

    ``ran`` is what each account ran when it was last read; ``None``: nobody has noted it, as in earlier versions.
    """

    spending: Spending = NOTHING_SPENT
    quotas: KnownQuotas = NO_KNOWN_QUOTAS
    ran: tuple[Ran, ...] | None = None


NO_FLEET_MEMORY = FleetMemory()


def joined_fleet_memory(ours: FleetMemory, theirs: FleetMemory, timezone: str) -> FleetMemory:
    """Return what an engine knows once it leads, of what it has seen itself and what the last leader left."""
    return FleetMemory(
        joined_spending(ours.spending, theirs.spending, timezone),
        with_refusals(ours.quotas, theirs.quotas.refusals),
        _joined_ran(ours.ran, theirs.ran),
    )


def _joined_ran(
    ours: tuple[Ran, ...] | None, theirs: tuple[Ran, ...] | None
) -> tuple[Ran, ...] | None:
    """Return what was last known of each account, by whoever knows of it; what is read is known better then."""
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    known = {one.account for one in ours}
    return tuple(sorted((*ours, *(one for one in theirs if one.account not in known))))


def fleet_memory_to_json(one: FleetMemory) -> JsonValue:
    """Return JSON values from which ``fleet_memory_from_json`` restores ``one`` exactly."""
    return {
        "spending": spending_to_json(one.spending),
        "account": [[list(quota.pool), *quota[1:]] for quota in one.quotas.account],
        "refusals": [[list(quota.pool), *quota[1:]] for quota in one.quotas.refusals],
        "ran": None if one.ran is None else [list(ran) for ran in one.ran],
    }


def fleet_memory_from_json(document: JsonValue) -> FleetMemory:
    """Restore what ``fleet_memory_to_json`` gave; ``None`` (an earlier version's memory): nothing."""
    if document is None:
        return NO_FLEET_MEMORY
    # The document is our own; the casts say what was written.
    parts = cast("dict[str, JsonValue]", document)
    account = cast("list[tuple[tuple[str, str | None], int, float, int, int]]", parts["account"])
    refusals = cast(
        "list[tuple[tuple[str, str | None], int, float, float, int, int]]", parts["refusals"]
    )
    ran = cast("list[tuple[str, str, int, int]] | None", parts.get("ran"))
    return FleetMemory(
        spending_from_json(parts["spending"]),
        KnownQuotas(
            tuple(AccountQuota(Pool(*one[0]), *one[1:]) for one in account),
            tuple(QuotaRefusal(Pool(*one[0]), *one[1:]) for one in refusals),
        ),
        None if ran is None else tuple(Ran(*one) for one in ran),
    )
