"""What policies would have decided, had they been asked: the journal told to an engine that only advises.

The engine is the one that runs live. Advising, it carries on a shadow of each count, so that its rate limits,
windows and steps follow what it would have done itself; load and everything else is what was recorded.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from trimtab.core.decision import Hold, Outcome, ScaleUp
from trimtab.core.engine import Engine
from trimtab.core.memory import Memory
from trimtab.core.policy import Mode
from trimtab.errors import OverrideError
from trimtab.journal.checkpoints import Checkpoint
from trimtab.journal.entries import PoliciesInForce
from trimtab.journal.sequence import Gap, Ordered
from trimtab.journal.turns import Turn
from trimtab.service.views.decisions import verdict_word
from trimtab.web.views.what_if import WhatIfDecision, WhatIfDeployment, WhatIfView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trimtab.core.decision import Decision
    from trimtab.core.deployment import Deployment
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.policy import Policy
    from trimtab.journal.sequence import Recorded

DEPLOYMENTS_MAX = 50
"""How many deployments are followed: the first that match."""

DECISIONS_MAX = 100
"""How many changes of one are told: the newest."""

HOUR_SECONDS = 3600.0

LOAD_IS_OF_THAT_TIME = (
    "Load is what was heard under the policies of that time: with other counts, what is counted for each "
    "replica, queues and latencies would have been others."
)
COUNTS_ARE_ON_PAPER = (
    "Counts move on paper: whether there would have been accelerators, and how long they would have taken to "
    "serve, is not known."
)
NOTHING_IS_SHARED = "What deployments share (quotas, spend limits, teams, groups) is left out; overrides of that time count."
RULES_BEGIN_ANEW = "Rules that learn, and windows, begin with what is heard in this time."
ALWAYS = (LOAD_IS_OF_THAT_TIME, COUNTS_ARE_ON_PAPER, NOTHING_IS_SHARED, RULES_BEGIN_ANEW)
"""What no replay can tell."""


@dataclass(slots=True)
class _Followed:
    """One deployment, and what has come of it so far."""

    name: str
    policy: str | None = None
    evaluations: int = 0
    ups: int = 0
    downs: int = 0
    replicas_max: int = 0
    replica_seconds: float = 0.0
    actual_replica_seconds: float = 0.0
    last: Decision | None = None
    told: int = 0
    changes: deque[WhatIfDecision] = field(default_factory=lambda: deque(maxlen=DECISIONS_MAX))

    def hear(self, now: Decision) -> None:
        """Take in the next decision."""
        actual = now.current if now.actual is None else now.actual
        before = self.last
        if before is not None:
            seconds = max(0.0, now.at - before.at)
            self.replica_seconds += before.desired * seconds
            was = before.current if before.actual is None else before.actual
            self.actual_replica_seconds += was * seconds
        self.last = now
        self.evaluations += 1
        self.policy = now.policy or self.policy
        self.replicas_max = max(self.replicas_max, now.desired)
        if not isinstance(now.verdict, Hold):
            is_up = isinstance(now.verdict, ScaleUp)
            self.ups, self.downs = self.ups + is_up, self.downs + (not is_up)
        key = (now.verdict, now.desired)
        if before is None or key != (before.verdict, before.desired):
            self.told += 1
            self.changes.append(
                WhatIfDecision(
                    at=now.at,
                    verdict=verdict_word(now.verdict),
                    reason=now.verdict.reason.value,
                    desired=now.desired,
                    actual=actual,
                    sentence=now.sentence,
                )
            )

    def view(self) -> WhatIfDeployment:
        """Return what has come of it."""
        return WhatIfDeployment(
            deployment=self.name,
            policy=self.policy,
            evaluations=self.evaluations,
            replica_hours=self.replica_seconds / HOUR_SECONDS,
            actual_replica_hours=self.actual_replica_seconds / HOUR_SECONDS,
            ups=self.ups,
            downs=self.downs,
            replicas_max=self.replicas_max,
            decisions=tuple(reversed(self.changes)),
            is_cut=self.told > len(self.changes),
        )


class WhatIfReplay:
    """Follows deployments through the recorded sequence. ``only``: this one alone, by its full name."""

    def __init__(self, policies: Iterable[Policy], *, since: float, only: str | None) -> None:
        self._policies = [replace(policy, mode=Mode.ADVISE) for policy in policies]
        self._since = since
        self._only = only
        self._engine: Engine | None = None
        self._known: PoliciesInForce | None = None
        self._followed: dict[str, _Followed] = {}
        self._ignored: set[str] = set()
        self._heard: set[str] = set()
        self._is_cut = False
        self._turns = 0
        self._times: tuple[float, float] | None = None

    def run(self, recorded: Iterable[Recorded], is_over: Callable[[], bool]) -> WhatIfView:
        """Follow ``recorded`` to its end, or until there is no more time."""
        is_complete = True
        for one in recorded:
            if is_over():
                is_complete = False
                break
            self._take(one)
        return self._view(is_complete=is_complete)

    def _take(self, recorded: Recorded) -> None:
        what, engine = recorded.what, self._engine
        if isinstance(what, PoliciesInForce):
            self._known = what
        elif isinstance(what, Checkpoint):
            if engine is None:
                self._engine = self._begun(what)
        elif isinstance(what, Gap):
            self._engine = None if what.is_break else engine
        elif engine is None:
            return
        elif isinstance(what, Turn):
            self._turn(engine, what)
        elif isinstance(what, Outcome):
            if what.order.deployment in self._followed:
                engine.record(what)
        elif isinstance(what, Ordered):
            _ordered(engine, what)

    def _begun(self, checkpoint: Checkpoint) -> Engine:
        for name, deployment in checkpoint.fleet.items():
            self._is_followed(name, deployment)
        memory = Memory(
            deployments={
                name: _without_rules(one)
                for name, one in checkpoint.memory.deployments.items()
                if name in self._followed
            },
            overrides=checkpoint.memory.overrides,
            lead_times=checkpoint.memory.lead_times,
        )
        lead_times = None if self._known is None else self._known.lead_times
        engine = Engine(self._policies, memory, lead_times=lead_times)
        for order in checkpoint.in_flight:
            if order.deployment in self._followed:
                engine.resume(order, is_timed=True)
        engine.see(checkpoint.fleet)
        return engine

    def _is_followed(self, name: str, deployment: Deployment | None) -> bool:
        """Whether a deployment is one of those; it is decided when it is first seen."""
        if name in self._followed:
            return True
        if name in self._ignored or deployment is None:
            return False
        is_wanted = self._only in (None, name) and any(
            one.selector.matches(deployment) for one in self._policies
        )
        if is_wanted and len(self._followed) >= DEPLOYMENTS_MAX:
            self._is_cut, is_wanted = True, False
        if not is_wanted:
            self._ignored.add(name)
            return False
        self._followed[name] = _Followed(name)
        return True

    def _turn(self, engine: Engine, turn: Turn) -> None:
        fleet = turn.fleet
        named = tuple(fleet) if turn.due is None else turn.due
        due = [name for name in named if self._is_followed(name, fleet.get(name))]
        samples = [one for one in turn.samples if one.deployment in self._followed]
        self._heard.update(one.signal for one in samples)
        changed = turn.changed
        tick = engine.step(
            turn.at,
            fleet,
            samples,
            due=due,
            changed=None
            if changed is None
            else [name for name in changed if name in self._followed],
            absent=[name for name in turn.absent if name in self._followed],
            upheld={name: at for name, at in turn.upheld.items() if name in self._followed},
        )
        if turn.at < self._since:
            return
        self._turns += 1
        self._times = (turn.at if self._times is None else self._times[0], turn.at)
        for decision in tick.decisions:
            self._followed[decision.deployment].hear(decision)

    def _view(self, *, is_complete: bool) -> WhatIfView:
        found = [one.view() for one in self._followed.values() if one.evaluations]
        since, until = self._times or (None, None)
        return WhatIfView(
            since=since,
            until=until,
            turns=self._turns,
            deployments=tuple(sorted(found, key=lambda one: one.deployment)),
            diagnostics=(),
            is_complete=is_complete and not self._is_cut,
            caveats=(*self._limits(is_complete=is_complete), *ALWAYS),
        )

    def _limits(self, *, is_complete: bool) -> Iterable[str]:
        if self._times is None:
            yield "There is nothing recorded in this time of deployments that these policies match."
        elif not self._followed:
            whom = self._only or "any deployment of this time"
            yield f"None of these policies matches {whom}, so they would have decided nothing."
            return
        if not is_complete:
            yield "There was no time for all of it: ask for fewer hours, or for one deployment."
        if self._is_cut:
            yield f"Only {DEPLOYMENTS_MAX} of the deployments that match were followed."
        declared = {spec.name for policy in self._policies for spec in policy.signals}
        if unheard := sorted(declared - self._heard):
            yield (
                f"{', '.join(unheard)}: nothing was recorded under this name, as no policy of that time asked "
                "for it; here it is missing, and missing is never zero."
            )
        if declared & self._heard:
            yield "Signals are told apart by name: what a query of the same name reads otherwise is not known."


def _without_rules(memory: DeploymentMemory) -> DeploymentMemory:
    """Forget what belongs to the policies of that time, and keep what was seen and heard."""
    return memory._replace(
        rules={}, damped={}, lows=(), highs=(), shadow=None, claimed=None, grouped=None, wish=None
    )


def _ordered(engine: Engine, ordered: Ordered) -> None:
    if ordered.by is None:
        return  # what runs out, the engine notices by itself
    if ordered.given is None:
        engine.lift(ordered.lifted)
        return
    try:
        engine.give(ordered.given)
    except OverrideError:
        return  # as many as there may be: so it was then, too
