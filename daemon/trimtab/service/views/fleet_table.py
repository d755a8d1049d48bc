"""The fleet as a table of ten thousand rows of which a page is shown, without holding anybody up.

What rows are sorted and filtered by is gathered in pieces, between which the daemon goes on, and kept for a
second, so that many who ask at once cost as much as one. Whole rows are made for one page only.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from http import HTTPStatus
from math import floor, inf
from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.service.views.decisions import verdict_word
from trimtab.service.views.names import short_name
from trimtab.service.views.troubles import RANKS, level_of, missing, trouble_of
from trimtab.web.metrics import TURN_SECONDS_MIN, turn_seconds
from trimtab.web.problem import ProblemError
from trimtab.web.views.fleet import FleetCounts, FleetOrder, FleetPage, FleetRow
from trimtab.web.views.trouble import Level

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.clock import Clock
    from trimtab.core.engine import Engine
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.service.fleet import Fleet
    from trimtab.service.overrides import Overrides
    from trimtab.service.overview import Glimpse, Overview
    from trimtab.service.status import DeploymentStatus
    from trimtab.service.views.watch import Watch
    from trimtab.web.views.fleet import FleetWish

PIECE = 100
"""Deployments looked at before a look at the time: a fraction of a millisecond."""

FRESH_SECONDS = 1.0
"""How long what was gathered is good for, of the loop's own time."""


class Entry(NamedTuple):
    """What a row is sorted and filtered by."""

    name: str
    level: Level
    missing: int
    current: int
    changed_at: float
    policy: str
    verdict: str
    reason: str
    state: str
    team: str


class FleetTable:
    """Makes pages of the fleet."""

    def __init__(
        self,
        clock: Clock,
        *,
        overview: Overview,
        fleet: Fleet,
        overrides: Overrides,
        watch: Watch,
        engine: Callable[[], Engine],
    ) -> None:
        self._clock = clock
        self._overview = overview
        self._fleet = fleet
        self._overrides = overrides
        self._watch = watch
        self._engine = engine
        self._entries: list[Entry] = []
        self._gathered_at = -inf
        self._gathering = asyncio.Lock()

    async def page(self, wish: FleetWish) -> FleetPage:
        """Return a page. Raises ``ProblemError`` (400) for a cursor of another order."""
        entries = await self._gathered()
        key = _KEYS[wish.order]
        text = wish.text.casefold()
        found = [one for one in entries if self._fits(one, wish, text)]
        found.sort(key=key, reverse=wish.is_reversed)
        start = (wish.page - 1) * wish.limit
        if wish.cursor is not None:
            start = _place_after(found, wish, key)
        shown = found[start : start + wish.limit]
        rows = tuple(row for one in shown if (row := self.row(one.name)) is not None)
        is_more = bool(shown) and start + wish.limit < len(found)
        engine = self._engine()
        return FleetPage(
            at=self._clock.now(),
            rows=rows,
            total=len(found),
            position=start + 1 if shown else 0,
            next_cursor=_cursor(wish, key(shown[-1])) if is_more else None,
            counts=self._counts(entries),
            policies=tuple(policy.name for policy in engine.policies),
            teams=tuple(team.name for team in engine.fleet_policy.teams),
            states=tuple(sorted({one.state for one in entries})),
        )

    def row(self, name: str) -> FleetRow | None:
        """Return the row of one deployment; ``None`` where no policy decides for it."""
        status = self._overview.deployment(name)
        return None if status is None else self._row(status)

    async def count_by_policy(self) -> Counter[str]:
        """Return how many deployments each policy decides for."""
        return Counter(one.policy for one in await self._gathered())

    async def _gathered(self) -> list[Entry]:
        async with self._gathering:
            now = asyncio.get_running_loop().time
            if now() - self._gathered_at > FRESH_SECONDS:
                self._entries, self._gathered_at = await self._gather(), now()
            return self._entries

    async def _gather(self) -> list[Entry]:
        """Look at all, for as long at a time as the others take in between (``web/metrics.py``)."""
        now = asyncio.get_running_loop().time
        fleet_policy = self._engine().fleet_policy
        entries: list[Entry] = []
        turn_ends_at = now() + TURN_SECONDS_MIN
        for number, glimpse in enumerate(self._overview.glimpses(), start=1):
            entries.append(self._entry(glimpse, fleet_policy))
            if number % PIECE == 0 and (paused_at := now()) >= turn_ends_at:
                await asyncio.sleep(0)
                resumed_at = now()
                turn_ends_at = resumed_at + turn_seconds(resumed_at - paused_at)
        return entries

    def _entry(self, status: Glimpse, fleet_policy: FleetPolicy) -> Entry:
        deployment, decision = status.deployment, status.decision
        return Entry(
            name=deployment.name,
            level=level_of(status),
            missing=missing(status),
            current=decision.current,
            changed_at=_whole_milliseconds(self._watch.changed_at(deployment.name) or 0.0),
            policy=decision.policy,
            verdict=verdict_word(decision.verdict),
            reason=decision.verdict.reason.value,
            state=deployment.state_text or deployment.state.value,
            team=fleet_policy.team_of(deployment).name if fleet_policy.teams else "",
        )

    def _fits(self, one: Entry, wish: FleetWish, text: str) -> bool:
        return (
            (wish.level is None or one.level is wish.level)
            and wish.policy in (None, one.policy)
            and wish.verdict in (None, one.verdict)
            and wish.reason in (None, one.reason)
            and wish.state in (None, one.state)
            and wish.team in (None, one.team)
            and (not text or self._has(one.name, text))
        )

    def _has(self, name: str, text: str) -> bool:
        deployment = self._fleet.deployments.get(name)
        if deployment is None:
            return False
        words = (name, deployment.display_name, deployment.base_model)
        return any(text in word.casefold() for word in words)

    def _counts(self, entries: list[Entry]) -> FleetCounts:
        levels = Counter(one.level for one in entries)
        return FleetCounts(
            all=len(entries),
            failing=levels[Level.FAILING],
            short=levels[Level.SHORT],
            held=levels[Level.HELD],
            well=levels[Level.WELL],
            without_policy=max(0, len(self._fleet.deployments) - len(entries)),
        )

    def _row(self, status: DeploymentStatus) -> FleetRow:
        deployment, decision = status.deployment, status.decision
        pipeline, shape, bounds = deployment.pipeline, deployment.shape, decision.bounds
        policy = self._engine().fleet_policy
        each = shape.accelerators_per_replica
        asked = deployment.desired_replicas
        return FleetRow(
            name=deployment.name,
            short_name=short_name(deployment.name),
            display_name=deployment.display_name,
            policy=decision.policy,
            mode=decision.mode.value,
            state=deployment.state_text or deployment.state.value,
            trouble=trouble_of(status),
            verdict=verdict_word(decision.verdict),
            reason=decision.verdict.reason.value,
            sentence=decision.sentence,
            current=decision.current,
            desired=decision.desired,
            wanted=decision.wanted,
            actual=decision.actual,
            ready=pipeline.ready,
            on_their_way=pipeline.on_their_way,
            lower=None if bounds is None else bounds.lower.replicas,
            upper=None if bounds is None else bounds.upper.replicas,
            team=policy.team_of(deployment).name or None,
            accelerator_type=shape.accelerator_type,
            accelerators=None if each is None else asked * each,
            usd_an_hour=status.usd_an_hour,
            decided_at=decision.at,
            changed_at=self._watch.changed_at(deployment.name),
            override=self._ordered(deployment.name),
        )

    def _ordered(self, name: str) -> str | None:
        now = self._clock.now()
        texts = [one.text for one in self._overrides.standing(name, now)]
        return ", ".join(texts) or None


