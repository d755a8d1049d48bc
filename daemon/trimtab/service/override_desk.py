"""Answers requests to ``/v1/overrides`` for a running daemon."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from trimtab.core.effective_bounds import effective_bounds
from trimtab.core.orders import asked_for
from trimtab.core.overrides import OverrideKind
from trimtab.core.policy import Mode
from trimtab.errors import JournalError, OverrideError
from trimtab.journal.port import JournalMode
from trimtab.service.override_requests import lift_from, override_from
from trimtab.service.views.overrides import override_as_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

    from trimtab.clock import Clock
    from trimtab.core.deployment import Deployment
    from trimtab.core.overrides import Override
    from trimtab.core.policy import Policy
    from trimtab.service.fleet import Fleet
    from trimtab.service.journalled_engine import JournalledEngine
    from trimtab.service.overrides import Overrides
    from trimtab.web.access import Answer

LOG = structlog.get_logger("trimtab")

SETTLE_SECONDS_MAX = 5.0
"""How long an answer waits, in real time, for the order to be on disk; it is in force before."""

NOTES_MAX = 5
"""How many other orders an answer names; the list has them all."""

OK, CREATED, NOT_FOUND, UNPROCESSABLE, UNAVAILABLE = 200, 201, 404, 422, 503


class OverrideDesk:
    """Takes orders in. One that was accepted is in force before the answer is sent."""

    def __init__(
        self,
        clock: Clock,
        random: Random,
        *,
        overrides: Overrides,
        journalled: JournalledEngine,
        fleet: Fleet,
    ) -> None:
        self._clock = clock
        self._random = random
        self._overrides = overrides
        self._journalled = journalled
        self._fleet = fleet

    async def listed(self) -> Answer:
        """Every order in force, the oldest first."""
        found = [override_as_json(one) for one in self._overrides.in_force]
        return OK, {"at": _iso(self._clock.now()), "overrides": found}

    async def give(
        self, body: Mapping[str, object], peer: str, *, name: str | None = None
    ) -> Answer:
        """Put an order in force, or say in one sentence what is wrong with it.

        ``name`` is its id where another member has given it one already.
        """
        if not self._journalled.has_recalled:
            return UNAVAILABLE, {"error": self._not_yet()}
        try:
            override = override_from(
                body,
                name=name or self._new_id(),
                now=self._clock.now(),
                peer=peer,
                known=self._known(),
            )
            replaced = self._overrides.give(override)
        except OverrideError as error:
            return UNPROCESSABLE, {"error": self._explained(str(error))}
        notes = [*self._notes(override), *await self._settled()]
        return CREATED, {
            "at": _iso(override.since),
            "override": override_as_json(override),
            "replaced": [override_as_json(one) for one in replaced],
            "notes": notes,
        }

    async def lift(self, body: Mapping[str, object], peer: str) -> Answer:
        """End orders before their time; say which, and what still stands."""
        if not self._journalled.has_recalled:
            return UNAVAILABLE, {"error": self._not_yet()}
        in_force = self._overrides.in_force
        ordered = {one.deployment for one in in_force if one.deployment is not None}
        try:
            wish = lift_from(body, peer=peer, known=self._known() | ordered)
        except OverrideError as error:
            return UNPROCESSABLE, {"error": self._explained(str(error))}
        if wish.ids is not None:
            ids = set(wish.ids)
            unknown = ids - {one.id for one in in_force}
            if unknown:
                names = ", ".join(sorted(unknown))[:200]
                return NOT_FOUND, {"error": f"no override {names} is in force; list them first"}
        else:
            ids = {one.id for one in in_force if one.deployment == wish.deployment}
        lifted = self._overrides.lift(ids, by=wish.by, reason=wish.reason)
        remaining = [
            one
            for one in self._overrides.in_force
            if wish.ids is None and (wish.deployment is None or one.concerns(wish.deployment))
        ]
        return OK, {
            "at": _iso(self._clock.now()),
            "deployment": wish.deployment,
            "lifted": [override_as_json(one) for one in lifted],
            "remaining": [override_as_json(one) for one in remaining],
            "notes": await self._settled() if lifted else [],
        }

    def _known(self) -> set[str]:
        """The deployments there are: as last read, and as remembered while nothing can be read."""
        remembered = self._journalled.engine.memory.deployments
        gone = {name for name, one in remembered.items() if one.gone_at is not None}
        return set(self._fleet.deployments) | (set(remembered) - gone)

    def _explained(self, sentence: str) -> str:
        unread = self._fleet.unread
        if not unread or not sentence.startswith("there is no deployment"):
            return sentence
        return f"{sentence} ({', '.join(unread)} has not been read yet)"

    def _not_yet(self) -> str:
        status = self._journalled.journal.status
        why = "" if status.mode is JournalMode.DURABLE else f": {status.sentence}"
        return f"the journal has not been opened yet, so orders cannot be taken in{why}"

    def _new_id(self) -> str:
        taken = {one.id for one in self._journalled.engine.overrides}
        while (name := f"{self._random.getrandbits(32):08x}") in taken:
            pass
        return name

    def _notes(self, override: Override) -> list[str]:
        """Say what may keep the order from doing what its author expects."""
        notes: list[str] = []
        name = override.deployment
        stronger = {
            OverrideKind.PAUSE: frozenset[OverrideKind](),
            OverrideKind.PIN: frozenset({OverrideKind.PAUSE}),
            OverrideKind.BLOCK: frozenset({OverrideKind.PAUSE, OverrideKind.PIN}),
        }
        for one in self._overrides.in_force:
            if name is None or one.concerns(name):
                about = one.deployment or "every deployment"
                if one.kind in stronger[override.kind]:
                    notes.append(f"{about} is {one.text} by {one.author}, which comes before this")
                elif name is None and one.kind is override.kind and one.deployment is not None:
                    notes.append(f"{about} keeps its own order: {one.text} by {one.author}")
        del notes[NOTES_MAX:]
        deployment = None if name is None else self._fleet.deployments.get(name)
        if deployment is not None:
            policies = self._journalled.engine.policies_for(deployment)
            if not policies:
                notes.append("no policy matches it, so trimtab writes nothing for it anyway")
            elif len(policies) == 1 and policies[0].mode is Mode.ADVISE:
                notes.append(
                    f"policy {policies[0].name} only advises, so this moves what trimtab would do, "
                    "not the deployment"
                )
            if len(policies) == 1 and override.replicas is not None:
                notes += self._beyond(override.replicas, deployment, policies[0])
        return notes

    def _beyond(self, pinned: int, deployment: Deployment, policy: Policy) -> Iterator[str]:
        """Say which bound a pin goes beyond, and so how far it goes; quotas aside, which change."""
        memory = self._journalled.engine.memory.deployments.get(deployment.name)
        if memory is None:
            return
        now = self._clock.now()
        allowed = effective_bounds(
            deployment,
            policy,
            memory.user,
            current=asked_for(deployment, policy, now),
            now=now,
            may_be_zero=pinned == 0,
        )
        if pinned > allowed.upper.replicas:
            yield f"the bounds allow {allowed.upper.replicas} at most ({allowed.upper.set_by})"
        elif pinned < allowed.lower.replicas:
            yield f"the bounds allow {allowed.lower.replicas} at least ({allowed.lower.set_by})"

    async def _settled(self) -> list[str]:
        """Wait until the order is on disk; where that fails it is in force all the same."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS_MAX):
                await self._overrides.durable()
        except (JournalError, TimeoutError) as error:
            why = str(error) or f"the disk took longer than {SETTLE_SECONDS_MAX:.0f} s"
            LOG.warning("override_not_durable", sentence=why)
            return [f"it holds now but may not survive a restart of trimtab: {why}"]
        if self._journalled.journal.status.mode is JournalMode.VOLATILE:
            return ["trimtab runs without a journal: a restart forgets this"]
        return []


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="milliseconds")
