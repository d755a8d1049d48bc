"""``panic-window``: averages over a long and a short window; the short one may only raise.

The rule of the Knative Pod Autoscaler: ``ceil(average / target)`` over the stable window. When the
panic window alone asks for ``panic_threshold`` times the ready replicas or more, the strategy
panics: from then on it never asks for less than the most it asked for, until one stable window has
passed without such a burst. What one evaluation may ask for is bounded by the ready replicas times
the rates. The highest count of the last ``scale_down_delay_seconds`` stands.

Unlike Knative: a gap in the data is unknown and no zero (``core/strategies/sliding.py``), and while
the newest sample is stale there is no proposal at all; the windows end at the newest sample, which
its signal's maximal age lets stand for now; nothing leaves the last replica to go (the policy's
``scaleToZero`` does).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeGuard, cast

from trimtab.core.memory import At
from trimtab.core.proposals import Wish
from trimtab.core.signals import Freshness, Per
from trimtab.core.strategies import sliding
from trimtab.core.strategies.rounding import whole_down, whole_up
from trimtab.core.windows import alive, leaving_at, push_high

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue, View
    from trimtab.core.strategies.sliding import Spans

TARGET_MIN = 0.01
"""The smallest target, whatever the utilization makes of it (Knative's)."""

WINDOW_STEPS = 60
"""Steps that a stable window fades in: Knative's buckets at its default window."""

STEP_SECONDS_MIN = 1.0
"""No step is shorter (Knative's bucket)."""


class Averaging(StrEnum):
    """How a window is averaged: every second alike, or newer ones more."""

    LINEAR = "linear"
    EXPONENTIAL = "exponential"


class Share(NamedTuple):
    """What one replica should carry, and what it can: the total that ``target`` is a part of."""

    target: float
    total: float


def share_of(wanted: float, limit: float | None, utilization: float) -> Share:
    """What a replica that can carry ``wanted`` should carry at ``utilization`` (above 0, up to 1).

    A ``wanted`` above the hard ``limit`` is not believed: the limit stands.
    """
    total = wanted if limit is None else min(wanted, limit)
    return Share(max(TARGET_MIN, total * utilization), total)


class Averages(NamedTuple):
    """The load over the stable and over the panic window, in the unit of the signal."""

    stable: float
    panic: float


class Panic(NamedTuple):
    """The latch: when the last burst was seen (``None``: calm), and the most asked for since."""

    since: float | None
    most: int

    @staticmethod
    def at_start(replicas: int, now: float) -> Panic:
        """Begin in panic where several replicas serve: a short look must not shrink them."""
        return Panic(now if replicas > 1 else None, replicas)


class Steering(NamedTuple):
    """What the averages came to, and what to remember of it."""

    replicas: int
    panic: Panic
    delayed: tuple[At, ...]
    excess_burst: int
    sentence: str


class _Remembered(NamedTuple):
    """What comes back from the last evaluation."""

    spans: Spans
    panic: Panic
    delayed: tuple[At, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanicWindow:
    """Keep ``signal`` at ``utilization`` of ``target`` per replica, by two windows.

    ``limit`` is what one replica takes at most. ``panic_share`` is the panic window as a share of
    the stable one (above 0, up to 1), ``panic_threshold`` how many times the ready replicas are a burst. One
    evaluation asks for at most ``max_scale_up_rate`` times the ready replicas and at least for
    them divided by ``max_scale_down_rate``. Any count above 0 is at least ``activation_scale``.
    ``burst`` is what the ready replicas should be able to take on top; it changes no count.
    """

    signal: str
    target: float
    limit: float | None = None
    utilization: float = 0.7
    stable_window_seconds: float = 60.0
    panic_share: float = 0.1
    panic_threshold: float = 2.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    scale_down_delay_seconds: float = 0.0
    activation_scale: int = 1
    averaging: Averaging = Averaging.LINEAR
    burst: float | None = None

    @property
    def signals(self) -> tuple[str, ...]:
        """The one signal it steers by."""
        return (self.signal,)

    @property
    def share(self) -> Share:
        """What one replica should carry and what it can."""
        return share_of(self.target, self.limit, self.utilization)

    def propose(self, view: View, memory: JsonValue) -> Wish:
        """Average both windows, and steer by them."""
        reading = view.readings[self.signal]
        if reading.freshness is not Freshness.USABLE or reading.value is None:
            sentence = f"{self.signal} is {reading.freshness}"
            return Wish(replicas=None, sentence=sentence, memory=memory)
        load = reading.value
        if reading.spec.per is Per.REPLICA:
            if view.ready == 0:
                sentence = f"no replica serves, so {self.signal} per replica says nothing"
                return Wish(replicas=None, sentence=sentence, memory=memory)
            load *= view.ready
        before = _load(memory, view)
        spans = sliding.observe(
            before.spans,
            view.now - (reading.age_seconds or 0.0),
            load,
            hold_seconds=reading.spec.max_age_seconds,
            window_seconds=self.stable_window_seconds,
        )
        averages = Averages(
            stable=self._average(spans, self.stable_window_seconds),
            panic=self._average(spans, self.stable_window_seconds * self.panic_share),
        )
        steering = self.steer(
            averages,
            ready=view.ready,
            now=view.now,
            panic=before.panic,
            delayed=before.delayed,
        )
        return Wish(
            replicas=steering.replicas,
            sentence=steering.sentence,
            memory={
                "spans": sliding.dump(spans),
                "panic": list(steering.panic),
                "delayed": [list(at) for at in steering.delayed],
            },
        )

    def edges(self, now: float, memory: JsonValue) -> tuple[float, ...]:
        """When a panic ends, and when the highest count leaves the delay: averages end at a sample."""
        if not _is_own(memory):
            return ()
        since = _panic_of(memory).since
        edges = () if since is None else (since + self.stable_window_seconds,)
        held = leaving_at(_delayed_of(memory), self.scale_down_delay_seconds, now, None)
        return edges if held is None else (*edges, held)

    def _average(self, spans: Spans, window_seconds: float) -> float:
        newest = spans[-1]
        if self.averaging is Averaging.LINEAR:
            seen = sliding.weigh(spans, newest.end, window_seconds)
        else:
            step_seconds = max(STEP_SECONDS_MIN, self.stable_window_seconds / WINDOW_STEPS)
            seen = sliding.weigh_fading(
                spans,
                newest.end,
                window_seconds,
                coefficient=sliding.smoothing_coefficient(max(1.0, window_seconds / step_seconds)),
                per_seconds=step_seconds,
            )
        return newest.value if seen.mean is None else seen.mean

    def steer(
        self,
        averages: Averages,
        *,
        ready: int,
        now: float,
        panic: Panic,
        delayed: tuple[At, ...],
    ) -> Steering:
        """The count for ``averages``, with the latch and the delay as they were and as they become."""
        serving = max(1, ready)
        target = self.share.target
        stable = self._within_rates(averages.stable / target, serving)
        brief = self._within_rates(averages.panic / target, serving)
        is_burst = whole_up(averages.panic / target) >= self.panic_threshold * serving
        if is_burst:
            panic = Panic(now, panic.most)
        elif panic.since is not None and now > panic.since + self.stable_window_seconds:
            panic = Panic(None, 0)
        wanted = stable
        if panic.since is not None:
            wanted = max(panic.most, stable, brief)
            panic = Panic(panic.since, wanted)
        delayed = push_high(delayed, self.scale_down_delay_seconds, now, wanted)
        replicas = max((wanted, *alive(delayed, self.scale_down_delay_seconds, now)))
        excess = excess_burst(ready, self.share.total, self.burst, averages.panic)
        sentence = self._in_words(averages, ready, panic, is_burst=is_burst, wanted=wanted)
        if replicas > wanted:
            seconds = self.scale_down_delay_seconds
            sentence += f", holds {replicas}, the most of the last {seconds:.0f} s"
        else:
            sentence += f", wants {replicas}"
        if self.burst and self.burst > 0:
            lack = f"short by {-excess}" if excess < 0 else f"with {excess} to spare"
            sentence += f"; those ready take a burst of {self.burst:.4g} {lack}"
        return Steering(replicas, panic, delayed, excess, sentence)

    def _within_rates(self, wanted: float, serving: int) -> int:
        highest = whole_up(serving * self.max_scale_up_rate)
        lowest = whole_down(serving / self.max_scale_down_rate)
        count = min(max(whole_up(wanted), lowest), highest)
        return max(count, self.activation_scale) if count > 0 else 0

    def _in_words(
        self, averages: Averages, ready: int, panic: Panic, *, is_burst: bool, wanted: int
    ) -> str:
        share, seconds = self.share, self.stable_window_seconds
        text = (
            f"{self.signal} {averages.stable:.4g} over {seconds:.0f} s, "
            f"{averages.panic:.4g} over {seconds * self.panic_share:.3g} s, "
            f"target {share.target:.4g} a replica"
        )
        if share.target != share.total:
            text += f" ({self.utilization:.0%} of {share.total:.4g})"
        if is_burst:
            text += f": a burst for {ready} ready, panics"
        elif panic.since is not None:
            text += f": still in panic, not below {wanted}"
        return text


def excess_burst(ready: int, total: float, burst: float | None, load: float) -> int:
    """How much more than ``burst`` on top of ``load`` the ready replicas can take; < 0: lacking.

    Knative's excess burst capacity: ``floor(ready * total - burst - load)``. No ``burst`` (0 or
    ``None``) is always met, an endless one (below 0) never.
    """
    if not burst:
        return 0
    if burst < 0:
        return -1
    return int((ready * total - burst - load) // 1)


def _load(memory: JsonValue, view: View) -> _Remembered:
    if not _is_own(memory):
        return _Remembered((), Panic.at_start(view.current, view.now), ())
    spans = sliding.load(memory["spans"])
    return _Remembered(spans, _panic_of(memory), _delayed_of(memory))


def _is_own(memory: JsonValue) -> TypeGuard[dict[str, JsonValue]]:
    # Another strategy may have had the rule's name before a reload.
    return isinstance(memory, dict) and memory.keys() == {"spans", "panic", "delayed"}


def _panic_of(memory: dict[str, JsonValue]) -> Panic:
    return Panic(*cast("tuple[float | None, int]", memory["panic"]))


def _delayed_of(memory: dict[str, JsonValue]) -> tuple[At, ...]:
    return tuple(At(*at) for at in cast("list[tuple[float, int]]", memory["delayed"]))
