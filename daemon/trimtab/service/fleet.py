"""What is known of every deployment of every target, and how old that knowledge is.

A target that cannot be read keeps its last view: its deployments do not look deleted, they look as
they last did, and the view says since when nothing newer is known.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trimtab.clock import Clock
    from trimtab.core.deployment import Deployment
    from trimtab.targets.port import Target

LOOKS_MAX = 32
"""How many expected deployments are asked for by name in one refresh."""

READ_SECONDS_MAX = 120.0
"""In real time: a whole fleet that takes longer to list is a connection that hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A target cannot be read: since when (UTC seconds), how it failed, and a sentence."""

    since: float
    kind: ErrorKind
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How reading a target's whole fleet went: what changed, or what the trouble is.

    ``view_age_seconds`` is how old the view is that remains in force; ``None``: there is none.
    """

    target: str
    changed: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    trouble: Trouble | None = None
    retry_after_seconds: float | None = None
    view_age_seconds: float | None = None


@dataclass(slots=True)
class _View:
    """One target's deployments as last read, and the turn at which some were read by themselves.

    ``expected`` are those that an earlier run knew and that were not seen yet.
    """

    deployments: dict[str, Deployment] = field(default_factory=dict)
    put_turns: dict[str, int] = field(default_factory=dict)
    expected: set[str] = field(default_factory=set)
    read_at: float | None = None
    trouble: Trouble | None = None


