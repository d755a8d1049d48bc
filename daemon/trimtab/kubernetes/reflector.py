"""A copy of a collection that follows the cluster's: listed once, then watched.

The pattern is that of Kubernetes' own controllers (client-go's reflector): list, watch from the version
of the list, go on from the last version seen (bookmarks keep it young), list anew when the server has
forgotten that version (410), and now and then all the same, as what was missed stays missed otherwise.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from trimtab.errors import ErrorKind
from trimtab.kubernetes.api import KubernetesError, error_of
from trimtab.kubernetes.fields import items, part, text, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from trimtab.clock import Clock
    from trimtab.kubernetes.api import Api

T = TypeVar("T")
Key = tuple[str, str]
"""Namespace and name."""

PAGE = 500
"""Objects in one page of a list: client-go's number."""

WATCH_SECONDS = (240.0, 480.0)
"""For how long one watch is asked for; drawn anew each time, so that not all end together."""

SILENCE_SECONDS = 30.0
"""After the time that was asked for, in real time: a watch that says nothing then is a dead line."""

BOOKMARK_SILENCE_SECONDS = 150.0
"""Where the server gives bookmarks, which it does each minute: without any word for so long the line is dead."""

RELIST_SECONDS = 600.0
PAUSE_SECONDS_FIRST = 0.5
PAUSE_SECONDS_MAX = 30.0
SHORT_WATCH_SECONDS = 1.0
PIECE = 10
"""Objects taken in before others get their turn: a workload takes about 0.1 ms."""


class _Kept(NamedTuple, Generic[T]):
    version: str
    uid: str
    value: T


