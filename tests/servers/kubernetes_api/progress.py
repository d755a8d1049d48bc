"""What controllers do to workloads: replicas start, become ready after a while, and stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.servers.kubernetes_api.api import Api
from tests.servers.kubernetes_api.kinds import Kind
from tests.servers.kubernetes_api.objects import timestamp
from tests.servers.kubernetes_api.store import Key

Json = dict[str, Any]


@dataclass(slots=True)
class _Replicas:
    """When each replica of one workload will be ready, in UTC seconds."""

    ready_at: list[float] = field(default_factory=list)
    moved_at: float = 0.0


class Progress:
    """Moves every Deployment, StatefulSet and scalable custom resource on, each time it is told to.

    ``boot_seconds`` is how long a replica takes to be ready. ``room`` is how many replicas fit in the
    cluster (``None``: any number); those beyond it wait. Names in ``broken`` never get one ready.
    """

    def __init__(
        self,
        api: Api,
        now: Callable[[], float],
        *,
        boot_seconds: float = 0.0,
        room: int | None = None,
    ) -> None:
        self._api = api
        self._now = now
        self.boot_seconds = boot_seconds
        self.room = room
        self.broken: set[str] = set()
        self._known: dict[tuple[tuple[str, str], Key], _Replicas] = {}

    async def run(self, every_seconds: float = 0.05) -> None:
        """Step for ever."""
        while True:
            self.step()
            await asyncio.sleep(every_seconds)

    def step(self) -> None:
        """Bring every status to what it is now."""
        used = 0
        there = set()
        for kind in [kind for kind in self._api.kinds if kind.scale and kind.has_status]:
            for key, thing in self._api.store.all(kind.stored):
                there.add((kind.stored, key))
                used += self._move(kind, key, thing, used)
        for gone in self._known.keys() - there:
            del self._known[gone]

    def _move(self, kind: Kind, key: Key, thing: Json, used: int) -> int:
        assert kind.scale is not None
        wanted: Any = thing
        for part in kind.scale.spec_replicas:
            wanted = wanted.get(part) if isinstance(wanted, dict) else None
        if not isinstance(wanted, int):
            return 0
        now = self._now()
        replicas = self._known.setdefault((kind.stored, key), _Replicas(moved_at=now))
        fits = wanted if self.room is None else max(0, min(wanted, self.room - used))
        del replicas.ready_at[fits:]
        added = fits - len(replicas.ready_at)
        is_broken = key[1] in self.broken
        wait = float("inf") if is_broken else self.boot_seconds
        replicas.ready_at += [now + wait] * added
        ready = sum(at <= now for at in replicas.ready_at)
        before = thing.get("status") or {}
        if ready != before.get("readyReplicas", 0) or added:
            replicas.moved_at = now
        status = self._status(kind, thing, wanted, ready, now - replicas.moved_at)
        if status != before:
            self._api.objects.replace(
                kind,
                key,
                {**self._api.objects.get(kind, key), "status": status},
                part="status",
            )
        return len(replicas.ready_at)

    def _status(self, kind: Kind, thing: Json, wanted: int, ready: int, still: float) -> Json:
        before = thing.get("status") or {}
        status = {
            **before,
            "observedGeneration": thing["metadata"].get("generation", 1),
            "replicas": wanted,
        }
        counts = {"readyReplicas": ready, "availableReplicas": ready, "updatedReplicas": wanted}
        if kind.plural == "deployments":
            counts["unavailableReplicas"] = wanted - ready
        for name, count in counts.items():
            status.pop(name, None)
            if count:  # a count of none is left out, as everywhere in this API
                status[name] = count
        if kind.is_custom and kind.scale is not None:
            place: Json = {"status": status}
            *parents, last = kind.scale.status_replicas
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = wanted
        if kind.plural == "deployments":
            limit = thing["spec"].get("progressDeadlineSeconds", 600)
            status["conditions"] = self._conditions(before, wanted, ready, still > limit)
        return status

    def _conditions(self, before: Json, wanted: int, ready: int, is_late: bool) -> list[Json]:
        needed = wanted - wanted // 4  # maxUnavailable of 25%
        available = ("Available", "True", "MinimumReplicasAvailable") if ready >= needed else (
            "Available", "False", "MinimumReplicasUnavailable")  # fmt: skip
        if ready >= wanted:
            progressing = ("Progressing", "True", "NewReplicaSetAvailable")
        elif is_late:
            progressing = ("Progressing", "False", "ProgressDeadlineExceeded")
        else:
            progressing = ("Progressing", "True", "ReplicaSetUpdated")
        had = {condition["type"]: condition for condition in before.get("conditions") or ()}
        found = []
        for name, is_so, reason in (available, progressing):
            old = had.get(name)
            if old is not None and (old["status"], old["reason"]) == (is_so, reason):
                found.append(old)
                continue
            at = timestamp(self._now())
            found.append(
                {
                    "type": name,
                    "status": is_so,
                    "reason": reason,
                    "message": "",
                    "lastUpdateTime": at,
                    "lastTransitionTime": at,
                }
            )
        return found
