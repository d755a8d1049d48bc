"""Holds this member's share of the buckets: claims, renews, takes over, hands over, and knows when to stop.

Three loops that do not wait for one another: one renews what is held, one looks at the service every half a
second (and says that we are here, claims what is meant for us, gives up what is too much), one tells the
tenant the moment a lease runs out. Buckets change hands in tasks of their own while renewals go on.
What may be relied on, and why, is in ``holdings``; who should have which bucket, in ``share``.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from trimtab.coordination.buckets import LEADING_BUCKET
from trimtab.coordination.handing import Changeover
from trimtab.coordination.holdings import Holdings, Stage, margin_seconds
from trimtab.coordination.port import Tenure
from trimtab.coordination.share import WORD, Situation, Stance, share
from trimtab.coordination.standing import Event, Happened, Standing, Tally
from trimtab.errors import CoordinationError, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from random import Random

    from trimtab.clock import Clock
    from trimtab.coordination.port import Leases, LeaseSeen, Survey, Tenant
    from trimtab.coordination.share import Share
    from trimtab.core.proposals import JsonValue

T = TypeVar("T")

LOOK_SECONDS = 0.5
"""From one look at the service to the next: a bucket that is released is seen free within it."""

RENEWALS_A_LEASE = 3
"""Two may fail before a lease is lost."""

RETRY_SECONDS = 0.25
"""Before a renewal that failed is tried again; then twice as long each time."""

CLAIM_LOOK_SECONDS = 0.02

CLAIMS_AT_ONCE = 8
"""Calls on their way at the same time, so that a share is taken quickly and a service is not flooded."""

LEAVE_SECONDS = 5.0
"""How long writes in flight may take to end when the process stops."""


class Steward:
    """One member's part in the sharing of buckets. Implements ``Ownership``.

    ``member`` is unique to this start of the process (``members.unique_member``): nothing of an earlier
    one is taken for its own. ``says`` is what ``trimtab members`` shows of it.
    """

    is_shared = True

    def __init__(
        self,
        clock: Clock,
        random: Random,
        leases: Leases,
        tenant: Tenant,
        *,
        member: str,
        says: Callable[[], Mapping[str, JsonValue]] = dict,
        look_seconds: float = LOOK_SECONDS,
        moves_max: int | None = None,
        on_event: Callable[[Event], None] = lambda event: None,  # noqa: ARG005  nobody listens
    ) -> None:
        """``moves_max``: buckets in transition at once; half of all unless said."""
        self._clock = clock
        self._random = random
        self._leases = leases
        self._member = member
        self._says = says
        self._look_seconds = look_seconds
        self._renew_seconds = leases.lease_seconds / RENEWALS_A_LEASE
        self._reliable_seconds = leases.lease_seconds - margin_seconds(leases.lease_seconds)
        self._moves_max = max(4, leases.buckets // 2) if moves_max is None else moves_max
        self._holdings = Holdings(clock, buckets=leases.buckets)
        self._tally = Tally(clock, on_event)
        self._changeover = Changeover(
            clock, self._holdings, tenant, self._tally, retry_seconds=self._renew_seconds
        )
        self._is_open = False
        self._is_leaving = False
        self._releasing = asyncio.Lock()
        self._claiming_since: float | None = None
        self._said: tuple[Stance, float] | None = None
        self._survey: tuple[Survey, float] | None = None
        self._free_since: dict[int, tuple[str, float]] = {}

    # -- Ownership -------------------------------------------------------------------------------

    def decides_for(self, deployment: str) -> bool:
        """See ``Ownership``."""
        return self._holdings.decides_for(deployment)

    def term_of(self, deployment: str) -> int | None:
        """See ``Ownership``."""
        return self._holdings.term_of(deployment)

    def seconds_left(self, deployment: str) -> float:
        """See ``Ownership``."""
        return self._holdings.seconds_left(deployment)

    # -- what can be seen of it ------------------------------------------------------------------

    @property
    def is_leaving(self) -> bool:
        """Whether it claims nothing any more."""
        return self._is_leaving

    @property
    def standing(self) -> Standing:
        """Return what is held, and how well it goes, now."""
        now = self._clock.monotonic()
        leading = self._holdings.of(LEADING_BUCKET)
        leads = leading is not None and self._holdings.is_served(leading)
        survey, looked_at = self._survey or (None, None)
        return self._tally.standing(
            member=self._member,
            buckets=self._leases.buckets,
            stages={stage: self._holdings.count(stage) for stage in Stage},
            leading_term=leading.tenure.term if leads and leading is not None else None,
            survey=survey,
            survey_age_seconds=None if looked_at is None else now - looked_at,
        )

    # -- its life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled. Failures of the service are waited out; what is raised is a bug."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew_for_ever(), name="renew what is held")
            group.create_task(self._look_for_ever(), name="look at who holds what")
            group.create_task(self._release_for_ever(), name="release what was handed over")
            group.create_task(self._watch_for_ever(), name="stop what is not renewed in time")

    async def leave(self, limit_seconds: float = LEAVE_SECONDS) -> None:
        """Hand over and release everything, say goodbye, close. Call it while ``run`` still runs.

        Takes no longer than ``limit_seconds``: what is not handed over by then is stopped and left to run
        out. Never raises for what the service does.
        """
        self._is_leaving = True
        self._changeover.hand_over_all()
        with suppress(TimeoutError):  # those left are stopped below
            async with asyncio.timeout(limit_seconds):
                await self._quietly("announce", self._announce())
                while self._has_something_under_way:
                    await self._changeover.progress()
                    if self._claiming_since is not None:
                        await self._clock.sleep(CLAIM_LOOK_SECONDS)  # it may be granted yet
                    if not await self._release():
                        await self._clock.sleep(RETRY_SECONDS)
                await self._quietly("leave", self._leases.leave(self._member))
        for holding in self._holdings:
            self._changeover.lose(
                holding.tenure, "it was not handed over before the process stopped"
            )
        await self._changeover.close()
        await self._leases.close()

    @property
    def _has_something_under_way(self) -> bool:
        return (
            self._changeover.is_busy
            or bool(self._changeover.to_release)
            or self._claiming_since is not None
        )

    async def _quietly(self, name: str, call: Awaitable[T]) -> T | None:
        try:
            return await self._ask(name, call)
        except CoordinationError:
            return None  # it is counted, and the next look shows what came of it

    async def _ask(self, name: str, call: Awaitable[T]) -> T:
        """Make one call, counted. Raises ``CoordinationError``, also when it hangs."""
        try:
            async with asyncio.timeout(self._leases.lease_seconds / 2):
                answer = await call
        except TimeoutError:
            error = CoordinationError(
                f"the coordination service did not answer `{name}` in time", kind=ErrorKind.TIMEOUT
            )
            self._tally.failed(name, error)
            raise error from None
        except CoordinationError as error:
            self._tally.failed(name, error)
            raise
        self._tally.answered(name)
        return answer

    # -- renewing --------------------------------------------------------------------------------

    async def _renew_for_ever(self) -> None:
        failures = 0
        while True:
            began_at = self._clock.monotonic()
            held = [one.tenure for one in self._holdings]
            failures = 0 if not held or await self._renew(held, began_at) else failures + 1
            if failures:
                wait = min(RETRY_SECONDS * 2.0 ** (failures - 1), self._renew_seconds / 2)
                await self._clock.sleep(wait * self._random.uniform(0.5, 1.0))
            else:
                next_at = began_at + self._renew_seconds * self._random.uniform(0.9, 1.0)
                await self._clock.sleep(next_at - self._clock.monotonic())

    async def _renew(self, held: list[Tenure], began_at: float) -> bool:
        try:
            renewed = await self._ask("renew", self._leases.renew(self._member, held))
        except CoordinationError:
            return False
        for tenure in held:
            if tenure not in self._holdings:
                continue  # handed over meanwhile
            if tenure not in renewed:
                self._changeover.lose(tenure, "another member holds it")
            elif not self._holdings.extend(tenure, began_at + self._reliable_seconds):
                self._changeover.lose(tenure, "its lease ran out before the renewal was answered")
        self._tally.renewed(began_at)
        return True

    async def _watch_for_ever(self) -> None:
        """Tell the tenant of leases that ran out, at that moment.

        Nothing can run out before the earliest of what is held, of what a claim on its way would give,
        and of what is claimed from now on.
        """
        while True:
            now = self._clock.monotonic()
            for holding in self._holdings:
                if holding.relied_until <= now:
                    why = "its lease could not be renewed in time"
                    self._changeover.lose(holding.tenure, why)
            since = now if self._claiming_since is None else self._claiming_since
            ends = [one.relied_until for one in self._holdings]
            await self._clock.sleep(max(min([since + self._reliable_seconds, *ends]) - now, 0.001))

    # -- looking ---------------------------------------------------------------------------------

    async def _look_for_ever(self) -> None:
        failures = 0
        while True:
            try:
                if not self._is_leaving:
                    await self._look()
                failures = 0
            except CoordinationError as error:
                failures += 1
                if error.kind is ErrorKind.NOT_FOUND:
                    self._is_open = False  # what we made is gone: make it again
            wait = min(self._look_seconds * 2.0 ** min(failures, 8), self._renew_seconds / 2)
            await self._clock.sleep(wait * self._random.uniform(0.8, 1.2))

    async def _look(self) -> None:
        if not self._is_open:
            await self._ask("open", self._leases.open())
            self._is_open = True
        await self._announce_if_due()
        survey = await self._ask("survey", self._leases.survey())
        now = self._clock.monotonic()
        self._survey = survey, now
        self._note_free(survey, now)
        for one in survey.leases.values():
            if one.holder == self._member and not one.is_free:
                self._changeover.release_stray(Tenure(bucket=one.bucket, term=one.term))
        found = self._share(survey, now)
        for bucket in found.give_up:
            if (holding := self._holdings.of(bucket)) is not None:
                self._changeover.hand_over(holding.tenure)
        await self._claim([survey.leases[bucket] for bucket in found.claim])

    @property
    def _stance(self) -> Stance:
        oldest = self._clock.monotonic() - self._leases.lease_seconds
        return Stance(
            is_leaving=self._is_leaving,
            is_blind=self._survey is None or self._survey[1] < oldest,
            declines=self._changeover.declined,
        )

    async def _announce_if_due(self) -> None:
        now = self._clock.monotonic()
        if self._said is not None:
            stance, at = self._said
            if stance == self._stance and now - at < self._renew_seconds:
                return
        await self._ask("announce", self._announce())

    async def _announce(self) -> None:
        stance, now = self._stance, self._clock.monotonic()
        says = {**self._says(), WORD: dict(stance.said())}
        await self._leases.announce(self._member, says)
        self._said = stance, now

    def _note_free(self, survey: Survey, now: float) -> None:
        since = self._free_since
        self._free_since = {
            one.bucket: since[one.bucket]
            if one.bucket in since and since[one.bucket][0] == one.version
            else (one.version, now)
            for one in survey.leases.values()
            if one.is_free
        }

    def _share(self, survey: Survey, now: float) -> Share:
        handing = self._holdings.count(Stage.HANDING_OVER)
        moving = handing + self._holdings.count(Stage.TAKING_OVER)
        return share(
            Situation(
                survey=survey,
                member=self._member,
                stance=self._stance,
                held={
                    one.tenure.bucket
                    for one in self._holdings
                    if one.stage is not Stage.HANDING_OVER
                },
                handing_over=handing,
                free_seconds={bucket: now - at for bucket, (_, at) in self._free_since.items()},
                patience_seconds=self._leases.lease_seconds,
                moves_max=max(0, self._moves_max - moving),
            )
        )

    async def _claim(self, meant: list[LeaseSeen]) -> None:
        """Claim, a few at a time. Raises the first failure once all of those have ended."""
        while meant and not self._is_leaving:
            now, meant = meant[:CLAIMS_AT_ONCE], meant[CLAIMS_AT_ONCE:]
            began_at = self._claiming_since = self._clock.monotonic()
            calls = [self._ask("claim", self._leases.claim(self._member, seen)) for seen in now]
            try:
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
            finally:
                self._claiming_since = None
            for outcome in outcomes:
                if isinstance(outcome, Tenure):
                    self._claimed(outcome, began_at + self._reliable_seconds)
                elif outcome is None:
                    self._tally.count(Happened.BEATEN)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome

    def _claimed(self, tenure: Tenure, relied_until: float) -> None:
        if self._is_leaving or self._clock.monotonic() >= relied_until:
            self._changeover.may_be_released(tenure)
        else:
            self._changeover.take_over(tenure, relied_until)

    # -- releasing -------------------------------------------------------------------------------

    async def _release_for_ever(self) -> None:
        while True:
            await self._changeover.has_handed_over.wait()
            self._changeover.has_handed_over.clear()
            await self._release()

    async def _release(self) -> bool:
        """Release what was handed over, all in one call; what fails is seen astray at the next look."""
        async with self._releasing:
            ready = frozenset(self._changeover.to_release)
            if not ready:
                return True
            try:
                await self._ask("release", self._leases.release(self._member, ready))
            except CoordinationError:
                if not self._is_leaving:
                    self._changeover.to_release.difference_update(ready)
                return False
            self._changeover.to_release.difference_update(ready)
            return True
