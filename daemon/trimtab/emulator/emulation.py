"""The emulated platform: accounts, time, switches, faults, and what happens by itself.

No HTTP here. Time is brought up to date by ``look()``, which handlers call before they answer and
a background task calls in between, so that an answer is never behind the clock. A look visits whom
the agenda names; everyone else is left behind the clock, and ``current`` lets one catch up that is
about to be shown or changed. That comes to exactly what visiting everyone at every look would come
to, which is what ``advance`` is for: who holds deployments in hand calls it before reading them.
"""

from __future__ import annotations

import math
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from trimtab.emulator import autoscaler, construction, lifecycle, metrics, quotas
from trimtab.emulator import deployment as states
from trimtab.emulator.account import Account
from trimtab.emulator.agenda import AT_ONCE, Agenda
from trimtab.emulator.catalog import PUBLIC_ACCOUNT
from trimtab.emulator.events import EventLog
from trimtab.emulator.faults import CAPACITY_KINDS, FaultKind, Faults
from trimtab.emulator.roster import Roster
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
        self._agenda = Agenda()
        self._switches_seen = self.switches
        self._was_short = False  # of accelerators, by a fault, at the last look
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
        account.deployments = Roster(len(self.accounts), joined=self._joined, left=self._left)
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
        """Let everything happen that is due by now and everyone catch up; returns now.

        Takes nothing of what was foreseen for granted: someone may have changed it by hand.
        """
        for deployment in self._all():
            self._stir(deployment)
        now = self.look()
        for deployment in self._all():
            self._catch_up(deployment, self._advanced_to)
        return now

    def look(self) -> float:
        """Let everything happen that is due by now; returns now."""
        now = self.now()
        while (tick_at := self._tick_at(self._ticks)) <= now:
            self._live_until(tick_at)
            for deployment in self._agenda.restless():
                self._tick(deployment, tick_at)
            self._ticks += 1
            is_refresh = (self._ticks - 1) % int(
                METRICS_REFRESH_SECONDS / autoscaler.TICK_SECONDS
            ) == 0
            if is_refresh and now - tick_at < METRICS_REFRESH_SECONDS:
                self._refresh_watched(tick_at)
        self._live_until(now)
        return now

    def current(self, deployment: Deployment) -> Deployment:
        """Let one deployment catch up with the last look, to be read; returns it."""
        self._catch_up(deployment, self._advanced_to)
        return deployment

    def _tick_at(self, number: int) -> float:
        return self.started_at + number * autoscaler.TICK_SECONDS

    def _live_until(self, now: float) -> None:
        if now <= self._advanced_to and now != self.started_at:
            return
        self._advanced_to = max(self._advanced_to, now)
        self._expect_change_of_rules(now)
        for deployment in self._agenda.take_due(now):
            if self._live(deployment, now):
                del self.accounts[deployment.account].deployments[deployment.id]

    def _expect_change_of_rules(self, now: float) -> None:
        """Visit everyone after the switches were turned, and while accelerators cannot be had."""
        is_short = self.faults.may_hold(CAPACITY_KINDS, now)
        if is_short or self._was_short or self.switches is not self._switches_seen:
            for deployment in self._all():
                self._stir(deployment)
        self._was_short, self._switches_seen = is_short, self.switches

    def _catch_up(self, deployment: Deployment, now: float) -> None:
        """Live through the time in which this one was not visited because nothing could happen."""
        if deployment.state != states.DELETED:
            deployment.plant.advance(now)
        if deployment.scaler.rests:
            deployment.scaler.observed_at = self._tick_at(self._ticks - 1)

    def _stir(self, deployment: Deployment) -> None:
        """Foresee nothing of this one: something about it changes, or may."""
        self._catch_up(deployment, self._advanced_to)
        deployment.scaler.rests = False
        self._agenda.stir(deployment)

    def _live(self, deployment: Deployment, now: float) -> bool:
        """Visit at a look: what waits for nothing but time. Returns whether the record is gone."""
        before = _outline(deployment)
        self._catch_up(deployment, now)
        if deployment.is_live and autoscaler.wake(deployment, now, self.switches):
            self.events.add(now, "woken", deployment.name, desired=deployment.desired)
        is_gone = lifecycle.step(deployment, now, self.switches, self.events)
        self._grant(deployment, now)
        if _outline(deployment) != before:
            self._stir(deployment)
        else:
            self._foresee(deployment, now)
        return is_gone

    def _foresee(self, deployment: Deployment, now: float) -> None:
        """Say when a deployment, which a visit has just left as it was, has to be visited again."""
        due_at = lifecycle.due_at(deployment, self.switches)
        plant = deployment.plant
        if deployment.starved or plant.replicas.asked != deployment.granted:
            due_at = AT_ONCE  # somebody else may give accelerators back
        elif deployment.state != states.DELETED:
            due_at = min(due_at, plant.replicas.due_at)
            hears_requests = deployment.desired == 0 or self.switches.idle_delete_time_shown
            if hears_requests and not plant.is_quiet:
                due_at = min(due_at, plant.next_step_at)
        zero_at = autoscaler.zero_at(deployment, self.switches)
        if zero_at > now:
            due_at = min(due_at, zero_at)
        else:
            self._stir(deployment)
        self._agenda.expect(deployment, due_at)

    def _tick(self, deployment: Deployment, now: float) -> None:
        """Visit at a tick: what the platform looks at every few seconds."""
        if not deployment.is_live:
            self._agenda.rest(deployment)
            return
        self._catch_up(deployment, now)
        before = _outline(deployment)
        deployment.schedule_floor = self.schedules.floor(
            deployment.policy.get("scalingSchedules", {}), now
        )
        count_before = deployment.desired
        if autoscaler.tick(deployment, now, self.switches):
            self.events.add(
                now, "autoscaled", deployment.name, before=count_before, after=deployment.desired
            )
        self._share_revocable(deployment, now)
        self._grant(deployment, now)
        if _outline(deployment) != before:
            self._stir(deployment)
        elif autoscaler.is_at_rest(deployment, self.switches):
            deployment.scaler.rests = True
            self._agenda.rest(deployment)
            self._agenda.expect(
                deployment, AT_ONCE
            )  # to be foreseen as it is now, also when a scale to zero is near

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
        """After a change: ask the plant for what is desired and covered by the quota."""
        if self.accounts[deployment.account].deployments.has(deployment):
            self._stir(deployment)
        self._grant(deployment, now)

    def _grant(self, deployment: Deployment, now: float) -> None:
        account = self.accounts[deployment.account]
        deployments = account.deployments
        is_there = deployments.has(deployment)
        if is_there:
            deployments.count(deployment)
        replicas = deployment.plant.replicas
        refused = self.faults.holds(FaultKind.CAPACITY_REFUSED, deployment.name, now)
        blocked = refused or self.faults.holds(FaultKind.CAPACITY_STUCK, deployment.name, now)
        lifecycle.tell_of_capacity(deployment, is_refused=refused)
        if replicas.scheduling_blocked != blocked:
            replicas.scheduling_blocked = blocked
        if replicas.asked == deployment.granted == deployment.desired:
            return
        granted = quotas.grantable(account.quotas, deployments, deployment)
        deployment.granted = granted
        if is_there:
            deployments.count(deployment)
        if granted != replicas.asked:
            deployment.plant.ask(granted, now)

    def _joined(self, deployment: Deployment) -> None:
        deployment.plant.replicas.before_change = partial(self._stir, deployment)
        self._agenda.stir(deployment)

    def _left(self, deployment: Deployment) -> None:
        deployment.plant.replicas.before_change = lambda: None
        self._agenda.drop(deployment)

    # -- metrics -----------------------------------------------------------------------------

    def scrape(self, account: Account) -> str:
        """Return the account's metrics as of the last refresh.

        Folding a minute of histories is the dearest thing here, so an account that nobody scrapes
        is not refreshed; its first scrape after a pause is as of now.
        """
        now = self.look()
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


def _outline(deployment: Deployment) -> tuple[object, ...]:
    """Return what a visit may change: where it changes nothing, the next would not either.

    Not before time has come for something, of which the agenda is told.
    """
    replicas = deployment.plant.replicas
    return (
        *(deployment.state, deployment.desired, deployment.granted, deployment.schedule_floor),
        *(deployment.updated_at, deployment.deleted_at, deployment.zero_since),
        *(deployment.idle_since, id(deployment.status), id(deployment.rollout)),
        *(replicas.asked, replicas.ready, replicas.serving_changes, replicas.scheduling_blocked),
        replicas.revocable,
    )


def finite_seconds(seconds: float, limit: float) -> bool:
    """Say whether ``seconds`` is a sane amount to move forward."""
    return math.isfinite(seconds) and 0.0 <= seconds <= limit