class Fleet:
    """The deployments of several targets as one mapping, each target read on its own."""

    def __init__(self, clock: Clock, targets: Sequence[Target]) -> None:
        self._clock = clock
        self._targets = tuple(targets)
        self._views = {target.name: _View() for target in targets}
        if len(self._views) != len(self._targets):
            names = ", ".join(sorted(target.name for target in targets))
            raise ValueError(f"every target needs a name of its own, not {names}")
        self._merged: Mapping[str, Deployment] | None = None
        self._turn = 0  # counts what is taken in, to tell which of two readings began first

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets, in the order given."""
        return self._targets

    @property
    def deployments(self) -> Mapping[str, Deployment]:
        """Every known deployment by full name, as last read. A value: later readings leave it be."""
        if self._merged is None:
            merged: dict[str, Deployment] = {}
            for view in self._views.values():
                merged.update(view.deployments)
            self._merged = MappingProxyType(merged)
        return self._merged

    @property
    def unread(self) -> tuple[str, ...]:
        """The targets that have never been read."""
        return tuple(name for name, view in self._views.items() if view.read_at is None)

    @property
    def is_known(self) -> bool:
        """Whether any target has been read: before that, everything would look deleted."""
        return any(view.read_at is not None for view in self._views.values())

    def target_of(self, deployment: str) -> Target | None:
        """Return the target through which ``deployment`` is reached."""
        return next((target for target in self._targets if target.owns(deployment)), None)

    def absent(self, names: Iterable[str]) -> tuple[str, ...]:
        """Name those of ``names`` that certainly exist no more: their target was read and lacks them.

        What belongs to a target that was never read, or to none (its account left the settings), is
        not known to be anything, and neither is what was expected and not looked for by name yet.
        """
        known = self.deployments
        return tuple(name for name in names if name not in known and self._is_read(name))

    def out_of_reach(self, names: Iterable[str]) -> tuple[str, ...]:
        """Name those of ``names`` that no target reaches: their account left the settings."""
        return tuple(name for name in names if self.target_of(name) is None)

    def _is_read(self, name: str) -> bool:
        view = self._view_of(name)
        return view is not None and view.read_at is not None and name not in view.expected

    def expect(self, names: Iterable[str]) -> None:
        """Take in which deployments an earlier run knew, before anything is read.

        A list may lack one, because rows move between its pages; so one of these that the list lacks
        is asked for by name before it counts as gone.
        """
        for name in names:
            view = self._view_of(name)
            if view is not None and name not in view.deployments:
                view.expected.add(name)

    def count(self, target: str) -> int:
        """Return how many deployments of ``target`` are known."""
        return len(self._views[target].deployments)

    def read_at(self, target: str) -> float | None:
        """Return when the whole fleet of ``target`` was last read (UTC seconds)."""
        return self._views[target].read_at

    def trouble(self, target: str) -> Trouble | None:
        """Return why the view of ``target`` is old, or ``None`` when the last reading worked."""
        return self._views[target].trouble

    async def refresh(self, target: Target) -> Reading:
        """Read the whole fleet of one target anew. A failure keeps the view and is in the answer."""
        view = self._views[target.name]
        started_turn = self._turn
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                found = await target.read_fleet()
        except TargetError as error:
            return self._failed(target.name, view, error)
        except TimeoutError:
            sentence = f"{target.name} did not list its deployments within {READ_SECONDS_MAX:.0f} s"
            return self._failed(target.name, view, TargetError(sentence, kind=ErrorKind.TIMEOUT))
        fresh = dict(found)
        await self._look_for_expected(target, view, fresh)
        view.put_turns = {name: at for name, at in view.put_turns.items() if at > started_turn}
        for name in view.put_turns:
            # Read by itself after this listing began, so the listing may be older: keep what is newer.
            if name in view.deployments:
                fresh[name] = view.deployments[name]
            else:
                fresh.pop(name, None)
        changed = frozenset(_changed(view.deployments, fresh))
        gone = frozenset(view.deployments.keys() - fresh.keys())
        view.deployments = fresh
        view.read_at = self._clock.now()
        view.trouble = None
        self._merged = None
        return Reading(target=target.name, changed=changed, gone=gone, view_age_seconds=0.0)

    async def _look_for_expected(
        self, target: Target, view: _View, fresh: dict[str, Deployment]
    ) -> None:
        view.expected -= fresh.keys()
        for name in sorted(view.expected)[:LOOKS_MAX]:
            try:
                async with asyncio.timeout(READ_SECONDS_MAX):
                    found = await target.read(name)
            except (TargetError, TimeoutError):
                return  # the next refresh looks again; until then nothing is known of it
            view.expected.discard(name)
            if found is not None:
                fresh[name] = found

    def put(self, deployment: Deployment) -> None:
        """Take in one deployment that was just read by itself."""
        view = self._view_of(deployment.name)
        if view is not None:
            view.deployments[deployment.name] = deployment
            self._touched(view, deployment.name)

    def drop(self, deployment: str) -> None:
        """Take in that one deployment was just found to be no more."""
        view = self._view_of(deployment)
        if view is not None:
            view.deployments.pop(deployment, None)
            self._touched(view, deployment)

    def _touched(self, view: _View, deployment: str) -> None:
        self._turn += 1
        view.put_turns[deployment] = self._turn
        self._merged = None

    def _view_of(self, deployment: str) -> _View | None:
        target = self.target_of(deployment)
        return None if target is None else self._views[target.name]

    def _failed(self, target: str, view: _View, error: TargetError) -> Reading:
        now = self._clock.now()
        since = now if view.trouble is None else view.trouble.since
        view.trouble = Trouble(since=since, kind=error.kind, sentence=str(error))
        return Reading(
            target=target,
            trouble=view.trouble,
            retry_after_seconds=error.retry_after_seconds,
            view_age_seconds=None if view.read_at is None else now - view.read_at,
        )


def _changed(before: Mapping[str, Deployment], after: Mapping[str, Deployment]) -> Iterable[str]:
    """Name what is new or differs in something that a decision depends on."""
    for name, deployment in after.items():
        known = before.get(name)
        if known is None or _essence(known) != _essence(deployment):
            yield name


def _essence(deployment: Deployment) -> tuple[object, ...]:
    """Return what a decision depends on; the rest (time of reading, …) may change without waking."""
    return (
        deployment.state,
        deployment.state_text,
        deployment.min_replicas,
        deployment.max_replicas,
        deployment.desired_replicas,
        deployment.replica_count,
        deployment.pipeline,
        deployment.shape,
        deployment.schedule_floors,
        deployment.created_at,
        deployment.expires_at,
        deployment.deleted_at,
        deployment.purged_at,
    )
