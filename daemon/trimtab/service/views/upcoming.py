"""What will happen by itself, told from policies, deployments and people's orders."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from trimtab.core.strategies.schedule import Schedule
from trimtab.web.views.upcoming import UpcomingEvent, UpcomingKind, UpcomingPage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from trimtab.clock import Clock
    from trimtab.core.deployment import Deployment
    from trimtab.core.engine import Engine
    from trimtab.core.overrides import Override
    from trimtab.core.policy import Policy, Rule
    from trimtab.service.fleet import Fleet
    from trimtab.service.overrides import Overrides
    from trimtab.web.views.upcoming import UpcomingWish

PIECE = 200
"""Deployments looked at before others get their turn: less than a millisecond."""

HORIZON_SECONDS_MAX = 400 * 86_400.0
DAY_SECONDS = 86_400.0


class Upcoming:
    """Looks ahead."""

    def __init__(
        self, clock: Clock, *, fleet: Fleet, overrides: Overrides, engine: Callable[[], Engine]
    ) -> None:
        self._clock = clock
        self._fleet = fleet
        self._overrides = overrides
        self._engine = engine

    async def page(self, wish: UpcomingWish) -> UpcomingPage:
        """Return the events; ``wish.deployment`` is a full name."""
        now = self._clock.now()
        until = now + min(wish.horizon_seconds, HORIZON_SECONDS_MAX)
        if wish.deployment is None:
            found = [*self._of_policies(self._engine().policies, now)]
            found += self._of_overrides(self._overrides.in_force)
            for number, name in enumerate(tuple(self._fleet.deployments)):
                if number and number % PIECE == 0:
                    await asyncio.sleep(0)
                deployment = self._fleet.deployments.get(name)
                if deployment is not None:
                    found += _of_deployment(deployment, now)
        else:
            found = self.of_one(wish.deployment, now)
        due = sorted((one for one in found if now < one.at <= until), key=_order)
        return UpcomingPage(
            at=now, until=until, events=tuple(due[: wish.limit]), is_cut=len(due) > wish.limit
        )

    def of_one(self, name: str, now: float) -> list[UpcomingEvent]:
        """Return the events that are about one deployment, whenever they are."""
        deployment = self._fleet.deployments.get(name)
        if deployment is None:
            return []
        engine = self._engine()
        found = [*self._of_policies(engine.policies_for(deployment), now)]
        found += self._of_overrides(
            one for one in self._overrides.in_force if one.concerns(deployment.name)
        )
        found += _of_deployment(deployment, now)
        edge = engine.next_edge(name, now)
        if edge is not None:
            sentence = (
                "it is decided anew: a window, a limit or a signal's age may let something change"
            )
            found.append(_event(edge, UpcomingKind.RECHECK, sentence, deployment=name))
        return sorted(found, key=_order)

    def _of_policies(self, policies: Iterable[Policy], now: float) -> Iterator[UpcomingEvent]:
        for policy in policies:
            for rule in policy.rules:
                if isinstance(rule.strategy, Schedule):
                    yield from _of_schedule(policy, rule, rule.strategy, now)

    def _of_overrides(self, overrides: Iterable[Override]) -> Iterator[UpcomingEvent]:
        for one in overrides:
            sentence = f"no longer {one.text} by {one.author}: {one.reason}"
            kind = UpcomingKind.OVERRIDE_END
            yield _event(one.until, kind, sentence, deployment=one.deployment)


def _of_schedule(
    policy: Policy, rule: Rule, schedule: Schedule, now: float
) -> Iterator[UpcomingEvent]:
    for window in schedule.windows:
        of = f"{window.label} ({rule.name} of {policy.name})"
        what = f"{rule.role} {window.replicas}"
        end, start = window.opening.open_until(now), window.opening.next_start(now, within_days=30)
        if end is not None:
            yield _event(end, UpcomingKind.SCHEDULE, f"{of} ends: {what}", policy=policy.name)
        if start is not None and start != end:
            yield _event(start, UpcomingKind.SCHEDULE, f"{of} begins: {what}", policy=policy.name)


def _of_deployment(deployment: Deployment, now: float) -> Iterator[UpcomingEvent]:
    name = deployment.name
    if deployment.expires_at is not None:
        yield _event(deployment.expires_at, UpcomingKind.EXPIRY, "it expires", deployment=name)
    for floor in deployment.schedule_floors:
        edge = floor.next_edge(now)
        if edge is None or edge - now >= DAY_SECONDS:  # that is how far it looks, and no edge
            continue
        word = "ends" if floor.is_active(now) else "begins"
        sentence = f"the platform's schedule {floor.name} {word}: at least {floor.replicas}"
        yield _event(edge, UpcomingKind.PLATFORM_FLOOR, sentence, deployment=name)


def _event(
    at: float,
    kind: UpcomingKind,
    sentence: str,
    *,
    deployment: str | None = None,
    policy: str | None = None,
) -> UpcomingEvent:
    return UpcomingEvent(at=at, kind=kind, deployment=deployment, policy=policy, sentence=sentence)


def _order(one: UpcomingEvent) -> tuple[float, str, str]:
    return one.at, one.deployment or "", one.sentence
