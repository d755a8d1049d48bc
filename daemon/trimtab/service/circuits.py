"""One circuit breaker for each dependency, around its port: an open one fails fast, with a reason.

A target's reads and writes share one: it is the same control plane that answers neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.core.decision import WriteStatus
from trimtab.errors import ErrorKind, SourceError, TargetError, WorldError
from trimtab.service.breaker import (
    Breaker,
    CircuitState,
    Heard,
    Tolerance,
    admit,
    hear,
    refuses_for,
)
from trimtab.sources.port import PartialAnswerError, Recounting
from trimtab.targets.port import TellsChanges, TellsQuotas, TellsRemarks, WriteResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from random import Random
    from typing import TypeVar

    from trimtab.clock import Clock
    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment
    from trimtab.core.signals import Sample, SignalSpec
    from trimtab.sources.asking import Question
    from trimtab.sources.port import Recount, Source
    from trimtab.targets.port import AccountQuotas, Target

    T = TypeVar("T")

TARGET_TOLERANCE = Tolerance(failures_max=5, window_seconds=60.0)
SOURCE_TOLERANCE = Tolerance(failures_max=3, window_seconds=300.0)
"""A source is asked twice a minute, so three failures are more than a minute of silence."""

FAILING_KINDS = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT, ErrorKind.BAD_RESPONSE})
"""What says that the dependency is not well. A refusal says that it is; a rate limit neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitStatus:
    """A dependency's circuit: its state, since when (UTC seconds), and what it heard last."""

    dependency: str
    state: CircuitState
    since: float
    sentence: str = ""


class Circuit:
    """The breaker of one dependency, with the clock and the chance that it needs."""

    def __init__(
        self,
        dependency: str,
        clock: Clock,
        random: Random,
        tolerance: Tolerance,
        *,
        on_change: Callable[[CircuitStatus], None],
    ) -> None:
        self._clock = clock
        self._random = random
        self._on_change = on_change
        self._breaker = Breaker(tolerance=tolerance, since=clock.monotonic())
        self._last_failure = ""
        self._status = CircuitStatus(
            dependency=dependency, state=CircuitState.CLOSED, since=clock.now()
        )

    @property
    def status(self) -> CircuitStatus:
        """The state now."""
        return self._status

    @property
    def refusal(self) -> tuple[str, float] | None:
        """Why nothing is asked now, and for how many seconds yet; ``None`` when it is."""
        seconds = refuses_for(self._breaker, self._clock.monotonic())
        if seconds is None:
            return None
        why = (
            f"{self._status.dependency} is not asked for another {seconds:.0f} s, as it keeps "
            f"failing: {self._last_failure}"
        )
        return why, seconds

    def begin(self) -> int | None:
        """Begin a call and return its number for ``end``; ``None``: it is refused."""
        admitted = admit(self._breaker, self._clock.monotonic())
        if admitted is None:
            return None
        self._take(admitted)
        return admitted.period

    def end(self, call: int, kind: ErrorKind | None, sentence: str = "") -> None:
        """Take in that a call was answered (``None``) or failed in some way."""
        if kind in FAILING_KINDS:
            self._last_failure = sentence
            self._hear(call, Heard.FAILING)
        else:
            is_limited = kind is ErrorKind.RATE_LIMITED
            self._hear(call, Heard.NOTHING if is_limited else Heard.WELL)

    def give_up(self, call: int) -> None:
        """Take in that nobody waits for the answer any more."""
        self._hear(call, Heard.NOTHING)

    async def through(self, call: int, answer: Awaitable[T]) -> T:
        """Return what ``answer`` gives, and take in how it went."""
        try:
            found = await answer
        except PartialAnswerError:  # it is well: it answered, if not everything
            self.end(call, None)
            raise
        except WorldError as error:
            self.end(call, error.kind, str(error))
            raise
        except BaseException:  # cancelled, or a bug: neither says anything about the other side
            self.give_up(call)
            raise
        return found

    def _hear(self, call: int, heard: Heard) -> None:
        now = self._clock.monotonic()
        self._take(hear(self._breaker, call, heard, now, self._random))

    def _take(self, after: Breaker) -> None:
        before, self._breaker = self._breaker, after
        if after.state is before.state:
            return
        self._status = CircuitStatus(
            dependency=self._status.dependency,
            state=after.state,
            since=self._clock.now(),
            sentence="" if after.state is CircuitState.CLOSED else self._last_failure,
        )
        self._on_change(self._status)


