"""Quotas and money over several members: they post claims, the one that leads posts what it grants.

The member that holds the leading bucket shares out over its own claims and those of the others, and what it
grants to them is good for ``GRANT_SECONDS``. Until a member says that it has heard of a later grant, or the grant has run
out and its deployments were read since, the leader counts what it promised as held. So what two members use
is never more than there is, however late either hears of the other; what is lost on doubt is time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from trimtab.core.buckets import LEADING_BUCKET
from trimtab.core.clearing import is_contended
from trimtab.core.pipeline import asked_replicas
from trimtab.core.succession import ClaimsHeard, ForeignClaim, GrantsHeard
from trimtab.errors import CoordinationError
from trimtab.service.controller import UNREAD_SECONDS_MAX
from trimtab.service.lead import DRIFT, GRANT_SECONDS, LANDING_SECONDS, Given, Heard, Lead
from trimtab.service.postings import (
    ClaimsPosted,
    GrantsPosted,
    claims_posted,
    grants_posted,
    read_claims,
    read_grants,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from trimtab.clock import Clock
    from trimtab.coordination.port import Board, Posting
    from trimtab.core.allocation.values import Grant
    from trimtab.core.succession import MembersNews
    from trimtab.service.fleet import Fleet
    from trimtab.service.journalled_engine import JournalledEngine
    from trimtab.service.tenancy import Tenancy
    from trimtab.service.trigger import Trigger

LOG = structlog.get_logger("trimtab")

EXCHANGE_SECONDS = 1.0
"""From one exchange to the next: a wish of a member that does not lead waits for two of them at most."""

NOTHING_CLAIMED = ForeignClaim(None)

CLAIMS = "claims"
GRANTS = "grants"


class Exchange:
    """One round every second, as long as anything is shared."""

    def __init__(
        self,
        clock: Clock,
        board: Board,
        *,
        member: str,
        tenancy: Tenancy,
        journalled: JournalledEngine,
        fleet: Fleet,
        trigger: Trigger,
        is_fleet_whole: Callable[[], bool],
        interval_seconds: float = EXCHANGE_SECONDS,
    ) -> None:
        """``is_fleet_whole``: every account was read since the start, or was waited for long enough."""
        self._clock = clock
        self._board = board
        self._member = member
        self._tenancy = tenancy
        self._journalled = journalled
        self._fleet = fleet
        self._trigger = trigger
        self._is_fleet_whole = is_fleet_whole
        self._interval_seconds = interval_seconds
        self._lead: Lead | None = None
        self._heard: tuple[int, int] | None = None
        self._is_failing = False
        self.rounds = 0
        self.failures = 0

    @property
    def is_leading(self) -> bool:
        """Whether this member holds the bucket whose owner leads."""
        return LEADING_BUCKET in self._tenancy.open_terms

    @property
    def promises(self) -> int:
        """How many different sets of grants are remembered, as somebody may still act on them."""
        return 0 if self._lead is None else len(self._lead.given)

    async def run(self) -> None:
        """Exchange for ever. The service's failures are waited out: nobody grows meanwhile."""
        while True:
            try:
                await self.exchange()
                self._is_failing = False
            except CoordinationError as error:
                self.failures += 1
                if not self._is_failing:
                    self._is_failing = True
                    LOG.warning("grants_not_exchanged", why=str(error), error_kind=error.kind.value)
            await self._clock.sleep(self._interval_seconds)

    async def exchange(self) -> None:
        """Make one round. Raises ``CoordinationError``."""
        if not self._journalled.engine.sharing.is_active:
            return
        self.rounds += 1
        term = self._tenancy.open_terms.get(LEADING_BUCKET)
        if term is None:
            self._lead = None
            await self._post_claims()
            await self._follow()
            return
        self._heard = None
        if self._lead is None or self._lead.term != term:
            self._lead = Lead(term, self._clock.now())
        await self._lead_on(self._lead)

    # -- whoever follows -------------------------------------------------------------------------

    async def _post_claims(self) -> None:
        engine, terms = self._journalled.engine, self._tenancy.open_terms
        book = engine.sharing.book
        claims: dict[str, ForeignClaim] = {}
        for name, claim in book.claims.items():
            if self._tenancy.bucket_of(name) not in terms or not is_contended(claim, book.terms):
                continue
            memory = engine.remembered(name)
            if memory is not None:
                claims[name] = ForeignClaim(memory.claimed, claim.held)
        posted = ClaimsPosted(
            heard=self._heard,
            terms=dict(terms),
            claims=claims,
            refusals=engine.shared.quotas.refusals,
        )
        await self._board.post(CLAIMS, self._member, 0, claims_posted(posted))

    async def _follow(self) -> None:
        asked_at = (
            self._clock.now()
        )  # before: whoever stands still while the answer comes has lost that time
        found = await self._board.read(GRANTS)
        others = [one for one in found.values() if one.member != self._member]
        newest = max(others, key=lambda one: one.term, default=None)
        if newest is None or self.is_leading:
            return
        if self._heard is not None and newest.term < self._heard[0]:
            return
        left_seconds = GRANT_SECONDS - newest.age_seconds
        if left_seconds <= 0:
            return
        posted = read_grants(newest.body)
        members = self._journalled.engine.membership
        before = None if members is None else members.grants
        is_news = before is None or (before.grants, before.kept) != (posted.grants, posted.kept)
        if is_news or before is None or before.until - asked_at < GRANT_SECONDS / 2:
            until = asked_at + left_seconds
            self._tell(GrantsHeard(until=until, grants=posted.grants, kept=posted.kept))
        self._heard = newest.term, posted.seq

    # -- whoever leads ---------------------------------------------------------------------------

    async def _lead_on(self, lead: Lead) -> None:
        if lead.grows_at is None:
            # Once this is there nobody listens to the last leader, and what it granted runs out.
            await self._post(lead, Given(0, {}, {}), {})
            lead.grows_at = self._clock.now() + GRANT_SECONDS * DRIFT
        found = await self._board.read(CLAIMS)
        if self._tenancy.open_terms.get(LEADING_BUCKET) != lead.term:
            return  # the lead went to another meanwhile
        heard = self._claims_of(lead, [one for one in found.values() if one.member != self._member])
        self._remember(lead, heard)
        self._forget_promises(lead, heard)
        self._tell_claims(lead, heard)
        grants = self._grants(lead, heard)
        counts = {name: one.replicas for name, one in grants.items()}
        terms = {name: heard.terms[name] for name in counts}
        if not lead.given or (lead.given[-1].counts, lead.given[-1].terms) != (counts, terms):
            lead.seq += 1
            lead.given.append(Given(lead.seq, counts, terms))
        given = lead.given[-1]
        given.until = given.until_utc = None
        self._tell_claims(lead, heard)  # what is promised is held from now on
        kept = [one for one, count in counts.items() if count <= self._believed(lead, heard, one)]
        await self._post(lead, given, grants, kept)

    def _believed(self, lead: Lead, heard: Heard, name: str) -> int:
        """Return how much of a deployment is believed to be held, apart from what was granted: maybe too much."""
        seen = self._fleet.deployments.get(name)
        left, _ = lead.left.get(name, (0, 0.0))
        return max(heard.claims[name].held, left, 0 if seen is None else asked_replicas(seen))

    async def _post(
        self, lead: Lead, given: Given, grants: Mapping[str, Grant], kept: Iterable[str] = ()
    ) -> None:
        body = grants_posted(GrantsPosted(seq=given.seq, grants=grants, kept=tuple(kept)))
        try:
            await self._board.post(GRANTS, self._member, lead.term, body)
        finally:  # where it failed it may have arrived all the same
            given.until = self._clock.monotonic() + GRANT_SECONDS * DRIFT
            given.until_utc = self._clock.now() + GRANT_SECONDS * DRIFT

    def _grants(self, lead: Lead, heard: Heard) -> dict[str, Grant]:
        """Return what others may have, of those that want more than they hold or must give something back."""
        sharing = self._journalled.engine.sharing
        is_early = self._clock.now() < self._grows_at(lead)
        if is_early or not self._is_fleet_whole() or not sharing.book.terms.now:
            return {}
        found = {}
        grants = sharing.foreign_grants()
        for name in sorted(heard.claims.keys() & grants.keys()):
            claim, held, grant = sharing.book.claims[name], heard.claims[name].held, grants[name]
            if claim.wanted > held or grant.replicas != claim.wanted:
                found[name] = grant
        return found

    def _claims_of(self, lead: Lead, postings: Sequence[Posting]) -> Heard:
        """Return what others claim, each deployment by who holds its bucket in the latest term."""
        heard = Heard()
        ours, now = self._tenancy.open_terms, self._clock.now()
        known = lead.fresh_at
        lead.fresh_at = {one.member: known.get(one.member, lead.began_at) for one in postings}
        for posting in postings:
            is_fresh = posting.age_seconds < GRANT_SECONDS
            posted = self._claims_in(posting, is_fresh or not self._is_all_landed(lead, posting))
            acked = posted.heard[1] if posted.heard and posted.heard[0] == lead.term else None
            if is_fresh:
                lead.fresh_at[posting.member] = now
                heard.refusals += posted.refusals
            landed_at = lead.landed_at(posting.member)
            for name, claim in posted.claims.items():
                bucket = self._tenancy.bucket_of(name)
                term = posted.terms.get(bucket, 0)
                if bucket in ours or heard.terms.get(name, -1) >= term:
                    continue
                if not is_fresh and self._is_seen_since(name, landed_at):
                    continue  # all that it may have done since is seen by now
                heard.terms[name] = term
                heard.claims[name] = claim if is_fresh else claim._replace(claimed=None)
                heard.acked[name] = acked
        return heard

    def _claims_in(self, posting: Posting, is_needed: bool) -> ClaimsPosted:
        """Read a posting; one that is over, and in words of another version, says nothing any more."""
        try:
            return read_claims(posting.body)
        except CoordinationError:
            if is_needed:
                raise
            return ClaimsPosted()

    def _is_all_landed(self, lead: Lead, posting: Posting) -> bool:
        landed_at = lead.landed_at(posting.member)
        return all(self._is_read_since(one.name, landed_at) for one in self._fleet.targets)

    def _tell_claims(self, lead: Lead, heard: Heard) -> None:
        """Let our engine share out over all claims; what was promised counts as held, whoever decides by now."""
        if lead.grows_at is None:
            return
        claims = dict(heard.claims)
        for name, (held, _) in lead.left.items():
            claim = claims.get(name, NOTHING_CLAIMED)
            claims[name] = claim._replace(held=max(claim.held, held))
        for given in lead.given:
            for name, count in given.counts.items():
                if heard.may_go_by(given, name):
                    claim = claims.get(name, NOTHING_CLAIMED)
                    claims[name] = claim._replace(held=max(claim.held, count))
        news = ClaimsHeard(grows_at=self._grows_at(lead), claims=claims, refusals=heard.refusals)
        members = self._journalled.engine.membership
        if members is None or members.claims != news:
            self._tell(news)

    def _remember(self, lead: Lead, heard: Heard) -> None:
        """Note what is said to be held. What an earlier owner said counts until it was seen.

        Between two owners nobody says anything of a bucket, and neither the next one nor we may have seen what the
        last one wrote.
        """
        now = self._clock.now()
        lead.left = {
            name: (held, at)
            for name, (held, at) in lead.left.items()
            if not self._is_seen_since(name, at + LANDING_SECONDS)
        }
        for name, (held, term) in lead.said.items():
            if heard.terms.get(name) != term:
                lead.left[name] = (max(held, lead.left.get(name, (0, now))[0]), now)
        lead.said = {name: (claim.held, heard.terms[name]) for name, claim in heard.claims.items()}

    def _forget_promises(self, lead: Lead, heard: Heard) -> None:
        """Keep the last grants, and of those before what somebody may still go by.

        That is little, although an account may not be readable for days.
        """
        earlier, last = lead.given[:-1], lead.given[-1:]
        for one in earlier:
            one.counts = {
                name: count
                for name, count in one.counts.items()
                if heard.may_go_by(one, name) and self._stands(one, name)
            }
        lead.given = [one for one in earlier if one.counts] + last

    def _stands(self, given: Given, name: str) -> bool:
        """Whether somebody may still act on what was granted to ``name``, or may have and we have not seen it."""
        if given.until is None or given.until_utc is None or self._clock.monotonic() < given.until:
            return True
        return not self._is_seen_since(name, given.until_utc + LANDING_SECONDS)

    def _is_seen_since(self, name: str, moment: float) -> bool:
        """Whether the account of a deployment was read at ``moment`` (UTC seconds) or later, and can be read now."""
        target = self._fleet.target_of(name)
        return target is None or self._is_read_since(target.name, moment)

    def _is_read_since(self, target: str, moment: float) -> bool:
        read_at = self._fleet.read_at(target)
        return read_at is not None and read_at >= moment and not self._fleet.trouble(target)

    def _grows_at(self, lead: Lead) -> float:
        """Return before when nobody grows: what the last leader itself wrote is in no claim and has to be seen.

        An account that cannot be read is waited for as after a start; one that never was, is no more.
        """
        if not lead.has_seen:
            unread = self._fleet.unread
            names = [one.name for one in self._fleet.targets if one.name not in unread]
            lead.has_seen = all(self._is_read_since(name, lead.began_at) for name in names)
        earliest = lead.began_at + GRANT_SECONDS * DRIFT if lead.grows_at is None else lead.grows_at
        return earliest if lead.has_seen else max(earliest, lead.began_at + UNREAD_SECONDS_MAX)

    def _tell(self, news: MembersNews) -> None:
        self._journalled.hear_of_members(news)
        self._trigger.look_now()
