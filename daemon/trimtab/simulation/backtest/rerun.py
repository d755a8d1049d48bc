"""The real engine lives through a recording with other policies: what it would have asked for, and when.

While it asks for what was really asked for, the world that it sees is the recorded one, replica by
replica. From the first difference on a deployment has replicas of its own (``replicas.Twin``), until both
stand alike again. So the policy that made a recording makes it again, and of another one exactly that is
modelled which cannot be known.

What was heard is told as it was heard. Only means over replicas are taken for the totals that they stood
for, and told for the replicas that there would have been.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from trimtab.core.decision import Outcome, WriteStatus
from trimtab.core.engine import Engine
from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.core.pipeline import asked_replicas, own_ready
from trimtab.core.policy import Mode
from trimtab.core.signals import Per
from trimtab.errors import OverrideError
from trimtab.simulation.backtest.courses import Counts, Lived, Terms
from trimtab.simulation.backtest.moments import (
    Lapse,
    Moment,
    Ordered,
    Primed,
    Quoted,
    Restarted,
    Sent,
)
from trimtab.simulation.backtest.replicas import Twin
from trimtab.simulation.backtest.told_quotas import as_told_here
from trimtab.simulation.fleet_books import Books

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from trimtab.core.decision import Order, Tick
    from trimtab.core.deployment import Deployment
    from trimtab.core.policy import Policy
    from trimtab.core.signals import Sample
    from trimtab.simulation.backtest.moments import Happening

ASSUMED_LEAD_SECONDS = 300.0

STIRRED_MAX = 10
"""Deployments that stir each other in a circle are decided on so often; the rest is for the next moment."""


def rerun(
    policies: Iterable[Policy],
    happenings: Iterable[Happening],
    terms: Terms,
    *,
    real_orders: Mapping[tuple[str, float], Order] | None = None,
) -> Lived:
    """Let an engine with ``policies`` live through ``happenings`` and return what came of it.

    Policies that only advise are taken for what they would do. ``real_orders`` are those of the
    recording that were sent, by deployment and time of the decision.
    """
    living = _Living(policies, terms, real_orders or {})
    for one in happenings:
        living.take(one)
    living.close()
    return living.lived


class _Living:
    def __init__(
        self,
        policies: Iterable[Policy],
        terms: Terms,
        real_orders: Mapping[tuple[str, float], Order],
    ) -> None:
        enforced = [replace(policy, mode=Mode.ENFORCE) for policy in policies]
        self.lived = Lived()
        self._engine = Engine(
            enforced, terms.memory, lead_times=terms.lead_times, fleet=terms.fleet
        )
        self._stirred: dict[str, None] = {}
        self._terms = terms
        self._real_orders = real_orders
        self._real: Mapping[str, Deployment] = {}
        self._shown: dict[str, Deployment] = {}
        self._twins: dict[str, Twin] = {}
        self._apart_since: dict[str, float] = {}
        self._pending: dict[str, Order] = {}
        self._writing: set[str] = set()
        self._obeyed: dict[str, None] = {}
        self._asked: dict[str, int] = {}
        self._rose_at: dict[str, float] = {}
        self._is_chosen: dict[str, bool] = {}
        self._at = -math.inf
        self._is_all_new = True
        for order in terms.in_flight:
            self._pending[order.deployment] = order
            self._writing.add(order.deployment)
            self._engine.resume(order)

    def take(self, what: Happening) -> None:
        """Live through one happening."""
        if isinstance(what, Moment):
            self._moment(what)
        elif isinstance(what, Sent):
            self._sent(what.order)
        elif isinstance(what, Outcome):
            self._ended(what)
        elif isinstance(what, Ordered):
            self._ordered(what)
        elif isinstance(what, Primed):
            self._engine.prime(what.deployment, what.rule, what.remembered)
        elif isinstance(what, Quoted):
            told = tuple(as_told_here(what.readings, self._real, self._shown))
            self._engine.take_quotas(told)
        elif isinstance(what, Restarted):
            self._restarted(what)
            self._lose_sight(self._at)
        elif isinstance(what, Lapse):
            self._is_all_new = True
            self._lose_sight(what.at)
        else:
            assert_never(what)

    # -- moments -------------------------------------------------------------------------------

    def _moment(self, moment: Moment) -> None:
        self._at, self._real = moment.at, moment.fleet
        changed = self._look(moment)
        candidates = tuple(moment.fleet) if moment.due is None else moment.due
        if self._twins:
            candidates = tuple(dict.fromkeys((*candidates, *self._stirred)))
            self._stirred.clear()
        due = [name for name in candidates if self._is_decided_on(name)]
        self._note_serving()
        tick = self._engine.step(
            moment.at,
            self._shown,
            self._told(moment),
            due=due,
            changed=changed,
            absent=moment.absent,
            # Told by the policy of then, of samples that are not in the recording.
            upheld={n: t for n, t in moment.upheld.items() if n not in self._twins},
        )
        self._carry_out(tick, moment.was_so)
        for _ in range(STIRRED_MAX):
            # While the worlds are one, the recording tells when those who were stirred were decided on.
            self._stirred.update(dict.fromkeys(tick.stirred))
            due = [name for name in self._stirred if self._twins and self._is_decided_on(name)]
            if not due:
                break
            self._stirred.clear()
            changed, self._obeyed = list(self._obeyed), {}
            tick = self._engine.step(self._at, self._shown, due=due, changed=changed, absent=())
            self._carry_out(tick, None)

    def _carry_out(self, tick: Tick, was_so: Callable[[Tick], bool] | None) -> None:
        """Take in what was decided, and give the orders."""
        self.lived.decisions += len(tick.decisions)
        for order in tick.orders:
            self._give(order, tick.at, tick, was_so)
        for decision in tick.decisions:
            self.lived.because[decision.deployment] = decision.sentence
            self.lived.policies[decision.deployment] = decision.policy
        if self.lived.books is not None:
            self.lived.books.take(tick)

    def _note_serving(self) -> None:
        """Take down what serves now of those that are decided on."""
        if self._terms.fleet == NO_FLEET_POLICY:
            return
        if self.lived.books is None:
            begin = self._terms.counted_from
            begin = self._at if begin is None else max(begin, self._at)
            self.lived.books = Books(self._terms.fleet, begin)
        ours = [one for name, one in self._shown.items() if self._is_decided_on(name)]
        self.lived.books.look(self._at, ((one, own_ready(one)) for one in ours))
        self.lived.shown.update((one.name, one) for one in ours)

    def _lose_sight(self, at: float) -> None:
        """From now on nobody looks: what served is not known to go on, on either side of a comparison."""
        if self.lived.books is not None:
            at = max(at, self._at)
            self.lived.books.look(at, ((one, None) for one in self.lived.shown.values()))

    def _is_decided_on(self, name: str) -> bool:
        known = self._is_chosen.get(name)
        if known is None:
            deployment = self._shown.get(name)
            if deployment is None:
                return False
            names = self._terms.names
            known = (names is None or name in names) and bool(self._engine.policies_for(deployment))
            self._is_chosen[name] = known
        return known

    def _look(self, moment: Moment) -> list[str] | None:
        """Take in the recorded fleet and let the modelled replicas come; return who changed."""
        told = None if moment.changed is None else list(moment.changed)
        is_all_new = told is None or self._is_all_new
        self._is_all_new = False
        names = [*self._shown, *moment.fleet] if is_all_new or told is None else told
        for name in dict.fromkeys(names):
            real = moment.fleet.get(name)
            if real is None:
                self._shown.pop(name, None)
                self._twins.pop(name, None)
                continue
            self._note_real(name, real, moment)
            if name not in self._twins:
                self._shown[name] = real
                if self._is_decided_on(name):
                    self._note_own(name)
                    if not self._terms.is_followed:
                        self._depart(name)
        new = set(names)
        moved = [name for name in self._twins if self._live_on(name, is_real_new=name in new)]
        obeyed, self._obeyed = self._obeyed, {}
        return None if told is None else list(dict.fromkeys((*told, *moved, *obeyed)))

    def _live_on(self, name: str, *, is_real_new: bool) -> bool:
        """Let the replicas of a twin come until now; return whether the deployment looks otherwise."""
        twin, is_new = self._twins[name], is_real_new
        while twin.next_ready_at <= self._at:
            at = twin.next_ready_at
            twin.advance()
            self._own(name).note(at, twin.asked, twin.ready)
            is_new = True
        if is_new:
            self._shown[name] = twin.shown(self._real[name])
        return is_new

    def _told(self, moment: Moment) -> list[Sample] | tuple[Sample, ...]:
        """Return the samples, with means over replicas told for those that there are here."""
        if not self._twins:
            return tuple(moment.samples)
        return [self._as_heard(one, moment) for one in moment.samples]

    def _as_heard(self, sample: Sample, moment: Moment) -> Sample:
        name = sample.deployment
        twin = self._twins.get(name)
        if twin is None or name in moment.uncounted or not self._is_per_replica(sample):
            return sample
        real = own_ready(moment.fleet[name])
        if real == twin.ready or not (real and twin.ready):
            return sample
        replicas = None if sample.replicas is None else twin.ready
        return sample._replace(value=sample.value * real / twin.ready, replicas=replicas)

    def _is_per_replica(self, sample: Sample) -> bool:
        policies = self._engine.policies_for(self._shown[sample.deployment])
        specs = policies[0].signals if policies else ()
        return any(one.name == sample.signal and one.per is Per.REPLICA for one in specs)

    # -- orders --------------------------------------------------------------------------------

    def _give(
        self, order: Order, now: float, tick: Tick, was_so: Callable[[Tick], bool] | None
    ) -> None:
        name = order.deployment
        if name not in self._twins:
            real = self._real_orders.get((name, order.at))
            # An order that had no end yet, when the recording ended, is in no list of orders.
            is_same = _writes_the_same(real, order) if real is not None else was_so and was_so(tick)
            if is_same:
                self._pending[name] = order
                return
            self._depart(name)
        self._obey(order, now)

    def _obey(self, order: Order, now: float) -> None:
        """Carry out an order of ours at once."""
        name = order.deployment
        twin = self._twins[name]
        twin.obey(order, now)
        self._shown[name] = twin.shown(self._real[name])
        self._obeyed[name] = None
        self._own(name).note(now, twin.asked, twin.ready)
        sentence = "applied"
        outcome = Outcome(order=order, at=now, status=WriteStatus.APPLIED, sentence=sentence)
        self._engine.record(outcome)

    def _sent(self, order: Order) -> None:
        """Part from the recording if an order of it is not one of ours."""
        name = order.deployment
        self._writing.add(name)
        ours = self._pending.get(name)
        is_ours = ours is not None and _writes_the_same(ours, order)
        if name not in self._twins and name in self._shown and not is_ours:
            self._depart(name)

    def _ended(self, outcome: Outcome) -> None:
        name = outcome.order.deployment
        self._writing.discard(name)
        ours = self._pending.pop(name, None)
        if ours is not None:
            self._engine.record(
                replace(outcome, order=ours) if _writes_the_same(ours, outcome.order) else
                replace(outcome, order=ours, status=WriteStatus.VOID)
            )  # fmt: skip

    def _ordered(self, ordered: Ordered) -> None:
        if ordered.given is None:
            self._engine.lift(ordered.lifted)
            return
        with contextlib.suppress(OverrideError):  # the engine of then had room for it
            self._engine.give(ordered.given)

    def _restarted(self, restarted: Restarted) -> None:
        for order in restarted.in_flight:
            ours = self._pending.get(order.deployment)
            if ours is not None:
                self._engine.resume(ours)

    # -- one world or two ----------------------------------------------------------------------

    def _depart(self, name: str) -> None:
        """From now on the deployment has replicas of its own."""
        real = self._shown[name]
        self._twins[name] = Twin(
            real,
            now=self._at,
            lead_seconds=self._terms.lead_seconds.get(name, ASSUMED_LEAD_SECONDS),
            asked_at=self._rose_at.get(name),
        )
        self._apart_since[name] = self._at
        self.lived.departed_at.setdefault(name, self._at)
        pending = self._pending.pop(name, None)
        if pending is not None:  # it is not what was really written
            self._obey(pending, self._at)

    def _rejoin(self, name: str) -> None:
        del self._twins[name]
        self.lived.modelled.setdefault(name, []).append((self._apart_since.pop(name), self._at))

    def _note_real(self, name: str, real: Deployment, moment: Moment) -> None:
        if name not in moment.uncounted:
            asked = asked_replicas(real)
            if asked > self._asked.get(name, asked):
                self._rose_at[name] = moment.at
            self._asked[name] = asked
        twin = self._twins.get(name)
        is_quiet = name not in self._writing and self._terms.is_followed
        if twin is not None and is_quiet and twin.is_like(real):
            self._rejoin(name)

    def _note_own(self, name: str) -> None:
        shown = self._shown[name]
        self._own(name).note(self._at, asked_replicas(shown), own_ready(shown))

    def _own(self, name: str) -> Counts:
        return self.lived.own.setdefault(name, Counts())

    def close(self) -> None:
        """Count the time of those that are apart at the end."""
        for name in tuple(self._twins):
            self._rejoin(name)


def _writes_the_same(one: Order, other: Order) -> bool:
    return (
        one.actuation is other.actuation
        and one.to_replicas == other.to_replicas
        and (one.min_replicas, one.max_replicas) == (other.min_replicas, other.max_replicas)
    )
