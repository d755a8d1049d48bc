"""One Fireworks account as a target: read its fleet, carry out orders, and find out what happened.

There is no idempotency key and no version to compare on this API: the last writer wins. So every
write states absolute numbers, is read back, and is resent only after looking; how it ended is a
value, because "perhaps" is a possible answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trimtab.core.orders import why_void
from trimtab.core.policy import Actuation
from trimtab.errors import ErrorKind
from trimtab.targets.fireworks.client import FireworksClient
from trimtab.targets.fireworks.errors import FireworksError
from trimtab.targets.fireworks.quotas import account_quotas
from trimtab.targets.fireworks.shapes import ShapeCatalog
from trimtab.targets.fireworks.translate import doubtful, translate
from trimtab.targets.fireworks.unchanged import Translations
from trimtab.targets.fireworks.vocabulary import DeploymentState
from trimtab.targets.fireworks.writing import (
    applied,
    is_carried_out,
    not_applied,
    refused,
    refuses_annotations,
    unknown,
    update_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from random import Random

    from trimtab.clock import Clock
    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment
    from trimtab.targets.fireworks.account import FireworksAccount
    from trimtab.targets.fireworks.connection import Connection
    from trimtab.targets.fireworks.resources import DeploymentResource
    from trimtab.targets.fireworks.transport import Observer
    from trimtab.targets.port import AccountQuotas, WriteResult

SENDS_MAX = 2
"""A write that came to nothing is sent once more; after that the engine decides anew."""
READ_BACK_PAUSES_SECONDS = (1.0, 2.0)
"""A read may be older than the write before it, so a surprising one is repeated."""
CONFIRMATIONS_AT_ONCE = 8
PIECE = 16
"""Deployments that are read or translated before others get their turn: two milliseconds at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """What came of sending: the server's answer, or an ambiguous failure; neither for ``:scale``."""

    answer: DeploymentResource | None = None
    error: FireworksError | None = None


