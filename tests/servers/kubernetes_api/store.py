"""What is kept, every version of it, and who waits to hear of the next: etcd's part, without I/O.

One revision counts every write, whatever it was to. History is kept so that a list can be continued
in the state in which it began and a watch can begin in the past, until it is compacted away.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

Json = dict[str, Any]
Key = tuple[str, str]
"""Namespace ("" for what has none) and name."""

FIRST_REVISION = 1000
"""Versions are opaque: nobody may think that the first object has version 1."""


def copied(value: Any) -> Any:
    """A copy of JSON that shares nothing: a quarter of the time that ``copy.deepcopy`` takes."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One write. ``after`` of a removal is the last state with the revision of the removal."""

    revision: int
    stored: tuple[str, str]
    key: Key
    before: Json | None
    after: Json
    is_removal: bool = False


class Store:
    """Objects by kind, namespace and name. What goes in and comes out is never shared with callers."""

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)
        self.revision = FIRST_REVISION
        self.oldest = FIRST_REVISION
        self._objects: dict[tuple[str, str], dict[Key, Json]] = {}
        self._changes: list[Change] = []
        self._listeners: set[Callable[[], None]] = set()

    # -- reading -------------------------------------------------------------------------------

    def read(self, stored: tuple[str, str], key: Key) -> Json | None:
        found = self._objects.get(stored, {}).get(key)
        return copied(found)

    def all(self, stored: tuple[str, str], revision: int | None = None) -> list[tuple[Key, Json]]:
        """Everything of a kind, by key, now or as it was at ``revision``. Not to be written to."""
        state: dict[Key, Json] = dict(self._objects.get(stored, {}))
        if revision is not None and revision < self.revision:
            for change in reversed(self._changes):
                if change.revision <= revision:
                    break
                if change.stored != stored:
                    continue
                if change.before is None:
                    state.pop(change.key, None)
                else:
                    state[change.key] = change.before
        return sorted(state.items())

    def since(self, stored: tuple[str, str], revision: int) -> Iterator[Change]:
        """Changes of a kind after ``revision``, in order."""
        start = bisect_right(self._changes, revision, key=lambda change: change.revision)
        return (change for change in self._changes[start:] if change.stored == stored)

    # -- writing -------------------------------------------------------------------------------

    def new_uid(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def new_suffix(self) -> str:
        return "".join(self._random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))

    def write(self, stored: tuple[str, str], key: Key, thing: Json) -> Json:
        """Keep ``thing`` in the next revision; what is there already in just that state stays as it is."""
        kept = self._objects.setdefault(stored, {})
        before = kept.get(key)
        thing = copied(thing)
        if before is not None:
            thing["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
            if thing == before:
                return thing
        self.revision += 1
        thing["metadata"]["resourceVersion"] = str(self.revision)
        kept[key] = thing
        self._tell(
            Change(revision=self.revision, stored=stored, key=key, before=before, after=thing)
        )
        return copied(thing)

    def remove(self, stored: tuple[str, str], key: Key) -> Json:
        before = self._objects[stored].pop(key)
        self.revision += 1
        last = copied(before)
        last["metadata"]["resourceVersion"] = str(self.revision)
        self._tell(
            Change(
                revision=self.revision,
                stored=stored,
                key=key,
                before=before,
                after=last,
                is_removal=True,
            )
        )
        return copied(last)

    def _tell(self, change: Change) -> None:
        self._changes.append(change)
        for listener in tuple(self._listeners):
            listener()

    def compact(self, revision: int | None = None) -> None:
        """Forget how it was before ``revision`` (now): who wants to go on from there is too late."""
        self.oldest = max(self.oldest, self.revision if revision is None else revision)
        self._changes = [change for change in self._changes if change.revision > self.oldest]
        for listener in tuple(self._listeners):
            listener()

    # -- waiting -------------------------------------------------------------------------------

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` after every change; returns what ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)
