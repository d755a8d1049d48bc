"""The decisions of one step: for all who are due, in their order but the stuck first.

Where nothing is shared each is decided on from the first stage to the last before the next one begins. With a
fleet policy all are decided on as far as what they want; then it is known what there is for whom, and each
decision is brought to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.appealing import helping
from trimtab.core.conclusions import unclear
from trimtab.core.deciding import Decided, decide, decided, drafted
from trimtab.core.decision import Decision
from trimtab.core.footing import Footing
from trimtab.core.orders import asked_for
from trimtab.core.policy import Mode
from trimtab.core.shadow import life_of
from trimtab.core.stages.draft import Case, Draft
from trimtab.core.upheld import is_wish_told

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment
    from trimtab.core.edges import Outlook
    from trimtab.core.lead_time import LeadTimes
    from trimtab.core.memories import Memories
    from trimtab.core.memory import DeploymentMemory, Pair
    from trimtab.core.overrides import OverrideBook
    from trimtab.core.policy import Policy
    from trimtab.core.sharing import Sharing
    from trimtab.core.stages.group import Mates
    from trimtab.core.stages.relief import Relief
    from trimtab.core.ties import Ties


class Begun(NamedTuple):
    """A decision that stages 1 to 7 have made a draft of. ``was_short``: less was granted than wanted before."""

    case: Case
    draft: Draft
    was_short: bool


@dataclass(frozen=True, slots=True)
class Round:
    """What one step decides with: parts of the engine, which it changes as the engine would.

    ``fly`` is told of each order that is made.
    """

    now: float
    fleet: Mapping[str, Deployment]
    memories: Memories
    ties: Ties
    sharing: Sharing
    footings: dict[str, Footing]
    in_flight: Mapping[str, Pair]
    overrides: OverrideBook
    lead_times: LeadTimes
    policies_for: Callable[[Deployment], tuple[Policy, ...]]
    policy_of: Callable[[Deployment], Policy | None]
    outlook_of: Callable[[Policy], Outlook]
    fly: Callable[[Order], None]

    def decide(self, due: Collection[str]) -> list[tuple[Decision, Order | None]]:
        """Decide for all who are due. Who is stuck comes first: its helpers learn here what is missed now."""
        appeals = self.ties.appeals
        begin = self._begin if self.sharing.is_active else self._decide
        stuck = [name for name in due if name in appeals]
        mates = self._mates(due)
        begun = [begin(*one) for one in self._cases(stuck, {}, mates)]
        self.ties.settle(due)
        others = [name for name in due if name not in appeals] if stuck else due
        relieved = helping(self.ties, self.memories, self.now, others, self.fleet, self.policy_of)
        begun += [begin(*one) for one in self._cases(others, relieved, mates)]
        if self.sharing.is_active:
            self.sharing.allocate(due)
        ended = (self._end(one) if isinstance(one, Begun) else one for one in begun)
        return [(one.decision, one.order) for one in ended]

    def _cases(
        self,
        names: Iterable[str],
        relieved: Mapping[str, tuple[Relief, ...]],
        mates: Mapping[str, Mates],
    ) -> Iterator[tuple[Case | Decision, DeploymentMemory]]:
        """Yield what is to be decided on, or the decision where the policies leave nothing to decide."""
        now, fleet, memories = self.now, self.fleet, self.memories.by_name
        is_sharing = self.sharing.is_active
        for name in names:
            deployment, memory = fleet.get(name), memories.get(name)
            if deployment is None or memory is None:
                continue
            self.footings.pop(name, None)
            policies = self.policies_for(deployment)
            if len(policies) != 1:
                yield unclear(now, deployment, policies), memory
                continue
            policy, is_writing = policies[0], name in self.in_flight
            actual = asked_for(deployment, policy, now)
            memory, current = life_of(
                memory, deployment, policy, now, actual=actual, is_writing=is_writing
            )
            case = Case(
                now=now,
                deployment=deployment,
                policy=policy,
                current=current,
                actual=None if policy.mode is Mode.ENFORCE else actual,
                standing=self.overrides.standing(name),
                lead_time=self.lead_times.of(deployment, policy.lead_time_seconds),
                reliefs=relieved.get(name, ()),
                fleet=fleet,
                has_write_in_flight=is_writing,
                ceiling=self.sharing.ceiling(deployment) if is_sharing else None,
                mates=mates.get(name),
            )
            yield case, memory

    def _mates(self, due: Iterable[str]) -> dict[str, Mates]:
        """Return the groups of those who are due, as they stand before any of them is decided on."""
        mixing = self.sharing.mixing
        if not mixing.groups:
            return {}
        known = self.memories.by_name
        concerned = dict.fromkeys(mate for name in due for mate in (name, *mixing.mates_of(name)))
        found = self._mates_by(concerned, known)
        fresh = {
            name: self._as_seen_now(known[name], mates)
            for name, mates in found.items()
            if name in known
        }
        return self._mates_by([name for name in due if name in found], fresh)

    def _mates_by(
        self, due: Iterable[str], memories: Mapping[str, DeploymentMemory]
    ) -> dict[str, Mates]:
        found = {
            name: self.sharing.mixing.mates(
                name,
                self.now,
                fleet=self.fleet,
                memories=memories,
                in_flight=self.in_flight,
                prices=self.sharing.policy,
                lead_times=self.lead_times,
                policy_of=self.policy_of,
            )
            for name in due
        }
        return {name: one for name, one in found.items() if one is not None}

    def _as_seen_now(self, memory: DeploymentMemory, mates: Mates) -> DeploymentMemory:
        """Return ``memory`` of a member with what its rules ask for at this moment. Nothing is decided.

        Traffic that has gone from one to another is to be seen at both: the load of one now does not add up with that
        of another when it was decided on. Where rules hold what they asked for, the band of the demand sees to that.
        """
        before = memory.grouped
        if before is None or before.spare_ratio is not None:
            return memory
        name = mates.member.deployment
        alone = {name: mates._replace(others=())}
        footing = self.footings.get(name)
        for case, own in self._cases([name], {}, alone):
            if footing is not None:  # the last decision stands as long as no other one is made
                self.footings[name] = footing
            draft = None if isinstance(case, Decision) else drafted(case, own)
            grouped = draft.memory.grouped if isinstance(draft, Draft) else None
            if grouped is not None and grouped.spare_ratio is None:
                covered = before.covered_requests_per_second
                return memory._replace(
                    grouped=grouped._replace(covered_requests_per_second=covered)
                )
        return memory

    def _decide(self, case: Case | Decision, memory: DeploymentMemory) -> Decided:
        """Decide at once: nothing is shared."""
        if isinstance(case, Decision):
            return Decided(case)
        ended = decide(case, memory)
        if ended.memory is not None:
            self._stir(case, ended.memory)
            self._keep(case, ended.memory)
        return self._conclude(case, ended, memory)

    def _begin(self, case: Case | Decision, memory: DeploymentMemory) -> Begun | Decided:
        """Decide as far as what is wanted, and claim that."""
        if isinstance(case, Decision):
            return Decided(case)
        draft = drafted(case, memory)
        if isinstance(draft, Decided):
            return self._conclude(case, draft, memory)
        self.sharing.claim(case, draft)
        self._stir(case, draft.memory)
        self._keep(case, draft.memory)  # whoever helps looks into it
        return Begun(case, draft, _is_short(memory))

    def _end(self, begun: Begun) -> Decided:
        """Bring a decision to its end, now that it is known what there is for whom."""
        case, draft, was_short = begun
        ended = decided(case, draft, self.sharing.share(case, draft))
        memory = draft.memory if ended.memory is None else ended.memory
        self._keep(case, memory)
        if case.mates is not None and _is_short(memory) is not was_short:
            self.ties.stir([case.deployment.name])  # the others of its group make up for it
        return self._conclude(case, ended, memory)

    def _stir(self, case: Case, memory: DeploymentMemory) -> None:
        """Wake those who rest on what this one misses, or on its part of their group's demand."""
        name = case.deployment.name
        before = self.memories.by_name[name]
        watched = memory.watched
        is_missing = watched is not before.watched and watched.wanted != before.watched.wanted
        if is_missing or memory.grouped != before.grouped:
            self.ties.stir([name])

    def _keep(self, case: Case, memory: DeploymentMemory) -> None:
        """Remember what a decision leaves behind, and whom it rests on."""
        name = case.deployment.name
        self.memories.keep(name, memory)
        follows = self.outlook_of(case.policy).follows
        if case.mates is not None:
            follows = (*follows, *self.sharing.mixing.mates_of(name))
        if follows:
            self.ties.follow(name, follows)

    def _conclude(self, case: Case, ended: Decided, memory: DeploymentMemory) -> Decided:
        """Note what the decision stands on, and the write that follows."""
        if ended.view is not None and is_wish_told(ended.memory or memory):
            self.footings[case.deployment.name] = Footing(
                case.policy, ended.view, ended.decision.proposals
            )
        if ended.order is not None:
            self.fly(ended.order)
            if self.sharing.is_active:  # what was asked for is held
                now = self.memories.get(case.deployment.name)
                self.sharing.see(case.deployment, now, case.policy)
        return ended


def _is_short(memory: DeploymentMemory) -> bool:
    return memory.claimed is not None and memory.claimed.entitled < memory.claimed.wanted