class Reflector(Generic[T]):
    """Follows the collection at ``path`` for as long as ``run`` runs.

    ``project`` makes of each object what is kept of it, and must not raise. An object that is listed
    in the version that is known keeps its value, the very same. ``on_change`` is called after changes.
    """

    def __init__(
        self,
        api: Api,
        clock: Clock,
        random: Random,
        *,
        path: str,
        query: Mapping[str, str] | None = None,
        project: Callable[[Mapping[str, Any]], T],
        on_change: Callable[[], None],
        relist_seconds: float = RELIST_SECONDS,
    ) -> None:
        self._api = api
        self._clock = clock
        self._random = random
        self.path = path
        self._query = dict(query or {})
        self._project = project
        self._on_change = on_change
        self._relist_seconds = relist_seconds
        self._kept: dict[Key, _Kept[T]] = {}
        self._failures = 0
        self._has_bookmarks = False
        self.is_listed = False
        """Whether it was ever listed whole."""

        self.trouble: KubernetesError | None = None
        """Why it cannot be followed just now."""

        self.troubled_at: float | None = None
        """Since when (monotonic)."""

        self.tried = asyncio.Event()
        """Set once the first list came, or failed."""

        self.lists = self.watches = 0

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self._kept)

    def get(self, key: Key) -> T | None:
        """Return what is kept of one object; ``None`` if there is none."""
        kept = self._kept.get(key)
        return None if kept is None else kept.value

    def values(self) -> list[T]:
        """Return what is kept of each object."""
        return [kept.value for kept in self._kept.values()]

    async def run(self) -> None:
        """List and watch for ever."""
        while True:
            began_at = self._clock.monotonic()
            try:
                version = await self._list()
                await self._follow(version)
            except KubernetesError as error:
                await self._pause_after(error)
            else:
                await self._pause_if_short(began_at)

    async def _list(self) -> str:
        """Take in the whole collection; return its version."""
        try:
            found, version = await self._pages(limit=PAGE)
        except KubernetesError as error:
            if not error.is_gone:
                raise
            found, version = await self._pages(limit=None)  # it changed too fast for pages
        kept: dict[Key, _Kept[T]] = {}
        for number, item in enumerate(found):
            if number % PIECE == PIECE - 1:
                await asyncio.sleep(0)
            key, one = self._keep(item)
            kept[key] = one
        before, self._kept = self._kept, kept
        self.lists += 1
        is_first, self.is_listed = not self.is_listed, True
        self.tried.set()
        is_same = before.keys() == kept.keys() and all(
            one.value is before[key].value for key, one in kept.items()
        )
        if is_first or not is_same:
            self._on_change()
        return version

    async def _pages(self, limit: int | None) -> tuple[list[Any], str]:
        found: list[Any] = []
        query = dict(self._query)
        if limit is not None:
            query["limit"] = str(limit)
        while True:
            page = await self._api.call("GET", self.path, query=query)
            found += items(page, "items")
            following = text(page, "metadata", "continue")
            if not following:
                break
            query["continue"] = following
        version = text(page, "metadata", "resourceVersion")
        if not version or not isinstance(page.get("items", []), list):
            raise KubernetesError(
                f"GET {self.path} was answered with something that is no list",
                kind=ErrorKind.BAD_RESPONSE,
            )
        return found, version

    def _keep(self, item: Any) -> tuple[Key, _Kept[T]]:
        meta = part(item, "metadata")
        key = text(meta, "namespace"), text(meta, "name")
        version, uid = text(meta, "resourceVersion"), text(meta, "uid")
        known = self._kept.get(key)
        if known is not None and version and known.version == version and known.uid == uid:
            return key, known
        return key, _Kept(version, uid, self._project(item))

    async def _follow(self, version: str) -> None:
        """Watch on and on from ``version``; return when a new list is due."""
        lasts = self._random.uniform(0.8, 1.2) * self._relist_seconds
        relist_at = self._clock.monotonic() + lasts
        while self._clock.monotonic() < relist_at:
            began_at = self._clock.monotonic()
            try:
                following = await self._watch(version)
            except KubernetesError as error:
                if error.is_gone:
                    return
                if error.kind in (ErrorKind.FORBIDDEN, ErrorKind.UNAUTHENTICATED):
                    raise
                version = self._seen or version
                await self._pause_after(error)
                continue
            if following is None:
                return
            version = following
            await self._pause_if_short(began_at)

    async def _pause_if_short(self, began_at: float) -> None:
        """Keep a server that ends everything at once from being asked all the time."""
        if self._clock.monotonic() - began_at < SHORT_WATCH_SECONDS:
            await self._clock.sleep(self._random.uniform(0.5, 1.0))

    async def _watch(self, version: str) -> str | None:
        """Take in what one watch says; return the last version, ``None`` if that is forgotten."""
        seconds = self._random.uniform(*WATCH_SECONDS)
        query = self._query | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(int(seconds)),
        }
        self.watches += 1
        self._seen: str = version
        stream = self._api.watch(self.path, query, self._is_well)
        try:
            while True:
                async with asyncio.timeout(self._silence_seconds(seconds)):
                    event = await anext(stream, None)
                if event is None:
                    return self._seen
                if not self._take(event):
                    return None
        except TimeoutError as error:
            raise KubernetesError(
                f"the watch of {self.path} fell silent", kind=ErrorKind.TIMEOUT
            ) from error
        finally:
            aclose = getattr(stream, "aclose", None)
            if aclose is not None:
                await aclose()

    def _silence_seconds(self, asked_seconds: float) -> float:
        """Return for how long nothing may be heard on a watch that was asked for so long."""
        if self._has_bookmarks:
            return BOOKMARK_SILENCE_SECONDS
        return asked_seconds + SILENCE_SECONDS

    def _take(self, event: Mapping[str, Any]) -> bool:
        """Take in one event; say whether the watch may go on."""
        item = part(event, "object")
        match event.get("type"):
            case "ADDED" | "MODIFIED":
                key, kept = self._keep(item)
                is_news = self._kept.get(key) is not kept
                self._kept[key] = kept
            case "DELETED":
                meta = part(item, "metadata")
                key = text(meta, "namespace"), text(meta, "name")
                is_news = self._kept.pop(key, None) is not None
            case "BOOKMARK":
                self._has_bookmarks, is_news = True, False
            case "ERROR":
                error = error_of(f"the watch of {self.path}", whole(item, "code") or 500, item)
                if error.is_gone:
                    return False
                raise error
            case _:  # a word of a later version: the object is there when it is listed next
                is_news = False
        self._seen = text(item, "metadata", "resourceVersion") or self._seen
        self._failures = 0
        if is_news:
            self._on_change()
        return True

    def _is_well(self) -> None:
        """Take in that a watch is open: a list alone tells what was."""
        if self.trouble is not None:
            self.trouble = self.troubled_at = None
            self._on_change()

    async def _pause_after(self, error: KubernetesError) -> None:
        if self.trouble is None:
            self.troubled_at = self._clock.monotonic()
        is_other = self.trouble is None or self.trouble.kind is not error.kind
        self.trouble = error
        self.tried.set()
        if is_other:
            self._on_change()
        longest = min(PAUSE_SECONDS_MAX, PAUSE_SECONDS_FIRST * 2.0 ** min(self._failures, 10))
        self._failures += 1
        pause = self._random.uniform(longest / 2, longest)
        if error.retry_after_seconds is not None:
            pause = max(pause, error.retry_after_seconds * self._random.uniform(1.0, 1.1))
        await self._clock.sleep(pause)
