"""``queue``: as many replicas as the ongoing requests need, once they have needed them long enough.

The rule of Ray Serve: ongoing requests (queued and running), averaged over ``look_back_seconds``,
divided by what one replica should have; of the way there, ``upscaling_factor`` or
``downscaling_factor``; and only after the wish has pointed the same way for a delay. With no
replica serving, any request asks for the first ones at once. The last replica goes only from 1,
after a delay of its own.

Unlike Ray Serve: a gap in the data is unknown and no zero (``core/strategies/sliding.py``); it starts
a delay for fewer replicas anew. A delay that has passed stays passed until the count asked for has
been reached or the direction turns, so a limit elsewhere does not make the wish wait again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, cast

from trimtab.core.proposals import REPLICAS_MAX, Wish
from trimtab.core.signals import Freshness, Per
from trimtab.core.strategies import sliding
from trimtab.core.strategies.rounding import whole_up

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue, View
    from trimtab.core.strategies.sliding import Spans


class Aggregation(StrEnum):
    """What stands for the ongoing requests of the look-back window."""

    MEAN = "mean"
    MAX = "max"
    MIN = "min"


class Waiting(NamedTuple):
    """A wish in waiting: its direction (1 up, -1 down, 0 none), since when, and what was let through.

    ``asked`` is the count that the delay has let through and that is not reached yet.
    """

    direction: int = 0
    since: float = 0.0
    asked: int | None = None


NOT_WAITING = Waiting()


class Delayed(NamedTuple):
    """What a delay makes of a wish: the count, the wish in waiting, and seconds left (0: through)."""

    replicas: int
    waiting: Waiting
    seconds_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Keep ``signal``, the ongoing requests, at ``target`` per replica that serves.

    Factors say how much of the way to go at once: below 1 part of it, above 1 beyond it.
    ``downscale_to_zero_delay_seconds``: for the last replica, ``None`` for the same as any other.
    ``group``: counts are rounded up to a multiple of it.
    """

    signal: str
    target: float
    look_back_seconds: float = 30.0
    aggregation: Aggregation = Aggregation.MEAN
    upscaling_factor: float = 1.0
    downscaling_factor: float = 1.0
    upscale_delay_seconds: float = 30.0
    downscale_delay_seconds: float = 600.0
    downscale_to_zero_delay_seconds: float | None = None
    group: int = 1

    @property
    def signals(self) -> tuple[str, ...]:
        """The one signal it steers by."""
        return (self.signal,)

    def propose(self, view: View, memory: JsonValue) -> Wish:
        """Average the requests, and let the wish wait for its delay."""
        spans, waiting = _load(memory)
        reading = view.readings[self.signal]
        if reading.freshness is not Freshness.USABLE or reading.value is None:
            kept = NOT_WAITING if waiting.direction < 0 else waiting
            return _wish(None, f"{self.signal} is {reading.freshness}", spans, kept)
        load = reading.value
        if reading.spec.per is Per.REPLICA:
            if view.ready == 0:
                sentence = f"no replica serves, so {self.signal} per replica says nothing"
                return _wish(None, sentence, spans, waiting)
            load *= view.ready
        spans = sliding.observe(
            spans,
            view.now - (reading.age_seconds or 0.0),
            load,
            hold_seconds=reading.spec.max_age_seconds,
            window_seconds=self.look_back_seconds,
        )
        ongoing = self._aggregate(spans)
        text = (
            f"{self.signal} {ongoing:.4g} ({self.aggregation} of {self.look_back_seconds:.0f} s), "
            f"target {self.target:.4g} a replica"
        )
        if view.ready == 0:
            return self._cold(view.current, ongoing, text, spans)
        wanted = self.in_groups(self.scaled(ongoing / self.target, view.ready))
        delayed = self.delay(wanted, view.current, waiting, view.now)
        if delayed.seconds_left > 0:
            text += f": would have {wanted} in another {delayed.seconds_left:.0f} s of this"
            text += f", keeps {view.current}"
        else:
            text += f": wants {delayed.replicas}"
        return _wish(delayed.replicas, text, spans, delayed.waiting)

    def edges(self, now: float, memory: JsonValue) -> tuple[float, ...]:  # noqa: ARG002  the interface
        """When a delay is over: of an average that ends at its newest sample, nothing else changes."""
        _, waiting = _load(memory)
        if waiting.direction > 0:
            return (waiting.since + self.upscale_delay_seconds,)
        if waiting.direction < 0:
            to_zero = self.downscale_to_zero_delay_seconds
            delays = (self.downscale_delay_seconds, *(() if to_zero is None else (to_zero,)))
            return tuple(waiting.since + seconds for seconds in delays)
        return ()

    def _cold(self, current: int, ongoing: float, text: str, spans: Spans) -> Wish:
        """Nobody serves: whoever waits has waited long enough."""
        if ongoing <= 0:
            return _wish(current, f"{text}: nobody waits, keeps {current}", spans, NOT_WAITING)
        wanted = max(self.in_groups(whole_up(self.upscaling_factor)), current)
        return _wish(wanted, f"{text}: none serves, wants {wanted} at once", spans, NOT_WAITING)

    def _aggregate(self, spans: Spans) -> float:
        newest = spans[-1]
        inside = sliding.since(spans, newest.end - self.look_back_seconds)
        if self.aggregation is Aggregation.MAX:
            return max(span.value for span in inside)
        if self.aggregation is Aggregation.MIN:
            return min(span.value for span in inside)
        mean = sliding.weigh(spans, newest.end, self.look_back_seconds).mean
        return newest.value if mean is None else mean

    def scaled(self, wanted: float, serving: int) -> int:
        """The count that lies the factor's part of the way from ``serving`` to ``wanted``.

        Where rounding up would keep a downscale from ever moving, it moves by one.
        """
        factor = self.upscaling_factor if wanted > serving else self.downscaling_factor
        count = whole_up(serving + factor * (wanted - serving))
        if whole_up(wanted) < serving and count == serving:
            count -= 1
        return count

    def in_groups(self, count: int) -> int:
        """``count`` rounded up to whole groups."""
        return min(-(-count // self.group), REPLICAS_MAX // self.group) * self.group

    def delay(self, wanted: int, current: int, waiting: Waiting, now: float) -> Delayed:
        """Let ``wanted`` through once it has pointed the same way for the delay of that direction.

        Down to 0 it goes only from 1 (from the last group), and after a delay of its own.
        """
        direction = (wanted > current) - (wanted < current)
        if direction == 0:
            return Delayed(current, NOT_WAITING, 0.0)
        is_reached = waiting.asked is not None and direction * (current - waiting.asked) >= 0
        if direction != waiting.direction or is_reached:
            waiting = Waiting(direction, now)
        seconds = self.upscale_delay_seconds
        if direction < 0:
            seconds = self.downscale_delay_seconds
            if current > self.group:
                wanted = max(self.group, wanted)
            elif self.downscale_to_zero_delay_seconds is not None:
                seconds = self.downscale_to_zero_delay_seconds
        left = waiting.since + seconds - now
        if left > 0:
            return Delayed(current, waiting, left)
        return Delayed(wanted, waiting._replace(asked=wanted), 0.0)


def _wish(replicas: int | None, sentence: str, spans: Spans, waiting: Waiting) -> Wish:
    memory: JsonValue = {"spans": sliding.dump(spans), "waiting": list(waiting)}
    return Wish(replicas=replicas, sentence=sentence, memory=memory)


def _load(memory: JsonValue) -> tuple[Spans, Waiting]:
    # Another strategy may have had the rule's name before a reload.
    if not isinstance(memory, dict) or memory.keys() != {"spans", "waiting"}:
        return (), NOT_WAITING
    waiting = cast("tuple[int, float, int | None]", memory["waiting"])
    return sliding.load(memory["spans"]), Waiting(*waiting)
