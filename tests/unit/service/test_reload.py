"""The reloader: what it reads, what it puts in force, and what it does where it cannot watch."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from trimtab.clock import ManualClock
from trimtab.core.fleet_policy import NO_FLEET_POLICY, FleetPolicy
from trimtab.core.policy import Policy
from trimtab.service import reload as reload_module
from trimtab.service.reload import PolicyFiles, Reload, Reloader, ReloadResult, Trigger

PATIENCE_SECONDS = 20.0


def text(name: str, replicas: int = 1) -> str:
    return f"""\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {{name: {name}}}
spec:
  deployments: {{match: {{displayName: "{name}*"}}}}
  rules: [{{name: fixed, role: demand, strategy: {{type: fixed, replicas: {replicas}}}}}]
"""


class Service:
    """What the daemon is to the reloader: it remembers what was put in force and what was told."""

    def __init__(self, folder: Path, rescan_seconds: float = 60.0) -> None:
        files = PolicyFiles(folder)
        in_force = files.read()[1]
        self.policies: tuple[Policy, ...] = in_force.policies
        self.fleet = in_force.fleet
        self.swaps = 0
        self.told: list[Reload] = []
        self.news = asyncio.Event()
        self.reloader = Reloader(
            ManualClock(1000.0),
            files,
            in_force=(self.policies, self.fleet),
            put_in_force=self.put_in_force,
            on_reload=self.hear,
            rescan_seconds=rescan_seconds,
        )

    async def put_in_force(
        self, policies: tuple[Policy, ...], documents: Mapping[str, str], fleet: FleetPolicy
    ) -> None:
        self.swaps += 1
        self.policies = policies
        self.documents = documents
        self.fleet = fleet

    def hear(self, reload: Reload) -> None:
        self.told.append(reload)
        self.news.set()

    async def next(self) -> Reload:
        await asyncio.wait_for(self.news.wait(), PATIENCE_SECONDS)
        self.news.clear()
        return self.told[-1]

    @property
    def names(self) -> list[str]:
        return [policy.name for policy in self.policies]


def fleet(hold: str, more: str = "") -> str:
    return f"""\
