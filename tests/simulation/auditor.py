"""The promises, checked from outside: on the wire, at every request, from what was said there.

Nothing of the daemon's own reasoning is used. What the daemon may know is what it was answered; what
it may do follows from that, from the policies that people wrote, and from the writes so far. Where a
change needs time to be heard of, both the old and the new are accepted for a while.
"""

from __future__ import annotations

import json
import re
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil, isfinite
from typing import Any, NamedTuple

from tests.simulation.policies import PolicyBook, PolicySpec
from tests.simulation.trail import Trail, ViolationError, violation
from tests.simulation.weather import operation_of

from trimtab.emulator.fields import parse_timestamp
from trimtab.emulator.in_process import Reply
from trimtab.targets.fireworks.answers import Answer, Call

GRACE_SECONDS = 420.0
"""How long a changed policy or range may go unheard of: a rescan, an order's age, a slow read."""

LOOK_SECONDS_MAX = 12.0
"""Between the last look at a deployment and the first attempt to write it."""

TRANSIT_SECONDS_MAX = 240.0
"""An order may wait a minute, and reading again before the write may be retried for long."""

ORDER_SECONDS_MAX = 75.0
"""An order may wait a minute for its turn, and is looked at once more."""

UNDECIDED_SECONDS = 1.0
"""Longer than it takes from an answer until the decision that rests on it is on disk."""

SLACK_SECONDS = 15.0
"""From hearing of a load until the evaluation that makes a wish of it."""

_SERIES = re.compile(r'^(\S+?)\{[^}]*deployment="([^"]+)"[^}]*\} (\S+)$', re.MULTILINE)
_CERTAIN_REFUSALS = frozenset({400, 401, 402, 403, 404, 409, 412, 429})


@dataclass(frozen=True, slots=True)
class Look:
    """A deployment as it was told to a process."""

    process: int
    at: float
    state: str
    minimum: int
    maximum: int
    desired: int
    expires_at: float | None
    is_ending: bool
    accelerators: int
    floors: frozenset[int]
    kind: str
    ready: int

    @property
    def asked(self) -> int:
        """What the platform has been asked for, whoever asked."""
        return min(self.maximum, max(self.minimum, self.desired))

    def count(self, spec: PolicySpec) -> int:
        """What is asked for, in the field that the policy steers by."""
        if spec.actuation == "floor" or self.minimum == self.maximum:
            return self.minimum
        return self.desired


@dataclass(slots=True)
class Move:
    """A write that was sent: when (``Auditor.moment``), by how much, and whether it took effect."""

    at: float
    change: int
    count: int
    is_applied: bool = False
    is_answered: bool = False
    was_seen: bool = False


class Load(NamedTuple):
    """A load that was told. ``is_certain``: in an answer without fault, so that it must be believed."""

    at: float
    value: float
    is_certain: bool


@dataclass(slots=True)
class Watch:
    """All that is known of one deployment from outside."""

    policy: str
    ranges: list[tuple[float, tuple[int, int]]]
    """The ranges that people meant, with when (seconds of the world) they said so."""

    is_range_seen: bool = True
    """Whether any process was shown the last of them."""

    look: Look | None = None
    looked_since_send: bool = True
    sent: Move | None = None
    sender: int = 0
    is_open: bool = False
    was_refused: bool = False
    moves: deque[Move] = field(default_factory=lambda: deque(maxlen=400))
    loads: deque[Load] = field(default_factory=lambda: deque(maxlen=200))
    busy_at: float | None = None
    gone_told_at: float | None = None
    windows_since: float = 0.0
    """From which moment on the daemon must remember what it heard."""

    counts_sent: set[int] = field(default_factory=set)

    def mean(self, at: float, span: tuple[int, int]) -> None:
        """Take in that a person has set this range."""
        self.ranges.append((at, span))
        self.is_range_seen = False

    def show(self, look: Look) -> None:
        """Take in what a process was shown."""
        self.is_range_seen |= (look.minimum, look.maximum) == self.ranges[-1][1]


