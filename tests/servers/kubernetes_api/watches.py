"""Watches: what changed after a version, as it happens, with bookmarks and a word when it is too late."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random
from typing import Any

from tests.servers.kubernetes_api.failures import Refusal, too_old
from tests.servers.kubernetes_api.kinds import Kind
from tests.servers.kubernetes_api.lists import selected, version_of
from tests.servers.kubernetes_api.objects import Objects
from tests.servers.kubernetes_api.requests import Request, Route

Json = dict[str, Any]

BOOKMARK_SECONDS = 60.0
TIMEOUT_SECONDS_MIN = 1800.0


class Watch:
    """One watch. ``take`` is what there is to tell now; ``lines`` tells it as time passes."""

    def __init__(
        self,
        objects: Objects,
        kind: Kind,
        route: Route,
        request: Request,
        *,
        random: Random,
        bookmark_seconds: float = BOOKMARK_SECONDS,
    ) -> None:
        self._objects = objects
        self._store = objects.store
        self._kind = kind
        self._namespace = route.namespace
        self._belongs = selected(kind, request)
        self._bookmark_seconds = bookmark_seconds
        self._wants_bookmarks = request.query.get("allowWatchBookmarks") in ("1", "true", "True")
        wanted = request.number("timeoutSeconds")
        self.timeout_seconds = (
            float(wanted) if wanted else TIMEOUT_SECONDS_MIN * (1 + random.random())
        )
        version = request.query.get("resourceVersion", "")
        self._told: list[Json] = []
        self._at = self._store.revision
        self._too_late: Refusal | None = None
        if version in ("", "0"):
            self._told = [
                self._event("ADDED", thing)
                for key, thing in self._store.all(kind.stored)
                if self._is_here(key[0]) and self._belongs(thing)
            ]
        else:
            self._at = version_of(version)

    def _is_here(self, namespace: str) -> bool:
        return not self._namespace or namespace == self._namespace

    def _event(self, what: str, thing: Json) -> Json:
        return {"type": what, "object": self._objects.shown(self._kind, thing)}

    def take(self) -> list[Json]:
        """Events since the last call. One of type ``ERROR`` is the last that there will be."""
        if self._too_late is not None:
            return []
        events, self._told = self._told, []
        if self._at < self._store.oldest:
            self._too_late = too_old(self._at, self._store.oldest)
            return [*events, {"type": "ERROR", "object": self._too_late.body()}]
        for change in self._store.since(self._kind.stored, self._at):
            if not self._is_here(change.key[0]):
                continue
            was = change.before is not None and self._belongs(change.before)
            fits = not change.is_removal and self._belongs(change.after)
            if fits:
                events.append(self._event("MODIFIED" if was else "ADDED", change.after))
            elif was:
                last = dict(change.before or {})
                last["metadata"] = last["metadata"] | {
                    "resourceVersion": change.after["metadata"]["resourceVersion"]
                }
                events.append(self._event("DELETED", last))
        self._at = max(self._at, self._store.revision)
        return events

    @property
    def is_over(self) -> bool:
        return self._too_late is not None

    def bookmark(self) -> Json:
        metadata = {"resourceVersion": str(self._at), "creationTimestamp": None}
        shown = {
            "kind": self._kind.kind,
            "apiVersion": self._kind.api_version,
            "metadata": metadata,
        }
        return {"type": "BOOKMARK", "object": shown}

    async def lines(self) -> AsyncIterator[bytes]:
        """Tell until the time is up. Time is the event loop's."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        stop_listening = self._store.listen(woken.set)
        end_at = loop.time() + self.timeout_seconds
        never = float("inf")
        # One bookmark a minute, and one shortly before the end: who goes on then is not too late.
        marks_at = loop.time() + self._bookmark_seconds if self._wants_bookmarks else never
        last_mark_at = end_at - 2.0 if self._wants_bookmarks and self.timeout_seconds > 2 else never
        try:
            while True:
                woken.clear()
                for event in self.take():
                    yield _line(event)
                if self.is_over:
                    return
                now = loop.time()
                if now >= min(marks_at, last_mark_at):
                    yield _line(self.bookmark())
                    last_mark_at = never if now >= last_mark_at else last_mark_at
                    marks_at = now + self._bookmark_seconds
                if now >= end_at:
                    return
                wait = max(0.0, min(end_at, marks_at, last_mark_at) - now)
                # Not wait_for: before Python 3.12 it loses a cancellation that comes with the event.
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await woken.wait()
        finally:
            stop_listening()


def _line(event: Json) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"