def _by_trouble(one: Entry) -> tuple[Any, ...]:
    return RANKS[one.level], -one.missing, one.name


_KEYS: dict[FleetOrder, Callable[[Entry], tuple[Any, ...]]] = {
    FleetOrder.TROUBLE: _by_trouble,
    FleetOrder.NAME: lambda one: (one.name,),
    FleetOrder.CURRENT: lambda one: (-one.current, one.name),
    FleetOrder.CHANGED: lambda one: (-one.changed_at, one.name),
}


def row_key(row: FleetRow, order: FleetOrder) -> tuple[Any, ...]:
    """Return what a row is ordered by, as its entry would be: for whoever has rows of several tables."""
    short = 0 if row.wanted is None else max(0, row.wanted - row.desired)
    match order:
        case FleetOrder.TROUBLE:
            return RANKS[row.trouble.level], -short, row.name
        case FleetOrder.NAME:
            return (row.name,)
        case FleetOrder.CURRENT:
            return -row.current, row.name
        case FleetOrder.CHANGED:
            return -_whole_milliseconds(row.changed_at or 0.0), row.name


def cursor_after(wish: FleetWish, row: FleetRow) -> str:
    """Return the cursor of a page that ends with ``row``."""
    return _cursor(wish, row_key(row, wish.order))


def _whole_milliseconds(moment: float) -> float:
    """Return a moment as it is told in JSON, so that a cursor is the same wherever it was made."""
    return floor(moment * 1000.0) / 1000.0


def _cursor(wish: FleetWish, key: tuple[Any, ...]) -> str:
    """Write down where a page ended: after the row with this key, which need not be there any more."""
    text = json.dumps([wish.order, wish.is_reversed, *key])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place_after(
    found: list[Entry], wish: FleetWish, key: Callable[[Entry], tuple[Any, ...]]
) -> int:
    """Return where the page after the cursor begins."""
    after = _read_cursor(wish)
    for place, one in enumerate(found):
        if (key(one) < after) if wish.is_reversed else (key(one) > after):
            return place
    return len(found)


def _read_cursor(wish: FleetWish) -> tuple[Any, ...]:
    text = wish.cursor or ""
    try:
        order, is_reversed, *key = json.loads(
            base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        )
    except (ValueError, TypeError, RecursionError):
        order = is_reversed = None
        key = []
    kinds = _CURSOR_KINDS.get(order, ()) if isinstance(order, str) else ()
    is_fit = len(key) == len(kinds) and all(map(isinstance, key, kinds))
    if not is_fit or (order, is_reversed) != (wish.order.value, wish.is_reversed):
        why = "the cursor is of no page in this order; begin without one"
        raise ProblemError(HTTPStatus.BAD_REQUEST, why)
    return tuple(key)


_CURSOR_KINDS: dict[str, tuple[Any, ...]] = {
    FleetOrder.TROUBLE: (int, int, str),
    FleetOrder.NAME: (str,),
    FleetOrder.CURRENT: (int, str),
    FleetOrder.CHANGED: (int | float, str),
}
