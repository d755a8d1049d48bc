"""What a fleet has cost, added up from what was seen and decided: money, idle headroom, refusals.

Replicas that serve are billed by the second, as in ``core/spend.py``. Between two looks everything is as it was
at the first. What has no price, or runs on unknown accelerators, is counted in hours and never as 0 dollars; time
in which nobody looked is charged at the last rate and said to be assumed.

Idle is what serves beyond the load, as the rules told it when they decided; where a rule tells no load, what
it asked for is taken as needed. A refusal is a replica that the rules wanted and that quotas, money or the
platform did not give; it costs a miss as far as there was load for it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.decision import Reason
from trimtab.core.fleet_policy import Period
from trimtab.core.policy import Mode
from trimtab.core.spend import HOUR_SECONDS, Span, span_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.core.decision import Decision

ASSUMED_SECONDS = 300.0
"""After so long without a look, what is charged for that time is assumed, not seen."""

NOT_COMING = frozenset({Reason.CAPACITY_REFUSED, Reason.QUOTA_EXCEEDED, Reason.STUCK})
"""Refusals of what was asked for already: what is missing is what does not serve."""

NOT_GRANTED = frozenset(
    {
        Reason.QUOTA,
        Reason.RESERVED,
        Reason.BORROWING,
        Reason.SPEND_LIMIT,
        Reason.NO_PRICE,
        Reason.NO_SHAPE,
        Reason.PREEMPTED,
        Reason.NOT_FREE_YET,
        Reason.AWAITING_GRANT,
    }
)
"""Refusals of what may not be asked for: what is missing is what was not asked for."""

QUOTA_CEILING = "quota "
"""How the end of the bounds begins that a quota has set (``core/allocation/words.py``)."""


class Running(NamedTuple):
    """What of one deployment serves: ``replicas`` of ``accelerators`` each; ``None``: unknown.

    ``usd_an_hour`` is the price of one accelerator. Without ``is_seen`` it is taken to run on as it was known last.
    """

    accelerator_type: str | None
    accelerators: int | None
    replicas: int
    usd_an_hour: float | None
    team: str = ""
    is_seen: bool = True

    @property
    def rate_usd_an_hour(self) -> float | None:
        """What all of it costs an hour; ``None``: unknown. Nothing costs nothing."""
        if self.replicas == 0:
            return 0.0
        if self.accelerators is None or self.usd_an_hour is None:
            return None
        return self.replicas * self.accelerators * self.usd_an_hour


class Judged(NamedTuple):
    """What a decision says of load and refusals. Counts are replicas.

    ``load`` is what would be busy. ``refusal`` is why less than ``wanted`` was given, ``None``: nothing was refused.
    ``given`` is what was asked for in the end. ``requests_per_second`` is what one replica carries.
    """

    load: float
    wanted: int
    given: int
    refusal: Reason | None = None
    requests_per_second: float | None = None


def judged(decision: Decision) -> Judged | None:
    """Return what ``decision`` says of load and refusals; ``None``: its rules could not tell."""
    if decision.wanted is None:
        return None
    told = [one.facts for one in decision.proposals if one.facts is not None]
    loads = [facts.load_replicas for facts in told if facts.load_replicas is not None]
    carried = (one.capacity_requests_per_second for one in told)
    each = next((one for one in carried if one is not None), None)
    wanted, bounds = decision.wanted, decision.bounds
    is_capped = bounds is not None and bounds.upper.set_by.startswith(QUOTA_CEILING)
    if bounds is not None and not is_capped:
        wanted = min(wanted, bounds.upper.replicas)
    refusal = None
    if decision.mode is Mode.ENFORCE:
        reasons = [decision.verdict.reason, *(step.reason for step in reversed(decision.trail))]
        refusal = next((one for one in reasons if one in NOT_GRANTED or one in NOT_COMING), None)
        if refusal is None and is_capped and wanted > decision.desired:
            refusal = Reason.QUOTA
    load = max(loads) if loads else float(decision.wanted)
    return Judged(load, wanted, decision.desired, refusal, each)


class Key(NamedTuple):
    """What sums are kept for. ``day`` is the begin of the account's day, in UTC seconds."""

    deployment: str
    team: str
    accelerator_type: str | None
    day: float


@dataclass(slots=True)
class Cost:
    """Sums of what served.

    ``idle_usd`` is the part of ``usd`` that ran beyond the load, and ``unjudged_usd`` the part of which nobody can
    say whether it did. ``unknown_replica_hours`` served on unknown accelerators.
    """

    usd: float = 0.0
    assumed_usd: float = 0.0
    idle_usd: float = 0.0
    unjudged_usd: float = 0.0
    accelerator_hours: float = 0.0
    unpriced_accelerator_hours: float = 0.0
    unknown_replica_hours: float = 0.0

    def add(self, other: Cost) -> None:
        """Add the sums of ``other``."""
        for one in _COST_FIELDS:
            setattr(self, one, getattr(self, one) + getattr(other, one))


