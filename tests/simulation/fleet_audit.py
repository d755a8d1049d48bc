"""What must hold of the whole fleet: checked at every write, from what the daemon was told and has sent.

How many accelerators a deployment holds, as far as the daemon must know, is the least of what it was told of it
lately; its own writes count from the moment they are sent, since whoever is decided on later must count
them. What others did meanwhile (a person, the platform) need not be known before it was told.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.simulation.fleet_files import H100, PRICES, FleetBook, FleetSpec, TeamSpec

from trimtab.core.capacity import pause_seconds
from trimtab.core.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.auditor import Look
    from tests.simulation.world import World

    from trimtab.core.decision import Order
    from trimtab.emulator.deployment import Deployment

GRACE_SECONDS = 420.0
KNOWN_SECONDS = 330.0
"""An order may wait a minute, and be read and sent again for four: it rests on what was told so long ago."""

DECIDED_SECONDS = 75.0
"""So long after a refusal was told, no write leaves that was decided on before it."""

PAUSE_SLACK_SECONDS = 16.0
"""Time counts in moments of 15 s for all that is shared."""

UNREAD_SECONDS = 290.0
"""So long after a start a process waits for accounts that cannot be read; what was told before it counts."""

ENDPOINT_SECONDS = 3600.0
"""For how long what the quota endpoint said limits."""

CEDING = frozenset({Reason.RECLAIMED, Reason.PREEMPTED, Reason.SPEND_LIMIT})

HORIZON_HOURS = {"day": 3.0, "month": 48.0}
RATIO_SLACK = 1.02
EXCUSE_RATIO = 0.75
"""So near to what is left nobody grows: a replica must still be allowed half an hour later."""


@dataclass(slots=True)
class Holding:
    """What one deployment was told, or asked, to hold: (seconds of the world, type, accelerators)."""

    entries: deque[tuple[float, str, int]] = field(default_factory=lambda: deque(maxlen=64))
    each: int = 0
    kind: str = ""
    flight: int | None = None
    is_open: bool = False
    serving: int = 0
    told_at: float = 0.0

    def most(self, now: float) -> int:
        """Return how many accelerators it may have held when a write of now was decided on."""
        recent = [held for at, _, held in self.entries if now - at <= KNOWN_SECONDS]
        return max((*recent, *(held for _, _, held in list(self.entries)[-2:])), default=0)

    def least(self, kind: str, now: float) -> int:
        """Return how many accelerators of ``kind`` it must be known to hold."""
        least: int | None = None
        for at, of, accelerators in reversed(self.entries):
            held = accelerators if of == kind else 0
            least = held if least is None else min(least, held)
            if now - at > KNOWN_SECONDS:
                break
        return least or 0


class Refused(NamedTuple):
    """Refusals of one pool in a row: when the last was told (the auditor's moment), how many there were."""

    at: float
    refusals: int


class FleetAuditor:
    """One for a world, whether it has a fleet file (``book``) or not: then nothing is checked."""

    def __init__(self, world: World, book: FleetBook | None) -> None:
        self.world = world
        self.book = book
        self.counts: Counter[str] = Counter()
        self.orders: dict[str, Order] = {}
        self._held: dict[str, Holding] = {}
        self._told: dict[str, list[tuple[float, dict[str, int]]]] = {}
        self._value: dict[tuple[str, str], int] = {}
        self._refused: dict[str, Refused] = {}
        self._sent_at: dict[str, float] = {}
        self._rates: deque[tuple[float, float]] = deque(maxlen=4096)
        self._is_money_known = not world.plan.clock_steps_per_hour

    # -- what the daemon is told ------------------------------------------------------------------

    def saw(self, name: str, look: Look) -> None:
        """A process was shown the deployment, by a look or by the answer to its write."""
        if self.book is None:
            return
        now = self.world.now()
        one = self._held.setdefault(name, Holding())
        one.each, one.kind, one.told_at = look.accelerators, look.kind, now
        if one.flight is not None and not one.is_open:
            one.flight = None
        asked = 0 if look.state == "DELETED" else look.asked
        if one.flight is not None:
            asked = max(asked, one.flight)
        self._note(one, now, asked * one.each)
        one.serving = look.ready
        self._note_rate(now)

    def missed(self, name: str) -> None:
        """A process was told that the deployment is not there."""
        one = self._held.get(name)
        if one is not None:
            self._note(one, self.world.now(), 0)
            one.serving, one.flight = 0, None
            self._note_rate(self.world.now())

    @staticmethod
    def _note(one: Holding, now: float, accelerators: int) -> None:
        last = one.entries[-1] if one.entries else None
        if last is None or last[1:] != (one.kind, accelerators):
            one.entries.append((now, one.kind, accelerators))

    def told_quotas(self, account: str, text: str) -> None:
        """A process was told the quotas of an account."""
        values = _quotas_in(text)
        if self.book is None or values is None:
            return
        self._told.setdefault(account, []).append((self.world.now(), values))
        self.counts["quota_readings"] += 1
        for kind, value in values.items():
            if self._value.get((account, kind)) != value:
                self._value[account, kind] = value
                self._refused.pop(kind, None)

    def a_process_ends(self, *, is_kept: bool) -> None:
        """What it was told of quotas is told anew; ``is_kept``: its journal was well."""
        self._told.clear()
        for one in self._held.values():
            one.is_open = False
        if not is_kept:
            self.forget()

    def forget(self) -> None:
        """Expect nothing of what only a journal that is lost could know."""
        self._refused.clear()
        self._is_money_known = False

    # -- writes -----------------------------------------------------------------------------------

    def sending(
        self, name: str, look: Look | None, bounds: tuple[int, int], *, is_repeated: bool
    ) -> None:
        """A process is about to write ``bounds``."""
        if self.book is None or look is None:
            return
        now = self.world.now()
        one, count = self._held.setdefault(name, Holding()), bounds[0]
        asked = look.asked
        if (
            bounds[0] != bounds[1]
        ):  # the platform may have had as many of itself when that was decided
            asked = max(asked, one.most(now) // max(1, one.each))
        if count > asked:
            self.counts["writes_up_in_a_fleet"] += 1
            self._check_quota(name, one, count, now)
            self._check_account(name, one, count, now)
            self._check_money(name, one, count, now)
            wanted = count * one.each
            held = [(at, of, max(n, wanted) if of == one.kind else n) for at, of, n in one.entries]
            one.entries = deque([*held, (now, one.kind, wanted)], maxlen=64)
            one.flight = count
        one.is_open = True
        if not is_repeated:
            self._sent_at[name] = self.world.auditor.moment()

    def ended(self, name: str, look: Look | None, status: int | None, text: str) -> None:
        """A process was told how its write ended; ``None``: it was not told."""
        one = self._held.get(name)
        if self.book is None or one is None:
            return
        one.is_open = False
        is_up, one_flight = one.flight is not None, one.flight
        if status is not None and 400 <= status < 500 and look is not None:
            one.flight = None
            self._note(one, self.world.now(), look.asked * one.each)
        if is_up and one_flight is not None and status is not None and status < 300:
            self._refused.pop(one.kind, None)
        if status == 429 and "in use:" in text:
            self._check_refusal(name, one.kind)

    def has_to_cede(self, name: str) -> bool:
        """Whether the daemon says that the deployment gives way to others, and the file may order that."""
        order = self.orders.get(name)
        if self.book is None or order is None or order.reason not in CEDING:
            return False
        versions = self.possible()
        if order.reason is Reason.PREEMPTED and not any(one.is_preempting for one in versions):
            self._violated("nobody is preempted where the file forbids it", name, order.sentence)
        if order.reason is Reason.SPEND_LIMIT and not any(one.is_spend_limited for one in versions):
            self._violated("no money is short where the file sets no limit", name, order.sentence)
        self.counts[f"ceded_{order.reason}"] += 1
        return True

    def _check_refusal(self, name: str, kind: str) -> None:
        """At most one refusal for each pause, of those writes that were decided on after the last one."""
        moment = self.world.auditor.moment()
        self.counts["quota_refusals"] += 1
        before, sent_at = self._refused.get(kind), self._sent_at.get(name, moment)
        if before is None:
            self._refused[kind] = Refused(moment, 1)
            return
        if sent_at - before.at <= DECIDED_SECONDS:  # it was under way when the last one was told
            self._refused[kind] = Refused(moment, before.refusals)
            return
        pause = pause_seconds(before.refusals)
        if sent_at - before.at < pause - PAUSE_SLACK_SECONDS:
            self._violated(
                "no retry storm after a refusal for the quota",
                name,
                f"{kind} was refused {sent_at - before.at:.0f} s ago for the {before.refusals}. time in a "
                f"row, and nobody asks again for {pause:.0f} s",
            )
        self._refused[kind] = Refused(moment, before.refusals + 1)

    # -- how much there is ------------------------------------------------------------------------

    def possible(self) -> list[FleetSpec]:
        """Return every version of the file that may be in force."""
        assert self.book is not None
        return self.book.possible(self.world.now(), GRACE_SECONDS)

    def _total(
        self, name: str, one: Holding, count: int, now: float, *, account: str | None = None
    ) -> int:
        """Return how many of its type are asked for with it, in ``account`` or (``None``) in all of them."""
        return count * one.each + sum(
            x.least(one.kind, now)
            for other, x in self._held.items()
            if other != name and account in (None, account_of(other)) and self._counts(x, now)
        )

    def _counts(self, one: Holding, now: float) -> bool:
        """Whether a process has to count it: not what it could not read since its start, once it waits no longer."""
        booted_at = self.world.booted_at
        return one.told_at >= booted_at or now - booted_at < UNREAD_SECONDS

    def _check_quota(self, name: str, one: Holding, count: int, now: float) -> None:
        quotas = [spec.quota(one.kind) for spec in self.possible()]
        if None in quotas:
            return
        most = max(quota for quota in quotas if quota is not None)
        total = self._total(name, one, count, now)
        if total > most:
            text = f"with {count} of {one.each} {one.kind} {total} are asked for, there are {most}"
            self._violated("never more accelerators than the file allows", name, text)

    def _check_account(self, name: str, one: Holding, count: int, now: float) -> None:
        """Check the quota of its own account alone.

        Not the sum of several: an account whose quota was lowered may hold more than that, and what it holds
        too many takes nothing from another.
        """
        account = account_of(name)
        told = self._told.get(account, [])
        settled = [index for index, (at, _) in enumerate(told) if now - at > KNOWN_SECONDS]
        if not settled or now - told[-1][0] > ENDPOINT_SECONDS / 2:
            return
        values = [values.get(one.kind) for _, values in told[settled[-1] :]]
        if None in values:
            return
        most = max(value for value in values if value is not None)
        total = self._total(name, one, count, now, account=account)
        if total > most:
            text = (
                f"with {count} of {one.each} {one.kind} {total} are asked for, {account} has {most}"
            )
            self._violated("never more accelerators than the account tells", name, text)

    # -- money ------------------------------------------------------------------------------------

    def _note_rate(self, now: float) -> None:
        rate = sum(
            x.serving * x.each * PRICES.get(x.kind, 0.0)
            for x in self._held.values()
            if x.told_at >= self.world.booted_at
        )
        if not self._rates or self._rates[-1][1] != rate:
            self._rates.append((now, rate))

    def _spent(self, begin: float, now: float, age: float) -> float:
        """Return at least how much was spent since ``begin``, as far as it must be known."""
        until, total = now - age, 0.0
        ends = [*(at for at, _ in self._rates), now][1:]
        for (at, rate), end in zip(self._rates, ends, strict=True):
            first = max(at, begin) + age  # what is new may be lost with a process
            total += rate * max(0.0, min(end, until) - first) / 3600.0
        return total

    def _allowed(self, spec: FleetSpec, now: float, *, is_tight: bool = False) -> float | None:
        """Return how much an hour may be asked for at most under this version.

        Generously, as what a daemon knew when it decided is not known; or, ``is_tight``, to a hair.
        """
        found: list[float] = []
        protected = spec.protected_usd_an_hour
        if spec.hour_usd is not None:
            found.append(max(spec.hour_usd, protected))
        for period, limit in (("day", spec.day_usd), ("month", spec.month_usd)):
            if limit is None:
                continue
            begin, end = span_of(period, spec.timezone, now)
            left_hours = max(60.0, end - now) / 3600.0
            over = min(left_hours, HORIZON_HOURS[period])
            age = 0.0 if is_tight else KNOWN_SECONDS
            free = limit - self._spent(begin, now, age) - protected * left_hours
            slack = 2 * age / 3600.0  # the order is that old, and so is what is left
            found.append(protected + max(0.0, free) / max(over - slack, slack, 1 / 60))
        return min(found, default=None)

    def _check_money(self, name: str, one: Holding, count: int, now: float) -> None:
        if not self._is_money_known:
            return
        allowed = [self._allowed(spec, now) for spec in self.possible()]
        if None in allowed or now - self.world.booted_at < 60.0:
            return
        most = max(usd for usd in allowed if usd is not None)
        asked = count * one.each * PRICES.get(one.kind, 0.0)
        for other, x in self._held.items():
            if other != name and self._counts(x, now):
                asked += self._usd_at_least(other, x, now)
        if asked > most * RATIO_SLACK + 0.01:
            text = (
                f"with {count} all would cost ${asked:.2f} an hour, of which ${most:.2f} are left"
            )
            self._violated("never more money than there is", name, text)

    def _usd_at_least(self, name: str, one: Holding, now: float) -> float:
        least = sum(one.least(kind, now) * usd for kind, usd in PRICES.items())
        process = self.world.process
        claim = None if process is None else process.daemon.engine.sharing.book.claim(name)
        if claim is None or claim.usd_an_hour is None:
            return least
        return min(least, claim.wanted * claim.usd_an_hour)  # it is about to be lowered

    def excuse(self, one: Deployment) -> str | None:
        """Return why a deployment that wants one replica more has to do without; ``None``: nothing keeps it.

        Judged by what there really is, in a world that has come to rest.
        """
        if self.book is None:
            return None
        spec, kind, each = self.book.spec, one.accelerator_type, one.accelerators
        held = self._really_held(kind)
        for name, quota in self._really_there(account_of(one.name), kind, spec):
            used = (
                held if name == "file" else self._really_held(kind, None if name == "all" else name)
            )
            if quota - used - (self._set_aside(spec, one) if name in ("file", "all") else 0) < each:
                return f"{used} of {quota} {kind} are in use ({name})"
        team = spec.team_of(one.name)
        most = None if team is None or team.borrow is None else team.guaranteed + team.borrow
        if team is not None and most is not None and kind == H100:
            borrowed = self._held_by(team) + each
            if borrowed > most:
                return f"{borrowed} of {most} {kind} that team {team.name} may have"
        allowed = self._allowed(spec, self.world.now(), is_tight=True)
        if allowed is not None:
            rate = sum(usd * self._really_held(of) for of, usd in PRICES.items())
            if rate + each * PRICES[kind] > EXCUSE_RATIO * allowed:
                return f"${rate:.2f} an hour of ${allowed:.2f}"
        return None

    def _really_there(self, account: str, kind: str, spec: FleetSpec) -> Iterator[tuple[str, int]]:
        quota = spec.quota(kind)
        if quota is not None:
            yield "file", quota
        total = 0
        for other in self.world.account_ids:
            quotas = self.world.emulation.accounts[other].quotas.values()
            (limit,) = (one for one in quotas if one.accelerator_type == kind)
            room = limit.value - ceil(limit.usage)
            total += room
            if other == account:
                yield account, room
        yield "all", total

    def _really_held(self, kind: str, account: str | None = None) -> int:
        return sum(
            asked_of(one) * one.accelerators
            for one in self.world.emulation.deployments.values()
            if one.accelerator_type == kind
            and one.state != "DELETED"
            and account in (None, account_of(one.name))
        )

    def _held_by(self, team: TeamSpec) -> int:
        return sum(
            asked_of(one) * one.accelerators
            for name, one in self.world.emulation.deployments.items()
            if one.accelerator_type == H100
            and one.state != "DELETED"
            and name.rpartition("/")[2] in team.ids
        )

    def _set_aside(self, spec: FleetSpec, one: Deployment) -> int:
        """Return how many H100 are kept for other teams than that of ``one``."""
        if one.accelerator_type != H100:
            return 0
        own = spec.team_of(one.name)
        return sum(
            max(0, team.guaranteed - min(team.guaranteed, team.lend) - self._held_by(team))
            for team in spec.teams
            if team is not own and team.lend is not None
        )

    def _violated(self, promise: str, name: str, text: str) -> None:
        held = {x: (y.least(y.kind, self.world.now()), y.kind) for x, y in self._held.items()}
        self.world.auditor.violated(promise, name, f"{text}; {held}")


def span_of(period: str, zone: str, now: float) -> tuple[float, float]:
    """Return when the day or month of ``now`` begins and ends, in UTC seconds."""
    place = ZoneInfo(zone)
    today = datetime.fromtimestamp(now, place).date()
    if period == "month":
        first = today.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
    else:
        first, after = today, today + timedelta(days=1)
    begin, end = (datetime.combine(one, time(), tzinfo=place).timestamp() for one in (first, after))
    return begin, end


def account_of(name: str) -> str:
    """Return the id of the account in which the deployment of that resource name is."""
    return name.split("/")[1]


def asked_of(one: Deployment) -> int:
    """Return how many replicas the platform has been asked for."""
    return min(one.maximum, max(one.minimum, one.desired))


def _quotas_in(text: str) -> dict[str, int] | None:
    try:
        message: Any = json.loads(text)
    except ValueError:
        return None
    rows = message.get("quotas") if isinstance(message, dict) else None
    if not isinstance(rows, list) or message.get("nextPageToken"):
        return None
    names = {"h100": "NVIDIA_H100_80GB", "a100": "NVIDIA_A100_80GB"}
    return {
        kind: int(row.get("value", 0))
        for row in rows
        for part, kind in names.items()
        if row.get("name", "").endswith(f"/global--{part}-count")
    }
