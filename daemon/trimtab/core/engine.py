"""``Engine.step``: everything that is decided, decided here, without touching the world.

No I/O, no clock, no logging, no exception for an expected situation. The same code runs under the
live daemon, the simulation and the replay of recorded history.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from trimtab.core.appealing import hear_all_appeals
from trimtab.core.decision import Event, Tick
from trimtab.core.edges import Outlooks, Prospect, edges_of_helpers, next_edge
from trimtab.core.endings import after_ending
from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.core.hand_back import hand_back_all
from trimtab.core.lead_time import LeadTimes
from trimtab.core.matching import Matcher
from trimtab.core.memories import Memories
from trimtab.core.memory import Memory, Pair
from trimtab.core.noticing import Sight
from trimtab.core.overrides import OverrideBook, ended
from trimtab.core.priming import cold_rules
from trimtab.core.renewal import renew
from trimtab.core.rounds import Round
from trimtab.core.set_back import set_all_back
from trimtab.core.sharing import Sharing
from trimtab.core.succession import BucketLeft, BucketTaken, leave, membership_after, take
from trimtab.core.ties import Ties
from trimtab.core.upheld import uphold_all
from trimtab.core.watching import Look

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from trimtab.core.account_quotas import QuotaReading
    from trimtab.core.decision import Order, Outcome
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_memory import FleetMemory
    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.footing import Footing
    from trimtab.core.lead_time import LeadTime, Learned
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.overrides import Override, Standing
    from trimtab.core.policy import Policy
    from trimtab.core.priming import Priming
    from trimtab.core.proposals import JsonValue
    from trimtab.core.signals import Sample
    from trimtab.core.succession import Membership, MembersNews

    _Fleet = Mapping[str, Deployment]


class Engine:
    """Decides for a fleet, or for its part of one where it is one of several (``membership``).

    Holds the policies and the memory; everything else is handed in.
    """

    def __init__(
        self,
        policies: Iterable[Policy],
        memory: Memory | None = None,
        *,
        lead_times: LeadTimes | None = None,
        fleet: FleetPolicy = NO_FLEET_POLICY,
        membership: Membership | None = None,
    ) -> None:
        self.membership = membership
        self._matcher = Matcher(policies)
        self._lead_times = lead_times or LeadTimes()
        self._in_flight: dict[str, Pair] = {}
        self._resumed: set[str] = set()
        self._ties = Ties()
        self._outlooks = Outlooks()
        self._sharing = Sharing(fleet)
        self.recall(memory or Memory())

    def recall(self, memory: Memory) -> None:
        """Begin from what an earlier run remembered, in place of all that this one remembers so far.

        For whoever learns only after the start what that was.
        """
        self._memories = Memories(memory.deployments)
        self._seen: dict[str, Deployment] = {}
        self._footings: dict[str, Footing] = {}
        self._overrides = OverrideBook(memory.overrides)
        self._lead_times = self._lead_times.recalling(memory.lead_times)
        self._sharing.recall(memory.shared)
        self._is_appeal_known = False

    @property
    def memory(self) -> Memory:
        """What must survive a restart, as a value. A copy: for whoever asks rarely."""
        known = dict(self._memories.by_name)
        learned, shared = self._lead_times.learned, self._sharing.memory
        return Memory(known, self._overrides.overrides, learned, shared)

    @property
    def learned(self) -> Mapping[str, Learned]:
        """What was learned of starts: ``Memory.lead_times``; the same object while nothing is new."""
        return self._lead_times.learned

    @property
    def shared(self) -> FleetMemory:
        """What is remembered of the fleet: ``Memory.shared``; the same object while nothing is new."""
        return self._sharing.memory

    @property
    def sharing(self) -> Sharing:
        """What all deployments share, for whoever watches: quotas, spending, who claims what. Live."""
        return self._sharing

    def remembered(self, name: str) -> DeploymentMemory | None:
        """Return what is remembered of one deployment."""
        return self._memories.get(name)

    def next_edge(self, name: str, now: float, *, is_renewed: bool = False) -> float | None:
        """Return when time alone may change the decision on ``name``; ``None``: it does not.

        UTC seconds after ``now``, from what was seen and decided last (``core/edges.py``). Time
        brings it when people's orders end, too, and when who could help another gets ready to.
        With ``is_renewed`` only that which ``renew`` does not see by itself.
        """
        if (known := self._known(name)) is None:
            return None
        deployment, policy, memory = known
        prospect = Prospect(
            deployment=deployment,
            policy=policy,
            outlook=self._outlooks.of(policy),
            memory=memory,
            standing=self._overrides.standing(name),
            lead_time=self._lead_times.of(deployment, policy.lead_time_seconds),
            others=edges_of_helpers(
                self._ties.appeals, name, self._seen, self._memories.by_name, self._policy_of
            ),
        )
        return next_edge(now, prospect, is_renewed=is_renewed)

    def fleet_edge(self, now: float) -> float | None:
        """Return when time alone may change what anybody is granted (UTC seconds); ``None``: it does not.

        A step at that time, in which nobody needs to be due, names those in ``Tick.stirred``. At ``now``,
        where something that the engine was told since the last step has such a consequence.
        """
        return self._sharing.edge(now)

    def take_quotas(self, readings: Iterable[QuotaReading]) -> None:
        """Take in what the account says of all its quotas; ``fleet_edge`` is ``now`` if that is new.

        A pool that is left out has no quota that the account is known to set. Without a fleet policy nothing
        is taken in.
        """
        if self._sharing.is_active:
            self._sharing.take_quotas(readings)

    def cold_rules(self, name: str, now: float) -> tuple[Priming, ...] | None:
        """Return which rules of ``name`` would like to hear of the past; ``None``: not looked at yet."""
        known = self._known(name)
        return None if known is None else cold_rules(now, *known, self.lead_time_of(known[0]))

    def prime(self, name: str, rule: str, remembered: JsonValue) -> None:
        """Let a rule go on from what ``core/priming.py`` made of its past."""
        self._footings.pop(name, None)
        self._memories.remember(name, rule, remembered)

    def _known(self, name: str) -> tuple[Deployment, Policy, DeploymentMemory] | None:
        deployment, memory = self._seen.get(name), self._memories.get(name)
        policy = None if deployment is None else self._policy_of(deployment)
        if deployment is None or memory is None or policy is None:
            return None
        return deployment, policy, memory

    def is_moved_by(self, sample: Sample) -> bool:
        """Whether ``sample`` might change what its deployment's rules wish (``core/footing.py``).

        One that does not may wait for the next step, which is told that it upheld the last wish.
        """
        footing = self._footings.get(sample.deployment)
        return footing is None or not footing.bears(sample)

    def renew(self, name: str, now: float, samples: Collection[Sample]) -> bool:
        """Let the rules of ``name`` hear ``samples``; whether each then wishes what it wished last.

        If so that decision stands, as with ``is_moved_by``; if not they have learned nothing. For policies
        that are ``is_renewable``, while no edge has come and nothing but samples is new.
        """
        footing = None if self._sharing.is_active else self._footings.get(name)
        known = self._memories, self._lead_times
        return footing is not None and renew(footing, *known, now, samples)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies in force."""
        return self._matcher.policies

    @property
    def fleet_policy(self) -> FleetPolicy:
        """What is in force for all deployments together."""
        return self._sharing.policy

    def replace_policies(
        self, policies: Iterable[Policy], fleet: FleetPolicy = NO_FLEET_POLICY
    ) -> None:
        """Put other policies in force, and that of the fleet; what is remembered stays."""
        self._matcher = Matcher(policies)
        self._sharing.put_in_force(fleet)
        self._share_anew()
        self._outlooks = Outlooks()
        self._footings.clear()
        self._is_appeal_known = False

    @property
    def overrides(self) -> tuple[Override, ...]:
        """What people have ordered, the oldest first; one that is over goes at the next step."""
        return self._overrides.overrides

    def standing_at(self, name: str, now: float) -> Standing:
        """Return which of people's orders count for a deployment at ``now``."""
        return self._overrides.standing_at(name, now)

    def give(self, override: Override) -> tuple[Override, ...]:
        """Put a person's order in force from the next decision on; return those it replaces.

        Raises ``OverrideError`` when there are as many as there may be.
        """
        return self._overrides.give(override)

    def lift(self, ids: Collection[str]) -> tuple[Override, ...]:
        """End orders before their time; return those that were in force."""
        return self._overrides.lift(ids)

    def policies_for(self, deployment: Deployment) -> tuple[Policy, ...]:
        """Return every policy that matches; more than one is an author's mistake."""
        return self._matcher.policies_for(deployment)

    def lead_time_of(self, deployment: Deployment) -> LeadTime:
        """Return how long a replica of ``deployment`` takes to serve, as far as it is known now."""
        policy = self._policy_of(deployment)
        return self._lead_times.of(deployment, None if policy is None else policy.lead_time_seconds)

    def _policy_of(self, deployment: Deployment) -> Policy | None:
        """Return the one policy that decides for ``deployment``, if there is exactly one."""
        policies = self._matcher.policies_for(deployment)
        return policies[0] if len(policies) == 1 else None

    def step(
        self,
        now: float,
        fleet: Mapping[str, Deployment],
        samples: Iterable[Sample] = (),
        *,
        due: Collection[str] | None = None,
        changed: Collection[str] | None = None,
        absent: Collection[str] | None = None,
        upheld: Mapping[str, float] = MappingProxyType({}),
        unread: Collection[str] = (),
    ) -> Tick:
        """Take in what is new and decide for each due deployment that a policy matches.

        ``now`` is UTC seconds. ``fleet`` is every known deployment by full name. ``due`` names those
        to decide on (``None``: all), in this order but the stuck first; ``changed`` those that may
        differ from what the step before saw (``None``: any). With both, it costs what they cost.

        ``absent`` names those that certainly exist no more, once or again and again; ``None``: every
        one that ``fleet`` lacks. Who has not read everything yet must say, or the rest looks deleted.
        ``upheld`` says until when, in UTC seconds, samples upheld the last wish (``is_moved_by``). ``unread``
        names what was not read (and shown) whole since the start: ``accounts/acme``.
        """
        events: list[Event] = []
        memories = self._memories
        memories.take_touched()  # what was recorded since the last step
        if absent is None:
            absent = [name for name in memories.by_name if name not in fleet]
        # By name, whatever order a caller's set has: starts are learned from in the order looked at.
        looked = fleet if due is None or changed is None else {*changed, *due}
        set_all_back(memories, now)
        events += [ended(one, now) for one in self._overrides.expire(now)]
        look = Look(now=now, policy_of=self._policy_of, lead_times=self._lead_times, events=events)
        self._look(look, sorted(looked), absent, fleet)
        self._ties.stir((*(changed or ()), *(one.deployment for one in events)))
        uphold_all(memories, upheld, fleet, self._policy_of)
        memories.hear(now, samples)
        if not self._is_appeal_known:  # after a start, or with other policies
            self._is_appeal_known = True
            self._ties = hear_all_appeals(memories, fleet, self._policy_of)
        due = fleet if due is None else due
        sharing = self._sharing
        if sharing.is_active:
            sharing.look(now, looked, absent, fleet, memories, self._policy_of, unread)
        decisions = self._round(now, fleet).decide(due)
        return Tick(
            at=now,
            decisions=tuple(decision for decision, _ in decisions),
            orders=tuple(order for _, order in decisions if order is not None),
            events=tuple(events),
            touched=memories.take_touched(),
            stirred=(*self._ties.take_stirred(), *sharing.take_stirred()),
        )

    def resume(self, order: Order, *, is_timed: bool = False) -> None:
        """Take over an order that an earlier run sent and whose end it did not live to see.

        Its deployment is held until ``record`` is called with what reading back has shown. ``is_timed``
        says that its end will be told at its time, as a replay does that begins in the middle of a run.
        """
        self._fly(order)
        if not is_timed:
            self._resumed.add(order.deployment)

    def hear_of_members(self, news: MembersNews) -> None:
        """Take in what concerns all engines that decide for one fleet (``core/succession.py``)."""
        self.membership = membership = membership_after(self.membership, news)
        renewed = self._sharing.hear_of_members(membership)
        if isinstance(news, BucketTaken):
            self._lead_times = take(news, self._memories, self._overrides, self._lead_times)
            if news.shared is not None:
                self._sharing.join(news.shared)
            for order in news.unfinished:
                self.resume(order)
            renewed = (*renewed, *news.memory)
        elif isinstance(news, BucketLeft):
            parts = self._memories, self._overrides, self._ties, self._footings, self._in_flight
            left = leave(membership.holding, *parts)
            self._resumed.difference_update(left)
            self._sharing.ground(left)
            renewed = (*renewed, *left)
        if self._sharing.is_active:
            for name in renewed:
                self._see_again(name)

    def _see_again(self, name: str) -> None:
        if (deployment := self._seen.get(name)) is not None:
            memory = self._memories.get(name)
            self._sharing.see(deployment, memory, self._policy_of(deployment))

    def see(self, fleet: Mapping[str, Deployment]) -> None:
        """Take in what an earlier run, or the one that is replayed from its middle, has seen last."""
        self._seen = dict(fleet)
        self._share_anew()

    def _share_anew(self) -> None:
        if self._sharing.is_active and self._seen:
            self._sharing.begin(self._seen, self._memories, self._policy_of)

    def hand_back(self, now: float, fleet: Mapping[str, Deployment]) -> tuple[Order, ...]:
        """Return the writes that restore what people meant, where the policies ask for that.

        For the end: nothing is to be decided after it. Each order must end at ``record``.
        """
        free = {n: one for n, one in self._memories.by_name.items() if n not in self._in_flight}
        orders = hand_back_all(now, fleet, free, self._policy_of, self._overrides.standing_at)
        for order in orders:
            self._fly(order)
        return orders

    def record(self, outcome: Outcome) -> None:
        """Remember what became of an order: for the rate limits, and to recognise our own writes.

        Every order of a tick must end here, also one that was never sent (``VOID``): until then the
        deployment is held.
        """
        name = outcome.order.deployment
        self._in_flight.pop(name, None)
        is_timed = name not in self._resumed
        self._resumed.discard(name)
        if not is_timed:
            set_all_back(self._memories, outcome.at)
        memory = self._memories.get(name)
        if memory is not None:
            is_shared = self._sharing.refuses_for_all(outcome)
            memory = after_ending(
                memory, outcome, self.policies, is_timed=is_timed, is_shared=is_shared
            )
            memory = self._sharing.land(outcome, memory)
            self._memories.keep(name, memory)
        if self._sharing.is_active:
            self._see_again(name)

    def _fly(self, order: Order) -> None:
        self._in_flight[order.deployment] = Pair(order.min_replicas, order.max_replicas)
        self._sharing.fly(order.deployment, order.to_replicas)

    # -- taking in what is new ------------------------------------------------------------------

    def _look(self, look: Look, names: Iterable[str], absent: Iterable[str], fleet: _Fleet) -> None:
        holding = None if self.membership is None else self.membership.holding
        parts = self._memories, self._in_flight, self._ties, holding
        sight = Sight(look, self.policies_for, *parts)
        sight.take_in(names, fleet, absent, self._seen, self._footings)
        self._lead_times = look.lead_times
        self._memories.forget_vanished(look.now, fleet)

    def _round(self, now: float, fleet: Mapping[str, Deployment]) -> Round:
        parts = self._memories, self._ties, self._sharing, self._footings, self._in_flight
        known = self._overrides, self._lead_times, self.policies_for, self._policy_of
        return Round(now, fleet, *parts, *known, self._outlooks.of, self._fly)
