"""Replay: tell an engine again what the journal says it was told, and see that it decides the same.

Everything is compared: of each turn a digest over all decisions, orders and events, and at each
checkpoint the whole memory. The engine is the one that runs live; there is no second model.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

from trimtab.core.decision import Outcome
from trimtab.core.engine import Engine
from trimtab.errors import OverrideError
from trimtab.journal.checkpoints import Checkpoint
from trimtab.journal.digest import is_digest_of
from trimtab.journal.entries import PoliciesInForce, Primed
from trimtab.journal.sequence import Gap, Intention, MembersTold, Ordered, QuotasTold
from trimtab.journal.turns import Turn
from trimtab.policy import read_policy_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trimtab.core.decision import Tick
    from trimtab.core.memory import Memory
    from trimtab.journal.sequence import Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where a replay first came to something else: entry ``seq``, what was replayed, and a sentence.

    ``tick`` is what the engine decided now, ``None`` where the memory differs.
    """

    seq: int
    at: float
    sentence: str
    tick: Tick | None = None


@dataclass(slots=True, kw_only=True)
class Replayed:
    """What a replay came to. Without ``difference`` everything counted here came out exactly equal.

    ``turns_unchecked`` could not be replayed: what came before them is missing, or their policies
    cannot be read by this version.
    """

    turns: int = 0
    decisions: int = 0
    orders: int = 0
    checkpoints: int = 0
    starts: int = 0
    turns_unchecked: int = 0
    since: float | None = None
    until: float | None = None
    problems: list[str] = field(default_factory=list)
    difference: Difference | None = None

    @property
    def is_exact(self) -> bool:
        """Whether nothing differed."""
        return self.difference is None


def replay(
    recorded: Iterable[Recorded], *, heard: Callable[[Recorded, Tick | None], None] | None = None
) -> Replayed:
    """Feed ``recorded`` to engines, as far as the first difference.

    ``heard`` is told of every entry, with what the engine decided anew where it is a turn that came out equal.
    """
    replaying = _Replaying()
    for one in recorded:
        tick = replaying.take(one)
        if heard is not None:
            heard(one, tick)
        if replaying.result.difference is not None:
            break
    return replaying.result


class _Replaying:
    """An engine that lives through the sequence; there is none while it is not known how it stood."""

    def __init__(self) -> None:
        self.result = Replayed()
        self._engine: Engine | None = None
        self._begin_at: Checkpoint | None = None
        self._policies: PoliciesInForce | None = None

    def take(self, recorded: Recorded) -> Tick | None:
        what = recorded.what
        if isinstance(what, Turn):
            return self._turn(recorded, what)
        if isinstance(what, Checkpoint):
            self._checkpoint(recorded, what)
        elif isinstance(what, PoliciesInForce):
            self._put_in_force(what)
        elif isinstance(what, Gap):
            if what.is_break:
                self._engine = self._begin_at = None
                self.result.turns_unchecked += what.turns
        elif not isinstance(what, Intention):  # the engine gave the order, and hears of its end
            self._tell(what)
        return None

    def _tell(self, what: Outcome | Ordered | Primed | QuotasTold | MembersTold) -> None:
        """Tell the engine what somebody else had told it between two turns."""
        engine = self._engine_now()
        if engine is None:
            return
        if isinstance(what, Outcome):
            engine.record(what)
        elif isinstance(what, QuotasTold):
            engine.take_quotas(what.readings)
        elif isinstance(what, MembersTold):
            engine.hear_of_members(what.news)
        elif isinstance(what, Primed):
            engine.prime(what.deployment, what.rule, what.remembered)
        elif isinstance(what, Ordered):
            self._ordered(engine, what)
        else:
            assert_never(what)

    def _turn(self, recorded: Recorded, turn: Turn) -> Tick | None:
        engine, result = self._engine_now(), self.result
        if engine is None:
            result.turns_unchecked += 1
            return None
        tick = engine.step(
            turn.at,
            turn.fleet,
            turn.samples,
            due=turn.due,
            changed=turn.changed,
            absent=turn.absent,
            upheld=turn.upheld,
            unread=turn.unread,
        )
        if not is_digest_of(turn.digest, tick):
            sentence = "the engine decided otherwise than is journalled"
            self.result.difference = Difference(
                seq=recorded.seq, at=turn.at, sentence=sentence, tick=tick
            )
            return None
        result.turns += 1
        result.decisions += len(tick.decisions)
        result.orders += len(tick.orders)
        result.since = turn.at if result.since is None else result.since
        result.until = turn.at
        return tick

    def _checkpoint(self, recorded: Recorded, checkpoint: Checkpoint) -> None:
        if checkpoint.is_start:
            self.result.starts += 1
            self._engine, self._begin_at = None, checkpoint
            self._policies = None  # the process says which are in force before it decides
            return
        engine = self._engine_now()
        if engine is None:
            self._begin_at = checkpoint
            return
        memory, then = engine.memory, checkpoint.memory
        if then.shared.ran is None:  # an earlier version noted none
            memory = replace(memory, shared=memory.shared._replace(ran=None))
        if memory != then:
            self.result.difference = Difference(
                seq=recorded.seq, at=recorded.at, sentence=_memory_difference(memory, then)
            )
            return
        self.result.checkpoints += 1

    def _put_in_force(self, policies: PoliciesInForce) -> None:
        self._policies = policies
        if self._engine is None:
            self._engine_now()
            return
        report = read_policy_texts(policies.documents.items())
        if not report.is_valid:
            self._cannot_read(policies)
            return
        self._engine.replace_policies(report.policies, report.fleet)

    def _engine_now(self) -> Engine | None:
        """The engine, made as soon as what it begins with and its policies are known."""
        if self._engine is not None or self._begin_at is None or self._policies is None:
            return self._engine
        report = read_policy_texts(self._policies.documents.items())
        if not report.is_valid:
            self._cannot_read(self._policies)
            return None
        begin_at, self._begin_at = self._begin_at, None
        self._engine = Engine(
            report.policies,
            begin_at.memory,
            lead_times=self._policies.lead_times,
            fleet=report.fleet,
            membership=begin_at.membership,
        )
        for order in begin_at.in_flight:
            self._engine.resume(order, is_timed=order.deployment not in begin_at.resumed)
        self._engine.see(begin_at.fleet)
        return self._engine

    def _cannot_read(self, policies: PoliciesInForce) -> None:
        self._engine = self._begin_at = None
        problem = (
            f"the policies {policies.version} that were in force are not valid for this version; "
            "what was decided by them is not replayed"
        )
        if problem not in self.result.problems:
            self.result.problems.append(problem)

    def _ordered(self, engine: Engine, ordered: Ordered) -> None:
        if ordered.by is None:
            return  # what runs out, the engine notices by itself
        if ordered.given is not None:
            try:
                engine.give(ordered.given)
            except OverrideError as error:
                self.result.problems.append(str(error))
        else:
            engine.lift(ordered.lifted)


def _memory_difference(now: Memory, then: Memory) -> str:
    for name, one in then.deployments.items():
        again = now.deployments.get(name)
        if again is None:
            return f"the memory of {name} is journalled, and the engine remembers nothing of it"
        for field_name, was, value in zip(one._fields, one, again, strict=True):
            if was != value:
                return f"the memory of {name} differs in {field_name}: {was!r} is journalled, now {value!r}"
    if now.shared != then.shared:
        return (
            f"what is known of the fleet differs: {then.shared!r} is journalled, now {now.shared!r}"
        )
    return "the memory differs from what is journalled"
