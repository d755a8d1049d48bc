"""The workloads of one cluster as a target: followed by watches, written through ``scale``.

Every write names the version of the workload that it rests on, so that nothing is overwritten that nobody
here has seen: the server refuses with a conflict instead. So, unlike at Fireworks, a write of unknown fate
may be sent again: the second of the two finds another version.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

from trimtab.core.decision import WriteStatus
from trimtab.core.orders import why_void
from trimtab.core.policy import Actuation
from trimtab.errors import ErrorKind
from trimtab.kubernetes.api import MERGE_PATCH, KubernetesError
from trimtab.kubernetes.names import parse_name
from trimtab.kubernetes.selectors import Selector
from trimtab.targets import permit
from trimtab.targets.kubernetes.errors import target_error
from trimtab.targets.kubernetes.event_writer import EventWriter
from trimtab.targets.kubernetes.events import About, note_of
from trimtab.targets.kubernetes.followed import Followed
from trimtab.targets.kubernetes.translate import FIELD_MANAGER
from trimtab.targets.kubernetes.view import View
from trimtab.targets.kubernetes.writing import (
    applied,
    moved_on,
    not_ours,
    refused,
    scale_patch,
    scaled_to,
    unknown,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.clock import Clock
    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment
    from trimtab.kubernetes.api import Api
    from trimtab.kubernetes.names import WorkloadName
    from trimtab.targets.kubernetes.cluster import Cluster
    from trimtab.targets.kubernetes.events import Note
    from trimtab.targets.kubernetes.kinds import Kind
    from trimtab.targets.kubernetes.translate import Workload
    from trimtab.targets.port import WriteResult

SENDS_MAX = 3
"""A conflict is most often the status moving on, so the write is repeated on what is there then."""

REMARKS_MAX = 5

LAST_EVENTS_SECONDS = 1.0
"""In real time, for the Events that wait when trimtab stops."""


class KubernetesTarget:
    """The workloads of one cluster that the settings select, behind ``trimtab.targets.port.Target``.

    It begins to follow the cluster at the first ``read_fleet``, which from then on tells what is known and
    asks nothing. It owns ``api``, unless somebody else closes that (``owns_api=False``).
    """

    def __init__(
        self,
        cluster: Cluster,
        api: Api,
        clock: Clock,
        *,
        random: Random | None = None,
        owns_api: bool = True,
    ) -> None:
        self.cluster = cluster
        self._api = api
        self._clock = clock
        self._owns_api = owns_api
        self._selector = Selector(cluster.selector)
        self._prefix = f"{self.name}/"
        self._changed = asyncio.Event()
        self._zeroed: set[str] = set()
        self._followed = Followed(
            cluster,
            api,
            clock,
            random or Random(),  # noqa: S311  jitter, not a secret
            on_change=self._changed.set,
            was_zeroed=self._zeroed.__contains__,
        )
        self._events = EventWriter(api, clock)
        self._writing: asyncio.Task[None] | None = None
        self._view = View(self._followed, on_other_scaler=self._tell)

    def __repr__(self) -> str:
        return f"KubernetesTarget({self.name!r})"

    @property
    def name(self) -> str:
        """``clusters/<name>``."""
        return f"clusters/{self.cluster.name}"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What somebody should mend: kinds and namespaces that cannot be seen, Events that cannot be written."""
        found = [str(one) for one in self._followed.troubles()]
        if self._events.trouble is not None:
            found.append(f"Events cannot be written: {self._events.trouble}")
        told = list(dict.fromkeys(found))
        more = [f"and {len(told) - REMARKS_MAX} more"] if len(told) > REMARKS_MAX else []
        return tuple(f"{self.name}: {one}" for one in (*told[:REMARKS_MAX], *more))

    def owns(self, deployment: str) -> bool:
        """Whether a full name is that of a workload of this cluster."""
        return deployment.startswith(self._prefix)

    async def close(self) -> None:
        """Stop following, write the Events that wait, and release connections; safe to call twice."""
        await self._followed.close()
        writing, self._writing = self._writing, None
        if writing is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_EVENTS_SECONDS):
                    await self._events.write_all()
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        if self._owns_api:
            await self._api.close()

    async def changed(self) -> None:
        """Return once something differs from what ``read_fleet`` told last."""
        await self._changed.wait()

    async def read_fleet(self) -> Mapping[str, Deployment]:
        """Return every selected workload as it is known now. Raises ``TargetError``.

        Workloads of a kind or namespace that cannot be seen just now keep their last description in state
        ``UNKNOWN``. It raises when none can be.
        """
        if self._writing is None and self.cluster.writes_events:
            self._writing = asyncio.create_task(self._events.run(), name=f"Events of {self.name}")
        self._changed.clear()
        try:
            await self._followed.begin()
            return await self._view.fleet()
        except KubernetesError as error:
            raise target_error(error) from error

    async def read(self, deployment: str) -> Deployment | None:
        """Ask for one workload; ``None`` when it is no more, or not selected. Raises ``TargetError``."""
        try:
            found = await self._read(deployment)
        except KubernetesError as error:
            raise target_error(error) from error
        return None if found is None else self._view.shown(found)

    async def _read(self, deployment: str) -> Workload | None:
        name = parse_name(deployment)
        if name is None or not self._is_looked_into(name):
            return None
        kind = self._kind(name)
        try:
            item = await self._api.call("GET", kind.path(name.namespace, name.name))
            found = self._followed.workload(kind, item)
            if not kind.is_built_in:
                scale = await self._api.call("GET", kind.path(name.namespace, name.name, "scale"))
                found = self._view.checked(found, scaled_to(scale), scale)
        except KubernetesError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            self._view.lose(deployment)
            return None
        if not self._selector.matches(found.labels):
            self._view.lose(deployment)
            return None
        self._view.put(found)
        return found

    def _is_looked_into(self, name: WorkloadName) -> bool:
        is_named = name.cluster == self.cluster.name and name.resource in self.cluster.resources
        return is_named and (
            not self.cluster.namespaces or name.namespace in self.cluster.namespaces
        )

    def _kind(self, name: WorkloadName) -> Kind:
        kind = self._followed.kind(name.resource)
        if kind is not None:
            return kind
        raise self._followed.why_not_found(name.resource) or KubernetesError(
            f"{name.resource} of {self.name} was not looked for yet", kind=ErrorKind.UNAVAILABLE
        )

    # -- writing ---------------------------------------------------------------------------------

    async def write(self, order: Order) -> WriteResult:
        """Set the count of one workload, on exactly the version that was seen. Never raises for the cluster."""
        if order.actuation is not Actuation.SCALE:
            return not_ours(
                order, f"a workload has no bounds to {order.actuation}; only scale will do"
            )
        if order.to_replicas == 0:
            self._zeroed.add(order.deployment)
        elif order.from_replicas == 0:
            self._zeroed.discard(order.deployment)
        try:
            known = self._view.alone(order.deployment) or await self._read(order.deployment)
        except KubernetesError as error:
            return refused(order, error)
        if known is None:
            return not_ours(order, "it is no more")
        result = await self._carried_out(order, known)
        if result.status is not WriteStatus.VOID:
            self._tell(known, note_of(order, result))
        return result

    async def _carried_out(self, order: Order, known: Workload) -> WriteResult:
        for sends_left in reversed(range(SENDS_MAX)):
            error = await self._send(order, known)
            is_answered = error is not None and not error.is_ambiguous
            if error is not None and is_answered and error.kind is not ErrorKind.CONFLICT:
                return refused(order, error)
            try:
                fresh = await self._read(order.deployment)
            except KubernetesError as failure:
                if error is None:
                    return applied(order, None, None)  # the answer itself said so
                return refused(order, error) if is_answered else unknown(order, error, failure)
            if fresh is None:
                return not_ours(order, "it is no more")
            shown = self._view.shown(fresh)
            is_same = fresh.uid == known.uid  # or the load was another's
            if is_same and (error is None or shown.desired_replicas == order.to_replicas):
                return applied(order, shown, error)
            why = (
                why_void(order, shown, self._clock.now())
                if is_same
                else "it was created anew under the same name"
            )
            if why is not None or not sends_left:
                return moved_on(order, shown, why or str(error).rstrip("."))
            known = fresh
        raise AssertionError("the last send returns")  # pragma: no cover

    async def _send(self, order: Order, known: Workload) -> KubernetesError | None:
        """Send once; return the error, ``None`` where the server accepted the count."""
        name = parse_name(order.deployment)
        assert name is not None  # noqa: S101  it was read by that name
        kind = self._kind(name)
        if (why := permit.refusal()) is not None:  # and who stood still since meets another version
            return KubernetesError(f"nothing was sent: {why}", kind=ErrorKind.REJECTED)
        try:
            answer = await self._api.call(
                "PATCH",
                kind.path(name.namespace, name.name, "scale"),
                query={"fieldManager": FIELD_MANAGER},
                body=scale_patch(order.to_replicas, known.version),
                content_type=MERGE_PATCH,
            )
        except KubernetesError as error:
            return error
        if scaled_to(answer) != order.to_replicas:
            return KubernetesError(
                "the answer to the write shows another count",
                kind=ErrorKind.BAD_RESPONSE,
                is_ambiguous=True,
            )
        return None

    def _tell(self, known: Workload, note: Note) -> None:
        if not self.cluster.writes_events:
            return
        name = parse_name(known.deployment.name)
        kind = None if name is None else self._followed.kind(name.resource)
        if name is not None and kind is not None:
            about = About(kind.api_version, kind.kind, name.namespace, name.name, known.uid)
            self._events.tell(about, note)
