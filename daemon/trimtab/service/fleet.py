"""What is known of every deployment of every target, and how old that knowledge is.

One live mapping, and the names of what changed in it: nobody has to look at everything to see what is
new. A deployment that a listing shows as it was keeps its object, and with it the time at which it was
read; only after it was read by itself, or written, does the next listing count as newer in any case.

A target that cannot be read keeps its last view: its deployments do not look deleted, they look as
they last did, and the view says since when nothing newer is known.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, fields
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

from trimtab.core.deployment import POLICY_ANNOTATION, PRIORITY_ANNOTATION, Deployment
from trimtab.errors import ErrorKind, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trimtab.clock import Clock
    from trimtab.targets.port import Target

LOOKS_MAX = 32
"""How many expected deployments are asked for by name in one refresh."""

READ_SECONDS_MAX = 120.0
"""In real time: a whole fleet that takes longer to list is a connection that hangs."""

PIECE = 200
"""Deployments compared before others get their turn: about a millisecond."""

_contents = attrgetter(
    *(one.name for one in fields(Deployment) if one.name not in ("observed_at", "name"))
)
"""All that a reading tells of a deployment, apart from when it was read."""

_essence = attrgetter(
    "state",
    "state_text",
    "min_replicas",
    "max_replicas",
    "desired_replicas",
    "replica_count",
    "pipeline",
    "shape",
    "schedule_floors",
    "other_scaler",
    "created_at",
    "expires_at",
    "deleted_at",
    "purged_at",
    "base_model",
    "display_name",
    "region",
)
"""What a decision depends on; the rest (messages, notes) may change without waking."""

_matched_by = attrgetter("base_model", "display_name", "region")


def _traits(deployment: Deployment) -> tuple[object, ...]:
    """Return what policies match by, apart from the name."""
    return (*_matched_by(deployment), deployment.annotations.get(POLICY_ANNOTATION))


def _ordered(deployment: Deployment) -> tuple[str | None, str | None]:
    """Return what its annotations order."""
    found = deployment.annotations
    return found.get(POLICY_ANNOTATION), found.get(PRIORITY_ANNOTATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A target cannot be read: since when (UTC seconds), how it failed, and a sentence."""

    since: float
    kind: ErrorKind
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How reading a target's whole fleet went: what is to be decided anew, or what the trouble is.

    ``view_age_seconds`` is how old the view is that remains in force; ``None``: there is none.
    """

    target: str
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    trouble: Trouble | None = None
    retry_after_seconds: float | None = None
    view_age_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetChanges:
    """The names whose deployment is another object now, and those that certainly exist no more."""

    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(slots=True)
class _View:
    """Which deployments are one target's, and the turn at which some were read by themselves.

    ``expected`` are those that an earlier run knew and that were not seen yet.
    """

    names: dict[str, None] = field(default_factory=dict)
    put_turns: dict[str, int] = field(default_factory=dict)
    expected: set[str] = field(default_factory=set)
    read_at: float | None = None
    trouble: Trouble | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Fleet:
    """The deployments of several targets as one mapping, each target read on its own."""

    def __init__(self, clock: Clock, targets: Sequence[Target]) -> None:
        self._clock = clock
        self._targets = tuple(targets)
        self._views = {target.name: _View() for target in targets}
        if len(self._views) != len(self._targets):
            names = ", ".join(sorted(target.name for target in targets))
            raise ValueError(f"every target needs a name of its own, not {names}")
        self._deployments: dict[str, Deployment] = {}
        self._changes: dict[str, None] = {}
        self._turn = 0  # counts what is taken in, to tell which of two readings began first
        self.deployments: Mapping[str, Deployment] = MappingProxyType(self._deployments)
        """Every known deployment by full name, as last read. Live: it changes between two awaits."""
        self.roster_version = 0
        """Rises when a deployment came, went, or may be matched by other policies than before."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets, in the order given."""
        return self._targets

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

    def take_changes(self) -> FleetChanges:
        """Return what changed since the last call, each name once.

        What belongs to a target that was never read, or to none (its account left the settings), is
        not known to be anything, least of all gone, and neither is what was expected and not looked
        for by name yet.
        """
        known = self._deployments
        names, self._changes = self._changes, {}
        return FleetChanges(
            changed=tuple(name for name in names if name in known),
            gone=tuple(name for name in names if name not in known),
        )

    def out_of_reach(self, names: Iterable[str]) -> tuple[str, ...]:
        """Name those of ``names`` that no target reaches: their account left the settings."""
        return tuple(name for name in names if self.target_of(name) is None)

    def expect(self, names: Iterable[str]) -> None:
        """Take in which deployments an earlier run knew, before anything is read.

        A list may lack one, because rows move between its pages; so one of these that the list lacks
        is asked for by name before it counts as gone.
        """
        for name in names:
            view = self._view_of(name)
            if view is not None and name not in self._deployments:
                view.expected.add(name)

    def count(self, target: str) -> int:
        """Return how many deployments of ``target`` are known."""
        return len(self._views[target].names)

    def read_at(self, target: str) -> float | None:
        """Return when the whole fleet of ``target`` was last read (UTC seconds)."""
        return self._views[target].read_at

    def trouble(self, target: str) -> Trouble | None:
        """Return why the view of ``target`` is old, or ``None`` when the last reading worked."""
        return self._views[target].trouble

    async def refresh(self, target: Target) -> Reading:
        """Read the whole fleet of one target anew. A failure keeps the view and is in the answer."""
        view = self._views[target.name]
        async with view.turn:  # taking in gives way to others: two lists must not mix
            return await self._refresh(target, view)

    async def _refresh(self, target: Target, view: _View) -> Reading:
        started_turn = self._turn
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                found = await target.read_fleet()
        except TargetError as error:
            return self._failed(target.name, view, error)
        except TimeoutError:
            sentence = f"{target.name} did not list its deployments within {READ_SECONDS_MAX:.0f} s"
            return self._failed(target.name, view, TargetError(sentence, kind=ErrorKind.TIMEOUT))
        added, lost = await self._look_for_expected(target, view, found)
        listed = dict(found) | added if added else found
        settled = view.put_turns
        view.put_turns = {name: at for name, at in settled.items() if at > started_turn}
        changed: list[str] = []
        for number, (name, fresh) in enumerate(listed.items()):
            if number and number % PIECE == 0:
                await asyncio.sleep(0)
            # Read by itself after this listing began, so the listing may be older: keep what is newer.
            if name not in view.put_turns and self._take_in(
                view, name, fresh, is_news=name in settled
            ):
                changed.append(name)
        gone = [name for name in view.names if name not in listed and name not in view.put_turns]
        for name in gone:
            self._lose(view, name)
        for name in lost:
            self._changes[name] = None
        view.read_at = self._clock.now()
        view.trouble = None
        return Reading(
            target=target.name,
            changed=tuple(changed),
            gone=(*gone, *lost),
            view_age_seconds=0.0,
        )

    async def _look_for_expected(
        self, target: Target, view: _View, listed: Mapping[str, Deployment]
    ) -> tuple[dict[str, Deployment], list[str]]:
        """Ask for those by name that the list lacks; return which are there, and which are not."""
        added: dict[str, Deployment] = {}
        lost: list[str] = []
        view.expected -= listed.keys()
        for name in sorted(view.expected)[:LOOKS_MAX]:
            try:
                async with asyncio.timeout(READ_SECONDS_MAX):
                    found = await target.read(name)
            except (TargetError, TimeoutError):
                break  # the next refresh looks again; until then nothing is known of it
            view.expected.discard(name)
            if found is not None:
                added[name] = found
            elif name not in self._deployments:
                lost.append(name)
        return added, lost

    def put(self, deployment: Deployment) -> None:
        """Take in one deployment that was just read by itself."""
        view = self._view_of(deployment.name)
        if view is not None:
            view.expected.discard(deployment.name)
            self._take_in(view, deployment.name, deployment, is_news=True)
            self._touched(view, deployment.name)

    def drop(self, deployment: str) -> None:
        """Take in that one deployment was just found to be no more."""
        view = self._view_of(deployment)
        if view is not None:
            view.expected.discard(deployment)
            self._lose(view, deployment)
            self._touched(view, deployment)

    def _take_in(self, view: _View, name: str, fresh: Deployment, *, is_news: bool) -> bool:
        """Keep what is newer; say whether it differs in something that a decision depends on."""
        known = self._deployments.get(name)
        if known is fresh or (
            known is not None and not is_news and _contents(known) == _contents(fresh)
        ):
            return False
        self._deployments[name] = fresh
        self._changes[name] = None
        if known is None:
            view.names[name] = None
            self.roster_version += 1
            return True
        if _traits(known) != _traits(fresh):
            self.roster_version += 1
        return _essence(known) != _essence(fresh) or _ordered(known) != _ordered(fresh)

    def _lose(self, view: _View, name: str) -> None:
        if self._deployments.pop(name, None) is not None:
            del view.names[name]
            self.roster_version += 1
        self._changes[name] = None

    def _touched(self, view: _View, deployment: str) -> None:
        self._turn += 1
        view.put_turns[deployment] = self._turn

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
