"""Hot reload: policy files change, the policies in force follow, and nothing else is disturbed.

The directory is watched, not its files: a mounted Kubernetes ConfigMap changes by a symbolic link
(``..data``) being replaced, of which its files see nothing. Where watching fails or sees too little
(network file systems, links that lead elsewhere), a slow scan over the contents finds what was missed.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog
from watchfiles import awatch

from trimtab.policy import PolicyStore
from trimtab.policy.last_good import LastGood

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
    from pathlib import Path

    from trimtab.clock import Clock
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.policy import Policy
    from trimtab.policy import LoadReport
    from trimtab.policy.diagnostics import Diagnostic
    from trimtab.policy.last_good import BadFile, InForce

LOG = structlog.get_logger("trimtab")

RESCAN_SECONDS = 60.0
"""How often the contents are compared whatever the file system reported. In real time, as files live."""

REQUEST_SECONDS_MAX = 30.0
"""How long a request to reload may take, of real time: files are read in real time."""

QUIET_MILLISECONDS = 100
"""Changes are taken in once there were none for this long, so that an editor may write in peace."""


class Trigger(StrEnum):
    """What made the files be read."""

    START = "start"
    CHANGE = "change"
    RESCAN = "rescan"
    SIGNAL = "signal"
    REQUEST = "request"


class ReloadResult(StrEnum):
    """How a reload ended; ``BAD_FILES``: some file keeps its last good version."""

    OK = "ok"
    BAD_FILES = "bad_files"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """One reading of the policy files: what came of it, and what it changed in force, by name.

    ``is_fleet_changed``: whether what is ordered for all deployments together is another.
    """

    at: float
    trigger: Trigger
    result: ReloadResult
    policies: tuple[str, ...]
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    bad: tuple[BadFile, ...] = ()
    is_fleet_changed: bool = False


@dataclass(frozen=True, slots=True)
class PolicyFilesStatus:
    """The policy files as last read: when, and those that are not in force as written."""

    path: str
    read_at: float
    bad: tuple[BadFile, ...]

    @property
    def is_successful(self) -> bool:
        """Whether everything that is written is in force."""
        return not self.bad


class PolicyFiles:
    """A path of policy files, and what of it is in force. Blocking; used by one thread at a time."""

    def __init__(self, path: Path, *, sources: Collection[str] | None = None) -> None:
        self.path = path
        self._store = PolicyStore(sources=sources)
        self._last_good = LastGood()
        self._report: LoadReport | None = None
        self._in_force: InForce | None = None

    @property
    def documents(self) -> Mapping[str, str]:
        """The texts that the policies in force come from, by file; none before the first reading."""
        return {} if self._in_force is None else self._in_force.documents

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Everything that the last reading found, warnings included."""
        return () if self._report is None else self._report.diagnostics

    def read(self) -> tuple[LoadReport, InForce, bool]:
        """Read the files: the report, what is in force now, and whether anything is new."""
        report = self._store.load(self.path)
        is_new = report != self._report or self._in_force is None
        if is_new or self._in_force is None:
            self._in_force = self._last_good.take(report)
        self._report = report
        return report, self._in_force, is_new


