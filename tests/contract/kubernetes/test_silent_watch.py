"""A watch whose line is dead and that nobody was told of: noticed by what does not come."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

from tests.worlds.kubernetes_cluster import Cluster, in_a_cluster

from trimtab.kubernetes.reflector import BOOKMARK_SILENCE_SECONDS, Reflector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

MAPS = "/api/v1/namespaces/default/configmaps"


class Mute:
    """An ``Api`` whose first watch says nothing any more from ``mute_at`` on, and does not end either."""

    def __init__(self, cluster: Cluster, mute_at: float) -> None:
        self._api = cluster.connection("a")
        self._clock = cluster.clock
        self._mute_at = mute_at
        self.watches = 0
        self.drops = "everything"
        self.call = self._api.call

    async def watch(
        self, path: str, query: Mapping[str, str], on_open: Callable[[], None] | None = None
    ) -> AsyncIterator[Mapping[str, Any]]:
        self.watches += 1
        is_first = self.watches == 1
        if on_open is not None:
            on_open()
        async for event in self._api.watch(path, query):
            is_mute = is_first and self._clock.monotonic() >= self._mute_at
            if is_mute and self.drops == "everything":
                await asyncio.Event().wait()
            if not (self.drops == "bookmarks" and event["type"] == "BOOKMARK"):
                yield event


def following(cluster: Cluster, api: Any) -> tuple[Reflector[str], asyncio.Task[None]]:
    reflector: Reflector[str] = Reflector(
        api,
        cluster.clock,
        Random(1),
        path=MAPS,
        project=lambda item: str(item["data"]["v"]),
        on_change=lambda: None,
        relist_seconds=1e9,
    )
    return reflector, asyncio.create_task(reflector.run())


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"v": "1"}}


@in_a_cluster
async def test_a_line_that_is_dead_is_known_by_the_bookmarks_that_do_not_come(
    cluster: Cluster,
) -> None:
    api = Mute(cluster, mute_at=cluster.clock.monotonic() + 90.0)
    reflector, running = following(cluster, api)
    await asyncio.sleep(95.0)
    cluster.api.add(config_map("unheard-of"))
    await asyncio.sleep(BOOKMARK_SILENCE_SECONDS)
    running.cancel()
    assert reflector.get(("default", "unheard-of")) == "1"
    assert api.watches == 2
    assert reflector.lists == 1, "it goes on from the last bookmark"


@in_a_cluster
async def test_a_server_that_gives_no_bookmarks_is_listened_to_for_as_long_as_was_asked(
    cluster: Cluster,
) -> None:
    api = Mute(cluster, mute_at=1e12)
    api.drops = "bookmarks"
    _, running = following(cluster, api)
    await asyncio.sleep(BOOKMARK_SILENCE_SECONDS + 60.0)
    running.cancel()
    assert api.watches == 1
