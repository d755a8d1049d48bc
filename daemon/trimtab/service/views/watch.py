"""Listens to the daemon: what was decided otherwise than before and since when, and tells news to whoever asks.

Called for every decision, so it does next to nothing for those that are as they were.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.decision import EventKind
from trimtab.service.audience import Listener
from trimtab.service.views.decisions import verdict_word
from trimtab.web.problem import ProblemError
from trimtab.web.views.stream import (
    News,
    NewsKind,
    NewsOfDecision,
    NewsOfResync,
    NewsOfState,
    NewsOfWrite,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from trimtab.core.decision import Decision, Outcome
    from trimtab.journal.port import JournalStatus
    from trimtab.service.circuits import CircuitStatus
    from trimtab.service.controller import Evaluation
    from trimtab.service.fleet import Reading
    from trimtab.service.overrides import OverrideChange
    from trimtab.service.reload import Reload

LISTENERS_MAX = 64
"""Open pages and programs. Each is a connection of the few that there are."""

WAITING_MAX = 256
"""News that wait for one listener; beyond, it hears that it missed some."""

KEPT_MAX = WAITING_MAX
"""News that are kept for whoever connects again: no more than may wait for one at once."""

PULSE_SECONDS = 1.0
"""In real time: so often who listens in vain is asked whether it is still there."""


class Since(NamedTuple):
    """What was decided of a deployment, as far as people tell it apart, and since when (UTC seconds)."""

    key: tuple[object, ...]
    at: float


class Listening:
    """One who listens: news that wait for it."""

    def __init__(self, deployment: str | None) -> None:
        self.deployment = deployment
        self.waiting: deque[News] = deque()
        self.is_behind = False
        self.woken = asyncio.Event()

    def hear(self, news: News) -> None:
        """Let a piece of news wait, if it is of interest; all of it is dropped when it is too much."""
        if None not in (self.deployment, news.deployment) and self.deployment != news.deployment:
            return
        if len(self.waiting) >= WAITING_MAX:
            self.waiting.clear()
            self.is_behind = True
        self.waiting.append(news)
        self.woken.set()


class Watch(Listener):
    """Knows since when each deployment has been decided on as it is, and tells news."""

    def __init__(self) -> None:
        self._since: dict[str, Since] = {}
        self._number = 0
        self._kept: deque[News] = deque(maxlen=KEPT_MAX)
        self._listeners: set[Listening] = set()
        self._troubled: set[str] = set()

    def changed_at(self, deployment: str) -> float | None:
        """Return since when a deployment has been decided on as it is now, as far as is known."""
        found = self._since.get(deployment)
        return None if found is None else found.at

    # -- hearing ---------------------------------------------------------------------------------

    def evaluated(self, evaluation: Evaluation) -> None:
        """Notice which decisions are other ones than before."""
        since = self._since
        for one in evaluation.tick.decisions:
            key = (one.verdict, one.current, one.desired, one.policy, one.actual)
            before = since.get(one.deployment)
            if before is None or before.key != key:
                since[one.deployment] = Since(key, one.at)
                if before is not None:
                    self._tell(NewsKind.DECISION, _of_decision(one), one.deployment)
        for event in evaluation.tick.events:
            if event.kind is EventKind.GONE:
                since.pop(event.deployment, None)
            named = None if event.deployment == "*" else event.deployment
            state = NewsOfState(subject="deployment", deployment=named, sentence=event.sentence)
            self._tell(NewsKind.STATE, state, named)

    def wrote(self, outcome: Outcome) -> None:
        """Tell how a write ended."""
        order = outcome.order
        written = NewsOfWrite(
            deployment=order.deployment,
            from_replicas=order.from_replicas,
            to_replicas=order.to_replicas,
            status=outcome.status.value,
            sentence=outcome.sentence,
        )
        self._tell(NewsKind.WRITE, written, order.deployment)

    def fleet_read(self, reading: Reading) -> None:
        """Tell that a target cannot be read any more, or can again."""
        is_troubled = reading.trouble is not None
        if is_troubled is (reading.target in self._troubled):
            return
        (self._troubled.add if is_troubled else self._troubled.discard)(reading.target)
        sentence = f"{reading.target} can be read again"
        self._state("target", sentence if reading.trouble is None else reading.trouble.sentence)

    def reloaded(self, reload: Reload) -> None:
        """Tell that the policy files were read."""
        bad = "; ".join(one.sentence for one in reload.bad)
        self._state("policies", bad or f"{len(reload.policies)} policies are in force")

    def overridden(self, change: OverrideChange) -> None:
        """Tell that an override was given or lifted."""
        parts = [] if change.given is None else [f"{change.given.text} by {change.by}"]
        parts += [f"no longer {one.text}, by {change.by}" for one in change.lifted]
        given = change.given or next(iter(change.lifted), None)
        self._state("overrides", "; ".join(parts), None if given is None else given.deployment)

    def circuit_changed(self, circuit: CircuitStatus) -> None:
        """Tell that a dependency is left alone, probed, or asked again."""
        state = circuit.state.value.replace("_", " ")
        self._state("circuit", f"the circuit of {circuit.dependency} is {state}")

    def journal_changed(self, status: JournalStatus) -> None:
        """Tell how well things are kept."""
        self._state("journal", f"the journal is {status.mode}: {status.sentence}")

    def _state(self, subject: str, sentence: str, deployment: str | None = None) -> None:
        state = NewsOfState(subject=subject, deployment=deployment, sentence=sentence)
        self._tell(NewsKind.STATE, state, deployment)

    def _tell(
        self,
        kind: NewsKind,
        data: NewsOfDecision | NewsOfWrite | NewsOfState,
        deployment: str | None,
    ) -> None:
        self._number += 1
        news = News(self._number, kind, data, deployment)
        self._kept.append(news)
        for listener in self._listeners:
            listener.hear(news)

    # -- telling ---------------------------------------------------------------------------------

    def listen(
        self, *, deployment: str | None = None, after: int | None = None
    ) -> AsyncGenerator[News | None, None]:
        """Yield news as they come, ``None`` where none came for a second. Raises ``ProblemError`` where too many listen."""
        if len(self._listeners) >= LISTENERS_MAX:
            why = f"{LISTENERS_MAX} others listen already, and that is the most; ask for pages instead"
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, why, retry_after_seconds=30.0)
        return self._news_for(Listening(deployment), after)

    def _catch_up(self, listening: Listening, after: int | None) -> None:
        """Let what was missed since ``after`` wait; a number of another run, or one too old, is behind."""
        if after is None:
            return
        oldest = self._kept[0].number if self._kept else self._number + 1
        listening.is_behind = after > self._number or after < oldest - 1
        for news in self._kept:
            if news.number > after:
                listening.hear(news)

    async def _news_for(
        self, listening: Listening, after: int | None
    ) -> AsyncGenerator[News | None, None]:
        self._catch_up(listening, after)
        self._listeners.add(listening)  # here, as a generator that never began has no end either
        try:
            while True:
                listening.woken.clear()
                if listening.is_behind:
                    listening.is_behind = False
                    listening.waiting.clear()
                    why = "news were left out: read again what is shown"
                    yield News(self._number, NewsKind.RESYNC, NewsOfResync(sentence=why))
                while listening.waiting and not listening.is_behind:
                    yield listening.waiting.popleft()
                if listening.woken.is_set():
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(PULSE_SECONDS):
                        await listening.woken.wait()
                if not listening.woken.is_set():
                    yield None
        finally:
            self._listeners.discard(listening)


def _of_decision(one: Decision) -> NewsOfDecision:
    return NewsOfDecision(
        deployment=one.deployment,
        verdict=verdict_word(one.verdict),
        reason=one.verdict.reason.value,
        current=one.current,
        desired=one.desired,
        sentence=one.sentence,
    )
