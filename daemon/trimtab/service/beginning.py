"""How a daemon begins: from what the journal kept, as if it had never stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.account_quotas import QuotaReading
from trimtab.core.fleet_policy import Quota, QuotaSource
from trimtab.service.waiting import unless_set

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from trimtab.service.audience import Audience
    from trimtab.service.fleet import Fleet
    from trimtab.service.fleet_quotas import FleetQuotas
    from trimtab.service.interrupted import Interrupted
    from trimtab.service.journal_watch import JournalWatch
    from trimtab.service.journalled_engine import JournalledEngine
    from trimtab.service.tenancy import Tenancy

LOOK_SECONDS = 1.0
"""How often to look at how the journal is while it does not open; afterwards at each evaluation."""


async def begin(
    stop: asyncio.Event,
    *,
    journalled: JournalledEngine,
    journal_watch: JournalWatch,
    documents: Mapping[str, str],
    interrupted: Interrupted,
    fleet: Fleet,
    quotas: FleetQuotas,
    audience: Audience,
    tenancy: Tenancy | None = None,
) -> bool:
    """Let the engine begin from what the journal kept; false when ``stop`` was set before that came.

    While another process holds the journal this may take for ever. One of several (``tenancy``) begins with
    no deployments: they come with their buckets.
    """
    recalling = journalled.recall(is_shared=tenancy is not None)
    recollection = await unless_set(stop, recalling, LOOK_SECONDS, journal_watch.look)
    if recollection is None:
        return False
    journalled.note_policies(documents)
    if tenancy is not None:
        tenancy.begin()
    interrupted.take(recollection.unfinished, recollection.until)
    fleet.expect(journalled.engine.memory.deployments)
    quotas.remember(
        # Of what was in use, what is elsewhere is all that is remembered; no older reading is taken in anew.
        QuotaReading(
            Quota(one.pool, one.accelerators, QuotaSource.ACCOUNT), float(one.elsewhere), one.at
        )
        for one in journalled.engine.shared.quotas.account
    )
    audience.recalled(recollection, fleet.out_of_reach(recollection.memory.deployments))
    return True