class GuardedTarget:
    """A target behind its circuit."""

    def __init__(self, target: Target, circuit: Circuit) -> None:
        self._target = target
        self.circuit = circuit

    @property
    def name(self) -> str:
        """The target's."""
        return self._target.name

    def owns(self, deployment: str) -> bool:
        """Whether the deployment of that full name is reached through this target."""
        return self._target.owns(deployment)

    async def read_fleet(self) -> Mapping[str, Deployment]:
        """Read every deployment. Raises ``TargetError``, also when nothing was asked."""
        call = self._begin()
        found = await self.circuit.through(call, self._target.read_fleet())
        self.circuit.end(call, None)
        return found

    async def read(self, deployment: str) -> Deployment | None:
        """Read one deployment. Raises ``TargetError``, also when nothing was asked."""
        call = self._begin()
        found = await self.circuit.through(call, self._target.read(deployment))
        self.circuit.end(call, None)
        return found

    async def write(self, order: Order) -> WriteResult:
        """Carry out one order; one that was refused here was not applied."""
        try:
            call = self._begin()
        except TargetError as refusal:
            return WriteResult(
                status=WriteStatus.NOT_APPLIED,
                sentence=str(refusal),
                error_kind=refusal.kind,
                retry_after_seconds=refusal.retry_after_seconds,
            )
        result = await self.circuit.through(call, self._target.write(order))
        self.circuit.end(call, result.error_kind, result.sentence)
        return result

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the target says that somebody should mend."""
        return self._target.remarks if isinstance(self._target, TellsRemarks) else ()

    @property
    def shape_trouble(self) -> TargetError | None:
        """The target's."""
        target = self._target
        return target.shape_trouble if isinstance(target, TellsQuotas) else None

    async def read_quotas(self) -> AccountQuotas:
        """Ask for the account's quotas. Raises ``TargetError``, also when nothing was asked.

        The circuit says whether to ask and hears nothing of it: an endpoint beside those that scaling needs
        must neither open it nor be what closes it.
        """
        if not isinstance(self._target, TellsQuotas):
            raise TargetError(f"{self.name} tells no quotas", kind=ErrorKind.REJECTED)
        if self.circuit.status.state is not CircuitState.CLOSED:
            sentence, seconds = self.circuit.refusal or (f"{self.name} is just probed", 0.0)
            raise TargetError(sentence, kind=ErrorKind.UNAVAILABLE, retry_after_seconds=seconds)
        return await self._target.read_quotas()

    async def close(self) -> None:
        """Release connections."""
        await self._target.close()

    def _begin(self) -> int:
        call = self.circuit.begin()
        if call is None:
            sentence, seconds = self.circuit.refusal or (f"{self.name} is not asked", 0.0)
            raise TargetError(sentence, kind=ErrorKind.UNAVAILABLE, retry_after_seconds=seconds)
        return call


class GuardedFollower(GuardedTarget):
    """A target that follows its control plane, behind its circuit."""

    def __init__(
        self, target: Target, circuit: Circuit, changed: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(target, circuit)
        self._changed = changed

    async def changed(self) -> None:
        """Return once the target knows of a change: nothing is asked for that."""
        await self._changed()


class GuardedSource:
    """A source behind its circuit."""

    def __init__(self, source: Source, circuit: Circuit) -> None:
        self._source = source
        self.circuit = circuit
        self.name = source.name
        self.endpoint = source.endpoint

    @property
    def interval_seconds(self) -> float:
        """The source's."""
        return self._source.interval_seconds

    def serves(self, deployment: str) -> bool:
        """Whether the source has anything to say about the deployment."""
        return self._source.serves(deployment)

    async def poll(self, wanted: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        """Ask for samples. Raises ``SourceError``, also when nothing was asked."""
        call = self.circuit.begin()
        if call is None:
            sentence, seconds = self.circuit.refusal or (f"{self.endpoint} is not asked", 0.0)
            raise SourceError(sentence, kind=ErrorKind.UNAVAILABLE, retry_after_seconds=seconds)
        samples = await self.circuit.through(call, self._source.poll(wanted))
        self.circuit.end(call, None)
        return samples

    @property
    def history_seconds(self) -> float:
        """How far back the source may be asked; 0 for one that knows nothing of the past."""
        return self._source.history_seconds if isinstance(self._source, Recounting) else 0.0

    async def recount(
        self, question: Question, start: float, end: float, step_seconds: float
    ) -> Recount:
        """Ask about the past. Raises ``SourceError``, also when nothing was asked.

        How it goes is no reason to open the circuit: the past is dearer to ask for than the present, and
        must not cost it.
        """
        if not isinstance(self._source, Recounting):
            raise SourceError(f"{self.endpoint} knows no past", kind=ErrorKind.REJECTED)
        if self.circuit.refusal is not None:
            sentence, seconds = self.circuit.refusal
            raise SourceError(sentence, kind=ErrorKind.UNAVAILABLE, retry_after_seconds=seconds)
        return await self._source.recount(question, start, end, step_seconds)

    async def close(self) -> None:
        """Release connections."""
        await self._source.close()


def guarded(
    targets: Sequence[Target],
    sources: Sequence[Source],
    clock: Clock,
    random: Random,
    *,
    on_change: Callable[[CircuitStatus], None],
) -> tuple[tuple[GuardedTarget, ...], tuple[GuardedSource, ...]]:
    """Put each target and each source behind a circuit of its own."""

    def circuit(dependency: str, tolerance: Tolerance) -> Circuit:
        return Circuit(dependency, clock, random, tolerance, on_change=on_change)

    def target(one: Target) -> GuardedTarget:
        own = circuit(one.name, TARGET_TOLERANCE)
        if isinstance(one, TellsChanges):
            return GuardedFollower(one, own, one.changed)
        return GuardedTarget(one, own)

    return (
        tuple(target(one) for one in targets),
        tuple(
            GuardedSource(one, circuit(f"{one.name} {one.endpoint}", SOURCE_TOLERANCE))
            for one in sources
        ),
    )
