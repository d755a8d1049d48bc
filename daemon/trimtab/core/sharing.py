"""What the engine does for all deployments together: quotas, money, the book of claims, and who is woken by it.

Nothing of it happens while no fleet policy is in force.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from trimtab.core.allocation.book import MOMENT_SECONDS, Book
from trimtab.core.allocation.values import Terms
from trimtab.core.allocation.words import grant_words
from trimtab.core.capacity import FORGET_SECONDS
from trimtab.core.claimed import Asked
from trimtab.core.claiming import claim_of, claimed_by, held_by
from trimtab.core.clearing import cleared, most_beside
from trimtab.core.decision import WriteStatus
from trimtab.core.expenses import Expenses
from trimtab.core.fleet_memory import NO_FLEET_MEMORY, FleetMemory, joined_fleet_memory
from trimtab.core.fleet_policy import (
    NO_FLEET_POLICY,
    Pool,
    QuotaSource,
    account_of,
    pools_of,
)
from trimtab.core.known_quotas import (
    after_acceptance,
    after_readings,
    elsewhere_in,
    quotas_in_force,
    unseen_in,
    with_refusals,
    without_the_past,
)
from trimtab.core.mixing import Mixing
from trimtab.core.policy import Mode
from trimtab.core.quota_ends import after_refused, ceiling_of, is_limited_by, refused_pool
from trimtab.core.set_back import set_shared_back
from trimtab.core.spend_edges import spend_edges
from trimtab.core.stages.allocate import Share
from trimtab.core.succession import changed_claims, said
from trimtab.errors import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from trimtab.core.account_quotas import QuotaReading
    from trimtab.core.allocation.values import Claim, Grant
    from trimtab.core.claimed import Claimed
    from trimtab.core.decision import Outcome
    from trimtab.core.deployment import Deployment
    from trimtab.core.fleet_policy import FleetPolicy, Quota
    from trimtab.core.known_quotas import KnownQuotas
    from trimtab.core.memories import Memories
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.policy import Policy
    from trimtab.core.spend import SpendOutlook
    from trimtab.core.stages.draft import Case, Draft
    from trimtab.core.succession import ForeignClaim, Membership


class Sharing:
    """Holds the fleet policy in force, what is remembered of the fleet, and the book."""

    def __init__(self, policy: FleetPolicy) -> None:
        self.memory = NO_FLEET_MEMORY
        self.membership: Membership | None = None
        self._flights: dict[str, int] = {}
        self._begin(policy)

    def _begin(self, policy: FleetPolicy) -> None:
        self.policy = policy
        self.is_active = policy != NO_FLEET_POLICY
        self.book = Book()
        self.mixing = Mixing(policy.groups)
        self.expenses = Expenses()
        self._is_known = False
        self._is_news = False
        self._stirred: set[str] = set()
        self._grants: dict[str, Grant] = {}
        self._now = 0.0

    def put_in_force(self, policy: FleetPolicy) -> None:
        """Let another fleet policy hold. Every claim is made anew at the next step."""
        self._begin(policy)

    def recall(self, memory: FleetMemory) -> None:
        """Begin from what an earlier run remembered."""
        self.memory = memory
        self._begin(self.policy)

    def join(self, memory: FleetMemory) -> None:
        """Take in what the last leader knew of all that is shared."""
        before = self.memory
        self.memory = joined_fleet_memory(before, memory, self.policy.timezone)
        self._is_news = self._is_news or self.memory != before

    def begin(
        self,
        fleet: Mapping[str, Deployment],
        memories: Memories,
        policy_of: Callable[[Deployment], Policy | None],
    ) -> None:
        """Make the book of what is seen and remembered of everybody."""
        self._is_known = True
        for name, deployment in fleet.items():
            self.see(deployment, memories.get(name), policy_of(deployment))

    # -- taking in what is new ------------------------------------------------------------------

    def look(
        self,
        now: float,
        looked: Iterable[str],
        gone: Iterable[str],
        fleet: Mapping[str, Deployment],
        memories: Memories,
        policy_of: Callable[[Deployment], Policy | None],
        unread: Collection[str],
    ) -> None:
        """Take in who is there and what they hold; then add up money, and say what all compete for."""
        self._now = now
        if not self._is_known:
            self.memory = set_shared_back(self.memory, now)
            self.begin(fleet, memories, policy_of)
            looked = ()
        for name in looked:
            deployment = fleet.get(name)
            if deployment is not None:
                self.see(deployment, memories.get(name), policy_of(deployment))
        for name in gone:
            self.book.drop(name)
            self.expenses.count(name, None)
        held, accounts = self.book.held_by_account(), {account_of(f"{one}/-") for one in unread}
        memory = self.expenses.look(self.memory, now, self.policy, held, accounts)
        self.memory = memory._replace(quotas=without_the_past(memory.quotas, now))
        self._open(now)

    def see(
        self, deployment: Deployment, memory: DeploymentMemory | None, policy: Policy | None
    ) -> None:
        """Let the deployment claim what it does as it is seen and remembered now."""
        name = deployment.name
        claimed = None if memory is None else memory.claimed
        asked, flight = claimed, self._flights.get(name)
        if memory is not None and memory.gone_at is not None:
            asked = None
        if (foreign := self._claims.get(name)) is not None:
            flight = max(flight or 0, foreign.held)
            if not self._decides_for(name):
                asked = said(foreign)
        self.book.put(claim_of(deployment, asked, policy, self.policy, flight))
        is_bound = policy is not None and policy.mode is Mode.ENFORCE
        is_resting = is_bound and claimed is not None and claimed.is_binding
        self.book.settle(name, claimed.granted if claimed is not None and is_resting else None)
        self.expenses.count(name, deployment)

    def _open(self, now: float) -> None:
        policy, known = self.policy, self.memory.quotas
        moment = now // MOMENT_SECONDS * MOMENT_SECONDS
        quotas = quotas_in_force(policy, known, moment)
        self._stir_below(quotas)
        self._is_news = False
        self.expenses.look_ahead(self.memory, policy, self.book)
        unseen = unseen_in(self.expenses.unseen_held, known, quotas)
        self.book.open(
            Terms(
                now=moment,
                quotas=quotas,
                elsewhere=Counter(elsewhere_in(known, quotas)) + Counter(unseen),
                teams=policy.teams,
                spend=self.expenses.outlook.room,
                preemption=policy.preemption,
                hold_seconds=policy.hold_seconds,
                patience_seconds=policy.patience_seconds,
                unseen=unseen,
            )
        )

    def _stir_below(self, quotas: Mapping[Pool, Quota]) -> None:
        """Wake those whose bounds a quota is part of, when it changes."""
        before, after = (
            {p: q for p, q in one.items() if q.source is not QuotaSource.REFUSAL}
            for one in (self.book.terms.quotas, quotas)
        )
        changed = {pool for pool in {*before, *after} if before.get(pool) != after.get(pool)}
        if changed and self.book.terms.now:
            self._stirred.update(
                name
                for name, one in self.book.claims.items()
                if not changed.isdisjoint(pools_of(one.accelerator_type, one.region, one.account))
            )

    def hear_of_members(self, membership: Membership) -> tuple[str, ...]:
        """Take in what is known as one of several now; return whose claims may be others."""
        before, self.membership = self.membership, membership
        claims, grants = membership.claims, membership.grants
        if claims is not None and claims.refusals:
            self._learn(with_refusals(self.memory.quotas, claims.refusals))
        if grants is not None and (before is None or before.grants != grants):
            self._stirred.update(name for name in grants.grants if self.book.claim(name))
            self._is_news = True
        return changed_claims(before, membership)

    def _decides_for(self, name: str) -> bool:
        return self.membership is None or self.membership.holding.has(name)

    @property
    def _claims(self) -> Mapping[str, ForeignClaim]:
        members = self.membership
        return {} if members is None or members.claims is None else members.claims.claims

    def foreign_grants(self) -> dict[str, Grant]:
        """Return what others' deployments may have, of those that their owners claim something for."""
        book = self.book
        return {
            name: book.grant(name)
            for name in self._claims
            if book.claim(name) is not None and not self._decides_for(name)
        }

    def take_quotas(self, readings: Iterable[QuotaReading]) -> None:
        """Take in all that the account's endpoint says now.

        While no deployment is seen, it teaches nothing of what is in use elsewhere: whether none is there or none was
        looked at yet is not kept, and a replay that begins here is to learn the same.
        """
        held = self.book.held() if self.book.claims else None
        self._learn(after_readings(self.memory.quotas, readings, held))

    def _learn(self, known: KnownQuotas) -> None:
        if known != self.memory.quotas:
            self.memory = self.memory._replace(quotas=known)
            self._is_news = True

    # -- orders ---------------------------------------------------------------------------------

    def fly(self, name: str, replicas: int) -> None:
        """Take in that a write is under way that asks for ``replicas``."""
        self._flights[name] = replicas

    def ground(self, names: Iterable[str]) -> None:
        """Take in that the writes to these are no longer ours to see the end of."""
        for name in names:
            self._flights.pop(name, None)

    def land(self, outcome: Outcome, memory: DeploymentMemory) -> DeploymentMemory:
        """Take in how a write ended: what it asked for is held, or its quota is known now."""
        order = outcome.order
        self._flights.pop(order.deployment, None)
        if not self.is_active:
            return memory
        is_up = order.to_replicas > order.from_replicas
        if is_up and outcome.error_kind == ErrorKind.QUOTA_EXCEEDED:
            self._refused(outcome)
        elif is_up and outcome.status is WriteStatus.APPLIED:
            self._accepted(outcome)
        claimed = memory.claimed
        if claimed is not None and outcome.status in (WriteStatus.APPLIED, WriteStatus.UNKNOWN):
            asked = Asked(outcome.at, order.to_replicas)
            memory = memory._replace(claimed=claimed._replace(asked=asked))
        return memory

    def _refused(self, outcome: Outcome) -> None:
        claim = self.book.claim(outcome.order.deployment)
        if claim is not None:
            self._learn(after_refused(self.memory.quotas, outcome, claim, self.book.held()))

    def _accepted(self, outcome: Outcome) -> None:
        claim = self.book.claim(outcome.order.deployment)
        if claim is None or not self.memory.quotas.refusals:
            return
        pools = pools_of(claim.accelerator_type, claim.region, claim.account)
        self._learn(after_acceptance(self.memory.quotas, pools, outcome.at, self.book.held()))

    def refuses_for_all(self, outcome: Outcome) -> bool:
        """Whether a refusal for the quota is the pool's matter, and not that of the deployment alone."""
        claim = self.book.claim(outcome.order.deployment) if self.is_active else None
        pool = None if claim is None else refused_pool(outcome, claim)
        return claim is not None and pool is not None and is_limited_by(claim, pool)

    # -- deciding -------------------------------------------------------------------------------

    def ceiling(self, deployment: Deployment) -> tuple[int, str] | None:
        """Return how many replicas the quotas would allow if nobody else held any, and why."""
        return ceiling_of(deployment, self.book.terms.quotas) if self.is_active else None

    def claim(self, case: Case, draft: Draft) -> None:
        """Let a draft say what its deployment claims."""
        name = case.deployment.name
        claimed = claimed_by(case, draft, self._flights.get(name))
        draft.memory = draft.memory._replace(claimed=self._waiting(claimed))
        self.see(case.deployment, draft.memory, case.policy)

    def _waiting(self, claimed: Claimed | None) -> Claimed | None:
        if claimed is None or not claimed.is_binding:
            return claimed
        if claimed.wanted <= claimed.held:
            return claimed._replace(short_since=None)
        if claimed.short_since is None:
            return claimed._replace(short_since=self.book.terms.now)
        return claimed

    def share(self, case: Case, draft: Draft) -> Share | None:
        """Return what the draft of a decision is granted, and remember it."""
        claimed, name = draft.memory.claimed, case.deployment.name
        if claimed is None or not claimed.is_binding:
            return None
        claim = self.book.claim(name)
        assert claim is not None  # noqa: S101  it has been made a moment ago
        ours = held_by(case.deployment, self._flights.get(name), claimed.asked)
        most = most_beside(claim, ours, self.policy.quotas, self.book.held(), self.book.terms)
        grant = self._cleared(claim, self._grants[name], most)
        settled = claimed._replace(granted=grant.replicas, entitled=grant.entitled)
        draft.memory = draft.memory._replace(claimed=settled)
        self.book.settle(name, grant.replicas)
        if grant.short is None:
            return Share(grant, "", most)
        others = () if grant.pool is None else self.book.holders(claim, grant.pool)
        return Share(grant, grant_words(claim, grant, self.book.terms, others), most)

    def allocate(self, due: Collection[str]) -> None:
        """Make the grants, and note who is not due and may have more, or has to give something back."""
        book, stirred = self.book, self.book.stirred()
        if self.membership is None or self.membership.claims is not None:
            self._stirred.update(stirred)
        self._stirred.difference_update(due)
        self._grants = {name: book.grant(name) for name in due if book.claim(name) is not None}

    def _cleared(self, claim: Claim, grant: Grant, most: int | None) -> Grant:
        """Return what may be had of a grant, once the orders made already in this step are counted."""
        members = self.membership
        if members is None:
            return grant
        return cleared(claim, grant, self.book.terms, members, now=self._now, most=most)

    def take_stirred(self) -> tuple[str, ...]:
        """Return whom the last allocation concerns and that was not due, by name."""
        if not self._stirred:
            return ()
        stirred, self._stirred = self._stirred, set()
        return tuple(sorted(stirred))

    def edge(self, now: float) -> float | None:
        """Return when time alone may change a grant, in UTC seconds; ``now``: grants wait to be made."""
        if not self.is_active:
            return None
        if self.book.is_stale or self._is_news or not self._is_known:
            return now
        edges = [
            end
            for one in self.memory.quotas.refusals
            for end in (one.until, one.until + FORGET_SECONDS)
        ]
        if self.book.hold_end is not None:
            edges.append(self.book.hold_end)
        if self.membership is not None and self.membership.claims is not None:
            edges.append(self.membership.claims.grows_at)
        edges += spend_edges(
            self.policy.spend_limits,
            self.memory.spending,
            self.policy.timezone,
            now,
            self.expenses.outlook,
            is_short=self.book.is_anybody_short,
        )
        ahead = [-(-edge // MOMENT_SECONDS) * MOMENT_SECONDS for edge in edges if edge > now]
        return min((edge for edge in ahead if edge > now), default=None)

    # -- for whoever watches --------------------------------------------------------------------

    @property
    def outlook(self) -> SpendOutlook:
        """What the limits say of the last look."""
        return self.expenses.outlook

    @property
    def quotas(self) -> Mapping[Pool, Quota]:
        """The quotas in force, the smallest for each pool."""
        return self.book.terms.quotas