class Auditor:
    """Watches every request. The first broken promise is kept in ``broken``."""

    def __init__(self, seed: int, trail: Trail, book: PolicyBook, world: Any) -> None:
        self.seed = seed
        self.trail = trail
        self.book = book
        self.world = world
        self.watches: dict[str, Watch] = {}
        self.broken: ViolationError | None = None
        self.on_next_write: Callable[[], None] | None = None
        self.counts: Counter[str] = Counter()
        self._moment = 0.0
        self._told_by: tuple[float, float] | None = None

    def moment(self) -> float:
        """Return seconds that passed, in the opinion of whichever clock says more.

        A daemon may believe its clock when it is set forward. When it is set back between two runs, what
        was remembered is only told anew, and the world's own clock says how much really passed.
        """
        if self.world.process is not None:
            told = (self.world.now(), self.world.daemon_now())
            before, self._told_by = self._told_by or told, told
            self._moment += max(told[0] - before[0], told[1] - before[1])
        return self._moment

    def violated(self, promise: str, subject: str, text: str) -> None:
        """Keep the first violation and stop the world."""
        if self.broken is None:
            self.broken = violation(self.seed, promise, subject, text, self.trail)
            self.world.stop()

    def forget(self) -> None:
        """Expect nothing of what only a journal that is lost could know."""
        for watch in self.watches.values():
            watch.moves.clear()
        self.world.fleet_auditor.forget()
        self.forget_windows()

    def forget_windows(self) -> None:
        """Expect nothing of what was heard so far: the journal could not keep it."""
        for watch in self.watches.values():
            watch.windows_since = self.moment()

    def forget_undecided(self) -> None:
        """Expect nothing of what was heard at last: its process dies before a decision is kept."""
        since = self.moment() - UNDECIDED_SECONDS
        for watch in self.watches.values():
            for number, load in enumerate(watch.loads):
                if load.at >= since:
                    watch.loads[number] = load._replace(is_certain=False)

    # -- what passes by --------------------------------------------------------------------------

    def sending(self, process: int, call: Call) -> None:
        """A process is about to send ``call``."""
        if operation_of(call) != "UpdateDeployment":
            return
        name = _name(call)
        body = call.body if isinstance(call.body, dict) else {}
        low, high = body.get("minReplicaCount"), body.get("maxReplicaCount")
        self.trail.add("write", name, f"process {process} sends {low}-{high}")
        self.counts["writes"] += 1
        watch = self.watches.get(name)
        if watch is None or not isinstance(low, int) or not isinstance(high, int):
            self.violated("writes only what it manages", name, f"PATCH {call.body}")
            return
        self._check_write(process, name, watch, low, high)
        spec = self.book.specs[watch.policy]
        count = 0 if watch.look is None else watch.look.count(spec)
        is_repeated = _is_repetition(watch, low, low - count)
        self.world.fleet_auditor.sending(name, watch.look, (low, high), is_repeated=is_repeated)
        if not is_repeated:
            watch.sent = Move(self.moment(), low - count, low)
            watch.moves.append(watch.sent)
        elif watch.sent is not None and not watch.sent.is_applied:
            watch.sent.at = self.moment()  # if it takes effect at all, then this time
        watch.sender = process
        watch.is_open = True
        watch.looked_since_send = False
        watch.was_refused = False
        watch.counts_sent |= {low, high}
        if self.on_next_write is not None:
            then, self.on_next_write = self.on_next_write, None
            then()

    def served(self, process: int, call: Call, reply: Reply | None) -> None:
        """The control plane has done what ``call`` asks for."""
        if operation_of(call) == "UpdateDeployment":
            name = _name(call)
            status = None if reply is None else reply.status
            self.trail.add("applied", name, f"{_bounds_of(call)} of process {process}: {status}")
            watch = self.watches.get(name)
            if watch is not None and watch.sent is not None and self.world.shows(name, call):
                watch.sent.is_applied = True
                if not watch.is_range_seen:
                    # Set between a process's look and its write, and written over: nobody can know of it.
                    watch.ranges.pop()
                    watch.is_range_seen = True
            return
        said = reply.text if reply is not None and reply.status == 429 else ""
        if "metrics rate limit" in said and not self.world.has_just_restarted(90.0):
            self.violated("scrapes no more often than allowed", "", said)

    def answered(self, process: int, call: Call, answer: Answer | None, *, was_sent: bool) -> None:
        """A process was told ``answer``; ``None``: it got none. ``was_sent``: the call may have left."""
        operation = operation_of(call)
        if operation == "ScrapeMetrics":
            if answer is not None and answer.status == 200:
                self._hear(answer.text)
        elif operation == "ListDeployments":
            if answer is not None and answer.status == 200:
                self._see_list(process, answer.text)
        elif operation == "ListQuotas":
            if answer is not None and answer.status == 200:
                self.world.fleet_auditor.told_quotas(call.path.split("/")[1], answer.text)
        elif operation == "UpdateDeployment":
            watch = self.watches.get(_name(call))
            if watch is not None and watch.sender == process:
                status, said = (None, "") if answer is None else (answer.status, answer.text)
                self.world.fleet_auditor.ended(_name(call), watch.look, status, said)
                self._see_answer(process, _name(call), answer)
                watch.is_open = False
                if watch.sent is not None:
                    watch.sent.is_answered = answer is not None and answer.status < 300
                # An answer that never arrived may mean anything, a refusal only one thing.
                is_refusal = answer is not None and answer.status in _CERTAIN_REFUSALS
                watch.was_refused = is_refusal or not was_sent
        elif operation == "GetDeployment":
            self._see_one(process, _name(call), answer)

    def _see_one(self, process: int, name: str, answer: Answer | None) -> None:
        watch = self.watches.get(name)
        if watch is None or answer is None:
            return
        if answer.status == 404:
            watch.gone_told_at = self.world.now()
            self.world.fleet_auditor.missed(name)
            self.trail.add("read", name, f"process {process} is told 404")
        message = _json(answer.text) if answer.status == 200 else None
        if message is not None and message.get("name") == name:
            look = watch.look = self._look(process, message)
            watch.looked_since_send = True
            watch.show(look)
            self.world.fleet_auditor.saw(name, look)
            if watch.sent is not None and look.minimum == watch.sent.count:
                watch.sent.was_seen = True
            self.trail.add(
                "read",
                name,
                f"process {process} sees {look.state} {look.minimum}-{look.maximum} "
                f"desired {look.desired}",
            )

    def _see_answer(self, process: int, name: str, answer: Answer | None) -> None:
        """Let a whole answer to a write say what the deployment holds, as a look does.

        Where it cannot be read back afterwards nothing else does, and others may take at once what it gave
        up. The next write of its own still needs a look.
        """
        message = None if answer is None or answer.status != 200 else _json(answer.text)
        if message is not None and message.get("name") == name:
            self.world.fleet_auditor.saw(name, self._look(process, message))

    def _see_list(self, process: int, text: str) -> None:
        message = _json(text)
        rows = message.get("deployments", []) if message else []
        for row in rows if isinstance(rows, list) else []:
            name = row.get("name") if isinstance(row, dict) else None
            watch = self.watches.get(name) if isinstance(name, str) else None
            if watch is None:
                continue
            look = self._look(process, row)
            watch.show(look)
            self.world.fleet_auditor.saw(name, look)
            if watch.look is None:
                watch.look = look

    def _look(self, process: int, message: dict[str, Any]) -> Look:
        expires = message.get("expireTime")
        policy = message.get("autoscalingPolicy") or {}
        return Look(
            process=process,
            at=self.world.now(),
            state=message.get("state", ""),
            minimum=message.get("minReplicaCount", 0),
            maximum=message.get("maxReplicaCount", 0),
            desired=message.get("desiredReplicaCount", 0),
            expires_at=None if expires is None else parse_timestamp(expires),
            is_ending=bool(message.get("deleteTime") or message.get("purgeTime")),
            accelerators=message.get("acceleratorCount", 0),
            floors=frozenset(
                schedule.get("minReplicaCount", 0)
                for schedule in (policy.get("scalingSchedules") or {}).values()
            ),
            kind=message.get("acceleratorType", ""),
            ready=(message.get("replicaStats") or {}).get("readyReplicaCount", 0),
        )

    def _hear(self, text: str) -> None:
        now = self.moment()
        # One value that is no number spoils the whole answer.
        is_certain = all(_number(line.rpartition(" ")[2]) is not None for line in _data(text))
        for metric, name, value in _SERIES.findall(text):
            watch, number = self.watches.get(name), _number(value)
            if watch is None or number is None or not isfinite(number) or number < 0:
                continue
            if metric.startswith("request_counter_total"):
                watch.loads.append(Load(now, number, is_certain))
            elif metric.startswith("requests_coordinator"):
                watch.busy_at = now

    # -- what a write must be --------------------------------------------------------------------

    def _check_write(self, process: int, name: str, watch: Watch, low: int, high: int) -> None:
        broken = self._why_not_at_all(process, name, watch, (low, high))
        if broken is None:
            broken = self._why_not_so(name, watch, low, high)
        if broken is not None:
            self.violated(broken[0], name, broken[1])

    def _why_not_at_all(
        self, process: int, name: str, watch: Watch, bounds: tuple[int, int]
    ) -> tuple[str, str] | None:
        """Return what forbids any write now."""
        look, since = watch.look, 0.0 if watch.look is None else self.world.now() - watch.look.at
        broken: tuple[str, str] | None = None
        if watch.is_open and watch.sender == process:
            broken = ("one write in flight", "the last one was not answered yet")
        elif look is None or look.process != process:
            broken = ("looks before it writes", "it never looked")
        elif not watch.looked_since_send and not watch.was_refused:
            broken = (
                "reads back before it writes again",
                "the last write's fate is not known and nobody looked",
            )
        elif watch.looked_since_send and since > LOOK_SECONDS_MAX:
            broken = ("looks before it writes", f"the last look was {since:.0f} s ago")
        elif not self.world.intends(process, name, bounds):
            broken = ("intends before it writes", f"{bounds}")
        return broken

    def _why_not_so(self, name: str, watch: Watch, low: int, high: int) -> tuple[str, str] | None:
        """Return what is wrong with this write: the state, people's orders, and every policy."""
        now, look = self.world.daemon_now(), watch.look
        assert look is not None
        specs = self.book.possible(watch.policy, self.world.now(), GRACE_SECONDS)
        is_drain = low == high == 0
        left = None if look.expires_at is None else look.expires_at - now
        said = self.world.forbidding(name, low, look)
        broken: tuple[str, str] | None = None
        if all(spec.mode == "advise" for spec in specs):
            broken = ("advise never writes", f"{low}-{high}")
        elif said is not None:
            broken = ("people's orders come first", f"{said}, wrote {low}-{high}")
        elif left is not None and left <= -LOOK_SECONDS_MAX:
            if not (is_drain and any(spec.at_expiry == "drain" for spec in specs)):
                broken = ("no write past expiry", f"{low}-{high}")
        elif look.is_ending or look.state not in {"READY", "UPDATING"}:
            broken = ("no write in that state", f"{look.state} {low}-{high}")
        elif not (is_drain and left is not None and left <= 1.0):
            is_ordered = self.world.is_pinned_by_person(name)
            problems = [
                self._problem(name, watch, look, spec, low, high, now, is_ordered=is_ordered)
                for spec in specs
            ]
            broken = None if None in problems else problems[-1]
        return broken

    def _problem(
        self,
        name: str,
        watch: Watch,
        look: Look,
        spec: PolicySpec,
        low: int,
        high: int,
        now: float,
        *,
        is_ordered: bool,
    ) -> tuple[str, str] | None:
        """Return what is wrong with the write if this version of the policy is in force."""
        count, current = low, look.count(spec)
        is_up = count > current
        is_shared = self.world.fleet_book is not None  # what is not there wins over lower bounds
        is_ceded = not is_up and self.world.fleet_auditor.has_to_cede(name)
        left = None if look.expires_at is None else look.expires_at - now
        ends = [self._ends(span, look, spec) for span in self._ranges(watch)]
        broken: tuple[str, str] | None = None
        if spec.mode == "advise":
            broken = ("advise never writes", f"{low}-{high}")
        elif spec.actuation == "pin" and low != high:
            broken = ("a pin writes one number twice", f"{low}-{high}")
        elif is_up and left is not None and left < spec.minimum_useful - LOOK_SECONDS_MAX:
            text = f"{current} -> {count}, {left:.0f} s left"
            broken = ("no replica for an end that is near", text)
        elif look.state == "UPDATING" and not (is_up and spec.while_updating == "up"):
            broken = ("no write in that state", f"UPDATING {current} -> {count}")
        elif not any(
            (lower <= count or (is_shared and is_up)) and count <= upper for lower, upper in ends
        ):
            broken = ("within the bounds", f"{count} is in none of {ends}")
        elif not (is_up and count in look.floors) and all(
            lower <= current <= upper
            for lower, upper in (
                self._ends(span, replace(look, floors=frozenset()), spec)
                for span in self._ranges(watch)
            )
        ):
            # Else bounds, the platform's floors among them, win over rates and over the load.
            moment = self.moment()
            broken = self._pace(watch, spec, current, count, moment, is_ordered=is_ordered)
            if broken is None and not is_ordered and not look.floors and not is_ceded:
                broken = self._stabilization(watch, spec, current, count, moment) or self._reasons(
                    watch, spec, current, count, moment
                )
        return broken

    def _ranges(self, watch: Watch) -> list[tuple[int, int]]:
        """Return the people's ranges that the daemon may believe: the last, and what it replaced."""
        now = self.world.now()
        settled = [i for i, (at, _) in enumerate(watch.ranges) if now - at >= GRACE_SECONDS]
        return [span for _, span in watch.ranges[settled[-1] if settled else 0 :]]

    @staticmethod
    def _ends(span: tuple[int, int], look: Look, spec: PolicySpec) -> tuple[int, int]:
        lower = max(span[0], spec.minimum or 0, 0 if spec.actuation == "floor" else 1)
        upper = min(span[1], spec.maximum or 10**9)
        if spec.accelerators is not None and look.accelerators:
            upper = min(upper, spec.accelerators // look.accelerators)
        if look.floors:
            lower = min(lower, upper)
            upper = max(upper, 16)
        return lower, upper

    def _pace(
        self,
        watch: Watch,
        spec: PolicySpec,
        current: int,
        count: int,
        now: float,
        *,
        is_ordered: bool,
    ) -> tuple[str, str] | None:
        period = spec.down_period if count < current else spec.up_period
        certain = 0
        perhaps: list[int] = []
        for move in watch.moves:
            age = now - move.at
            if move is watch.sent and _is_repetition(watch, count, count - current):
                continue  # the same absolute numbers once more, after a look that was too old
            if move is watch.sent and not move.is_applied and not move.is_answered:
                perhaps.append(move.change)
            elif age < period:
                (perhaps.append(move.change) if not move.is_applied else None)
                certain += move.change if move.is_applied else 0
            elif age < period + TRANSIT_SECONDS_MAX:
                perhaps.append(move.change)
        if count < current:
            moved = certain + sum(change for change in perhaps if change > 0)
            limit = spec.lowest_allowed(current, moved)
            if count < limit:
                return ("no faster down than allowed", f"{current} -> {count}, at least {limit}")
        else:
            is_said_again = _is_repetition(watch, count, count - current)
            since = [
                now - one.at
                for one in watch.moves
                if one.is_applied and one.is_answered and not (one is watch.sent and is_said_again)
            ]
            if since and min(since) < spec.cooldown - SLACK_SECONDS and not is_ordered:
                return ("no rise before the cooldown is over", f"{min(since):.0f} s after a move")
            moved = certain + sum(change for change in perhaps if change < 0)
            limit = spec.highest_allowed(current, moved)
            if count > limit:
                return ("no faster up than allowed", f"{current} -> {count}, at most {limit}")
        return None

    def _stabilization(
        self, watch: Watch, spec: PolicySpec, current: int, count: int, now: float
    ) -> tuple[str, str] | None:
        """A fall goes no further than the highest wish of the window; what was heard is a wish."""
        window = 0.0 if count > current else spec.down_stabilization - SLACK_SECONDS
        since = now - window
        steady = self.world.now() - self.book.unchanged_since(spec.name)
        if window <= 0 or steady < spec.down_stabilization + GRACE_SECONDS:
            return None
        since = max(since, watch.windows_since)
        # What came after the decision could not be known to it.
        decided_at = now - ORDER_SECONDS_MAX
        heard = [
            load for at, load, is_certain in watch.loads if is_certain and since <= at <= decided_at
        ]
        # What is within the tolerance of a count wishes for that count.
        highest = max((ceil(load / spec.target / 1.1 - 1e-6) for load in heard), default=0)
        if count >= min(highest, current):
            return None
        text = f"{current} -> {count}, {highest} were wanted within {window:.0f} s"
        return ("no fall before the window is over", text)

    def _reasons(
        self, watch: Watch, spec: PolicySpec, current: int, count: int, now: float
    ) -> tuple[str, str] | None:
        oldest = now - spec.max_age - TRANSIT_SECONDS_MAX
        wishes = [ceil(load / spec.target - 1e-6) for at, load, _ in watch.loads if at >= oldest]
        has_busy = watch.busy_at is not None and watch.busy_at >= oldest
        if count < current:
            if not any(wish <= count for wish in wishes):
                text = f"{current} -> {count}, what it was told wants {wishes[-4:]}"
                return ("never down without data", text)
            if spec.concurrency_target is not None and not has_busy:
                return ("never down without data", f"{current} -> {count}: busy is unknown")
            return None
        may_be_busy = spec.concurrency_target is not None and has_busy
        is_fallback = spec.fallback_replicas is not None and count <= spec.fallback_replicas
        if not any(wish >= count for wish in wishes) and not may_be_busy and not is_fallback:
            return ("never up without a reason", f"{current} -> {count}, wishes {wishes[-4:]}")
        return None


def _is_repetition(watch: Watch, count: int, change: int) -> bool:
    """Whether a write says only what the last one said, because nobody saw that one take effect."""
    sent = watch.sent
    return sent is not None and (sent.count, sent.change) == (count, change) and not sent.was_seen


def _name(call: Call) -> str:
    return call.path.partition(":")[0]


def _bounds_of(call: Call) -> str:
    body = call.body if isinstance(call.body, dict) else {}
    return f"{body.get('minReplicaCount')}-{body.get('maxReplicaCount')}"


def _data(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _json(text: str) -> dict[str, Any] | None:
    try:
        message = json.loads(text)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