@dataclass(slots=True)
class Refused:
    """What refusals came to: replica-hours that were wanted and not given, and what that missed.

    ``missed_replica_hours`` is the part that load would have used, ``missed_requests`` the same in requests, as
    far as it was told what a replica carries; ``untold_replica_hours`` is the part where it was not.
    """

    refused_replica_hours: float = 0.0
    missed_replica_hours: float = 0.0
    missed_requests: float = 0.0
    untold_replica_hours: float = 0.0

    def add(self, other: Refused) -> None:
        """Add the sums of ``other``."""
        for one in _REFUSED_FIELDS:
            setattr(self, one, getattr(self, one) + getattr(other, one))


_COST_FIELDS = tuple(one.name for one in fields(Cost))
_REFUSED_FIELDS = tuple(one.name for one in fields(Refused))


@dataclass(slots=True)
class _Account:
    """One deployment: what holds of it since ``since``."""

    since: float
    running: Running | None = None
    judged: Judged | None = None


class Ledger:
    """Adds up from ``begin`` on (UTC seconds). Times never decrease from call to call.

    ``timezone`` is the account's, whose days the sums are kept by.
    """

    def __init__(self, begin: float, timezone: str = "UTC") -> None:
        self.begin = begin
        self.until: float | None = None
        self.costs: dict[Key, Cost] = {}
        self.refusals: dict[tuple[Key, Reason], Refused] = {}
        self._timezone = timezone
        self._accounts: dict[str, _Account] = {}
        self._day: Span | None = None

    @property
    def running(self) -> Iterator[tuple[str, Running]]:
        """What serves since the last look, by deployment."""
        for name, account in self._accounts.items():
            if account.running is not None:
                yield name, account.running

    def look(self, at: float) -> None:
        """Take in that somebody looks at ``at``, and that nobody has since the last look."""
        if self.until is not None and at - self.until > ASSUMED_SECONDS:
            self._add_all(self.until, is_assumed=False)
            for account in self._accounts.values():
                account.judged = None
            self._add_all(at, is_assumed=True)
        self.until = at

    def see(self, name: str, at: float, running: Running | None) -> None:
        """Take in what serves of a deployment; ``None``: it is gone."""
        account = self._accounts.get(name)
        if account is None:
            if running is not None:
                self._accounts[name] = _Account(at, running)
            return
        if account.running == running:
            return
        self._add(name, account, at, is_assumed=False)
        account.running = running
        if running is None:
            del self._accounts[name]

    def judge(self, name: str, at: float, found: Judged | None) -> None:
        """Take in what a decision said of a deployment; ``None``: nothing is known from now on."""
        account = self._accounts.get(name)
        if account is not None and account.judged != found:
            self._add(name, account, at, is_assumed=False)
            account.judged = found

    def forget_judgements(self, at: float) -> None:
        """Take in that no decision is known from ``at`` on."""
        for name in list(self._accounts):
            self.judge(name, at, None)

    def close(self, at: float) -> None:
        """Add up everything until ``at``."""
        self.look(max(at, self.until or at))
        self._add_all(self.until or at, is_assumed=False)

    def _add_all(self, at: float, *, is_assumed: bool) -> None:
        for name, account in self._accounts.items():
            self._add(name, account, at, is_assumed=is_assumed)

    def _add(self, name: str, account: _Account, at: float, *, is_assumed: bool) -> None:
        begin, account.since = max(account.since, self.begin), max(account.since, at)
        running = account.running
        if running is None:
            return
        while begin < at:
            day = self._day_of(begin)
            end = min(at, day.end)
            key = Key(name, running.team, running.accelerator_type, day.begin)
            self._charge(key, running, account.judged, (end - begin) / HOUR_SECONDS, is_assumed)
            begin = end

    def _day_of(self, at: float) -> Span:
        day = self._day
        if day is None or not day.begin <= at < day.end:
            day = self._day = span_of(Period.DAY, self._timezone, at)
        return day

    def _charge(
        self, key: Key, running: Running, found: Judged | None, hours: float, is_assumed: bool
    ) -> None:
        cost = self.costs.get(key)
        if cost is None:
            cost = self.costs[key] = Cost()
        rate = running.rate_usd_an_hour
        if running.accelerators is None:
            cost.unknown_replica_hours += running.replicas * hours
        else:
            served = running.replicas * running.accelerators * hours
            cost.accelerator_hours += served
            if rate is None:
                cost.unpriced_accelerator_hours += served
        usd = (rate or 0.0) * hours
        cost.usd += usd
        if is_assumed or not running.is_seen:
            cost.assumed_usd += usd
        if found is None:
            cost.unjudged_usd += usd
            return
        if running.replicas:
            cost.idle_usd += usd * max(0.0, running.replicas - found.load) / running.replicas
        if found.refusal is not None:
            self._refuse(key, running, found, found.refusal, hours)

    def _refuse(
        self, key: Key, running: Running, found: Judged, refusal: Reason, hours: float
    ) -> None:
        had = running.replicas if refusal in NOT_COMING else found.given
        short = found.wanted - had
        if short <= 0:
            return
        missed = min(max(0.0, min(found.load, found.wanted) - running.replicas), float(short))
        each = found.requests_per_second
        self.refusals.setdefault((key, refusal), Refused()).add(
            Refused(
                refused_replica_hours=short * hours,
                missed_replica_hours=missed * hours,
                missed_requests=0.0 if each is None else missed * each * hours * HOUR_SECONDS,
                untold_replica_hours=missed * hours if each is None else 0.0,
            )
        )
