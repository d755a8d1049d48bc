"""A journal as a bill: what served when, at which price, and what each decision said of load and refusals."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from trimtab.core.cost import Ledger, Running, judged
from trimtab.core.fleet_policy import NO_FLEET_POLICY, FleetPolicy, Period, Price
from trimtab.core.pipeline import own_ready
from trimtab.core.spend import span_of, spent_until
from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.checkpoints import Checkpoint
from trimtab.journal.entries import PoliciesInForce
from trimtab.journal.history import History
from trimtab.journal.sequence import Gap
from trimtab.journal.turns import Turn
from trimtab.policy import read_policy_texts
from trimtab.policy.prices import with_shipped_prices
from trimtab.service.replay import replay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.decision import Tick
    from trimtab.core.deployment import Deployment
    from trimtab.core.spend import Spending
    from trimtab.journal.places import Place
    from trimtab.journal.sequence import Recorded


@dataclass(slots=True, kw_only=True)
class Bill:
    """What a journal says of cost between two moments. ``fleet`` is the fleet policy at the end.

    ``spending`` is what the daemon itself had added up at the end, for its limits. ``names`` are display names
    by full name. ``notes`` say what is missing.
    """

    source: str
    ledger: Ledger
    since: float
    until: float
    fleet: FleetPolicy
    spending: Spending
    names: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_bill(
    place: Place,
    *,
    since: float | None = None,
    seconds: float | None = None,
    prices: Mapping[str, float] | None = None,
    is_replayed: bool = True,
) -> Bill:
    """Return what the journal at ``place`` says from ``since`` on, or of its last ``seconds``.

    Neither: from the begin of the account's month. ``prices`` are US dollars an accelerator-hour that take the place
    of those in force. With ``is_replayed`` every decision is made again, which says what was idle and what was
    refused; it takes as long as the decisions took. Raises ``JournalError``, and ``BadParameter`` for a ``since``
    after the end.
    """
    with History(place) as history:
        name = history.name
        newest = history.summary().newest_at
        if newest is None:
            raise JournalError(
                f"the journal {name} holds nothing yet; name one of a daemon that ran",
                kind=ErrorKind.NOT_FOUND,
            )
        shared = history.recollection().memory.shared
        fleet = _fleet_at_the_end(history, newest)
        if since is None:
            month = span_of(Period.MONTH, fleet.timezone, newest).begin
            since = month if seconds is None else newest - seconds
        if since > newest:
            last = f"{datetime.fromtimestamp(newest, tz=UTC):%Y-%m-%d %H:%M} UTC"
            message = f"it is after the last that the journal {name} holds, of {last}"
            raise typer.BadParameter(message, param_hint="--since")
        reading = _Reading(Ledger(since, fleet.timezone), prices or {})
        _live_through(history, since, reading, is_replayed=is_replayed)
    if reading.first_at is None:
        raise JournalError(
            f"the journal {name} holds no turn of the engine; name one of a daemon that ran",
            kind=ErrorKind.NOT_FOUND,
        )
    if reading.first_at > since:
        reading.ledger.begin = since = reading.first_at
    until = max(newest, reading.ledger.until or newest)
    reading.ledger.close(until)
    spending = shared.spending
    if spending.at is not None:
        spending = spent_until(spending, until, reading.fleet.timezone)
    return Bill(
        source=name,
        ledger=reading.ledger,
        since=since,
        until=until,
        fleet=reading.fleet,
        spending=spending,
        names=reading.names,
        notes=reading.notes,
    )


def _live_through(history: History, since: float, reading: _Reading, *, is_replayed: bool) -> None:
    if not is_replayed:
        for one in history.course(since=since):
            reading.take(one, None)
        reading.notes.append(
            "decisions were not made again: nothing is said of idle replicas and of refusals"
        )
        return
    replayed = replay(history.course(since=since), heard=reading.take)
    reading.notes += replayed.problems
    if replayed.difference is None:
        return
    reading.stop_judging(replayed.difference.at)
    for one in history.course(since=since):  # what served is known all the same
        if one.seq > replayed.difference.seq:
            reading.take(one, None)


def _fleet_at_the_end(history: History, newest: float) -> FleetPolicy:
    found = NO_FLEET_POLICY
    for one in history.course(since=newest):
        if isinstance(one.what, PoliciesInForce):
            report = read_policy_texts(one.what.documents.items())
            found = report.fleet if report.is_valid else found
    return found


class _Reading:
    """Lives through the entries. ``prices`` are those that people gave."""

    def __init__(self, ledger: Ledger, prices: Mapping[str, float]) -> None:
        self.ledger = ledger
        self.fleet = NO_FLEET_POLICY
        self.first_at: float | None = None
        self.names: dict[str, str] = {}
        self.notes: list[str] = []
        self._given = {kind: Price(usd, "--price") for kind, usd in prices.items()}
        self._seen: dict[str, Deployment] = {}
        self._is_all_new = True
        self._unread: tuple[str, ...] = ()
        self._unseen: set[str] = set()
        self._is_judging = True
        self._put_in_force(NO_FLEET_POLICY)

    def take(self, recorded: Recorded, tick: Tick | None) -> None:
        """Take in an entry, and what was decided anew where it is a turn."""
        what = recorded.what
        if isinstance(what, Turn):
            self._turn(what, tick)
        elif isinstance(what, PoliciesInForce):
            self._policies(recorded.at, what)
        elif isinstance(what, Checkpoint):
            self._is_all_new = self._is_all_new or what.is_start
        elif isinstance(what, Gap):
            self._is_all_new = True
            self.ledger.forget_judgements(recorded.at)

    def stop_judging(self, at: float) -> None:
        """Take in that from ``at`` on decisions come out otherwise than they were made."""
        self._is_judging = False
        self.ledger.forget_judgements(at)
        self.notes.append(
            "this version decides otherwise than was decided: from there on nothing is said of idle "
            "replicas and of refusals; see trimtab journal replay"
        )

    def _turn(self, turn: Turn, tick: Tick | None) -> None:
        self.first_at = turn.at if self.first_at is None else self.first_at
        ledger = self.ledger
        ledger.look(turn.at)
        names = turn.changed
        if names is None or self._is_all_new or turn.unread != self._unread:
            names = tuple({**self._seen, **turn.fleet})
        self._is_all_new, self._unread = False, turn.unread
        unread = tuple(f"{one}/" for one in turn.unread)
        for name in names:
            deployment = turn.fleet.get(name)
            if deployment is None and name.startswith(unread):
                ledger.see(name, turn.at, self._running(self._seen[name])._replace(is_seen=False))
                self._unseen.add(name)
            elif deployment is None:
                self._seen.pop(name, None)
                ledger.see(name, turn.at, None)
            elif self._seen.get(name) is not deployment or name in self._unseen:
                self._seen[name] = deployment
                self._unseen.discard(name)
                self.names[name] = deployment.display_name
                ledger.see(name, turn.at, self._running(deployment))
        if tick is not None and self._is_judging:
            for decision in tick.decisions:
                ledger.judge(decision.deployment, turn.at, judged(decision))

    def _policies(self, at: float, what: PoliciesInForce) -> None:
        report = read_policy_texts(what.documents.items())
        if not report.is_valid:
            note = f"the policies {what.version} are not valid for this version: their prices are not known"
            if note not in self.notes:
                self.notes.append(note)
        self._put_in_force(report.fleet)
        for name, deployment in self._seen.items():
            running = self._running(deployment)._replace(is_seen=name not in self._unseen)
            self.ledger.see(name, max(at, self.ledger.until or at), running)

    def _put_in_force(self, fleet: FleetPolicy) -> None:
        priced = with_shipped_prices(fleet)
        self.fleet = FleetPolicy(
            prices={**priced.prices, **self._given},
            spend_limits=fleet.spend_limits,
            timezone=fleet.timezone,
            teams=fleet.teams,
        )

    def _running(self, deployment: Deployment) -> Running:
        shape = deployment.shape
        each = shape.accelerators_per_replica
        return Running(
            accelerator_type=shape.accelerator_type,
            accelerators=each if each and shape.accelerator_type is not None else None,
            replicas=own_ready(deployment),
            usd_an_hour=self.fleet.usd_an_hour(shape.accelerator_type),
            team=self.fleet.team_of(deployment).name,
        )
