"""What is followed is what is there, whatever happens on the way.

Mutations that the property was seen to catch: a watch that goes on from the list's version instead of the
last one seen after a compaction (no new list), deletions that are not taken out, a list that is merged into what was
known instead of replacing it, a watch that counts as well only with its first event, which on a quiet collection is a
minute away.
"""

from __future__ import annotations

import asyncio
import copy
from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.servers.kubernetes_api.faults import Fault, What, of
from tests.servers.kubernetes_api.service import Service
from tests.servers.kubernetes_api.serving import Server
from tests.servers.kubernetes_api.transport import InProcess

from trimtab.clock import ScaledClock
from trimtab.kubernetes.access import Access
from trimtab.kubernetes.connection import Connection
from trimtab.kubernetes.reflector import Reflector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.contract.kubernetes_target.cluster_world import World

MAPS = ("", "configmaps")
SPEED = 500.0
"""Pauses of half a second are a millisecond."""

CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 3), st.integers(0, 9)),
        st.tuples(st.just("drop"), st.integers(0, 3)),
        st.tuples(st.just("compact")),
        st.tuples(st.just("cut"), st.integers(0, 2)),
        st.tuples(st.just("away"), st.sampled_from([What.REFUSE, What.FAIL, What.THROTTLE])),
        st.tuples(st.just("look")),
    ),
    max_size=25,
)


class Maps:
    """ConfigMaps that change, behind a network that fails."""

    def __init__(self, kubeconfig: Path) -> None:
        self.clock = ScaledClock(speed=SPEED, start=1_800_000_000.0)
        self.service = Service(now=self.clock.now)
        connection = Connection(
            self.clock,
            Access(kubeconfig=kubeconfig),
            transport=InProcess(self.service),
            reads_per_second_max=10_000.0,
        )
        self.reflector: Reflector[str] = Reflector(
            connection,
            self.clock,
            Random(1),
            path="/api/v1/namespaces/default/configmaps",
            project=_value,
            on_change=lambda: None,
            relist_seconds=1e9,
        )

    def there(self) -> dict[str, str]:
        return {key[1]: _value(one) for key, one in self.service.api.store.all(MAPS)}

    def known(self) -> dict[str, str]:
        names = [f"c{number}" for number in range(4)]
        found = {name: self.reflector.get(("default", name)) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def change(self, what: str, *how: Any) -> None:
        api = self.service.api
        match what:
            case "set":
                name, data = f"c{how[0]}", {"v": str(how[1])}
                kind = api.kinds.stored(*MAPS)
                if api.store.read(MAPS, ("default", name)) is None:
                    meta = {"name": name}
                    api.add(
                        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
                    )
                else:
                    old = copy.deepcopy(api.objects.get(kind, ("default", name)))
                    api.objects.replace(kind, ("default", name), {**old, "data": data})
            case "drop":
                if api.store.read(MAPS, ("default", f"c{how[0]}")) is not None:
                    api.objects.delete(api.kinds.stored(*MAPS), ("default", f"c{how[0]}"), {})
            case "compact":
                api.store.compact()
            case "cut":
                watch = of("configmaps", "watch")
                self.service.faults.add(
                    Fault(what=What.CUT_WATCH, when=watch, times=1, lines=how[0])
                )
            case "away":
                self.service.faults.add(Fault(what=how[0], times=1, seconds=1.0))


def _value(item: Mapping[str, Any]) -> str:
    return str(item["data"]["v"])


async def comes(holds: Callable[[], bool], tries: int = 2000) -> bool:
    for _ in range(tries):
        if holds():
            return True
        await asyncio.sleep(0.001)
    return False


@given(changes=CHANGES)
@settings(max_examples=15)
def test_after_any_changes_and_failures_what_is_known_is_what_is_there(
    changes: list[tuple[Any, ...]], tmp_path_factory: Any
) -> None:
    async def follow() -> None:
        folder = tmp_path_factory.mktemp("k")
        server = Server(Service(now=lambda: 0.0), "http://cluster", asyncio.get_running_loop())
        maps = Maps(server.kubeconfig(folder / "config"))
        task = asyncio.create_task(maps.reflector.run())
        try:
            maps.change("set", 0, 0)
            await comes(lambda: bool(maps.known()))
            for what, *how in changes:
                if what == "look":
                    await comes(lambda: maps.known() == maps.there(), tries=60)
                else:
                    maps.change(what, *how)
            assert await comes(lambda: maps.known() == maps.there()), (maps.known(), maps.there())
            assert await comes(lambda: maps.reflector.trouble is None)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(follow())


async def test_an_object_that_did_not_change_keeps_its_value_over_a_new_list(
    world: World,
) -> None:
    world.workload()
    target = world.target(relist_seconds=0.2)
    before = await target.read_fleet()
    await world.comes(lambda: world.server.service.count()["list deployments"] >= 1)
    world.api.store.compact()
    world.workload("other")
    after = await world.until(target, lambda fleet: len(fleet) == 2)
    (name,) = before
    assert after[name] is before[name]
