"""The collections of a cluster that are followed: workloads of each kind and place, and other scalers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.errors import ErrorKind
from trimtab.kubernetes.api import KubernetesError
from trimtab.kubernetes.reflector import Reflector
from trimtab.targets.kubernetes.discovery import find_kind, is_served
from trimtab.targets.kubernetes.scalers import autoscaler, scaled_by, scaled_object
from trimtab.targets.kubernetes.translate import Workload, workload_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from random import Random

    from trimtab.clock import Clock
    from trimtab.kubernetes.api import Api
    from trimtab.targets.kubernetes.cluster import Cluster
    from trimtab.targets.kubernetes.kinds import Kind
    from trimtab.targets.kubernetes.scalers import Scaled, Scaler

PATIENCE_SECONDS = 10.0
"""For how long a collection that cannot be followed counts as good: a line that was cut is soon back."""

SEARCH_SECONDS = 60.0
"""From one search for kinds that were not found to the next."""

STANDING_KINDS = frozenset(
    {*(ErrorKind.FORBIDDEN, ErrorKind.UNAUTHENTICATED), *(ErrorKind.NOT_FOUND, ErrorKind.REJECTED)}
)
"""What does not pass by itself: nobody need wait to see it."""

KEDA_GROUP = "keda.sh"
_SCALERS = "/apis/autoscaling/v2", "horizontalpodautoscalers"
_SCALED_OBJECTS = f"/apis/{KEDA_GROUP}/v1alpha1", "scaledobjects"


class Collection(NamedTuple):
    """Workloads of one kind, in one namespace or (``None``) in all."""

    kind: Kind
    place: str | None
    workloads: Reflector[Workload]


class Followed:
    """Finds the kinds, follows their workloads and what else scales them, and knows what cannot be seen."""

    def __init__(
        self,
        cluster: Cluster,
        api: Api,
        clock: Clock,
        random: Random,
        *,
        on_change: Callable[[], None],
        was_zeroed: Callable[[str], bool],
    ) -> None:
        self._cluster = cluster
        self._api = api
        self._clock = clock
        self._random = random
        self._on_change = on_change
        self._was_zeroed = was_zeroed
        self.collections: list[Collection] = []
        self._scalers: list[tuple[str | None, Reflector[Scaler]]] = []
        self._not_found: dict[str, KubernetesError] = {}
        self._searched_at: float | None = None
        self._has_keda = False
        self._keda_trouble: KubernetesError | None = None
        self._scaled: dict[Scaled, str] | None = None
        self._tasks: dict[asyncio.Task[None], Callable[[], Coroutine[Any, Any, None]]] = {}

    def kind(self, resource: str) -> Kind | None:
        """Return the kind of a resource that was found."""
        return next((one.kind for one in self.collections if one.kind.resource == resource), None)

    def why_not_found(self, resource: str) -> KubernetesError | None:
        """Return why a resource of the settings is not followed."""
        return self._not_found.get(resource)

    async def begin(self) -> None:
        """Look for what was not found yet, and return when everything found was tried once.

        Raises ``KubernetesError`` when nothing can be asked at all.
        """
        self._revive()
        await self._search()
        for one in self._reflectors():
            await one.tried.wait()

    async def close(self) -> None:
        """Follow nothing more."""
        tasks = list(self._tasks)
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- what is seen ----------------------------------------------------------------------------

    def scaled(self) -> Mapping[Scaled, str]:
        """Return in words what else scales each thing."""
        if self._scaled is None:
            self._scaled = scaled_by(one for _, found in self._scalers for one in found.values())
        return self._scaled

    def trouble(self, one: Collection) -> KubernetesError | None:
        """Return why the workloads of a collection are not seen as they are; ``None``: they are."""
        return self._trouble_of(one.workloads) or self._blind_to_scalers(one.place)

    def raise_if_blind(self) -> None:
        """Raise ``KubernetesError`` where no workloads can be seen at all."""
        troubles = [self._trouble_of(one.workloads) for one in self.collections]
        if troubles and troubles[0] is not None and None not in troubles:
            raise troubles[0]

    def troubles(self) -> Iterator[KubernetesError]:
        """Yield everything that cannot be seen."""
        yield from self._not_found.values()
        if self._keda_trouble is not None:
            yield self._keda_trouble
        for one in self._reflectors():
            trouble = self._trouble_of(one)
            if trouble is not None:
                yield trouble

    def _reflectors(self) -> list[Reflector[Any]]:
        workloads: list[Reflector[Any]] = [one.workloads for one in self.collections]
        return workloads + [scalers for _, scalers in self._scalers]

    def _trouble_of(self, one: Reflector[Any]) -> KubernetesError | None:
        trouble, since = one.trouble, one.troubled_at
        if trouble is None or since is None:
            return None
        is_lasting = self._clock.monotonic() - since >= PATIENCE_SECONDS
        is_certain = trouble.kind in STANDING_KINDS or not one.is_listed
        return trouble if is_certain or is_lasting else None

    def _blind_to_scalers(self, place: str | None) -> KubernetesError | None:
        """Return why it cannot be known what else scales workloads in ``place``."""
        if self._keda_trouble is not None:
            return self._keda_trouble
        for where, one in self._scalers:
            trouble = self._trouble_of(one) if where in (place, None) else None
            if trouble is not None:
                return KubernetesError(
                    f"whether something else scales it cannot be seen: {trouble}", kind=trouble.kind
                )
        return None

    # -- finding and following -------------------------------------------------------------------

    async def _search(self) -> None:
        now = self._clock.monotonic()
        wanted = [one for one in self._cluster.resources if self.kind(one) is None]
        is_complete = not wanted and self._keda_trouble is None
        since = None if self._searched_at is None else now - self._searched_at
        pause = self._cluster.relist_seconds if is_complete else SEARCH_SECONDS
        if since is not None and since < pause:
            if not self.collections:
                raise next(iter(self._not_found.values()))
            return
        for resource in wanted:
            try:
                kind = await find_kind(self._api, resource)
            except KubernetesError as error:
                if not self.collections and error.kind not in STANDING_KINDS:
                    raise  # nobody answers: no use in asking for the others
                self._not_found[resource] = error
                continue
            self._not_found.pop(resource, None)
            for place in self._cluster.places:
                self._follow_workloads(kind, place)
        if self._cluster.looks_for_other_scalers:
            await self._search_scalers()
        self._searched_at = now
        if not self.collections and self._not_found:
            raise next(iter(self._not_found.values()))

    async def _search_scalers(self) -> None:
        if not self._scalers:
            self._follow_scalers(*_SCALERS, autoscaler)
        if self._has_keda:
            return
        try:
            self._has_keda = await is_served(self._api, KEDA_GROUP)
            self._keda_trouble = None
        except KubernetesError as error:
            self._keda_trouble = error
        if self._has_keda:
            self._follow_scalers(*_SCALED_OBJECTS, scaled_object)

    def _follow_workloads(self, kind: Kind, place: str | None) -> None:
        def project(item: Mapping[str, Any]) -> Workload:
            return self.workload(kind, item)

        query = {"labelSelector": self._cluster.selector} if self._cluster.selector else {}
        reflector = self._reflector(kind.collection(place), project, query, self._on_change)
        self.collections.append(Collection(kind, place, reflector))

    def workload(self, kind: Kind, item: Mapping[str, Any]) -> Workload:
        """Return what an object is to us, seen now."""
        found = workload_of(kind, item, self._cluster, observed_at=self._clock.now())
        if found.deployment.max_replicas == 0 and self._was_zeroed(found.deployment.name):
            return workload_of(
                kind, item, self._cluster, observed_at=self._clock.now(), was_zeroed=True
            )
        return found

    def _follow_scalers(
        self, api: str, plural: str, project: Callable[[Mapping[str, Any]], Scaler]
    ) -> None:
        for place in self._cluster.places:
            where = "" if place is None else f"/namespaces/{place}"
            path = f"{api}{where}/{plural}"
            self._scalers.append((place, self._reflector(path, project, {}, self._rescaled)))

    def _rescaled(self) -> None:
        self._scaled = None
        self._on_change()

    def _reflector(
        self,
        path: str,
        project: Callable[[Mapping[str, Any]], Any],
        query: Mapping[str, str],
        on_change: Callable[[], None],
    ) -> Reflector[Any]:
        reflector: Reflector[Any] = Reflector(
            self._api,
            self._clock,
            self._random,
            path=path,
            query=query,
            project=project,
            on_change=on_change,
            relist_seconds=self._cluster.relist_seconds,
        )
        self._run(reflector.run, f"follow {path}")
        return reflector

    def _run(self, run: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._tasks[asyncio.get_running_loop().create_task(run(), name=name)] = run

    def _revive(self) -> None:
        """Begin again what has ended, and raise the bug that ended it, for whoever supervises us."""
        for task, run in list(self._tasks.items()):
            if task.done():
                del self._tasks[task]
                self._run(run, task.get_name())
                task.result()
