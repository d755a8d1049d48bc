"""The emulated platform: accounts, time, switches, faults, and what happens by itself.

No HTTP here. Time is brought up to date by ``advance()``, which handlers call before they answer
and a background task calls in between, so that an answer is never behind the clock.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from trimtab.emulator import autoscaler, construction, lifecycle, metrics, quotas
from trimtab.emulator import deployment as states
from trimtab.emulator.account import Account
from trimtab.emulator.catalog import PUBLIC_ACCOUNT
from trimtab.emulator.events import EventLog
from trimtab.emulator.faults import FaultKind, Faults
from trimtab.emulator.schedules import ScheduleBook
from trimtab.emulator.shapes import public_shapes
from trimtab.emulator.switches import Switches
from trimtab.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.clock import Clock
    from trimtab.emulator.deployment import Deployment
    from trimtab.plant.start_times import StartTimes
    from trimtab.plant.workload import Workload

METRICS_REFRESH_SECONDS = 30.0
WATCHED_SECONDS = 300.0
"""How long after a scrape an account's metrics are kept fresh."""
ACCELERATOR_QUOTA_DEFAULT = 8


@runtime_checkable
class _Adjustable(Protocol):
    def advance(self, seconds: float) -> None: ...


class Emulation:
    """The state behind one emulator.

    ``seed`` decides ids, start times and arrivals: same seed, same clock, same calls, same run.
    ``api_key`` and ``account`` describe the first account; more come with ``add_account``.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 0,
        account: str = "emulated",
        api_key: str | None = None,
        switches: Switches | None = None,
        accelerator_quota: int = ACCELERATOR_QUOTA_DEFAULT,
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.rng = Random(f"{seed}:ids")  # noqa: S311  reproducible, not secret
        self.switches = switches or Switches()
        self.events = EventLog()
        self.faults = Faults(Random(f"{seed}:faults"))  # noqa: S311  reproducible, not secret
        self.accounts: dict[str, Account] = {}
        self.schedules = ScheduleBook()
        self.started_at = clock.now()
        self._advanced_to = self.started_at
        self._ticks = 0
        self._revocations = Random(f"{seed}:revocations")  # noqa: S311  reproducible, not secret
        public = self.add_account(PUBLIC_ACCOUNT, accelerator_quota=0)
        public.is_public = True
        public.shapes = public_shapes(PUBLIC_ACCOUNT, self.started_at)
        self.account = self.add_account(
            account, api_key=api_key, accelerator_quota=accelerator_quota
        )

    # -- accounts and deployments ------------------------------------------------------------

    def add_account(
        self,
        account_id: str,
        *,
        api_key: str | None = None,
        accelerator_quota: int = ACCELERATOR_QUOTA_DEFAULT,
    ) -> Account:
        """Open an account with ``accelerator_quota`` accelerators of each type."""
        if account_id in self.accounts:
            raise SettingsError(f"the emulator already has an account {account_id!r}")
        now = self.now()
        account = Account(account_id, f"{account_id}@example.com", now, api_key)
        account.quotas = quotas.starting_quotas(accelerator_quota, now)
        self.accounts[account_id] = account
        return account

    def add_deployment(
        self,
        account: str,
        deployment_id: str,
        *,
        shape: str,
        workload: Workload | None = None,
        min: int = 0,  # noqa: A002  the field's own words
        max: int | None = None,  # noqa: A002  the field's own words
        replicas_ready: int = 0,
        display_name: str = "",
        start_times: StartTimes | None = None,
    ) -> Deployment:
        """Put a deployment there in code, as if it had been created some time ago.

        ``shape`` is a shape id of the catalogue or a full name. ``replicas_ready`` replicas serve
        from the first second (the deployment is READY then, and the quota is not asked).
        """
        return construction.seed_deployment(
            self,
            self.accounts[account],
            deployment_id,
            shape=shape,
            workload=workload,
            bounds=(min, max),
            replicas_ready=replicas_ready,
            display_name=display_name,
            start_times=start_times,
        )

    @property
    def deployments(self) -> dict[str, Deployment]:
        """Every deployment by its full resource name."""
        return {deployment.name: deployment for deployment in self._all()}

    def _all(self) -> Iterator[Deployment]:
        for account in self.accounts.values():
            yield from account.deployments.values()

    # -- time --------------------------------------------------------------------------------

    def now(self) -> float:
        """UTC seconds in the emulated world."""
        return self.clock.now()

    def jump(self, seconds: float) -> None:
        """Move the clock forward by hand; the world follows at the next ``advance``."""
        if not isinstance(self.clock, _Adjustable):
            raise SettingsError("this emulator's clock cannot be moved by hand")
        self.clock.advance(seconds)

    def advance(self) -> float:
        """Let everything happen that is due by now; returns now."""
        now = self.now()
        while (tick_at := self._tick_at()) <= now:
            self._live_until(tick_at)
            for deployment in self._all():
                self._tick(deployment, tick_at)
            self._ticks += 1
            is_refresh = (self._ticks - 1) % int(
                METRICS_REFRESH_SECONDS / autoscaler.TICK_SECONDS
            ) == 0
            if is_refresh and now - tick_at < METRICS_REFRESH_SECONDS:
                self._refresh_watched(tick_at)
        self._live_until(now)
        return now

    def _tick_at(self) -> float:
        return self.started_at + self._ticks * autoscaler.TICK_SECONDS

    def _live_until(self, now: float) -> None:
        if now <= self._advanced_to and now != self.started_at:
            return
        self._advanced_to = max(self._advanced_to, now)
        for account in self.accounts.values():
            gone = [d.id for d in account.deployments.values() if self._live(d, now)]
            for deployment_id in gone:
                del account.deployments[deployment_id]

    def _live(self, deployment: Deployment, now: float) -> bool:
        if deployment.state != states.DELETED:
            deployment.plant.advance(now)
        if deployment.is_live and autoscaler.wake(deployment, now, self.switches):
            self.events.add(now, "woken", deployment.name, desired=deployment.desired)
        is_gone = lifecycle.step(deployment, now, self.switches, self.events)
        self.settle(deployment, now)
        return is_gone

    def _tick(self, deployment: Deployment, now: float) -> None:
        if not deployment.is_live:
            return
        deployment.schedule_floor = self.schedules.floor(
            deployment.policy.get("scalingSchedules", {}), now
        )
        before = deployment.desired
        if autoscaler.tick(deployment, now, self.switches):
            self.events.add(
                now, "autoscaled", deployment.name, before=before, after=deployment.desired
            )
        self._share_revocable(deployment, now)
        self.settle(deployment, now)

    def _share_revocable(self, deployment: Deployment, now: float) -> None:
        extra, held = autoscaler.extra_wanted(deployment), deployment.plant.replicas.revocable
        if held and self._revocations.random() < autoscaler.REVOCATION_PROBABILITY:
            extra = 0
        if extra > held:
            deployment.plant.replicas.add_revocable(extra - held, now)
            self.events.add(now, "revocable_added", deployment.name, count=extra - held)
        elif extra < held:
            deployment.plant.replicas.revoke(held - extra, now)
            self.events.add(now, "revocable_revoked", deployment.name, count=held - extra)

    def settle(self, deployment: Deployment, now: float) -> None:
        """Ask the plant for what is desired and covered by the quota."""
        refused = self.faults.holds(FaultKind.CAPACITY_REFUSED, deployment.name, now)
        blocked = refused or self.faults.holds(FaultKind.CAPACITY_STUCK, deployment.name, now)
        lifecycle.tell_of_capacity(deployment, is_refused=refused)
        if deployment.plant.replicas.scheduling_blocked != blocked:
            deployment.plant.replicas.scheduling_blocked = blocked
        if deployment.plant.replicas.asked == deployment.granted == deployment.desired:
            return
        account = self.accounts[deployment.account]
        granted = quotas.grantable(account.quotas, account.deployments.values(), deployment)
        deployment.granted = granted
        if granted != deployment.plant.replicas.asked:
            deployment.plant.ask(granted, now)

    # -- metrics -----------------------------------------------------------------------------

    def scrape(self, account: Account) -> str:
        """Return the account's metrics as of the last refresh.

        Folding a minute of histories is the dearest thing here, so an account that nobody scrapes
        is not refreshed; its first scrape after a pause is as of now.
        """
        now = self.advance()
        is_old = account.metrics_at is None or now - account.metrics_at >= METRICS_REFRESH_SECONDS
        account.scraped_at = now
        if is_old:
            self._refresh(account, now)
        return account.metrics_text

    def _refresh_watched(self, now: float) -> None:
        for account in self.accounts.values():
            seen = account.scraped_at
            if seen is not None and now - seen <= WATCHED_SECONDS:
                self._refresh(account, now)

    def _refresh(self, account: Account, now: float) -> None:
        account.metrics_text = metrics.exposition(account, now, self.switches, self.faults)
        account.metrics_at = now


def finite_seconds(seconds: float, limit: float) -> bool:
    """Say whether ``seconds`` is a sane amount to move forward."""
    return math.isfinite(seconds) and 0.0 <= seconds <= limit