apiVersion: trimtab.dev/v1
kind: Fleet
metadata: {{name: acme}}
spec: {{hold: {hold}{more}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "a.yaml").write_text(text("one"), encoding="utf-8")
    return folder


def replacement(folder: Path) -> None:
    """A directory of the same name, which is another one."""
    folder.mkdir()


@asynccontextmanager
async def watching(service: Service) -> AsyncIterator[None]:
    """Let it watch; the watch stands once a first change was seen."""
    task = asyncio.create_task(service.reloader.run())
    probe = service.reloader.path / "probe.yaml"
    probe.write_text(text("probe"), encoding="utf-8")
    await service.next()
    probe.unlink()
    while "probe" in service.names:
        await service.next()
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_reload_says_what_it_changed(folder: Path) -> None:
    service = Service(folder)
    (folder / "b.yaml").write_text(text("two"), encoding="utf-8")
    reload = await service.reloader.reload(Trigger.REQUEST)
    assert (reload.result, reload.added, service.names) == (
        ReloadResult.OK,
        ("two",),
        ["one", "two"],
    )
    (folder / "a.yaml").write_text(text("one", 4), encoding="utf-8")
    (folder / "b.yaml").unlink()
    reload = await service.reloader.reload(Trigger.REQUEST)
    assert (reload.changed, reload.removed) == (("one",), ("two",))


async def test_what_is_ordered_for_the_fleet_is_put_in_force_with_the_policies(
    folder: Path,
) -> None:
    service = Service(folder)
    path = folder / "fleet.yaml"
    path.write_text(fleet("10m"), encoding="utf-8")
    reload = await service.reloader.reload(Trigger.REQUEST)
    assert (reload.result, reload.is_fleet_changed) == (ReloadResult.OK, True)
    assert (service.fleet.hold_seconds, service.names) == (600.0, ["one"])
    assert set(service.documents) == {str(folder / "a.yaml"), str(path)}
    path.write_text(fleet("20m", ", quotas: [{accelerator: X, max: -1}]"), encoding="utf-8")
    reload = await service.reloader.reload(Trigger.REQUEST)
    assert (reload.result, reload.is_fleet_changed) == (ReloadResult.BAD_FILES, False)
    assert [bad.kept for bad in reload.bad] == [(f"the Fleet at {path}:1",)]
    assert (service.fleet.hold_seconds, service.swaps) == (600.0, 1)
    path.unlink()
    reload = await service.reloader.reload(Trigger.REQUEST)
    assert (reload.is_fleet_changed, service.fleet) == (True, NO_FLEET_POLICY)


async def test_new_defaults_of_the_fleet_change_policies_whose_files_stand(folder: Path) -> None:
    service = Service(folder)
    path = folder / "fleet.yaml"
    path.write_text(fleet("10m", ", defaults: {priority: 7}"), encoding="utf-8")
    reload = await service.reloader.reload(Trigger.REQUEST)
    assert (reload.changed, service.policies[0].priority) == (("one",), 7)


async def test_nothing_new_swaps_nothing_and_is_told_only_to_who_asked(folder: Path) -> None:
    service = Service(folder)
    for trigger in Trigger:
        reload = await service.reloader.reload(trigger)
        assert reload.result is ReloadResult.UNCHANGED
    assert service.swaps == 0
    assert {one.trigger for one in service.told} == {
        Trigger.START,
        Trigger.SIGNAL,
        Trigger.REQUEST,
    }


async def test_a_bad_file_swaps_nothing_and_stays_on_the_status_until_it_is_mended(
    folder: Path,
) -> None:
    service = Service(folder)
    (folder / "a.yaml").write_text("spec: [", encoding="utf-8")
    reload = await service.reloader.reload(Trigger.CHANGE)
    assert (reload.result, service.names, service.swaps) == (ReloadResult.BAD_FILES, ["one"], 0)
    assert [bad.kept for bad in service.reloader.status.bad] == [("one",)]
    assert not service.reloader.status.is_successful
    (folder / "a.yaml").write_text(text("one"), encoding="utf-8")
    await service.reloader.reload(Trigger.CHANGE)
    assert service.reloader.status.is_successful


async def test_readings_come_one_after_the_other(folder: Path) -> None:
    service = Service(folder)
    (folder / "b.yaml").write_text(text("two"), encoding="utf-8")
    reloads = await asyncio.gather(*(service.reloader.reload(Trigger.REQUEST) for _ in range(10)))
    assert [one.result for one in reloads].count(ReloadResult.OK) == 1
    assert service.swaps == 1


async def test_a_change_is_seen_where_it_happens(folder: Path) -> None:
    service = Service(folder)
    async with watching(service):
        service.news.clear()
        (folder / "a.yaml").write_text(text("one", 9), encoding="utf-8")
        reload = await service.next()
        assert (reload.trigger, reload.changed) == (Trigger.CHANGE, ("one",))


async def test_a_directory_that_is_replaced_is_followed(folder: Path) -> None:
    service = Service(folder, rescan_seconds=0.5)
    async with watching(service):
        service.news.clear()
        shutil.rmtree(folder)
        assert (await service.next()).result is ReloadResult.BAD_FILES
        assert service.names == ["one"]
        replacement(folder)
        (folder / "b.yaml").write_text(text("two"), encoding="utf-8")
        while service.names != ["two"]:
            await service.next()
        # ... and watched again.
        (folder / "b.yaml").write_text(text("two", 3), encoding="utf-8")
        while service.told[-1].changed != ("two",):
            await service.next()


async def test_where_nothing_can_be_watched_a_scan_finds_the_change(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_watches(*_: object, **__: object) -> None:
        raise OSError(24, "inotify watch limit reached")

    monkeypatch.setattr(reload_module, "awatch", no_watches)
    service = Service(folder, rescan_seconds=0.05)
    task = asyncio.create_task(service.reloader.run())
    (folder / "a.yaml").write_text(text("one", 9), encoding="utf-8")
    reload = await service.next()
    assert (reload.trigger, reload.changed) == (Trigger.RESCAN, ("one",))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_who_asks_is_answered_soon(folder: Path) -> None:
    service = Service(folder)
    task = asyncio.create_task(service.reloader.run_when_asked())
    service.reloader.ask()
    assert (await service.next()).trigger is Trigger.SIGNAL
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