class Reloader:
    """Reads the files when they change or somebody asks, and puts what is good in force.

    ``put_in_force`` swaps the policies, and what is ordered for the fleet, between two evaluations and
    returns when it is done; it also hears the documents that they come from.
    """

    def __init__(
        self,
        clock: Clock,
        files: PolicyFiles,
        *,
        in_force: tuple[tuple[Policy, ...], FleetPolicy],
        put_in_force: Callable[
            [tuple[Policy, ...], Mapping[str, str], FleetPolicy], Awaitable[None]
        ],
        on_reload: Callable[[Reload], None],
        rescan_seconds: float = RESCAN_SECONDS,
    ) -> None:
        self._clock = clock
        self._files = files
        self._policies, self._fleet = in_force
        self._put_in_force = put_in_force
        self._on_reload = on_reload
        self._rescan_seconds = rescan_seconds
        self._one_at_a_time = asyncio.Lock()
        self._asked = asyncio.Event()
        self._answered = asyncio.Event()
        self._answered.set()
        self._is_watching = True
        self.status = PolicyFilesStatus(str(files.path), clock.now(), ())

    @property
    def path(self) -> Path:
        """Where the files are."""
        return self._files.path

    def ask(self) -> asyncio.Event:
        """Have the files read soon (SIGHUP). Returns at once what is set when it was done, or failed."""
        self._answered.clear()
        self._asked.set()
        return self._answered

    async def reload(self, trigger: Trigger) -> Reload:
        """Read the files, in a thread, and put what is good in force before returning."""
        async with self._one_at_a_time:
            _, in_force, is_new = await asyncio.to_thread(self._files.read)
            before, fleet_before = self._policies, self._fleet
            if (in_force.policies, in_force.fleet) != (before, fleet_before):
                await self._put_in_force(in_force.policies, in_force.documents, in_force.fleet)
                self._policies, self._fleet = in_force.policies, in_force.fleet
            reload = replace(
                self._compare(trigger, before, in_force, is_new=is_new),
                is_fleet_changed=in_force.fleet != fleet_before,
            )
            if is_new or trigger not in (Trigger.RESCAN, Trigger.CHANGE):
                self.status = PolicyFilesStatus(str(self._files.path), reload.at, in_force.bad)
                self._on_reload(reload)
            return reload

    async def reload_in_time(self, trigger: Trigger) -> Reload:
        """As ``reload``. Raises ``TimeoutError`` when the loop that decides does not come round."""
        async with asyncio.timeout(REQUEST_SECONDS_MAX):
            return await self.reload(trigger)

    def _compare(
        self, trigger: Trigger, before: tuple[Policy, ...], in_force: InForce, *, is_new: bool
    ) -> Reload:
        old = {policy.name: policy for policy in before}
        new = {policy.name: policy for policy in in_force.policies}
        result = ReloadResult.OK if is_new else ReloadResult.UNCHANGED
        return Reload(
            at=self._clock.now(),
            trigger=trigger,
            result=ReloadResult.BAD_FILES if in_force.bad else result,
            policies=tuple(new),
            added=tuple(name for name in new if name not in old),
            changed=tuple(name for name in new if name in old and _differ(new[name], old[name])),
            removed=tuple(name for name in old if name not in new),
            bad=in_force.bad,
        )

    async def run_when_asked(self) -> None:
        """Reload each time somebody asked, for ever."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self.reload(Trigger.SIGNAL)
            finally:
                if not self._asked.is_set():
                    self._answered.set()

    async def run(self) -> None:
        """Watch and rescan for ever."""
        await self.reload(Trigger.RESCAN)  # what changed between the start and now
        while True:
            try:
                async for is_change in self._changes():
                    await self.reload(Trigger.CHANGE if is_change else Trigger.RESCAN)
                self._is_watching = True
            except (OSError, RuntimeError) as error:
                self._say_not_watched(error)
                await asyncio.sleep(self._rescan_seconds)
                await self.reload(Trigger.RESCAN)

    async def _changes(self) -> AsyncIterator[bool]:
        """Whether a change was seen (or a rescan is due); ends when the directory is another one.

        A directory that was replaced takes its watch along. Raises ``OSError`` and ``RuntimeError``
        where nothing can be watched.
        """
        path = self._files.path
        folder = path if path.is_dir() else path.parent
        watched = _identity(folder)
        async for changes in awatch(
            folder,
            watch_filter=None,
            step=QUIET_MILLISECONDS,
            rust_timeout=round(self._rescan_seconds * 1000),
            yield_on_timeout=True,
            recursive=path.is_dir(),
            ignore_permission_denied=True,
        ):
            yield bool(changes)
            if _identity(folder) != watched:
                return

    def _say_not_watched(self, error: Exception) -> None:
        if self._is_watching:
            self._is_watching = False
            LOG.warning(
                "policies_not_watched",
                path=str(self._files.path),
                sentence=f"changes are found by a scan every {self._rescan_seconds:.0f} s only",
                error=f"{type(error).__name__}: {error}",
            )


def _differ(one: Policy, other: Policy) -> bool:
    """Whether they do; a file that was not read again left the same object, which says so at once."""
    return one is not other and one != other


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)  # noqa: PTH116  the same, and one line shorter to compare
    except OSError:
        return None
    return found.st_dev, found.st_ino
