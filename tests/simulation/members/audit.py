"""What members must never do, checked at the control plane's door against who had claimed what, by true time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.members.succession import Attention, Recollections
from tests.simulation.trail import Trail, ViolationError, violation

from trimtab.coordination.port import Tenure
from trimtab.core.decision import Decision, Outcome, Reason, Tick
from trimtab.journal.entries import Intended
from trimtab.targets.fireworks.answers import Call

if TYPE_CHECKING:
    from tests.simulation.members.world import MembersWorld

Bounds = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Written:
    at: float
    bounds: Bounds


class MembersAudit:
    """Watches claims and writes. The first broken promise is kept in ``broken``."""

    def __init__(self, world: MembersWorld, trail: Trail) -> None:
        self._world = world
        self.trail = trail
        self.counts: Counter[str] = Counter()
        self.broken: ViolationError | None = None
        self.given: dict[int, tuple[str, int]] = {}
        self.on_next_write: Callable[[], None] | None = None
        self.claimed_at: dict[int, float] = {}
        self._terms: dict[int, int] = {}
        self._intended: dict[tuple[int, str], Intended] = {}
        self._looks: dict[tuple[int, str], float] = {}
        self._written: dict[str, _Written] = {}
        self.attention = Attention(world)
        self.recollections = Recollections(world)

    def violated(self, promise: str, subject: str, text: str) -> None:
        """Keep the first violation and stop the world."""
        if self.broken is None:
            self.broken = violation(
                self._world.plan.seed, promise, subject, text, self.trail, options="--members "
            )
            self._world.stop()

    # -- at the service --------------------------------------------------------------------------

    def claimed(self, member: str, tenure: Tenure) -> None:
        """At the instant of a claim nobody else may rely on the bucket, and its term is new."""
        bucket, term = tenure.bucket, tenure.term
        self.trail.add("claim", "", f"{member} claims bucket {bucket} in term {term}")
        self.counts["claims"] += 1
        if term <= self._terms.get(bucket, 0):
            self.violated("no term is given twice", "", f"bucket {bucket} in term {term}")
        self._terms[bucket] = term
        self.given[bucket] = member, term
        self.claimed_at[bucket] = self._world.now()
        for other in self._world.alive():
            if other.name == member:
                continue
            for name in self._world.names_in(bucket):
                if other.steward.term_of(name) is not None:
                    left = other.steward.seconds_left(name)
                    text = f"{other.name} relies on it for {left:.3f} s when {member} gets it"
                    self.violated("a bucket has one owner", name, text)

    def released(self, member: str, tenure: Tenure) -> None:
        """Nobody has a bucket that was released."""
        self.trail.add("release", "", f"{member} releases bucket {tenure.bucket}")
        if self.given.get(tenure.bucket) == (member, tenure.term):
            del self.given[tenure.bucket]

    # -- at the control plane --------------------------------------------------------------------

    def intended(self, process: int, entry: Intended) -> None:
        """A process has written down what it is about to send."""
        self._intended[process, entry.order.deployment] = entry

    def sending(self, process: int, call: Call) -> None:
        """A request leaves."""
        if not call.is_write:
            return
        self.counts["writes sent"] += 1
        run = self._world.run_of(process)
        self.trail.add("write", call.path, f"{run.name} sends {call.body}")
        if self.on_next_write is not None:
            then, self.on_next_write = self.on_next_write, None
            then()

    def looked(self, process: int, path: str, at: float) -> None:
        """A process was told how a deployment was at ``at``."""
        self._looks[process, path] = at

    def changed(self, process: int, call: Call, before: Bounds) -> None:
        """A write takes effect now."""
        world, name = self._world, call.path
        one = world.emulation.deployments[name]
        bounds = one.minimum, one.maximum
        run = world.run_of(process)
        bucket = world.bucket_of(name)
        given = self.given.get(bucket)
        owner = "nobody" if given is None else f"{given[0]} in term {given[1]}"
        self.trail.add("applied", name, f"{bounds} by {run.name}; bucket {bucket} is of {owner}")
        self.counts["writes"] += 1
        intended = self._intended.get((process, name))
        if intended is None:
            self.violated("each write has an intention", name, f"{run.name} wrote down none")
            return
        meant = intended.order.min_replicas, intended.order.max_replicas
        if meant != bounds:
            self.violated("each write has an intention", name, f"{meant} was meant, not {bounds}")
        if intended.term is None:
            self.violated("an intention says its term", name, f"that of {run.name} does not")
        if given != (run.name, intended.term):
            text = (
                f"{run.name} wrote {bounds} in term {intended.term}; bucket {bucket} is of {owner}"
            )
            self.violated("only the owner writes", name, text)
        last, looked_at = self._written.get(name), self._looks.get((process, name))
        if bounds != before:
            self._written[name] = _Written(world.now(), bounds)
        elif last is not None and looked_at is not None and looked_at >= last.at:
            text = f"{run.name} wrote {bounds}, which it had read {world.now() - looked_at:.2f} s before"
            self.violated("no write is doubled", name, text)
        low, high = world.plan.range_of(name)
        if not low <= bounds[0] <= bounds[1] <= high:
            self.violated("within the user's range", name, f"{bounds} in {low}-{high}")

        quota, in_all = world.plan.quota, sum(map(world.ordered, world.loads))
        if quota is not None and bounds[0] > before[0] and in_all > quota:
            text = f"{run.name} wrote {bounds}, and {in_all} of {quota} accelerators are asked for"
            self.violated("no quota is exceeded", name, text)
        self.recollections.check(process, name, before, bounds)

    # -- in the processes ------------------------------------------------------------------------

    def heard_loads(self, process: int, names: Iterable[str]) -> None:
        """A process is told the loads of these."""
        self.recollections.heard_loads(process, names)

    def heard_tick(self, process: int, tick: Tick) -> None:
        """A process has decided."""
        member = self._world.run_of(process).name
        self.counts["decisions"] += len(tick.decisions)
        for event in tick.events:
            self.trail.add("event", event.deployment, f"{member}: {event.kind}: {event.sentence}")
        for decision in tick.decisions:
            name = decision.deployment
            self._heard_decision(member, decision)
            self.attention.decided(process, name)
            if self.given.get(self._world.bucket_of(name), ("", 0))[0] == member:
                self.recollections.decided(process, name)

    def _heard_decision(self, member: str, decision: Decision) -> None:
        reason, name = decision.verdict.reason, decision.deployment
        if reason is Reason.INVARIANT:
            self.violated("no bug", name, decision.sentence)
        if decision.current != decision.desired:
            text = (
                f"{member}: {decision.current} -> {decision.desired} ({reason}) {decision.sentence}"
            )
            self.trail.add("decision", name, text)

    def heard_outcome(self, member: str, outcome: Outcome) -> None:
        """A process knows how a write ended."""
        name = outcome.order.deployment
        self.trail.add("outcome", name, f"{member}: {outcome.status}: {outcome.sentence}")
        if "a bug in trimtab" in outcome.sentence:
            self.violated("no bug", name, outcome.sentence)
