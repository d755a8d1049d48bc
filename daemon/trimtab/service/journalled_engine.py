"""The engine with a journal beside it: whatever the engine is told is noted, in the same order.

Nothing else in the service calls ``step``, ``record``, ``prime``, ``give``, ``lift``, ``take_quotas``,
``hear_of_members`` or ``replace_policies``, so that the journal
holds exactly what an engine must be told to decide the same again.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING

from trimtab.core.clearing import why_not_cleared
from trimtab.core.decision import EventKind
from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.core.overrides import why_overridden
from trimtab.core.priming import joined_memory
from trimtab.core.succession import BucketLeft, BucketTaken
from trimtab.journal.entries import (
    Ended,
    Evaluated,
    Intended,
    OfMembers,
    Overridden,
    PoliciesInForce,
    Primed,
    QuotasRead,
)
from trimtab.journal.standing import put, put_in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from trimtab.clock import Clock
    from trimtab.core.account_quotas import QuotaReading
    from trimtab.core.decision import Order, Outcome, Tick
    from trimtab.core.deployment import Deployment
    from trimtab.core.engine import Engine
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.lead_time import LeadTimes
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.overrides import Override
    from trimtab.core.policy import Policy
    from trimtab.core.proposals import JsonValue
    from trimtab.core.signals import Sample
    from trimtab.core.succession import MembersNews
    from trimtab.journal.entries import Entry
    from trimtab.journal.port import Journal, Recollection


class JournalledEngine:
    """Passes on to the engine, and notes. Counts the intentions and the ends that it noted."""

    def __init__(
        self,
        clock: Clock,
        engine: Engine,
        journal: Journal,
        *,
        plugins: tuple[str, ...] = (),
        lead_times: LeadTimes | None = None,
    ) -> None:
        self.engine = engine
        self.journal = journal
        self.intended = 0
        self.ended = 0
        self.has_recalled = False
        self.on_people: Callable[[Iterable[str | None]], None] = lambda _names: None
        """Hears of whom people changed what is remembered; ``None`` among them: of everybody."""
        self._clock = clock
        self._plugins = plugins
        self._lead_times = lead_times
        self._seen: dict[str, Deployment] = {}
        self._resumed: set[str] = set()

    async def recall(self, *, is_shared: bool = False) -> Recollection:
        """Open the journal, which may take as long as another process holds it.

        The engine begins from what was kept, and holds every deployment with an unfinished order. One of
        several (``is_shared``) begins with none: what is known of deployments comes with their buckets.
        """
        recollection = await self.journal.open()
        if is_shared:
            recollection = _without_deployments(recollection)
        if recollection.until is not None:
            self.engine.recall(recollection.memory)
        for order in recollection.unfinished:
            self.engine.resume(order)
        self.has_recalled = True
        return recollection

    def note(self, entry: Entry) -> None:
        """Note what somebody else told the engine."""
        self.journal.note(entry)

    def step(
        self,
        now: float,
        fleet: Mapping[str, Deployment],
        samples: Sequence[Sample],
        *,
        due: Collection[str],
        changed: Collection[str] | None = None,
        absent: Collection[str],
        upheld: Mapping[str, float] | None = None,
        unread: Collection[str] = (),
    ) -> Tick:
        """Evaluate, as ``Engine.step``; ``changed`` are names that ``fleet`` may lack by now."""
        heard, asked, away = tuple(samples), tuple(due), tuple(absent)
        maybe = None if changed is None else tuple(changed)
        engine = self.engine
        stood = dict(upheld or {})
        not_read = tuple(unread)
        tick = engine.step(
            now,
            fleet,
            heard,
            due=asked,
            changed=maybe,
            absent=away,
            upheld=stood,
            unread=not_read,
        )
        fleet_changes, fleet_order = self._fleet_changes(fleet, asked, maybe)
        self.journal.note(
            Evaluated(
                at=now,
                samples=heard,
                due=asked,
                changed=maybe,
                absent=away,
                upheld=stood,
                unread=not_read,
                tick=tick,
                fleet_changes=fleet_changes,
                fleet_order=fleet_order,
                memory_changes={name: engine.remembered(name) for name in tick.touched},
                overrides=engine.overrides,
                lead_times=engine.learned,
                shared=engine.shared,
            )
        )
        if changed_by_people := [
            event.deployment for event in tick.events if event.kind is EventKind.BOUNDS_CHANGED
        ]:
            self.on_people(changed_by_people)
        return tick

    def _fleet_changes(
        self,
        fleet: Mapping[str, Deployment],
        due: tuple[str, ...],
        changed: tuple[str, ...] | None,
    ) -> tuple[dict[str, Deployment | None], tuple[str, ...] | None]:
        """Find what is another object than at the step before, and the order if that came to differ.

        The order counts for a step that looks at everything; one that is told what changed goes by
        that, and nothing is walked.
        """
        seen = self._seen
        names: Iterable[str] = (*changed, *due) if changed is not None else (*seen, *fleet)
        changes: dict[str, Deployment | None] = {}
        for name in names:
            one = fleet.get(name)
            if one is not seen.get(name):
                changes[name] = one
        put(seen, changes)
        if changed is not None or list(seen) == list(fleet):
            return changes, None
        order = tuple(fleet)
        put_in_order(seen, order)
        return changes, order

    def record(self, outcome: Outcome) -> None:
        """Let the engine remember how an order ended."""
        self.engine.record(outcome)
        name = outcome.order.deployment
        self.journal.note(
            Ended(
                outcome=outcome,
                memory_changes={name: self.engine.remembered(name)},
                shared=self.engine.shared,
            )
        )
        self.ended += 1

    def take_quotas(self, readings: Iterable[QuotaReading]) -> None:
        """Let the engine know what the account says of its quotas, as ``Engine.take_quotas``."""
        told, before = tuple(readings), self.engine.shared
        self.engine.take_quotas(told)
        if self.engine.shared is not before:
            self.journal.note(
                QuotasRead(at=self._clock.now(), readings=told, shared=self.engine.shared)
            )

    def hear_of_members(self, news: MembersNews) -> None:
        """Let the engine know what concerns all members, as ``Engine.hear_of_members``."""
        engine = self.engine
        is_left = isinstance(news, BucketLeft)
        known = (*engine.memory.deployments, *self._resumed) if is_left else ()
        engine.hear_of_members(news)
        changes: dict[str, DeploymentMemory | None] = {}
        flights: dict[str, Order | None] = {}
        if isinstance(news, BucketTaken):
            changes |= news.memory
            flights |= {order.deployment: order for order in news.unfinished}
            self._resumed.update(flights)
        elif is_left and (members := engine.membership) is not None:
            changes |= {name: None for name in known if not members.holding.has(name)}
            flights |= dict.fromkeys(changes)
            self._resumed.difference_update(changes)
        self.journal.note(
            OfMembers(
                at=self._clock.now(),
                news=news,
                membership=engine.membership,
                memory_changes=changes,
                flights=flights,
                overrides=engine.overrides,
                lead_times=engine.learned,
                shared=engine.shared,
            )
        )

    def prime(self, name: str, rule: str, primed: JsonValue) -> bool:
        """Let a rule go on from what its past has taught it; false where by now it knows enough by itself."""
        now = self._clock.now()
        for priming in self.engine.cold_rules(name, now) or ():
            remembered = joined_memory(priming, primed) if priming.rule == rule else None
            if remembered is None:
                continue
            self.engine.prime(name, rule, remembered)
            changes = {name: self.engine.remembered(name)}
            self.journal.note(
                Primed(
                    at=now,
                    deployment=name,
                    rule=rule,
                    remembered=remembered,
                    memory_changes=changes,
                )
            )
            return True
        return False

    def give(self, override: Override) -> tuple[Override, ...]:
        """Put a person's order in force, as ``Engine.give``."""
        replaced = self.engine.give(override)
        self.journal.note(
            Overridden(
                at=override.since,
                given=override,
                lifted=tuple(one.id for one in replaced),
                by=override.author,
                reason=override.reason,
                overrides=self.engine.overrides,
            )
        )
        self.on_people([override.deployment])
        return replaced

    def lift(self, ids: Collection[str], *, by: str, reason: str) -> tuple[Override, ...]:
        """End a person's orders, as ``Engine.lift``."""
        lifted = self.engine.lift(ids)
        if lifted:
            names = tuple(one.id for one in lifted)
            self.journal.note(
                Overridden(
                    at=self._clock.now(),
                    lifted=names,
                    by=by,
                    reason=reason,
                    overrides=self.engine.overrides,
                )
            )
            self.on_people([one.deployment for one in lifted])
        return lifted

    def why_overridden(self, order: Order) -> str | None:
        """Say why people's orders of now forbid a write that was decided on before."""
        return why_overridden(order, self.engine.standing_at(order.deployment, self._clock.now()))

    def why_not_granted(self, order: Order) -> str | None:
        """Say why what all members share forbids a write that was decided on before."""
        sharing = self.engine.sharing
        if not sharing.is_active:
            return None
        claim, terms = sharing.book.claim(order.deployment), sharing.book.terms
        return why_not_cleared(order, claim, terms, self.engine.membership, self._clock.now())

    def hand_back(self, fleet: Mapping[str, Deployment]) -> tuple[Order, ...]:
        """Return the writes that restore what people meant, as ``Engine.hand_back``."""
        return self.engine.hand_back(self._clock.now(), fleet)

    def put_in_force(
        self,
        policies: Iterable[Policy],
        documents: Mapping[str, str],
        fleet: FleetPolicy = NO_FLEET_POLICY,
    ) -> None:
        """Let the engine decide by these policies and that of the fleet, which ``documents`` say."""
        self.engine.replace_policies(policies, fleet)
        self.note_policies(documents)

    def note_policies(self, documents: Mapping[str, str]) -> None:
        """Note that the engine's policies are in force from now on."""
        self.journal.note(
            PoliciesInForce(
                at=self._clock.now(),
                version=_version(documents, self.engine.policies),
                documents=MappingProxyType(dict(documents)),
                plugins=self._plugins,
                lead_times=self._lead_times,
            )
        )

    async def intend(self, order: Order, term: int | None = None) -> None:
        """Return once it is written down that ``order`` is about to be sent in ``term``.

        Raises ``JournalError`` when that cannot be done; then the order must not be sent, and its
        end must be recorded all the same.
        """
        self.intended += 1
        remembered = self.engine.remembered(order.deployment)
        entry = Intended(at=self._clock.now(), order=order, memory=remembered, term=term)
        await self.journal.intend(entry)


def _without_deployments(recollection: Recollection) -> Recollection:
    overrides = tuple(one for one in recollection.memory.overrides if one.deployment is None)
    memory = replace(recollection.memory, deployments={}, overrides=overrides)
    return replace(recollection, memory=memory, unfinished=())


def _version(documents: Mapping[str, str], policies: Iterable[Policy]) -> str:
    """Hash what is in force: the documents; of policies that came from none, what they say of themselves."""
    digest = blake2b(digest_size=16)
    parts = [part for pair in sorted(documents.items()) for part in pair]
    for part in parts or map(repr, policies):
        content = part.encode()
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()