class FireworksTarget:
    """The deployments of one account, behind the port ``trimtab.targets.port.Target``.

    Several accounts are several targets, each with its own key, limits and connections. With
    ``annotate`` the user's bounds are noted on the deployment in the same write, until a server
    says that it does not know annotations.
    """

    def __init__(
        self,
        account: FireworksAccount,
        clock: Clock,
        *,
        annotate: bool = True,
        rng: Random | None = None,
        observer: Observer | None = None,
        connection: Connection | None = None,
    ) -> None:
        self.client = FireworksClient(
            account, clock, rng=rng, observer=observer, connection=connection
        )
        self._clock = clock
        self._shapes = ShapeCatalog(self.client, clock)
        self._annotates = annotate
        self._resources: dict[str, DeploymentResource] = {}
        self._fleet: dict[str, Deployment] = {}
        self._translations = Translations()
        self._prefix = f"{self.name}/deployments/"

    def __repr__(self) -> str:
        return f"FireworksTarget({self.name!r})"

    @property
    def name(self) -> str:
        """``accounts/<id>``."""
        return f"accounts/{self.client.account_id}"

    @property
    def annotates(self) -> bool:
        """Whether writes carry annotations: wanted, and not refused by the server so far."""
        return self._annotates

    @property
    def shape_trouble(self) -> FireworksError | None:
        """Why the shape of some deployment could not be read; ``None``: all are known."""
        return self._shapes.trouble

    def owns(self, deployment: str) -> bool:
        """Whether a full name is one of this account's deployments."""
        return deployment.startswith(self._prefix)

    async def close(self) -> None:
        """Release the connections; safe to call twice."""
        await self.client.close()

    async def read_fleet(self) -> Mapping[str, Deployment]:
        """Read every deployment, with its shape. Raises ``FireworksError``.

        One that cannot be read keeps its last description in state ``UNKNOWN``, so that it is held
        and seen. One that the list lacks is asked for by name before it counts as gone, because
        rows move between pages. Deleted ones are gone.

        One that looks as it did at the listing before is the same object, ``observed_at`` included,
        unless it was read by itself or written meanwhile: what was seen before a write must never
        pass for what was seen after it.
        """
        observed_at = self._clock.now()
        self._translations.begin_listing()
        unreadable: dict[str, FireworksError] = {}
        alive, shape_names = await self._alive(unreadable)
        await self._shapes.learn(shape_names)
        self._shapes.forget_all_but(shape_names)
        fleet: dict[str, Deployment] = {}
        for name, resource in alive.items():
            shape = self._shapes.shape(resource.deployment_shape)
            fleet[name] = self._translations.listed(resource, shape, observed_at)
            if len(fleet) % PIECE == 0:
                await asyncio.sleep(0)
        for name, error in unreadable.items():
            if name in self._fleet:
                fleet[name] = doubtful(self._fleet[name], error)
        # What was read by itself while we listed is newer than the list.
        newer = {
            name
            for name in self._translations.doubted
            if name in self._fleet and (self._fleet[name].observed_at or 0.0) > observed_at
        }
        fleet.update({name: self._fleet[name] for name in newer})
        kept = newer | unreadable.keys()
        self._resources = alive | {
            name: self._resources[name] for name in kept if name in self._resources
        }
        self._fleet = fleet
        return dict(fleet)

    async def read(self, deployment: str) -> Deployment | None:
        """Read one deployment; ``None`` when it no longer exists. Raises ``FireworksError``."""
        observed_at = self._clock.now()
        try:
            resource = await self.client.get_deployment(deployment)
        except FireworksError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            self._resources.pop(deployment, None)
            self._fleet.pop(deployment, None)
            return None
        await self._shapes.learn([resource.deployment_shape])
        return self._remembered(resource, observed_at)

    async def read_quotas(self) -> AccountQuotas:
        """Ask how many accelerators the account may use and does. Raises ``FireworksError``.

        A quota that cannot be read is not understood, and the others count.
        """
        unreadable: dict[str, FireworksError] = {}
        listed = self.client.list_quotas(on_unreadable=unreadable.__setitem__)
        found = [quota async for quota in listed]
        told = account_quotas(found, self._clock.now())
        names = {name.rpartition("/")[2] or "(without a name)" for name in unreadable}
        return replace(told, not_understood=(*told.not_understood, *sorted(names)))

    async def write(self, order: Order) -> WriteResult:
        """Carry out one order with absolute numbers, and read back what became of it.

        Never raises for what the control plane does. After an ambiguous failure it reads back first
        and sends once more only if the order would not be void by now: the platform may have moved the
        count itself meanwhile, and the same number would be another move.
        """
        sends_left = SENDS_MAX
        while True:
            sends_left -= 1
            try:
                sent = await self._send(order)
            except FireworksError as failure:
                return refused(order, failure, self._clock.now())
            result, may_resend = await self._outcome(order, sent)
            if not (may_resend and sends_left):
                return result

    async def _send(self, order: Order) -> _Sent:
        """Send an order once. Raises ``FireworksError`` for a failure that changed nothing."""
        self._translations.doubt(order.deployment)
        try:
            if order.actuation is not Actuation.SCALE:
                return _Sent(answer=await self._update(order))
            await self.client.scale_deployment(order.deployment, order.to_replicas)
        except FireworksError as error:
            if not error.is_ambiguous:
                raise
            return _Sent(error=error)
        return _Sent()

    async def _update(self, order: Order) -> DeploymentResource:
        current = self._resources.get(order.deployment)
        if current is None:
            current = await self.client.get_deployment(order.deployment)
        update = update_for(order, current, annotate=self._annotates)
        try:
            return await self.client.update_deployment(order.deployment, update.fields, update.mask)
        except FireworksError as error:
            if not (self._annotates and refuses_annotations(error)):
                raise
        self._annotates = False
        update = update_for(order, current, annotate=False)
        return await self.client.update_deployment(order.deployment, update.fields, update.mask)

    async def _outcome(self, order: Order, sent: _Sent) -> tuple[WriteResult, bool]:
        """Read back until the deployment shows the order; say how it ended and whether to resend."""
        observed_at = self._clock.now()
        try:
            found = await self.client.get_deployment(order.deployment)
            for pause_seconds in READ_BACK_PAUSES_SECONDS:
                if is_carried_out(order, found):
                    break
                await self._clock.sleep(pause_seconds)
                observed_at = self._clock.now()
                found = await self.client.get_deployment(order.deployment)
        except FireworksError as failure:
            return self._unseen(order, sent, failure), False
        await self._shapes.learn([found.deployment_shape])  # somebody may have changed it meanwhile
        fresh = self._remembered(found, observed_at)
        if is_carried_out(order, found):
            return applied(order, fresh, sent.error), False
        may_pass = sent.error is not None and sent.error.retryable
        may_resend = may_pass and why_void(order, fresh, self._clock.now()) is None
        return not_applied(order, found, fresh, sent.error), may_resend

    def _unseen(self, order: Order, sent: _Sent, failure: FireworksError) -> WriteResult:
        """Say how a write ended that could not be read back; its own answer may tell."""
        if failure.kind is ErrorKind.NOT_FOUND:
            return refused(order, failure, self._clock.now())  # what is gone holds no order
        if sent.answer is not None and is_carried_out(order, sent.answer):
            return applied(order, self._remembered(sent.answer, self._clock.now()), None)
        return unknown(order, sent.error, failure)

    async def _alive(
        self, unreadable: dict[str, FireworksError]
    ) -> tuple[dict[str, DeploymentResource], set[str]]:
        """List every deployment that is not deleted, and the shapes they name."""
        seen: set[str] = set()
        alive: dict[str, DeploymentResource] = {}
        shape_names: set[str] = set()

        def see(resource: DeploymentResource) -> None:
            seen.add(resource.name)
            if resource.state != DeploymentState.DELETED and self.owns(resource.name):
                alive[resource.name] = resource
                shape_names.add(resource.deployment_shape)

        async for listed in self.client.list_deployments(on_unreadable=unreadable.__setitem__):
            see(listed)
            if len(seen) % PIECE == 0:
                await asyncio.sleep(0)
        missing = self._fleet.keys() - seen - unreadable.keys()
        for confirmed in (await self._confirmed(missing, unreadable)).values():
            see(confirmed)
        return alive, shape_names

    async def _confirmed(
        self, names: Iterable[str], unreadable: dict[str, FireworksError]
    ) -> dict[str, DeploymentResource]:
        """Ask by name for deployments that a list lacked; what is there after all is returned."""
        there: dict[str, DeploymentResource] = {}
        turns = asyncio.Semaphore(CONFIRMATIONS_AT_ONCE)

        async def ask(name: str) -> None:
            async with turns:
                try:
                    there[name] = await self.client.get_deployment(name)
                except FireworksError as error:
                    if error.kind is not ErrorKind.NOT_FOUND:
                        unreadable[name] = error

        async with asyncio.TaskGroup() as group:
            for name in sorted(names):
                group.create_task(ask(name), name=f"confirm {name}")
        return there

    def _remembered(self, resource: DeploymentResource, observed_at: float) -> Deployment:
        shape = self._shapes.shape(resource.deployment_shape)
        deployment = translate(resource, shape, observed_at=observed_at)
        self._translations.doubt(resource.name)
        self._resources[resource.name] = resource
        self._fleet[resource.name] = deployment
        return deployment
